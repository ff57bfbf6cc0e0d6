"""Whether the place that a person gives a model can be meant: the rule of every source's coordinates (`ingest/place.py`)."""

from collections.abc import Sequence

import numpy as np

from ingest.coordinates import UNITS
from ingest.place import Cause, TownPlace, causes_of, far_from_town
from twin_model.crs import crs_code
from twin_model.errors import CalledWrongly

__all__ = ["ensure_in_town"]

_RULES = {"geometry.axes_swapped": "place.axes_swapped", "geometry.wrong_unit": "place.wrong_unit"}
"""The causes that another system alone does not mend; the others are `place.other_system`."""


def ensure_in_town(points: Sequence[Sequence[float]], crs: str | None, town: TownPlace) -> None:
    """Refuse places (east, north in `crs`, None is the town's) outside the town, with the likely cause of the first.

    Raises CalledWrongly `place.axes_swapped`, `place.other_system`, `place.wrong_unit` or `place.outside`.
    """
    if not len(points):
        return
    system = crs_code(crs) if crs else town.crs
    x, y = (np.array([float(point[axis]) for point in points]) for axis in (0, 1))
    causes = causes_of(x, y, system, town)
    for row, far in enumerate(far_from_town(x, y, system, town).tolist()):
        cause = causes[row]
        if cause is not None or far:
            raise _refusal(cause, x[row], y[row], system)


def _refusal(cause: Cause | None, x: float, y: float, crs: str) -> CalledWrongly:
    values = {"x": _text(x), "y": _text(y), "crs": crs}
    if cause is None or cause.rule == "geometry.local_grid":
        return CalledWrongly("place.outside", **values)
    metres = UNITS[cause.unit]
    values |= {"likely": cause.crs, "unit": cause.unit, "east": _text(x * metres), "north": _text(y * metres)}
    return CalledWrongly(_RULES.get(cause.rule, "place.other_system"), **values)


def _text(number: float) -> str:
    """Return a number as a person writes it behind `--at`."""
    return f"{number:.7f}".rstrip("0").rstrip(".")
