"""Sun, shadows and sky of the viewer: where the sun stands, what a user sets with the pointer, what is drawn and what is not."""

import io
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from matplotlib.image import imread
from playwright.sync_api import Browser, expect
from viewer_visit import Visit

SET = "([day, hour]) => { twin.time.day = day ?? undefined; twin.light.hour = hour ?? undefined; return twin.light.sun; }"
SHADOWS = """() => {
  const { shadowMap, globe } = twin.viewer.scene;
  const biases = [shadowMap._primitiveBias, shadowMap._terrainBias];
  return [shadowMap.enabled, shadowMap.softShadows, globe.shadows, ...biases.flatMap(b => [b.normalOffsetScale, b.depthBias])];
}"""
RECEIVE_ONLY = 3
"""Cesium's ShadowMode of the globe."""
FRAMES = """() => new Promise(resolve => {
  let frames = 0;
  const stop = twin.viewer.scene.postRender.addEventListener(() => { frames += 1; });
  setTimeout(() => { stop(); resolve(frames); }, 700);
})"""


@pytest.fixture(scope="module")
def lit_page(browser: Browser, served_town: str) -> Iterator[Visit]:
    """A visit with shadows, sky and haze, which the other tests do without."""
    visit = Visit(browser, served_town)
    visit.open("test=1&quality=middle")
    yield visit
    visit.page.close()


@pytest.fixture
def lit(lit_page: Visit) -> Iterator[Visit]:
    """The same, as it is shown at first; it must end without a single trouble."""
    lit_page.troubles.clear()
    lit_page.run(SET, None, None)
    yield lit_page
    assert lit_page.troubles == []


def sun_by_noaa(instant: datetime, lon: float, lat: float) -> tuple[float, float]:
    """Return azimuth and elevation of the sun by the equations of the NOAA solar calculator (after Meeus), no refraction."""
    century = ((instant - datetime(2000, 1, 1, 12, tzinfo=UTC)).total_seconds() / 86_400) / 36_525
    mean_longitude = (280.46646 + century * (36_000.76983 + century * 0.0003032)) % 360
    anomaly = math.radians(357.52911 + century * (35_999.05029 - 0.0001537 * century))
    centre = (
        math.sin(anomaly) * (1.914602 - century * (0.004817 + 0.000014 * century))
        + math.sin(2 * anomaly) * (0.019993 - 0.000101 * century)
        + math.sin(3 * anomaly) * 0.000289
    )
    node = math.radians(125.04 - 1934.136 * century)
    longitude = math.radians(mean_longitude + centre - 0.00569 - 0.00478 * math.sin(node))
    tilt = math.radians(23.0 + (26 + 21.448 / 60) / 60 - 0.013 * century + 0.00256 * math.cos(node))
    declination = math.asin(math.sin(tilt) * math.sin(longitude))
    eccentricity = 0.016708634 - century * (0.000042037 + 0.0000001267 * century)
    y, double = math.tan(tilt / 2) ** 2, 2 * math.radians(mean_longitude)
    equation_of_time = 4 * math.degrees(
        y * math.sin(double)
        - 2 * eccentricity * math.sin(anomaly)
        + 4 * eccentricity * y * math.sin(anomaly) * math.cos(double)
        - 0.5 * y * y * math.sin(2 * double)
        - 1.25 * eccentricity**2 * math.sin(2 * anomaly)
    )
    minutes = instant.hour * 60 + instant.minute + instant.second / 60 + equation_of_time + 4 * lon
    hour_angle, phi = math.radians(minutes / 4 - 180), math.radians(lat)
    elevation = math.asin(
        math.sin(phi) * math.sin(declination) + math.cos(phi) * math.cos(declination) * math.cos(hour_angle)
    )
    azimuth = math.atan2(
        -math.cos(declination) * math.sin(hour_angle),
        math.sin(declination) * math.cos(phi) - math.cos(declination) * math.sin(phi) * math.cos(hour_angle),
    )
    return math.degrees(azimuth) % 360, math.degrees(elevation)


