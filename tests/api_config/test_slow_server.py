"""A PostgreSQL that is locked or paused stalls those who ask it; afterwards all is as it was, without anybody's help."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import psycopg
import pytest
import shapely

from twin_model.town import init_town

CRS, SECONDS = "EPSG:4548", 2
BUILDING, LAMP = "/collections/building/items?limit=1&q=b", "/collections/street_lamp/items?limit=1"

pytestmark = pytest.mark.proof


@pytest.fixture
def town(postgis_url: str, tmp_path: Path) -> Path:
    with init_town(tmp_path / "town", name="镇", crs=CRS, store=postgis_url) as made:
        house = shapely.MultiPolygon([shapely.box(618_000, 3_886_000, 618_010, 3_886_010)])
        made.edit("building", gpd.GeoDataFrame({"name": ["b1"]}, geometry=[house], crs=CRS), reason="survey")
        lamp = gpd.GeoDataFrame({"pole_no": ["P1"]}, geometry=[shapely.Point(618_000, 3_886_000)], crs=CRS)
        made.edit("street_lamp", lamp, reason="survey")
    return tmp_path / "town"


@pytest.fixture
def client(town: Path, serving: Any) -> Iterator[httpx.Client]:
    bounded = {"TWIN_REQUEST_SECONDS": str(SECONDS)}
    with serving(town, environment=bounded) as address, httpx.Client(base_url=address, timeout=30) as one:
        yield one


def status(client: httpx.Client, path: str) -> int:
    return client.get(path).status_code


def asked_at_once(client: httpx.Client, path: str, number: int) -> tuple[list[int], Callable[[], None]]:
    """Ask from so many threads; return the list that the answers' statuses go into, and what waits for all."""
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(status(client, path)), daemon=True) for _ in range(number)
    ]
    for thread in threads:
        thread.start()

    def join() -> None:
        for thread in threads:
            thread.join(60)

    return answers, join


def healthy_within(client: httpx.Client, seconds: float) -> None:
    """Assert that health is told at once, again and again, for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.monotonic()
        assert status(client, "/healthz") == 200
        assert time.monotonic() - begun < 1.0
        time.sleep(0.1)


def open_files(server: int) -> int:
    return len([*Path(f"/proc/{server}/fd").iterdir()])


def eventually(holds: Callable[[], bool], seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.2)
    return False


def waiting_back_ends(stranger: "psycopg.Connection[Any]") -> int:
    text = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'twin' AND wait_event_type = 'Lock'"
    return int(stranger.execute(text).fetchall()[0][0])


@contextmanager
def stranger_of(postgis_url: str) -> Iterator["psycopg.Connection[Any]"]:
    address, _, schema = postgis_url.partition("&schema=")
    with psycopg.connect(address, autocommit=True, application_name="stranger") as connection:
        connection.execute(f"SET search_path = {schema}, public")  # type: ignore[call-overload]
        yield connection


def test_a_locked_table_stalls_those_who_ask_for_it_alone(client: httpx.Client, postgis_url: str) -> None:
    assert (status(client, BUILDING), status(client, LAMP)) == (200, 200)
    with stranger_of(postgis_url) as watcher, stranger_of(postgis_url) as stranger:
        with stranger.transaction():
            stranger.execute("LOCK TABLE building IN ACCESS EXCLUSIVE MODE")
            answers, join = asked_at_once(client, BUILDING, 8)
            healthy_within(client, SECONDS)
            begun = time.monotonic()
            assert status(client, LAMP) == 200 and time.monotonic() - begun < 1.0
            leaving = [
                subprocess.Popen(["curl", "-s", "-o", "/dev/null", f"{client.base_url}{BUILDING}"]) for _ in range(6)
            ]
            time.sleep(0.5)
            for each in leaving:
                each.kill()
                each.wait()
            join()
            assert eventually(lambda: waiting_back_ends(watcher) == 0), "back ends wait for clients that have left"
        assert set(answers) == {503}
        assert eventually(lambda: status(client, BUILDING) == 200, 5)


def test_a_paused_server_is_survived_and_everything_returns(
    client: httpx.Client, postgis_url: str, postgis_server: Any
) -> None:
    for path, number in ((BUILDING, 4), (LAMP, 8)):  # the pool keeps as many connections as were once needed
        warm, join = asked_at_once(client, path, number)
        join()
        assert set(warm) == {200}
    (service,) = serving_processes(int(str(client.base_url).rpartition(":")[2]))
    before = open_files(service)
    with stranger_of(postgis_url) as stranger:
        text = "SELECT pid FROM pg_stat_activity WHERE application_name = 'twin'"
        back_ends = [pid for (pid,) in stranger.execute(text).fetchall()]
    postmaster = int((postgis_server.folder / "cluster" / "postmaster.pid").read_text().splitlines()[0])

    try:
        for process in (postmaster, *back_ends):
            os.kill(process, signal.SIGSTOP)
        answers, join = asked_at_once(client, BUILDING, 4)
        others, join_others = asked_at_once(client, LAMP, 8)
        healthy_within(client, 2 * SECONDS)
    finally:
        for process in (postmaster, *back_ends):
            os.kill(process, signal.SIGCONT)
    join()
    join_others()

    assert set(answers) | set(others) == {503}
    assert eventually(lambda: (status(client, BUILDING), status(client, LAMP)) == (200, 200))
    assert eventually(lambda: open_files(service) <= before + 4), (before, open_files(service))
    with stranger_of(postgis_url) as stranger:
        assert eventually(lambda: waiting_back_ends(stranger) == 0)


def serving_processes(port: int) -> list[int]:
    """Return the processes that listen on a port."""
    listening = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    }
    found = []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            links = {str(path.readlink()) for path in folder.iterdir()}
        except OSError:
            continue
        if any(f"socket:[{inode}]" in links for inode in listening):
            found.append(int(folder.parent.name))
    return found
