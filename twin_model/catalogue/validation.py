"""What a table of the catalogue must hold to be a layer: kinds of values, names that exist, colours that can be drawn.

Reading the tables is `twin_model/catalogue/__init__.py`'s part; the first thing that is wrong is refused by name.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from twin_model.classification import CLASSES
from twin_model.errors import CatalogueError
from twin_model.geometry_kind import GeometryType
from twin_model.layer import Field, FieldType, Layer, Text

__all__ = ["CIM_CLASSES", "RESERVED", "ensure_table", "ensure_valid", "is_reserved"]

CIM_CLASSES: Mapping[str, Text] = {
    "base": Text("时空基础", "Spatio-temporal base"),
    "survey": Text("资源调查", "Resource survey"),
    "planning": Text("规划管控", "Planning and control"),
    "project": Text("工程建设项目", "Construction projects"),
    "public": Text("公共专题", "Public themes"),
    "sensing": Text("物联感知", "Sensing"),
    "results": Text("CIM成果", "CIM results"),
}
"""The roots of a CIM catalogue in their customary order (CIM platform guide; shared reference `cim_data_classes`)."""

_WORDS, _NUMBER = (str, dict), (int, float)
_KINDS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "layer": {
        "kind": (str,), "title": _WORDS, "description": _WORDS, "cim_class": (str,), "cim_level": (str,), "geometry": (str,), "identity": (str,),
        "prefix": (list,), "classes": (list,), "sizes": (list,), "abandoned": (dict,), "fields": (dict,), "zoom": (dict,), "standard": (str,), "tolerance": _NUMBER, "plan_error": _NUMBER,
        "valid_from_field": (str,), "underground": (bool,), "geometry_optional": (bool,), "label": (list,), "searched": (list,), "style": (dict,), "model": (dict,), "dropped": (bool,), "delivered_as": (list,),
        "classification": (str,), "map_approval": (str,),
    },
    "field": {"type": (str,), "zh": (str,), "en": (str,), "unit": (str,), "codes": (str, dict), "queryable": (bool,), "format": (str,), "aliases": (list,)},
    "zoom": {"start": (int,), "pixels": _NUMBER, "latest": (int,)},
}  # fmt: skip
RESERVED = ("fid", "id", "geom", "geometry", "valid_from", "valid_to", "valid_precision", "version", "version_from", "version_to",
             "min_zoom", "content", "attributes", "search_key")  # fmt: skip
"""Names of columns that are ours."""

_OF_DATABASES = ("rowid", "oid", "_rowid_", "row", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid")
"""Names of columns that SQLite or PostgreSQL have in every table."""


def is_reserved(name: str) -> bool:
    """Return whether a field cannot have a name: SQLite does not tell `ID` from `id`."""
    return name.lower() in RESERVED or name.lower() in _OF_DATABASES


_MODELS: Mapping[str, tuple[str, ...]] = {
    "extrude": ("height",),
    "sweep": ("shape", "width_mm", "height_mm"),
    "mesh": (),
}
_MESH_FIELDS = ("mesh", "matrix", "color", "bottom", "top")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def ensure_table(layer: str, what: str, table: Any) -> None:
    """Refuse a table that is none, that has a key nobody knows, or a value of another kind than its key's.

    `what` is "layer", "field" or "zoom"; anything else asks only for a table.
    """
    if not isinstance(table, dict):
        raise CatalogueError(layer=layer, key=repr(table), expected=["a table"])
    kinds = _KINDS.get(what, {})
    for key, value in table.items() if what in _KINDS else ():
        if key not in kinds:
            raise CatalogueError(layer=layer, key=key, expected=sorted(kinds))
        if not isinstance(value, kinds[key]) or (isinstance(value, bool) and bool not in kinds[key]):
            expected = [kind.__name__ for kind in kinds[key]]
            raise CatalogueError(layer=layer, key=f"{key} = {value!r}", expected=expected)
    if what == "layer":
        ensure_table(layer, "zoom", table.get("zoom", {}))


def ensure_valid(layer: Layer) -> None:
    """Refuse a layer that names what does not exist: a kind, a class, a field, a colour."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", layer.id):
        raise CatalogueError(layer=layer.id, key=layer.id, expected=["small letters, digits and _"])
    _one_of(layer, "kind", layer.kind, ("feature", "raster", "observation"))
    _one_of(layer, "cim_class", layer.cim_class, CIM_CLASSES)
    _one_of(layer, "geometry", layer.geometry, get_args(GeometryType))
    _one_of(layer, "classification", layer.classification, ("", *CLASSES))
    if layer.tolerance <= 0 or layer.plan_error <= 0:
        raise CatalogueError(layer=layer.id, key="tolerance, plan_error", expected=["metres above 0"])
    for field in layer.fields:
        _ensure_field(layer, field)
    _ensure_distinct(layer)
    _ensure_names(layer)
    _ensure_style(layer)
    _ensure_model(layer)


