"""Where a model stands in the town: one matrix from model metres to the storage CRS, or none, and what contradicts it.

Model metres = the project's coordinates times its length unit, as the geometry kernel gives them. The map conversion
is the Helmert formula of ISO 16739-1 (IfcMapConversion): map = (E, N, H) + scale x rotation x model. A CRS that is not
the storage CRS is brought over by an affine fit at the model (central differences over 200 m): true to the second
order, i.e. below 1 mm within 500 m and about 30 mm at 3 km of the model's first element for Gauss-Kruger and UTM.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.coordinates import AS_THEY_ARE, Coordinates
from ingest.draft import ReadOptions
from ingest.ifc.georeference import Conversion, Georeference
from ingest.place import TownPlace, likely_systems
from twin_model.crs import (
    area_of_use,
    crs_code,
    is_projected,
    lonlat_of,
    same_crs,
    transform_xy,
    well_known_text,
)
from twin_model.errors import CalledWrongly, CrsRefused
from twin_model.finding import Finding
from twin_model.local_grid import LOCAL

__all__ = ["Placement", "place"]

Float64 = NDArray[np.float64]

_FAR = 1_000.0
_MAP_SIZED = 10_000.0
_SITE_TOLERANCE = 10_000.0
_DEGREE_MARGIN = 1.0
_STEP = 100.0
_LIKELY_SCALE = (0.98, 1.02)
_METRES_PER_DEGREE = 111_320.0
_UNIT = re.compile(r'UNIT\["[^"]*",\s*([0-9.eE+-]+)')


@dataclass(frozen=True)
class Placement:
    """How a model is placed (a code of the catalogue), its matrix (None where unplaced) and findings about it."""

    kind: str
    matrix: Float64 | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _MapSystem:
    """The system of a model's map coordinates: a CRS, and how a person says that numbers of it are meant."""

    crs: str
    coordinates: Coordinates

    def inside(self, x: float, y: float) -> bool:
        """Say whether x, y lie in the CRS's area of use, widened by a degree."""
        (east,), (north,) = self.coordinates.read_xy(np.array([x]), np.array([y]))
        return _inside(self.crs, float(east), float(north), margin=_DEGREE_MARGIN)

    def to_storage(self, x: Float64, y: Float64, storage_crs: str) -> tuple[Float64, Float64]:
        return transform_xy(*self.coordinates.read_xy(x, y), self.crs, storage_crs)


def place(
    reference: Georeference,
    options: ReadOptions,
    storage_crs: str,
    at: Float64,
    coordinates: Coordinates = AS_THEY_ARE,
) -> Placement:
    """Return the placement of a model; `at` is a point of it in model metres, where fits are made and checked.

    Map coordinates are read as `coordinates` say they are meant; where they say something, they are in the CRS that the
    caller names, whatever the model states. A local grid places a model without conversion only where its own coordinates
    lie more than a kilometre from their origin: nearer, they are a drawing's.

    In this order: `placement` of the mapping ({east, north, height, rotation} in degrees counter-clockwise), the
    model's map conversion, coordinates that already are those of the CRS the caller names. Else "none".
    """
    given = dict(getattr(options.mapping, "options", None) or {}).get("placement")
    named = options.crs or getattr(options.mapping, "crs", None)
    if given is not None:
        return _by_hand(given, _MapSystem(named or storage_crs, coordinates), storage_crs, at)
    findings = _contradictions(reference, at)
    wins = options.crs_wins or not coordinates.change_nothing
    try:
        placement = _own_place(reference, named, storage_crs, at, coordinates, wins=wins)
    except CrsRefused as error:
        placement = Placement("none", None, (Finding("ifc.crs_refused", "warning", values={"cause": error}),))
    if placement.matrix is not None:
        findings += _far_from_site(reference, placement.matrix, storage_crs, at)
    return Placement(placement.kind, placement.matrix, (*findings, *placement.findings))


def _own_place(
    reference: Georeference,
    named: str | None,
    storage_crs: str,
    at: Float64,
    coordinates: Coordinates,
    *,
    wins: bool,
) -> Placement:
    if reference.conversions:
        return _by_conversion(reference, named, storage_crs, at, coordinates, wins=wins)
    if named and is_projected(named):
        system = _MapSystem(named, coordinates)
        is_drawing = coordinates.grid is not None and math.hypot(*at[:2]) < _FAR
        if not is_drawing and system.inside(at[0], at[1]):
            return Placement("mapping", _to_storage(np.eye(4), system, storage_crs, at))
    return Placement("none", None, (Finding("ifc.no_placement", "warning", values={"level": reference.level}),))


