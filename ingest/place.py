"""Whether coordinates can be where they are said to be, and if not, why: axes swapped, zone prefix, wrong
zone.

The cause is named, never acted upon: the surveyor may be right and the CRS given wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.crs import CRS84, area_of_use, epsg_of, transform_xy
from twin_model.errors import CrsRefused

__all__ = ["MisplacedCause", "misplaced", "outside_area"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_MARGIN_DEGREES = 0.1
"""Work may cross the border of a zone by so much; a zone is 3 degrees wide, so that more would hide a wrong
zone."""
_PLAIN = range(4534, 4555)
_PREFIXED = range(4513, 4534)
_PREFIX_STEP = 21


@dataclass(frozen=True)
class MisplacedCause:
    """Why places are wrong: rule of the message, the CRS they would fit, and whether with axes swapped."""

    rule: str
    crs: str


def outside_area(x: Floats, y: Floats, crs: Any, storage_crs: str) -> Mask:
    """Return which finite places lie outside the storage CRS's area of use (with a little margin)."""
    area = area_of_use(storage_crs)
    if area is None or not len(x):
        return np.zeros(len(x), dtype=bool)
    return np.isfinite(x) & np.isfinite(y) & ~_inside(x, y, crs, area, _MARGIN_DEGREES)


def misplaced(x: Floats, y: Floats, crs: Any, storage_crs: str) -> tuple[Mask, list[MisplacedCause | None]]:
    """Return which places (east, north in `crs`) lie outside the town's area, and for each the likely cause
    or None.

    A cause is likely when the same numbers, read in that way, fall inside the area of use of the storage CRS.
    Tried in turn: axes swapped, zone prefix too much or missing, the neighbouring zones of CGCS2000 /
    3-degree Gauss-Krueger.
    """
    outside = outside_area(x, y, crs, storage_crs)
    causes: list[MisplacedCause | None] = [None] * len(x)
    area, left = area_of_use(storage_crs), outside.copy()
    if area is None:
        return outside, causes
    for cause, swapped in _hypotheses(crs, storage_crs):
        rows = np.flatnonzero(left)
        if not len(rows):
            break
        east, north = (y[rows], x[rows]) if swapped else (x[rows], y[rows])
        fits = rows[_inside(east, north, cause.crs, area, 0.0)]
        for row in fits.tolist():
            causes[row] = cause
        left[fits] = False
    return outside, causes


def _hypotheses(crs: Any, storage_crs: str) -> Iterator[tuple[MisplacedCause, bool]]:
    """Yield what may be wrong, likeliest first, and whether the axes are swapped in it."""
    yield MisplacedCause("survey.axes_swapped", str(crs)), True
    storage = epsg_of(storage_crs)
    if storage is None or storage not in {*_PLAIN, *_PREFIXED}:
        return
    plain = storage if storage in _PLAIN else storage + _PREFIX_STEP
    for zone in (plain, plain + 1, plain - 1):
        for code in (zone - _PREFIX_STEP, zone):
            if code != epsg_of(crs) and (code in _PLAIN or code in _PREFIXED):
                rule = "survey.wrong_zone" if (code in _PLAIN) == (epsg_of(crs) in _PLAIN) else "survey.zone_prefix"
                yield MisplacedCause(rule, f"EPSG:{code}"), False
                yield MisplacedCause("survey.axes_swapped", f"EPSG:{code}"), True


def _inside(x: Floats, y: Floats, crs: Any, area: tuple[float, float, float, float], margin: float) -> Mask:
    try:
        lon, lat = transform_xy(x.copy(), y.copy(), crs, CRS84)
    except CrsRefused:
        return np.ones(len(x), dtype=bool)
    west, south, east, north = area
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (lon >= west - margin) & (lon <= east + margin) & (lat >= south - margin) & (lat <= north + margin)
        )
