"""A process killed with SIGKILL at any moment leaves the store as it was before or as it is after; the next one goes on."""

import gzip
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twin_command import run_script, start_script

from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.history import verify
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.geopackage.store import GeoPackageStore
from twin_model.store.opening import create_store, open_store

WRITER = Path(__file__).with_name("killed_writer.py")
CATALOGUE = Catalogue({one.id: one for one in read_catalogue() if one.id in ("building", "finding")})
ROWS = 6_000
FEW, MANY, TURNS = 2, 80, 4
"""Kills of each kind of work: in every run, where each costs a second or two because a process starts, works and is
looked after; and in the proof, there in turns with a store of their own: looking through a store takes longer with
every version it has."""
EARLY_AND_LATE = [0, 3, pytest.param(1, marks=pytest.mark.proof), pytest.param(2, marks=pytest.mark.proof)]
"""The kills of a migration: the first and the last moment in every run, those between in the proof."""


def run_and_kill(work: str, location: str, folder: Path, wait: float, *, after: str = "begin ") -> str:
    """Start the writer, wait so many seconds from where it begins, kill it; return the last thing it said."""
    process, printed = start_script(WRITER, work, location, folder)
    with printed:
        said = printed.readline()
        while said and not (said.startswith(after) and (after != "begin " or said[6:].strip().isdigit())):
            said = printed.readline()
        assert said, "the writer ended before it began"
        time.sleep(wait)
        process.kill()
        rest = printed.read()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    return (said + rest).strip().splitlines()[-1]


def complete(work: str, location: str, folder: Path) -> None:
    """Run the writer once to its end."""
    done = run_script(WRITER, work, location, folder, "1")
    assert done.returncode == 0, done.stderr


def ensure_whole(store: Store) -> int:
    """Check that the store is at one version and nothing between two; return its number."""
    version = store.version()
    found = store.features(FeatureQuery("building", fields=("name",), geometry=False))
    assert set(found["name"]) == ({f"v{version}"} if version else set())
    assert len(found) == store.summary("building").features == (ROWS if version else 0)
    assert store.count(FeatureQuery("building", bbox=(617_000.0, 3_885_000.0, 621_000.0, 3_889_000.0))) == len(found)
    assert verify(store).changesets == version
    return version


@pytest.fixture(scope="module")
def durable_server(running_server: Any) -> Iterator[Any]:
    """A server that writes to the disk as a real one does."""
    with running_server(durable=True) as server:
        yield server


@pytest.fixture
def durable_postgis_url(durable_server: Any, request: pytest.FixtureRequest) -> str:
    return str(durable_server.url(f"s{abs(hash(request.node.name)) % 10**9}"))


@pytest.fixture(params=["geopackage", "postgis"])
def location(request: pytest.FixtureRequest) -> str:
    return "store.gpkg" if request.param == "geopackage" else str(request.getfixturevalue("durable_postgis_url"))


@pytest.fixture
def begun(location: str, tmp_path: Path) -> Iterator[str]:
    """A store with its first version in."""
    create_store(location, CATALOGUE, "EPSG:4548", folder=tmp_path).close()
    complete("deliver", location, tmp_path)
    yield location


def killing(work: str, location: str, folder: Path, times: int, seed: int = 7) -> set[str]:
    """Kill the writer at random moments of its work; return whether a version before or after was found each time."""
    rng, outcomes = random.Random(seed), set()
    for _ in range(times):
        said = run_and_kill(work, location, folder, rng.uniform(0.0, 1.5))
        store = open_store(location, CATALOGUE, folder=folder)
        version = ensure_whole(store)
        store.close()
        outcomes.add("after" if version >= int(said.split()[1]) else "before")
    complete(work, location, folder)
    store = open_store(location, CATALOGUE, folder=folder)
    assert ensure_whole(store) == version + (work != "backup")
    store.close()
    return outcomes


@pytest.mark.parametrize("work", ["deliver", "edit"])
def test_a_writer_killed_at_any_moment_leaves_one_version_whole(work: str, begun: str, tmp_path: Path) -> None:
    assert killing(work, begun, tmp_path, FEW) <= {"before", "after"}


