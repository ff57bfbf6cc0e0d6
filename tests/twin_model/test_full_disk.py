"""A disk that is full ends a commit with a clear sentence; the store is as it was, and goes on when there is space."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import psycopg
import pytest
import shapely
from twin_command import run_twin

from ingest.draft import Draft
from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import Source, Version
from twin_model.errors import StoreError
from twin_model.history import verify
from twin_model.sources import source_copy
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.opening import create_store, open_store
from twin_model.temporal import parse_instant
from twin_model.town import init_town, open_town
from twin_model.versioning import commit

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(os.geteuid() != 0 and not os.environ.get("CI"), reason="only root can mount a small disk"),
]
CATALOGUE = Catalogue({one.id: one for one in read_catalogue() if one.id in ("building", "finding")})


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], Path]]:
    """Return a function that mounts a disk of so many MiB, where a server's account reaches it; unmounted at the end."""
    mounted: list[Path] = []

    def mount(mebibytes: int) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="twin_disk_"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=1777", "tmpfs", str(folder)], check=True)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def deliver(store: Store, count: int, day: str) -> Version:
    x, y = 618_000 + 20.0 * (np.arange(count) % 300), 3_886_000 + 20.0 * (np.arange(count) // 300)
    frame = gpd.GeoDataFrame(
        {"name": [f"{day} {n}号楼" * 6 for n in range(count)]},
        geometry=shapely.box(x, y, x + 12, y + 10),
        crs="EPSG:4548",
    )
    with Draft(Source(f"{day}.shp", day), CATALOGUE, storage_crs="EPSG:4548", effective=parse_instant(day)[0]) as draft:
        draft.add("building", frame)
        return commit(store, draft.to_changeset(author="office", reason=day))


def check(store: Store, fill: Callable[[], Path]) -> None:
    deliver(store, 500, "2020-01-01")
    before = store.features(FeatureQuery("building"))["name"].tolist()
    filler = fill()

    with pytest.raises(StoreError) as refusal:
        deliver(store, 60_000, "2021-01-01")

    assert refusal.value.rule_id == "store.disk_full"
    assert "Free some space" in refusal.value.text("en") and "磁盘已满" in refusal.value.text("zh")
    assert store.features(FeatureQuery("building"))["name"].tolist() == before
    assert verify(store).changesets == 1
    filler.unlink()
    assert deliver(store, 700, "2022-01-01").number == 2


def test_a_geopackage_on_a_full_disk_is_as_it_was(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(24)
    store = create_store("store.gpkg", CATALOGUE, "EPSG:4548", folder=disk)

    def fill() -> Path:
        (disk / "filler").write_bytes(b"x" * (16 << 20))
        return disk / "filler"

    check(store, fill)
    store.close()


def without_room(disk: Path) -> None:
    with suppress(OSError), (disk / "filler").open("wb") as file:
        while file.write(b"x" * 4096):
            file.flush()


def made_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


@pytest.mark.parametrize(("state", "rule"), [(without_room, "store.no_room"), (made_read_only, "store.read_only")])
def test_a_town_on_a_disk_that_takes_nothing_is_read_and_says_what_is_wrong(
    state: Callable[[Path], None], rule: str, small_disk: Callable[[int], Path], tmp_path: Path
) -> None:
    disk = small_disk(16)
    with init_town(disk / "town", name="测试", crs="EPSG:4548") as town:
        deliver(town.store, 5, "2020-01-01")
    for beside in (disk / "town").glob("store.gpkg-*"):
        beside.unlink()
    state(disk)

    with open_town(disk / "town") as town:
        assert len(town.features("building")) == 5
        assert verify(town.store).changesets == 1
        with pytest.raises(StoreError) as refusal:
            deliver(town.store, 1, "2021-01-01")

    assert refusal.value.rule_id in (rule, "store.unreadable", "store.disk_full")
    source = Source("a.csv", hashlib.sha256(b"a").hexdigest())
    (tmp_path / "a.csv").write_bytes(b"a")
    with pytest.raises(StoreError), source_copy(disk / "town" / "sources", source, (tmp_path / "a.csv",)):
        pass
    for lang in ("en", "zh"):
        assert "restore" not in refusal.value.text(lang) and "ingest" not in refusal.value.text(lang)


def test_changes_that_wait_beside_a_store_on_a_full_disk_are_named(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(16)
    store = create_store("store.gpkg", CATALOGUE, "EPSG:4548", folder=disk)
    deliver(store, 5, "2020-01-01")
    shutil.copytree(disk, disk / "killed", ignore=lambda *_: ["killed", "store.gpkg-shm"])
    store.close()
    without_room(disk)

    with pytest.raises(StoreError) as refusal:
        open_store("store.gpkg", CATALOGUE, folder=disk / "killed")

    assert refusal.value.rule_id == "store.changes_wait" and "store.gpkg-wal" in str(refusal.value)
    (disk / "filler").unlink()
    with closing(open_store("store.gpkg", CATALOGUE, folder=disk / "killed")) as opened:
        assert opened.version() == 1


def test_a_postgis_schema_whose_tablespace_is_full_is_as_it_was(
    small_disk: Callable[[int], Path], postgis_server: Any
) -> None:
    """The write-ahead log lies elsewhere: where that has no space left, PostgreSQL itself stops."""
    disk = small_disk(24)
    tables = disk / "tables"
    tables.mkdir()
    shutil.chown(tables, postgis_server.folder.owner())
    with psycopg.connect(postgis_server.url().partition("&schema=")[0], autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{tables}'")
    address = postgis_server.url("full_disk") + "&options=-c%20default_tablespace%3Dsmall"
    store = create_store(address, CATALOGUE, "EPSG:4548", folder=disk)

    def fill() -> Path:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        (disk / "filler").write_bytes(b"x" * (free - (3 << 20)))
        return disk / "filler"

    check(store, fill)
    store.close()
    with psycopg.connect(postgis_server.url().partition("&schema=")[0], autocommit=True) as connection:
        connection.execute("DROP SCHEMA full_disk CASCADE")
        connection.execute("DROP TABLESPACE small")


def test_where_what_is_read_finds_no_room_the_disk_is_told_and_no_file_is_blamed(
    small_disk: Callable[[int], Path], tmp_path: Path
) -> None:
    x, y = 618_000 + 20.0 * (np.arange(60_000) % 300), 3_886_000 + 20.0 * (np.arange(60_000) // 300)
    source = tmp_path / "building.gpkg"
    gpd.GeoDataFrame(
        {"name": ["楼" * 60] * len(x)}, geometry=shapely.box(x, y, x + 12, y + 10), crs="EPSG:4548"
    ).to_file(source)
    disk = small_disk(8)
    with init_town(tmp_path / "town", name="镇", crs="EPSG:4548") as town:
        shutil.rmtree(town.cache, ignore_errors=True)
        town.cache.symlink_to(disk)

    done = run_twin("--town", tmp_path / "town", "ingest", source, environment={"TWIN_LANG": "zh"})

    assert done.returncode == 1 and "磁盘已满" in done.stdout + done.stderr, done.stdout + done.stderr
    assert "无法读取" not in done.stdout + done.stderr
    with open_town(tmp_path / "town") as town:
        assert town.store.version() == 0
