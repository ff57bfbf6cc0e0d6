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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from tiles.mvt_geometry import TilePaths, Window, line_paths, parts_within, point_paths, ring_paths
from tiles.mvt_values import Column, tags_of
from tiles.varint import Ragged, length_delimited, ranges_of, varint, varints, woven, zigzag
from twin_model.box import Box

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Geometries = NDArray[np.object_]

POINT, LINE, POLYGON = 1, 2, 3
"""GeomType of the specification; our dimension plus one."""


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
    bounds: Box,
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
    window = Window(bounds, extent, buffer, tolerance_units=0.5 if simplify else 0.0)
    parts, rows = parts_within(window, np.asarray(geometries, dtype=object))
    kept = np.unique(rows)
    dropped = 0 if limit is None else max(len(kept) - limit, 0)
    if dropped:
        parts, rows = parts[rows < kept[limit]], rows[rows < kept[limit]]
    # On an integer grid no ring has an area between 0 and 0.5, so 0.5 drops what collapses and nothing else.
    smallest = max(min_area_px * (extent / 256) ** 2, 0.5) if small_polygons == "drop" else 0.0
    shapes = _encoded_shapes(parts, rows, window, smallest)
    if not len(shapes.row):
        return EncodedLayer(b"", 0, dropped)
    tags, keys, values = tags_of(properties, shapes.row)
    messages = _features(shapes, tags, None if ids is None else np.asarray(ids)[shapes.row])
    layer = b"\x78\x02" + length_delimited(0x0A, name.encode()) + messages + keys + values + b"\x28" + varint(extent)
    return EncodedLayer(length_delimited(0x1A, layer), len(shapes.row), dropped)


def _ensure_columns(count: int, bounds: Box, ids: Ints | None, properties: Mapping[str, Column]) -> None:
    if not (bounds[0] < bounds[2] and bounds[1] < bounds[3]):
        raise ValueError(f"A tile's bounds are minx, miny, maxx, maxy with an area, not {bounds}.")
    columns: dict[str, Column] = {**properties} if ids is None else {"ids": ids, **properties}
    for key, column in columns.items():
        if len(column) != count:
            raise ValueError(f"Column {key!r} has {len(column)} rows, the geometries {count}. Align them first.")
    if ids is not None and len(ids) and int(np.min(ids)) < 0:
        raise ValueError(f"Feature id {int(np.min(ids))} is negative, MVT ids are unsigned. Number from 0.")


@dataclass(frozen=True, slots=True)
class _Shapes:
    """The geometries of a layer as the specification writes them; rows ascending, each once."""

    row: Ints
    geom_type: Ints
    commands: Ragged


def _encoded_shapes(parts: Geometries, rows: Ints, window: Window, smallest: float) -> _Shapes:
    """Return the commands of every row of which something is left on the grid."""
    kind = shapely.get_dimensions(parts) + 1
    shapes = []
    for each in np.unique(kind).tolist() or [POINT]:
        paths = _paths_of(each, parts[kind == each], rows[kind == each], window, smallest)
        shapes.append(_commands(paths, each))
    row = np.concatenate([shape.row for shape in shapes])
    values = np.concatenate([shape.commands.values for shape in shapes])
    commands = Ragged(values, np.concatenate([shape.commands.count for shape in shapes]))
    geom_type = np.concatenate([shape.geom_type for shape in shapes])
    if len(shapes) == 1:
        return _Shapes(row, geom_type, commands)
    order = np.argsort(row)
    return _Shapes(row[order], geom_type[order], commands.in_order(order))


def _paths_of(geom_type: int, parts: Geometries, rows: Ints, window: Window, smallest: float) -> TilePaths:
    if geom_type == POLYGON:
        return ring_paths(parts, rows, window, smallest)
    return line_paths(parts, rows, window) if geom_type == LINE else point_paths(parts, rows, window)


def _commands(paths: TilePaths, geom_type: int) -> _Shapes:
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
    step = ranges_of(np.zeros_like(at), paths.count)
    place = np.repeat(at + 1, paths.count) + 2 * step + ((step > 0) & (geom_type != POINT))
    for offset, axis in enumerate((paths.x, paths.y)):
        delta = np.diff(axis.astype(np.int64), prepend=0)
        delta[paths.start[new_row]] = axis[paths.start[new_row]]
        out[place + offset] = zigzag(delta)
    count = np.add.reduceat(size, np.flatnonzero(new_row)) if len(size) else size
    return _Shapes(paths.row[new_row], np.full(len(count), geom_type), Ragged(out, count))


def _features(shapes: _Shapes, tags: Ragged, ids: Ints | None) -> bytes:
    """Return the Feature messages of the layer: id (1), tags (2), type (3), geometry (4)."""
    every, tagged = np.ones(len(shapes.row), dtype=bool), tags.count > 0
    tags_length, length = tags.byte_count(), shapes.commands.byte_count()
    before = [
        Ragged.of_columns(0x12, tags_length, where=tagged),
        tags,
        Ragged.of_columns(0x18, shapes.geom_type, 0x22, length, where=every),
    ]
    if ids is not None:
        before.insert(0, Ragged.of_columns(0x08, ids, where=every))
    size = length + np.sum([segment.byte_count() for segment in before], axis=0)
    return varints(woven([Ragged.of_columns(0x12, size, where=every), *before, shapes.commands]))
