"""The height of the ground at places: frames, arrays or points in, metres out.

    height_at(ground, wells, crs="EPSG:4548")          # a Series with the index of `wells`

Not here: how the ground is made and held in the cache (`twin_model.relief.ground`).
"""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from twin_model.crs import crs_code, transform_geometries
from twin_model.errors import CalledWrongly
from twin_model.relief.ground import Ground
from twin_model.relief.surface import Surface, SurfaceRefused

__all__ = ["height_at", "looks_like_degrees"]


def height_at(ground: Ground, points: Any, *, crs: str) -> "pd.Series[float] | NDArray[np.float64] | float":
    """Return the height of the ground at points, in metres; NaN where no triangle of the survey lies.

    A GeoDataFrame or GeoSeries (any CRS) gives a Series named `height` with its index; an array (n, 2) of x, y in `crs`
    or a list of points in `crs` gives an array; one point gives a float. A missing or empty point is NaN. Z of the points
    is not looked at. Outside the survey no height is invented: `Ground.heights` holds the nearest one there.

    Raises `CalledWrongly` for what is no point and for a frame without CRS, `SurfaceRefused` where the town has no ground.
    """
    if isinstance(points, gpd.GeoDataFrame | gpd.GeoSeries):
        x, y = _coordinates(_in_crs(points.geometry, crs))
        return pd.Series(_surface(ground).height_at(x, y), index=points.index, name="height")
    if isinstance(points, BaseGeometry):
        x, y = _coordinates(np.array([points], dtype=object))
        return float(_surface(ground).height_at(x, y)[0])
    x, y = _listed(points)
    heights = _surface(ground).height_at(x, y)
    return heights if heights.ndim else float(heights)


def looks_like_degrees(points: Any) -> bool:
    """Return whether points without a CRS of their own could be longitude, latitude: no number is beyond 180."""
    if isinstance(points, gpd.GeoDataFrame | gpd.GeoSeries):
        return False
    numbers = shapely.get_coordinates(points) if isinstance(points, BaseGeometry) else np.stack(_listed(points))
    return bool(numbers.size) and bool((np.abs(numbers[np.isfinite(numbers)]) <= 180).all())


def _surface(ground: Ground) -> Surface:
    surface = ground.surface()
    if surface is None:
        raise SurfaceRefused("heights.no_ground")
    return surface


def _in_crs(points: gpd.GeoSeries, crs: str) -> NDArray[Any]:
    if points.crs is None:
        raise CalledWrongly("heights.no_crs", crs=crs)
    return transform_geometries(points.to_numpy(), crs_code(points.crs), crs)


def _listed(points: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of a list of points, or of an array of shape (n, 2) or (2,)."""
    members = list(points) if isinstance(points, list | tuple | np.ndarray) else []
    if members and all(each is None or isinstance(each, BaseGeometry) for each in members):
        return _coordinates(np.array(members, dtype=object))
    try:
        xy = np.asarray(points if len(members) else np.empty((0, 2)), dtype=np.float64)
    except (TypeError, ValueError):
        xy = np.empty(0)
    if xy.ndim not in (1, 2) or xy.shape[-1] != 2 or not isinstance(points, list | tuple | np.ndarray):
        raise CalledWrongly("heights.no_points", value=_shape_of(points))
    return xy[..., 0], xy[..., 1]


def _coordinates(points: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of points, NaN for those that are missing or empty."""
    other = sorted({each.geom_type for each in points if each is not None and each.geom_type != "Point"})
    if other:
        raise CalledWrongly("heights.no_points", value=", ".join(other))
    return shapely.get_x(points), shapely.get_y(points)


def _shape_of(value: Any) -> str:
    return f"{type(value).__name__} {value.shape}" if isinstance(value, np.ndarray) else repr(value)[:60]
