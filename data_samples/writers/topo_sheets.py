"""The topographic sheets: what each drawing shows of the town, cut at its neatline as the office cuts it."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import shapely
from shapely import LineString, Polygon, union_all
from shapely.geometry.base import BaseGeometry

from data_samples.plan.buildings import Building
from data_samples.plan.frame import Sheet, extent, lines
from data_samples.plan.mains import is_northward
from data_samples.plan.rail import track_lines
from data_samples.plan.relief import contours, covered, spot_heights
from data_samples.plan.streets import Street, carriageways
from data_samples.plan.terrain import height_at
from data_samples.plan.town import Town
from data_samples.writers.cass_buildings import draw_buildings
from data_samples.writers.cass_drawing import CassDrawing
from data_samples.writers.sheet_frame import draw_frame

Line = tuple[str, str, LineString]
LOWER_CASE_SHEET = (2000, "3886.0-619.0")
WELLS = {
    ("JS", "阀门井"): "174100",
    ("JS", "水表井"): "174100",
    ("JS", "消防栓"): "175200",
    ("YS", "雨水井"): "174200",
    ("WS", "污水井"): "174200",
    ("YS", "雨水箅"): "175102",
    ("DL", "人孔井"): "174700",
}
PLANTED = {"wood": "213100", "lawn": "214300", "field": "211200", "playground": "214300"}


def write_sheets(town: Town, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Write every sheet to `folder`/<scale>/<number>.dxf."""
    trim = covered(town.buildings, town.waters)
    drawn = _lines(town)
    middles = shapely.points([b.footprint.representative_point().coords[0] for b in town.buildings])
    for sheet in town.sheets:
        tell(f"sheet 1:{sheet.scale} {sheet.number}")
        inside = np.flatnonzero(shapely.contains(sheet.neatline, middles))
        path = folder / str(sheet.scale) / f"{sheet.number}.dxf"
        _write_sheet(town, sheet, [town.buildings[i] for i in inside], drawn, trim, path)


def _write_sheet(
    town: Town, sheet: Sheet, buildings: list[Building], drawn: list[Line], trim: BaseGeometry, path: Path
) -> None:
    lower_case = (sheet.scale, sheet.number) == LOWER_CASE_SHEET
    drawing = CassDrawing(sheet.scale, application="south" if lower_case else "SOUTH")
    draw_frame(drawing, sheet)
    draw_buildings(drawing, buildings)
    for layer, code, whole in drawn:
        for part in lines(whole.intersection(sheet.neatline)):
            drawing.line(layer, code, _places(part), linetype=_linetype(code))
    _areas(drawing, town, sheet)
    _symbols(drawing, town, sheet)
    _relief(drawing, sheet, trim)
    _names(drawing, town, sheet, buildings)
    drawing.save(path, sheet.neatline)


def _places(line: BaseGeometry) -> list[tuple[float, float]]:
    return [(x, y) for x, y, *_ in line.coords]


def _linetype(code: str) -> str:
    return {"144302": "X22_L", "161201": "X161_L"}.get(code, "")


def _lines(town: Town) -> list[Line]:
    """Return every line that is cut at the sheet lines: layer, code, geometry."""
    found = _kerbs(town.streets)
    found += [("DLSS", "161201", track) for track in track_lines(town.station)]
    reach = 3000.0
    found += [
        ("DLSS", "166100", LineString([town.station.place(-reach, t), town.station.place(reach, t)]))
        for t in (-6.5, 6.5)
    ]
    for _, deck in town.bridges:
        ring = list(deck.exterior.coords)
        sides = sorted((LineString(ring[i : i + 2]) for i in range(4)), key=lambda side: -side.length)
        found += [("DLSS", "166200", side) for side in sides[:2]]
    shore = town.waters.river.exterior.difference(extent().exterior.buffer(0.01))
    found += [("SXSS", "181101", part) for part in lines(shore)]
    fenced = [b for b in town.blocks if b.use in ("R2", "A33", "A5", "M1", "W1", "U", "B29")]
    found += [("JMD", "144302", LineString(b.land.buffer(-1.5).exterior.coords)) for b in fenced]
    return found + [("ZBTZ", "213702", row) for row in _tree_rows(town)]


def _kerbs(streets: list[Street]) -> list[Line]:
    edge = carriageways(streets).boundary.difference(extent().exterior.buffer(0.01))
    main = union_all([s.carriageway for s in streets if s.kind != "branch"]).buffer(0.3)
    return [("DLSS", "163200", part) for part in lines(edge.intersection(main))] + [
        ("DLSS", "164400", part) for part in lines(edge.difference(main))
    ]


def _tree_rows(town: Town) -> list[LineString]:
    """Return the tree rows of branch streets as lines; on wider streets every tree is drawn."""
    wide = union_all([s.land for s in town.streets if s.kind != "branch"] + [town.waters.river])
    found: list[LineString] = []
    for street in town.streets:
        if street.kind == "branch":
            crossed = [s.carriageway.buffer(4) for s in town.streets if s is not street and s.kind == "branch"]
            others = union_all([wide, *crossed])
            for side in (-1, 1):
                row = street.centreline.offset_curve(side * (street.kerb_width / 2 + 2.0))
                found += lines(row.intersection(extent()).difference(others), least_length=20)
    return found


