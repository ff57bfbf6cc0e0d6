"""What a version wrote, as digests: sums of words that do not depend on the order of rows, so that anyone can add them up.

A changeset's line holds four of each layer it changed: what was delivered (parts), which rows it wrote with what they
say and when they hold, which rows it closed, and what is kept beside them: other numbers of features, what follows what,
the counts and the box of the change, and all that findings say (lines of older programs lack the fourth). Rows never
change but for the version that closes them, so the sums can be made again from the store at any time
(`twin_model/audit.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.layer import Layer
from twin_model.rows.content import Words, key_hashes, row_contents, text_words, words_of

__all__ = [
    "FINDING",
    "PROVED",
    "RULE",
    "alias_words",
    "change_words",
    "closing_words",
    "finding_words",
    "link_words",
    "parts_digest",
    "parts_sum",
    "parts_words",
    "row_words",
    "stored_contents",
]

RULE = 3
"""Number of the rule by which a changeset's digests are made today; 1 is that of stores before format 3."""

FINDING = "finding"
"""The layer of which a delivery says the key alone: what else its rows say is proved beside them."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


_LANES = np.array([0x2545F4914F6CDD1D, 0xBF58476D1CE4E5B9], dtype=np.uint64)


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
    if layer.id == FINDING:
        return key_hashes(columns["finding_key"])
    return row_contents(layer, columns, layer.stored_names)


def finding_words(layer: Layer, columns: Mapping[str, Sequence[Any]]) -> Words:
    """Return two words a row, (n, 2), of all that findings say, place and status among it."""
    return _with_texts(words_of(row_contents(layer, columns, layer.stored_names).tolist()), _numbers(columns["fid"]))


def alias_words(aliases: Sequence[tuple[str, int]]) -> Words:
    """Return two words an alias (number, fid), (n, 2)."""
    return _record_words("alias", aliases)


def link_words(links: Sequence[tuple[int, str, int, int]], *, closed: bool = False) -> Words:
    """Return two words a link (version, kind, predecessor, successor), (n, 2), that is made or closed."""
    return _record_words("closed link" if closed else "link", links)


def change_words(changes: Sequence[tuple[Any, ...]]) -> Words:
    """Return two words a change, (n, 2): four counts, then the box, None where there is none."""
    return _record_words("change", changes)


def _record_words(kind: str, records: Sequence[tuple[Any, ...]]) -> Words:
    """Return two words a record of few values, (n, 2)."""
    texts = [repr((kind, *record)) for record in records]
    return _with_texts(np.zeros((len(texts), 2), dtype=np.uint64) + _LANES, np.zeros(len(texts), dtype=np.int64), texts)


def _numbers(fids: Sequence[int]) -> NDArray[np.int64]:
    return np.array(fids, dtype=np.int64)


def parts_digest(total: Words) -> str:
    """Return two words as 32 hexadecimal digits."""
    return "".join(f"{int(word):016x}" for word in total)


def _stirred(words: Words) -> Words:
    mixed = words * _MULTIPLIER
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))
