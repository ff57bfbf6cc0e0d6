"""The ground: a plain that falls to the river in the south and a little to the east, with two low hills."""

import numpy as np

from data_samples.plan.frame import EAST, NORTH
from data_samples.plan.water import distance_to_river

HILLS = ((150.0, 1690.0, 4.6, 150.0), (2830.0, 1640.0, 2.4, 130.0), (1180.0, 420.0, 1.6, 60.0))


def water_level(x: np.ndarray | float) -> np.ndarray:
    """Return the height of the river's surface: 63.4 m at the west edge, 62.2 m at the east edge."""
    return np.asarray(63.4 - 0.0004 * (np.asarray(x) - EAST))


def ground(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """Return heights of the ground (1985 datum) at places in EPSG:4548; the river's bed included."""
    u, v = np.asarray(x) - EAST, np.asarray(y) - NORTH
    plain = 67.6 + 0.0042 * (v - 400) - 0.0010 * (u - 1500)
    swell = 0.42 * np.sin(u / 205 + 0.4) * np.cos(v / 260) + 0.22 * np.sin(u / 97 + v / 131)
    height = plain + swell
    for east, north, rise, spread in HILLS:
        height = height + rise * np.exp(-((u - east) ** 2 + (v - north) ** 2) / (2 * spread**2))
    return np.asarray(_carve(height, np.asarray(x), np.asarray(y)))


def _carve(height: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    distance = distance_to_river(x, y)
    bed = water_level(x) - 1.6
    rise = np.clip((distance - 20) / 34, 0, 1)
    smooth = rise * rise * (3 - 2 * rise)
    return np.asarray(bed + (height - bed) * smooth)


def height_at(x: float, y: float) -> float:
    """Return the height of the ground at one place, to the millimetre."""
    return round(float(ground(x, y)), 3)


def height_grid(bounds: tuple[float, float, float, float], step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (x, y, z) of a grid that covers `bounds` with both edges: z has shape (len(y), len(x))."""
    x = np.arange(bounds[0], bounds[2] + step / 2, step)
    y = np.arange(bounds[1], bounds[3] + step / 2, step)
    return x, y, ground(*np.meshgrid(x, y))
