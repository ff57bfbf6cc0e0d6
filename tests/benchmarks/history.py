"""What a past costs: questions about now and then, a delivery read again, an edit beside readers.

    python tests/benchmarks/history.py [ROWS] [--rounds N] [--postgis]

One town is given the workload once; another ten deliveries more, each of which changes 5 % of it. Every re-read is a
re-export: another file, other row and field order. The peer of an edit is the bare SQL that changes the same rows.

What profiling found. An edit: rows were taken out and put in again with their boxes and keys; now only columns that
differ are written, and a commit waits for the disk only every 8,000 pages. In PostGIS half of an edit are the four indexes
of the history, into which two rows a feature go (what was believed, and until when it was true); writing them on a thread
beside the thinking made it slower on two cores. The history of a feature is read only where something of it may change. Lists of numbers are written at once, boxes once for each geometry. A look at the past: both tables were
gathered and sorted; now they are merged in order, and each row is looked up once. A re-read: half was what was known
(five columns of every feature; now fid and hash) and sets of fids made by hashing; what is left of a delivery was
matched with the whole layer for every 50,000 rows that came in another order, now strip by strip. What is known comes as
two long texts that SQLite gathers, and is compared as numbers: objects a row took three times as long. What was left were
objects again: WKB is taken from Arrow's memory without one for each geometry, spooled in one piece, hashes are not spooled
at all, a column that holds one value is hashed once; PostgreSQL says what it knows while the file is read.
A delivery that changes 5 %: a third was comparing fids that stood in frames as objects, one by one; in PostgreSQL a third
more went into reading all parts of a layer for every 2,000 of them, because the planner has no statistics of a table that
has just grown. Each is looked up by its key now, whatever the planner believes. 14.5 s became 9.4 (8.5 in SQLite).
"""

import argparse
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import psycopg
import pyogrio
from numpy.typing import NDArray
from workload import CENTRE, buildings

from api_config.delivery import Delivery, deliver
from ingest.draft import ReadOptions
from twin_model.changeset import Box, Changeset, Delivered
from twin_model.editing import rows_of
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import now, parse_instant
from twin_model.town import Town, init_town
from twin_model.versioning import commit
from twin_model.view import View

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "out" / "bench" / "history"
sys.path.insert(0, str(ROOT / "tests"))

from postgis_server import running_server  # noqa: E402

EDITED, EDITS, TURNS, SHARE = 1_000, 8, 3, 0.05
READER = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
import numpy as np
from twin_model import open_town
from twin_model.store.base import FeatureQuery
town, rng, took = open_town({town!r}), np.random.default_rng(int(sys.argv[1])), []
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    x, y = np.array({centre}) + rng.uniform(-{half}, {half}, 2)
    begin = time.perf_counter()
    town.store.rows(FeatureQuery("building", bbox=(x, y, x + 200, y + 200), limit=100))
    took.append(time.perf_counter() - begin)
    time.sleep(0.01)
print(np.percentile(took, 99) * 1000)
"""


def export(frame: gpd.GeoDataFrame, name: str, seed: int) -> Path:
    """Write a frame as another office's program would: rows and fields in another order."""
    rng = np.random.default_rng(seed)
    columns = [*rng.permutation([one for one in frame.columns if one != "geometry"]), "geometry"]
    path = FOLDER / f"{name}.gpkg"
    path.unlink(missing_ok=True)
    pyogrio.write_dataframe(frame.iloc[rng.permutation(len(frame))][columns], path, layer="building")
    return path


def bring(town: Town, path: Path, day: str) -> float:
    """Deliver a file and return the seconds it took."""
    begin = time.perf_counter()
    (outcome,) = deliver(town, [path], Delivery(ReadOptions(kind="building", effective=parse_instant(day)[0])))
    if outcome.error:
        raise outcome.error
    return time.perf_counter() - begin


def boxes(rows: int, side: float, count: int = 100) -> list[Box]:
    rng = np.random.default_rng(5)
    half = np.sqrt(rows) * 15.0 - side
    return [(x, y, x + side, y + side) for x, y in (np.array(CENTRE) + rng.uniform(-half, half, (count, 2))).tolist()]


def asked(questions: Mapping[str, tuple[Store, View]], where: list[Box]) -> dict[str, NDArray[np.float64]]:
    """Return for each question the median milliseconds of a box of some 200 features in each of nine rounds, in which the
    questions take turns: a shared machine changes its pace between one and the next."""

    def one(store: Store, view: View, box: Box) -> float:
        begin = time.perf_counter()
        store.rows(FeatureQuery("building", view=view, bbox=box, limit=1_000))
        return time.perf_counter() - begin

    took: dict[str, list[float]] = {name: [] for name in questions}
    for _ in range(9):
        for name, (store, view) in questions.items():
            took[name].append(statistics.median(one(store, view, box) for box in where) * 1000)
    return {name: np.array(rounds) for name, rounds in took.items()}


