"""Motions fitted to what is known of a model's place: control points, or the outline of a building it should match.

Fit of points: Umeyama (1991), "Least-squares estimation of transformation parameters between two point patterns", without
its scale. What a motion is stands in `twin_model/building/placing.py`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.building.placing import motion, moved_points, rotation_of
from twin_model.errors import CalledWrongly

__all__ = ["Candidate", "PointFit", "equally_good", "fit_outline", "fit_points"]

Float64 = NDArray[np.float64]

_SCALE_TOLERANCE = 0.01
_SAME = 0.02
_STEPS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005)
_ROUNDS = 8


@dataclass(frozen=True)
class PointFit:
    """The motion through control points, the distance each lies off in metres, and the scale they would have had."""

    matrix: Float64
    residuals: tuple[float, ...]
    scale: float


@dataclass(frozen=True)
class Candidate:
    """A motion that lays a model's outline on another, and how well: area in common by area of both together."""

    matrix: Float64
    overlap: float

    @property
    def rotation(self) -> float:
        return rotation_of(self.matrix)


def fit_points(
    local: Sequence[Sequence[float]], target: Sequence[Sequence[float]], height: float | None = None
) -> PointFit:
    """Return the motion that brings local points to their targets with the least squares of distances in the plane.

    Points are x, y or x, y, z in metres. The height is the one given, else the mean of the differences of z where
    all points have one, else 0. Raises `CalledWrongly` for fewer than two places, and where the distances between
    the points differ by more than 1 percent: then a unit or a point is wrong.
    """
    places, targets = (np.array([point[:2] for point in points], dtype=np.float64) for points in (local, target))
    if len(places) < 2 or len(places) != len(targets):
        raise CalledWrongly("place.few_points", count=len(places))
    centre, goal = places.mean(axis=0), targets.mean(axis=0)
    a, b = places - centre, targets - goal
    spread = float((a**2).sum())
    turn = math.atan2(float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()), float((a * b).sum()))
    scale = math.sqrt(float((b**2).sum()) / spread) if spread > 0 else 0.0
    if scale == 0.0:
        raise CalledWrongly("place.same_points", count=len(places))
    if abs(scale - 1.0) > _SCALE_TOLERANCE:
        raise _scale_refusal(scale)
    matrix = motion(0.0, 0.0, _height_of(local, target, height), math.degrees(turn))
    matrix[:2, 3] = goal - matrix[:2, :2] @ centre
    off = places @ matrix[:2, :2].T + matrix[:2, 3] - targets
    return PointFit(matrix, tuple(float(each) for each in np.hypot(*off.T)), scale)


def _scale_refusal(scale: float) -> CalledWrongly:
    """Return the error for points whose distances differ by a factor, with the unit that was probably meant."""
    rule = (
        "place.scale_mm" if 0.9 < scale * 1000 < 1.1 else "place.scale_m" if 0.9 < scale / 1000 < 1.1 else "place.scale"
    )
    return CalledWrongly(rule, scale=round(scale, 6))


def _height_of(local: Sequence[Sequence[float]], target: Sequence[Sequence[float]], height: float | None) -> float:
    if height is not None:
        return height
    if all(len(point) == 3 for point in (*local, *target)):
        return float(np.mean([goal[2] - point[2] for point, goal in zip(local, target, strict=True)]))
    return 0.0


def fit_outline(outline: Any, target: Any, height: float) -> list[Candidate]:
    """Return the motions that lay an outline on another, the best first: one for each quarter turn, refined.

    Both are polygons in metres; their smallest rotated rectangles are laid on each other, then moved and turned by
    steps as long as more of them overlaps.
    """
    outline, target = shapely.force_2d(outline), shapely.force_2d(target)
    direction, target_direction = (_axis_of(shapely.minimum_rotated_rectangle(each)) for each in (outline, target))
    candidates = [
        _refined(outline, target, target_direction - direction + quarter, height)
        for quarter in (0.0, 90.0, 180.0, 270.0)
    ]
    return sorted(candidates, key=lambda each: -each.overlap)


def _axis_of(rectangle: Any) -> float:
    """Return the direction of a rectangle's longer side in degrees."""
    steps = np.diff(shapely.get_coordinates(rectangle)[:3], axis=0)
    longer = steps[int(np.argmax(np.hypot(*steps.T)))]
    return math.degrees(math.atan2(longer[1], longer[0]))


def _refined(outline: Any, target: Any, rotate: float, height: float) -> Candidate:
    size = math.sqrt(target.area)
    best = _laid(outline, target, np.zeros(2), rotate, height)
    shift, turn = np.zeros(2), rotate
    for step in _STEPS:
        for _ in range(_ROUNDS):
            before = best.overlap
            for moved, turned in _neighbours(shift, turn, step * size / 10, step * 5.0):
                candidate = _laid(outline, target, moved, turned, height)
                if candidate.overlap > best.overlap + 1e-9:
                    best, shift, turn = candidate, moved, turned
            if best.overlap <= before + 1e-9:
                break
    return best


def _neighbours(shift: Float64, turn: float, metres: float, degrees: float) -> Iterator[tuple[Float64, float]]:
    for x, y in ((metres, 0), (-metres, 0), (0, metres), (0, -metres)):
        yield shift + np.array([x, y]), turn
    yield shift, turn + degrees
    yield shift, turn - degrees


def _laid(outline: Any, target: Any, shift: Float64, rotate: float, height: float) -> Candidate:
    """Return the motion by which the middle of an outline's rectangle comes to that of the target's, moved by a shift."""
    middle = shapely.get_coordinates(shapely.minimum_rotated_rectangle(outline).centroid)[0]
    goal = shapely.get_coordinates(shapely.minimum_rotated_rectangle(target).centroid)[0] + shift
    matrix = motion(0.0, 0.0, height, rotate)
    matrix[:2, 3] = goal - matrix[:2, :2] @ middle
    laid = shapely.transform(outline, lambda points: moved_points(points, matrix))
    both = laid.intersection(target).area
    return Candidate(matrix, float(both / (laid.area + target.area - both)))


def equally_good(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that overlap as well as the best, to two percent: the outline does not tell them apart."""
    return [each for each in candidates if each.overlap >= candidates[0].overlap - _SAME]
