"""Trees, lawns, woods, playgrounds, street lamps and car parks."""

from dataclasses import dataclass

import numpy as np
import shapely
from shapely import LineString, Polygon, union_all
from shapely.affinity import scale
from shapely.geometry.base import BaseGeometry

from data_samples.plan.blocks import Block
from data_samples.plan.buildings import Building, clear_of
from data_samples.plan.frame import extent, polygons, random_stream, sheet_lines
from data_samples.plan.streets import Street
from data_samples.plan.water import Waters

CONIFER_SHARE = 0.2
PARKED = ("R2", "A5", "A1", "A2", "B1", "B29", "S3", "S41", "W1")


@dataclass(frozen=True)
class Tree:
    """A single tree; `street` is empty in parks."""

    east: float
    north: float
    conifer: bool
    street: str


@dataclass(frozen=True)
class Lamp:
    """A street lamp with the number on its pole, watts and height."""

    number: str
    street: str
    east: float
    north: float
    power_w: int
    height: float


@dataclass(frozen=True)
class Green:
    """A green area: kind (lawn, wood, meadow, field, playground), name of the block it lies in."""

    kind: str
    name: str
    area: Polygon


@dataclass(frozen=True)
class CarPark:
    """A car park with its number of places."""

    number: str
    name: str
    spaces: int
    chargers: int
    area: Polygon


def build_lamps(streets: list[Street], keep_clear: BaseGeometry) -> list[Lamp]:
    """Return lamps every 32-40 m on both sides of each carriageway, staggered, clear of junctions."""
    found: list[Lamp] = []
    shapely.prepare(keep_clear)
    for street in streets:
        step, power, height = {"arterial": (40, 250, 12.0), "secondary": (36, 180, 10.0)}.get(
            street.kind, (32, 120, 8.0)
        )
        for side in (1, -1):
            offset = side * (street.kerb_width / 2 + 0.8)
            for x, y in _along(street, step, offset, streets, start=step / 2 if side > 0 else step):
                if not keep_clear.contains(shapely.Point(x, y)):
                    found.append(Lamp(f"LD{len(found) + 1:05d}", street.name, x, y, power, height))
    return found


def build_trees(streets: list[Street], blocks: list[Block], buildings: list[Building], waters: Waters) -> list[Tree]:
    """Return the street trees and the single trees of parks and estates."""
    wet = union_all([polygon.buffer(4) for _, _, polygon in waters.areas])
    shapely.prepare(wet)
    built = union_all([polygon.buffer(3.5) for polygon in clear_of(buildings)])
    return _street_trees(streets, wet) + _park_trees(blocks, wet, built)


def _street_trees(streets: list[Street], wet: BaseGeometry) -> list[Tree]:
    found: list[Tree] = []
    for street in streets:
        offsets = [street.kerb_width / 2 + 2.0] + (
            [street.red_line_width / 2 - 1.5] if street.kind == "arterial" else []
        )
        for offset in offsets:
            for side in (1, -1):
                places = np.array(
                    _along(street, 9.0 if street.kind != "branch" else 11.0, side * offset, streets)
                ).reshape(-1, 2)
                dry = ~shapely.contains_xy(wet, places[:, 0], places[:, 1])
                found += [Tree(float(x), float(y), False, street.name) for x, y in places[dry]]
    return found


def _park_trees(blocks: list[Block], wet: BaseGeometry, built: BaseGeometry) -> list[Tree]:
    stream = random_stream("trees")
    found: list[Tree] = []
    pitch = {
        "G1": 12.0,
        "G2": 12.0,
        "R1": 19.0,
        "R2": 21.0,
        "A33": 26.0,
        "A5": 22.0,
        "H14": 24.0,
        "A2": 20.0,
        "S3": 9.0,
        "B1": 24.0,
        "B2": 22.0,
        "B29": 24.0,
    }
    for block in blocks:
        if block.use not in pitch:
            continue
        if block.use == "S3":
            found += _square_trees(block)
            continue
        tracks = union_all([track.buffer(3) for track in _tracks(block)])
        land = block.land.buffer(-3).difference(built).difference(wet).difference(tracks)
        shapely.prepare(land)
        x, y = _scattered(block.land.bounds, pitch[block.use], stream)
        inside = shapely.contains_xy(land, x, y) & (stream.random(len(x)) < _density(x, y, block.use))
        conifers = stream.random(len(x)) < CONIFER_SHARE
        found += [
            Tree(float(a), float(b), bool(c), "")
            for a, b, c in zip(x[inside], y[inside], conifers[inside], strict=False)
        ]
    return found


def _density(x: np.ndarray, y: np.ndarray, use: str) -> np.ndarray:
    """Return how likely a tree stands at a place: parks have groves and clearings, other land is even."""
    if use not in ("G1", "H14", "A33", "A5"):
        return np.full(len(x), 0.9)
    grove = np.sin(x / 41 + np.sin(y / 57) * 1.7) + np.cos(y / 37 - np.cos(x / 63) * 1.4)
    return np.asarray(np.clip(0.55 + 0.55 * grove, 0.02, 1.0))


