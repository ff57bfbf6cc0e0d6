"""`install.sh` of the bundle: what it refuses, that the old version stays until the new one is whole, and both languages.

The bundle of these tests holds a package of one file, so that an installation takes seconds; a true bundle is
installed by `tests/journeys/test_carried_in.py`.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
PIP = next(Path(shutil.__file__).with_name("ensurepip").joinpath("_bundled").glob("pip-*.whl"))
"""The pip that Python itself carries."""
PROGRAM = """import sys
def main():
    print("twin", sys.argv[1:])
"""


class Bundle:
    """A small bundle of a version, and the folder that it is installed into."""

    def __init__(self, folder: Path, prefix: Path) -> None:
        self.folder, self.prefix = folder, prefix

    def run(self, *words: str | Path, lang: str = "en") -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.prefix.parent), "TWIN_LANG": lang}
        environment |= {"PIP_INDEX_URL": "http://127.0.0.1:1/", "PYTHONPATH": str(self.folder)}
        command = ["sh", str(self.folder / "install.sh"), *map(str, words)]
        return subprocess.run(
            command, env=environment, cwd=self.prefix.parent, capture_output=True, text=True, check=False
        )

    def install(self, *words: str | Path, lang: str = "en") -> "subprocess.CompletedProcess[str]":
        return self.run("--prefix", self.prefix, "--python", sys.executable, *words, lang=lang)

    def seal(self) -> None:
        files = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
        rows = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(self.folder)}\n" for path in files)
        (self.folder / "SHA256SUMS").write_text("".join(rows), "utf-8")


def make_bundle(folder: Path, version: str, *, pythons: str = HERE, needs: str = "") -> Bundle:
    """Return a bundle as `bundle/make_bundle.py` lays it out, with a program that prints what it is called with."""
    for name in ("wheelhouse", "docs", "licences"):
        (folder / name).mkdir(parents=True)
    for name in ("README.md", "README.zh-CN.md", "CHANGELOG.md", "LICENSE", "NOTICE", "constraints.txt"):
        (folder / name).write_text("", "utf-8")
    facts = f"version={version}\nsystem={platform.system().lower()}\nmachine={MACHINE}\npythons={pythons}\nglibc=2.17\n"
    (folder / "BUNDLE").write_text(facts, "utf-8")
    shutil.copy(ROOT / "bundle" / "install.sh", folder)
    shutil.copy(PIP, folder / "wheelhouse")
    place = f"hsr_town_twin-{version}.dist-info"
    required = f"Requires-Dist: {needs}\n" if needs else ""
    with zipfile.ZipFile(folder / "wheelhouse" / f"hsr_town_twin-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("small_twin.py", PROGRAM)
        wheel.writestr(f"{place}/METADATA", f"Metadata-Version: 2.1\nName: hsr-town-twin\nVersion: {version}\nProvides-Extra: notebook\n{required}")  # fmt: skip
        wheel.writestr(
            f"{place}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{place}/entry_points.txt", "[console_scripts]\ntwin = small_twin:main\n")
        wheel.writestr(f"{place}/RECORD", "")
    bundle = Bundle(folder, folder.parent / "place" / "twin")
    bundle.prefix.parent.mkdir(exist_ok=True)
    bundle.seal()
    return bundle


def current(bundle: Bundle) -> str:
    return str((bundle.prefix / "current").readlink())


def versions(bundle: Bundle) -> list[str]:
    return sorted(path.name for path in (bundle.prefix / "versions").iterdir())


def test_help_is_in_both_languages_and_what_is_called_wrongly_is_told(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "1.0")

    shown, unknown, empty = bundle.run("--help"), bundle.run("--prefx", "x", lang="zh"), bundle.run("--prefix")

    assert shown.returncode == 0 and "用法：" in shown.stdout and "Usage:" in shown.stdout
    for option in ("--prefix", "--python", "--link", "--no-link"):
        assert shown.stdout.count(f"  {option}") == 2, option
    assert unknown.returncode == 2 and "不认识的选项：--prefx" in unknown.stderr
    assert empty.returncode == 2 and "lacks its value" in empty.stderr


def test_the_page_on_installing_names_the_options_that_the_installer_has() -> None:
    page = (ROOT / "docs" / "install.md").read_text("utf-8")
    cases = re.search(
        r"while \[ \$# -gt 0 \].*?^done$", (ROOT / "bundle" / "install.sh").read_text("utf-8"), re.M | re.S
    )

    rows = "".join(row for row in page.splitlines() if row.startswith("| `--"))
    assert cases is not None
    assert set(re.findall(r"--[a-z-]+", rows)) == set(re.findall(r"--[a-z-]+", cases[0])) - {"--help"}


def test_a_python_that_the_bundle_is_not_for_is_refused_with_what_it_is_for(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "1.0", pythons="3.99")

    named, sought = bundle.install(), bundle.run("--prefix", bundle.prefix, lang="zh")
    absent = bundle.run("--python", tmp_path / "nothing")

    assert named.returncode == 1 and f"Python {HERE} (3.99)" in named.stderr
    assert sought.returncode == 1 and "未找到可用的 Python" in sought.stderr and "3.99" in sought.stderr
    assert absent.returncode == 1 and "cannot be run" in absent.stderr
    assert not bundle.prefix.exists()


@pytest.mark.parametrize("damage", ["altered", "missing", "added"])
def test_a_bundle_that_is_not_as_it_was_made_is_refused_and_nothing_is_installed(tmp_path: Path, damage: str) -> None:
    bundle = make_bundle(tmp_path / "bundle", "1.0")
    (wheel,) = (bundle.folder / "wheelhouse").glob("hsr*")
    if damage == "altered":
        wheel.write_bytes(wheel.read_bytes() + b"\0")
    elif damage == "missing":
        wheel.unlink()
    else:
        shutil.copy(wheel, wheel.with_name("hsr_town_twin-9.9-py3-none-any.whl"))

    done = bundle.install()

    assert done.returncode == 1 and "wheelhouse/hsr_town_twin" in done.stderr, done.stderr
    assert not bundle.prefix.exists()


@pytest.mark.proof
def test_an_upgrade_takes_the_place_of_the_old_version_only_when_it_is_whole(tmp_path: Path) -> None:
    """Four installations, some seconds each: a first one, one that fails, and two that follow it."""
    first = make_bundle(tmp_path / "first", "1.0")
    broken = make_bundle(tmp_path / "broken", "1.1", needs="not-carried")
    second = make_bundle(tmp_path / "second", "1.2")
    links = tmp_path / "links"

    installed = first.install("--link", links)
    failed = broken.install("--link", links, lang="zh")
    between = current(first), versions(first)
    (first.prefix / "versions" / "0.9-1").mkdir()  # a run that was killed leaves this
    upgraded = second.install("--link", links)
    called = subprocess.run([links / "twin", "status"], capture_output=True, text=True, check=True)
    (links / "twin").unlink()
    (links / "twin").write_text("a program of somebody else", "utf-8")
    again = second.install("--link", links)

    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert "twin ['--town', 'town', 'doctor', '--environment']" in installed.stdout and "demo" in installed.stdout
    assert failed.returncode == 1 and "not-carried" in failed.stderr and "原有版本未改动" in failed.stderr
    assert between == ("versions/1.0-1", ["1.0-1"]), "what failed leaves nothing behind"
    assert upgraded.returncode == 0 and "ln -sfn versions/1.0-1" in upgraded.stdout
    assert (
        again.returncode == 0 and "is no link" in again.stdout and (links / "twin").read_text("utf-8").startswith("a p")
    )
    assert current(first) == "versions/1.2-2"
    assert versions(first) == ["1.2-1", "1.2-2"], "the one before stays, older ones go"
    assert called.stdout == "twin ['status']\n"
