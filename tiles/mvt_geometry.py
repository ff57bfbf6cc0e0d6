"""Geometry of a vector tile: clipped to the tile, simplified, rounded to its grid, made valid and wound, as flat paths.

Everything runs on whole columns: the vertices of all features lie in two flat arrays. The commands that draw the paths
are written in `tiles/mvt.py`.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from tiles.varint import ranges_of
from twin_model.box import Box

__all__ = ["TilePaths", "Window", "line_paths", "parts_within", "point_paths", "ring_paths"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Geometries = NDArray[np.object_]

SHORT_PART = 16
"""Parts with no more vertices skip Douglas-Peucker, which costs them more than all other steps together."""


@dataclass(frozen=True, slots=True)
class Window:
    """The box of a tile in its CRS and the integer grid on it: x east, y south, origin top left."""

    bounds: Box
    extent: int
    buffer: int
    tolerance_units: float

    @property
    def unit(self) -> tuple[float, float]:
        minx, miny, maxx, maxy = self.bounds
        return (maxx - minx) / self.extent, (maxy - miny) / self.extent

    @property
    def buffered(self) -> Box:
        minx, miny, maxx, maxy = self.bounds
        dx, dy = self.buffer * self.unit[0], self.buffer * self.unit[1]
        return minx - dx, miny - dy, maxx + dx, maxy + dy

    def to_grid(self, coordinates: Floats) -> tuple[Floats, Floats]:
        """Return x and y in tile units, rounded; floats hold these integers exactly and compute faster."""
        unit_x, unit_y = self.unit
        x = np.rint((coordinates[:, 0] - self.bounds[0]) / unit_x)
        y = np.rint((self.bounds[3] - coordinates[:, 1]) / unit_y)
        return x, y


def parts_within(window: Window, geometries: Geometries) -> tuple[Geometries, Ints]:
    """Return the single parts of the dominant dimension inside the buffered box, and the row of each."""
    parts, rows = _exploded(geometries, np.arange(len(geometries)))
    dimension = shapely.get_dimensions(parts)
    dominant = np.full(len(geometries), -1)
    np.maximum.at(dominant, rows, dimension)
    # NaN bounds (missing, empty) compare false, so they leave with what lies outside.
    box, reach = shapely.bounds(parts), window.buffered
    meets = (box[:, 0] <= reach[2]) & (box[:, 2] >= reach[0]) & (box[:, 1] <= reach[3]) & (box[:, 3] >= reach[1])
    chosen = meets & np.isfinite(box).all(axis=1) & (dimension == dominant[rows])
    parts, rows, box = parts[chosen], rows[chosen], box[chosen]
    inside = (box[:, :2] >= reach[:2]).all(axis=1) & (box[:, 2:] <= reach[2:]).all(axis=1)
    return (parts, rows) if inside.all() else _clipped(parts, rows, ~inside, reach)


def _exploded(geometries: Geometries, rows: Ints) -> tuple[Geometries, Ints]:
    """Return points, lines and polygons, in order, with the row each belongs to; nested collections too."""
    kind = shapely.get_type_id(geometries)
    while ((kind >= 4) & (kind <= 7)).any():
        geometries, index = shapely.get_parts(geometries, return_index=True)
        rows, kind = rows[index], shapely.get_type_id(geometries)
    simple = (kind >= 0) & (kind <= 3) & ~shapely.is_empty(geometries)
    return (geometries, rows) if simple.all() else (geometries[simple], rows[simple])


def _clipped(parts: Geometries, rows: Ints, crossing: Bools, box: Box) -> tuple[Geometries, Ints]:
    """Return the parts with those that cross the box cut to it, pieces of a lower dimension left out."""
    dimension = shapely.get_dimensions(parts)
    parts = parts.copy()
    parts[crossing] = _cut(parts[crossing], box)
    pieces, index = _exploded(parts, np.arange(len(parts)))
    same = shapely.get_dimensions(pieces) == dimension[index]
    return pieces[same], rows[index[same]]


def _cut(parts: Geometries, box: Box) -> Geometries:
    """Return each part inside the box.

    `clip_by_rect` may fill the whole box for a polygon that crosses itself, so such are mended first.
    """
    broken = ~shapely.is_valid(parts)
    parts[broken] = _valid(parts[broken])
    try:
        return shapely.clip_by_rect(parts, *box)
    except shapely.GEOSException:
        return shapely.intersection(parts, shapely.box(*box))


def _valid(shapes: Geometries) -> Geometries:
    """Return valid polygons with all area that an exterior ring encloses, whatever its winding.

    The even-odd rule of the other method would punch holes where a ring overlaps itself.
    """
    return shapely.make_valid(shapes, method="structure", keep_collapsed=False)


@dataclass(frozen=True, slots=True)
class TilePaths:
    """Runs of vertices on the grid, row after row: the points of a feature, a line, or a ring left open.

    `x`, `y` per vertex; `count`, `row`, `part`, `hole` per path. No path is empty; a hole has the `part` of
    its exterior ring and follows it.
    """

    x: Floats
    y: Floats
    count: Ints
    row: Ints
    part: Ints
    hole: Bools

    @property
    def start(self) -> Ints:
        return np.cumsum(self.count) - self.count

    def vertices(self, keep: Bools) -> "TilePaths":
        """Return the paths with these vertices; a path that loses all of them goes."""
        count = np.add.reduceat(keep, self.start, dtype=np.int64) if len(self.count) else self.count
        left = count > 0
        return TilePaths(self.x[keep], self.y[keep], count[left], self.row[left], self.part[left], self.hole[left])

    def paths(self, chosen: Bools | Ints) -> "TilePaths":
        """Return some of the paths, or all in another order."""
        count = self.count[chosen]
        at = ranges_of(self.start[chosen], count)
        return TilePaths(self.x[at], self.y[at], count, self.row[chosen], self.part[chosen], self.hole[chosen])

    def with_rings(self, other: "TilePaths") -> "TilePaths":
        """Return both, row after row; the parts of `other` get numbers of their own."""
        part = np.concatenate((self.part, other.part + self.part.max(initial=-1) + 1))
        x, y = np.concatenate((self.x, other.x)), np.concatenate((self.y, other.y))
        count, row = np.concatenate((self.count, other.count)), np.concatenate((self.row, other.row))
        both = TilePaths(x, y, count, row, part, np.concatenate((self.hole, other.hole)))
        return both.paths(np.argsort(row, kind="stable"))

    def neighbours(self) -> tuple[Ints, Ints]:
        """Return the index of the vertex before and of the one after each, around the path."""
        here = np.arange(len(self.x))
        before, after = here - 1, here + 1
        start = self.start
        before[start], after[start + self.count - 1] = start + self.count - 1, start
        return before, after

    def area(self) -> Floats:
        """Return the signed area of each ring by the surveyor's formula, y down as in the specification."""
        before, _ = self.neighbours()
        cross = self.x[before] * self.y - self.x * self.y[before]
        return np.add.reduceat(cross, self.start) / 2 if len(self.count) else np.empty(0)


