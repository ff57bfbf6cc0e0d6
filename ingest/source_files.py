"""The files a source is made of: what lies beside it under its name, and that each of them is a file of its own folder."""

import os
from pathlib import Path

from twin_model.errors import SourceRefused

__all__ = ["companions", "ensure_own_files"]


def companions(path: Path) -> list[Path]:
    """Return what lies beside a file under its name with another ending, as GDAL may open it."""
    start = f"{path.stem}.".lower()
    with os.scandir(path.parent) as entries:
        names = [
            entry.name for entry in entries if entry.name.lower().startswith(start) and not entry.is_dir()
        ]
    return [path.parent / name for name in sorted(names) if name != path.name]


def ensure_own_files(path: Path, parts: list[Path], source: str) -> None:
    """Refuse a source whose companion is no file of its own folder: a link that leads out, a pipe, a device."""
    homes = {path.parent.resolve(), path.resolve().parent}
    for part in parts:
        if part.exists() and not part.is_file():
            raise SourceRefused("source.part_elsewhere", source=source, part=part.name, found="no plain file")
        if part.is_symlink() and part.resolve().parent not in homes:
            raise SourceRefused(
                "source.part_elsewhere", source=source, part=part.name, found=str(part.readlink())
            )
