"""`docs/architecture.md` describes the house as it is: paths, levels and places of libraries that it names are real."""

import configparser
import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.M | re.S)
MADE_BY_RECIPES = set(re.findall(r"^```\w+ recipe=\w+ file=(\S+)$", TEXT, re.M))
NOT_BUILT_YET = {"twin_model/analysis/"}
"""What the page says does not exist; whoever builds it tells the page."""


def outlined_names() -> list[tuple[str, str]]:
    """Return package and name of each module or folder in the tree of packages."""
    tree = TEXT.split("## Packages")[1].split("## Import rules")[0]
    names, package, folder = [], "", ""
    for line in re.findall(r"^    (\S.*|  .*)$", tree, re.M):
        words = re.findall(r"[\w*]+/?", re.split(r" {3,}", line.strip())[0])
        indent = len(line) - len(line.lstrip())
        if indent == 0:
            package = words[0].rstrip("/")
            continue
        names += [(folder if indent > 2 else package, word) for word in words]
        if words[0].endswith("/"):
            folder = f"{package}/{words[0].rstrip('/')}"
    return [(above, name) for above, name in names if above not in {"tests", "viewer/src"}]


def test_every_path_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`((?:twin_model|ingest|tiles|api_config|tests|docs|viewer)/[\w/.*-]*)`", PROSE))
    named |= {target for target in re.findall(r"\]\((?!https?:|#)([^)#]+)\)", PROSE) if "/" not in target[:3]}

    missing = {name for name in named - MADE_BY_RECIPES - NOT_BUILT_YET if not list(ROOT.glob(name))}

    assert len(named) > 40
    assert missing == {"tests/ingest/test_xyz.py"}, "the recipe's own test is the only one still to be written"
    assert {name for name in NOT_BUILT_YET if (ROOT / name).exists()} == set()


def test_every_module_of_the_tree_exists() -> None:
    names = outlined_names()

    absent = [
        f"{above}/{name}"
        for above, name in names
        if not list((ROOT / above).glob(name.rstrip("/") if name.endswith("/") else f"{name}.py"))
        and not (ROOT / above / name).is_dir()
    ]

    assert len(names) > 70
    assert absent == []


def test_the_levels_it_shows_are_those_of_the_contract() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    levels = setup["importlinter:contract:model"]["layers"].split("\n")[1:]

    assert "\n".join(f"    {level}" for level in levels) in TEXT


def test_the_places_of_libraries_are_those_that_are_tested() -> None:
    spec = importlib.util.spec_from_file_location("test_floors", Path(__file__).with_name("test_floors.py"))
    assert spec is not None and spec.loader is not None
    floors = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(floors)
    rows = re.findall(r"^\| ([\w, ()]+) \| ((?:`[\w/.]+`(?:, )?)+) \|$", TEXT, re.M)

    wrong = [
        (library, place)
        for libraries, places in rows
        for library in re.findall(r"[a-z]\w+", libraries.split("(")[0])
        for place in re.findall(r"`([^`]+)`", places)
        if library in floors.ROOMS and not place.startswith(floors.ROOMS[library])
    ]
    named = {library for libraries, _ in rows for library in re.findall(r"[a-z]\w+", libraries)}

    assert wrong == []
    assert set(floors.ROOMS) - named <= {"rasterio"}
