"""Who belongs to whom in a model: containers and storeys, types, materials, property set definitions.

Relations are read once, relation by relation, into dictionaries by step number: asking each element is quadratic.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ingest.ifc.attribute import attribute

__all__ = ["Relations", "read_relations"]

_DEEPEST = 64


@dataclass(frozen=True)
class Relations:
    """Step number of a thing -> of what holds it, its type, its material's words, its property set definitions."""

    parent: dict[int, int] = field(default_factory=dict)
    type_of: dict[int, Any] = field(default_factory=dict)
    material: dict[int, str] = field(default_factory=dict)
    definitions: dict[int, list[Any]] = field(default_factory=dict)

    def storey_of(self, number: int, storeys: dict[int, Any]) -> Any | None:
        """Return the storey that holds a thing, directly or through a space, a whole or the wall a door fills."""
        for _ in range(_DEEPEST):
            if number in storeys:
                return storeys[number]
            if number not in self.parent:
                return None
            number = self.parent[number]
        return None

    def material_of(self, number: int) -> str | None:
        """Return the words of a thing's material, its own or its type's."""
        own = self.material.get(number)
        kind = self.type_of.get(number)
        return own or (self.material.get(kind.id()) if kind is not None else None)


def read_relations(model: Any) -> Relations:
    """Return the relations of a model; the storey an element is contained in wins over the whole it is part of."""
    found = Relations()
    for child, parent in (*_openings(model), *_wholes(model), *_containers(model)):
        found.parent[child] = parent
    for relation in model.by_type("IfcRelDefinesByType"):
        for number in _numbers(relation.RelatedObjects):
            found.type_of[number] = relation.RelatingType
    for relation in model.by_type("IfcRelAssociatesMaterial"):
        words = material_words(relation.RelatingMaterial)
        found.material.update(dict.fromkeys(_numbers(relation.RelatedObjects), words))
    for relation in model.by_type("IfcRelDefinesByProperties"):
        definitions = list(_definitions(relation.RelatingPropertyDefinition))
        for number in _numbers(relation.RelatedObjects):
            found.definitions.setdefault(number, []).extend(definitions)
    return found


def _numbers(things: Iterable[Any] | None) -> list[int]:
    return [one.id() for one in things or ()]


def _containers(model: Any) -> Iterator[tuple[int, int]]:
    for relation in model.by_type("IfcRelContainedInSpatialStructure"):
        holder = relation.RelatingStructure.id()
        yield from ((number, holder) for number in _numbers(relation.RelatedElements))


def _wholes(model: Any) -> Iterator[tuple[int, int]]:
    for kind in ("IfcRelAggregates", "IfcRelNests"):
        for relation in model.by_type(kind):
            whole = relation.RelatingObject.id()
            yield from ((number, whole) for number in _numbers(relation.RelatedObjects))


def _openings(model: Any) -> Iterator[tuple[int, int]]:
    for relation in model.by_type("IfcRelVoidsElement"):
        yield relation.RelatedOpeningElement.id(), relation.RelatingBuildingElement.id()
    for relation in model.by_type("IfcRelFillsElement"):
        yield relation.RelatedBuildingElement.id(), relation.RelatingOpeningElement.id()


def _definitions(definition: Any) -> Iterator[Any]:
    """Yield property set definitions; IFC4 may name a set of them at once."""
    if definition is None:
        return
    if definition.is_a("IfcPropertySetDefinitionSet"):
        yield from definition.wrappedValue
    else:
        yield definition


def material_words(material: Any) -> str:
    """Return the names of a material definition, the parts of a build-up joined by " / ", each once."""
    return " / ".join(dict.fromkeys(name for name in _material_names(material) if name))


def _material_names(material: Any) -> Iterator[str]:
    if material is None:
        return
    if material.is_a("IfcMaterial"):
        yield str(material.Name or "")
    elif material.is_a("IfcMaterialLayerSetUsage"):
        yield from _material_names(material.ForLayerSet)
    elif material.is_a("IfcMaterialProfileSetUsage"):
        yield from _material_names(material.ForProfileSet)
    elif material.is_a("IfcMaterialList"):
        yield from (str(one.Name or "") for one in material.Materials)
    else:
        for parts in ("MaterialLayers", "MaterialProfiles", "MaterialConstituents"):
            for part in attribute(material, parts) or ():
                yield from _material_names(part)
        yield from _material_names(attribute(material, "Material"))
