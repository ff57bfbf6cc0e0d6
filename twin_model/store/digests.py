"""What a version wrote, as digests: sums of words that do not depend on the order of rows, so that anyone can add them up.

A changeset's line holds three of each layer it changed: what was delivered (parts), which rows it wrote with what they
say and when they hold, and which rows it closed. Rows never change but for the version that closes them, so the sums can
be made again from the store at any time (`twin_model/audit.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.layer import Layer
from twin_model.rows.content import Words, key_hashes, row_contents, text_words, words_of

__all__ = [
    "PROVED",
    "RULE",
    "closing_words",
    "parts_digest",
    "parts_sum",
    "parts_words",
    "row_words",
    "stored_contents",
]

RULE = 3
"""Number of the rule by which a changeset's digests are made today; 1 is that of stores before format 3."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def parts_words(fids: NDArray[np.int64], contents: Words) -> Words:
    """Return two words a part, (n, 2): what it says, mixed with its fid."""
    mixed = (contents ^ fids.astype(np.uint64)[:, None]) * _MULTIPLIER
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))


def parts_sum(fids: NDArray[np.int64], contents: list[bytes]) -> Words:
    """Return two words that stand for parts, whatever their order."""
    return np.asarray(parts_words(fids, words_of(contents)).sum(axis=0, dtype=np.uint64))


PROVED = ("id", "valid_from", "valid_to", "valid_precision")
"""The columns of a row that its words are made of, besides fid and content."""


def row_words(fids: NDArray[np.int64], contents: Words, columns: Mapping[str, Sequence[str | None]]) -> Words:
    """Return two words a row, (n, 2): which feature it is of, what it says (`contents`, (n, 2)), its id and validity.

    `columns` hold those of `PROVED`.
    """
    return _with_texts(contents, fids, *(columns[name] for name in PROVED))


def _with_texts(contents: Words, fids: NDArray[np.int64], *columns: Sequence[str | None]) -> Words:
    words = _stirred(contents ^ (fids.astype(np.uint64) * _MULTIPLIER)[:, None])
    for place, column in enumerate(columns):
        words = _stirred(words + np.uint64(2 * place + 1) * text_words(column)[:, None])
    return words


def closing_words(
    fids: NDArray[np.int64],
    versions: NDArray[np.int64],
    valid_from: Sequence[str],
    valid_to: Sequence[str | None],
) -> Words:
    """Return two words a row that is closed, (n, 2): of which feature, written by which version, holding when."""
    versions = versions.astype(np.uint64)
    return _with_texts(np.column_stack((versions, ~versions)), fids, valid_from, valid_to)


def stored_contents(layer: Layer, columns: Mapping[str, Sequence[Any]]) -> NDArray[Any]:
    """Return what stored rows say as it was delivered: every column a store keeps, of a finding its key alone."""
    if layer.id == "finding":
        return key_hashes(columns["finding_key"])
    return row_contents(layer, columns, layer.stored_names)


def parts_digest(total: Words) -> str:
    """Return two words as 32 hexadecimal digits."""
    return "".join(f"{int(word):016x}" for word in total)


def _stirred(words: Words) -> Words:
    mixed = words * _MULTIPLIER
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))
