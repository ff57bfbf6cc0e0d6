"""A layer of the town's own, described from a source layer that matches none of ours: its name, its columns, its geometry.

    layer_id, table = table_of_source(described, taken=catalogue.layers)
    layer_of(layer_id, table)                           # checked before anything is put in place

What comes again is compared with what is there: `added_fields`. A layer that an analyst's frame describes: `layer_from_frame.py`.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from twin_model.catalogue.ascii_name import ascii_name
from twin_model.catalogue.known_columns import known_columns
from twin_model.catalogue.layer_from_frame import field_name_of, is_layer_id
from twin_model.layer import Field, FieldType, Layer

__all__ = [
    "AddedFields",
    "Misfit",
    "SourceColumn",
    "SourceDescription",
    "added_fields",
    "fields_of_columns",
    "table_of_source",
]

_MOST_BYTES = 60
"""So long may a field's name be in UTF-8, with room for a number behind it; PostgreSQL takes 63."""

_MOST_FIELDS = 300
"""So many columns become fields; those beyond stay in `attributes`."""

_MOST_SEARCHED = 6
_COLORS = ("#1f77b4", "#2ca02c", "#d6772b", "#8e5ea2", "#c0504d", "#3f9c9c", "#7f6f3a", "#c2528b")
_NAMES = re.compile(r"(.*_)?(name|title|label|text)|.*(名称|名字|注记|mc)|名", re.IGNORECASE)
_NUMBERS = re.compile(r"(.*_)?(no|number|code|id|nr|ref)|.*(编号|编码|代码|标识码|号|bh|bm|dm)|bsm", re.IGNORECASE)


@dataclass(frozen=True)
class SourceColumn:
    """A column of a source layer: its type as a field's, the title and the codes that the file gives it.

    `title_en` is the English title where the other is Chinese; else one stands for both.
    """

    name: str
    type: FieldType
    title: str = ""
    codes: Mapping[str, str] = field(default_factory=dict)
    is_json: bool = False
    title_en: str = ""

    @property
    def spec(self) -> dict[str, Any]:
        """What the catalogue says of it."""
        title = self.title or self.name
        spec: dict[str, Any] = {"type": self.type, "zh": title, "en": self.title_en or title, "aliases": [self.name]}
        spec |= (
            {"codes": {code: {"zh": words, "en": words} for code, words in self.codes.items()}} if self.codes else {}
        )
        return spec | ({"format": "json"} if self.is_json else {})


@dataclass(frozen=True)
class SourceDescription:
    """A source layer as a layer of the town's own: `geometry` is that of `Layer`, `identity` a column or None.

    `part` tells layers apart that are made of one source layer with points, lines and areas ("points", ...). `values` yields
    those of a column, where they can be had. `layer` is the one that the source was exported from.
    """

    name: str
    source: str
    geometry: str
    columns: Sequence[SourceColumn]
    title: str = ""
    identity: str | None = None
    part: str = ""
    values: Callable[[str], Iterable[NDArray[Any]]] | None = None
    layer: str | None = None

    @property
    def delivered_as(self) -> str:
        """By what the layer is found when the source comes again."""
        return f"{self.name}/{self.part}" if self.part else self.name


Misfit = Callable[[Field, SourceColumn], Any]
"""Returns a value of a column that cannot be read as a field's type, None where all can."""


@dataclass(frozen=True)
class AddedFields:
    """What a layer gains by a source: a `table` of fields, new or with another type; `fields` are column -> field of those known.

    `widened` are fields of whole numbers that become numbers -> a value that needs it.
    """

    table: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    widened: Mapping[str, Any] = field(default_factory=dict)


def table_of_source(described: SourceDescription, taken: Collection[str]) -> tuple[str, dict[str, Any]]:
    """Return the id and the catalogue's table of a new layer; an id that is taken gets a number behind it."""
    layer_id = _free_id(ascii_name(f"{described.name} {described.part}"), taken)
    fields = fields_of_columns(described.columns)
    title, parts = described.title or described.name, {"zh": _PARTS.get(described.part, ""), "en": described.part}
    table: dict[str, Any] = {
        "title": {lang: f"{title} {part}".rstrip() for lang, part in parts.items()},
        "description": {"zh": f"由 {described.source} 建立的本库图层", "en": f"Described from {described.source}"},
        "cim_class": "public",
        "geometry": described.geometry,
        "identity": _identity(described, fields),
        "label": _labels(described.columns, fields),
        "searched": _searched(described.columns, fields),
        "zoom": _zoom(described.geometry),
        "style": _style(layer_id, described.geometry),
        "delivered_as": [described.delivered_as],
    }
    return layer_id, table | {"fields": {name: column.spec for name, column in fields.items()}}


_PARTS = {"points": "点", "lines": "线", "areas": "面"}


