"""WKB of many rows as one block, as Arrow and a spool have it: read and cut for whole columns, without an object a row."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["PackedWkb", "apart", "offsets_of"]


@dataclass(frozen=True)
class PackedWkb:
    """WKB of rows, one after the other: that of row n is `content[offsets[n]:offsets[n + 1]]`, nothing where it has none."""

    content: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, wkb: Iterable[bytes | None]) -> "PackedWkb":
        """Return WKB given as bytes or None a row."""
        given = [shape or b"" for shape in wkb]
        sizes = np.fromiter(map(len, given), dtype=np.int64, count=len(given))
        return cls(np.frombuffer(b"".join(given), dtype=np.uint8), offsets_of(sizes))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)

    def objects(self, rows: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Return the WKB of some rows, or of all, as bytes, None where there is none; those of one length are cut together."""
        rows = np.arange(len(self)) if rows is None else rows
        found, sizes = np.full(len(rows), None, dtype=object), self.sizes[rows]
        for size in np.unique(sizes[sizes > 0]).tolist():
            chosen = np.flatnonzero(sizes == size)
            found[chosen] = apart(self.part(rows[chosen], 0, size))
        return found

    def part(self, rows: NDArray[np.intp], start: int, width: int) -> NDArray[np.uint8]:
        """Return bytes (n, width) of rows that have them, from a start on."""
        if not len(rows):
            return np.empty((0, width), dtype=np.uint8)
        return np.asarray(sliding_window_view(self.content, width)[self.offsets[rows] + start])


def apart(rows: NDArray[np.uint8]) -> NDArray[Any]:
    """Return each row (n, width) as an object of its own."""
    return np.array([*rows.view(f"V{rows.shape[1]}").ravel().tolist(), None], dtype=object)[:-1]


def offsets_of(lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return where each of some pieces that follow one another begins, and where the last one ends."""
    return np.concatenate((np.zeros(1, dtype=np.intp), np.cumsum(lengths, dtype=np.intp)))
