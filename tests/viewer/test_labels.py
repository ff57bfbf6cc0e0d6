"""Names in the scene: whole or not at all, none through a building, and none in the way of a click."""

import math
from typing import Any

import shapely
from viewer_visit import Visit

METRES_PER_DEGREE = 111_320.0


def tower_and_name(visit: Visit) -> tuple[tuple[float, float], float, dict[str, Any]]:
    """Return the middle of the tallest building with a name near it, its height, and that name."""
    buildings = visit.get("/collections/building/items?limit=2000&properties=height")["features"]
    names = visit.get("/collections/annotation/items?limit=500")["features"]
    towers = sorted(buildings, key=lambda feature: -(feature["properties"].get("height") or 0.0))[:30]
    pairs = []
    for tower in towers:
        middle = shapely.geometry.shape(tower["geometry"]).centroid
        for name in names:
            lon, lat = name["geometry"]["coordinates"][:2]
            east = (lon - middle.x) * METRES_PER_DEGREE * math.cos(math.radians(lat))
            distance = math.hypot(east, (lat - middle.y) * METRES_PER_DEGREE)
            pairs.append((distance, (middle.x, middle.y), tower["properties"]["height"], name))
    _, middle, height, name = min((pair for pair in pairs if pair[0] > 60), key=lambda pair: pair[0])
    return middle, height, name


NAMES = """([text]) => new Promise(resolve => {
  const end = performance.now() + 20000;
  let before = '', calm = 0;
  const look = () => {
    const names = twin.labels();
    calm = names.length && names.join() === before ? calm + 1 : 0;
    before = names.join();
    if (names.includes(text) || calm > 12 || performance.now() > end) resolve(names);
    else setTimeout(look, 150);
  };
  look();
})"""
"""Names are chosen a moment after the camera rests: wait for one, or until they stay as they are."""


def look(visit: Visit, at: tuple[float, float], towards: tuple[float, float], above: float) -> None:
    """Look from `above` metres over one place to another, a little downwards."""
    east = (towards[0] - at[0]) * math.cos(math.radians(at[1]))
    heading = math.degrees(math.atan2(east, towards[1] - at[1]))
    ground = visit.run("() => twin.config.town.center[2]")
    camera = {"lon": at[0], "lat": at[1], "height": ground + above, "heading": heading, "pitch": -6.0, "roll": 0.0}
    visit.run("([camera]) => twin.flyTo(camera)", camera)
    visit.settle()


def test_a_name_behind_a_tower_is_not_drawn_and_from_above_it_is(visit: Visit) -> None:
    tower, _, name = tower_and_name(visit)
    lon, lat = name["geometry"]["coordinates"][:2]
    text = name["properties"]["text"]
    away = [tower[axis] - (lon, lat)[axis] for axis in (0, 1)]
    step = 1 + 90 / (math.hypot(away[0] * math.cos(math.radians(lat)), away[1]) * METRES_PER_DEGREE)
    behind = (lon + away[0] * step, lat + away[1] * step)
    visit.show("building", "annotation")

    look(visit, behind, (lon, lat), 25.0)
    through_the_tower = visit.run(NAMES, text)
    visit.look_down_on(lon, lat, visit.run("() => twin.config.town.center[2] - twin.config.town.height_offset"), 220.0)
    in_the_open = visit.run(NAMES, text)

    assert text not in through_the_tower
    assert text in in_the_open


def test_a_name_over_a_roof_is_not_in_the_way_of_a_click(visit: Visit) -> None:
    visit.show("building", "annotation")
    tower, height, _ = tower_and_name(visit)
    ground = visit.run("() => twin.config.town.center[2] - twin.config.town.height_offset")
    visit.look_down_on(*tower, ground + height, 200.0)
    visit.run(NAMES, "")

    kinds = visit.run("""() => {
      const { scene } = twin.viewer, size = [scene.canvas.clientWidth, scene.canvas.clientHeight];
      const seen = new Set();
      for (let x = 20; x < size[0]; x += 60) for (let y = 20; y < size[1]; y += 60) {
        const hit = scene.pick({ x, y });
        if (hit) seen.add(hit.tileset ? 'solid' : 'other');
      }
      return [...seen];
    }""")

    assert visit.run("() => twin.labels().length") > 0
    assert kinds == ["solid"]
