"""A process in which many hands work on one town, for tests of what a crash would end: run with `-X faulthandler`.

    python town_hands.py TASK FOLDER [NUMBER]

Each task prints what it has done as one line of JSON and ends with 0; whatever a thread raises ends it with 1.
"""

import json
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from twin_model import Town, open_town
from twin_model.store.base import FeatureQuery

CRS = "EPSG:4548"


def blocks(count: int = 3, **columns: Any) -> gpd.GeoDataFrame:
    """Return squares in a row; without columns each has a density."""
    x = 618_000.0 + 50 * np.arange(count)
    shapes = shapely.box(x, np.full(count, 3_886_000.0), x + 40, np.full(count, 3_886_040.0))
    return gpd.GeoDataFrame(columns or {"density": [0.1 * (n + 1) for n in range(count)]}, geometry=shapes, crs=CRS)


def together(*works: Callable[[], object]) -> list[str]:
    """Do each work in a thread of its own, all begun at once; return what any of them raised."""
    start, raised = threading.Barrier(len(works)), []

    def run(work: Callable[[], object]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:
            raised.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def read_while_others_close(folder: Path, times: int) -> dict[str, Any]:
    """Read in three threads while a fourth closes the store again and again."""
    town, over, answers = open_town(folder), threading.Event(), []

    def read() -> None:
        try:
            while not over.is_set():
                frame = town.features("building")
                streamed = sum(map(len, town.store.frames(FeatureQuery("building"), rows=50)))
                answers.append((len(frame), streamed, town.store.version()))
        finally:
            over.set()

    def close() -> None:
        try:
            for _ in range(times):
                read_before = len(answers)
                while len(answers) < read_before + 3 and not over.wait(0.001):
                    pass
                town.store.close()
                if over.is_set():
                    return
        finally:
            over.set()

    raised = together(read, read, read, close)
    return {"raised": raised, "answers": sorted(set(answers)), "count": len(answers)}


def leave_while_others_read(folder: Path, times: int) -> dict[str, Any]:
    """Open the town as a context and leave it while a thread begun inside still reads."""
    raised: list[str] = []
    counts: set[int] = set()
    for _ in range(times):
        reading = threading.Event()

        def read(town: Town, reading: threading.Event = reading) -> None:
            try:
                for _ in range(10):
                    counts.add(len(town.features("building")))
                    reading.set()
            except BaseException as error:
                raised.append(f"{type(error).__name__}: {error}")
            finally:
                reading.set()

        with open_town(folder) as town:
            reader = threading.Thread(target=read, args=(town,))
            reader.start()
            reading.wait()
        reader.join()
    return {"raised": raised, "counts": sorted(counts)}


def commit_new_layers_at_once(folder: Path, hands: int) -> dict[str, Any]:
    """Commit a new layer in each of some threads at once, three times over, through one town."""
    town = open_town(folder)
    versions: list[int] = []

    def bring(hand: int) -> None:
        for turn in range(3):
            version = town.commit(blocks(4), layer=f"hand_{hand}_{turn}", reason="同一原因")
            versions.append(version.number)
            assert len(town.features(f"hand_{hand}_{turn}")) == 4

    raised = together(*(partial(bring, hand) for hand in range(hands)))
    layers = [name for name in town.catalogue.layers if name.startswith("hand_")]
    return {"raised": raised, "versions": sorted(versions), "layers": sorted(layers)}


TASKS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    task.__name__: task for task in (read_while_others_close, leave_while_others_read, commit_new_layers_at_once)
}


def main() -> None:
    task, folder, number = TASKS[sys.argv[1]], Path(sys.argv[2]), int(([*sys.argv, "8"])[3])
    done = task(folder, number)
    print(json.dumps(done), flush=True)
    sys.exit(bool(done["raised"]))


if __name__ == "__main__":
    main()
