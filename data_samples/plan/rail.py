"""The high-speed line on its viaduct and the station's place on it."""

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from data_samples.plan.frame import EAST, NORTH, WIDTH, at
from data_samples.plan.terrain import height_at

STATION_ZH, STATION_EN = "琅琊东站", "Langya East Station"
ANGLE_DEG = 7.0
CENTRE = (1750.0, 1262.0)
HALL_LENGTH, HALL_DEPTH = 186.0, 54.0
HALL_OFFSET = -49.0
PLATFORM_LENGTH, PLATFORM_WIDTH = 420.0, 12.0
PLATFORM_OFFSETS = (-15.5, 15.5)
TRACK_OFFSETS = (-7.5, -2.5, 2.5, 7.5)
RAIL_ABOVE_GROUND = 9.0


@dataclass(frozen=True)
class Station:
    """Where the station stands: the middle of the line; `s` runs along the rails, `t` left of them."""

    east: float
    north: float
    ground: float
    angle_deg: float

    def place(self, s: float, t: float) -> tuple[float, float]:
        """Return (east, north) of a place `s` metres along the rails and `t` metres to their left."""
        c, d = cos(radians(self.angle_deg)), sin(radians(self.angle_deg))
        return self.east + s * c - t * d, self.north + s * d + t * c

    def rectangle(self, s0: float, t0: float, s1: float, t1: float) -> Polygon:
        """Return a rectangle given along and across the rails."""
        return Polygon([self.place(s, t) for s, t in ((s0, t0), (s1, t0), (s1, t1), (s0, t1))])

    @property
    def hall(self) -> Polygon:
        """Footprint of the station building (the walls of the hall, without roof overhang)."""
        half, depth = HALL_LENGTH / 2, HALL_DEPTH / 2
        return self.rectangle(-half, HALL_OFFSET - depth, half, HALL_OFFSET + depth)

    @property
    def yard(self) -> Polygon:
        """Ground of the station: hall, tracks, platforms and a margin."""
        return self.rectangle(-212, HALL_OFFSET - HALL_DEPTH / 2 - 14, 212, 30)


def build_station() -> Station:
    """Return the station; its ground level is that of the terrain before the hall's doors."""
    east, north = at(*CENTRE)
    bare = Station(east, north, 0.0, ANGLE_DEG)
    return Station(east, north, height_at(*bare.place(0, HALL_OFFSET)), ANGLE_DEG)


def track_lines(station: Station) -> list[LineString]:
    """Return the tracks: two through the whole plan, two more that branch off at the station."""
    reach = WIDTH
    through = [LineString([station.place(-reach, t), station.place(reach, t)]) for t in (-2.5, 2.5)]
    return through + [_loop(station, t) for t in TRACK_OFFSETS if abs(t) > 3]


def _loop(station: Station, t: float) -> LineString:
    inner = 2.5 if t > 0 else -2.5
    s = np.concatenate([np.linspace(-520, -260, 14), np.linspace(260, 520, 14)])
    ease = np.clip((520 - np.abs(s)) / 260, 0, 1)
    across = inner + (t - inner) * ease * ease * (3 - 2 * ease)
    return LineString([station.place(float(a), float(b)) for a, b in zip(s, across, strict=False)])


def corridor(station: Station) -> BaseGeometry:
    """Return the land of the railway: 24 m either side of the line and the station's yard."""
    line = LineString([station.place(-WIDTH, 0), station.place(WIDTH, 0)])
    return line.buffer(24, cap_style="flat").union(station.yard)


def rail_height(station: Station) -> float:
    """Return the height of the rails at the station."""
    return station.ground + RAIL_ABOVE_GROUND


def railway_north(u: float) -> float:
    """Return the plan offset north of the line's middle at `u` metres east of the plan's west edge."""
    east, north = at(*CENTRE)
    return north - NORTH + (EAST + u - east) * float(np.tan(np.radians(ANGLE_DEG)))
