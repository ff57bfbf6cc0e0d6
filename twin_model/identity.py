"""Which known feature a delivered one is, by place: for layers whose sources carry no lasting numbers.

Points within twice the plan error, lines whose ends and course fall together, areas that overlap by at least 0.6 of the larger;
one to one, the best pair first. Drawing handles are never identity. In a network, class, size and depth count too: pairs of
the same class come first, then pairs whose classes, sizes and depths do not contradict each other (a class, its parent and
an unknown class are compatible).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from twin_model.large_shapes import common_areas, greatest_distances
from twin_model.layer import Layer
from twin_model.rows.columns import plain_values

__all__ = [
    "OVERLAP",
    "ClassKey",
    "Traits",
    "are_compatible",
    "best_pairs",
    "class_keys",
    "finer_class",
    "line_gaps",
    "match_by_place",
    "tiers",
]

ClassKey = tuple[Any, ...]

OVERLAP = 0.6
"""Least share of intersection in union for two areas to be the same one."""

SIZE_SHARE = 0.1
"""Sizes that differ by a larger share contradict each other; a nominal and an outer diameter differ by less."""

DEPTH_APART = 0.5
"""Heights that differ by more metres contradict each other; a detected depth is known to a tenth of it."""


def class_keys(layer: Layer, columns: Mapping[str, Any] | pd.DataFrame, rows: int) -> list[ClassKey]:
    """Return the class of each row: what must be the same for two things at one place to be one.

    Rows of a store and of a delivery compare: a class that is absent or empty is None in both.
    """
    if not layer.classes:
        return [()] * rows
    absent = [None] * rows
    named = (plain_values(columns[name]) if name in columns else absent for name in layer.classes)
    values = [[None if value == "" else value for value in column] for column in named]
    return list(zip(*values, strict=True))


def are_compatible(first: ClassKey, second: ClassKey) -> bool:
    """Say whether two classes may be those of one thing: level by level they are equal, or one of them is not known."""
    return all(a == b or a is None or b is None for a, b in zip(first, second, strict=True))


def finer_class(known: ClassKey, delivered: ClassKey) -> ClassKey:
    """Return the class of a known feature that is delivered with another: what was delivered, but never coarser.

    A delivery that names only the parent, or no class, leaves the finer one as it is; one that contradicts replaces it.
    """
    if not are_compatible(known, delivered):
        return delivered
    return tuple(a if b is None else b for a, b in zip(known, delivered, strict=True))


@dataclass(frozen=True)
class Traits:
    """What two things at one place are compared by: the class of each, and sizes (n, k), NaN where not known."""

    classes: list[ClassKey]
    sizes: NDArray[np.float64]

    @classmethod
    def of(cls, layer: Layer, columns: Mapping[str, Any] | pd.DataFrame, rows: int) -> "Traits":
        """Return the traits of rows of a store or of a delivery, by column."""
        sizes = [
            np.array([np.nan if v is None else v for v in plain_values(columns[name])], dtype=np.float64)
            if name in columns
            else np.full(rows, np.nan)
            for name in layer.sizes
        ]
        return cls(class_keys(layer, columns, rows), np.stack(sizes, axis=1) if sizes else np.empty((rows, 0)))

    def take(self, chosen: NDArray[Any]) -> "Traits":
        """Return the traits of row numbers."""
        return Traits([self.classes[row] for row in chosen.tolist()], self.sizes[chosen])

    @property
    def words(self) -> list[tuple[Any, ...]]:
        """One value a row, equal for rows of the same class and sizes."""
        sizes = ((None if v != v else round(v, 3) for v in row) for row in self.sizes.tolist())
        return [(key, *row) for key, row in zip(self.classes, sizes, strict=True)]


Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Positions among the delivered and among the known features, in parallel."""


