"""`attributes`: what a source says and no field of ours has, as one JSON object a feature, and how it is read again.

The text is canonical (sorted keys, no blanks), so that the same says the same: it takes part in content hashes. Readers
make it of whole columns (`ingest/leftovers.py`).
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from twin_model.layer import ATTRIBUTES

__all__ = ["attributes_text", "flattened", "read_attributes", "with_flat_attributes"]


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
        return orjson.dumps(named, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()
    except TypeError:  # a whole number beyond 64 bits; what JSON has no form for is refused again
        return json.dumps(named, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_attributes(text: str | None) -> dict[str, Any]:
    """Return what a stored text says, nothing where there is none."""
    if not text:
        return {}
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError:
        read = json.loads(text)
    if not isinstance(read, dict):
        raise ValueError(text)
    return read


def flattened(texts: Iterable[str | None]) -> dict[str, NDArray[Any]]:
    """Return a column of objects for each name in the texts, in the order in which they first come; None where absent."""
    rows = [read_attributes(text) for text in texts]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([*(row.get(name) for row in rows), None], dtype=object)[:-1] for name in names}


def with_flat_attributes(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a frame in which each attribute is a column of its own, typed by its values; lists and objects are JSON texts.

    One whose name a field has already, in any case, is called `attributes.NAME`.
    """
    if ATTRIBUTES not in frame:
        return frame
    columns = flattened(frame[ATTRIBUTES].where(frame[ATTRIBUTES].notna(), None).tolist())
    frame = frame.drop(columns=ATTRIBUTES)
    taken = {str(name).lower() for name in (*frame.columns, frame.index.name or "id")}
    added = {}
    for name, column in columns.items():
        free = name if name.lower() not in taken else f"{ATTRIBUTES}.{name}"
        taken.add(free.lower())
        added[free] = pd.Series(_plain(column), index=frame.index)
    flat: gpd.GeoDataFrame = frame.assign(**added)
    return flat


def _plain(column: NDArray[Any]) -> Any:
    """Return a column as pandas would write it: numbers and truth values of one kind as such, texts, else JSON texts."""
    kinds = {type(value) for value in column if value is not None}
    if kinds == {bool}:
        return pd.array(column, dtype="boolean")
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in column):
        return pd.array(column, dtype="Int64")
    if kinds <= {int, float} and kinds:
        return pd.array(column, dtype="Float64")
    texts = [value if value is None or isinstance(value, str) else orjson.dumps(value).decode() for value in column]
    return np.array([*texts, None], dtype=object)[:-1]
