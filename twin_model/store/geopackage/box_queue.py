"""Boxes that wait to be put into an R-tree together: within a transaction nobody looks into the tree, and many boxes at
once cost a tenth of as many one by one (`rtree`)."""

import sqlite3
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twin_model.store.geopackage.rtree import insert, replace

__all__ = ["BoxQueue"]


class BoxQueue:
    """Boxes for one R-tree. Where the tree may hold others of the same ids, these are `replacing` them."""

    def __init__(self, connection: sqlite3.Connection, table: str, *, replacing: bool = False) -> None:
        self._connection, self._table, self._replacing = connection, table, replacing
        self._ids: list[NDArray[np.int64]] = []
        self._bounds: list[NDArray[np.float64]] = []

    def add(self, ids: NDArray[np.int64], bounds: NDArray[np.float64]) -> None:
        """Let boxes (n, 4) wait; those with NaN are of features without a place and have none."""
        placed = np.isfinite(bounds[:, 0])
        if self._replacing or placed.any():
            self._ids.append(ids)
            self._bounds.append(bounds)

    def write_before(self, ids: Sequence[int]) -> None:
        """Write what waits if some of these ids are among it: somebody else is about to change their boxes."""
        if self._ids and np.isin(np.array(ids), np.concatenate(self._ids)).any():
            self.write()

    def write(self) -> None:
        """Put everything that waits into the tree."""
        if not self._ids:
            return
        ids, bounds = np.concatenate(self._ids), np.concatenate(self._bounds)
        self._ids, self._bounds = [], []
        if self._replacing:
            replace(self._connection, self._table, ids, bounds)
        else:
            placed = np.isfinite(bounds[:, 0])
            insert(self._connection, self._table, ids[placed], bounds[placed])
