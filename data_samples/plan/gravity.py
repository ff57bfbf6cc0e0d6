"""Storm drains to the river and sewers to the works: all fall along their flow, sewers pass below."""

import itertools
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
import shapely
from shapely import LineString

from data_samples.plan.frame import EAST, NORTH
from data_samples.plan.mains import STEP, Run, between, crossings, far_from_junctions, runs
from data_samples.plan.pipes import PipeLine, PipePoint, Survey, Trench, blank_line
from data_samples.plan.streets import Street
from data_samples.plan.terrain import ground
from data_samples.plan.water import distance_to_river

HEAD_START = 34.0
WORKS_INLET = 2700.0
OUTFALL_COVER = 0.4
COVER = {"YS": 2.45, "WS": 2.5}
# upstream length in metres above which the size begins, size, least fall per metre
SIZES = {
    "YS": (
        (0, "600", 0.0020),
        (700, "800", 0.0016),
        (1500, "900", 0.0012),
        (2600, "1200X800", 0.0010),
        (3800, "1800X1000", 0.0010),
    ),
    "WS": ((0, "300", 0.0030), (900, "400", 0.0022), (2400, "600", 0.0014), (5200, "800", 0.0010)),
}
WELLS = frozenset({"雨水井", "污水井"})
BELOW_DRAIN = 0.4


@dataclass(frozen=True)
class Reach:
    """A directed piece of a main: nodes stand at `chainages`, water flows in their order."""

    run: Run
    chainages: tuple[float, ...]


def bore_height(size: str) -> float:
    """Return the inner height in metres of a size such as 600 or 1200X800."""
    return int(size.split("X")[-1]) / 1000


def survey_storm(streets: list[Street]) -> tuple[Survey, dict[str, list[float]]]:
    """Return the storm survey and, per street, the chainages of its gullies."""
    trench = Trench("YS")
    mains = runs(streets, "YS")
    reaches = [r for run in mains for r in _reaches(run, crossings(run, mains), "YS")]
    _lay(trench, reaches)
    _lay_levels(trench, np.full(len(trench.places), np.inf))
    manholes = len(trench.places)
    gullies = _gullies(trench, reaches, mains)
    for node in range(manholes):
        trench.appurtenance[node] = "雨水井"
    _outfalls(trench)
    return trench.ready(WELLS), gullies


def survey_sewer(streets: list[Street], storm: Survey) -> Survey:
    """Return the sewer survey; it keeps below the storm drains and ends at the reclamation works."""
    trench = Trench("WS")
    mains = runs(streets, "WS")
    reaches = [r for run in mains for r in _reaches(run, crossings(run, mains), "WS")]
    _lay(trench, reaches)
    interceptor = next(run for run in mains if run.street.name == "滨湖路")
    inlet = _works_inlet(trench, interceptor)
    _lay_levels(trench, _bound_by(storm, trench))
    manholes = len(trench.places)
    _house_drains(trench, reaches, mains)
    for node in range(manholes):
        trench.appurtenance[node] = "污水井"
    trench.appurtenance[inlet] = "污水处理场"
    return trench.ready(WELLS)


def _reaches(run: Run, met: list[float], service: str) -> list[Reach]:
    if run.northward:
        south = run.start if service == "WS" else _outfall_chainage(run)
        stops = sorted({south, run.end, *met}, reverse=True)
        return [Reach(run, _stations(stops, service))]
    if service == "WS" and run.street.name == "滨湖路":
        west = sorted({run.start, WORKS_INLET, *(m for m in met if m < WORKS_INLET)})
        return [Reach(run, _stations(west, service)), Reach(run, _stations([run.end, WORKS_INLET], service))]
    starts = [run.start] + [m + HEAD_START for m in met[:-1]]
    pieces = [[a, b] for a, b in zip(starts, met, strict=False) if b - a > 20] + (
        [[run.end, met[-1]]] if run.end - met[-1] > 20 else []
    )
    return [Reach(run, _stations(piece, service)) for piece in pieces]


def _stations(stops: list[float], service: str) -> tuple[float, ...]:
    found = [stops[0]]
    for a, b in itertools.pairwise(stops):
        found += between(a, b, STEP[service])[1:]
    return tuple(found)


def _outfall_chainage(run: Run) -> float:
    """Return the chainage of the river bank, where the drain comes within 45 m of the river's middle."""
    chainages = np.arange(run.start, 0, -0.5)
    north = chainages + NORTH
    near = distance_to_river(np.full_like(north, run.across + EAST), north) < 45
    return round(float(chainages[np.argmax(near)]), 3)


def _lay(trench: Trench, reaches: list[Reach]) -> None:
    material = {"YS": "混凝土", "WS": "聚乙烯塑料"}[trench.service]
    for reach in sorted(reaches, key=lambda r: not r.run.northward):
        line = blank_line(reach.run.street.name, material, "直埋", "")
        trench.chain([reach.run.place(c) for c in reach.chainages], line)


def _works_inlet(trench: Trench, interceptor: Run) -> int:
    line = blank_line(interceptor.street.name, "混凝土", "直埋", "")
    nodes = trench.chain([interceptor.place(WORKS_INLET), interceptor.place(WORKS_INLET, -38.0)], line)
    return nodes[-1]


