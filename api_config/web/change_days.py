"""When the town changes: the days on which something begins or ends. What a time slider needs to know at its start.

They come from the census that every commit keeps (`twin_model/store/census.py`). Only where a policy shows some rows of a
layer alone, or the store has no census of it yet, is the layer read.

Days are local ones of the town, counted from 1970-01-01, as 3D Tiles carry them (`tiles/solids.py`).
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tiles.town_tiles import all_time, states
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery
from twin_model.store.freshness import state_of
from twin_model.temporal import local_day_number, now
from twin_model.town import Town
from twin_model.view import View

__all__ = ["LayerTime", "Timeline", "dates", "few"]

_MOST_OF_A_LAYER = 2_000
_MOST = 200
"""Days of change that are told one by one; of more only months or years, since a slider has no more pixels."""


@dataclass(frozen=True)
class LayerTime:
    """The days on which something of a layer begins, at least one, those on which something ends, and whether something stays."""

    begins: frozenset[int]
    ends: frozenset[int]
    stays: bool

    @property
    def changes(self) -> frozenset[int]:
        return self.begins | self.ends

    @property
    def listed(self) -> list[int] | None:
        """Return every day of change, earliest first; None where there are too many to be told to a page."""
        return sorted(self.changes) if len(self.changes) <= _MOST_OF_A_LAYER else None

    @property
    def first(self) -> int:
        return min(self.begins)

    @property
    def last(self) -> int | None:
        """Return the last day on which something is there, None where something stays."""
        return None if self.stays else max(self.ends) - 1

    def is_steady(self, day: int) -> bool:
        """Say whether every state there is holds on a day: nothing has ended by then, nothing is still to begin."""
        return max(self.begins) <= day and all(day < end for end in self.ends)


class Timeline:
    """Days of change of a town's layers; each layer is asked once a version."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._known: dict[tuple[str, str], tuple[tuple[Any, ...], LayerTime | None]] = {}
        self._lock = threading.Lock()

    @property
    def today(self) -> int:
        return local_day_number(now(), self._town.settings.timezone)

    def of(self, layer: Layer, view: View) -> LayerTime | None:
        """Return when a layer changes, None for one that never held anything."""
        key, place = state_of(self._town.store, layer, all_time(view)), (layer.id, view.policy.digest)
        with self._lock:
            known = self._known.get(place)
            if known is None or known[0] != key:
                known = self._known[place] = key, self._read(layer, view)
            return known[1]

    def _read(self, layer: Layer, view: View) -> LayerTime | None:
        counted = self._town.store.census_instants(layer.id) if view.policy.admits_whole(layer.id) else None
        if counted is not None:
            stays = sum(counted.begins.values()) > sum(counted.ends.values())
            return LayerTime(self._days(counted.begins), self._days(counted.ends), stays) if counted.begins else None
        begins: set[str] = set()
        ends: set[str] = set()
        stays = False
        for frame in states(self._town.store, FeatureQuery(layer.id, view=view, fields=(), geometry=False)):
            begins.update(frame["valid_from"].unique())
            ends.update(frame["valid_to"].dropna().unique())
            stays = stays or bool(frame["valid_to"].isna().any())
        return LayerTime(self._days(begins), self._days(ends), stays) if begins else None

    def _days(self, instants: Iterable[str]) -> frozenset[int]:
        return frozenset(local_day_number(instant, self._town.settings.timezone) for instant in instants)


def dates(days: Iterable[int]) -> list[str]:
    """Return days as dates, earliest first."""
    return [(date(1970, 1, 1) + timedelta(days=day)).isoformat() for day in sorted(days)]


def few(changes: list[str]) -> list[str]:
    """Return dates as they are if they are few, else the first days of their months or years."""
    for kept, rest in ((10, ""), (7, "-01"), (4, "-01-01")):
        rounded = sorted({day[:kept] + rest for day in changes})
        if len(rounded) <= _MOST:
            break
    return rounded
