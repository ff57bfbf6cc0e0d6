"""The bundle on a machine without network: installed, the demo town made, the viewer seen, a notebook run.

Everything runs in a network namespace that has loopback only, from an empty home. It takes minutes: `make proof`.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BROWSER = Path(__file__).with_name("carried_in_browser.py")
ALONE = 'ip link set lo up && exec "$@"'
"""What a shell does first in its namespace."""

pytestmark = pytest.mark.proof


class Machine:
    """A machine that reaches only itself, with an empty home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            "HOME": str(home),
            "PATH": f"{home / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "TWIN_LANG": "zh",
        }

    def run(self, *words: str | Path, seconds: float = 900) -> str:
        """Run a command to its end and return what it prints; it must succeed."""
        command: Sequence[str] = ["unshare", "-n", "sh", "-c", ALONE, "sh", *map(str, words)]
        done = subprocess.run(
            command, env=self.environment, cwd=self.home, capture_output=True, text=True, check=False, timeout=seconds
        )
        assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        lacking = "root, unshare and ip are needed for a network namespace: the bundle is NOT tested here"
        pytest.fail(lacking) if os.environ.get("CI") == "true" else pytest.skip(lacking)
    return Machine(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, made as `make bundle` makes it; the package index is asked for what is not cached."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(ROOT / "bundle" / "make_bundle.py"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = out.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def installed(bundle: Path, machine: Machine) -> str:
    """What the installer printed; `twin` is then on the machine's path."""
    with tarfile.open(bundle) as archive:
        archive.extractall(machine.home, filter="data")
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    words = ["--prefix", machine.home / "program", "--link", machine.home / "bin", "--python", python]
    return machine.run("sh", machine.home / bundle.name.removesuffix(".tar.gz") / "install.sh", *words)


def test_the_bundle_is_installed_and_used_where_nothing_but_loopback_can_be_reached(
    installed: str, machine: Machine, chromium: str
) -> None:
    program = machine.home / "program" / "current" / "bin"
    work = machine.home / "work"
    work.mkdir()

    reached = machine.run("sh", "-c", "ip -o route; ip -o -4 address | grep -v '127.0.0.1' || true")
    made = machine.run("sh", "-c", f"cd '{work}' && twin demo --no-serve")
    picture = work / "viewer.png"
    seen = json.loads(machine.run(sys.executable, BROWSER, program / "twin", work / "town", chromium, picture).splitlines()[-1])  # fmt: skip
    machine.run("sh", "-c", f"cd '{work}' && '{program}/jupyter' execute notebooks/01_first_town.ipynb")

    assert reached.strip() == "", "the machine has a way out"
    assert "缺失 0 项" in installed and "已安装 hsr-town-twin" in installed
    assert "notebooks/01_first_town.ipynb" in made
    assert seen["troubles"] == [] and seen["layers"] > 10
    assert picture.stat().st_size > 50_000, "an empty scene is a small picture"
