"""A survey that comes after a younger one: the town is as if it had come in its time, on every day."""

import itertools
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely import affinity
from surveyed_networks import CRS, Frames, Network, edited, frames, laid_anew, merged, network, street

from ingest.draft import Draft
from twin_model.audit import verify
from twin_model.changeset import Changeset, Source, Version
from twin_model.errors import VersionConflict
from twin_model.history import predecessors_of, revert
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import ALWAYS, parse_instant
from twin_model.versioning import commit
from twin_model.view import View

DAYS = ("2004-01-01", "2006-01-01", "2015-01-01", "2021-01-01", "2025-01-01")
LAYERS = ("pipe_point", "pipe_line")


def deliver(store: Store, name: str, day: str, delivered: Frames, **scope: Any) -> Version:
    source = Source(name, f"{name} {day} {store.version()}")
    with Draft(source, store.catalogue, storage_crs=CRS, effective=parse_instant(day)[0]) as draft:
        for layer, frame in delivered.items():
            draft.add(layer, frame)
        return commit(store, draft.to_changeset(author="office", reason=name, accept_removals=True, **scope))


def placed(survey: Frames, east: float, north: float = 0.0, **columns: Any) -> Frames:
    """Return a survey elsewhere, with other values."""
    return {
        layer: frame.assign(**columns).set_geometry(frame.translate(east, north), crs=CRS)
        for layer, frame in survey.items()
    }


def together(surveys: list[Frames]) -> Frames:
    """Return one survey of several streets, 100 m apart, numbered street by street."""
    streets = [placed(survey, 0.0, 100.0 * n) for n, survey in enumerate(surveys)]
    for n, survey in enumerate(streets):
        survey["pipe_point"]["survey_no"] = [f"{n}-{name}" for name in survey["pipe_point"]["survey_no"]]
        survey["pipe_line"]["segment_key"] = [f"{n}-{name}" for name in survey["pipe_line"]["segment_key"]]
    return {layer: gpd.pd.concat([survey[layer] for survey in streets], ignore_index=True) for layer in LAYERS}


def state(store: Store, project: str, east: float, day: str | None, layers: tuple[str, ...] = LAYERS) -> list[Any]:
    """Return what stands of a project on a day, whatever it is called: what it is, and where."""
    view = View() if day is None else View(parse_instant(day)[0])
    things = []
    for layer in layers:
        frame = store.features(FeatureQuery(layer, view=view))
        frame = frame[frame["project"] == project]
        shapes = shapely.normalize(frame.geometry.translate(-east, 0.0).to_numpy())
        places = [np.round(shapely.get_coordinates(shape), 3).tolist() for shape in shapes]
        sizes = frame["width_mm"] if layer == "pipe_line" else frame["survey_no"].isna()
        things += list(zip([layer] * len(frame), frame["class"], sizes, places, strict=True))
    return sorted(things, key=repr)


def overlaps(store: Store, project: str, day: str) -> int:
    """Return how many pairs of pipes of a project lie on the same ground on a day."""
    frame = store.features(FeatureQuery("pipe_line", view=View(parse_instant(day)[0])))
    shapes = frame.geometry[frame["project"] == project].to_numpy()
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    common = shapely.length(shapely.intersection(shapely.buffer(shapes[first], 0.2), shapes[second]))
    return int(((first < second) & (common > 1.0)).sum())


def moved(survey: Frames) -> Frames:
    """Return a street whose fourth pipe lies 2 m farther north, and its points with it."""
    point, line = survey["pipe_point"].copy(), survey["pipe_line"].copy()
    for frame, rows in ((point, [3, 4]), (line, [3])):
        frame.geometry = [shape if n not in rows else affinity.translate(shape, 0.0, 2.0) for n, shape in enumerate(frame.geometry)]  # fmt: skip
    return {"pipe_point": point, "pipe_line": line}


def without(survey: Frames) -> Frames:
    return {"pipe_point": survey["pipe_point"].drop(index=7), "pipe_line": survey["pipe_line"].drop(index=6)}


