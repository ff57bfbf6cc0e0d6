"""Items over HTTP against a stock pygeoapi in the same run: 8 connections, two workers each, the same requests.

    python tests/benchmarks/items.py [ROWS]

Requests: a box with limit 1000; a box with limit 10, in order; an item by id; and ours in EPSG:4548 beside ours in
longitude, latitude. Each phase is bounded in time; what is printed is requests a second and the ratio. The 64 boxes
of a phase come round more than once: "ours first" is a round in which no feature was asked for before, "ours" what
follows.

What profiling found of a first page of 1,000 (28 ms of CPU, then 13): a third was the exact test of the box, which asked
GEOS about every feature although the envelope in the blob's header tells it of nine in ten; the keys and then the rows
were two statements where one does; shapely's own GeoJSON, with the geometries made for it, took 7 ms where numbers cut
out of one text take 3; the rest is reading rows (4 ms), PROJ (1 ms) and properties (3 ms). To write a page's properties in
one go and cut them was no faster than one by one. A remembered page is one statement over ids and a join of bytes.
"""

import argparse
import asyncio
import subprocess
import time
from pathlib import Path

import httpx
import numpy as np
import pyogrio
import stock_pygeoapi
from serving import town_serving
from workload import CENTRE, buildings, write_shapefile

from api_config.delivery import Delivery, deliver
from twin_model.crs import CRS84, transform_bounds
from twin_model.town import init_town

FOLDER = Path(__file__).resolve().parents[2] / "out" / "bench"
CONNECTIONS, SECONDS = 8, 6.0


def town(rows: int) -> Path:
    folder = FOLDER / f"town-{rows}"
    if not (folder / "town.toml").exists():
        source = write_shapefile(FOLDER / f"building_{rows}.shp", rows)
        with init_town(folder, name="bench", crs="EPSG:4548") as made:
            (outcome,) = deliver(made, [source], Delivery())
            if outcome.error:
                raise outcome.error
    return folder


def peer_file(rows: int) -> Path:
    path = FOLDER / f"peer_{rows}.gpkg"
    if not path.exists():
        pyogrio.write_dataframe(buildings(rows).to_crs(4326), path, layer="building", VERSION="1.2")
    return path


def boxes(rows: int, side: float, count: int = 64) -> list[tuple[float, float, float, float]]:
    """Return boxes of `side` metres inside the town, in longitude, latitude, fixed seed."""
    rng = np.random.default_rng(3)
    half = np.sqrt(rows) * 15.0 - side
    corners = np.array(CENTRE) + rng.uniform(-half, half, (count, 2))
    return [transform_bounds((x, y, x + side, y + side), "EPSG:4548", CRS84) for x, y in corners.tolist()]


async def load(urls: list[str]) -> float:
    """Return answered requests a second over eight connections; any answer but 200 stops the run."""
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(limits=limits, timeout=60, headers={"Accept-Encoding": "identity"}) as client:
        for url in urls[:2]:
            (await client.get(url)).raise_for_status()
        done, begin = 0, time.perf_counter()

        async def worker(offset: int) -> None:
            nonlocal done
            turn = offset
            while time.perf_counter() - begin < SECONDS:
                answer = await client.get(urls[turn % len(urls)])
                answer.raise_for_status()
                done, turn = done + 1, turn + CONNECTIONS

        await asyncio.gather(*(worker(n) for n in range(CONNECTIONS)))
        return done / (time.perf_counter() - begin)


def wrk(urls: list[str]) -> float:
    """Return requests a second by wrk, where it is installed: httpx itself is slower than small answers."""
    script = FOLDER / "urls.lua"
    paths = [url.split("/", 3)[3] for url in urls]
    listed = ",".join(f'"/{path}"' for path in paths)
    script.write_text(
        f'local p = {{{listed}}}\nlocal n = 0\nrequest = function() n = n + 1; return wrk.format("GET", p[n % #p + 1]) end\n'
    )
    base = "/".join(urls[0].split("/")[:3])
    told = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{int(SECONDS)}s", "-s", str(script), base],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in told:
        raise RuntimeError(told)
    return float(next(line for line in told.splitlines() if "Requests/sec" in line).split()[-1])


