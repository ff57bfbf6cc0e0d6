"""Geometries without heights in a layer that has them: PostGIS keeps only such with, so each height of theirs is NaN there.

Whoever writes a geometry column or reads one asks here; outside of the database a flat geometry is flat.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.layer import Layer

__all__ = ["as_wkb", "with_heights"]

_FIRST_WITH_HEIGHTS = 1000
"""Types of ISO WKB from here on have heights."""


def as_wkb(layer: Layer, column: str) -> str:
    """Return the SQL of a geometry column as ISO WKB."""
    if layer.has_z:
        column = f"CASE WHEN ST_ZMax({column}) = 'NaN' THEN ST_Force2D({column}) ELSE {column} END"
    return f"ST_AsBinary({column}, 'NDR')"


def with_heights(layer: Layer, shapes: Sequence[Any]) -> Sequence[Any]:
    """Return ISO WKB (little-endian, None for none) that the column of a layer takes: flat ones have NaN as heights."""
    if not layer.has_z:
        return shapes
    flat = [place for place, wkb in enumerate(shapes) if wkb is not None and _type_of(wkb) < _FIRST_WITH_HEIGHTS]
    if not flat:
        return shapes
    geometry = shapely.force_3d(shapely.from_wkb([shapes[place] for place in flat]))
    geometry = shapely.transform(geometry, _without_a_height, include_z=True)
    written = list(shapes)
    for place, wkb in zip(flat, shapely.to_wkb(geometry, byte_order=1, flavor="iso", output_dimension=3), strict=True):
        written[place] = wkb
    return written


def _type_of(wkb: bytes) -> int:
    return int.from_bytes(wkb[1:5], "little")


def _without_a_height(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack((xyz[:, :2], np.full(len(xyz), np.nan)))