def _by_hand(given: Mapping[str, Any], system: _MapSystem, storage_crs: str, at: Float64) -> Placement:
    try:
        east, north = float(given["east"]), float(given["north"])
        height, rotation = float(given.get("height", 0.0)), float(given.get("rotation", 0.0))
    except (KeyError, TypeError, ValueError) as error:
        raise CalledWrongly(
            "ifc.placement_option", given=dict(given), expected="east, north, height, rotation"
        ) from error
    turn = math.radians(rotation)
    matrix = _helmert((east, north, height), (math.cos(turn), math.sin(turn)), np.ones(3))
    return Placement("mapping", _to_storage(matrix, system, storage_crs, at))


def _by_conversion(
    reference: Georeference,
    named: str | None,
    storage_crs: str,
    at: Float64,
    coordinates: Coordinates,
    *,
    wins: bool,
) -> Placement:
    conversion = reference.conversions[0]
    findings = _differing(reference.conversions)
    stated = _known_crs(conversion.crs) or _known_crs(conversion.well_known_text)
    given = crs_code(named) if named else None
    crs = given if wins and given else stated or given
    if stated and given and (coordinates.grid is not None or not same_crs(stated, given)):
        grid = coordinates.grid
        values = {"source": "IFC", "found": stated, "given": given if grid is None else f"{LOCAL}{grid.name}"}
        findings.append(Finding("vector.crs_won" if wins else "vector.crs_kept", "warning", values=values))
    if crs is None or not is_projected(crs):
        return Placement(
            "none",
            None,
            (*findings, Finding("ifc.crs_unknown", "warning", values={"crs": conversion.crs or "-"})),
        )
    system = _MapSystem(crs, coordinates)
    if conversion.is_identity:
        return _by_identity(reference, system, storage_crs, at, findings)
    twice = _twice(conversion, reference, system, at)
    if twice is not None:
        return Placement("none", None, (*findings, twice))
    unit, unit_findings = _map_unit(conversion, reference, system, at)
    if unit is None:
        return Placement("none", None, (*findings, _outside(conversion, reference, crs, storage_crs)))
    factors, scale_findings = _factors(conversion, reference.unit, unit)
    origin = (conversion.east * unit, conversion.north * unit, conversion.height * unit)
    matrix = _helmert(origin, conversion.x_axis, factors) @ np.linalg.inv(reference.context)
    return Placement(
        "map_conversion",
        _to_storage(matrix, system, storage_crs, at),
        (*findings, *unit_findings, *scale_findings),
    )


def _twice(conversion: Conversion, reference: Georeference, system: _MapSystem, at: Float64) -> Finding | None:
    """Return a finding where the model's own coordinates lie in the CRS already, so that the conversion adds it again.

    Which of the two is meant, nobody can tell from the model: it is stored unplaced and both readings are named.
    """
    axis = _axis_unit(system.crs)
    own = at[:2] / axis
    if math.hypot(*at[:2]) < _MAP_SIZED or not system.inside(float(own[0]), float(own[1])):
        return None
    unit = conversion.map_unit if conversion.map_unit is not None else reference.unit
    moved = (np.array([conversion.east, conversion.north]) * unit + _turned(conversion.x_axis, at)) / axis
    values = {"east": conversion.east, "north": conversion.north, "crs": system.crs}
    values |= {"own_east": round(float(own[0]), 3), "own_north": round(float(own[1]), 3)}
    values |= {"both_east": round(float(moved[0]), 3), "both_north": round(float(moved[1]), 3)}
    return Finding("ifc.georeferenced_twice", "warning", values=values)


def _by_identity(
    reference: Georeference, system: _MapSystem, storage_crs: str, at: Float64, findings: list[Finding]
) -> Placement:
    """A conversion by (0, 0) places only a model whose own coordinates are those of the CRS."""
    if math.hypot(at[0], at[1]) > _MAP_SIZED and system.inside(at[0], at[1]):
        return Placement("map_conversion", _to_storage(np.eye(4), system, storage_crs, at), tuple(findings))
    finding = Finding("ifc.identity_conversion", "warning", values={"crs": system.crs, "level": reference.level})
    return Placement("none", None, (*findings, finding))


