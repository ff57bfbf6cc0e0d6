"""Pipes, ducts and duct blocks: a section swept along each line's axis, as one `Mesh`.

Stations are the rings of a pipe: one for each vertex with a gentle bend (mitred), several on an arc where the
bend is sharp. Frames are rotation-minimising for round pipes and level for sections with a top and a bottom
(W. Wang et al., Computation of Rotation Minimizing Frames, ACM TOG 27(1), 2008, section 3: for a polyline the
frame turns with the tangent by the smallest rotation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from tiles.mesh import Float64, TileMesh, UInt8, UInt32, empty_mesh, merge

Index = NDArray[np.intp]
Bool = NDArray[np.bool_]

SAME_POINT = 1e-3
"""Metres between consecutive vertices below which they are one."""
MITRE_LIMIT = np.radians(30.0)
"""Sharper bends become an arc of steps no larger than this."""
ELBOW_RADIUS = 1.5
"""Radius of such an arc, in widths of the pipe (the usual long elbow), where the segments have room."""
LEVEL_LIMIT = 0.05
"""Sine of the slope from the plumb line below which a section keeps the orientation it had before."""


@dataclass(frozen=True)
class Stations:
    """Where sections stand: centre, tangent and, in the section's plane, the bend's outward direction.

    `stretch` (n,) widens the section along `bend` so that a mitre joins both sides; `pipe` (n,) is the pipe's
    number and `start` (pipes + 1,) where each pipe begins; `row` (pipes,) the feature's row.
    """

    center: Float64
    tangent: Float64
    bend: Float64
    stretch: Float64
    pipe: Index
    start: Index
    row: Index


def sweep(
    lines: NDArray[np.object_],
    width: Float64,
    height: Float64,
    round_mask: Bool,
    *,
    sides: int = 8,
    feature: UInt32 | None = None,
    colors: UInt8 | None = None,
) -> TileMesh:
    """Return closed, capped tubes along the axes: round or elliptic where `round_mask`, else rectangular.

    `lines` are LineString Z or MultiLineString Z of the axis in metres, `width` and `height` the outer size
    of the section (a duct block's W x H); a height of NaN means as high as wide. The `sides` corners of a
    round section lie on the true surface: 8 sides hold 90 % of its area, 6 hold 83 %, 4 hold 64 %. Lines
    without two distinct points, with a missing z, or with a width that is not positive give nothing: the
    caller knows what to assume.
    """
    width = np.asarray(width, np.float64)
    height = np.where(np.isnan(height), width, height)
    round_mask = np.asarray(round_mask, bool)
    usable = (width > 0.0) & (height > 0.0)
    stations = _stations(*_axes(lines, usable), width)
    if len(stations.row) == 0:
        return empty_mesh()
    frames = _frames(stations, ~round_mask | (width != height))
    is_round = np.asarray(round_mask, bool)[stations.row]
    size = np.stack([width, height], axis=-1)[stations.row]
    mesh = merge(
        [
            _tubes(stations, frames, size, is_round, _round_section(sides)),
            _tubes(stations, frames, size, ~is_round, _rectangular_section()),
        ]
    )
    row = mesh.feature
    return TileMesh(
        mesh.positions,
        mesh.normals,
        mesh.triangles,
        row if feature is None else np.asarray(feature, np.uint32)[row],
        None if colors is None else np.asarray(colors, np.uint8)[row],
    )


def _axes(lines: NDArray[np.object_], usable: Bool) -> tuple[Float64, Index, Index]:
    """Return the vertices of all lines that can be swept, each vertex's pipe and each pipe's row."""
    parts, row = shapely.get_parts(np.asarray(lines, dtype=object), return_index=True)
    points, pipe = shapely.get_coordinates(parts, include_z=True, return_index=True)
    wanted = usable[row] & (shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING)
    wanted[pipe[~np.isfinite(points).all(axis=1)]] = False
    points, pipe = points[wanted[pipe]], pipe[wanted[pipe]]
    if len(points) == 0:
        return np.empty((0, 3)), np.empty(0, np.intp), np.empty(0, np.intp)
    apart = np.linalg.norm(np.diff(points, axis=0), axis=1) > SAME_POINT
    keep = np.concatenate([[True], (pipe[1:] != pipe[:-1]) | apart])
    points, pipe = points[keep], pipe[keep]
    count = np.bincount(pipe, minlength=len(parts))
    long_enough = count[pipe] >= 2
    kept, number = np.unique(pipe[long_enough], return_inverse=True)
    return points[long_enough], number, row[kept]


def _stations(points: Float64, pipe: Index, row: Index, width: Float64) -> Stations:
    """Return one station for each end and gentle bend, and an arc of stations for each sharp bend."""
    if len(points) == 0:
        nothing = np.empty(0, np.intp)
        return Stations(points, points, points, np.empty(0), nothing, np.zeros(1, np.intp), nothing)
    bends = _bends(points, pipe, width[row[pipe]])
    vertex = np.repeat(np.arange(len(points)), bends.steps + 1)
    first = np.cumsum(bends.steps + 1) - (bends.steps + 1)
    step, steps = np.arange(len(vertex)) - first[vertex], bends.steps[vertex]
    angle = bends.angle[vertex]
    turned = np.where(steps > 0, angle * step / np.maximum(steps, 1), 0.5 * angle)
    sine, cosine = np.sin(turned)[:, None], np.cos(turned)[:, None]
    along, inward = bends.along[vertex], bends.inward[vertex]
    radius, cut = bends.radius[vertex, None], bends.cut[vertex, None]
    deflection = np.where(steps == 0, angle, np.where((step > 0) & (step < steps), angle / np.maximum(steps, 1), 0.0))
    return Stations(
        points[vertex] - cut * along + radius * (sine * along + (1.0 - cosine) * inward),
        cosine * along + sine * inward,
        cosine * inward - sine * along,
        1.0 / np.cos(0.5 * deflection),
        pipe[vertex],
        np.concatenate([[0], np.cumsum(np.bincount(pipe[vertex]))]).astype(np.intp),
        row,
    )


@dataclass(frozen=True)
class Bends:
    """What the axis does at each vertex: arriving direction, direction of the turn, angle, arc if sharp.

    `steps` is 0 for a mitre, else the number of chords of the arc, which leaves the axis `cut` metres before
    the vertex and has `radius`.
    """

    along: Float64
    inward: Float64
    angle: Float64
    steps: Index
    cut: Float64
    radius: Float64


def _bends(points: Float64, pipe: Index, width: Float64) -> Bends:
    segment = np.diff(points, axis=0)
    length = np.linalg.norm(segment, axis=1)
    inside = pipe[1:] == pipe[:-1]
    direction = segment[inside] / length[inside, None]
    arriving, leaving = np.empty_like(points), np.empty_like(points)
    has_before, has_after = np.concatenate([[False], inside]), np.concatenate([inside, [False]])
    arriving[has_before] = leaving[has_after] = direction
    arriving[~has_before], leaving[~has_after] = leaving[~has_before], arriving[~has_after]
    sideways = leaving - arriving * _dot(leaving, arriving)
    inward = _unit(sideways, _unit(_any_normal(arriving), arriving))
    angle = np.arctan2(np.linalg.norm(sideways, axis=1), _dot(leaving, arriving)[:, 0])
    steps = np.where(angle > MITRE_LIMIT + 1e-9, np.ceil(angle / MITRE_LIMIT - 1e-9), 0.0).astype(np.intp)
    room = 0.45 * np.minimum(_shifted(length, has_before), np.concatenate([length, [np.inf]]))
    slope = np.tan(0.5 * np.minimum(angle, np.radians(179.0)))
    cut = np.where(steps > 0, np.minimum(ELBOW_RADIUS * width * np.minimum(slope, 1.0), room), 0.0)
    radius = np.where(steps > 0, cut / np.where(steps > 0, slope, 1.0), 0.0)
    return Bends(arriving, inward, angle, steps, cut, radius)


def _shifted(length: Float64, has_before: Bool) -> Float64:
    """Return for each vertex the length of the segment that arrives there."""
    return np.where(has_before, np.concatenate([[np.inf], length]), np.inf)


def _frames(stations: Stations, level: Bool) -> tuple[Float64, Float64]:
    """Return the section's sideways and upward unit vectors at each station.

    Pipes are walked in step: the k-th stations of all pipes that have one are done together.
    """
    tangent = stations.tangent
    sideways = np.cross([0.0, 0.0, 1.0], tangent)
    normal = _unit(sideways, _any_normal(tangent))
    plumb = np.linalg.norm(sideways, axis=1) < LEVEL_LIMIT
    carried = plumb | ~level[stations.row[stations.pipe]]
    count = np.diff(stations.start)
    for k in range(1, int(count.max())):
        now = stations.start[:-1][count > k] + k
        now = now[carried[now]]
        before = now - 1
        chord = _unit(stations.center[now] - stations.center[before], tangent[now])
        turned = _turned(_turned(normal[before], tangent[before], chord), chord, tangent[now])
        normal[now] = _unit(turned - tangent[now] * _dot(turned, tangent[now]), normal[now])
    return normal, np.cross(tangent, normal)


def _turned(normal: Float64, old: Float64, new: Float64) -> Float64:
    """Return `normal`, which is square to `old`, turned by the smallest rotation from `old` to `new`."""
    turned: Float64 = normal - (_dot(normal, new) / np.maximum(1.0 + _dot(old, new), 1e-12)) * (old + new)
    return turned


@dataclass(frozen=True)
class SweepSection:
    """A section of size 2 x 2 about its centre: vertices and normals (c, 2), edges and outline as numbers."""

    corner: Float64
    normal: Float64
    edge: Index
    outline: Index


def _round_section(sides: int) -> SweepSection:
    """Return a regular polygon on the unit circle with normals that make it look round."""
    angle = 2.0 * np.pi * np.arange(sides) / sides
    corner = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    number = np.arange(sides)
    return SweepSection(corner, corner, np.stack([number, (number + 1) % sides], axis=-1), number)


def _rectangular_section() -> SweepSection:
    """Return a square whose corners are there twice, so that each face has its own normal."""
    corner = np.array([[1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0]])
    face = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    both = np.stack([corner, np.roll(corner, -1, axis=0)], axis=1).reshape(-1, 2)
    number = 2 * np.arange(4)
    return SweepSection(both, np.repeat(face, 2, axis=0), np.stack([number, number + 1], axis=-1), number)


def _tubes(
    stations: Stations,
    frames: tuple[Float64, Float64],
    size: Float64,
    chosen: Bool,
    section: SweepSection,
) -> TileMesh:
    """Return the skins and caps of the chosen pipes; `size` (pipes, 2) are width and height."""
    here = np.flatnonzero(chosen[stations.pipe])
    if len(here) == 0:
        return empty_mesh()
    half = 0.5 * size[stations.pipe[here], None, :]
    normal, binormal = frames[0][here, None, :], frames[1][here, None, :]
    flat = half * section.corner
    offset = flat[..., :1] * normal + flat[..., 1:] * binormal
    bend = stations.bend[here, None, :]
    offset += bend * _dot(offset, bend) * (stations.stretch[here] - 1.0)[:, None, None]
    ring = stations.center[here, None, :] + offset
    steep = section.normal / half
    outward = steep[..., :1] * normal + steep[..., 1:] * binormal
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    row = stations.row[stations.pipe[here]].astype(np.uint32)
    skin = TileMesh(
        ring.reshape(-1, 3),
        outward.reshape(-1, 3).astype(np.float32),
        _skin_triangles(stations.pipe[here], section),
        np.repeat(row, len(section.corner)),
    )
    is_first = np.concatenate([[True], np.diff(stations.pipe[here]) > 0])
    is_last = np.roll(is_first, -1)
    outline, tangent = ring[:, section.outline], stations.tangent[here]
    return merge(
        [
            skin,
            _caps(outline[is_first, ::-1], -tangent[is_first], row[is_first]),
            _caps(outline[is_last], tangent[is_last], row[is_last]),
        ]
    )


def _skin_triangles(pipe: Index, section: SweepSection) -> UInt32:
    """Return two triangles for each edge of the section between one station and the next of the same pipe."""
    near = len(section.corner) * np.flatnonzero(pipe[1:] == pipe[:-1])[:, None]
    far = near + len(section.corner)
    a, b = section.edge[:, 0], section.edge[:, 1]
    quads = np.stack([near + a, near + b, far + b, far + a], axis=-1)
    return quads[..., [0, 1, 2, 0, 2, 3]].reshape(-1, 3).astype(np.uint32)


def _caps(outline: Float64, outward: Float64, row: UInt32) -> TileMesh:
    """Return flat lids (fans) over the outlines (k, corners, 3), counter-clockwise seen from outside."""
    count, corners = outline.shape[:2]
    fan = np.array([[0, i, i + 1] for i in range(1, corners - 1)])
    triangles = (corners * np.arange(count)[:, None, None] + fan).reshape(-1, 3)
    return TileMesh(
        outline.reshape(-1, 3),
        np.repeat(outward, corners, axis=0).astype(np.float32),
        triangles.astype(np.uint32),
        np.repeat(row, corners),
    )


def _dot(a: Float64, b: Float64) -> Float64:
    """Return the dot products along the last axis, which stays."""
    dots: Float64 = (a * b).sum(axis=-1, keepdims=True)
    return dots


def _unit(vector: Float64, otherwise: Float64) -> Float64:
    """Return unit vectors; where a vector has no length, the other one."""
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.where(length > 1e-9, vector / np.maximum(length, 1e-9), otherwise)


def _any_normal(direction: Float64) -> Float64:
    """Return some unit vector square to each direction: level where the direction is steep."""
    steep = np.abs(direction[:, 2:]) > 0.9
    reference = np.where(steep, [1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    normal = np.cross(reference, direction)
    unit: Float64 = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return unit
