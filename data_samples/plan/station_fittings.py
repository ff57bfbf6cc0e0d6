"""What serves people in the hall: stairs, escalators, lifts, the fire main, seats, gates and lights."""

from data_samples.plan.rail import HALL_OFFSET
from data_samples.plan.solids import Extrusion, Tube, flight, panel, post, slab
from data_samples.plan.station_frame import BAYS, MEZZANINE, SIDES, UPPER, WEST, Part, axis, family

MAINS = (("A", -71.0), ("B", -27.5))
CEILING = 8.9
BENCH = ((-0.3, 0.0), (0.3, 0.0), (0.3, 0.42), (-0.2, 0.42), (-0.28, 0.9), (-0.34, 0.9))


def fitting_parts() -> list[Part]:
    """Return stairs, pipes, furniture and lights."""
    return [*_stairs(), *_mezzanine_access(), *_pipes(), *_furniture(), *_lights()]


def _stairs() -> list[Part]:
    values = (
        ("NumberOfRiser", 60),
        ("RiserHeight", round(UPPER / 60, 4)),
        ("TreadLength", 0.3),
        ("FireExit", True),
    )
    stair = family("IfcStair", "STRAIGHT_RUN_STAIR", "Stair", properties=(("Pset_StairCommon", values),))
    escalator = family("IfcTransportElement", "ESCALATOR", "Escalator", "steel")
    up, moving = flight(60, 0.30, UPPER / 60, 3.0), flight(36, 0.5, UPPER / 36, 1.6)
    found = []
    for side, end in SIDES:
        turn = 0.0 if side > 0 else 180.0
        for k, t in enumerate((-66.0, -34.0)):
            foot, beside = (side * 30.0, t, 0.0), (side * 30.0, t + 4.5, 0.0)
            found.append(stair(f"stair {end} {k}", f"{end}楼梯-{k + 1}", "1F", up, foot, turn))
            found.append(escalator(f"escalator {end} {k}", f"{end}自动扶梯-{k + 1}", "1F", moving, beside, turn))
    return found


def _mezzanine_access() -> list[Part]:
    lift = family("IfcTransportElement", "ELEVATOR", "Lift", "glass")
    stair = family("IfcStair", "STRAIGHT_RUN_STAIR", "Mezzanine stair")
    railing = family("IfcRailing", "GUARDRAIL", "Guardrail", "glass")
    climb = flight(36, 0.30, (MEZZANINE - UPPER) / 36, 2.0)
    found = []
    for side, end in SIDES:
        turn = 0.0 if side > 0 else 180.0
        edge = (side * 62.1, HALL_OFFSET + 12, MEZZANINE)
        found.append(lift(f"lift {end}", f"{end}电梯", "1F", post(2.4, 2.4, 20.0), (side * 55.0, -50.0, 0.0)))
        place = (side * 51.0, -44.0, UPPER)
        found.append(stair(f"stair mezzanine {end}", f"{end}夹层楼梯", "2F", climb, place, turn))
        found.append(railing(f"railing {end}", f"{end}夹层栏杆", "3F", panel(30.0, 1.1, 0.06), edge, 90.0))
    return found


def _pipes() -> list[Part]:
    """Return the fire mains below the ground floor's ceiling, their branches and tees."""
    name = "Pset_PipeSegmentTypeCommon"
    wide = ((name, (("NominalDiameter", 0.15), ("Status", "NEW"))),)
    thin = ((name, (("NominalDiameter", 0.065), ("Status", "NEW"))),)
    main = family("IfcPipeSegment", "RIGIDSEGMENT", "Fire main DN150", "red", wide)
    branch = family("IfcPipeSegment", "RIGIDSEGMENT", "Sprinkler branch DN65", "red", thin)
    tee = family("IfcPipeFitting", "JUNCTION", "Tee", "red")
    found = []
    for letter, t in MAINS:
        for k in range(24):
            place = (WEST + 3 + 7.5 * k, t, CEILING)
            shape = Tube(0.0795, 7.5, 0.0045)
            found.append(main(f"pipe {letter} {k}", f"消防干管{letter}-{k + 1:02d}", "1F", shape, place))
    for i in range(BAYS):
        s, number = axis(i + 0.5), f"{i + 1:02d}"
        for k in range(3):
            place, shape = (s, MAINS[0][1] + 14.5 * k, CEILING), Tube(0.038, 14.5, 0.0035)
            found.append(branch(f"branch {i} {k}", f"喷淋支管-{number}-{k + 1}", "1F", shape, place, 90.0))
        for letter, t in MAINS:
            place = (s - 0.2, t, CEILING)
            found.append(tee(f"tee {letter} {i}", f"三通-{letter}{number}", "1F", Tube(0.1, 0.4), place))
    return found


def _furniture() -> list[Part]:
    seats = family("IfcFurniture", "CHAIR", "Waiting seats", "steel")
    gate = family("IfcFurniture", "USERDEFINED", "Ticket gate", "steel")
    bench, found = Extrusion(BENCH, 9.0, "upright"), []
    for row in range(5):
        for k in range(10):
            s = -49.5 + 11 * k
            if abs(s) > 8:
                place, name = (s - 4.5, -66.0 + 6 * row, UPPER), f"候车座椅-{row + 1}{k + 1:02d}"
                found.append(seats(f"bench {row} {k}", name, "2F", bench, place, 90.0))
    for k in range(16):
        place = (-12 + 1.6 * k, -29.0, UPPER)
        found.append(gate(f"gate {k}", f"检票闸机-{k + 1:02d}", "2F", post(0.3, 1.8, 1.1), place))
    return found


def _lights() -> list[Part]:
    light = family("IfcLightFixture", "POINTSOURCE", "Hall light", "glass")
    return [
        light(
            f"light {i} {j}",
            f"大厅灯具-{i + 1}{'AB'[j]}",
            "1F",
            slab(1.2, 1.2, 0.12),
            (axis(i + 0.5), t, 9.3),
        )
        for i in range(BAYS)
        for j, t in enumerate((-64.0, -36.0))
    ]
