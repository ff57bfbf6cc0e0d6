"""Items over HTTP against a stock pygeoapi in the same run: 8 connections, two workers each, the same requests.

    python tests/benchmarks/items.py [ROWS]

Both sides are measured with wrk. Requests: a box with limit 1000; a box with limit 10, in order; an item by id; and ours in EPSG:4548 beside ours in
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
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyogrio
import stock_pygeoapi
from serving import town_serving
from workload import CENTRE, buildings, write_shapefile

from api_config.delivery import Delivery, deliver
from twin_model.crs import CRS84, transform_bounds
from twin_model.town import init_town

FOLDER = Path(__file__).resolve().parents[2] / "out" / "bench"
CONNECTIONS, SECONDS = 8, 6


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


def measure(urls: list[str], seconds: int = SECONDS) -> float:
    """Return requests a second by wrk, which asks faster than any answer comes; a client in Python saturates first.

    Any answer but 2xx, and any that does not come, stops the run.
    """
    script = FOLDER / "urls.lua"
    listed = ",".join(f'"/{url.split("/", 3)[3]}"' for url in urls)
    script.write_text(
        f'local p = {{{listed}}}\nlocal n = 0\nrequest = function() n = n + 1; return wrk.format("GET", p[n % #p + 1]) end\n'
    )
    base = "/".join(urls[0].split("/")[:3])
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), base]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in printed or "Socket errors" in printed:
        raise RuntimeError(printed)
    return float(next(line for line in printed.splitlines() if "Requests/sec" in line).split()[-1])


def once(urls: list[str]) -> float:
    """Return requests a second of one round, every address asked for the first time, over as many connections.

    Each connection writes bytes made before and counts what comes: wrk itself knows seconds, not rounds.
    """
    host, port = urlsplit(urls[0]).hostname or "", urlsplit(urls[0]).port or 80
    requests = [f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode() for url in urls]
    begin = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda part: _exchange(host, port, part), (requests[n::CONNECTIONS] for n in range(CONNECTIONS))))
    return len(urls) / (time.perf_counter() - begin)


def _exchange(host: str, port: int, requests: list[bytes]) -> None:
    """Send requests one after the other over one connection and read their answers."""
    with socket.create_connection((host, port), timeout=60) as connection, connection.makefile("rb") as answers:
        for request in requests:
            connection.sendall(request)
            status, length, chunked = answers.readline(), 0, False
            while (line := answers.readline().strip().lower()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name == b"content-length" else length
                chunked = chunked or (name == b"transfer-encoding" and b"chunked" in value)
            answers.read(length)
            while chunked and (size := int(answers.readline().split(b";")[0], 16)) + 1:
                answers.read(size + 2)
                chunked = size > 0
            if b" 200 " not in status:
                raise RuntimeError(status.decode())


def ensure_wrk() -> None:
    if shutil.which("wrk") is None:
        sys.exit("This benchmark measures with wrk. On Debian: apt-get install wrk; as root, `make bench` does it.")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", type=int, default=500_000)
    rows = parser.parse_args().rows
    ensure_wrk()
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
        asked = theirs(base)
        peer_first = {name: once(urls) for name, urls in asked.items()}
        peer = {name: measure(urls) for name, urls in asked.items()}
    report(rows, first, own, peer_first, peer)


GOALS: dict[str, tuple[float, float]] = {
    "items, bbox, limit 1000": (12.0, 15.0),
    "items, bbox, limit 10, ordered": (5.0, 15.0),
    "item by id": (5.0, 30.0),
}
"""How many times as many first answers, and as many answers after them, we give as the peer."""


def report(
    rows: int, first: dict[str, float], own: dict[str, float], peer_first: dict[str, float], peer: dict[str, float]
) -> None:
    print(f"\nitems over HTTP, {rows:,} polygons, {CONNECTIONS} connections, 2 workers, answers a second")
    heads = ("ours first", "pygeoapi", "ratio", "goal", "ours", "pygeoapi", "ratio", "goal")
    print(f"{'what':34s}" + "".join(f"{head:>11s}" for head in heads))
    for name, (first_goal, goal) in GOALS.items():
        ratios = first[name] / peer_first[name], own[name] / peer[name]
        figures = (first[name], peer_first[name], ratios[0], first_goal, own[name], peer[name], ratios[1], goal)
        print(f"{name:34s}" + "".join(f"{figure:11.1f}" for figure in figures))
    slower = own["items, bbox, limit 1000"] / own["items, crs=EPSG:4548"]
    print(f"{'crs=EPSG:4548 against without':34s}{'':66s}{slower:11.2f}{'<= 1.5':>11s}")


if __name__ == "__main__":
    main()
