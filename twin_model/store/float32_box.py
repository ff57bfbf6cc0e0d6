"""Boxes as spatial indexes keep them: float32 numbers, rounded so that nothing is lost or nothing is promised too much."""

import numpy as np
from numpy.typing import NDArray

from twin_model.changeset import Box

__all__ = ["rounded_inwards", "rounded_outwards"]


def rounded_outwards(bounds: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return boxes (n, 4: minx, miny, maxx, maxy) as the least float32 ones that hold them; those that are such already, as they are."""
    if bounds.dtype == np.float32:
        return bounds.view(np.float32)
    near = _as_float32(bounds)
    low, high = near[:, :2], near[:, 2:]
    low = np.where(low > bounds[:, :2], np.nextafter(low, np.float32(-np.inf)), low)
    high = np.where(high < bounds[:, 2:], np.nextafter(high, np.float32(np.inf)), high)
    return np.hstack((low, high)).astype(np.float32)


def rounded_inwards(box: Box) -> Box | None:
    """Return the largest box of float32 numbers within a box, None where there is none."""
    exact = np.array(box)
    near = _as_float32(exact)
    low = np.where(near[:2] < exact[:2], np.nextafter(near[:2], np.float32(np.inf)), near[:2])
    high = np.where(near[2:] > exact[2:], np.nextafter(near[2:], np.float32(-np.inf)), near[2:])
    if (low > high).any():
        return None
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _as_float32(numbers: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the nearest float32 numbers; what is too great for one is infinite."""
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)
