"""The frame of the plan: extent, map sheets, and the step from plan offsets to EPSG:4548."""

from dataclasses import dataclass

import numpy as np
from shapely import LineString, MultiLineString, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

EAST, NORTH = 617_000.0, 3_885_000.0
WIDTH, HEIGHT = 3_000.0, 2_000.0
EPSG = 4548
TOWN_ZH, TOWN_EN = "琅琊高铁新城", "Langya High-Speed-Rail New Town"


@dataclass(frozen=True)
class Sheet:
    """A square map sheet of 50 cm x 50 cm, known by its south-west corner."""

    scale: int
    east: float
    north: float

    @property
    def side(self) -> float:
        """Side on the ground in metres: 500 at 1:1000, 1000 at 1:2000."""
        return self.scale * 0.5

    @property
    def number(self) -> str:
        """Sheet number: X (north) first, then Y (east), in kilometres to 0.1."""
        return f"{self.north / 1000:.1f}-{self.east / 1000:.1f}"

    @property
    def neatline(self) -> Polygon:
        """The inner neatline."""
        return box(self.east, self.north, self.east + self.side, self.north + self.side)


def at(u: float, v: float) -> tuple[float, float]:
    """Return EPSG:4548 (east, north) of a place given in metres from the plan's south-west corner."""
    return EAST + u, NORTH + v


def line(*places: tuple[float, float]) -> LineString:
    """Return a line through places given in plan offsets."""
    return LineString([at(u, v) for u, v in places])


def area(*places: tuple[float, float]) -> Polygon:
    """Return a polygon whose corners are given in plan offsets."""
    return Polygon([at(u, v) for u, v in places])


def point(u: float, v: float) -> Point:
    """Return a point given in plan offsets."""
    return Point(at(u, v))


def extent() -> Polygon:
    """Return the surveyed rectangle, 3 km x 2 km."""
    return box(EAST, NORTH, EAST + WIDTH, NORTH + HEIGHT)


def sheets() -> list[Sheet]:
    """Return the sheets: 1:1000 for the two square kilometres of the core, 1:2000 for the rest."""
    core = [Sheet(1000, EAST + 1000 + 500 * i, NORTH + 500 * j) for j in range(4) for i in range(2)]
    rest = [Sheet(2000, EAST + u, NORTH + v) for v in (0, 1000) for u in (0, 2000)]
    return core + rest


def sheet_lines() -> MultiLineString:
    """Return every line along which the plan is cut into sheets."""
    return MultiLineString([LineString(sheet.neatline.exterior.coords) for sheet in sheets()])


def random_stream(name: str) -> np.random.Generator:
    """Return the generator of random numbers of one topic: a change in one leaves the others alone."""
    return np.random.default_rng([4548, *name.encode()])


def polygons(geometry: BaseGeometry, *, least_area: float = 1.0) -> list[Polygon]:
    """Return the polygons inside any geometry, small crumbs left out, from south-west to north-east."""
    parts = getattr(geometry, "geoms", [geometry])
    flat = [p for part in parts for p in getattr(part, "geoms", [part])]
    kept = [p for p in flat if isinstance(p, Polygon) and p.area >= least_area]
    return sorted(kept, key=lambda p: (round(p.centroid.y, 2), round(p.centroid.x, 2)))


def lines(geometry: BaseGeometry, *, least_length: float = 0.5) -> list[LineString]:
    """Return the lines inside any geometry, crumbs left out, in a stable order."""
    parts = getattr(geometry, "geoms", [geometry])
    flat = [p for part in parts for p in getattr(part, "geoms", [part])]
    kept = [p for p in flat if isinstance(p, LineString) and p.length >= least_length]
    return sorted(kept, key=lambda p: tuple(np.round(p.coords[0], 3)) + tuple(np.round(p.coords[-1], 3)))
