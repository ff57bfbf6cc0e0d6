"""What the pointer points at: places on roofs that are measured and read, and everything that lies under a click."""

import re
from typing import Any

import pytest
import shapely
from playwright.sync_api import expect
from viewer_visit import Visit


def inside_of(geometry: dict[str, Any]) -> tuple[float, float]:
    place = shapely.geometry.shape(geometry).representative_point()
    return place.x, place.y


def buildings(visit: Visit) -> list[dict[str, Any]]:
    features: list[dict[str, Any]] = visit.get("/collections/building/items?limit=2000")["features"]
    return features


@pytest.fixture
def tower(visit: Visit) -> dict[str, Any]:
    """The highest building, seen from straight above beside its foot."""
    features = buildings(visit)
    building: dict[str, Any] = max(features, key=lambda feature: feature["properties"].get("height") or 0.0)
    visit.page.keyboard.press("Escape")
    visit.show("building", "planning_area", "land_use", "project")
    return building


def seen_from_above(visit: Visit, tower: dict[str, Any]) -> list[dict[str, float]]:
    """Return where its foot's ground and its roof are seen in the window."""
    built = shapely.union_all([shapely.geometry.shape(building["geometry"]) for building in buildings(visit)])
    ring = shapely.geometry.shape(tower["geometry"]).buffer(0.0004).exterior
    free = shapely.get_coordinates(ring.segmentize(0.00005))
    foot = next((x, y) for x, y in free if shapely.Point(x, y).distance(built) > 0.0001)
    roof = visit.roof_of(tower)
    visit.look_down_on(*foot, roof, 250.0)
    places = ((*foot, roof - tower["properties"]["height"]), (*inside_of(tower["geometry"]), roof))
    return [visit.run("([lon, lat, z]) => twin.windowPositionOf(lon, lat, z)", *place) for place in places]


DRAWN_HEIGHT = """([x, y]) => { const { scene } = twin.viewer;
  return scene.globe.ellipsoid.cartesianToCartographic(scene.pickPosition({ x, y })).height; }"""


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"[\d,]+\.\d+", text)]


def test_preview_and_result_of_a_height_are_those_of_the_roof_and_follow_the_language(
    visit: Visit, tower: dict[str, Any]
) -> None:
    foot, roof = seen_from_above(visit, tower)
    visit.page.mouse.move(foot["x"], foot["y"])
    low = visit.run(DRAWN_HEIGHT, foot["x"], foot["y"])
    high = visit.run(DRAWN_HEIGHT, roof["x"], roof["y"])
    assert high - low > tower["properties"]["height"] / 2

    visit.press("height")
    visit.page.mouse.click(foot["x"], foot["y"])
    visit.page.mouse.move(roof["x"] - 2, roof["y"])
    visit.page.mouse.move(roof["x"], roof["y"])
    visit.page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    preview = visit.run(SKETCHED)
    visit.page.mouse.click(roof["x"], roof["y"])

    result = visit.page.locator(".measured li")
    expect(result).to_have_count(1)
    assert numbers(preview)[0] == pytest.approx(high - low, abs=0.1)
    assert numbers(result.inner_text())[0] == pytest.approx(high - low, abs=0.1)
    visit.page.locator(".language").click()
    expect(result).to_contain_text("Height difference")
    visit.page.locator(".language").click()
    expect(result).to_contain_text("高差")
    visit.press("clear")


SKETCHED = """() => { const texts = [];
  const walk = (drawing) => { for (let index = 0; index < (drawing.length ?? 0); index += 1) {
    const part = drawing.get(index); if (typeof part.text === "string") texts.push(part.text); else walk(part); } };
  walk(twin.viewer.scene.primitives); return texts.filter((text) => / m$/.test(text)).join(" "); }"""


def test_each_measure_is_deleted_by_its_own_button_with_keys(visit: Visit, tower: dict[str, Any]) -> None:
    foot, roof = seen_from_above(visit, tower)
    visit.press("point")
    for place in (foot, roof):
        visit.page.mouse.click(place["x"], place["y"])
    result = visit.page.locator(".measured li")
    expect(result).to_have_count(2)
    kept = result.nth(1).inner_text()

    result.first.locator("button").focus()
    visit.page.keyboard.press("Enter")

    expect(result).to_have_count(1)
    assert result.inner_text() == kept
    expect(result.locator("button")).to_be_focused()
    visit.page.keyboard.press("Enter")
    expect(result).to_have_count(0)
    assert visit.run("() => twin.tools.hasResults") is False
    visit.press("clear")


def test_readout_over_a_roof_gives_the_height_of_the_roof_and_says_so(visit: Visit, tower: dict[str, Any]) -> None:
    foot, roof = seen_from_above(visit, tower)
    readout = visit.page.locator(".readout-place")
    building, ground = visit.run("() => twin.layers.get('building').config.title.zh"), "地面"

    visit.page.mouse.move(roof["x"], roof["y"])
    expect(readout).to_contain_text(building)
    over_roof = numbers(readout.inner_text().split("H")[1])[0]
    visit.page.mouse.move(foot["x"], foot["y"])
    expect(readout).to_contain_text(ground)
    height_of_ground = numbers(readout.inner_text().split("H")[1])[0]
    visit.page.locator(".language").click()
    expect(readout).to_contain_text("Ground")
    visit.page.locator(".language").click()
    expect(readout).to_contain_text(ground)

    offset = visit.run("() => twin.config.town.height_offset")
    assert over_roof == pytest.approx(visit.run(DRAWN_HEIGHT, roof["x"], roof["y"]) - offset, abs=0.1)
    assert height_of_ground < over_roof - 5


def test_click_offers_everything_that_lies_there_and_a_second_click_goes_to_the_next(visit: Visit) -> None:
    areas = visit.get("/collections/land_use/items?limit=100")["features"]
    projects = visit.get("/collections/project/items?limit=20")["features"]
    project, area, place = next(
        (project, area, shared.representative_point())
        for project in projects
        for area in areas
        if (shared := shapely.geometry.shape(project["geometry"]) & shapely.geometry.shape(area["geometry"])).area
        > 1e-8
    )
    visit.page.keyboard.press("Escape")
    visit.show("land_use", "project")
    visit.look_down_on(place.x, place.y, 70.0, 300.0)
    ground = visit.run(
        "() => twin.viewer.scene.globe.getHeight(twin.viewer.camera.positionCartographic) - twin.config.town.height_offset"
    )
    at = visit.run("([lon, lat, z]) => twin.windowPositionOf(lon, lat, z)", place.x, place.y, ground)
    chosen = visit.page.locator(".attributes-id")
    others = visit.page.locator(".also-here button")
    ids = {str(project["id"]), str(area["id"])}

    visit.page.mouse.click(at["x"], at["y"])
    expect(others.first).to_be_visible()
    first = visit.run(SELECTED)
    visit.page.wait_for_timeout(600)
    visit.page.mouse.click(at["x"], at["y"])
    expect(chosen).not_to_have_text(first)
    second = visit.run(SELECTED)
    others.first.focus()
    visit.page.keyboard.press("Enter")
    expect(chosen).to_have_text(first)

    assert {first, second} == ids
    visit.page.keyboard.press("Escape")
    expect(visit.page.locator(".also-here")).to_be_hidden()


SELECTED = "() => document.querySelector('.attributes-id').textContent"
