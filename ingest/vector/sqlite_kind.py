"""Whether a database (GeoPackage, SpatiaLite) holds its rows itself, or tables and views that would read elsewhere."""

import contextlib
import re
import sqlite3
from pathlib import Path

from twin_model.errors import SourceRefused

__all__ = ["ensure_plain_database"]

_MODULES = {"rtree", "rtree_i32", "geopoly", "fts3", "fts4", "fts5", "virtualspatialindex", "virtualelementary", "virtualknn",
            "virtualknn2", "virtualbbox"}  # fmt: skip
"""Virtual tables that index or search what the database holds; any other may stand for a file or an address."""

_GAP = r"(?:\s|/\*.*?(?:\*/|\Z)|--[^\n]*(?:\n|\Z))+"
_NAME = r"""(?:"(?:[^"]|"")*"|\[[^\]]*\]|`(?:[^`]|``)*`|'(?:[^']|'')*'|[\w$]+)"""
_TRIGGER = re.compile(rf"CREATE{_GAP}(?:TEMP(?:ORARY)?{_GAP})?TRIGGER\b", re.I | re.S)
_VIRTUAL = re.compile(rf"CREATE{_GAP}VIRTUAL\b", re.I | re.S)
_OWN_NAME = re.compile(rf"CREATE{_GAP}(?:TABLE|INDEX|UNIQUE)\b", re.I | re.S)
_MOST_SQL = 1 << 20
_USING = re.compile(rf"\bUSING{_GAP}({_NAME})", re.I | re.S)
_CALL = re.compile(rf"({_NAME})(?:{_GAP})?\(", re.S)
_FOREIGN_CALL = re.compile(
    r"(ogr_|gdal_|load_extension|readfile|writefile|edit$|fsdir|eval$|fts3_tokenizer|blob(from|to)file|xb_(load|store)xml"
    r"|(import|export|dump|load)(shp|dbf|xls|dxf|wfs|geojson|csv|kml|zip)|geojson2?from|rl2_|st_.*file|http)",
    re.I,
)


def ensure_plain_database(path: Path, source: str) -> None:
    """Refuse a database with a virtual table that stands for something else, or a view that calls what reads elsewhere.

    What its `-wal` adds is seen too. Triggers stay: nothing is ever written into a source.
    """
    for name, sql, is_virtual in _schema(path, source):
        names = [_bare(match[1]) for match in _CALL.finditer(sql[:_MOST_SQL])]
        names = names[1:] if _OWN_NAME.match(sql) else names
        foreign = next((call for call in names if _FOREIGN_CALL.match(call)), None)
        if is_virtual or _VIRTUAL.match(sql):
            modules = [_bare(module) for module in _USING.findall(sql)] or ["?"]
            foreign = next((module for module in modules if module.lower() not in _MODULES), foreign)
        if foreign is None and len(sql) > _MOST_SQL:
            foreign = f"{len(sql)} characters of SQL"
        if foreign is not None:
            raise SourceRefused("vector.table_elsewhere", source=source, table=name, found=foreign)


def _schema(path: Path, source: str) -> list[tuple[str, str, bool]]:
    """Return name and SQL of every table, index and view, and whether it is a table without pages of its own."""
    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        rows = _rows(f"{address}&immutable=1")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        cause = str(error).rstrip(".")
        raise SourceRefused("source.unreadable", source=source, kind=path.suffix.lstrip("."), cause=cause) from error
    if any(path.with_name(path.name + ending).exists() for ending in ("-wal", "-journal")):
        with contextlib.suppress(sqlite3.Error):  # where it cannot be opened so, GDAL too leaves them out
            rows += _rows(address)
    return rows


def _rows(address: str) -> list[tuple[str, str, bool]]:
    with contextlib.closing(sqlite3.connect(address, uri=True)) as db:
        db.execute("PRAGMA writable_schema = ON")  # a schema that does not parse is read all the same
        rows = db.execute("SELECT type, name, rootpage, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return [
            (str(name), str(sql), kind == "table" and not page)
            for kind, name, page, sql in rows
            if not _TRIGGER.match(str(sql))
        ]


def _bare(name: str) -> str:
    return name[1:-1] if name[:1] in "\"'[`" else name
