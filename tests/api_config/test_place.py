"""`twin place` as a user runs it: the commands that messages name, models listed, points and outlines, in both languages."""

import json
import re
import shlex
from pathlib import Path

import pytest
import shapely
from twin_command import run_twin

from twin_model.town import Town, open_town

MODEL = Path(__file__).parents[1].joinpath("twin_model/test_model_places.py").read_text("utf-8").split('"""')[3]


@pytest.fixture
def town(scratch: Town) -> Path:
    scratch.store.close()
    (scratch.path.parent / "office.ifc").write_text(MODEL)
    return scratch.path


def twin(town: Path, *words: str, code: int = 0, lang: str = "en") -> str:
    """Run `twin` and return what it printed to both channels."""
    done = run_twin("--town", town, *words, environment={"TWIN_LANG": lang}, folder=town.parent)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_model_without_place_is_told_with_its_size_and_the_command_that_places_it(town: Path) -> None:
    told = twin(town, "ingest", "office.ifc")

    assert "20.0 x 8.0 x 4.0 m, storeys: 1, elements: 2" in told
    command = re.search(r"twin --town \S+ (place \S+ --at E,N,H --rotate 0)\n", told)
    assert command is not None
    words = shlex.split(command[1].replace("E,N,H", "618500,3886000,60"))
    placed = twin(town, *words)
    assert "Office stands at 618500.000, 3886000.000, 60.000" in placed
    assert "placed by hand" in twin(town, "place", "--list")
    assert "no change" in twin(town, "ingest", "office.ifc")
    undo = re.search(r"twin --town \S+ (revert \d+)", placed)
    assert undo is not None
    twin(town, *undo[1].split())
    assert "无可用定位" in twin(town, "place", lang="zh")


def write_places(folder: Path) -> None:
    """Write a table of control points and a polygon where the model should stand."""
    table = "x,y,E,N\n0,0,618500,3886000\n20,0,618520,3886000\n0,8,618500,3886008.01\n"
    (folder / "control.csv").write_text(table)
    corners = shapely.geometry.mapping(shapely.box(618_500, 3_886_000, 618_520, 3_886_008))
    feature = {"type": "Feature", "properties": {}, "geometry": corners}
    crs = {"type": "name", "properties": {"name": "EPSG:4548"}}
    plot = {"type": "FeatureCollection", "crs": crs, "features": [feature]}
    (folder / "plot.geojson").write_text(json.dumps(plot))


def test_points_and_an_outline_place_a_model_and_say_how_well(town: Path) -> None:
    twin(town, "ingest", "office.ifc")
    write_places(town.parent)
    by_points = twin(town, "place", "Office", "--control", "control.csv", "--dry-run")
    outline = ("place", "Office", "--footprint", "plot.geojson", "--crs", "EPSG:4548")
    by_outline = twin(town, *outline, "--dry-run", lang="zh")
    placed = json.loads(twin(town, *outline, "--rotate", "180", "--json"))

    assert "would stand" in by_points and "Distances at the control points: 0.005, 0.001, 0.005 m" in by_points
    assert by_outline.count("重叠度") == 5, "four candidates, and that two are equally good"
    assert abs(abs(placed["rotate"]) - 180.0) < 0.1
    with open_town(town) as opened:
        shape = opened.features("bim_element").geometry.dropna().iloc[0]
    assert shapely.force_2d(shape).symmetric_difference(shapely.box(618_500, 3_886_000, 618_520, 3_886_008)).area < 0.5


def test_a_model_is_placed_by_points_and_taken_back_with_the_command_that_is_told(town: Path) -> None:
    twin(town, "ingest", "office.ifc")
    placed = twin(town, "place", "Office", "--point", "0,0=618500,3886000", "--point", "20,0=618520,3886000")
    (town.parent / "office.ifc").write_text(MODEL.replace("'W'", "'Wall'"))

    told = twin(town, "ingest", "office.ifc")

    named = twin(town, "ingest", "office.ifc", "--crs", "EPSG:4548", "--crs-wins", "--again")
    both = re.search(r"twin --town \S+ place \S+ --remove; twin --town \S+ (ingest office.ifc .*--again)", named)
    assert both is not None, named
    assert both[1].split() == ["ingest", "office.ifc", "--crs", "EPSG:4548", "--crs-wins", "--again"]
    assert "(version 2)" in placed
    command = re.search(r"twin --town \S+ (place \S+ --remove)", told)
    assert command is not None
    assert "has no place any more" in twin(town, *command[1].split())
    assert "--remove" in twin(town, "place", "--help")


def test_what_is_called_wrongly_says_what_is_expected(town: Path) -> None:
    twin(town, "ingest", "office.ifc")

    assert "List the versions with: twin --town" in twin(town, "revert", "99", code=2), "no Python in a shell"
    for words, told in (
        ("Office --at east,north", "is no place"),
        ("Office --point 0,0=618500,3886000", "1 control points do not fix a place"),
        ("Office --control absent.csv", "absent.csv is no table of control points"),
        ("Office --at 3886000,618500", "Give the east coordinate first: 618500,3886000 --crs EPSG:4548"),
        ("Office --point 0,0=39618500,3886000 --point 20,0=39618520,3886000", "add --crs EPSG:4527"),
        ("Offices --at 618500,3886000", "0 models are called 'Offices'"),
        ("Office --remove --at 618500,3886000", "exactly one way"),
    ):
        assert told in twin(town, "place", *words.split(), code=2)
    assert "stands at 3886000.000" in twin(town, "place", "Office", "--at", "3886000,618500", "--anywhere")


def test_the_commands_of_the_page_about_placing_run_from_first_to_last(town: Path) -> None:
    page = Path(__file__).parents[2].joinpath("docs/bim-placement.md").read_text("utf-8")
    commands = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    write_places(town.parent)

    for command in commands:
        twin(town, *shlex.split(command)[1:])

    assert len(commands) == 10
