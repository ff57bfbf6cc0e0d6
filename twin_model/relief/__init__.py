"""The ground: a triangulated surface from spot heights and contours.

Not here: terrain tiles of it, they are made in `tiles/terrain.py`.

    >>> heights = np.array([[0, 0, 60], [20, 0, 60], [0, 20, 64]], dtype=float)
    >>> surface = build_surface(heights, np.array([]))                  # and contours as LineString Z
    >>> surface.height_at(np.array([0.0, 90.0]), np.array([10.0, 90.0])).tolist()    # NaN outside the survey
    [62.0, nan]
"""

from twin_model.relief.surface import Surface, SurfaceRefused, base_elevations, build_surface

__all__ = ["Surface", "SurfaceRefused", "base_elevations", "build_surface"]
