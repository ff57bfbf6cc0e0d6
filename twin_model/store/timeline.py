"""A feature's timeline: its rows by valid time, as they are recorded, and what an edit makes of them.

Here one thinks in rows; `twin_model/store/writing.py` has them written. A new state takes effect at an instant: what
was recorded for the time after it is closed (version_to), what was true before it is kept with an end, nothing is
overwritten. Instants are texts whose order is that of time (`twin_model/temporal.py`).

    after = stated(timeline, state, version)
    steps(timeline, after, moment)          # rows to take out of their tables, rows to put into one
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from twin_model.temporal import Instant

__all__ = [
    "Moves",
    "Place",
    "Row",
    "Steps",
    "boundaries",
    "current_of",
    "differing",
    "ended",
    "stated",
    "steps",
]

Row = dict[str, Any]
"""A row by column; `_row` is its key in the table of closed rows, None where it is (or is to be) the current one."""


class Place(NamedTuple):
    """A row and where it belongs: among the current rows, else in the history, closed by the version `version_to`."""

    row: Row
    current: bool
    version_to: int | None = None


@dataclass
class Steps:
    """What brings tables from one state to another: first every row of `take`, then every row of `put`."""

    take: list[Row] = field(default_factory=list)
    put: list[Place] = field(default_factory=list)

    def extend(self, other: "Steps") -> None:
        self.take += other.take
        self.put += other.put

    def moves(self) -> "Moves":
        """Return the same steps so that a row which stays in its table is changed where it lies."""
        taken = {id(row): row for row in self.take}
        now = {row["fid"]: row for row in self.take if row["_row"] is None}
        done = Moves()
        for place in self.put:
            if id(place.row) in taken and place.row["_row"] is not None and not place.current:
                done.closed.append((place.version_to, taken.pop(id(place.row))["_row"]))
            elif place.current and place.row["fid"] in now:
                before = now.pop(place.row["fid"])
                done.replaced.append((taken.pop(id(before)), place.row))
            else:
                done.put.append(place)
        done.take += taken.values()
        return done


@dataclass
class Moves:
    """What a store does for some steps: rows of the history whose `version_to` is set (version, key), current rows that
    another takes the place of (before, after), rows that leave their table, then rows that come into one."""

    closed: list[tuple[int | None, int]] = field(default_factory=list)
    replaced: list[tuple[Row, Row]] = field(default_factory=list)
    take: list[Row] = field(default_factory=list)
    put: list[Place] = field(default_factory=list)


def differing(replaced: Iterable[tuple[Row, Row]], columns: Sequence[str]) -> Mapping[tuple[str, ...], list[Row]]:
    """Return the rows to come by the columns in which they differ from those before."""
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for before, after in replaced:
        names = tuple(name for name in columns if before[name] != after[name])
        if names:
            found[names].append(after)
    return found


def stated(timeline: list[Row], state: Row, version: int) -> list[Row]:
    """Return the timeline with a state from its `valid_from` on, up to the next state recorded for later."""
    since = state["valid_from"]
    later = [row["valid_from"] for row in timeline if row["valid_from"] > since]
    return [
        *_before(timeline, since, version),
        state | {"valid_to": min(later, default=None)},
        *(row for row in timeline if row["valid_from"] > since),
    ]


def ended(timeline: list[Row], at: Instant, version: int) -> list[Row]:
    """Return the timeline that stops at an instant: nothing is true of the feature from then on."""
    return _before(timeline, at, version)


def _before(timeline: list[Row], instant: Instant, version: int) -> list[Row]:
    """Return what was true before an instant, cut off there; a row that is cut is one of the new version."""
    cut = []
    for row in timeline:
        if row["valid_from"] >= instant:
            continue
        goes_on = row["valid_to"] is None or row["valid_to"] > instant
        cut.append(row | {"valid_to": instant, "version_from": version} if goes_on else row)
    return cut


def current_of(rows: list[Row], moment: Instant) -> Row | None:
    """Return the row that belongs among the current ones: the one valid at the moment, else the first still to come."""
    alive = [row for row in rows if row["valid_to"] is None or row["valid_to"] > moment]
    return min(alive, key=lambda row: str(row["valid_from"])) if alive else None


def steps(before: list[Row], after: list[Row], moment: Instant, version: int) -> Steps:
    """Return what turns one recorded timeline into another. Rows that are the same objects in both are kept.

    A row that is believed no longer goes to the history, closed by `version`, unless that version itself brought it;
    a kept one moves where another has become the current one.
    """
    kept, current, done = {id(row) for row in after}, current_of(after, moment), Steps()
    for row in before:
        if id(row) not in kept:
            done.take.append(row)
            if row["version_from"] != version:
                done.put.append(Place(row, current=False, version_to=version))
    known = {id(row) for row in before}
    for row in after:
        if id(row) not in known:
            done.put.append(Place(row, current=row is current))
        elif (row["_row"] is None) != (row is current):
            done.take.append(row)
            done.put.append(Place(row, current=row is current))
    return done


def boundaries(rows: Iterable[Row], moment: Instant) -> list[Instant]:
    """Return the instants still to come at which something of these rows begins or ends."""
    instants = (row[name] for row in rows for name in ("valid_from", "valid_to"))
    return [instant for instant in instants if instant is not None and instant > moment]
