"""The ground: a triangulated surface from spot heights and contours.

Not here: terrain tiles of it, they are made in `tiles/terrain.py`.

    surface = build_surface(spot_heights, contours)         # (n, 3) metres, LineString Z
    ground = surface.height_at(x, y)                        # NaN outside the survey
    base = base_elevations(surface, buildings.geometry.to_numpy())
"""

from twin_model.relief.surface import Surface, SurfaceRefused, base_elevations, build_surface

__all__ = ["Surface", "SurfaceRefused", "base_elevations", "build_surface"]
