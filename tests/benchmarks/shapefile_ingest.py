"""Shapefile (EPSG:4490) -> store (EPSG:4548) with findings, versions and R-tree, against ogr2ogr doing the same.

    python tests/benchmarks/shapefile_ingest.py [ROWS]

What profiling found (500,000 rows): of the CPU time a fifth is GDAL's reading, which goes on in a thread beside the making
of rows (`ingest/vector/stream.py`); a quarter is making rows fit, two fifths the store, the rest start and hashing. Of
the store two fifths are the rows' own INSERT, bound row by row, the rest its two indexes, parts, R-tree and COMMIT.

Dear were, and are no more: a shapely object a geometry, made, moved, checked, hashed and written one pass each (outlines
without holes are columns of x and y, `twin_model/rows/coordinate_runs.py`; few edges are compared pair by pair); readers of other formats
imported only to be asked; one R-tree insert a row (trees are packed at the end, while SQLite sorts ids); parts and node
numbers bound row by row (SQLite unpacks them from one JSON text and one blob, four times as fast); columns of one value
bound row by row (they stand in the statement), NULL columns at all; touched cells found by sorting pairs as records; guard
triggers a row (off within the transaction); values read one by one (columns pass whole, others once per distinct value).

Tried and left: rows bound by the dozen in one INSERT gain nothing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "out" / "bench"
MEMORY_GOAL_MIB = 600
TWIN = str(Path(sys.executable).with_name("twin"))


def timed(command: list[str]) -> tuple[float, float]:
    """Return wall seconds and the largest resident size in MiB of a command."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{command} ended with {status}")
    return time.perf_counter() - begin, usage.ru_maxrss / 1024


def ours(source: Path) -> tuple[float, float]:
    town = FOLDER / "ingest-town"
    shutil.rmtree(town, ignore_errors=True)
    subprocess.run(
        [TWIN, "--town", str(town), "init", "--name", "bench", "--crs", "EPSG:4548"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return timed([TWIN, "--town", str(town), "ingest", str(source), "--json"])


def theirs(source: Path, *more: str) -> tuple[float, float]:
    target = FOLDER / "ogr2ogr.gpkg"
    target.unlink(missing_ok=True)
    return timed(["ogr2ogr", "-f", "GPKG", str(target), str(source), "-t_srs", "EPSG:4548", *more])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", type=int, default=500_000)
    rows = parser.parse_args().rows
    source = FOLDER / f"building_{rows}.shp"
    # In a process of its own: a child's largest size counts that of the parent it was forked from.
    subprocess.run([sys.executable, str(Path(__file__).with_name("workload.py")), str(source), str(rows)], check=True)
    (seconds, memory), (bare, _) = ours(source), theirs(source)
    peer, peer_memory = theirs(source, "-makevalid", "-nlt", "PROMOTE_TO_MULTI")
    print(f"\ningest of {rows:,} polygons, shapefile EPSG:4490 -> store EPSG:4548")
    print(f"{'':28s}{'seconds':>9s}{'rows/s':>10s}{'MiB':>8s}")
    print(f"{'twin ingest':28s}{seconds:9.1f}{rows / seconds:10,.0f}{memory:8.0f}   (goal <= {MEMORY_GOAL_MIB} MiB)")
    print(f"{'ogr2ogr, checking validity':28s}{peer:9.1f}{rows / peer:10,.0f}{peer_memory:8.0f}")
    print(f"{'ogr2ogr, checking nothing':28s}{bare:9.1f}{rows / bare:10,.0f}")
    print(
        f"ratio {peer / seconds:.2f} against ogr2ogr that checks, {bare / seconds:.2f} against one that does not (goal >= 1.0)"
    )


if __name__ == "__main__":
    main()
