"""What became of a network's features that a new survey shows otherwise: moved, of another class, split, merged.

Here: pairs of delivered rows that are nothing known and known features that nothing delivered is. What a row is by its
place stands in `identity`, by its number in `numbering`; what a delivery could have seen, in `scope`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Changeset, Delivered
from twin_model.identity import Traits, best_pairs, line_gaps, tiers
from twin_model.layer import Layer
from twin_model.numbering import Matches
from twin_model.ownership import Contents, own_features
from twin_model.plan import NEW, PlannedLink, no_fids
from twin_model.store.base import DeliveredState, FeatureQuery

if TYPE_CHECKING:
    from twin_model.store.base import Store

__all__ = [
    "MOVED_BY",
    "Shapes",
    "found_elsewhere",
    "moved_features",
    "reclassed_features",
    "split_and_merged",
    "split_and_merged_features",
]

MOVED_BY = 10.0
"""A feature of another number is looked for within so many metres."""

_SAME_LENGTH = 0.1
"""Parts make a whole if their lengths add up to it but for this share."""


@dataclass(frozen=True)
class Shapes:
    """Geometries with their traits; `keys` are the rows' positions, or the features' fids."""

    keys: NDArray[np.int64]
    geometry: NDArray[Any]
    traits: Traits

    def take(self, chosen: NDArray[Any]) -> "Shapes":
        """Return those of a mask."""
        rows = np.flatnonzero(chosen)
        return Shapes(self.keys[rows], self.geometry[rows], self.traits.take(rows))

    def without(self, keys: NDArray[np.int64]) -> "Shapes":
        return self.take(~np.isin(self.keys, keys))


def split_and_merged(layer: Layer, new: Shapes, known: Shapes) -> tuple[PlannedLink, ...]:
    """Return links of lines that were split, then of lines that were merged; none is used twice.

    The parts lie along the whole within twice the plan error and have its length together; no size contradicts.
    """
    if layer.dimension != 1 or not len(new.keys) or not len(known.keys):
        return ()
    pairs = _near(new.geometry, known.geometry, 2 * layer.plan_error)
    fit = tiers(new.traits, known.traits, pairs, new.geometry, known.geometry) > 0
    rows, features = pairs[0][fit], pairs[1][fit]
    reach = 2 * layer.plan_error
    within = shapely.covers(shapely.buffer(known.geometry[features], reach), new.geometry[rows])
    around = shapely.covers(shapely.buffer(new.geometry[rows], reach), known.geometry[features])
    split = _groups(features[within], rows[within], known.geometry, new.geometry)
    links = [PlannedLink("split", int(known.keys[k]), int(new.keys[n])) for k, parts in split.items() for n in parts]
    used = np.isin(rows, [n for parts in split.values() for n in parts]) | np.isin(features, list(split))
    around &= ~used
    merged = _groups(rows[around], features[around], new.geometry, known.geometry)
    links += [PlannedLink("merged", int(known.keys[k]), int(new.keys[n])) for n, parts in merged.items() for k in parts]
    return tuple(links)


def _near(new: NDArray[Any], known: NDArray[Any], reach: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    usable = np.flatnonzero(~shapely.is_missing(new))
    ours, theirs = shapely.STRtree(known).query(new[usable], predicate="dwithin", distance=reach)
    return usable[ours], theirs


def _groups(
    wholes: NDArray[np.intp], parts: NDArray[np.intp], whole: NDArray[Any], part: NDArray[Any]
) -> dict[int, list[int]]:
    """Return for each whole the parts that make it, two at least; a part makes one whole only."""
    groups: dict[int, list[int]] = {}
    used: set[int] = set()
    for row in np.unique(wholes).tolist():
        members = [n for n in np.unique(parts[wholes == row]).tolist() if n not in used]
        lengths = shapely.length(part[members]).sum() if members else 0.0
        if len(members) > 1 and abs(lengths - whole[row].length) <= _SAME_LENGTH * whole[row].length:
            groups[row] = members
            used |= set(members)
    return groups


def reclassed_features(layer: Layer, new: Shapes, known: Shapes) -> dict[int, int]:
    """Return rows and the fids they are: at the place of a feature of another class, of its size and depth."""
    if not len(new.keys) or not len(known.keys):
        return {}
    reach = layer.plan_error
    return _paired(layer, new, known, reach, np.full(len(new.keys), reach), any_class=True)


def moved_features(layer: Layer, new: Shapes, known: Shapes) -> dict[int, int]:
    """Return rows and the fids they are: of a compatible class and like size, moved by less than half their length."""
    if not len(new.keys) or not len(known.keys):
        return {}
    limit = shapely.length(new.geometry) / 2 if layer.dimension == 1 else np.full(len(new.keys), MOVED_BY / 2)
    return _paired(layer, new, known, MOVED_BY, np.minimum(limit, MOVED_BY))


def _paired(
    layer: Layer, new: Shapes, known: Shapes, reach: float, limit: NDArray[np.float64], *, any_class: bool = False
) -> dict[int, int]:
    pairs = _near(new.geometry, known.geometry, reach)
    a, b = new.geometry[pairs[0]], known.geometry[pairs[1]]
    gap = line_gaps(a, b) if layer.dimension == 1 else shapely.distance(a, b)
    tier = tiers(new.traits, known.traits, pairs, new.geometry, known.geometry, any_class=any_class)
    score = np.where((tier > 0) & (gap <= limit[pairs[0]]), 1.0 - gap / (2 * MOVED_BY), 0.0)
    ours, theirs = best_pairs(pairs, score)
    return dict(zip(new.keys[ours].tolist(), known.keys[theirs].tolist(), strict=True))


def split_and_merged_features(
    store: "Store", layer: Layer, changeset: Changeset, matches: Matches, known: DeliveredState
) -> tuple[PlannedLink, ...]:
    """Return links from features of the delivery's own project, or its own name, to rows that are parts or wholes of them."""
    delivered = [part for part in changeset.delivered if part.layer == layer.id]
    begin = ~np.isin(matches.fids, known.fids)  # what has ended and begins again is as new here as what never was
    new = _rows_of(layer, delivered, begin)
    free = np.setdiff1d(known.fids, matches.fids)
    if layer.dimension != 1 or not len(new.keys) or not len(free):
        return ()
    near = _known_shapes(store, layer, free, new, 2 * layer.plan_error)
    if not len(near.keys):
        return ()
    own = own_features(store, layer, changeset, Contents(changeset), near.keys)
    return split_and_merged(layer, new, near.take(own))


