"""Pages in the order of a field: the same with an index as without, in whatever direction, and none is read but the page."""

from typing import Any

import numpy as np
import pytest
from many_versions import deliver_buildings
from store_contract import CATALOGUE, deliver, houses

from twin_model.filter import parse_filter
from twin_model.store.base import FeatureQuery, SortKey, Store
from twin_model.store.geopackage.schema import has_sort_index
from twin_model.store.geopackage.store import GeoPackageStore
from twin_model.store.select import wanted_sort_index
from twin_model.store.sort_index import SortIndex
from twin_model.view import NOW

ORDERS = [SortKey(name, up) for name in ("storeys", "name", "height", "valid_from") for up in (True, False)]


def pages(store: Store, key: SortKey, limit: int = 13) -> list[tuple[Any, int]]:
    """Return value and fid of all rows, read page by page."""
    listed: list[tuple[Any, int]] = []
    while True:
        after = listed[-1] if listed else None
        query = FeatureQuery("building", sort=(key,), limit=limit, after=after, geometry=False)
        columns, rows = store.rows(query)
        at = columns.index(key.name), columns.index("fid")
        listed += [(row[at[0]], row[at[1]]) for row in rows]
        if len(rows) < limit:
            return listed


def test_pages_by_an_index_are_those_without_one(store: Store) -> None:
    rng = np.random.default_rng(3)
    names = np.array(["", "甲", "乙" * 20, "long" * 500, None, "a", "A"], dtype=object)[rng.integers(0, 7, 60)]
    storeys = np.array([None, 1, 2, 3, -5, 10**6], dtype=object)[rng.integers(0, 6, 60)]
    heights = np.array([None, 3.25, -0.0, 1e300, 12.0], dtype=object)[rng.integers(0, 5, 60)]
    deliver(store, "building", houses(60, name=names, storeys=storeys, height=heights))
    without = {key: pages(store, key) for key in ORDERS}
    made = store.keep_sort_indexes()

    for key in ORDERS:
        made.want(SortIndex("building", key.name, key.ascending))
    made.wait()
    by_index = {key: pages(store, key) for key in ORDERS}

    assert by_index == without
    assert all(len(listed) == 60 for listed in by_index.values())


def test_the_first_question_of_a_large_layer_has_an_index_made(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("geopackage", "postgis"):
        monkeypatch.setattr(f"twin_model.store.{module}.store.FEWEST_FEATURES", 30)
    deliver(store, "building", houses(30))
    query = FeatureQuery("building", sort=(SortKey("storeys", False),), limit=3)
    index = wanted_sort_index(CATALOGUE["building"], query)
    assert index == SortIndex("building", "storeys", ascending=False)

    store.rows(query)
    assert not is_made(store, index)
    store.keep_sort_indexes()
    store.rows(query)
    store.keep_sort_indexes().wait()

    assert is_made(store, index)
    where = parse_filter("storeys = 3")
    assert [wanted_sort_index(CATALOGUE["building"], query.with_(where=where)), wanted_sort_index(CATALOGUE["building"], query.with_(limit=None))] == [None, None]  # fmt: skip
    assert wanted_sort_index(CATALOGUE["building"], query.with_(view=NOW, sort=(SortKey("id"),))) is None


def is_made(store: Store, index: SortIndex) -> bool:
    if isinstance(store, GeoPackageStore):
        store.version()  # a connection notices with its next statement that others have changed the schema
        return has_sort_index(store._connection(), index)
    return bool(
        store._all("SELECT 1 FROM pg_indexes WHERE indexname = %s AND schemaname = current_schema()", index.name)
    )  # type: ignore[attr-defined]


@pytest.mark.parametrize("location", ["geopackage"], indirect=True)
def test_a_sorted_page_takes_no_more_steps_in_a_large_layer(store: GeoPackageStore) -> None:
    queries = [FeatureQuery("building", sort=(key,), limit=5, geometry=False) for key in ORDERS[:4]]
    queries += [query.with_(after=(4, 5)) for query in queries[:2]]

    def steps() -> list[int]:
        counted = []
        for query in queries:
            store.rows(query)
            taken = [0]
            store._connection().set_progress_handler(lambda taken=taken: taken.__setitem__(0, taken[0] + 1) or 0, 1)
            store.rows(query)
            counted.append(taken[0])
        return counted

    deliver_buildings(store, 200)
    for query in queries:
        store.keep_sort_indexes().want(SortIndex("building", query.sort[0].name, query.sort[0].ascending))
    store.keep_sort_indexes().wait()
    few = steps()
    far = houses(2_000)
    deliver(store, "building", far.set_geometry(far.translate(20_000)), "2024-06-01")
    many = steps()

    assert [taken for taken, before in zip(many, few, strict=True) if taken > 1.2 * before] == []


@pytest.mark.parametrize("location", ["geopackage"], indirect=True)
def test_a_filter_is_not_answered_by_a_sort_index(store: GeoPackageStore) -> None:
    """SQLite would take it for the best way to find five storeys, though a box chooses fewer."""
    deliver(store, "building", houses(30))
    store.keep_sort_indexes().want(SortIndex("building", "storeys", ascending=True))
    store.keep_sort_indexes().wait()
    text = "SELECT fid FROM building m WHERE storeys = 5 AND fid IN (SELECT id FROM rtree_building_geom WHERE minx < 618100)"

    (plan, *more) = [row[3] for row in store._connection().execute(f"EXPLAIN QUERY PLAN {text}")]

    assert "sorted_" not in plan + " ".join(more)
