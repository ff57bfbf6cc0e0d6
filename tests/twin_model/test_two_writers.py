"""Two notebooks on one town that read, edit and save in any order: nothing that one has written is lost unseen by the other.

The model knows who wrote each value of each feature last. A writer that overwrites a value which somebody else has written
since it read must have been refused, or warned that it is newer.
"""

import itertools
import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from drawn_examples import examples
from hypothesis import HealthCheck, Phase, given, note
from hypothesis import strategies as st

from twin_model import Town, init_town, open_town
from twin_model.audit import verify
from twin_model.errors import VersionConflict

CRS, LAYER = "EPSG:4548", "result"
EAST, NORTH = 618_000.0, 3_886_000.0
FIELDS = ("a", "b", "c")
FEATURES = 4
TIMES = 4

Values = dict[tuple[str, str], int]
"""Value by feature and field; the geometry is the field "/": metres moved east."""


def blocks(values: list[int]) -> gpd.GeoDataFrame:
    shapes = [square(row, 0) for row in range(len(values))]
    return gpd.GeoDataFrame(dict.fromkeys(FIELDS, values), geometry=shapes, crs=CRS)


def square(row: int, moved: int) -> Any:
    x = EAST + 500 * row + moved
    return shapely.MultiPolygon([shapely.box(x, NORTH, x + 100, NORTH + 100)])


def values_of(town: Town) -> Values:
    frame = town.features(LAYER)
    values = {(name, each): int(frame.loc[name, each]) for name in frame.index for each in FIELDS}
    moved = {(name, "/"): round(shape.bounds[0] - EAST) % 500 for name, shape in frame.geometry.items()}
    return {**values, **moved}


@dataclass
class Writer:
    """A notebook: its town, the frame that it read last, and what that frame said."""

    town: Town
    frame: Any = None
    read: Values = field(default_factory=dict)
    version: int = 0

    def look(self) -> None:
        self.frame, self.read, self.version = self.town.features(LAYER), values_of(self.town), self.town.store.version()


@contextmanager
def remarks() -> Iterator[list[str]]:
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        told: list[str] = []
        yield told
        told += [str(each.message) for each in noticed]


class Desks:
    """Two writers on one folder, and for each value the last value that somebody meant, with who and at which version."""

    def __init__(self, folder: Path) -> None:
        self.writers = [Writer(open_town(folder)) for _ in range(2)]
        for writer in self.writers:
            writer.look()
        self.values = values_of(self.writers[0].town)
        self.authors: dict[tuple[str, str], tuple[int, int]] = {}
        self.number = itertools.count(10)

    def close(self) -> None:
        for writer in self.writers:
            writer.town.store.close()

    def write(
        self, who: int, changes: Values, put: Callable[[Any], Any], rows: list[str], fields: Sequence[str]
    ) -> None:
        """Let a writer change some values of rows of its frame, and hold what it did against the model."""
        writer = self.writers[who]
        frame = changed(writer.frame.loc[rows], changes)
        meant = {key: changes.get(key, writer.read[key]) for key in writer.read if key[0] in rows and key[1] in fields}
        before = dict(self.values)
        overwritten = {
            key
            for key, value in meant.items()
            if self.by_another(key, who) and before[key] not in (value, writer.read[key]) and value != writer.read[key]
        }
        try:
            with remarks() as told:
                saved = put(frame)
        except VersionConflict as conflict:
            note(f"{who}: conflict {conflict}")
            assert values_of(writer.town) == before, "a refused edit changed something"
            assert any(self.by_another(key, who) for key in before), "a conflict with nobody"
            return
        note(f"{who}: {saved} {told}")
        assert not overwritten, f"values of the other were overwritten unseen: {overwritten}"
        self.settle(who, saved.version, meant, before, told)

    def settle(self, who: int, version: int, meant: Values, before: Values, told: list[str]) -> None:
        """After an edit each value is the one that this writer changed, else the newest there was."""
        writer, after = self.writers[who], values_of(self.writers[who].town)
        for key, value in before.items():
            changed_here = key in meant and meant[key] != writer.read.get(key)
            expected = meant[key] if changed_here else value
            assert after[key] == expected, (
                key,
                "read",
                writer.read.get(key),
                "meant",
                meant.get(key),
                "newest",
                value,
                "now",
                after[key],
            )
            if key in meant and not changed_here and value != writer.read[key]:
                assert any("较新" in text for text in told), "a newer value was kept unsaid"
            if changed_here:
                self.authors[key] = (who, version)
        self.values = after

    def by_another(self, key: tuple[str, str], who: int) -> bool:
        """Return whether the other has written a value since this one read."""
        author, version = self.authors.get(key, (who, 0))
        return author != who and version > self.writers[who].version


