"""Terrain tiles: quantized-mesh 1.0 for CesiumJS, made on demand from a function that knows the height of
places.

The scheme is Cesium's geographic one: EPSG:4326, two root tiles side by side, rows counted from the south
(TMS). A tile is a regular grid of heights. Neighbours of one level meet without a crack, because both ask for
the heights of their common edge at the very same longitudes and latitudes, and because heights are whole
multiples of `HEIGHT_STEP` before they are quantised: what a viewer decodes does not depend on the tile.
Between levels there are T-junctions, which Cesium covers with skirts.

Around a small town the world is there too: every tile of the levels up to `WHOLE_GLOBE_ZOOM`, above that
those that touch the town. Serve tiles as `MEDIA_TYPE`; normals (`extensions=octvertexnormals`) are asked for
in Accept.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiles.local_frame import FLATTENING, SEMI_MAJOR_AXIS, ecef_from_lonlat, ellipsoid_normal
from tiles.mesh import Float64
from twin_model.box import Box

Height = Callable[[Float64, Float64], Float64]
"""Longitude, latitude in degrees -> metres above the ellipsoid; NaN where unknown."""
UInt32 = NDArray[np.uint32]

MEDIA_TYPE = "application/vnd.quantized-mesh"
NORMALS = "octvertexnormals"
MAX_ZOOM = 22
WHOLE_GLOBE_ZOOM = 5
"""At 5.6 degrees a tile, 33 vertices a side lie within 2 m of the ellipsoid between them."""
GRID = 33
HEIGHT_STEP = 1.0 / 64.0
"""Metres; 1.6 cm. With 15 bits this allows 512 m of relief in one tile, see `encode_terrain_tile`."""
_FINEST_STEP = 2.0**-11
"""Finer steps would not fit, added to a height below 8192 m, into the 24 bits of the header's float32."""
_QUANTIZED_MAX = 32767
_HEADER = struct.Struct("<3d2f4d3d")
_NORMALS_EXTENSION = 1
_METRES_PER_DEGREE = math.pi * SEMI_MAJOR_AXIS / 180.0


@dataclass(frozen=True, eq=False)
class _Lattice:
    """A tile's grid with one more row and column all around, for slopes; arrays (grid + 2, grid + 2), south first."""

    lon: Float64
    lat: Float64
    height: Float64


def terrain_tile_bounds(z: int, x: int, y: int) -> Box:
    """Return west, south, east, north in degrees; ValueError where the scheme has no such tile."""
    if not (0 <= z <= MAX_ZOOM and 0 <= x < 2 << z and 0 <= y < 1 << z):
        raise ValueError(f"no terrain tile {z}/{x}/{y}: zoom is 0 to {MAX_ZOOM}, x below 2^(z+1), y below 2^z")
    side = 180.0 / (1 << z)
    return x * side - 180.0, y * side - 90.0, (x + 1) * side - 180.0, (y + 1) * side - 90.0


def max_zoom_for(resolution: float, *, grid: int = GRID) -> int:
    """Return the first zoom at which vertices are at most `resolution` metres apart, north to south."""
    spacing_at_zero = 180.0 * _METRES_PER_DEGREE / (grid - 1)
    return min(max(math.ceil(math.log2(spacing_at_zero / resolution)), 0), MAX_ZOOM)


def layer_json(bounds: Box, max_zoom: int, *, name: str = "terrain", attribution: str = "") -> dict[str, Any]:
    """Return the `layer.json` of a town: `bounds` is its west, south, east, north in degrees.

    `available` has the whole globe up to `WHOLE_GLOBE_ZOOM`, then the tiles that touch the town; elsewhere
    Cesium stretches the nearest coarser tile.
    """
    return {
        "tilejson": "2.1.0",
        "name": name,
        "version": "1.0.0",
        "format": "quantized-mesh-1.0",
        "attribution": attribution,
        "scheme": "tms",
        "projection": "EPSG:4326",
        "bounds": [-180.0, -90.0, 180.0, 90.0],
        "valid_bounds": list(bounds),
        "minzoom": 0,
        "maxzoom": max_zoom,
        "extensions": [NORMALS],
        "tiles": ["{z}/{x}/{y}.terrain"],
        "available": [[_available(bounds, z)] for z in range(max_zoom + 1)],
    }


def is_available(bounds: Box, z: int, x: int, y: int, max_zoom: int) -> bool:
    """Say whether `layer_json` of the same town promises this tile; a service answers 404 where not."""
    if not 0 <= z <= max_zoom:
        return False
    available = _available(bounds, z)
    return available["startX"] <= x <= available["endX"] and available["startY"] <= y <= available["endY"]


def _available(bounds: Box, z: int) -> dict[str, int]:
    columns, rows = 2 << z, 1 << z
    if z <= WHOLE_GLOBE_ZOOM:
        return {"startX": 0, "startY": 0, "endX": columns - 1, "endY": rows - 1}
    west, south, east, north = bounds
    return {
        "startX": _clamped((west + 180.0) / 360.0 * columns, columns),
        "startY": _clamped((south + 90.0) / 180.0 * rows, rows),
        "endX": _clamped((east + 180.0) / 360.0 * columns, columns),
        "endY": _clamped((north + 90.0) / 180.0 * rows, rows),
    }


