"""Heights that cannot be true: 0, 999 or -9999 for "unknown", a slipped decimal point. They are told, and bend no ground.

A height is judged by those around it. One that stands for "unknown" by custom (0, or nines from 999 on) is unlikely where it
lies 10 m beyond all of them, so a coast keeps its zeros; any other where it lies 50 m, half of the way to its neighbours and
ten usual differences from their median. Where fewer than three heights are known around, nothing is unlikely.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["GROUND_LAYERS", "HeightsAround", "unlikely_heights"]

GROUND_LAYERS = ("spot_height", "contour")
"""The layers whose heights make the ground."""

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
_UNKNOWN = np.array([0.0, *(sign * nines for nines in (999, 9999, 99999, 999.9, 999.99, 999.999, 9999.9, 9999.99, 9999.999) for sign in (1, -1)), -32768.0])  # fmt: skip
_BEYOND, _LEAST, _SLOPE, _USUAL_DIFFERENCES = 10.0, 50.0, 0.5, 10.0
_FEWEST, _IN_A_CELL, _VERTICES = 3, 16, 5


@dataclass(frozen=True)
class HeightsAround:
    """Which of some heights are unlikely, and the lowest and highest of those around each (NaN where too few are)."""

    unlikely: Mask
    lowest: Float64
    highest: Float64


def unlikely_heights(shapes: NDArray[Any], others: Float64 | None = None) -> HeightsAround:
    """Return which points and lines with Z have a height that those around them make unlikely; `others` are more x, y, z.

    A line has one height, the median of its vertices, and is judged at up to five of them. What has no Z is not unlikely.

    >>> points = shapely.points([[0, 0, 61], [9, 0, 64], [0, 9, 63], [9, 9, 62], [5, 5, 999]])
    >>> unlikely_heights(points).unlikely.tolist()
    [False, False, False, False, True]
    """
    xyz, owner = _samples(shapes)
    around = np.concatenate((xyz, np.empty((0, 3)) if others is None else others))
    wrong, lowest, highest = _judged(xyz, around)
    sampled = np.bincount(owner, minlength=len(shapes))
    unlikely = (np.bincount(owner, wrong, len(shapes)) * 2 >= sampled) & (sampled > 0)
    return HeightsAround(unlikely, _of_owner(lowest, owner, len(shapes)), _of_owner(highest, owner, len(shapes)))


def _samples(shapes: NDArray[Any]) -> tuple[Float64, NDArray[np.intp]]:
    """Return up to five vertices of each shape at its one height, and whose they are."""
    xyz, owner = shapely.get_coordinates(shapes, include_z=True, return_index=True)
    known = np.isfinite(xyz).all(axis=1)
    xyz, owner = xyz[known], owner[known]
    if not len(xyz):
        return np.empty((0, 3)), np.empty(0, dtype=np.intp)
    first = np.flatnonzero(np.r_[True, np.diff(owner) > 0])
    sizes = np.diff(np.r_[first, len(owner)])
    chosen = np.unique((first[:, None] + (sizes[:, None] - 1) * np.linspace(0, 1, _VERTICES)).round().astype(np.intp))
    order = np.lexsort((xyz[:, 2], owner))
    heights = xyz[order[first + sizes // 2], 2]
    sampled = xyz[chosen].copy()
    sampled[:, 2] = np.repeat(heights, sizes)[chosen]
    return sampled, owner[chosen]


def _judged(xyz: Float64, around: Float64) -> tuple[Mask, Float64, Float64]:
    """Return which heights are unlikely, and the lowest and highest around each; those for "unknown" are no neighbours."""
    wrong = np.zeros(len(xyz), dtype=bool)
    lowest, highest = np.full(len(xyz), np.nan), np.full(len(xyz), np.nan)
    known = around[~np.isin(around[:, 2], _UNKNOWN)]
    if len(known) < _FEWEST or not len(xyz):
        return wrong, lowest, highest
    size, is_custom = _cell_size(around), np.isin(xyz[:, 2], _UNKNOWN)
    for rows, heights in _cells(xyz, known, size):
        z, custom = xyz[rows, 2], is_custom[rows]
        low, high = heights.min(), heights.max()
        if high - low <= _LEAST - _BEYOND and z.min() >= low - _BEYOND and z.max() <= high + _BEYOND:
            lowest[rows], highest[rows] = low, high  # of most cells: nothing there can be far from anything
            continue
        middle = np.median(heights)
        usual = np.median(np.abs(heights - middle))
        far = np.abs(z - middle) > max(_LEAST, _SLOPE * size, _USUAL_DIFFERENCES * usual)
        beyond = (z < low - _BEYOND) | (z > high + _BEYOND)
        wrong[rows] = np.where(custom, beyond, far)
        plausible = heights[np.abs(heights - middle) <= max(_LEAST, _SLOPE * size, _USUAL_DIFFERENCES * usual)]
        lowest[rows], highest[rows] = plausible.min(), plausible.max()
    return wrong, lowest, highest


def _cell_size(xyz: Float64) -> float:
    """Return the side of a square that holds so many heights on average."""
    width, height = np.maximum(np.ptp(xyz[:, :2], axis=0), 1.0)
    return float(np.sqrt(width * height * _IN_A_CELL / len(xyz)))


def _cells(xyz: Float64, known: Float64, size: float) -> Iterator[tuple[NDArray[np.intp], Float64]]:
    """Yield the rows of each cell with the known heights of it and its eight neighbours, where those are enough, else of all."""
    origin = known[:, :2].min(axis=0)
    cells_of_known = _grouped(np.floor((known[:, :2] - origin) / size).astype(np.int64))
    for (column, row), rows in _grouped(np.floor((xyz[:, :2] - origin) / size).astype(np.int64)).items():
        near = [cells_of_known.get((column + i, row + j)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        around = [rows_of_cell for rows_of_cell in near if rows_of_cell is not None]
        heights = known[np.concatenate(around), 2] if around else known[:0, 2]
        yield rows, heights if len(heights) >= _FEWEST else known[:, 2]


def _grouped(cells: NDArray[np.int64]) -> dict[tuple[int, int], NDArray[np.intp]]:
    """Return the rows of each cell."""
    order = np.lexsort((cells[:, 1], cells[:, 0]))
    ordered = cells[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(ordered, axis=0) != 0).any(axis=1)])
    parts = np.split(order, starts[1:])
    return {(int(ordered[start, 0]), int(ordered[start, 1])): part for start, part in zip(starts, parts, strict=True)}


def _of_owner(values: Float64, owner: NDArray[np.intp], count: int) -> Float64:
    """Return for each shape the value at its first sample."""
    first = np.full(count, np.nan)
    first[owner[::-1]] = values[::-1]
    return first