def pixels(visit: Visit) -> Any:
    """Return the picture drawn now, rows of red, green, blue from 0 to 1."""
    visit.run("() => { document.querySelector('#interface').hidden = true; }")
    picture = visit.page.locator("#globe canvas").screenshot(timeout=120_000)
    visit.run("() => { document.querySelector('#interface').hidden = false; }")
    return np.asarray(imread(io.BytesIO(picture)))[..., :3]


@pytest.mark.parametrize(
    ("day", "hour"), [("2024-03-20", 7.0), ("2024-06-21", 12.0), ("2024-12-21", 15.5), ("2019-09-01", 5.0)]
)
def test_the_sun_stands_where_it_really_stands(lit: Visit, day: str, hour: float) -> None:
    lon, lat, _ = lit.run("() => twin.config.town.center")
    zone = ZoneInfo(lit.run("() => twin.config.town.timezone"))
    local = datetime.fromisoformat(day).replace(hour=int(hour), minute=round(hour % 1 * 60), tzinfo=zone)

    sun = lit.run(SET, day, hour)

    azimuth, elevation = sun_by_noaa(local.astimezone(UTC), lon, lat)
    assert sun["elevation"] == pytest.approx(elevation, abs=0.05)
    assert sun["azimuth"] == pytest.approx(azimuth, abs=0.1)


def test_the_hour_is_set_with_the_pointer_and_stands_in_the_address(lit: Visit) -> None:
    lit.press("light")
    box = lit.page.locator("#hour").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2

    lit.page.mouse.move(box["x"] + box["width"] * 0.45, y)
    lit.page.mouse.down()
    lit.page.mouse.move(box["x"] + box["width"] * 0.75, y, steps=4)
    lit.page.mouse.up()

    hour = lit.run("() => twin.light.hour")
    assert 16 < hour < 20
    clock = f"{int(hour):02d}:{round(hour % 1 * 60):02d}"
    expect(lit.page.locator(".light-clock")).to_have_text(clock)
    expect(lit.page.locator(".light-sun")).to_contain_text("日出")
    lit.page.wait_for_timeout(400)  # the address waits for further changes
    assert f"hour={hour:.2f}".rstrip("0").rstrip(".") in lit.run("() => location.hash")
    lit.page.keyboard.press("Escape")
    expect(lit.page.locator(".light")).to_be_hidden()


def test_shadows_are_soft_fall_on_the_ground_and_go_at_low_quality_chosen_by_keys(lit: Visit) -> None:
    enabled, soft, globe, *biases = lit.run(SHADOWS)
    lit.page.keyboard.press("l")
    lit.page.locator("#quality").focus()
    lit.page.keyboard.press("ArrowUp")
    at_low_quality = lit.run(SHADOWS)[0]
    lit.page.keyboard.press("ArrowDown")
    lit.page.keyboard.press("Escape")

    assert (enabled, soft, globe) == (True, True, RECEIVE_ONLY)
    assert biases == pytest.approx([2.0, 0.0006, 2.0, 0.0006])
    assert at_low_quality is False
    assert lit.run(SHADOWS)[0] is True
    expect(lit.page.locator(".light")).to_be_hidden()


def test_automatic_quality_goes_by_frames_and_does_not_try_again_what_was_too_slow(lit: Visit) -> None:
    steps = lit.run(
        """() => {
          const { quality } = twin.light;
          quality.choice = 'auto';
          let at = performance.now();
          const steps = [quality.step];
          for (const milliseconds of [8, 100, 8, 2000]) {
            for (let frame = 0; frame < 26; frame += 1) quality.frame(at += milliseconds);
            steps.push(quality.step);
          }
          quality.choice = 'middle';
          return steps;
        }"""
    )

    assert steps == ["middle", "high", "middle", "middle", "middle"]