def _square_trees(block: Block) -> list[Tree]:
    """Return the bosquets of the station square: two fields of trees in rows, the middle left open."""
    west, south, east, north = block.land.bounds
    x, y = (a.ravel() for a in np.meshgrid(np.arange(west + 20, east - 15, 9.0), np.arange(south + 14, north, 9.0)))
    free = (np.abs(x - (west + east) / 2) > 62) & shapely.contains_xy(block.land.buffer(-9), x, y)
    return [Tree(round(float(a), 2), round(float(b), 2), False, "") for a, b in zip(x[free], y[free], strict=True)]


def _scattered(
    bounds: tuple[float, float, float, float], pitch: float, stream: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.meshgrid(np.arange(bounds[0], bounds[2], pitch), np.arange(bounds[1], bounds[3], pitch))
    shift = stream.uniform(-0.38, 0.38, (2, a.size)) * pitch
    return np.round(a.ravel() + shift[0], 2), np.round(b.ravel() + shift[1], 2)


def _along(
    street: Street, step: float, offset: float, streets: list[Street], *, start: float = 8.0
) -> list[tuple[float, float]]:
    """Return places beside a street, none on the carriageway of another one and none off the plan."""
    others = union_all([s.centreline.buffer(s.kerb_width / 2 + 5) for s in streets if s is not street])
    side = street.centreline.offset_curve(offset)
    found: list[tuple[float, float]] = []
    for part in getattr(side, "geoms", [side]):
        assert isinstance(part, LineString)
        places = shapely.line_interpolate_point(part, np.arange(start, part.length - 4, step))
        free = ~shapely.intersects(others, places) & shapely.contains(extent(), places)
        found += [(round(p.x, 2), round(p.y, 2)) for p in places[free]]
    return found


def build_greens(blocks: list[Block], buildings: list[Building], waters: Waters, paved: list[Polygon]) -> list[Green]:
    """Return lawns, woods, fields and playgrounds; none lies under a building or in water."""
    built = union_all([polygon.buffer(4) for polygon in clear_of(buildings)] + [lot.buffer(1.5) for lot in paved])
    wet = union_all([polygon.buffer(2) for _, _, polygon in waters.areas])
    found: list[Green] = []
    for block in blocks:
        grounds = [Green("playground", block.name, track) for track in _tracks(block)]
        free = block.land.buffer(-6).difference(built).difference(wet)
        for ground in grounds:
            free = free.difference(ground.area.buffer(4))
        found += grounds
        if block.use in GREEN_KIND:
            kind = GREEN_KIND[block.use]
            found += [Green(kind, block.name, part) for part in polygons(_opened(free, kind), least_area=150)]
    return found


GREEN_KIND = {
    "G1": "wood",
    "G2": "lawn",
    "R1": "lawn",
    "R2": "lawn",
    "A33": "lawn",
    "A5": "lawn",
    "A2": "lawn",
    "E2": "field",
    "B29": "lawn",
    "A1": "lawn",
}


def _opened(free: BaseGeometry, kind: str) -> BaseGeometry:
    narrow = 2.5 if kind == "lawn" else 1.0
    return free.buffer(-narrow).buffer(narrow, quad_segs=2).simplify(0.3)


def _tracks(block: Block) -> list[Polygon]:
    if block.style not in ("school", "campus"):
        return []
    west, south, east, north = block.land.bounds
    x, y = ((west + east) / 2, (south + north) / 2)
    x, y = (x - 70, y + 4) if block.style == "campus" else (x - 10, y - 55)
    straight = LineString([(x - 40, y), (x + 40, y)]).buffer(31, quad_segs=8)
    return [straight] if block.land.buffer(-5).contains(straight) else [scale(straight, 0.7, 0.7)]


def build_car_parks(blocks: list[Block], buildings: list[Building]) -> list[CarPark]:
    """Return one car park in each block that has room for one beside its buildings, largest room first."""
    built = union_all([polygon.buffer(5) for polygon in clear_of(buildings)] + [sheet_lines().buffer(4)])
    found: list[CarPark] = []
    for block in blocks:
        if block.use not in PARKED:
            continue
        room = block.land.buffer(-7).difference(built)
        lot = _room_for(room, 46.0, 17.0) or _room_for(room, 30.0, 12.0)
        if lot is not None:
            spaces = int(lot.area // 26)
            found.append(CarPark(f"P{len(found) + 1:03d}", f"{block.name}停车场", spaces, spaces // 5, lot))
    return found


def _room_for(room: BaseGeometry, length: float, depth: float) -> Polygon | None:
    west, south, east, north = room.bounds
    x, y = (a.ravel() for a in np.meshgrid(np.arange(west, east - length, 4), np.arange(south, north - depth, 4)))
    lots = shapely.box(x, y, x + length, y + depth)
    inside = np.flatnonzero(shapely.contains(room, lots))
    return lots[inside[0]] if len(inside) else None
