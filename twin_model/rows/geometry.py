"""Geometries as a layer keeps them: ISO WKB of the layer's type, and from which zoom each is drawn.

Geometry in general is shapely's; changes of system stand in `twin_model/crs.py`, geometries that are one run of
coordinates in `twin_model/rows/coordinate_runs.py`.
"""

import struct
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.crs import is_projected
from twin_model.layer import Layer

__all__ = ["layer_wkb", "min_zoom"]

Geometries = NDArray[Any]
_METRES_PER_DEGREE = 111_320.0
_MERCATOR_PIXEL = 156_543.03392804097


def layer_wkb(layer: Layer, geometry: Geometries) -> NDArray[Any]:
    """Return ISO WKB of the layer's type; a single part becomes a multi geometry by the head put before it."""
    wkb = np.asarray(shapely.to_wkb(geometry, byte_order=1, flavor="iso"), dtype=object)
    if not layer.is_multi:
        return wkb
    single = np.flatnonzero((shapely.get_type_id(geometry) < 4) & ~shapely.is_missing(geometry))
    kind = 4 + layer.dimension
    heads = [struct.pack("<BII", 1, kind + 1000 * int(high), 1) for high in (False, True)]
    high = shapely.has_z(geometry[single])
    wkb[single] = [heads[int(z)] + one for z, one in zip(high, wkb[single], strict=True)]
    return wkb


def min_zoom(layer: Layer, box: NDArray[np.float64], crs: str) -> NDArray[np.int16]:
    """Return from which zoom each feature is drawn, by the size of its box (minx, miny, maxx, maxy; NaN without geometry)
    and the layer's rule (Web Mercator pixels of 1/256)."""
    rule = layer.zoom
    zooms = np.full(len(box), rule.start, dtype=np.int16)
    if rule.pixels <= 0 or not len(box):
        return zooms
    size = np.fmax(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
    size = size if is_projected(crs) else size * _METRES_PER_DEGREE
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.ceil(np.log2(rule.pixels * _MERCATOR_PIXEL / np.maximum(size, 1e-3)))
    clipped = np.clip(np.nan_to_num(wanted, nan=rule.start), rule.start, max(rule.start, rule.latest))
    return np.asarray(clipped, dtype=np.int16)
