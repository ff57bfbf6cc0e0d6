"""The viewer in a real browser over the sample town: what a planner sees, clicks and reads.

Every test also fails on a console error, an uncaught exception, a failed request or a request to another host.
Headless Chromium draws with SwiftShader; picks and texts are asserted, never pixels. The pages forbid `eval`, so
waiting happens inside `evaluate` (`Visit.settle`) and not in `wait_for_function`.
"""

import json
import math
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import geopandas as gpd
import pytest
import shapely
from matplotlib.image import imread
from playwright.sync_api import Browser, expect
from viewer_visit import VIEWPORT, Visit

from ingest.draft import Draft
from twin_model.changeset import Changeset, Source
from twin_model.temporal import parse_instant
from twin_model.town import Town, init_town
from twin_model.versioning import commit

NOTE_DATES = """() => {
  const shown = document.querySelector('.time-date');
  window.notedDates = [];
  const note = () => {
    if (window.notedDates.at(-1) !== shown.textContent) window.notedDates.push(shown.textContent);
  };
  new MutationObserver(note).observe(shown, { childList: true, characterData: true, subtree: true });
}"""
UNTIL_NOTED = """([date]) => new Promise((resolve) => {
  const look = () => window.notedDates.includes(date) ? resolve(true) : setTimeout(look, 10);
  look();
})"""
"""Every date that is shown is noted by the page itself: one looked for from outside may be gone before the look."""
PAUSE = """() => {
  const button = document.querySelector('[data-time=play]');
  if (button.getAttribute('aria-label') === '暂停播放') button.click();
}"""
"""Looks and clicks at once: on a slow machine the last change may have come between a look and a click."""


def inside_of(geometry: dict[str, Any]) -> tuple[float, float]:
    """Return a place inside the first polygon."""
    place = shapely.geometry.shape(geometry).representative_point()
    return place.x, place.y


def test_town_opens_with_its_name_and_asks_no_other_host(opened: Visit) -> None:
    name = opened.run("() => twin.config.town.name.zh")

    expect(opened.page.locator("h1")).to_have_text(name)
    expect(opened.page.locator("img")).to_have_count(0)  # no service of ion is used, so its logo is not shown
    assert opened.opening_troubles == []


def test_each_layer_of_the_catalogue_with_features_stands_in_the_tree(visit: Visit) -> None:
    config = visit.get("/viewer/config.json?lang=zh")
    filled = {layer["id"] for layer in config["layers"] if layer["features"] and (layer["mvt"] or layer["tileset"])}

    boxes = visit.page.locator(".tree input[type=checkbox]").evaluate_all(
        "boxes => boxes.map(box => box.id.replace('layer-', ''))"
    )

    assert filled
    assert set(boxes) == filled


def test_pick_on_a_roof_answers_the_building_whose_footprint_it_is(visit: Visit) -> None:
    found = visit.get("/collections/building/items?limit=200")["features"]
    building = max(found, key=lambda feature: feature["properties"].get("height") or 0.0)
    lon, lat = inside_of(building["geometry"])
    roof = visit.roof_of(building)
    visit.show("building")
    visit.look_down_on(lon, lat, roof, 150.0)

    identity = visit.pick(lon, lat, roof)

    assert identity == {"collectionId": "building", "featureId": str(building["id"])}


def test_click_on_a_building_shows_its_attributes_in_words(visit: Visit) -> None:
    found = visit.get("/collections/building/items?limit=200")["features"]
    building = next(one for one in found if one["properties"].get("height") and one["properties"].get("structure"))
    properties = building["properties"]
    lon, lat = inside_of(building["geometry"])
    roof = visit.roof_of(building)
    fields = next(layer for layer in visit.run("() => twin.config.layers") if layer["id"] == "building")["fields"]
    codes = next(field for field in fields if field["name"] == "structure")["codes"]
    visit.show("building")
    visit.look_down_on(lon, lat, roof, 150.0)
    at = visit.run("([lon, lat, z]) => twin.windowPositionOf(lon, lat, z)", lon, lat, roof)

    visit.page.mouse.click(at["x"], at["y"])

    expect(visit.page.locator(".attributes-id")).to_have_text(str(building["id"]))
    row = visit.page.locator("[data-field=structure] td")
    expect(row).to_contain_text(codes[properties["structure"]]["zh"])
    expect(visit.page.locator("[data-field=height] td")).to_contain_text(" m")
    visit.settle()
    assert visit.run("() => twin.selectionDrawn()")


