"""A mapping: source names -> ours. Tables of `*.toml`, replaceable by the office's own with `--mapping`.

    [[layer]]
    from = ["道路面", "road*"]      # source layer, table or DXF layer; shell patterns
    to = "road_area"
    fields = { name = ["路名", "name"], width = "宽度" }
    constants = { surface = "沥青" }
    values = { kind = { "1" = "主干路" } }

The first entry whose `from` fits wins. `crs` at the top declares the CRS of sources that carry none.

Rows and entities that an entry does not take go to the next that fits: one source layer becomes several of ours, by geometry
(`from = "mixed|LineString"`, or simply by what `to` holds) or by value:

    [[layer]]
    from = "parcels"
    where = { kind = ["road*", "道路"] }
    to = "road_area"

`join` adds the columns of a table without geometry, of the same file or a CSV or workbook beside the mapping, where `on` is the
same in both (`key` names the table's column if it is called otherwise):

    [[layer]]
    from = "parcels"
    to = "land_use"
    join = { table = "owners.csv", on = "NO", key = "编号" }
    fields = { name = "owner" }

Of a drawing `from` may be narrowed too: `"JMD|LWPOLYLINE"` (layer and type), `"*|INSERT|TREE*"` (block name). `where` takes only rows or
entities whose values fit (shell patterns), the others go to a later entry; `texts` names layers of a drawing whose texts are
joined to the area they lie in (`fields = { name = "text" }`):

    [[layer]]
    from = "*"
    where = { color = ["1", "#00ff00"], type = "LWPOLYLINE" }
    to = "building"
    texts = ["ZJ", "TXT*"]
    [options]
    closing_gap = 0.5               # outlines whose ends miss each other by up to so many metres are closed
"""

import math
import tomllib
from collections.abc import Mapping as Map
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from ingest.name_likeness import cut_names
from twin_model.catalogue import Catalogue
from twin_model.crs import crs_code
from twin_model.errors import CatalogueError
from twin_model.geometry_kind import GEOMETRY_KINDS
from twin_model.local_grid import LOCAL
from twin_model.sources import digest_of

__all__ = [
    "ALL_KINDS",
    "MAPPINGS",
    "OPTION_KEYS",
    "LayerMapping",
    "Mapping",
    "TableJoin",
    "ensure_fits",
    "read_mapping",
    "standard_mapping",
    "tables_named",
    "value_text",
]

MAPPINGS = Path(__file__).parent / "mappings"
"""The folder of the house's own mappings and code tables."""


_TABLE_FILES = {".csv", ".txt", ".tsv", ".xlsx", ".xlsm"}
_KEYS = {"from", "to", "fields", "constants", "values", "valid_from", "where", "texts", "join"}
_TOP_KEYS = {"crs", "layer", "options", "form"}
"""What may stand at the top of a mapping; `form` is of those that a town has learned."""

OPTION_KEYS = frozenset(
    {
        "cass_table",
        "closing_gap",
        "contour_interval",
        "coordinates",
        "encoding",
        "placement",
        "project",
        "storey_height",
        "survey",
        "survey_aliases",
        "units",
    }
)
"""What may stand under `[options]`, each with its example in `docs/mappings.md`."""


ALL_KINDS = frozenset(range(len(GEOMETRY_KINDS)))
"""The dimensions of geometry; `from` names the points, lines and areas of a source layer by kind: `"roads|LineString"`."""


@dataclass(frozen=True)
class TableJoin:
    """A table without geometry whose columns are joined to the rows of a source layer where `on` is the same in both.

    `table` is a table of the same file, or the CSV or workbook `file`, which lies beside the mapping and has the SHA-256
    `digest`; `key` is the column of the table.
    """

    table: str
    on: str
    key: str
    file: str | None = None
    digest: str = ""


