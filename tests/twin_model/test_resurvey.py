"""A network surveyed anew is the same network: whatever an office calls its things, edits alone are changes, named by kind."""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.draft import Draft
from twin_model.changeset import Source, Version
from twin_model.plan import LayerPlan
from twin_model.store.base import Store
from twin_model.temporal import parse_instant
from twin_model.versioning import commit, plan_changeset

CRS = "EPSG:4548"
CLASSES = (("JS", None), ("PS", "YS"), ("PS", "WS"), ("RQ", "TR"))
SEEDS = st.integers(0, 2**32 - 1)
QUIET = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
LAYERS = ("pipe_point", "pipe_line")
Frames = dict[str, gpd.GeoDataFrame]


@dataclass
class Network:
    """Points by number with class and place; lines by their two numbers with size in mm, in the order surveyed."""

    points: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    lines: list[tuple[str, str, float, str]] = field(default_factory=list)
    project: str | None = "P1"

    def copy(self) -> "Network":
        return replace(self, points=dict(self.points), lines=list(self.lines))


def network(random: np.random.Generator, size: int = 4, east: float = 0.0) -> Network:
    """Return networks of several classes side by side, 3 m apart: in each, chains of points 20 to 30 m apart."""
    made = Network()
    for number in range(len(CLASSES)):
        x = 500_000.0 + east + np.cumsum(random.uniform(20.0, 30.0, size))
        names = [f"{CLASSES[number][1] or CLASSES[number][0]}{n}" for n in range(size)]
        y = 3_886_000.0 + 3.0 * number + random.uniform(-0.5, 0.5, size)
        made.points |= dict(zip(names, zip([number] * size, x.tolist(), y.tolist(), strict=True), strict=True))
        sizes = random.choice([100.0, 200.0, 300.0], size - 1).tolist()
        made.lines += [(a, b, mm, "0") for (a, b), mm in zip(itertools.pairwise(names), sizes, strict=True)]
    return made


def frames(
    net: Network,
    random: np.random.Generator,
    *,
    renumbered: bool = False,
    classes: str = "whole",
    noise: float = 0.0,
    lacking: tuple[str, ...] = (),
) -> Frames:
    """Return a network as an office delivers it: rows in any order, numbers of its own, classes as fine as it knows."""
    names = list(net.points)
    new = [names[n] for n in random.permutation(len(names))] if renumbered else names
    number = dict(zip(names, new, strict=True))
    place = {name: np.array([x, y]) + random.uniform(-noise, noise, 2) for name, (_, x, y) in net.points.items()}

    def classed(index: int) -> tuple[str | None, str | None]:
        major, sub = CLASSES[index]
        return {"whole": (major, sub), "parent": (major, None), "unknown": (None, None)}[classes]

    def frame(rows: list[dict[str, Any]], shapes: list[Any]) -> gpd.GeoDataFrame:
        made = gpd.GeoDataFrame(rows, geometry=shapes, crs=CRS)
        order = random.permutation(len(made))
        return made.iloc[order].drop(columns=[name for name in lacking if name in made])

    points = [
        {"survey_no": number[name], "project": net.project, "class": classed(index)[0], "subclass": classed(index)[1],
         "feature": "直线点", "road_name": "一路", "built": "2010-01-01"}
        for name, (index, _, _) in net.points.items()
    ]  # fmt: skip
    lines = [
        {"segment_key": "~".join(sorted((number[a], number[b]))), "project": net.project, "class": classed(net.points[a][0])[0],
         "subclass": classed(net.points[a][0])[1], "start_no": number[a], "end_no": number[b], "width_mm": mm, "height_mm": mm,
         "status": status, "material": "钢", "road_name": "一路", "built": "2010-01-01"}
        for a, b, mm, status in net.lines
    ]  # fmt: skip
    raised = {name: shapely.Point(*xy, 60.0) for name, xy in place.items()}
    axes = [shapely.LineString([(*place[a], 58.0), (*place[b], 58.0)]) for a, b, _, _ in net.lines]
    return {"pipe_point": frame(points, list(raised.values())), "pipe_line": frame(lines, axes)}


class Office:
    """Delivers frames into a store, as of later and later days."""

    def __init__(self, store: Store) -> None:
        self.store, self.day = store, 0

    def _changeset(self, name: str, delivered: Frames, **scope: Any) -> Any:
        self.day += 1
        day = parse_instant(f"20{10 + self.day // 300:02d}-{1 + self.day // 25 % 12:02d}-{1 + self.day % 25:02d}")[0]
        source = Source(name, f"{name} {self.day}")
        draft = Draft(source, self.store.catalogue, storage_crs=CRS, effective=day)
        for layer, frame in delivered.items():
            draft.add(layer, frame)
        return draft, draft.to_changeset(author="office", reason=name, accept_removals=True, **scope)

    def deliver(self, name: str, delivered: Frames, **scope: Any) -> Version:
        draft, changeset = self._changeset(name, delivered, **scope)
        with draft:
            return commit(self.store, changeset)

    def plan(self, name: str, delivered: Frames, **scope: Any) -> dict[str, LayerPlan]:
        draft, changeset = self._changeset(name, delivered, **scope)
        with draft:
            return plan_changeset(self.store, changeset)


