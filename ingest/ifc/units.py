"""The units of a model made fit to be used: a bare number gets its type, a unit that cannot be read is taken out.

Three readers ask for the length unit: the geometry kernel, ifcopenshell's helpers and `ingest/ifc/georeference.py`. They
agree on a unit that can be read, and on metres where there is none; so a broken one is taken out of the opened model.
"""

import math
from functools import partial
from typing import Any

import ifcopenshell

from ingest.ifc.attribute import attribute
from ingest.ifc.losses import UNREADABLE, Losses

__all__ = ["mend_units"]

_DEEPEST = 8


def mend_units(model: Any, project: Any, losses: Losses) -> None:
    """Mend the units of an opened model, or take out those that cannot be read; `losses` names both."""
    for assignment in model.by_type("IfcUnitAssignment"):
        units: tuple[Any, ...] = losses.attempt("ifc.unit_lost", assignment, partial(_units_of, assignment), ())
        usable = [unit for unit in units if _is_usable(model, unit, losses)]
        if len(usable) != len(units):
            assignment.Units = usable
    context = project.UnitsInContext
    if context is not None and not (
        isinstance(context, ifcopenshell.entity_instance) and context.is_a("IfcUnitAssignment")
    ):
        losses.add("ifc.unit_lost", project)
        project.UnitsInContext = None


def _units_of(assignment: Any) -> tuple[Any, ...]:
    return tuple(assignment.Units or ())


def _is_usable(model: Any, unit: Any, losses: Losses) -> bool:
    """Return whether a unit can be read, its bare numbers typed first; what is no length or angle is left alone."""
    kind = losses.attempt("ifc.unit_lost", unit, lambda: attribute(unit, "UnitType") or "", "")
    if kind not in ("LENGTHUNIT", "PLANEANGLEUNIT"):
        return True
    try:
        _ensure_readable(model, unit, losses)
    except UNREADABLE:
        losses.add("ifc.unit_lost", unit)
        return False
    return True


def _ensure_readable(model: Any, unit: Any, losses: Losses) -> None:
    """Raise one of `UNREADABLE` where a unit does not lead to an SI unit by factors that are numbers."""
    for _ in range(_DEEPEST):
        if not unit.is_a("IfcConversionBasedUnit"):
            break
        factor = unit.ConversionFactor
        value = factor.ValueComponent
        if isinstance(value, int | float):
            losses.add("ifc.bare_number", factor)
            kind = "IfcLengthMeasure" if unit.UnitType == "LENGTHUNIT" else "IfcPlaneAngleMeasure"
            factor.ValueComponent = value = model.create_entity(kind, float(value))
        if not (math.isfinite(value.wrappedValue) and value.wrappedValue > 0):
            raise ValueError(value.wrappedValue)
        unit = factor.UnitComponent
    if not unit.is_a("IfcSIUnit") or not isinstance(unit.Name, str):
        raise TypeError(unit.is_a())
