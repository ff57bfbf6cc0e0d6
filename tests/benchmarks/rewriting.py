"""What it costs to commit a result again: nothing changed, all values changed, in another order, and moved by a centimetre.

    python tests/benchmarks/rewriting.py [ROWS] [--rounds N] [--postgis]

The peer is the first commit of the same frame by `Town.save_result` in the same run; each change is made on a town of its own that
holds the first commit alone, and the rounds take turns. Every row that changes puts two into the history: what was believed,
and until when it was true; both have an index entry for fid, id and box.

What profiling found (200,000 city blocks, two columns; GeoPackage, all values changed: 7.7 times the first commit, now 2.7).
A third was timelines: a dictionary a row, and a list of its states, to find that nothing but the current row is concerned.
Those rows are written by column now (`store/succession.py`), and the history's rows are made of the current ones within the
database. A third was the history's R-tree, box by box; boxes wait for the end and the tree is packed, anew where so many come.
A sixth was the overlap of areas that are drawn with the very same coordinates; they are compared as bytes. What is left is the
reading of the frame, three tables' rows, and the disk. Moved by a centimetre the overlaps have to be made, and a second tree.

PostgreSQL (8 times, now 5) waits for its own indexes: of a row that changes each of them gets three entries, and its R-trees are
filled row by row. To take the history's indexes away would keep readers of the past waiting for the whole commit.
"""

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from workload import CENTRE

from twin_model.town import Town, init_town

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "out" / "bench" / "rewriting"
sys.path.insert(0, str(ROOT / "tests"))

from postgis_server import running_server  # noqa: E402

GOAL = 3.0


def blocks(rows: int) -> gpd.GeoDataFrame:
    """Return rectangles on a jittered grid in EPSG:4548 with a density and a name."""
    rng = np.random.default_rng(1)
    side = int(np.ceil(np.sqrt(rows)))
    column, row = np.divmod(np.arange(rows), side)
    x = CENTRE[0] + (column - side / 2) * 30.0 + rng.uniform(-3, 3, rows)
    y = CENTRE[1] + (row - side / 2) * 30.0 + rng.uniform(-3, 3, rows)
    boxes = shapely.box(x, y, x + rng.uniform(8, 20, rows), y + rng.uniform(8, 20, rows))
    names = [f"街区{n}" for n in range(rows)]
    return gpd.GeoDataFrame({"density": rng.uniform(0, 5, rows), "zone": names}, geometry=boxes, crs="EPSG:4548")


def changed(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return frame.assign(density=frame["density"] + 1, zone=frame["zone"] + "-1")


def moved(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return frame.set_geometry(frame.geometry.translate(0.01, 0.0))


CHANGES: dict[str, Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]] = {
    "the same again": lambda frame: frame,
    "all values changed": changed,
    "all values changed, other order": lambda frame: (
        changed(frame).sample(frac=1, random_state=3).reset_index(drop=True)
    ),
    "all values changed, moved by 1 cm": lambda frame: moved(changed(frame)),
}


def committed(town: Town, frame: gpd.GeoDataFrame) -> float:
    """Return the seconds a commit takes."""
    begin = time.perf_counter()
    town.save_result(frame, "result", reason="bench")
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgis", action="store_true")
    options = parser.parse_args()
    if not options.postgis:
        measure(options.rows, options.rounds, lambda name: "store.gpkg")
        return
    with running_server(durable=True, small=False) as server:
        measure(options.rows, options.rounds, server.url)


def measure(rows: int, rounds: int, store: Callable[[str], str]) -> None:
    """Commit every change in each round to a town of its own, and print the ratios: each against the first commit just
    before it, for a shared machine changes its pace."""
    frame = blocks(rows)
    frames = {name: change(frame) for name, change in CHANGES.items()}
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in frames}
    for turn in range(rounds):
        for number, (name, changed_frame) in enumerate(frames.items()):
            place = f"rewriting_{turn}_{number}"
            shutil.rmtree(FOLDER / place, ignore_errors=True)
            with init_town(FOLDER / place, name=place, crs="EPSG:4548", store=store(place)) as town:
                took[name].append((committed(town, frame), committed(town, changed_frame)))
            shutil.rmtree(FOLDER / place)

    print(f"\nrewriting: {rows:,} polygons, against their first commit")
    for name, pairs in took.items():
        first, again = np.median(pairs, axis=0).tolist()
        ratio = statistics.median(later / before for before, later in pairs)
        goal = f"   (goal <= {GOAL:.0f})" if name == "all values changed" else ""
        print(f"{name:35s}{again:8.2f} s {first:8.2f} s  {ratio:6.2f}{goal}")


if __name__ == "__main__":
    main()