def _areas(drawing: CassDrawing, town: Town, sheet: Sheet) -> None:
    frame = sheet.neatline
    for kind, _, polygon in town.waters.areas:
        if kind != "river" and frame.contains(polygon):
            drawing.ring("SXSS", "182100" if kind == "lake" else "182200", polygon)
    parks = {b.name for b in town.blocks if b.use in ("G1", "G2", "E2")}
    for green in town.greens:
        if frame.contains(green.area) and (green.name in parks or green.kind == "playground"):
            drawing.ring("ZBTZ", PLANTED[green.kind], green.area)
            _sown(drawing, green.area)


def _sown(drawing: CassDrawing, polygon: Polygon) -> None:
    """Scatter uncoded symbol circles over a planted area."""
    step = 40 * drawing.millimetre
    west, south, east, north = polygon.bounds
    x, y = (a.ravel() for a in np.meshgrid(np.arange(west, east, step), np.arange(south, north, step)))
    inside = shapely.contains_xy(polygon, x, y)
    for place in zip(x[inside], y[inside], strict=False):
        drawing.space.add_circle(place, 0.6 * drawing.millimetre, dxfattribs={"layer": "ZBTZ"})


def _symbols(drawing: CassDrawing, town: Town, sheet: Sheet) -> None:
    rowed = {s.name for s in town.streets if s.kind == "branch"}
    trees = [
        (("ZBTZ", "213802" if t.conifer else "213801"), (t.east, t.north)) for t in town.trees if t.street not in rowed
    ]
    lamps = [(("DLDW", "155210"), (lamp.east, lamp.north)) for lamp in town.lamps]
    wells = [
        (("GXYZ", WELLS[service, p.appurtenance]), (p.east, p.north))
        for service, survey in town.surveys.items()
        for p in survey.points
        if (service, p.appurtenance) in WELLS
    ]
    signals = [(("DLSS", "165631"), place) for place in traffic_signals(town.streets)]
    for (layer, code), place in _inside(sheet, trees + lamps + wells + signals):
        drawing.symbol(layer, code, place)
    for i, (u, v) in enumerate(((0.18, 0.41), (0.83, 0.59))):
        x, y = sheet.east + u * sheet.side, sheet.north + v * sheet.side
        drawing.symbol("KZD", "133000" if i else "131500", (x, y), z=height_at(x, y))
        drawing.text("KZD", f"{'G' if i else 'T'}{sheet.number[2:6]}{i}", (x + 4, y + 3), size_mm=1.8)


def _inside(
    sheet: Sheet, symbols: Iterable[tuple[tuple[str, str], tuple[float, float]]]
) -> list[tuple[tuple[str, str], tuple[float, float]]]:
    """Return the symbols of a sheet; what stands on its south or west line belongs to it."""
    e, n, side = sheet.east, sheet.north, sheet.side
    return [s for s in symbols if e <= s[1][0] < e + side and n <= s[1][1] < n + side]


def traffic_signals(streets: list[Street]) -> list[tuple[float, float]]:
    """Return the signal posts at the four corners of the junctions of wide streets."""
    wide = [s for s in streets if s.piped and s.kind != "branch"]
    found = []
    for a in (s for s in wide if is_northward(s)):
        for b in (s for s in wide if not is_northward(s)):
            (x, _), (_, y) = a.centreline.coords[0], b.centreline.coords[0]
            dx, dy = a.kerb_width / 2 + 2.5, b.kerb_width / 2 + 2.5
            found += [(x + i * dx, y + j * dy) for i in (-1, 1) for j in (-1, 1)]
    return found


def _relief(drawing: CassDrawing, sheet: Sheet, trim: BaseGeometry) -> None:
    for contour in contours(sheet, trim):
        code = "201102" if contour.index else "201101"
        drawing.line("DGX", code, _places(contour.line), height=contour.height)
    for east, north, height in spot_heights(sheet, trim).tolist():
        drawing.spot_height(east, north, height)


def _inside_middle(street: Street, sheet: Sheet) -> list[LineString]:
    """Return a street's middle inside a sheet; where it is the sheet line itself, a line 7 m inside."""
    for offset in (0.0, 7.0, -7.0):
        middle = street.centreline.offset_curve(offset)
        found = lines(middle.intersection(sheet.neatline.buffer(-3)), least_length=120)
        if found:
            return found
    return []


def _names(drawing: CassDrawing, town: Town, sheet: Sheet, buildings: list[Building]) -> None:
    """Add names on layer ZJ: streets along their line, blocks, water, buildings, the station's site."""
    for street in town.streets:
        for part in _inside_middle(street, sheet):
            middle, ahead = part.interpolate(0.36, normalized=True), part.interpolate(0.37, normalized=True)
            turn = np.degrees(np.arctan2(ahead.y - middle.y, ahead.x - middle.x))
            drawing.text("ZJ", street.name, (middle.x, middle.y), size_mm=3.0, turn_deg=round(float(turn), 2))
    named = [(b.name, b.land.representative_point()) for b in town.blocks if b.use != "G2"]
    named += [(name, polygon.representative_point()) for _, name, polygon in town.waters.areas if name]
    named += [(b.name, b.footprint.representative_point()) for b in buildings if b.name]
    named.append(("琅琊东站(施工区)", town.station.hall.centroid))
    for words, place in named:
        if sheet.neatline.buffer(-2).contains(place):
            drawing.text("ZJ", words, (place.x, place.y + 3), size_mm=2.5)
