"""What a notebook gets: one dtype a field, whatever the rows and the store; codes as words on wish; no system columns unasked.

| field | dtype |
|---|---|
| string | str (missing: NaN) |
| integer, number, boolean | Int64, float64, boolean |
| date | datetime64[us], the first day of what was said: `2017` is 2017-01-01 |
| datetime, valid_from, valid_to | datetime64[us] in the town's time zone |
| attributes, where some row has any | object: a dict a row, empty where there is nothing |
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.layer import ATTRIBUTES, Field, Layer
from twin_model.rows.attributes import read_attributes
from twin_model.temporal import parse_instant

__all__ = ["SYSTEM_COLUMNS", "in_words", "is_attribute", "typed", "with_attributes", "without_words"]

SYSTEM_COLUMNS = ("fid", "valid_from", "valid_to", "valid_precision", "version")
"""Columns that are the store's, in the order in which they are shown."""

_TEXT = pd.StringDtype(na_value=np.nan)


def typed(layer: Layer, frame: gpd.GeoDataFrame, zone: str) -> gpd.GeoDataFrame:
    """Return a store's frame with every column in the dtype of its field; instants are in the time zone `zone`."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        if name == frame.geometry.name:
            continue
        field = layer.field_of(str(name))
        kind = field.type if field else _OTHERS.get(str(name), "")
        columns[str(name)] = _CASTS[kind](frame[name], zone) if kind in _CASTS else frame[name]
    return gpd.GeoDataFrame(columns, index=frame.index, geometry=frame.geometry.array, crs=frame.crs)


def is_attribute(name: object) -> bool:
    """Return whether a name asks for what no field takes: "attributes", or "attributes.NAME" for one of them."""
    return isinstance(name, str) and (name == ATTRIBUTES or name.startswith(f"{ATTRIBUTES}."))


def with_attributes(frame: gpd.GeoDataFrame, fields: Sequence[str] | str | None) -> gpd.GeoDataFrame:
    """Return a frame with a column `attributes.NAME` for each that `fields` name so; None where a row has none."""
    names = [fields] if isinstance(fields, str) else list(fields or ())
    picked = [name for name in names if is_attribute(name) and name != ATTRIBUTES]
    if not picked:
        return frame
    values = frame[ATTRIBUTES].tolist()
    columns = {name: [row.get(name.removeprefix(f"{ATTRIBUTES}.")) for row in values] for name in picked}
    frame = frame if ATTRIBUTES in names else frame.drop(columns=ATTRIBUTES)
    return frame.assign(**{name: pd.Series(column, index=frame.index) for name, column in columns.items()})


def in_words(layer: Layer, frame: gpd.GeoDataFrame, lang: str) -> gpd.GeoDataFrame:
    """Return a frame whose codes are words in `lang`; a value that is no code stays as it is."""
    words = {field.name: _words(field, lang) for field in layer.fields if field.codes and field.name in frame}
    return frame.assign(**{name: frame[name].map(_reading(table)).astype(_TEXT) for name, table in words.items()})


def without_words(layer: Layer, frame: gpd.GeoDataFrame, lang: str) -> gpd.GeoDataFrame:
    """Return a frame of `in_words` with codes again, for those words that mean one code only."""
    tables = {field.name: _words(field, lang) for field in layer.fields if field.codes and field.name in frame}
    codes = {
        name: {word: code for code, word in table.items() if list(table.values()).count(word) == 1}
        for name, table in tables.items()
    }
    return frame.assign(**{name: frame[name].map(_reading(table)) for name, table in codes.items()})


def _words(field: Field, lang: str) -> dict[str, str]:
    return {code: text(lang) for code, text in field.codes.items()}


def _reading(table: Mapping[str, str]) -> Callable[[Any], Any]:
    return lambda value: table.get(value, value) if isinstance(value, str) else value


def _texts(column: "pd.Series[Any]", zone: str) -> "pd.Series[Any]":
    return column.astype(_TEXT)


def _days(column: "pd.Series[Any]", zone: str) -> "pd.Series[Any]":
    """Return texts of dates as days; each different text is read once."""
    days = {text: _day(text, zone) for text in pd.unique(column.dropna())}
    return _moments(column, days)


def _day(text: str, zone: str) -> np.datetime64:
    instant, _ = parse_instant(text, zone)
    return np.datetime64(_local(instant, zone).date().isoformat(), "us")


def _instants(column: "pd.Series[Any]", zone: str) -> "pd.Series[Any]":
    moments = {text: np.datetime64(text.removesuffix("Z"), "us") for text in pd.unique(column.dropna())}
    local: pd.Series[Any] = _moments(column, moments).dt.tz_localize("UTC").dt.tz_convert(zone)
    return local


def _moments(column: "pd.Series[Any]", moments: Mapping[str, np.datetime64]) -> "pd.Series[Any]":
    nothing = np.datetime64("NaT", "us")
    values: NDArray[Any] = np.array([moments.get(text, nothing) for text in column], dtype="datetime64[us]")
    return pd.Series(values, index=column.index)


def _local(instant: str, zone: str) -> datetime:
    return datetime.fromisoformat(instant).astimezone(ZoneInfo(zone))


def _dicts(column: "pd.Series[Any]", zone: str) -> "pd.Series[Any]":
    texts = [value if isinstance(value, str) else None for value in column]
    read = np.array([*map(read_attributes, texts), None], dtype=object)[:-1]
    return pd.Series(read, index=column.index)


_OTHERS = {"valid_from": "datetime", "valid_to": "datetime", "valid_precision": "string", ATTRIBUTES: ATTRIBUTES}
_CASTS: Mapping[str, Callable[["pd.Series[Any]", str], "pd.Series[Any]"]] = {
    "string": _texts,
    "date": _days,
    "datetime": _instants,
    ATTRIBUTES: _dicts,
}
"""How columns are cast of which the store does not answer the dtype itself."""
