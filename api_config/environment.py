"""The machine that the program runs on: each thing it needs, whether it is there and new enough, and what mends it.

`check_environment` looks and changes nothing; the words are in `messages/*/environment.toml`. What a town's data need is
the part of `twin_model/doctor`.
"""

import importlib.metadata
import importlib.util
import os
import pyexpat
import re
import shlex
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ingest.vector.gdal_settings import gdal_version, missing_drivers
from twin_model.crs import crs_code, grid_count, proj_version
from twin_model.errors import PackageMissing, TwinError
from twin_model.messages import render
from twin_model.store.opening import server_versions
from twin_model.town_settings import TOWN_FILE, read_settings

__all__ = ["Check", "State", "check_environment", "old_libraries"]

State = Literal["good", "warning", "error"]

EXPAT = "2.8.1"
"""Before it, an element with a hundred thousand attributes (1.4 MB) takes a quarter of a minute (CVE-2026-45186)."""
SQLITE = "3.51.3"
"""Before it, two processes that write and checkpoint in the same instant could damage a file ("WAL-reset bug")."""
_LITTLE_SPACE, _NO_SPACE = 2**30, 100 * 2**20
_POSTGIS = "3.0"
_PROJECT = "hsr-town-twin"
_NEWER_PYTHON = "sh install.sh --python /path/to/python3"
_SYSTEM_PACKAGES: Mapping[str, Mapping[str, str]] = {
    "apt-get": {
        "expat": "apt-get install --only-upgrade libexpat1",
        "sqlite3": "apt-get install --only-upgrade libsqlite3-0",
        "font": "apt-get install fonts-noto-cjk",
    },
    "dnf": {
        "expat": "dnf upgrade expat",
        "sqlite3": "dnf upgrade sqlite-libs",
        "font": "dnf install google-noto-sans-cjk-fonts",
    },
    "yum": {
        "expat": "yum update expat",
        "sqlite3": "yum update sqlite-libs",
        "font": "yum install google-noto-sans-cjk-fonts",
    },
}
"""Commands of package managers for libraries of the system."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: its name, its state, and the values of its words."""

    name: str
    state: State = "good"
    rule: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, lang: str) -> str:
        """Return what is there, or what is wrong with the command that mends it."""
        return render(self.rule or f"environment_fact.{self.name}", lang, dict(self.values))


def check_environment(town: Path, viewer: Path) -> list[Check]:
    """Return every check of the machine, the town's folder and its database; a town need not exist yet."""
    checks: list[Callable[[], Iterator[Check]]] = [
        _python,
        _packages,
        _expat,
        _sqlite,
        _gdal,
        _proj,
        _fonts,
        lambda: _viewer(viewer),
        lambda: _folders(town),
        lambda: _database(town),
    ]
    return [check for look in checks for check in look()]


def old_libraries() -> list[Check]:
    """Return the checks of expat and SQLite that are not good: what `twin serve` warns of when it starts."""
    return [check for look in (_expat, _sqlite) for check in look() if check.state != "good"]


def _python() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("python", values={"version": version, "path": sys.executable})


def _packages() -> Iterator[Check]:
    """Check that what the program declares is installed; its own metadata is absent where it runs from its sources."""
    try:
        needs = importlib.metadata.requires(_PROJECT) or []
        version = importlib.metadata.version(_PROJECT)
    except importlib.metadata.PackageNotFoundError:
        return
    names = [re.split(r"[^\w.-]", need)[0] for need in needs if ";" not in need]
    absent = [name for name in names if not _is_installed(name)]
    if absent:
        command = f"{shlex.quote(sys.executable)} -m pip install {' '.join(absent)}"
        yield Check("packages", "error", "environment.packages", {"names": absent, "command": command})
    else:
        yield Check("packages", values={"version": version, "count": len(names)})


def _is_installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def _expat() -> Iterator[Check]:
    yield _aged("expat", pyexpat.EXPAT_VERSION.removeprefix("expat_"), EXPAT)


def _sqlite() -> Iterator[Check]:
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE box USING rtree(id, x0, x1)")
        except sqlite3.OperationalError:
            values = {"version": sqlite3.sqlite_version, "command": _NEWER_PYTHON}
            yield Check("sqlite", "error", "environment.sqlite_rtree", values)
            return
    yield _aged("sqlite", sqlite3.sqlite_version, SQLITE)


def _aged(name: str, version: str, expected: str) -> Check:
    """Return the check of a library that Python brings: a warning where it is older than expected."""
    if _numbers(version) >= _numbers(expected):
        return Check(name, values={"version": version})
    library = {"expat": "expat", "sqlite": "sqlite3"}[name]
    command = _system_command(library) if _is_of_system(library) else ""
    values = {"version": version, "expected": expected, "command": command or _NEWER_PYTHON}
    return Check(name, "warning", f"environment.{name}_{'old' if command else 'in_python'}", values)


