"""Values of a source as the types of our fields. What cannot be read is left empty and named by its row.

Columns that already have the type pass whole; others are read once per distinct value.
"""

import math
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from twin_model.errors import TwinError
from twin_model.layer import Field
from twin_model.rows.columns import coded
from twin_model.temporal import parse_instant

__all__ = ["date_text", "is_absent", "typed"]


def typed(raw: NDArray[Any], one: Field, zone: str) -> tuple[NDArray[Any], list[int]]:
    """Return a column in the field's type, NULL (None, or NaN among numbers) where absent, and the rows not read.

    Numbers come as float64, whole numbers as int64 where none is missing, all else as objects.
    """
    if one.type == "string" and not one.format and raw.dtype == object:
        return _texts(raw), []
    if one.type == "number" and raw.dtype.kind in "fiu":
        numbers = raw.astype(np.float64)
        wrong = np.flatnonzero(np.isinf(numbers)).tolist()
        numbers[wrong] = np.nan
        return numbers, wrong
    if one.type == "integer" and raw.dtype.kind in "iu":
        return raw.astype(np.int64), []
    return _each_once(raw, _reader(one, zone), one)


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


def _each_once(raw: NDArray[Any], read: Callable[[Any], Any], one: Field) -> tuple[NDArray[Any], list[int]]:
    """Read every distinct value once and spread the results."""
    codes, distinct = coded(raw)
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
    if one.type == "number":
        column = np.array([math.nan if v is None else v for v in column], dtype=np.float64)
    return column, np.flatnonzero(unread[codes]).tolist()


def _reader(one: Field, zone: str) -> Callable[[Any], Any]:
    simple: dict[str, Callable[[Any], Any]] = {
        "string": _text,
        "integer": _integer,
        "number": _number,
        "boolean": _boolean,
    }
    if one.format == "json":
        return _json
    if one.type in simple:
        return simple[one.type]
    if one.type == "date":
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


def _integer(value: Any) -> int:
    number = float(value)
    if not number.is_integer():
        raise ValueError(value)
    return int(number)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


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
