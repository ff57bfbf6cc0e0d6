"""A feature that is chosen can be seen: the ground opens for it, it keeps its colour, and a word says what hides a layer."""

import io
from typing import Any

import numpy as np
import shapely
from matplotlib.image import imread
from numpy.typing import NDArray
from playwright.sync_api import Browser, expect
from viewer_visit import Visit

GROUND_SAYS = "地面已转为透明"


def pixels(visit: Visit) -> NDArray[np.int16]:
    """Return the scene as it is drawn, 0-255, without the interface over it."""
    picture = imread(io.BytesIO(visit.page.locator("#globe canvas").screenshot()))
    return np.asarray(picture[..., :3] * 255, np.int16)


def orange(picture: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Say which pixels have the colour of the outline: #ff6d00."""
    red, green, blue = (picture[..., channel] for channel in range(3))
    return (red > 225) & (abs(green - 109) < 25) & (blue < 40)


def a_wide_pipe(visit: Visit) -> tuple[dict[str, Any], tuple[float, float, float]]:
    """Return a wide pipe and the middle of its first stretch, at its axis."""
    pipes = visit.get("/collections/pipe_line/items?limit=300")["features"]
    pipe = max(pipes, key=lambda feature: feature["properties"].get("width_mm") or 0.0)
    start, end = pipe["geometry"]["coordinates"][:2]
    lon, lat, axis = ((start[axis] + end[axis]) / 2 for axis in range(3))
    return pipe, (lon, lat, axis)


def click(visit: Visit, selector: str) -> None:
    place = visit.page.locator(selector).bounding_box()
    assert place is not None, selector
    visit.page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)


def test_ticking_a_layer_below_the_ground_opens_it_and_unticking_gives_back_the_users_ground(visit: Visit) -> None:
    visit.show("building")
    visit.run("() => document.querySelector('#layer-pipe_line').scrollIntoView({ block: 'center' })")

    click(visit, "#layer-pipe_line")

    expect(visit.page.locator(".notice", has_text=GROUND_SAYS)).to_be_visible()
    assert visit.run("() => twin.underground.on")
    click(visit, "#layer-pipe_line")
    assert visit.run("() => twin.underground.ground") == 1


def test_ground_closed_by_hand_stays_closed_and_the_row_says_what_hides_the_layer(visit: Visit) -> None:
    visit.show("building", "pipe_line", ground=0.5)
    visit.run("() => document.querySelector('#layer-pipe_line').scrollIntoView({ block: 'center' })")
    hint = visit.page.locator("li:has(#layer-pipe_line) .tree-hint")
    expect(hint).to_have_count(0)

    visit.press("underground")

    expect(hint).to_contain_text("被地面遮挡")
    visit.run("() => twin.layers.setVisible('road_area', true)")
    assert not visit.run("() => twin.underground.on")
    hint.locator("button").click()
    assert visit.run("() => twin.underground.on")
    expect(hint).to_have_count(0)


def test_a_pipe_that_is_searched_is_drawn_where_it_lies(visit: Visit) -> None:
    pipe, (lon, lat, axis) = a_wide_pipe(visit)
    visit.show("building")
    visit.page.locator("#search").click()
    visit.page.keyboard.type(str(pipe["id"]))
    option = visit.page.locator(".results [role=option]", has_text=str(pipe["id"])).first
    expect(option).to_be_visible()

    option.click()

    expect(visit.page.locator(".attributes-id")).to_have_text(str(pipe["id"]))
    visit.look_down_on(lon, lat, axis, 25.0)
    assert visit.run("() => twin.selectionDrawn()")
    assert visit.pick(lon, lat, axis) == {"collectionId": "pipe_line", "featureId": str(pipe["id"])}
    assert orange(pixels(visit)).sum() > 100
    visit.page.keyboard.press("Escape")


