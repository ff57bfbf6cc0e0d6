"""Whether coordinates lie where the town can be, and if not, why: the one rule that every reader asks.

A place is right where it lies in the storage CRS's area of use and, once the town holds something, near it. Else the
cause is what would bring the same numbers there: axes swapped, the number of a zone too much or missing, a neighbouring
zone, degrees for metres, another unit; or they are numbers of a local grid. A cause is named, never acted upon.
What a person answers stands in `ingest/coordinates.py`; how causes become findings or a refusal in `ingest/unplaced.py`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.coordinates import AS_THEY_ARE, UNITS, Coordinates
from twin_model.box import Box
from twin_model.crs import (
    CRS84,
    area_of_use,
    crs_code,
    epsg_of,
    is_projected,
    placed_bounds,
    same_crs,
    transform_xy,
)
from twin_model.errors import CrsRefused
from twin_model.local_grid import LocalGrid
from twin_model.store.base import Store

__all__ = [
    "Cause",
    "TownPlace",
    "causes_of",
    "far_from_town",
    "fit_better",
    "fitting_grids",
    "have_no_place",
    "lie_in_town",
    "likely_cause",
    "likely_systems",
    "may_lie_elsewhere",
    "place_of",
]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_MARGIN_DEGREES = 0.1
"""Work may cross the border of a zone by so much; a zone is 3 degrees wide, so that more would hide a wrong zone."""
_NEAR_DEGREES = 0.5
"""What a town gains lies within so much of what it holds; the next zone would put it 3 degrees away."""
_FAR_DEGREES = 1.0
_LOCAL_METRES = 1_000_000.0
"""Coordinates of a local grid are smaller than this; so near to the equator no zone of China is used."""
_OF_ONE_GRID = 100_000.0
"""Metres: a local grid is that of one town, and its control points lie there."""
_LOOKED_AT = 500
_FAMILIES = (
    (range(4534, 4555), range(4513, 4534)),  # CGCS2000, 3-degree zones: without and with the zone's number
    (range(4502, 4513), range(4491, 4502)),  # CGCS2000, 6-degree zones
    (range(32601, 32661), None),  # WGS 84 / UTM north
)
_PLANNING_AREA = "planning_area"
_WORLD: Box = (-180.0, -90.0, 180.0, 90.0)


@dataclass(frozen=True)
class TownPlace:
    """Where a town is: its storage CRS and the box of what it holds, in degrees; None where it holds nothing yet.

    `is_real` is False where a source is only looked at without a town: then numbers of a local grid are warned of.
    `height_datum` is what the town's heights are called, empty where nobody says. `grids` are its local grids.
    """

    crs: str
    box: Box | None = None
    is_real: bool = False
    height_datum: str = ""
    grids: tuple[LocalGrid, ...] = ()


@dataclass(frozen=True)
class Cause:
    """Why coordinates are wrong: rule of the message, the CRS they would fit, and what else they would be read as."""

    rule: str
    crs: str = ""
    meaning: Coordinates = AS_THEY_ARE

    @property
    def unit(self) -> str:
        return next(name for name, metres in UNITS.items() if metres == self.meaning.metres)


def place_of(store: Store, height_datum: str = "") -> TownPlace:
    """Return where a town is: the box of its planning area and of the layers around it.

    A layer that reaches far beyond the others holds misplaced features of an older version: it does not count.
    """
    extents = {
        layer.id: store.summary(layer.id).extent
        for layer in store.catalogue
        if layer.has_geometry and layer.kind == "feature" and layer.id != "finding"
    }
    boxes = {name: placed_bounds(extent, store.crs, CRS84) for name, extent in extents.items() if extent is not None}
    usable = {name: np.array(box) for name, box in boxes.items() if box is not None}
    if not usable:
        return TownPlace(store.crs, is_real=True, height_datum=height_datum)
    middles = {name: (box[:2] + box[2:]) / 2 for name, box in usable.items()}
    middle = middles.get(_PLANNING_AREA, np.median([*middles.values()], axis=0))
    around = np.r_[middle - 1.5 * _FAR_DEGREES, middle + 1.5 * _FAR_DEGREES]
    near = [box for box in usable.values() if (box[:2] >= around[:2]).all() and (box[2:] <= around[2:]).all()]
    if not near:
        return TownPlace(store.crs, is_real=True, height_datum=height_datum)
    west, south = np.min(near, axis=0)[:2].tolist()
    east, north = np.max(near, axis=0)[2:].tolist()
    return TownPlace(store.crs, (west, south, east, north), is_real=True, height_datum=height_datum)


def causes_of(x: Floats, y: Floats, crs: str, town: TownPlace) -> list[Cause | None]:
    """Return for each place (east, north in `crs`) why it is not in the town, None where it is or nothing is likely.

    Likely is what brings the same numbers to what the town holds, else into the storage CRS's area of use; the
    likeliest is tried first.
    """
    causes: list[Cause | None] = [None] * len(x)
    finite = np.isfinite(x) & np.isfinite(y)
    outside = finite & ~_inside(x, y, crs, _allowed(town.crs))
    if town.box is not None:
        near = _inside(x, y, crs, _grown(town.box, _NEAR_DEGREES))
        _try(causes, finite & ~near, (x, y), crs, TownPlace(town.crs, town.box))
    _try(causes, outside, (x, y), crs, TownPlace(town.crs))
    # Beyond the border of its zone a place is as likely one of the neighbour's: a person decides.
    beyond = outside & ~_inside(x, y, crs, _grown(_allowed(town.crs) or _WORLD, _MARGIN_DEGREES))
    _try(causes, beyond, (x, y), crs, TownPlace(town.crs), neighbours=True)
    left = outside & np.array([cause is None for cause in causes], dtype=bool)
    for row in np.flatnonzero(left & _look_local(x, y, crs, town)).tolist():
        causes[row] = Cause("geometry.local_grid", crs_code(town.crs))
    return causes


def _try(
    causes: list[Cause | None],
    left: Mask,
    xy: tuple[Floats, Floats],
    crs: str,
    town: TownPlace,
    *,
    neighbours: bool = False,
) -> None:
    """Write into `causes` what explains the places that are left; a cause that explains none of a sample is passed."""
    area = _areas(town)[0]
    left = left & np.array([cause is None for cause in causes], dtype=bool)
    hypotheses = _other_zones(crs, town, neighbours=True) if neighbours else _hypotheses(crs, town)
    for cause in hypotheses if left.any() and area is not None else ():
        rows = np.flatnonzero(left)
        if not len(rows):
            return
        sample = rows[:: max(1, len(rows) // _LOOKED_AT)]
        if not _meant(xy, sample, cause, area).any():
            continue
        explained = rows[_meant(xy, rows, cause, area)]
        for row in explained.tolist():
            causes[row] = cause
        left[explained] = False


def _meant(xy: tuple[Floats, Floats], rows: NDArray[np.intp], cause: Cause, area: Box | None) -> Mask:
    x, y = xy[0][rows], xy[1][rows]
    east, north = (y, x) if cause.meaning.swapped else (x, y)
    return _inside(east * cause.meaning.metres, north * cause.meaning.metres, cause.crs, area)


def fit_better(x: Floats, y: Floats, declared: str, given: str, town: TownPlace) -> bool:
    """Say whether most places lie in the town's area in the CRS a person gave, and do not in the one the source declares."""
    better = (~_inside(x, y, declared, area) & _inside(x, y, given, area) for area in _areas(town))
    return len(x) > 0 and any(2 * int(rows.sum()) > len(x) for rows in better)