def once(urls: list[str]) -> float:
    """Return requests a second of one round, every address asked for the first time."""
    begin = time.perf_counter()

    async def round_trip() -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        async with httpx.AsyncClient(limits=limits, timeout=60, headers={"Accept-Encoding": "identity"}) as client:
            for answer in await asyncio.gather(*(client.get(url) for url in urls)):
                answer.raise_for_status()

    asyncio.run(round_trip())
    return len(urls) / (time.perf_counter() - begin)


def measure(urls: list[str]) -> float:
    has_wrk = subprocess.run(["which", "wrk"], capture_output=True, check=False).returncode == 0
    return wrk(urls) if has_wrk else asyncio.run(load(urls))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", type=int, default=500_000)
    rows = parser.parse_args().rows
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder, gpkg = town(rows), peer_file(rows)
    wide, near = boxes(rows, 1_200.0), boxes(rows, 400.0)
    ids = np.random.default_rng(4).integers(1, rows, 64).tolist()

    def ours(base: str) -> dict[str, list[str]]:
        items = f"{base}/collections/building/items"
        return {
            "items, bbox, limit 1000": [f"{items}?bbox={','.join(map(str, b))}&limit=1000" for b in wide],
            "items, bbox, limit 10, ordered": [
                f"{items}?bbox={','.join(map(str, b))}&limit=10&sortby=storeys" for b in near
            ],
            "item by id": [f"{items}/building.{n}" for n in ids],
            "items, crs=EPSG:4548": [
                f"{items}?bbox={','.join(map(str, b))}&limit=1000&crs=http://www.opengis.net/def/crs/EPSG/0/4548"
                for b in wide
            ],
        }

    def theirs(base: str) -> dict[str, list[str]]:
        items = f"{base}/collections/building/items"
        return {
            "items, bbox, limit 1000": [f"{items}?f=json&bbox={','.join(map(str, b))}&limit=1000" for b in wide],
            "items, bbox, limit 10, ordered": [
                f"{items}?f=json&bbox={','.join(map(str, b))}&limit=10&sortby=storeys" for b in near
            ],
            "item by id": [f"{items}/{n}?f=json" for n in ids],
        }

    with town_serving(folder) as base:
        asked = ours(base)
        first = {name: once(urls) for name, urls in asked.items()}
        own = {name: measure(urls) for name, urls in asked.items()}
    west, south, east, north = transform_bounds(tuple(buildings(1_000).total_bounds), "EPSG:4548", CRS84)
    around = [west - 1, south - 1, east + 1, north + 1]
    with stock_pygeoapi.serving(FOLDER, gpkg, "building", around) as base:
        peer = {name: measure(urls) for name, urls in theirs(base).items()}
    report(rows, first, own, peer)


GOALS: dict[str, float] = {
    "items, bbox, limit 1000": 15.0,
    "items, bbox, limit 10, ordered": 5.0,
    "item by id": 10.0,
}


def report(rows: int, first: dict[str, float], own: dict[str, float], peer: dict[str, float]) -> None:
    print(f"\nitems over HTTP, {rows:,} polygons, {CONNECTIONS} connections, 2 workers")
    print(f"{'what':34s}{'ours first':>11s}{'ours /s':>10s}{'pygeoapi /s':>13s}{'ratio':>8s}{'goal':>8s}")
    for name, goal in GOALS.items():
        print(
            f"{name:34s}{first[name]:11.1f}{own[name]:10.1f}{peer[name]:13.1f}{own[name] / peer[name]:8.1f}{goal:8.1f}"
        )
    slower = own["items, bbox, limit 1000"] / own["items, crs=EPSG:4548"]
    print(
        f"{'crs=EPSG:4548 against without':34s}{first['items, crs=EPSG:4548']:11.1f}{own['items, crs=EPSG:4548']:10.1f}{'':13s}{slower:8.2f}{'<= 1.5':>8s}"
    )


if __name__ == "__main__":
    main()
