"""Geometry literals of a filter and the eight spatial predicates, both on shapely geometries."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import shapely
from shapely.errors import GEOSException, ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from twin_model.filter.errors import InvalidFilter, InvalidGeometry, shown

__all__ = [
    "GEOMETRY_TYPES",
    "PREDICATES",
    "TURNED_ROUND",
    "holds",
    "read_bbox",
    "read_geometry",
    "to_storage",
]

GEOMETRY_TYPES = frozenset(
    {
        "Point",
        "LineString",
        "Polygon",
        "MultiPoint",
        "MultiLineString",
        "MultiPolygon",
        "GeometryCollection",
    }
)
# The operator of "feature OP literal" -> the shapely predicate of (literal, feature): the literal stands
# first because shapely uses the prepared geometry of its first argument.
PREDICATES: Mapping[str, Callable[[BaseGeometry, BaseGeometry], Any]] = {
    "intersects": shapely.intersects,
    "disjoint": shapely.disjoint,
    "within": shapely.contains,
    "contains": shapely.within,
    "touches": shapely.touches,
    "crosses": shapely.crosses,
    "overlaps": shapely.overlaps,
    "equals": shapely.equals,
}
TURNED_ROUND: Mapping[str, str] = {"within": "contains", "contains": "within"}


def read_geometry(node: dict[str, Any]) -> BaseGeometry:
    """Return the two-dimensional geometry of a GeoJSON object; an empty or invalid one is refused."""
    kind = str(node.get("type"))
    try:
        geometry = shapely.force_2d(shape(node))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ShapelyError) as error:
        raise InvalidGeometry(kind=kind, reason=shown(error, limit=120)) from error
    return _ensure_usable(geometry, kind)


def read_bbox(numbers: Any) -> BaseGeometry:
    """Return the rectangle of 4 or 6 numbers (west, south, [low], east, north, [high]) without heights."""
    is_list = isinstance(numbers, list | tuple) and len(numbers) in (4, 6)
    if not is_list or not all(map(_is_number, numbers)):
        raise InvalidFilter(found=shown(numbers), expected="BBOX of 4 or 6 numbers")
    half = len(numbers) // 2
    west, south, east, north = numbers[0], numbers[1], numbers[half], numbers[half + 1]
    if west > east or south > north:
        raise InvalidGeometry(kind="BBOX", reason="the first corner must be west and south of the second")
    if west == east or south == north:
        # A rectangle without area is not a valid polygon, but a good line or point.
        return _ensure_usable(_flat_box(west, south, east, north), "BBOX")
    return _ensure_usable(shapely.box(west, south, east, north), "BBOX")


def _flat_box(west: float, south: float, east: float, north: float) -> BaseGeometry:
    if west == east and south == north:
        return shapely.Point(west, south)
    return shapely.LineString([(west, south), (east, north)])


def to_storage(geometry: BaseGeometry, transform: Callable[[BaseGeometry], BaseGeometry] | None) -> BaseGeometry:
    """Return `geometry` in the storage CRS; one that leaves the CRS's area of use is refused."""
    if transform is None:
        return geometry
    moved = transform(geometry)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise InvalidGeometry(kind=geometry.geom_type, reason="it lies outside the area of the storage CRS")
    return moved


def holds(operator: str, literal: BaseGeometry, feature: BaseGeometry) -> bool:
    """Return whether `feature OPERATOR literal`; invalid features are mended first where GEOS insists."""
    try:
        return bool(PREDICATES[operator](literal, feature))
    except GEOSException:
        return bool(PREDICATES[operator](shapely.make_valid(literal), shapely.make_valid(feature)))


def _ensure_usable(geometry: BaseGeometry, kind: str) -> BaseGeometry:
    if geometry.is_empty:
        raise InvalidGeometry(kind=kind, reason="it is empty")
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise InvalidGeometry(kind=kind, reason="it has a coordinate that is not a finite number")
    if not shapely.is_valid(geometry):
        raise InvalidGeometry(kind=kind, reason=shapely.is_valid_reason(geometry))
    return geometry


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
