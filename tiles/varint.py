"""Integers as bytes: varints, zigzag and runs of unequal length, for whole columns at once.

A vector tile's feature messages hold nothing but varints, so all of a layer are one array that becomes bytes at once.
What the numbers mean stands in `tiles/mvt.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ragged", "length_delimited", "ranges_of", "varint", "varint_sizes", "varints", "woven", "zigzag"]

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ragged:
    """Integers row after row, `count` of them in each."""

    values: Words
    count: Ints

    @classmethod
    def of_columns(cls, *columns: NDArray[Any] | int, where: Bools) -> "Ragged":
        """Return one value per column in the rows chosen by `where`, nothing in the others."""
        table = np.empty((int(where.sum()), len(columns)), dtype=np.uint64)
        for index, column in enumerate(columns):
            table[:, index] = column if isinstance(column, int) else column[where]
        return cls(table.ravel(), np.where(where, len(columns), 0))

    def in_order(self, order: Ints) -> "Ragged":
        start = np.cumsum(self.count) - self.count
        return Ragged(self.values[ranges_of(start[order], self.count[order])], self.count[order])

    def byte_count(self) -> Ints:
        """Return how many bytes each row takes as varints."""
        total, end = np.append(0, np.cumsum(varint_sizes(self.values))), np.cumsum(self.count)
        sizes: Ints = total[end] - total[end - self.count]
        return sizes


def ranges_of(start: Ints, count: Ints) -> Ints:
    """Return start, start + 1, ... (`count` of them) for each pair, one after the other."""
    end = np.cumsum(count)
    ranges: Ints = np.arange(end[-1] if len(end) else 0) + np.repeat(start - (end - count), count)
    return ranges


def woven(segments: Sequence[Ragged]) -> Words:
    """Return the rows of all segments side by side: row 0 of each, then row 1 of each, ..."""
    count = np.sum([segment.count for segment in segments], axis=0)
    at = np.cumsum(count) - count
    woven = np.empty(int(count.sum()), dtype=np.uint64)
    for segment in segments:
        woven[ranges_of(at, segment.count)] = segment.values
        at = at + segment.count
    return woven


def zigzag(values: Ints) -> Words:
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def varint_sizes(values: Words) -> Ints:
    sizes, longest = np.ones(len(values), dtype=np.int64), int(values.max(initial=0)).bit_length()
    for shift in range(7, longest, 7):
        sizes += values >= np.uint64(1 << shift)
    return sizes


def varints(values: Words) -> bytes:
    """Return the values as protobuf varints: 7 bits a byte, low bits first, the high bit says "more"."""
    sizes = varint_sizes(values)
    at = np.cumsum(sizes) - sizes
    out = np.empty(int(sizes.sum()), dtype=np.uint8)
    for index in range(int(sizes.max(initial=0))):
        more = sizes > index + 1
        out[at] = (values & np.uint64(0x7F)).astype(np.uint8) | (more.astype(np.uint8) << 7)
        at, values, sizes = at[more] + 1, values[more] >> np.uint64(7), sizes[more]
    return out.tobytes()


def varint(value: int) -> bytes:
    groups = range(0, max(value.bit_length(), 1), 7)
    return bytes((value >> shift) & 0x7F | (0x80 if value >> shift > 0x7F else 0) for shift in groups)


def length_delimited(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + varint(len(content)) + content