@dataclass(frozen=True)
class LayerMapping:
    """How one kind of source layer becomes one of ours: field -> source names in order of preference."""

    patterns: tuple[str, ...]
    to: str
    fields: Map[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Map[str, Any] = field(default_factory=dict)
    values: Map[str, Map[str, Any]] = field(default_factory=dict)
    valid_from: str | None = None
    where: Map[str, tuple[str, ...]] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    join: TableJoin | None = None

    def fits(self, source_layer: str) -> bool:
        """Return whether the entry is for a source layer."""
        return _matches(source_layer, self.patterns)

    def fits_part(self, source_layer: str, *parts: str) -> bool:
        """Return whether the entry names a part of a source layer ("roads|LineString"): a name without | never does."""
        return _matches("|".join((source_layer, *parts)), tuple(each for each in self.patterns if "|" in each))

    def kinds_of(self, source_layer: str) -> frozenset[int]:
        """Return which geometries of a source layer the entry takes: 0 points, 1 lines, 2 areas (`from = "roads|LineString"`)."""
        named = {number for number, kind in enumerate(GEOMETRY_KINDS) if self.fits_part(source_layer, kind)}
        return frozenset(named) if named and not self.fits(source_layer) else ALL_KINDS

    def wants(self, column: str, value: Any) -> bool:
        """Return whether a value fits what `where` says of a column."""
        return _matches(value_text(value), self.where[column])

    def where_columns(self, available: Sequence[str]) -> dict[str, str]:
        """Return the columns that `where` names -> the source's spelling, of those there are."""
        spellings = {column: _among((column,), available) for column in self.where}
        return {column: spelling for column, spelling in spellings.items() if spelling is not None}

    def takes(self, row: Map[str, Any]) -> bool:
        """Return whether a row has, in every column that `where` names, a value that fits one of its patterns."""
        spellings = self.where_columns(list(row))
        return all(self.wants(column, row.get(spellings.get(column, column))) for column in self.where)

    def joins_text(self, source_layer: str) -> bool:
        """Return whether the texts of a layer of a drawing are joined to the areas they lie in."""
        return _matches(source_layer, self.texts)

    def source_fields(self, available: Sequence[str]) -> dict[str, str]:
        """Return our field -> the source column that feeds it, of the columns there are (names cut to ten bytes too)."""
        sources = {ours: _among(wanted, available) for ours, wanted in self.fields.items()}
        return {ours: theirs for ours, theirs in sources.items() if theirs is not None}

    def dated_by(self, available: Sequence[str]) -> str | None:
        """Return the source column that says since when a row is true, None where the mapping or the source has none."""
        return _among((self.valid_from,), available) if self.valid_from else None


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text.lower(), pattern.lower()) for pattern in patterns)


def value_text(value: Any) -> str:
    """Return a value as a mapping writes it: 3 and 3.0 are "3", nothing is ""."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).strip()


def _among(wanted: Sequence[str], available: Sequence[str]) -> str | None:
    """Return the first wanted name that is there, whole or as a shapefile cuts it."""
    exact = next((name for name in wanted if name in available), None)
    if exact is not None:
        return exact
    by_name = {name.strip().lower(): name for name in available}
    whole = next((by_name[name.lower()] for name in wanted if name.lower() in by_name), None)
    cut = (written.lower() for name in wanted for written in cut_names(name))
    return whole or next((by_name[written] for written in cut if written in by_name), None)


@dataclass(frozen=True)
class Mapping:
    """A list of layer mappings, tried in order, and the CRS of sources that carry none.

    `content` are the bytes of the file that it was read from, `file_name` its name; empty for one made in Python.
    """

    name: str
    layers: tuple[LayerMapping, ...]
    crs: str | None = None
    options: Map[str, Any] = field(default_factory=dict)
    content: bytes = field(default=b"", repr=False)
    file_name: str = ""

    def entries_for(self, source_layer: str) -> list[LayerMapping]:
        """Return every entry for a source layer, whole or one of its kinds of geometry, in order."""
        return [entry for entry in self.layers if entry.fits(source_layer) or entry.kinds_of(source_layer) != ALL_KINDS]

    def layer_for(self, source_layer: str) -> LayerMapping | None:
        return next((layer for layer in self.layers if layer.fits(source_layer)), None)


def read_mapping(path: Path) -> Mapping:
    """Return the mapping of a TOML file; a key that means nothing is refused with the ones that do."""
    try:
        content = path.read_bytes()
        table = tomllib.loads(content.decode("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError("mapping.unreadable", path=str(path), cause=str(error)) from error
    _ensure_keys("", table, _TOP_KEYS, path)
    layers = table.get("layer", [])
    if not isinstance(layers, list) or not all(isinstance(entry, dict) for entry in layers):
        raise CatalogueError("mapping.invalid", path=str(path), key="layer", expected=["[[layer]]"])
    entries = tuple(_layer_mapping(entry, path) for entry in layers)
    crs = table.get("crs")
    options = table.get("options", {})
    _ensure_keys("options", options, OPTION_KEYS, path)
    options = _tables_beside(options, path.parent)
    return Mapping(path.stem, entries, _crs_of(crs), options, content, path.name)


def _ensure_keys(place: str, table: Any, known: Set[str], path: Path) -> None:
    """Refuse what is no table, and a key of a table that means nothing."""
    unknown = sorted(set(table) - known) if isinstance(table, dict) else [str(table)]
    if unknown:
        key = ", ".join(f"{place}.{each}" if place else each for each in unknown)
        raise CatalogueError("mapping.invalid", path=str(path), key=key, expected=sorted(known))


def _crs_of(crs: Any) -> str | None:
    """Return the code of a mapping's CRS; a local grid is known by its name until the town is."""
    return crs if crs is None or str(crs).startswith(LOCAL) else crs_code(crs)


