"""The app as a whole: what a notebook commits is served at once, what is wrong in a catalogue keeps nobody from the rest."""

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from town_hands import blocks

from twin_model import Town, init_town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A notebook's town, which a service opens too."""
    with init_town(tmp_path / "town", name="小镇", crs="EPSG:4548") as made:
        made.save_result(blocks(), "first", reason="1")
        yield made


def test_layers_and_columns_that_a_notebook_commits_are_served_at_once(town: Town, inside_of: Any) -> None:
    service = inside_of(town.path)
    assert service.get("/collections/second/items").status_code == 404

    town.save_result(blocks(5), "second", reason="2")
    items = service.get("/collections/second/items").json()
    town.save_result(blocks(5, far=[1.0] * 5), "second", reason="3")
    changed = service.get("/collections/second/items").json()

    assert len(items["features"]) == 5
    assert [each["properties"]["far"] for each in changed["features"]] == [1.0] * 5


def test_a_table_edited_in_place_at_the_same_instant_is_followed(town: Town, inside_of: Any) -> None:
    service, file = inside_of(town.path), town.path / "catalogue" / "first.toml"
    before = file.stat().st_mtime_ns

    text = file.read_text("utf-8").replace("cim_class", 'style = { color = "#123456" }\ncim_class', 1)
    file.write_text(text, "utf-8")
    os.utime(file, ns=(before, before))
    service.get("/collections/first")

    assert service.app.state.service.town.store.catalogue["first"].style == {"color": "#123456"}


def test_a_broken_table_is_logged_once_and_the_service_answers_as_before(
    town: Town, inside_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    service = inside_of(town.path)

    (town.path / "catalogue" / "own.toml").write_text("[building\n", "utf-8")
    with caplog.at_level(logging.ERROR, "twin"), pytest.warns(UserWarning, match=r"own\.toml"):
        answers = [service.get("/collections/first/items").status_code for _ in range(3)]
        answer = service.get("/readyz")
    (town.path / "catalogue" / "own.toml").unlink()
    mended = service.get("/readyz")

    assert answers == [200] * 3
    assert len(caplog.records) == 1
    assert answer.status_code == 200 and answer.text.endswith(
        "; changes of the town's files are not followed, the log says why"
    )
    assert mended.status_code == 200 and "not followed" not in mended.text


def open_logs() -> int:
    """Return how many connections this process has to stores: each holds the log beside one."""
    gc.collect()
    return sum(each.is_symlink() and str(each.readlink()).endswith("-wal") for each in Path("/proc/self/fd").iterdir())


def test_towns_that_a_service_has_outgrown_are_let_go(town: Town, inside_of: Any) -> None:
    service = inside_of(town.path)
    service.get("/collections/first/items")
    before = open_logs()

    for number in range(6):
        town.save_result(blocks(), f"layer_{number}", reason="r")
        assert service.get(f"/collections/layer_{number}/items").status_code == 200

    assert open_logs() <= before + 2, "a thread more or less has one"
