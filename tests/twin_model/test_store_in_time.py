"""One contract for every store: what was true when, what was recorded when, and what each version changed."""

import geopandas as gpd
import numpy as np
import shapely
from store_contract import CATALOGUE, CRS, at, deliver, houses

from ingest.draft import Draft
from twin_model.changeset import Changeset, Source
from twin_model.filter import parse_filter
from twin_model.finding import Finding
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import Interval, parse_instant
from twin_model.versioning import commit
from twin_model.view import View


def test_the_same_delivery_again_makes_no_version(store: Store) -> None:
    deliver(store, "building", houses(20), name="first")
    shuffled = houses(20).sample(frac=1.0, random_state=3)[["storeys", "name", "geometry"]]

    again = deliver(store, "building", shuffled, name="second")

    assert again.touched["building"].unchanged == 20
    assert again.touched["building"].changed == 0
    assert (store.features(FeatureQuery("building"))["version"] == 1).all()


def test_a_feature_surveyed_again_with_noise_keeps_its_id_and_gets_a_version(store: Store) -> None:
    deliver(store, "building", houses(10), "2020-01-01")
    moved = houses(10, name=[f"改{n}" for n in range(10)])
    moved = moved.set_geometry(moved.translate(0.03, -0.02))

    version = deliver(store, "building", moved, "2024-01-01")

    assert (version.touched["building"].inserted, version.touched["building"].updated) == (0, 10)
    now, then = (
        store.features(FeatureQuery("building")),
        store.features(FeatureQuery("building", view=at("2022-01-01"))),
    )
    assert now.index.tolist() == then.index.tolist()
    assert then["name"].tolist() == houses(10)["name"].tolist()
    assert now["name"].tolist() == [f"改{n}" for n in range(10)]


def test_any_day_of_the_past_and_any_recorded_state_can_be_asked_for(store: Store) -> None:
    points = gpd.GeoDataFrame(
        {"survey_no": ["P1"], "class": ["JS"], "owner": ["甲"]},
        geometry=[shapely.Point(618_000, 3_886_000, 65)],
        crs=CRS,
    )
    deliver(store, "pipe_point", points, "2020-01-01")
    deliver(store, "pipe_point", points.assign(owner="丙"), "2024-01-01")
    late = deliver(store, "pipe_point", points.assign(owner="乙"), "2022-01-01", name="late")

    def owner(view: View) -> list[str]:
        return store.features(FeatureQuery("pipe_point", view=view))["owner"].tolist()

    assert owner(View()) == ["丙"]
    assert owner(at("2019-01-01")) == []
    assert owner(at("2021-01-01")) == ["甲"]
    assert owner(at("2023-01-01")) == ["乙"]
    assert owner(at("2023-01-01", recorded=late.number - 1)) == ["甲"], "the late delivery was not known yet"
    assert owner(at(recorded=1)) == ["甲"]
    interval = Interval(parse_instant("2020-06-01")[0], parse_instant("2023-06-01")[0])
    assert owner(View(interval)) == ["乙"], "an interval gives the latest version valid within it, once"


def test_a_planned_state_begins_on_its_day_without_a_commit(store: Store) -> None:
    points = gpd.GeoDataFrame(
        {"survey_no": ["P1"], "owner": ["今"]}, geometry=[shapely.Point(618_000, 3_886_000, 65)], crs=CRS
    )
    deliver(store, "pipe_point", points, "2020-01-01")
    deliver(store, "pipe_point", points.assign(owner="来"), "2099-01-01")

    assert store.features(FeatureQuery("pipe_point"))["owner"].tolist() == ["今"]
    assert store.features(FeatureQuery("pipe_point", view=at("2099-06-01")))["owner"].tolist() == ["来"]
    assert store.next_boundary("pipe_point", "2026-01-01") == parse_instant("2099-01-01")[0]


