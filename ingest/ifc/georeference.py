"""What a model says about where it stands: units, map conversion, context, site. Read, not yet judged.

`ingest/ifc/placement.py` judges it. Levels of georeferencing (LoGeoRef 10-50) after Clemen and Goerne (2019), "Level of
Georeferencing (LoGeoRef) using IFC for BIM": 10 address, 20 latitude and longitude of the site, 30 placement of the
site, 40 context (world coordinate system, true north), 50 map conversion with a projected CRS.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import ifcopenshell.util.placement
import ifcopenshell.util.unit
import numpy as np
from numpy.typing import NDArray

from ingest.ifc.attribute import attribute
from ingest.ifc.losses import Losses

__all__ = ["Conversion", "Georeference", "georeference_of"]

Float64 = NDArray[np.float64]
Value = TypeVar("Value")

_MICRO = 1e6
_FLAT = 1e-9
_NAMED_UNITS = {
    "METRE": 1.0,
    "METER": 1.0,
    "MILLIMETRE": 1e-3,
    "MILLIMETER": 1e-3,
    "FOOT": 0.3048,
    "US SURVEY FOOT": 1200 / 3937,
}
_EPSET_CONVERSION, _EPSET_CRS = "epset_mapconversion", "epset_projectedcrs"


@dataclass(frozen=True)
class Conversion:
    """A map conversion as it is written: numbers in its own units, `map_unit` in metres where the CRS names one."""

    kind: str
    east: float
    north: float
    height: float
    x_axis: tuple[float, float] = (1.0, 0.0)
    scale: float | None = None
    factors: tuple[float, float, float] = (1.0, 1.0, 1.0)
    crs: str = ""
    well_known_text: str = ""
    map_unit: float | None = None

    @property
    def is_identity(self) -> bool:
        return self.east == 0.0 and self.north == 0.0


@dataclass(frozen=True)
class Georeference:
    """Everything a model says about its place; lengths in metres, angles in degrees.

    `unit` is metres per project unit, `unit_named` False where the project names none and metres are assumed.
    """

    unit: float
    unit_named: bool
    conversions: tuple[Conversion, ...]
    context: Float64
    true_north: tuple[float, float] | None
    site: tuple[float, float, float]
    latitude: float | None
    longitude: float | None
    mixed_signs: bool
    has_address: bool

    @property
    def level(self) -> str:
        """Return the highest LoGeoRef reached, "0" where none is."""
        turned = self.true_north is not None and abs(self.true_north[0]) > 1e-9
        reached = {
            "50": bool(self.conversions),
            "40": turned or not np.allclose(self.context, np.eye(4)),
            "30": any(abs(coordinate) > 0 for coordinate in self.site),
            "20": self.latitude is not None,
            "10": self.has_address,
        }
        return next((level for level, there in reached.items() if there), "0")


def georeference_of(model: Any, project: Any, losses: Losses) -> Georeference:
    """Return what the model says about its place; a missing entry is None, nothing is guessed here.

    An entry that cannot be read counts as missing and is noted in `losses`.
    """

    def read(instance: Any, read_part: Callable[[], Value], missing: Value) -> Value:
        return losses.attempt("ifc.place_lost", instance, read_part, missing)

    unit, named = read(project, lambda: _project_unit(model, project), (1.0, False))
    sites = model.by_type("IfcSite")
    site = sites[0] if sites else None
    angle: tuple[float | None, bool] = (None, False)
    nothing: tuple[Float64, tuple[float, float] | None] = (np.eye(4), None)
    latitude, mixed_a = read(site, lambda: _angle(site.RefLatitude if site else None), angle)
    longitude, mixed_b = read(site, lambda: _angle(site.RefLongitude if site else None), angle)
    context, north = read(_model_context(model), lambda: _context(model, unit), nothing)
    return Georeference(
        unit=unit,
        unit_named=named,
        conversions=_conversions(model, project, losses),
        context=context,
        true_north=north,
        site=read(site, lambda: _site_position(site, unit), (0.0, 0.0, 0.0)),
        latitude=latitude,
        longitude=longitude,
        mixed_signs=mixed_a or mixed_b,
        has_address=read(site, lambda: _has_address(model, sites), False),
    )


def _project_unit(model: Any, project: Any) -> tuple[float, bool]:
    """Return metres per project length unit, and whether the project names it."""
    units = project.UnitsInContext.Units if project.UnitsInContext else ()
    lengths = [unit for unit in units if attribute(unit, "UnitType") == "LENGTHUNIT"]
    if not lengths:
        return 1.0, False
    return _metres(lengths[0]) or 1.0, True


def _metres(unit: Any) -> float | None:
    """Return metres per unit of an SI or conversion-based length unit, None where it is neither."""
    factor = 1.0
    while unit is not None and unit.is_a("IfcConversionBasedUnit"):
        factor *= float(unit.ConversionFactor.ValueComponent.wrappedValue)
        unit = unit.ConversionFactor.UnitComponent
    if unit is None or not unit.is_a("IfcSIUnit") or unit.UnitType != "LENGTHUNIT":
        return None
    return factor * float(ifcopenshell.util.unit.get_prefix_multiplier(unit.Prefix))


def _angle(parts: tuple[int, ...] | None) -> tuple[float | None, bool]:
    """Return the degrees of an IfcCompoundPlaneAngleMeasure, and whether its parts disagree in sign."""
    if not parts:
        return None, False
    padded = (*parts, 0, 0, 0)[:4]
    size = abs(padded[0]) + abs(padded[1]) / 60 + (abs(padded[2]) + abs(padded[3]) / _MICRO) / 3600
    signs = {part > 0 for part in padded if part}
    first = next((part for part in padded if part), 0)
    return (-size if first < 0 else size), len(signs) > 1


def _context(model: Any, unit: float) -> tuple[Float64, tuple[float, float] | None]:
    """Return the world coordinate system of the 3D context as a matrix in metres, and its true north."""
    context = _model_context(model)
    if context is None:
        return np.eye(4), None
    system, north = context.WorldCoordinateSystem, context.TrueNorth
    matrix = np.array(ifcopenshell.util.placement.get_axis2placement(system), dtype=np.float64) if system else np.eye(4)
    matrix[:3, 3] *= unit
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < _FLAT:
        raise ValueError("the world coordinate system is no rigid motion")
    ratios = north.DirectionRatios if north else None
    return matrix, (float(ratios[0]), float(ratios[1])) if ratios else None


def _model_context(model: Any) -> Any:
    contexts = model.by_type("IfcGeometricRepresentationContext", include_subtypes=False)
    return next((context for context in contexts if context.ContextType == "Model"), contexts[0] if contexts else None)


def _site_position(site: Any, unit: float) -> tuple[float, float, float]:
    if site is None or site.ObjectPlacement is None:
        return 0.0, 0.0, 0.0
    x, y, z = (
        np.array(ifcopenshell.util.placement.get_local_placement(site.ObjectPlacement), dtype=np.float64)[:3, 3] * unit
    )
    return float(x), float(y), float(z)


def _has_address(model: Any, sites: list[Any]) -> bool:
    holders = [place.SiteAddress for place in sites] + [place.BuildingAddress for place in model.by_type("IfcBuilding")]
    return any(
        address is not None and (address.AddressLines or address.Town or address.PostalCode) for address in holders
    )


def _conversions(model: Any, project: Any, losses: Losses) -> tuple[Conversion, ...]:
    if model.schema == "IFC2X3":
        holders = (*model.by_type("IfcSite"), project)
        read = partial(_from_property_sets, project, model.by_type("IfcSite"))
        return losses.attempt("ifc.place_lost", holders[0], read, ())
    operations = model.by_type("IfcCoordinateOperation")
    read_operations = [
        losses.attempt("ifc.place_lost", operation, partial(_from_operation, operation, losses), None)
        for operation in operations
    ]
    return tuple(conversion for conversion in read_operations if conversion is not None)


def _from_operation(operation: Any, losses: Losses) -> Conversion | None:
    """Return the conversion of an IfcMapConversion (scaled or not) or IfcRigidOperation; of angles, None."""
    target = operation.TargetCRS
    crs, well_known_text = _crs_words(target)
    unit = _metres(attribute(target, "MapUnit") if target is not None else None)
    if operation.is_a("IfcRigidOperation"):
        return _from_rigid(operation, losses, crs, well_known_text, unit)
    factors = (
        (operation.FactorX, operation.FactorY, operation.FactorZ)
        if operation.is_a("IfcMapConversionScaled")
        else (1.0, 1.0, 1.0)
    )
    conversion = Conversion(
        operation.is_a(),
        float(operation.Eastings or 0.0),
        float(operation.Northings or 0.0),
        float(operation.OrthogonalHeight or 0.0),
        x_axis=_x_axis(operation.XAxisAbscissa, operation.XAxisOrdinate),
        scale=None if operation.Scale is None else float(operation.Scale),
        factors=(float(factors[0]), float(factors[1]), float(factors[2])),
        crs=crs,
        well_known_text=well_known_text,
        map_unit=unit,
    )
    return _finite(conversion)


def _from_rigid(
    operation: Any, losses: Losses, crs: str, well_known_text: str, unit: float | None
) -> Conversion | None:
    """Return the conversion of an IfcRigidOperation by lengths; a bare number is a length, as its CRS is a projected one."""
    pair = (operation.FirstCoordinate, operation.SecondCoordinate)
    if any(isinstance(value, int | float) for value in pair) and operation.TargetCRS.is_a("IfcProjectedCRS"):
        losses.add("ifc.bare_number", operation)
    elif not operation.FirstCoordinate.is_a("IfcLengthMeasure"):
        losses.add("ifc.geographic_place", operation)
        return None
    first, second = (float(value if isinstance(value, int | float) else value.wrappedValue) for value in pair)
    height = float(operation.Height or 0.0)
    conversion = Conversion(
        operation.is_a(), first, second, height, crs=crs, well_known_text=well_known_text, map_unit=unit
    )
    return _finite(conversion)


def _finite(conversion: Conversion) -> Conversion:
    """Return a conversion of which every number is one; ValueError for NaN and infinity."""
    numbers = (conversion.east, conversion.north, conversion.height, *conversion.x_axis, *conversion.factors,
               conversion.scale or 0.0)  # fmt: skip
    if not np.isfinite(numbers).all():
        raise ValueError("a number of the conversion is none")
    return conversion


def _x_axis(abscissa: float | None, ordinate: float | None) -> tuple[float, float]:
    x, y = float(abscissa or 0.0), float(ordinate or 0.0)
    return (x, y) if x or y else (1.0, 0.0)


def _crs_words(target: Any) -> tuple[str, str]:
    """Return the name of a CRS and the well-known text attached to it (IFC4X3), "" for what it lacks."""
    if target is None:
        return "", ""
    texts = [str(text.WellKnownText) for text in attribute(target, "WellKnownText") or ()]
    return str(target.Name or "").strip(), (texts[0] if texts else "")


def _from_property_sets(project: Any, sites: list[Any]) -> tuple[Conversion, ...]:
    """Return the conversion that IFC2X3 files keep in property sets of the site or project (buildingSMART's guide)."""
    for holder in (*sites, project):
        sets = _property_sets(holder)
        values = sets.get(_EPSET_CONVERSION)
        if values:
            crs = sets.get(_EPSET_CRS, {})
            unit = _NAMED_UNITS.get(str(crs.get("mapunit", "")).strip().upper())
            return (
                Conversion(
                    "ePset_MapConversion",
                    _number(values.get("eastings")),
                    _number(values.get("northings")),
                    _number(values.get("orthogonalheight")),
                    x_axis=_x_axis(values.get("xaxisabscissa"), values.get("xaxisordinate")),
                    scale=float(values["scale"]) if values.get("scale") is not None else None,
                    crs=str(crs.get("name", "") or ""),
                    map_unit=unit,
                ),
            )
    return ()


def _property_sets(holder: Any) -> dict[str, dict[str, Any]]:
    """Return the single values of an object's property sets, names in lower case."""
    property_sets: dict[str, dict[str, Any]] = {}
    for relation in holder.IsDefinedBy or ():
        definition = relation.RelatingPropertyDefinition if relation.is_a("IfcRelDefinesByProperties") else None
        if definition is not None and definition.is_a("IfcPropertySet"):
            singles = [
                value
                for value in definition.HasProperties or ()
                if value.is_a("IfcPropertySingleValue") and value.NominalValue
            ]
            property_sets[str(definition.Name).lower()] = {
                str(value.Name).lower(): _unwrapped(value[2]) for value in singles
            }
    return property_sets


def _unwrapped(value: Any) -> Any:
    """Return a measure as its number or text; a bare one as it is."""
    return value if isinstance(value, int | float | str) else value.wrappedValue


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