def widest_pipe(visit: Visit) -> tuple[dict[str, Any], tuple[float, float, float]]:
    """Return a wide pipe and the middle of its first stretch, at the height of its top."""
    found = visit.get("/collections/pipe_line/items?limit=300")["features"]
    pipe = max(found, key=lambda feature: feature["properties"].get("width_mm") or 0.0)
    a, b = pipe["geometry"]["coordinates"][:2]
    lon, lat, axis = ((a[axis] + b[axis]) / 2 for axis in range(3))
    height = pipe["properties"].get("height_mm") or pipe["properties"]["width_mm"]
    return pipe, (lon, lat, axis + height / 2000)


def test_pipe_below_ground_is_picked_through_see_through_ground(visit: Visit) -> None:
    pipe, (lon, lat, top) = widest_pipe(visit)
    visit.show("pipe_line", ground=0.25)
    visit.look_down_on(lon, lat, top, 25.0)

    identity = visit.pick(lon, lat, top)

    assert identity == {"collectionId": "pipe_line", "featureId": str(pipe["id"])}


def test_closed_ground_hides_the_pipe_below_it(visit: Visit) -> None:
    _, (lon, lat, top) = widest_pipe(visit)
    visit.show("pipe_line", ground=1.0)
    visit.look_down_on(lon, lat, top, 25.0)

    assert visit.pick(lon, lat, top) is None


def test_selected_pipe_tells_its_class_by_name(visit: Visit) -> None:
    pipe, (lon, lat, top) = widest_pipe(visit)
    fields = next(layer for layer in visit.run("() => twin.config.layers") if layer["id"] == "pipe_line")["fields"]
    codes = next(field for field in fields if field["name"] == "class")["codes"]
    visit.show("pipe_line", ground=0.25)
    visit.look_down_on(lon, lat, top, 25.0)

    visit.run("([id]) => twin.showFeature('pipe_line', id)", str(pipe["id"]))

    expect(visit.page.locator("[data-field=class] td")).to_contain_text(codes[pipe["properties"]["class"]]["zh"])
    visit.settle()
    assert visit.run("() => twin.selectionDrawn()")


def test_bim_element_is_picked_and_shows_the_property_sets_of_its_item(visit: Visit) -> None:
    found = visit.get("/collections/bim_element/items?limit=1000")["features"]
    shaped = [one for one in found if one["geometry"] and one["properties"].get("top") is not None]
    highest = max(shaped, key=lambda feature: feature["properties"]["top"])
    lon, lat = inside_of(highest["geometry"])
    visit.show("bim_element")
    visit.look_down_on(lon, lat, highest["properties"]["top"], 30.0)

    identity = visit.pick(lon, lat, highest["properties"]["top"])
    assert identity is not None and identity["collectionId"] == "bim_element"
    visit.run("([id]) => twin.showFeature('bim_element', id)", identity["featureId"])

    properties = visit.item(identity)["properties"]
    sets = properties.get("properties") or {}
    sets = json.loads(sets) if isinstance(sets, str) else sets
    expect(visit.page.locator("[data-field=ifc_class] td")).to_have_text(properties["ifc_class"])
    shown = visit.page.locator(".property-set summary")
    expect(shown).to_have_text([name for name, values in sets.items() if isinstance(values, dict)])


def test_scenes_play_step_by_arrow_keys_and_end_by_escape(visit: Visit) -> None:
    scenes = visit.get("/viewer/config.json?lang=zh")["scenes"]
    assert len(scenes) >= 2, "the sample town tells no scenes"
    caption = visit.page.locator(".caption h2")
    visit.page.locator("#globe").focus()

    visit.page.keyboard.press("p")
    expect(caption).to_contain_text(scenes[0]["title"]["zh"])
    visit.page.keyboard.press("p")
    visit.page.keyboard.press("ArrowRight")
    expect(caption).to_contain_text(scenes[1]["title"]["zh"])
    visit.settle()

    camera = visit.run("() => twin.camera()")
    assert camera["lon"] == pytest.approx(scenes[1]["camera"]["lon"], abs=1e-6)
    shown = set(visit.run("() => twin.layers.all.filter(layer => layer.visible).map(layer => layer.id)"))
    assert shown == set(scenes[1]["layers"])
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator(".caption")).to_be_hidden()


