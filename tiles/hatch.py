"""Hatching of areas: the stripes that say "height unknown" of a footprint that is drawn flat."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["stripes"]

SPACING, WIDTH = 2.0, 0.5
"""Metres between stripes and across one: to be seen from a street's width away."""


def stripes(areas: NDArray[Any], *, spacing: float = SPACING, width: float = WIDTH) -> NDArray[Any]:
    """Return for each area the part of it under diagonal stripes, on one grid for the whole town; maybe empty."""
    return np.array([_striped(area, spacing, width) for area in areas], dtype=object)


def _striped(area: Any, spacing: float, width: float) -> Any:
    minx, miny, maxx, maxy = area.bounds
    first, last = np.floor((minx - maxy) / spacing), np.ceil((maxx - miny) / spacing)
    offset = np.arange(first, last + 1) * spacing
    low, high = np.full_like(offset, miny), np.full_like(offset, maxy)
    corners = np.stack(
        [
            np.stack([offset + low, low], 1),
            np.stack([offset + low + width, low], 1),
            np.stack([offset + high + width, high], 1),
            np.stack([offset + high, high], 1),
        ],
        axis=1,
    )
    under = shapely.intersection(shapely.union_all(shapely.polygons(corners)), area)
    parts = shapely.get_parts(under)
    return shapely.multipolygons(parts[shapely.get_type_id(parts) == 3])
