"""Shapes of buildings seen from above: bars with stair bays, crosses, courts, ovals, sectors of a ring."""

from math import cos, radians, sin

import numpy as np
from shapely import Polygon, box
from shapely.affinity import rotate, translate

from data_samples.plan.frame import at


def bar(length: float, depth: float, *, bays: int = 0) -> Polygon:
    """Return a slab with its long side east-west and stair bays on the north side, middle at the origin."""
    body = box(-length / 2, -depth / 2, length / 2, depth / 2)
    step = length / max(bays, 1)
    for i in range(bays):
        middle = -length / 2 + step * (i + 0.5)
        body = _one(body.union(box(middle - 2.1, depth / 2 - 0.5, middle + 2.1, depth / 2 + 1.6)))
    return body


def stepped(length: float, depth: float) -> Polygon:
    """Return a slab whose halves stand 2.4 m apart in depth."""
    west = box(-length / 2, -depth / 2, 0, depth / 2 - 2.4)
    return _one(west.union(box(-0.01, -depth / 2 + 2.4, length / 2, depth / 2)))


def cross(length: float, depth: float) -> Polygon:
    """Return the butterfly plan of a residential tower."""
    a, b = length / 2, depth / 2
    return _one(box(-a, -b * 0.62, a, b * 0.62).union(box(-a * 0.36, -b, a * 0.36, b)))


def ell(length: float, depth: float, *, wing: float) -> Polygon:
    """Return an L-shaped building with wings `wing` wide."""
    a, b = length / 2, depth / 2
    return _one(box(-a, b - wing, a, b).union(box(-a, -b, -a + wing, b)))


def ue(length: float, depth: float, *, wing: float) -> Polygon:
    """Return a U-shaped building open to the south."""
    a, b = length / 2, depth / 2
    inside = box(-a + wing, -b - 1, a - wing, b - wing)
    return _one(box(-a, -b, a, b).difference(inside))


def comb(length: float, depth: float, *, wing: float) -> Polygon:
    """Return an E-shaped building (three wings on a spine), as schools are."""
    a, b = length / 2, depth / 2
    gap = (length - 3 * wing) / 2
    holes = [
        box(-a + wing, -b - 1, -a + wing + gap, b - wing),
        box(a - wing - gap, -b - 1, a - wing, b - wing),
    ]
    body = box(-a, -b, a, b)
    for hole in holes:
        body = _one(body.difference(hole))
    return body


def court(length: float, depth: float, *, wing: float) -> Polygon:
    """Return a building round a courtyard."""
    a, b = length / 2, depth / 2
    hole = box(-a + wing, -b + wing, a - wing, b - wing)
    return Polygon(box(-a, -b, a, b).exterior, [hole.exterior])


def oval(length: float, depth: float, *, corners: int = 32) -> Polygon:
    """Return an ellipse as a ring of straight walls."""
    turn = np.linspace(0, 2 * np.pi, corners + 1)[:-1]
    return Polygon(np.column_stack([length / 2 * np.cos(turn), depth / 2 * np.sin(turn)]))


def chamfered(length: float, depth: float, *, cut: float) -> Polygon:
    """Return a rectangle with its corners cut, as office towers are."""
    a, b = length / 2, depth / 2
    return Polygon(
        [
            (-a + cut, -b),
            (a - cut, -b),
            (a, -b + cut),
            (a, b - cut),
            (a - cut, b),
            (-a + cut, b),
            (-a, b - cut),
            (-a, -b + cut),
        ]
    )


def sector(u: float, v: float, inner: float, outer: float, start_deg: float, end_deg: float) -> Polygon:
    """Return the part of a ring about a place in plan offsets between two directions, in 3 degree steps."""
    count = max(2, round(abs(end_deg - start_deg) / 3) + 1)
    turns = [radians(float(t)) for t in np.linspace(start_deg, end_deg, count)]
    out = [(u + outer * cos(t), v + outer * sin(t)) for t in turns]
    back = [(u + inner * cos(t), v + inner * sin(t)) for t in reversed(turns)]
    return Polygon([at(a, b) for a, b in out + back])


def placed(shape: Polygon, east: float, north: float, *, turn_deg: float = 0.0) -> Polygon:
    """Return a shape turned about the origin and moved to (east, north)."""
    moved = translate(rotate(shape, turn_deg, origin=(0, 0)), east, north)
    assert isinstance(moved, Polygon)
    return moved


def _one(shape: object) -> Polygon:
    assert isinstance(shape, Polygon)
    return shape