def _known_crs(name: str) -> str | None:
    """Return the code of a CRS by EPSG code, bare number, name or well-known text; None where it is not known."""
    for candidate in (name, f"EPSG:{name}" if name.isdigit() else "", name.replace("_", " ")):
        if candidate:
            try:
                return crs_code(candidate)
            except CrsRefused:
                continue
    return None


def _map_unit(
    conversion: Conversion, reference: Georeference, system: _MapSystem, at: Float64
) -> tuple[float | None, list[Finding]]:
    """Return metres per unit of E and N: as named, else the project's; where that falls outside the CRS, what fits.

    Files with millimetres and a map unit of metres (or the reverse) are common: the CRS's area of use decides. None where
    no unit brings the model into it.
    """
    map_unit = conversion.map_unit if conversion.map_unit is not None else reference.unit
    candidates = dict.fromkeys((map_unit, _axis_unit(system.crs), reference.unit, 1.0))
    for unit in candidates:
        x, y = (np.array([conversion.east, conversion.north]) * unit + _turned(conversion.x_axis, at)) / _axis_unit(
            system.crs
        )
        if system.inside(float(x), float(y)):
            values = {
                "said": map_unit,
                "used": unit,
                "east": conversion.east,
                "north": conversion.north,
                "crs": system.crs,
            }
            return unit, [] if unit == map_unit else [Finding("ifc.map_unit", "warning", values=values)]
    return None, []


def _outside(conversion: Conversion, reference: Georeference, crs: str, storage_crs: str) -> Finding:
    """Return the finding of a conversion that leads out of its system, with the system that its numbers fit."""
    unit = conversion.map_unit if conversion.map_unit is not None else reference.unit
    east, north = np.array([conversion.east * unit]), np.array([conversion.north * unit])
    likely = likely_systems(east, north, TownPlace(storage_crs))
    values = {"east": conversion.east, "north": conversion.north, "crs": crs}
    if likely:
        return Finding("ifc.conversion_elsewhere", "warning", values=values | {"likely": likely[0]})
    return Finding("ifc.conversion_outside", "warning", values=values)


def _turned(x_axis: tuple[float, float], at: Float64) -> Float64:
    length = math.hypot(*x_axis)
    cos, sin = x_axis[0] / length, x_axis[1] / length
    return np.array([cos * at[0] - sin * at[1], sin * at[0] + cos * at[1]])


def _factors(conversion: Conversion, project_unit: float, map_unit: float) -> tuple[Float64, list[Finding]]:
    """Return the factors from model metres to map metres, near one, by the formula or by what was meant.

    By the formula scale also converts units (0.001 from mm to m); many files write the bare grid scale, or 1.
    """
    scale = conversion.scale if conversion.scale else 1.0
    by_formula = scale * map_unit / project_unit
    as_said = scale * (conversion.map_unit if conversion.map_unit is not None else project_unit) / project_unit
    factors = np.array(conversion.factors)
    for factor in (by_formula, as_said, scale):
        if _LIKELY_SCALE[0] <= factor <= _LIKELY_SCALE[1]:
            meant = factor in {by_formula, as_said}
            values = {"scale": conversion.scale, "by_formula": by_formula, "used": factor}
            return factors * factor, [] if meant else [Finding("ifc.scale_units", "warning", values=values)]
    values = {"scale": conversion.scale, "by_formula": by_formula, "used": 1.0}
    return factors, [Finding("ifc.scale_unlikely", "warning", values=values)]


def _helmert(origin: tuple[float, float, float], x_axis: tuple[float, float], factors: Float64) -> Float64:
    length = math.hypot(*x_axis)
    cos, sin = x_axis[0] / length, x_axis[1] / length
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]) * factors
    matrix[:3, 3] = origin
    return matrix


def _axis_unit(crs: str) -> float:
    """Return metres per unit of a projected system's axes (US feet are not metres)."""
    units = _UNIT.findall(well_known_text(crs))
    return float(units[1]) if len(units) > 1 else 1.0


