"""Property sets and quantities of elements as JSON text: {set: {property: value}}, values in the file's own units.

Sets of the type are inherited; what the occurrence says wins, property by property. Each definition is read once and
each combination of definitions encoded once: types share theirs among hundreds of elements.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import ifcopenshell
import orjson

from ingest.ifc.attribute import attribute
from ingest.ifc.losses import UNREADABLE, Losses
from ingest.ifc.relations import Relations

__all__ = ["PropertySets"]


_PLAIN_PROPERTIES = ("IfcPropertySingleValue", "IfcPropertyEnumeratedValue", "IfcPropertyListValue")


class PropertySets:
    """Answers with the JSON text of an element's property sets, None where it has none."""

    def __init__(self, relations: Relations, losses: Losses) -> None:
        self._relations = relations
        self._losses = losses
        self._read: dict[int, tuple[str, dict[str, Any]]] = {}
        self._encoded: dict[tuple[int, ...], str | None] = {}

    def text_of(self, number: int) -> str | None:
        kind = self._relations.type_of.get(number)
        inherited: Iterable[Any] = () if kind is None else self._inherited(kind)
        definitions = [*inherited, *self._relations.definitions.get(number, ())]
        key = tuple(definition.id() for definition in definitions)
        if key not in self._encoded:
            self._encoded[key] = self._encode(definitions)
        return self._encoded[key]

    def _inherited(self, kind: Any) -> tuple[Any, ...]:
        def read() -> tuple[Any, ...]:
            return tuple(definition for definition in attribute(kind, "HasPropertySets") or () if definition.id())

        return self._losses.attempt("ifc.properties_lost", kind, read, ())

    def _encode(self, definitions: list[Any]) -> str | None:
        sets: dict[str, dict[str, Any]] = {}
        for definition in definitions:
            name, values = self._definition(definition)
            sets.setdefault(name, {}).update(values)
        return orjson.dumps(sets, default=str).decode() if sets else None

    def _definition(self, definition: Any) -> tuple[str, dict[str, Any]]:
        number = definition.id()
        if number not in self._read:
            name = self._losses.attempt("ifc.properties_lost", definition, lambda: definition.Name, None)
            values: dict[str, Any] = {}
            self._losses.attempt(
                "ifc.properties_lost", definition, lambda: values.update(self._values(definition)), None
            )
            self._read[number] = str(name or definition.is_a()), values
        return self._read[number]

    def _values(self, definition: Any) -> dict[str, Any]:
        if definition.is_a("IfcElementQuantity"):
            return self._each(definition.Quantities, self._quantity)
        if definition.is_a("IfcPropertySet"):
            return self._each(definition.HasProperties, self._property)
        values = {definition.attribute_name(at): definition[at] for at in range(4, len(definition))}
        return {name: _plain(value) for name, value in values.items() if value is not None}

    def _each(self, parts: Iterable[Any] | None, read: Callable[[Any], Any]) -> dict[str, Any]:
        """Return name -> value of properties or quantities; one that cannot be read is lost alone."""
        values: dict[str, Any] = {}
        for part in parts or ():
            try:
                values[str(part[0])] = read(part)
            except UNREADABLE:
                self._losses.add("ifc.properties_lost", part)
        return values

    def _property(self, entity: Any) -> Any:
        """Return the value of a property; attributes by position (0 name, 2 value), as names cost five times as much."""
        kind = entity.is_a()
        if kind in _PLAIN_PROPERTIES:
            return _plain(entity[2])
        if kind == "IfcPropertyBoundedValue":
            return {"lower": _plain(entity.LowerBoundValue), "upper": _plain(entity.UpperBoundValue)}
        if kind == "IfcPropertyTableValue":
            return {"defining": _plain(entity.DefiningValues), "defined": _plain(entity.DefinedValues)}
        if kind == "IfcComplexProperty":
            return self._each(entity.HasProperties, self._property)
        if kind != "IfcPropertyReferenceValue":
            raise TypeError(f"{kind} is no property")
        return _plain(entity.PropertyReference)

    def _quantity(self, entity: Any) -> Any:
        return (
            _plain(entity[3])
            if entity.is_a("IfcPhysicalSimpleQuantity")
            else self._each(entity.HasQuantities, self._quantity)
        )


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it: measures unwrapped, lists of them too, an entity by its name or class."""
    if isinstance(value, ifcopenshell.entity_instance):
        value = cast(Any, value)
        return _plain(value[0]) if value.id() == 0 else str(attribute(value, "Name") or value.is_a())
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
