"""Values of a source as the types of our fields. What cannot be read is left empty and named by its row.

Columns that already have the type pass whole; others are read once per distinct value, numbers of texts as
`ingest/number_text.py` reads them.
"""

import math
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from ingest.number_text import comma_of, is_no_value, read_number, whole_number
from twin_model.errors import TwinError
from twin_model.layer import Field
from twin_model.rows.columns import coded
from twin_model.temporal import parse_instant

__all__ = ["date_text", "is_absent", "rounded_rows", "typed"]

_MOST_EXACT = 2**53
"""From here on a float no longer holds every whole number: what came as one may have lost its last digits."""

_LEAST, _MOST = -(2**63), 2**63 - 1
"""The whole numbers a store holds."""

_WHOLE = {int, bool, type(None)}
_NUMERIC = ("integer", "number")


def typed(raw: NDArray[Any], field: Field, zone: str) -> tuple[NDArray[Any], list[int]]:
    """Return a column in the field's type, NULL (None, or NaN among numbers) where absent, and the rows not read.

    Numbers come as float64, whole numbers to their last digit as int64 where none is missing, all else as objects.
    """
    if field.type == "string" and not field.format and raw.dtype == object:
        return _texts(raw), []
    if field.type == "number" and raw.dtype.kind in "fiu":
        numbers = raw.astype(np.float64)
        wrong = np.flatnonzero(np.isinf(numbers)).tolist()
        numbers[wrong] = np.nan
        return numbers, wrong
    if field.type == "integer" and raw.dtype.kind in "iu" and (raw.dtype.kind == "i" or not (raw > _MOST).any()):
        return raw.astype(np.int64), []
    if field.type == "number" and raw.dtype == object and set(map(type, raw.tolist())) <= _WHOLE:
        return np.array([math.nan if value is None else value for value in raw.tolist()], dtype=np.float64), []
    return _each_once(raw, field, zone)


def rounded_rows(raw: NDArray[Any], field: Field) -> list[int]:
    """Return rows of whole numbers with more digits than a float holds, where they came as floats or become some."""
    if raw.dtype.kind == "f" and field.type != "number":
        return np.flatnonzero(np.isfinite(raw) & (np.abs(raw) > _MOST_EXACT) & (raw == np.trunc(raw))).tolist()
    if raw.dtype.kind in "iu" and field.type == "number":
        return [
            row for row in np.flatnonzero(np.abs(raw) > _MOST_EXACT).tolist() if int(float(raw[row])) != int(raw[row])
        ]
    lossy = int if field.type == "number" else float
    if raw.dtype != object or lossy not in set(map(type, values := raw.tolist())):
        return []
    return [row for row, value in enumerate(values) if type(value) is lossy and _loses(value, lossy)]


def _loses(value: Any, kind: type) -> bool:
    return bool(int(float(value)) != value if kind is int else _MOST_EXACT < abs(value) < math.inf)


def _texts(raw: NDArray[Any]) -> NDArray[Any]:
    """Return trimmed texts, None where nothing is left; each distinct value is looked at once."""
    codes, distinct = coded(raw)
    texts = np.full(len(distinct) + 1, None, dtype=object)
    texts[:-1] = _trimmed(distinct)
    texts[texts == ""] = None
    return np.asarray(texts[codes])


def _trimmed(values: NDArray[Any]) -> list[str | None]:
    """Return values as texts without blanks around them; where all are texts without NUL that is one call a value."""
    if set(map(type, values)) <= {str} and "\x00" not in "".join(values):
        return list(map(str.strip, values))
    return [_text(value) for value in values]


def _each_once(raw: NDArray[Any], field: Field, zone: str) -> tuple[NDArray[Any], list[int]]:
    """Read every distinct value once and spread the results."""
    codes, distinct = coded(raw)
    read = _number_reader(field, distinct) if field.type in _NUMERIC else _reader(field, zone)
    results = np.full(len(distinct) + 1, None, dtype=object)
    unread = np.zeros(len(distinct) + 1, dtype=bool)
    for position, value in enumerate(distinct):
        if is_absent(value):
            continue
        try:
            results[position] = read(value)
        except (ValueError, TypeError, OverflowError, TwinError):
            unread[position] = True
    column = results[codes]
    if field.type == "number":
        column = np.array([math.nan if v is None else v for v in column], dtype=np.float64)
    return column, np.flatnonzero(unread[codes]).tolist()


def _reader(field: Field, zone: str) -> Callable[[Any], Any]:
    simple: dict[str, Callable[[Any], Any]] = {"string": _text, "boolean": _boolean}
    if field.format == "json":
        return _json
    if field.type in simple:
        return simple[field.type]
    if field.type == "date":
        return lambda value: _day(value, zone)
    return lambda value: parse_instant(date_text(value), zone)[0]


def is_absent(value: Any) -> bool:
    return (
        value is None
        or value is pd.NaT
        or value is pd.NA
        or (isinstance(value, float) and math.isnan(value))
        or value == ""
    )


def _number_reader(field: Field, distinct: NDArray[Any]) -> Callable[[Any], Any]:
    """Return what reads a value of a column as a number in the field's unit; all its texts tell what a comma means."""
    comma = comma_of(value for value in distinct if isinstance(value, str))

    def integer(value: Any) -> int | None:
        if isinstance(value, str):
            number = None if is_no_value(value) else whole_number(value, comma=comma)
        elif float(value).is_integer():
            number = int(value)
        else:
            raise ValueError(value)
        if number is not None and not _LEAST <= number <= _MOST:
            raise ValueError(value)
        return number

    def number(value: Any) -> float | None:
        if isinstance(value, str) and is_no_value(value):
            return None
        read = float(read_number(value, unit=field.unit, comma=comma) if isinstance(value, str) else value)
        if not math.isfinite(read):
            raise ValueError(value)
        return read

    return integer if field.type == "integer" else number


def _text(value: Any) -> str | None:
    if is_absent(value):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).replace("\x00", "").strip() or None


def _json(value: Any) -> str | None:
    """Return a text that is JSON; what leaves the house as what it means must have a meaning."""
    text = _text(value)
    orjson.loads(text or "null")
    return text


def _boolean(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in {"1", "true", "t", "yes", "y", "是", "1.0"}:
        return True
    if text in {"0", "false", "f", "no", "n", "否", "0.0"}:
        return False
    raise ValueError(value)


def date_text(value: Any) -> str:
    """Return a date of any make as text that `parse_instant` reads."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if "T" in str(value) else str(value).strip().replace("/", "-")


def _day(value: Any, zone: str) -> str:
    """Return the text of a date as it was said: "2019", "2019-05" or "2019-05-01"; a bare year keeps its precision."""
    text = date_text(value)
    parse_instant(text, zone)
    digits = text.split("T")[0].split(" ")[0]
    if digits.isdigit() and len(digits) == 8:
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    return digits
