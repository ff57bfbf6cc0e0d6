"""`attributes`: what a source says and no field of ours has, as one JSON object a feature, and how it is read again.

The text is canonical (sorted keys, no blanks), so that the same says the same: it takes part in content hashes. Readers
make it of whole columns (`ingest/leftovers.py`).
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from twin_model.layer import ATTRIBUTES

__all__ = [
    "FlatColumns",
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


class FlatColumns:
    """The columns that attributes become in a table, known once the texts of all its rows were added.

    One whose name a field has already, in any case, is called `attributes.NAME`; a character that no table can have in
    the name of a column is a space there.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, set[FlatKind]] = {}

    def add(self, texts: Iterable[str | None]) -> None:
        """Look at the texts of further rows: under which names they say something, and of which kind."""
        for text in texts:
            for name, value in read_attributes(text).items():
                kinds = self._kinds.setdefault(name, set())
                if value is not None:
                    kinds.add(_kind_of(value))

    def names(self, columns: Iterable[str]) -> dict[str, str]:
        """Return for each attribute, in the order in which they first came, the name of its column beside other columns."""
        taken = {name.lower() for name in columns}
        names = {}
        for name in self._kinds:
            names[name] = _free_name(name, taken)
            taken.add(names[name].lower())
        return names

    def kind(self, name: str) -> Literal["boolean", "integer", "number", "string"]:
        """Return the type of a column: numbers and truth values of one kind are such, all else are texts.

        Whole numbers that do not fit are texts too: a float would lose their last digits.
        """
        kinds = self._kinds[name]
        if kinds == {"boolean"}:
            return "boolean"
        if kinds and kinds <= {"integer", "long integer"}:
            return "integer"
        return "number" if kinds and kinds <= {"integer", "number"} else "string"

    def values(self, name: str, rows: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Return the column of read attributes; lists and objects are JSON texts."""
        values = [row.get(name) for row in rows]
        kind = self.kind(name)
        if kind == "number":
            return [None if value is None else float(value) for value in values]
        if kind != "string":
            return values
        return [value if value is None or isinstance(value, str) else _written_alone(value) for value in values]


FlatKind = Literal["boolean", "integer", "long integer", "number", "string"]


def _kind_of(value: Any) -> FlatKind:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        if abs(value) <= _EXACT_AS_FLOAT:
            return "integer"
        return "long integer" if -(2**63) <= value < 2**63 else "string"
    return "number" if isinstance(value, float) else "string"


_DTYPES: Mapping[str, Any] = {"boolean": "boolean", "integer": "Int64", "number": "Float64"}


def with_flat_attributes(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a frame in which each attribute is a column of its own, typed by its values (see `FlatColumns`)."""
    if ATTRIBUTES not in frame:
        return frame
    texts = frame[ATTRIBUTES].where(frame[ATTRIBUTES].notna(), None).tolist()
    frame, columns = frame.drop(columns=ATTRIBUTES), FlatColumns()
    columns.add(texts)
    rows = [read_attributes(text) for text in texts]
    added = {}
    for name, free in columns.names([*map(str, frame.columns), str(frame.index.name or "id")]).items():
        values, dtype = columns.values(name, rows), _DTYPES.get(columns.kind(name))
        plain = np.array([*values, None], dtype=object)[:-1] if dtype is None else pd.array(values, dtype=dtype)
        added[free] = pd.Series(plain, index=frame.index)
    flat: gpd.GeoDataFrame = frame.assign(**added)
    return flat


def _free_name(name: str, taken: Collection[str]) -> str:
    free = "".join(letter if letter.isprintable() else " " for letter in name).strip() or ATTRIBUTES
    while free.lower() in taken:
        free = f"{ATTRIBUTES}.{free}"
    return free
