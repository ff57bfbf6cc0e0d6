"""Whether a shapefile has its index, and the files that lie beside it under its name."""

from pathlib import Path

__all__ = ["beside", "index_is_whole"]

_MAGIC, _LENGTH_OF_HEAD = b"\x00\x00\x27\x0a", 100


def beside(path: Path, suffix: str) -> Path | None:
    """Return the file of the same name with another suffix, in whatever case it is written."""
    named = path.with_suffix(suffix)
    if named.exists():
        return named
    return next(
        (file for file in path.parent.iterdir() if file.stem == path.stem and file.suffix.lower() == suffix), None
    )


def index_is_whole(path: Path) -> bool:
    """Say whether a shapefile's index is there and as long as its head says (Esri 1998, "Organization of the Index File")."""
    index = beside(path, ".shx")
    if index is None:
        return False
    with index.open("rb") as file:
        head = file.read(_LENGTH_OF_HEAD)
    length = 2 * int.from_bytes(head[24:28], "big")
    return len(head) == _LENGTH_OF_HEAD and head[:4] == _MAGIC and length == index.stat().st_size
