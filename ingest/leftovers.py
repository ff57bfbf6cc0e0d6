"""Columns of a source that no field of ours takes -> `attributes`: one JSON object a row, made of whole columns.

    frame["attributes"] = leftover_attributes({"OWNER": owners, "面积": areas})

Names and values are those of the source: numbers exact, truth values, dates as ISO text, JSON as what it means. What is
absent is left out. How they are stored and read: `twin_model/rows/attributes.py`.
"""

import json
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ingest.values import is_absent
from twin_model.rows.attributes import read_json
from twin_model.rows.columns import coded

__all__ = ["leftover_attributes", "nested_texts"]


def leftover_attributes(
    columns: Mapping[str, NDArray[Any]], rows: int, *, json_columns: Collection[str] = ()
) -> NDArray[Any]:
    """Return the JSON text of each row, keys sorted, None for a row of which every column is absent.

    Texts of `json_columns` are JSON and stand as what they mean.
    """
    parts = [_members(name, columns[name], name in json_columns) for name in sorted(columns)]
    texts = np.full(rows, None, dtype=object)
    if parts:
        texts[:] = ["{" + ",".join(filter(None, members)) + "}" for members in zip(*parts, strict=True)]
        texts[texts == "{}"] = None
    return texts


def nested_texts(column: NDArray[Any]) -> NDArray[Any]:
    """Return lists as JSON texts, bytes as hexadecimal ones, None where there is nothing."""
    texts = [None if is_absent_value(value) else _nested_text(value) for value in column.tolist()]
    return np.array([*texts, None], dtype=object)[:-1]


def _nested_text(value: Any) -> str:
    return value if isinstance(value, str) else value.hex() if isinstance(value, bytes) else _written(value)


def _members(name: str, column: NDArray[Any], is_json: bool) -> list[str]:
    """Return `"name":value` for each row, nothing where it is absent; each distinct value is written once."""
    key = orjson.dumps(name).decode() + ":"
    if column.dtype.kind in "iub":
        return [key + value for value in _numbers(column)]
    if column.dtype.kind == "f":
        written = [key + value for value in _numbers(np.where(np.isfinite(column), column, 0.0))]
        for row in np.flatnonzero(~np.isfinite(column)).tolist():
            written[row] = "" if np.isnan(column[row]) else f'{key}"{column[row]}"'
        return written
    alike = len(set(map(type, column.tolist())) - {type(None)}) < 2  # else 1, 1.0 and True would be one
    codes, distinct = coded(column) if alike else (np.arange(len(column)), column)
    members = [_member(key, value, is_json) for value in distinct]
    return list(map([*members, ""].__getitem__, codes.tolist()))  # -1, the last, is absent


def _numbers(column: NDArray[Any]) -> list[str]:
    """Return numbers as JSON writes them, all at once."""
    if not len(column):
        return []
    return orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY).decode()[1:-1].split(",")


def _member(key: str, value: Any, is_json: bool) -> str:
    if is_absent_value(value):
        return ""
    if is_json and isinstance(value, str):
        try:
            meant = read_json(value)
        except ValueError:
            return key + _written(value)
        return "" if meant is None else key + _written(meant)
    return key + _written(value)


def is_absent_value(value: Any) -> bool:
    """Return whether a value says nothing; a list or an array says something."""
    return not isinstance(value, list | np.ndarray | dict) and is_absent(value)


def _written(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY, default=_plain).decode()
    except TypeError:  # a whole number beyond 64 bits, or half a character
        return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    """Return a value that JSON has no form for as one that it has."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)
