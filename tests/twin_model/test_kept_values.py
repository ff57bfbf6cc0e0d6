"""Absent is not empty: what a delivery has no column for stays as it is known, in every layer, and is said."""

from typing import Any

import geopandas as gpd
import pytest
import shapely
from surveyed_networks import CRS, Office, street

from ingest.draft import Draft
from twin_model.audit import verify
from twin_model.changeset import Source, Version
from twin_model.identity import finer_class
from twin_model.store.base import FeatureQuery, Store
from twin_model.versioning import commit


def houses(**columns: Any) -> gpd.GeoDataFrame:
    boxes = [shapely.box(x, 0, x + 12, 9) for x in (618_000, 618_020, 618_040)]
    return gpd.GeoDataFrame(columns, geometry=boxes, crs=CRS).set_geometry(
        gpd.GeoSeries(boxes, crs=CRS).translate(0, 3_886_000)
    )


def deliver(store: Store, frame: gpd.GeoDataFrame, blank: tuple[str, ...] = ()) -> Version:
    with Draft(Source("houses.shp", f"houses {store.version()} {blank}"), store.catalogue, storage_crs=CRS) as draft:
        draft.add("building", frame)
        return commit(store, draft.to_changeset(author="office", reason="test", blank=blank))


@pytest.mark.parametrize("lacking", [{}, {"storeys": [None] * 3}], ids=["no column", "an empty column"])
def test_a_column_that_a_delivery_lacks_keeps_what_is_known_and_is_named(store: Store, lacking: dict[str, Any]) -> None:
    deliver(store, houses(name=["a", "b", "c"], storeys=[3, 4, None]))

    same = deliver(store, houses(name=["a", "b", "c"], **lacking))
    renamed = deliver(store, houses(name=["a", "b", "d"], **lacking))

    assert not same.made
    assert same.touched["building"].kept_columns == ("storeys",)
    assert (renamed.touched["building"].updated, renamed.touched["building"].unchanged) == (1, 2)
    known = store.features(FeatureQuery("building")).set_index("name")["storeys"]
    assert known.to_dict() == {"a": 3, "b": 4, "d": None} or known["d"] != known["d"]
    assert not verify(store).unproved


def test_a_column_that_is_meant_to_be_empty_is_emptied_though_nothing_else_differs(store: Store) -> None:
    deliver(store, houses(name=["a", "b", "c"], storeys=[3, 4, 5]))
    frame = houses(name=["a", "b", "c"])
    deliver(store, frame)

    version = deliver(store, frame, blank=("storeys", "note"))

    assert version.touched["building"].updated == 3
    assert store.features(FeatureQuery("building"))["storeys"].isna().all()


def test_a_cell_that_is_empty_in_a_column_that_is_not_is_emptied(store: Store) -> None:
    deliver(store, houses(name=["a", "b", "c"], storeys=[3, 4, 5]))

    version = deliver(store, houses(name=["a", "b", "c"], storeys=[3, None, 5]))

    assert version.touched["building"].updated == 1
    assert store.features(FeatureQuery("building"))["storeys"].isna().sum() == 1


def test_a_finer_class_is_taken_over_and_a_coarser_one_does_not_coarsen(store: Store) -> None:
    office = Office(store)
    for subclass, expected in ((None, {None}), ("TR", {"TR"}), (None, {"TR"})):
        version = office.deliver("a.csv", street(4, subclass=subclass))
        found = store.features(FeatureQuery("pipe_line"))["subclass"]
        assert {value if isinstance(value, str) else None for value in found} == expected
    assert not version.made
    assert not verify(store).unproved


def test_the_class_that_a_feature_has_is_the_finer_one_unless_they_contradict() -> None:
    known = ("RQ", "TR")

    assert [finer_class(known, key) for key in (("RQ", None), (None, None), ("RL", None), ("RQ", "MQ"))] == [
        known,
        known,
        ("RL", None),
        ("RQ", "MQ"),
    ]
