"""Openings that lie beside what they should cut: authoring tools write them at the wrong height, and they cut nothing.

A kernel's fast boolean sometimes answers such a pair with nothing at all. Whether the boxes of a product and all its
openings overlap is known at a hundredth of the cost of an exact boolean, which then need not be made.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import ifcopenshell.geom
import numpy as np
from numpy.typing import NDArray

from ingest.ifc.attribute import attribute
from ingest.ifc.terminal import quiet_terminal

__all__ = ["missed_by_openings"]

Boxes = dict[int, NDArray[np.float64]]

_TOUCH = 1e-6
_DEEPEST = 16


def missed_by_openings(model: Any, products: Sequence[Any], kernel: str) -> list[Any]:
    """Return the products that have openings, none of which reaches into them by more than a micrometre."""
    openings = {product.id(): list(_openings_of(product)) for product in products}
    pierced = [product for product in products if openings[product.id()]]
    if not pierced:
        return []
    boxes = _boxes(model, [*pierced, *(opening for of_element in openings.values() for opening in of_element)], kernel)
    numbers = {element.id(): [opening.id() for opening in openings[element.id()]] for element in pierced}
    return [element for element in pierced if _is_missed(element.id(), numbers[element.id()], boxes)]


def _openings_of(product: Any, depth: int = 0) -> Iterator[Any]:
    """Yield the openings that cut a product: its own and those of the wholes it is a part of."""
    for relation in attribute(product, "HasOpenings") or ():
        if relation.RelatedOpeningElement is not None:
            yield relation.RelatedOpeningElement
    for relation in attribute(product, "Decomposes") or ():
        if relation.RelatingObject is not None and depth < _DEEPEST:
            yield from _openings_of(relation.RelatingObject, depth + 1)


def _is_missed(product: int, openings: Sequence[int], boxes: Boxes) -> bool:
    return product in boxes and all(opening in boxes and _apart(boxes[product], boxes[opening]) for opening in openings)


def _apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool((np.minimum(one[1], other[1]) - np.maximum(one[0], other[0]) <= _TOUCH).any())


def _boxes(model: Any, products: Sequence[Any], kernel: str) -> Boxes:
    """Return the lowest and highest corner (2, 3), in model metres, of whole products by step number."""
    settings: Any = ifcopenshell.geom.settings()
    settings.set("no-normals", True)
    settings.set("disable-opening-subtractions", True)
    boxes: Boxes = {}
    with quiet_terminal():
        make: Any = ifcopenshell.geom.iterator
        iterator = make(settings, model, 1, include=list(products), geometry_library=kernel)
        more = iterator.initialize()
        while more:
            shape = iterator.get()
            matrix = np.frombuffer(shape.transformation_buffer).reshape(4, 4)
            vertices = np.frombuffer(shape.geometry.verts_buffer).reshape(-1, 3) @ matrix[:3, :3] + matrix[3, :3]
            if len(vertices) and np.isfinite(vertices).all():
                boxes[shape.id] = np.array([vertices.min(axis=0), vertices.max(axis=0)])
            more = iterator.next()
    return boxes
