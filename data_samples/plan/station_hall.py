"""The hall: floors, columns, walls with doors and windows, rooms, glass and the folded roof."""

from data_samples.plan.rail import HALL_DEPTH, HALL_OFFSET
from data_samples.plan.solids import Tube, gable, panel, post, shell, slab
from data_samples.plan.station_frame import (
    BAY,
    BAYS,
    MEZZANINE,
    NORTH,
    SIDES,
    SOUTH,
    STOREYS,
    UPPER,
    WEST,
    Part,
    Values,
    axis,
    family,
    fire,
    glass_height,
    roof_height,
)

ROOMS = (
    ("综合服务中心", "Service centre"),
    ("设备用房", "Plant room"),
    ("公安值班室", "Police office"),
    ("员工办公室", "Staff office"),
)
ENDS = {-1: "W", 1: "E"}


def hall_parts() -> list[Part]:
    """Return the parts of the hall."""
    return [*_floors(), *_columns(), *_outer_walls(), *_rooms(), *_glass(), *_roof(), *_spaces()]


def _floors() -> list[Part]:
    common = (("Pset_SlabCommon", fire("1.5h", bearing=True, external=False)),)
    base = family("IfcSlab", "BASESLAB", "Floor slab", properties=common)
    floor = family("IfcSlab", "FLOOR", "Floor slab", properties=common)
    mezzanine = family("IfcSlab", "FLOOR", "Mezzanine slab", properties=common)
    found = []
    for storey, thickness, make in (("1F", 0.40, base), ("2F", 0.50, floor)):
        shape = slab(BAY, HALL_DEPTH, thickness)
        for i in range(BAYS):
            place = (axis(i + 0.5), HALL_OFFSET, STOREYS[storey] - thickness)
            found.append(make(f"slab {storey} {i}", f"{storey}楼板-{i + 1:02d}", storey, shape, place))
    for side, end in SIDES:
        place = (side * 77.5, HALL_OFFSET + 12, MEZZANINE - 0.4)
        found.append(mezzanine(f"mezzanine {side}", f"3F夹层楼板-{end}", "3F", slab(31, 30, 0.4), place))
    return found


def _columns() -> list[Part]:
    common = (("Pset_ColumnCommon", fire("3.0h", bearing=True, external=False)),)
    column = family("IfcColumn", "COLUMN", "Column", properties=common)
    steel = family("IfcColumn", "COLUMN", "Steel column", "steel", common)
    rows = (SOUTH + 0.6, SOUTH + 18, NORTH - 18, NORTH - 0.6)
    found = []
    for i in range(BAYS + 1):
        s = min(max(axis(i), WEST + 0.6), -WEST - 0.6)
        for j, t in enumerate(rows):
            name = f"KZ-1F-{i + 1}{'ABCD'[j]}"
            found.append(column(f"column 1F {i} {j}", name, "1F", post(1.0, 1.0, 9.75), (s, t, 0.0)))
        for j in (0, 3):
            shape = Tube(0.45, glass_height(s, rows[j]), lying=False)
            name = f"GZ-2F-{i + 1}{'ABCD'[j]}"
            found.append(steel(f"column 2F {i} {j}", name, "2F", shape, (s, rows[j], UPPER)))
    for side, _ in SIDES:
        for k, (s, t) in enumerate(((63.5, -50.0), (63.5, -36.0), (78.0, -50.0), (78.0, -36.0))):
            place = (side * s, t, UPPER)
            found.append(column(f"column 3F {side} {k}", f"KZ-夹层-{k + 1}", "2F", post(0.7, 0.7, 5.85), place))
    return found


