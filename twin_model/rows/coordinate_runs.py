"""Geometries that are one run of coordinates each, for whole frames at once: points, lines, outlines without holes.

Most shapes of a town are such. Read straight from WKB, moved, checked and written as columns of x and y, they need no
object a geometry; what is not one run, or not plain, goes through shapely as everything does in `twin_model/rows/geometry.py`.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.crs import transform_xy
from twin_model.rows.packed_wkb import PackedWkb, apart, offsets_of

__all__ = ["CoordinateRuns", "no_runs", "read_runs", "valid_runs"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Positions = NDArray[np.intp]

_MOST_EDGES = 12
"""Outlines of more edges are left to shapely: every pair of edges is looked at, and shapely sorts them first."""

_AT_ONCE = 4_096
_SURE = 1e-11
"""A point lies beside an edge for sure where twice the area between them is more than this share of the outline's box."""


@dataclass(frozen=True)
class CoordinateRuns:
    """Flat geometries of one dimension: run n has the coordinates `offsets[n]` to `offsets[n + 1]`, and stands in row
    `rows[n]` (ascending) of what it was read from."""

    dimension: int
    rows: Positions
    x: Floats
    y: Floats
    offsets: Positions

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def lengths(self) -> Positions:
        return np.diff(self.offsets)

    @cached_property
    def bounds(self) -> Floats:
        """minx, miny, maxx, maxy (n, 4)."""
        starts = self.offsets[:-1]
        if not len(starts):
            return np.empty((0, 4))
        ends = [ufunc.reduceat(side, starts) for ufunc in (np.minimum, np.maximum) for side in (self.x, self.y)]
        return np.column_stack(ends)

    @cached_property
    def finite(self) -> Mask:
        """Which runs have only finite coordinates."""
        good = np.isfinite(self.x) & np.isfinite(self.y)
        if good.all():
            return np.ones(len(self), dtype=bool)
        return np.asarray(np.logical_and.reduceat(good, self.offsets[:-1]), dtype=bool)

    def moved(self, source: str, target: str) -> "CoordinateRuns":
        """Return the runs in another system."""
        x, y = transform_xy(self.x, self.y, source, target)
        return replace(self, x=x, y=y)

    def take(self, chosen: Mask) -> "CoordinateRuns":
        """Return the runs of a mask."""
        if chosen.all():
            return self
        inside, lengths = np.repeat(chosen, self.lengths), self.lengths[chosen]
        return CoordinateRuns(self.dimension, self.rows[chosen], self.x[inside], self.y[inside], offsets_of(lengths))

    def restricted_to(self, rows: Positions) -> "CoordinateRuns":
        """Return the runs that stand in some rows (ascending), as they stand among these."""
        if np.array_equal(rows, self.rows) and np.array_equal(rows, np.arange(len(rows))):
            return self
        taken = self.take(np.isin(self.rows, rows))
        return replace(taken, rows=np.searchsorted(rows, taken.rows))

    def geometry(self, row: int) -> Any:
        """Return the shapely geometry that stands in a row, None where there is none."""
        at = int(np.searchsorted(self.rows, row))
        if at == len(self) or self.rows[at] != row:
            return None
        part = slice(self.offsets[at], self.offsets[at + 1])
        alone = CoordinateRuns(
            self.dimension,
            self.rows[at : at + 1],
            self.x[part],
            self.y[part],
            offsets_of(self.lengths[at : at + 1]),
        )
        return alone.geometries()[0]

    def geometries(self) -> NDArray[Any]:
        """Return shapely geometries."""
        if not len(self):
            return np.empty(0, dtype=object)
        xy = np.column_stack((self.x, self.y))
        if self.dimension == 0:
            return np.asarray(shapely.points(xy), dtype=object)
        kind = (shapely.GeometryType.LINESTRING, shapely.GeometryType.POLYGON)[self.dimension - 1]
        levels = (self.offsets,) if self.dimension == 1 else (self.offsets, np.arange(len(self) + 1))
        return np.asarray(shapely.from_ragged_array(kind, xy, levels), dtype=object)

    def wkb(self, *, multi: bool) -> NDArray[Any]:
        """Return ISO WKB, of multi geometries with one part where asked; what has as many coordinates is written together."""
        written = np.empty(len(self), dtype=object)
        xy = np.column_stack((self.x, self.y))
        for length in np.unique(self.lengths).tolist():
            chosen = np.flatnonzero(self.lengths == length)
            head = np.frombuffer(_head(self.dimension, length, multi=multi), dtype=np.uint8)
            packed = np.empty((len(chosen), len(head) + 16 * length), dtype=np.uint8)
            packed[:, : len(head)] = head
            where = self.offsets[chosen][:, None] + np.arange(length)
            packed[:, len(head) :] = xy[where].astype("<f8", copy=False).reshape(len(chosen), -1).view(np.uint8)
            written[chosen] = apart(packed)
        return written

    def plain(self) -> Mask:
        """Say which runs are valid as shapely understands it."""
        if self.dimension == 0:
            return np.ones(len(self), dtype=bool)
        if self.dimension == 1:
            box = self.bounds
            return (self.lengths >= 2) & ((box[:, 0] < box[:, 2]) | (box[:, 1] < box[:, 3]))
        plain = self._surely_plain()
        unsure = ~plain
        if unsure.any():
            plain[unsure] = shapely.is_valid(self.take(unsure).geometries())
        return plain

    def _surely_plain(self) -> Mask:
        """Say of which outlines no edge comes near another but at the corner they share; that is told for few edges."""
        plain = np.zeros(len(self), dtype=bool)
        if not len(self):
            return plain
        changes = np.r_[True, (np.diff(self.x) != 0) | (np.diff(self.y) != 0)]
        changes[self.offsets[:-1]] = True
        x, y = self.x[changes], self.y[changes]
        corners = np.add.reduceat(changes, self.offsets[:-1], dtype=np.intp) - 1
        starts = np.r_[0, np.cumsum(corners + 1)[:-1]]
        for edges in range(3, _MOST_EDGES + 1):
            chosen = np.flatnonzero(corners == edges)
            for chunk in (chosen[n : n + _AT_ONCE] for n in range(0, len(chosen), _AT_ONCE)):
                where = starts[chunk] + np.arange(edges)[:, None]
                plain[chunk] = _are_plain(x[where], y[where])
        return plain


