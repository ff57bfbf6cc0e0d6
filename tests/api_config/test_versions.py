"""A feature's states over HTTP, and a layer that a notebook commits while the town is served."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import numpy as np
import pytest
import shapely

from twin_model.town import Town, init_town, open_town

EAST, NORTH = 618_000.0, 3_886_000.0


def houses(count: int, **columns: Any) -> gpd.GeoDataFrame:
    x = EAST + 20.0 * np.arange(count)
    content = {"name": [f"{n}号楼" for n in range(count)]} | columns
    return gpd.GeoDataFrame(content, geometry=shapely.box(x, NORTH, x + 12, NORTH + 10), crs="EPSG:4548")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with init_town(tmp_path / "town", name="新城", crs="EPSG:4548") as made:
        made.edit("building", houses(3), reason="first", effective="2020-01-01")
        named = made.features("building")[["name", "geometry"]].iloc[[0]].assign(name="甲楼")
        made.edit("building", named, reason="renamed", effective="2022-01-01")
        yield made


def test_every_state_of_a_feature_is_answered_oldest_first(town: Town, serving: Callable[..., Any]) -> None:
    with serving(town.path) as base:
        here = f"{base}/collections/building/items/building.1/versions"
        answer = httpx.get(here)
        known_then = httpx.get(here, params={"recorded": "1"}).json()
        in_2021 = httpx.get(here, params={"datetime": "2020-06-01/2021-06-01"}).json()
        again = httpx.get(here, headers={"If-None-Match": answer.headers["etag"]})
        missing = httpx.get(f"{base}/collections/building/items/building.99/versions")
        unknown = httpx.get(here, params={"limits": "3"})

    assert answer.headers["content-type"] == "application/geo+json"
    states = [one["properties"] for one in answer.json()["features"]]
    assert [one["name"] for one in states] == ["0号楼", "甲楼"]
    assert states[0]["valid_to"] == states[1]["valid_from"] and states[1]["valid_to"] is None
    assert {one["id"] for one in answer.json()["features"]} == {"building.1"}
    assert [one["properties"]["name"] for one in known_then["features"]] == ["0号楼"]
    assert [one["properties"]["name"] for one in in_2021["features"]] == ["0号楼"]
    assert again.status_code == 304
    assert (missing.status_code, unknown.status_code) == (404, 400)


def test_states_come_in_pages_and_a_commit_between_them_changes_none(town: Town, serving: Callable[..., Any]) -> None:
    named = town.features("building")[["name", "geometry"]].iloc[[0]]
    town.edit("building", named.assign(name="丙楼"), reason="again", effective="2024-01-01")
    with serving(town.path) as base:
        here, pages = f"{base}/collections/building/items/building.1/versions?limit=1", []
        while here and len(pages) < 9:
            pages.append(httpx.get(here).json())
            here = next((link["href"] for link in pages[-1]["links"] if link["rel"] == "next"), None)
            if len(pages) == 1:
                town.edit("building", named.assign(name="丁楼"), reason="late", effective="2023-01-01")
        since_2021 = httpx.get(pages[0]["links"][0]["href"], params={"datetime": "2021-06-01/..", "limit": "1"}).json()
        refused = httpx.get(pages[0]["links"][0]["href"], params={"limit": "0"})

    assert [[each["properties"]["name"] for each in page["features"]] for page in pages] == [
        ["0号楼"],
        ["甲楼"],
        ["丙楼"],
    ]
    assert since_2021["features"] == pages[0]["features"], "it was still so in June 2021"
    assert refused.status_code == 400


def test_a_layer_committed_from_a_notebook_is_served_at_once(town: Town, serving: Callable[..., Any]) -> None:
    with serving(town.path, workers=2) as base:
        assert httpx.get(f"{base}/collections/shade/items").status_code == 404

        saved = town.save_result(
            gpd.GeoDataFrame(
                {"hours": [2.5, 4.0], "worst": ["冬至", None]},
                geometry=shapely.box([EAST, EAST + 50], NORTH, [EAST + 9, EAST + 59], NORTH + 9),
                crs="EPSG:4548",
            ),
            "shade",
            reason="日照分析",
            title="日照",
        )

        for _ in range(8):  # whichever worker answers
            answer = httpx.get(f"{base}/collections/shade/items", params={"filter": "hours > 3"})
            assert answer.status_code == 200, answer.text
            assert [one["properties"]["hours"] for one in answer.json()["features"]] == [4.0]
        assert httpx.get(f"{base}/collections/shade").json()["title"] == "日照"
    assert saved.inserted == 2


def test_committing_a_result_again_replaces_it_as_a_difference(town: Town) -> None:
    shade = gpd.GeoDataFrame(
        {"hours": [2.5, 4.0]},
        geometry=shapely.box([EAST, EAST + 50], NORTH, [EAST + 9, EAST + 59], NORTH + 9),
        crs="EPSG:4548",
    )
    town.save_result(shade, "shade", reason="first")

    same = town.save_result(shade.iloc[::-1], "shade", reason="again")
    fewer = town.save_result(shade.iloc[:1].assign(hours=3.0, note="新"), "shade", reason="corrected")

    assert not same.made
    assert (fewer.inserted, fewer.updated, fewer.ended) == (0, 1, 1)
    with open_town(town.path) as later:
        assert later.features("shade")["note"].tolist() == ["新"]
        assert later.features("shade", as_known=3)["hours"].tolist() == [2.5, 4.0]


REFUSED = [
    ({"nonsense": ["a"]}, "no fields nonsense"),
    ({"storeys": ["many"]}, "storeys is 'many'"),
    ({"name": [7]}, "name is '7'"),
]


@pytest.mark.parametrize(("columns", "words"), REFUSED)
def test_a_frame_that_does_not_fit_is_refused_with_what_does(town: Town, columns: dict[str, Any], words: str) -> None:
    from twin_model.errors import EditRefused

    frame = gpd.GeoDataFrame(columns, geometry=[shapely.box(EAST, NORTH, EAST + 9, NORTH + 9)], crs="EPSG:4548")

    with pytest.raises(EditRefused, match=words):
        town.edit("building", frame, reason="x")
    with pytest.raises(EditRefused, match="coordinate reference system"):
        town.edit("building", houses(1).set_crs(None, allow_override=True), reason="x")
    with pytest.raises(EditRefused, match="Self-intersection"):
        bow = shapely.Polygon([(EAST, NORTH), (EAST + 9, NORTH + 9), (EAST + 9, NORTH), (EAST, NORTH + 9)])
        town.edit("building", gpd.GeoDataFrame({"name": ["x"]}, geometry=[bow], crs="EPSG:4548"), reason="x")
    assert town.store.version() == 2
