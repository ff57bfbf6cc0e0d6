"""Commands that messages propose: quoted for a shell, with the path and the town as the user gave them."""

import shlex

import pytest

from twin_model.messages import render
from twin_model.messages.command_lines import CommandLine, pasted_as, shell_quoted

NAMES = [
    "房屋.shp",
    "房屋 (2).shp",
    "it's.shp",
    '"a".gpkg',
    "$HOME.csv",
    "`id`.dxf",
    "a;b.shp",
    "-o.shp",
    "宗地　甲.shp",
]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", NAMES)
def test_a_proposed_command_holds_path_and_town_as_one_word_each_whatever_their_letters(name: str, lang: str) -> None:
    values = {"source": name, "crs": "EPSG:4548", "likely": ["EPSG:4548"], "example": "EPSG:4548"}
    line = CommandLine("my town{1}", "ingest", {}, {name: f"in/sp ace/{name}"}.get)

    with pasted_as(line):
        text = render("source.no_crs", lang, values)

    command = text[text.index("twin --town") :]
    expected = ["twin", "--town", "my town{1}", "ingest", f"in/sp ace/{name}", "--crs", "EPSG:4548"]
    assert shlex.split(command) == expected
    assert text.startswith(name), "outside the command a name is written as it is"


def test_check_proposes_check_and_what_was_given_is_given_again() -> None:
    given = {"--crs": "--crs EPSG:4548", "--as": "--as building", "--effective": "--effective 2020-01-01"}
    values = {"source": "a.gpkg", "found": "Point", "expected": "Polygon", "nearest": [], "to": "street_lamp"}

    with pasted_as(CommandLine(verb="check", options={"--crs": "--crs EPSG:4548"})):
        checked = render("vector.wrong_geometry", "en", {**values, "layer": "building"})
    with pasted_as(CommandLine(verb="ingest", options=given)):
        delivered = render("vector.wrong_geometry", "en", {**values, "layer": "building"})
    alone = render("vector.wrong_geometry", "en", {**values, "layer": "building"})

    assert checked.endswith("twin check a.gpkg --crs EPSG:4548 --as street_lamp")
    assert delivered.endswith("twin ingest a.gpkg --crs EPSG:4548 --effective 2020-01-01 --as street_lamp")
    assert alone.endswith("twin ingest a.gpkg --as street_lamp")


def test_a_town_goes_into_commands_to_run_and_not_into_what_is_only_spoken_of() -> None:
    with pasted_as(CommandLine("x", "ingest")):
        spoken = render("store.not_ours", "en", {"path": "a b.gpkg"})
        placed = render("ifc.placing_kept", "zh", {"model": "09RGW$tEjDQ", "reason": "-"})
        made = render("ifc.unplaced", "en", {"command": "twin place '0$a' --at E,N,H"})

    assert "made by twin init)" in spoken and spoken.endswith("twin --town x ingest 'a b.gpkg'")
    assert "twin --town x place '09RGW$tEjDQ' --remove" in placed
    assert "twin --town x place '0$a' --at E,N,H" in made


def test_plain_words_are_not_quoted() -> None:
    assert [shell_quoted(word) for word in ("EPSG:4548", "in/房屋_1.shp", "E,N,H")] == [
        "EPSG:4548",
        "in/房屋_1.shp",
        "E,N,H",
    ]
