"""The products of a model, sorted by what they become here: elements, spaces, storeys, alignments, or nothing of their own."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest.ifc.losses import UNREADABLE, Losses

__all__ = ["Products", "mend_products", "products_of"]

_CARRIERS = ("IfcSpatialElement", "IfcSpatialStructureElement", "IfcExternalSpatialStructureElement")
_ORIGIN, _NOWHERE, _PLANE = 0, -1, 2
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
        return tuple(feature for feature in self.features if feature.Representation is not None)

    def layer_of(self, product: Any) -> str:
        return "bim_space" if _sort_of(product, lambda name: bool(product.is_a(name))) == "space" else "bim_element"


def mend_products(model: Any, losses: Losses) -> None:
    """Take the shape off those products of an opened model whose placement cannot be followed to the model's origin.

    The geometry kernel gives up, or does not end, at such a placement; `losses` names the products.
    """
    unusable = _unusable(model.by_type("IfcObjectPlacement"))
    for product in model.by_type("IfcProduct") if unusable else ():
        placement = product.ObjectPlacement
        if placement is not None and placement.id() in unusable:
            losses.add("ifc.placement_lost", product)
            product.Representation = product.ObjectPlacement = None


def _unusable(placements: list[Any]) -> set[int]:
    """Return the numbers of placements that lead round in a circle, or by a step that cannot be read."""
    parents = {placement.id(): _parent_of(placement) for placement in placements}
    usable: dict[int, bool] = {_ORIGIN: True, _NOWHERE: False}
    for number in parents:
        way: dict[int, None] = {}
        while number not in usable and number not in way:
            way[number] = None
            number = parents.get(number, _NOWHERE)
        usable.update(dict.fromkeys(way, usable.get(number, False)))
    return {number for number, reached in usable.items() if not reached}


def _parent_of(placement: Any) -> int:
    """Return the number of the placement that one is relative to; other than local placements are the kernel's."""
    if not placement.is_a("IfcLocalPlacement"):
        return _ORIGIN
    try:
        numbers = placement.RelativePlacement.Location.Coordinates
        usable = all(math.isfinite(number) for number in numbers) and len(numbers) >= _PLANE
        parent = placement.PlacementRelTo
        return _NOWHERE if not usable else _ORIGIN if parent is None else int(parent.id())
    except UNREADABLE:
        return _NOWHERE


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
