"""Absent is not empty: what a delivery has no column for stays as it is known, in every layer, and is said."""

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import pytest
import shapely
from surveyed_networks import CRS, Frames, Office, street

from ingest.draft import Draft
from twin_model.audit import verify
from twin_model.changeset import Source, Version
from twin_model.identity import finer_class
from twin_model.rows.attributes import read_attributes
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import parse_instant
from twin_model.versioning import commit
from twin_model.view import View


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


Attributes = Mapping[str, Any]


def attributes_of(
    store: Store, layer: str = "building", *, recorded: int | None = None, day: int | None = None
) -> list[Attributes]:
    view = View(None if day is None else parse_instant(f"2010-01-{1 + day:02d}")[0], recorded)
    frame = store.features(FeatureQuery(layer, view=view, fields=("attributes",)))
    return [read_attributes(text) for text in frame["attributes"]]


def network_with(**attributes: Any) -> Frames:
    return {layer: frame.assign(attributes=[attributes] * len(frame)) for layer, frame in street(3).items()}


def test_an_attribute_that_no_row_of_a_delivery_says_keeps_what_is_known_and_is_named(store: Store) -> None:
    """A key of `attributes` is a column: said by some row it is emptied where a row lacks it, said by none it stays."""
    names = ["a", "b", "c"]
    deliver(store, houses(name=names, attributes=[{"OWNER": "Li", "N": 2**70}, {"OWNER": "Wang", "N": 1}, {"N": 2}]))

    without = [{"N": 2**70}, {"N": 1}, {"N": 2}]
    same = deliver(store, houses(name=names, attributes=without))
    renamed = deliver(store, houses(name=["a", "b", "d"], attributes=[None, {"N": 5}, {"N": 2}]))
    emptied = deliver(store, houses(name=["a", "b", "d"], attributes=[{"OWNER": "Li"}, None, {"OWNER": "Qian"}]))

    assert not same.made and same.touched["building"].kept_columns == ("attributes.OWNER",)
    assert (renamed.touched["building"].updated, renamed.touched["building"].unchanged) == (3, 0)
    assert attributes_of(store, recorded=2) == [{"OWNER": "Li"}, {"OWNER": "Wang", "N": 5}, {"N": 2}]
    assert emptied.touched["building"].kept_columns == ("attributes.N",)
    assert attributes_of(store) == [{"OWNER": "Li"}, {"N": 5}, {"OWNER": "Qian", "N": 2}]
    assert not verify(store).unproved


def test_an_empty_cell_empties_what_a_delivery_without_the_column_has_kept(store: Store) -> None:
    """The row says as little as the last delivery of it did, but now of a column that the delivery has."""
    known = {"storeys": [3, 4, 5], "attributes": [{"OWNER": "Li"}] * 3}
    deliver(store, houses(name=["a", "b", "c"], **known))
    deliver(store, houses(name=["a", "x", "y"]))

    same = deliver(store, houses(name=["a", "x", "y"]))
    emptied = deliver(
        store, houses(name=["a", "x", "y"], storeys=[3, None, 5], attributes=[{"OWNER": "Li"}, None, None])
    )
    again = deliver(store, houses(name=["a", "x", "y"], storeys=[3, None, 5], attributes=[{"OWNER": "Li"}, None, None]))

    assert not same.made and not again.made
    assert (emptied.touched["building"].updated, emptied.touched["building"].unchanged) == (2, 1)
    assert store.features(FeatureQuery("building"))["storeys"].tolist()[::2] == [3, 5]
    assert store.features(FeatureQuery("building"))["storeys"].isna().sum() == 1
    assert attributes_of(store) == [{"OWNER": "Li"}, {}, {}]
    assert not verify(store).unproved


def test_an_attribute_is_emptied_on_purpose(store: Store) -> None:
    known, frame = {"A": 1, "B": 2, "C": 3, "D": 4}, houses(name=["a", "b", "c"])
    deliver(store, houses(name=["a", "b", "c"], attributes=[known] * 3))

    kept = deliver(store, frame)
    emptied = []
    for blank in (("attributes.A",), ("B", "storeys"), ("attributes",)):
        version = deliver(store, frame, blank=blank)
        emptied.append((version.touched["building"].updated, version.touched["building"].kept_columns))
        emptied += attributes_of(store)[:1]

    assert not kept.made and kept.touched["building"].kept_columns == tuple(f"attributes.{name}" for name in known)
    assert emptied == [
        (3, ("attributes.B", "attributes.C", "attributes.D")), {"B": 2, "C": 3, "D": 4},
        (3, ("attributes.C", "attributes.D")), {"C": 3, "D": 4},
        (3, ()), {},
    ]  # fmt: skip
    assert not verify(store).unproved


def test_pipes_keep_an_attribute_that_a_delivery_lacks_on_its_own_day_too(store: Store) -> None:
    """A survey that comes late is compared with what held on its day: there, too, it keeps what it says nothing of."""
    office = Office(store)
    for photo in ("IMG-1", "IMG-2"):
        office.deliver("a.csv", network_with(PHOTO=photo, CREW="A"))

    versions = []
    for day, crew in ((1, "A"), (1, "B"), (3, "A"), (3, "C")):
        office.day = day - 1
        versions.append(office.deliver("a.csv", network_with(CREW=crew)))

    assert [version.made for version in versions] == [False, True, False, True]
    for layer in ("pipe_point", "pipe_line"):
        assert {version.touched[layer].kept_columns for version in versions} == {("attributes.PHOTO",)}
        states = [attributes_of(store, layer, day=day)[0] for day in (1, 2, None)]
        assert states == [
            {"PHOTO": photo, "CREW": crew} for photo, crew in (("IMG-1", "B"), ("IMG-2", "A"), ("IMG-2", "C"))
        ]
    assert not verify(store).unproved


def test_a_late_delivery_that_says_what_is_known_now_changes_its_own_day(store: Store) -> None:
    office = Office(store)
    for office.day, crew in ((0, "A"), (3, "B")):
        office.deliver("a.csv", network_with(CREW=crew))

    office.day = 1
    late, again = (office.deliver("a.csv", network_with(CREW="B")) for _ in range(2))

    assert late.made and not again.made
    crews = [attributes_of(store, "pipe_point", day=day)[0]["CREW"] for day in (1, 2, 3, None)]
    assert crews == ["A", "B", "B", "B"]
    assert not verify(store).unproved


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
