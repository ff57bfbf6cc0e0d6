"""Features of a frame as rows of an edit: what an analyst or a client hands over must fit, nothing is repaired here.

Reading foreign files, with repairs and quarantine, is `ingest`'s. `Town.edit`, `Town.save_result` and writes over HTTP begin here.
"""

import math
from collections.abc import Callable
from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Rows
from twin_model.crs import transform_geometries
from twin_model.errors import EditRefused
from twin_model.layer import ATTRIBUTES, Field, Layer
from twin_model.rows.attributes import attributes_text
from twin_model.rows.content import content_hashes
from twin_model.rows.geometry import layer_wkb, min_zoom
from twin_model.rows.row_geometry import RowGeometry
from twin_model.temporal import parse_instant

__all__ = ["ensure_text", "ids_of", "is_storable", "rows_of"]


def rows_of(layer: Layer, frame: gpd.GeoDataFrame, storage_crs: str, *, zone: str = "Asia/Shanghai") -> Rows:
    """Return a frame's features as rows in the storage CRS; an index named `id` gives ids, else they are minted.

    Columns are fields of the layer and `attributes` (dicts, or JSON texts of them), those that are missing say nothing (`Rows.columns`); others are refused with the nearest, as are geometries of another type or that are
    not valid, values of another type, an id twice, and a frame without CRS (`EditRefused`).
    """
    if frame.crs is None and layer.has_geometry:
        raise EditRefused("edit.no_crs", layer=layer.id)
    _ensure_columns(layer, frame)
    geometry = _geometry(layer, frame, storage_crs)
    columns = {each.name: _column(layer, each, frame, zone) for each in layer.fields if each.name in frame}
    columns |= {ATTRIBUTES: _attributes(layer, frame)} if ATTRIBUTES in frame else {}
    empty = np.full(len(frame), None, dtype=object)
    return Rows(
        ids=ids_of(layer, frame),
        shapes=RowGeometry.of(layer_wkb(layer, geometry)),
        bounds=shapely.bounds(geometry),
        columns=columns,
        valid_from=empty,
        valid_precision=empty,
        min_zoom=min_zoom(layer, shapely.bounds(geometry), storage_crs),
        content=content_hashes(layer, geometry, columns),
    )


def _ensure_columns(layer: Layer, frame: gpd.GeoDataFrame) -> None:
    known = (*layer.field_names, ATTRIBUTES, frame.geometry.name)
    unknown = [str(column) for column in frame.columns if column not in known]
    if unknown:
        raise EditRefused("edit.unknown_field", layer=layer.id, found=unknown, expected=layer.field_names)


def ids_of(layer: Layer, frame: pd.DataFrame) -> NDArray[Any]:
    """Return the ids that a frame's index `id` names, None for each new feature; `EditRefused` for one that cannot be."""
    ids = np.full(len(frame), None, dtype=object)
    if frame.index.name == "id":
        ids[:] = [_id_of(value, layer) for value in frame.index]
        known = pd.Index([each for each in ids if each is not None])
        twice = known[known.duplicated()]
        if len(twice):
            raise EditRefused("edit.id_twice", layer=layer.id, found=str(twice[0]))
    return ids


def _id_of(value: Any, layer: Layer) -> str | None:
    """Return an id as a text, None for a new feature; a whole number that a gap made a float stays whole."""
    if _is_absent(value):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    ensure_text(str(value), name="id", layer=layer.id)
    return str(value)


def ensure_text(value: object, *, name: str, layer: str) -> None:
    """Refuse what is no text that can be stored: other types, nothing, NUL, halves of a character."""
    if not isinstance(value, str) or not value.strip() or not is_storable(value):
        raise EditRefused("edit.text", layer=layer, field=name, value=repr(value)[:80])