def renumbered(survey: Frames) -> Frames:
    return {
        "pipe_point": survey["pipe_point"].assign(survey_no=[f"N{n}" for n in range(8)]),
        "pipe_line": survey["pipe_line"].assign(segment_key=[f"N{n}~N{n + 1}" for n in range(7)]),
    }


def resized(survey: Frames) -> Frames:
    return {**survey, "pipe_line": survey["pipe_line"].assign(width_mm=300.0)}


@pytest.mark.parametrize("columns", [{"built": "2005-01-01"}, {}], ids=["dated", "undated"])
def test_whichever_survey_comes_first_the_town_is_the_same_on_every_day(store: Store, columns: dict[str, Any]) -> None:
    whole = street(8, **columns)
    changed = [
        merged(whole),
        laid_anew(whole),
        moved(whole),
        without(whole),
        resized(whole),
        without(renumbered(whole)),
    ]
    surveys = together([*[whole] * len(changed), merged(whole)]), together([*changed, whole])
    first, second = ([placed(each, east, project=name) for each in surveys] for east, name in ((0.0, "F"), (9e3, "S")))
    deliver(store, "f.csv", "2010-01-01", first[0])
    deliver(store, "f.csv", "2020-01-01", first[1])

    deliver(store, "s.csv", "2020-01-01", second[1])
    deliver(store, "s.csv", "2010-01-01", second[0])

    for day in (*DAYS, None):
        assert state(store, "S", 9e3, day) == state(store, "F", 0.0, day), day
        assert day is None or overlaps(store, "S", day) == 0, day
    verify(store)


def test_a_late_survey_is_tied_to_what_follows_it_and_can_be_taken_back(store: Store) -> None:
    whole = street(8, built="2005-01-01")
    younger = deliver(store, "a.csv", "2020-01-01", merged(whole))
    before = {day: state(store, "P1", 0.0, day) for day in DAYS}

    late = deliver(store, "a.csv", "2010-01-01", whole)

    followed = ("pipe_line", "merged", "P1.RQ1~RQ3", ("P1.RQ1~RQ2", "P1.RQ2~RQ3"))
    assert predecessors_of(store, late.number) == [followed]
    assert (late.touched["pipe_line"].ended_since, late.touched["pipe_line"].outlasting) == (2, 0)
    assert not deliver(store, "a.csv", "2010-01-01", street(8, built="2005-01-01")).made
    commit(store, revert(store, late.number, author="tester"))
    assert {day: state(store, "P1", 0.0, day) for day in DAYS} == before
    assert store.links("pipe_line") == []
    recorded = View(parse_instant("2006-01-01")[0], younger.number)
    assert len(store.features(FeatureQuery("pipe_line", view=recorded))) == 6, "what was recorded stays as it was"
    verify(store)
    commit(store, revert(store, younger.number, author="tester"))
    assert [state(store, "P1", 0.0, day) for day in DAYS] == [[]] * len(DAYS)


def test_what_another_project_shows_no_more_stands_and_is_counted(store: Store) -> None:
    deliver(store, "young.csv", "2020-01-01", placed(without(street(8)), 0.0, project="P2"))

    late = deliver(store, "old.csv", "2010-01-01", street(8))

    assert (late.touched["pipe_line"].ended_since, late.touched["pipe_line"].outlasting) == (0, 1)


def houses(names: str) -> Frames:
    boxes = [shapely.box(x, 3_886_000, x + 10, 3_886_010) for x in (500_000 + 20 * ord(name) for name in names)]
    return {"building": gpd.GeoDataFrame({"name": [*names]}, geometry=boxes, crs=CRS)}


def test_a_house_that_a_younger_sheet_shows_no_more_ends_on_its_day(store: Store) -> None:
    deliver(store, "a.shp", "2020-01-01", houses("ABD"))

    late = deliver(store, "a.shp", "2010-01-01", houses("ABC"))
    other = deliver(store, "b.shp", "2011-01-01", houses("AE"))

    def names(day: str) -> str:
        found = store.features(FeatureQuery("building", view=View(parse_instant(day)[0])))
        return "".join(sorted(found["name"]))

    assert [names(day) for day in ("2010-06-01", "2012-01-01", "2021-01-01")] == ["ABC", "ABCE", "ABDE"]
    assert (late.touched["building"].ended_since, late.touched["building"].outlasting) == (1, 0)
    assert (other.touched["building"].ended_since, other.touched["building"].outlasting) == (0, 1)


