"""A new delivery is a difference: what it says again is no change, what it could have seen and lacks, ends."""

import itertools
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.draft import Draft
from twin_model import versioning
from twin_model.catalogue import read_catalogue
from twin_model.changeset import ScopeKind, Source, Version
from twin_model.errors import RemovalsRefused
from twin_model.finding import Finding
from twin_model.store.base import DeliveredState, FeatureQuery, Store
from twin_model.temporal import parse_instant
from twin_model.versioning import commit, plan_changeset
from twin_model.view import View

CRS = "EPSG:4548"
CATALOGUE = read_catalogue()
EAST, NORTH = 618_000.0, 3_886_000.0
Deliver = Callable[..., Version]


@pytest.fixture
def deliver(store: Store) -> Deliver:
    def delivered(
        name: str, effective: str, frames: dict[str, gpd.GeoDataFrame], *, sheet: str | None = None, scale: int | None = None,
        area: Any = None, reach: ScopeKind = "seen", said: Any = None, accept: bool = False, findings: tuple[Finding, ...] = (),
    ) -> Version:  # fmt: skip
        source = Source(name, f"{name}-{effective}-{store.version()}")
        with Draft(source, CATALOGUE, storage_crs=CRS, effective=parse_instant(effective)[0]) as draft:
            for layer, frame in frames.items():
                draft.add(layer, frame)
            draft.crs = CRS
            for one in findings:
                draft.set_aside(one) if one.raw is not None else draft.report(one)
            if sheet is not None:
                draft.covers(area, sheet=sheet, scale=scale)
            return commit(
                store,
                draft.to_changeset(author="office", reason=name, reach=reach, area=said, accept_removals=accept),
            )

    return delivered


def houses(count: int, *, first: int = 0, **columns: Any) -> gpd.GeoDataFrame:
    x = EAST + 20.0 * np.arange(first, first + count)
    content = {"name": [f"{n}号楼" for n in range(first, first + count)]} | columns
    return gpd.GeoDataFrame(content, geometry=shapely.box(x, NORTH, x + 12, NORTH + 10), crs=CRS)


def mains(
    count: int, kind: str = "JS", *, project: str = "A", offset: float = 0.0, prefix: str = ""
) -> dict[str, gpd.GeoDataFrame]:
    """Return a street's points and segments every 30 m, numbered by the office."""
    x = EAST + 30.0 * np.arange(count)
    numbers = [f"{prefix}{kind}{n}" for n in range(count)]
    points = gpd.GeoDataFrame(
        {"survey_no": numbers, "class": kind, "project": project},
        geometry=shapely.points(np.column_stack((x, np.full(count, NORTH + offset), np.full(count, 65.0)))),
        crs=CRS,
    )
    lines = gpd.GeoDataFrame(
        {"segment_key": [f"{a}-{b}" for a, b in itertools.pairwise(numbers)], "class": kind, "project": project,
         "start_no": numbers[:-1], "end_no": numbers[1:]},
        geometry=[shapely.LineString([(a, NORTH + offset, 63.0), (b, NORTH + offset, 63.0)]) for a, b in itertools.pairwise(x)], crs=CRS,
    )  # fmt: skip
    return {"pipe_point": points, "pipe_line": lines}


