"""Every part of the station; the frame is in `station_frame`, the parts in `station_hall` and others."""

from functools import cache

from data_samples.plan.station_fittings import fitting_parts
from data_samples.plan.station_frame import STOREYS, STOREYS_EN, Part
from data_samples.plan.station_hall import hall_parts
from data_samples.plan.station_tracks import track_parts

__all__ = ["STOREYS", "STOREYS_EN", "Part", "station_parts"]


@cache
def station_parts() -> tuple[Part, ...]:
    """Return every part of the station in a fixed order."""
    return (*hall_parts(), *track_parts(), *fitting_parts())
