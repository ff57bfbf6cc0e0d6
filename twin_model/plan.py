"""What a changeset will do to each layer: the plan that is made by comparing, and that a store then writes.

How it is made stands in `twin_model/versioning.py`, how it is written in `twin_model/store/writing.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.changeset import Changeset, Rows
from twin_model.temporal import Instant

__all__ = ["KINDS", "NEW", "UNCHANGED", "LayerPlan", "Plan", "PlannedLink", "Progress", "no_fids", "unwatched"]

NEW = 0
UNCHANGED = -1

KINDS = ("moved", "split", "merged", "abandoned", "reclassed", "new")
"""Kinds of changes of a network, as a survey office counts them: known features moved, split, abandoned, of another class;
new features made of several known ones; new features that follow none."""


def no_fids() -> NDArray[np.int64]:
    """Return an empty array of fids."""
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class PlannedLink:
    """A known feature and the delivered row that follows it, by the row's position in the layer; `kind` is one of `KINDS`."""

    kind: str
    from_fid: int
    row: int


@dataclass(frozen=True)
class EarlierLink:
    """A delivered row, by its position in the layer, and a known feature that follows it; `kind` is one of `KINDS`."""

    kind: str
    row: int
    to_fid: int


@dataclass(frozen=True)
class LatePlan:
    """What a delivery that comes late is by younger ones (`twin_model/late_delivery.py`).

    Rows at the positions of `until` are true up to an instant; known features of `begun` are true from one on, for rows stood in
    their place before. `ended_earlier` are known features that a younger delivery ended and that this one showed no more already.
    `shown_on` are the days of the deliveries that showed a feature, by fid, of those that rows update. `outlasting` counts
    rows that younger deliveries do not show and that stand nevertheless. `ended_by` are the versions that have ended rows.
    """

    until: Mapping[int, Instant] = field(default_factory=dict)
    begun: Mapping[int, Instant] = field(default_factory=dict)
    links: tuple[EarlierLink, ...] = ()
    ended_earlier: tuple[int, ...] = ()
    shown_on: Mapping[int, tuple[Instant, ...]] = field(default_factory=dict)
    outlasting: int = 0
    ended_by: frozenset[int] = frozenset()


@dataclass(frozen=True)
class LayerPlan:
    """What each delivered row of a layer is, in the order delivered (0 new, -1 no change, else the fid it updates),
    which features end, how many the delivery could have seen, and how many it lacks and yet keeps (`scope.Removals`).

    Of what ends, `links` replace a part: rows that follow a split or merged feature. `others` counts what lies in the
    delivery's sight, is lacking and stays because another project or source brought it. `kinds` counts changes of a
    network; `kept_columns` are those that the delivery lacks and of which the town knows values. Rows at the positions
    `renumbered` carry the number of another feature and get one of the town's. Rows that are `quiet` are written with a
    version that is made, and make none of themselves. Of what ends, `joined` is what stood twice: kind of link, id and fid
    of what ends, fid of what stays, which goes by that id too from now on. Rows at the positions of `since` are true from that
    instant on, whatever date of their own they carry (`ground.beginnings`). `shown` are the fids of known features that are
    delivered, changed or not; `late` is what a delivery is by younger ones.
    """

    layer: str
    decisions: NDArray[np.int64]
    ended: NDArray[np.int64] = field(default_factory=no_fids)
    seen: int = 0
    kept: int = 0
    quiet: NDArray[np.bool_] | None = None
    others: int = 0
    links: tuple[PlannedLink, ...] = ()
    kinds: Mapping[str, int] = field(default_factory=dict)
    kept_columns: tuple[str, ...] = ()
    renumbered: NDArray[np.int64] = field(default_factory=no_fids)
    joined: tuple[tuple[str, str, int, int], ...] = ()
    since: Mapping[int, Instant] = field(default_factory=dict)
    shown: NDArray[np.int64] = field(default_factory=no_fids)
    late: LatePlan = LatePlan()

    @property
    def outlasting(self) -> int:
        """How many rows of a late delivery stand though younger ones do not show them."""
        return self.late.outlasting

    @property
    def ended_since(self) -> int:
        """How many rows of a late delivery younger ones have ended."""
        return len(self.late.until)

    @property
    def replaced(self) -> int:
        """How many of the features that end are followed by others."""
        return len({link.from_fid for link in self.links})

    def rows_to_write(self, rows: Rows, start: int) -> Rows:
        """Return the rows from position `start` on, without the numbers of other features, true since their beginnings."""
        at = self.renumbered[(self.renumbered >= start) & (self.renumbered < start + len(rows))] - start
        begun = {row - start: since for row, since in self.since.items() if start <= row < start + len(rows)}
        if len(at):
            ids = rows.ids.copy()
            ids[at] = None
            rows = replace(rows, ids=ids)
        if begun:
            dates, precision = rows.valid_from.copy(), rows.valid_precision.copy()
            dates[[*begun]], precision[[*begun]] = [*begun.values()], None
            rows = replace(rows, valid_from=dates, valid_precision=precision)
        return rows

    def linked_fids(self, new_fids: NDArray[np.int64]) -> list[tuple[str, int, int]]:
        """Return kind, predecessor and successor of each link; `new_fids` are those of the new rows, in their order."""
        fids = self.decisions.copy()
        fids[fids == NEW] = new_fids
        links = [(link.kind, link.from_fid, int(fids[link.row])) for link in self.links]
        return links + [(link.kind, int(fids[link.row]), link.to_fid) for link in self.late.links]

    def ends(self, start: int, count: int) -> NDArray[Any] | None:
        """Return for the rows from position `start` on until when they are true, None for ever; None where all are."""
        if not self.late.until:
            return None
        return np.array([self.late.until.get(row) for row in range(start, start + count)], dtype=object)

    @property
    def is_empty(self) -> bool:
        still = not self.late.begun and not self.late.ended_earlier
        return still and not len(self.ended) and bool((self.decisions == UNCHANGED).all())

    @property
    def counts(self) -> dict[str, int]:
        """Return how many are inserted, updated, ended, unchanged, and kept though the delivery lacks them."""
        return {
            "inserted": int((self.decisions == NEW).sum()),
            "updated": int((self.decisions > 0).sum()),
            "terminated": len(self.ended),
            "unchanged": int((self.decisions == UNCHANGED).sum()),
            "kept": self.kept,
            **({"others": self.others} if self.others else {}),
        }


Progress = Callable[[str, int, int], None]
"""Hears how far a commit is: what is being done ("compare", "write", "index"), how many rows are done, how many there are.

It may raise to stop the commit: nothing has changed then.
"""


def unwatched(phase: str, done: int, total: int) -> None:
    """Hear nothing of a commit's progress."""


Plan = Callable[[Any, Changeset], Mapping[str, LayerPlan]]
"""Returns the plan of each layer that a changeset concerns, compared with a store (`twin_model/store/base.py`) as it is when
it is called; a layer that the store has no table of is all new."""
