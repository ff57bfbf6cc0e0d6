"""Contours and spot heights, as the surveyor draws them: trimmed at water and buildings."""

from dataclasses import dataclass

import contourpy
import numpy as np
import shapely
from shapely import LineString, union_all
from shapely.geometry.base import BaseGeometry

from data_samples.plan.buildings import Building, clear_of
from data_samples.plan.frame import Sheet, lines, random_stream
from data_samples.plan.terrain import ground, height_grid
from data_samples.plan.water import Waters

INTERVAL = {1000: 0.5, 2000: 1.0}
SPOT_PITCH = {1000: 34.0, 2000: 58.0}


@dataclass(frozen=True)
class Contour:
    """A piece of a contour inside one sheet; every fifth is an index contour."""

    height: float
    index: bool
    line: LineString


def covered(buildings: list[Building], waters: Waters) -> BaseGeometry:
    """Return what contours are trimmed at."""
    built = [p.buffer(0.5, join_style="mitre") for p in clear_of(buildings)]
    return union_all(built + [polygon for _, _, polygon in waters.areas])


def contours(sheet: Sheet, trim: BaseGeometry) -> list[Contour]:
    """Return the contours of a sheet: half-metre steps at 1:1000, metre steps at 1:2000."""
    step = INTERVAL[sheet.scale]
    west, south, east, north = sheet.neatline.bounds
    x, y, z = height_grid((west, south, east, north), 5.0)
    tracer = contourpy.contour_generator(x, y, z, line_type=contourpy.LineType.Separate)
    inside = shapely.intersection(trim, sheet.neatline)
    found = []
    for height in np.arange(np.ceil(z.min() / step) * step, z.max(), step):
        curves = [LineString(np.asarray(c)).simplify(0.05) for c in tracer.lines(float(height) + 1e-7)]
        index = bool(np.isclose(height % (5 * step), 0))
        found += [
            Contour(float(height), index, part)
            for curve in curves
            for part in lines(curve.difference(inside), least_length=6.0)
        ]
    return found


def spot_heights(sheet: Sheet, trim: BaseGeometry) -> np.ndarray:
    """Return (n, 3) east, north, height of a sheet's spot heights, none on a building or in water."""
    stream = random_stream(f"spot {sheet.number} {sheet.scale}")
    pitch = SPOT_PITCH[sheet.scale]
    west, south, east, north = sheet.neatline.bounds
    x, y = np.meshgrid(np.arange(west + pitch / 2, east, pitch), np.arange(south + pitch / 2, north, pitch))
    x = np.round(x.ravel() + stream.uniform(-0.3, 0.3, x.size) * pitch, 3)
    y = np.round(y.ravel() + stream.uniform(-0.3, 0.3, y.size) * pitch, 3)
    shapely.prepare(trim)
    dry = ~shapely.contains_xy(trim, x, y)
    return np.column_stack([x[dry], y[dry], np.round(ground(x[dry], y[dry]), 2)])