def changed(plans: dict[str, LayerPlan], layer: str) -> tuple[int, int]:
    counts = plans[layer].counts if layer in plans else {"inserted": 0, "terminated": 0}
    return counts["inserted"], counts["terminated"]


@pytest.fixture
def office(store: Store) -> Office:
    return Office(store)


def check_nothing_new(office: Office, seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    net = network(random, size, east=(office.day * 10_000.0) % 400_000)
    office.deliver("first.csv", frames(net, random))
    for classes, renumbered, name in itertools.product(
        ("whole", "parent", "unknown"), (False, True), ("first.csv", "b.xlsx")
    ):
        lacking = tuple(random.choice(["road_name", "built", "feature", "material", "status"], 2))
        again = frames(net, random, classes=classes, renumbered=renumbered, noise=0.03, lacking=lacking)

        plans = office.plan(name, again)

        assert {layer: changed(plans, layer) for layer in LAYERS} == dict.fromkeys(LAYERS, (0, 0)), (
            seed,
            classes,
            renumbered,
            name,
        )
        assert {kind for plan in plans.values() for kind in plan.kinds} == set(), (seed, classes, renumbered, name)


@settings(max_examples=3, deadline=None, suppress_health_check=QUIET)
@given(SEEDS)
def test_a_network_renumbered_reclassed_and_3_cm_off_is_the_same_network(office: Office, seed: int) -> None:
    check_nothing_new(office, seed, 4)


def halves(whole: Frames, random: np.random.Generator) -> tuple[Frames, Frames]:
    """Return the lines of a survey in two files, each with the points that its lines need."""
    lines = whole["pipe_line"]
    first = random.permutation(len(lines)) < len(lines) // 2
    parts = []
    for chosen in (lines[first], lines[~first]):
        needed = set(chosen["start_no"]) | set(chosen["end_no"])
        parts.append(
            {"pipe_point": whole["pipe_point"][whole["pipe_point"]["survey_no"].isin(needed)], "pipe_line": chosen}
        )
    return parts[0], parts[1]


@settings(max_examples=3, deadline=None, suppress_health_check=QUIET)
@given(SEEDS)
def test_a_survey_in_two_files_ends_nothing_of_the_other_file(office: Office, seed: int) -> None:
    random = np.random.default_rng(seed)
    net = network(random, 10, east=(office.day * 10_000.0) % 400_000)
    office.deliver("whole.csv", frames(net, random))

    for part in halves(frames(net, random, renumbered=True, noise=0.03), random):
        plans = office.plan("part.csv", part)

        assert {layer: changed(plans, layer) for layer in LAYERS} == dict.fromkeys(LAYERS, (0, 0))


def edited(net: Network, random: np.random.Generator) -> tuple[Network, dict[str, int]]:
    """Return a network with a line moved, one split, one removed, one new and one abandoned, and the kinds of its lines."""
    after = net.copy()
    moved, split, gone, abandoned = (after.lines[n] for n in random.permutation(4 * (len(net.lines) // 4))[:4])
    for name in moved[:2]:
        index, x, y = after.points[name]
        after.points[name] = (index, x, y + 1.0)
    neighbours = sum(bool({a, b} & set(moved[:2])) and (a, b) not in (gone[:2], split[:2]) for a, b, _, _ in net.lines)
    after.lines = [line for line in after.lines if line not in (split, gone)]
    index, x, y = after.points[split[0]]
    _, x2, y2 = after.points[split[1]]
    after.points["MID"] = (index, (x + x2) / 2, (y + y2) / 2)
    after.lines += [(split[0], "MID", *split[2:]), ("MID", split[1], *split[2:])]
    after.lines = [(*line[:3], "1") if line[:2] == abandoned[:2] else line for line in after.lines]
    after.points |= {"N1": (0, x, 3_885_900.0), "N2": (0, x + 25.0, 3_885_900.0)}
    after.lines.append(("N1", "N2", 100.0, "0"))
    return after, {"moved": neighbours, "split": 1, "abandoned": 1, "new": 1}


def check_edits(office: Office, seed: int, size: int, *, renumbered: bool) -> None:
    random = np.random.default_rng(seed)
    net = network(random, size, east=(office.day * 10_000.0) % 400_000)
    after, kinds = edited(net, random)
    office.deliver("first.csv", frames(net, random))

    plan = office.plan("first.csv", frames(after, random, renumbered=renumbered, noise=0.03))["pipe_line"]

    assert dict(plan.kinds) == kinds, (seed, renumbered)
    assert (len(plan.ended) - plan.replaced, plan.replaced) == (1, 1)


@settings(max_examples=4, deadline=None, suppress_health_check=QUIET)
@given(SEEDS, st.booleans())
def test_edits_of_a_network_are_exactly_those_changes_named_by_kind(
    office: Office, seed: int, renumbered: bool
) -> None:
    check_edits(office, seed, 6, renumbered=renumbered)
