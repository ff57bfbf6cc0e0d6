"""Whether the census of a layer (`census`) covers its rows: tiles and sliders read it in place of them.

Cells and ranges may reach farther than the rows do now; instants are exact. A census that does not stand is not read, and
taken anew by the next commit.
"""

from typing import Protocol

import numpy as np

from twin_model.layer import Layer
from twin_model.store.base import Store
from twin_model.store.census import FINEST, Cells, Census
from twin_model.store.damage import Damage

__all__ = ["Counted", "census_damages"]

_EVERY_LEVEL = [(level, 0, 2**62) for level in range(FINEST + 1)]


class Counted(Protocol):
    """A layer and the census of its rows as they were just read."""

    @property
    def layer(self) -> Layer: ...

    @property
    def census(self) -> Census: ...


def census_damages(store: Store, counted: Counted) -> list[Damage]:
    """Return what of a layer's census lacks something of its rows."""
    name = counted.layer.id
    instants, ranges = store.census_instants(name), store.census_ranges(name)
    if instants is None or ranges is None:
        return []
    rows = counted.census.instants()
    begins, ends = ({instant: row[side] for instant, *row in rows if row[side]} for side in (0, 1))
    wrong = [] if (dict(instants.begins), dict(instants.ends)) == (begins, ends) else ["instants"]
    for field, (low, high) in counted.census.ranges.items():
        held = ranges.get(field, (np.inf, -np.inf))
        wrong += [] if held[0] <= low and held[1] >= high else [f"range {field}"]
    if not _are_covered(counted.census.cells(), store.census_cells(name, _EVERY_LEVEL)):
        wrong.append("cells")
    return [Damage("audit.census", {"layer": name, "parts": wrong}, True)] if wrong else []


def _are_covered(wanted: Cells, held: Cells) -> bool:
    """Say whether each cell is there with a box and a size as it needs; of its rows a census knows about how many."""
    places = {pair: n for n, pair in enumerate(zip(held.levels.tolist(), held.places.tolist(), strict=True))}
    at = [places.get(pair, -1) for pair in zip(wanted.levels.tolist(), wanted.places.tolist(), strict=True)]
    if -1 in at:
        return False
    theirs = held.take(np.array(at, dtype=np.intp))
    low = (theirs.boxes[:, :2] <= wanted.boxes[:, :2]).all()
    high = (theirs.boxes[:, 2:] >= wanted.boxes[:, 2:]).all()
    return bool(low and high and (theirs.largest >= wanted.largest).all() and (theirs.rows > 0).all())
