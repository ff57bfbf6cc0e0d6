"""One bad layer harms only itself: a town full of the worst that can be stored answers at every address, the others as ever."""

from collections.abc import Callable, Iterator
from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import pytest
import shapely
from every_address import addresses, forms, numbers, refused
from shapely import LineString, Point, box

from twin_model.town import Town, init_town

EAST, NORTH = 617_000.0, 3_886_000.0
SOUND = "road_area"
WORDS = [
    "<script>alert(1)</script>", "a/b", "a/versions", "%2e%2e", "a%2Fb", "?q=1", "#top", "'; DROP TABLE building; --", "\u202etxt.exe",
    "😀" * 40, "é", "e\u0301", "{{ 7*7 }}", "${x}", "\\", '"', "a b", " a", "名称", "\x7f", "null", "-0", "1e999", "a" * 4_000,
]  # fmt: skip
"""Ids and names as nobody should give them."""
_HEAVY = 10 * 2**20


def square(n: float, side: float = 10.0) -> Any:
    return box(EAST + 20 * n, NORTH, EAST + 20 * n + side, NORTH + side)


def own_layers(corners: int) -> dict[str, gpd.GeoDataFrame]:
    """Return frames that become layers of the town's own, each with something that no other layer would have."""
    shapes = [square(n) for n in range(len(WORDS))]
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    wheel = shapely.Polygon(np.column_stack((EAST + 300 + 90 * np.cos(angles), NORTH + 90 * np.sin(angles))))
    frames = {
        "strange_words": ({"word": WORDS, "label": WORDS[::-1]}, shapes),
        "field_names": ({"bbox": ["1,2"], "limit": [3], "crs": ["x"], "datetime": ["2024"], "Geometry2": ["g"], "f": ["html"]}, shapes[:1]),
        "heavy_text": ({"note": ["重" * (_HEAVY // 3), "light"]}, shapes[:2]),
        "many_corners": ({"name": ["wheel"]}, [wheel]),
        "no_fields": ({}, shapes[:2]),
        "all_empty": ({"name": [None, None], "size": [None, None]}, [None, shapes[0]]),
        "heights": ({"name": ["up"]}, [Point(EAST, NORTH, 1e9)]),
        "depths": ({"name": ["down"]}, [LineString([(EAST, NORTH, -1e9), (EAST + 5, NORTH, 1e9)])]),
        "years": ({"name": ["first", "last"], "begins": ["0001-01-01", "9999-12-31"]}, shapes[:2]),
        "numbers": ({"value": [1e308, -1e308, 5e-324], "whole": [2**63 - 1, -(2**63), 0]}, shapes[:3]),
    }  # fmt: skip
    made = {
        name: gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4548") for name, (columns, shapes) in frames.items()
    }
    made["strange_words"].index = pd.Index(WORDS, name="id")
    return made


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with init_town(tmp_path_factory.mktemp("sound") / "town", name="小镇", crs="EPSG:4548") as town:
        town.edit(SOUND, sound_roads(), reason="survey")
        yield town


@pytest.fixture(scope="module", params=[50_000, pytest.param(1_000_000, marks=pytest.mark.proof)])
def monstrous(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with init_town(tmp_path_factory.mktemp("monsters") / "town", name="小镇", crs="EPSG:4548") as town:
        town.edit(SOUND, sound_roads(), reason="survey")
        for name, frame in own_layers(request.param).items():
            town.save_result(frame, name, reason="<b>why</b>", title=f"<i>{name}</i>\u202e")
        yield town


def sound_roads() -> gpd.GeoDataFrame:
    shapes = [shapely.MultiPolygon([square(n)]) for n in range(4)]
    return gpd.GeoDataFrame({"name": list("abcd")}, geometry=shapes, crs="EPSG:4548")


def test_every_address_answers_in_a_town_of_monsters(monstrous: Town, inside_of: Callable[..., Any]) -> None:
    inside, failures, nulls, asked = inside_of(monstrous.path), [], [], 0

    for address in addresses(inside.app, monstrous, SOUND, few=0):
        for form in forms(address):
            answer, asked = inside.get(form), asked + 1
            if refused(answer):
                failures.append((form[:200], answer.status_code, answer.text[:200]))
            elif "html" in answer.headers.get("content-type", ""):
                assert len(answer.content) < 500_000, form
                assert "<script>alert" not in answer.text and "<i>" not in answer.text, form
            elif "json" in answer.headers.get("content-type", "") and None in set(
                numbers(orjson.loads(answer.content))
            ):
                nulls.append(form)

    assert (failures[:5], nulls, asked > 150) == ([], [], True)


def test_the_sound_layer_is_answered_as_in_a_town_without_monsters(
    monstrous: Town, sound: Town, inside_of: Callable[..., Any]
) -> None:
    ours, alone = inside_of(monstrous.path), inside_of(sound.path)
    here = f"/collections/{SOUND}"

    def features(town: Any, query: str) -> list[Any]:
        page = town.get(f"{here}/items{query}").json()["features"]
        return [(each["geometry"], each["properties"]["name"]) for each in page]

    for query in ("", "?bbox=118.2,35,118.5,35.2", "?filter=name='a'", "?sortby=-name&limit=2", "?crs=EPSG:4548"):
        assert features(ours, query) == features(alone, query) != []
    for path in (here, f"{here}/queryables", f"{here}/schema"):
        documents = [town.get(path).json() for town in (ours, alone)]
        for document in documents:
            document.get("extent", {}).pop("temporal", None)  # when each was edited
        assert documents[0] == documents[1]
    limits = alone.get(f"{here}/tiles/WebMercatorQuad").json()["tileMatrixSetLimits"]
    row, column = next((each["minTileRow"], each["minTileCol"]) for each in limits if each["tileMatrix"] == "17")
    tiles = [town.get(f"{here}/tiles/WebMercatorQuad/17/{row}/{column}") for town in (ours, alone)]
    assert tiles[0].status_code == tiles[1].status_code == 200 and tiles[0].content == tiles[1].content