def _tables_beside(options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return options in which code tables that lie beside the mapping are named so that they are found from anywhere."""
    tables = {key: folder / value for key, value in options.items() if _names_table(key, value)}
    return options | {key: str(path.absolute()) for key, path in tables.items() if path.is_file()}


def _names_table(key: str, value: Any) -> bool:
    return key.endswith("table") and isinstance(value, str) and bool(value)


def tables_named(mapping: Any) -> dict[str, Path]:
    """Return the tables that a mapping names: code tables by option, joined ones by name; `None` names none."""
    options: Map[str, Any] = getattr(mapping, "options", None) or {}
    joins = enumerate(entry.join for entry in getattr(mapping, "layers", ()))
    joined = {f"join{number}": Path(join.file) for number, join in joins if join is not None and join.file is not None}
    return {key: Path(value) for key, value in options.items() if _names_table(key, value)} | joined


def ensure_fits(mapping: Mapping, catalogue: Catalogue) -> None:
    """Refuse a mapping that names a layer the town has not, or a field its layer has not."""
    for entry in mapping.layers:
        layer = catalogue[entry.to]
        unknown = sorted({*entry.fields, *entry.constants, *entry.values} - set(layer.field_names))
        if unknown:
            key = f"{layer.id}: {', '.join(unknown)}"
            raise CatalogueError("mapping.invalid", path=mapping.name, key=key, expected=layer.field_names)


@cache
def standard_mapping(name: str) -> Mapping:
    """Return one of the mappings that come with the house, by file name without ending ("vector", ...), read once."""
    return read_mapping(MAPPINGS / f"{name}.toml")


def _layer_mapping(entry: dict[str, Any], path: Path) -> LayerMapping:
    unknown = set(entry) - _KEYS
    if unknown or "from" not in entry or "to" not in entry:
        raise CatalogueError(
            "mapping.invalid", path=str(path), key=sorted(unknown) or "from, to", expected=sorted(_KEYS)
        )
    tables = ("fields", "constants", "values", "where", "join")
    wrong = [key for key in tables if not isinstance(entry.get(key, {}), dict)]
    wrong += (
        [f"values.{key}" for key, one in entry.get("values", {}).items() if not isinstance(one, dict)]
        if not wrong
        else []
    )
    if wrong:
        raise CatalogueError(
            "mapping.invalid", path=str(path), key=wrong, expected=[f"{key} = {{ ... }}" for key in tables]
        )
    return LayerMapping(
        patterns=_names(entry["from"]),
        to=entry["to"],
        fields={ours: _names(theirs) for ours, theirs in entry.get("fields", {}).items()},
        constants=entry.get("constants", {}),
        values=entry.get("values", {}),
        valid_from=entry.get("valid_from"),
        where={column: _names(values) for column, values in entry.get("where", {}).items()},
        texts=_names(entry.get("texts", [])),
        join=_table_join(entry["join"], path) if "join" in entry else None,
    )


def _table_join(entry: dict[str, Any], path: Path) -> TableJoin:
    wrong = {"table", "on"} - set(entry) or set(entry) - {"table", "on", "key"}
    if wrong or not all(isinstance(value, str) for value in entry.values()):
        raise CatalogueError(
            "mapping.invalid", path=str(path), key="join", expected=['join = { table = "...", on = "..." }']
        )
    table, key = entry["table"], entry.get("key", entry["on"])
    if Path(table).suffix.lower() not in _TABLE_FILES:
        return TableJoin(table, entry["on"], key)
    file = path.parent / table
    if not file.is_file():
        raise CatalogueError("mapping.invalid", path=str(path), key=f"join.table {table}", expected=[str(file)])
    return TableJoin(table, entry["on"], key, str(file.absolute()), digest_of([file]))


def _names(value: Any) -> tuple[str, ...]:
    return tuple(str(part) for part in value) if isinstance(value, list) else (str(value),)
