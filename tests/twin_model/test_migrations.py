"""A store of every earlier format opens in this program with all it held; a copy as it was is kept beside it."""

import gzip
import sqlite3
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from ingest.draft import Draft
from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import Source
from twin_model.errors import StoreTooNew
from twin_model.store import gpkg_schema
from twin_model.store.base import FeatureQuery
from twin_model.store.geopackage import GeoPackageStore
from twin_model.store.migrations import STEPS, backup_path
from twin_model.temporal import parse_instant
from twin_model.versioning import commit
from twin_model.view import View

STORES = Path(__file__).parent / "stores"
KEPT = ("building", "pipe_point", "finding")


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue({layer.id: layer for layer in read_catalogue() if layer.id in KEPT})


def old_store(folder: Path, number: int) -> Path:
    path = folder / "store.gpkg"
    path.write_bytes(gzip.decompress((STORES / f"format_{number}.gpkg.gz").read_bytes()))
    return path


def test_there_is_a_step_and_a_store_for_every_earlier_format() -> None:
    earlier = list(range(1, gpkg_schema.FORMAT))

    assert sorted(STEPS) == earlier
    assert sorted(int(one.name.split("_")[1].split(".")[0]) for one in STORES.glob("*.gz")) == earlier


@pytest.mark.parametrize("number", sorted(STEPS))
def test_a_store_of_an_earlier_format_keeps_its_whole_history(
    number: int, tmp_path: Path, catalogue: Catalogue
) -> None:
    path = old_store(tmp_path, number)
    before = path.read_bytes()

    store = GeoPackageStore(path, catalogue)

    assert backup_path(path, number).read_bytes()[:16] == before[:16]
    assert [one.number for one in store.changesets()] == [5, 4, 3, 2, 1]
    now = store.features(FeatureQuery("building"))
    assert now["name"].tolist() == ["甲", "2号楼", "3号楼", "4号楼"], "building.2 ended in 2023"
    then = store.features(FeatureQuery("building", view=View(parse_instant("2021-01-01")[0])))
    assert then["name"].tolist()[0] == "0号楼" and len(then) == 5
    assert store.features(FeatureQuery("pipe_point"))["owner"].tolist() == ["甲"]
    assert store.next_boundary("pipe_point", "2026-01-01") == parse_instant("2099-01-01")[0]
    store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("number", sorted(STEPS))
def test_a_migrated_store_takes_the_next_delivery_as_a_difference(
    number: int, tmp_path: Path, catalogue: Catalogue
) -> None:
    store = GeoPackageStore(old_store(tmp_path, number), catalogue)
    x = [618_000.0, 618_040.0]
    frame = gpd.GeoDataFrame(
        {"name": ["乙", "2号楼"], "storeys": [1, 3]}, geometry=shapely.box(x, 3_886_000, [v + 12 for v in x], 3_886_010),
        crs="EPSG:4548",
    )  # fmt: skip

    with Draft(
        Source("next.shp", "9"), catalogue, storage_crs=store.crs, effective=parse_instant("2024-01-01")[0]
    ) as draft:
        draft.add("building", frame)
        version = commit(store, draft.to_changeset(author="surveyor", reason="next"))

    touched = version.touched["building"]
    assert (touched.inserted, touched.updated, touched.unchanged) == (0, 1, 1)
    store.close()


def test_a_newer_store_is_refused_and_left_as_it_is(tmp_path: Path, catalogue: Catalogue) -> None:
    path = old_store(tmp_path, 1)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE vgpkg_twin_meta SET value = '999' WHERE key = 'format'")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StoreTooNew, match="999"):
        GeoPackageStore(path, catalogue)

    assert path.read_bytes() == before
