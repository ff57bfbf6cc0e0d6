"""Current rows that new ones follow, all of a batch at once: what most updates are, and what need not be thought row by row.

A feature is followed so where its current row has no end, was not written by this version, and the new state begins
neither in its future nor in ours. Then nothing else of its timeline is concerned: the current row goes to the history,
closed; what was true before the new state stays believed, with an end; the new row takes the place of the current one.
Every other update is thought in timelines (`timeline`), and comes to the same where both would do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.temporal import Instant

__all__ = ["Columns", "Succession", "followed_at_once", "of_places"]

Columns = Mapping[str, list[Any]]
"""Rows by column, all in one order."""


@dataclass(frozen=True)
class Succession:
    """Current rows of features and the rows that follow them, by column, in the same order of rising fids."""

    before: Columns
    after: Columns

    @property
    def fids(self) -> list[int]:
        return self.before["fid"]

    @property
    def since(self) -> list[Instant]:
        """Since when the new states are true."""
        return self.after["valid_from"]

    @cached_property
    def outlived(self) -> list[bool]:
        """Which former rows were true for a while: they stay believed up to the new state. Others are only closed."""
        return [begun < since for begun, since in zip(self.before["valid_from"], self.since, strict=True)]

    def ending(self, version: int) -> Columns:
        """Return the rows that say until when the former ones were true, as a version writes them."""
        places = np.flatnonzero(self.outlived).tolist()
        since = of_places(self.after, places)["valid_from"]
        return of_places(self.before, places) | {"valid_to": since, "version_from": [version] * len(places)}

    def differing(self, names: Sequence[str]) -> list[str]:
        """Return the columns in which some row differs from the one before it."""
        return [name for name in names if self.before[name] != self.after[name]]

    @cached_property
    def moved(self) -> list[int]:
        """Return the places of the rows whose geometry differs."""
        if self.before["geom"] == self.after["geom"]:
            return []
        pairs = zip(self.before["geom"], self.after["geom"], strict=True)
        return [place for place, (before, after) in enumerate(pairs) if before != after]


def of_places(columns: Columns, places: Sequence[int]) -> dict[str, list[Any]]:
    """Return the rows at some places, which rise."""
    if all(len(values) == len(places) for values in columns.values()):
        return dict(columns)
    return {name: [values[place] for place in places] for name, values in columns.items()}


def followed_at_once(
    before: Columns, since: Sequence[Instant], writing_version: int, latest: Instant
) -> NDArray[np.bool_]:
    """Say which current rows are followed at once by states that begin at some instants, none later than `latest`."""
    return np.array(
        [
            end is None and version != writing_version and begun <= instant <= latest
            for end, version, begun, instant in zip(
                before["valid_to"], before["version_from"], before["valid_from"], since, strict=True
            )
        ],
        dtype=bool,
    )
