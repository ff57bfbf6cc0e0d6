"""Properties of a vector tile's features: tables of keys and values without repetition, and tags that point into them."""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tiles.varint import Ragged, length_delimited, varint, varint_sizes, varints, zigzag

__all__ = ["Column", "tags_of"]

Column = NDArray[Any] | Sequence[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Geometries = NDArray[np.object_]

BOOL, INT, FLOAT, TEXT, TIME, ABSENT = range(6)


def tags_of(properties: Mapping[str, Column], rows: Ints) -> tuple[Ragged, bytes, bytes]:
    """Return key and value numbers of each row, and the two tables they point into, without repetitions."""
    keys: list[str] = []
    cells: dict[int, list[tuple[int, Ints, NDArray[Any]]]] = {BOOL: [], INT: [], FLOAT: [], TEXT: []}
    for key, column in properties.items():
        typed = [(kind, at, values) for kind, at, values in _typed(key, column, rows) if len(at)]
        for kind, at, values in typed:
            cells[kind].append((len(keys), at, values))
        keys += [key] if typed else []
    numbers, table = _value_table(cells, np.full((len(rows), len(keys)), -1, dtype=np.int64))
    row, key_number = np.nonzero(numbers >= 0)
    pairs = np.column_stack((key_number, numbers[row, key_number])).astype(np.uint64)
    tags = Ragged(pairs.ravel(), 2 * np.bincount(row, minlength=len(rows)))
    return tags, b"".join(length_delimited(0x1A, key.encode()) for key in keys), table


def _value_table(cells: Mapping[int, list[tuple[int, Ints, NDArray[Any]]]], numbers: Ints) -> tuple[Ints, bytes]:
    """Fill in the value number of every (row, key); return it with the Value messages, one for each value.

    The most frequent values come first: a number below 128 takes one byte in a tag, others take two or three.
    """
    writers: dict[int, Callable[[NDArray[Any]], tuple[Ints, list[bytes]]]] = {
        BOOL: _bool_values,
        INT: _int_values,
        FLOAT: _float_values,
        TEXT: _text_values,
    }
    messages: list[bytes] = []
    for kind, columns in cells.items():
        if not columns:
            continue
        code, written = writers[kind](np.concatenate([values for _, _, values in columns]))
        ends = np.cumsum([len(at) for _, at, _ in columns])
        for (key, at, _), codes in zip(columns, np.split(code, ends[:-1]), strict=True):
            numbers[at, key] = codes + len(messages)
        messages += written
    order = np.argsort(-np.bincount(numbers[numbers >= 0], minlength=len(messages)), kind="stable")
    rank = np.full(len(messages) + 1, -1)
    rank[order] = np.arange(len(messages))
    return rank[numbers], b"".join([messages[index] for index in order])


def _typed(key: str, column: Column, rows: Ints) -> list[tuple[int, Ints, NDArray[Any]]]:
    """Return the present cells of a column as (kind, positions, values), one entry for each kind found."""
    # np.asarray would turn the list [1, "a"] into two strings, and an Int64 column with NA into floats.
    plain = isinstance(column, np.ndarray) or isinstance(getattr(column, "dtype", None), np.dtype)
    whole = np.asarray(column) if plain else np.fromiter(column, object, len(column))
    values, at = whole[rows], np.arange(len(rows))
    match values.dtype.kind:
        case "b":
            return [(BOOL, at, values)]
        case "i" | "u":
            return [_integers(at, values)]
        case "f":
            return [_present_floats(at, values)]
        case "M":
            at = np.flatnonzero(~np.isnat(values))
            return [(TEXT, at, np.datetime_as_string(values[at], unit="auto").astype(object))]
        case "U" | "T":
            return [(TEXT, at, values.astype(object))]
        case "O":
            return _typed_objects(key, at, values)
    raise TypeError(f"Column {key!r} is {values.dtype}; MVT has text, numbers and booleans. Convert it first.")


def _typed_objects(key: str, at: Ints, values: Geometries) -> list[tuple[int, Ints, NDArray[Any]]]:
    """Return the cells of a column of Python objects; one type per cell, so types may be mixed."""
    kinds = {each: _kind_of(key, each) for each in set(map(type, values))}
    kind = np.fromiter(map(kinds.__getitem__, map(type, values)), np.int64, len(values))
    bools, ints, floats, texts, times = (at[kind == each] for each in (BOOL, INT, FLOAT, TEXT, TIME))
    return [
        (BOOL, bools, values[bools].astype(bool)),
        _integers(ints, values[ints]),
        _present_floats(floats, values[floats]),
        (TEXT, texts, values[texts]),
        (TEXT, times, np.array([value.isoformat() for value in values[times]], dtype=object)),
    ]


def _kind_of(key: str, kind: type) -> int:
    # bool is an int and Timestamp a date: the narrower type stands first.
    known: tuple[tuple[tuple[type, ...], int], ...] = (
        ((type(None), type(pd.NA), type(pd.NaT)), ABSENT),
        ((bool, np.bool_), BOOL),
        ((int, np.integer), INT),
        ((float, np.floating, Decimal), FLOAT),
        ((str,), TEXT),
        ((date, time), TIME),
    )
    for types, code in known:
        if issubclass(kind, types):
            return code
    raise TypeError(f"Column {key!r} holds {kind.__name__}; MVT has text, numbers, booleans. Convert it first.")


def _integers(at: Ints, values: NDArray[Any]) -> tuple[int, Ints, NDArray[Any]]:
    """Return int64 cells; where a value is out of its range (2^63), the column is written as doubles."""
    if len(values) and not -(2**63) <= int(values.min()) <= int(values.max()) < 2**63:
        return FLOAT, at, values.astype(np.float64)
    return INT, at, values.astype(np.int64)


def _present_floats(at: Ints, values: NDArray[Any]) -> tuple[int, Ints, NDArray[Any]]:
    numbers = values.astype(np.float64)
    present = ~np.isnan(numbers)
    return FLOAT, at[present], numbers[present]


def _bool_values(values: Bools) -> tuple[Ints, list[bytes]]:
    distinct, code = np.unique(values, return_inverse=True)
    return code, [b"\x22\x02\x38" + bytes([int(value)]) for value in distinct]


def _int_values(values: Ints) -> tuple[Ints, list[bytes]]:
    """Return uint_value (5) for numbers from 0 and sint_value (6) below: int_value takes 10 bytes for -1."""
    distinct, code = np.unique(values, return_inverse=True)
    number = np.where(distinct < 0, zigzag(distinct), distinct.view(np.uint64))
    tag, every = np.where(distinct < 0, 0x30, 0x28), np.ones(len(distinct), dtype=bool)
    messages = Ragged.of_columns(0x22, 1 + varint_sizes(number), tag, number, where=every)
    written, end = varints(messages.values), np.cumsum(messages.byte_count()).tolist()
    return code, [written[start:stop] for start, stop in zip([0, *end], end, strict=False)]


def _float_values(values: Floats) -> tuple[Ints, list[bytes]]:
    """Return float_value (2) where 32 bits hold the number exactly, double_value (3) for all others."""
    # Bit patterns, so that -0.0 stays itself.
    bits, code = np.unique(values.view(np.uint64), return_inverse=True)
    doubles = bits.view(np.float64)
    with np.errstate(over="ignore"):
        exact = doubles.astype(np.float32) == doubles
    return code, [
        b"\x22\x05\x15" + struct.pack("<f", value) if short else b"\x22\x09\x19" + struct.pack("<d", value)
        for value, short in zip(doubles.tolist(), exact.tolist(), strict=True)
    ]


def _text_values(values: Geometries) -> tuple[Ints, list[bytes]]:
    code, distinct = pd.factorize(values)
    # Broken source encodings leave lone surrogates; a question mark is better than no tile.
    texts = [text.encode(errors="replace") for text in distinct]
    heads = {size: _text_head(size) for size in set(map(len, texts))}
    return code, [heads[len(text)] + text for text in texts]


def _text_head(size: int) -> bytes:
    head = b"\x0a" + varint(size)
    return b"\x22" + varint(len(head) + size) + head
