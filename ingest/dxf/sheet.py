"""The sheet a CASS drawing shows: number, scale, date and neatline from layer TK, and what was surveyed.

The surveyed part is made of square cells of 2.5 cm on the map that hold content, gaps of up to two cells
closed and holes filled, clipped to the inner neatline. Spot heights stand every 2.2-4.5 cm on a map (5-20
per 100 square cm), so surveyed ground leaves no wider gap, and a sheet surveyed to a street keeps the
street as its edge to within one cell. It is never the hull of everything.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.dxf.drawing import Columns, Drawing
from ingest.dxf.record import Record
from ingest.dxf.sheet_number import find_number, is_number
from twin_model.errors import QueryRefused
from twin_model.temporal import parse_instant

__all__ = ["FRAME_LAYER", "SheetNotes", "deliver_sheet", "read_notes"]

FRAME_LAYER = "TK"
CELL_ON_MAP = 0.025
_SIDES = ((0.5, 0.5), (0.5, 0.4), (0.4, 0.5), (0.4, 0.4))
_MOST_CELLS = 4_000_000
_FARTHEST = 1e8
"""Metres; what lies beyond is no place on a map, and would only make the grid overflow."""
_SCALES = (500, 1000, 2000, 5000, 10000)
_SCALE = re.compile(r"1\s*[:：∶]\s*(\d{3,5})(?!\d)")
_DAY = re.compile(r"((?:19|20)\d{2})\s*[年.\-/]\s*(\d{1,2})\s*[月.\-/]?\s*(?:(\d{1,2})\s*日?)?")
_YEAR = re.compile(r"((?:19|20)\d{2})\s*年?")
_SURVEY_WORDS = re.compile("测|成图|航摄|调绘|修测|采集")
_NO_DATE = re.compile("图式|GB|CH/T|CJJ|国家|坐标|基准|高程")
_EDITION = re.compile(r"第\s*([一二三四五六七八九十\d]+)\s*版")
_INTERVAL = re.compile(r"等高距\s*(?:为|:|：)?\s*(\d+(?:\.\d+)?)\s*(?:m|米)")


@dataclass
class SheetNotes:
    """What the margin says; `used` are the texts that said it, as keys of their records.

    `numbers` are all texts that are a sheet's number, the neighbours' among them (`ingest/dxf/sheet_number.py`).
    """

    numbers: list[Record] = field(default_factory=list)
    scale: int | None = None
    title: str | None = None
    surveyed: str | None = None
    edition: str | None = None
    interval: float | None = None
    used: set[int] = field(default_factory=set)


def read_notes(texts: Sequence[Record], drawn_scale: float | None) -> SheetNotes:
    """Return what the texts on TK say; the drawing's own scale (`$USERR1`) counts where no text names one."""
    notes = SheetNotes()
    for text in texts:
        _read_note(notes, text)
    notes.numbers = [text for text in texts if is_number(text.text)]
    if notes.scale is None and drawn_scale is not None and round(drawn_scale) in _SCALES:
        notes.scale = round(drawn_scale)
    titles = [
        text for text in texts if text.number not in notes.used and _is_title(text.text) and not is_number(text.text)
    ]
    if titles:
        best = max(titles, key=lambda title: title.size)
        notes.title = best.text
        notes.used.add(best.number)
    return notes


def _read_note(notes: SheetNotes, text: Record) -> None:
    words = text.text.strip()
    found: dict[str, Any] = {}
    if scale := _SCALE.search(words):
        found["scale"] = int(scale[1])
    if interval := _INTERVAL.search(words):
        found["interval"] = float(interval[1])
    if edition := _EDITION.search(words):
        found["edition"] = edition[1]
    if day := _survey_date(words):
        found["surveyed"] = day
    for name, value in found.items():
        if getattr(notes, name) is None:
            setattr(notes, name, value)
            notes.used.add(text.number)


def _survey_date(words: str) -> str | None:
    """Return the date a text gives to the survey ("2024-03", "2024-03-18", "2024"); years of standards
    are none."""
    if _NO_DATE.search(words) or not _SURVEY_WORDS.search(words):
        return None
    if day := _DAY.search(words):
        text = "-".join(part.zfill(2) for part in day.groups() if part)
        return text if _is_date(text) else None
    year = _YEAR.search(words)
    return year[1] if year else None


def _is_date(text: str) -> bool:
    try:
        parse_instant(text)
    except QueryRefused:
        return False
    return True


def _is_title(words: str) -> bool:
    chinese = sum("\u4e00" <= c <= "\u9fff" for c in words)
    return (
        chinese >= 2
        and chinese >= len(words) / 2
        and not re.search("坐标|基准|图式|测绘|勘察|员|院|局|比例|密级|秘密|说明", words)
    )


