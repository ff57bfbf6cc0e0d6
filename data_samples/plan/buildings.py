"""The buildings: what stands in each block, its structure and height, and how the surveyor wrote it down."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from shapely import Polygon, union_all
from shapely.geometry.base import BaseGeometry

from data_samples.plan import footprints as shape
from data_samples.plan.blocks import Block
from data_samples.plan.centre import fan_buildings
from data_samples.plan.frame import polygons, random_stream, sheet_lines
from data_samples.plan.house import House
from data_samples.plan.institutions import INSTITUTIONS
from data_samples.plan.packing import Lot, rows
from data_samples.plan.terrain import ground
from data_samples.plan.water import Waters

SETBACK = {"village": 5.0, "villa": 7.0, "hall": 10.0}
ESTATES = {
    # style: length, depth, gap, row gap, storeys
    "slab": (46.0, 12.6, 13.0, 21.0, (6, 7, 8, 9, 11)),
    "midrise": (40.0, 15.0, 15.0, 27.0, (15, 16, 18, 18, 17)),
    "tower": (32.0, 21.0, 18.0, 26.0, (26, 28, 30, 32, 33)),
}


@dataclass(frozen=True)
class Building:
    """A building; `label` is how the drawing tells structure and storeys: joined, split, bare or none."""

    number: str
    footprint: Polygon
    structure: str
    storeys: int
    basements: int
    height: float
    ground: float
    block: str
    use: str
    name: str
    label: str
    stands_on: str

    @property
    def text(self) -> str:
        """The text in the drawing, such as 砼3, 砖 or 混5-2 (five storeys above ground, two below)."""
        if self.structure in ("简", "建", "棚") or (self.structure == "砖" and self.label == "bare"):
            return self.structure
        below = f"-{self.basements}" if self.basements else ""
        return f"{self.structure}{self.storeys}{below}"


def build_buildings(blocks: list[Block], waters: Waters) -> list[Building]:
    """Return every building, block by block; none crosses a sheet line."""
    wet = [polygon.buffer(6) for _, _, polygon in waters.areas]
    keep_clear = union_all([sheet_lines().buffer(6), *wet])
    found: list[Building] = []
    for block in blocks:
        land = block.land.difference(keep_clear)
        houses = STYLES.get(block.style, _nothing)(block, land)
        found += _numbered(houses, block, len(found))
    return _levelled(_labelled(found))


def _numbered(houses: list[House], block: Block, start: int) -> list[Building]:
    numbers = {id(house): f"B{start + i:04d}" for i, house in enumerate(houses, 1)}
    return [
        Building(
            numbers[id(h)],
            h.footprint,
            h.structure,
            h.storeys,
            h.basements,
            round(h.height, 1),
            0.0,
            block.number,
            h.use or block.use,
            h.name,
            "joined",
            numbers[id(h.stands_on)] if h.stands_on else "",
        )
        for h in houses
    ]


def _levelled(buildings: list[Building]) -> list[Building]:
    middles = np.array([b.footprint.representative_point().coords[0] for b in buildings])
    heights = ground(middles[:, 0], middles[:, 1])
    return [replace(b, ground=round(float(z), 2)) for b, z in zip(buildings, heights, strict=False)]


def _labelled(buildings: list[Building]) -> list[Building]:
    stream = random_stream("labels")
    draws = stream.random(len(buildings))
    return [replace(b, label=_label(b, float(d))) for b, d in zip(buildings, draws, strict=False)]


def _label(building: Building, draw: float) -> str:
    if building.name or building.stands_on or building.footprint.interiors:
        return "joined"
    if building.structure == "砖" and building.storeys == 1 and draw > 0.6:
        return "bare"
    if draw < 0.012:
        return "none"
    return "split" if draw < 0.09 and building.structure not in ("简", "建", "棚") else "joined"


def _nothing(block: Block, land: BaseGeometry) -> list[House]:
    del block, land
    return []


def _estate(block: Block, land: BaseGeometry) -> list[House]:
    stream = random_stream(block.number)
    length, depth, gap, row_gap, choices = ESTATES[block.style]
    inner = land.buffer(-16)
    lots = rows(inner, length=length, depth=depth + 2, gap=gap, row_gap=row_gap)
    base = int(stream.choice(choices))
    building_site = block.name in ("泉香苑", "云台北里")
    houses = [_dwelling(block.style, lot, base, stream) for lot in lots if not _garden(lot, lots)]
    if building_site:
        houses = [
            replace(h, structure="建", storeys=1, height=3.0, basements=0) if i % 3 == 0 else h
            for i, h in enumerate(houses)
        ]
    return houses + _shops(block, land, inner)


def _garden(lot: Lot, lots: list[Lot]) -> bool:
    """Say whether a lot stays open: the middle of every large estate is its garden."""
    if len(lots) < 16:
        return False
    middle = (np.mean([o.east for o in lots]), np.mean([o.north for o in lots]))
    return bool(np.hypot(lot.east - middle[0], lot.north - middle[1]) < 24)


def _dwelling(style: str, lot: Lot, base: int, stream: np.random.Generator) -> House:
    swing = {"slab": 0, "midrise": 1, "tower": 2}[style]
    storeys = base + int(stream.integers(-swing, swing + 1)) + (2 if lot.row > 2 and swing else 0)
    plans: dict[str, list[Callable[[], Polygon]]] = {
        "slab": [
            lambda: shape.bar(46, 12.6, bays=3),
            lambda: shape.bar(44, 12.2, bays=2),
            lambda: shape.stepped(46, 13.6),
        ],
        "midrise": [lambda: shape.bar(39, 14.4, bays=2), lambda: shape.stepped(40, 16)],
        "tower": [lambda: shape.cross(32, 21), lambda: shape.cross(30, 22)],
    }
    draw = plans[style][int(stream.integers(len(plans[style])))]
    structure = "混" if storeys <= 6 else "砼"
    basements = int(stream.random() < 0.3) + int(storeys > 25 and stream.random() < 0.5)
    return House(shape.placed(draw(), lot.east, lot.north), structure, storeys, storeys * 3.0, basements=basements)


def _shops(block: Block, land: BaseGeometry, inner: BaseGeometry) -> list[House]:
    """Return the low shops along the estate's north and south edges, with gaps for its gates."""
    rim = land.buffer(-4).difference(inner.buffer(3))
    found = []
    for lot in rows(rim, length=26, depth=7, gap=5, row_gap=4, tries=6):
        if (lot.column + lot.row) % 4 != 3:
            found.append(House(shape.placed(shape.bar(26, 7), lot.east, lot.north), "混", 2, 7.2, use="B1"))
    return found