def tiers(
    ours: Traits, theirs: Traits, pairs: Pairs, new: NDArray[Any], known: NDArray[Any], *, any_class: bool = False
) -> NDArray[np.int64]:
    """Return how well each pair fits besides its place, 0 where it cannot be one thing.

    3: the same class, nothing contradicts; 2: the same class, another size or depth; 1: a compatible class (with
    `any_class`, any), where neither size nor depth contradicts.
    """
    distinct = {key: n for n, key in enumerate(dict.fromkeys([*ours.classes, *theirs.classes]))}
    fits = np.array([[2 if a == b else int(any_class or are_compatible(a, b)) for b in distinct] for a in distinct])
    codes = [np.array([distinct[key] for key in shapes.classes], dtype=np.intp) for shapes in (ours, theirs)]
    rank = fits[codes[0][pairs[0]], codes[1][pairs[1]]] if len(pairs[0]) else np.empty(0, dtype=np.int64)
    a, b = ours.sizes[pairs[0]], theirs.sizes[pairs[1]]
    with np.errstate(invalid="ignore"):
        contradicts = (np.abs(a - b) > SIZE_SHARE * np.maximum(a, b)).any(axis=1)
        contradicts |= np.abs(_mean_height(new)[pairs[0]] - _mean_height(known)[pairs[1]]) > DEPTH_APART
    return np.where(contradicts, np.where(rank == 2, 2, 0), np.where(rank == 2, 3, rank)).astype(np.int64)


