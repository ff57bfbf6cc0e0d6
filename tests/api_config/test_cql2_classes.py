"""Each class of CQL2 that is declared, on a few features that are written out: what a filter finds is what its words mean."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely

from twin_model.town import open_town

HOUSES = {f"building.{number}": letter for number, letter in enumerate("abcde", 1)}
CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf"
NAMES = ["École", "ecole", "雨水泵站", "Straße 5", None]
HEIGHTS = [10.0, 9.0, 12.5, None, 3.0]
STOREYS = [3, 3, 4, 1, None]
ADDRESSES = ["École", "x", "雨水泵站", None, None]
BUILT = ["2020-01-01", "2021-06-15", "2022-12-31", "2021-06-15", None]
INSIDE = "POLYGON((616999 3885999, 617065 3885999, 617065 3886015, 616999 3886015, 616999 3885999))"
"""Around the first three houses; the first is a square of 10 m at 617000, 3886000, each other 25 m farther east."""
CASES: dict[str, dict[str, str]] = {
    "basic-cql2": {
        "name = 'ecole'": "b", "height > 9": "ac", "height >= 9 AND storeys < 4": "ab", "height <> 9": "ace", "name IS NULL": "e",
        "NOT (storeys = 3)": "cd", "storeys = 1 OR height < 4": "de", "built > DATE('2021-06-15')": "c", "true": "abcde", "false": "",
    },
    "advanced-comparison-operators": {
        "name LIKE 'e%'": "b", "name LIKE '_traße%'": "d", "height BETWEEN 9 AND 10": "ab", "height NOT BETWEEN 9 AND 10": "ce",
        "storeys IN (1, 4)": "cd", "storeys NOT IN (1, 4)": "ab", "name NOT LIKE 'e%'": "acd",
    },
    "case-insensitive-comparison": {
        "CASEI(name) = CASEI('ÉCOLE')": "a", "CASEI(name) LIKE CASEI('STRASSE%')": "d", "CASEI(name) IN (CASEI('ECOLE'), CASEI('ÉCOLE'))": "ab", "CASEI(name) < 'f'": "b",
    },
    "accent-insensitive-comparison": {
        "ACCENTI(name) = ACCENTI('Ecole')": "a", "ACCENTI(CASEI(name)) = 'ecole'": "ab", "ACCENTI(name) LIKE ACCENTI('Éc%')": "a",
    },
    "property-property": {"name = address": "ac", "storeys < height": "abc", "name <> address": "b", "height BETWEEN storeys AND storeys * 3": "b"},
    "arithmetic": {
        "height = 3 * storeys": "b", "height - storeys > 6": "ac", "height / 2 = 4.5": "b", "storeys % 2 = 0": "c", "storeys div 2 = 1": "ab", "storeys ^ 2 = 9": "ab",
        "(height + 1) * 2 = 22": "a", "-storeys = -4": "c",
    },
    "functions": {"DWITHIN(geometry, POINT(617005 3886005), 15)": "a", "DWITHIN(geometry, POINT(617005 3886005), 21)": "ab"},
    "basic-spatial-functions": {"S_INTERSECTS(geometry, POINT(617005 3886005))": "a", "S_INTERSECTS(geometry, BBOX(617000, 3886000, 617026, 3886001))": "ab"},
    "basic-spatial-functions-plus": {
        "S_INTERSECTS(geometry, LINESTRING(617005 3886005, 617030 3886005))": "ab", f"S_INTERSECTS(geometry, {INSIDE})": "abc",
        "S_INTERSECTS(geometry, MULTIPOINT((617005 3886005), (617055 3886005)))": "ac", "S_INTERSECTS(geometry, MULTILINESTRING((617005 3886005, 617006 3886005)))": "a",
        "S_INTERSECTS(geometry, MULTIPOLYGON(((617005 3886005, 617006 3886005, 617006 3886006, 617005 3886005))))": "a",
        "S_INTERSECTS(geometry, GEOMETRYCOLLECTION(POINT(617005 3886005), LINESTRING(617030 3886005, 617031 3886005)))": "ab",
    },
    "spatial-functions": {
        f"S_WITHIN(geometry, {INSIDE})": "abc", f"S_DISJOINT(geometry, {INSIDE})": "de", "S_CONTAINS(geometry, POINT(617005 3886005))": "a",
        "S_TOUCHES(geometry, POLYGON((617010 3886000, 617025 3886000, 617025 3886010, 617010 3886010, 617010 3886000)))": "ab",
        "S_OVERLAPS(geometry, POLYGON((617005 3885990, 617015 3885990, 617015 3886020, 617005 3886020, 617005 3885990)))": "a",
        "S_CROSSES(geometry, LINESTRING(616990 3886005, 617005 3886005))": "a",
        "S_EQUALS(geometry, MULTIPOLYGON(((617000 3886000, 617010 3886000, 617010 3886010, 617000 3886010, 617000 3886000))))": "a",
    },
    "temporal-functions": {
        "T_AFTER(built, DATE('2021-06-15'))": "c", "T_BEFORE(built, DATE('2021-06-15'))": "a", "T_EQUALS(built, DATE('2021-06-15'))": "bd",
        "T_DISJOINT(built, DATE('2021-06-15'))": "ac", "T_INTERSECTS(built, INTERVAL('2021-01-01', '2021-12-31'))": "bd", "T_DURING(built, INTERVAL('2021-01-01', '..'))": "bcd",
        "T_AFTER(valid_from, TIMESTAMP('2023-01-01T00:00:00Z'))": "e", "T_INTERSECTS(INTERVAL(valid_from, valid_to), INTERVAL('2030-01-01', '..'))": "abcde",
        "T_CONTAINS(INTERVAL('2021-01-01', '2023-01-01'), INTERVAL('2021-02-01', '2022-01-01')) AND storeys = 1": "d",
        "T_INTERSECTS(INTERVAL(built, built), INTERVAL('2021-01-01', '2022-01-01')) AND built IS NOT NULL": "bd",
        "T_MEETS(INTERVAL('2020-01-01', '2021-01-01'), INTERVAL('2021-01-01', '2022-01-01')) AND storeys = 1": "d",
        "T_METBY(INTERVAL('2021-01-01', '2022-01-01'), INTERVAL('2020-01-01', '2021-01-01')) AND storeys = 1": "d",
        "T_OVERLAPS(INTERVAL('2020-01-01', '2021-06-01'), INTERVAL('2021-01-01', '2022-01-01')) AND storeys = 1": "d",
        "T_OVERLAPPEDBY(INTERVAL('2021-01-01', '2022-01-01'), INTERVAL('2020-01-01', '2021-06-01')) AND storeys = 1": "d",
        "T_STARTS(INTERVAL('2020-01-01', '2021-01-01'), INTERVAL('2020-01-01', '2022-01-01')) AND storeys = 1": "d",
        "T_STARTEDBY(INTERVAL('2020-01-01', '2022-01-01'), INTERVAL('2020-01-01', '2021-01-01')) AND storeys = 1": "d",
        "T_FINISHES(INTERVAL('2021-01-01', '2022-01-01'), INTERVAL('2020-01-01', '2022-01-01')) AND storeys = 1": "d",
        "T_FINISHEDBY(INTERVAL('2020-01-01', '2022-01-01'), INTERVAL('2021-01-01', '2022-01-01')) AND storeys = 1": "d",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def houses(empty_town: Path, tmp_path_factory: pytest.TempPathFactory, bring: Any, square: Any) -> Iterator[Path]:
    folder = shutil.copytree(empty_town, tmp_path_factory.mktemp("cql2") / "town")
    with open_town(folder) as town:
        columns: dict[str, list[Any]] = {
            "name": NAMES, "height": HEIGHTS, "storeys": STOREYS, "address": ADDRESSES, "built": BUILT,
        }  # fmt: skip
        shapes = [square(25.0 * number, 0) for number in range(5)]
        bring(town, "building", [shapely.force_2d(shape) for shape in shapes], **columns)
    yield folder


@pytest.mark.parametrize("name", CASES)
def test_a_declared_class_of_cql2_finds_what_its_words_mean(houses: Path, inside_of: Any, name: str) -> None:
    """Requirements /req/<class>/* of OGC 21-065r2."""
    town = inside_of(houses)
    assert f"{CQL2}/{name}" in town.get("/conformance").json()["conformsTo"]

    wrong = {}
    for text, expected in CASES[name].items():
        northing_first = re.sub(r"\b(\d{6})(,? )(\d{7})\b", r"\3\2\1", text)
        query = {"filter": northing_first, "filter-crs": "[EPSG:4548]", "filter-lang": "cql2-text"}
        answer = town.get("/collections/building/items", params=query)
        houses = "".join(sorted(HOUSES[feature["id"]] for feature in answer.json().get("features", [])))
        if (answer.status_code, houses) != (200, expected):
            wrong[text] = (answer.status_code, houses, answer.json().get("detail"))

    assert wrong == {}, json.dumps(wrong, ensure_ascii=False, indent=1)