def _village(block: Block, land: BaseGeometry) -> list[House]:
    stream = random_stream(block.number)
    turn = {"北岭村": 7.0, "大茶棚村": -9.0, "东河村": 4.0}.get(block.name, -3.0)
    core: BaseGeometry = land.buffer(-9)
    heart = core.centroid
    reach = min(205.0, (core.area / np.pi) ** 0.5 * 1.25)
    core = core.intersection(heart.buffer(reach).buffer(0))
    lots = [
        lot for lot in rows(core, length=15, depth=13, gap=3.6, row_gap=6.2, turn_deg=turn) if stream.random() > 0.1
    ]
    return [_farmhouse(lot, stream) for lot in lots]


def _farmhouse(lot: Lot, stream: np.random.Generator) -> House:
    kind = stream.random()
    long, deep = float(stream.uniform(11.5, 14.6)), float(stream.uniform(9.0, 12.4))
    if kind < 0.16:
        return House(
            shape.placed(shape.court(14.6, 12.6, wing=3.6), lot.east, lot.north, turn_deg=lot.turn_deg),
            "砖",
            1,
            3.4,
        )
    if kind < 0.46:
        plan = shape.ue(14.4, 12.2, wing=4.0) if kind < 0.30 else shape.ell(14.2, 12.0, wing=4.6)
        return House(shape.placed(plan, lot.east, lot.north, turn_deg=lot.turn_deg), "砖", 1, 3.4)
    plan = shape.bar(long, min(deep, 8.6))
    at_north = shape.placed(plan, lot.east, lot.north, turn_deg=lot.turn_deg)
    if kind < 0.78:
        storeys = 2 if kind < 0.66 else 3
        return House(at_north, "混", storeys, storeys * 3.2)
    if kind < 0.92:
        return House(at_north, "砖", 1, 3.4)
    return House(
        shape.placed(shape.bar(8.5, 5.5), lot.east, lot.north, turn_deg=lot.turn_deg),
        "简" if kind < 0.97 else "棚",
        1,
        2.8,
    )


