"""Vector tiles: features in, bytes of Mapbox Vector Tile 2.1 out. Grids and addresses live in `grid`.

Everything runs on whole columns. The vertices of all features lie in two flat arrays; and since a feature
message holds nothing but varints (tags, lengths, ids, commands, zigzag steps), all features of a layer are
one array of integers that becomes bytes at once.

Simplification is Douglas-Peucker with half a tile unit, before rounding. Rounding moves a vertex by up to
half a unit on each axis anyway, so nothing goes that the tile could show (1/32 px of a 256 px tile at extent
4096). Short parts skip it: once rounded, repeated and collinear vertices go without loss.

>>> layer = encode_layer("spot", shapely.points([[5, 5]]), (0, 0, 10, 10), properties={"name": ["高铁站"]})
>>> layer.features, len(encode_tile([layer.data]))
(1, 47)
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

BBox = tuple[float, float, float, float]
Column = NDArray[Any] | Sequence[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Geometries = NDArray[np.object_]

POINT, LINE, POLYGON = 1, 2, 3
"""GeomType of the specification; our dimension plus one."""
SHORT_PART = 16
"""Parts with no more vertices skip Douglas-Peucker, which costs them more than all other steps together."""


@dataclass(frozen=True, slots=True)
class EncodedLayer:
    """One layer, ready to be put into a tile; `data` is empty where no feature is left.

    `features` were written; `dropped` were in the tile and fell to `limit`.
    """

    data: bytes
    features: int
    dropped: int


def encode_tile(layers: Sequence[bytes]) -> bytes:
    """Return the tile that holds these layers (the `data` of `encode_layer`); their names must differ."""
    return b"".join(layers)


def encode_layer(
    name: str,
    geometries: Geometries,
    bounds: BBox,
    *,
    ids: Ints | None = None,
    properties: Mapping[str, Column] | None = None,
    extent: int = 4096,
    buffer: int = 64,
    simplify: bool = True,
    small_polygons: Literal["keep", "drop"] = "keep",
    min_area_px: float = 1.0,
    limit: int | None = None,
) -> EncodedLayer:
    """Return the layer of a tile with box `bounds` (minx, miny, maxx, maxy in the CRS of `geometries`).

    Rows are features, most important first: of the rows that meet the tile the first `limit` are written, the
    others counted as dropped. A row with no geometry in the box and its `buffer` (tile units) is left out. A
    collection gives its parts of the highest dimension. Z is left out; so are curves (linearise them first).
    `small_polygons`: "keep" draws a polygon that collapses on the grid as one square unit; "drop" leaves out
    rings below `min_area_px` square pixels of a 256 px tile. A line that collapses is left out.
    `properties` has a column per key: str, int, float, bool, Decimal, dates (written as ISO 8601); None, NaN,
    NA and NaT leave the key out. Ids lie in 0..2^63-1 (browsers: 2^53). ValueError for columns of another
    length, negative ids and bounds without area, TypeError for values of another type.
    """
    properties = properties or {}
    _ensure_columns(len(geometries), bounds, ids, properties)
    window = _Window(bounds, extent, buffer, tolerance_units=0.5 if simplify else 0.0)
    parts, rows = _parts_in(window, np.asarray(geometries, dtype=object))
    kept = np.unique(rows)
    dropped = 0 if limit is None else max(len(kept) - limit, 0)
    if dropped:
        parts, rows = parts[rows < kept[limit]], rows[rows < kept[limit]]
    # On an integer grid no ring has an area between 0 and 0.5, so 0.5 drops what collapses and nothing else.
    smallest = max(min_area_px * (extent / 256) ** 2, 0.5) if small_polygons == "drop" else 0.0
    shapes = _encoded_shapes(parts, rows, window, smallest)
    if not len(shapes.row):
        return EncodedLayer(b"", 0, dropped)
    tags, keys, values = _tags(properties, shapes.row)
    messages = _features(shapes, tags, None if ids is None else np.asarray(ids)[shapes.row])
    layer = b"\x78\x02" + _field(0x0A, name.encode()) + messages + keys + values + b"\x28" + _varint(extent)
    return EncodedLayer(_field(0x1A, layer), len(shapes.row), dropped)


def _ensure_columns(count: int, bounds: BBox, ids: Ints | None, properties: Mapping[str, Column]) -> None:
    if not (bounds[0] < bounds[2] and bounds[1] < bounds[3]):
        raise ValueError(f"A tile's bounds are minx, miny, maxx, maxy with an area, not {bounds}.")
    columns: dict[str, Column] = {**properties} if ids is None else {"ids": ids, **properties}
    for key, column in columns.items():
        if len(column) != count:
            raise ValueError(
                f"Column {key!r} has {len(column)} rows, the geometries {count}. Align them first."
            )
    if ids is not None and len(ids) and int(np.min(ids)) < 0:
        raise ValueError(f"Feature id {int(np.min(ids))} is negative, MVT ids are unsigned. Number from 0.")


# ---------------------------------------------------------------------------------------------- geometry


@dataclass(frozen=True, slots=True)
class _Window:
    """The box of a tile in its CRS and the integer grid on it: x east, y south, origin top left."""

    bounds: BBox
    extent: int
    buffer: int
    tolerance_units: float

    @property
    def unit(self) -> tuple[float, float]:
        minx, miny, maxx, maxy = self.bounds
        return (maxx - minx) / self.extent, (maxy - miny) / self.extent

    @property
    def buffered(self) -> BBox:
        minx, miny, maxx, maxy = self.bounds
        dx, dy = self.buffer * self.unit[0], self.buffer * self.unit[1]
        return minx - dx, miny - dy, maxx + dx, maxy + dy

    def to_grid(self, coordinates: Floats) -> tuple[Floats, Floats]:
        """Return x and y in tile units, rounded; floats hold these integers exactly and compute faster."""
        unit_x, unit_y = self.unit
        x = np.rint((coordinates[:, 0] - self.bounds[0]) / unit_x)
        y = np.rint((self.bounds[3] - coordinates[:, 1]) / unit_y)
        return x, y


def _parts_in(window: _Window, geometries: Geometries) -> tuple[Geometries, Ints]:
    """Return the single parts of the dominant dimension inside the buffered box, and the row of each."""
    parts, rows = _exploded(geometries, np.arange(len(geometries)))
    dimension = shapely.get_dimensions(parts)
    dominant = np.full(len(geometries), -1)
    np.maximum.at(dominant, rows, dimension)
    # NaN bounds (missing, empty) compare false, so they leave with what lies outside.
    box, reach = shapely.bounds(parts), window.buffered
    meets = (
        (box[:, 0] <= reach[2]) & (box[:, 2] >= reach[0]) & (box[:, 1] <= reach[3]) & (box[:, 3] >= reach[1])
    )
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


def _clipped(parts: Geometries, rows: Ints, crossing: Bools, box: BBox) -> tuple[Geometries, Ints]:
    """Return the parts with those that cross the box cut to it, pieces of a lower dimension left out."""
    dimension = shapely.get_dimensions(parts)
    parts = parts.copy()
    parts[crossing] = _cut(parts[crossing], box)
    pieces, index = _exploded(parts, np.arange(len(parts)))
    same = shapely.get_dimensions(pieces) == dimension[index]
    return pieces[same], rows[index[same]]


def _cut(parts: Geometries, box: BBox) -> Geometries:
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
class _Paths:
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

    def vertices(self, keep: Bools) -> "_Paths":
        """Return the paths with these vertices; a path that loses all of them goes."""
        count = np.add.reduceat(keep, self.start, dtype=np.int64) if len(self.count) else self.count
        left = count > 0
        return _Paths(
            self.x[keep], self.y[keep], count[left], self.row[left], self.part[left], self.hole[left]
        )

    def paths(self, chosen: Bools | Ints) -> "_Paths":
        """Return some of the paths, or all in another order."""
        count = self.count[chosen]
        at = _ranges(self.start[chosen], count)
        return _Paths(self.x[at], self.y[at], count, self.row[chosen], self.part[chosen], self.hole[chosen])

    def with_rings(self, other: "_Paths") -> "_Paths":
        """Return both, row after row; the parts of `other` get numbers of their own."""
        part = np.concatenate((self.part, other.part + self.part.max(initial=-1) + 1))
        x, y = np.concatenate((self.x, other.x)), np.concatenate((self.y, other.y))
        count, row = np.concatenate((self.count, other.count)), np.concatenate((self.row, other.row))
        both = _Paths(x, y, count, row, part, np.concatenate((self.hole, other.hole)))
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


def _paths(parts: Geometries, rows: Ints, window: _Window | None) -> _Paths:
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
    paths = _Paths(x, y, count, rows[part], part, hole)
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


def _tidied(paths: _Paths, *, closed: bool) -> _Paths:
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


def _straight(paths: _Paths, *, closed: bool) -> tuple[Bools, bool]:
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


def _points(parts: Geometries, rows: Ints, window: _Window) -> _Paths:
    """Return one path per row, its points in order, none twice."""
    points = _paths(parts, rows, window)
    order = np.lexsort((points.y, points.x, points.row))
    x, y, row = points.x[order], points.y[order], points.row[order]
    new = np.append(True, (x[1:] != x[:-1]) | (y[1:] != y[:-1]) | (row[1:] != row[:-1]))[: len(order)]
    points = points.paths(np.sort(order[new]))
    row, count = np.unique(points.row, return_counts=True)
    return _Paths(points.x, points.y, count, row, row, np.zeros(len(row), dtype=bool))


def _lines(parts: Geometries, rows: Ints, window: _Window) -> _Paths:
    lines = _tidied(_paths(parts, rows, window), closed=False)
    return lines.paths(lines.count > 1)


def _rings(parts: Geometries, rows: Ints, window: _Window, smallest: float) -> _Paths:
    """Return the rings of valid polygons on the grid, wound as the specification says."""
    rings = _tidied(_paths(parts, rows, window), closed=True)
    rings = _repaired(_enclosed(rings, np.ones(len(rings.count), dtype=bool)))
    # Only now: the signed area of a ring that crosses itself says nothing, a figure of eight has none.
    rings = _enclosed(rings, np.abs(rings.area()) >= smallest)
    if not smallest:
        rings = rings.with_rings(_unit_squares(parts, rows, window, rings.row))
    return _wound(rings)


def _enclosed(rings: _Paths, chosen: Bools) -> _Paths:
    """Return the chosen rings, holes only where their exterior is chosen too."""
    exterior = np.zeros(rings.part.max(initial=-1) + 1, dtype=bool)
    exterior[rings.part[chosen & ~rings.hole]] = True
    chosen = chosen & exterior[rings.part]
    return rings if chosen.all() else rings.paths(chosen)


def _repaired(rings: _Paths) -> _Paths:
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


def _shapes(rings: _Paths) -> tuple[Ints, Geometries]:
    """Return the rows and the polygon or multipolygon, in tile units, of each."""
    at = _ranges(rings.start, rings.count + 1)
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


def _unit_squares(parts: Geometries, rows: Ints, window: _Window, drawn: Ints) -> _Paths:
    """Return one square unit for each row that has a polygon and no ring, in the middle of its first part."""
    row, first = np.unique(rows, return_index=True)
    lost = ~np.isin(row, drawn)
    row, box = row[lost], shapely.bounds(parts[first[lost]])
    x, y = window.to_grid((box[:, :2] + box[:, 2:]) / 2)
    corners_x, corners_y = np.column_stack((x, x + 1, x + 1, x)), np.column_stack((y, y, y + 1, y + 1))
    count, part = np.full(len(row), 4), np.arange(len(row))
    return _Paths(corners_x.ravel(), corners_y.ravel(), count, row, part, np.zeros(len(row), dtype=bool))


def _wound(rings: _Paths) -> _Paths:
    """Return the rings with exteriors of positive and holes of negative area, turned round where needed."""
    turn = np.repeat((rings.area() > 0) == rings.hole, rings.count)
    at = np.arange(len(rings.x))
    at = np.where(turn, np.repeat(2 * rings.start + rings.count - 1, rings.count) - at, at)
    return _Paths(rings.x[at], rings.y[at], rings.count, rings.row, rings.part, rings.hole)


# ------------------------------------------------------------------------------------- integers and bytes


@dataclass(frozen=True, slots=True)
class _Ragged:
    """Integers row after row, `count` of them in each."""

    values: Words
    count: Ints

    @classmethod
    def of_columns(cls, *columns: NDArray[Any] | int, where: Bools) -> "_Ragged":
        """Return one value per column in the rows chosen by `where`, nothing in the others."""
        table = np.empty((int(where.sum()), len(columns)), dtype=np.uint64)
        for index, column in enumerate(columns):
            table[:, index] = column if isinstance(column, int) else column[where]
        return cls(table.ravel(), np.where(where, len(columns), 0))

    def in_order(self, order: Ints) -> "_Ragged":
        start = np.cumsum(self.count) - self.count
        return _Ragged(self.values[_ranges(start[order], self.count[order])], self.count[order])

    def byte_count(self) -> Ints:
        """Return how many bytes each row takes as varints."""
        total, end = np.append(0, np.cumsum(_varint_sizes(self.values))), np.cumsum(self.count)
        sizes: Ints = total[end] - total[end - self.count]
        return sizes


def _ranges(start: Ints, count: Ints) -> Ints:
    """Return start, start + 1, ... (`count` of them) for each pair, one after the other."""
    end = np.cumsum(count)
    ranges: Ints = np.arange(end[-1] if len(end) else 0) + np.repeat(start - (end - count), count)
    return ranges


def _woven(segments: Sequence[_Ragged]) -> Words:
    """Return the rows of all segments side by side: row 0 of each, then row 1 of each, ..."""
    count = np.sum([segment.count for segment in segments], axis=0)
    at = np.cumsum(count) - count
    woven = np.empty(int(count.sum()), dtype=np.uint64)
    for segment in segments:
        woven[_ranges(at, segment.count)] = segment.values
        at = at + segment.count
    return woven


def _zigzag(values: Ints) -> Words:
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def _varint_sizes(values: Words) -> Ints:
    sizes, longest = np.ones(len(values), dtype=np.int64), int(values.max(initial=0)).bit_length()
    for shift in range(7, longest, 7):
        sizes += values >= np.uint64(1 << shift)
    return sizes


def _varints(values: Words) -> bytes:
    """Return the values as protobuf varints: 7 bits a byte, low bits first, the high bit says "more"."""
    sizes = _varint_sizes(values)
    at = np.cumsum(sizes) - sizes
    out = np.empty(int(sizes.sum()), dtype=np.uint8)
    for index in range(int(sizes.max(initial=0))):
        more = sizes > index + 1
        out[at] = (values & np.uint64(0x7F)).astype(np.uint8) | (more.astype(np.uint8) << 7)
        at, values, sizes = at[more] + 1, values[more] >> np.uint64(7), sizes[more]
    return out.tobytes()


def _varint(value: int) -> bytes:
    groups = range(0, max(value.bit_length(), 1), 7)
    return bytes((value >> shift) & 0x7F | (0x80 if value >> shift > 0x7F else 0) for shift in groups)


def _field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + _varint(len(content)) + content


@dataclass(frozen=True, slots=True)
class _Shapes:
    """The geometries of a layer as the specification writes them; rows ascending, each once."""

    row: Ints
    geom_type: Ints
    commands: _Ragged


def _encoded_shapes(parts: Geometries, rows: Ints, window: _Window, smallest: float) -> _Shapes:
    """Return the commands of every row of which something is left on the grid."""
    kind = shapely.get_dimensions(parts) + 1
    shapes = []
    for each in np.unique(kind).tolist() or [POINT]:
        paths = _paths_of(each, parts[kind == each], rows[kind == each], window, smallest)
        shapes.append(_commands(paths, each))
    row = np.concatenate([shape.row for shape in shapes])
    values = np.concatenate([shape.commands.values for shape in shapes])
    commands = _Ragged(values, np.concatenate([shape.commands.count for shape in shapes]))
    geom_type = np.concatenate([shape.geom_type for shape in shapes])
    if len(shapes) == 1:
        return _Shapes(row, geom_type, commands)
    order = np.argsort(row)
    return _Shapes(row[order], geom_type[order], commands.in_order(order))


def _paths_of(geom_type: int, parts: Geometries, rows: Ints, window: _Window, smallest: float) -> _Paths:
    if geom_type == POLYGON:
        return _rings(parts, rows, window, smallest)
    return _lines(parts, rows, window) if geom_type == LINE else _points(parts, rows, window)


def _commands(paths: _Paths, geom_type: int) -> _Shapes:
    """Return MoveTo (1), LineTo (2), ClosePath (7) and the zigzag steps between vertices, one run per row."""
    around = {POINT: 1, LINE: 2, POLYGON: 3}[geom_type]
    size = 2 * paths.count + around
    at = np.cumsum(size) - size
    out = np.empty(int(size.sum()), dtype=np.uint64)
    out[at] = paths.count << 3 | 1 if geom_type == POINT else 1 << 3 | 1
    if geom_type != POINT:
        out[at + 3] = (paths.count - 1) << 3 | 2
    if geom_type == POLYGON:
        out[at + size - 1] = 1 << 3 | 7
    new_row = np.append(True, paths.row[1:] != paths.row[:-1])[: len(paths.row)]
    step = _ranges(np.zeros_like(at), paths.count)
    place = np.repeat(at + 1, paths.count) + 2 * step + ((step > 0) & (geom_type != POINT))
    for offset, axis in enumerate((paths.x, paths.y)):
        delta = np.diff(axis.astype(np.int64), prepend=0)
        delta[paths.start[new_row]] = axis[paths.start[new_row]]
        out[place + offset] = _zigzag(delta)
    count = np.add.reduceat(size, np.flatnonzero(new_row)) if len(size) else size
    return _Shapes(paths.row[new_row], np.full(len(count), geom_type), _Ragged(out, count))


def _features(shapes: _Shapes, tags: _Ragged, ids: Ints | None) -> bytes:
    """Return the Feature messages of the layer: id (1), tags (2), type (3), geometry (4)."""
    every, tagged = np.ones(len(shapes.row), dtype=bool), tags.count > 0
    tags_length, length = tags.byte_count(), shapes.commands.byte_count()
    before = [
        _Ragged.of_columns(0x12, tags_length, where=tagged),
        tags,
        _Ragged.of_columns(0x18, shapes.geom_type, 0x22, length, where=every),
    ]
    if ids is not None:
        before.insert(0, _Ragged.of_columns(0x08, ids, where=every))
    size = length + np.sum([segment.byte_count() for segment in before], axis=0)
    return _varints(_woven([_Ragged.of_columns(0x12, size, where=every), *before, shapes.commands]))


# --------------------------------------------------------------------------------------------- properties

BOOL, INT, FLOAT, TEXT, TIME, ABSENT = range(6)


def _tags(properties: Mapping[str, Column], rows: Ints) -> tuple[_Ragged, bytes, bytes]:
    """Return key and value numbers of each row, and the two tables they point into, without repetitions."""
    keys: list[str] = []
    cells: dict[int, list[tuple[int, Ints, NDArray[Any]]]] = {BOOL: [], INT: [], FLOAT: [], TEXT: []}
    for key, column in properties.items():
        typed = [(kind, at, values) for kind, at, values in _typed(key, column, rows) if len(at)]
        for kind, at, values in typed:
            cells[kind].append((len(keys), at, values))
        keys += [key] if typed else []
    numbers, table = _value_table(cells, np.full((len(rows), len(keys)), -1, dtype=np.int64))
    row, key_number = np.nonzero(numbers >= 0)
    pairs = np.column_stack((key_number, numbers[row, key_number])).astype(np.uint64)
    tags = _Ragged(pairs.ravel(), 2 * np.bincount(row, minlength=len(rows)))
    return tags, b"".join(_field(0x1A, key.encode()) for key in keys), table


def _value_table(
    cells: Mapping[int, list[tuple[int, Ints, NDArray[Any]]]], numbers: Ints
) -> tuple[Ints, bytes]:
    """Fill in the value number of every (row, key); return it with the Value messages, one for each value.

    The most frequent values come first: a number below 128 takes one byte in a tag, others take two or three.
    """
    writers: dict[int, Callable[[NDArray[Any]], tuple[Ints, list[bytes]]]] = {
        BOOL: _bool_values,
        INT: _int_values,
        FLOAT: _float_values,
        TEXT: _text_values,
    }
    messages: list[bytes] = []
    for kind, columns in cells.items():
        if not columns:
            continue
        code, written = writers[kind](np.concatenate([values for _, _, values in columns]))
        ends = np.cumsum([len(at) for _, at, _ in columns])
        for (key, at, _), codes in zip(columns, np.split(code, ends[:-1]), strict=True):
            numbers[at, key] = codes + len(messages)
        messages += written
    order = np.argsort(-np.bincount(numbers[numbers >= 0], minlength=len(messages)), kind="stable")
    rank = np.full(len(messages) + 1, -1)
    rank[order] = np.arange(len(messages))
    return rank[numbers], b"".join([messages[index] for index in order])


def _typed(key: str, column: Column, rows: Ints) -> list[tuple[int, Ints, NDArray[Any]]]:
    """Return the present cells of a column as (kind, positions, values), one entry for each kind found."""
    # np.asarray would turn the list [1, "a"] into two strings, and an Int64 column with NA into floats.
    plain = isinstance(column, np.ndarray) or isinstance(getattr(column, "dtype", None), np.dtype)
    whole = np.asarray(column) if plain else np.fromiter(column, object, len(column))
    values, at = whole[rows], np.arange(len(rows))
    match values.dtype.kind:
        case "b":
            return [(BOOL, at, values)]
        case "i" | "u":
            return [_integers(at, values)]
        case "f":
            return [_present_floats(at, values)]
        case "M":
            at = np.flatnonzero(~np.isnat(values))
            return [(TEXT, at, np.datetime_as_string(values[at], unit="auto").astype(object))]
        case "U" | "T":
            return [(TEXT, at, values.astype(object))]
        case "O":
            return _typed_objects(key, at, values)
    raise TypeError(
        f"Column {key!r} is {values.dtype}; MVT has text, numbers and booleans. Convert it first."
    )


def _typed_objects(key: str, at: Ints, values: Geometries) -> list[tuple[int, Ints, NDArray[Any]]]:
    """Return the cells of a column of Python objects; one type per cell, so types may be mixed."""
    kinds = {each: _kind_of(key, each) for each in set(map(type, values))}
    kind = np.fromiter(map(kinds.__getitem__, map(type, values)), np.int64, len(values))
    bools, ints, floats, texts, times = (at[kind == each] for each in (BOOL, INT, FLOAT, TEXT, TIME))
    return [
        (BOOL, bools, values[bools].astype(bool)),
        _integers(ints, values[ints]),
        _present_floats(floats, values[floats]),
        (TEXT, texts, values[texts]),
        (TEXT, times, np.array([value.isoformat() for value in values[times]], dtype=object)),
    ]


def _kind_of(key: str, kind: type) -> int:
    # bool is an int and Timestamp a date: the narrower type stands first.
    known: tuple[tuple[tuple[type, ...], int], ...] = (
        ((type(None), type(pd.NA), type(pd.NaT)), ABSENT),
        ((bool, np.bool_), BOOL),
        ((int, np.integer), INT),
        ((float, np.floating, Decimal), FLOAT),
        ((str,), TEXT),
        ((date, time), TIME),
    )
    for types, code in known:
        if issubclass(kind, types):
            return code
    raise TypeError(
        f"Column {key!r} holds {kind.__name__}; MVT has text, numbers, booleans. Convert it first."
    )


def _integers(at: Ints, values: NDArray[Any]) -> tuple[int, Ints, NDArray[Any]]:
    """Return int64 cells; where a value is out of its range (2^63), the column is written as doubles."""
    if len(values) and not -(2**63) <= int(values.min()) <= int(values.max()) < 2**63:
        return FLOAT, at, values.astype(np.float64)
    return INT, at, values.astype(np.int64)


def _present_floats(at: Ints, values: NDArray[Any]) -> tuple[int, Ints, NDArray[Any]]:
    numbers = values.astype(np.float64)
    present = ~np.isnan(numbers)
    return FLOAT, at[present], numbers[present]


def _bool_values(values: Bools) -> tuple[Ints, list[bytes]]:
    distinct, code = np.unique(values, return_inverse=True)
    return code, [b"\x22\x02\x38" + bytes([int(value)]) for value in distinct]


def _int_values(values: Ints) -> tuple[Ints, list[bytes]]:
    """Return uint_value (5) for numbers from 0 and sint_value (6) below: int_value takes 10 bytes for -1."""
    distinct, code = np.unique(values, return_inverse=True)
    number = np.where(distinct < 0, _zigzag(distinct), distinct.view(np.uint64))
    tag, every = np.where(distinct < 0, 0x30, 0x28), np.ones(len(distinct), dtype=bool)
    messages = _Ragged.of_columns(0x22, 1 + _varint_sizes(number), tag, number, where=every)
    written, end = _varints(messages.values), np.cumsum(messages.byte_count()).tolist()
    return code, [written[start:stop] for start, stop in zip([0, *end], end, strict=False)]


def _float_values(values: Floats) -> tuple[Ints, list[bytes]]:
    """Return float_value (2) where 32 bits hold the number exactly, double_value (3) for all others."""
    # Bit patterns, so that -0.0 stays itself.
    bits, code = np.unique(values.view(np.uint64), return_inverse=True)
    doubles = bits.view(np.float64)
    with np.errstate(over="ignore"):
        exact = doubles.astype(np.float32) == doubles
    return code, [
        b"\x22\x05\x15" + struct.pack("<f", value) if short else b"\x22\x09\x19" + struct.pack("<d", value)
        for value, short in zip(doubles.tolist(), exact.tolist(), strict=True)
    ]


def _text_values(values: Geometries) -> tuple[Ints, list[bytes]]:
    code, distinct = pd.factorize(values)
    # Broken source encodings leave lone surrogates; a question mark is better than no tile.
    texts = [text.encode(errors="replace") for text in distinct]
    heads = {size: _text_head(size) for size in set(map(len, texts))}
    return code, [heads[len(text)] + text for text in texts]


def _text_head(size: int) -> bytes:
    head = b"\x0a" + _varint(size)
    return b"\x22" + _varint(len(head) + size) + head
