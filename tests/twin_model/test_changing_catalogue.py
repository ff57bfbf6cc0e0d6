"""A catalogue changes while a town lives: fields come, go and move, and neither the past nor its proof suffers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from store_contract import CATALOGUE, deliver, houses

from twin_model import init_town, open_town
from twin_model.audit import verify
from twin_model.catalogue import Catalogue
from twin_model.errors import CatalogueError, ChainBroken, StoreError
from twin_model.layer import Field, Layer, Text
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.geopackage.store import GeoPackageStore
from twin_model.view import View

HERITAGE = Field("heritage", "string", Text("历史建筑", "Heritage"))


def with_fields(change: Callable[[tuple[Field, ...]], tuple[Field, ...]]) -> Catalogue:
    building = CATALOGUE["building"]
    changed: dict[str, Layer] = {
        **CATALOGUE.layers,
        "building": replace(building, fields=change(building.fields)),
    }
    return Catalogue(changed)


def without(fields: tuple[Field, ...], name: str) -> tuple[Field, ...]:
    return tuple(field for field in fields if field.name != name)


@pytest.mark.parametrize("change", ["gained", "moved", "dropped", "renamed"])
def test_a_catalogue_may_change_and_the_history_stays_proved(store: Store, change: str) -> None:
    deliver(store, "building", houses(20))
    changes: dict[str, Callable[[tuple[Field, ...]], tuple[Field, ...]]] = {
        "gained": lambda fields: (HERITAGE, *fields),
        "moved": lambda fields: fields[::-1],
        "dropped": lambda fields: without(fields, "storeys"),
        "renamed": lambda fields: (
            *without(fields, "storeys"),
            replace(HERITAGE, name="floors", type="integer"),
        ),
    }
    store.extend(with_fields(changes[change]))

    audit = verify(store)
    again = deliver(store, "building", houses(20))
    changed = deliver(store, "building", houses(20, name=["甲", *(f"{n}号楼" for n in range(1, 20))]), "2025-01-01")

    assert audit.changesets == 1
    assert not again.made, "what was delivered before is no change"
    assert (changed.touched["building"].updated, changed.touched["building"].unchanged) == (1, 19)
    assert verify(store).changesets == 2


def test_a_dropped_field_keeps_its_past_and_has_its_values_again_when_it_returns(store: Store) -> None:
    deliver(store, "building", houses(3))
    store.extend(with_fields(lambda fields: without(fields, "storeys")))
    deliver(store, "building", houses(3, name=["甲", "1号楼", "2号楼"]), "2025-01-01")
    gone = store.features(FeatureQuery("building"))

    store.extend(CATALOGUE)

    past = store.features(FeatureQuery("building", view=View(recorded=1)))
    now = store.features(FeatureQuery("building"))
    assert "storeys" not in gone.columns
    assert past["storeys"].tolist() == [1, 2, 3]
    assert now["storeys"].tolist()[1:] == [2, 3] and now["name"].tolist()[0] == "甲"
    assert verify(store).changesets == 2


def test_another_tolerance_changes_neither_proof_nor_what_is_no_change(store: Store) -> None:
    deliver(store, "building", houses(3))
    building = replace(CATALOGUE["building"], tolerance=0.01)

    store.extend(Catalogue({**CATALOGUE.layers, "building": building}))

    assert store.catalogue["building"].tolerance == CATALOGUE["building"].tolerance
    assert verify(store).changesets == 1


@pytest.mark.parametrize("change", ["field", "geometry", "heights", "none"])
def test_a_type_that_is_not_that_of_what_is_stored_is_refused_and_nothing_changes(store: Store, change: str) -> None:
    deliver(store, "building", houses(3))
    building = CATALOGUE["building"]
    retyped = tuple(replace(field, type="string") if field.name == "storeys" else field for field in building.fields)
    changed = {
        "field": replace(building, fields=retyped),
        "geometry": replace(building, geometry="Point"),
        "heights": replace(building, geometry="MultiPolygonZ"),
        "none": replace(building, geometry="None"),
    }[change]

    with pytest.raises(CatalogueError, match=r"building.*the store holds.*take the change back"):
        store.extend(Catalogue({**CATALOGUE.layers, "building": changed}))

    assert store.features(FeatureQuery("building"))["storeys"].tolist() == [1, 2, 3]


def test_whole_numbers_may_be_described_as_numbers_and_an_unused_field_as_anything(store: Store) -> None:
    deliver(store, "building", houses(3))
    kinds: dict[str, Any] = {"storeys": "number", "address": "integer"}
    fields = tuple(replace(each, type=kinds.get(each.name, each.type)) for each in CATALOGUE["building"].fields)

    store.extend(Catalogue({**CATALOGUE.layers, "building": replace(CATALOGUE["building"], fields=fields)}))

    found = store.features(FeatureQuery("building"))
    assert found["storeys"].tolist() == [1.0, 2.0, 3.0] and str(found["storeys"].dtype) == "float64"
    assert str(found["address"].dtype) == "Int64" and verify(store).changesets == 1


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE {history} SET valid_from = '2019-01-01T00:00:00.000Z'",
        "UPDATE {history} SET valid_to = NULL WHERE version_to IS NULL",
        "UPDATE {history} SET storeys = 99 WHERE version_to IS NULL",
        "UPDATE {history} SET version_to = NULL",
        "DELETE FROM {history} WHERE version_to IS NOT NULL",
        "UPDATE building SET id = 'building.99' WHERE fid = 2",
        "UPDATE {history} SET valid_precision = 'year'",
        "DELETE FROM {changeset} WHERE number = 2",
        "DELETE FROM {changeset}",
        "UPDATE building SET valid_to = '2030-01-01T00:00:00.000Z' WHERE fid = 1",
    ],
)
def test_a_past_that_somebody_changed_behind_our_back_is_named(store: Store, tampering: str) -> None:
    deliver(store, "building", houses(5))
    deliver(store, "building", houses(5, name=["甲", *(f"{n}号楼" for n in range(1, 5))]), "2025-01-01")
    assert verify(store).changesets == 2
    geopackage = isinstance(store, GeoPackageStore)
    prefix = "vgpkg_" if geopackage else "twin_"
    changeset = "vgpkg_twin_changeset" if geopackage else "twin_changeset"
    text = tampering.format(history=f"{prefix}history_building", changeset=changeset)

    if geopackage:
        with store._writing() as connection:
            connection.execute(text)
    else:
        _tamper(store, text)

    with pytest.raises(ChainBroken, match=r"building|version"):
        verify(store)


def _tamper(store: Store, text: str) -> None:
    from twin_model.store.postgis.server import connect, writing

    address = store._address  # type: ignore[attr-defined]
    with connect(address) as connection, writing(connection, address):
        connection.execute(text)  # type: ignore[call-overload]


def test_a_table_that_another_program_replaced_is_named_with_the_way_back(location: str, tmp_path: Path) -> None:
    with init_town(tmp_path / "town", name="测试", crs="EPSG:4548", store=location) as town:
        town.edit("building", houses(3), reason="survey")
        frame = town.features("building")
    if location == "store.gpkg":
        frame.to_file(tmp_path / "town" / "store.gpkg", layer="building")
    else:
        address, _, schema = location.partition("&schema=")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"DROP TABLE {schema}.building CASCADE")

    said = "replaced the table of the layer building.*to_file.*twin restore"
    with pytest.raises(StoreError, match=said) as refusal:
        open_town(tmp_path / "town")
    if location == "store.gpkg":
        with pytest.raises(StoreError, match=said):
            town.features("building")  # a town that is open already says so too

    assert "图层 building 的表已被其他程序删除或替换" in refusal.value.text("zh")