def test_a_wall_of_a_selected_building_keeps_its_colour_when_looked_at_along_it(visit: Visit) -> None:
    buildings = visit.get("/collections/building/items?limit=500")["features"]
    building = max(buildings, key=lambda feature: feature["properties"].get("height") or 0.0)
    ring = shapely.geometry.shape(building["geometry"]).geoms[0].minimum_rotated_rectangle.exterior.coords
    (west, south), (east, north) = shapely.LineString(ring).bounds[:2], shapely.LineString(ring).bounds[2:]
    roof = visit.roof_of(building)
    visit.show("building")
    camera = {
        "lon": west - 0.0001,
        "lat": south - 0.0016,
        "height": roof - 20,
        "heading": 0.0,
        "pitch": -8.0,
        "roll": 0.0,
    }
    visit.run("([camera]) => twin.flyTo(camera)", camera)
    visit.settle()
    before = pixels(visit)

    visit.run("([id]) => twin.showFeature('building', id)", str(building["id"]))

    expect(visit.page.locator(".attributes-id")).to_have_text(str(building["id"]))
    visit.settle()
    after = pixels(visit)
    free = np.s_[60:320, 200:380]
    changed = (abs(after - before).sum(axis=2) > 8)[free]
    outlined = orange(after)[free] & changed
    assert changed.sum() > 500
    assert 0 < outlined.sum() < 0.25 * changed.sum()
    visit.page.keyboard.press("Escape")


def test_layer_that_is_not_drawn_from_so_far_offers_to_zoom_in(visit: Visit) -> None:
    visit.show("vegetation_point", "building")
    visit.run("() => document.querySelector('#layer-vegetation_point').scrollIntoView({ block: 'center' })")
    visit.press("home")
    hint = visit.page.locator("li:has(#layer-vegetation_point) .tree-hint")
    expect(hint).to_contain_text("当前比例尺下不显示")

    hint.locator("button").click()

    expect(hint).to_have_count(0)


def test_layer_that_is_not_there_on_the_day_offers_its_first_day(visit: Visit) -> None:
    layers = visit.run("() => twin.config.layers.map(({ id, time }) => [id, time && time.first])")
    first = dict(layers)["street_lamp"]
    earlier = visit.run("() => twin.config.time.first")
    assert earlier < first
    visit.show("street_lamp")
    visit.run("() => document.querySelector('#layer-street_lamp').scrollIntoView({ block: 'center' })")
    visit.run("([day]) => { twin.time.day = day; }", earlier)
    hint = visit.page.locator("li:has(#layer-street_lamp) .tree-hint")
    expect(hint).to_contain_text("所选日期尚无数据")

    hint.locator("button").click()

    assert visit.run("() => twin.time.shown") == first
    visit.run("() => { twin.time.day = undefined; }")


TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""A page learns of its new width with the next frame; a key that is pressed before would be undone by it."""


def test_layer_tree_folds_by_key_and_button_and_by_itself_in_a_narrow_window(visit: Visit) -> None:
    body = visit.page.locator(".tree-body")
    visit.page.locator("#globe").focus()
    visit.page.set_viewport_size({"width": 1000, "height": 500})
    visit.run(TWO_FRAMES)
    expect(body).to_be_visible()

    visit.page.keyboard.press("k")
    expect(body).to_be_hidden()
    click(visit, ".tree-fold")
    expect(body).to_be_visible()
    visit.page.set_viewport_size({"width": 390, "height": 600})
    expect(body).to_be_hidden()
    visit.page.set_viewport_size({"width": 640, "height": 360})


def test_link_to_a_pipe_and_to_layers_that_are_not_open_says_what_it_does(browser: Browser, served_town: str) -> None:
    visit = Visit(browser, served_town)
    pipe, (lon, lat, axis) = a_wide_pipe(visit)

    visit.open(
        fragment=f"#camera={lon},{lat},{axis + 25},0,-89.5,0&layers=building,secret&feature=pipe_line/{pipe['id']}"
    )

    expect(visit.page.locator(".attributes-id")).to_have_text(str(pipe["id"]))
    expect(visit.page.locator(".notice", has_text="链接中的图层不存在或未对您开放：secret")).to_have_count(1)
    assert visit.run("() => twin.underground.on && twin.layers.get('pipe_line').visible")
    visit.settle()
    assert visit.pick(lon, lat, axis) == {"collectionId": "pipe_line", "featureId": str(pipe["id"])}
    assert orange(pixels(visit)).sum() > 100
    visit.run("() => twin.showFeature('secret', '1')")
    expect(visit.page.locator(".attributes")).to_contain_text("不存在或未对您开放")
    expect(visit.page.locator(".notice-remedy", has_text="重试")).to_have_count(0)
    assert visit.troubles == []
    visit.page.close()
