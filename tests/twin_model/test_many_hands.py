"""Many hands on one town: threads, notebooks and services that read, commit, open and close at once, in both stores."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from town_hands import BUILDINGS, blocks
from twin_command import run_script

from twin_model import Town, init_town, open_town
from twin_model.audit import verify

ROOT = Path(__file__).resolve().parents[2]
HANDS = ROOT / "tests" / "town_hands.py"
CRS = "EPSG:4548"


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    """A town of 400 buildings, kept in each kind of store."""
    with init_town(tmp_path / "town", name="测试", crs=CRS, store=location) as made:
        numbers = range(BUILDINGS)
        frame = blocks(BUILDINGS, name=[f"{n}号楼" for n in numbers], storeys=[n % 30 + 1 for n in numbers])
        made.edit("building", frame, reason="first")
        yield made


def hands(task: str, folder: Path, number: int) -> dict[str, Any]:
    """Do a task of `town_hands.py` in a process of its own, where a segmentation fault fails the test alone."""
    done = run_script(HANDS, task, folder, str(number))
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return dict(json.loads(done.stdout))


def test_readers_go_on_while_another_thread_closes_the_store(town: Town) -> None:
    done = hands("read_while_others_close", town.path, 8)

    assert done["answers"] == [[400, 400, 1]]
    assert done["count"] >= 24


def test_a_reader_goes_on_when_the_town_it_reads_is_left(town: Town) -> None:
    done = hands("leave_while_others_read", town.path, 3)

    assert done["counts"] == [400]


def test_new_layers_committed_at_once_all_stay(town: Town) -> None:
    done = hands("commit_new_layers_at_once", town.path, 4)

    expected = [f"hand_{hand}_{turn}" for hand in range(4) for turn in range(3)]
    assert done["layers"] == expected
    assert done["versions"] == list(range(2, 14))
    with open_town(town.path) as opened:
        assert set(expected) <= set(opened.layers().index)
        assert verify(opened.store).changesets == 13


@pytest.mark.parametrize("operations", [100, pytest.param(1_000, marks=pytest.mark.proof)])
def test_eight_hands_that_do_everything_at_once_lose_nothing(town: Town, operations: int) -> None:
    """It takes some seconds: many threads, and every commit is looked for afterwards."""
    done = hands("mixed_work", town.path, operations)

    assert done["commits"] > operations / 5
    assert done["proved"] == done["commits"] + 1
    assert verify(town.store).changesets == done["proved"]
    assert town.layers().loc["building", "features"] == BUILDINGS