def _clamped(position: float, count: int) -> int:
    return min(max(math.floor(position), 0), count - 1)


def encode_terrain_tile(
    z: int,
    x: int,
    y: int,
    height: Height,
    *,
    grid: int = GRID,
    held: float = 0.0,
    normals: bool = False,
    height_step: float = HEIGHT_STEP,
) -> bytes:
    """Return one quantized-mesh tile of `grid` x `grid` vertices; `grid` is a power of two plus one.

    `height` is called once, with flat arrays; where it knows nothing the tile has `held`. `normals` adds the
    oct-encoded vertex normals (extension 1). Heights are rounded to `height_step`, a power of two, the same
    for all tiles of a tileset. A tile with more relief than 32767 steps gets as much coarser steps as it
    needs, and may then gape by one of them at its edge: towns in high mountains take 1/32 or 1/16.
    """
    terrain_tile_bounds(z, x, y)
    lattice = _lattice(z, x, y, height, grid, held)
    inner = slice(1, -1)
    lon, lat = lattice.lon[inner, inner].ravel(), lattice.lat[inner, inner].ravel()
    quantized, low, high, step = _quantized(lattice.height[inner, inner].ravel(), height_step)
    triangles, order = _grid_triangles(grid)
    ecef = ecef_from_lonlat(lon, lat, np.asarray(low + quantized * step, np.float64))
    row, column = np.divmod(np.arange(grid * grid), grid)
    u, v = (np.round(_QUANTIZED_MAX * number / (grid - 1)).astype(np.int64) for number in (column, row))
    parts = [
        _header(ecef, (low, high)),
        struct.pack("<I", grid * grid),
        *(_zigzag_deltas(values[order]) for values in (u, v, quantized)),
        _encoded_indices(triangles, grid * grid),
        _encoded_edges(grid, order),
    ]
    if normals:
        parts.append(_normals_extension(_normals(lattice)[order]))
    return b"".join(parts)


def _lattice(z: int, x: int, y: int, height: Height, grid: int, held: float) -> _Lattice:
    """Ask for heights at places numbered through the whole level, so that neighbours ask for the very same ones."""
    cells = grid - 1
    if cells < 2 or cells & (cells - 1):
        raise ValueError(f"a terrain grid has a power of two plus one vertices a side (33, 65), not {grid}")
    step = 180.0 / ((1 << z) * cells)
    column = np.arange(x * cells - 1, (x + 1) * cells + 2)
    row = np.arange(y * cells - 1, (y + 1) * cells + 2)
    lon, lat = np.meshgrid(column * step - 180.0, np.clip(row * step - 90.0, -90.0, 90.0))
    # 180 east is 180 west: the tiles on both sides ask for one place.
    asked = np.where(lon >= 180.0, lon - 360.0, np.where(lon < -180.0, lon + 360.0, lon))
    known = np.asarray(height(asked.ravel(), lat.ravel()), np.float64).reshape(lon.shape)
    return _Lattice(lon, lat, np.where(np.isfinite(known), known, held))


def _quantized(height: Float64, height_step: float) -> tuple[NDArray[np.int64], float, float, float]:
    """Return heights as whole steps above the lowest, the header's lowest and highest height, and the step.

    All are multiples of a power of two, hence exact in the header's float32 and in the viewer's arithmetic.
    """
    rounded = np.round(height / height_step) * height_step
    low = float(rounded.min())
    relief = float(rounded.max()) - low
    # One step less than there is: the lowest height may have to go down by one to be a whole step itself.
    needed = max(relief / (_QUANTIZED_MAX - 1), _FINEST_STEP)
    step = float(2.0 ** math.ceil(math.log2(needed)))
    low = math.floor(low / step) * step
    return np.round((rounded - low) / step).astype(np.int64), low, low + _QUANTIZED_MAX * step, step


def _grid_triangles(grid: int) -> tuple[UInt32, NDArray[np.intp]]:
    """Return triangles (m, 3), counter-clockwise from above, and the grid's vertices in the order they first
    appear.

    Vertices are numbered in that order, as the index encoding demands. Diagonals alternate: a ridge in one
    direction looks like a ridge in the other.
    """
    row, column = (part.ravel() for part in np.mgrid[0 : grid - 1, 0 : grid - 1])
    south_west = row * grid + column
    south_east, north_west, north_east = south_west + 1, south_west + grid, south_west + grid + 1
    rising = np.stack([south_west, south_east, north_east, south_west, north_east, north_west], axis=1)
    falling = np.stack([south_west, south_east, north_west, south_east, north_east, north_west], axis=1)
    corner = np.where(((row + column) % 2 == 0)[:, None], rising, falling).ravel()
    vertex, first = np.unique(corner, return_index=True)
    order = vertex[np.argsort(first)]
    number = np.empty(grid * grid, np.uint32)
    number[order] = np.arange(grid * grid, dtype=np.uint32)
    return number[corner].reshape(-1, 3), order


