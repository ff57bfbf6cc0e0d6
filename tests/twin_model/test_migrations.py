"""A store of every earlier format opens in this program with all it held; a copy as it was is kept beside it."""

import gzip
import json
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from ingest.draft import Draft
from twin_model.backup import restore_town
from twin_model.backup_archive import SETTINGS, STORE
from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import Source
from twin_model.errors import ChainBroken, StoreTooNew
from twin_model.history import verify
from twin_model.layer import Field, Text
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.geopackage import schema as gpkg_schema
from twin_model.store.geopackage.migrations import STEPS, backup_path
from twin_model.store.geopackage.store import GeoPackageStore
from twin_model.store.opening import open_store
from twin_model.store.postgis import copy as postgis_copy
from twin_model.store.postgis import migrations as postgis_migrations
from twin_model.store.postgis import schema as postgis_schema
from twin_model.store.postgis.server import ServerAddress
from twin_model.temporal import parse_instant
from twin_model.town import open_town
from twin_model.versioning import commit
from twin_model.view import View

STORES = Path(__file__).parent / "stores"
KEPT = ("building", "pipe_point", "finding", "spot_height")
VERSIONS = {1: 5, 2: 9}
"""How many versions the store of each earlier format holds; the first five are the same story."""


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue({layer.id: layer for layer in read_catalogue() if layer.id in KEPT})


def old_store(folder: Path, number: int) -> Path:
    path = folder / "store.gpkg"
    path.write_bytes(gzip.decompress((STORES / f"format_{number}.gpkg.gz").read_bytes()))
    return path


@pytest.fixture(
    params=[
        *(f"geopackage {one}" for one in sorted(STEPS)),
        *(f"postgis {one}" for one in sorted(postgis_migrations.STEPS)),
    ]
)
def migrated(request: pytest.FixtureRequest, tmp_path: Path, catalogue: Catalogue) -> Iterator[Store]:
    """A town of an earlier format, as this program opens it."""
    kind, number = request.param.split()
    if kind == "geopackage":
        place = str(old_store(tmp_path, int(number)))
    else:
        place = request.getfixturevalue("old_schema")(request.getfixturevalue("postgis_url"), int(number))
    store = open_store(place, catalogue, folder=tmp_path)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("steps", "format_now", "kind"),
    [(STEPS, gpkg_schema.FORMAT, "gpkg"), (postgis_migrations.STEPS, postgis_schema.FORMAT, "sql")],
)
def test_there_is_a_step_and_a_store_for_every_earlier_format(
    steps: Mapping[int, Any], format_now: int, kind: str
) -> None:
    earlier = list(range(1, format_now))

    assert sorted(steps) == earlier
    assert sorted(int(one.name.split("_")[1].split(".")[0]) for one in STORES.glob(f"*.{kind}.gz")) == earlier


def test_a_store_of_an_earlier_format_keeps_its_whole_history(migrated: Store) -> None:
    held = [record.number for record in migrated.changesets() if "sealed" not in record.counts]
    assert held[-5:] == [5, 4, 3, 2, 1] and len(held) in VERSIONS.values()
    now = migrated.features(FeatureQuery("building", view=View(recorded=5)))
    assert now["name"].tolist() == ["甲", "2号楼", "3号楼", "4号楼"], "building.2 ended in 2023"
    then = migrated.features(FeatureQuery("building", view=View(parse_instant("2021-01-01")[0])))
    assert then["name"].tolist()[0] == "0号楼" and len(then) == 5
    assert migrated.features(FeatureQuery("pipe_point"))["owner"].tolist() == ["甲"]
    assert migrated.next_boundary("pipe_point", "2026-01-01") == parse_instant("2099-01-01")[0]


def test_a_migrated_store_takes_the_next_delivery_as_a_difference(migrated: Store, catalogue: Catalogue) -> None:
    x = [618_000.0, 618_040.0]
    frame = gpd.GeoDataFrame(
        {"storeys": [1, 3], "name": ["乙", "2号楼"]},
        geometry=shapely.box(x, 3_886_000, [v + 12 for v in x], 3_886_010),
        crs="EPSG:4548",
    )

    with Draft(
        Source("next.shp", "9"), catalogue, storage_crs=migrated.crs, effective=parse_instant("2024-01-01")[0]
    ) as draft:
        draft.add("building", frame)
        version = commit(migrated, draft.to_changeset(author="surveyor", reason="next"))

    touched = version.touched["building"]
    assert (touched.inserted, touched.updated, touched.unchanged) == (0, 1, 1)


def heights(count: int) -> gpd.GeoDataFrame:
    """The spot heights that the store of format 2 was delivered first, and holds again since a revert."""
    shapes = shapely.points(618_000 + 5.0 * np.arange(count), 3_886_100.0, 65 + 0.1 * np.arange(count))
    return gpd.GeoDataFrame({"code": ["200"] * count}, geometry=shapes, crs="EPSG:4548")