def deliver_sheet(
    drawing: Drawing, notes: SheetNotes, frame: Sequence[Record], content: list[NDArray[np.float64]]
) -> int:
    """Store the sheet, take its survey date for the draft, and return how many records it was made of.

    `frame` are the records on TK, `content` the vertices of what is stored. Without number and neatline
    there is no sheet, and a finding says so.
    """
    neatline, records = inner_neatline(frame, notes.scale)
    number = _number(drawing, notes, neatline)
    used = len(notes.used) + records
    if notes.surveyed is not None:
        drawing.draft.surveyed = parse_instant(notes.surveyed)[0]
    part = surveyed_part(content, notes.scale or 1000, neatline) if number else None
    if part is None:
        drawing.note(
            "dxf.no_sheet",
            "info",
            layer="map_sheet",
            number=number,
            missing="neatline" if neatline is None else "number",
        )
        return 0
    if neatline is None:
        drawing.note("dxf.no_neatline", "warning", layer="map_sheet", number=number)
    key = "_".join(str(part) for part in (notes.scale, number, notes.edition) if part)
    drawing.draft.covers(part, sheet=str(number), scale=notes.scale)
    columns: Columns = {
        "sheet_key": [key],
        "number": [number],
        "scale": [notes.scale],
        "title": [notes.title],
        "neatline": [neatline.wkt if neatline is not None else None],
        "surveyed": [notes.surveyed],
        "acceptance": ["delivered"],
        "edition": [notes.edition],
        "place": ["layer TK"],
    }
    drawing.add("map_sheet", np.array([part], dtype=object), columns, records=used)
    return used


def _number(drawing: Drawing, notes: SheetNotes, neatline: Any) -> str | None:
    """Return the sheet's number; a finding says where it is not the one on the margin, or that there was none."""
    bounds = None if neatline is None else neatline.bounds
    standard = neatline is not None and notes.scale is not None and _is_sheet(neatline, (notes.scale,))
    sheet_number = find_number(notes.numbers, bounds, notes.scale, standard=standard)
    if sheet_number.text is not None:
        notes.used.add(sheet_number.text.number)
    if sheet_number.text is None and sheet_number.written is not None:
        drawing.note(
            "dxf.sheet_number_overruled",
            "warning",
            layer="map_sheet",
            number=sheet_number.number,
            text=sheet_number.written,
        )
    elif sheet_number.text is None and sheet_number.number is not None:
        drawing.note("dxf.sheet_number_derived", "info", layer="map_sheet", number=sheet_number.number)
    elif sheet_number.written is not None:
        drawing.note(
            "dxf.sheet_number_unlike",
            "warning",
            layer="map_sheet",
            number=sheet_number.number,
            text=sheet_number.written,
        )
    return sheet_number.number


def inner_neatline(frame: Sequence[Record], scale: int | None) -> tuple[Any, int]:
    """Return the inner neatline as a polygon and how many records make it; (None, 0) where there is none.

    Of the upright rectangles on TK it is the one of a standard sheet size; else the smaller of two nested
    ones, else the only one that holds a sheet.
    """
    boxes = [
        (record, shapely.Polygon(record.xyz[:, :2]))
        for record in frame
        if record.form == "ring" and len(record.xyz) >= 5
    ]
    boxes = [
        (record, ring) for record, ring in boxes if ring.is_valid and ring.area > 0.999 * shapely.envelope(ring).area
    ]
    neatline = _best_box([ring for _, ring in boxes], scale)
    if neatline is not None:
        return neatline, 1
    lines = [record.xyz[:, :2] for record in frame if record.form == "line"]
    drawn = shapely.polygonize([shapely.LineString(xy) for xy in lines]) if lines else None
    rings = (
        [ring for ring in shapely.get_parts(drawn) if ring.area > 0.999 * shapely.envelope(ring).area] if drawn else []
    )
    neatline = _best_box(rings, scale)
    if neatline is None:
        return None, 0
    edge = neatline.boundary.buffer(0.001)
    return neatline, sum(bool(edge.covers(shapely.LineString(xy))) for xy in lines)


def _best_box(rings: list[Any], scale: int | None) -> Any:
    if not rings:
        return None
    scales = (scale,) if scale else _SCALES
    for ring in rings:
        if _is_sheet(ring, scales):
            return ring
    largest = max(rings, key=shapely.area)
    nested = [
        ring for ring in rings if ring is not largest and largest.contains(ring) and ring.area > 0.5 * largest.area
    ]
    return max(nested, key=shapely.area, default=largest)