def test_search_result_is_flown_to_and_selected(visit: Visit) -> None:
    names = visit.get("/collections/annotation/items?limit=50")["features"]
    text = next(one["properties"]["text"] for one in names if len(one["properties"]["text"]) >= 3)

    visit.page.locator("#search").fill(text)
    result = visit.page.locator(".results [role=option]").first
    expect(result).to_contain_text(text)
    result.click()

    expect(visit.page.locator(".attributes h2")).to_contain_text(text)
    expect(visit.page.locator(".results")).to_be_hidden()


def test_measured_length_equals_the_distance_in_the_towns_own_coordinates(visit: Visit) -> None:
    lon, lat = visit.run("() => twin.config.town.center")[:2]
    visit.show("road_area")
    visit.look_down_on(lon, lat, 0.0, 900.0)
    places = [(lon - 0.001, lat), (lon + 0.001, lat)]
    height = (
        "twin.viewer.scene.globe.getHeight(twin.viewer.camera.positionCartographic) - twin.config.town.height_offset"
    )
    ground = visit.run(f"() => {height}")
    x = [visit.get(f"/crs/transform?lon={lon}&lat={lat}&to=EPSG:4548") for lon, lat in places]
    expected = math.dist(*((one["x_north"], one["y_east"]) for one in x))
    visit.page.keyboard.press("Escape")

    visit.press("length")
    for place, click in zip(places, (visit.page.mouse.click, visit.page.mouse.dblclick), strict=True):
        at = visit.run("([lon, lat, z]) => twin.windowPositionOf(lon, lat, z)", *place, ground)
        click(at["x"], at["y"])

    result = visit.page.locator(".measured li")
    expect(result).to_have_count(1)
    level = float(result.inner_text().split("水平长度")[1].split("m")[0].replace(",", ""))
    assert level == pytest.approx(expected, rel=0.01)
    visit.press("clear")
    expect(result).to_have_count(0)
    assert visit.run(DRAWINGS) == 0


def test_measured_height_from_foot_to_roof_is_not_that_of_the_sketch_under_the_pointer(visit: Visit) -> None:
    """It takes seconds since the tower has to be drawn: only then is there a roof to click on."""
    features = visit.get("/collections/building/items?limit=200")["features"]
    building = max(features, key=lambda feature: feature["properties"].get("height") or 0.0)
    roof = visit.roof_of(building)
    west, south, east, north = shapely.geometry.shape(building["geometry"]).bounds
    foot = (west - 0.3 * (east - west), (south + north) / 2)
    visit.show("building")
    visit.look_down_on(*foot, roof, 250.0)
    places = (*foot, roof - building["properties"]["height"]), (*inside_of(building["geometry"]), roof)
    at = [visit.run("([lon, lat, z]) => twin.windowPositionOf(lon, lat, z)", *place) for place in places]
    low, high = (visit.run(DRAWN_HEIGHT, place["x"], place["y"]) for place in at)
    visit.page.keyboard.press("Escape")

    visit.press("height")
    for place in at:
        # The sketch follows the pointer and lies under it when the button goes down.
        visit.page.mouse.move(place["x"], place["y"], steps=3)
        visit.settle()
        visit.page.mouse.click(place["x"], place["y"])

    result = visit.page.locator(".measured li")
    expect(result).to_have_count(1)
    height = float(result.inner_text().split("高差")[1].split("m")[0].replace(",", ""))
    visit.press("clear")
    assert high - low > building["properties"]["height"] / 2
    assert height == pytest.approx(high - low, abs=0.5)


DRAWN_HEIGHT = """([x, y]) => { const { scene } = twin.viewer;
  return scene.globe.ellipsoid.cartesianToCartographic(scene.pickPosition({ x, y })).height; }"""
TOOLS = "() => twin.tools.tools.map(({ start, ...tool }) => tool)"
DRAWINGS = "() => twin.drawingCount()"


