"""Buildings in a CASS sheet: rings, courtyards, and the three ways an office writes structure and storeys."""

from shapely import Point, Polygon, union_all
from shapely.ops import polylabel

from data_samples.plan.buildings import Building
from data_samples.writers.cass_drawing import CassDrawing

CODES = {
    "砼": "141111",
    "混": "141161",
    "砖": "141121",
    "钢": "141141",
    "简": "141200",
    "建": "141300",
    "棚": "141500",
}
GENERIC = "141101"


def building_code(building: Building) -> str:
    """Return the CASS code under which a building is drawn."""
    return GENERIC if building.label in ("split", "none") else CODES[building.structure]


def draw_buildings(drawing: CassDrawing, buildings: list[Building]) -> None:
    """Add rings and texts of the buildings of one sheet."""
    towers: dict[str, list[Polygon]] = {}
    for building in buildings:
        if building.stands_on:
            towers.setdefault(building.stands_on, []).append(building.footprint)
    for i, building in enumerate(buildings):
        _draw(drawing, building, towers.get(building.number, []), marked=i % 7 == 3)
        if building.name and not building.stands_on:
            _steps(drawing, building)


def _draw(drawing: CassDrawing, building: Building, towers: list[Polygon], *, marked: bool) -> None:
    code = building_code(building)
    more = [(1000, "LYCH"), (1040, round(building.footprint.area, 2))] if marked else []
    drawing.ring("JMD", code, building.footprint, more=more)
    for hole in building.footprint.interiors:
        drawing.line("JMD", code, [(x, y) for x, y in hole.coords][:-1], closed=True)
        middle = Polygon(hole).centroid
        drawing.text("JMD", "天井", (middle.x, middle.y), size_mm=1.5)
    place = label_place(building.footprint, towers)
    _label(drawing, building, place)


def label_place(footprint: Polygon, towers: list[Polygon]) -> tuple[float, float]:
    """Return where a building's text stands: inside it, outside its courtyard and the towers upon it."""
    free = footprint.difference(union_all(towers).buffer(0.5)) if towers else footprint
    parts = [p for p in getattr(free, "geoms", [free]) if isinstance(p, Polygon)]
    largest = max(parts, key=lambda p: p.area)
    middle = largest.centroid
    place = middle if largest.contains(middle.buffer(2)) else polylabel(largest, tolerance=0.5)
    assert isinstance(place, Point)
    return place.x, place.y


def _label(drawing: CassDrawing, building: Building, place: tuple[float, float]) -> None:
    if building.label == "none":
        return
    if building.label != "split":
        drawing.text("JMD", building.text, place)
        return
    x, y = place
    step = 1.2
    storeys = f"{building.storeys}-{building.basements}" if building.basements else f"{building.storeys}"
    drawing.text("JMD", building.structure, (x - step, y), code=f"{GENERIC}-1")
    drawing.text("JMD", storeys, (x + step, y), code=f"{GENERIC}-2")


def _steps(drawing: CassDrawing, building: Building) -> None:
    """Add steps before the south front of a building with a name: a coded outline, uncoded treads."""
    west, south, east, _ = building.footprint.bounds
    x = (west + east) / 2
    outline = [(x - 4, south - 3.2), (x + 4, south - 3.2), (x + 4, south - 0.4), (x - 4, south - 0.4)]
    drawing.line("JMD", "143301", outline, closed=True)
    for tread in range(1, 5):
        y = south - 0.4 - 0.56 * tread
        drawing.line("JMD", "", [(x - 4, y), (x + 4, y)])