def changed(frame: Any, changes: Values) -> Any:
    frame = frame.copy()
    for (name, each), value in changes.items():
        if name not in frame.index:
            continue
        if each == "/":
            shapes = frame.geometry.to_dict() | {name: square(int(name.rpartition(".")[2]) - 1, value)}
            frame = frame.set_geometry(gpd.GeoSeries([shapes[row] for row in frame.index], index=frame.index, crs=CRS))
        else:
            frame.loc[name, each] = value
    return frame


def a_step(desks: Desks, data: Any) -> None:
    who, verb = (
        data.draw(st.integers(0, 1), "who"),
        data.draw(st.sampled_from(["read", "edit", "edit", "update", "table", "replace"]), "verb"),
    )
    writer = desks.writers[who]
    if verb == "read":
        writer.look()
        return
    names = list(writer.frame.index)
    rows = names if verb == "replace" else data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True), "rows")
    fields = st.sampled_from(FIELDS if verb == "table" else (*FIELDS, "/"))
    keys = data.draw(st.lists(st.tuples(st.sampled_from(rows), fields), unique=True, max_size=4), "keys")
    changes = {key: next(desks.number) for key in keys}
    town = writer.town
    if verb == "replace":
        _replace(desks, who, changes)
        return
    puts: dict[str, Callable[[Any], Any]] = {
        "edit": lambda frame: town.edit(LAYER, frame, reason="drawn"),
        "update": lambda frame: town.save_result(frame, LAYER, reason="drawn", mode="update"),
        "table": lambda frame: town.edit(LAYER, _table(frame), reason="drawn"),
    }
    desks.write(who, changes, puts[verb], rows, FIELDS if verb == "table" else (*FIELDS, "/"))


def _table(frame: Any) -> pd.DataFrame:
    """Return a frame without its geometry, as a join leaves it."""
    table = pd.DataFrame(frame).drop(columns="geometry")
    table.attrs = dict(frame.attrs)
    return table


def _replace(desks: Desks, who: int, changes: Values) -> None:
    """Replace the layer with a stale frame: refused where the other has written to it since."""
    writer = desks.writers[who]
    frame = changed(writer.frame, changes)
    others = {key for key in desks.values if desks.by_another(key, who)}
    try:
        with remarks():
            saved = writer.town.save_result(frame, LAYER, reason="drawn")
    except VersionConflict:
        assert others, "refused, though nobody else has written"
        assert values_of(writer.town) == desks.values
        return
    assert not others, f"replaced unseen: {others}"
    meant = {**writer.read, **changes}
    after = values_of(writer.town)
    assert after == meant
    desks.authors |= {key: (who, saved.version) for key, value in after.items() if desks.values[key] != value}
    desks.values = after


