"""The recipes of `docs/architecture.md`, carried out as they stand there: a newcomer who copies them gets what they promise.

Recipes that change the code are carried out on a copy of it, in a process of their own: two seconds each.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from recipe_checks import answers
from twin_command import run_twin

import twin_model
from twin_model.town import Town, init_town, open_town

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("twin_model", "ingest", "tiles", "api_config")
_BLOCK = re.compile(r"^```(\w+) recipe=(\w+)(?: file=(\S+))?\n(.*?)^```$", re.M | re.S)
_CHANGE = re.compile(r"^--- (\S+)\n", re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block of the page: its language, the file it is to be written to (or none), its text."""

    language: str
    file: str | None
    text: str


def blocks(recipe: str, *languages: str) -> list[Block]:
    """Return the blocks of a recipe, all or those of some languages."""
    every = [
        Block(language, file or None, text)
        for language, name, file, text in _BLOCK.findall(PAGE.read_text("utf-8"))
        if name == recipe
    ]
    return [block for block in every if not languages or block.language in languages]


def write_files(recipe: str, folder: Path) -> list[Path]:
    """Write the files of a recipe below a folder and return them."""
    written = []
    for block in blocks(recipe):
        if block.file is not None:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
            written.append(path)
    return written


def changes(recipe: str) -> Iterator[tuple[str, str, str]]:
    """Yield file, text before and text after of each change that a recipe shows."""
    for block in blocks(recipe, "diff"):
        _, *parts = _CHANGE.split(block.text)
        for file, text in zip(parts[::2], parts[1::2], strict=True):
            lines = text.splitlines(keepends=True)
            yield (
                file,
                "".join(line[1:] for line in lines if line[0] in " -"),
                "".join(line[1:] for line in lines if line[0] in " +"),
            )


def apply_changes(recipe: str, folder: Path) -> None:
    for file, before, after in changes(recipe):
        text = (folder / file).read_text("utf-8")
        assert text.count(before) == 1, f"{file} has no longer, or not only once:\n{before}"
        (folder / file).write_text(text.replace(before, after), "utf-8")


def commands(recipe: str) -> list[str]:
    return [line for block in blocks(recipe, "sh") for line in block.text.splitlines() if line]


@pytest.fixture(scope="module")
def empty_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty") / "town"
    init_town(folder, name="小镇", crs="EPSG:4548").store.close()
    return folder


@pytest.fixture
def place(empty_town: Path, tmp_path: Path) -> Path:
    """A folder in which `town` is an empty town."""
    shutil.copytree(empty_town, tmp_path / "place" / "town")
    return tmp_path / "place"


@pytest.fixture
def changed_house(tmp_path: Path) -> Callable[..., Path]:
    """Return what copies the packages and carries out recipes on the copy."""

    def copied(*recipes: str) -> Path:
        house = tmp_path / "house"
        for package in PACKAGES:
            shutil.copytree(ROOT / package, house / package)
        for name in ("README.md", "setup.cfg"):
            shutil.copy(ROOT / name, house / name)
        for recipe in recipes:
            write_files(recipe, house)
            apply_changes(recipe, house)
        return house

    return copied


