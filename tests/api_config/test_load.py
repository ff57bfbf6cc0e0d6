"""The service under load: answers stay right and quick beside deliveries, and nothing is held that was not held before.

`TWIN_LOAD_SECONDS` is how long (ten minutes without it). docs/scaling.md has what two cores gave.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from served_workers import served, workers_of
from twin_command import run_twin

from twin_model.town import open_town

SECONDS = float(os.environ.get("TWIN_LOAD_SECONDS", "600"))
CLIENTS = Path(__file__).parents[1] / "load_clients.py"
BETWEEN_DELIVERIES = 5.0

pytestmark = pytest.mark.proof


def clients(address: str, seconds: float, number: int, pause: float, paths: list[str], *more: str) -> dict[str, Any]:
    """Have clients ask for a while and return what they say (see `load_clients.py`)."""
    command = [sys.executable, str(CLIENTS), address, str(seconds), str(number), str(pause), *more]
    done = subprocess.run(command, input="\n".join(paths), capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def mixed_paths(town: Path) -> list[str]:
    """Return items, pages, vector tiles and 3D tiles of the sample town, as planners and demonstrators ask them."""
    with open_town(town) as opened:
        buildings = list(opened.features("building").index[:40])
    paths = [f"/collections/building/items/{name}" for name in buildings]
    paths += [f"/collections/{layer}/items?limit={limit}" for layer in ("building", "road_area") for limit in (10, 50)]
    paths += ["/collections/building/items?bbox=118.29,35.09,118.31,35.11&limit=50", "/search?q=%E8%B7%AF"]
    paths += ["/collections/building/items?filter=storeys%20%3E%205&limit=20", "/?f=html", "/collections?f=html"]
    paths += [
        f"/collections/building/tiles/WebMercatorQuad/14/{row}/{col}" for row in (6483, 6484) for col in (13575, 13576)
    ]
    paths += [f"/collections/{layer}/items?f=html&limit=20" for layer in ("building", "road_area")]
    return [*paths, "/collections/building/3dtiles/tileset.json", "/viewer/config.json"]


def held(workers: set[int]) -> tuple[float, int]:
    """Return the memory of processes in MiB, and how many descriptors they hold."""
    kib = sum(
        int(line.split()[1])
        for worker in workers
        for line in Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    )
    return kib / 1024, sum(len(list(Path(f"/proc/{worker}/fd").iterdir())) for worker in workers)


@contextmanager
def deliveries(town: Path) -> Iterator[list[int]]:
    """Edit a building every few seconds as long as the context lasts; yield the versions that were made."""
    ends, versions = threading.Event(), list[int]()

    def deliver() -> None:
        with open_town(town) as opened:
            while not ends.wait(BETWEEN_DELIVERIES):
                frame = opened.features("building").iloc[:3].copy()
                frame["storeys"] = 3 + len(versions) % 7
                versions.append(opened.edit("building", frame, reason="load").version)

    delivering = threading.Thread(target=deliver)
    delivering.start()
    try:
        yield versions
    finally:
        ends.set()
        delivering.join()


@pytest.fixture(scope="module", params=["geopackage", "postgis"])
def town(request: pytest.FixtureRequest, demo_town: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample town, to be written into, in a store of either kind."""
    folder = Path(shutil.copytree(demo_town, tmp_path_factory.mktemp("load") / "town"))
    if request.param == "postgis":
        address = request.getfixturevalue("postgis_server").url("load")
        done = run_twin("--town", folder, "copy", "--to", address)
        assert done.returncode == 0, done.stdout + done.stderr
        settings = folder / "town.toml"
        settings.write_text(re.sub(r"(?m)^store = .*$", f'store = "{address}"', settings.read_text("utf-8")), "utf-8")
    return folder


@dataclass(frozen=True)
class Day:
    """What clients were answered, how many deliveries came beside, and what the workers held before and after."""

    seen: dict[str, Any]
    deliveries: int
    mebibytes: tuple[float, float]
    descriptors: tuple[int, int]


@pytest.fixture(scope="module")
def day(town: Path) -> Day:
    paths = mixed_paths(town)
    with served(town) as (process, port):
        address, workers = f"http://127.0.0.1:{port}", workers_of(process.pid)
        clients(address, SECONDS / 4, 32, 0.2, paths)
        memory, descriptors = held(workers)
        with deliveries(town) as versions:
            seen = clients(address, SECONDS, 32, 0.2, paths)
        memory_after, descriptors_after = held(workers)
    done = Day(seen, len(versions), (memory, memory_after), (descriptors, descriptors_after))
    print(town, json.dumps(asdict(done)))
    return done


def test_every_answer_beside_deliveries_is_whole_and_right(day: Day) -> None:
    assert (set(day.seen["statuses"]) <= {"200", "204"}, day.seen["wrong"], day.seen["examples"]) == (True, 0, [])
    assert day.deliveries > SECONDS / BETWEEN_DELIVERIES / 2


def test_nothing_is_held_after_the_load_that_was_not_held_before(day: Day) -> None:
    assert day.mebibytes[1] <= 1.2 * day.mebibytes[0]
    assert day.descriptors[1] <= day.descriptors[0] + 4


@pytest.mark.xfail(
    reason="a hundredth of the answers waits for the deliveries where they share two cores: docs/scaling.md"
)
def test_the_slow_hundredth_takes_no_more_than_five_times_the_middle(day: Day) -> None:
    assert day.seen["p99"] <= 5 * day.seen["p50"]


def test_clients_that_read_a_byte_a_second_hold_nobody_up(town: Path) -> None:
    paths = ["/collections/building/items?limit=1000", *mixed_paths(town)]
    with served(town) as (_, port):
        address = f"http://127.0.0.1:{port}"
        clients(address, 10, 8, 0.1, paths[1:])
        alone = clients(address, 30, 8, 0.1, paths[1:])
        crowd = subprocess.Popen([sys.executable, str(CLIENTS), address, "40", "0", "1", "--slow", "100"],
                                 stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)  # fmt: skip
        assert crowd.stdin is not None
        crowd.stdin.write(paths[0])
        crowd.stdin.close()
        beside = clients(address, 30, 8, 0.1, paths[1:])
        crowd.wait(timeout=60)

    print(json.dumps({"alone": alone, "beside": beside}))
    assert beside["wrong"] == 0 and beside["p99"] <= 2 * alone["p99"]