@pytest.mark.proof
@pytest.mark.parametrize("turn", range(TURNS))
@pytest.mark.parametrize("work", ["deliver", "edit"])
def test_a_writer_killed_many_times_leaves_one_version_whole(work: str, turn: int, begun: str, tmp_path: Path) -> None:
    assert "before" in killing(work, begun, tmp_path, MANY // TURNS, seed=turn)


def first_loads_killed(location: str, folder: Path, times: int) -> set[str]:
    """Kill the writer at random moments of the first delivery into an empty store; return what was found each time."""
    rng, outcomes = random.Random(11), set()
    for number in range(times):
        place = f"{location}_{number}" if location.startswith("postgresql") else f"{number}.gpkg"
        create_store(place, CATALOGUE, "EPSG:4548", folder=folder).close()
        run_and_kill("deliver", place, folder, rng.uniform(0.0, 0.8))
        store = open_store(place, CATALOGUE, folder=folder)
        before = ensure_whole(store)
        store.close()
        complete("deliver", place, folder)
        store = open_store(place, CATALOGUE, folder=folder)
        assert ensure_whole(store) == before + 1
        store.close()
        outcomes.add("after" if before else "before")
    return outcomes


def test_a_first_load_killed_at_any_moment_leaves_nothing_of_it_or_all(location: str, tmp_path: Path) -> None:
    assert first_loads_killed(location, tmp_path, FEW) <= {"before", "after"}


@pytest.mark.proof
def test_a_backup_that_is_killed_many_times_leaves_the_last_one_or_none(begun: str, tmp_path: Path) -> None:
    backups_killed(begun, tmp_path, MANY // 8)


@pytest.mark.proof
def test_a_first_load_killed_many_times_leaves_nothing_of_it_or_all(location: str, tmp_path: Path) -> None:
    assert "before" in first_loads_killed(location, tmp_path, MANY // 4)


def test_a_backup_that_is_killed_leaves_the_last_one_or_none(begun: str, tmp_path: Path) -> None:
    backups_killed(begun, tmp_path, FEW)


def backups_killed(location: str, folder: Path, times: int) -> None:
    """Kill the writer at random moments of a backup; check the store and the last backup each time."""
    rng, kept = random.Random(3), folder / "kept.backup"
    for _ in range(times):
        run_and_kill("backup", location, folder, rng.uniform(0.0, 0.4))
        store = open_store(location, CATALOGUE, folder=folder)
        ensure_whole(store)
        store.close()
        if kept.exists() and location == "store.gpkg":
            with sqlite3.connect(kept) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert copy.execute("SELECT count(*) FROM building").fetchone() == (ROWS,)
            copy.close()


@pytest.mark.parametrize("kill", EARLY_AND_LATE)
def test_a_migration_that_is_killed_is_done_by_the_next_who_opens(kill: int, tmp_path: Path) -> None:
    old = Path(__file__).parent / "stores" / "format_1.gpkg.gz"
    (tmp_path / "store.gpkg").write_bytes(gzip.decompress(old.read_bytes()))
    run_and_kill("backup", "store.gpkg", tmp_path, kill * 0.01, after="begin open")
    shutil.rmtree(tmp_path / "backups", ignore_errors=kill % 2 == 0)

    store = GeoPackageStore(tmp_path / "store.gpkg", CATALOGUE)

    # The migration records itself, once.
    assert [one.number for one in store.changesets()] == [6, 5, 4, 3, 2, 1]
    assert len(store.features(FeatureQuery("building"))) == 4
    store.close()


@pytest.mark.parametrize("kill", EARLY_AND_LATE)
def test_a_migration_of_postgis_that_is_killed_is_done_by_the_next_who_opens(
    kill: int, durable_postgis_url: str, old_schema: Callable[[str, int], str], tmp_path: Path
) -> None:
    url = old_schema(durable_postgis_url, 1)
    run_and_kill("backup", url, tmp_path, kill * 0.008, after="begin open")

    kept = ("building", "pipe_point", "finding")
    store = open_store(url, Catalogue({one.id: one for one in read_catalogue() if one.id in kept}), folder=tmp_path)

    # The migration records itself, once.
    assert [one.number for one in store.changesets()] == [6, 5, 4, 3, 2, 1]
    assert len(store.features(FeatureQuery("building"))) == 4
    assert verify(store).changesets == 6
    assert len(store.delivered_state("building").fids) == 4
    store.close()
