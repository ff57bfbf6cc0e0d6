"""A layer described from a frame: what an analyst computed becomes a table of the town's catalogue.

fitted = fitted_to_layer(frame)                                  # names that can be columns, the id as index
table = table_of_frame("far", fitted, title="容积率", reason="by block")
layer_of("far", table)                                           # checked before anything is put in place
write_table(path, "far", table)
"""

import re
import tomllib
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from twin_model.catalogue.frame_values import is_json
from twin_model.catalogue.validation import is_reserved
from twin_model.errors import CatalogueError, EditRefused, TownWarning
from twin_model.geometry_kind import LAYER_GEOMETRIES
from twin_model.toml_text import toml_text

__all__ = [
    "ensure_writable",
    "field_name_of",
    "fitted_to_layer",
    "is_layer_id",
    "is_result_table",
    "read_table",
    "table_of_frame",
    "without_system_columns",
    "write_table",
]

_RESULT_MARK = "# What `town.commit` brought as"
"""With this the first line of a table begins that was made from a frame."""

_SYSTEM = ("fid", "valid_from", "valid_to", "valid_precision", "version")
_TYPES = {"integer": "integer", "boolean": "boolean", "floating": "number", "mixed-integer-float": "number", "decimal": "number",
          "datetime64": "datetime", "datetime": "datetime", "date": "date"}  # fmt: skip
_LAYER_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
_OF_THE_CATALOGUE = ("codes",)
"""Tables of the catalogue that are no layers."""
_OF_THE_STORES = ("sqlite_", "gpkg_", "vgpkg_", "rtree_", "pg_", "twin_", "layer_styles", "spatial_ref_sys")
"""Tables of SQLite, GeoPackage, PostgreSQL and of ours begin so."""

_MOST_BYTES = 63
"""So long may a column's name be in PostgreSQL, in UTF-8."""