def _is_of_system(library: str) -> bool:
    """Return whether this process uses a library of the system; those of other packages lie in folders `*.libs`."""
    try:
        mapped = Path("/proc/self/maps").read_text("utf-8", "replace")
    except OSError:
        return False
    return re.search(rf"\s/(?:usr/)?lib\S*/lib{library}\.so", mapped) is not None


def _system_command(package: str) -> str:
    """Return the command of this system's package manager, "" where it has none that we know."""
    return next((commands[package] for tool, commands in _SYSTEM_PACKAGES.items() if shutil.which(tool)), "")


def _gdal() -> Iterator[Check]:
    absent = missing_drivers()
    if absent:
        command = f"{shlex.quote(sys.executable)} -m pip install --force-reinstall pyogrio"
        yield Check(
            "gdal", "error", "environment.gdal", {"version": gdal_version(), "names": absent, "command": command}
        )
    else:
        yield Check("gdal", values={"version": gdal_version()})


def _proj() -> Iterator[Check]:
    """Check that PROJ finds its own database."""
    try:
        crs_code("EPSG:4548")
    except TwinError:
        command = f"{shlex.quote(sys.executable)} -m pip install --force-reinstall pyproj"
        yield Check("proj", "error", "environment.proj", {"version": proj_version(), "command": command})
        return
    yield Check("proj", values={"version": proj_version(), "count": grid_count()})


def _fonts() -> Iterator[Check]:
    """Check that plots of notebooks can have Chinese letters; pages and viewer take the fonts of whoever looks."""
    from twin_model.desk.plot_style import installed_font

    try:
        font = installed_font()
    except (ModuleNotFoundError, PackageMissing):
        command = f"{shlex.quote(sys.executable)} -m pip install 'hsr-town-twin[notebook]'"
        yield Check("fonts", "warning", "environment.no_plots", {"command": command})
        return
    if font is None:
        command = _system_command("font") or "fonts-noto-cjk"
        yield Check("fonts", "warning", "environment.no_font", {"command": command})
    else:
        yield Check("fonts", values={"font": font})


def _viewer(folder: Path) -> Iterator[Check]:
    if (folder / "index.html").is_file():
        yield Check("viewer", values={"path": str(folder)})
    else:
        yield Check("viewer", "warning", "environment.viewer", {"path": str(folder), "command": "make viewer"})


def _folders(town: Path) -> Iterator[Check]:
    """Check room and rights of the town's folder and of the folder that sources are unpacked in."""
    yield from _folder("town", _existing(town))
    yield from _folder("scratch", Path(tempfile.gettempdir()))
    private = town / "private"
    if os.name == "posix" and private.is_dir() and private.stat().st_mode & 0o077:
        yield Check(
            "private",
            "warning",
            "environment.private",
            {"path": str(private), "command": f"chmod -R go= {shlex.quote(str(private))}"},
        )


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that exists."""
    folder = folder.resolve()
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _folder(name: str, path: Path) -> Iterator[Check]:
    free = shutil.disk_usage(path).free
    values = {"path": str(path), "free": free // 2**20, "expected": _LITTLE_SPACE // 2**20}
    if not os.access(path, os.W_OK | os.X_OK):
        yield Check(
            name,
            "warning",
            "environment.not_writable",
            values | {"command": f"chown {_user()} {shlex.quote(str(path))}"},
        )
    elif free < _LITTLE_SPACE:
        state: State = "error" if free < _NO_SPACE else "warning"
        yield Check(name, state, "environment.little_space", values | {"command": f"df -h {shlex.quote(str(path))}"})
    else:
        yield Check(name, values=values)


def _user() -> str:
    return os.environ.get("USER") or os.environ.get("LOGNAME") or "$USER"


def _database(town: Path) -> Iterator[Check]:
    """Check the server of a town that lies in PostgreSQL."""
    if not (town / TOWN_FILE).is_file():
        return
    try:
        versions = server_versions(read_settings(town).store)
    except TwinError as error:
        yield Check("postgis", "error", error.rule_id, error.values)
        return
    if versions is None:
        return
    server, extension = versions
    values = {"server": server, "version": extension, "expected": _POSTGIS}
    if not extension:
        yield Check("postgis", "error", "environment.no_postgis", values | {"command": "CREATE EXTENSION postgis"})
    elif _numbers(extension) < _numbers(_POSTGIS):
        yield Check(
            "postgis", "error", "environment.postgis_old", values | {"command": "ALTER EXTENSION postgis UPDATE"}
        )
    else:
        yield Check("postgis", values=values)


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers that compare: "3.51.3" is (3, 51, 3)."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
