"""Buildings from footprints: walls, roof and, on request, floor, as one `Mesh`.

Pipes are swept in `tiles/sweep.py`; solids with a shape of their own (CityJSON, BIM) come as meshes already.
"""

from __future__ import annotations

from dataclasses import dataclass

import mapbox_earcut
import numpy as np
import shapely
from numpy.typing import NDArray

from tiles.mesh import Float32, Float64, TileMesh, UInt8, UInt32, empty_mesh, merge

Index = NDArray[np.intp]

SAME_POINT = 1e-6
"""Metres between consecutive points below which they are one."""


BAY = 3.6
"""Metres of a wall that have one window, about: a wall has a whole number of them."""
STOREY = 3.2
"""Metres of a storey where nobody says how many there are."""


@dataclass(frozen=True)
class Rings:
    """The rings of many polygons, one after the other, closing point dropped; shells counter-clockwise.

    `points` (n, 2); `start` (r + 1,) where each ring begins; `part` (r,) the polygon part it belongs to;
    `row` (r,) the feature's row number.
    """

    points: Float64
    start: Index
    part: Index
    row: Index

    @property
    def size(self) -> Index:
        return np.diff(self.start)

    @property
    def following(self) -> Index:
        """Return for each point the next one along its ring."""
        following = np.arange(1, len(self.points) + 1)
        following[self.start[1:] - 1] = self.start[:-1]
        return following


def extrude(
    polygons: NDArray[np.object_],
    base: Float64,
    height: Float64,
    *,
    feature: UInt32 | None = None,
    colors: UInt8 | None = None,
    floor: bool = False,
    flat_color: tuple[int, int, int, int] | None = None,
    storeys: Float64 | None = None,
) -> TileMesh:
    """Return walls with flat normals and a roof for each footprint; `floor=True` closes the solids.

    Polygons and MultiPolygons with holes, either orientation; repeated and collinear points do no harm;
    anything without area gives nothing. `base` is the foot's height and `height` the metres above it. An
    unknown height (NaN) gives the footprint alone, lying at `base`: painted with `flat_color` where that is
    given, so that nobody takes it for a low building. `feature` are row numbers (default: 0, 1, 2 ...),
    `colors` (rows, 4). An unknown base gives nothing. With `storeys` (rows; NaN or 0: as many as the height has room for) walls
    know where their bays and storeys are (`TileMesh.facade`).
    """
    height = np.asarray(height, dtype=np.float64)
    base = np.asarray(base, dtype=np.float64)
    rings = footprint_rings(polygons)
    if len(rings.part) == 0:
        return empty_mesh()
    top = base + np.where(np.isnan(height), 0.0, height)
    roof_triangles = triangulate(rings)
    counted = None if storeys is None else _storeys(storeys, top - base)
    parts = [_walls(rings, base, top, counted), _lid(rings, roof_triangles, top, up=True)]
    if floor:
        parts.append(_lid(rings, roof_triangles, np.where(top > base, base, np.nan), up=False))
    mesh = merge(parts)
    row = mesh.feature
    return TileMesh(
        mesh.positions,
        mesh.normals,
        mesh.triangles,
        row if feature is None else np.asarray(feature, np.uint32)[row],
        _vertex_colors(row, colors, np.isnan(height), flat_color),
        mesh.facade,
    )


def _storeys(storeys: Float64, height: Float64) -> Float64:
    """Return whole storeys, one at least."""
    likely = np.round(np.nan_to_num(height) / STOREY)
    return np.maximum(np.where(storeys > 0, storeys, likely), 1.0)


def footprint_rings(polygons: NDArray[np.object_]) -> Rings:
    """Return the rings of all footprints, oriented, without repeated points and without rings of no area."""
    geometry = np.asarray(polygons, dtype=object)
    parts, row_of_part = shapely.get_parts(geometry, return_index=True)
    is_polygon = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    has_area = is_polygon & (shapely.area(parts) > SAME_POINT)
    parts, row_of_part = shapely.orient_polygons(parts[has_area]), row_of_part[has_area]
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    points, ring_of_point = shapely.get_coordinates(rings, return_index=True)
    return _cleaned(points, ring_of_point, part_of_ring, row_of_part)


