"""The census of a layer: how many rows lie in which cells of a fixed grid, between which values, and when they begin or end.

Each commit keeps it beside the layer (`LayerWriter.finish`), so that the first document of a tileset and the days of a
time slider ask for a few numbers and not for every row. Cells and values only ever grow: they cover what any view of any
recorded state can show. Instants are counted exactly, of what is believed now. It is derived: a census that another
program left behind is not used (`rule_of`, and the version beside it) and is taken anew by the next commit to its layer.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.layer import Layer
from twin_model.temporal import Instant

__all__ = [
    "FINEST",
    "HEIGHTS",
    "WORLD",
    "Cells",
    "Census",
    "Instants",
    "Range",
    "cell_numbers",
    "cells_above",
    "is_within_world",
    "place_of",
    "rule_of",
    "shaping_fields",
]

WORLD = 2.0**27
"""Side in metres of the one cell of level 0, centred on 0, 0: holds any projected CRS, zone prefixes too."""
FINEST = 19
"""The level of the smallest cells that are counted: 256 m."""
HEIGHTS = "geometry heights"
"""Under this name a census has the heights of the geometries themselves."""
_LARGEST_VALUE = 1e6
"""Metres from which on no height is one (`tiles/solids.py` draws none)."""
_RULE = "1"

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Range = tuple[float, float]


def shaping_fields(layer: Layer) -> tuple[str, ...]:
    """Return the fields whose numbers say how high or thick the solids of a layer are; none of a layer without solids."""
    names = {"extrude": ("height", "base"), "sweep": ("width_mm", "height_mm"), "mesh": ()}
    kind = str(layer.model.get("kind", ""))
    fields = [str(layer.model[name]) for name in names.get(kind, ()) if layer.model.get(name)]
    fields += ["bottom", "top"] if kind == "mesh" else []
    return tuple(name for name in fields if layer.field_of(name))


def has_heights_of_its_own(layer: Layer) -> bool:
    """Say whether the heights of a layer's solids are those of their geometries."""
    return bool(layer.model.get("kind") == "sweep")


def rule_of(layer: Layer) -> str:
    """Return what a census of a layer counts; one that was taken by another rule is none."""
    return " ".join((_RULE, *shaping_fields(layer), *([HEIGHTS] if has_heights_of_its_own(layer) else ())))


def cell_numbers(centers: Floats, level: int) -> Whole:
    """Return column and row (n, 2) of the cells of a level in which places (n, 2, projected metres) lie."""
    if level == 0:
        return np.zeros((len(centers), 2), dtype=np.int64)
    numbers: Whole = np.floor(centers / (WORLD / 2.0**level)).astype(np.int64) + 2 ** (level - 1)
    return numbers


def place_of(column: int, row: int) -> int:
    """Return the number of a cell among those of its level: all below one cell follow one another (Z-order)."""
    return int(_places(np.array([[column, row]], dtype=np.int64))[0])


def _places(numbers: Whole) -> Whole:
    spread = [_spread(numbers[:, side].astype(np.uint64)) for side in (0, 1)]
    return np.asarray(spread[0] | (spread[1] << np.uint64(1)), dtype=np.int64)


_SPREADS = ((16, 0x0000FFFF0000FFFF), (8, 0x00FF00FF00FF00FF), (4, 0x0F0F0F0F0F0F0F0F), (2, 0x3333333333333333), (1, 0x5555555555555555))  # fmt: skip


