"""Plans as SVG: a frame of degrees, shapes as paths, graticule, scale bar, the place of a plan in the town.

Degrees are scaled by the cosine of the latitude. Not here: what is drawn and its words (`api_config/pages/map.py`).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.box import Box
from twin_model.layer import Layer

__all__ = [
    "Box",
    "PlanFrame",
    "color_key",
    "frame_of",
    "locator",
    "presentation",
    "scale_bar",
    "svg_path",
    "ticks",
]

_LOWEST, _HIGHEST = 0.375, 0.65
_METRES = 111_320.0
"""Length of a degree of latitude: enough for a picture and its scale bar, within 0.5 % everywhere."""
_SMALLEST = 60.0 / _METRES
_COLOR = re.compile(r"#[0-9a-fA-F]{3,8}")


@dataclass(frozen=True)
class PlanFrame:
    """What a map shows: its size in pixels, the west and north edge in degrees, pixels for a degree."""

    width: float
    height: float
    west: float
    north: float
    sx: float
    sy: float

    def xy(self, lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(((lonlat[:, 0] - self.west) * self.sx, (self.north - lonlat[:, 1]) * self.sy))

    def box(self, bounds: Box) -> list[float]:
        """Return x, y, width, height of a box of degrees."""
        x, y = (bounds[0] - self.west) * self.sx, (self.north - bounds[3]) * self.sy
        return [round(v, 1) for v in (x, y, (bounds[2] - bounds[0]) * self.sx, (bounds[3] - bounds[1]) * self.sy)]


def frame_of(bounds: Box, width: float, margin: float) -> PlanFrame:
    """Return a frame around a box of degrees, with a margin, never closer than a house and its yard."""
    west, south, east, north = bounds
    middle, cosine = (south + north) / 2, max(math.cos(math.radians((south + north) / 2)), 0.05)
    across = max((east - west) * cosine, _SMALLEST) * (1 + 2 * margin)
    down = max(north - south, _SMALLEST) * (1 + 2 * margin)
    height = round(width * min(max(down / across, _LOWEST), _HIGHEST))
    sy = min(width / across, height / down)
    sx = sy * cosine
    return PlanFrame(width, height, (west + east) / 2 - width / 2 / sx, middle + height / 2 / sy, sx, sy)


def color_key(value: object, colors: Mapping[str, str]) -> str | None:
    """Return the key of the colour table that fits a value: itself, else the longest beginning (R for R2)."""
    text = str(value)
    return (
        next((key for key in sorted(colors, key=len, reverse=True) if text.startswith(key)), None)
        if value not in (None, "")
        else None
    )


def presentation(layer: Layer, color: str | None) -> dict[str, Any]:
    """Return the catalogue's style as SVG presentation attributes."""
    style = layer.style
    plain = (
        _checked_color(color)
        or _checked_color(style.get("color"))
        or _checked_color(style.get("line_color"))
        or "#5b6b73"
    )
    line = _checked_color(style.get("line_color")) or plain
    if layer.dimension == 2:
        return {
            "swatch": plain,
            "fill": plain,
            "opacity": float(style.get("opacity", 0.8)),
            "stroke": line,
            "width": float(style.get("line_width", 1)),
            "cap": "round",
        }
    width = 7.0 if layer.dimension == 0 else max(float(style.get("line_width", 1.5)), 1.2)
    return {
        "swatch": plain if layer.dimension == 0 or color else line,
        "fill": "none",
        "opacity": 1.0,
        "stroke": plain if layer.dimension == 0 or color else line,
        "width": width,
        "cap": "square" if style.get("symbol") == "square" else "round",
    }


def _checked_color(value: object) -> str | None:
    return value if isinstance(value, str) and _COLOR.fullmatch(value) else None


def svg_path(wkt: str) -> str:
    """Return the path of a geometry in pixels; a point is a line without length, a dot by its round cap."""
    kind = wkt.split("(", 1)[0]
    runs = re.findall(r"\(([^()]+)\)", wkt)
    close = "h0" if "POINT" in kind else "Z" if "POLYGON" in kind else ""
    return "".join("M" + run.replace(", ", "L") + close for run in runs)


def _nice(length: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not longer."""
    power = 10.0 ** math.floor(math.log10(length))
    return next(step * power for step in (5, 2, 1) if step * power <= length * (1 + 1e-9))


def ticks(start: float, span: float, names: str) -> list[tuple[float, str]]:
    """Return position (in degrees) and label of each graticule line within a span."""
    step = _nice(span / 3)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    values = np.arange(math.ceil(start / step), math.floor((start + span) / step) + 1) * step
    return [(float(v), f"{abs(v):.{decimals}f}°{names[0] if v >= 0 else names[1]}") for v in values]


def scale_bar(frame: PlanFrame) -> tuple[float, str]:
    """Return the length in pixels and the words of a scale bar."""
    metres = _nice(frame.width * 0.2 / frame.sy * _METRES)
    return round(metres / _METRES * frame.sy, 1), f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"


def locator(town: Box, frame: PlanFrame) -> dict[str, Any] | None:
    """Return the small map of the town with the box of this one; None where this one shows most of it."""
    cosine = frame.sx / frame.sy
    scale = min(104 / max((town[2] - town[0]) * cosine, 1e-9), 78 / max(town[3] - town[1], 1e-9))
    width, height = (town[2] - town[0]) * cosine * scale, (town[3] - town[1]) * scale
    view = [
        (frame.west - town[0]) * cosine * scale,
        (town[3] - frame.north) * scale,
        frame.width / frame.sx * cosine * scale,
        frame.height / frame.sy * scale,
    ]
    if view[2] * view[3] >= 0.5 * width * height:
        return None
    grow = [max(0.0, 5 - view[2]), max(0.0, 5 - view[3])]  # a view too small to see is shown as a dot
    box = [view[0] - grow[0] / 2, view[1] - grow[1] / 2, view[2] + grow[0], view[3] + grow[1]]
    return {"width": round(width, 1), "height": round(height, 1), "view": [round(v, 1) for v in box]}
