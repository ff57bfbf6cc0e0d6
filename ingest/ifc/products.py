"""The products of a model, sorted by what they become here: elements, spaces, storeys, alignments, or nothing of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Products", "products_of"]

_CARRIERS = ("IfcSpatialElement", "IfcSpatialStructureElement", "IfcExternalSpatialStructureElement")
_ROOMS = ("IfcSpace", "IfcSpatialZone", "IfcExternalSpatialElement")


@dataclass(frozen=True)
class Products:
    """Every IfcProduct of a model, once. `elements` holds sites and buildings too where they have a representation."""

    elements: tuple[Any, ...]
    spaces: tuple[Any, ...]
    storeys: tuple[Any, ...]
    alignments: tuple[Any, ...]
    others: tuple[Any, ...]

    @property
    def features(self) -> tuple[Any, ...]:
        """Return what has, or may have, a mesh or footprint of its own: elements and spaces."""
        return self.elements + self.spaces

    @property
    def with_body(self) -> tuple[Any, ...]:
        return tuple(one for one in self.features if one.Representation is not None)

    def layer_of(self, product: Any) -> str:
        return "bim_space" if _sort_of(product, lambda name: bool(product.is_a(name))) == "space" else "bim_element"


def products_of(model: Any) -> Products:
    """Return the products of a model in file order, sorted; the sort of a class is found once."""
    sorts: dict[str, str] = {}
    found: dict[str, list[Any]] = {"element": [], "space": [], "storey": [], "alignment": [], "other": []}
    for product in model.by_type("IfcProduct"):
        name = product.is_a()
        if name not in sorts:
            sorts[name] = _sort_of(product, product.is_a)
        sort = sorts[name]
        if sort == "carrier":
            sort = "element" if product.Representation is not None else "other"
        found[sort].append(product)
    return Products(*(tuple(found[sort]) for sort in ("element", "space", "storey", "alignment", "other")))


def _sort_of(product: Any, is_a: Callable[[str], bool]) -> str:
    if is_a("IfcBuildingStorey"):
        return "storey"
    if any(is_a(room) for room in _ROOMS):
        return "space"
    if is_a("IfcAlignment"):
        return "alignment"
    if is_a("IfcFeatureElementSubtraction"):
        return "other"
    if is_a("IfcElement") or is_a("IfcProxy"):
        return "element"
    return "carrier" if any(is_a(carrier) for carrier in _CARRIERS) else "other"