def _lay_levels(trench: Trench, ceiling: np.ndarray) -> None:
    """Fill sizes and depths from the heads down; `ceiling` is the highest crown allowed at each node."""
    service, heights = trench.service, trench.heights()
    flow = nx.DiGraph([(a, b) for a, b, _ in trench.lines])
    lengths = {(a, b): _length(trench, a, b) for a, b, _ in trench.lines}
    upstream = dict.fromkeys(flow, 0.0)
    invert = dict.fromkeys(flow, float("inf"))
    sizes: dict[tuple[int, int], str] = {}
    for node in nx.lexicographical_topological_sort(flow):
        upstream[node] = sum(upstream[a] + lengths[a, node] for a in flow.predecessors(node))
        _, size, fall = [row for row in SIZES[service] if row[0] <= upstream[node]][-1]
        cover = COVER[service] if flow.out_degree(node) else OUTFALL_COVER
        top = min(float(heights[node]) - cover, float(ceiling[node]))
        invert[node] = min(invert[node], top - bore_height(size))
        for below in flow.successors(node):
            sizes[node, below] = size
            invert[below] = min(invert[below], invert[node] - fall * lengths[node, below])
    trench.lines = [(a, b, _levelled(line, sizes[a, b], heights, invert, a, b)) for a, b, line in trench.lines]


def _length(trench: Trench, a: int, b: int) -> float:
    return float(np.hypot(*np.subtract(trench.places[a], trench.places[b])))


def _levelled(line: PipeLine, size: str, heights: np.ndarray, invert: dict[int, float], a: int, b: int) -> PipeLine:
    depths = [round(float(heights[n]) - invert[n], 2) for n in (a, b)]
    material = "混凝土" if bore_height(size) > 0.5 else line.material
    burial = "管沟" if "X" in size else line.burial
    return replace(line, size=size, start_depth=depths[0], end_depth=depths[1], material=material, burial=burial)


def _bound_by(storm: Survey, trench: Trench) -> np.ndarray:
    """Return for every node the highest crown that passes below the storm drains crossed by its lines."""
    where = {p.number: p for p in storm.points}
    drains = [LineString([_place(where[k.start]), _place(where[k.end])]) for k in storm.lines]
    inverts = np.array(
        [min(_invert(where[k.start], k.start_depth), _invert(where[k.end], k.end_depth)) for k in storm.lines]
    )
    sewers = [LineString([trench.places[a], trench.places[b]]) for a, b, _ in trench.lines]
    tree = shapely.STRtree(drains)
    mine, theirs = tree.query(np.array(sewers), predicate="intersects")
    ceiling = np.full(len(trench.places), np.inf)
    for i, j in zip(mine, theirs, strict=False):
        a, b, _ = trench.lines[i]
        for node in (a, b):
            ceiling[node] = min(ceiling[node], float(inverts[j]) - BELOW_DRAIN)
    return ceiling


def _place(point: PipePoint) -> tuple[float, float]:
    return point.east, point.north


def _invert(point: PipePoint, depth: float) -> float:
    return point.ground - depth


def _gullies(trench: Trench, reaches: list[Reach], mains: list[Run]) -> dict[str, list[float]]:
    """Add gullies at both kerbs beside manholes away from junctions; return their chainages per street."""
    depth_at = {b: line for _, b, line in trench.lines}
    found: dict[str, list[float]] = {}
    for reach in reaches:
        run = reach.run
        met = crossings(run, mains)
        for chainage in reach.chainages:
            node = trench.known[run.place(chainage)]
            if node not in depth_at or not far_from_junctions(run, chainage, met) or chainage < run.start:
                continue
            found.setdefault(run.street.name, []).append(chainage)
            for side in (-1, 1):
                _connector(trench, run, chainage, side, depth_at[node].end_depth)
    return found


def _connector(trench: Trench, run: Run, chainage: float, side: int, main_depth: float) -> None:
    beside = side * (run.street.kerb_width / 2 - 0.4) - run.from_centre
    line = replace(
        blank_line(run.street.name, "混凝土", "直埋", "300"),
        start_depth=1.0,
        end_depth=round(min(main_depth - 0.5, 2.6), 2),
    )
    nodes = trench.chain([run.place(chainage, beside), run.place(chainage)], line)
    trench.appurtenance[nodes[0]] = "雨水箅"


def _outfalls(trench: Trench) -> None:
    starts = {a for a, _, _ in trench.lines}
    for node in range(len(trench.places)):
        if node not in starts:
            trench.appurtenance.pop(node)
            trench.feature[node] = "出水口"


def _house_drains(trench: Trench, reaches: list[Reach], mains: list[Run]) -> None:
    depth_at = {b: line for _, b, line in trench.lines}
    for reach in reaches:
        run = reach.run
        met = crossings(run, mains)
        free = [c for c in reach.chainages if far_from_junctions(run, c, met) and abs(c - WORKS_INLET) > 20]
        for chainage in free[::2]:
            node = trench.known[run.place(chainage)]
            if node in depth_at:
                _house_drain(trench, run, chainage, depth_at[node].end_depth)


def _house_drain(trench: Trench, run: Run, chainage: float, main_depth: float) -> None:
    beside = -run.street.red_line_width / 2 - 2 - run.from_centre
    place = run.place(chainage, beside)
    outer, inner = (float(ground(*p)) for p in (place, run.place(chainage)))
    end_depth = round(min(main_depth - 0.15, 2.0 + inner - outer + 0.6), 2)
    line = replace(blank_line(run.street.name, "聚氯乙烯塑料", "直埋", "200"), start_depth=2.0, end_depth=end_depth)
    nodes = trench.chain([place, run.place(chainage)], line)
    trench.appurtenance[nodes[0]] = "化粪池"