def _outer_walls() -> list[Part]:
    values = (*fire("3.0h", bearing=False, external=True), ("ThermalTransmittance", 0.45))
    wall = family("IfcWall", "SOLIDWALL", "External wall", "stone", (("Pset_WallCommon", values),))
    found = []
    for i in range(BAYS):
        s, shape = axis(i + 0.5), panel(BAY, 9.75, 0.3)
        front = wall(f"wall S {i}", f"南外墙-{i + 1:02d}", "1F", shape, (s, SOUTH + 0.15, 0.0))
        found += [front, *_filled(i, front)]
        found.append(wall(f"wall N {i}", f"北外墙-{i + 1:02d}", "1F", shape, (s, NORTH - 0.15, 0.0)))
    for side, end in SIDES:
        place = (side * (-WEST - 0.15), HALL_OFFSET, 0.0)
        shape = panel(HALL_DEPTH - 0.6, 9.75, 0.3)
        found.append(wall(f"wall {ENDS[side]}", f"{end}外墙", "1F", shape, place, 90.0))
    return found


def _filled(i: int, wall: Part) -> list[Part]:
    """Return the opening in a bay of the front and what fills it: doors in the middle, else windows."""
    opening = family("IfcOpeningElement", "OPENING", "")
    values: Values = (("FireRating", ""), ("IsExternal", True), ("FireExit", True))
    door = family("IfcDoor", "DOOR", "Entrance door", "glass", (("Pset_DoorCommon", values),))
    values = (("IsExternal", True), ("ThermalTransmittance", 1.8))
    window = family("IfcWindow", "WINDOW", "Window", "glass", (("Pset_WindowCommon", values),))
    is_door = 3 <= i <= 8
    width, height, sill = (8.0, 4.2, 0.0) if is_door else (9.0, 5.0, 1.2)
    place = (wall.place[0], wall.place[1], sill)
    hole = opening(f"opening S {i}", f"洞口-S{i + 1:02d}", "1F", post(width, 0.8, height), place, host=wall.key)
    shape = panel(width, height, 0.1)
    if is_door:
        return [hole, door(f"door S {i}", f"进站大门-{i - 2}", "1F", shape, place, host=hole.key)]
    return [hole, window(f"window S {i}", f"外窗-S{i + 1:02d}", "1F", shape, place, host=hole.key)]


def _rooms() -> list[Part]:
    """Return the rooms' walls at both ends of the ground floor, with a door each."""
    common = (("Pset_WallCommon", fire("2.0h", bearing=False, external=False)),)
    wall = family("IfcWall", "PARTITIONING", "Partition", "plaster", common)
    opening = family("IfcOpeningElement", "OPENING", "")
    values = (("FireRating", "乙级"), ("IsExternal", False))
    door = family("IfcDoor", "DOOR", "Fire door", "steel", (("Pset_DoorCommon", values),))
    depth, found = HALL_DEPTH / 4, []
    for side, _ in SIDES:
        end = ENDS[side]
        for k in range(4):
            place = (side * 63.0, SOUTH + depth * (k + 0.5), 0.0)
            mine, hole = f"partition {end} {k}", f"opening {end} {k}"
            found.append(wall(mine, f"内墙-{end}{k + 1}", "1F", panel(depth, 4.5, 0.2), place, 90.0))
            found.append(opening(hole, f"洞口-{end}{k + 1}", "1F", post(1.8, 0.6, 2.4), place, 90.0, mine))
            found.append(door(f"door {end} {k}", f"FM-{end}{k + 1}", "1F", panel(1.8, 2.4, 0.06), place, 90.0, hole))
            if k:
                place = (side * 78.0, SOUTH + depth * k, 0.0)
                found.append(wall(f"party wall {end} {k}", f"隔墙-{end}{k}", "1F", panel(29.4, 4.5, 0.2), place))
    return found