def noisy(frames: dict[str, gpd.GeoDataFrame], metres: float = 0.03) -> dict[str, gpd.GeoDataFrame]:
    rng = np.random.default_rng(1)

    def moved(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        shift = rng.uniform(-metres, metres, (len(frame), 2))
        return frame.set_geometry(
            [shapely.affinity.translate(g, *d) for g, d in zip(frame.geometry, shift, strict=True)], crs=CRS
        )

    return {layer: moved(frame) for layer, frame in frames.items()}


def counts(version: Version, layer: str) -> tuple[int, int, int, int]:
    one = version.touched[layer]
    return one.inserted, one.updated, one.terminated, one.unchanged


def test_the_same_street_by_another_office_with_other_numbers_inserts_and_ends_nothing(
    store: Store, deliver: Deliver
) -> None:
    deliver("first.csv", "2020-01-01", mains(12))
    ids = store.features(FeatureQuery("pipe_point")).index.tolist()

    version = deliver("second.csv", "2024-01-01", noisy(mains(12, project="B", prefix="N")))

    assert counts(version, "pipe_point") == (0, 12, 0, 0)
    assert counts(version, "pipe_line") == (0, 11, 0, 0)
    assert store.features(FeatureQuery("pipe_point")).index.tolist() == ids


def test_the_offices_new_numbers_are_found_again_as_other_names_of_the_same_things(
    store: Store, deliver: Deliver
) -> None:
    deliver("first.csv", "2020-01-01", mains(6))
    deliver("second.csv", "2022-01-01", noisy(mains(6, project="B", prefix="N")))

    again = deliver("second.csv", "2024-01-01", noisy(mains(6, project="B", prefix="N")))

    assert not again.made
    assert counts(again, "pipe_point") == (0, 0, 0, 6)


@pytest.mark.parametrize(("scale", "kept"), [(1000, 5), (2000, 0)])
def test_what_a_delivery_lacks_and_keeps_is_counted_within_its_map_scale(
    scale: int, kept: int, store: Store, deliver: Deliver
) -> None:
    deliver("a.shp", "2020-01-01", {"building": houses(10)}, sheet="a", scale=1000)

    with Draft(Source("a.shp", "later"), CATALOGUE, storage_crs=CRS) as draft:
        draft.add("building", houses(3))
        draft.covers(None, sheet="a", scale=scale)
        plan = plan_changeset(store, draft.to_changeset(author="office", reason="a"))["building"]

    assert plan.counts == {
        "inserted": 0,
        "updated": 0,
        "terminated": 7 - kept if kept else 0,
        "unchanged": 3,
        "kept": kept,
    }


def test_a_delivery_of_water_tables_ends_no_gas_pipe(store: Store, deliver: Deliver) -> None:
    deliver("all.csv", "2020-01-01", mains(12))
    deliver("gas.csv", "2020-01-01", mains(12, "RQ", offset=1.5))

    version = deliver("water.csv", "2024-01-01", mains(12))

    assert not version.made
    assert len(store.features(FeatureQuery("pipe_line"))) == 22


def test_a_survey_of_storm_sewers_ends_no_foul_sewer_of_the_same_street(store: Store, deliver: Deliver) -> None:
    foul = {layer: frame.assign(subclass="WS") for layer, frame in mains(12, "PS", prefix="W").items()}
    storm = {layer: frame.assign(subclass="YS") for layer, frame in mains(12, "PS", prefix="Y", offset=2.0).items()}
    deliver("WSLine.csv", "2020-01-01", foul)

    version = deliver("YSLine.csv", "2024-01-01", storm)

    assert counts(version, "pipe_line") == (11, 0, 0, 0)
    assert len(store.features(FeatureQuery("pipe_line"))) == 22


def test_a_segment_that_a_new_survey_of_the_street_lacks_ends_there_and_then(store: Store, deliver: Deliver) -> None:
    deliver("first.csv", "2020-01-01", mains(20))
    frames = mains(20)
    gone = {"pipe_point": frames["pipe_point"], "pipe_line": frames["pipe_line"].drop(index=7)}

    version = deliver("other office.csv", "2024-01-01", gone)

    assert counts(version, "pipe_line") == (0, 0, 1, 18)
    assert "A.JS7-JS8" not in store.features(FeatureQuery("pipe_line")).index
    before = View(parse_instant("2023-12-31")[0])
    assert "A.JS7-JS8" in store.features(FeatureQuery("pipe_line", view=before)).index


def test_a_survey_of_one_street_ends_nothing_in_the_next(store: Store, deliver: Deliver) -> None:
    deliver("first.csv", "2020-01-01", mains(12))
    deliver("next street.csv", "2020-01-01", mains(12, offset=60.0, prefix="S"))

    version = deliver("first again.csv", "2024-01-01", mains(12))

    assert not version.made
    assert len(store.features(FeatureQuery("pipe_line"))) == 22


def test_an_annex_built_is_one_new_version(store: Store, deliver: Deliver) -> None:
    deliver("sheet.dxf", "2020-01-01", {"building": houses(10)})
    grown = houses(10)
    grown.loc[3, "geometry"] = shapely.box(EAST + 60, NORTH, EAST + 75, NORTH + 10)

    version = deliver("sheet.dxf", "2024-01-01", {"building": grown})

    assert counts(version, "building") == (0, 1, 0, 9)


def test_a_late_older_delivery_goes_between_its_neighbours_and_touches_nothing_newer(
    store: Store, deliver: Deliver
) -> None:
    deliver("a.shp", "2018-01-01", {"building": houses(3, structure="砖")})
    deliver("c.shp", "2024-01-01", {"building": houses(3, structure="砼")})

    deliver("b.shp", "2021-01-01", {"building": houses(3, structure="混")})

    def structures(day: str | None) -> set[str]:
        view = View(parse_instant(day)[0] if day else None)
        return set(store.features(FeatureQuery("building", view=view))["structure"])

    assert structures(None) == {"砼"}
    assert (structures("2019-06-01"), structures("2022-06-01"), structures("2025-06-01")) == (
        {"砖"},
        {"混"},
        {"砼"},
    )


def test_what_a_surveyed_sheet_no_longer_shows_ends_inside_it_and_not_beside_it(store: Store, deliver: Deliver) -> None:
    sheet = shapely.box(EAST - 5, NORTH - 5, EAST + 397, NORTH + 15)
    deliver("west.dxf", "2020-01-01", {"building": houses(20)}, sheet="W", scale=1000, area=sheet)
    deliver(
        "east.dxf",
        "2020-01-01",
        {"building": houses(20, first=20)},
        sheet="E",
        scale=1000,
        area=shapely.box(EAST + 395, NORTH - 5, EAST + 800, NORTH + 15),
    )

    version = deliver(
        "west.dxf", "2024-01-01", {"building": houses(20).drop(index=4)}, sheet="W", scale=1000, area=sheet
    )

    assert counts(version, "building") == (0, 0, 1, 19)
    assert len(store.features(FeatureQuery("building"))) == 39


def test_what_a_neighbouring_sheet_shows_along_the_neatline_stays_and_what_lies_inside_ends(
    store: Store, deliver: Deliver
) -> None:
    edge, inside = (
        gpd.GeoDataFrame({"name": [n]}, geometry=[shapely.box(x, NORTH, x + 4, NORTH + 4)], crs=CRS)
        for n, x in (("边", EAST + 1), ("内", EAST + 200))
    )
    area = shapely.box(EAST, NORTH - 50, EAST + 400, NORTH + 60)
    deliver(
        "west.dxf",
        "2020-01-01",
        {"building": gpd.GeoDataFrame(gpd.pd.concat([edge, inside]), crs=CRS)},
        sheet="W",
        scale=1000,
        area=area.buffer(-1),
    )

    version = deliver(
        "east.dxf", "2024-01-01", {"building": houses(8)[3:]}, sheet="E", scale=1000, area=area, accept=True
    )

    assert counts(version, "building")[2] == 1
    assert "边" in store.features(FeatureQuery("building"))["name"].tolist()


def test_a_smaller_scale_ends_nothing_of_a_larger_one(store: Store, deliver: Deliver) -> None:
    area = shapely.box(EAST - 5, NORTH - 5, EAST + 400, NORTH + 15)
    deliver("1000.dxf", "2020-01-01", {"building": houses(20)}, sheet="S", scale=1000, area=area)

    version = deliver("2000.dxf", "2024-01-01", {"building": houses(12)}, sheet="S", scale=2000, area=area)

    assert not version.made
    assert len(store.features(FeatureQuery("building"))) == 20


def test_more_than_a_tenth_vanishing_stops_until_it_is_accepted(store: Store, deliver: Deliver) -> None:
    deliver("b.shp", "2020-01-01", {"building": houses(20)})
    fewer = houses(20).drop(index=[2, 5, 9])

    with pytest.raises(RemovalsRefused, match=r"building.*3 / 20") as refusal:
        deliver("b.shp", "2024-01-01", {"building": fewer})
    assert "--accept-removals" in refusal.value.text("en") and "--accept-removals" in refusal.value.text("zh")
    assert store.version() == 1

    version = deliver("b.shp", "2024-01-01", {"building": fewer}, accept=True)
    assert counts(version, "building") == (0, 0, 3, 17)


@pytest.mark.parametrize(("reach", "left"), [("nothing", 40), ("seen", 40), ("sheet", 20), ("layer", 10), ("area", 30)])
def test_a_caller_says_what_a_delivery_covers(store: Store, deliver: Deliver, reach: ScopeKind, left: int) -> None:
    """Ten of twenty houses of `b` come again; twenty others came as `other`, far from them."""
    deliver("b.shp", "2020-01-01", {"building": houses(20)})
    deliver("other.shp", "2020-01-01", {"building": houses(20, first=100)})
    said = shapely.box(EAST, NORTH, EAST + 2_000, NORTH + 20) if reach == "area" else None
    some = houses(20) if reach == "seen" else houses(10)

    deliver("b.shp", "2024-01-01", {"building": some}, reach=reach, said=said, accept=True)

    assert len(store.features(FeatureQuery("building"))) == (left if reach != "sheet" else 30)


def test_a_feature_that_ended_and_comes_again_is_the_same_one(store: Store, deliver: Deliver) -> None:
    frames = mains(20)
    deliver("a.csv", "2018-01-01", frames)
    fid = store.features(FeatureQuery("pipe_line")).loc["A.JS7-JS8", "fid"]
    deliver("a.csv", "2020-01-01", {**frames, "pipe_line": frames["pipe_line"].drop(index=7)})

    version = deliver("a.csv", "2022-01-01", frames)

    assert counts(version, "pipe_line") == (0, 1, 0, 18)
    assert store.features(FeatureQuery("pipe_line")).loc["A.JS7-JS8", "fid"] == fid
    gap = View(parse_instant("2021-01-01")[0])
    assert "A.JS7-JS8" not in store.features(FeatureQuery("pipe_line", view=gap)).index


def test_a_mended_source_closes_its_findings_and_one_that_says_the_same_keeps_them(
    store: Store, deliver: Deliver
) -> None:
    fault = Finding(
        "identity.duplicate",
        "error",
        layer="building",
        place="row 7",
        point=(EAST, NORTH),
        values={"id": "x"},
        raw={"点号": "x"},
    )
    deliver("b.shp", "2020-01-01", {"building": houses(5)}, findings=(fault,))
    assert len(store.features(FeatureQuery("finding"))) == 1

    again = deliver("b.shp", "2021-01-01", {"building": houses(5)}, findings=(fault,))
    assert not again.made

    mended = deliver("b.shp", "2022-01-01", {"building": houses(5)})
    assert counts(mended, "finding")[2] == 1
    assert len(store.features(FeatureQuery("finding"))) == 0
    assert len(store.features(FeatureQuery("finding", view=View(recorded=1)))) == 1


def test_a_mended_source_of_one_office_leaves_anothers_findings_open(store: Store, deliver: Deliver) -> None:
    fault = Finding(
        "identity.duplicate", "error", layer="building", place="row 7", values={"id": "x"}, raw={"点号": "x"}
    )
    deliver("b.shp", "2020-01-01", {"building": houses(5)}, findings=(fault,))

    deliver("c.shp", "2022-01-01", {"building": houses(5, first=50)})

    assert len(store.features(FeatureQuery("finding"))) == 1


def test_two_houses_at_one_place_are_told_apart_one_to_one(store: Store, deliver: Deliver) -> None:
    twins = gpd.GeoDataFrame(
        {"name": ["甲", "甲", "乙"]}, geometry=[shapely.box(EAST, NORTH, EAST + 9, NORTH + 9)] * 3, crs=CRS
    )
    deliver("b.shp", "2020-01-01", {"building": twins})

    same = deliver("other.shp", "2021-01-01", {"building": twins.iloc[::-1]})
    fewer = deliver("b.shp", "2022-01-01", {"building": twins.iloc[1:]}, accept=True)

    assert not same.made
    assert counts(fewer, "building") == (0, 0, 1, 2)


def test_a_town_is_matched_strip_by_strip_as_it_is_at_once(
    store: Store, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver("b.shp", "2020-01-01", {"building": houses(60)})
    monkeypatch.setattr(versioning, "_AT_ONCE", 7)
    again = noisy({"building": houses(60, structure="混")})["building"].sample(frac=1.0, random_state=4)

    version = deliver("c.shp", "2024-01-01", {"building": again})

    assert counts(version, "building") == (0, 60, 0, 0)
    found = store.features(FeatureQuery("building"))
    assert found["name"].tolist() == houses(60)["name"].tolist(), "each is the one at its own place"


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=30), st.lists(st.integers(0, 5), max_size=30))
def test_what_says_the_same_is_found_one_to_one_however_often_it_is_said(held: list[int], said: list[int]) -> None:
    words = [
        np.array([(3, 3), (1, 1), (1, 2), (7, 1), (7, 7), (9, 0)], dtype=np.uint64)[np.array(some, dtype=int)]
        for some in (held, said)
    ]
    # Two hashes with one first word may miss each other, which costs a look at their places; equal ones never do.
    same_start = {1, 2, 3, 4}
    known = DeliveredState(np.arange(1, len(held) + 1), np.full(len(held), None, dtype=object), words[0])

    found = versioning._by_content(known, words[1])

    matched = [(content, held[fid - 1]) for content, fid in zip(said, found.tolist(), strict=True) if fid]
    assert all(content == other for content, other in matched)
    assert len({fid for fid in found.tolist() if fid}) == len(matched)
    for content in set(said):
        if content not in same_start:
            assert sum(one == content for one, _ in matched) == min(said.count(content), held.count(content))
