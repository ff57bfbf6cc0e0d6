"""A small map as inline SVG: what stands beside the facts of a town or of an answer in a notebook.

Drawn in the CRS of the geometries; degrees are scaled by the cosine of the latitude. Shapes are simplified to the pixel,
and what is smaller than one becomes a dot, so that a picture stays some ten kilobytes whatever it shows. Not here: maps
to read and to print (`tiles/svg/`, `tiles/deck.py`).

    thumbnail(drawings_of(town.features("building"), town.catalogue["building"].style), geographic=False)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.crs import placed_geometries
from twin_model.markup import checked_color

__all__ = ["WIDTH", "Drawing", "drawings_of", "thumbnail"]

WIDTH = 340
"""Pixels across a picture."""
_LOWEST, _HIGHEST = 110, 250
_MARGIN = 8
_TENTHS = 10
"""Coordinates are whole tenths of a pixel."""
_VERTICES, _DOTS = 6_000, 3_500
"""So many of each a picture holds at most: about 70 kB."""
_TOLERANCES = (0.4, 0.8, 1.6, 3.2, 6.4)
"""Pixels by which shapes may be simplified; the first that leaves few enough vertices is taken."""
_COLOR, _PAPER, _INK = "#5b7f95", "#f7f5f0", "#4a4a4a"
_METRES = 111_320.0
"""Length of a degree of latitude."""


@dataclass(frozen=True)
class Drawing:
    """Geometries (shapely, None for none) and the colours of their areas, edges of areas, lines and dots; width in pixels.

    A dot stands for a point, or for what is smaller than a pixel.
    """

    shapes: NDArray[Any]
    fill: str = _COLOR
    edge: str = _COLOR
    line: str = _COLOR
    dot: str = _COLOR
    line_width: float = 1.0
    opacity: float = 0.9


@dataclass(frozen=True)
class _Sheet:
    """The picture's size in pixels, and how a coordinate becomes whole tenths of one: x from `left`, y from `top` down."""

    height: int
    scale_x: float
    scale_y: float
    left: float
    top: float
    metres: float
    """Metres to a pixel."""

    def tenths(self, xy: NDArray[np.float64]) -> NDArray[np.int64]:
        moved = np.column_stack(((xy[:, 0] - self.left) * self.scale_x, (self.top - xy[:, 1]) * self.scale_y))
        return np.rint(moved * _TENTHS).astype(np.int64)


def drawings_of(frame: gpd.GeoDataFrame, style: Mapping[str, Any]) -> list[Drawing]:
    """Return a frame's geometries in the colours of a layer's `style`, one drawing for each colour.

    Where the style colours by a field, the frame must have that column; without it all are in the plain colour.
    """
    fill = checked_color(style.get("color")) or checked_color(style.get("line_color")) or _COLOR
    line = checked_color(style.get("line_color")) or fill
    width, opacity = _number(style.get("line_width"), 1.0), _number(style.get("opacity"), 0.9)
    shapes, colors = np.asarray(frame.geometry), _colors_by_row(frame, style)
    has_areas = bool((shapely.get_dimensions(shapes) == 2).any())
    drawings = []
    for color in sorted(set(colors.tolist())):
        own_fill, own_line = color or fill, color or line
        dot = line if has_areas else own_fill
        drawings.append(Drawing(shapes[colors == color], own_fill, line, own_line, dot, width, opacity))
    return drawings


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default


def _colors_by_row(frame: gpd.GeoDataFrame, style: Mapping[str, Any]) -> NDArray[Any]:
    """Return each row's colour by the field that the style names, "" where there is none; R stands for R2 too."""
    by, colors = style.get("by"), style.get("colors")
    chosen = np.full(len(frame), "", dtype=object)
    if not isinstance(by, str) or by not in frame.columns or not isinstance(colors, Mapping):
        return chosen
    values = frame[by].astype(object).where(frame[by].notna(), "").astype(str)
    for key in sorted(colors, key=len):  # the longest beginning that fits comes last
        chosen[values.str.startswith(key).to_numpy(bool)] = checked_color(colors[key])
    return chosen


