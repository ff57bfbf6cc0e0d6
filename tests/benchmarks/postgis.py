"""The PostGIS store: a first load against ogr2ogr into the same server, items over HTTP against tipg on the same table.

    python tests/benchmarks/postgis.py [ROWS]

A private server as PostgreSQL comes (fsync on) is started and removed. tipg, which answers from PostgreSQL alone, runs
in its own environment; it gets our table as a client of the database sees it. Two workers each, eight connections.

What profiling found. A load of 500,000 takes some 10 s of our processor and 4 s of the server's, ogr2ogr's 8 s and 8 s:
it sends texts. They overlap better there (1.9 cores at work, here 1.35): 1.5 s pass before the first row is read
(imports, the source's hash), and in the last 2.5 s the server builds indexes alone. Between, the interpreter's lock is
what all wait for: reading and fitting take 4 s alone, 6 s beside what encodes rows and sends them. What helped, in this
order: rows sent while the source is read (`head_start.py`); parts packed 64 a row (of the server's 5.5 s they were
1.3); rows encoded by Arrow instead of one by one; key and indexes built at the end. What gained nothing or lost: more
memory for indexes, a GiST index built with buffers, SP-GiST, smaller frames, another interval of the interpreter's lock,
no garbage collection, another allocator, encoding in the reading thread. ogr2ogr writes neither parts nor ids nor a
time, and one index. Of a page most is the same encoder's, PostGIS's own part (index, ST_AsBinary, the wire) is a third.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import items
import psycopg
from serving import TWIN, app_serving, free_port, town_serving
from workload import write_shapefile

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "out" / "bench"
PORT = free_port()
TURNS = 5
sys.path.insert(0, str(ROOT / "tests"))

from postgis_server import PostgisServer, running_server  # noqa: E402


def loads(server: PostgisServer, source: Path) -> tuple[list[float], list[float]]:
    """Return the seconds of our loads and of ogr2ogr's. They take turns, each after a checkpoint: a new server's first
    rows cost it more, neither shall write what the other left in memory, and the machine's own pace changes."""
    took: dict[Callable[[PostgisServer, Path], float], list[float]] = {load: [], peer_load: []}
    with psycopg.connect(server.url("bench").partition("&schema=")[0], autocommit=True) as connection:
        for _ in range(TURNS):
            connection.execute("DROP SCHEMA IF EXISTS bench CASCADE")
            connection.execute("DROP TABLE IF EXISTS peer")
            for one, seconds in took.items():
                connection.execute("CHECKPOINT")
                seconds.append(one(server, source))
    return took[load], took[peer_load]


def load(server: PostgisServer, source: Path) -> float:
    """Return the seconds of `twin ingest` into a new town on the server."""
    town = FOLDER / "postgis-town"
    shutil.rmtree(town, ignore_errors=True)
    init = [
        TWIN,
        "--town",
        str(town),
        "init",
        "--name",
        "b",
        "--crs",
        "EPSG:4548",
        "--store",
        server.url("bench"),
    ]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
    begin = time.perf_counter()
    subprocess.run([TWIN, "--town", str(town), "ingest", str(source), "--json"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def peer_load(server: PostgisServer, source: Path) -> float:
    """Return the seconds of ogr2ogr doing the same: COPY, validity, EPSG:4548, spatial index."""
    address = f"PG:host=127.0.0.1 port={PORT} user=twin dbname=town"
    command = ["ogr2ogr", "-f", "PostgreSQL", address, str(source), "-nln", "peer", "-t_srs", "EPSG:4548", "-makevalid",
               "-nlt", "PROMOTE_TO_MULTI", "--config", "PG_USE_COPY", "YES"]  # fmt: skip
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


@contextmanager
def tipg() -> Iterator[str]:
    python = FOLDER / "tipg" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER / "tipg")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "tipg", "uvicorn"], check=True)
    named = {
        "DATABASE_URL": f"postgresql://twin@127.0.0.1:{PORT}/town",
        "TIPG_DB_SCHEMAS": '["bench"]',
        "TIPG_MAX_FEATURES_PER_QUERY": "10000",
    }
    with app_serving(python, "tipg.main:app", "/collections/bench.building", named) as base:
        yield base


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", type=int, default=500_000)
    rows = parser.parse_args().rows
    source = write_shapefile(FOLDER / f"building_{rows}.shp", rows)
    boxes = [",".join(map(str, box)) for box in items.boxes(rows, 1_200.0)]
    with running_server(durable=True, small=False, port=PORT) as server:
        ours, peer = loads(server, source)
        ratios = sorted(theirs / own for own, theirs in zip(ours, peer, strict=True))
        print(
            f"first load, rows/s, median of {TURNS} turns: ours {rows / median(ours):,.0f}, ogr2ogr {rows / median(peer):,.0f}; "
            f"ratio {median(ratios):.2f}, {ratios[0]:.2f} to {ratios[-1]:.2f} (goal >= 0.8)",
            flush=True,
        )
        with psycopg.connect(server.url("bench").partition("&schema=")[0], autocommit=True) as connection:
            connection.execute("ANALYZE")
        with town_serving(FOLDER / "postgis-town") as base:
            asked = [f"{base}/collections/building/items?bbox={box}&limit=1000" for box in boxes]
            first, again = items.once(asked), items.measure(asked)
        with tipg() as base:
            asked = [f"{base}/collections/bench.building/items?bbox={box}&limit=1000&f=geojson" for box in boxes]
            their_first, theirs = items.once(asked), items.measure(asked)
    print(f"\nPostGIS store, {rows:,} polygons")
    print(
        f"items, bbox, limit 1000, /s: ours first {first:.1f}, then {again:.1f}; tipg first {their_first:.1f}, then {theirs:.1f}"
    )
    print(f"ratio {again / theirs:.1f}, of first answers {first / their_first:.1f} (goal >= 2)")


if __name__ == "__main__":
    main()
