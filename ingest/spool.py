"""Rows on disk while a draft is read: plain arrays and JSON, in a file of their own for each frame; nothing in it is run.

Columns of objects are texts, numbers, truth values and None, as readers make them. What a draft is: `ingest/draft.py`.
A file has its name when it is whole, so another process may read the spool of a draft that is still being read.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Rows, Scope
from twin_model.rows.columns import coded, is_one
from twin_model.rows.content import contents_from, words_of
from twin_model.rows.coordinate_runs import CoordinateRuns
from twin_model.rows.packed_wkb import PackedWkb
from twin_model.rows.row_geometry import RowGeometry
from twin_model.temporal import Instant

__all__ = ["Spool", "SpooledFrame", "read_rows", "write_rows"]

Array = NDArray[Any]
_COLUMNS = ("ids", "valid_from", "valid_precision")


@dataclass(frozen=True)
class SpooledFrame:
    """Rows of one layer in a file of the spool, since when they hold and what their source could have seen.

    Those that may go into the store before the source is read to its end are `early`.
    """

    path: Path
    layer: str
    since: Instant
    scope: Scope
    early: bool = True

    @cached_property
    def words(self) -> Array:
        """The content hashes of the rows, two words each (n, 2); they stay in memory once they were asked for."""
        with self.path.open("rb") as file:
            _read_text(file)
            return _read(file)

    def rows(self) -> Rows:
        """Return the rows, read from disk anew."""
        return read_rows(self.path, contents_from(self.words))

    def __getstate__(self) -> dict[str, Any]:
        """Leave the hashes on disk: another process reads them there."""
        return {name: value for name, value in self.__dict__.items() if name != "words"}


class Spool:
    """The frames of a draft in a folder of its own, in the order they came."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frames: list[SpooledFrame] = []

    def add(self, layer: str, rows: Rows, since: Instant, scope: Scope, *, early: bool = True) -> None:
        """Write the next frame."""
        path, part = self._path(), self.folder / "part"
        about = {"layer": layer, "since": since, "scope": _scope_fields(scope), "early": early}
        write_rows(part, rows, about)
        part.replace(path)
        frame = SpooledFrame(path, layer, since, scope, early)
        self.frames.append(frame)

    def grow(self) -> Iterator[SpooledFrame]:
        """Yield the frames that another process has added to the folder since this was last asked."""
        while (path := self._path()).exists():
            with path.open("rb") as file:
                about = orjson.loads(_read_text(file))["about"]
            scope = _scope_from(about["scope"])
            frame = SpooledFrame(path, about["layer"], about["since"], scope, about["early"])
            self.frames.append(frame)
            yield frame

    def _path(self) -> Path:
        return self.folder / f"{len(self.frames):06d}.rows"


def _scope_fields(scope: Scope) -> dict[str, Any]:
    area = None if scope.area is None else shapely.to_wkb(scope.area, hex=True)
    return {"reach": scope.reach, "name": scope.name, "series": scope.series, "area": area}


def _scope_from(fields: dict[str, Any]) -> Scope:
    area = fields["area"]
    return Scope(**(fields | {"area": None if area is None else shapely.from_wkb(area)}))


def write_rows(path: Path, rows: Rows, about: dict[str, Any] | None = None) -> None:
    """Write rows and their content hashes; a column that holds one value throughout holds it once.

    `about` is what else is to be known of them, as JSON.
    """
    columns = {name: getattr(rows, name) for name in _COLUMNS}
    columns |= {f"column {name}": column for name, column in rows.columns.items()}
    runs, others = rows.shapes.runs, PackedWkb.of(rows.shapes.others)
    with path.open("wb") as file:
        head = {"columns": list(columns), "dimension": runs.dimension, "multi": rows.shapes.multi, "about": about}
        _write_text(file, orjson.dumps(head))
        _write(file, words_of(rows.content))
        for array in (rows.bounds, rows.min_zoom, others.content, others.offsets, runs.rows, runs.x, runs.y, runs.offsets):  # fmt: skip
            _write(file, array)
        for column in columns.values():
            _write_column(file, column[:1] if is_one(column) else column)


def read_rows(path: Path, content: Array) -> Rows:
    """Return the rows of a file with the content hashes as they are in memory."""
    with path.open("rb") as file:
        head = orjson.loads(_read_text(file))
        _read(file)
        bounds, min_zoom, packed, places, *run = (_read(file) for _ in range(8))
        columns = {name: _read_column(file, len(content)) for name in head["columns"]}
    shapes = RowGeometry(PackedWkb(packed, places).objects(), CoordinateRuns(head["dimension"], *run), head["multi"])
    ids, valid_from, valid_precision = (columns.pop(name) for name in _COLUMNS)
    fields = {name.removeprefix("column "): column for name, column in columns.items()}
    return Rows(ids, shapes, bounds, fields, valid_from, valid_precision, min_zoom, content)


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
    _write(file, array)
    if codes is not None:
        _write(file, codes.astype(np.int32))


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
    _write(file, _as_bytes(text))


def _write(file: BinaryIO, array: Array) -> None:
    """Write an array as NumPy's own files have it, by way of the file: NumPy does not tell why a disk takes nothing more."""
    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    file.write(array.reshape(-1).view(np.uint8).data if array.size else b"")


def _read_text(file: BinaryIO) -> bytes:
    return _read(file).tobytes()


def _read(file: BinaryIO) -> Array:
    return np.asarray(np.load(file, allow_pickle=False))