def thumbnail(drawings: Sequence[Drawing], *, geographic: bool, label: str = "") -> str:
    """Return a picture of drawings, the first lowest; an empty text where nothing of them has a place.

    `geographic` says that coordinates are degrees. Costs about 0.1 s for 10,000 outlines and stays below 90 kB.
    """
    parts = [_parts_of(drawing.shapes) for drawing in drawings]
    sheet = _sheet_around([part for part in parts if len(part)], geographic)
    if sheet is None:
        return ""
    share = sum(len(part) > 0 for part in parts)
    paths = "".join(_paths(drawing, part, sheet, share) for drawing, part in zip(drawings, parts, strict=True))
    size = f'width="{WIDTH}" height="{sheet.height}" viewBox="0 0 {WIDTH * _TENTHS} {sheet.height * _TENTHS}"'
    return (
        f'<svg {size} role="img" aria-label="{escape(label)}" style="border:1px solid #0002;border-radius:3px">'
        f'<rect width="100%" height="100%" fill="{_PAPER}"/>{paths}{_scale_bar(sheet)}</svg>'
    )


def _parts_of(shapes: NDArray[Any]) -> NDArray[Any]:
    """Return the points, lines and polygons that geometries are made of, without those that are nowhere."""
    placed = placed_geometries(shapes)
    parts = shapely.get_parts(shapely.get_parts(placed[~shapely.is_missing(placed)]))
    return np.asarray(parts[~shapely.is_empty(parts)])


def _sheet_around(parts: Sequence[NDArray[Any]], geographic: bool) -> _Sheet | None:
    """Return the sheet that holds all parts with a margin."""
    if not parts:
        return None
    west, south, east, north = shapely.total_bounds(np.concatenate(parts)).tolist()
    squeeze = max(math.cos(math.radians(min(abs(south + north) / 2, 85.0))), 0.05) if geographic else 1.0
    smallest = 20.0 / _METRES if geographic else 20.0
    across, down = max((east - west) * squeeze, smallest), max(north - south, smallest)
    inner = WIDTH - 2 * _MARGIN
    height = round(min(max(inner * down / across + 2 * _MARGIN, _LOWEST), _HIGHEST))
    scale = min(inner / across, (height - 2 * _MARGIN) / down)
    left = (west + east) / 2 - WIDTH / 2 / (scale * squeeze)
    top = (south + north) / 2 + height / 2 / scale
    return _Sheet(height, scale * squeeze, scale, left, top, (_METRES if geographic else 1.0) / scale)