def found_elsewhere(
    store: "Store",
    layer: Layer,
    delivered: list[Delivered],
    matches: Matches,
    links: tuple[PlannedLink, ...],
    ended: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return which features that would end do end: the others have moved, or are of another class; `matches` is filled in."""
    is_new = matches.fids == NEW
    is_new[[link.row for link in links]] = False
    new = _rows_of(layer, delivered, is_new)
    if not len(new.keys):
        return ended
    gone = _known_shapes(store, layer, ended, new, MOVED_BY)
    for pair in (reclassed_features, moved_features):
        rows = pair(layer, new, gone)
        for row, fid in rows.items():
            matches.fids[row] = fid
        new, gone = (
            shapes.without(np.array([*keys], dtype=np.int64)) for shapes, keys in ((new, rows), (gone, rows.values()))
        )
    return np.setdiff1d(ended, matches.fids)


def _rows_of(layer: Layer, delivered: list[Delivered], wanted: NDArray[np.bool_]) -> Shapes:
    """Return those of the wanted rows that have a place."""
    keys, shapes, classes, sizes, start = [], [], [], [np.empty((0, len(layer.sizes)))], 0
    for part in delivered:
        chosen = np.flatnonzero(wanted[start : start + part.count])
        if len(chosen):
            rows = part.rows().take(chosen)
            traits = Traits.of(layer, rows.columns, len(rows))
            keys += (chosen + start).tolist()
            shapes += rows.geometry().tolist()
            classes += traits.classes
            sizes.append(traits.sizes)
        start += part.count
    geometry = np.array([*shapes, None], dtype=object)[:-1]
    rows_found = Shapes(np.array(keys, dtype=np.int64), geometry, Traits(classes, np.concatenate(sizes)))
    return rows_found.take(~shapely.is_missing(geometry))


def _known_shapes(store: "Store", layer: Layer, fids: NDArray[np.int64], new: Shapes, reach: float) -> Shapes:
    """Return those of some features that have a place near new rows."""
    west, south, east, north = shapely.total_bounds(new.geometry).tolist()
    box = (west - reach, south - reach, east + reach, north + reach)
    fields = (*layer.classes, *layer.sizes)
    parts = []
    for frame in store.frames(FeatureQuery(layer.id, bbox=box, fields=fields)):
        frame = frame[np.isin(frame["fid"].to_numpy(), fids)]
        near = np.unique(
            shapely.STRtree(new.geometry).query(frame.geometry.to_numpy(), predicate="dwithin", distance=reach)[0]
        )
        frame = frame.iloc[near]
        parts.append(Shapes(frame["fid"].to_numpy(), frame.geometry.to_numpy(), Traits.of(layer, frame, len(frame))))
    classes = [key for part in parts for key in part.traits.classes]
    sizes = np.concatenate([np.empty((0, len(layer.sizes))), *(part.traits.sizes for part in parts)])
    geometry = np.concatenate([np.empty(0, dtype=object), *(part.geometry for part in parts)])
    return Shapes(np.concatenate([no_fids(), *(part.keys for part in parts)]), geometry, Traits(classes, sizes))
