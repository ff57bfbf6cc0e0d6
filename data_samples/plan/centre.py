"""The centre: offices and shops in rings about the station square, towers highest at the axis."""

from math import asin, cos, degrees, exp, radians, sin

from shapely.geometry.base import BaseGeometry

from data_samples.plan import footprints as shape
from data_samples.plan.blocks import Block
from data_samples.plan.frame import at
from data_samples.plan.house import House
from data_samples.plan.packing import rows
from data_samples.plan.streets import AXIS

HEART = (AXIS, 1000.0)
CLEAR_OF_AXIS = 72.0
# inner radius, outer radius, arc length of a building, gap, podium storeys, and whether towers stand on it
RINGS = (
    (96.0, 132.0, 44.0, 14.0, 3, False),
    (164.0, 212.0, 50.0, 16.0, 6, False),
    (262.0, 322.0, 62.0, 18.0, 4, True),
    (338.0, 402.0, 66.0, 20.0, 4, True),
    (452.0, 512.0, 64.0, 20.0, 4, True),
    (530.0, 590.0, 64.0, 24.0, 3, True),
)
LANDMARKS = {(2, -1): "琅琊金融中心西塔", (2, 1): "琅琊金融中心东塔", (3, -1): "沂蒙大厦", (3, 1): "兰陵大厦"}


def fan_buildings(block: Block, land: BaseGeometry) -> list[House]:
    """Return the podiums and towers of one block of the fan; each ring keeps its rhythm across blocks."""
    inner = land.buffer(-7)
    found: list[House] = []
    for ring, (near, far, arc, gap, storeys, towered) in enumerate(RINGS):
        step = (arc + gap) / ((near + far) / 2) * 57.29578
        side_count = int(90 / step)
        for place in [k for k in range(-side_count, side_count + 1) if k]:
            half = step / 2 * arc / (arc + gap)
            side = 1 if place > 0 else -1
            first = degrees(asin(CLEAR_OF_AXIS / near)) + half
            middle = 270 + side * (first + step * (abs(place) - 1))
            plan = shape.sector(*HEART, near, far, middle - half, middle + half)
            if inner.contains(plan):
                podium = House(plan, "砼", storeys, storeys * 4.5, basements=2 if towered else 1)
                found.append(podium)
                found += _tower(podium, ring, place, middle, (near + far) / 2) if towered else []
    return found + _infill(inner, found)


def _infill(inner: BaseGeometry, houses: list[House]) -> list[House]:
    """Return mid-rise offices on what the rings leave free."""
    room = inner
    for house in houses:
        room = room.difference(house.footprint.buffer(15))
    found = []
    for lot in rows(room, length=34, depth=18, gap=16, row_gap=20):
        storeys = 6 + (lot.row * 3 + lot.column * 5) % 7
        plan = shape.placed(shape.bar(34, 18), lot.east, lot.north)
        found.append(House(plan, "砼", storeys, storeys * 3.9, basements=1))
    return found


def _tower(podium: House, ring: int, place: int, middle: float, radius: float) -> list[House]:
    name = LANDMARKS.get((ring, place), "")
    lean = exp(-(((middle - 270) / 34) ** 2))
    storeys = round((19 if ring > 3 else 21) + (17 if ring < 4 else 10) * lean) + (place * 3 + ring) % 3 - 1
    storeys = 38 if name.startswith("琅琊金融") else min(storeys, 36)
    plans = (
        shape.chamfered(34, 30, cut=7),
        shape.oval(40, 28),
        shape.chamfered(30, 34, cut=4),
        shape.cross(38, 32),
    )
    plan = plans[0] if ring == 2 and name else plans[(abs(place) + ring) % len(plans)]
    u, v = HEART[0] + radius * cos(radians(middle)), HEART[1] + radius * sin(radians(middle))
    footprint = shape.placed(plan, *at(u, v), turn_deg=middle + 90)
    return [House(footprint, "砼", storeys, storeys * 3.9, basements=3, name=name, stands_on=podium)]