def likely_systems(x: Floats, y: Floats, town: TownPlace) -> list[str]:
    """Return the systems in which most places lie in the town, the likeliest first; for a source that states none."""
    if not len(x):
        return []
    zones = [cause.crs for cause in _other_zones(crs_code(town.crs), town, neighbours=True)]
    systems = dict.fromkeys((crs_code(town.crs), *zones, "EPSG:4490"))
    fitting = (
        [system for system in systems if 2 * int(_inside(x, y, system, area).sum()) > len(x)] for area in _areas(town)
    )
    return next(filter(None, fitting), [])


def fitting_grids(x: Floats, y: Floats, town: TownPlace) -> list[str]:
    """Return the names of the town's local grids in which most places lie in the town, near what the grid was fitted to."""
    names = []
    for grid in town.grids if len(x) else ():
        near = np.ones(len(x), dtype=bool)
        if grid.model != "bursa":  # whose origin is geocentric
            near = np.hypot(x - grid.origin[0], y - grid.origin[1]) < _OF_ONE_GRID
        east, north = grid.to_target(x, y)
        if 2 * int((near & lie_in_town(east, north, grid.target_crs, town)).sum()) > len(x):
            names.append(grid.name)
    return names


def likely_cause(x: Floats, y: Floats, town: TownPlace) -> Cause | None:
    """Return why most places are not in the town in its own system, None where they are or nothing is likely."""
    counts = Counter(causes_of(x, y, crs_code(town.crs), town))
    cause, count = counts.most_common(1)[0] if counts else (None, 0)
    return cause if 2 * count > len(x) else None


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


def may_lie_elsewhere(bounds: Floats, crs: str, town: TownPlace) -> bool:
    """Say whether anything in a box may lie outside the town; of most sources nothing does."""
    x, y = bounds[[0, 2, 0, 2]], bounds[[1, 3, 3, 1]]
    return bool(
        (
            ~_inside(x, y, crs, _areas(town)[0]) | ~_inside(x, y, crs, _allowed(town.crs)) | have_no_place(x, y, crs)
        ).any()
    )