def _to_storage(matrix: Float64, system: _MapSystem, storage_crs: str, at: Float64) -> Float64:
    """Return the matrix that leads on to the storage CRS: `matrix` gives metres of `system`; the fit is made at `at`."""
    unit = _axis_unit(system.crs)
    if same_crs(system.crs, storage_crs) and unit == 1.0 and system.coordinates.change_nothing:
        return matrix
    x, y = ((matrix @ np.append(at, 1.0))[:2]) / unit
    step = _STEP / unit
    xs, ys = np.array([x, x + step, x - step, x, x]), np.array([y, y, y, y + step, y - step])
    east, north = system.to_storage(xs, ys, storage_crs)
    if not (np.isfinite(east).all() and np.isfinite(north).all()):
        raise CrsRefused("crs.outside", bounds=(float(x), float(y)), source=system.crs, target=storage_crs)
    jacobian = np.array([[east[1] - east[2], east[3] - east[4]], [north[1] - north[2], north[3] - north[4]]]) / (
        2 * _STEP
    )
    onward = np.eye(4)
    onward[:2, :2] = jacobian
    onward[:2, 3] = np.array([east[0], north[0]]) - jacobian @ (np.array([x, y]) * unit)
    return np.asarray(onward @ matrix)


def _inside(crs: str, x: float, y: float, *, margin: float) -> bool:
    """Say whether x, y of a projected system lie in its area of use, widened by `margin` degrees."""
    lon, lat = (float(degrees[0]) for degrees in lonlat_of(crs)(np.array([x]), np.array([y])))
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return False
    area = area_of_use(crs)
    if area is None:
        return True
    west, south, east, north = area
    return west - margin <= lon <= east + margin and south - margin <= lat <= north + margin


def _differing(conversions: tuple[Conversion, ...]) -> list[Finding]:
    """Return a finding where a model's conversions (one per context) do not say the same."""
    if len(set(conversions)) < 2:
        return []
    shown = [
        f"{conversion.east:g} {conversion.north:g} {conversion.height:g}" for conversion in dict.fromkeys(conversions)
    ]
    return [Finding("ifc.conversions_differ", "warning", values={"count": len(set(conversions)), "conversions": shown})]


def _contradictions(reference: Georeference, at: Float64) -> list[Finding]:
    findings = []
    if not reference.unit_named:
        findings.append(Finding("ifc.units_missing", "warning"))
    if reference.mixed_signs:
        values = {"latitude": reference.latitude, "longitude": reference.longitude}
        findings.append(Finding("ifc.degree_signs", "warning", values=values))
    offset = max(math.hypot(*reference.site[:2]), math.hypot(at[0], at[1]))
    if reference.conversions and not reference.conversions[0].is_identity and _FAR < offset < _MAP_SIZED:
        conversion = reference.conversions[0]
        values = {"offset": round(offset, 1), "east": conversion.east, "north": conversion.north}
        findings.append(Finding("ifc.double_offset", "warning", values=values))
    return findings


def _far_from_site(reference: Georeference, matrix: Float64, storage_crs: str, at: Float64) -> list[Finding]:
    """Return a finding where the site's latitude and longitude lie far from where the model is placed."""
    if reference.latitude is None or reference.longitude is None:
        return []
    placed = matrix @ np.append(at, 1.0)
    lon, lat = (float(degrees[0]) for degrees in lonlat_of(storage_crs)(placed[:1], placed[1:2]))
    distance = _distance(lon, lat, reference.longitude, reference.latitude)
    if not distance > _SITE_TOLERANCE:
        return []
    flipped = min(
        _distance(lon, lat, a * reference.longitude, b * reference.latitude) for a in (1, -1) for b in (1, -1)
    )
    rule = "ifc.site_sign" if flipped <= _SITE_TOLERANCE else "ifc.site_far"
    values = {
        "km": round(distance / 1000),
        "latitude": round(reference.latitude, 5),
        "longitude": round(reference.longitude, 5),
        "placed_latitude": round(lat, 5),
        "placed_longitude": round(lon, 5),
    }
    return [Finding(rule, "warning", point=(float(placed[0]), float(placed[1])), values=values)]


def _distance(lon_a: float, lat_a: float, lon_b: float, lat_b: float) -> float:
    """Return metres between two places, to a percent: enough to tell towns apart."""
    east = (lon_a - lon_b) * math.cos(math.radians((lat_a + lat_b) / 2))
    return math.hypot(east, lat_a - lat_b) * _METRES_PER_DEGREE