def _cleaned(points: Float64, ring_of_point: Index, part_of_ring: Index, row_of_part: Index) -> Rings:
    """Drop closing and repeated points, then rings left with fewer than three, then holes without a shell."""
    same_ring = ring_of_point[1:] == ring_of_point[:-1]
    apart = np.abs(points[1:] - points[:-1]) > SAME_POINT
    distinct = apart[:, 0] | apart[:, 1]
    keep = np.concatenate([~same_ring | distinct, np.ones(min(len(points), 1), bool)])
    is_last = np.concatenate([~same_ring, np.ones(min(len(points), 1), bool)])
    keep &= ~is_last
    count = np.bincount(ring_of_point[keep], minlength=len(part_of_ring))
    is_shell = np.concatenate([np.ones(min(len(part_of_ring), 1), bool), np.diff(part_of_ring) > 0])
    has_shell = np.zeros(len(row_of_part), bool)
    has_shell[part_of_ring[is_shell & (count >= 3)]] = True
    good = (count >= 3) & has_shell[part_of_ring]
    keep &= good[ring_of_point]
    start = np.concatenate([[0], np.cumsum(count[good])]).astype(np.intp)
    part = part_of_ring[good]
    return Rings(points[keep], start, part, row_of_part[part])


def _walls(rings: Rings, base: Float64, top: Float64, storeys: Float64 | None) -> TileMesh:
    """Return four vertices and two triangles for each edge of a ring whose feature rises above its base."""
    row = np.repeat(rings.row, rings.size)
    rises = np.flatnonzero((top > base)[row])
    begin, end, row = rings.points[rises], rings.points[rings.following[rises]], row[rises]
    positions = np.empty((len(rises), 4, 3))
    positions[:, 0, :2] = positions[:, 3, :2] = begin
    positions[:, 1, :2] = positions[:, 2, :2] = end
    positions[:, :2, 2] = base[row][:, None]
    positions[:, 2:, 2] = top[row][:, None]
    along = end - begin
    length = np.hypot(along[:, 0], along[:, 1])
    along /= length[:, None]
    outward = np.stack([along[:, 1], -along[:, 0], np.zeros(len(along))], axis=-1).astype(np.float32)
    corner = 4 * np.arange(len(rises), dtype=np.uint32)[:, None, None]
    quad = np.array([[0, 1, 2], [0, 2, 3]], np.uint32)
    return TileMesh(
        positions.reshape(-1, 3),
        np.repeat(outward, 4, axis=0),
        (corner + quad).reshape(-1, 3),
        np.repeat(row, 4).astype(np.uint32),
        facade=None if storeys is None else _facade(length, storeys[row]),
    )


def _facade(length: Float64, storeys: Float64) -> Float32:
    """Return bays and storeys at the four corners of each wall, in the order of its vertices."""
    corners = np.zeros((len(length), 4, 2), np.float32)
    corners[:, 1:3, 0] = np.maximum(np.round(length / BAY), 1.0)[:, None]
    corners[:, 2:, 1] = storeys[:, None]
    return corners.reshape(-1, 2)


def _lid(rings: Rings, triangles: UInt32, height: Float64, *, up: bool) -> TileMesh:
    """Return the triangulated footprints at `height`, facing up or down; NaN heights give nothing."""
    row = np.repeat(rings.row, rings.size)
    z = height[row]
    positions = np.column_stack([rings.points, z])
    shown = ~np.isnan(z)
    triangles = triangles[shown[triangles[:, 0]]]
    number = np.cumsum(shown, dtype=np.uint32) - np.uint32(1)
    triangles = number[triangles if up else triangles[:, ::-1]]
    normals = np.zeros((int(shown.sum()), 3), np.float32)
    normals[:, 2] = 1.0 if up else -1.0
    return TileMesh(positions[shown], normals, triangles, row[shown].astype(np.uint32))


