"""Whether a source's coordinates can be where its CRS puts them, and if not, why; what a person may say about them.

A cause is named, never acted upon: the numbers, read in another way, would lie in the town. Rows without a place are not
stored unless a mapping says how they are meant:

    [options.coordinates]
    unit = "mm"                  # what the numbers count: "mm", "cm", "m", "km"
    axes = "north_east"          # the first number is the north one
    offset = [600000, 3800000]   # what a local grid lacks, east and north
    anywhere = true              # they are right as they are
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.place import outside_area
from twin_model.crs import CRS84, crs_code, epsg_of, is_projected, same_crs, transform_xy
from twin_model.errors import CatalogueError, CrsRefused

__all__ = [
    "AS_THEY_ARE",
    "Cause",
    "Coordinates",
    "causes_of",
    "coordinates_of",
    "fit_better",
    "have_no_place",
]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_UNITS = {"mm": 0.001, "cm": 0.01, "m": 1.0, "km": 1000.0}
_FAMILIES = (
    (range(4534, 4555), range(4513, 4534)),  # CGCS2000, 3-degree zones: without and with the zone's number
    (range(4502, 4513), range(4491, 4502)),  # CGCS2000, 6-degree zones
    (range(32601, 32661), None),  # WGS 84 / UTM north
)


@dataclass(frozen=True)
class Coordinates:
    """How a person says that a source's numbers are meant; they are read so before anything else is done with them."""

    metres: float = 1.0
    swapped: bool = False
    offset: tuple[float, float] = (0.0, 0.0)
    anywhere: bool = False

    @property
    def change_nothing(self) -> bool:
        return self.metres == 1.0 and not self.swapped and self.offset == (0.0, 0.0)

    def read(self, geometry: NDArray[Any]) -> NDArray[Any]:
        """Return geometries with their numbers read as meant; heights stay as they are."""
        if self.change_nothing:
            return geometry

        def meant(xyz: Floats) -> Floats:
            xy = xyz[:, [1, 0]] if self.swapped else xyz[:, :2]
            return np.column_stack((xy * self.metres + self.offset, xyz[:, 2:]))

        high = shapely.has_z(geometry)
        changed = np.array(geometry, dtype=object)
        for rows, with_z in ((high, True), (~high, False)):
            changed[rows] = shapely.transform(geometry[rows], meant, include_z=with_z)
        return changed


AS_THEY_ARE = Coordinates()


def coordinates_of(mapping: Any) -> Coordinates:
    """Return what a mapping's `options.coordinates` say; a key or value that means nothing is refused."""
    table = (getattr(mapping, "options", None) or {}).get("coordinates", {})
    expected: dict[str, Any] = {
        "unit": list(_UNITS),
        "axes": ["east_north", "north_east"],
        "offset": "[east, north]",
        "anywhere": "true",
    }
    offset: Any = table.get("offset", [0.0, 0.0]) if isinstance(table, dict) else None
    sound = (
        isinstance(table, dict)
        and not set(table) - set(expected)
        and table.get("unit", "m") in _UNITS
        and table.get("axes", "east_north") in expected["axes"]
        and isinstance(table.get("anywhere", False), bool)
        and isinstance(offset, list)
        and len(offset) == 2
        and all(type(one) in (int, float) for one in offset)
    )
    if not sound:
        raise CatalogueError(
            "mapping.invalid",
            path=getattr(mapping, "name", "mapping"),
            key=f"options.coordinates {table}",
            expected=expected,
        )
    return Coordinates(
        _UNITS[table.get("unit", "m")],
        table.get("axes") == "north_east",
        (float(offset[0]), float(offset[1])),
        table.get("anywhere", False),
    )


@dataclass(frozen=True)
class Cause:
    """Why coordinates are wrong: rule of the message, the CRS they would fit, and what else they would be read as."""

    rule: str
    crs: str = ""
    meaning: Coordinates = AS_THEY_ARE

    @property
    def unit(self) -> str:
        return next(name for name, metres in _UNITS.items() if metres == self.meaning.metres)


