"""A deck of the town: true metres, the catalogue's colours, and a page that asks nobody for anything."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pydeck
import pytest
from chromium import DECK_LOADED, OFFLINE_FLAGS
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from pyproj import Geod, Transformer
from shapely import LineString, MultiPolygon, Point, Polygon, box

from tiles.deck import Camera, deck_of, frame_html, offline_html
from twin_model.catalogue import read_catalogue
from twin_model.errors import CrsRefused

CRS = "EPSG:4548"
CATALOGUE = read_catalogue()
EAST, NORTH = 618500.0, 3886000.0
"""The middle of the scenes below."""

PICKED = """async ([x, y, z]) => {
  const layer = deckInstance.layerManager.getLayers().find(one => one.id === 'building');
  const [left, top] = layer.project([x, y, z]);
  const found = await deckInstance.pickObjectAsync({x: left, y: top, radius: 2});
  return found && found.object && found.object.label; }"""


def buildings(**columns: Any) -> gpd.GeoDataFrame:
    """Return squares of 40 m, 60 m apart, the first at the middle of the scene."""
    squares = [
        MultiPolygon([box(EAST + 60 * n - 20, NORTH - 20, EAST + 60 * n + 20, NORTH + 20)])
        for n in range(len(columns["height"]))
    ]
    ids = [f"building.{n + 1}" for n in range(len(squares))]
    return gpd.GeoDataFrame(columns, geometry=squares, crs=CRS, index=ids)


def data_of(deck: pydeck.Deck, layer: str) -> list[dict[str, Any]]:
    """Return what the page will get as the data of a layer."""
    found = next(one for one in json.loads(deck.to_json())["layers"] if one["id"] == layer)
    records: list[dict[str, Any]] = found["data"]
    return records


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-1500, 1500), st.floats(-1500, 1500)), min_size=2, max_size=6, unique=True))
def test_offsets_are_true_metres_and_survive_32_bits(shifts: list[tuple[float, float]]) -> None:
    places = np.array([(EAST + x, NORTH + y) for x, y in shifts])
    lamps = gpd.GeoDataFrame(geometry=[Point(*one) for one in places], crs=CRS)

    deck = deck_of({"street_lamp": lamps}, catalogue=CATALOGUE, ground=60.0)

    offsets = np.array([one["position"] for one in data_of(deck, "street_lamp")])
    lon, lat = Transformer.from_crs(CRS, "EPSG:4490", always_xy=True).transform(*places.T)
    _, _, true = Geod(ellps="GRS80").inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
    drawn = np.hypot(*np.diff(offsets[:, :2], axis=0).T)
    assert np.abs(drawn - true).max() < 0.003
    assert np.abs(offsets.astype(np.float32) - offsets).max() < 0.0002


def test_y_of_an_offset_points_to_true_north_not_to_grid_north() -> None:
    street = gpd.GeoDataFrame(geometry=[LineString([(EAST, NORTH - 500), (EAST, NORTH + 500)])], crs=CRS)

    (start, end) = data_of(deck_of({"road_line": street}, catalogue=CATALOGUE, ground=60.0), "road_line")[0]["path"]

    turned = np.degrees(np.arctan2(end[0] - start[0], end[1] - start[1]))
    assert turned == pytest.approx((118.3 - 117.0) * np.sin(np.radians(35.1)), abs=0.01)


def test_a_building_stands_on_the_lowest_ground_at_its_corners_and_rises_by_its_height() -> None:
    def slope(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return 60.0 + (x - EAST) / 10.0

    deck = deck_of({"building": buildings(height=[30.0, 12.0, 9.0])}, catalogue=CATALOGUE, ground=slope)

    feet = [one["polygon"][0][0][2] for one in data_of(deck, "building")]
    assert feet == pytest.approx([-8.0, -2.0, 4.0])
    assert [one["elevation"] for one in data_of(deck, "building")] == [30.0, 12.0, 9.0]


def test_a_base_elevation_of_its_own_goes_before_the_ground() -> None:
    frame = buildings(height=[30.0], base_elevation=[64.5])

    deck = deck_of({"building": frame}, catalogue=CATALOGUE, ground=60.0)

    assert data_of(deck, "building")[0]["polygon"][0][0][2] == pytest.approx(4.5)


def test_a_building_of_unknown_height_lies_flat_in_a_colour_of_its_own() -> None:
    frame = buildings(height=[30.0, np.nan], structure=["砼", "砼"])

    known, unknown = data_of(deck_of({"building": frame}, catalogue=CATALOGUE, ground=60.0), "building")

    assert unknown["elevation"] == 0.0
    assert unknown["color"][:3] != known["color"][:3]


def test_colours_and_words_are_those_of_the_catalogue() -> None:
    frame = buildings(height=[30.0], structure=["砖"], storeys=[10])

    record = data_of(deck_of({"building": frame}, catalogue=CATALOGUE, ground=60.0, lang="en"), "building")[0]

    brick = CATALOGUE["building"].style["colors"]["砖"]
    assert "#{:02x}{:02x}{:02x}".format(*record["color"][:3]) == brick
    words = ["Buildings building.1", "Storeys above ground: 10", "Height: 30.0 m", "Structure: brick"]
    assert record["label"].split("\n") == words


def test_a_courtyard_stays_open_and_a_second_part_is_drawn() -> None:
    ring = Polygon(
        box(EAST, NORTH, EAST + 50, NORTH + 50).exterior,
        [box(EAST + 10, NORTH + 10, EAST + 20, NORTH + 20).exterior],
    )
    annex = box(EAST + 60, NORTH, EAST + 70, NORTH + 10)
    frame = gpd.GeoDataFrame({"height": [9.0]}, geometry=[MultiPolygon([ring, annex])], crs=CRS, index=["building.1"])

    drawn = data_of(deck_of({"building": frame}, catalogue=CATALOGUE, ground=60.0), "building")

    assert [len(one["polygon"]) for one in drawn] == [2, 1]
    assert {one["id"] for one in drawn} == {"building.1"}


def test_a_pipe_lies_at_its_own_height_and_is_as_wide_as_it_is() -> None:
    pipe = LineString([(EAST, NORTH, 57.5), (EAST + 40, NORTH, 57.1)])
    frame = gpd.GeoDataFrame({"class": ["PS"], "width_mm": [800.0]}, geometry=[pipe], crs=CRS, index=["PS.1~2"])

    (drawn,) = data_of(deck_of({"pipe_line": frame}, catalogue=CATALOGUE, ground=60.0), "pipe_line")

    assert [point[2] for point in drawn["path"]] == pytest.approx([-2.5, -2.9])
    assert drawn["width"] == 0.8


def test_a_bim_element_rises_from_its_bottom_to_its_top_in_its_own_colour() -> None:
    outline = [MultiPolygon([box(EAST, NORTH, EAST + 9, NORTH + 9)])]
    columns = {"bottom": [70.5], "top": [70.9], "color": ["#c7c4bd"]}
    slab = gpd.GeoDataFrame(columns, geometry=outline, crs=CRS, index=["m.1"])

    (drawn,) = data_of(deck_of({"bim_element": slab}, catalogue=CATALOGUE, ground=60.0), "bim_element")

    assert drawn["polygon"][0][0][2] == pytest.approx(10.5)
    assert drawn["elevation"] == pytest.approx(0.4)
    assert drawn["color"] == [0xC7, 0xC4, 0xBD]


def test_features_without_geometry_and_empty_answers_make_an_empty_deck() -> None:
    frame = gpd.GeoDataFrame({"height": [3.0]}, geometry=[None], crs=CRS, index=["building.1"])

    deck = deck_of(
        {"building": frame, "street_lamp": gpd.GeoDataFrame(geometry=[], crs=CRS)},
        catalogue=CATALOGUE,
        ground=0.0,
    )

    assert data_of(deck, "building") == data_of(deck, "street_lamp") == []


def test_a_frame_that_no_layer_describes_is_drawn_by_its_columns() -> None:
    frame = buildings(height=[30.0], density=[0.25])

    deck = deck_of(
        {"result": frame}, catalogue=CATALOGUE, ground=60.0, colors={"result": np.array([[1, 2, 3, 255]], np.uint8)}
    )

    (drawn,) = data_of(deck, "result")
    assert drawn["elevation"] == 30.0
    assert drawn["color"] == [1, 2, 3, 255]
    assert drawn["label"].split("\n") == ["result building.1", "height: 30.0", "density: 0.25"]


def test_without_a_ground_all_stands_on_the_lowest_height_there_is() -> None:
    pipe = LineString([(EAST, NORTH, 57.5), (EAST + 40, NORTH, 57.1)])
    pipes = gpd.GeoDataFrame({"class": ["PS"]}, geometry=[pipe], crs=CRS, index=["PS.1~2"])

    deck = deck_of({"pipe_line": pipes, "building": buildings(height=[30.0])}, catalogue=CATALOGUE)

    assert [point[2] for point in data_of(deck, "pipe_line")[0]["path"]] == pytest.approx([0.4, 0.0])
    assert data_of(deck, "building")[0]["polygon"][0][0][2] == 0.0


@pytest.mark.parametrize(("crs", "rule"), [(None, "crs.unknown"), ("EPSG:4490", "crs.not_projected")])
def test_frames_without_a_projected_crs_are_refused(crs: str | None, rule: str) -> None:
    frame = gpd.GeoDataFrame({"height": [3.0]}, geometry=[box(118, 35, 118.1, 35.1)], crs=crs)

    with pytest.raises(CrsRefused) as refused:
        deck_of({"building": frame}, catalogue=CATALOGUE, ground=0.0)

    assert refused.value.rule_id == rule


@dataclass
class Opened:
    """A page, what it asked the network for, and what its console said that it should not."""

    page: Page
    asked: list[str]
    troubles: list[str]


@pytest.fixture(scope="module")
def opened(chromium: str) -> Iterator[Opened]:
    """The offline page of a small scene in a Chromium that resolves no host; requests are refused and kept."""
    frame = buildings(height=[60.0, 30.0], structure=["砼", "</script><script>document.title='broken'</script>"])
    trunk = [LineString([(EAST - 90, NORTH - 40, 57), (EAST + 90, NORTH - 40, 57)])]
    pipe = gpd.GeoDataFrame({"class": ["JS"], "width_mm": [900.0]}, geometry=trunk, crs=CRS, index=["JS.1~2"])
    green = [MultiPolygon([box(EAST - 100, NORTH - 80, EAST + 100, NORTH + 80)])]
    park = gpd.GeoDataFrame({"land_use": ["G"]}, geometry=green, crs=CRS, index=["LY-1"])
    deck = deck_of(
        {"land_use": park, "pipe_line": pipe, "building": frame},
        catalogue=CATALOGUE,
        ground=60.0,
        camera=Camera(pitch=40),
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OFFLINE_FLAGS)
        page = browser.new_page(viewport={"width": 480, "height": 320})
        found = Opened(page, [], [])
        page.on("request", lambda request: found.asked.append(request.url))
        page.on(
            "console",
            lambda told: found.troubles.append(told.text) if told.type in {"error", "warning"} else None,
        )
        page.on("pageerror", lambda error: found.troubles.append(str(error)))
        page.route("**/*", lambda route: route.abort())
        page.set_content(offline_html(deck, title="城 <town>"))
        page.wait_for_function(DECK_LOADED, timeout=60_000)
        yield found
        browser.close()


def test_the_page_draws_the_deck_without_asking_any_host(opened: Opened) -> None:
    picture = Image.open(io.BytesIO(opened.page.locator("canvas").last.screenshot())).convert("RGB")

    colours = picture.getcolors(maxcolors=1 << 20) or []
    assert opened.asked == []
    assert opened.troubles == []
    assert len(colours) > 20
    assert max(count for count, _ in colours) < 0.8 * picture.width * picture.height


def test_a_click_on_a_roof_answers_with_the_building(opened: Opened) -> None:
    label = opened.page.evaluate(PICKED, [0.0, 0.0, 60.0])

    assert label is not None
    assert label.startswith("建筑物 building.1")


def test_what_a_surveyor_wrote_is_text_and_never_a_script(opened: Opened) -> None:
    assert opened.page.title() == "城 <town>"


def test_pages_name_no_other_host() -> None:
    deck = deck_of({"building": buildings(height=[9.0])}, catalogue=CATALOGUE, ground=60.0)

    for page in (offline_html(deck), frame_html(deck)):
        assert set(re.findall(r"(?:https?|wss?)://([a-z0-9][^/\s\"'`<>&]*)", page)) == {"www.w3.org"}, (
            "only XML namespaces"
        )
