"""The ground of a town: one surface from the spot heights and contours of now, kept in the town's cache.

Not here: how it is triangulated (`surface`), terrain tiles of it (`tiles/terrain.py`).

    ground = Ground(town.store, CacheFolder(town.cache))
    ground.heights(x, y)                                    # metres, held at the nearest known height beyond the survey
"""

import threading

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from twin_model.cache_folder import CacheFolder
from twin_model.changeset import Box
from twin_model.crs import CRS84, placed_geometries, transform_geometries
from twin_model.relief.surface import Surface, build_surface
from twin_model.relief.surface_file import packed_surface, unpacked_surface
from twin_model.relief.unlikely_heights import unlikely_heights
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.freshness import mark_of

__all__ = ["SOURCES", "Ground"]

_FORMAT = "6"
_SHEET_GAP = 1.0
"""Metres by which neighbouring sheets may miss one another."""
SOURCES = ("spot_height", "contour", "map_sheet")
"""The layers of which the ground is made: heights, and the sheets that bound them."""


class Ground:
    """The surface of what the town knows now; made once a version, safe to use from many threads and processes."""

    def __init__(self, store: Store, cache: CacheFolder) -> None:
        self._store, self._cache = store, cache
        self._surfaces: dict[tuple[int, str], Surface | None] = {}
        self._lock = threading.Lock()

    @property
    def mark(self) -> tuple[int, str]:
        """What names the last version that changed anything the ground is made of."""
        return mark_of(self._store, max(self._store.changed_since(layer, None) for layer in SOURCES))

    def surface(self) -> Surface | None:
        """Return the ground from spot heights and contours, None where the town has too few."""
        mark = self.mark
        with self._lock:
            if mark not in self._surfaces:
                self._surfaces = {mark: self._cached_surface(*mark)}
            return self._surfaces[mark]

    def heights(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the height of the ground (storage CRS, metres), beyond the survey the nearest known; 0 without one."""
        surface = self.surface()
        return np.zeros(len(x)) if surface is None else surface.height_near(x, y)

    def bounds(self) -> Box | None:
        """Return the box of the surface in the storage CRS, None where there is none."""
        surface = self.surface()
        return None if surface is None else surface.bounds

    def _cached_surface(self, version: int, chained: str) -> Surface | None:
        name = f"relief/surface-{_FORMAT}-{version}-{chained[:16]}.tin"
        return self._cache.cached(name, self._build, pack=packed_surface, unpack=unpacked_surface)

    def _build(self) -> Surface | None:
        points = self._placed(self._store.features(FeatureQuery("spot_height", fields=())))
        lines = self._placed(self._store.features(FeatureQuery("contour", fields=())))
        points, lines = points[points.geometry.has_z], lines[lines.geometry.has_z]
        points, lines = _likely(points, lines)
        if len(points) + len(lines) < 3:
            return None
        shapes = points.geometry
        xyz = np.column_stack((shapes.x, shapes.y, shapes.z)) if len(points) else np.empty((0, 3))
        return build_surface(xyz, lines.geometry.to_numpy(), hull=self._surveyed())

    def _surveyed(self) -> Polygon | None:
        """Return the area the sheets cover, so that no sliver of the ground spans what nobody surveyed."""
        sheets = self._placed(self._store.features(FeatureQuery("map_sheet", fields=()))).geometry
        area = shapely.union_all(shapely.buffer(sheets.to_numpy(), _SHEET_GAP)) if len(sheets) else None
        return area if isinstance(area, Polygon) else None

    def _placed(self, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        """Return the features of which every coordinate has a place on the globe: one that has none bends no ground."""
        on_globe = transform_geometries(frame.geometry.to_numpy(), self._store.crs, CRS84)
        return frame[~shapely.is_missing(placed_geometries(on_globe))]


def _likely(points: gpd.GeoDataFrame, lines: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Return points and lines without those whose heights cannot be true, judged together."""
    shapes = np.concatenate((points.geometry.to_numpy(), lines.geometry.to_numpy()))
    likely = ~unlikely_heights(np.asarray(shapes, dtype=object)).unlikely
    return points[likely[: len(points)]], lines[likely[len(points) :]]