def test_every_tool_starts_by_button_and_key_and_ends_by_escape_and_a_second_press(visit: Visit) -> None:
    tools = visit.run(TOOLS)
    active = visit.page.locator(".toolbar [aria-pressed=true]")
    hint = visit.page.locator(".hint")
    visit.show("building")

    for tool in tools:
        button = visit.page.locator(f"[data-tool={tool['id']}]")
        visit.press(tool["id"])
        expect(active).to_have_count(1)
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(hint).to_be_visible()
        visit.page.keyboard.press("Escape")
        expect(active).to_have_count(0)
        expect(hint).to_be_hidden()
        for _ in range(2):
            visit.press(tool["id"])
        expect(active).to_have_count(0)
        if shortcut := tool.get("shortcut"):
            visit.page.keyboard.press(shortcut["key"])
            expect(button).to_have_attribute("aria-pressed", "true")

    # Each tool takes the place of the one before.
    expect(active).to_have_count(1)
    visit.press("clear")
    expect(active).to_have_count(0)
    assert visit.run(DRAWINGS) == 0


def test_every_tool_has_words_in_both_languages_and_an_id_and_a_key_of_its_own(visit: Visit) -> None:
    tools = visit.run(TOOLS)
    words = {}

    for language in ("zh", "en"):
        expect(visit.page.locator("html")).to_have_attribute("lang", re.compile(f"^{language}"))
        for tool in tools:
            visit.press(tool["id"])
            title = visit.page.locator(f"[data-tool={tool['id']}]").get_attribute("aria-label")
            words[language, tool["id"]] = f"{title} {visit.page.locator('.hint').inner_text()}".split()
            visit.page.keyboard.press("Escape")
        visit.page.locator(".language").click()

    for (language, tool_id), (title, *hint) in words.items():
        assert title and hint, (language, tool_id)
        assert bool(re.search("[\u4e00-\u9fff]", f"{title}{hint}")) == (language == "zh"), (language, tool_id)
    for keys in (
        [tool["id"] for tool in tools],
        [tool["shortcut"]["key"] for tool in tools if "shortcut" in tool],
    ):
        assert len(set(keys)) == len(keys)


def test_tool_that_fails_is_stopped_with_a_notice_and_the_viewer_goes_on(visit: Visit) -> None:
    notice = visit.page.locator(".notice.problem")
    visit.run(
        """() => twin.tools.start({ ...twin.tools.tools[0], start: () => ({
             stop: () => {}, click: async () => { throw new Error('no such layer'); } }) })"""
    )

    visit.page.mouse.click(VIEWPORT["width"] / 2, VIEWPORT["height"] / 2)

    expect(notice).to_contain_text("no such layer")
    assert visit.run("() => twin.tools.active") is None
    visit.press("area")
    expect(visit.page.locator("[data-tool=area]")).to_have_attribute("aria-pressed", "true")
    visit.page.keyboard.press("Escape")
    notice.locator(".notice-remedy").click()
    visit.page.keyboard.press("Escape")


def test_screenshot_is_a_picture_of_the_town_and_not_an_empty_sheet(visit: Visit, tmp_path: Path) -> None:
    lon, lat = visit.run("() => twin.config.town.center")[:2]
    visit.show("building", "road_area")
    visit.look_down_on(lon, lat, 0.0, 900.0)

    with visit.page.expect_download() as download:
        visit.page.locator("[data-tool=screenshot]").click()
    download.value.save_as(tmp_path / "town.png")

    picture = imread(tmp_path / "town.png")
    assert picture.shape[:2] == (VIEWPORT["height"], VIEWPORT["width"])
    assert picture[..., :3].std() > 0.01


