"""What killed processes have left in a town's folder: half-written files and folders that nobody reads, and how they go.

Whatever is written as a whole is written beside its place first, under a hidden name. `twin doctor` names what is left of
that, and takes it away with `--apply`. What is younger than an hour may still be written.
"""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Leftover", "leftovers_of", "sweep", "sweep_backups"]

_PATTERNS = {
    ".": r"\.store\.gpkg\.\d+\.part|\.town\.toml\.\d+|\.restoring-\d+|\.[^/]+\.part",
    "backups": r"\.backup-\w+|\.[^/]+\.part",
    "sources": r"\.part-\w+|\.damaged-\w+",
    "mappings": r"\.[^/]+\.(part|tmp)",
    "catalogue": r"\.[^/]+\.(part|tmp)",
}
"""Folder -> names of what is written beside its place."""

_JOURNAL = ".replacement.json"
_OLD_SECONDS = 3_600


@dataclass(frozen=True)
class Leftover:
    """A file or folder that nobody reads, its bytes, and how long it has been there."""

    path: Path
    size: int
    age: float


def leftovers_of(town: Path) -> list[Leftover]:
    """Return what was left in a town's folder more than an hour ago, by name. A restore that is to be completed is none."""
    if (town / _JOURNAL).exists():
        return []
    left = [leftover for folder, pattern in _PATTERNS.items() for leftover in _old_ones(town / folder, pattern)]
    return sorted(left, key=lambda leftover: leftover.path)


def _old_ones(folder: Path, pattern: str) -> Iterator[Leftover]:
    for path in [*_members(folder)]:
        if re.fullmatch(pattern, path.name) and not path.is_symlink():
            pieces = [piece for piece in (path, *path.rglob("*")) if piece.is_file()] or [path]
            stats = [piece.stat() for piece in pieces]
            age = time.time() - max(each.st_mtime for each in stats)
            if age > _OLD_SECONDS:
                yield Leftover(path, sum(each.st_size for each in stats), age)


def sweep_backups(folder: Path) -> int:
    """Take away what killed runs of `twin backup` have left in a folder more than an hour ago; return the bytes."""
    return sweep(list(_old_ones(folder, _PATTERNS["backups"])))


def _members(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())


def sweep(leftovers: list[Leftover]) -> int:
    """Take leftovers away and return the bytes that are free again."""
    for leftover in leftovers:
        if leftover.path.is_dir():
            shutil.rmtree(leftover.path, ignore_errors=True)
        else:
            leftover.path.unlink(missing_ok=True)
    return sum(leftover.size for leftover in leftovers if not leftover.path.exists())
