"""The wheelhouse of a bundle: our wheel and every wheel it needs, as pinned, for a platform and its Pythons.

On Linux the wheels are those of the oldest C library that they all know (`GLIBC`), not of the machine that makes the bundle.
"""

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = "hsr-town-twin"
EXTRAS = "notebook"
GLIBC = (2, 31)
_LEGACY = ("manylinux2014", "manylinux2010", "manylinux1")


def machine() -> str:
    """Return the machine as wheels name it, "x86_64" or "aarch64"."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())


def platform_name() -> str:
    """Return the platform as the archive names it: "linux-x86_64"."""
    return f"{platform.system().lower()}-{machine()}"


def make_wheelhouse(folder: Path, pythons: Sequence[str]) -> Path:
    """Fill a folder with wheels for each of the Pythons ("3.11"), the first that of this interpreter; return our wheel.

    Needs the package index for what is not cached. A package that `constraints.txt` does not pin ends the run.
    """
    folder.mkdir(parents=True)
    _pip("wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-w", str(folder))
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    (own,) = folder.iterdir()
    requirement = f"{own}[{EXTRAS}]"
    _pip(
        "download",
        requirement,
        _pinned("pip"),
        "-c",
        str(ROOT / "constraints.txt"),
        *_choice(pythons[0]),
        "-d",
        str(folder),
    )
    wheels = [path for path in folder.iterdir() if path != own]
    pins = [_pinned(path.name.split("-")[0]) for path in wheels]
    for python in pythons[1:]:
        _pip("download", *pins, "--no-deps", *_choice(python), "-d", str(folder))
    return own


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pinned(name: str) -> str:
    """Return the line of `constraints.txt` for a package."""
    for line in (ROOT / "constraints.txt").read_text("utf-8").split():
        if canonical(line.partition("==")[0]) == canonical(name):
            return line
    raise SystemExit(
        f"{name} is not pinned. Expected a line {name}==VERSION in constraints.txt. Add it and run make bundle again."
    )


def _choice(python: str) -> list[str]:
    """Return the options with which pip takes wheels of a Python and of this kind of machine only."""
    words = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    if platform.system() != "Linux":
        return (
            words if python == f"{sys.version_info.major}.{sys.version_info.minor}" else [*words, "--platform", "any"]
        )
    names = [f"manylinux_{GLIBC[0]}_{minor}" for minor in range(GLIBC[1], 4, -1)] + list(_LEGACY)
    return words + [word for name in names for word in ("--platform", f"{name}_{machine()}")]


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"pip {words[0]} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