def test_a_sunlit_roof_has_no_stripes_and_a_wall_stands_in_its_shadow(lit: Visit) -> None:
    """Stripes (shadow acne) are what the engine's own biases make of flat roofs."""
    buildings = lit.get("/collections/building/items?limit=300")["features"]
    tower = max(buildings, key=lambda feature: feature["properties"].get("height") or 0.0)
    ring = np.array(tower["geometry"]["coordinates"][0][0])[:, :2]
    lon, lat = ring.mean(axis=0)
    lit.show("building")
    lit.run(SET, "2024-06-21", 10.0)
    lit.look_down_on(float(lon), float(lat), lit.roof_of(tower), 260.0)

    picture = pixels(lit)

    corners = [
        lit.run("([x, y, z]) => twin.windowPositionOf(x, y, z)", *at, lit.roof_of(tower)) for at in ring.tolist()
    ]
    xs, ys = [at["x"] for at in corners], [at["y"] for at in corners]
    x, y = int(np.mean(xs)), int(np.mean(ys))
    reach = max(int(min(np.ptp(xs), np.ptp(ys)) / 5), 2)
    roof = picture[y - reach : y + reach, x - reach : x + reach].mean(axis=2)
    assert roof.std() < 0.01, "the roof is striped"
    brightness = picture.mean(axis=2)
    assert (brightness < 0.75 * roof.mean()).mean() > 0.02, "nothing lies in shadow"


def test_night_is_dark_above_and_below_and_nothing_moves_by_itself(lit: Visit) -> None:
    camera = lit.run("() => twin.camera()") | {"pitch": -4.0, "height": 400.0}
    lit.run("([camera]) => twin.flyTo(camera)", camera)
    shown = {}
    for hour in (12.0, 22.0):
        lit.run(SET, "2024-06-21", hour)
        lit.settle()
        shown[hour] = pixels(lit)

    sky = {hour: picture[120:130].mean() for hour, picture in shown.items()}
    assert sky[12.0] > 0.6
    assert sky[22.0] < 0.3
    assert shown[22.0].mean() < 0.5 * shown[12.0].mean()
    assert lit.run("() => twin.light.lamps") == 1
    assert lit.run(FRAMES) == 0


def test_windows_are_lit_at_night_and_massing_takes_them_away(lit: Visit) -> None:
    buildings = lit.get("/collections/building/items?limit=300")["features"]
    tower = max(buildings, key=lambda feature: feature["properties"].get("storeys") or 0)
    lon, lat = np.array(tower["geometry"]["coordinates"][0][0])[:, :2].mean(axis=0)
    ground = lit.run("() => twin.config.town.center[2]")
    camera = {"lon": lon, "lat": lat - 0.0011, "height": ground + 45.0, "heading": 0.0, "pitch": -3.0, "roll": 0.0}
    lit.show("building")
    lit.run("([camera]) => twin.flyTo(camera)", camera)
    lit.run(SET, "2024-06-21", 22.0)
    lit.settle()

    windows = pixels(lit)
    lit.page.keyboard.press("l")
    lit.page.locator("#massing").press("Space")
    plain = pixels(lit)
    lit.page.locator("#massing").press("Space")
    lit.page.keyboard.press("Escape")

    def lamps(picture: Any) -> float:
        return float(((picture[..., 0] > 0.6) & (picture[..., 0] > picture[..., 2])).mean())

    assert lamps(windows) > 0.005
    assert lamps(plain) < 0.0005


def test_the_key_that_opens_the_light_closes_it_though_its_slider_has_the_focus(lit: Visit) -> None:
    lit.page.keyboard.press("l")
    expect(lit.page.locator("#hour")).to_be_focused()
    lit.page.keyboard.press("ArrowRight")
    moved = lit.run("() => twin.light.hour")
    lit.page.keyboard.press("l")

    assert moved == pytest.approx(10 + 1 / 12, abs=0.001)
    expect(lit.page.locator(".light")).to_be_hidden()