def carried_out(recipe: str, house: Path, place: Path) -> str:
    """Run a recipe's commands and its checks in a process that imports the changed house."""
    for block in blocks(recipe, "text", "json"):
        shutil.copy(house / str(block.file), place / str(block.file))
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "recipe_checks.py", recipe, json.dumps(commands(recipe))],
        cwd=place, env={**os.environ, "PYTHONPATH": str(house)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_layer_of_the_recipe_is_read_into_and_served_with_its_fields(place: Path) -> None:
    write_files("layer", place)

    runs = [run_twin(*shlex.split(line)[1:], folder=place) for line in commands("layer")]

    assert [run.returncode for run in runs] == [0, 0], [run.stdout + run.stderr for run in runs]
    items, queryables = answers(
        place / "town",
        "/collections/bench/items?sortby=number",
        "/collections/bench/queryables?f=json&lang=en",
    )
    assert [item["properties"]["seats"] for item in items.json()["features"]] == [3, 4]
    assert queryables.json()["properties"]["seats"]["title"] == "Seats"


def test_the_reader_of_the_recipe_reads_its_file_into_the_store(
    changed_house: Callable[..., Path], place: Path
) -> None:
    output = carried_out("reader", changed_house("reader"), place)

    assert "line 3 is '618040.0 not measured'" in output


def test_the_analysis_of_the_recipe_answers_and_its_result_is_served(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files("analysis", tmp_path)
    monkeypatch.setattr(twin_model, "__path__", [*twin_model.__path__, str(tmp_path / "twin_model")])
    monkeypatch.chdir(place)
    with open_town("town") as town:
        bring_building_and_pipes(town)
    (notebook,) = [block.text for block in blocks("analysis", "python") if block.file is None]
    names: dict[str, Any] = {}

    exec(notebook, names)
    names["town"].store.close()

    building = str(names["now"]["building"].item())
    assert names["now"]["pipe"].tolist() == ["near"]
    assert len(names["then"]) == 0, "the building was not there on the past day"
    (response,) = answers(place / "town", "/collections/pipes_under_buildings/items")
    (item,) = response.json()["features"]
    assert (item["properties"]["pipe"], item["properties"]["building"]) == ("near", building)


def bring_building_and_pipes(town: Town) -> None:
    """Commit a building that stands since 2025, a pipe that passes it at 0.9 m and one at 1.1 m."""
    east, north = 618_000.0, 3_886_000.0
    outline = shapely.MultiPolygon([shapely.box(east, north, east + 20, north + 20)])
    lines = [shapely.MultiLineString([[(east, north - gap, 60), (east + 20, north - gap, 60)]]) for gap in (0.9, 1.1)]
    known = pd.Index(["near", "far"], name="id")
    pipes = gpd.GeoDataFrame({"segment_key": known}, index=known, geometry=lines, crs="EPSG:4548")
    town.edit("pipe_line", pipes, effective="2020-01-01", reason="survey")
    building = gpd.GeoDataFrame({"storeys": [6]}, geometry=[outline], crs="EPSG:4548")
    town.edit("building", building, effective="2025-01-01", reason="survey")


def test_the_route_of_the_recipe_answers_and_stands_in_api_and_conformance(
    changed_house: Callable[..., Path], place: Path
) -> None:
    carried_out("route", changed_house("route"), place)


def test_what_the_recipes_add_keeps_the_import_rules_and_the_style(
    changed_house: Callable[..., Path],
) -> None:
    house = changed_house("reader", "analysis", "route")
    programs = Path(sys.executable).parent
    added = [
        house / str(block.file)
        for recipe in ("reader", "analysis", "route")
        for block in blocks(recipe, "python")
        if block.file
    ]

    linted = subprocess.run([programs / "lint-imports", "--no-cache"], cwd=house, capture_output=True, text=True, check=False)  # fmt: skip
    checked = [
        subprocess.run([programs / "ruff", *words, "--config", ROOT / "pyproject.toml", *added], cwd=house, capture_output=True, text=True, check=False)
        for words in (["check", "--no-cache"], ["format", "--no-cache", "--check"])
    ]  # fmt: skip

    assert "0 broken" in linted.stdout, linted.stdout + linted.stderr
    assert [run.stdout for run in checked if run.returncode] == []


def test_the_picture_of_two_axes_of_time_shows_what_the_store_answers(place: Path) -> None:
    (example,) = blocks("time", "python")
    with open_town(place / "town") as town:
        names: dict[str, Any] = {"town": town, "gpd": gpd, "shapely": shapely}

        exec(example.text, names)

    assert names["answers"] == {
        "now": 8,
        "datetime": 7,
        "datetime and recorded": 6,
        "recorded": 6,
        "interval": 7,
    }