def _paths(parts: Geometries, rows: Ints, window: Window | None) -> TilePaths:
    """Return one path per part or ring; without a window the coordinates are on the grid already."""
    if len(parts) and shapely.get_num_interior_rings(parts).any():
        rings, part = shapely.get_rings(parts, return_index=True)
    else:
        rings, part = parts, np.arange(len(parts))
    if window:
        rings = _simplified(rings, window.tolerance_units * min(window.unit))
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    x, y = window.to_grid(coordinates) if window else (np.rint(coordinates[:, 0]), np.rint(coordinates[:, 1]))
    count = np.bincount(ring, minlength=len(rings))
    hole = np.append(False, part[1:] == part[:-1])[: len(part)]
    paths = TilePaths(x, y, count, rows[part], part, hole)
    finite = np.isfinite(x) & np.isfinite(y)
    return paths if finite.all() else paths.vertices(finite)


def _simplified(paths: Geometries, tolerance: float) -> Geometries:
    """Return lines and rings without the vertices that move them by less than `tolerance`.

    Rings go in as lines: simplifying a polygon mends it with a buffer of zero, which loses whole lobes where
    the outline crosses itself.
    """
    long = shapely.get_num_coordinates(paths) > SHORT_PART
    if not tolerance or not long.any():
        return paths
    runs = paths[long]
    areal = shapely.get_dimensions(runs) == 2
    runs[areal] = shapely.get_exterior_ring(runs[areal])
    paths = paths.copy()
    paths[long] = shapely.simplify(runs, tolerance, preserve_topology=False)
    return paths


def _tidied(paths: TilePaths, *, closed: bool) -> TilePaths:
    """Return the paths without repeated vertices, vertices in straight runs and, where closed, spikes.

    A ring without area vanishes. Lines keep their turning points and may shrink to one vertex.
    """
    while True:
        before, _ = paths.neighbours()
        repeated = (paths.x == paths.x[before]) & (paths.y == paths.y[before])
        if not closed:
            repeated[paths.start] = False
        if repeated.any():
            paths = paths.vertices(~repeated)
        straight, spikes = _straight(paths, closed=closed)
        if straight.any():
            paths = paths.vertices(~straight)
        # Leaving out a spike may bring equal or collinear vertices together; leaving out the others does not.
        if not spikes:
            return paths


def _straight(paths: TilePaths, *, closed: bool) -> tuple[Bools, bool]:
    """Tell which vertices lie in line with their neighbours, and whether one of them is a spike's tip."""
    before, after = paths.neighbours()
    dx, dy = paths.x - paths.x[before], paths.y - paths.y[before]
    next_dx, next_dy = dx[after], dy[after]
    straight = dx * next_dy == dy * next_dx
    forward = dx * next_dx + dy * next_dy > 0
    if closed:
        return straight, bool((straight & ~forward).any())
    straight &= forward
    straight[paths.start] = straight[paths.start + paths.count - 1] = False
    return straight, False


