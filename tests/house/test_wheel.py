"""The wheel carries what the code reads where there is no checkout: words, tables, pages, viewer, samples, notebooks."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("twin_model", "ingest", "tiles", "api_config")
WRITTEN_BY_THE_GENERATOR = ("data_samples/broken/", "data_samples/byhand/", "data_samples/control/")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is tracked, with a built viewer of two files: a build leaves traces in its folder."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked("."):
        if (
            name.startswith((*(f"{package}/" for package in PACKAGES), "data_samples/", "notebooks/"))
            or "/" not in name
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Iterator[zipfile.ZipFile]:
    """The wheel, built without network; a file that an earlier build left behind does not come into it."""
    (checkout / "viewer/dist/assets").mkdir(parents=True)
    (checkout / "viewer/dist/index.html").write_text("<!doctype html>", "utf-8")
    (checkout / "viewer/dist/assets/index.js").write_text("", "utf-8")
    (checkout / "build/lib/tiles").mkdir(parents=True)
    (checkout / "build/lib/tiles/left_behind.py").write_text("", "utf-8")
    words = ["-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", "wheels"]
    done = subprocess.run([sys.executable, *words], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (checkout / "wheels").iterdir()
    with zipfile.ZipFile(path) as opened:
        yield opened


def tracked(*folders: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard", "--", *folders],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_a_wheel_without_the_viewer_is_refused_with_what_builds_it(checkout: Path) -> None:
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_py"], cwd=checkout, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "make viewer" in done.stderr


def test_the_wheel_holds_every_file_of_the_packages_the_viewer_the_samples_and_the_notebooks(
    wheel: zipfile.ZipFile,
) -> None:
    carried = {name for name in wheel.namelist() if ".dist-info/" not in name}

    expected = set(tracked(*PACKAGES))
    expected |= {name for name in tracked("data_samples") if not name.startswith(WRITTEN_BY_THE_GENERATOR)}
    expected |= {f"api_config/{name}" for name in tracked("notebooks")}
    expected |= {"tiles/viewer/index.html", "tiles/viewer/assets/index.js"}
    assert expected - carried == set(), "the code reads these, and the wheel lacks them"
    assert carried - expected == set(), "nobody asked for these"


def test_the_wheel_holds_the_licence_and_the_notice_of_what_it_carries(wheel: zipfile.ZipFile) -> None:
    licences = {Path(name).name for name in wheel.namelist() if ".dist-info/licenses/" in name}

    assert licences == {"LICENSE", "NOTICE"}
