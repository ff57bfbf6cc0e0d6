"""A box of coordinates, as it passes through the whole house."""

__all__ = ["Box"]

Box = tuple[float, float, float, float]
"""minx, miny, maxx, maxy in x, y order of some CRS."""