def _villas(block: Block, land: BaseGeometry) -> list[House]:
    stream = random_stream(block.number)
    lots = rows(land.buffer(-8), length=14, depth=12, gap=11, row_gap=15, turn_deg=6)
    plans = (shape.ell(14, 12, wing=7.5), shape.stepped(13, 11), shape.bar(13, 10, bays=1))
    return [
        House(
            shape.placed(plans[int(stream.integers(3))], lot.east, lot.north, turn_deg=lot.turn_deg),
            "混",
            3,
            10.2,
        )
        for lot in lots
    ]


def _halls(block: Block, land: BaseGeometry) -> list[House]:
    stream = random_stream(block.number)
    inner = land.buffer(-12)
    length, depth = ((62.0, 34.0), (84.0, 30.0), (48.0, 40.0))[int(stream.integers(3))]
    halls = [
        House(
            shape.placed(shape.bar(length, depth), lot.east, lot.north),
            "钢",
            1,
            float(stream.choice([9.0, 10.5, 12.0])),
        )
        for lot in rows(inner, length=length, depth=depth, gap=14, row_gap=16)
    ]
    room: BaseGeometry = inner
    for hall in halls:
        room = room.difference(hall.footprint.buffer(9))
    offices = [
        House(shape.placed(shape.bar(30, 12), lot.east, lot.north), "砼", int(stream.choice([3, 4, 5])), 15.0)
        for lot in rows(room, length=30, depth=12, gap=10, row_gap=10)[:4]
    ]
    return halls + [replace(o, height=o.storeys * 3.6) for o in offices]


def _offices(block: Block, land: BaseGeometry) -> list[House]:
    stream = random_stream(block.number)
    plans = (
        shape.ell(52, 40, wing=15),
        shape.ue(54, 40, wing=14),
        shape.court(52, 40, wing=12),
        shape.chamfered(44, 30, cut=6),
    )
    lots = rows(land.buffer(-14), length=54, depth=40, gap=20, row_gap=22)
    found = []
    for i, lot in enumerate(lots):
        plan = plans[(i + int(stream.integers(2))) % len(plans)]
        storeys = int(stream.choice([4, 5, 6, 8, 10, 12]))
        turn = 180.0 if lot.row % 2 and plan is not plans[2] else 0.0
        found.append(House(shape.placed(plan, lot.east, lot.north, turn_deg=turn), "砼", storeys, storeys * 3.8))
    return found


STYLES: dict[str, Callable[[Block, BaseGeometry], list[House]]] = {
    **dict.fromkeys(ESTATES, _estate),
    **INSTITUTIONS,
    "village": _village,
    "villa": _villas,
    "hall": _halls,
    "campus_office": _offices,
    "fan": fan_buildings,
}


def clear_of(buildings: list[Building]) -> list[Polygon]:
    """Return the ground covered by buildings as polygons without towers counted twice."""
    return [p for b in buildings if not b.stands_on for p in polygons(b.footprint)]
