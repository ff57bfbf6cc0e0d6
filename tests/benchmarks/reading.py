"""What reading costs, without commits: columns that stay in `attributes`, and 200 small files read by two jobs.

    python tests/benchmarks/reading.py [ROWS]

The peer of the first is the same file with columns that the layer has fields for (CPU seconds), of the second one job (seconds of
the clock, two cores). Both are medians of rounds that take turns.
"""

import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyogrio
from workload import buildings

from api_config.delivery import inspect
from ingest.draft import ReadOptions
from ingest.reading import HERE, ReadLimits

FOLDER = Path(__file__).resolve().parents[2] / "out" / "bench" / "reading"
ROUNDS, FILES, IN_A_FILE = 3, 200, 100
ATTRIBUTES_GOAL, JOBS_GOAL = 1.15, 1.5


def read(path: Path, limits: ReadLimits, clock: Callable[[], float]) -> float:
    """Return the seconds of a clock in which sources are read and checked; all of them must be good."""
    begun = clock()
    outcomes = inspect(None, [path], ReadOptions(kind="building", crs="EPSG:4548"), limits=limits)
    seconds = clock() - begun
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return seconds


def medians(first: Callable[[], float], second: Callable[[], float]) -> tuple[float, float]:
    turns = [(first(), second()) for _ in range(ROUNDS)]
    one, other = (statistics.median(column) for column in zip(*turns, strict=True))
    return one, other


def main() -> None:
    rows = min(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000, 50_000)
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "many").mkdir(parents=True)
    frame = buildings(rows)
    fields, others = FOLDER / "fields.geojson", FOLDER / "attributes.geojson"
    pyogrio.write_dataframe(frame, fields, driver="GeoJSON")
    strange = {name: f"zz_{n}" for n, name in enumerate(frame.columns) if name not in ("name", "geometry")}
    pyogrio.write_dataframe(frame.rename(columns=strange), others, driver="GeoJSON")
    for number in range(FILES):
        pyogrio.write_dataframe(buildings(IN_A_FILE, number), FOLDER / "many" / f"b{number}.shp", encoding="UTF-8")
    mapped, kept = medians(lambda: read(fields, HERE, time.process_time), lambda: read(others, HERE, time.process_time))
    one, two = medians(
        lambda: read(FOLDER / "many", ReadLimits(1), time.perf_counter),
        lambda: read(FOLDER / "many", ReadLimits(2), time.perf_counter),
    )
    print(f"\nreading {rows:,} polygons with {len(strange)} columns, and {FILES} files of {IN_A_FILE}")
    print(
        f"in attributes, against fields {kept:8.2f} s {mapped:8.2f} s  {kept / mapped:6.2f}   (goal <= {ATTRIBUTES_GOAL})"
    )
    print(f"two jobs, against one         {two:8.2f} s {one:8.2f} s  {one / two:6.2f}   (goal >= {JOBS_GOAL})")


if __name__ == "__main__":
    main()
