"""A town with its whole history moves from one kind of store to the other and back, and is the same afterwards."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import psycopg
import pytest
import shapely

from ingest.draft import Draft
from twin_model.audit import verify
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Changeset, Source
from twin_model.errors import StoreError
from twin_model.finding import Finding
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.copying import compare, copy_store, tables_of
from twin_model.store.opening import copy_target, create_store, open_store
from twin_model.temporal import parse_instant
from twin_model.versioning import commit
from twin_model.view import View

CRS = "EPSG:4548"
CATALOGUE = read_catalogue().of_kind("feature")


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Store]:
    """A GeoPackage store with three versions of houses, pipes of two surveys, what is planned, a finding, a blob."""
    store = create_store("first.gpkg", CATALOGUE, CRS, folder=tmp_path)
    deliver(store, "building", houses(60), "2020-01-01")
    deliver(store, "building", houses(60, usage=["住宅"] * 30 + [None] * 30), "2022-05-01")
    deliver(store, "pipe_point", manholes("甲"), "2020-01-01", blobs=[("d" * 64, b"\x00\xff" * 500)])
    deliver(store, "pipe_point", manholes("丙"), "2099-01-01")
    deliver(store, "pipe_point", manholes("乙"), "2021-01-01")
    ended = store.features(FeatureQuery("building", limit=2)).index
    commit(store, Changeset("甲", "拆除", parse_instant("2023-01-01")[0], terminated={"building": tuple(ended)}))
    yield store
    store.close()


def deliver(store: Store, layer: str, frame: gpd.GeoDataFrame, effective: str, **more: Any) -> None:
    source = Source(f"{layer}.shp", f"{layer}-{effective}-{store.version()}")
    with Draft(source, CATALOGUE, storage_crs=CRS, effective=parse_instant(effective)[0]) as draft:
        draft.add(layer, frame)
        draft.set_aside(Finding("identity.duplicate", "error", layer=layer, place="第 7 行", point=(618_000.3, 3_886_000.7), values={"id": "P1"}, raw={"点号": "P1"}))  # fmt: skip
        changeset = draft.to_changeset(author="测量员", reason="测试")
        commit(store, Changeset(**{**changeset.__dict__, "blobs": lambda: more.get("blobs", [])}))


def houses(count: int, **columns: Any) -> gpd.GeoDataFrame:
    x = 618_000.123 + 20.0 * (np.arange(count) % 1000)
    content = {
        "name": [f"{n}号楼" for n in range(count)],
        "height": [None if n % 3 else n / 7 for n in range(count)],
        "built": [None if n % 2 else f"{1990 + n % 9}" for n in range(count)],
    } | columns
    content = {name: values for name, values in content.items() if CATALOGUE["building"].field_of(name)}
    y = 3_886_000.456 + 20.0 * (np.arange(count) // 1000)
    return gpd.GeoDataFrame(content, geometry=shapely.box(x, y, x + 12, y + 10.333), crs=CRS)


def manholes(owner: str) -> gpd.GeoDataFrame:
    points = shapely.points(618_000 + 30.0 * np.arange(5), 3_886_000.0, 65.25)
    return gpd.GeoDataFrame(
        {"survey_no": [f"JS{n}" for n in range(5)], "class": "JS", "owner": owner}, geometry=points, crs=CRS
    )


def test_a_town_goes_to_postgis_and_back_and_stays_the_same(first: Store, postgis_url: str, tmp_path: Path) -> None:
    server = create_store(postgis_url, CATALOGUE, CRS, folder=tmp_path)
    second = create_store("second.gpkg", CATALOGUE, CRS, folder=tmp_path)
    heard: list[str] = []

    there = copy_store(first, server, lambda table, rows: heard.append(table))
    back = copy_store(server, second)

    assert there == back == compare(first, second)
    assert there.rows["changeset"] == first.version() and there.rows["history:building"] > 60
    assert there.rows["blob"] == 1 and there.rows["finding" if "finding" in there.rows else "now:finding"] > 0
    assert there.looks > 0 and set(heard) <= set(tables_of(CATALOGUE))
    for store in (server, second):
        assert store.blob("d" * 64) == b"\x00\xff" * 500
        assert [one.hash for one in store.changesets()] == [one.hash for one in first.changesets()]
        store.close()


def test_work_goes_on_in_the_copy_as_it_would_have_in_the_town(first: Store, postgis_url: str, tmp_path: Path) -> None:
    server = create_store(postgis_url, CATALOGUE, CRS, folder=tmp_path)
    copy_store(first, server)

    for store in (first, server):
        deliver(store, "building", houses(70, usage=["商业"] * 70), "2024-06-01")

    views = [
        View(),
        View(parse_instant("2022-06-01")[0]),
        View(recorded=2),
        View(parse_instant("2021-06-01")[0], 1),
    ]
    for view in views:
        query = FeatureQuery("building", view=view)
        ours, theirs = first.features(query), server.features(query)
        assert ours.drop(columns="geometry").equals(theirs.drop(columns="geometry"))
        assert ours.geometry.geom_equals_exact(theirs.geometry, 0.0).all()
    assert [one.counts for one in first.changesets()] == [one.counts for one in server.changesets()]
    assert first.summary("building") == server.summary("building")
    server.close()


def test_a_row_that_differs_is_found(first: Store, postgis_url: str, tmp_path: Path) -> None:
    server = create_store(postgis_url, CATALOGUE, CRS, folder=tmp_path)
    copy_store(first, server)
    address, _, schema = postgis_url.partition("&schema=")
    with psycopg.connect(address) as stranger:
        stranger.execute("SET LOCAL twin.writer = 'yes'")
        stranger.execute(f"UPDATE {schema}.twin_history_building SET name = '假' WHERE fid = 3")

    with pytest.raises(StoreError, match=r"differs from the town: history:building has"):
        compare(first, server)
    server.close()


def test_a_store_that_holds_something_is_not_copied_into(first: Store, postgis_url: str, tmp_path: Path) -> None:
    server = create_store(postgis_url, CATALOGUE, CRS, folder=tmp_path)
    deliver(server, "building", houses(1), "2020-01-01")

    with pytest.raises(StoreError, match=r"already holds a town \(version 1\)"):
        copy_store(first, server)
    assert server.version() == 1
    server.close()


def test_a_copy_that_is_cancelled_leaves_the_target_empty(first: Store, postgis_url: str, tmp_path: Path) -> None:
    server = create_store(postgis_url, CATALOGUE, CRS, folder=tmp_path)

    def cancel(table: str, rows: int) -> None:
        if table == "now:building":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(first, server, cancel)

    assert server.version() == 0 and server.summary("building").features == 0
    copy_store(first, server)
    server.close()


def test_a_copy_that_was_killed_is_no_town_and_is_begun_anew(first: Store, location: str, tmp_path: Path) -> None:
    target = "second.gpkg" if location == "store.gpkg" else location
    for stage in ("made", "loaded"):
        killed = copy_target(target, CATALOGUE, CRS, folder=tmp_path)
        if stage == "loaded":
            killed.load((table, first.dump(table)) for table in tables_of(CATALOGUE))
        killed.close()
        with pytest.raises(StoreError, match="stopped before it was proved"):
            open_store(target, CATALOGUE, folder=tmp_path)

    made = copy_target(target, CATALOGUE, CRS, folder=tmp_path)
    assert copy_store(first, made).rows["changeset"] == first.version()
    made.close()

    again = open_store(target, CATALOGUE, folder=tmp_path)
    assert {damage.rule for damage in verify(again).damages} == {"audit.blob_differs"}, (
        "the blob of the town has a name that is none"
    )
    assert compare(first, again).rows
    again.close()
    with pytest.raises(StoreError):
        copy_target(target, CATALOGUE, CRS, folder=tmp_path)