def _spread(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return numbers (below 2^32) with a free bit between any two of theirs."""
    for shift, mask in _SPREADS:
        numbers = (numbers | (numbers << np.uint64(shift))) & np.uint64(mask)
    return numbers


def _gathered(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return what `_spread` was given."""
    numbers = numbers & np.uint64(_SPREADS[-1][1])
    for (shift, _), (_, mask) in zip(reversed(_SPREADS), [*reversed(_SPREADS[:-1]), (0, 2**32 - 1)], strict=True):
        numbers = (numbers | (numbers >> np.uint64(shift))) & np.uint64(mask)
    return numbers


@dataclass(frozen=True)
class Cells:
    """Cells with rows: parallel arrays by level and place.

    About `rows` were written there; `boxes` (n, 4: minx, miny, maxx, maxy) hold all of each row whose box's centre lies
    in the cell; `largest` is the longest diagonal of such a box, in metres.
    """

    levels: Whole
    places: Whole
    rows: Whole
    boxes: Floats
    largest: Floats

    @classmethod
    def none(cls) -> "Cells":
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing, nothing, nothing, np.empty((0, 4)), np.empty(0))

    @classmethod
    def of(cls, bounds: Floats) -> "Cells":
        """Return the finest cells of boxes (n, 4); those that lie in no projected system's reach are left out."""
        bounds = bounds[is_within_world(bounds)]
        places = _places(cell_numbers(bounds[:, :2] / 2 + bounds[:, 2:] / 2, FINEST))
        sides = bounds[:, 2:] - bounds[:, :2]
        ones = np.ones(len(bounds), dtype=np.int64)
        return cls(np.full(len(bounds), FINEST), places, ones, bounds, np.hypot(sides[:, 0], sides[:, 1])).merged()

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[Any]]) -> "Cells":
        """Return cells from rows of level, place, rows, box and largest, as stores keep them."""
        values = np.array(rows, dtype=np.float64).reshape(-1, 8)
        levels, places, counts = values[:, :3].astype(np.int64).T
        return cls(levels, places, counts, values[:, 3:7], values[:, 7])

    @classmethod
    def joined(cls, cells: Iterable["Cells"]) -> "Cells":
        """Return what several have together."""
        every = [cls.none(), *cells]
        names = ("levels", "places", "rows", "boxes", "largest")
        return cls(*(np.concatenate([getattr(each, name) for each in every]) for name in names)).merged()

    def __len__(self) -> int:
        return len(self.places)

    @property
    def nbytes(self) -> int:
        return 8 * len(self) * (3 + 4 + 1)

    def take(self, chosen: NDArray[Any]) -> "Cells":
        return Cells(
            self.levels[chosen], self.places[chosen], self.rows[chosen], self.boxes[chosen], self.largest[chosen]
        )

    def merged(self) -> "Cells":
        """Return the same with each cell once."""
        if not len(self):
            return self
        order = np.lexsort((self.places, self.levels))
        here = self.take(order)
        changes = (np.diff(here.places) != 0) | (np.diff(here.levels) != 0)
        starts = np.flatnonzero(np.r_[True, changes])
        low = np.minimum.reduceat(here.boxes[:, :2], starts)
        high = np.maximum.reduceat(here.boxes[:, 2:], starts)
        rows, largest = np.add.reduceat(here.rows, starts), np.maximum.reduceat(here.largest, starts)
        return Cells(here.levels[starts], here.places[starts], rows, np.hstack((low, high)), largest)

    def parents(self) -> "Cells":
        """Return the cells one level above, which hold these."""
        return Cells(self.levels - 1, self.places >> 2, self.rows, self.boxes, self.largest).merged()

    def numbers(self) -> Whole:
        """Return column and row (n, 2) of each."""
        places = self.places.astype(np.uint64)
        sides = (_gathered(places), _gathered(places >> np.uint64(1)))
        return np.column_stack(sides).astype(np.int64)

    def as_rows(self) -> list[tuple[Any, ...]]:
        """Return rows as `from_rows` takes them."""
        counts = (self.levels.tolist(), self.places.tolist(), self.rows.tolist())
        return list(zip(*counts, *self.boxes.T.tolist(), self.largest.tolist(), strict=True))


def is_within_world(bounds: Floats) -> NDArray[np.bool_]:
    """Say which boxes (n, 4) are finite and lie within the cell of level 0."""
    return np.asarray((np.abs(np.nan_to_num(bounds, nan=np.inf)) < WORLD / 2).all(axis=1), dtype=bool)


def cells_above(finest: Cells) -> Cells:
    """Return finest cells and all that hold them, up to the one of level 0."""
    levels = [finest]
    for _ in range(FINEST):
        levels.append(levels[-1].parents())
    return Cells.joined(levels)


@dataclass(frozen=True)
class Instants:
    """The instants at which something of a layer begins, and those at which something ends, as it is believed now."""

    begins: Mapping[Instant, int]
    ends: Mapping[Instant, int]

    def present(self, moment: Instant) -> int:
        """Return how many features there are at a moment."""
        begun = sum(count for instant, count in self.begins.items() if instant <= moment)
        return begun - sum(count for instant, count in self.ends.items() if instant <= moment)


@dataclass
class Census:
    """What a commit adds to the census of a layer, or all of one that is taken anew."""

    layer: Layer
    finest: list[Cells] = field(default_factory=list)
    ranges: dict[str, Range] = field(default_factory=dict)
    begins: Counter[Instant] = field(default_factory=Counter)
    ends: Counter[Instant] = field(default_factory=Counter)

    def add_boxes(self, bounds: Floats) -> None:
        """Count rows by their boxes (n, 4)."""
        self.finest.append(Cells.of(bounds))
        if len(self.finest) > 64:
            self.finest = [Cells.joined(self.finest)]

    def add_validity(self, begins: Iterable[Instant], ends: Iterable[Instant | None], *, sign: int = 1) -> None:
        """Count since when and until when rows are true; those that are believed no longer with `sign` -1."""
        for counter, instants in ((self.begins, begins), (self.ends, ends)):
            for instant, count in Counter(instants).items():
                if instant is not None:
                    counter[instant] += sign * count

    def add_values(self, columns: Mapping[str, Sequence[Any]], shapes: NDArray[Any] | None = None) -> None:
        """Widen the ranges of the shaping fields by the values of rows, and that of heights by their geometries."""
        for name in shaping_fields(self.layer):
            if name in columns:
                self._widen(name, np.array(columns[name], dtype=np.float64))
        if shapes is not None and has_heights_of_its_own(self.layer):
            self._widen(HEIGHTS, shapely.get_coordinates(shapes, include_z=True)[:, 2])

    def _widen(self, name: str, values: Floats) -> None:
        values = values[np.abs(np.nan_to_num(values, nan=np.inf)) < _LARGEST_VALUE]
        if len(values):
            low, high = self.ranges.get(name, (np.inf, -np.inf))
            self.ranges[name] = (min(low, float(values.min())), max(high, float(values.max())))

    def cells(self) -> Cells:
        """Return the cells of every level."""
        return cells_above(Cells.joined(self.finest))

    def instants(self) -> list[tuple[Instant, int, int]]:
        """Return rows of instant, beginnings and ends."""
        named = sorted({*self.begins, *self.ends})
        counted = ((instant, self.begins[instant], self.ends[instant]) for instant in named)
        return [row for row in counted if row[1] or row[2]]