def without_system_columns(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a frame that `Town.features` answered without the columns that are ours; any other frame as it is.

    A column `id` becomes the index, where the index has no name of its own.
    """
    if not isinstance(frame, gpd.GeoDataFrame) or frame.active_geometry_name is None:
        raise EditRefused("edit.no_frame", found=type(frame).__name__)
    if frame.columns.nlevels > 1 or frame.index.nlevels > 1:
        raise EditRefused("edit.levels", found=max(frame.columns.nlevels, frame.index.nlevels))
    if any(label is pd.NA for label in frame.columns):  # compared with anything it is neither true nor false
        frame = frame.set_axis([str(label) if label is pd.NA else label for label in frame.columns], axis="columns")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise EditRefused("edit.same_name", found=[str(twice[0])] * 2)
    if frame.index.name is None and "id" in frame.columns and frame.geometry.name != "id":
        frame = frame.set_index("id")
    if frame.index.name == "id":
        frame = frame.drop(columns=[name for name in _SYSTEM if name in frame.columns])
    return frame


def fitted_to_layer(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a frame whose columns can be fields: `total length` becomes `total_length`, `("height", "mean")` `height_mean`.

    Each name that changes is said by a warning. Raises `EditRefused` for two names that are the same to a store.
    """
    frame = without_system_columns(frame)
    names = {name: field_name_of(name) for name in frame.columns if name != frame.geometry.name}
    taken: dict[str, Any] = {}
    for name, field in names.items():
        if field.lower() in taken:
            raise EditRefused("edit.same_name", found=[str(taken[field.lower()]), str(name)])
        taken[field.lower()] = name
        if len(field.encode()) > _MOST_BYTES:
            raise EditRefused("edit.long_name", found=field, expected=_MOST_BYTES)
    renamed = {name: field for name, field in names.items() if name != field}
    if renamed:
        words = ", ".join(f"{_shown_name(name)} -> {field}" for name, field in renamed.items())
        warnings.warn(TownWarning("edit.renamed", names=words), stacklevel=4)
    fitted = frame.copy(deep=False)
    fitted.columns = pd.Index([names.get(name, name) for name in frame.columns])
    return fitted


def table_of_frame(
    layer_id: str,
    frame: gpd.GeoDataFrame,
    *,
    title: str,
    reason: str,
    before: dict[str, Any] | None = None,
    unused: Collection[str] = (),
) -> dict[str, Any]:
    """Return the catalogue's table of a result: what the table `before` says, then the fields that the frame adds.

    A field that the frame no longer has stays described, so that the past can still be asked for it. Whole numbers become
    numbers where the frame has fractions; fields in `unused`, which hold nothing yet, take the type of its values. Without a `title` it
    keeps the one it has, else takes the reason. Raises `CatalogueError` for an id that cannot be a layer's.
    """
    if not is_layer_id(layer_id):
        raise CatalogueError("slip.result_name", layer=layer_id, expected=(*_OF_THE_STORES, *_OF_THE_CATALOGUE))
    table = (
        {key: value for key, value in before.items() if key != "dropped"}
        if before
        else _new_table(layer_id, frame, reason)
    )
    if title or not before:
        table["title"] = _in_both(title or reason)
    fields = dict(table.get("fields", {}))
    for name in frame.columns:
        if name == frame.geometry.name:
            continue
        kind = _type_of(frame[name])
        if name not in fields:
            fields[name] = {"type": kind, "zh": name, "en": name}
            if is_json(frame[name]):
                fields[name]["format"] = "json"
        elif name in unused and frame[name].notna().any():
            fields[name] = {**fields[name], "type": kind}
        elif (fields[name].get("type"), kind) == ("integer", "number"):
            fields[name] = {**fields[name], "type": "number"}
    return {**table, "fields": fields}


def is_layer_id(name: Any) -> bool:
    """Return whether a name can be a layer's id: none that the stores or the catalogue have taken."""
    if not isinstance(name, str) or name.startswith(_OF_THE_STORES) or name in _OF_THE_CATALOGUE:
        return False
    return _LAYER_ID.fullmatch(name) is not None


def _new_table(layer_id: str, frame: gpd.GeoDataFrame, reason: str) -> dict[str, Any]:
    geometry = _geometry(layer_id, frame)
    return {"title": {}, "description": _in_both(reason), "cim_class": "results", "geometry": geometry}


def read_table(path: Path, layer_id: str) -> dict[str, Any]:
    """Return what a catalogue file says of a layer; nothing where there is no such file, or none that can be read."""
    try:
        table = tomllib.loads(path.read_text("utf-8")).get(layer_id, {})
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def ensure_writable(path: Path, layer_id: str, table: dict[str, Any]) -> None:
    """Refuse a catalogue file that could not be written: its folder is closed, its disk full, or its name somebody else's."""
    if path.exists() and not is_result_table(path):
        raise CatalogueError("town_catalogue.file_taken", layer=layer_id, path=str(path))
    _write_part(path, layer_id, table).unlink()


def is_result_table(path: Path) -> bool:
    """Return whether a catalogue file is there and was made from a frame."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.readline().decode("utf-8", "replace").startswith(_RESULT_MARK)


def write_table(path: Path, layer_id: str, table: dict[str, Any]) -> None:
    """Write a catalogue table of one layer; the file appears whole."""
    _write_part(path, layer_id, table).replace(path)


def _write_part(path: Path, layer_id: str, table: dict[str, Any]) -> Path:
    lines = [f"{_RESULT_MARK} {layer_id}.", f"[{layer_id}]"]
    lines += [f"{key} = {toml_text(value)}" for key, value in table.items() if key != "fields"]
    lines += [
        f"[{layer_id}.fields]",
        *(f"{toml_text(name)} = {toml_text(spec)}" for name, spec in table["fields"].items()),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text("\n".join(lines) + "\n", "utf-8")
    return part


def _in_both(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def field_name_of(name: Any) -> str:
    """Return a name that can be a field: a word of any script, none of ours."""
    text = "_".join(str(part) for part in name if str(part)) if isinstance(name, tuple) else str(name)
    plain = "".join(character if f"a{character}".isidentifier() else " " for character in text)
    field = re.sub(r"[\s_]+", "_", plain).strip("_") or "column"
    if not field.isidentifier():
        field = f"_{field}"
    return f"{field}_" if is_reserved(field) else field


def _shown_name(name: Any) -> str:
    return str(name) if isinstance(name, tuple) else f"{name!r}"


def _type_of(column: "pd.Series[Any]") -> str:
    values = column.dropna()
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = values.astype(column.dtype.categories.dtype)
    return _TYPES.get(pd.api.types.infer_dtype(values, skipna=True), "string")


def _geometry(layer_id: str, frame: gpd.GeoDataFrame) -> str:
    shapes = frame.geometry[~frame.geometry.isna()].to_numpy()
    dimensions = {int(dimension) for dimension in shapely.get_dimensions(shapes)}
    if not dimensions - {-1}:
        raise EditRefused("frame.no_shapes", layer=layer_id, count=len(frame))
    if len(dimensions) != 1:
        raise EditRefused("edit.mixed_geometry", layer=layer_id, found=sorted({shape.geom_type for shape in shapes}))
    dimension = dimensions.pop()
    if dimension == 0 and (shapely.get_type_id(shapes) == 4).any():
        raise EditRefused("frame.many_points", layer=layer_id)
    return LAYER_GEOMETRIES[dimension] + ("Z" if bool(shapely.has_z(shapes).all()) else "")
