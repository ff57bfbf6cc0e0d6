"""What a store holds, read whole as arrays of words: for proving the history and for bringing it to a new rule.

A store shows itself as logical tables (`twin_model/store/copying.py`); here they become numbers that add up to the
digests of `twin_model/store/digests.py`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.rows.content import Words, row_contents, words_of
from twin_model.store.copying import columns_of
from twin_model.store.digests import closing_words, parts_digest, parts_words, row_words, stored_contents

__all__ = [
    "OPEN",
    "DeliveredParts",
    "Dump",
    "LayerRows",
    "RowWatch",
    "layer_rows",
    "parts_by_layer",
    "sealed_digest",
    "sums_by_version",
]

Dump = Callable[[str], Iterator[list[tuple[Any, ...]]]]
"""Yields the rows of a logical table in batches."""

RowWatch = Callable[[str, Mapping[str, Sequence[Any]]], None]
"""Hears the rows of a layer, batch by batch: "now" or "history", and their values by column."""

OPEN = np.iinfo(np.int64).max
"""Stands for a version that has not come: nothing has closed the row."""


@dataclass(frozen=True)
class LayerRows:
    """Every row of a layer, current and past, as parallel arrays: fid, versions, instants (rank of `valid_from`), what
    it says now and, where asked for, by the first rule; and its words."""

    fids: NDArray[np.int64]
    version_from: NDArray[np.int64]
    version_to: NDArray[np.int64]
    valid_from: NDArray[np.int64]
    contents: Words
    first_contents: Words
    words: Words
    closing: Words


@dataclass(frozen=True)
class DeliveredParts:
    """Every part delivered of a layer, as parallel arrays; `first` are hashes by the first rule (a version written since
    has none: zeros), `first_known` tells which have one of 16 bytes."""

    fids: NDArray[np.int64]
    version_from: NDArray[np.int64]
    version_to: NDArray[np.int64]
    contents: Words
    first: Words
    first_known: NDArray[np.bool_]


def layer_rows(
    dump: Dump,
    catalogue: Catalogue,
    layer_id: str,
    *,
    first_rule: bool = False,
    watch: RowWatch = lambda kind, row: None,
) -> LayerRows:
    """Return every row of a layer; with `first_rule` what it says is hashed by the first rule too."""
    layer = catalogue[layer_id]
    pieces: list[tuple[NDArray[Any], ...]] = []
    instants: list[str] = []
    for table in (f"now:{layer_id}", f"history:{layer_id}"):
        columns = columns_of(catalogue, table)
        for batch in dump(table):
            row = dict(zip(columns, zip(*batch, strict=True), strict=True))
            row["geometry"] = row.get("geom", ())
            watch(table.partition(":")[0], row)
            fids = np.array(row["fid"], dtype=np.int64)
            version_from = np.array(row["version_from"], dtype=np.int64)
            contents = words_of(stored_contents(layer, row).tolist())
            first = contents
            if first_rule and layer_id != "finding":
                first = words_of(row_contents(layer, row, first_rule=True).tolist())
            words = row_words(fids, contents, row)
            closing = closing_words(fids, version_from, row["valid_from"], row["valid_to"])
            pieces.append(
                (
                    fids,
                    version_from,
                    _versions(row.get("version_to", [None] * len(batch))),
                    contents,
                    first,
                    words,
                    closing,
                )
            )
            instants += row["valid_from"]
    fids, version_from, version_to, contents, first, words, closing = _joined(pieces, (1, 1, 1, 2, 2, 2, 2))
    ranks, _ = pd.factorize(np.array([*instants, ""], dtype=object)[:-1], sort=True)
    return LayerRows(
        fids.astype(np.int64),
        version_from.astype(np.int64),
        version_to.astype(np.int64),
        ranks.astype(np.int64),
        contents,
        first,
        words,
        closing,
    )


def parts_by_layer(
    dump: Dump, watch: Callable[[list[tuple[Any, ...]]], None] = lambda batch: None
) -> dict[str, DeliveredParts]:
    """Return every part ever delivered, by layer; `watch` hears them in batches, as the table has them."""
    pieces: dict[str, list[tuple[NDArray[Any], ...]]] = {}
    for batch in dump("part"):
        watch(batch)
        layers, fids, _, contents, _, _, version_from, version_to, first = zip(*batch, strict=True)
        names = np.array(layers, dtype=object)
        columns = (
            np.array(fids, dtype=np.int64),
            np.array(version_from, dtype=np.int64),
            _versions(version_to),
            _content_words(contents),
            _content_words(first),
            np.array([each is not None and len(each) == 16 for each in first], dtype=bool),
        )
        for name in dict.fromkeys(layers):
            chosen = names == name
            pieces.setdefault(name, []).append(tuple(column[chosen] for column in columns))
    return {name: DeliveredParts(*_joined(rows, (1, 1, 1, 2, 2, 1))) for name, rows in pieces.items()}


def sealed_digest(rows: LayerRows, parts: DeliveredParts | None, before: int) -> str:
    """Return the digest of everything of a layer that versions before one have written, delivered and closed."""
    delivered = np.zeros(2, dtype=np.uint64)
    if parts is not None:
        chosen = parts.version_from < before
        delivered = _total(parts_words(parts.fids[chosen], parts.contents[chosen]))
    written = _total(rows.words[rows.version_from < before])
    closed = _total(rows.closing[rows.version_to < before])
    return "-".join(map(parts_digest, (delivered, written, closed)))


def sums_by_version(versions: NDArray[np.int64], words: Words) -> dict[int, Words]:
    """Return the sum of words (n, 2) of each version."""
    order = np.argsort(versions, kind="stable")
    ordered = versions[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)])
    sums = np.add.reduceat(words[order], starts, axis=0) if len(starts) else words[:0]
    return dict(zip(ordered[starts].tolist(), sums, strict=True))


def _total(words: Words) -> Words:
    return np.asarray(words.sum(axis=0, dtype=np.uint64))


def _versions(values: Any) -> NDArray[np.int64]:
    return np.array([OPEN if value is None else value for value in values], dtype=np.int64)


def _content_words(contents: Any) -> Words:
    """Return hashes as words, zeros for what is none (findings of the first format were kept under their number)."""
    nothing = bytes(16)
    return words_of(bytes(each) if each is not None and len(each) == 16 else nothing for each in contents)


def _joined(pieces: list[tuple[NDArray[Any], ...]], widths: tuple[int, ...]) -> tuple[NDArray[Any], ...]:
    if not pieces:
        return tuple(
            np.empty(0, dtype=np.int64) if width == 1 else np.empty((0, width), dtype=np.uint64) for width in widths
        )
    return tuple(np.concatenate(column) for column in zip(*pieces, strict=True))
