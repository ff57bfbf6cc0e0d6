"""Comparisons of shapes that stay quick for outlines and lines of hundreds of thousands of vertices.

One such shape in a town would cost each later delivery minutes: an exact overlay of two of them takes that long, and so does
the greatest distance between two lines, which looks from each vertex at every segment of the other.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["common_areas", "greatest_distances", "part_near", "seen_area"]

_MOST_VERTICES = 5_000
"""Of a pair whose areas are laid over each other exactly."""
_SIDE = 128
"""Points along each side of the lattice by which larger pairs are compared: their share is right to about half a percent."""
_MOST_LOOKS = 1_000_000
"""Vertices of one line times those of the other, up to which each is compared with each."""


def common_areas(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Return for each pair of areas what they have in common, in square units; 0 where one is missing.

    For pairs of more than 5,000 vertices it is counted on a lattice of 128 x 128 points over what their boxes share.
    """
    large = shapely.get_num_coordinates(a) + shapely.get_num_coordinates(b) > _MOST_VERTICES
    common = np.zeros(len(a))
    common[~large] = np.nan_to_num(shapely.area(shapely.intersection(a[~large], b[~large])))
    common[large] = [_counted_area(*pair) for pair in zip(a[large], b[large], strict=True)]
    return common


def _counted_area(a: Any, b: Any) -> float:
    if a is None or b is None:
        return 0.0
    first, second = shapely.bounds(a), shapely.bounds(b)
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    if not (high > low).all():
        return 0.0
    steps = (np.arange(_SIDE) + 0.5) / _SIDE
    x, y = (axis.ravel() for axis in np.meshgrid(*(low[n] + (high[n] - low[n]) * steps for n in range(2))))
    shapely.prepare([a, b])
    inside = shapely.contains_xy(a, x, y)
    inside[inside] = shapely.contains_xy(b, x[inside], y[inside])
    return float(inside.mean() * np.prod(high - low))


def part_near(shape: Any, place: Any, distance: float) -> Any:
    """Return the part of a shape of very many vertices that lies near the box of a place; any other shape as it is."""
    if shapely.get_num_coordinates(shape) <= _MOST_VERTICES:
        return shape
    west, south, east, north = shapely.bounds(place).tolist()
    box = (west - distance, south - distance, east + distance, north + distance)
    part = shapely.clip_by_rect(shape, *box)
    return part if shapely.is_valid(part) else shapely.intersection(shape, shapely.box(*box))


def seen_area(shapes: Sequence[Any], distance: float) -> Any:
    """Return the area within a distance of shapes; of one of very many vertices only what it covers itself."""
    many = shapely.get_num_coordinates(np.array([*shapes, None], dtype=object))[:-1] > _MOST_VERTICES
    few = [shape for shape, is_large in zip(shapes, many, strict=True) if not is_large]
    around = shapely.buffer(shapely.union_all(few), distance)
    return shapely.union_all([around, *itertools.compress(shapes, many)]) if many.any() else around


def greatest_distances(a: NDArray[Any], b: NDArray[Any], reach: float) -> NDArray[np.float64]:
    """Return for each pair of lines how far a vertex of one lies from the other at most (discrete Hausdorff distance).

    Of lines of many vertices it is exact up to `reach`; beyond, infinite.
    """
    many = shapely.get_num_coordinates(a).astype(np.int64) * shapely.get_num_coordinates(b) > _MOST_LOOKS
    distances = np.empty(len(a))
    distances[~many] = shapely.hausdorff_distance(a[~many], b[~many])
    pairs = zip(a[many], b[many], strict=True)
    distances[many] = [max(_farthest(one, other, reach), _farthest(other, one, reach)) for one, other in pairs]
    return distances


def _farthest(line: Any, other: Any, reach: float) -> float:
    """Return how far the vertices of a line lie from another at most; infinite where that is beyond reach."""
    vertices = shapely.get_coordinates(line)
    tree = shapely.STRtree(_segments(other))
    nearest, distances = tree.query_nearest(
        shapely.points(vertices), max_distance=reach, return_distance=True, all_matches=False
    )
    return float(distances.max()) if len(np.unique(nearest[0])) == len(vertices) else np.inf


def _segments(line: Any) -> NDArray[Any]:
    xy, part = shapely.get_coordinates(shapely.get_parts(line), return_index=True)
    inner = np.flatnonzero(part[1:] == part[:-1])
    return np.asarray(shapely.linestrings(np.stack((xy[inner], xy[inner + 1]), axis=1)), dtype=object)