def test_history_equals_a_naive_model_of_it(store: Store) -> None:
    """Random deliveries of random effective years against a list of (recorded, year, value), read backwards."""
    rng = np.random.default_rng(7)
    said: list[tuple[int, int, str]] = []
    for step in range(25):
        year, value = int(rng.integers(2000, 2020)), f"值{step}"
        frame = gpd.GeoDataFrame(
            {"survey_no": ["P1"], "owner": [value]}, geometry=[shapely.Point(618_000, 3_886_000, 65)], crs=CRS
        )
        made = deliver(store, "pipe_point", frame, f"{year}-01-01", name=f"d{step}")
        said.append((made.number, year, value))
    for recorded in (1, 5, 12, 25):
        for year in range(1999, 2022):
            known = [one for one in said if one[0] <= recorded and one[1] <= year]
            latest = max((one[1] for one in known), default=None)
            expected = [one[2] for one in known if one[1] == latest][-1:]
            found = store.features(FeatureQuery("pipe_point", view=at(f"{year}-06-01", recorded)))
            assert found["owner"].tolist() == expected, (recorded, year)


def test_a_feature_that_ends_is_absent_after_and_present_before(store: Store) -> None:
    deliver(store, "building", houses(3), "2020-01-01")
    name = store.features(FeatureQuery("building")).index[1]

    commit(
        store,
        Changeset("tester", "demolished", parse_instant("2023-05-01")[0], terminated={"building": (name,)}),
    )

    assert name not in store.features(FeatureQuery("building")).index
    assert name in store.features(FeatureQuery("building", view=at("2023-04-30"))).index
    assert name not in store.features(FeatureQuery("building", view=at("2023-05-02"))).index
    assert store.summary("building").features == 2


def test_findings_and_raw_records_become_features_of_their_changeset(store: Store) -> None:
    with Draft(Source("bad.csv", "1"), CATALOGUE, storage_crs=CRS) as draft:
        draft.add("building", houses(1))
        draft.crs = CRS
        draft.set_aside(
            Finding(
                "identity.duplicate",
                "error",
                layer="pipe_point",
                place="row 7",
                point=(618_000.0, 3_886_000.0),
                values={"id": "P1"},
                raw={"点号": "P1"},
            )
        )
        commit(store, draft.to_changeset(author="tester", reason="test"))

    found = store.features(FeatureQuery("finding", where=parse_filter("severity = 'error'")))
    assert found["rule"].tolist() == ["identity.duplicate"]
    assert found["raw"].tolist() == ['{"点号":"P1"}']
    assert found.geometry.iloc[0] == shapely.Point(618_000, 3_886_000)


def test_the_history_is_a_chain_of_hashes(store: Store) -> None:
    for step in range(3):
        deliver(store, "building", houses(2 + step), f"2024-01-0{step + 1}")

    lines = store.changesets()

    assert [one.number for one in lines] == [3, 2, 1]
    assert len({one.hash for one in lines}) == 3 and all(len(one.hash) == 64 for one in lines)
    assert sorted({one.recorded for one in lines}, reverse=True) == [one.recorded for one in lines]


def test_touched_boxes_tell_what_a_tile_must_know(store: Store) -> None:
    deliver(store, "building", houses(100))
    here, elsewhere = (
        (618_000.0, 3_885_990.0, 618_050.0, 3_886_020.0),
        (620_500.0, 3_885_990.0, 620_600.0, 3_886_020.0),
    )
    far = houses(1).set_geometry(houses(1).translate(2_540, 0))

    deliver(store, "building", far, name="far")

    assert store.changed_since("building", here) == 1
    assert store.changed_since("building", elsewhere) == 2
    assert store.changed_since("road_line", here) == 0


def test_every_state_within_an_interval_is_told_in_order(store: Store) -> None:
    for year in (2020, 2022, 2024):
        deliver(store, "building", houses(3, usage=[f"{year}"] * 3), f"{year}-01-01")
    since = Interval(parse_instant("2021-01-01")[0], None)

    query = FeatureQuery("building", view=View(since), states=True)

    assert store.features(query)["usage"].tolist() == ["2020", "2022", "2024"] * 3
    assert store.features(query.with_(states=False))["usage"].tolist() == ["2024"] * 3
    assert store.count(query) == 9 and store.count(query.with_(states=False)) == 3
