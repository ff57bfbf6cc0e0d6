"""Numbers of a shapefile's table that GDAL reads as others: with decimal commas, with more digits than a float holds, or none.

GDAL reads `1,25` as 1, `abc` as 0 and whole numbers of 19 digits and more as floats, without a word. Such columns are
taken from the table as they stand there; what the texts mean is read in `ingest/number_text.py`.
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["numbers_as_written"]

_ROWS = 2_000
"""So many records are looked at at once: they stay in the processor's cache."""
_LONGEST_WHOLE = 18
"""Whole numbers of more digits are floats to GDAL."""

_USUAL = b"0123456789 .+-eE\x00"
_FILL = b"*"
"""What a number is filled with that is NULL, or does not fit its column."""


class _Column(NamedTuple):
    name: str
    start: int
    width: int
    decimals: int


def numbers_as_written(table: Path) -> dict[str, NDArray[Any]]:
    """Return the columns of a `.dbf` that GDAL would read as other numbers: name (in ISO 8859-1) -> values by record.

    Values are whole numbers where all are such of at most 64 bits, else texts; None where a record has none. A table whose
    head makes no sense gives nothing: what is wrong with it is said by who reads it.
    """
    columns, rows = _number_columns(table)
    odd: set[_Column] = set()
    for at in range(0, len(rows), _ROWS):
        part = np.asarray(rows[at : at + _ROWS])
        odd |= {column for column in columns if column not in odd and _is_odd(column, _cells(part, column))}
    return {column.name: _values(_cells(rows, column)) for column in columns if column in odd}


def _number_columns(table: Path) -> tuple[list[_Column], NDArray[Any]]:
    """Return the columns of numbers, and the records as rows of bytes."""
    nothing: tuple[list[_Column], NDArray[Any]] = [], np.empty((0, 0), dtype=np.uint8)
    with table.open("rb") as file:
        head = file.read(32)
        if len(head) < 32:
            return nothing
        count, first, length = struct.unpack("<4xIHH", head[:12])
        descriptors = file.read(max(first - 33, 0))
    columns, start = [], 1
    for at in range(0, len(descriptors) - 31, 32):
        descriptor = descriptors[at : at + 32]
        if descriptor[0] == 0x0D:
            break
        if descriptor[11:12] in b"NF":
            name = descriptor[:11].split(b"\x00")[0].strip().decode("latin-1")
            columns.append(_Column(name, start, descriptor[16], descriptor[17]))
        start += descriptor[16]
    count = min(count, (table.stat().st_size - first) // length if length else 0)
    if not columns or count <= 0 or start > length:
        return nothing
    return columns, np.memmap(table, dtype=np.uint8, mode="r", offset=first, shape=(count, length))


def _cells(rows: NDArray[Any], column: _Column) -> NDArray[Any]:
    return rows[:, column.start : column.start + column.width]


def _is_odd(column: _Column, cells: NDArray[Any]) -> bool:
    """Return whether some cells hold what GDAL reads as another number."""
    unusual = cells.tobytes().translate(None, _USUAL)
    if unusual.strip(_FILL) or (unusual and _has_stars_among_digits(cells)):
        return True
    if column.decimals or column.width <= _LONGEST_WHOLE:
        return False
    digits = (cells >= ord("0")) & (cells <= ord("9"))
    return bool((digits.sum(axis=1) > 15).any())


def _has_stars_among_digits(cells: NDArray[Any]) -> bool:
    """Return whether a cell holds stars and something else; one of stars alone is NULL."""
    stars = cells == _FILL[0]
    rows = stars.any(axis=1)
    return bool((~(stars[rows] | (cells[rows] == ord(" "))).all(axis=1)).any())


def _text(cell: NDArray[Any]) -> str | None:
    """Return a cell as text, None where it is blank or filled with stars."""
    content = cell.tobytes().split(b"\x00")[0].strip()
    return content.decode("latin-1") if content.strip(_FILL) else None


def _values(cells: NDArray[Any]) -> NDArray[Any]:
    texts = [_text(cell) for cell in cells]
    try:
        numbers = [None if text is None else int(text) for text in texts]
    except ValueError:
        numbers = []
    fitting = len(numbers) == len(texts) and all(number is None or -(2**63) <= number < 2**63 for number in numbers)
    return np.array([*(numbers if fitting else texts), None], dtype=object)[:-1]
