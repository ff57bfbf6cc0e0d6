"""A `where` and its parameters -> one filter. Values are bound in the JSON form of CQL2, never pasted into text.

    tree = filter_tree("class = :pipes AND DWITHIN(geometry, :place, 50)")
    bound(tree, layer, {"pipes": "JS", "place": point}, binding)

A name in a filter is a field (by name, title or alias), or a parameter: `:name` always, a bare `name` where no field is
called so.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from twin_model.crs import crs_code, same_crs, transform_geometries
from twin_model.desk.names import field_named
from twin_model.errors import QueryRefused
from twin_model.filter.spatial import GEOMETRY_TYPES
from twin_model.layer import Layer
from twin_model.temporal import time_text, to_instant

__all__ = ["Binding", "bound", "ensure_degrees", "geometry_in", "has_geometry"]

_OURS = ("id", "valid_from", "valid_to", "geometry")
_JSON_COLUMNS = ("psets.", "attributes.")
"""Names that begin so reach into a column of JSON; what follows is not ours to know."""

_PIECES = 32
_MOST_SHOWN = 80


@dataclass(frozen=True)
class Binding:
    """How values become CQL2 JSON: geometries in `crs` (x, y), days and hours of `zone`.

    A shapely geometry without a CRS of its own is in `storage_crs`.
    """

    storage_crs: str
    crs: str
    zone: str


def bound(tree: Any, layer: Layer, params: Mapping[str, Any], binding: Binding) -> Any:
    """Return a CQL2 JSON tree in which every name is a queryable of the layer and every parameter its value.

    Raises `QueryRefused` for a name that is neither, for a parameter without a value and for one that is not used.
    """
    unused = sorted(set(params) - {_parameter_name(node) for node in _parameters_of(tree, layer, params)})
    if unused:
        raise QueryRefused("desk.unused_param", names=unused)
    return _bound(tree, layer, params, binding)


def _parameters_of(node: Any, layer: Layer, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if _is_parameter(node, layer, params):
        yield node
    elif isinstance(node, dict | list | tuple):
        for each in node.values() if isinstance(node, dict) else node:
            yield from _parameters_of(each, layer, params)


def _parameter_name(node: Mapping[str, Any]) -> str:
    return str(node["property"]).removeprefix(":")


def _bound(node: Any, layer: Layer, params: Mapping[str, Any], binding: Binding) -> Any:
    if isinstance(node, list | tuple):
        return [value for each in node for value in _members(each, layer, params, binding)]
    if not isinstance(node, dict) or _is_geometry(node):
        return node
    if "property" not in node:
        return {key: _bound(value, layer, params, binding) for key, value in node.items()}
    if not _is_parameter(node, layer, params):
        return {"property": _queryable(layer, node["property"])}
    name = _parameter_name(node)
    if name not in params:
        nearest = get_close_matches(name, list(params), 3, 0.4) or sorted(params) or "-"
        raise QueryRefused("desk.no_param", name=name, nearest=nearest)
    return _value(name, params[name], binding)


def _members(node: Any, layer: Layer, params: Mapping[str, Any], binding: Binding) -> list[Any]:
    """Return what stands in a list in place of one node: a parameter that is a list gives all its values."""
    value = _bound(node, layer, params, binding)
    return value if isinstance(value, list) and _is_parameter(node, layer, params) else [value]


def _is_parameter(node: Any, layer: Layer, params: Mapping[str, Any]) -> bool:
    if not isinstance(node, dict) or not isinstance(node.get("property"), str):
        return False
    name = node["property"]
    return name.startswith(":") or (name in params and name not in _OURS and layer.field_of(name) is None)


def _queryable(layer: Layer, name: Any) -> Any:
    if name in _OURS or not isinstance(name, str) or name.startswith(_JSON_COLUMNS):
        return name
    return field_named(layer, name).name


def has_geometry(node: Any) -> bool:
    """Return whether a CQL2 JSON tree holds a literal geometry."""
    if isinstance(node, dict):
        return _is_geometry(node) or any(map(has_geometry, node.values()))
    return isinstance(node, list | tuple) and any(map(has_geometry, node))


def ensure_degrees(node: Any) -> None:
    """Refuse geometries written into a filter whose coordinates are no longitude and latitude: metres find nothing."""
    if isinstance(node, dict) and _is_geometry(node):
        numbers = np.array(list(_numbers(node.get("bbox") or node.get("coordinates") or node.get("geometries"))))
        if np.abs(numbers).max(initial=0.0) > 360:
            raise QueryRefused("slip.no_degrees", value=", ".join(f"{number:.10g}" for number in numbers[:2]))
    elif isinstance(node, dict | list | tuple):
        for each in node.values() if isinstance(node, dict) else node:
            ensure_degrees(each)


def _numbers(coordinates: Any) -> Iterator[float]:
    if isinstance(coordinates, int | float):
        yield coordinates
    elif isinstance(coordinates, dict | list | tuple):
        for each in coordinates.values() if isinstance(coordinates, dict) else coordinates:
            yield from _numbers(each)


def _is_geometry(node: Mapping[str, Any]) -> bool:
    return "bbox" in node or node.get("type") in GEOMETRY_TYPES


def _value(name: str, value: Any, binding: Binding) -> Any:
    """Return a parameter's value as CQL2 JSON."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, BaseGeometry | gpd.GeoSeries | gpd.GeoDataFrame):
        return shapely.geometry.mapping(geometry_in(value, binding.storage_crs, binding.crs, name=name))
    if isinstance(value, bool | str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, datetime) and value is not pd.NaT:
        moment = value if value.tzinfo else value.replace(tzinfo=ZoneInfo(binding.zone))
        return {"timestamp": to_instant(moment)}
    if isinstance(value, date) and value is not pd.NaT:
        return {"date": time_text(value)}
    if isinstance(value, Iterable) and not isinstance(value, Mapping | bytes):
        return [_value(name, each, binding) for each in value]
    raise QueryRefused("desk.param", name=name, value=f"{value!r} ({type(value).__name__})"[:_MOST_SHOWN])


def geometry_in(
    value: BaseGeometry | gpd.GeoSeries | gpd.GeoDataFrame, storage_crs: str, crs: str, *, name: str
) -> BaseGeometry:
    """Return one geometry in `crs` (x, y): of a frame or series the union of all, from its own CRS.

    A shapely geometry is in the storage CRS. Raises `QueryRefused` where there is nothing in it or no CRS with it.
    """
    own = storage_crs
    if isinstance(value, gpd.GeoSeries | gpd.GeoDataFrame):
        if value.crs is None:
            raise QueryRefused("desk.place_without_crs", name=name)
        own = crs_code(value.crs)
        value = value.geometry.union_all()
    if value is None or value.is_empty:
        raise QueryRefused("desk.empty_place", name=name)
    flat = shapely.force_2d(value)
    if same_crs(own, crs):
        return flat
    minx, miny, maxx, maxy = flat.bounds
    side = max(maxx - minx, maxy - miny) / _PIECES
    dense = shapely.segmentize(flat, side) if side > 0 else flat
    moved: BaseGeometry = transform_geometries(np.array([dense], dtype=object), own, crs)[0]
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise QueryRefused("desk.place_elsewhere", name=name, crs=crs)
    return moved