def _header(ecef: Float64, heights: tuple[float, float]) -> bytes:
    """Return centre, heights, bounding sphere and horizon occlusion point, 88 bytes."""
    centre = (ecef.min(axis=0) + ecef.max(axis=0)) / 2.0
    radius = float(np.linalg.norm(ecef - centre, axis=1).max())
    return _HEADER.pack(*centre, *heights, *centre, radius, *_horizon_occlusion_point(ecef, centre))


def _horizon_occlusion_point(ecef: Float64, centre: Float64) -> Float64:
    """Return the point, scaled by the ellipsoid's axes, that is below the horizon only when all vertices are.

    Cozzi and Ring, "Horizon Culling" (Cesium, 2013): along the direction of the centre, as far as the tangent
    of the farthest vertex. Where a tile reaches around a quarter of the globe there is no such point: then
    far outside.
    """
    axes = SEMI_MAJOR_AXIS * np.array([1.0, 1.0, 1.0 - FLATTENING])
    scaled = ecef / axes
    direction = centre / axes
    direction = direction / np.linalg.norm(direction)
    magnitude = np.linalg.norm(scaled, axis=1)
    to_vertex = scaled / magnitude[:, None]
    magnitude = np.maximum(magnitude, 1.0)
    cos_alpha, sin_alpha = to_vertex @ direction, np.linalg.norm(np.cross(to_vertex, direction), axis=1)
    cos_beta, sin_beta = 1.0 / magnitude, np.sqrt(magnitude**2 - 1.0) / magnitude
    nearness = cos_alpha * cos_beta - sin_alpha * sin_beta
    point: Float64 = direction / max(float(nearness.min()), 1e-3)
    return point


def _zigzag_deltas(values: NDArray[np.int64]) -> bytes:
    deltas = np.diff(values, prepend=0)
    return np.asarray((deltas << 1) ^ (deltas >> 63)).astype("<u2").tobytes()


def _encoded_indices(triangles: UInt32, vertices: int) -> bytes:
    """Return the count and high-watermark codes, 32 bits each beyond 65,536 vertices.

    The data begins at a multiple of its width: of 4 it does not by itself, when the number of vertices is
    odd.
    """
    index = triangles.ravel().astype(np.int64)
    newest = np.maximum.accumulate(np.concatenate([[-1], index[:-1]])) + 1
    padding = b"\x00\x00" if vertices > 65536 and vertices % 2 else b""
    return padding + struct.pack("<I", len(triangles)) + (newest - index).astype(_index_type(vertices)).tobytes()


def _encoded_edges(grid: int, order: NDArray[np.intp]) -> bytes:
    """Return the vertices on the west, south, east and north edge."""
    flat = np.empty(grid * grid, np.intp)
    flat[order] = np.arange(grid * grid)
    number = flat.reshape(grid, grid)
    edges = (number[:, 0], number[0], number[:, -1], number[-1])
    width = _index_type(grid * grid)
    return b"".join(struct.pack("<I", grid) + edge.astype(width).tobytes() for edge in edges)


def _index_type(vertices: int) -> str:
    return "<u4" if vertices > 65536 else "<u2"


def _normals(lattice: _Lattice) -> Float64:
    """Return unit normals (n, 3) in ECEF from central differences, the same on both sides of a tile's edge."""
    lon, lat = lattice.lon[1:-1, 1:-1].ravel(), lattice.lat[1:-1, 1:-1].ravel()
    span = lattice.lat[2:, 1:-1] - lattice.lat[:-2, 1:-1]
    north_slope = (lattice.height[2:, 1:-1] - lattice.height[:-2, 1:-1]) / (span * _METRES_PER_DEGREE)
    width = (lattice.lon[1:-1, 2:] - lattice.lon[1:-1, :-2]) * np.cos(np.radians(lattice.lat[1:-1, 1:-1]))
    # At a pole all places of a row are one: it has no slope to the east.
    rise = lattice.height[1:-1, 2:] - lattice.height[1:-1, :-2]
    east_slope = np.divide(rise, width * _METRES_PER_DEGREE, out=np.zeros_like(rise), where=width > 1e-9)
    up = ellipsoid_normal(lon, lat)
    lam = np.radians(lon)
    east = np.stack([-np.sin(lam), np.cos(lam), np.zeros(len(lam))], axis=1)
    normal = up - east * east_slope.reshape(-1, 1) - np.cross(up, east) * north_slope.reshape(-1, 1)
    return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))


def _normals_extension(normals: Float64) -> bytes:
    """Return extension 1: normals folded onto an octahedron, two bytes each (Cigolle and others, 2014)."""
    flat = normals[:, :2] / np.abs(normals).sum(axis=1, keepdims=True)
    sign = np.where(flat >= 0.0, 1.0, -1.0)
    folded = np.where(normals[:, 2:] < 0.0, (1.0 - np.abs(flat[:, ::-1])) * sign, flat)
    content: bytes = np.round((folded * 0.5 + 0.5) * 255.0).astype(np.uint8).tobytes()
    return struct.pack("<BI", _NORMALS_EXTENSION, len(content)) + content