def _are_plain(x: Floats, y: Floats) -> Mask:
    """Say of which rings (corner, ring) it is sure that they do not touch or cross themselves.

    Two edges that share no corner are apart where both ends of one lie on the same side of the other; two that follow
    each other meet in their corner alone where they turn there, or go on forward.
    """
    edges = len(x)
    following = np.roll(np.arange(edges), -1)
    slack = _SURE * np.ptp(x, axis=0) * np.ptp(y, axis=0)
    dx, dy = x[None] - x[:, None], y[None] - y[:, None]  # from corner i to corner j
    ahead_x, ahead_y = x[following] - x, y[following] - y
    doubled = ahead_x[:, None] * dy - ahead_y[:, None] * dx
    side = (doubled > slack).astype(np.int8) - (doubled < -slack)
    beside = side * side[:, following] > 0
    apart = beside | beside.transpose(1, 0, 2)
    distance = np.abs(np.subtract.outer(np.arange(edges), np.arange(edges)))
    strangers = np.nonzero((distance > 1) & (distance < edges - 1))
    turns = side[np.arange(edges), following[following]] != 0
    forward = ahead_x * ahead_x[following] + ahead_y * ahead_y[following] > slack
    return np.asarray(apart[strangers].all(axis=0) & (turns | forward).all(axis=0), dtype=bool)


def no_runs(dimension: int) -> CoordinateRuns:
    """Return none of a dimension."""
    return CoordinateRuns(dimension, np.empty(0, np.intp), np.empty(0), np.empty(0), np.zeros(1, np.intp))


def valid_runs(runs: CoordinateRuns, source: str, target: str) -> CoordinateRuns:
    """Return in another system those runs that nothing is wrong with: they are finite before and after, and valid."""
    if not len(runs):
        return runs
    moved = runs.take(runs.finite).moved(source, target)
    moved = moved.take(moved.finite)
    return moved.take(moved.plain())


def read_runs(wkb: PackedWkb, dimension: int, *, multi: bool = False) -> CoordinateRuns:
    """Return those of little-endian flat WKB that are one run of a dimension, or a multi geometry of one; rings that are not
    closed are none."""
    whole_head = _head(dimension, 0, multi=multi)
    skip = len(whole_head)
    head = whole_head[: skip - 4 * (dimension > 0)]  # what follows says how many coordinates; a point does not
    rows = np.flatnonzero(wkb.sizes >= skip)
    heads = wkb.part(rows, 0, skip)
    alike = (heads[:, : len(head)] == np.frombuffer(head, dtype=np.uint8)).all(axis=1)
    counts = np.ascontiguousarray(heads[:, len(head) :]).view("<u4") if dimension else np.ones((len(rows), 1))
    lengths = counts.ravel().astype(np.intp)
    whole = alike & (wkb.sizes[rows] == skip + 16 * lengths) & (lengths >= (1, 2, 4)[dimension])
    rows, lengths = rows[whole], lengths[whole]
    offsets = offsets_of(lengths)
    x, y = np.empty(offsets[-1]), np.empty(offsets[-1])
    for length in np.unique(lengths).tolist():
        chosen = np.flatnonzero(lengths == length)
        xy = wkb.part(rows[chosen], skip, 16 * length).view("<f8")
        where = offsets[chosen][:, None] + np.arange(length)
        x[where], y[where] = xy[:, ::2], xy[:, 1::2]
    runs = CoordinateRuns(dimension, rows, x, y, offsets)
    if dimension < 2:
        return runs
    first, last = runs.offsets[:-1], runs.offsets[1:] - 1
    return runs.take((runs.x[first] == runs.x[last]) & (runs.y[first] == runs.y[last]))


def _head(dimension: int, length: int, *, multi: bool) -> bytes:
    """Return what stands in WKB before the coordinates: the multi geometry, its one part, the ring, their number."""
    kind, counts = dimension + 1, (1,) * (dimension - 1) + (length,) * (dimension > 0)
    numbers = [(kind + 3, 1)] * multi + [(kind, *counts)]
    return b"".join(b"\x01" + np.array(number, dtype="<u4").tobytes() for number in numbers)