def test_a_migrated_store_is_sealed_and_proved_and_a_change_of_its_past_is_named(
    migrated: Store, tmp_path: Path
) -> None:
    audit = verify(migrated)

    seal = migrated.changesets()[0]
    assert (seal.counts["sealed"], seal.number) == (audit.changesets - 1, audit.changesets)
    assert {record.rule for record in migrated.changesets()[1:]} == {1} and seal.rule == 3
    assert not audit.unproved

    if isinstance(migrated, GeoPackageStore):
        with sqlite3.connect(migrated.url) as connection:
            connection.execute(
                "UPDATE vgpkg_history_building SET valid_to = '2020-06-01T00:00:00.000Z' WHERE valid_to IS NOT NULL"
            )
        connection.close()
        with pytest.raises(ChainBroken, match=f"{seal.number}.*building"):
            verify(migrated)


def test_what_a_store_of_format_2_was_delivered_is_no_change_after_its_migration(
    tmp_path: Path, catalogue: Catalogue, request: pytest.FixtureRequest, location: str
) -> None:
    if location == "store.gpkg":
        location = str(old_store(tmp_path, 2))
    else:
        request.getfixturevalue("old_schema")(location, 2)
    store = open_store(location, catalogue, folder=tmp_path)
    delivery = heights(70)[["code", "geometry"]].assign(elevation=None)

    with Draft(
        Source("heights.shp", "9"), catalogue, storage_crs=store.crs, effective=parse_instant("2024-01-01")[0]
    ) as draft:
        draft.add("spot_height", delivery)
        version = commit(store, draft.to_changeset(author="surveyor", reason="again"))
    store.close()

    assert not version.made
    assert version.touched["spot_height"].unchanged == 70


@pytest.mark.parametrize("number", sorted(STEPS))
def test_the_file_as_it_was_is_kept_beside_a_migrated_one(number: int, tmp_path: Path, catalogue: Catalogue) -> None:
    path = old_store(tmp_path, number)
    before = path.read_bytes()

    GeoPackageStore(path, catalogue).close()

    assert backup_path(path, number).read_bytes()[:16] == before[:16]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_newer_store_is_refused_and_left_as_it_is(tmp_path: Path, catalogue: Catalogue) -> None:
    path = old_store(tmp_path, 1)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE vgpkg_twin_meta SET value = '999' WHERE key = 'format'")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StoreTooNew, match="999"):
        GeoPackageStore(path, catalogue)

    assert path.read_bytes() == before


@pytest.mark.parametrize("number", sorted(STEPS))
def test_a_backup_of_an_earlier_format_is_restored_migrated_and_proved(number: int, tmp_path: Path) -> None:
    store = gzip.decompress((STORES / f"format_{number}.gpkg.gz").read_bytes())
    settings = 'name = { zh = "旧城", en = "old" }\ncrs = "EPSG:4548"\nstore = "store.gpkg"\n'.encode()
    members = {STORE: store, SETTINGS: settings}
    digests = {name: sha256(content).hexdigest() for name, content in members.items()}
    with zipfile.ZipFile(tmp_path / "old.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        manifest = {"made": "2026-11-28T00:00:00.000Z", "store": "store.gpkg", "members": digests}
        archive.writestr("manifest.json", json.dumps(manifest))

    restored = restore_town(tmp_path / "old.zip", tmp_path / "town")

    assert restored.version == VERSIONS[number] + 1
    with open_town(tmp_path / "town") as town:
        assert verify(town.store).changesets == VERSIONS[number] + 1
        assert len(town.features("building", as_known=5)) == 4


@pytest.mark.parametrize("number", sorted(postgis_migrations.STEPS))
def test_a_dump_of_a_schema_of_an_earlier_format_is_restored_migrated_and_proved(
    number: int, tmp_path: Path, catalogue: Catalogue, postgis_url: str, old_schema: Any
) -> None:
    old_schema(postgis_url, number)
    postgis_copy.backup(ServerAddress.read(postgis_url), tmp_path / "town.dump")
    postgis_copy.restore(postgis_url, tmp_path / "town.dump", replace=True)

    store = open_store(postgis_url, catalogue, folder=tmp_path)

    assert verify(store).changesets == VERSIONS[number] + 1
    store.close()


def test_a_town_whose_layer_had_gained_a_field_is_proved_again_and_says_what_it_could_not_prove(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    path = old_store(tmp_path, 2)
    with sqlite3.connect(path) as connection:
        for table in ("building", "vgpkg_history_building"):
            connection.execute(f"ALTER TABLE {table} ADD COLUMN heritage TEXT")
    connection.close()
    building = catalogue["building"]
    heritage = Field("heritage", "string", Text("历史建筑", "Heritage"))
    grown = replace(building, fields=(heritage, *building.fields))

    store = GeoPackageStore(path, Catalogue({**catalogue.layers, "building": grown}))

    audit = verify(store)
    assert audit.changesets == VERSIONS[2] + 1
    assert audit.unproved == {"building": 6}, "their first hashes knew nothing of the new field"
    store.close()
