"""`attributes`: what a source says and no field of ours has, as one JSON object a feature, and how it is read again.

The text is canonical (sorted keys, no blanks), so that the same says the same: it takes part in content hashes. Readers
make it of whole columns (`ingest/leftovers.py`).
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from twin_model.layer import ATTRIBUTES

__all__ = [
    "attribute_names",
    "attributes_text",
    "flattened",
    "read_attributes",
    "read_json",
    "with_flat_attributes",
    "with_known_attributes",
]

_BEYOND_64_BITS = 2.0**63
"""From here on orjson may have made a float of a whole number."""

_EXACT_AS_FLOAT = 2**53
"""Up to here a float holds every whole number."""


def attributes_text(value: Any) -> str | None:
    """Return a dict, or the JSON text of one, as it is stored; None for nothing and for an empty one.

    Raises ValueError for what is no JSON object, TypeError for a value that JSON has no form for.
    """
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    read = read_attributes(value) if isinstance(value, str) else value
    if not isinstance(read, Mapping):
        raise ValueError(value)
    named = {str(name): each for name, each in read.items() if each is not None}
    if not named:
        return None
    try:
        return _written(named)
    except TypeError:  # of one value; the others are written as they are in a text without it
        members = (f"{_written_alone(name)}:{_written_alone(named[name])}" for name in sorted(named))
        return "{" + ",".join(members) + "}"


def _written(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()


def _written_alone(value: Any) -> str:
    """Return a value as JSON: a whole number beyond 64 bits too; what JSON has no form for is a TypeError."""
    try:
        return _written(value)
    except TypeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_attributes(text: str | None) -> dict[str, Any]:
    """Return what a stored text says, nothing where there is none."""
    if not text:
        return {}
    read = read_json(text)
    if not isinstance(read, dict):
        raise ValueError(text)
    return read


def read_json(text: str) -> Any:
    """Return the value of a JSON text; whole numbers keep every digit. Raises ValueError for what is no JSON."""
    read = _parsed(text)
    return _exactly_parsed(text) if _may_be_rounded(read) else read


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # half a character
        return _exactly_parsed(text)


def _exactly_parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    """Return the number that a text says; NaN, Infinity and 1e400 are none of JSON."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _may_be_rounded(value: Any) -> bool:
    """Return whether a read value holds a float that may have been a whole number beyond 64 bits."""
    if isinstance(value, float):
        return abs(value) >= _BEYOND_64_BITS
    if isinstance(value, dict | list):
        return any(map(_may_be_rounded, value.values() if isinstance(value, dict) else value))
    return False


def attribute_names(texts: Iterable[str | None]) -> set[str]:
    """Return the names under which some stored text says something; none of them says null."""
    names: set[str] = set()
    for text in set(texts):
        if text:
            names |= _parsed(text).keys()
    return names


def with_known_attributes(
    delivered: Iterable[str | None], known: Iterable[str | None], names: Collection[str]
) -> list[str | None]:
    """Return delivered texts with what is known under other names than `names`, of which the delivery says something."""
    return [_with_known(*texts, names) for texts in zip(delivered, known, strict=True)]


def _with_known(delivered: str | None, known: str | None, names: Collection[str]) -> str | None:
    others = {name: value for name, value in read_attributes(known).items() if name not in names}
    return attributes_text(others | read_attributes(delivered)) if others else delivered


def flattened(texts: Iterable[str | None]) -> dict[str, NDArray[Any]]:
    """Return a column of objects for each name in the texts, in the order in which they first come; None where absent."""
    rows = [read_attributes(text) for text in texts]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([*(row.get(name) for row in rows), None], dtype=object)[:-1] for name in names}


def with_flat_attributes(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a frame in which each attribute is a column of its own, typed by its values; lists and objects are JSON texts.

    One whose name a field has already, in any case, is called `attributes.NAME`; a character that no table can have in
    the name of a column is a space there.
    """
    if ATTRIBUTES not in frame:
        return frame
    columns = flattened(frame[ATTRIBUTES].where(frame[ATTRIBUTES].notna(), None).tolist())
    frame = frame.drop(columns=ATTRIBUTES)
    taken = {str(name).lower() for name in (*frame.columns, frame.index.name or "id")}
    added = {}
    for name, column in columns.items():
        free = _free_name(name, taken)
        taken.add(free.lower())
        added[free] = pd.Series(_plain(column), index=frame.index)
    flat: gpd.GeoDataFrame = frame.assign(**added)
    return flat


def _free_name(name: str, taken: Collection[str]) -> str:
    free = "".join(letter if letter.isprintable() else " " for letter in name).strip() or ATTRIBUTES
    while free.lower() in taken:
        free = f"{ATTRIBUTES}.{free}"
    return free


def _plain(column: NDArray[Any]) -> Any:
    """Return a column as pandas would write it: numbers and truth values of one kind as such, texts, else JSON texts.

    Whole numbers that do not fit are texts too: a float would lose their last digits.
    """
    kinds = {type(value) for value in column if value is not None}
    if kinds == {bool}:
        return pd.array(column, dtype="boolean")
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in column):
        return pd.array(column, dtype="Int64")
    if kinds and kinds <= {int, float} and all(map(_is_exact_as_float, column)):
        return pd.array(column, dtype="Float64")
    texts = [value if value is None or isinstance(value, str) else _written_alone(value) for value in column]
    return np.array([*texts, None], dtype=object)[:-1]


def _is_exact_as_float(value: Any) -> bool:
    return value is None or isinstance(value, float) or abs(value) <= _EXACT_AS_FLOAT