def lie_in_town(x: Floats, y: Floats, crs: str, town: TownPlace) -> Mask:
    """Return which places lie in the storage CRS's area of use and, once the town holds something, near it."""
    inside = _inside(x, y, crs, _allowed(town.crs))
    return inside if town.box is None else inside & _inside(x, y, crs, _grown(town.box, _NEAR_DEGREES))


def far_from_town(x: Floats, y: Floats, crs: str, town: TownPlace) -> Mask:
    """Return which places are stored though they lie outside the area of use, or far from all that the town holds."""
    area = _allowed(town.crs)
    far = ~_inside(x, y, crs, area and _grown(area, _FAR_DEGREES - _MARGIN_DEGREES))
    if town.box is not None:
        far |= ~_inside(x, y, crs, _grown(town.box, _FAR_DEGREES))
    return np.asarray(far & np.isfinite(x) & np.isfinite(y), dtype=bool)


def _areas(town: TownPlace) -> list[Box | None]:
    """Return the boxes of degrees in which sources are expected: near what the town holds, then the CRS's area of use."""
    near = [] if town.box is None else [_grown(town.box, _NEAR_DEGREES)]
    return [*near, _allowed(town.crs)]


def _allowed(storage_crs: str) -> Box | None:
    area = area_of_use(storage_crs)
    return None if area is None else _grown(area, _MARGIN_DEGREES)


def _grown(box: Box, degrees: float) -> Box:
    return box[0] - degrees, box[1] - degrees, box[2] + degrees, box[3] + degrees


def _inside(x: Floats, y: Floats, crs: str, area: Box | None) -> Mask:
    """Return which places lie in a box of degrees; all do where nobody knows the box or the way to it."""
    try:
        lon, lat = transform_xy(x.copy(), y.copy(), crs, CRS84)
    except CrsRefused:
        return np.ones(len(x), dtype=bool)
    if area is None:
        return np.asarray(np.isfinite(lon) & np.isfinite(lat))
    west, south, east, north = area
    with np.errstate(invalid="ignore"):
        return np.asarray((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north))


def _look_local(x: Floats, y: Floats, crs: str, town: TownPlace) -> Mask:
    """Return which places are too near to the origin of their projected system to be coordinates of it in this town."""
    area = _allowed(town.crs)
    if not town.is_real or not is_projected(crs) or area is None or (area[1] < 10.0 and area[3] > -10.0):
        return np.zeros(len(x), dtype=bool)
    return np.asarray((np.abs(x) < _LOCAL_METRES) & (np.abs(y) < _LOCAL_METRES))


def _hypotheses(crs: str, town: TownPlace) -> Iterator[Cause]:
    """Yield what may be wrong, likeliest first."""
    swapped = Coordinates(swapped=True)
    yield Cause("geometry.axes_swapped", crs, swapped)
    zones = list(_other_zones(crs, town))
    yield from zones
    if is_projected(crs):
        yield Cause("geometry.degrees", "EPSG:4490")
        yield Cause("geometry.axes_swapped", "EPSG:4490", swapped)
        systems = [crs, *(cause.crs for cause in zones if cause.rule == "geometry.zone_prefix")]
        for metres in (0.001, 0.01, 1000.0):
            yield from (Cause("geometry.wrong_unit", system, Coordinates(metres)) for system in systems)
    elif not same_crs(crs, town.crs):
        yield Cause("geometry.metres", crs_code(town.crs))
    yield from (Cause("geometry.axes_swapped", cause.crs, swapped) for cause in zones)


def _other_zones(crs: str, town: TownPlace, *, neighbours: bool = False) -> Iterator[Cause]:
    """Yield the storage CRS and its neighbours, without and with the zone's number, as systems the numbers may be in.

    What lies beyond the border of its zone, as work may, lies as far beyond it by the neighbour: unless the town's box
    decides, or `neighbours` are asked for, only the town's own zone is proof.
    """
    storage, source = epsg_of(town.crs), epsg_of(crs)
    for plain, prefixed in _FAMILIES:
        family = next((codes for codes in (plain, prefixed) if codes is not None and storage in codes), None)
        if family is None or storage is None:
            continue
        position = family.index(storage)
        related = source in (*(plain or ()), *(prefixed or ()))
        for zone in (position, position + 1, position - 1):
            for system in (prefixed, plain):
                if system is None or not 0 <= zone < len(system) or system[zone] == source:
                    continue
                changed = prefixed is not None and (source in prefixed) != (system is prefixed)
                if changed or ((neighbours or zone == position or town.box is not None) and related):
                    yield Cause(_zone_rule(crs, changed=changed), f"EPSG:{system[zone]}")


def _zone_rule(crs: str, *, changed: bool) -> str:
    if not is_projected(crs):
        return "geometry.metres"
    return "geometry.zone_prefix" if changed else "geometry.wrong_zone"
