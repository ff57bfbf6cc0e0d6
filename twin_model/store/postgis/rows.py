"""Rows in the binary form of PostgreSQL's COPY, made column by column: Arrow joins the fields of all rows at once and
lets other threads go on meanwhile. pyarrow is known here and where vector files are streamed (`ingest/vector/stream.py`).

The form: a head; for each row the number of its fields (int16), for each field its length (int32, -1 for NULL) and its
bytes, all big-endian; a tail. Geometry is WKB with the number of its CRS, little-endian. Source: PostgreSQL's
documentation of COPY, "Binary Format", and PostGIS's of ST_AsEWKB.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg import errors, sql

from twin_model.store.select import quoted

__all__ = ["copy_rows"]

_HEAD, _TAIL = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_ROWS = 5_000
"""So many rows are encoded at once: what is sent stands in memory twice."""

_BYTES = pa.large_binary()
_NOTHING = pa.scalar(b"", _BYTES)
_HAS_SRID = 0x20
"""In the highest byte of a geometry's type."""

Bytes = NDArray[np.uint8]
Column = Sequence[Any]


def copy_rows(
    connection: "psycopg.Connection[Any]",
    table: str,
    columns: Mapping[str, Column],
    kinds: Mapping[str, str],
    srid: int = 0,
) -> None:
    """Put rows given by column into a table; what they are encoded of is told in `encoded`."""
    text = f"COPY {quoted(table)} ({', '.join(map(quoted, columns))}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(cast("sql.SQL", text)) as copy:
        for piece in encoded(columns, kinds, srid):
            copy.write(piece)


def encoded(columns: Mapping[str, Column], kinds: Mapping[str, str], srid: int) -> Iterator[memoryview]:
    """Yield what COPY is sent for rows given by column, in pieces.

    `kinds` are int8, int4, float8, bool, text, bytea and geometry (ISO WKB, little-endian). None is NULL; what is no number of
    a column of numbers is unknown, as SQLite has it, and what is no text of a column of texts becomes one.
    """
    count = len(next(iter(columns.values())))
    yield memoryview(_HEAD)
    for start in range(0, count, _ROWS):
        fields = [_FIELDS[kinds[name]](column[start : start + _ROWS], srid) for name, column in columns.items()]
        yield _joined(fields, min(_ROWS, count - start))
    yield memoryview(_TAIL)


def _joined(fields: list[list[Bytes | pa.Array]], count: int) -> memoryview:
    """Return the rows made of pieces that stand side by side: bytes (n, width), or Arrow's binary of any length."""
    pieces: list[pa.Array] = []
    beside: list[Bytes] = [_big(np.full(count, len(fields)), ">i2")]
    for piece in (part for field in fields for part in field):
        if isinstance(piece, np.ndarray):
            beside.append(piece)
        else:
            pieces += [_ragged(np.hstack(beside)), piece] if beside else [piece]
            beside = []
    if beside:
        pieces.append(_ragged(np.hstack(beside)))
    rows = pc.binary_join_element_wise(*pieces, _NOTHING)
    return _content(rows)[: int(_offsets(rows)[-1])].data


def _numbers(
    kind: pa.DataType, form: str, plain: Callable[[Any], Any]
) -> Callable[[Column, int], list[Bytes | pa.Array]]:
    """Return what makes the fields of a column of numbers of a form of numpy's."""
    width = np.dtype(form).itemsize

    def fields(column: Column, srid: int) -> list[Bytes | pa.Array]:
        try:
            array = pa.array(column, kind)
        except (ValueError, TypeError):
            array = pa.array([None if value is None or value != value else plain(value) for value in column], kind)
        except OverflowError as error:
            raise errors.NumericValueOutOfRange(f"a number is too large: {error}") from error
        present = array.is_valid().to_numpy(zero_copy_only=False)
        values = array.fill_null(plain(0)).to_numpy(zero_copy_only=False)
        if kind == pa.float64():
            present &= ~np.isnan(values)
        return _fields(present, np.where(present, width, -1), _big(values, form))

    return fields


