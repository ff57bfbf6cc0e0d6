"""The river, the lake at the foot of the town's axis, and the ponds."""

from dataclasses import dataclass

import numpy as np
from shapely import LineString, Point, Polygon

from data_samples.plan.frame import EAST, NORTH, WIDTH, at, extent, polygons

RIVER_ZH, RIVER_EN = "清漪河", "Qingyi River"
LAKE_ZH, LAKE_EN = "映月湖", "Yingyue Lake"


@dataclass(frozen=True)
class Waters:
    """Water of the town; `river_line` runs downstream, west to east, a little past the plan's edge."""

    river_line: LineString
    river: Polygon
    lake: Polygon
    ponds: tuple[Polygon, ...]

    @property
    def areas(self) -> list[tuple[str, str, Polygon]]:
        """Every water area with kind and Chinese name."""
        ponds = [("pond", "", pond) for pond in self.ponds]
        return [("river", RIVER_ZH, self.river), ("lake", LAKE_ZH, self.lake), *ponds]


def river_north(u: np.ndarray) -> np.ndarray:
    """Return the plan offset of the river's middle north of the south edge, for offsets `u` east."""
    return np.asarray(225 + 72 * np.sin(2 * np.pi * u / 1310 + 0.55) + 22 * np.sin(2 * np.pi * u / 523 + 2.0))


def build_waters() -> Waters:
    """Return the meandering river (50-64 m wide), a bean-shaped lake and five ponds."""
    u = np.arange(-120.0, WIDTH + 121.0, 10.0)
    v = river_north(u)
    line = LineString(np.column_stack([EAST + u, NORTH + v]))
    river = polygons(_ribbon(u, v).intersection(extent()))[0]
    ponds = [
        (210, 1840, 34, 22),
        (330, 1905, 26, 18),
        (2790, 1760, 38, 24),
        (690, 62, 30, 20),
        (2130, 70, 36, 22),
    ]
    return Waters(line, river, _lake(), tuple(_oval(*pond) for pond in ponds))


def _ribbon(u: np.ndarray, v: np.ndarray) -> Polygon:
    half = 28 + 4 * np.sin(2 * np.pi * u / 870)
    slope = np.gradient(v, u)
    norm = np.hypot(1, slope)
    left = np.column_stack([EAST + u - half * slope / norm, NORTH + v + half / norm])
    right = np.column_stack([EAST + u + half * slope / norm, NORTH + v - half / norm])
    return Polygon(np.vstack([left, right[::-1]]))


def _lake() -> Polygon:
    turn = np.linspace(0, 2 * np.pi, 73)[:-1]
    radius = 1 + 0.10 * np.cos(2 * turn + 0.5) + 0.07 * np.cos(3 * turn)
    return Polygon(
        [at(1750 + 92 * r * np.cos(t), 413 + 48 * r * np.sin(t)) for t, r in zip(turn, radius, strict=False)]
    )


def _oval(u: float, v: float, a: float, b: float) -> Polygon:
    turn = np.linspace(0, 2 * np.pi, 33)[:-1]
    wobble = 1 + 0.12 * np.cos(2 * turn + u)
    return Polygon([at(u + a * w * np.cos(t), v + b * w * np.sin(t)) for t, w in zip(turn, wobble, strict=False)])


def distance_to_river(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the distance in metres to the river's middle line, good to a metre near the river."""
    u = np.asarray(x) - EAST
    slope = (river_north(u + 1) - river_north(u - 1)) / 2
    return np.asarray(np.abs(np.asarray(y) - NORTH - river_north(u)) / np.hypot(1, slope))


def nearest_bank(waters: Waters, x: float, y: float) -> Point:
    """Return the point of the river's edge nearest to a place."""
    edge = waters.river.exterior
    return edge.interpolate(edge.project(Point(x, y)))
