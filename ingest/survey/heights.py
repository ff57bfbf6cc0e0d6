"""Heights of a pipe at one end: crown, axis and invert, from a surveyed elevation or from ground minus depth.

The section's height is nominal: wall thickness is not known, so crown and invert are those of the nominal
section (outer for PE, bore for concrete). Depths and heights in metres; NaN is "not known", never a made-up
value.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SURVEY", "EndHeights", "Limits", "Told", "heights_of_end", "sources_of"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SURVEY, DEPTH, UNKNOWN = 0, 1, 2
_WORDS = np.array(["survey", "depth", "unknown"], dtype=object)


@dataclass(frozen=True)
class Told:
    """What the tables tell of one end: ground, depth and elevation, with which of top and invert each is
    measured to."""

    ground: Floats
    depth: Floats
    depth_top: Mask
    elevation: Floats
    elevation_top: Mask
    reference_known: Mask


@dataclass(frozen=True)
class Limits:
    """Deepest plausible depth of each pipe's class, whether it may lie above ground, tolerance of
    elevations."""

    maximum: Floats
    may_be_above: Mask
    tolerance: float

    def impossible(self, depth: Floats) -> Mask:
        """Return which depths cannot be: below the class's maximum, or above the ground; unknown ones can."""
        with np.errstate(invalid="ignore"):
            return np.asarray((depth > self.maximum) | ((depth < -self.tolerance) & ~self.may_be_above))


@dataclass(frozen=True)
class EndHeights:
    """Crown, axis and invert; `drawn` is the axis, or the measured height itself where the section is not
    known.

    `source` is SURVEY, DEPTH or UNKNOWN; `impossible` marks ends whose depth or elevation cannot be; `apart`
    is ground - depth - elevation where all three are told of the same point, else NaN; `below` the depth that
    was used.
    """

    crown: Floats
    axis: Floats
    invert: Floats
    drawn: Floats
    source: NDArray[np.intp]
    impossible: Mask
    apart: Floats
    below: Floats


def heights_of_end(told: Told, size: Floats, limits: Limits) -> EndHeights:
    """Return the heights of one end of each line; `size` is the section's height in metres, NaN where not
    known.

    A possible surveyed elevation counts before ground minus depth; an impossible one never becomes a height.
    """
    implied = told.ground - told.elevation
    bad_depth, bad_elevation = limits.impossible(told.depth), limits.impossible(implied)
    surveyed = np.isfinite(told.elevation) & ~bad_elevation & told.reference_known
    from_depth = ~surveyed & np.isfinite(told.ground - told.depth) & ~bad_depth & told.reference_known
    height = np.where(surveyed, told.elevation, np.where(from_depth, told.ground - told.depth, np.nan))
    top = np.where(surveyed, told.elevation_top, told.depth_top)
    crown, invert = np.where(top, height, height + size), np.where(top, height - size, height)
    axis = np.where(top, height - size / 2, height + size / 2)
    apart = np.where(told.depth_top == told.elevation_top, told.ground - told.depth - told.elevation, np.nan)
    return EndHeights(
        crown,
        axis,
        invert,
        drawn=np.where(np.isnan(axis), height, axis),
        source=np.where(surveyed, SURVEY, np.where(from_depth, DEPTH, UNKNOWN)),
        impossible=bad_depth | bad_elevation,
        apart=apart,
        below=np.where(surveyed, implied, np.where(from_depth, told.depth, np.nan)),
    )


def sources_of(start: EndHeights, end: EndHeights) -> NDArray[np.object_]:
    """Return how the heights of a line are known as a whole: as its worse end."""
    return np.asarray(_WORDS[np.maximum(start.source, end.source)], dtype=object)