def _texts(column: Column, srid: int) -> list[Bytes | pa.Array]:
    try:
        array = pa.array(column, pa.large_string())
    except TypeError:
        texts = (value if value is None or type(value) is str else str(value) for value in column)
        array = pa.array(list(texts), pa.large_string())
    return [_big(_lengths(array), ">i4"), array.fill_null("").view(_BYTES)]


def _bytes(column: Column, srid: int) -> list[Bytes | pa.Array]:
    array = pa.array(column, _BYTES)
    return [_big(_lengths(array), ">i4"), array.fill_null(b"")]


def _geometries(column: Column, srid: int) -> list[Bytes | pa.Array]:
    array = pa.array(column, _BYTES)
    lengths, present = _lengths(array), array.is_valid().to_numpy(zero_copy_only=False)
    array = array.fill_null(b"")
    heads = np.zeros((len(array), 9), dtype=np.uint8)
    heads[:, :5] = _heads(array, present)
    heads[:, 4] |= _HAS_SRID
    heads[:, 5:] = np.frombuffer(np.int32(srid).astype("<i4").tobytes(), np.uint8)
    return [
        *_fields(present, np.where(present, lengths + 4, -1), heads),
        pc.binary_replace_slice(array, 0, 5, b""),
    ]


def _heads(array: pa.Array, present: NDArray[np.bool_]) -> Bytes:
    """Return byte order and type of geometries (n, 5), zeros where there is none; mostly they are all the same."""
    first = array[int(present.argmax())].as_py()[:5]
    if pc.starts_with(array, first).to_numpy(zero_copy_only=False)[present].all():
        return np.frombuffer(first.ljust(5, b"\0"), np.uint8) * present[:, None]
    heads = np.zeros((len(array), 5), dtype=np.uint8)
    heads[present] = _content(array)[_offsets(array)[:-1][present, None] + np.arange(5)]
    return heads


def _fields(present: NDArray[np.bool_], lengths: NDArray[Any], content: Bytes) -> list[Bytes | pa.Array]:
    """Return lengths and bytes (n, width) of fields; those that are NULL have none."""
    if present.all():
        return [_big(lengths, ">i4"), content]
    return [_big(lengths, ">i4"), _ragged(content, present)]


def _big(values: NDArray[Any], form: str) -> Bytes:
    """Return numbers as bytes (n, width) of a form of numpy's."""
    return np.ascontiguousarray(values.astype(form)).view(np.uint8).reshape(len(values), -1)


def _ragged(content: Bytes, present: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return bytes (n, width) as Arrow's binary, empty where nothing is there."""
    count, width = content.shape
    if present is None:
        offsets = np.arange(count + 1, dtype=np.int64) * width
    else:
        offsets, content = np.concatenate(([0], np.cumsum(present * width))), content[present]
    buffers = [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(np.ascontiguousarray(content))]
    return pa.Array.from_buffers(_BYTES, count, buffers)


def _lengths(array: pa.Array) -> NDArray[Any]:
    return np.asarray(pc.binary_length(array).fill_null(-1).to_numpy())


def _offsets(array: pa.Array) -> NDArray[np.int64]:
    return np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]


def _content(array: pa.Array) -> Bytes:
    return np.frombuffer(array.buffers()[2] or b"", np.uint8)


_FIELDS: Mapping[str, Callable[[Column, int], list[Bytes | pa.Array]]] = {
    "int8": _numbers(pa.int64(), ">i8", int),
    "int4": _numbers(pa.int32(), ">i4", int),
    "float8": _numbers(pa.float64(), ">f8", float),
    "bool": _numbers(pa.bool_(), ">i1", bool),
    "text": _texts,
    "bytea": _bytes,
    "geometry": _geometries,
}
