"""What `twin doctor` says of the machine: what is there, what is old or missing, and a command that mends it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from twin_command import run_twin

from api_config import environment
from api_config.environment import Check, check_environment, old_libraries
from twin_model.store.opening import server_versions
from twin_model.town import init_town

ROOT = Path(__file__).resolve().parents[2]
TWIN = [sys.executable, "-c", "from api_config.cli import main; main()"]


def built_viewer(folder: Path) -> Path:
    folder.mkdir()
    (folder / "index.html").write_text("", "utf-8")
    return folder


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_a_machine_that_can_run_the_tests_lacks_nothing_and_a_town_need_not_exist(tmp_path: Path) -> None:
    checks = by_name(check_environment(tmp_path / "no" / "town", built_viewer(tmp_path / "viewer")))

    assert {"python", "expat", "sqlite", "gdal", "proj", "fonts", "viewer", "town", "scratch"} <= set(checks)
    assert [check for check in checks.values() if check.state == "error"] == []
    assert checks["viewer"].state == "good" and checks["town"].values["path"] == str(tmp_path)
    assert all(check.text(lang) and "environment" not in check.text(lang) for check in checks.values() for lang in ("en", "zh"))  # fmt: skip


@pytest.mark.parametrize(("expected", "state"), [("0.1", "good"), ("999.0.1", "warning")])
def test_a_library_is_old_where_a_newer_one_is_expected(
    expected: str, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "EXPAT", expected)
    monkeypatch.setattr(environment, "SQLITE", expected)

    checks = by_name(check_environment(tmp_path, tmp_path))

    assert {checks["expat"].state, checks["sqlite"].state} == {state}
    old = old_libraries()
    assert [check.name for check in old] == ([] if state == "good" else ["expat", "sqlite"])
    for check in old:
        assert expected in check.text("en") and expected in check.text("zh")
        assert check.values["command"].startswith(("sh install.sh", "apt-get", "dnf", "yum")), check


def test_what_is_missing_is_named_with_its_command_and_the_exit_code_says_so(tmp_path: Path) -> None:
    """In a process of its own: the metadata that is looked up declares a package that is not installed."""
    metadata = tmp_path / "site" / "hsr_town_twin-9.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: hsr-town-twin\nVersion: 9\nRequires-Dist: no-such-package>=1\n", "utf-8")  # fmt: skip
    variables = {"PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{ROOT}", "TWIN_LANG": "zh"}
    variables["TWIN_VIEWER"] = str(tmp_path)

    done = subprocess.run(
        [*TWIN, "--town", "town", "doctor", "--environment"],
        cwd=tmp_path, env=os.environ | variables, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1, done.stdout + done.stderr
    assert "pip install no-such-package" in done.stdout
    assert "make viewer" in done.stdout and "缺失 1 项" in done.stdout, done.stdout


def test_the_doctor_looks_at_the_machine_first_and_then_at_the_town(tmp_path: Path) -> None:
    init_town(tmp_path / "town", name="新城", crs="EPSG:4548").store.close()

    both = json.loads(run_twin("--town", "town", "doctor", "--json", folder=tmp_path).stdout)
    nowhere = run_twin("--town", "none", "doctor", folder=tmp_path)

    assert both["layers"] == {} and "sqlite" in {check["name"] for check in both["environment"]}
    assert nowhere.returncode == 0 and "no town in none" in nowhere.stdout


def test_parameters_that_others_can_read_are_noted_and_the_command_takes_their_rights(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o755)
    (tmp_path / "private").chmod(0o755)

    noted = by_name(check_environment(tmp_path, tmp_path))["private"]
    subprocess.run(noted.values["command"], shell=True, check=True)

    assert noted.state == "warning" and "chmod" in noted.text("zh")
    assert "private" not in by_name(check_environment(tmp_path, tmp_path))


def test_a_database_that_does_not_answer_is_missing_and_no_password_is_shown(tmp_path: Path) -> None:
    text = 'name = "新城"\ncrs = "EPSG:4548"\nstore = "postgresql://surveyor:secret@127.0.0.1:1/none"\n'
    (tmp_path / "town.toml").write_text(text, "utf-8")

    check = by_name(check_environment(tmp_path, tmp_path))["postgis"]

    assert check.state == "error"
    assert "127.0.0.1:1/none" in check.text("zh") and "secret" not in check.text("en")


def test_the_versions_of_a_database_are_told(postgis_url: str) -> None:
    versions = server_versions(postgis_url)

    assert versions is not None
    assert int(versions[0].split(".")[0]) >= 13 and versions[1].startswith("3.")
