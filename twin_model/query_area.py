"""Areas a client asks for: the `bbox` parameter and the geometries in a filter, brought to the storage CRS exactly.

A rectangle of degrees is no rectangle in metres: it becomes an area with curved sides, not the box around it.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from twin_model.byte_cache import remembering
from twin_model.changeset import Box
from twin_model.crs import authority_axis_swapped, same_crs, transform_bounds, transform_geometries
from twin_model.errors import CrsRefused, QueryRefused
from twin_model.filter.expression import Boolean, Expression, Geometry, Logical, Not, Spatial
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.frames import from_wkb
from twin_model.temporal import ALWAYS
from twin_model.view import Policy, View

__all__ = ["bbox_area", "box_area", "conjunction", "filter_in_storage_crs", "narrowed_to", "seen_extent", "stored_area"]

_PIECES = 32
"""An edge is cut into this many pieces before it is transformed: 1 mm of sagitta on 5 km in a Gauss-Kruger zone."""
_MARGIN = 1_000.0
_VERTEX_BYTES = 24
_GEOGRAPHIC = {"OGC:CRS84", "EPSG:4326", "EPSG:4490"}


_LONGEST_BOX = 300
"""Characters of six numbers, with as many digits as anybody writes."""

Heights = tuple[float, float]


def bbox_area(value: str, crs: str) -> tuple[BaseGeometry, Heights | None]:
    """Return the area of a `bbox` parameter as x, y of its CRS and, of 6 numbers, the lowest and highest height in metres.

    In degrees a west edge east of the east edge means a box across the 180th meridian: two areas. Heights are those that
    features carry, in the town's height datum, whatever the CRS is.
    """
    if len(value) > _LONGEST_BOX:
        raise QueryRefused("query.bbox", value=value[:100], cause=f"{len(value.split(','))} numbers")
    return _bbox_area(value, crs)


@lru_cache(maxsize=1024)
def _bbox_area(value: str, crs: str) -> tuple[BaseGeometry, Heights | None]:
    box, heights = _numbers(value, crs)
    return _area_of(box, value[:100], crs), heights


def box_area(box: Sequence[float], crs: str) -> BaseGeometry:
    """Return the same area of a box given as minx, miny, maxx, maxy in x, y order of its CRS."""
    value = ",".join(map(str, box))[:100]
    if len(box) != 4 or not all(-1e9 < number < 1e9 for number in box):
        raise QueryRefused("query.bbox", value=value, cause=f"{len(box)} numbers")
    minx, miny, maxx, maxy = map(float, box)
    return _area_of((minx, miny, maxx, maxy), value, crs)


def _area_of(box: Box, value: str, crs: str) -> BaseGeometry:
    minx, miny, maxx, maxy = box
    if miny > maxy or (minx > maxx and crs not in _GEOGRAPHIC):
        raise QueryRefused("query.bbox", value=value, cause="min > max")
    if crs in _GEOGRAPHIC and (min(minx, maxx) < -180 or max(minx, maxx) > 180 or miny < -90 or maxy > 90):
        raise QueryRefused("query.bbox", value=value, cause="beyond 180 or 90 degrees")
    if minx > maxx:
        return shapely.union(_rectangle(minx, miny, 180.0, maxy), _rectangle(-180.0, miny, maxx, maxy))
    return _rectangle(minx, miny, maxx, maxy)


def _numbers(value: str, crs: str) -> tuple[Box, Heights | None]:
    """Return minx, miny, maxx, maxy, and heights if there are any; the axes in the text are those of the CRS's authority."""
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError as error:
        raise QueryRefused("query.bbox", value=value[:100], cause="not numbers") from error
    if len(numbers) not in (4, 6) or not all(-1e9 < n < 1e9 for n in numbers):
        raise QueryRefused("query.bbox", value=value[:100], cause=f"{len(numbers)} numbers")
    a, b, c, d = numbers if len(numbers) == 4 else (*numbers[:2], *numbers[3:5])
    heights = (numbers[2], numbers[5]) if len(numbers) == 6 else None
    if heights is not None and heights[0] > heights[1]:
        raise QueryRefused("query.bbox", value=value[:100], cause="min > max")
    return ((b, a, d, c) if authority_axis_swapped(crs) else (a, b, c, d)), heights


def _rectangle(minx: float, miny: float, maxx: float, maxy: float) -> BaseGeometry:
    """Return a rectangle; one without width or height is a line or a point."""
    corners = list(dict.fromkeys(((minx, miny), (maxx, miny), (maxx, maxy), (minx, maxy))))
    if len(corners) == 4:
        return shapely.Polygon(corners)
    return shapely.Point(corners[0]) if len(corners) == 1 else shapely.LineString((corners[0], corners[-1]))


