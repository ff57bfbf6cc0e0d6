"""Axes of alignments from their design parameters (IFC4X3): curvature integrated along, gradients above it.

The parameters are preferred to the Axis curve: ifcopenshell 0.9 sets a clothoid that runs out into a straight (end radius
infinite) some 40 m beside the line. A polyline axis is read as it is; any other curve without parameters is not guessed.
Segment types and their formulas: ISO 16739-1, IfcAlignmentHorizontalSegmentTypeEnum and IfcAlignmentVerticalSegmentTypeEnum.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import ifcopenshell.util.placement
import ifcopenshell.util.unit
import numpy as np
from numpy.typing import NDArray

__all__ = ["alignment_line", "horizontal_points", "offset_line", "vertical_heights"]

Float64 = NDArray[np.float64]

_STEP = 2.0
_FINE = 16
_DEEPEST = 8

_TRANSITIONS: dict[str, Callable[[Float64], Float64]] = {
    "LINE": lambda t: t * 0.0,
    "CIRCULARARC": lambda t: t * 0.0,
    "CLOTHOID": lambda t: t,
    "BLOSSCURVE": lambda t: t * t * (3.0 - 2.0 * t),
    "COSINECURVE": lambda t: (1.0 - np.cos(math.pi * t)) / 2.0,
    "SINECURVE": lambda t: t - np.sin(2.0 * math.pi * t) / (2.0 * math.pi),
    "HELMERTCURVE": lambda t: np.where(t < 0.5, 2.0 * t * t, 1.0 - 2.0 * (1.0 - t) ** 2),
}
"""Share of the change of curvature done at share t of a segment's length."""


def alignment_line(model: Any, alignment: Any, depth: int = 0) -> Float64 | None:
    """Return the axis of an alignment in model metres, (n, 3), a vertex every 2 m; None where it cannot be made.

    An alignment without vertical part lies at height 0 of its placement. A child without horizontal part has that of
    the alignment it is a part of. An offset curve is followed to the alignment or polyline it keeps away from.
    """
    unit = float(ifcopenshell.util.unit.calculate_unit_scale(model))
    angle = float(ifcopenshell.util.unit.calculate_unit_scale(model, "PLANEANGLEUNIT"))
    line = _from_parameters(alignment, unit, angle)
    line = _from_curve(model, alignment, unit, depth) if line is None else line
    if line is None or len(line) < 2 or not np.isfinite(line).all():
        return None
    placement = alignment.ObjectPlacement
    matrix = (
        np.array(ifcopenshell.util.placement.get_local_placement(placement), dtype=np.float64)
        if placement
        else np.eye(4)
    )
    return np.asarray(line @ matrix[:3, :3].T + matrix[:3, 3] * unit)


def _from_parameters(alignment: Any, unit: float, angle: float) -> Float64 | None:
    parts = {part.is_a(): part for part in _nested(alignment)}
    horizontal = parts.get("IfcAlignmentHorizontal") or _horizontal_of_parent(alignment)
    if horizontal is None:
        return None
    along: list[float] = [0.0]
    points: list[Float64] = []
    for segment in _parameters(horizontal):
        length = float(segment.SegmentLength) * unit
        if segment.PredefinedType not in _TRANSITIONS:
            return None
        if length <= 0.0:
            continue
        start = np.array(segment.StartPoint.Coordinates[:2], dtype=np.float64) * unit
        bends = [
            1.0 / (radius * unit) if radius else 0.0
            for radius in (segment.StartRadiusOfCurvature, segment.EndRadiusOfCurvature)
        ]
        found = horizontal_points(
            start, float(segment.StartDirection) * angle, (bends[0], bends[1]), length, segment.PredefinedType
        )
        distances = along[-1] + np.linspace(0.0, length, len(found))
        points.append(found if not points else found[1:])
        along.extend(distances[1:].tolist())
    if not points:
        return None
    vertical = parts.get("IfcAlignmentVertical")
    heights = vertical_heights(np.array(along), list(_parameters(vertical)) if vertical is not None else [], unit)
    return np.column_stack((np.concatenate(points), heights))


def _horizontal_of_parent(alignment: Any) -> Any | None:
    """Return the horizontal part of the nearest alignment that this one is a part of, None where there is none."""
    for _ in range(_DEEPEST):
        wholes = [relation.RelatingObject for relation in (*(alignment.Decomposes or ()), *(alignment.Nests or ()))]
        alignment = next((whole for whole in wholes if whole is not None and whole.is_a("IfcAlignment")), None)
        if alignment is None:
            return None
        horizontal = next((part for part in _nested(alignment) if part.is_a("IfcAlignmentHorizontal")), None)
        if horizontal is not None:
            return horizontal
    return None


def _nested(thing: Any) -> Iterator[Any]:
    for relation in thing.IsNestedBy or ():
        yield from relation.RelatedObjects


def _parameters(part: Any) -> Iterator[Any]:
    for segment in _nested(part):
        if segment.is_a("IfcAlignmentSegment") and segment.DesignParameters is not None:
            yield segment.DesignParameters


