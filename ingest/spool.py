"""Rows on disk while a draft is read: plain arrays and JSON, in a file of their own for each frame; nothing in it is run.

Columns of objects are texts, numbers, truth values and None, as readers make them. What a draft is: `ingest/draft.py`.
"""

import json
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from twin_model.changeset import Rows
from twin_model.rows.columns import coded, is_one
from twin_model.rows.coordinate_runs import CoordinateRuns
from twin_model.rows.packed_wkb import PackedWkb
from twin_model.rows.row_geometry import RowGeometry

__all__ = ["read_rows", "write_rows"]

Array = NDArray[Any]
_COLUMNS = ("ids", "valid_from", "valid_precision")


def write_rows(path: Path, rows: Rows) -> None:
    """Write rows without their content hashes; a column that holds one value throughout holds it once."""
    columns = {name: getattr(rows, name) for name in _COLUMNS}
    columns |= {f"column {name}": column for name, column in rows.columns.items()}
    runs, others = rows.shapes.runs, PackedWkb.of(rows.shapes.others)
    with path.open("wb") as file:
        head = {"columns": list(columns), "dimension": runs.dimension, "multi": rows.shapes.multi}
        _write_text(file, orjson.dumps(head))
        for array in (rows.bounds, rows.min_zoom, others.content, others.offsets, runs.rows, runs.x, runs.y, runs.offsets):  # fmt: skip
            np.save(file, array, allow_pickle=False)
        for column in columns.values():
            _write_column(file, column[:1] if is_one(column) else column)


def read_rows(path: Path, content: Array) -> Rows:
    """Return the rows of a file, with the content hashes that were not written."""
    with path.open("rb") as file:
        head = orjson.loads(_read_text(file))
        bounds, min_zoom, packed, places, *run = (_read(file) for _ in range(8))
        columns = {name: _read_column(file, len(content)) for name in head["columns"]}
    shapes = RowGeometry(PackedWkb(packed, places).objects(), CoordinateRuns(head["dimension"], *run), head["multi"])
    named = {name: columns.pop(name) for name in _COLUMNS}
    fields = {name.removeprefix("column "): column for name, column in columns.items()}
    return Rows(shapes=shapes, bounds=bounds, columns=fields, min_zoom=min_zoom, content=content, **named)


def _write_column(file: BinaryIO, column: Array) -> None:
    """Write a column, and before it how it is to be read."""
    codes = None
    if len(column) > 1 and column.dtype == object and set(map(type, column.tolist())) <= {str, type(None)}:
        codes, distinct = coded(column)
        if 2 * len(distinct) < len(column):  # one object a text, not a row: memory stays as it was
            column = np.append(distinct, np.array([None], dtype=object))
        else:
            codes = None
    kind, array = _encoded(column)
    _write_text(file, orjson.dumps([kind, codes is not None]))
    np.save(file, array, allow_pickle=False)
    if codes is not None:
        np.save(file, codes.astype(np.int32), allow_pickle=False)


def _encoded(column: Array) -> tuple[str, Array]:
    """Return how a column is written, and as what: objects as numbers with NaN for None, or as JSON."""
    if column.dtype != object:
        return "plain", column
    values = column.tolist()
    kinds = set(map(type, values))
    if kinds <= {float, type(None)} and float in kinds:
        numbers = column.astype(np.float64)
        if np.isnan(numbers).sum() == values.count(None):
            return "floats", numbers
    if kinds <= {str, int, bool, type(None)}:
        try:
            return "json", _as_bytes(orjson.dumps(values))
        except TypeError:  # a number beyond 64 bits, or half a character
            pass
    return "exact", _as_bytes(json.dumps(values, default=_plain).encode())


def _read_column(file: BinaryIO, count: int) -> Array:
    (kind, is_coded), array = orjson.loads(_read_text(file)), _read(file)
    if kind == "floats":
        column = array.astype(object)
        column[np.isnan(array)] = None
    elif kind == "plain":
        column = array
    else:
        values = (orjson if kind == "json" else json).loads(array.tobytes())
        column = np.array([*values, None], dtype=object)[:-1]
    if is_coded:
        return column[_read(file)]  # -1, the last, is None
    return np.repeat(column, count) if len(column) == 1 else column


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a column holds {type(value).__name__}")


def _as_bytes(text: bytes) -> Array:
    return np.frombuffer(text, np.uint8)


def _write_text(file: BinaryIO, text: bytes) -> None:
    np.save(file, _as_bytes(text), allow_pickle=False)


def _read_text(file: BinaryIO) -> bytes:
    return _read(file).tobytes()


def _read(file: BinaryIO) -> Array:
    return np.asarray(np.load(file, allow_pickle=False))
