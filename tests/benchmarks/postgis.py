"""The PostGIS store: a first load against ogr2ogr into the same server, items over HTTP against tipg on the same table.

    python tests/benchmarks/postgis.py [ROWS]

A private server with a real one's settings (fsync on) is started and removed. tipg, which answers from PostgreSQL
alone, runs in its own environment; it gets our table as a client of the database sees it. Two workers each, eight
connections. What profiling found: of a load two fifths are reading and fitting, as into a GeoPackage; of a page most
is the same encoder's, PostGIS's own part (index, ST_AsBinary, the wire) is a third.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import items
import psycopg
from workload import write_shapefile

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "out" / "bench"
PORT = items.free_port()
TWIN = str(Path(sys.executable).with_name("twin"))
sys.path.insert(0, str(ROOT / "tests"))

from postgis_server import PostgisServer, running_server  # noqa: E402


def load(server: PostgisServer, source: Path) -> float:
    """Return the seconds of `twin ingest` into a new town on the server."""
    town = FOLDER / "postgis-town"
    shutil.rmtree(town, ignore_errors=True)
    subprocess.run(
        [
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
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    begin = time.perf_counter()
    subprocess.run(
        [TWIN, "--town", str(town), "ingest", str(source), "--json"], check=True, stdout=subprocess.DEVNULL
    )
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
def tipg(server: PostgisServer, port: int) -> Iterator[str]:
    python = FOLDER / "tipg" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER / "tipg")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "tipg", "uvicorn"], check=True)
    env = {**os.environ, "DATABASE_URL": f"postgresql://twin@127.0.0.1:{PORT}/town", "TIPG_DB_SCHEMAS": '["bench"]',
           "TIPG_MAX_FEATURES_PER_QUERY": "10000"}  # fmt: skip
    command = [
        str(python),
        "-m",
        "uvicorn",
        "tipg.main:app",
        "--port",
        str(port),
        "--workers",
        "2",
        "--log-level",
        "error",
    ]
    process = subprocess.Popen(command, env=env, stdout=sys.stderr)
    try:
        items.wait(f"http://127.0.0.1:{port}/collections/bench.building")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def ours(port: int) -> Iterator[str]:
    command = [TWIN, "--town", str(FOLDER / "postgis-town"), "serve", "--port", str(port), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        items.wait(f"http://127.0.0.1:{port}/readyz")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", type=int, default=500_000)
    rows = parser.parse_args().rows
    source = write_shapefile(FOLDER / f"building_{rows}.shp", rows)
    boxes = [",".join(map(str, box)) for box in items.boxes(rows, 1_200.0)]
    with running_server(durable=True, port=PORT) as server:
        seconds, peer = load(server, source), peer_load(server, source)
        with psycopg.connect(server.url("bench").partition("&schema=")[0], autocommit=True) as connection:
            connection.execute("ANALYZE")
        with ours(items.free_port()) as base:
            asked = [f"{base}/collections/building/items?bbox={box}&limit=1000" for box in boxes]
            first, again = items.once(asked), items.measure(asked)
        with tipg(server, items.free_port()) as base:
            asked = [
                f"{base}/collections/bench.building/items?bbox={box}&limit=1000&f=geojson" for box in boxes
            ]
            their_first, theirs = items.once(asked), items.measure(asked)
    print(f"\nPostGIS store, {rows:,} polygons")
    print(
        f"first load, rows/s: ours {rows / seconds:,.0f}, ogr2ogr {rows / peer:,.0f}: {peer / seconds:.2f} (goal >= 0.8)"
    )
    print(
        f"items, bbox, limit 1000, /s: ours first {first:.1f}, then {again:.1f}; tipg first {their_first:.1f}, then {theirs:.1f}"
    )
    print(f"ratio {again / theirs:.1f}, of first answers {first / their_first:.1f} (goal >= 2)")


if __name__ == "__main__":
    main()
