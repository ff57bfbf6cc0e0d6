"""How fast `tiles.mvt` encodes buildings, against mapbox_vector_tile in the same run.

    python tests/benchmarks/mvt_encode.py

Buildings are turned rectangles, L and U shapes with an id and four properties; both encoders give them the
same number of vertices. On two cores of an AMD EPYC, best of 15 runs (reference: of 1 at z13, 3 at z16):

    tile                  encoder                      ms   features/s      bytes   ratio
    z13, 20,000 buildings mapbox_vector_tile       2158.2        9,267    740,971     1.0
    z13, 20,000 buildings tiles.mvt                  68.9      290,334    739,680    31.3
    z16, 1,000 buildings  mapbox_vector_tile        130.0        7,692     48,296     1.0
    z16, 1,000 buildings  tiles.mvt                   5.4      183,951     47,724    23.9

With other work on the machine both took about twice as long; the ratio was between 15 and 33 in all runs.

What the profile says of the 20,000 (cProfile, own time):
- 45 %: GEOS decides whether the rounded polygons are valid (`is_valid` 16 ms, building them 6 to 25 ms).
  Rounding can make an outline cross itself, so no tile goes out without this check.
- 15 %: integers to varints (`_varints`, `_varint_sizes`, `_woven`). The rest is spread thin.
- Douglas-Peucker on every part would add 55 ms, hence `SHORT_PART`.
- `set_precision` on every polygon instead of rounding in numpy would take 580 ms.
- A layer of 5 features takes about 1 ms, the cost of the numpy calls themselves.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import numpy as np
import shapely
from numpy.typing import NDArray

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tiles.grid import Box, tile_matrix_set
from tiles.mvt import encode_layer, encode_tile

Encoder = Callable[[NDArray[np.object_], Box, dict[str, NDArray[Any]]], bytes]
QUAD = tile_matrix_set("WebMercatorQuad")
PLACE = (13169079.0, 4178000.0)
FOOTPRINTS: tuple[list[tuple[float, float]], ...] = (
    [(0, 0), (1, 0), (1, 0.6), (0, 0.6)],
    [(0, 0), (1, 0), (1, 0.5), (0.5, 0.5), (0.5, 1), (0, 1)],
    [(0, 0), (1, 0), (1, 1), (0.7, 1), (0.7, 0.4), (0.3, 0.4), (0.3, 1), (0, 1)],
)


def buildings(count: int, bounds: Box, seed: int = 7) -> NDArray[np.object_]:
    """Return turned rectangles, L and U shapes of 8 to 60 m spread over the box."""
    random = np.random.default_rng(seed)
    x, y = random.uniform(bounds[0], bounds[2], count), random.uniform(bounds[1], bounds[3], count)
    side, angle = random.uniform(8, 60, count), random.uniform(0, 2 * np.pi, count)
    cos, sin = np.cos(angle) * side, np.sin(angle) * side
    turn = np.stack((cos, sin, -sin, cos), axis=-1).reshape(count, 2, 2)
    shape = np.arange(count) % len(FOOTPRINTS)
    out = np.empty(count, dtype=object)
    for index, footprint in enumerate(FOOTPRINTS):
        mine = shape == index
        corners = np.array([*footprint, footprint[0]])
        rings = corners @ turn[mine]
        out[mine] = shapely.polygons(rings + np.column_stack((x, y))[mine, None])
    return out


def columns(count: int, seed: int = 11) -> dict[str, NDArray[Any]]:
    """Return what a building layer carries: a class, a height, storeys and now and then a name."""
    random = np.random.default_rng(seed)
    names = np.array([f"高铁新城{row}号楼" if row % 20 == 0 else None for row in range(count)], dtype=object)
    return {
        "class": random.choice(np.array(["住宅", "商业", "办公", "工业", "学校"], dtype=object), count),
        "height": np.round(random.uniform(3, 99, count), 1),
        "storeys": random.integers(1, 33, count),
        "name": names,
    }


def reference(geometries: NDArray[np.object_], bounds: Box, properties: dict[str, NDArray[Any]]) -> bytes:
    """Return the tile of mapbox_vector_tile, which takes a list of dictionaries and does not clip."""
    keys, rows = list(properties), zip(*(column.tolist() for column in properties.values()), strict=True)
    features = [
        {"geometry": geometry, "id": row, "properties": dict(zip(keys, values, strict=True))}
        for row, (geometry, values) in enumerate(zip(geometries, rows, strict=True))
    ]
    layer = {"name": "building", "features": features}
    return bytes(mapbox_vector_tile.encode([layer], default_options={"quantize_bounds": bounds}))


def ours(geometries: NDArray[np.object_], bounds: Box, properties: dict[str, NDArray[Any]]) -> bytes:
    ids = np.arange(len(geometries))
    return encode_tile([encode_layer("building", geometries, bounds, ids=ids, properties=properties).data])


def seconds(encode: Encoder, tile: tuple[Any, ...], repeats: int) -> tuple[float, int]:
    """Return the best time of some runs, and the size of what was encoded."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        encoded = encode(*tile)
        times.append(time.perf_counter() - began)
    return min(times), len(encoded)


def main() -> None:
    print(f"{'tile':<22}{'encoder':<22}{'ms':>9}{'features/s':>13}{'bytes':>11}{'ratio':>8}")
    for z, count in ((13, 20_000), (16, 1_000)):
        bounds = QUAD.bounds(*QUAD.tile_of(*PLACE, z))
        tile = buildings(count, bounds), bounds, columns(count)
        slow, size = seconds(reference, tile, 1 if z == 13 else 3)
        fast, our_size = seconds(ours, tile, 15)
        for name, took, length in (("mapbox_vector_tile", slow, size), ("tiles.mvt", fast, our_size)):
            label = f"z{z}, {count:,} buildings"
            print(f"{label:<22}{name:<22}{took * 1e3:9.1f}{count / took:13,.0f}{length:11,}{slow / took:8.1f}")


if __name__ == "__main__":
    main()
