"""How a person says that a source's numbers are meant: unit, axes, offset, local grid, or right as they are.

Whether coordinates can be where their CRS puts them, and if not, why, stands in `ingest/place.py`: it names the cause
and never acts upon it. Rows without a place are not stored unless a mapping says how they are meant:

    [options.coordinates]
    unit = "mm"                  # what the numbers count: "mm", "cm", "m", "km", "ft"
    axes = "north_east"          # the first number is the north one
    offset = [600000, 3800000]   # what a local grid lacks, east and north
    anywhere = true              # they are right as they are

A local grid that was fitted to control points (`--crs local:NAME`) is applied after these.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.number_text import METRES
from twin_model.errors import CatalogueError
from twin_model.local_grid import LocalGrid

__all__ = ["AS_THEY_ARE", "UNITS", "Coordinates", "coordinates_of"]

Floats = NDArray[np.float64]
UNITS = {unit: float(METRES[unit]) for unit in ("mm", "cm", "m", "km")} | {"ft": 0.3048}


@dataclass(frozen=True)
class Coordinates:
    """How a person says that a source's numbers are meant; they are read so before anything else is done with them."""

    metres: float = 1.0
    swapped: bool = False
    offset: tuple[float, float] = (0.0, 0.0)
    anywhere: bool = False
    grid: LocalGrid | None = None

    @property
    def change_nothing(self) -> bool:
        return self.metres == 1.0 and not self.swapped and self.offset == (0.0, 0.0) and self.grid is None

    def read_xy(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return east and north of numbers read as meant."""
        east, north = (y, x) if self.swapped else (x, y)
        east, north = east * self.metres + self.offset[0], north * self.metres + self.offset[1]
        return (east, north) if self.grid is None else self.grid.to_target(east, north)

    def read(self, geometry: NDArray[Any]) -> NDArray[Any]:
        """Return geometries with their numbers read as meant; heights stay as they are."""
        if self.change_nothing:
            return geometry

        def meant(xyz: Floats) -> Floats:
            return np.column_stack((*self.read_xy(xyz[:, 0], xyz[:, 1]), xyz[:, 2:]))

        high = shapely.has_z(geometry)
        changed = np.array(geometry, dtype=object)
        for rows, with_z in ((high, True), (~high, False)):
            changed[rows] = shapely.transform(geometry[rows], meant, include_z=with_z)
        return changed


AS_THEY_ARE = Coordinates()


def coordinates_of(mapping: Any, grid: LocalGrid | None = None) -> Coordinates:
    """Return what a mapping's `options.coordinates` and a local grid say; what means nothing is refused."""
    table = (getattr(mapping, "options", None) or {}).get("coordinates", {})
    expected: dict[str, Any] = {
        "unit": list(UNITS),
        "axes": ["east_north", "north_east"],
        "offset": "[east, north]",
        "anywhere": "true",
    }
    offset: Any = table.get("offset", [0.0, 0.0]) if isinstance(table, dict) else None
    sound = (
        isinstance(table, dict)
        and not set(table) - set(expected)
        and table.get("unit", "m") in UNITS
        and table.get("axes", "east_north") in expected["axes"]
        and isinstance(table.get("anywhere", False), bool)
        and isinstance(offset, list)
        and len(offset) == 2
        and all(type(value) in (int, float) for value in offset)
    )
    if not sound:
        raise CatalogueError(
            "mapping.invalid",
            path=getattr(mapping, "name", "mapping"),
            key=f"options.coordinates {table}",
            expected=expected,
        )
    return Coordinates(
        UNITS[table.get("unit", "m")],
        table.get("axes") == "north_east",
        (float(offset[0]), float(offset[1])),
        table.get("anywhere", False),
        grid,
    )
