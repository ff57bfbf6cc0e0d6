"""A box of coordinates, as it passes through the whole house."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "joint_box", "near_each_other"]

Box = tuple[float, float, float, float]
"""minx, miny, maxx, maxy in x, y order of some CRS."""


def joint_box(box: Box | None, bounds: NDArray[np.float64]) -> Box | None:
    """Return the box of a box and of bounds (n, 4); those that are NaN, of what has no place, do not count.

    >>> joint_box((0.0, 0.0, 1.0, 1.0), np.array([[2.0, 0.5, 3.0, 0.5], [np.nan] * 4]))
    (0.0, 0.0, 3.0, 1.0)
    """
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    if box is not None:
        bounds = np.vstack((bounds, box))
    if not len(bounds):
        return None
    (west, south), (east, north) = bounds[:, :2].min(axis=0).tolist(), bounds[:, 2:].max(axis=0).tolist()
    return west, south, east, north


def near_each_other(first: Box, second: Box, distance: float) -> bool:
    """Say whether two boxes are at most a distance apart, measured along each axis.

    >>> near_each_other((0, 0, 1, 1), (3, 0, 4, 1), 2.0), near_each_other((0, 0, 1, 1), (3, 0, 4, 1), 1.0)
    (True, False)
    """
    return (
        first[0] - distance <= second[2]
        and second[0] - distance <= first[2]
        and first[1] - distance <= second[3]
        and second[1] - distance <= first[3]
    )