def _glass() -> list[Part]:
    values = (("IsExternal", True), ("ThermalTransmittance", 1.6))
    glass = family("IfcCurtainWall", "", "Curtain wall", "glass", (("Pset_CurtainWallCommon", values),))
    mullion = family("IfcMember", "MULLION", "Mullion", "steel")
    found = []
    for i in range(BAYS):
        s = axis(i + 0.5)
        for face, t, behind in (("南", SOUTH + 0.2, 0.1), ("北", NORTH - 0.05, -0.25)):
            tops = tuple((x, glass_height(s + x, t)) for x in (-BAY / 2, 0.0, BAY / 2))
            name = f"{face}幕墙-{i + 1:02d}"
            found.append(glass(f"glass {face} {i}", name, "2F", gable(tops, 0.15), (s, t, UPPER)))
            shape = post(0.12, 0.3, glass_height(s, t))
            name = f"竖梃-{face}{i + 1:02d}"
            found.append(mullion(f"mullion {face} {i}", name, "2F", shape, (s, t + behind, UPPER)))
    for side, end in SIDES:
        stations = [SOUTH + 0.3 + (HALL_DEPTH - 0.6) * k / 9 for k in range(10)]
        tops = tuple((t - HALL_OFFSET, glass_height(side * -WEST, t)) for t in stations)
        place = (side * (-WEST - 0.1), HALL_OFFSET, UPPER)
        found.append(glass(f"glass end {side}", f"{end}端幕墙", "2F", gable(tops, 0.15), place, 90.0))
    return found


def _roof() -> list[Part]:
    whole = (("IsExternal", True), ("FireRating", "1.0h"))
    roof = family("IfcRoof", "FREEFORM", "Folded wing roof", properties=(("Pset_RoofCommon", whole),))
    values = (*fire("1.0h", bearing=True, external=True), ("ThermalTransmittance", 0.35))
    plate = family("IfcSlab", "ROOF", "Roof panel", "roof", (("Pset_SlabCommon", values),))
    found = [roof("roof", "展翼屋盖", "屋面层", None, (0.0, HALL_OFFSET, 0.0))]
    back, front = NORTH + 6.0, SOUTH - 15.0
    along = [front + (back - front) * k / 16 for k in range(17)]
    for i in range(BAYS):
        s0, s1 = axis(i) - (9.0 if i == 0 else 0.0), axis(i + 1) + (9.0 if i == BAYS - 1 else 0.0)
        middle = (s0 + s1) / 2
        across = sorted({s0, s1, *(axis(i) + BAY * k / 6 for k in range(7))})
        grid = [[(s - middle, t - HALL_OFFSET, roof_height(s, t)) for s in across] for t in along]
        place = (middle, HALL_OFFSET, 0.0)
        found.append(plate(f"roof {i}", f"屋面板-{i + 1:02d}", "屋面层", shell(grid, 0.7), place, host="roof"))
    return found


def _spaces() -> list[Part]:
    depth = HALL_DEPTH / 4
    found = []
    rows = [
        ("进出站大厅", "Arrivals and ticket hall", "1F", post(125.6, HALL_DEPTH - 2, 9.2), 0.0, HALL_OFFSET),
        ("候车大厅", "Waiting hall", "2F", post(184, HALL_DEPTH - 2, 9.0), 0.0, HALL_OFFSET),
        ("商务候车区", "Business lounge", "3F", post(30, 28, 3.6), 77.5, HALL_OFFSET + 12),
        ("贵宾候车区", "VIP lounge", "3F", post(30, 28, 3.6), -77.5, HALL_OFFSET + 12),
    ]
    for side, end in SIDES:
        for k, (name, name_en) in enumerate(ROOMS):
            shape = post(29.2, depth - 0.4, 4.4)
            rows.append((f"{end}{name}", name_en, "1F", shape, side * 77.8, SOUTH + depth * (k + 0.5)))
    for name, name_en, storey, shape, s, t in rows:
        values = (("PubliclyAccessible", name in ("进出站大厅", "候车大厅")), ("IsExternal", False))
        space = family("IfcSpace", "INTERNAL", name_en, "space", (("Pset_SpaceCommon", values),))
        found.append(space(f"space {name}", name, storey, shape, (s, t, STOREYS[storey])))
    return found