def edit(town: Town, fids: np.ndarray, number: int) -> Callable[[], None]:
    """Return what commits a new name and height for some features; making it is not part of what is measured."""
    found = town.store.features(FeatureQuery("building", fids=tuple(fids.tolist())))
    layer = town.catalogue["building"]
    rows = rows_of(
        layer,
        found[[*layer.field_names, "geometry"]].assign(name=f"edit {number}", height=float(number)),
        town.store.crs,
    )
    changeset = Changeset(
        "bench", "edit", now(), (Delivered.of("building", rows),), edit=True, base=town.store.version()
    )
    return lambda: commit(town.store, changeset) and None


def bare(path: Path, fids: np.ndarray, number: int) -> Callable[[], None]:
    """Return the bare SQL of the same edit, as a GeoPackage that keeps its old rows has it: each old row into a table of
    old ones with its box, the new row in its place, its box in the R-tree anew. No check, no hash, no account of it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    columns = [row[1] for row in connection.execute("PRAGMA table_info(building)")]
    connection.execute(f"PRAGMA wal_autocheckpoint = {8_000}")
    connection.execute(f"CREATE TABLE IF NOT EXISTS bare_old ({', '.join(columns)})")
    connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS bare_old_tree USING rtree(id, minx, maxx, miny, maxy)")
    for verb in ("insert", "update", "delete"):
        connection.execute(f"DROP TRIGGER IF EXISTS guard_building_{verb}")
    chosen = f"fid IN ({', '.join(map(str, fids.tolist()))})"
    rows = [
        dict(zip(columns, row, strict=True)) for row in connection.execute(f"SELECT * FROM building WHERE {chosen}")
    ]
    new = [[*(row | {"name": f"edit {number}", "height": float(number)}).values(), row["fid"]] for row in rows]
    keys = [(row["fid"],) for row in rows]
    tree = "rtree_building_geom"

    def run() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO bare_old SELECT * FROM building WHERE fid = ?", keys)
        connection.executemany(
            f"INSERT INTO bare_old_tree (minx, maxx, miny, maxy) SELECT minx, maxx, miny, maxy FROM {tree} WHERE id = ?",
            keys,
        )
        boxes = [
            row
            for key in keys
            for row in connection.execute(f"SELECT id, minx, maxx, miny, maxy FROM {tree} WHERE id = ?", key)
        ]
        connection.executemany(f"UPDATE building SET {', '.join(f'{one} = ?' for one in columns)} WHERE fid = ?", new)
        connection.executemany(f"DELETE FROM {tree} WHERE id = ?", keys)
        connection.executemany(f"INSERT INTO {tree} VALUES (?,?,?,?,?)", boxes)
        connection.execute("COMMIT")

    return run


def beside_readers(town: Path, rows: int, work: Callable[[int], Callable[[], None]]) -> tuple[float, float]:
    """Return the median milliseconds of a piece of work a second beside two readers, and the readers' p99 in ms."""
    code = READER.format(
        root=str(Path(__file__).resolve().parents[2]),
        town=str(town),
        centre=CENTRE,
        half=np.sqrt(rows) * 14.0,
    )
    readers = [
        subprocess.Popen([sys.executable, "-c", code, str(seed), str(EDITS + 3.0)], stdout=subprocess.PIPE, text=True)
        for seed in (1, 2)
    ]
    time.sleep(2.5)  # until they read
    took = []
    for number in range(EDITS):
        ready = work(number)
        begin = time.perf_counter()
        ready()
        took.append(time.perf_counter() - begin)
        time.sleep(max(0.0, 1.0 - took[-1]))
    p99 = max(float(reader.communicate()[0]) for reader in readers)
    return statistics.median(took) * 1000, p99


def nth_edit(
    work: Callable[[NDArray[np.int64], int], Callable[[], None]],
    fids: NDArray[np.int64],
    first: int,
    number: int,
) -> Callable[[], None]:
    return work(fids[number], first + number)


def edited_in_turns(
    aged: Town,
    plain: Path,
    rows: int,
    rng: np.random.Generator,
    bare_edit: Callable[[NDArray[np.int64], int], Callable[[], None]],
) -> NDArray[np.float64]:
    """Return milliseconds (turn, 4): an edit, the bare SQL of one, the readers' p99 beside edits and with none; they take
    turns, for the disk of a shared machine is as fast again in one minute as in another."""
    turns = []
    for turn in range(TURNS):
        fids = np.sort(np.stack([rng.choice(rows, EDITED, replace=False) + 1 for _ in range(EDITS)]), axis=1)
        _, quiet = beside_readers(aged.path, rows, lambda n: lambda: None)
        ours, p99 = beside_readers(aged.path, rows, partial(nth_edit, partial(edit, aged), fids, EDITS * turn))
        raw, _ = beside_readers(plain, rows, partial(nth_edit, bare_edit, fids, EDITS * turn))
        turns.append((ours, raw, p99, quiet))
    return np.array(turns)


