"""One contract for every store: what is put in comes out, now and as of then; many readers beside one writer."""

import sqlite3
import subprocess
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
from twin_model.errors import AccessRefused, LayerNotFound, StoreError, StoreTooNew
from twin_model.filter import parse_filter
from twin_model.finding import Finding
from twin_model.store import gpkg_rtree
from twin_model.store.base import FeatureQuery, SortKey, Store
from twin_model.store.geopackage import GeoPackageStore
from twin_model.temporal import Interval, parse_instant
from twin_model.versioning import commit
from twin_model.view import Policy, View

CRS = "EPSG:4548"
CATALOGUE = read_catalogue()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    kept = GeoPackageStore.create(tmp_path / "store.gpkg", CATALOGUE, CRS)
    yield kept
    kept.close()


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


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_queries_equal_a_search_row_by_row(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    store = _shared_store(tmp_path_factory)
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


_STORES: dict[str, Store] = {}


def _shared_store(factory: pytest.TempPathFactory) -> Store:
    if "one" not in _STORES:
        _STORES["one"] = GeoPackageStore.create(factory.mktemp("shared") / "store.gpkg", CATALOGUE, CRS)
        deliver(_STORES["one"], "building", houses(100))
    return _STORES["one"]


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


def test_a_packed_rtree_is_sound_and_finds_what_sqlite_would(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    low = rng.uniform(0, 4e7, (20_000, 2))
    bounds = np.hstack((low, low + rng.uniform(0, 500, (20_000, 2))))
    connection = sqlite3.connect(tmp_path / "r.db")
    for table in ("packed", "plain"):
        connection.execute(f"CREATE VIRTUAL TABLE {table} USING rtree(id, minx, maxx, miny, maxy)")

    gpkg_rtree.fill(connection, "packed", np.arange(20_000), bounds)
    connection.executemany(
        "INSERT INTO plain VALUES (?,?,?,?,?)",
        zip(range(20_000), *bounds[:, [0, 2, 1, 3]].T.tolist(), strict=True),
    )

    assert connection.execute("SELECT rtreecheck('packed')").fetchone() == ("ok",)
    question = "SELECT id FROM {} WHERE minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ? ORDER BY id"
    for x, y, side in ((1e7, 1e7, 1e6), (3e7, 2e7, 5e5), (0, 0, 4e7), (2e7, 3e7, 1e3)):
        box = (x + side, x, y + side, y)
        assert (
            connection.execute(question.format("packed"), box).fetchall()
            == connection.execute(question.format("plain"), box).fetchall()
        )
    connection.execute("DELETE FROM packed WHERE id < 100")
    connection.execute("INSERT INTO packed VALUES (50, 1, 2, 1, 2)")
    assert connection.execute("SELECT rtreecheck('packed')").fetchone() == ("ok",)


@pytest.mark.parametrize("rows", [1, 50, 51, 52, 1_999, 2_000, 2_652, 2_653])
def test_trees_of_every_size_are_sound(tmp_path: Path, rows: int) -> None:
    connection = sqlite3.connect(tmp_path / "r.db")
    connection.execute("CREATE VIRTUAL TABLE r USING rtree(id, minx, maxx, miny, maxy)")
    bounds = np.column_stack(
        (np.arange(rows), np.arange(rows), np.arange(rows) + 1.0, np.arange(rows) + 1.0)
    ).astype(float)

    gpkg_rtree.fill(connection, "r", np.arange(1, rows + 1), bounds)

    assert connection.execute("SELECT rtreecheck('r')").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM r").fetchone() == (rows,)


def test_a_write_from_outside_is_refused_with_a_sentence_in_both_languages(store: Store) -> None:
    deliver(store, "building", houses(3))
    stranger = sqlite3.connect(store.url)

    for statement in (
        "UPDATE building SET name = 'x'",
        "DELETE FROM building",
        "INSERT INTO building (id, valid_from, version_from) VALUES ('x', '2020', 1)",
    ):
        with pytest.raises(sqlite3.IntegrityError, match=r"kept by the town.*本图层由城镇服务维护"):
            stranger.execute(statement)


def test_gdal_lists_catalogue_layers_only_with_their_titles(store: Store, ogrinfo: str) -> None:
    deliver(store, "building", houses(3))

    listed = subprocess.run([ogrinfo, "-ro", store.url], capture_output=True, text=True, check=True).stdout
    detail = subprocess.run(
        [ogrinfo, "-ro", "-so", store.url, "building"], capture_output=True, text=True, check=True
    ).stdout

    names = {line.split(": ")[1].split(" (")[0] for line in listed.splitlines() if line[:1].isdigit()}
    assert names - {"layer_styles"} == {layer.id for layer in CATALOGUE if layer.kind == "feature"}
    assert "Feature Count: 3" in detail and "建筑物" in detail
    with sqlite3.connect(store.url) as connection:
        aliases = dict(
            connection.execute(
                "SELECT column_name, name FROM gpkg_data_columns WHERE table_name = 'building'"
            )
        )
        style = connection.execute(
            "SELECT styleQML FROM layer_styles WHERE f_table_name = 'building'"
        ).fetchone()[0]
    assert aliases["storeys"] == "地上层数" and 'name="地上层数"' in style
    assert "Multi Polygon" in detail and "CGCS2000 / 3-degree Gauss-Kruger CM 117E" in detail


def test_gdal_reads_the_same_features_through_the_spatial_index(store: Store, ogrinfo: str) -> None:
    deliver(store, "building", houses(3_000))

    command = [
        ogrinfo,
        "-ro",
        "-so",
        "-al",
        "-spat",
        "618000",
        "3886000",
        "618100",
        "3886005",
        store.url,
        "building",
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert (
        f"Feature Count: {store.count(FeatureQuery('building', bbox=(618000.0, 3886000.0, 618100.0, 3886005.0)))}"
        in told
    )


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


def test_a_newer_store_and_a_stranger_geopackage_are_refused(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(store.url) as connection:
        connection.execute("UPDATE vgpkg_twin_meta SET value = '999' WHERE key = 'format'")
    houses(2).to_file(tmp_path / "other.gpkg", layer="building")

    with pytest.raises(StoreTooNew, match="written by a newer program"):
        GeoPackageStore(Path(store.url), CATALOGUE)
    with pytest.raises(StoreError, match="not the store of a town"):
        GeoPackageStore(tmp_path / "other.gpkg", CATALOGUE)


def test_a_layer_and_a_field_added_to_the_catalogue_appear_in_an_old_store(
    tmp_path: Path, store: Store
) -> None:
    deliver(store, "building", houses(2))
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "own.toml").write_text(
        '[building.fields]\nowner = { zh = "业主", en = "Owner" }\n[hydrant]\ngeometry = "Point"\n[hydrant.fields]\nname = {}\n',
        "utf-8",
    )

    grown = GeoPackageStore(Path(store.url), read_catalogue(folder))

    assert "owner" in grown.features(FeatureQuery("building"))
    assert grown.summary("hydrant").features == 0
