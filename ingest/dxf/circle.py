"""Circles however they are drawn: as CIRCLE, closed ARC or ELLIPSE, as a polyline of arcs, as a block; and where their centre is.

A symbol stands at the centre that the drawing says, not at the mean of the chords that stand for the circle.
"""

import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
from ezdxf.math import Vec3
from numpy.typing import NDArray

from ingest.dxf.flatten import to_world

__all__ = ["centre_in_block", "centre_of_block", "centre_of_bulges", "centre_of_curve"]

Floats = NDArray[np.float64]
_ROUND = 2 * math.pi
_SAME = 1e-6
"""Radians, and parts of the radius."""
_WORDS = ("ATTDEF", "TEXT", "MTEXT")
_MOST_CIRCLES = 8


def centre_of_curve(entity: Any) -> Floats | None:
    """Return the centre of a CIRCLE or of an ARC or ELLIPSE that goes all round, as x, y, z of the drawing; else None."""
    kind, attributes = entity.dxftype(), entity.dxf
    if kind == "ELLIPSE":
        around = (attributes.end_param - attributes.start_param) % _ROUND
        return _row(attributes.center) if min(around, _ROUND - around) < _SAME else None
    if kind == "ARC" and math.radians((attributes.end_angle - attributes.start_angle) % 360) > _SAME:
        return None
    return to_world(entity, _row(attributes.center)) if kind in ("CIRCLE", "ARC") else None


def centre_of_bulges(xy: Floats, bulges: Floats, *, closed: bool) -> Floats | None:
    """Return x, y of the centre of a polyline whose arcs are those of one whole circle, None of any other."""
    ends = np.roll(xy, -1, axis=0)
    segments = slice(None) if closed else slice(len(xy) - 1)
    start, chord, bulge = xy[segments], (ends - xy)[segments], bulges[segments]
    drawn = np.hypot(*chord.T) > 0
    start, chord, bulge = start[drawn], chord[drawn], bulge[drawn]
    if not len(bulge) or (bulge == 0).any() or abs(abs(4 * np.arctan(bulge).sum()) - _ROUND) > _SAME:
        return None
    left = np.column_stack((-chord[:, 1], chord[:, 0]))
    centres = start + chord / 2 + left * ((1 - bulge**2) / (4 * bulge))[:, None]
    radius = np.hypot(*(start - centres).T).max()
    return centres.mean(axis=0) if np.ptp(centres, axis=0).max() <= max(_SAME * radius, 1e-7) else None


def centre_in_block(entities: Iterable[Any], centre_of: Callable[[Any], Floats | None]) -> Floats | None:
    """Return the centre of a block that draws circles around one centre and nothing else, in its own coordinates.

    `centre_of` gives the centre of an entity in the block. None of any other block.
    """
    drawn = list(islice((each for each in entities if each.dxftype() not in _WORDS), _MOST_CIRCLES + 1))
    if not 0 < len(drawn) <= _MOST_CIRCLES:
        return None
    centres = [centre_of(circle) for circle in drawn]
    first = centres[0]
    if first is None or any(centre is None or np.abs(centre - first).max() > 1e-9 for centre in centres[1:]):
        return None
    return first


def centre_of_block(insert: Any, centre: Floats | None) -> Floats | None:
    """Return where a reference draws the centre of its block, as x, y, z of the drawing; None of a block without one."""
    return None if centre is None else _row(insert.matrix44().transform(Vec3(centre[0])))


def _row(point: Any) -> Floats:
    return np.array(((point.x, point.y, point.z),))
