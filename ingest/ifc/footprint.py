"""Footprints of meshes: what a shape covers seen from above, cheap enough for every element of a model.

A shape whose upward faces fill its hull is its hull. Else, up to 256 upward faces, their union; above that (furniture,
railings, terrain) the hull stands for it. A shape thinner than a millimetre seen from above gets a strip of 10 mm.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["Footprint", "footprint_of", "placed_footprints"]

Float64 = NDArray[np.float64]

_MOST_FACES = 256
_THINNEST = 1e-3
_STRIP = 0.005
_DECIMALS = 3
_FLAT = 1e-9


@dataclass(frozen=True)
class Footprint:
    """The outline of a shape in x, y, its lowest and highest z, and whether it had to be widened to be an area."""

    area: Any
    bottom: float
    top: float
    widened: bool


def footprint_of(vertices: Float64, triangles: NDArray[Any]) -> Footprint:
    """Return what triangles cover seen from above, in the coordinates of the vertices (metres)."""
    bottom, top = float(vertices[:, 2].min()), float(vertices[:, 2].max())
    hull: Any = shapely.convex_hull(shapely.multipoints(vertices[:, :2]))
    if hull.area <= _THINNEST * hull.length / 2:
        return Footprint(hull.buffer(_STRIP, cap_style="square", join_style="mitre"), bottom, top, True)
    return Footprint(_covered(vertices[:, :2], triangles, hull), bottom, top, False)


def _covered(xy: Float64, triangles: NDArray[Any], hull: Any) -> Any:
    corners = xy[triangles]
    doubled = _doubled_areas(corners)
    upward = doubled > 0 if doubled[doubled > 0].sum() >= -doubled[doubled < 0].sum() else doubled < 0
    upward &= np.abs(doubled) > _FLAT
    covered = float(np.abs(doubled[upward]).sum()) / 2
    if covered >= hull.area * (1 - 1e-6) or not 0 < int(upward.sum()) <= _MOST_FACES:
        return hull
    united = _united(corners[upward])
    return united if united.geom_type in {"Polygon", "MultiPolygon"} and united.is_valid and united.area > 0 else hull


def _united(corners: Float64) -> Any:
    """Return the union of triangles (n, 3, 2) on a grid of a millimetre: rounded first, a sixth of the time of `grid_size`."""
    rounded = np.round(corners, _DECIMALS)
    return shapely.union_all(shapely.polygons(rounded[np.abs(_doubled_areas(rounded)) > _FLAT]))


def _doubled_areas(corners: Float64) -> Float64:
    """Return twice the signed areas of triangles (n, 3, 2)."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def placed_footprints(areas: NDArray[Any], matrices: Float64, bottoms: Float64) -> NDArray[Any]:
    """Return outlines mapped by upright 4 x 4 matrices (n, 4, 4), as multi polygons lying at the bottoms (n,)."""
    xy, index = shapely.get_coordinates(areas, return_index=True)
    turned = np.einsum("nij,nj->ni", matrices[index, :2, :2], xy) + matrices[index, :2, 3]
    flat = shapely.set_coordinates(areas.copy(), turned)
    multi = np.array(
        [shape if shape.geom_type == "MultiPolygon" else shapely.multipolygons([shape]) for shape in flat],
        dtype=object,
    )
    return np.asarray(shapely.force_3d(multi, bottoms), dtype=object)
