"""Into which pages the tileset of a layer is cut: cells of its census with at most so many rows, each read when it is asked for.

Above the pages stand tiles without content, known from the census alone: a document of them has two generations, whatever
the size of the layer. What a page holds becomes a tree of its own (`quadtree`); `town_tiles` reads it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tiles.quadtree import DEEPEST, Node
from twin_model.store.census import FINEST, WORLD, Cells, Range, cell_numbers, place_of

__all__ = ["MOST_ROWS", "LayerCensus", "PageCell", "lies_in", "page_of", "pages_of", "upper_tree"]

MOST_ROWS = 8_000
"""A cell with more rows is no page but split, unless it is one of the finest."""

Floats = NDArray[np.float64]
Wanted = Sequence[tuple[int, int, int]]


@dataclass(frozen=True)
class LayerCensus:
    """What is counted of a layer: ranges of values, and cells by (level, first place, last place)."""

    ranges: Mapping[str, Range]
    cells: Callable[[Wanted], Cells]
    nbytes: int = 0
    most_rows: int = MOST_ROWS


@dataclass(frozen=True)
class PageCell:
    """A cell of the census: a page, or one that is split."""

    level: int
    column: int
    row: int
    rows: int
    box: tuple[float, float, float, float]
    largest: float
    is_page: bool

    @property
    def key(self) -> str:
        return f"{self.level}/{self.column}/{self.row}"

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The cell itself, in projected metres."""
        size, half = WORLD / 2.0**self.level, 2.0**self.level / 2 if self.level else 0.5
        minx, miny = (self.column - half) * size, (self.row - half) * size
        return minx, miny, minx + size, miny + size


def lies_in(cell: PageCell, centers: Floats) -> NDArray[np.bool_]:
    """Say which places (n, 2) lie in a cell."""
    return np.asarray((cell_numbers(centers, cell.level) == (cell.column, cell.row)).all(axis=1), dtype=bool)


def _listed(census: LayerCensus, wanted: Wanted) -> list[PageCell]:
    cells = census.cells(wanted)
    is_page = (cells.rows <= census.most_rows) | (cells.levels >= FINEST)
    corners = ((minx, miny, maxx, maxy) for minx, miny, maxx, maxy in cells.boxes.tolist())
    counted = (cells.levels.tolist(), *cells.numbers().T.tolist(), cells.rows.tolist())
    return [PageCell(*each) for each in zip(*counted, corners, cells.largest.tolist(), is_page.tolist(), strict=True)]


def way_to(census: LayerCensus, level: int, column: int, row: int) -> list[PageCell]:
    """Return the cells that hold a cell, the one of level 0 first; those without rows are left out."""
    deepest = min(level, FINEST)
    place = place_of(column >> (level - deepest), row >> (level - deepest))
    places = ((upper, place >> 2 * (deepest - upper)) for upper in range(deepest + 1))
    return _listed(census, [(upper, held, held) for upper, held in places])


def page_of(census: LayerCensus, level: int, column: int, row: int) -> PageCell | None:
    """Return the page that holds a cell, or the cell itself where it is split; None where there is nothing in it."""
    if not (0 <= level <= DEEPEST and max(column, row) < 2**level):
        return None
    way = way_to(census, level, column, row)
    page = next((cell for cell in way if cell.is_page), None)
    return page or next((cell for cell in way if cell.level == level), None)


def pages_of(census: LayerCensus) -> Iterator[PageCell]:
    """Yield every page of a layer."""
    cells = way_to(census, 0, 0, 0)
    while cells:
        yield from (cell for cell in cells if cell.is_page)
        cells = [part for parts in _parts(census, [cell for cell in cells if not cell.is_page]) for part in parts]


def upper_tree(census: LayerCensus, top: PageCell, node_of: Callable[[PageCell], Node | None]) -> Node | None:
    """Return a split cell with two generations of parts below it; the second and pages have documents of their own.

    `node_of` makes a node of a cell, None of one that has no place on the globe. A cell with one part alone is left out.
    """
    (parts,) = _unfolded(census, [top])
    split = [part for part in parts if not part.is_page]
    below = dict(zip((part.key for part in split), _unfolded(census, split), strict=True))
    children = []
    for part in parts:
        own = [_external(node_of(deeper)) for deeper in below.get(part.key, ())]
        node = node_of(part) if own else _external(node_of(part))
        children.append(_with_children(node, own))
    return _with_children(node_of(top), children)


def _unfolded(census: LayerCensus, cells: list[PageCell]) -> list[list[PageCell]]:
    """Return the parts of each split cell; where it has one alone that is split itself, the parts of that one."""
    parts = [[cell] for cell in cells]
    while narrow := [n for n, own in enumerate(parts) if len(own) == 1 and not own[0].is_page]:
        for n, own in zip(narrow, _parts(census, [parts[n][0] for n in narrow]), strict=True):
            parts[n] = own
    return parts


def _parts(census: LayerCensus, cells: list[PageCell]) -> list[list[PageCell]]:
    """Return the parts of split cells in which there are rows: the quarters of the smallest cell that holds all of its rows."""
    held = [_smallest_holding(cell) for cell in cells]
    wanted = [(level + 1, 4 * place, 4 * place + 3) for level, place in held]
    by_parent: dict[tuple[int, int], list[PageCell]] = {}
    for part in _listed(census, wanted) if wanted else []:
        by_parent.setdefault((part.level - 1, place_of(part.column, part.row) >> 2), []).append(part)
    return [by_parent.get(parent, []) for parent in held]


def _smallest_holding(cell: PageCell) -> tuple[int, int]:
    """Return level and place of the smallest cell, above the finest, that holds the centres of all boxes in a cell."""
    numbers = cell_numbers(np.array(cell.box).reshape(2, 2), FINEST)
    shift = FINEST - cell.level
    first = np.array([cell.column, cell.row]) << shift
    low, high = np.clip(numbers, first, first + 2**shift - 1).tolist()
    differing = max(low[0] ^ high[0], low[1] ^ high[1], 1)
    up = differing.bit_length()
    return FINEST - up, place_of(low[0] >> up, low[1] >> up)


def _external(node: Node | None) -> Node | None:
    return None if node is None else replace(node, external=True)


def _with_children(node: Node | None, children: Sequence[Node | None]) -> Node | None:
    return None if node is None else replace(node, children=tuple(child for child in children if child is not None))
