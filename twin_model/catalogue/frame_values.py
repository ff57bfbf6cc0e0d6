"""Values of a frame's columns that no field has a type for, as values that one has: what pandas knows and a store does not.

Categories become their values, intervals and periods texts, lists and dicts JSON, durations are refused by name.
"""

import json
from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from twin_model.errors import EditRefused

__all__ = ["JSON_KIND", "is_json", "with_plain_values"]

JSON_KIND = (dict, list, tuple, set, frozenset, np.ndarray)
"""Kinds of values that are kept as JSON text."""


def with_plain_values(layer_id: str, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a frame without categories, intervals, periods, times of day, lists and dicts.

    Raises `EditRefused` for durations, complex numbers, bytes, and geometries beside the one that counts.
    """
    geometry = frame.geometry.name
    plain = {name: _plain(layer_id, frame[name]) for name in frame.columns if name != geometry}
    changed = {name: column for name, column in plain.items() if column is not frame[name]}
    if not changed:
        return frame
    copy = frame.copy(deep=False)
    for name, column in changed.items():
        copy[name] = column
    return copy


def is_json(column: "pd.Series[Any]") -> bool:
    """Return whether a column holds lists or dicts."""
    return column.dtype == object and any(isinstance(value, JSON_KIND) for value in column)


def _plain(layer_id: str, column: "pd.Series[Any]") -> "pd.Series[Any]":
    if isinstance(column.dtype, gpd.array.GeometryDtype):
        raise _refusal(layer_id, column, "a second geometry")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.dtype.categories.dtype if column.notna().all() else object)
    if isinstance(column.dtype, pd.IntervalDtype | pd.PeriodDtype):
        return column.astype(object).map(str, na_action="ignore")
    if column.dtype.kind in "mc":
        raise _refusal(layer_id, column, str(column.dtype))
    return _without_odd_objects(layer_id, column) if column.dtype == object else column


def _without_odd_objects(layer_id: str, column: "pd.Series[Any]") -> "pd.Series[Any]":
    kinds = {type(value) for value in column}
    for refused, words in (
        (timedelta, "a duration"),
        (complex, "a complex number"),
        (bytes, "bytes"),
        (shapely.Geometry, "a second geometry"),
    ):
        if any(issubclass(kind, refused) for kind in kinds):
            raise _refusal(layer_id, column, words)
    readers = [read for odd, read in _READERS if any(issubclass(kind, odd) for kind in kinds)]
    return column.map(_plain_value) if readers else column


def _plain_value(value: Any) -> Any:
    for kinds, read in _READERS:
        if isinstance(value, kinds):
            return read(value)
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_json_of_odd)


def _json_of_odd(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return sorted(value, key=str) if isinstance(value, set | frozenset) else str(value)


_READERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (JSON_KIND, _json),
    ((pd.Interval, pd.Period), str),
    (time, lambda value: value.isoformat()),
)


def _refusal(layer_id: str, column: "pd.Series[Any]", kind: str) -> EditRefused:
    return EditRefused("edit.kind", layer=layer_id, field=str(column.name), found=kind)