def _one_of(layer: Layer, key: str, value: Any, expected: Iterable[str]) -> None:
    allowed = list(expected)
    if value not in allowed:
        raise CatalogueError(layer=layer.id, key=f"{key} = {value!r}", expected=allowed)


def _ensure_field(layer: Layer, field: Field) -> None:
    if not field.name.isidentifier() or is_reserved(field.name):
        raise CatalogueError(layer=layer.id, key=field.name, expected=["a name that is none of", *RESERVED])
    _one_of(layer, f"{field.name}: type", field.type, get_args(FieldType))
    _one_of(layer, f"{field.name}: format", field.format, ("", "json"))


def _ensure_distinct(layer: Layer) -> None:
    """Refuse two fields that are one to a store: SQLite does not tell `Area` from `area`."""
    taken: dict[str, str] = {}
    for name in layer.field_names:
        if name.lower() in taken:
            key = f"{taken[name.lower()]}, {name}"
            raise CatalogueError(layer=layer.id, key=key, expected=["names that differ in more than their case"])
        taken[name.lower()] = name


def _ensure_names(layer: Layer) -> None:
    if layer.identity != "match":
        _one_of(layer, "identity", layer.identity, ("match", *(f"field:{name}" for name in layer.field_names)))
    for key, names in (
        ("prefix", layer.prefix),
        ("classes", layer.classes),
        ("sizes", layer.sizes),
        ("abandoned", layer.abandoned),
        ("label", layer.label),
        ("searched", layer.searched),
    ):
        for name in names:
            _one_of(layer, key, name, layer.field_names)
    if layer.valid_from_field is not None:
        dates = [field.name for field in layer.fields if field.type in {"date", "datetime"}]
        _one_of(layer, "valid_from_field", layer.valid_from_field, dates)


def _ensure_style(layer: Layer) -> None:
    style = layer.style
    for key in ("by", "label"):
        if key in style:
            _one_of(layer, f"style.{key}", style[key], layer.field_names)
    table = style.get("colors", {})
    ensure_table(layer.id, "colors", table)
    named = {key: style[key] for key in ("color", "line_color") if key in style}
    for key, value in (named | table).items():
        if not isinstance(value, str) or not _COLOR.fullmatch(value):
            raise CatalogueError(layer=layer.id, key=f"style: {key} = {value!r}", expected=["#rrggbb"])


def _ensure_model(layer: Layer) -> None:
    model = layer.model
    if not model:
        return
    _one_of(layer, "model.kind", model.get("kind"), _MODELS)
    for key in (*_MODELS[model["kind"]], *(("base",) if "base" in model else ())):
        _one_of(layer, f"model.{key}", model.get(key), layer.field_names)
    for name in (*model.get("properties", ()), *(_MESH_FIELDS if model["kind"] == "mesh" else ())):
        _one_of(layer, "model.properties", name, layer.field_names)
