"""The maps of the pages: a sketch of the town on the front page, neighbours behind one feature, nothing that is closed."""

import re
import shutil
from pathlib import Path
from typing import Any

import httpx


def test_the_front_page_shows_a_map_of_the_town(client: httpx.Client) -> None:
    page = client.get("/", params={"f": "html"}).text

    shapes = re.findall(r"<path", page)
    assert "<svg" in page and len(shapes) > 100


def test_a_closed_layer_is_not_on_the_front_page_map(demo_town: Path, tmp_path: Path, inside_of: Any) -> None:
    town = tmp_path / "town"
    shutil.copytree(demo_town, town)
    settings = (town / "town.toml").read_text("utf-8")
    (town / "town.toml").write_text(
        settings.replace("closed = []", 'closed = ["building", "road_area", "vegetation_area"]'), "utf-8"
    )

    with_all, without = (len(re.findall(r"<path", inside_of(one).get("/?f=html").text)) for one in (demo_town, town))

    assert 0 < without < with_all / 5


def test_the_page_of_a_feature_draws_its_neighbours_behind_it(client: httpx.Client) -> None:
    page = client.get("/collections/building/items/building.150", params={"f": "html"}).text

    assert len(re.findall(r"<path", page)) > 2