def test_screenshot_of_classed_layers_carries_the_highest_class_and_the_approval(visit: Visit, tmp_path: Path) -> None:
    visit.show("building", "road_area")
    visit.run(
        """() => { const mark = (id, zh, en, number) => Object.assign(twin.layers.get(id).config,
          { classification: { zh, en }, map_approval: number });
          mark("building", "秘密", "Secret", "S(2026)1"); mark("road_area", "内部", "Internal", "S(2026)1");
          mark("pipe_line", "机密", "Top", "S(2026)2"); }"""
    )

    with visit.page.expect_download() as download:
        visit.page.locator("[data-tool=screenshot]").click()
    download.value.save_as(tmp_path / "town.png")

    picture, strip = imread(tmp_path / "town.png"), VIEWPORT["height"]
    assert re.fullmatch(r".+_秘密\.png", download.value.suggested_filename)
    assert picture.shape[1] == VIEWPORT["width"] and 20 < picture.shape[0] - strip < 40
    assert picture[strip:, :250, :3].min() < 0.4 and picture[strip:, -100:, :3].min() > 0.99, (
        "words, then an empty strip"
    )
    visit.run(
        "() => twin.layers.all.forEach((layer) => { layer.config.classification = layer.config.map_approval = null; })"
    )


def test_language_switch_turns_titles_and_back(visit: Visit) -> None:
    layer = next(one for one in visit.run("() => twin.config.layers") if one["id"] == "building")
    title = visit.page.locator("label[for=layer-building] .tree-title")
    expect(title).to_have_text(layer["title"]["zh"])

    visit.page.locator(".language").click()

    expect(title).to_have_text(layer["title"]["en"])
    visit.page.locator(".language").click()
    expect(title).to_have_text(layer["title"]["zh"])


def test_permalink_restores_camera_layers_ground_and_selection(visit: Visit) -> None:
    """The page is loaded anew; it ends in Chinese again, as it was."""
    building = visit.get("/collections/building/items?limit=1")["features"][0]
    lon, lat = inside_of(building["geometry"])
    fragment = (
        f"#camera={lon:.7f},{lat:.7f},420,30,-60,0&layers=building,road_area&transparency=building:0.4&ground=0.5"
        f"&feature=building/{quote(str(building['id']), safe='')}&lang=en"
    )

    visit.open(fragment=fragment)

    camera = visit.run("() => twin.camera()")
    assert camera["lon"] == pytest.approx(lon, abs=1e-6)
    assert (camera["height"], camera["heading"], camera["pitch"]) == pytest.approx((420, 30, -60), abs=0.01)
    shown = visit.run("() => twin.layers.visible.map(layer => [layer.id, layer.opacity])")
    assert sorted(shown) == [["building", pytest.approx(0.6)], ["road_area", 1]]
    assert visit.run("() => twin.underground.ground") == 0.5
    expect(visit.page.locator(".attributes-id")).to_have_text(str(building["id"]))
    expect(visit.page.locator("html")).to_have_attribute("lang", "en")
    visit.page.locator(".language").click()
    expect(visit.page.locator("html")).to_have_attribute("lang", re.compile("^zh"))


EAST, NORTH, GROUND = 617_000.0, 3_886_000.0, 60.0


def box(east: float, north: float, side: float) -> shapely.MultiPolygon:
    west, south = EAST + east, NORTH + north
    return shapely.MultiPolygon([shapely.box(west, south, west + side, south + side)])


def bring(town: Town, layer: str, shapes: list[Any], since: str, **columns: list[Any]) -> None:
    """Commit features of a layer that are true since a local day."""
    source = Source(f"{layer}.geojson", f"{town.store.version():064x}")
    with Draft(source, town.catalogue, storage_crs=town.store.crs, effective=parse_instant(since)[0]) as draft:
        draft.add(layer, gpd.GeoDataFrame(columns, geometry=shapes, crs=town.store.crs))
        commit(town.store, draft.to_changeset(author="test", reason="test", reach="nothing"))


def end(town: Town, layer: str, feature_id: str, since: str) -> None:
    commit(
        town.store,
        Changeset("test", "test", parse_instant(since)[0], terminated={layer: (feature_id,)}),
    )


