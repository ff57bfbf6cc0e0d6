"""Hashes of rows that say only part of what their feature holds: of the rest the source had no column, and it stayed.

The same words delivered with the column say something else: an empty cell there empties it. The store therefore keeps the
hash of such a row with a mark, its last bit turned. It is found by content all the same, but is compared again.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["are_alike", "are_partial", "partial_contents"]

Words = NDArray[np.uint64]

_MARK = np.array([0, 1], dtype=np.uint64)


def partial_contents(contents: Words, partial: NDArray[np.bool_]) -> Words:
    """Return the words of hashes, (n, 2), with the mark where rows are partial."""
    return np.where(partial[:, None], contents ^ _MARK, contents)


def are_partial(kept: Words, delivered: Words) -> NDArray[np.bool_]:
    """Say of which hashes, (n, 2), the kept one is the delivered one with the mark."""
    return np.asarray(((kept ^ delivered) == _MARK).all(axis=1))


def are_alike(first: Words, second: Words) -> NDArray[np.bool_]:
    """Say which hashes, (n, 2), are the same, with or without the mark."""
    return np.asarray(((first ^ second) & ~_MARK == 0).all(axis=1))
