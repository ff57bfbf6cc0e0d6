"""What stands on the same ground: a thing begins no earlier than the end of the one whose place it takes.

A date of its own (the year a pipe was built) says when a thing began; yet what a survey shows in the place of another
was not known beside it. So the past holds one of them on any day; the date itself stays a field of the thing.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Delivered, Rows
from twin_model.identity import are_compatible, class_keys
from twin_model.large_shapes import common_areas
from twin_model.layer import Layer
from twin_model.plan import no_fids
from twin_model.store.base import FeatureQuery
from twin_model.temporal import Instant, Interval
from twin_model.view import View

if TYPE_CHECKING:
    from twin_model.store.base import Store

__all__ = ["beginnings", "in_the_same_place"]

_SHARE = 0.5
"""A line or area is in the place of another if they have this share of the smaller one in common."""

_NEVER = "9999"
"""Comes after every instant."""


def in_the_same_place(
    layer: Layer, new: NDArray[Any], known: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which of `new` lie where which of `known` lie, as positions in parallel: they cannot have stood side by side."""
    reach = 0.0 if layer.dimension == 2 else 2 * layer.plan_error
    usable = np.flatnonzero(~shapely.is_missing(new))
    ours, theirs = shapely.STRtree(known).query(new[usable], predicate="dwithin", distance=reach)
    ours = usable[ours]
    if layer.dimension == 0 or not len(ours):
        return ours, theirs
    size = shapely.length if layer.dimension == 1 else shapely.area
    a, b = new[ours], known[theirs]
    first_is_smaller = size(a) <= size(b)
    smaller, larger = np.where(first_is_smaller, a, b), np.where(first_is_smaller, b, a)
    if layer.dimension == 1:
        common = shapely.length(shapely.intersection(smaller, shapely.buffer(larger, reach)))
    else:
        common = common_areas(smaller, larger)
    inside = common >= _SHARE * np.maximum(size(smaller), 1e-9)
    return ours[inside], theirs[inside]


def beginnings(
    store: "Store",
    layer: Layer,
    effective: Instant,
    delivered: list[Delivered],
    begin: NDArray[np.bool_],
    ended: NDArray[np.int64],
    stay: NDArray[np.int64],
) -> dict[int, Instant]:
    """Return since when rows are true whose own date is before the end of what stood in their place; others are left out.

    Rows of which `begin` is true are new to the town. Features that are `ended` end at the instant `effective`; what ended
    before counts too, unless it is one of those that `stay`.
    """
    since: dict[int, Instant] = {}
    start = 0
    for part in delivered:
        positions = np.flatnonzero(begin[start : start + part.count]) if layer.has_geometry else no_fids()
        if len(positions):
            rows = part.rows().take(positions)
            dated = np.array([date is not None and date < effective for date in rows.valid_from.tolist()], dtype=bool)
            places = np.flatnonzero(dated & np.isfinite(rows.bounds[:, 0]))
            if len(places):
                ends = _ends(store, layer, effective, rows.take(places), ended, stay)
                since |= {start + int(positions[places[row]]): instant for row, instant in ends.items()}
        start += part.count
    return since


def _ends(
    store: "Store",
    layer: Layer,
    effective: Instant,
    rows: Rows,
    ended: NDArray[np.int64],
    stay: NDArray[np.int64],
) -> dict[int, Instant]:
    """Return for rows with a place and a date of their own the last end, after it, of what stood in their place."""
    geometry, reach = rows.geometry(), 2 * layer.plan_error
    west, south, east, north = shapely.total_bounds(geometry).tolist()
    box = (west - reach, south - reach, east + reach, north + reach)
    view = View(Interval(min(rows.valid_from.tolist()), effective))
    keys = class_keys(layer, rows.columns, len(rows))
    latest: dict[int, Instant] = {}
    for frame in store.frames(FeatureQuery(layer.id, view=view, bbox=box, fields=layer.classes)):
        fids = frame["fid"].to_numpy()
        ends = np.where(frame["valid_to"].isna(), _NEVER, frame["valid_to"])
        ends[np.isin(fids, ended)] = effective
        gone = np.flatnonzero((ends <= effective) & ~np.isin(fids, stay))
        former_keys = class_keys(layer, frame.iloc[gone], len(gone))
        pairs = in_the_same_place(layer, geometry, frame.geometry.to_numpy()[gone])
        for row, place in zip(*(places.tolist() for places in pairs), strict=True):
            end = str(ends[gone[place]])
            if end > rows.valid_from[row] and are_compatible(keys[row], former_keys[place]):
                latest[row] = max(latest.get(row, ""), end)
    return latest