def test_a_younger_sheet_is_taken_back_after_the_late_one_whose_houses_it_ended(store: Store) -> None:
    younger = deliver(store, "a.shp", "2020-01-01", houses("BD"))
    late = deliver(store, "a.shp", "2010-01-01", houses("C"))

    with pytest.raises(VersionConflict) as conflict:
        revert(store, younger.number, author="tester")

    ended = store.features(FeatureQuery("building", view=View(ALWAYS), fids=(3,))).index.tolist()
    assert conflict.value.values["features"] == {"building": ended}
    commit(store, revert(store, late.number, author="tester"))
    commit(store, revert(store, younger.number, author="tester"))
    assert store.count(FeatureQuery("building", view=View(ALWAYS))) == 0


def test_an_end_that_an_edit_recorded_stays_the_end(store: Store) -> None:
    deliver(store, "a.csv", "2010-01-01", street(3))
    gone = Changeset(
        "planner", "gone", parse_instant("2020-01-01")[0], terminated={"pipe_line": ("P1.RQ0~RQ1",)}, edit=True
    )
    commit(store, gone)

    again = [deliver(store, f"{n}.csv", "2015-01-01", resized(street(3))) for n in range(2)]

    assert store.count(FeatureQuery("pipe_line")) == 1
    assert [version.made for version in again] == [True, False]


def test_a_late_survey_between_two_others_goes_between_them(store: Store) -> None:
    """What ended by the youngest ends when the one between them did not show it; nothing that has ended begins again."""
    whole = street(8, built="2005-01-01")
    deliver(store, "a.csv", "2010-01-01", whole)
    deliver(store, "a.csv", "2020-01-01", without(whole))

    deliver(store, "a.csv", "2015-01-01", {**whole, "pipe_line": whole["pipe_line"].assign(owner="乙")})

    lengths = [len(state(store, "P1", 0.0, day, ("pipe_line",))) for day in ("2006-01-01", "2016-01-01", "2021-01-01")]
    owners = store.features(FeatureQuery("pipe_line"))["owner"].tolist()
    assert lengths == [7, 7, 6]
    assert owners == ["乙"] * 6, "the youngest said nothing of it"


ORDERS = list(itertools.permutations(range(3)))


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(12))
def test_three_surveys_of_a_random_network_make_one_town_in_whatever_order_they_come(store: Store, seed: int) -> None:
    random = np.random.default_rng(seed)
    networks = [network(random, 6)]
    for number in range(2):
        networks.append(renamed(edited(networks[-1], random)[0], number))
    surveys = [frames(each, random) for each in networks]
    for number, order in enumerate(ORDERS):
        for turn in order:
            survey = placed(surveys[turn], 9e3 * number, project=f"O{number}")
            deliver(store, f"{number}.csv", ("2012-01-01", "2016-01-01", "2020-01-01")[turn], survey)

        for day in ("2009-01-01", "2011-01-01", "2013-01-01", "2017-01-01", "2021-01-01", None):
            assert state(store, f"O{number}", 9e3 * number, day) == state(store, "O0", 0.0, day), (order, day)
            assert day is None or overlaps(store, f"O{number}", day) == 0, (order, day)
    verify(store)


def renamed(net: Network, number: int) -> Network:
    """Return a network whose new points have names of their own and lie where no later ones do."""
    new = {name: f"{name}-{number}" for name in ("MID", "N1", "N2")}
    points = {new.get(name, name): place for name, place in net.points.items()}
    for name in (new["N1"], new["N2"]):
        index, x, y = points[name]
        points[name] = (index, x, y - 50.0 * (1 + number))
    lines = [(new.get(a, a), new.get(b, b), size, status) for a, b, size, status in net.lines]
    return Network(points, lines, net.project)
