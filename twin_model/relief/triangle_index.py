"""Which triangle is below a place: a grid of boxes for every size of triangle.

A triangle lies in the level whose cells are at least as large as its box, so it touches four cells at most,
however small or long it is: a survey has metre-sized triangles on a road and kilometre-long ones along its
hull.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Index = NDArray[np.intp]

CHUNK = 4096
"""Places looked up together: their candidates, about a hundred each, stay in the processor's cache."""
TOLERANCE = 1e-9
"""Share of a triangle by which a place may lie outside: a place on an edge belongs to both its triangles."""
_ROW = np.int64(1) << 31


@dataclass(frozen=True, eq=False)
class _Level:
    """Triangles of one size by cells they touch: `key` (e,) names a cell, `triangle` (e,) who is there."""

    cell: float
    key: NDArray[np.int64]
    triangle: Index


class TriangleIndex:
    """Triangles (m, 3) of places (n, 2), ready to be asked what is where."""

    def __init__(self, xy: Float64, triangles: NDArray[np.uint32]) -> None:
        self.origin: Float64 = xy.min(axis=0)
        self.corners: Float64 = (xy - self.origin)[triangles]
        self._low, self._high = self.corners.min(axis=1) - TOLERANCE, self.corners.max(axis=1) + TOLERANCE
        self._reach = self._low.min(axis=0), self._high.max(axis=0)
        self._levels = _levels(self.corners)

    def find(self, x: Float64, y: Float64) -> tuple[Index, Float64]:
        """Return the triangle of each place, -1 where there is none, and its barycentric weights (n, 3)."""
        place = np.stack([x, y], axis=1) - self.origin
        triangle = np.full(len(place), -1, np.intp)
        weights = np.full((len(place), 3), np.nan)
        low, high = self._reach
        inside = np.flatnonzero((place >= low).all(axis=1) & (place <= high).all(axis=1))
        for start in range(0, len(inside), CHUNK):
            chunk = inside[start : start + CHUNK]
            triangle[chunk], weights[chunk] = self._find(place[chunk])
        return triangle, weights

    def _find(self, place: Float64) -> tuple[Index, Float64]:
        asked, candidate = self._candidates(place)
        weight = barycentric(self.corners[candidate], place[asked])
        depth = weight.min(axis=1)
        # Ascending: where two triangles share the place, the one it is deepest in is written last.
        order = np.flatnonzero(depth >= -TOLERANCE)
        order = order[np.argsort(depth[order], kind="stable")]
        found, weights = np.full(len(place), -1, np.intp), np.full((len(place), 3), np.nan)
        found[asked[order]] = candidate[order]
        weights[asked[order]] = weight[order]
        return found, weights

    def _candidates(self, place: Float64) -> tuple[Index, Index]:
        """Return pairs (place, triangle) of every triangle whose box holds the place."""
        pairs = [_in_cell(level, place) for level in self._levels]
        asked, candidate = zip(*pairs, strict=True)
        place_of, triangle = np.concatenate(asked), np.concatenate(candidate)
        x, y = place[place_of].T
        low, high = self._low[triangle].T, self._high[triangle].T
        boxed = (x >= low[0]) & (y >= low[1]) & (x <= high[0]) & (y <= high[1])
        return place_of[boxed], triangle[boxed]


def barycentric(corners: Float64, place: Float64) -> Float64:
    """Return the weights (n, 3) of corners (n, 3, 2) at a place (n, 2); NaN for a triangle without area."""
    a, b, c = (corners[:, i] - place for i in range(3))
    parts = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(parts / parts.sum(axis=1, keepdims=True))


def _cross(a: Float64, b: Float64) -> Float64:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def _levels(corners: Float64) -> list[_Level]:
    low, high = corners.min(axis=1), corners.max(axis=1)
    size = np.maximum((high - low).max(axis=1), 1.0)
    exponent = np.ceil(np.log2(size)).astype(np.intp)
    return [_level(low, high, np.flatnonzero(exponent == power), float(2.0**power)) for power in np.unique(exponent)]


def _level(low: Float64, high: Float64, members: Index, cell: float) -> _Level:
    first = np.floor((low[members] - TOLERANCE) / cell).astype(np.int64)
    last = np.floor((high[members] + TOLERANCE) / cell).astype(np.int64)
    column = np.stack([first[:, 0], last[:, 0], first[:, 0], last[:, 0]], axis=1)
    row = np.stack([first[:, 1], first[:, 1], last[:, 1], last[:, 1]], axis=1)
    key = _cell_key(column, row)
    repeated = np.zeros(key.shape, np.bool_)
    repeated[:, 1] = repeated[:, 3] = first[:, 0] == last[:, 0]
    repeated[:, 2:] |= (first[:, 1] == last[:, 1])[:, None]
    key, triangle = key[~repeated], np.repeat(members[:, None], 4, axis=1)[~repeated]
    order = np.argsort(key, kind="stable")
    return _Level(cell, key[order], triangle[order])


def _cell_key(column: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(row * _ROW + column)


def _in_cell(level: _Level, place: Float64) -> tuple[Index, Index]:
    column, row = np.floor(place / level.cell).astype(np.int64).T
    key = _cell_key(column, row)
    start, end = np.searchsorted(level.key, key), np.searchsorted(level.key, key, side="right")
    count = end - start
    asked = np.repeat(np.arange(len(place)), count)
    within = np.arange(len(asked)) - np.repeat(np.cumsum(count) - count, count)
    return asked, level.triangle[np.repeat(start, count) + within]
