"""Water mains and power ducts: they follow the ground at an even depth."""

import itertools
from dataclasses import replace

from data_samples.plan.mains import STEP, VALVE_DISTANCE, Run, between, crossings, far_from_junctions, runs
from data_samples.plan.pipes import Survey, Trench, blank_line
from data_samples.plan.streets import Street

WATER_DEPTH, DUCT_DEPTH = 1.45, 0.65
WATER_SIZE = {"arterial": "600", "secondary": "400", "branch": "200"}
DUCT_SIZE = {"arterial": "800X500", "secondary": "600X400", "branch": "400X300"}
HOLES = {"arterial": 20, "secondary": 12, "branch": 6}
WATER_WELLS = frozenset({"阀门井", "水表井"})
POWER_WELLS = frozenset({"人孔井"})
SERVICE_CLEARANCE = 2.5


def survey_water(streets: list[Street], storm_chainages: dict[str, list[float]]) -> Survey:
    """Return the water survey: mains with valves at junctions, hydrants, and services to the blocks.

    `storm_chainages` are the places of the gullies per street: services keep away from their connectors.
    """
    trench = Trench("JS")
    mains = runs(streets, "JS")
    for run in mains:
        _water_main(trench, run, crossings(run, mains), storm_chainages.get(run.street.name, []))
    _name_water_points(trench)
    return trench.ready(WATER_WELLS)


def _water_main(trench: Trench, run: Run, met: list[float], gullies: list[float]) -> None:
    kind = run.street.kind
    line = replace(
        blank_line(run.street.name, "PE" if kind == "branch" else "球墨铸铁", "直埋", WATER_SIZE[kind]),
        start_depth=WATER_DEPTH,
        end_depth=WATER_DEPTH,
        pressure_mpa=0.4,
    )
    valves = [m + side * VALVE_DISTANCE for m in met for side in (-1, 1)]
    valves = [v for v in valves if run.start + 5 < v < run.end - 5]
    stops = sorted({run.start, run.end, *met, *valves})
    chainages = sorted({c for a, b in itertools.pairwise(stops) for c in between(a, b, STEP["JS"])})
    trench.chain([run.place(c) for c in chainages], line)
    for valve in valves:
        trench.appurtenance[trench.node(run.place(round(valve, 3)), run.street.name)] = "阀门井"
    free = [c for c in chainages if c not in stops and far_from_junctions(run, c, met)]
    for i, chainage in enumerate(free):
        _water_spur(trench, run, chainage, i % 3, gullies)


def _water_spur(trench: Trench, run: Run, chainage: float, kind: int, gullies: list[float]) -> None:
    half = run.street.red_line_width / 2
    crossing = kind == 1
    if crossing and any(abs(chainage - g) < SERVICE_CLEARANCE for g in gullies):
        return
    beside = (-1.8, -run.from_centre - half - 2, half + 2 - run.from_centre)[kind]
    line = replace(
        blank_line(run.street.name, "PE" if kind else "球墨铸铁", "直埋", ("100", "150", "150")[kind]),
        start_depth=WATER_DEPTH,
        end_depth=WATER_DEPTH,
        pressure_mpa=0.4,
    )
    nodes = trench.chain([run.place(chainage), run.place(chainage, beside)], line)
    trench.appurtenance[nodes[1]] = "水表井" if kind else "消防栓"


def _name_water_points(trench: Trench) -> None:
    for node, degree in enumerate(trench.degree()):
        if node not in trench.appurtenance:
            trench.feature[node] = {1: "预留口", 2: "直线点", 3: "三通", 4: "四通"}[int(degree)]
    _mark_bends(trench)


def _mark_bends(trench: Trench) -> None:
    """Call a node of two lines that turn a bend."""
    ends: dict[int, list[int]] = {}
    for a, b, _ in trench.lines:
        ends.setdefault(a, []).append(b)
        ends.setdefault(b, []).append(a)
    for node, others in ends.items():
        if len(others) == 2 and trench.feature.get(node) == "直线点":
            (x0, y0), (x1, y1) = trench.places[others[0]], trench.places[others[1]]
            if abs(x0 - x1) > 0.01 and abs(y0 - y1) > 0.01:
                trench.feature[node] = "弯头" if trench.service == "JS" else "转折点"


def survey_power(streets: list[Street]) -> Survey:
    """Return the power survey: duct blocks with manholes, and spurs to substations beside the street."""
    trench = Trench("DL")
    mains = runs(streets, "DL")
    for run in mains:
        _duct(trench, run, crossings(run, mains))
    for node, degree in enumerate(trench.degree()):
        if node in trench.appurtenance and degree <= 2:
            continue
        trench.appurtenance.pop(node, None)
        trench.feature[node] = {1: "预留口", 2: "直线点", 3: "三通", 4: "四通"}[int(degree)]
    _mark_bends(trench)
    return trench.ready(POWER_WELLS)


def _duct(trench: Trench, run: Run, met: list[float]) -> None:
    kind, holes = run.street.kind, HOLES[run.street.kind]
    line = replace(
        blank_line(run.street.name, "铜", "管块", DUCT_SIZE[kind]),
        start_depth=DUCT_DEPTH,
        end_depth=DUCT_DEPTH,
        voltage_kv=10.0,
        cables=holes // 2,
        holes=holes,
        holes_used=holes // 2,
    )
    stops = sorted({run.start, run.end, *met})
    chainages = sorted({c for a, b in itertools.pairwise(stops) for c in between(a, b, STEP["DL"])})
    trench.chain([run.place(c) for c in chainages], line)
    free = [c for c in chainages if c not in stops and far_from_junctions(run, c, met)]
    for i, chainage in enumerate(free):
        if i % 2 == 0:
            trench.appurtenance[trench.node(run.place(chainage), run.street.name)] = "人孔井"
        if i % 5 == 3:
            _spur_to_substation(trench, run, chainage)


def _spur_to_substation(trench: Trench, run: Run, chainage: float) -> None:
    beside = -run.street.red_line_width / 2 - 2 - run.from_centre
    line = replace(
        blank_line(run.street.name, "铜", "管块", "300X200"),
        start_depth=DUCT_DEPTH,
        end_depth=DUCT_DEPTH,
        voltage_kv=10.0,
        cables=2,
        holes=4,
        holes_used=2,
    )
    nodes = trench.chain([run.place(chainage), run.place(chainage, beside)], line)
    trench.appurtenance[nodes[1]] = "变电站(箱变)"
