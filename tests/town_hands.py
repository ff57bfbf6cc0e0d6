"""A process in which many hands work on one town, for tests of what a crash would end: run with `-X faulthandler`.

    python town_hands.py TASK FOLDER [NUMBER]

Each task prints what it has done as one line of JSON and ends with 0; whatever a thread raises ends it with 1.
"""

import json
import random
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from twin_model import Town, open_town
from twin_model.audit import verify
from twin_model.store.base import FeatureQuery

CRS = "EPSG:4548"
BUILDINGS = 400


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
            raised.append("".join(traceback.format_exception(error)))

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
            saved = town.save_result(blocks(4), f"hand_{hand}_{turn}", reason="同一原因")
            versions.append(saved.version)
            assert len(town.features(f"hand_{hand}_{turn}")) == 4

    raised = together(*(partial(bring, hand) for hand in range(hands)))
    layers = [name for name in town.catalogue.layers if name.startswith("hand_")]
    return {"raised": raised, "versions": sorted(versions), "layers": sorted(layers)}


@dataclass(frozen=True)
class Acknowledged:
    """A commit that was answered with a version: whoever opens the town later finds its reason in a column of these features,
    or of all that the layer held then."""

    version: int
    reason: str
    layer: str
    column: str
    ids: tuple[str, ...] | None


class Hand:
    """One of many that work on a town at once: it reads, edits, brings results and opens further towns, by chance."""

    def __init__(self, town: Town, number: int, hands: int) -> None:
        self._town, self._number = town, number
        self._own = [f"building.{fid}" for fid in range(1, BUILDINGS + 1) if fid % hands == number]
        self._chance, self._done = random.Random(number), 0
        self.acknowledged: list[Acknowledged] = []

    def work(self) -> None:
        """Do the next thing."""
        self._done += 1
        works = (self.read, self.read, self.look_back, self.stream, self.edit, self.bring, self.open_another)
        self._chance.choice(works)(self._town)

    def read(self, town: Town) -> None:
        boxed = town.features("building", bbox=(618_000.0, 3_885_990.0, 618_240.0, 3_886_050.0), fields=["name"])
        assert len(boxed) == 5, len(boxed)
        assert len(town.features("building", where="storeys > 5", sort="-storeys", limit=20)) == 20
        assert town.layers().loc["building", "features"] == BUILDINGS
        assert town.extent() is not None

    def look_back(self, town: Town) -> None:
        number = self._chance.randint(1, town.store.version())
        assert len(town.features("building", as_known=number)) == BUILDINGS
        assert len(town.features("building", at="2000-01-01")) == 0

    def stream(self, town: Town) -> None:
        frames = list(town.store.frames(FeatureQuery("building"), rows=50))
        fids = [fid for frame in frames for fid in frame["fid"].tolist()]
        assert sorted(fids) == list(range(1, BUILDINGS + 1)), set(range(1, BUILDINGS + 1)) ^ set(fids) or fids
        counts = (town.store.count(FeatureQuery("building")), town.store.summary("building").features)
        assert counts == (BUILDINGS, BUILDINGS), counts

    def edit(self, town: Town) -> None:
        """Give some buildings that are this hand's another name."""
        frame = town.features("building", fields=["name"]).loc[self._chance.sample(self._own, 3)]
        self._commit(town, frame.assign(name=self._reason()), "building", "name", tuple(map(str, frame.index)))

    def bring(self, town: Town) -> None:
        """Bring a result of this hand's, or one that all hands bring; now and then with a column that it did not have."""
        layer = self._chance.choice((f"result_{self._number}_{self._chance.randint(1, 2)}", "shared"))
        frame = blocks(4, mark=[self._reason()] * 4, value=np.arange(4) * 0.5)
        if self._chance.random() < 0.3:
            frame[f"extra_{self._number}_{self._chance.randint(1, 3)}"] = self._done
        self._commit(town, frame, layer, "mark")

    def open_another(self, town: Town) -> None:
        with open_town(town.path) as another:
            self._chance.choice((self.read, self.edit, self.bring, self.stream))(another)

    def _reason(self) -> str:
        return f"hand {self._number}, work {self._done}"

    def _commit(
        self, town: Town, frame: gpd.GeoDataFrame, layer: str, column: str, ids: tuple[str, ...] | None = None
    ) -> None:
        is_edit = ids is not None
        saved = (
            town.edit(layer, frame, reason=self._reason())
            if is_edit
            else town.save_result(frame, layer, reason=self._reason())
        )
        assert saved.made
        self.acknowledged.append(Acknowledged(saved.version, self._reason(), layer, column, ids))


def ensure_kept(town: Town, commits: list[Acknowledged]) -> None:
    """Check that every commit that was acknowledged is in the history, and that its rows are as they were brought."""
    records = {record.number: record for record in town.store.changesets()}
    assert len({each.version for each in commits}) == len(commits), "two commits were answered with one version"
    for each in commits:
        record = records[each.version]
        assert record.reason == each.reason, each
        frame = town.features(each.layer, at=record.effective, as_known=each.version)
        marks = frame[each.column] if each.ids is None else frame.loc[list(each.ids), each.column]
        assert len(marks) and set(marks) == {each.reason}, (each, frame.to_dict("records"))


def mixed_work(folder: Path, operations: int) -> dict[str, Any]:
    """Do so many things in eight threads; then prove the history and that no commit is lost."""
    town = open_town(folder)
    hands = [Hand(town, number, 8) for number in range(8)]
    left = iter(range(operations))

    def work(hand: Hand) -> None:
        for _ in left:
            hand.work()

    raised = together(*(partial(work, hand) for hand in hands))
    commits = [each for hand in hands for each in hand.acknowledged]
    town.store.close()
    with open_town(folder) as opened:
        ensure_kept(opened, commits)
        proved = verify(opened.store).changesets
    return {"raised": raised, "commits": len(commits), "proved": proved}


TASKS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    task.__name__: task
    for task in (read_while_others_close, leave_while_others_read, commit_new_layers_at_once, mixed_work)
}


def main() -> None:
    task, folder, number = TASKS[sys.argv[1]], Path(sys.argv[2]), int(([*sys.argv, "8"])[3])
    done = task(folder, number)
    print(json.dumps(done), flush=True)
    sys.exit(bool(done["raised"]))


if __name__ == "__main__":
    main()
