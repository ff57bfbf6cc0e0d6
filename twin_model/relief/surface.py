"""The ground as a triangulated irregular network (TIN), and what stands on it.

Heights are those of the survey (1985 datum), metres; places are x, y of the storage CRS. `Surface` knows no
globe: `tiles/terrain.py` takes a function of longitude and latitude that the caller composes from a surface.

A triangle with all corners on one contour is flat: a summit, a valley's end or a bend between contours is cut
off level unless a spot height lies in it.
"""

from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from twin_model.errors import TwinError
from twin_model.relief.ground_points import Float64, GroundPoints, Index, ground_points
from twin_model.relief.triangle_index import TriangleIndex
from twin_model.relief.triangulation import Triangles, triangulate

MOST_VERTICES = 300_000
"""Vertices a surface holds; contours and spot heights beyond it are thinned evenly."""
FADE_DISTANCE = 2000.0
"""Metres outside the survey over which the ground runs out to the height of its rim."""


class SurfaceRefused(TwinError):
    """There is no surface in these heights: fewer than three places, or all of them on one straight line."""

    rule = "relief.no_surface"


class Surface:
    """A TIN: `vertices` (n, 3) in metres, `triangles` (m, 3) counter-clockwise seen from above.

    Immutable by custom; what it derives (index, rim) is made once, when first asked for.
    """

    def __init__(self, vertices: Float64, triangles: Triangles) -> None:
        self.vertices = vertices
        self.triangles = triangles

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """minx, miny, maxx, maxy of all triangles."""
        used = self.vertices[self.triangles].reshape(-1, 3)
        (minx, miny), (maxx, maxy) = used[:, :2].min(axis=0), used[:, :2].max(axis=0)
        return float(minx), float(miny), float(maxx), float(maxy)

    @cached_property
    def height_range(self) -> tuple[float, float]:
        """The lowest and the highest height of all triangles."""
        used = self.vertices[self.triangles, 2]
        return float(used.min()), float(used.max())

    @cached_property
    def rim_height(self) -> float:
        """The mean height of the rim by length: what the world far outside the survey is held at."""
        start, end = self._rim
        length = np.hypot(*(end - start)[:, :2].T)
        return float(np.average((start[:, 2] + end[:, 2]) / 2, weights=length))

    def height_at(self, x: Float64, y: Float64) -> Float64:
        """Return the height at every place, in the shape of `x`; NaN outside the triangles."""
        x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
        found, weights = self._index.find(x.ravel(), y.ravel())
        corners = self.vertices[self.triangles[found], 2]
        height: Float64 = np.where(found >= 0, (corners * weights).sum(axis=1), np.nan).reshape(x.shape)
        return height

    def height_near(self, x: Float64, y: Float64, *, fade_distance: float = FADE_DISTANCE) -> Float64:
        """Return the height at every place, outside the survey too: never NaN, and without a step at the rim.

        Outside it is the height of the nearest place on the rim, blended to `rim_height` over `fade_distance`
        metres and held from there on. A place that is no number (off the projection) has `rim_height`.
        """
        x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
        height = self.height_at(x, y)
        outside = np.isnan(height)
        if outside.any():
            height[outside] = self._outside(x[outside], y[outside], fade_distance)
        return height

    def _outside(self, x: Float64, y: Float64, fade_distance: float) -> Float64:
        height = np.full(len(x), self.rim_height)
        minx, miny, maxx, maxy = self.bounds
        away = np.hypot(np.maximum(np.maximum(minx - x, x - maxx), 0), np.maximum(np.maximum(miny - y, y - maxy), 0))
        near = np.flatnonzero(away < fade_distance)
        nearest, distance = self._nearest_on_rim(np.stack([x[near], y[near]], axis=1))
        share = np.clip(distance / fade_distance, 0.0, 1.0)
        blend = share * share * (3.0 - 2.0 * share)
        height[near] = nearest + (self.rim_height - nearest) * blend
        return height

    def _nearest_on_rim(self, place: Float64) -> tuple[Float64, Float64]:
        """Return height and distance of the nearest place on the rim."""
        start, end = (corner[self._rim_tree.nearest(shapely.points(place))] for corner in self._rim)
        along = end - start
        share = ((place - start[:, :2]) * along[:, :2]).sum(axis=1) / (along[:, :2] ** 2).sum(axis=1)
        nearest = start + np.clip(share, 0.0, 1.0)[:, None] * along
        return nearest[:, 2], np.hypot(*(place - nearest[:, :2]).T)

    @cached_property
    def _index(self) -> TriangleIndex:
        return TriangleIndex(self.vertices[:, :2], self.triangles)

    @cached_property
    def _rim(self) -> tuple[Float64, Float64]:
        """Start and end (k, 3) of the edges that have a triangle on one side only."""
        edges = np.sort(self.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).astype(np.int64), axis=1)
        # One number for an edge: sorting numbers is ten times as fast as sorting rows.
        key, count = np.unique(edges[:, 0] * len(self.vertices) + edges[:, 1], return_counts=True)
        rim = np.stack(np.divmod(key[count == 1], len(self.vertices)), axis=1)
        return self.vertices[rim[:, 0]], self.vertices[rim[:, 1]]

    @cached_property
    def _rim_tree(self) -> shapely.STRtree:
        start, end = self._rim
        edges = shapely.linestrings(np.stack([start[:, :2], end[:, :2]], axis=1))
        return shapely.STRtree(np.asarray(edges, dtype=object))


