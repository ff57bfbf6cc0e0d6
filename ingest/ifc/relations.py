"""Who belongs to whom in a model: containers and storeys, types, materials, property set definitions.

Relations are read once, relation by relation, into dictionaries by step number: asking each element is quadratic.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ingest.ifc.attribute import attribute
from ingest.ifc.losses import Losses

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


def read_relations(model: Any, losses: Losses) -> Relations:
    """Return the relations of a model; the storey an element is contained in wins over the whole it is part of.

    A relation that cannot be read (an end missing, or of another class) is left out and noted in `losses`.
    """
    relations = Relations()
    for kind, read in _READERS.items():
        for relation in model.by_type(kind):
            losses.attempt("ifc.relation_lost", relation, partial(read, relations, relation), None)
    return relations


def _numbers(things: Iterable[Any] | None) -> list[int]:
    return [thing.id() for thing in things or ()]


def _read_void(relations: Relations, relation: Any) -> None:
    relations.parent[relation.RelatedOpeningElement.id()] = relation.RelatingBuildingElement.id()


def _read_filling(relations: Relations, relation: Any) -> None:
    relations.parent[relation.RelatedBuildingElement.id()] = relation.RelatingOpeningElement.id()


def _read_whole(relations: Relations, relation: Any) -> None:
    relations.parent.update(dict.fromkeys(_numbers(relation.RelatedObjects), relation.RelatingObject.id()))


def _read_container(relations: Relations, relation: Any) -> None:
    relations.parent.update(dict.fromkeys(_numbers(relation.RelatedElements), relation.RelatingStructure.id()))


def _read_type(relations: Relations, relation: Any) -> None:
    kind = _of_class(relation.RelatingType, "IfcTypeObject")
    relations.type_of.update(dict.fromkeys(_numbers(relation.RelatedObjects), kind))


def _read_material(relations: Relations, relation: Any) -> None:
    words = material_words(relation.RelatingMaterial)
    relations.material.update(dict.fromkeys(_numbers(relation.RelatedObjects), words))


def _read_properties(relations: Relations, relation: Any) -> None:
    definitions = list(_definitions(relation.RelatingPropertyDefinition))
    for number in _numbers(relation.RelatedObjects):
        relations.definitions.setdefault(number, []).extend(definitions)


_READERS: dict[str, Callable[[Relations, Any], None]] = {
    "IfcRelVoidsElement": _read_void,
    "IfcRelFillsElement": _read_filling,
    "IfcRelAggregates": _read_whole,
    "IfcRelNests": _read_whole,
    "IfcRelContainedInSpatialStructure": _read_container,
    "IfcRelDefinesByType": _read_type,
    "IfcRelAssociatesMaterial": _read_material,
    "IfcRelDefinesByProperties": _read_properties,
}
"""How each kind of relation is read; the parent that is read last holds."""


def _of_class(entity: Any, name: str) -> Any:
    """Return an entity that is of a class; TypeError for one that is not."""
    if not entity.is_a(name):
        raise TypeError(f"{entity.is_a()} is no {name}")
    return entity


def _definitions(definition: Any) -> Iterator[Any]:
    """Yield property set definitions; IFC4 may name a set of them at once."""
    if definition.is_a("IfcPropertySetDefinitionSet"):
        yield from definition.wrappedValue
    else:
        yield _of_class(definition, "IfcPropertySetDefinition")


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
        yield from (str(layer.Name or "") for layer in material.Materials)
    else:
        for parts in ("MaterialLayers", "MaterialProfiles", "MaterialConstituents"):
            for part in attribute(material, parts) or ():
                yield from _material_names(part)
        yield from _material_names(attribute(material, "Material"))
