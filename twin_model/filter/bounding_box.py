"""The box that every match of a filter intersects, so that a spatial index can be asked first."""

from twin_model.filter.expression import Expression, Logical, Spatial
from twin_model.filter.spatial import to_storage
from twin_model.filter.sql import Box, Transform

__all__ = ["bounding_box"]


def bounding_box(expression: Expression, *, transform: Transform | None = None) -> Box | None:
    """Return (minx, miny, maxx, maxy) that every matching geometry intersects; None when there is none.

    Of a conjunction it is the smallest box of its parts: a match intersects each of them, though not
    necessarily their intersection. Of a disjunction it is the hull of all parts. `transform` leads to the
    storage CRS.
    """
    if isinstance(expression, Spatial) and expression.operator != "disjoint":
        left, bottom, right, top = to_storage(expression.geometry.shape, transform).bounds
        reach = expression.distance
        return (left - reach, bottom - reach, right + reach, top + reach)
    if not isinstance(expression, Logical):
        return None
    boxes = [bounding_box(part, transform=transform) for part in expression.arguments]
    known = [box for box in boxes if box is not None]
    if expression.operator == "and":
        return min(known, key=_area, default=None)
    return _hull(known) if len(known) == len(boxes) else None


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _hull(boxes: list[Box]) -> Box:
    left, bottom, right, top = zip(*boxes, strict=True)
    return (min(left), min(bottom), max(right), max(top))
