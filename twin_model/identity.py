"""Which known feature a delivered one is, by place: for layers whose sources carry no lasting numbers.

Points within twice the plan error, lines whose ends and course fall together, areas that overlap by at least 0.6 of the larger;
one to one, the best pair first. Drawing handles are never identity.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from twin_model.layer import Layer
from twin_model.rows.columns import plain_values

__all__ = ["OVERLAP", "ClassKey", "class_keys", "match_by_place"]

ClassKey = tuple[Any, ...]

OVERLAP = 0.6
"""Least share of intersection in union for two areas to be the same one."""


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


def match_by_place(layer: Layer, new: NDArray[Any], known: NDArray[Any], fids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each geometry of `new` the fid of the known feature that it is, 0 where it is none of them.

    What is drawn with the very same coordinates is the same; of several such, the first in `new` is the first in `known`
    (storeys above one another). Only the others are compared by distance, course or overlap.
    """
    matched = np.zeros(len(new), dtype=np.int64)
    if not len(known) or not len(new):
        return matched
    ours, theirs = _equal_geometries(new, known)
    matched[ours] = fids[theirs]
    left, free = np.setdiff1d(np.arange(len(new)), ours), np.setdiff1d(np.arange(len(known)), theirs)
    if len(left) and len(free):
        matched[left] = _match_near(layer, new[left], known[free], fids[free])
    return matched


def _equal_geometries(new: NDArray[Any], known: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of equal geometries, one to one: the second of some in `new` is the second of them in `known`."""
    places: dict[bytes, list[int]] = defaultdict(list)
    for place, wkb in zip(*_numbered_wkb(known[::-1]), strict=True):
        places[wkb].append(len(known) - 1 - place)
    pairs = [(place, places[wkb].pop()) for place, wkb in zip(*_numbered_wkb(new), strict=True) if places.get(wkb)]
    ours, theirs = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return ours, theirs


def _numbered_wkb(geometries: NDArray[Any]) -> tuple[list[int], list[bytes]]:
    """Return position and WKB of the geometries that have a place."""
    places = np.flatnonzero(~(shapely.is_missing(geometries) | shapely.is_empty(geometries)))
    return places.tolist(), shapely.to_wkb(geometries[places], byte_order=1, flavor="iso").tolist()


def _match_near(layer: Layer, new: NDArray[Any], known: NDArray[Any], fids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each geometry of `new` the fid of the known one that it comes nearest to, the best pair first."""
    matched = np.zeros(len(new), dtype=np.int64)
    reach = 2 * layer.plan_error
    pairs = _overlapping(new, known) if layer.dimension == 2 else _candidates(new, known, reach)
    score = (_distance_score, _line_score, _overlap_score)[layer.dimension](new[pairs[0]], known[pairs[1]], reach)
    taken_new, taken_known = np.zeros(len(new), dtype=bool), np.zeros(len(known), dtype=bool)
    order = np.lexsort((pairs[1], pairs[0], -score))
    order = order[score[order] > 0]
    for a, b in zip(pairs[0][order].tolist(), pairs[1][order].tolist(), strict=True):
        if not taken_new[a] and not taken_known[b]:
            taken_new[a] = taken_known[b] = True
            matched[a] = fids[b]
    return matched


def _candidates(new: NDArray[Any], known: NDArray[Any], reach: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    tree = shapely.STRtree(known)
    usable = np.flatnonzero(~shapely.is_missing(new))
    found = tree.query(new[usable], predicate="dwithin", distance=reach)
    return usable[found[0]], found[1]


def _overlapping(new: NDArray[Any], known: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of areas whose boxes have enough in common for the areas to be the same: what they share is no
    larger than what their boxes share, and their union no smaller than the larger of them."""
    usable = np.flatnonzero(~shapely.is_missing(new))
    found = shapely.STRtree(known).query(new[usable])
    ours, theirs = usable[found[0]], found[1]
    one, other = shapely.bounds(new)[ours], shapely.bounds(known)[theirs]
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    larger = np.maximum(shapely.area(new)[ours], shapely.area(known)[theirs])
    enough = np.maximum(sides, 0.0).prod(axis=1) >= (OVERLAP - 1e-9) * larger
    return ours[enough], theirs[enough]


def _distance_score(new: NDArray[Any], known: NDArray[Any], reach: float) -> NDArray[np.float64]:
    return np.asarray(1.0 - shapely.distance(new, known) / reach + 1e-9)


def _overlap_score(new: NDArray[Any], known: NDArray[Any], reach: float) -> NDArray[np.float64]:
    common = shapely.area(shapely.intersection(new, known))
    union = shapely.area(new) + shapely.area(known) - common
    share = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return np.where(share >= OVERLAP, share, 0.0)


def _line_score(new: NDArray[Any], known: NDArray[Any], reach: float) -> NDArray[np.float64]:
    """Both ends of one line lie at the ends of the other, whichever way round they were drawn, and so does the way
    between them: the halves of a closed contour share their ends and are two lines."""
    a, b = _ends(new), _ends(known)
    same_way = np.maximum(_gap(a[:, 0], b[:, 0]), _gap(a[:, 1], b[:, 1]))
    turned = np.maximum(_gap(a[:, 0], b[:, 1]), _gap(a[:, 1], b[:, 0]))
    gap = np.minimum(same_way, turned)
    near = np.flatnonzero(gap <= reach)
    gap[near] = np.maximum(gap[near], shapely.hausdorff_distance(new[near], known[near]))
    return np.where(gap <= reach, 1.0 - gap / reach + 1e-9, 0.0)


def _gap(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.hypot(*(a - b).T))


def _ends(lines: NDArray[Any]) -> NDArray[np.float64]:
    """Return first and last coordinate of each (multi) line, shape (n, 2, 2)."""
    coordinates, index = shapely.get_coordinates(lines, return_index=True)
    first = np.searchsorted(index, np.arange(len(lines)), side="left")
    last = np.searchsorted(index, np.arange(len(lines)), side="right") - 1
    return np.stack((coordinates[first], coordinates[last]), axis=1)