def _paths(drawing: Drawing, parts: NDArray[Any], sheet: _Sheet, share: int) -> str:
    """Return a drawing's areas, lines and dots as at most three paths; it may use the part 1 / share of the picture."""
    if not len(parts):
        return ""
    rings, lines, dots = _simplified(parts, sheet, _VERTICES // share)
    looks = (
        f'fill="{drawing.fill}" fill-opacity="{drawing.opacity:g}" stroke="{drawing.edge}" stroke-width="5"',
        f'fill="none" stroke="{drawing.line}" stroke-width="{drawing.line_width * 7:g}" stroke-linejoin="round"',
        f'fill="none" stroke="{drawing.dot}" stroke-width="16" stroke-linecap="round"',
    )
    paths = (
        _outline(rings, sheet, end="z"),
        _outline(lines, sheet, end=""),
        _dots(dots, sheet, max(_DOTS // share, 200)),
    )
    return "".join(f'<path {look} d="{path}"/>' for look, path in zip(looks, paths, strict=True) if path)


def _simplified(
    parts: NDArray[Any], sheet: _Sheet, most: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Return rings and lines of at most `most` vertices together, and the middles (n, 2) of the parts that are dots."""
    bounds = shapely.bounds(parts)
    sizes = np.maximum((bounds[:, 2] - bounds[:, 0]) * sheet.scale_x, (bounds[:, 3] - bounds[:, 1]) * sheet.scale_y)
    lines, owners, closed = _lines_of(parts, np.flatnonzero(sizes >= 1.0))
    for tolerance in _TOLERANCES:
        large = sizes[owners] >= 2 * tolerance
        lines, owners, closed = lines[large], owners[large], closed[large]
        lines = shapely.simplify(lines, tolerance / sheet.scale_y, preserve_topology=False)
        if shapely.get_num_coordinates(lines).sum() <= most:
            break
    order = np.argsort(-sizes[owners], kind="stable")
    order = order[np.cumsum(shapely.get_num_coordinates(lines[order])) <= most]
    drawn = np.zeros(len(parts), dtype=bool)
    drawn[owners[order]] = True
    middles = (bounds[~drawn, :2] + bounds[~drawn, 2:]) / 2
    return lines[order][closed[order]], lines[order][~closed[order]], middles


def _lines_of(parts: NDArray[Any], chosen: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Return the rings of chosen polygons and the chosen lines, all as lines; of which part each is; whether it closes.

    Outer rings run one way and holes the other, so that a hole stays open where areas lie over each other.
    """
    is_area = shapely.get_type_id(parts[chosen]) == shapely.GeometryType.POLYGON
    rings, places = shapely.get_rings(shapely.orient_polygons(parts[chosen][is_area]), return_index=True)
    coordinates, index = shapely.get_coordinates(rings, return_index=True)
    closed: NDArray[Any] = np.asarray(shapely.linestrings(coordinates, indices=index))
    lines = np.concatenate((closed, parts[chosen][~is_area]))
    owners = np.concatenate((chosen[is_area][places], chosen[~is_area]))
    return lines, owners, np.arange(len(lines)) < len(rings)


def _outline(lines: NDArray[Any], sheet: _Sheet, *, end: str) -> str:
    """Return the path of lines or rings: each begins at its place, goes on by steps, and has `end` after it."""
    coordinates, index = shapely.get_coordinates(lines, return_index=True)
    places = sheet.tenths(coordinates)
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    steps = np.diff(places, axis=0, prepend=0)
    steps[starts] = places[starts]
    numbers = [f"{x} {y}" for x, y in steps.tolist()]
    stops = np.searchsorted(index, index[starts], side="right")
    return "".join(
        f"M{numbers[start]}l{' '.join(numbers[start + 1 : stop])}{end}"
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    )


def _dots(middles: NDArray[np.float64], sheet: _Sheet, most: int) -> str:
    """Return the path of dots: one a pixel, where they are many one a few pixels, each at the place of a feature."""
    places = _a_cell_each(sheet.tenths(middles), _TENTHS)
    spacing = _TENTHS
    while len(places) > most:
        spacing += _TENTHS
        places = _a_cell_each(places, spacing)
    return "".join(f"M{x} {y}h0" for x, y in places.tolist())


def _a_cell_each(places: NDArray[np.int64], spacing: int) -> NDArray[np.int64]:
    """Return the first place in each cell of a grid."""
    cells = places // spacing
    return places[np.unique(cells[:, 0] * WIDTH * _TENTHS + cells[:, 1], return_index=True)[1]]


def _scale_bar(sheet: _Sheet) -> str:
    """Return a bar of a round number of metres, at most a third of the picture wide, with its length."""
    most = WIDTH / 3 * sheet.metres
    power = 10.0 ** math.floor(math.log10(most))
    metres = next(step * power for step in (5, 2, 1) if step * power <= most)
    length, y = round(metres / sheet.metres * _TENTHS), (sheet.height - _MARGIN) * _TENTHS
    x = _MARGIN * _TENTHS
    text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    look = (
        f'fill="{_INK}" font-size="{10 * _TENTHS}" stroke="{_PAPER}" stroke-width="{2 * _TENTHS}" paint-order="stroke"'
    )
    return (
        f'<path fill="none" stroke="{_INK}" stroke-width="{1.5 * _TENTHS:g}" d="M{x} {y}h{length}"/>'
        f'<text x="{x}" y="{y - 4 * _TENTHS}" {look} font-family="sans-serif">{text}</text>'
    )
