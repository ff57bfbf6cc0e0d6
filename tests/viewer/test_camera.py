"""The camera as a hand moves it: ground that stops it, and views that frame a feature with its height."""

from typing import Any

import pytest
import shapely
from viewer_visit import VIEWPORT, Visit

ABOVE_GROUND = """() => { const { scene, camera } = twin.viewer;
  return camera.positionCartographic.height - scene.globe.getHeight(camera.positionCartographic); }"""


def look_from(visit: Visit, distance: float) -> None:
    lon, lat, height = visit.run("() => twin.config.town.center")
    visit.run(
        "([camera]) => twin.flyTo(camera)",
        {"lon": lon, "lat": lat, "height": height + distance, "heading": 0, "pitch": -60, "roll": 0},
    )
    visit.settle()


def turn_wheel(visit: Visit, times: int) -> None:
    visit.page.mouse.move(VIEWPORT["width"] * 0.6, VIEWPORT["height"] * 0.5)
    for _ in range(times):
        visit.page.mouse.wheel(0, -2400)
        visit.settle()


def test_wheel_over_closed_ground_never_ends_below_it(visit: Visit) -> None:
    visit.show("road_area")
    look_from(visit, 40.0)

    turn_wheel(visit, 6)

    assert 0 < visit.run(ABOVE_GROUND) < 30


def test_wheel_passes_the_ground_while_it_is_open_and_closing_it_brings_the_camera_up(visit: Visit) -> None:
    visit.show("road_area", ground=0.3)
    look_from(visit, -4.0)
    below = visit.run(ABOVE_GROUND)

    visit.run("() => { twin.underground.ground = 1; }")
    visit.settle()

    assert below < -3
    assert visit.run(ABOVE_GROUND) > 1


@pytest.mark.parametrize("keys", [["+"] * 30, ["PageDown"] * 14])
def test_keys_over_closed_ground_never_end_below_it(visit: Visit, keys: list[str]) -> None:
    visit.show("road_area")
    look_from(visit, 60.0)
    visit.page.locator("#globe").focus()

    for key in keys:
        visit.page.keyboard.press(key)
    visit.settle()

    assert visit.run(ABOVE_GROUND) > 1


def test_camera_of_an_address_below_closed_ground_is_brought_above(visit: Visit) -> None:
    visit.show("road_area")
    look_from(visit, -30.0)

    assert visit.run(ABOVE_GROUND) > 1


def tallest(visit: Visit) -> dict[str, Any]:
    features = visit.get("/collections/building/items?limit=200")["features"]
    return max(features, key=lambda feature: feature["properties"].get("height") or 0.0)


def test_fly_to_shows_a_tower_from_foot_to_roof_beside_every_panel(visit: Visit) -> None:
    tower = tallest(visit)
    visit.show("building")
    look_from(visit, 900.0)
    visit.run("([id]) => twin.showFeature('building', id)", str(tower["id"]))

    visit.page.locator(".attributes footer button").first.click()
    visit.settle()

    place = shapely.geometry.shape(tower["geometry"]).centroid
    roof = visit.roof_of(tower)
    ends = [
        visit.run("([lon, lat, z]) => twin.windowPositionOf(lon, lat, z)", place.x, place.y, z)
        for z in (roof - tower["properties"]["height"], roof)
    ]
    for end in ends:
        assert end is not None
        assert 0 < end["x"] < VIEWPORT["width"] and 0 < end["y"] < VIEWPORT["height"]
        on_top = "([x, y]) => document.elementFromPoint(x, y).closest('.panel, .readout') === null"
        assert visit.run(on_top, end["x"], end["y"]), end
    assert ends[0]["y"] - ends[1]["y"] > VIEWPORT["height"] * 0.12
    visit.page.keyboard.press("Escape")


def test_fly_to_looks_at_a_pipe_from_above(visit: Visit) -> None:
    pipe = visit.get("/collections/pipe_line/items?limit=1")["features"][0]
    visit.show("pipe_line", ground=0.3)
    visit.run("([id]) => twin.showFeature('pipe_line', id)", str(pipe["id"]))

    visit.page.locator(".attributes footer button").first.click()
    visit.settle()

    assert visit.run("() => twin.camera().pitch") < -55
    assert visit.run(ABOVE_GROUND) > 5
    visit.page.keyboard.press("Escape")