def _bytes_of_areas(stored: BaseGeometry, area: BaseGeometry, *_: object) -> int:
    return _VERTEX_BYTES * int(shapely.get_num_coordinates(stored) + shapely.get_num_coordinates(area))


@remembering(most_bytes=16 * 2**20, bytes_of=_bytes_of_areas)
def stored_area(area: BaseGeometry, crs: str, storage_crs: str, extent: Box, reach: float = 0.0) -> BaseGeometry:
    """Return an area in the storage CRS, cut to the neighbourhood of the extent; empty where it lies elsewhere.

    `reach` is how far from it (metres) features are still asked for.

    Cutting changes no answer, because no feature lies beyond the extent; it keeps the whole world away from a
    projection that is made for a zone.
    """
    minx, miny, maxx, maxy = extent
    margin = _MARGIN + reach + max(maxx - minx, maxy - miny)
    near = (minx - margin, miny - margin, maxx + margin, maxy + margin)
    try:
        limits = shapely.box(*transform_bounds(near, storage_crs, crs))
    except CrsRefused:
        return shapely.Point()
    clipped = area if shapely.covers(limits, area) else shapely.intersection(area, limits)
    if clipped.is_empty or same_crs(crs, storage_crs):
        return clipped
    dense = shapely.segmentize(clipped, _longest_side(clipped) / _PIECES)
    moved: BaseGeometry = transform_geometries(np.array([dense], dtype=object), crs, storage_crs)[0]
    return moved


def _longest_side(geometry: BaseGeometry) -> float:
    minx, miny, maxx, maxy = geometry.bounds
    return max(maxx - minx, maxy - miny, 1e-9)


def narrowed_to(
    query: FeatureQuery, area: BaseGeometry, crs: str, storage_crs: str, extent: Box | None
) -> FeatureQuery:
    """Return the query narrowed to features that meet an area: by the store's own box where that is exact.

    `extent` is that of the layer. Whether features without geometry are among them says the query (`unplaced`).
    """
    if extent is None:
        return query.with_(area=shapely.Point())
    if crs == storage_crs:
        return query.with_(bbox=area.bounds)
    stored = stored_area(area, crs, storage_crs, extent)
    return query.with_(bbox=extent) if shapely.covers(stored, shapely.box(*extent)) else query.with_(area=stored)


def conjunction(one: Expression | None, other: Expression | None) -> Expression | None:
    """Return the condition that both hold; None is no condition."""
    return Logical("and", (one, other)) if one is not None and other is not None else one or other


def filter_in_storage_crs(expression: Expression, crs: str, storage_crs: str, extent: Box | None) -> Expression:
    """Return a filter with its geometries in the storage CRS; as they were written, their axes are the authority's."""
    if isinstance(expression, Not):
        return Not(filter_in_storage_crs(expression.argument, crs, storage_crs, extent))
    if isinstance(expression, Logical):
        moved = tuple(filter_in_storage_crs(argument, crs, storage_crs, extent) for argument in expression.arguments)
        return replace(expression, arguments=moved)
    if not isinstance(expression, Spatial):
        return expression
    shape = expression.geometry.shape
    if authority_axis_swapped(crs):
        shape = shapely.transform(shape, lambda xy: xy[:, ::-1])
    reach = expression.distance
    area = shapely.Point() if extent is None else stored_area(shape, crs, storage_crs, extent, reach)
    if area.is_empty and reach:
        return Boolean(False)
    return replace(expression, geometry=Geometry(_elsewhere(extent) if area.is_empty else area))


def _elsewhere(extent: Box | None) -> BaseGeometry:
    """Return a point where no feature is: it stands for an area that does not come near the layer."""
    return shapely.Point((extent[2] + 2 * _MARGIN, extent[3] + 2 * _MARGIN) if extent else (0.0, 0.0))


def seen_extent(store: Store, layer: str, policy: Policy) -> Box | None:
    """Return the box of all states a looker may see of a layer (storage CRS), None where there are none.

    Where rows are kept back the others are read, once a version: the layer's own extent would tell where those lie.
    """
    if layer not in policy.rows:
        return store.summary(layer).extent
    version = store.changed_since(layer, None)
    return _extent_of_rows(store, layer, policy, version)  # type: ignore[arg-type]


@lru_cache(maxsize=64)
def _extent_of_rows(store: Store, layer: str, policy: Policy, version: int) -> Box | None:
    query = FeatureQuery(layer, view=View(ALWAYS, policy=policy), fields=(), states=True)
    columns, rows = store.rows(query)
    if not rows or "geometry" not in columns:
        return None
    place = columns.index("geometry")
    minx, miny, maxx, maxy = shapely.total_bounds(from_wkb([row[place] for row in rows])).tolist()
    return None if math.isnan(minx) else (minx, miny, maxx, maxy)