@pytest.fixture(scope="module")
def changing_town(tmp_path_factory: pytest.TempPathFactory, serving: Any) -> Iterator[str]:
    """A served town: a house until June 2020, one since March 2022, one planned for 2150; a pond gave way to a square.

    A scene of it tells of 2015.
    """
    folder = tmp_path_factory.mktemp("changing") / "town"
    with init_town(folder, name="小镇", crs="EPSG:4548") as town:
        spots = [
            shapely.Point(EAST + x, NORTH + y, GROUND) for x in range(-400, 900, 100) for y in range(-400, 500, 100)
        ]
        bring(town, "spot_height", spots, "2004-01-01")
        for east, since, name in (
            (0, "2010-05-01", "老站"),
            (200, "2022-03-01", "新站"),
            (400, "2150-01-01", "规划站"),
        ):
            bring(
                town,
                "building",
                [box(east, 0, 60)],
                since,
                name=[name],
                height=[20.0],
                base_elevation=[GROUND],
                attributes=[{"OWNER": "李", "标识码": 2**60 + 1}],
            )
        bring(town, "water_area", [box(0, 100, 150)], "2005-01-01", name=["池塘"])
        bring(town, "road_area", [box(0, 100, 150)], "2021-01-01", name=["广场"])
        end(town, "building", "building.1", "2020-06-01")
        end(town, "water_area", "water_area.1", "2020-06-01")
    with (folder / "town.toml").open("a", encoding="utf-8") as settings:
        settings.write(SCENE)
    with serving(folder) as address:
        yield address


SCENE = """
[[scenes]]
id = "then"
title = { zh = "从前", en = "Then" }
text = { zh = "二〇一五年", en = "In 2015" }
camera = { lon = 118.2870, lat = 35.0960, height = 1200.0, heading = 0.0, pitch = -80.0, roll = 0.0 }
layers = ["building", "water_area", "road_area"]
transparency = {}
ground = 1.0
seconds = 8
datetime = "2015-01-01"
"""
PLACES = {"老站": (30.0, 30.0), "新站": (230.0, 30.0), "规划站": (430.0, 30.0)}


class TimeVisit(Visit):
    """A visit to the town that changes, seen straight from above."""

    def open_above(self, fragment: str = "") -> None:
        lon, lat = self.place(200.0, 100.0)
        self.open(fragment=f"#camera={lon},{lat},700,0,-89.5,0&layers=building,water_area,road_area{fragment}")

    def place(self, east: float, north: float) -> tuple[float, float]:
        at = gpd.GeoSeries([shapely.Point(EAST + east, NORTH + north)], crs="EPSG:4548").to_crs("OGC:CRS84")
        return at.iloc[0].x, at.iloc[0].y

    def houses(self) -> list[str]:
        """Return the names of the houses that can be picked, by the ids the API gives them."""
        found = {name: self.pick(*self.place(*at), GROUND + 20.0) for name, at in PLACES.items()}
        ids = {"building.1": "老站", "building.2": "新站", "building.3": "规划站"}
        for name, identity in found.items():
            assert identity is None or ids[identity["featureId"]] == name
        return [name for name, identity in found.items() if identity is not None]

    def ground(self) -> str | None:
        """Return the collection of what lies where the pond was."""
        identity = self.pick(*self.place(75.0, 175.0), GROUND)
        return identity["collectionId"] if identity else None

    def go(self, day: str | None) -> None:
        self.run("([day]) => { twin.time.day = day ?? undefined; }", day)
        self.settle()

    def slide(self, day: str) -> None:
        """Move the slider to a day as a hand does: its value changes, and it says so."""
        self.page.locator("#time").fill(str((date.fromisoformat(day) - date(1970, 1, 1)).days))
        self.settle()


@pytest.fixture(scope="module")
def opened_town(browser: Browser, changing_town: str) -> Iterator[TimeVisit]:
    visit = TimeVisit(browser, changing_town)
    visit.open_above()
    yield visit
    visit.page.close()


@pytest.fixture
def past(opened_town: TimeVisit) -> Iterator[TimeVisit]:
    """The visit to the town that changes, at now; it must end without a single trouble."""
    opened_town.troubles.clear()
    opened_town.go(None)
    yield opened_town
    assert opened_town.troubles == []


def test_now_shows_neither_what_ended_nor_what_is_planned(past: TimeVisit) -> None:
    assert past.houses() == ["新站"]
    assert past.ground() == "road_area"
    expect(past.page.locator(".time-now")).to_have_attribute("aria-pressed", "true")


