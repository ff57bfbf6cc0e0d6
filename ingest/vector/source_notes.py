"""What a file says of its layers beside their rows: titles of layers and columns, meanings of coded values.

GeoPackage: OGC 12-128r19, clauses 2.1 and 2.3.9 (Schema). File geodatabase: the table `GDB_Items`, whose definitions are the XML
of Esri's "XML Schema of the Geodatabase" (2008); coded domains and subtypes give codes, aliases give titles.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError, fromstring

from pyogrio.errors import DataLayerError, DataSourceError
from pyogrio.raw import read as read_raw

from ingest.vector.file import VectorFile

__all__ = ["SourceNotes", "notes_of", "notes_of_items"]

_ITEMS = "GDB_Items"


@dataclass(frozen=True)
class SourceNotes:
    """The title of a layer, column -> title, column -> code -> meaning; nothing of what the file does not say."""

    title: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def notes_of(file: VectorFile, layer: str) -> SourceNotes:
    """Return what a GeoPackage or a file geodatabase notes of a layer; nothing for other files, or where it cannot be read."""
    if "GPKG" in file.drivers:
        return _of_geopackage(file, layer)
    if "OpenFileGDB" in file.drivers:
        return _of_geodatabase(file, layer)
    return SourceNotes()


def _of_geopackage(file: VectorFile, layer: str) -> SourceNotes:
    try:
        with contextlib.closing(sqlite3.connect(f"{file.path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            named = db.execute("SELECT identifier FROM gpkg_contents WHERE table_name = ?", (layer,)).fetchone()
            rows = db.execute(_CODED, (layer,)).fetchall() if _has_schema(db) else []
    except (sqlite3.Error, UnicodeDecodeError):
        return SourceNotes()
    codes: dict[str, dict[str, str]] = {}
    for column, _, value, words in rows:
        if value is not None:
            codes.setdefault(column, {})[str(value)] = str(words or value)
    titles = {column: str(title) for column, title, *_ in rows if title}
    return SourceNotes(str(named[0] or "") if named else "", _distinct(titles), codes)


def _has_schema(db: sqlite3.Connection) -> bool:
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name LIKE 'gpkg_data_column%'")}
    return {"gpkg_data_columns", "gpkg_data_column_constraints"} <= names


_CODED = (
    "SELECT c.column_name, coalesce(c.title, c.name), e.value, e.description FROM gpkg_data_columns c "
    "LEFT JOIN gpkg_data_column_constraints e ON e.constraint_name = c.constraint_name AND e.constraint_type = 'enum' "
    "WHERE c.table_name = ? ORDER BY e.value"
)


def _of_geodatabase(file: VectorFile, layer: str) -> SourceNotes:
    try:
        about, _, _, columns = read_raw(
            str(file.path), layer=_ITEMS, columns=["Name", "Definition"], read_geometry=False, LIST_ALL_TABLES="YES"
        )
    except (DataSourceError, DataLayerError, ValueError, RuntimeError):
        return SourceNotes()
    values = dict(zip(about["fields"], columns, strict=True))
    return notes_of_items(list(zip(values["Name"], values["Definition"], strict=True)), layer)


def notes_of_items(items: Sequence[tuple[str, str | None]], layer: str) -> SourceNotes:
    """Return what the items of a file geodatabase (name, definition in XML) note of a layer."""
    table = next(_definitions(text for name, text in items if name == layer), None)
    if table is None:
        return SourceNotes()
    domains = {_text(each, "DomainName"): each for each in _definitions(text for _, text in items if _is_domain(text))}
    fields = {_text(each, "Name"): each for each in table.iter("GPFieldInfoEx")}
    titles = {name: alias for name, each in fields.items() if (alias := _text(each, "AliasName")) not in ("", name)}
    codes = {name: _coded_values(domains.get(_text(each, "DomainName"))) for name, each in fields.items()}
    codes[_text(table, "SubtypeFieldName")] = _subtypes(table)
    alias = _text(table, "AliasName")
    coded = {name: meanings for name, meanings in codes.items() if meanings}
    return SourceNotes(alias if alias != layer else "", _distinct(titles), coded)


def _is_domain(text: str | None) -> bool:
    return "GPCodedValueDomain" in (text or "")[:400]


def _definitions(texts: Iterable[str | None]) -> Iterator[Element]:
    for text in texts:
        with contextlib.suppress(ParseError):
            yield fromstring(text or "")


def _coded_values(domain: Element | None) -> dict[str, str]:
    values = [] if domain is None else domain.iter("CodedValue")
    return {code: _text(each, "Name") or code for each in values if (code := _text(each, "Code"))}


def _subtypes(table: Element) -> dict[str, str]:
    return {
        code: _text(each, "SubtypeName") or code
        for each in table.iter("Subtype")
        if (code := _text(each, "SubtypeCode"))
    }


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _distinct(titles: Mapping[str, str]) -> dict[str, str]:
    """Return titles that stand for one column each."""
    every = list(titles.values())
    return {column: title for column, title in titles.items() if every.count(title) == 1}
