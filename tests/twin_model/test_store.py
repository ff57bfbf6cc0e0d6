"""One contract for every store: what is put in comes out, now and as of then; many readers beside one writer."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.draft import Draft
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Changeset, Source, Version
from twin_model.content import frame_contents, row_contents, words_of
from twin_model.errors import AccessRefused, LayerNotFound
from twin_model.filter import parse_filter
from twin_model.finding import Finding
from twin_model.store.base import FeatureQuery, SortKey, Store
from twin_model.store.opening import create_store, open_store
from twin_model.temporal import Interval, parse_instant
from twin_model.versioning import commit
from twin_model.view import Policy, View

CRS = "EPSG:4548"
CATALOGUE = read_catalogue()


def deliver(
    store: Store, layer: str, frame: gpd.GeoDataFrame, effective: str = "2024-01-01", name: str = "test"
) -> Version:
    source = Source(name, f"{name}-{effective}-{store.version()}")
    with Draft(source, CATALOGUE, storage_crs=store.crs, effective=parse_instant(effective)[0]) as draft:
        draft.add(layer, frame)
        return commit(store, draft.to_changeset(author="tester", reason="test"))


def houses(count: int, **columns: Any) -> gpd.GeoDataFrame:
    x = 618_000 + 20.0 * np.arange(count)
    content = {"name": [f"{n}号楼" for n in range(count)], "storeys": np.arange(count) % 9 + 1} | columns
    return gpd.GeoDataFrame(content, geometry=shapely.box(x, 3_886_000, x + 12, 3_886_010), crs=CRS)


def at(datetime: str | None = None, recorded: int | None = None) -> View:
    return View(parse_instant(datetime)[0] if datetime else None, recorded)


def test_what_is_stored_comes_back_equal(store: Store) -> None:
    frame = houses(30)

    deliver(store, "building", frame)

    found = store.features(FeatureQuery("building"))
    assert found.crs == CRS
    assert found["name"].tolist() == frame["name"].tolist()
    assert found["storeys"].tolist() == frame["storeys"].tolist()
    assert shapely.equals_exact(
        shapely.get_geometry(found.geometry.to_numpy(), 0), frame.geometry.to_numpy(), 0.0
    ).all()
    assert found.index.is_unique and found["fid"].tolist() == list(range(1, 31))


@pytest.mark.parametrize(
    "layer", [layer.id for layer in CATALOGUE if layer.kind == "feature" and layer.id != "finding"]
)
def test_every_layer_keeps_its_geometry_type_and_values(store: Store, layer: str) -> None:
    described = CATALOGUE[layer]
    shapes = {
        "Point": shapely.points([[618_000, 3_886_000], [618_010, 3_886_010]]),
        "LineString": shapely.linestrings(
            [[[618_000, 3_886_000], [618_050, 3_886_020]], [[618_000, 3_886_100], [618_050, 3_886_120]]]
        ),
        "Polygon": shapely.box([618_000, 618_100], 3_886_000, [618_020, 618_120], 3_886_010),
    }[described.geometry.removesuffix("Z").removeprefix("Multi")]
    values = {
        "string": "甲",
        "integer": 7,
        "number": 1.25,
        "boolean": True,
        "date": "2020-05-01",
        "datetime": "2020-05-01T00:00:00.000Z",
    }
    columns = {one.name: [values[one.type], None] for one in described.fields if one.format != "json"}
    if described.identity_field:
        columns[described.identity_field] = ["a1", "a2"]
    geometry = shapely.force_3d(shapes, 5.0) if described.has_z else shapes

    deliver(store, layer, gpd.GeoDataFrame(columns, geometry=geometry, crs=CRS))

    found = store.features(FeatureQuery(layer))
    assert len(found) == 2
    assert set(found.geometry.geom_type) == {described.geometry.removesuffix("Z")}
    assert found.geometry.has_z.all() == described.has_z
    first = found.iloc[0]
    for one in described.fields:
        if one.format != "json" and one.name != described.identity_field:
            assert first[one.name] == values[one.type], one.name
    names, rows = store.rows(FeatureQuery(layer))
    by_column = {name: [row[n] for row in rows] for n, name in enumerate(names)}
    assert row_contents(described, by_column).tolist() == frame_contents(described, found).tolist()
    assert (store.known(layer).contents == words_of(frame_contents(described, found))).all()


def test_a_box_finds_what_meets_it_and_nothing_that_only_its_envelope_meets(store: Store) -> None:
    diagonal = gpd.GeoDataFrame(
        {"name": ["a"]}, geometry=[shapely.LineString([(618_000, 3_886_000), (618_100, 3_886_100)])], crs=CRS
    )
    deliver(store, "road_line", diagonal)

    in_the_corner = store.features(
        FeatureQuery("road_line", bbox=(618_060.0, 3_886_000.0, 618_100.0, 3_886_040.0))
    )
    on_the_line = store.features(
        FeatureQuery("road_line", bbox=(618_045.0, 3_886_045.0, 618_055.0, 3_886_055.0))
    )

    assert len(in_the_corner) == 0
    assert len(on_the_line) == 1


@pytest.fixture(scope="module", params=["geopackage", "postgis"])
def hundred_houses(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    location = "store.gpkg"
    if request.param == "postgis":
        location = request.getfixturevalue("postgis_server").url("hundred_houses")
    store = create_store(location, CATALOGUE, CRS, folder=tmp_path_factory.mktemp("hundred"))
    deliver(store, "building", houses(100))
    yield store
    store.close()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_queries_equal_a_search_row_by_row(hundred_houses: Store, data: st.DataObject) -> None:
    store = hundred_houses
    everything = store.features(FeatureQuery("building"))
    x0, y0 = data.draw(st.integers(617_900, 619_900)), data.draw(st.integers(3_885_900, 3_886_100))
    box = (
        float(x0),
        float(y0),
        float(x0 + data.draw(st.integers(1, 2_000))),
        float(y0 + data.draw(st.integers(1, 200))),
    )
    least = data.draw(st.integers(0, 10))
    limit = data.draw(st.one_of(st.none(), st.integers(1, 120)))
    descending = data.draw(st.booleans())

    query = FeatureQuery(
        "building",
        bbox=box,
        where=parse_filter(f"storeys >= {least}"),
        sort=(SortKey("storeys", not descending),),
        limit=limit,
    )
    found = store.features(query)

    expected = everything[
        everything.geometry.intersects(shapely.box(*box)) & (everything["storeys"] >= least)
    ]
    expected = expected.sort_values(["storeys", "fid"], ascending=[not descending, True])
    assert found.index.tolist() == expected.index.tolist()[:limit]
    assert store.count(query.with_(limit=None, sort=())) == len(expected)


def test_pages_by_key_hold_every_feature_once(store: Store) -> None:
    deliver(store, "building", houses(47, height=[None if n % 5 == 0 else float(n % 7) for n in range(47)]))
    for sort in ((), (SortKey("height"),), (SortKey("height", False), SortKey("name"))):
        seen: list[str] = []
        after = None
        while True:
            page = store.features(FeatureQuery("building", sort=sort, limit=10, after=after))
            if not len(page):
                break
            seen += page.index.tolist()
            last = page.iloc[-1]
            after = (
                *(None if last[key.name] != last[key.name] else last[key.name] for key in sort),
                int(last["fid"]),
            )

        whole = store.features(FeatureQuery("building", sort=sort)).index.tolist()
        assert seen == whole and len(set(seen)) == 47, sort


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


def test_readers_see_the_old_state_or_the_new_never_a_mixture(store: Store) -> None:
    deliver(store, "building", houses(50, usage=["v0"] * 50))
    stop, mixed = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            found = set(store.features(FeatureQuery("building"))["usage"])
            if len(found) != 1:
                mixed.append(found)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for step in range(1, 6):
        deliver(store, "building", houses(50, usage=[f"v{step}"] * 50), f"2024-01-0{step + 1}")
    stop.set()
    for reader in readers:
        reader.join()

    assert mixed == []


def test_a_changeset_that_fails_leaves_the_store_as_it_was(store: Store) -> None:
    deliver(store, "building", houses(5))
    before = store.features(FeatureQuery("building"))

    with (
        pytest.raises(RuntimeError, match="power cut"),
        Draft(Source("x", "x"), CATALOGUE, storage_crs=CRS) as draft,
    ):
        draft.add("building", houses(7))
        changeset = draft.to_changeset(author="a", reason="r")

        def broken() -> Iterator[tuple[str, bytes]]:
            raise RuntimeError("power cut")
            yield

        commit(store, Changeset(**{**changeset.__dict__, "blobs": broken}))

    after = store.features(FeatureQuery("building"))
    assert store.version() == 1
    assert after.equals(before)


def test_the_history_is_a_chain_of_hashes(store: Store) -> None:
    for step in range(3):
        deliver(store, "building", houses(2 + step), f"2024-01-0{step + 1}")

    lines = store.changesets()

    assert [one.number for one in lines] == [3, 2, 1]
    assert len({one.hash for one in lines}) == 3 and all(len(one.hash) == 64 for one in lines)
    assert sorted({one.recorded for one in lines}, reverse=True) == [one.recorded for one in lines]


def test_a_view_closes_layers_rows_and_fields(store: Store) -> None:
    deliver(store, "building", houses(9))
    policy = Policy(
        layers=frozenset({"building"}),
        rows={"building": parse_filter("storeys <= 3")},
        hidden={"building": frozenset({"name"})},
    )

    found = store.features(FeatureQuery("building", view=View(policy=policy)))

    assert found["storeys"].max() == 3 and "name" not in found
    with pytest.raises(AccessRefused):
        store.features(FeatureQuery("road_line", view=View(policy=policy)))


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


def test_a_layer_that_is_not_there_is_named_with_the_nearest(store: Store) -> None:
    with pytest.raises(LayerNotFound, match=r"No layer named 'bilding'\. Nearest: building"):
        store.features(FeatureQuery("bilding"))


def test_a_layer_and_a_field_added_to_the_catalogue_appear_in_an_old_store(
    tmp_path: Path, store: Store, location: str
) -> None:
    deliver(store, "building", houses(2))
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "own.toml").write_text(
        '[building.fields]\nowner = { zh = "业主", en = "Owner" }\n[hydrant]\ngeometry = "Point"\n[hydrant.fields]\nname = {}\n',
        "utf-8",
    )

    grown = open_store(location, read_catalogue(folder), folder=tmp_path)

    assert "owner" in grown.features(FeatureQuery("building"))
    assert grown.summary("hydrant").features == 0
    grown.close()


def test_texts_order_by_code_point_and_what_is_unknown_comes_first(store: Store) -> None:
    names = ["b", "B", "高", "é", None, "a b", "ab", "Z", "a"]
    deliver(store, "building", houses(9, name=names))
    known = sorted(one for one in names if one is not None)

    for ascending, expected in ((True, [None, *known]), (False, [*reversed(known), None])):
        query = FeatureQuery("building", sort=(SortKey("name", ascending),), fields=("name",), geometry=False)
        for one in (query, query.with_(view=at(recorded=1))):
            columns, rows = store.rows(one)
            assert [row[columns.index("name")] for row in rows] == expected


def test_words_are_found_whatever_their_case_and_language(store: Store) -> None:
    deliver(store, "road_line", roads(["Straße 5", "STRASSE 6", "迎宾大道", "Élysée", None]))

    def found(text: str) -> list[str]:
        return store.features(FeatureQuery("road_line", text=text))["name"].tolist()

    assert found("strasse") == ["Straße 5", "STRASSE 6"]
    assert found("宾大") == ["迎宾大道"]
    assert found("éLYS") == ["Élysée"]
    assert found("strasse 6") == ["STRASSE 6"]
    assert found("%") == []


def roads(names: list[str | None]) -> gpd.GeoDataFrame:
    y = 3_886_000 + 50.0 * np.arange(len(names))
    lines = [shapely.LineString([(618_000, one), (618_100, one)]) for one in y]
    return gpd.GeoDataFrame({"name": names}, geometry=lines, crs=CRS)


def test_a_box_is_met_to_the_millimetre_though_indexes_keep_boxes_coarser(store: Store) -> None:
    """At these northings a float32 moves in steps of a quarter of a metre."""
    steps = 0.01 * np.arange(100)
    lamps = shapely.points(618_000 + steps, 3_886_000 + steps)
    deliver(
        store,
        "street_lamp",
        gpd.GeoDataFrame({"pole_no": [f"L{n}" for n in range(100)]}, geometry=lamps, crs=CRS),
    )

    for edge in (0.045, 0.305, 0.5, 0.755, 0.995):
        below = FeatureQuery("street_lamp", bbox=(617_000.0, 3_885_000.0, 619_000.0, 3_886_000 + edge))
        within = FeatureQuery("street_lamp", bbox=(618_000.003, 3_886_000.003, 618_000 + edge, 3_887_000.0))
        assert store.count(below) == round(edge * 100 + 0.5 + 1e-6), edge
        assert store.count(within) == round(edge * 100 + 0.5 + 1e-6) - 1, edge


def test_every_state_within_an_interval_is_told_in_order(store: Store) -> None:
    for year in (2020, 2022, 2024):
        deliver(store, "building", houses(3, usage=[f"{year}"] * 3), f"{year}-01-01")
    since = Interval(parse_instant("2021-01-01")[0], None)

    query = FeatureQuery("building", view=View(since), states=True)

    assert store.features(query)["usage"].tolist() == ["2020", "2022", "2024"] * 3
    assert store.features(query.with_(states=False))["usage"].tolist() == ["2024"] * 3
    assert store.count(query) == 9 and store.count(query.with_(states=False)) == 3


def test_frames_hold_everything_once_while_others_are_asked(store: Store) -> None:
    deliver(store, "building", houses(25))

    sizes = [
        (len(one), store.count(FeatureQuery("building")))
        for one in store.frames(FeatureQuery("building"), rows=10)
    ]

    assert sizes == [(10, 25), (10, 25), (5, 25)]


def test_a_bulk_load_leaves_every_index_in_its_place(store: Store) -> None:
    deliver(store, "building", houses(6_000))
    deliver(store, "building", houses(9_000, usage=["住宅"] * 9_000), "2024-02-01")

    assert store.summary("building").features == 9_000
    assert store.count(FeatureQuery("building", bbox=(618_000.0, 3_886_000.0, 618_100.0, 3_886_001.0))) == 6
    assert store.count(FeatureQuery("building", ids=("building.7",))) == 1
    assert store.count(FeatureQuery("building", view=at("2024-01-15"))) == 6_000


def test_a_bulk_load_whose_parts_share_other_values_keeps_each_row_as_it_came(store: Store) -> None:
    mixed = ["住宅", None] * 3_000
    parts = [
        houses(6_000, usage=["住宅"] * 6_000, storeys=[6] * 6_000),
        houses(6_000, usage=mixed, storeys=[6] * 6_000),
        houses(6_000),
        houses(6_000, usage=["商业's"] * 6_000, storeys=[None] * 6_000),
    ]
    with Draft(Source("big", "big"), CATALOGUE, storage_crs=CRS) as draft:
        for number, part in enumerate(parts):
            draft.add("building", part.set_geometry(part.geometry.translate(0, 50 * number)))
        commit(store, draft.to_changeset(author="a", reason="r"))
    later = houses(1, storeys=[None])
    deliver(store, "building", later.set_geometry(later.geometry.translate(-8_000, 0)), name="later")

    found = store.features(FeatureQuery("building", fields=("usage", "storeys"))).sort_values("fid")

    usage = found["usage"].astype(object).where(found["usage"].notna(), None).tolist()
    assert usage == ["住宅"] * 6_000 + mixed + [None] * 6_000 + ["商业's"] * 6_000 + [None]
    assert found["storeys"].isna().tolist() == [False] * 18_000 + [True] * 6_001


def test_who_asks_while_the_first_features_of_a_layer_come_in_does_not_wait(store: Store) -> None:
    half, answered = threading.Event(), threading.Event()

    def stalled() -> Iterator[tuple[str, bytes]]:
        half.set()
        assert answered.wait(60), "the reader waited for the writer"
        yield "a" * 64, b"a mesh"

    with Draft(Source("big", "big"), CATALOGUE, storage_crs=CRS) as draft:
        draft.add("building", houses(6_000))
        changeset = Changeset(**{**draft.to_changeset(author="a", reason="r").__dict__, "blobs": stalled})
        writer = threading.Thread(target=lambda: commit(store, changeset))
        writer.start()
        assert half.wait(60)
        seen = [len(store.features(FeatureQuery("building"))), store.count(FeatureQuery("building"))]
        seen += [store.summary("building").features, sum(map(len, store.frames(FeatureQuery("building"))))]
        answered.set()
        writer.join()

    assert seen == [0, 0, 0, 0]
    assert store.count(FeatureQuery("building")) == 6_000


def test_two_who_deliver_at_once_do_so_one_after_the_other(
    store: Store, location: str, tmp_path: Path
) -> None:
    stores = [store, open_store(location, CATALOGUE, folder=tmp_path)]
    failed: list[BaseException] = []

    def bring(which: int) -> None:
        try:
            for step in range(4):
                frame = houses(3).translate(0, 1_000 * (which + 1) + 100 * step)
                deliver(stores[which], "building", houses(3).set_geometry(frame), name=f"{which}-{step}")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=bring, args=(which,)) for which in (0, 1)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    lines = stores[1].changesets()
    assert failed == []
    assert [one.number for one in lines] == list(range(8, 0, -1))
    assert len({one.recorded for one in lines}) == 8
    assert all(
        new.previous == old.hash and new.recorded > old.recorded for new, old in itertools.pairwise(lines)
    )
    assert store.summary("building").features == 24
    stores[1].close()