def fields_of_columns(columns: Sequence[SourceColumn]) -> dict[str, SourceColumn]:
    """Return field name -> column: names that can be fields, no two alike to a store, at most 300 of them."""
    fields: dict[str, SourceColumn] = {}
    taken: set[str] = set()
    for column in columns[:_MOST_FIELDS]:
        name = field_name_of(column.name).encode()[:_MOST_BYTES].decode(errors="ignore")
        free = next(each for each in _numbered(name) if each.lower() not in taken)
        taken.add(free.lower())
        fields[free] = column
    return fields


def added_fields(
    layer: Layer,
    columns: Sequence[SourceColumn],
    misfit: Misfit | None = None,
    known: Mapping[str, Field] | None = None,
) -> AddedFields | None:
    """Return what a layer's table gains by the columns of a source that comes again; None where their types contradict.

    A file says less of types than a layer does: a shapefile has neither truth values nor times, a file geodatabase no days. Where types
    differ the values decide (`misfit`); without them the types do. Whole numbers become numbers where a value has a fraction; a field
    of texts takes anything. A column whose name is cut is that field only if it fits. `known` are the columns that are fields already.
    """
    known = known_columns(layer, [column.name for column in columns]) if known is None else known
    fields, table, widened = dict[str, Field](), dict[str, Any](), dict[str, Any]()
    for column in columns:
        held = known.get(column.name)
        value = None if held is None else _misfit(held, column, misfit)
        if held is None or (value is not None and not _is_named(held, column)):
            continue
        if value is not None and (held.type, column.type) != ("integer", "number"):
            return None
        fields[column.name] = held
        if value is not None:
            table[held.name], widened[held.name] = {**_spec_of(held), "type": "number"}, value
    unknown = [column for column in columns if column.name not in fields]
    named = {name.lower() for name in layer.field_names}
    for name, column in fields_of_columns(unknown).items():
        if len(layer.fields) + len(table) < _MOST_FIELDS:
            free = next(each for each in _numbered(name) if each.lower() not in named)
            table[free] = column.spec
            named.add(free.lower())
    return AddedFields(table, {column: field.name for column, field in fields.items()}, widened)


def _misfit(held: Field, column: SourceColumn, misfit: Misfit | None) -> Any:
    """Return a value of a column that is none of a field's type, None where all are."""
    if held.type in (column.type, "string") or (held.type, column.type) == ("number", "integer"):
        return None
    return column.type if misfit is None else misfit(held, column)


def _is_named(held: Field, column: SourceColumn) -> bool:
    return column.name in (held.name, *held.aliases)


def _spec_of(held: Field) -> dict[str, Any]:
    spec: dict[str, Any] = {"type": held.type, "zh": held.title.zh, "en": held.title.en, "aliases": list(held.aliases)}
    codes = {code: {"zh": words.zh, "en": words.en} for code, words in held.codes.items()}
    return spec | ({"unit": held.unit} if held.unit else {}) | ({"codes": codes} if codes else {})


def _free_id(name: str, taken: Collection[str]) -> str:
    return next(each for each in _numbered(name) if each not in taken and is_layer_id(each))


def _numbered(name: str) -> Iterator[str]:
    """Yield a name, then the same with the numbers from 2 on."""
    yield name
    yield from (f"{name[:36]}_{number}" for number in range(2, 10_000))


def _identity(described: SourceDescription, fields: Mapping[str, SourceColumn]) -> str:
    names = (name for name, column in fields.items() if column.name == described.identity)
    name = next(names, None)
    return "match" if name is None else f"field:{name}"


def _labels(columns: Sequence[SourceColumn], fields: Mapping[str, SourceColumn]) -> list[str]:
    """Return the fields by which a feature is called: names first, then numbers."""
    named = [name for name, column in fields.items() if column.type == "string" and _NAMES.fullmatch(column.name)]
    numbered = [name for name, column in fields.items() if _NUMBERS.fullmatch(column.name)]
    return [*named[:2], *numbered[:2]]


def _searched(columns: Sequence[SourceColumn], fields: Mapping[str, SourceColumn]) -> list[str]:
    texts = [name for name, column in fields.items() if column.type == "string" and not column.is_json]
    return [name for name in texts if name not in _labels(columns, fields)][:_MOST_SEARCHED]


def _zoom(geometry: str) -> dict[str, Any]:
    if geometry.startswith("Point"):
        return {"start": 12}
    return {"start": 8, "pixels": 4} if geometry != "None" else {"start": 0}


def _style(layer_id: str, geometry: str) -> dict[str, Any]:
    """Return a style by geometry; the colour follows from the id, so that it stays."""
    color = _COLORS[sum(layer_id.encode()) % len(_COLORS)]
    if geometry.startswith("Point"):
        return {"color": color, "symbol": "circle"}
    if "Line" in geometry:
        return {"line_color": color, "line_width": 1.5}
    return {"color": color, "line_color": color, "opacity": 0.35} if geometry != "None" else {}
