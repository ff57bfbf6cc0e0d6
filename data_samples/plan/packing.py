"""Packing: where inside a block buildings of given sizes find room, in rows that face south."""

from dataclasses import dataclass

import numpy as np
import shapely
from shapely import Polygon
from shapely.affinity import rotate
from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True)
class Lot:
    """A place for one building: middle in EPSG:4548, size, direction, and where it lies in its grid."""

    east: float
    north: float
    length: float
    depth: float
    turn_deg: float
    row: int
    column: int


def rows(
    land: BaseGeometry,
    *,
    length: float,
    depth: float,
    gap: float,
    row_gap: float,
    turn_deg: float = 0.0,
    tries: int = 5,
) -> list[Lot]:
    """Return the lots of a regular grid that lie wholly on `land`; the grid is shifted to where most fit."""
    if land.is_empty:
        return []
    pivot = (land.centroid.x, land.centroid.y)
    level = rotate(land, -turn_deg, origin=pivot)
    shapely.prepare(level)
    pitch = (length + gap, depth + row_gap)
    shifts = [(i / tries, j / tries) for i in range(tries) for j in range(tries)]
    best = max((_fitting(level, length, depth, pitch, shift) for shift in shifts), key=len)
    turned = _turned(np.array([(a, b) for a, b, _, _ in best]).reshape(-1, 2), pivot, turn_deg)
    return [
        Lot(float(x), float(y), length, depth, turn_deg, row, column)
        for (x, y), (_, _, row, column) in zip(turned, best, strict=False)
    ]


def _fitting(
    land: BaseGeometry, length: float, depth: float, pitch: tuple[float, float], shift: tuple[float, float]
) -> list[tuple[float, float, int, int]]:
    west, south, east, north = land.bounds
    a = np.arange(west + length / 2 + shift[0] * pitch[0], east, pitch[0])
    b = np.arange(south + depth / 2 + shift[1] * pitch[1], north, pitch[1])
    columns, row_numbers = np.meshgrid(np.arange(len(a)), np.arange(len(b)))
    x, y = a[columns.ravel()], b[row_numbers.ravel()]
    boxes = shapely.box(x - length / 2, y - depth / 2, x + length / 2, y + depth / 2)
    inside = shapely.contains(land, boxes)
    return [
        (float(p), float(q), int(r), int(c))
        for p, q, r, c in zip(x[inside], y[inside], row_numbers.ravel()[inside], columns.ravel()[inside], strict=False)
    ]


def _turned(places: np.ndarray, pivot: tuple[float, float], turn_deg: float) -> np.ndarray:
    angle = np.radians(turn_deg)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray((places - pivot) @ matrix.T + pivot)


def largest(shape: BaseGeometry) -> Polygon:
    """Return the largest polygon of a geometry, or an empty one."""
    parts = [p for p in getattr(shape, "geoms", [shape]) if isinstance(p, Polygon)]
    return max(parts, key=lambda p: p.area, default=Polygon())
