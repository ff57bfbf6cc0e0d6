"""Current rows that new ones follow at once: which they are, what becomes of the former ones, and that a batch of them
leaves the same town as the same features brought one by one."""

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import Changeset, Delivered, Scope
from twin_model.editing import rows_of
from twin_model.history import verify
from twin_model.store import layer_writer
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.copying import tables_of
from twin_model.store.geopackage import rtree
from twin_model.store.geopackage.store import GeoPackageStore
from twin_model.store.opening import create_store
from twin_model.store.succession import Succession, followed_at_once, of_places
from twin_model.temporal import parse_instant
from twin_model.versioning import commit
from twin_model.view import View

CRS, LAYER = "EPSG:4548", "building"
CATALOGUE = Catalogue({one.id: one for one in read_catalogue() if one.id == LAYER})
DAYS = [parse_instant(f"20{year}-01-01")[0] for year in range(10, 20)]


def test_a_row_is_followed_at_once_only_where_nothing_else_of_its_timeline_is_concerned() -> None:
    plain = {"valid_from": DAYS[0], "valid_to": None, "version_from": 1}
    rows = {
        "plain": (plain, DAYS[2]),
        "of this version": (plain | {"version_from": 2}, DAYS[2]),
        "with an end": (plain | {"valid_to": DAYS[4]}, DAYS[2]),
        "begun later": (plain | {"valid_from": DAYS[3]}, DAYS[2]),
        "begun then": (plain | {"valid_from": DAYS[2]}, DAYS[2]),
        "planned": (plain, DAYS[9]),
    }
    before = {name: [row[name] for row, _ in rows.values()] for name in plain}

    followed = followed_at_once(before, [since for _, since in rows.values()], 2, DAYS[5])

    assert dict(zip(rows, followed.tolist(), strict=True)) == {
        "plain": True,
        "of this version": False,
        "with an end": False,
        "begun later": False,
        "begun then": True,
        "planned": False,
    }


def test_former_rows_stay_believed_until_the_new_state_where_they_were_true_for_a_while() -> None:
    before = {"fid": [1, 2, 3], "valid_from": [DAYS[0], DAYS[2], DAYS[1]], "valid_to": [None] * 3, "geom": [b"a", b"b", None],
              "version_from": [1, 1, 1]}  # fmt: skip
    after = before | {"valid_from": [DAYS[2]] * 3, "geom": [b"a", b"c", b"d"], "version_from": [2, 2, 2]}

    both = Succession(before, after)

    assert both.outlived == [True, False, True]
    assert both.ending(2) == {"fid": [1, 3], "valid_from": [DAYS[0], DAYS[1]], "valid_to": [DAYS[2], DAYS[2]],
                              "geom": [b"a", None], "version_from": [2, 2]}  # fmt: skip
    assert both.differing(("fid", "geom", "valid_to", "valid_from")) == ["geom", "valid_from"]
    assert both.moved == [1, 2]
    assert of_places(before, [2])["fid"] == [3]


