"""Instants of a frame as a file shows them: in the town's time zone, so that whoever opens it sees the same day.

A store keeps UTC: the fifth of January begins there on the fourth at 16:00. Read again, all of these mean the same instant.
"""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd

from twin_model.layer import Layer

__all__ = ["with_local_texts", "with_local_times"]

_SYSTEM = ("valid_from", "valid_to")


def with_local_texts(frame: gpd.GeoDataFrame, layer: Layer, zone: str) -> gpd.GeoDataFrame:
    """Return a frame whose instants, texts in UTC, are texts with the offset of a time zone."""
    place = ZoneInfo(zone)
    local = {name: [_local_text(value, place) for value in frame[name].tolist()] for name in _instants(frame, layer)}
    return _with_columns(frame, local)


def with_local_times(frame: gpd.GeoDataFrame, layer: Layer) -> gpd.GeoDataFrame:
    """Return a frame whose instants, texts with an offset, are times without one, and whose whole days are dates.

    Formats with a type for times keep no offset, or make UTC of it. A column with a bare year or month stays text.
    """
    times = {name: pd.to_datetime(_objects(_without_offset(frame[name]))) for name in _instants(frame, layer)}
    days = {
        field.name: _days(frame[field.name]) for field in layer.fields if field.type == "date" and field.name in frame
    }
    return _with_columns(frame, times | {name: column for name, column in days.items() if column is not None})


def _instants(frame: gpd.GeoDataFrame, layer: Layer) -> list[str]:
    names = [*_SYSTEM, *(field.name for field in layer.fields if field.type == "datetime")]
    return [name for name in names if name in frame]


def _local_text(value: Any, place: ZoneInfo) -> str | None:
    if not isinstance(value, str):
        return None
    return datetime.fromisoformat(value).astimezone(place).isoformat(timespec="milliseconds")


def _without_offset(column: "pd.Series[Any]") -> list[datetime | None]:
    instants = (datetime.fromisoformat(value) if isinstance(value, str) else None for value in column.tolist())
    return [None if instant is None else instant.replace(tzinfo=None) for instant in instants]


def _days(column: "pd.Series[Any]") -> list[date | None] | None:
    """Return texts as dates, None where one is no whole day."""
    try:
        days = [date.fromisoformat(value) if isinstance(value, str) else None for value in column.tolist()]
    except ValueError:
        return None
    return days if any(days) else None


def _with_columns(frame: gpd.GeoDataFrame, columns: dict[str, Any]) -> gpd.GeoDataFrame:
    typed = {
        name: values if isinstance(values, pd.DatetimeIndex) else _series(values, frame)
        for name, values in columns.items()
    }
    changed: gpd.GeoDataFrame = frame.assign(**typed)
    return changed


def _series(values: list[Any], frame: gpd.GeoDataFrame) -> "pd.Series[Any]":
    """Return objects as they are: pandas would make texts of texts, and NaN of None."""
    return pd.Series(_objects(values), index=frame.index, dtype=object)


def _objects(values: list[Any]) -> Any:
    return np.array([*values, None], dtype=object)[:-1]