def _is_sheet(ring: Any, scales: tuple[int, ...]) -> bool:
    """Return whether a ring has the sides of a standard sheet at one of the scales."""
    west, south, east, north = ring.bounds
    sides = (east - west, north - south)
    return any(np.allclose(sides, (w * s, h * s), atol=0.002 * s) for s in scales for w, h in _SIDES)


def surveyed_part(content: list[NDArray[np.float64]], scale: int, neatline: Any) -> Any:
    """Return the polygon(s) of the ground that holds content, clipped to the neatline; None without content.

    `content` are arrays of vertices, one a chain; long segments are filled up to half a cell.
    """
    cell = CELL_ON_MAP * scale
    points = _filled(content, cell / 2.0)
    if neatline is not None and len(points):
        west, south, east, north = neatline.bounds
        x, y = points[:, 0], points[:, 1]
        points = points[(x >= west) & (x <= east) & (y >= south) & (y <= north)]
    if not len(points):
        return None
    origin = np.array(neatline.bounds[:2]) if neatline is not None else np.floor(points.min(axis=0) / cell) * cell
    cells = _distinct(np.floor((points - origin) / cell).astype(np.int64))
    if neatline is not None:
        cells = _closed(cells, np.ceil((np.array(neatline.bounds[2:]) - origin) / cell - 1e-6))
    elif np.prod(np.ptp(cells, axis=0) + 1.0) <= _MOST_CELLS:
        cells = _closed(cells, None)
    corner = origin + cells * cell
    area = shapely.coverage_union_all(shapely.box(corner[:, 0], corner[:, 1], corner[:, 0] + cell, corner[:, 1] + cell))
    area = shapely.union_all(shapely.polygons(shapely.get_exterior_ring(shapely.get_parts(area))))
    return area if neatline is None else shapely.intersection(area, neatline)


def _distinct(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each cell (column, row) once."""
    low = cells.min(axis=0)
    height = int(np.ptp(cells[:, 1])) + 1
    keys = np.unique((cells[:, 0] - low[0]) * height + (cells[:, 1] - low[1]))
    cells = np.column_stack(np.divmod(keys, height)) + low
    return np.asarray(cells, dtype=np.int64)


def _filled(content: list[NDArray[np.float64]], step: float) -> NDArray[np.float64]:
    """Return the vertices of chains and points between them, no two neighbours further apart than `step`."""
    if not content:
        return np.empty((0, 2))
    points = np.concatenate(content)[:, :2]
    ends = np.cumsum([len(chain) for chain in content]) - 1
    inner = np.ones(len(points), dtype=bool)
    inner[ends] = False
    start = points[:-1][inner[:-1]]
    way = points[1:][inner[:-1]] - start
    length = np.hypot(way[:, 0], way[:, 1])
    far = (length > step) & (length < _FARTHEST)
    pieces = np.minimum(np.ceil(length[far] / step), 10_000).astype(np.int64)
    row = np.repeat(np.arange(len(pieces)), pieces)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    between = start[far][row] + way[far][row] * (nth / pieces[row])[:, None]
    filled = np.concatenate((points, between))
    return filled[(np.abs(filled) < _FARTHEST).all(axis=1)]


def _closed(cells: NDArray[np.int64], size: Any) -> NDArray[np.int64]:
    """Return cells with gaps of up to two cells closed: grown by one, then shrunk; the neatline is full.

    `size` is the number of cells within the neatline, or None.
    """
    low = cells.min(axis=0) - 2 if size is None else np.array((-2, -2))
    high = (
        cells.max(axis=0) + 3
        if size is None
        else np.maximum(np.asarray(size, dtype=np.int64), cells.max(axis=0) + 1) + 2
    )
    grid = np.zeros(tuple(high - low), dtype=bool)
    grid[tuple((cells - low).T)] = True
    grown = _neighbours(grid, np.logical_or)
    if size is not None:
        outside = np.ones_like(grown)
        outside[2 : high[0] - low[0] - 2, 2 : high[1] - low[1] - 2] = False
        grown |= outside
    shrunk = _neighbours(grown, np.logical_and) | grid
    if size is not None:
        shrunk &= ~outside
    return np.asarray(np.argwhere(shrunk) + low, dtype=np.int64)


def _neighbours(grid: NDArray[np.bool_], join: Any) -> NDArray[np.bool_]:
    """Return the union or intersection of a grid with its eight shifts; beyond the edge is empty."""
    padded = np.pad(grid, 1)
    rows, columns = grid.shape
    shifts = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.asarray(join.reduce(shifts), dtype=bool)
