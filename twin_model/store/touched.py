"""Where a layer was last touched: one box for each cell of a grid that has ever held a change.

Tiles ask which version touched their box last. A cell has one box, the joint one of all changes in it, and the newest
version: there are as many boxes as the town has cells, however many versions it has. The rows lie in each store's own
table (`geopackage/touched.py`, `postgis/touched.py`).

A joint box says of some places that they changed though only others of the cell did: a tile is made once more than it
need be, and never too seldom. What is large has larger cells, so that one long road does not widen the boxes of houses.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["TouchedCells", "TouchedGathering", "cell_numbers", "gathered", "joined", "touched_cells"]

_CELL = 256.0
"""Metres of the smallest cell's side: a tile asks for some of them, and a city has few."""

_LARGEST = 30
"""The cells of level n have sides of 256 * 2^n metres; those of this one are larger than the earth."""

_GATHERED_AT_ONCE = 50_000

_FARTHEST = 2**28 - 1
"""What lies farther than so many cells is gathered in the last one."""


class TouchedCells(NamedTuple):
    """Boxes (n, 4) of what was touched, minx, miny, maxx, maxy, and the number of the cell of each; no cell comes twice."""

    boxes: NDArray[np.float64]
    numbers: NDArray[np.int64]

    def chosen(self, places: NDArray[np.bool_]) -> "TouchedCells":
        return TouchedCells(self.boxes[places], self.numbers[places])


def touched_cells(bounds: NDArray[np.float64]) -> TouchedCells:
    """Return the boxes (n, 4) of changed geometry gathered by cell; those without a place are left out.

    >>> touched_cells(np.array([[0.0, 0, 9, 9], [5, 5, 20, 20], [900, 0, 910, 9]])).boxes.tolist()
    [[0.0, 0.0, 20.0, 20.0], [900.0, 0.0, 910.0, 9.0]]
    """
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    cells, _ = gathered(bounds, np.zeros(len(bounds), dtype=np.int64))
    return cells


class TouchedGathering:
    """Boxes that come bit by bit, gathered by cell: what is held grows with the cells, not with the boxes."""

    def __init__(self) -> None:
        self._cells = touched_cells(np.empty((0, 4)))
        self._waiting: list[NDArray[np.float64]] = []
        self._boxes = 0

    def add(self, bounds: NDArray[np.float64]) -> None:
        """Take in boxes (n, 4); those without a place are left out."""
        self._waiting.append(bounds)
        self._boxes += len(bounds)
        if self._boxes >= _GATHERED_AT_ONCE:
            self._gather()

    def cells(self) -> TouchedCells:
        """Return what has been touched so far."""
        self._gather()
        return self._cells

    def _gather(self) -> None:
        if not self._waiting:
            return
        more = touched_cells(np.concatenate(self._waiting))
        self._waiting, self._boxes = [], 0
        numbers = np.concatenate((self._cells.numbers, more.numbers))
        boxes = np.concatenate((self._cells.boxes, more.boxes))
        self._cells, _ = _by_cell(boxes, numbers, np.zeros(len(numbers), dtype=np.int64))


def gathered(bounds: NDArray[np.float64], versions: NDArray[np.int64]) -> tuple[TouchedCells, NDArray[np.int64]]:
    """Return boxes gathered by cell, and the newest version of each cell."""
    return _by_cell(bounds, cell_numbers(bounds), versions)


def _by_cell(
    boxes: NDArray[np.float64],
    numbers: NDArray[np.int64],
    versions: NDArray[np.int64],
) -> tuple[TouchedCells, NDArray[np.int64]]:
    """Return the box and the newest version of each cell; `numbers` are the boxes' cells."""
    if not len(boxes):
        return TouchedCells(np.empty((0, 4)), np.empty(0, dtype=np.int64)), versions[:0]
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(numbers[order]) != 0])
    low = np.minimum.reduceat(boxes[order, :2], starts)
    high = np.maximum.reduceat(boxes[order, 2:], starts)
    return TouchedCells(np.hstack((low, high)), numbers[order][starts]), np.maximum.reduceat(versions[order], starts)


def joined(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the boxes (n, 4) that hold both of each pair; a box of NaN holds nothing."""
    return np.hstack((np.fmin(boxes[:, :2], others[:, :2]), np.fmax(boxes[:, 2:], others[:, 2:])))


def cell_numbers(bounds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the number of the cell in which the middle of each box lies: its level, its column, its row."""
    sides = np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    levels = np.clip(np.ceil(np.log2(np.maximum(sides, _CELL) / _CELL)), 0, _LARGEST)
    middles = (bounds[:, :2] / 2 + bounds[:, 2:] / 2) / (_CELL * np.exp2(levels))[:, None]
    places = np.clip(np.floor(middles), -_FARTHEST, _FARTHEST).astype(np.int64) + _FARTHEST
    return np.asarray((levels.astype(np.int64) << 58) | (places[:, 0] << 29) | places[:, 1])