def is_storable(text: str) -> bool:
    """Return whether a text has neither NUL nor halves of characters."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _geometry(layer: Layer, frame: gpd.GeoDataFrame, storage_crs: str) -> NDArray[Any]:
    if not layer.has_geometry:
        return np.full(len(frame), None, dtype=object)
    geometry = np.array(
        transform_geometries(np.array(frame.geometry.to_numpy(), dtype=object), frame.crs, storage_crs), dtype=object
    )
    present = ~shapely.is_missing(geometry)
    wrong = present & (
        ~np.isin(shapely.get_type_id(geometry), _TYPES_OF[layer.dimension])
        | ((shapely.get_num_geometries(geometry) > 1) & (not layer.is_multi))
        | ~shapely.is_valid(geometry)
        | shapely.is_empty(geometry)
    )
    if wrong.any():
        row = int(np.argmax(wrong))
        raise EditRefused(
            "edit.geometry",
            layer=layer.id,
            row=str(frame.index[row]),
            expected=layer.geometry,
            found=_fault(geometry[row]),
        )
    flat = _lacks_heights(geometry) if layer.has_z else present
    geometry[flat] = shapely.force_2d(geometry[flat])
    return geometry


def _lacks_heights(geometry: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which geometries have a height that is no number, which is no height."""
    coordinates, rows = shapely.get_coordinates(geometry, include_z=True, return_index=True)
    lacks = np.zeros(len(geometry), dtype=bool)
    lacks[rows[~np.isfinite(coordinates[:, 2])]] = True
    return lacks & shapely.has_z(geometry)


def _fault(geometry: Any) -> str:
    """Return the type of a geometry, and what is wrong with it where that is more than its type."""
    if geometry.is_empty:
        return f"{geometry.geom_type} EMPTY"
    return geometry.geom_type if geometry.is_valid else f"{geometry.geom_type}: {shapely.is_valid_reason(geometry)}"


def _column(layer: Layer, field: Field, frame: gpd.GeoDataFrame, zone: str) -> NDArray[Any]:
    values: list[Any] = []
    for name, value in frame[field.name].items():
        try:
            values.append(None if _is_absent(value) else _READERS[field.format or field.type](value, zone))
        except (TypeError, ValueError, OverflowError) as error:
            raise EditRefused(
                "edit.value",
                layer=layer.id,
                row=str(name),
                field=field.name,
                value=repr(value)[:80] if isinstance(value, str) and not is_storable(value) else str(value)[:80],
                expected=field.format.upper() or field.type,
            ) from error
    if field.type == "number":
        return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    return np.array([*values, None], dtype=object)[:-1]


def _attributes(layer: Layer, frame: gpd.GeoDataFrame) -> NDArray[Any]:
    """Return what no field takes as it is stored."""
    texts: list[str | None] = []
    for name, value in frame[ATTRIBUTES].items():
        try:
            texts.append(attributes_text(value))
        except (TypeError, ValueError) as error:
            values = {"layer": layer.id, "row": str(name), "value": str(value)[:80]}
            raise EditRefused("attributes.unreadable", **values) from error
    return np.array([*texts, None], dtype=object)[:-1]


_TYPES_OF = {
    0: (shapely.GeometryType.POINT, shapely.GeometryType.MULTIPOINT),
    1: (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING),
    2: (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON),
}
"""The types of geometry that a layer of a dimension takes."""


def _is_absent(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _number(value: Any, zone: str) -> float:
    if isinstance(value, str | bool) or not math.isfinite(float(value)):
        raise ValueError(value)
    return float(value)


def _integer(value: Any, zone: str) -> int:
    if isinstance(value, str | bool) or int(value) != value or not -(2**63) <= int(value) < 2**63:
        raise ValueError(value)
    return int(value)


def _text(value: Any, zone: str) -> str:
    if not isinstance(value, str) or not is_storable(value):
        raise TypeError(value)
    return value


def _json(value: Any, zone: str) -> str:
    """Return a text that is JSON: what leaves the house as what it means must have a meaning."""
    text = _text(value, zone)
    orjson.loads(text)
    return text


def _truth(value: Any, zone: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(value)
    return bool(value)


def _day(value: Any, zone: str) -> str:
    if isinstance(value, date):
        return value.isoformat()[:10]
    parse_instant(_text(value, zone), zone)
    return str(value)


def _moment(value: Any, zone: str) -> str:
    return parse_instant(value.isoformat() if isinstance(value, date) else _text(value, zone), zone)[0]


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "string": _text,
    "json": _json,
    "number": _number,
    "integer": _integer,
    "boolean": _truth,
    "date": _day,
    "datetime": _moment,
}