def bare_postgis(address: str, fids: np.ndarray, number: int) -> Callable[[], None]:
    """Return the same in PostgreSQL: each old row into a table of old ones that has its index, the new row in its place."""
    connection = psycopg.connect(address, autocommit=True)
    connection.execute("SET search_path TO plain, public")
    connection.execute("SET twin.writer = 'yes'")
    connection.execute("CREATE TABLE IF NOT EXISTS bare_old (LIKE building)")
    connection.execute("CREATE INDEX IF NOT EXISTS bare_old_geom ON bare_old USING gist (geom)")
    columns = [
        row[0]
        for row in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'building'::regclass "
            "AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
    ]
    keys = fids.tolist()
    rows = connection.execute("SELECT * FROM building WHERE fid = ANY(%s)", (keys,)).fetchall()
    changed = {"name": f"edit {number}", "height": float(number)}
    new = [[*(dict(zip(columns, row, strict=True)) | changed).values(), row[0]] for row in rows]
    assigned = ", ".join(f'"{one}" = %s' for one in columns)

    def run() -> None:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany("INSERT INTO bare_old SELECT * FROM building WHERE fid = %s", [(key,) for key in keys])
            cursor.executemany(f"UPDATE building SET {assigned} WHERE fid = %s", new)

    return run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--postgis", action="store_true")
    options = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    if not options.postgis:
        measure(
            options.rows,
            options.rounds,
            lambda name: "store.gpkg",
            lambda *edited: bare(FOLDER / "plain" / "store.gpkg", *edited),
        )
        return
    with running_server(durable=True, small=False) as server:
        address = server.url("plain").partition("&schema=")[0]
        measure(options.rows, options.rounds, server.url, lambda *edited: bare_postgis(address, *edited))


def measure(
    rows: int,
    rounds: int,
    store: Callable[[str], str],
    bare_edit: Callable[[np.ndarray, int], Callable[[], None]],
) -> None:
    """Build the two towns in the stores named, ask and edit them, print the ratios."""
    frame, rng = buildings(rows).assign(built=None), np.random.default_rng(9)
    plain, aged = (
        init_town(FOLDER / name, name=name, crs="EPSG:4548", store=store(name)) for name in ("plain", "aged")
    )
    firsts = [bring(one, export(frame, "first", 0), "2010-01-01") for one in (plain, aged)]
    changes = []
    for number in range(rounds):
        some = rng.choice(rows, int(rows * SHARE), replace=False)
        frame.loc[some, "storeys"] += 1
        frame.loc[some, "height"] += 3.0
        changes.append(bring(aged, export(frame, "first", number + 1), f"{2011 + number}-01-01"))
    agains = [bring(aged, export(frame, "first", 95 + n), "2025-01-01") for n in range(5)]
    first, again = statistics.median(firsts), statistics.median(agains)
    assert aged.store.version() == rounds + 1, "an unchanged source made a version"
    past = {year: (aged.store, View(parse_instant(f"{year}-06-01")[0])) for year in ("2010", "2015", "2020")}
    took = asked({"plain": (plain.store, View()), "now": (aged.store, View()), **past}, boxes(rows, 420.0))
    plain.store.close()
    edits = edited_in_turns(aged, plain.path, rows, rng, bare_edit)
    ours, raw, ours_p99, quiet = np.median(edits, axis=0).tolist()

    print(
        f"\nhistory: {rows:,} polygons, {rounds} deliveries that change {SHARE:.0%} each ({statistics.median(changes):.1f} s each)"
    )
    for name, against, goal in (("now", "plain", 1.1), *((year, "now", 1.5) for year in past)):
        what = "now, with history against without" if name == "now" else f"as of {name} against now"
        ratio = float(np.median(took[name] / took[against]))
        one, other = np.median(took[name]), np.median(took[against])
        print(f"{what:35s}{one:8.2f} ms {other:8.2f} ms  {ratio:6.2f}   (goal <= {goal})")
    print(f"unchanged again against first       {again:8.2f} s  {first:8.2f} s   {first / again:6.2f}   (goal >= 2)")
    edit_ratio, readers_ratio = np.median(edits[:, 0::2] / edits[:, 1::2], axis=0).tolist()
    print(f"edit of {EDITED:,}, against bare SQL     {ours:8.1f} ms {raw:8.1f} ms  {edit_ratio:6.2f}   (goal <= 2)")
    print(f"readers' p99 beside edits, quiet    {ours_p99:8.1f} ms {quiet:8.1f} ms  {readers_ratio:6.2f}   (goal <= 3)")


if __name__ == "__main__":
    main()