def build_surface(
    points: Float64,
    lines: NDArray[Any],
    *,
    hull: Polygon | None = None,
    most_vertices: int = MOST_VERTICES,
) -> Surface:
    """Return the surface of spot heights (n, 3) and of contours or breaklines (LineString Z) its edges
    follow.

    With `hull` the triangles whose centre lies outside it are left out; without, the surface is convex.
    Beyond `most_vertices` the input is thinned evenly (lines keep their ends). What lies closer than 1 cm
    becomes one, and lines that cross are mended: see `ground_points` and `triangulation`. Without any
    surface: `SurfaceRefused`.
    """
    ground = ground_points(np.asarray(points, np.float64).reshape(-1, 3), lines, most=most_vertices)
    _ensure_wide(ground)
    vertices, triangles = triangulate(ground)
    triangles = triangles[_area(vertices, triangles) > 0.0]
    if hull is not None:
        centre = vertices[triangles, :2].mean(axis=1)
        shapely.prepare(hull)
        triangles = triangles[shapely.contains_xy(hull, centre[:, 0], centre[:, 1])]
    if not len(triangles):
        raise SurfaceRefused(places=len(vertices))
    return Surface(vertices, triangles)


def base_elevations(surface: Surface, footprints: NDArray[Any]) -> Float64:
    """Return each building's base: the lowest ground at the vertices of its rings, NaN where none is known.

    The lowest, so that no wall hangs in the air on a slope; the ground between two vertices is not looked at.
    Holes count as well. An empty or missing footprint has NaN.
    """
    footprints = np.asarray(footprints, dtype=object)
    xy, owner = shapely.get_coordinates(footprints, return_index=True)
    base = np.full(len(footprints), np.nan)
    np.fmin.at(base, owner, surface.height_at(xy[:, 0], xy[:, 1]))
    return base


def _ensure_wide(ground: GroundPoints) -> None:
    xy = ground.vertices[:, :2]
    # The second singular value is how far the places reach across their common direction.
    wide = len(xy) >= 3 and np.linalg.svd(xy - xy.mean(axis=0), compute_uv=False)[1] > 1e-6
    if not wide:
        raise SurfaceRefused(places=len(xy))


def _area(vertices: Float64, triangles: Triangles | Index) -> Float64:
    a, b, c = (vertices[triangles[:, i], :2] for i in range(3))
    return np.asarray(((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2.0)
