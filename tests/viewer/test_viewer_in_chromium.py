"""The viewer in a real browser over the sample town: what a planner sees, clicks and reads.

Every test also fails on a console error, an uncaught exception, a failed request or a request to another host.
Headless Chromium draws with SwiftShader; picks and texts are asserted, never pixels. The pages forbid `eval`, so
waiting happens inside `evaluate` (`SETTLE`) and not in `wait_for_function`.
"""

import json
import math
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import shapely
from matplotlib.image import imread
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]
VIEWPORT: ViewportSize = {"width": 800, "height": 450}
BUILT = Path(__file__).resolve().parents[2] / "viewer" / "dist" / "index.html"
SETTLE = """([seconds]) => new Promise((resolve, reject) => {
  const end = performance.now() + 1000 * seconds;
  let calm = 0;
  const look = () => {
    if (window.twin) { twin.viewer.scene.requestRender(); twin.viewer.scene.render(); }
    calm = window.twin && twin.ready() ? calm + 1 : 0;
    if (calm >= 3) resolve(true);
    else if (performance.now() > end) reject(new Error('still waiting for '
      + (window.twin ? twin.waiting().join(', ') : 'the twin')));
    else setTimeout(look, 50);
  };
  look();
})"""

pytestmark = pytest.mark.skipif(
    not Path(CHROMIUM).is_file() and os.environ.get("CI") != "true",
    reason=f"{CHROMIUM} is missing: the viewer is NOT tested here",
)


class Visit:
    """A page with the viewer open, and everything that went wrong on it."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.url = url.rstrip("/")
        self.page: Page = browser.new_page(viewport=VIEWPORT, locale="zh-CN")
        self.page.set_default_timeout(60_000)
        self.troubles: list[str] = []
        self.page.on("console", lambda told: self._note(told.type in {"error", "warning"}, told.text))
        self.page.on("pageerror", lambda error: self._note(True, str(error)))
        self.page.on("requestfailed", lambda sent: self._note(sent.failure != "net::ERR_ABORTED", sent.url))
        self.page.on("request", lambda sent: self._note(not self._own(sent.url), f"foreign {sent.url}"))
        self.page.on("response", lambda got: self._note(got.status >= 400, f"{got.status} {got.url}"))

    def _note(self, wrong: bool, text: str) -> None:
        # Reading pixels back for a pick makes SwiftShader's driver remark on it.
        if wrong and "GPU stall due to ReadPixels" not in text:
            self.troubles.append(text)

    def _own(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in {"data", "blob"} or parts.netloc == urlsplit(self.url).netloc

    def open(self, query: str = "test=1", fragment: str = "") -> None:
        """Load the viewer anew; a changed fragment alone would not load anything."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/viewer/?{query}{fragment}")
        self.settle()

    def settle(self, seconds: float = 120) -> None:
        """Draw frames until everything visible has arrived."""
        self.page.evaluate(SETTLE, [seconds])

    def run(self, script: str, *values: Any) -> Any:
        return self.page.evaluate(script, list(values))

    def show(self, *layers: str, ground: float = 1.0) -> None:
        self.run(
            "([layers, ground]) => { twin.layers.show(layers); twin.underground.ground = ground; }",
            layers,
            ground,
        )

    def look_down_on(self, lon: float, lat: float, elevation: float, distance: float) -> None:
        """Look straight down from `distance` metres above a place of the town."""
        offset = self.run("() => twin.config.town.height_offset")
        camera = {"lon": lon, "lat": lat, "height": elevation + offset + distance}
        self.run("([camera]) => twin.flyTo(camera)", camera | {"heading": 0.0, "pitch": -89.5, "roll": 0.0})
        self.settle()

    def pick(self, lon: float, lat: float, elevation: float) -> dict[str, str] | None:
        """Return the identity drawn at a place of the town."""
        found: dict[str, str] | None = self.run(
            "([lon, lat, z]) => { const at = twin.windowPositionOf(lon, lat, z); return twin.pickAt(at.x, at.y); }",
            lon,
            lat,
            elevation,
        )
        return found

    def roof_of(self, building: dict[str, Any]) -> float:
        """Return the elevation of a roof; a building of unknown base stands on the ground of the town's centre."""
        ground = self.run("() => twin.config.town.center[2] - twin.config.town.height_offset")
        base, height = (building["properties"].get(key) for key in ("base_elevation", "height"))
        return float((ground if base is None else base) + height)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def item(self, identity: dict[str, str]) -> Any:
        place = f"/collections/{identity['collectionId']}/items/{quote(identity['featureId'], safe='')}"
        return self.get(place)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def opened(browser: Browser, served_town: str) -> Iterator[Visit]:
    """One visit for the module: loading the town takes most of the time."""
    assert BUILT.is_file(), f"{BUILT} is missing. Build it: npm ci && npm run build, in viewer/"
    visit = Visit(browser, served_town)
    visit.open()
    yield visit
    visit.page.close()


