"""What a changeset will do to each layer: the plan that is made by comparing, and that a store then writes.

How it is made stands in `twin_model/versioning.py`, how it is written in `twin_model/store/writing.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.changeset import Changeset

__all__ = ["NEW", "UNCHANGED", "LayerPlan", "Plan", "Progress", "no_fids", "unwatched"]

NEW = 0
UNCHANGED = -1


def no_fids() -> NDArray[np.int64]:
    """Return an empty array of fids."""
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class LayerPlan:
    """What each delivered row of a layer is, in the order delivered (0 new, -1 no change, else the fid it updates),
    which features end, how many the delivery could have seen, and how many it lacks and yet keeps (`scope.Removals`).

    Rows that are `quiet` are written with a version that is made, and make none of themselves.
    """

    layer: str
    decisions: NDArray[np.int64]
    ended: NDArray[np.int64] = field(default_factory=no_fids)
    seen: int = 0
    kept: int = 0
    quiet: NDArray[np.bool_] | None = None

    @property
    def is_empty(self) -> bool:
        return not len(self.ended) and bool((self.decisions == UNCHANGED).all())

    @property
    def counts(self) -> dict[str, int]:
        """Return how many are inserted, updated, ended, unchanged, and kept though the delivery lacks them."""
        return {
            "inserted": int((self.decisions == NEW).sum()),
            "updated": int((self.decisions > 0).sum()),
            "terminated": len(self.ended),
            "unchanged": int((self.decisions == UNCHANGED).sum()),
            "kept": self.kept,
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
