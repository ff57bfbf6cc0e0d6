"""Heights that a geometry keeps: a delivery that knows the place but no heights does not flatten what is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["with_known_heights"]


def with_known_heights(
    new: NDArray[Any], known: Sequence[bytes | None], reach: float
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return WKB with the heights of known WKB, vertex by vertex, where it has none, and the rows of which that is so.

    So it is for points and lines of as many vertices, all within `reach` of each other, whichever way round they run.
    """
    ours, theirs = (shapely.from_wkb(np.array([*wkb, None], dtype=object)[:-1]) for wkb in (new, known))
    flat = ~shapely.is_missing(ours) & ~shapely.has_z(ours) & shapely.has_z(theirs)
    flat &= (shapely.get_dimensions(ours) < 2) & (
        shapely.get_num_coordinates(ours) == shapely.get_num_coordinates(theirs)
    )
    raised = {row: shape for row in np.flatnonzero(flat).tolist() if (shape := _raised(ours[row], theirs[row], reach))}
    rows = np.array([*raised], dtype=np.intp)
    wkb = new.copy()
    wkb[rows] = shapely.to_wkb(np.array([*raised.values(), None], dtype=object)[:-1], byte_order=1, flavor="iso")
    return wkb, rows


def _raised(flat: Any, known: Any, reach: float) -> Any:
    """Return a geometry with the heights of another that lies at its place, None where it does not."""
    place, high = shapely.get_coordinates(flat), shapely.get_coordinates(known, include_z=True)
    for vertices in (high, high[::-1]):
        gaps = np.hypot(*(place - vertices[:, :2]).T)
        if gaps.max() <= reach and np.isfinite(vertices[:, 2]).all():
            return shapely.set_coordinates(shapely.force_3d(flat), np.column_stack((place, vertices[:, 2])))
    return None