@pytest.fixture
def visit(opened: Visit) -> Iterator[Visit]:
    """The visit, which must end without a single trouble."""
    opened.troubles.clear()
    yield opened
    assert opened.troubles == []


def inside_of(geometry: dict[str, Any]) -> tuple[float, float]:
    """Return a place inside the first polygon."""
    place = shapely.geometry.shape(geometry).representative_point()
    return place.x, place.y


def test_town_opens_with_its_name_and_asks_no_other_host(browser: Browser, served_town: str) -> None:
    visit = Visit(browser, served_town)

    visit.open()

    name = visit.run("() => twin.config.town.name.zh")
    expect(visit.page.locator("h1")).to_have_text(name)
    assert visit.troubles == []
    visit.page.close()


def test_each_layer_of_the_catalogue_with_features_stands_in_the_tree(visit: Visit) -> None:
    config = visit.get("/viewer/config.json?lang=zh")
    filled = {
        layer["id"] for layer in config["layers"] if layer["features"] and (layer["mvt"] or layer["tileset"])
    }

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
    building = next(
        one for one in found if one["properties"].get("height") and one["properties"].get("structure")
    )
    properties = building["properties"]
    lon, lat = inside_of(building["geometry"])
    roof = visit.roof_of(building)
    fields = next(layer for layer in visit.run("() => twin.config.layers") if layer["id"] == "building")[
        "fields"
    ]
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
    assert visit.run("() => twin.selectionFound()")


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
    fields = next(layer for layer in visit.run("() => twin.config.layers") if layer["id"] == "pipe_line")[
        "fields"
    ]
    codes = next(field for field in fields if field["name"] == "class")["codes"]
    visit.show("pipe_line", ground=0.25)
    visit.look_down_on(lon, lat, top, 25.0)

    visit.run("([id]) => twin.showFeature('pipe_line', id)", str(pipe["id"]))

    expect(visit.page.locator("[data-field=class] td")).to_contain_text(
        codes[pipe["properties"]["class"]]["zh"]
    )
    visit.settle()
    assert visit.run("() => twin.selectionFound()")


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
    height = "twin.viewer.scene.globe.getHeight(twin.viewer.camera.positionCartographic) - twin.config.town.height_offset"
    ground = visit.run(f"() => {height}")
    x = [visit.get(f"/crs/transform?lon={lon}&lat={lat}&to=EPSG:4548") for lon, lat in places]
    expected = math.dist(*((one["x_north"], one["y_east"]) for one in x))
    visit.page.keyboard.press("Escape")

    visit.run("() => twin.measure.start('length')")
    for place in places:
        visit.run("([lon, lat, z]) => twin.measure.click(twin.windowPositionOf(lon, lat, z))", *place, ground)
    visit.run("() => twin.measure.finish()")

    told = visit.page.locator(".measured li").first.inner_text()
    level = float(told.split("水平长度")[1].split("m")[0].replace(",", ""))
    assert level == pytest.approx(expected, rel=0.01)
    visit.run("() => twin.measure.clear()")


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


def test_language_switch_turns_titles_and_back(visit: Visit) -> None:
    layer = next(one for one in visit.run("() => twin.config.layers") if one["id"] == "building")
    title = visit.page.locator("label[for=layer-building] .tree-title")
    expect(title).to_have_text(layer["title"]["zh"])

    visit.page.locator(".language").click()

    expect(title).to_have_text(layer["title"]["en"])
    visit.page.locator(".language").click()
    expect(title).to_have_text(layer["title"]["zh"])


def test_permalink_restores_camera_layers_ground_and_selection(browser: Browser, served_town: str) -> None:
    visit = Visit(browser, served_town)
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
    assert visit.troubles == []
    visit.page.close()