def point_paths(parts: Geometries, rows: Ints, window: Window) -> TilePaths:
    """Return one path per row, its points in order, none twice."""
    points = _paths(parts, rows, window)
    order = np.lexsort((points.y, points.x, points.row))
    x, y, row = points.x[order], points.y[order], points.row[order]
    new = np.append(True, (x[1:] != x[:-1]) | (y[1:] != y[:-1]) | (row[1:] != row[:-1]))[: len(order)]
    points = points.paths(np.sort(order[new]))
    row, count = np.unique(points.row, return_counts=True)
    return TilePaths(points.x, points.y, count, row, row, np.zeros(len(row), dtype=bool))


def line_paths(parts: Geometries, rows: Ints, window: Window) -> TilePaths:
    lines = _tidied(_paths(parts, rows, window), closed=False)
    return lines.paths(lines.count > 1)


def ring_paths(parts: Geometries, rows: Ints, window: Window, smallest: float) -> TilePaths:
    """Return the rings of valid polygons on the grid, wound as the specification says."""
    rings = _tidied(_paths(parts, rows, window), closed=True)
    rings = _repaired(_enclosed(rings, np.ones(len(rings.count), dtype=bool)))
    # Only now: the signed area of a ring that crosses itself says nothing, a figure of eight has none.
    rings = _enclosed(rings, np.abs(rings.area()) >= smallest)
    if not smallest:
        rings = rings.with_rings(_unit_squares(parts, rows, window, rings.row))
    return _wound(rings)


def _enclosed(rings: TilePaths, chosen: Bools) -> TilePaths:
    """Return the chosen rings, holes only where their exterior is chosen too."""
    exterior = np.zeros(rings.part.max(initial=-1) + 1, dtype=bool)
    exterior[rings.part[chosen & ~rings.hole]] = True
    chosen = chosen & exterior[rings.part]
    return rings if chosen.all() else rings.paths(chosen)


def _repaired(rings: TilePaths) -> TilePaths:
    """Return the rings with those of invalid features rebuilt: rounding lets close edges cross.

    `set_precision` finds a valid shape whose vertices are on the grid.
    """
    features, shapes = _shapes(rings)
    broken = ~shapely.is_valid(shapes)
    if not broken.any():
        return rings
    parts, rows = _exploded(shapely.set_precision(_valid(shapes[broken]), 1.0), features[broken])
    areal = shapely.get_dimensions(parts) == 2
    rebuilt = _tidied(_paths(parts[areal], rows[areal], None), closed=True)
    return rings.paths(~np.isin(rings.row, features[broken])).with_rings(rebuilt)


def _shapes(rings: TilePaths) -> tuple[Ints, Geometries]:
    """Return the rows and the polygon or multipolygon, in tile units, of each."""
    at = ranges_of(rings.start, rings.count + 1)
    ring_offsets = np.append(0, np.cumsum(rings.count + 1))
    at[ring_offsets[1:] - 1] = rings.start
    coordinates = np.column_stack((rings.x[at], rings.y[at]))
    exteriors = np.flatnonzero(~rings.hole)
    rows, first = np.unique(rings.row[exteriors], return_index=True)
    offsets = [ring_offsets, np.append(exteriors, len(rings.count))]
    if len(rows) == len(exteriors):
        kind = shapely.GeometryType.POLYGON
    else:
        kind = shapely.GeometryType.MULTIPOLYGON
        offsets.append(np.append(first, len(exteriors)))
    return rows, shapely.from_ragged_array(kind, coordinates, tuple(offsets))


def _unit_squares(parts: Geometries, rows: Ints, window: Window, drawn: Ints) -> TilePaths:
    """Return one square unit for each row that has a polygon and no ring, in the middle of its first part."""
    row, first = np.unique(rows, return_index=True)
    lost = ~np.isin(row, drawn)
    row, box = row[lost], shapely.bounds(parts[first[lost]])
    x, y = window.to_grid((box[:, :2] + box[:, 2:]) / 2)
    corners_x, corners_y = np.column_stack((x, x + 1, x + 1, x)), np.column_stack((y, y, y + 1, y + 1))
    count, part = np.full(len(row), 4), np.arange(len(row))
    return TilePaths(corners_x.ravel(), corners_y.ravel(), count, row, part, np.zeros(len(row), dtype=bool))


def _wound(rings: TilePaths) -> TilePaths:
    """Return the rings with exteriors of positive and holes of negative area, turned round where needed."""
    turn = np.repeat((rings.area() > 0) == rings.hole, rings.count)
    at = np.arange(len(rings.x))
    at = np.where(turn, np.repeat(2 * rings.start + rings.count - 1, rings.count) - at, at)
    return TilePaths(rings.x[at], rings.y[at], rings.count, rings.row, rings.part, rings.hole)