def causes_of(x: Floats, y: Floats, crs: str, storage_crs: str) -> list[Cause | None]:
    """Return for each place (east, north in `crs`) why it is not in the town's area, None where it is or nothing is likely.

    Likely is what brings the same numbers into the storage CRS's area of use; the likeliest is tried first.
    """
    causes: list[Cause | None] = [None] * len(x)
    left = outside_area(x, y, crs, storage_crs)
    for cause in _hypotheses(crs, storage_crs) if left.any() else ():
        rows = np.flatnonzero(left)
        if not len(rows):
            break
        meaning = cause.meaning
        east, north = (y[rows], x[rows]) if meaning.swapped else (x[rows], y[rows])
        here = _inside(east * meaning.metres, north * meaning.metres, cause.crs, storage_crs)
        for row in rows[here].tolist():
            causes[row] = cause
        left[rows[here]] = False
    return causes


def fit_better(x: Floats, y: Floats, declared: str, given: str, storage_crs: str) -> bool:
    """Say whether most places lie in the town's area in the CRS a person gave, and do not in the one the source declares."""
    wrong = ~_inside(x, y, declared, storage_crs)
    return len(x) > 0 and 2 * int((wrong & _inside(x, y, given, storage_crs)).sum()) > len(x)


def have_no_place(x: Floats, y: Floats, crs: str) -> Mask:
    """Return which coordinates are nowhere on the globe."""
    try:
        lon, lat = transform_xy(x.copy(), y.copy(), crs, CRS84)
    except CrsRefused:
        return np.zeros(len(x), dtype=bool)
    nowhere = ~(np.isfinite(lon) & np.isfinite(lat))
    with np.errstate(invalid="ignore"):
        nowhere |= np.abs(lat) > 90
    return np.asarray(nowhere, dtype=bool)


def _inside(x: Floats, y: Floats, crs: str, storage_crs: str) -> Mask:
    return ~have_no_place(x, y, crs) & ~outside_area(x, y, crs, storage_crs)


def _hypotheses(crs: str, storage_crs: str) -> Iterator[Cause]:
    """Yield what may be wrong, likeliest first."""
    swapped = Coordinates(swapped=True)
    yield Cause("geometry.axes_swapped", crs, swapped)
    zones = list(_other_zones(crs, storage_crs))
    yield from zones
    if is_projected(crs):
        yield Cause("geometry.degrees", "EPSG:4490")
        yield Cause("geometry.axes_swapped", "EPSG:4490", swapped)
        systems = [crs, *(one.crs for one in zones if one.rule == "geometry.zone_prefix")]
        for metres in (0.001, 0.01, 1000.0):
            yield from (Cause("geometry.wrong_unit", one, Coordinates(metres)) for one in systems)
    elif not same_crs(crs, storage_crs):
        yield Cause("geometry.metres", crs_code(storage_crs))
    yield from (Cause("geometry.axes_swapped", one.crs, swapped) for one in zones)


def _other_zones(crs: str, storage_crs: str) -> Iterator[Cause]:
    """Yield the storage CRS and its neighbours, without and with the zone's number, as systems the numbers may be in."""
    storage, source = epsg_of(storage_crs), epsg_of(crs)
    for plain, prefixed in _FAMILIES:
        family = next((one for one in (plain, prefixed) if one is not None and storage in one), None)
        if family is None or storage is None:
            continue
        position = family.index(storage)
        for zone in (position, position + 1, position - 1):
            for system in (prefixed, plain):
                if system is None or not 0 <= zone < len(system) or system[zone] == source:
                    continue
                changed = prefixed is not None and (source in prefixed) != (system is prefixed)
                # What lies beyond the border of its zone fits the neighbour too: only the town's own zone is proof.
                if changed or (zone == position and source in (*(plain or ()), *(prefixed or ()))):
                    rule = "geometry.zone_prefix" if changed else "geometry.wrong_zone"
                    yield Cause(rule, f"EPSG:{system[zone]}")