def horizontal_points(
    start: Float64, direction: float, bends: tuple[float, float], length: float, kind: str
) -> Float64:
    """Return points (n, 2) along a segment, at most 2 m apart: its curvature (1/m, left is positive) integrated twice.

    Trapezoids of an eighth of a metre or less: about 1.5 micrometres per 100 m at radius 300 m.
    """
    pieces = max(1, math.ceil(length / _STEP))
    t = np.linspace(0.0, 1.0, pieces * _FINE + 1)
    step = length / (len(t) - 1)
    bend = bends[0] + (bends[1] - bends[0]) * _TRANSITIONS[kind](t)
    heading = direction + _summed(bend, step)
    x, y = start[0] + _summed(np.cos(heading), step), start[1] + _summed(np.sin(heading), step)
    return np.column_stack((x, y))[::_FINE]


def _summed(values: Float64, step: float) -> Float64:
    """Return the running integral of sampled values by trapezoids, from 0."""
    return np.concatenate(([0.0], np.cumsum((values[1:] + values[:-1]) / 2.0) * step))


def vertical_heights(along: Float64, segments: list[Any], unit: float) -> Float64:
    """Return heights at distances along; before the first and after the last segment its end's height holds."""
    heights = np.zeros_like(along)
    for nth, one in enumerate(segments):
        start, length = float(one.StartDistAlong) * unit, float(one.HorizontalLength) * unit
        inside = along >= start if nth else along >= -math.inf
        x = np.clip(along[inside] - start, 0.0, length)
        heights[inside] = float(one.StartHeight) * unit + _rise(one, x, length)
    return heights


def _rise(one: Any, x: Float64, length: float) -> Float64:
    """Return the rise at horizontal distances x from a segment's start: straight, circular, else parabolic."""
    first, last = float(one.StartGradient), float(one.EndGradient)
    if one.PredefinedType == "CONSTANTGRADIENT" or length <= 0.0 or first == last:
        return first * x
    if one.PredefinedType == "CIRCULARARC":
        sine_a, sine_b = first / math.hypot(1.0, first), last / math.hypot(1.0, last)
        radius = length / (sine_b - sine_a)
        return np.asarray(radius * (math.sqrt(1.0 - sine_a**2) - np.sqrt(1.0 - (sine_a + x / radius) ** 2)))
    return first * x + (last - first) / (2.0 * length) * x * x


def _from_curve(model: Any, alignment: Any, unit: float, depth: int) -> Float64 | None:
    """Return the vertices of an axis given as a polyline, or as a curve that keeps away from another by offsets."""
    for item in _axis_items(alignment):
        offset = item.is_a("IfcOffsetCurveByDistances") and depth < _DEEPEST
        line = _offset_curve(model, item, unit, depth) if offset else _polyline(item, unit)
        if line is not None:
            return line
    return None


def _axis_items(alignment: Any) -> Iterator[Any]:
    shapes = alignment.Representation.Representations if alignment.Representation is not None else ()
    yield from (item for shape in shapes if shape.RepresentationIdentifier == "Axis" for item in shape.Items)


def _polyline(item: Any, unit: float) -> Float64 | None:
    points = [point.Coordinates for point in item.Points] if item.is_a("IfcPolyline") else None
    if points is None and item.is_a("IfcIndexedPolyCurve") and not item.Segments:
        points = item.Points.CoordList
    if not points:
        return None
    line = np.zeros((len(points), 3))
    line[:, : len(points[0])] = np.array(points, dtype=np.float64) * unit
    return line


def _offset_curve(model: Any, curve: Any, unit: float, depth: int) -> Float64 | None:
    """Return the line of an IfcOffsetCurveByDistances; None where its basis curve cannot be made."""
    basis = _polyline(curve.BasisCurve, unit)
    if basis is None:
        owner = next(
            (alignment for alignment in model.by_type("IfcAlignment") if curve.BasisCurve in _axis_items(alignment)),
            None,
        )
        basis = alignment_line(model, owner, depth + 1) if owner is not None else None
    if basis is None:
        return None
    offsets = np.array([_offset(value, unit) for value in curve.OffsetValues], dtype=np.float64)
    return offset_line(basis, offsets[np.argsort(offsets[:, 0], kind="stable")])


def _offset(value: Any, unit: float) -> tuple[float, float, float]:
    """Return distance along, offset to the left and offset upwards of an IfcPointByDistanceExpression, in metres."""
    along = value.DistanceAlong
    distance = along if isinstance(along, int | float) else along.wrappedValue
    return float(distance) * unit, float(value.OffsetLateral or 0.0) * unit, float(value.OffsetVertical or 0.0) * unit


def offset_line(basis: Float64, offsets: Float64) -> Float64:
    """Return a line (n, 3) moved by offsets (m, 3) of distance along, left, up; between them they change evenly.

    Distances are horizontal, the direction at a vertex is that between its neighbours. Before the first offset and
    behind the last, theirs hold (ISO 16739-1, IfcOffsetCurveByDistances).
    """
    steps = np.hypot(*np.diff(basis[:, :2], axis=0).T)
    along = np.concatenate(([0.0], np.cumsum(steps)))
    left, up = (np.interp(along, offsets[:, 0], offsets[:, at]) for at in (1, 2))
    direction = np.gradient(basis[:, :2], axis=0)
    direction /= np.maximum(np.hypot(*direction.T), 1e-12)[:, None]
    moved = basis.copy()
    moved[:, 0] -= direction[:, 1] * left
    moved[:, 1] += direction[:, 0] * left
    moved[:, 2] += up
    return moved
