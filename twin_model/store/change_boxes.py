"""Whether the boxes of changes that a store keeps cover what each version changed: by them clients are told what is stale.

The writer gathers changed geometry on a grid (`touched.touched_cells`); so are the rows gathered here, by the version
that wrote or closed them. A box of a later version serves as well: what it covers counts as changed since.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.store.touched import cell_numbers

__all__ = ["ChangeBoxes", "uncovered_versions"]

_PAIRS = 1_000_000
"""Up to so many pairs of boxes are compared one by one; beyond, a tree is made of them."""


@dataclass
class ChangeBoxes:
    """Boxes of what each version of a layer changed, gathered by version and grid cell."""

    versions: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    cells: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    boxes: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))

    def add(self, bounds: NDArray[np.float64], written: Sequence[int], closed: Sequence[int | None]) -> None:
        """Add rows: their boxes (n, 4), NaN without geometry, the versions that wrote and closed them."""
        for versions in (written, closed):
            numbers = np.array([0 if number is None else number for number in versions], dtype=np.int64)
            chosen = (numbers > 0) & np.isfinite(bounds).all(axis=1)
            self._gather(numbers[chosen], bounds[chosen])

    def _gather(self, versions: NDArray[np.int64], bounds: NDArray[np.float64]) -> None:
        if not len(versions):
            return
        versions = np.concatenate((self.versions, versions))
        cells, boxes = np.concatenate((self.cells, cell_numbers(bounds))), np.concatenate((self.boxes, bounds))
        order = np.lexsort((cells, versions))
        keys = np.column_stack((versions, cells))[order]
        starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
        low = np.minimum.reduceat(boxes[order, :2], starts)
        high = np.maximum.reduceat(boxes[order, 2:], starts)
        self.versions, self.cells, self.boxes = keys[starts, 0], keys[starts, 1], np.hstack((low, high))


def uncovered_versions(changes: ChangeBoxes, versions: NDArray[np.int64], boxes: NDArray[np.float64]) -> list[int]:
    """Return the versions of which a change lies in no box (n, 4) of theirs or a later one's."""
    order = np.argsort(versions, kind="stable")
    versions, boxes = versions[order], boxes[order]
    uncovered = []
    for version in np.unique(changes.versions).tolist():
        wanted = changes.boxes[slice(*np.searchsorted(changes.versions, (version, version + 1)))]
        start, end = np.searchsorted(versions, (version, version + 1))
        left = wanted[~_covered(wanted, boxes[start:end])]
        if len(left) and not _covered(left, boxes[end:]).all():
            uncovered.append(version)
    return uncovered


def _covered(wanted: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which boxes lie within one of others."""
    if len(wanted) * len(boxes) <= _PAIRS:
        low = (boxes[None, :, :2] <= wanted[:, None, :2]).all(axis=2)
        high = (boxes[None, :, 2:] >= wanted[:, None, 2:]).all(axis=2)
        return np.asarray(np.any(low & high, axis=1))
    covered = np.zeros(len(wanted), dtype=bool)
    tree = shapely.STRtree(_polygons(boxes))
    covered[tree.query(_polygons(wanted), predicate="covered_by")[0]] = True
    return covered


def _polygons(boxes: NDArray[np.float64]) -> NDArray[Any]:
    return np.asarray(shapely.box(*boxes.T), dtype=object)
