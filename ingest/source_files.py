"""The files that lie beside a source under its name, and the check that each is a file of its own folder."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from twin_model.errors import SourceRefused

__all__ = ["alone", "companions", "ensure_own_files", "with_companions"]


def companions(path: Path) -> list[Path]:
    """Return what lies beside a file under its name with another ending, as GDAL may open it."""
    start = f"{path.stem}.".lower()
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry in entries if entry.name.lower().startswith(start) and not entry.is_dir()]
    return [path.parent / name for name in sorted(names) if name != path.name]


def alone(path: Path) -> tuple[Path, ...]:
    """Return the file itself: the files of a source that comes in one."""
    return (path,)


def with_companions(path: Path, endings: Collection[str]) -> tuple[Path, ...]:
    """Return a file, then those beside it under its name with one of the endings (lower case), by name.

    Letters of another case count in the name where no file has it as it is written: MapInfo's tables come so.
    """
    length = len(path.stem)
    candidates = [part for part in companions(path) if part.name[length:].lower() in endings]
    exact = {part.name[length:].lower() for part in candidates if part.name[:length] == path.stem}
    return (
        path,
        *(part for part in candidates if part.name[:length] == path.stem or part.name[length:].lower() not in exact),
    )


def ensure_own_files(path: Path, parts: Iterable[Path], source: str) -> None:
    """Refuse a source whose companion is no file of its own folder: a link that leads out, a pipe, a device."""
    homes = {path.parent.resolve(), path.resolve().parent}
    for part in parts:
        if part.exists() and not part.is_file():
            raise SourceRefused("source.part_elsewhere", source=source, part=part.name, found="no plain file")
        if part.is_symlink() and part.resolve().parent not in homes:
            raise SourceRefused("source.part_elsewhere", source=source, part=part.name, found=str(part.readlink()))
