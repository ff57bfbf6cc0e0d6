"""The workload of the benchmarks: building-like polygons and points with eight attributes, fixed seed, near the site.

500,000 polygons and 200,000 points by default; a variant of 10,000 runs in the tests.
"""

import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely

CENTRE = (618_533.0, 3_886_460.0)


def buildings(rows: int = 500_000, seed: int = 1) -> gpd.GeoDataFrame:
    """Return L-shaped and rectangular footprints on a jittered grid in EPSG:4548, turned by their own angle."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(rows)))
    step = 30.0
    column, row = np.divmod(np.arange(rows), side)
    x = CENTRE[0] + (column - side / 2) * step + rng.uniform(-3, 3, rows)
    y = CENTRE[1] + (row - side / 2) * step + rng.uniform(-3, 3, rows)
    width, depth = rng.uniform(8, 18, rows), rng.uniform(6, 14, rows)
    notch = np.where(rng.random(rows) < 0.4, rng.uniform(0.3, 0.6, rows), 0.0)
    corners = np.stack(
        [
            np.stack([np.zeros(rows), np.zeros(rows)], 1),
            np.stack([width, np.zeros(rows)], 1),
            np.stack([width, depth * (1 - notch)], 1),
            np.stack([width * (1 - notch), depth * (1 - notch)], 1),
            np.stack([width * (1 - notch), depth], 1),
            np.stack([np.zeros(rows), depth], 1),
            np.stack([np.zeros(rows), np.zeros(rows)], 1),
        ],
        axis=1,
    )
    angle = rng.uniform(0, np.pi / 2, rows)
    turned = np.stack(
        [
            corners[..., 0] * np.cos(angle)[:, None] - corners[..., 1] * np.sin(angle)[:, None] + x[:, None],
            corners[..., 0] * np.sin(angle)[:, None] + corners[..., 1] * np.cos(angle)[:, None] + y[:, None],
        ],
        axis=2,
    )
    polygons = shapely.polygons(turned)
    storeys = rng.integers(1, 34, rows)
    content = {
        "name": [f"{n}号楼" for n in range(rows)],
        "usage": rng.choice(["住宅", "商业", "办公", "学校"], rows),
        "structure": rng.choice(["砼", "混", "砖", "钢"], rows),
        "storeys": storeys,
        "height": storeys * 3.0 + rng.uniform(0, 1, rows),
        "address": [f"沂河路{n % 997}号" for n in range(rows)],
        "built": rng.choice(["2005-06-01", "2012-09-30", "2020-03-15"], rows),
        "code": "310300",
    }
    return gpd.GeoDataFrame(content, geometry=polygons, crs="EPSG:4548")


def points(rows: int = 200_000, seed: int = 2) -> gpd.GeoDataFrame:
    """Return lamp-like points over the same area."""
    rng = np.random.default_rng(seed)
    half = np.sqrt(500_000) * 15.0
    content = {
        "pole_no": [f"LD{n:06d}" for n in range(rows)],
        "power_w": rng.choice([60.0, 120.0, 250.0], rows),
        "height": rng.uniform(6, 12, rows),
        "road_name": rng.choice(["站前大道", "沂河路", "祥和街"], rows),
    }
    geometry = shapely.points(CENTRE[0] + rng.uniform(-half, half, rows), CENTRE[1] + rng.uniform(-half, half, rows))
    return gpd.GeoDataFrame(content, geometry=geometry, crs="EPSG:4548")


def write_shapefile(path: Path, rows: int = 500_000) -> Path:
    """Write the polygons as a shapefile in EPSG:4490 (longitude, latitude), as ogr2ogr and ours both read it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pyogrio.write_dataframe(buildings(rows).to_crs(4490), path, encoding="UTF-8")
    return path


if __name__ == "__main__":
    write_shapefile(Path(sys.argv[1]), int(sys.argv[2]))
