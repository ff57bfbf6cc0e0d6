"""The surveys: numbers that meet, possible depths, gravity that pulls, pipes that pass each other."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import shapely
from shapely import LineString, STRtree

from data_samples.plan.pipes import PipeLine, PipePoint, Survey
from data_samples.plan.terrain import water_level
from data_samples.plan.town import Town

SERVICES = ("JS", "YS", "WS", "DL")


def by_number(survey: Survey) -> dict[str, PipePoint]:
    """Points of a survey by their number."""
    return {p.number: p for p in survey.points}


def height_of(line: PipeLine) -> float:
    """Inner height of a section in metres."""
    return int(line.size.split("X")[-1]) / 1000


def axis(survey: Survey, line: PipeLine) -> LineString:
    """A line in plan."""
    where = by_number(survey)
    return LineString([(where[n].east, where[n].north) for n in (line.start, line.end)])


def vertical_span(survey: Survey, line: PipeLine, share: float) -> tuple[float, float]:
    """Bottom and top of the bore at a share of a line's length."""
    where = by_number(survey)
    start, end = where[line.start].ground - line.start_depth, where[line.end].ground - line.end_depth
    reference, tall = start + (end - start) * share, height_of(line)
    return (reference - tall, reference) if survey.service in ("JS", "DL") else (reference, reference + tall)


@pytest.mark.parametrize("service", SERVICES)
def test_every_line_joins_two_different_known_points_once(town: Town, service: str) -> None:
    survey = town.surveys[service]
    numbers = set(by_number(survey))
    pairs = [frozenset((k.start, k.end)) for k in survey.lines]

    assert len(numbers) == len(survey.points)
    assert all(len(pair) == 2 and pair <= numbers for pair in pairs)
    assert len(set(pairs)) == len(pairs)
    assert set().union(*pairs) == numbers


@pytest.mark.parametrize("service", SERVICES)
def test_every_point_is_either_a_feature_or_an_appurtenance(town: Town, service: str) -> None:
    assert all(bool(p.feature) != bool(p.appurtenance) for p in town.surveys[service].points)


@pytest.mark.parametrize("service", ("JS", "DL"))
def test_a_tee_has_three_lines_and_a_cross_four(town: Town, service: str) -> None:
    survey = town.surveys[service]
    degree = Counter(n for k in survey.lines for n in (k.start, k.end))
    expected = {"三通": 3, "四通": 4, "直线点": 2, "弯头": 2, "转折点": 2, "预留口": 1}

    wrong = [p.number for p in survey.points if p.feature and degree[p.number] != expected[p.feature]]

    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
def test_cover_is_at_least_half_a_metre_and_no_pipe_lies_deeper_than_eight(town: Town, service: str) -> None:
    survey = town.surveys[service]
    outfalls = {p.number for p in survey.points if p.feature == "出水口"}
    for line in survey.lines:
        for number, depth in ((line.start, line.start_depth), (line.end, line.end_depth)):
            cover = depth if service in ("JS", "DL") else depth - height_of(line)
            assert depth < 8
            assert cover >= (0.25 if number in outfalls else 0.5), (service, number, cover)


@pytest.mark.parametrize("service", ("YS", "WS"))
def test_gravity_lines_fall_along_their_flow(town: Town, service: str) -> None:
    survey = town.surveys[service]
    where = by_number(survey)

    rising = [
        (k.start, k.end)
        for k in survey.lines
        if where[k.end].ground - k.end_depth > where[k.start].ground - k.start_depth - 0.002
    ]

    assert rising == []


@pytest.mark.parametrize(("service", "ends"), [("YS", {"出水口"}), ("WS", {"污水处理场"})])
def test_every_drop_reaches_the_river_or_the_works(town: Town, service: str, ends: set[str]) -> None:
    survey = town.surveys[service]
    onward = {k.start: k.end for k in survey.lines}
    where = by_number(survey)

    for number in where:
        seen = number
        while seen in onward:
            seen = onward[seen]
        assert (where[seen].feature or where[seen].appurtenance) in ends


def test_storm_outfalls_lie_at_the_river_with_their_crown_above_its_water(town: Town) -> None:
    survey = town.surveys["YS"]
    ends = [p for p in survey.points if p.feature == "出水口"]

    for point in ends:
        line = next(k for k in survey.lines if k.end == point.number)
        assert shapely.Point(point.east, point.north).distance(town.waters.river) < 25
        crown = point.ground - line.end_depth + height_of(line)
        assert crown > float(water_level(point.east)) + 0.5


def test_sections_do_not_shrink_downstream(town: Town) -> None:
    for service in ("YS", "WS"):
        survey = town.surveys[service]
        onward = {k.start: k for k in survey.lines}
        area = {k.start: np.prod([int(s) for s in (k.size.split("X") * 2)[:2]]) for k in survey.lines}
        shrinking = [k.start for k in survey.lines if k.end in onward and area[k.end] < area[k.start]]
        assert shrinking == []


@pytest.mark.parametrize("pair", list(combinations(SERVICES, 2)), ids="-".join)
def test_where_two_services_cross_they_pass_a_tenth_of_a_metre_apart(town: Town, pair: tuple[str, str]) -> None:
    one, other = (town.surveys[service] for service in pair)
    lines = [axis(one, k) for k in one.lines]
    others = [axis(other, k) for k in other.lines]

    close = []
    for i, j in zip(*STRtree(others).query(np.array(lines), predicate="intersects"), strict=True):
        where = lines[i].intersection(others[j])
        place = where if isinstance(where, shapely.Point) else where.centroid
        low, high = vertical_span(one, one.lines[i], lines[i].project(place, normalized=True))
        low2, high2 = vertical_span(other, other.lines[j], others[j].project(place, normalized=True))
        gap = max(low - high2, low2 - high)
        if gap < 0.1:
            close.append((one.lines[i].start, one.lines[i].end, other.lines[j].start, other.lines[j].end, gap))

    assert close == []


def test_no_line_is_longer_than_75_metres(town: Town) -> None:
    for survey in town.surveys.values():
        assert max(axis(survey, k).length for k in survey.lines[::7]) < 75


def test_no_pipe_lies_below_a_building(town: Town) -> None:
    buildings = STRtree([b.footprint for b in town.buildings])
    for survey in town.surveys.values():
        where = by_number(survey)
        ends = [[(where[n].east, where[n].north) for n in (k.start, k.end)] for k in survey.lines]
        assert buildings.query(shapely.linestrings(ends), predicate="intersects").size == 0
