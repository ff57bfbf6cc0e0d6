"""Motions that put a model without a place of its own into the town, and what they do to its rows.

A motion is a 4 x 4 matrix from model metres to metres of the storage CRS. `rotate` is in degrees, counter-clockwise seen
from above: 30 turns the model's x axis from east towards north. Scale is always 1. How a motion is fitted to points or
to an outline stands in `twin_model/desk/model_fit.py`.
"""

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.building.mesh import matrix_of, matrix_text

__all__ = ["motion", "moved_points", "placed_columns", "placed_geometry", "rotation_of"]

Float64 = NDArray[np.float64]

_STRIP = 0.005
_HEIGHTS = ("bottom", "top", "elevation")


def motion(east: float, north: float, height: float, rotate: float) -> Float64:
    """Return the motion that brings the model's origin to a place, turned counter-clockwise by degrees."""
    cos, sin = math.cos(math.radians(rotate)), math.sin(math.radians(rotate))
    return np.array([[cos, -sin, 0.0, east], [sin, cos, 0.0, north], [0.0, 0.0, 1.0, height], [0.0, 0.0, 0.0, 1.0]])


def rotation_of(matrix: Float64) -> float:
    """Return the degrees a motion turns by, counter-clockwise, from -180 to 180."""
    return math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))


def placed_geometry(shapes: NDArray[Any], matrix: Float64) -> NDArray[Any]:
    """Return geometries in model metres moved by a motion; None stays None.

    Vertices less than a nanometre apart fall together in the large numbers of a CRS: areas that break so are mended.
    """

    def moved(points: Float64) -> Float64:
        return moved_points(points, matrix)

    present = ~shapely.is_missing(shapes)
    result = shapes.copy()
    if present.any():
        result[present] = shapely.transform(shapes[present], moved, include_z=True)
    return _mended(result)


def _mended(geometry: NDArray[Any]) -> NDArray[Any]:
    """Return geometries of which those that are not valid are made of what is left of their areas, else of their hulls."""
    invalid = ~shapely.is_missing(geometry) & ~shapely.is_valid(geometry) & (shapely.get_dimensions(geometry) == 2)
    result = geometry.copy()
    result[invalid] = [_area_of(shape) for shape in geometry[invalid]]
    return result


def _area_of(shape: Any) -> Any:
    height = float(np.nanmin(shapely.get_coordinates(shape, include_z=True)[:, 2]))
    flat = shapely.force_2d(shape)
    parts = [part for part in shapely.get_parts(shapely.make_valid(flat), return_index=False) if part.area > 0]
    polygons = [each for part in parts for each in shapely.get_parts(part)] or [flat.convex_hull.buffer(_STRIP)]
    return shapely.force_3d(shapely.multipolygons(polygons), height)


def moved_points(points: Float64, matrix: Float64) -> Float64:
    """Return points (n, 2 or 3) moved; a z that is NaN stays so.

    Equal points stay equal, so that rings stay closed: a matrix product does not promise that.
    """
    known = np.nan_to_num(points)
    axes = range(points.shape[1])
    moved = np.stack([sum((known[:, k] * matrix[n, k] for k in axes), matrix[n, 3]) for n in axes], axis=1)
    return np.where(np.isnan(points), np.nan, moved)


def placed_columns(columns: dict[str, list[Any]], matrix: Float64) -> dict[str, list[Any]]:
    """Return columns of model metres moved by a motion: `matrix` texts, and the heights `bottom`, `top`, `elevation`."""
    result = dict(columns)
    for name in _HEIGHTS:
        if name in columns:
            result[name] = [None if value is None else float(value) + float(matrix[2, 3]) for value in columns[name]]
    if "matrix" in columns:
        result["matrix"] = [None if text is None else _moved(text, matrix) for text in columns["matrix"]]
    return result


def _moved(text: str, matrix: Float64) -> str:
    return matrix_text(np.ascontiguousarray(matrix) @ np.ascontiguousarray(matrix_of(text)))
