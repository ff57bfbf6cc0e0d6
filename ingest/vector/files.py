"""Which files belong to a vector source: those that GDAL reads beside the file that names it.

Not among them is what programs leave there: `.gfs` (GDAL's notes on a GML file), `-shm` (SQLite's index of a `-wal`).
"""

from pathlib import Path

from ingest.source_files import alone, companions, with_companions
from ingest.vector.kind import schemas_of

__all__ = ["vector_files"]

_COMPANIONS = {
    ".shp": (".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".qpj"),
    ".mif": (".mid",),
}
_TABLE = (".dat", ".map", ".id", ".ind")
_DATABASES = (".gpkg", ".sqlite", ".db", ".gpkx", ".sqlite3", ".spatialite", ".db3")


def vector_files(path: Path) -> tuple[Path, ...]:
    """Return the files of a vector source, the one that names it first, the others by name."""
    suffix = path.suffix.lower()
    if suffix in _COMPANIONS:
        return with_companions(path, _COMPANIONS[suffix])
    if suffix == ".tab":
        return with_companions(path, _table_endings(path))
    if suffix in _DATABASES:
        return _database(path)
    if suffix in (".gml", ".xml"):
        return (path, *schemas_of(path))
    if suffix == ".gdb" and path.is_dir():
        return tuple(sorted(part for part in path.iterdir() if part.is_file() and part.suffix.lower() != ".lock"))
    return alone(path)


def _table_endings(path: Path) -> tuple[str, ...]:
    """Return the endings of a MapInfo table: one without data of MapInfo's own lies over a `.dbf`."""
    own = any(part.suffix.lower() == ".dat" for part in companions(path))
    return _TABLE if own else (*_TABLE, ".dbf")


def _database(path: Path) -> tuple[Path, ...]:
    """Return a database and what waits beside it to be written into it; an empty file waits with nothing."""
    suffix = path.suffix.lower()
    _, *waiting = with_companions(path, (f"{suffix}-wal", f"{suffix}-journal"))
    return (path, *(part for part in waiting if part.stat().st_size))