def triangulate(rings: Rings) -> UInt32:
    """Return triangles (m, 3) filling the footprints, counter-clockwise, as numbers of `rings.points`.

    Polygons that a fan from their most reflex (or first) corner fills, which are most buildings, are done all
    at once; the others, and all with holes, go through earcut one by one.
    """
    ring_of_part_start = np.flatnonzero(np.concatenate([[True], np.diff(rings.part) > 0]))
    ring_count = np.diff(np.concatenate([ring_of_part_start, [len(rings.part)]]))
    simple = ring_of_part_start[ring_count == 1]
    fans, filled = _fans(rings, simple)
    is_fan = np.zeros(len(rings.part), bool)
    is_fan[simple[filled]] = True
    rest = ~is_fan[ring_of_part_start]
    return np.concatenate([fans, _ears(rings, ring_of_part_start[rest], ring_count[rest])])


def _fans(rings: Rings, chosen: Index) -> tuple[UInt32, NDArray[np.bool_]]:
    """Return the fan triangles of those chosen rings that a fan fills, and which these are."""
    size = rings.size[chosen]
    if len(size) == 0:
        return np.empty((0, 3), np.uint32), np.empty(0, bool)
    apex = _most_reflex(rings)[chosen]
    ring = np.repeat(np.arange(len(chosen)), size - 2)
    step = np.arange(len(ring)) - np.repeat(np.cumsum(size - 2) - (size - 2), size - 2) + 1
    start = rings.start[:-1][chosen]

    def corner(offset: Index) -> Index:
        numbers: Index = start[ring] + (apex[ring] - start[ring] + offset) % size[ring]
        return numbers

    triangles = np.stack([apex[ring], corner(step), corner(step + 1)], axis=-1)
    a, b, c = (rings.points[triangles[:, which]] for which in range(3))
    left = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    filled = np.ones(len(chosen), bool)
    filled[ring[left <= SAME_POINT]] = False
    return triangles[filled[ring]].astype(np.uint32), filled


def _most_reflex(rings: Rings) -> Index:
    """Return for each ring the corner that turns right the most, or its first where none does."""
    following = rings.following
    ahead = rings.points[following] - rings.points
    behind = np.empty_like(ahead)
    behind[following] = ahead
    turn = behind[:, 0] * ahead[:, 1] - behind[:, 1] * ahead[:, 0]
    ring = np.repeat(np.arange(len(rings.part)), rings.size)
    worst = np.minimum.reduceat(turn, rings.start[:-1])
    apex = rings.start[:-1].copy()
    reflex = np.flatnonzero((turn == worst[ring]) & (turn < 0.0))
    apex[ring[reflex][::-1]] = reflex[::-1]
    return apex


def _ears(rings: Rings, first: Index, count: Index) -> UInt32:
    """Return earcut's triangles for the polygons that have `count` rings from ring `first` on, shell first.

    Earcut sees each polygon near 0, 0, where its products lose no digits; its triangles may turn either way.
    """
    begin, end = rings.start[first], rings.start[first + count]
    origin = np.repeat(rings.points[begin], end - begin, axis=0)
    chosen = np.repeat(begin - (np.cumsum(end - begin) - (end - begin)), end - begin) + np.arange(len(origin))
    near = np.ascontiguousarray(rings.points[chosen] - origin)
    cuts = np.concatenate([[0], np.cumsum(end - begin)]).tolist()
    ring_ends = rings.start.astype(np.uint32)
    triangles = [np.empty(0, np.uint32)]
    for number, (ring, rings_here, shift) in enumerate(
        zip(first.tolist(), count.tolist(), begin.astype(np.uint32), strict=True)
    ):
        points = near[cuts[number] : cuts[number + 1]]
        ends = ring_ends[ring + 1 : ring + 1 + rings_here] - shift
        triangles.append(mapbox_earcut.triangulate_float64(points, ends) + shift)
    return _counter_clockwise(np.concatenate(triangles).reshape(-1, 3), rings.points)


def _counter_clockwise(triangles: UInt32, points: Float64) -> UInt32:
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    clockwise = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return np.where(clockwise[:, None], triangles[:, ::-1], triangles)


def _vertex_colors(
    row: UInt32,
    colors: UInt8 | None,
    unknown: NDArray[np.bool_],
    flat_color: tuple[int, int, int, int] | None,
) -> UInt8 | None:
    if colors is None and flat_color is None:
        return None
    by_row = np.full((len(unknown), 4), 255, np.uint8) if colors is None else np.array(colors, np.uint8)
    if flat_color is not None:
        by_row[unknown] = flat_color
    return by_row[row]
