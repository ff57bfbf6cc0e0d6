"""A surface as bytes and back: counts, vertices and triangles as plain numbers, checked before they are used."""

import numpy as np

from twin_model.relief.surface import Surface

__all__ = ["packed_surface", "unpacked_surface"]

_SURFACE_MAGIC, _SURFACE = b"twinTIN1", ("<i8", "<f8", "<u4")


def packed_surface(surface: Surface | None) -> bytes:
    """Return a surface as numbers: how many vertices and triangles, then these; none of either for a town without one."""
    vertices = np.empty((0, 3)) if surface is None else surface.vertices
    triangles = np.empty((0, 3)) if surface is None else surface.triangles
    counts = np.array([len(vertices), len(triangles)])
    arrays = zip((counts, vertices, triangles), _SURFACE, strict=True)
    return _SURFACE_MAGIC + b"".join(array.astype(kind).tobytes() for array, kind in arrays)


def unpacked_surface(content: memoryview) -> Surface | None:
    """Return the surface of `packed_surface`, without copying it. Raises ValueError for what is none."""
    head = len(_SURFACE_MAGIC)
    if content[:head] != _SURFACE_MAGIC or len(content) < head + 16:
        raise ValueError("it is no surface")
    counts = np.frombuffer(content, _SURFACE[0], 2, head)
    middle = head + 16 + int(counts[0]) * 24
    if min(counts) < 0 or len(content) != middle + int(counts[1]) * 12:
        raise ValueError("its numbers are more or fewer than it says")
    vertices = np.frombuffer(content[head + 16 : middle], _SURFACE[1]).reshape(-1, 3)
    triangles = np.frombuffer(content[middle:], _SURFACE[2]).reshape(-1, 3)
    if not len(triangles) and not len(vertices):
        return None
    if not len(triangles) or triangles.max() >= len(vertices) or not np.isfinite(vertices).all():
        raise ValueError("its triangles have corners that are nowhere")
    return Surface(vertices, triangles)
