"""Geometries of rows that are ready to be stored: runs of coordinates, and WKB of what is none."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from twin_model.rows.coordinate_runs import Runs, no_runs

__all__ = ["Shapes"]


@dataclass(frozen=True)
class Shapes:
    """Geometries of rows as their layer keeps them: those that are `runs`, and of the others ISO WKB, None where there is
    none. WKB of all is made when it is asked for: of a delivery that is known already nobody asks."""

    others: NDArray[Any]
    runs: Runs
    multi: bool

    @classmethod
    def of(cls, wkb: NDArray[Any]) -> "Shapes":
        return cls(wkb, no_runs(0), multi=False)

    def __len__(self) -> int:
        return len(self.others)

    @cached_property
    def wkb(self) -> NDArray[Any]:
        """ISO WKB, None where there is no geometry."""
        written = self.others.copy()
        written[self.runs.rows] = self.runs.wkb(multi=self.multi)
        return written

    def take(self, chosen: NDArray[Any]) -> "Shapes":
        """Return the geometries of a mask or of row numbers."""
        return Shapes.of(self.wkb[chosen])