def test_what_no_field_takes_is_shown_under_the_names_of_the_source_to_the_last_digit(past: TimeVisit) -> None:
    past.run("() => twin.showFeature('building', 'building.2')")

    expect(past.page.locator(".attributes-body h3")).to_have_text("源数据的其他属性")
    expect(past.page.locator(".attributes tr", has_text="OWNER").locator("td")).to_have_text("李")
    expect(past.page.locator(".attributes tr", has_text="标识码").locator("td")).to_have_text(str(2**60 + 1))


def test_the_slider_shows_the_town_of_a_day_in_solids_and_on_the_ground(past: TimeVisit) -> None:
    past.slide("2019-06-01")
    in_2019 = (past.houses(), past.ground())
    past.slide("2020-06-01")
    in_between = (past.houses(), past.ground())
    past.slide("2023-06-01")
    in_2023 = (past.houses(), past.ground())

    assert in_2019 == (["老站"], "water_area")
    assert in_between == ([], None)
    assert in_2023 == (["新站"], "road_area")


def test_moving_in_time_loads_no_solid_anew(past: TimeVisit) -> None:
    asked: list[str] = []
    past.page.on("request", lambda sent: asked.append(sent.url))

    past.go("2017-03-03")
    past.go("2012-03-03")

    assert past.houses() == ["老站"]
    assert [url for url in asked if "3dtiles" in url] == []


def test_the_slider_is_moved_by_keys_and_says_its_day(past: TimeVisit) -> None:
    shown = past.page.locator(".time-date")
    past.page.locator("#globe").focus()
    past.page.keyboard.press("t")
    past.page.keyboard.press("Home")
    expect(shown).to_have_text("2004年1月1日")
    past.page.keyboard.press("ArrowRight")
    expect(shown).to_have_text("2004年1月2日")
    expect(past.page.locator("#time")).to_have_attribute("aria-valuetext", "2004年1月2日")

    past.page.locator("[data-time=next]").click()
    expect(shown).to_have_text("2005年1月1日")
    past.page.keyboard.press("n")

    expect(past.page.locator(".time-now")).to_have_attribute("aria-pressed", "true")
    assert past.run("() => twin.time.day") is None


def test_play_goes_from_change_to_change(past: TimeVisit) -> None:
    past.go("2019-06-01")

    past.run(NOTE_DATES)
    past.page.locator("[data-time=play]").click()

    past.run(UNTIL_NOTED, "2021年1月1日")
    past.run(PAUSE)
    assert past.run("() => window.notedDates")[:2] == ["2020年6月1日", "2021年1月1日"]
    expect(past.page.locator("[data-time=play]")).to_have_attribute("aria-label", "时序播放")


def test_attributes_are_those_of_the_day_on_show(past: TimeVisit) -> None:
    body = past.page.locator(".attributes")
    past.go("2019-06-01")
    past.run("() => twin.showFeature('building', 'building.1')")
    expect(past.page.locator(".attributes h2")).to_have_text("老站")
    expect(past.page.locator(".attributes-day")).to_have_text("2019年6月1日的状态")
    since = past.page.locator("[data-field=valid_from]")
    expect(since.locator("th")).to_have_text("有效自")
    expect(since.locator("td")).to_have_text("2010年5月1日")

    past.go("2023-06-01")
    expect(body).to_contain_text("2023年6月1日 无此要素")

    past.go("2012-01-01")
    expect(past.page.locator(".attributes h2")).to_have_text("老站")
    past.page.keyboard.press("Escape")


def test_permalink_carries_the_day_and_restores_it(past: TimeVisit) -> None:
    past.open_above("&t=2019-06-01")
    restored = (past.run("() => twin.time.day"), past.houses(), past.ground())

    past.slide("2023-06-01")
    expect(past.page).to_have_url(re.compile("&t=2023-06-01&"))
    past.page.locator(".time-now").click()
    expect(past.page).not_to_have_url(re.compile("&t="))

    assert restored == ("2019-06-01", ["老站"], "water_area")


def test_a_scene_sets_its_day_and_one_without_goes_back_to_now(past: TimeVisit) -> None:
    past.run("() => { void twin.showScene('then'); }")
    past.settle()

    assert past.run("() => twin.time.day") == "2015-01-01"
    expect(past.page.locator(".time-date")).to_have_text("2015年1月1日")
    past.page.keyboard.press("Escape")
