"""One bad layer harms only itself: a town full of the worst that can be stored answers at every address, the others as ever."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from every_address import addresses, forms, numbers, refused
from monsters import SOUND, fill_with_monsters, sound_roads

from twin_model.town import Town, init_town


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with init_town(tmp_path_factory.mktemp("sound") / "town", name="小镇", crs="EPSG:4548") as town:
        town.edit(SOUND, sound_roads(), reason="survey")
        yield town


@pytest.fixture(scope="module", params=[50_000, pytest.param(1_000_000, marks=pytest.mark.proof)])
def monstrous(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with init_town(tmp_path_factory.mktemp("monsters") / "town", name="小镇", crs="EPSG:4548") as town:
        fill_with_monsters(town, request.param)
        yield town


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
