"""What the demo reads and writes: in a checkout its own folders, from a wheel the working folder."""

from pathlib import Path

from api_config.demo_files import DemoFiles, write_notebooks

ROOT = Path(__file__).resolve().parents[2]


def test_in_a_checkout_samples_are_written_where_the_project_has_them() -> None:
    files = DemoFiles()

    assert files.is_checkout
    assert files.generator.is_file() and files.settings.is_file()
    assert files.samples == ROOT / "data_samples"
    assert files.notebooks == ROOT / "notebooks"


def test_installed_from_a_wheel_nothing_is_written_into_the_packages(tmp_path: Path) -> None:
    files = DemoFiles(tmp_path / "api_config")

    assert files.samples == Path("data_samples")
    assert files.notebooks == tmp_path / "api_config" / "notebooks"


def test_a_notebook_that_somebody_has_changed_stays(tmp_path: Path) -> None:
    changed = tmp_path / "02_history.ipynb"
    changed.write_text("mine", "utf-8")

    written = write_notebooks(ROOT / "notebooks", tmp_path)

    assert changed not in written and changed.read_text("utf-8") == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
