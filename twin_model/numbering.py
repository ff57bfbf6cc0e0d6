"""Which known feature a delivered number means: the id, or a number that a feature once had.

In a network a number that lies elsewhere than its feature is doubted: another office, or another year, may have given
it to another thing. What lies at the place decides first (`twin_model/identity.py`); what is left of the doubted numbers
counts where numbers of the delivery can be relied on.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Delivered, Rows
from twin_model.identity import line_gaps
from twin_model.layer import Layer
from twin_model.plan import NEW, UNCHANGED, PlannedLink, no_fids
from twin_model.rows.columns import plain_values
from twin_model.rows.content import words_of
from twin_model.store.base import DeliveredState, FeatureQuery, Store
from twin_model.temporal import ALWAYS
from twin_model.view import View

__all__ = ["Matches", "believed_numbers", "features_by_number"]

NEARBY = 10.0
"""A number is believed within so many metres whoever gave it."""

_AT_ONCE = 4_000
"""So many features are asked for by their fids at once."""


@dataclass
class Matches:
    """For each delivered row the fid of the feature it is (0 for none), and whether it says what was said before.

    `doubted` is the fid of the feature that has the row's number but lies elsewhere, 0 for none; `official` says that the
    number is one of a named project; `gaps` how far apart they lie.
    """

    fids: NDArray[np.int64]
    same: NDArray[np.bool_]
    doubted: NDArray[np.int64]
    official: NDArray[np.bool_]
    gaps: NDArray[np.float64]

    @classmethod
    def of(cls, fids: NDArray[np.int64], same: NDArray[np.bool_]) -> "Matches":
        """Return matches of which none is doubted."""
        count = len(fids)
        return cls(fids, same, np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool), np.zeros(count))

    @property
    def decisions(self) -> NDArray[np.int64]:
        """What each row is: 0 new, -1 no change, else the fid that it updates."""
        return np.where(self.same, UNCHANGED, self.fids)


def features_by_number(store: Store, layer: Layer, known: DeliveredState, delivered: list[Delivered]) -> Matches:
    """Find rows by the id they carry, then by a number a feature once had; one that ended begins again."""
    index = pd.Index(known.ids)
    parts = [Matches.of(no_fids(), np.empty(0, dtype=bool))]
    for delivery in delivered:
        rows = delivery.rows()
        fids = _fids(store, layer, known, index, rows)
        matches = Matches.of(fids, (known.contents_of(fids) == words_of(rows.content)).all(axis=1))
        if layer.is_network:
            _doubt(store, layer, rows, matches)
        parts.append(matches)
    names = ("fids", "same", "doubted", "official", "gaps")
    return Matches(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _fids(store: Store, layer: Layer, known: DeliveredState, index: "pd.Index[Any]", rows: Rows) -> NDArray[np.int64]:
    at = index.get_indexer(pd.Index(rows.ids))
    has_feature = (at >= 0) & np.array([each is not None for each in rows.ids], dtype=bool)
    fids = np.where(has_feature, known.fids[at] if len(known.fids) else 0, NEW)
    unknown = [row for row in np.flatnonzero(~has_feature).tolist() if rows.ids[row] is not None]
    once = store.fids_of_past_ids(layer.id, [rows.ids[row] for row in unknown]) if unknown else {}
    taken = set(fids.tolist())
    for row in unknown if once else ():
        fid = once.get(rows.ids[row], NEW)
        if fid not in taken:
            fids[row] = fid
            taken.add(fid)
    return fids


def _doubt(store: Store, layer: Layer, rows: Rows, matches: Matches) -> None:
    """Doubt the numbers of rows that lie elsewhere than the features they name; `matches` is filled in."""
    named = [plain_values(rows.columns[name]) for name in layer.projects if name in rows.columns]
    matches.official = np.array([all(key) for key in zip(*named, strict=True)] if named else [False] * len(rows))
    numbered = np.flatnonzero((matches.fids > 0) & ~matches.same)
    for start in range(0, len(numbered), _AT_ONCE):
        chosen = numbered[start : start + _AT_ONCE]
        gaps = _gaps(layer, rows.take(chosen).geometry(), _places(store, layer, matches.fids[chosen]))
        apart = gaps > 2 * layer.plan_error
        far = chosen[apart]
        matches.gaps[far] = gaps[apart]
        matches.doubted[far] = matches.fids[far]
        matches.fids[far] = NEW


def _places(store: Store, layer: Layer, fids: NDArray[np.int64]) -> NDArray[Any]:
    """Return the geometries of features, of one that has ended the last it had."""
    query = FeatureQuery(layer.id, fields=(), fids=tuple(fids.tolist()))
    shapes: dict[int, Any] = {}
    for view in (View(), View(ALWAYS)):
        missing = [fid for fid in fids.tolist() if fid not in shapes]
        frame = store.features(query.with_(view=view, fids=tuple(missing))) if missing else None
        if frame is not None:
            shapes |= dict(zip(frame["fid"].tolist(), frame.geometry.tolist(), strict=True))
    return np.array([*(shapes.get(fid) for fid in fids.tolist()), None], dtype=object)[:-1]


def _gaps(layer: Layer, new: NDArray[Any], known: NDArray[Any]) -> NDArray[np.float64]:
    """Return how far apart geometries lie, by their ends where they are lines; NaN where one is not there."""
    gaps = np.full(len(new), np.nan)
    both = np.flatnonzero(~(shapely.is_missing(new) | shapely.is_missing(known)))
    measure = line_gaps if layer.dimension == 1 else shapely.distance
    gaps[both] = measure(new[both], known[both])
    return gaps


def believed_numbers(matches: Matches, own: NDArray[np.int64], links: tuple[PlannedLink, ...]) -> None:
    """Believe what is left of the doubted numbers; `matches` is filled in.

    A number is believed nearby, if it is that of a named project or of a source (`own`: the fids that came under the
    delivery's name) also far off; but not where the delivery numbers anew, for most of its numbers lie elsewhere. Rows and
    features that `links` concern are known already.
    """
    by_place = (matches.doubted > 0) & (matches.fids > 0) & (matches.fids != matches.doubted)
    by_number = (matches.doubted == 0) & (matches.fids > 0)
    reliable = by_number.sum() >= by_place.sum()
    open_rows = np.flatnonzero((matches.doubted > 0) & (matches.fids == NEW))
    open_rows = open_rows[~np.isin(open_rows, [link.row for link in links])]
    taken = {*matches.fids.tolist(), *(link.from_fid for link in links)}
    for row in open_rows[np.argsort(matches.gaps[open_rows], kind="stable")].tolist():
        fid = int(matches.doubted[row])
        believed = matches.gaps[row] <= NEARBY or (reliable and (matches.official[row] or np.isin(fid, own)))
        if believed and fid not in taken:
            matches.fids[row] = fid
            taken.add(fid)