def houses(count: int, *, height: float, east: float = 0.0) -> gpd.GeoDataFrame:
    number = np.arange(count)
    x, y = 618_000.0 + 30.0 * (number % 20) + east, 3_886_000.0 + 30.0 * (number // 20)
    names = [f"{n}号楼" for n in number]
    return gpd.GeoDataFrame({"name": names, "height": height + number}, geometry=shapely.box(x, y, x + 12, y + 9), crs=CRS)  # fmt: skip


def deliver(store: Store, frame: gpd.GeoDataFrame, day: str, *, own_day: str | None = None) -> None:
    rows = rows_of(store.catalogue[LAYER], frame.reset_index(drop=True), CRS)
    if own_day is not None:
        days = np.array([None if n % 3 else own_day for n in range(len(rows))], dtype=object)
        rows = replace(rows, valid_from=days)
    parts = [rows.take(half) for half in np.array_split(np.arange(len(rows)), 2)]
    delivered = tuple(Delivered.of(LAYER, part) for part in parts)
    commit(store, Changeset("office", "again", day, delivered, scope=Scope("layer", "s"), accept_removals=True))


def edit(store: Store, day: str, **values: float) -> None:
    frame = store.features(FeatureQuery(LAYER))[["geometry"]].assign(**values)
    rows = rows_of(store.catalogue[LAYER], frame, CRS)
    commit(store, Changeset("planner", "edit", day, (Delivered.of(LAYER, rows),), edit=True))


def live_through(store: Store, count: int) -> None:
    """Bring a town with every value changed, moved, in another order, late, planned, edited in one column alone, and twice
    on one day."""
    deliver(store, houses(count, height=3.0), DAYS[0])
    deliver(store, houses(count, height=4.0), DAYS[2])
    deliver(store, houses(count, height=5.0, east=0.01).sample(frac=1, random_state=1), DAYS[3], own_day=DAYS[1])
    deliver(store, houses(count, height=6.0), DAYS[1])
    edit(store, DAYS[5], height=7.0)
    deliver(store, houses(count, height=7.5), DAYS[5])
    deliver(store, houses(count, height=8.0), parse_instant("2040-01-01")[0])
    deliver(store, houses(count, height=9.0, east=0.5).iloc[: count // 2], DAYS[6])
    verify(store)


def held(store: Store) -> dict[str, list[str]]:
    """Everything a store holds but when it was recorded, and the hashes that follow from that."""
    skipped = {"changeset": (1, 10, 11), "layer": ()}
    return {
        table: sorted(
            repr(
                [
                    bytes(v) if isinstance(v, memoryview) else v
                    for n, v in enumerate(row)
                    if n not in skipped.get(table, ())
                ]
            )
            for batch in store.dump(table)
            for row in batch
        )
        for table in tables_of(store.catalogue)
    }


def test_rows_that_follow_at_once_leave_the_same_town_as_timelines_thought_one_by_one(
    location: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "other.gpkg" if location == "store.gpkg" else request.getfixturevalue("postgis_server").url("thought")
    stores = [create_store(url, CATALOGUE, CRS, folder=tmp_path) for url in (location, other)]

    live_through(stores[0], 60)
    monkeypatch.setattr(
        layer_writer, "followed_at_once", lambda before, *rest: np.zeros(len(before["fid"]), dtype=bool)
    )
    live_through(stores[1], 60)

    quick, thought = (held(store) for store in stores)
    assert {table for table in quick if quick[table] != thought[table]} == set()
    assert len(quick[f"history:{LAYER}"]) > 500
    for store in stores:
        store.close()


def test_boxes_of_many_rows_are_those_of_their_geometries_now_and_in_the_past(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtree, "_WORTH_PACKING", 50)
    store = create_store("store.gpkg", CATALOGUE, CRS, folder=tmp_path)
    assert isinstance(store, GeoPackageStore)

    live_through(store, 200)

    connection = store._connection()
    for tree, table, key in (
        (f"rtree_{LAYER}_geom", LAYER, "fid"),
        (f"rtree_history_{LAYER}", f"vgpkg_history_{LAYER}", "row"),
    ):
        assert connection.execute("SELECT rtreecheck(?)", (tree,)).fetchone() == ("ok",)
        boxes = connection.execute(f'SELECT r.id, r.minx, r.maxx, r.miny, r.maxy, substr(m.geom, 9, 32) FROM "{tree}" r '
                                   f'JOIN "{table}" m ON m.{key} = r.id').fetchall()  # fmt: skip
        assert len(boxes) == connection.execute(f'SELECT count(*) FROM "{tree}"').fetchone()[0]
        assert len(boxes) == connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] > 0
        exact = np.array([np.frombuffer(row[5], "<f8") for row in boxes])
        np.testing.assert_allclose(np.array([row[1:5] for row in boxes]), exact, atol=1.0)
    assert store.count(FeatureQuery(LAYER, View(DAYS[2]), bbox=(618_000.0, 3_886_000.0, 618_001.0, 3_886_001.0))) == 1
    store.close()
