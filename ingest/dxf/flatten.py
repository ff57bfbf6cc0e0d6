"""Curves to vertices: what a DXF entity draws as arrays of x, y, z, arcs flattened to a given sagitta.

Coordinates come out in the drawing's world system: entities drawn in a mirrored or tilted object system
are turned.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from ezdxf.path import from_hatch
from numpy.typing import NDArray

__all__ = [
    "curve_points",
    "hatch_rings",
    "line_points",
    "lwpolyline_points",
    "polyline_points",
    "quad_points",
    "to_world",
]

Floats = NDArray[np.float64]
_FRAME_VERTEX = 16
_MOST_STEPS = 720
_MOST_DEGREES = 36_000.0
_MOST_SAGITTAS = 1e12
"""How far a boundary may reach, in sagittas: the earth's size in millimetres is a hundredth of it."""
_MOST_SAGITTA = 0.1
"""Of the radius: a circle has seven chords at least, however small it is."""
_CHORDS_OF_SMALL = 16
"""Of an ellipse of a few centimetres, at which the library's own halving of chords fails."""


def line_points(entity: Any) -> Floats:
    """Return the two ends of a LINE."""
    a, b = entity.dxf.start, entity.dxf.end
    return np.array(((a.x, a.y, a.z), (b.x, b.y, b.z)))


def lwpolyline_points(entity: Any, sagitta: float) -> Floats:
    """Return the vertices of an LWPOLYLINE with its elevation (group 38) as z; bulges are flattened."""
    points = np.asarray(entity.lwpoints.values, dtype=np.float64).reshape(-1, 5)
    attributes = vars(entity.dxf)
    xy = points[:, :2]
    if points[:, 4].any():
        xy = bulged(xy, points[:, 4], closed=bool(attributes.get("flags", 0) & 1), sagitta=sagitta)
    xyz = np.empty((len(xy), 3))
    xyz[:, :2] = xy
    xyz[:, 2] = attributes.get("elevation", 0.0)
    return to_world(entity, xyz)


def polyline_points(entity: Any, sagitta: float) -> Floats:
    """Return the vertices of a POLYLINE; spline frame points (flag 16) are no part of the line.

    Of a 2D polyline the height stands in the header, of a 3D one at each vertex; a 2D polyline without
    header height keeps heights found at its vertices.
    """
    vertices = [v for v in entity.vertices if not v.dxf.flags & _FRAME_VERTEX]
    if not vertices:
        return np.empty((0, 3))
    xyz = np.array([v.dxf.location.xyz for v in vertices], dtype=np.float64).reshape(-1, 3)
    if entity.is_3d_polyline:
        return xyz
    bulges = np.array([v.dxf.get("bulge", 0.0) for v in vertices])
    height = entity.dxf.elevation.z if entity.dxf.hasattr("elevation") else 0.0
    if bulges.any():
        xy = bulged(xyz[:, :2], bulges, closed=entity.is_closed, sagitta=sagitta)
        xyz = np.column_stack((xy, np.full(len(xy), xyz[0, 2])))
    if height:
        xyz[:, 2] = height
    return to_world(entity, xyz)


def bulged(xy: Floats, bulges: Floats, *, closed: bool, sagitta: float) -> Floats:
    """Return a polyline with its arcs as short chords, none further than `sagitta` from its arc.

    A bulge is the tangent of a quarter of the arc's angle, positive to the left. The result of a closed
    polyline ends where it began only if the last segment is an arc.
    """
    ends = np.roll(xy, -1, axis=0)
    last = len(xy) if closed else len(xy) - 1
    pieces: list[Floats] = []
    for i in range(len(xy)):
        pieces.append(xy[i : i + 1])
        if i < last and bulges[i]:
            pieces.append(_arc(xy[i], ends[i], float(bulges[i]), sagitta))
    return np.concatenate(pieces)


def _arc(start: Floats, end: Floats, bulge: float, sagitta: float) -> Floats:
    """Return the inner vertices of an arc between two points."""
    chord = complex(end[0] - start[0], end[1] - start[1])
    angle = 4.0 * math.atan(bulge)
    length = abs(chord)
    if length == 0.0:
        return np.empty((0, 2))
    radius = length / 2.0 / abs(math.sin(angle / 2.0))
    middle = complex(*start) + chord / 2.0 + 1j * chord * (1.0 - bulge * bulge) / (4.0 * bulge)
    step = 2.0 * math.acos(1.0 - min(sagitta / radius, _MOST_SAGITTA))
    steps = min(max(2, math.ceil(abs(angle) / step)), _MOST_STEPS)
    turned = middle + (complex(*start) - middle) * np.exp(1j * angle * np.arange(1, steps) / steps)
    return np.column_stack((turned.real, turned.imag))


def curve_points(entity: Any, sagitta: float) -> Floats:
    """Return an ARC, CIRCLE, ELLIPSE or SPLINE as vertices; a small circle keeps its shape."""
    kind = entity.dxftype()
    if kind in ("ARC", "CIRCLE"):
        sagitta = min(sagitta, _MOST_SAGITTA * abs(entity.dxf.radius))
    if kind == "ELLIPSE" and sagitta > _MOST_SAGITTA * entity.dxf.major_axis.magnitude * abs(entity.dxf.ratio):
        around = (entity.dxf.end_param - entity.dxf.start_param) % (2 * math.pi) or 2 * math.pi
        return _array(entity.vertices(entity.dxf.start_param + around * np.linspace(0, 1, _CHORDS_OF_SMALL + 1)))
    return _array(entity.flattening(sagitta))


def quad_points(entity: Any) -> Floats:
    """Return the corners of a SOLID, TRACE or 3DFACE in drawing order."""
    return _array(entity.wcs_vertices())


def hatch_rings(entity: Any, sagitta: float) -> list[Floats]:
    """Return the boundary rings of a HATCH; inner ones are islands by the even-odd rule.

    Raises ValueError for arcs that go round more often than a drawing can mean, or are larger than a world: the library would
    flatten them for ever.
    """
    for boundary in entity.paths:
        for edge in getattr(boundary, "edges", ()):
            angles = [abs(getattr(edge, name, 0.0)) for name in ("start_angle", "end_angle")]
            if not max(angles) <= _MOST_DEGREES:
                raise ValueError(f"an arc of {max(angles):g} degrees")
    paths = list(from_hatch(entity))
    largest = max(
        (abs(value) for path in paths for vertex in path.control_vertices() for value in vertex.xyz), default=0.0
    )
    if not largest <= _MOST_SAGITTAS * sagitta:
        raise ValueError(f"a boundary that reaches to {largest:g}")
    rings = (_array(path.flattening(sagitta)) for path in paths)
    return [ring for ring in rings if len(ring) >= 3]


def to_world(entity: Any, xyz: Floats) -> Floats:
    """Return coordinates of an entity's object system in world coordinates (a no-op for plain drawings)."""
    extrusion = vars(entity.dxf).get("extrusion")
    if extrusion is None or extrusion.isclose((0, 0, 1)):
        return xyz
    return _array(entity.ocs().points_to_wcs([tuple(row) for row in xyz]))


def _array(points: Iterable[Any]) -> Floats:
    return np.array([(p.x, p.y, p.z) for p in points], dtype=np.float64).reshape(-1, 3)
