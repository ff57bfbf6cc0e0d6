"""What a delivery showed, as its changeset records it: all its features, changed or not, and what it could have seen.

So one that comes late can tell what a younger one, which knew nothing of it, would have ended (`twin_model/late_delivery.py`).
Fids are kept as runs, for what is delivered together has numbers in a row.

>>> to_runs(np.array([3, 4, 5, 9]))
[3, 3, 4, 1]
>>> from_runs([3, 3, 4, 1]).tolist()
[3, 4, 5, 9]
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Scope

__all__ = ["MOST_RUNS", "from_runs", "recorded_scope", "shown_record", "to_runs"]

MOST_RUNS = 2_000
"""A changeset's line stays small: what is scattered over more runs is not recorded; what was changed is known anyway."""

_NO_FINER = 1.0
"""Metres by which a surveyed polygon may be kept simpler."""


def to_runs(fids: NDArray[np.int64]) -> list[int]:
    """Return rising fids as pairs: how far a run begins behind the end of the one before it, and how long it is."""
    if not len(fids):
        return []
    starts = np.flatnonzero(np.r_[True, np.diff(fids) != 1])
    lengths = np.diff(np.r_[starts, len(fids)])
    first = fids[starts]
    gaps = first - np.r_[0, (first + lengths - 1)[:-1]]
    return [int(number) for number in np.stack((gaps, lengths), axis=1).ravel()]


def from_runs(runs: list[int]) -> NDArray[np.int64]:
    """Return the fids of runs."""
    fids, last = [np.empty(0, dtype=np.int64)], 0
    for gap, length in zip(runs[::2], runs[1::2], strict=True):
        fids.append(np.arange(last + gap, last + gap + length, dtype=np.int64))
        last += gap + length - 1
    return np.concatenate(fids)


def shown_record(scope: Scope, shown: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
    """Return the scope of a delivery and the runs of what it showed of each layer, as JSON holds them."""
    runs = {layer: to_runs(fids) for layer, fids in shown.items()}
    area = None if scope.area is None else shapely.to_wkb(shapely.simplify(scope.area, _NO_FINER), hex=True)
    return {
        "reach": scope.reach,
        "name": scope.name,
        "series": scope.series,
        "area": area,
        "layers": {layer: pairs for layer, pairs in runs.items() if len(pairs) <= 2 * MOST_RUNS},
    }


def recorded_scope(record: Mapping[str, Any]) -> Scope:
    """Return the scope of a record."""
    area = record["area"]
    return Scope(record["reach"], record["name"], record["series"], None if area is None else shapely.from_wkb(area))