def _mean_height(geometry: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean height of each geometry's vertices, NaN where one has none."""
    coordinates, index = shapely.get_coordinates(geometry, include_z=True, return_index=True)
    count = np.bincount(index, minlength=len(geometry))
    total = np.bincount(index, weights=coordinates[:, 2], minlength=len(geometry))
    return np.asarray(np.divide(total, count, out=np.full(len(geometry), np.nan), where=count > 0))


def match_by_place(
    layer: Layer,
    new: NDArray[Any],
    known: NDArray[Any],
    fids: NDArray[np.int64],
    traits: tuple[Traits, Traits] | None = None,
    *,
    agreeing: bool = False,
) -> NDArray[np.int64]:
    """Return for each geometry of `new` the fid of the known feature that it is, 0 where it is none of them.

    With `agreeing`, things of one class whose sizes or depths contradict each other are no pair. What is drawn with the very same coordinates, and has the same `traits` (those of new and known features), is the same;
    of several such, the first in `new` is the first in `known` (storeys above one another). Only the others are compared
    by distance, course or overlap.
    """
    matched = np.zeros(len(new), dtype=np.int64)
    if not len(known) or not len(new):
        return matched
    ours, theirs = _equal_geometries(new, known, traits)
    matched[ours] = fids[theirs]
    left, free = np.setdiff1d(np.arange(len(new)), ours), np.setdiff1d(np.arange(len(known)), theirs)
    if len(left) and len(free):
        others = None if traits is None else (traits[0].take(left), traits[1].take(free))
        matched[left] = _match_near(layer, new[left], known[free], fids[free], others, agreeing=agreeing)
    return matched


def _equal_geometries(new: NDArray[Any], known: NDArray[Any], traits: tuple[Traits, Traits] | None) -> Pairs:
    """Return the positions of equal geometries, one to one: the second of some in `new` is the second of them in `known`."""
    words: tuple[list[Any], list[Any]] = (
        ([None] * len(new), [None] * len(known)) if traits is None else (traits[0].words, traits[1].words)
    )
    places: dict[Any, list[int]] = defaultdict(list)
    for place, wkb in _numbered_wkb(known[::-1]):
        places[wkb, words[1][len(known) - 1 - place]].append(len(known) - 1 - place)
    pairs = [
        (place, places[wkb, words[0][place]].pop())
        for place, wkb in _numbered_wkb(new)
        if places.get((wkb, words[0][place]))
    ]
    ours, theirs = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return ours, theirs


def _numbered_wkb(geometries: NDArray[Any]) -> Iterable[tuple[int, bytes]]:
    """Return position and WKB of the geometries that have a place."""
    places = np.flatnonzero(~(shapely.is_missing(geometries) | shapely.is_empty(geometries)))
    wkb = shapely.to_wkb(geometries[places], byte_order=1, flavor="iso")
    return zip(places.tolist(), wkb.tolist(), strict=True)


def _match_near(
    layer: Layer,
    new: NDArray[Any],
    known: NDArray[Any],
    fids: NDArray[np.int64],
    traits: tuple[Traits, Traits] | None,
    *,
    agreeing: bool,
) -> NDArray[np.int64]:
    """Return for each geometry of `new` the fid of the known one that it comes nearest to, the best pair first."""
    matched = np.zeros(len(new), dtype=np.int64)
    reach = 2 * layer.plan_error
    pairs = _overlapping(new, known) if layer.dimension == 2 else _candidates(new, known, reach)
    score = (_distance_score, _line_score, _overlap_score)[layer.dimension](new[pairs[0]], known[pairs[1]], reach)
    tier = np.ones(len(score), dtype=np.int64) if traits is None else tiers(*traits, pairs, new, known)
    fits = (tier > 0) & (tier != 2) if agreeing else tier > 0
    ours, theirs = best_pairs(pairs, np.where(fits, score, 0.0), tier)
    matched[ours] = fids[theirs]
    return matched


def best_pairs(pairs: Pairs, score: NDArray[np.float64], tier: NDArray[np.int64] | None = None) -> Pairs:
    """Return pairs one to one: those of the highest tier first, among them the highest score; a score of 0 is no pair."""
    rank = np.zeros(len(score), dtype=np.int64) if tier is None else tier
    order = np.lexsort((pairs[1], pairs[0], -score, -rank))
    order = order[score[order] > 0]
    taken_new: set[int] = set()
    taken_known: set[int] = set()
    chosen = []
    for a, b in zip(pairs[0][order].tolist(), pairs[1][order].tolist(), strict=True):
        if a not in taken_new and b not in taken_known:
            taken_new.add(a)
            taken_known.add(b)
            chosen.append((a, b))
    ours, theirs = np.array(chosen, dtype=np.intp).reshape(-1, 2).T
    return ours, theirs


def _candidates(new: NDArray[Any], known: NDArray[Any], reach: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    tree = shapely.STRtree(known)
    usable = np.flatnonzero(~shapely.is_missing(new))
    pairs = tree.query(new[usable], predicate="dwithin", distance=reach)
    return usable[pairs[0]], pairs[1]


def _overlapping(new: NDArray[Any], known: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of areas whose boxes have enough in common for the areas to be the same: what they share is no
    larger than what their boxes share, and their union no smaller than the larger of them."""
    usable = np.flatnonzero(~shapely.is_missing(new))
    pairs = shapely.STRtree(known).query(new[usable])
    ours, theirs = usable[pairs[0]], pairs[1]
    our_bounds, their_bounds = shapely.bounds(new)[ours], shapely.bounds(known)[theirs]
    sides = np.minimum(our_bounds[:, 2:], their_bounds[:, 2:]) - np.maximum(our_bounds[:, :2], their_bounds[:, :2])
    larger = np.maximum(shapely.area(new)[ours], shapely.area(known)[theirs])
    enough = np.maximum(sides, 0.0).prod(axis=1) >= (OVERLAP - 1e-9) * larger
    return ours[enough], theirs[enough]


def _distance_score(new: NDArray[Any], known: NDArray[Any], reach: float) -> NDArray[np.float64]:
    return np.asarray(1.0 - shapely.distance(new, known) / reach + 1e-9)


def _overlap_score(new: NDArray[Any], known: NDArray[Any], reach: float) -> NDArray[np.float64]:
    common = common_areas(new, known)
    union = shapely.area(new) + shapely.area(known) - common
    share = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return np.where(share >= OVERLAP, share, 0.0)


def _line_score(new: NDArray[Any], known: NDArray[Any], reach: float) -> NDArray[np.float64]:
    """Both ends of one line lie at the ends of the other, whichever way round they were drawn, and so does the way
    between them: the halves of a closed contour share their ends and are two lines."""
    gap = line_gaps(new, known)
    near = np.flatnonzero(gap <= reach)
    gap[near] = np.maximum(gap[near], greatest_distances(new[near], known[near], reach))
    return np.where(gap <= reach, 1.0 - gap / reach + 1e-9, 0.0)


def line_gaps(new: NDArray[Any], known: NDArray[Any]) -> NDArray[np.float64]:
    """Return for each pair of lines how far the farther end of one lies from that of the other, whichever way round."""
    a, b = _ends(new), _ends(known)
    same_way = np.maximum(_gap(a[:, 0], b[:, 0]), _gap(a[:, 1], b[:, 1]))
    turned = np.maximum(_gap(a[:, 0], b[:, 1]), _gap(a[:, 1], b[:, 0]))
    return np.minimum(same_way, turned)


def _gap(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.hypot(*(a - b).T))


def _ends(lines: NDArray[Any]) -> NDArray[np.float64]:
    """Return first and last coordinate of each (multi) line, shape (n, 2, 2)."""
    coordinates, index = shapely.get_coordinates(lines, return_index=True)
    first = np.searchsorted(index, np.arange(len(lines)), side="left")
    last = np.searchsorted(index, np.arange(len(lines)), side="right") - 1
    return np.stack((coordinates[first], coordinates[last]), axis=1)
