"""A long commit says how far it is where somebody watches, and nowhere else."""

import io
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from twin_model import init_town
from twin_model.changeset import Changeset, Delivered, Scope
from twin_model.desk.progress import is_watched, progress_line
from twin_model.editing import rows_of
from twin_model.temporal import now
from twin_model.town import Town
from twin_model.versioning import commit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class CellOutput(io.StringIO):
    """What a notebook's kernel gives a cell for stderr: no terminal, and shown to somebody."""


CellOutput.__module__ = "ipykernel.iostream"


def blocks(count: int, density: float) -> gpd.GeoDataFrame:
    number = np.arange(count)
    boxes = shapely.box(618_000.0 + 30.0 * number, 3_886_000.0, 618_012.0 + 30.0 * number, 3_886_009.0)
    return gpd.GeoDataFrame({"density": density + number}, geometry=boxes, crs="EPSG:4548")


@pytest.fixture
def town(location: str, tmp_path: Path) -> Town:
    return init_town(tmp_path / "town", name="t", crs="EPSG:4548", store=location)


def changeset(town: Town, frame: gpd.GeoDataFrame) -> Changeset:
    rows = rows_of(town.store.catalogue["r"], frame, town.store.crs)
    scope = Scope("layer", "r")
    return Changeset("a", "again", now(), (Delivered.of("r", rows),), scope=scope, accept_removals=True)


def test_a_commit_tells_how_many_rows_are_compared_and_written(town: Town) -> None:
    town.save_result(blocks(40, 1.0), "r", reason="first")
    heard: list[tuple[str, int, int]] = []

    commit(town.store, changeset(town, blocks(30, 2.0)), progress=lambda *told: heard.append(told))

    assert heard[0] == ("compare", 0, 30)
    assert [told for told in heard if told[0] == "write"][0::2] == [("write", 0, 40), ("write", 40, 40)]
    assert heard[-1] == ("index", 0, 0)
    town.store.close()


def test_whoever_hears_of_the_progress_may_stop_the_commit_and_nothing_has_changed(town: Town) -> None:
    town.save_result(blocks(40, 1.0), "r", reason="first")

    def stop(phase: str, done: int, total: int) -> None:
        if phase == "index":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        commit(town.store, changeset(town, blocks(40, 2.0)), progress=stop)

    assert town.store.version() == 1
    assert town.features("r")["density"].max() == 40.0
    town.store.close()


@pytest.mark.parametrize("stream", [Terminal, CellOutput])
@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("en", "Committing, writing rows: 120,000 of 200,000"),
        ("zh", "正在提交，写入记录：120,000 / 200,000"),
    ],
)
def test_the_line_is_written_over_itself_and_gone_at_the_end(
    stream: type[io.StringIO], lang: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = stream()
    monkeypatch.setattr("twin_model.desk.progress._BETWEEN", 0.0)

    with progress_line(lang, patience=0.0, out=out) as progress:
        progress("compare", 0, 200_000)
        progress("write", 120_000, 200_000)

    first, line, blank, end = out.getvalue().split("\r")[1:]
    assert (line.rstrip(), blank.strip(), end) == (expected, "", "")
    assert "0 of 200,000" in first or "0 / 200,000" in first
    assert "\n" not in out.getvalue()


def test_a_pipe_and_quick_work_show_nothing() -> None:
    pipe, terminal = io.StringIO(), Terminal()

    for out, patience in ((pipe, 0.0), (terminal, 60.0)):
        with progress_line("en", patience=patience, out=out) as progress:
            progress("write", 1, 2)

    assert (pipe.getvalue(), terminal.getvalue()) == ("", "")
    assert not is_watched(pipe)


def test_a_notebooks_town_shows_the_line_in_its_own_language(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr("sys.stderr", out)
    monkeypatch.setattr("twin_model.desk.progress._PATIENCE", 0.0)

    town.save_result(blocks(3, 1.0), "r", reason="first")

    assert "正在提交" in out.getvalue()
    town.store.close()
