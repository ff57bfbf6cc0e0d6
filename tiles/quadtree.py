"""Which feature lies in which tile: a loose quadtree on a grid fixed to the projected coordinates.

A feature belongs to the cell that holds its box's centre; boxes are as large as what is in them. Cells are
counted from fixed coordinates, so an edit changes the nodes on its way down and leaves all others, with their
keys and contents, as they were. `tiles/tileset.py` writes the tree as `tileset.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from tiles.mesh import Float64
from twin_model.store.census import WORLD

Int64 = NDArray[np.int64]
Index = NDArray[np.intp]

ROOT_CELL = WORLD
"""Side in metres of the one cell of level 0: the grid is that of the census."""
DEEPEST = 27
"""Level of cells of 1 m: features that share a cell there stay together, however many they are."""
STAYS = 1.0 / 16.0
"""A feature stays in a node that is split if its diagonal is at least this part of the cell's side."""


@dataclass(frozen=True)
class Node:
    """A cell of the quadtree with its own features; a leaf has all of its cell, an inner node the biggest.

    `box` (all below) and `content_box` (own features) are minx, miny, minz, maxx, maxy, maxz in projected
    metres, NaN where there is nothing. `largest` is the longest diagonal among the own features' boxes and
    `geometric_error` the longest among all that is missing while the node is not refined: 0 for a leaf. What is below an
    `external` node stands in a document of its own.
    """

    level: int
    x: int
    y: int
    cell_size: float
    fids: Int64
    box: Float64
    content_box: Float64
    largest: float
    geometric_error: float
    children: tuple[Node, ...] = ()
    external: bool = False

    @property
    def key(self) -> str:
        """Return level/x/y: the same cell has the same key in every tileset on the same grid."""
        return f"{self.level}/{self.x}/{self.y}"

    @property
    def has_content(self) -> bool:
        return len(self.fids) > 0

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, parents first."""
        yield self
        yield from chain.from_iterable(child.walk() for child in self.children)

    def find(self, key: str) -> Node | None:
        """Return the node with this key, or None."""
        return next((node for node in self.walk() if node.key == key), None)


def build_tree(
    fids: Int64,
    boxes: Float64,
    *,
    weights: Int64 | None = None,
    centers: Float64 | None = None,
    level: int = 0,
    most_features: int = 1_000,
    most_weight: int = 42_000,
    cell: float = ROOT_CELL,
) -> Node:
    """Return the root, whose cell is one of `level`; cells are split only while they hold too many features or too much weight (vertices).

    `boxes` (n, 6) in projected metres, `centers` (n, 2) say in which cells they are filed, by default the boxes' own. Where a cell is split, features of at least 1/16 of its side stay in
    it, to be seen from far, unless they alone are too many; then they go down with the rest. Cells with one
    occupied quarter and nothing of their own are left out, so a child may be some levels below its parent.

    One more feature changes the nodes that hold its centre, and those below a node that it makes overflow.
    Nothing gives a root without content. A centre outside of level 0 raises ValueError.
    """
    fids, boxes = np.asarray(fids, np.int64), np.asarray(boxes, np.float64).reshape(-1, 6)
    centers = 0.5 * (boxes[:, :2] + boxes[:, 3:5]) if centers is None else centers
    planter = _Planter.of(fids, boxes, centers, weights, most_features, most_weight, cell)
    if len(fids) == 0:
        return planter.node(np.empty(0, np.intp), np.empty(0, np.intp), level, ())
    return planter.grow(np.arange(len(fids)), level)


@dataclass(frozen=True)
class _Planter:
    """What growing needs to know of each feature: its deepest cell, and from which level on it stays."""

    fids: Int64
    boxes: Float64
    weights: Int64
    diagonal: Float64
    column: Int64
    row: Int64
    stays_from: Float64
    most_features: int
    most_weight: int
    cell: float

    @classmethod
    def of(
        cls,
        fids: Int64,
        boxes: Float64,
        centers: Float64,
        weights: Int64 | None,
        most_features: int,
        most_weight: int,
        cell: float,
    ) -> _Planter:
        place = np.floor(centers / (cell / 2.0**DEEPEST)) + 2.0 ** (DEEPEST - 1)
        if not ((place >= 0.0) & (place < 2.0**DEEPEST)).all():
            raise ValueError(
                f"a box centre is not within {cell / 2:.0f} m of 0, 0: boxes must be finite projected metres"
            )
        diagonal = np.linalg.norm(boxes[:, 3:] - boxes[:, :3], axis=1)
        return cls(
            fids,
            boxes,
            np.ones(len(fids), np.int64) if weights is None else np.asarray(weights, np.int64),
            diagonal,
            place[:, 0].astype(np.int64),
            place[:, 1].astype(np.int64),
            np.ceil(np.log2(cell * STAYS / np.maximum(diagonal, 1e-6))),
            most_features,
            most_weight,
            cell,
        )

    def grow(self, index: Index, level: int) -> Node:
        """Return the node that holds the features `index`, all in one cell of `level`."""
        common = self.common_level(index)
        if self.fit(index) or common >= DEEPEST:
            return self.node(index, index, level, ())
        stays = self.stays_from[index] <= common
        if not self.fit(index[stays]):
            stays[:] = False
        down = index[~stays]
        shift = DEEPEST - (common + 1)
        quarter = 2 * ((self.row[down] >> shift) & 1) + ((self.column[down] >> shift) & 1)
        children = tuple(self.grow(down[quarter == q], common + 1) for q in np.unique(quarter))
        return self.node(index, index[stays], common, children)

    def fit(self, index: Index) -> bool:
        """Say whether these features may be one content; a single one always is."""
        few = len(index) <= self.most_features and int(self.weights[index].sum()) <= self.most_weight
        return few or len(index) == 1

    def common_level(self, index: Index) -> int:
        """Return the deepest level on which all features share a cell."""
        column, row = self.column[index], self.row[index]
        differing = np.bitwise_or.reduce((column ^ column[0]) | (row ^ row[0]))
        return DEEPEST - int(differing).bit_length()

    def node(self, index: Index, own: Index, level: int, children: tuple[Node, ...]) -> Node:
        shift = DEEPEST - level
        largest = float(self.diagonal[own].max(initial=0.0))
        missing = [largest, *(max(child.largest, child.geometric_error) for child in children)]
        return Node(
            level,
            int(self.column[index[0]] >> shift) if len(index) else 0,
            int(self.row[index[0]] >> shift) if len(index) else 0,
            self.cell / 2.0**level,
            np.sort(self.fids[own]),
            _hull(self.boxes[index]),
            _hull(self.boxes[own]),
            largest,
            max(missing) if children else 0.0,
            children,
        )


def _hull(boxes: Float64) -> Float64:
    if len(boxes) == 0:
        return np.full(6, np.nan)
    return np.concatenate([boxes[:, :3].min(axis=0), boxes[:, 3:].max(axis=0)])