@pytest.fixture(scope="session")
def shared_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a town with one result of four blocks in a GeoPackage, to be copied."""
    folder = tmp_path_factory.mktemp("shared") / "town"
    with init_town(folder, name="两人", crs=CRS) as town:
        town.save_result(blocks([1] * FEATURES), LAYER, reason="first")
    return folder


def ensure_nothing_is_lost(folder: Path, data: Any) -> None:
    desks = Desks(folder)
    try:
        for _ in range(data.draw(st.integers(2, 8), "steps")):
            a_step(desks, data)
            for writer in desks.writers:
                assert values_of(writer.town) == desks.values
        assert not verify(desks.writers[0].town.store).unread
    finally:
        desks.close()


@pytest.mark.parametrize("kind", ["geopackage", "postgis"])
def test_each_value_is_that_of_its_last_writer_who_knew_what_was_there(
    request: pytest.FixtureRequest, kind: str, shared_town: Path
) -> None:
    server = request.getfixturevalue("postgis_server") if kind == "postgis" else None
    number = itertools.count()

    @contextmanager
    def a_copy() -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as folder:
            town = Path(folder) / "town"
            if server is None:
                shutil.copytree(shared_town, town)
            else:
                with init_town(town, name="两人", crs=CRS, store=server.url(f"two{next(number)}")) as made:
                    made.save_result(blocks([1] * FEATURES), LAYER, reason="first")
            yield town

    @examples(
        8 if server is None else 2,
        proof=150,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(st.data())
    def run(data: Any) -> None:
        with a_copy() as folder:
            ensure_nothing_is_lost(folder, data)

    run()


@pytest.fixture
def folder(location: str, tmp_path: Path) -> Path:
    """The folder of a town with one result of four blocks, kept in each kind of store."""
    with init_town(tmp_path / "town", name="两人", crs=CRS, store=location) as town:
        town.save_result(blocks([0] * FEATURES), LAYER, reason="first")
    return tmp_path / "town"


def together(*works: Callable[[], None]) -> None:
    """Do each work in a thread of its own, all begun at once; raise what any of them raised."""
    start, raised = threading.Barrier(len(works)), []

    def run(work: Callable[[], None]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def count_up(folder: Path, name: str, more: int, put: Callable[[Town, Any], Any]) -> None:
    """Add to a field of every feature, four times; what is refused is read and tried again."""
    done = 0
    with open_town(folder) as town:
        while done < TIMES:
            read = town.features(LAYER)
            with suppress(VersionConflict):
                put(town, read.assign(**{name: read[name] + more}))
                done += 1


def edited(town: Town, frame: Any) -> Any:
    return town.edit(LAYER, frame, reason="one more")


def updated(town: Town, frame: Any) -> Any:
    return town.save_result(frame, LAYER, reason="one more", mode="update")


def replaced(town: Town, frame: Any) -> Any:
    return town.save_result(frame, LAYER, reason="one more")


EVERY_RUN = [(edited, edited, True), (edited, updated, False), (replaced, replaced, True), (edited, replaced, False)]
PROOF = [(first, second, not same) for first, second, same in EVERY_RUN]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("first", "second", "same"), [*EVERY_RUN, *(pytest.param(*case, marks=pytest.mark.proof) for case in PROOF)]
)
def test_threads_that_count_up_lose_no_count(folder: Path, first: Any, second: Any, same: bool) -> None:

    together(
        partial(count_up, folder, "a", 1, first),
        partial(count_up, folder, "a" if same else "b", 100, second),
    )

    with open_town(folder) as town:
        frame = town.features(LAYER)
        assert (frame["a"] + frame["b"]).tolist() == [101 * TIMES] * FEATURES
        assert not verify(town.store).unread


def test_an_id_that_both_give_to_something_new_is_a_conflict(folder: Path) -> None:
    with open_town(folder) as town, open_town(folder) as other:
        mine = blocks([5]).set_index(pd.Index(["x"], name="id"))
        theirs = mine.assign(a=7)
        mine.attrs, theirs.attrs = dict(town.features(LAYER).attrs), dict(other.features(LAYER).attrs)
        town.edit(LAYER, mine, reason="new")

        with pytest.raises(VersionConflict, match="x were changed by others since version 1"):
            other.edit(LAYER, theirs, reason="new too")

        assert town.features(LAYER, ids=["x"])["a"].tolist() == [5]
