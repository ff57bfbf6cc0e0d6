"""The GeoPackage file itself: R-trees, guards, what GDAL sees of it. What every store does stands in `test_store.py`."""

import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from store_contract import houses

from ingest.draft import Draft
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import StoreError, StoreTooNew
from twin_model.filter import parse_filter
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.geopackage import rtree as gpkg_rtree
from twin_model.store.geopackage.store import GeoPackageStore
from twin_model.temporal import parse_instant
from twin_model.versioning import commit

CRS = "EPSG:4548"
CATALOGUE = read_catalogue()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    kept = GeoPackageStore.create(tmp_path / "store.gpkg", CATALOGUE, CRS)
    yield kept
    kept.close()


def deliver(store: Store, layer: str, frame: gpd.GeoDataFrame) -> None:
    effective = parse_instant("2024-01-01")[0]
    with Draft(Source("test", "test"), CATALOGUE, storage_crs=CRS, effective=effective) as draft:
        draft.add(layer, frame)
        commit(store, draft.to_changeset(author="tester", reason="test"))


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
    bounds = np.column_stack((np.arange(rows), np.arange(rows), np.arange(rows) + 1.0, np.arange(rows) + 1.0)).astype(
        float
    )

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
        with pytest.raises(sqlite3.IntegrityError, match=r"kept by the town.*本图层由城市库维护"):
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
            connection.execute("SELECT column_name, name FROM gpkg_data_columns WHERE table_name = 'building'")
        )
        style = connection.execute("SELECT styleQML FROM layer_styles WHERE f_table_name = 'building'").fetchone()[0]
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


def test_a_newer_store_and_a_stranger_geopackage_are_refused(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(store.url) as connection:
        connection.execute("UPDATE vgpkg_twin_meta SET value = '999' WHERE key = 'format'")
    houses(2).to_file(tmp_path / "other.gpkg", layer="building")

    with pytest.raises(StoreTooNew, match="this program supports up to format"):
        GeoPackageStore(Path(store.url), CATALOGUE)
    with pytest.raises(StoreError, match="not the store of a town"):
        GeoPackageStore(tmp_path / "other.gpkg", CATALOGUE)


@pytest.mark.parametrize(
    "said",
    [
        "it's",
        "'; DROP TABLE building; --",
        "a\x00b",
        "\u200b 二",
        "?1 :name",
        "x" * 300,
        'the "north" house',
        "",
    ],
)
def test_what_a_whole_delivery_says_alike_is_stored_as_it_was_said(said: str, store: Store) -> None:
    frame = houses(6_000).assign(usage=said, storeys=3, height=0.5)
    frame.loc[17, "name"] = None

    deliver(store, "building", frame)

    found = store.features(FeatureQuery("building"))
    assert len(found) == 6_000
    assert set(found["usage"]) == {said.replace("\x00", "").strip() or None}
    assert (set(found["storeys"]), set(found["height"]), found["name"].isna().sum()) == ({3}, {0.5}, 1)


def test_a_delivery_of_one_row_of_which_nothing_is_known_is_stored(store: Store) -> None:
    deliver(store, "building", gpd.GeoDataFrame({"place": ["a"]}, geometry=[None], crs=CRS))

    assert store.summary("building").features == 1


def test_statements_of_long_filters_are_not_kept_and_leave_no_file_open(store: Store) -> None:
    """Five hundred kept statements of long filters held 1.2 GB."""
    deliver(store, "building", houses(3))
    assert isinstance(store, GeoPackageStore)
    short, long = (parse_filter(f"storeys IN ({', '.join(map(str, range(n)))}, 7)") for n in (3, 1_500))

    def open_files() -> int:
        return sum(path.resolve() == Path(store.url).resolve() for path in Path("/proc/self/fd").iterdir())

    answers = [store.rows(FeatureQuery("building", where=each)) for each in (short, long)]
    before = open_files()
    again = [store.rows(FeatureQuery("building", where=long)) for _ in range(5)]

    assert len(answers[0][1]) == 2 and answers[1] == again[-1] and len(answers[1][1]) == 3
    assert open_files() == before
    first, second, longer = (
        store._connection_for(letter * number) for letter, number in (("x", 4_000), ("y", 4_000), ("z", 5_000))
    )
    assert first is second is not longer


def test_a_file_of_an_earlier_program_gains_the_lists_of_rows_without_place(store: Store) -> None:
    deliver(store, "building", houses(3))
    store.close()
    with sqlite3.connect(store.url) as connection:
        for name in ("building_unplaced", "vgpkg_history_building_unplaced"):
            connection.execute(f"DROP INDEX {name}")
    connection.close()

    GeoPackageStore(Path(store.url), CATALOGUE).close()

    with sqlite3.connect(store.url) as connection:
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT fid FROM building WHERE geom IS NULL").fetchall()
    connection.close()
    assert "building_unplaced" in str(plan)
