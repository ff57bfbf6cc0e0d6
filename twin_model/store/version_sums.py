"""What a store holds, added up by layer and version: from it an audit makes the digests of `digests` again, each row read
once and every version at the same cost."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.changeset import Box
from twin_model.rows.content import Words
from twin_model.store.base import Store
from twin_model.store.digests import (
    FINDING,
    alias_words,
    change_words,
    finding_words,
    link_words,
    parts_digest,
    parts_words,
)
from twin_model.store.evidence import OPEN, DeliveredParts, Dump, RowWatch, layer_rows, parts_by_layer, sums_by_version

__all__ = ["LayerSums", "SumsBeside", "altered_feature", "layer_sums"]

Sums = Mapping[int, Words]
"""Two words by version."""


@dataclass(frozen=True)
class LayerSums:
    """Sums of a layer by version: what was delivered (also by the first rule), written and closed, and of findings all that
    they say; and the last version of which it holds anything."""

    delivered: Sums = field(default_factory=dict)
    first: Sums = field(default_factory=dict)
    written: Sums = field(default_factory=dict)
    closed: Sums = field(default_factory=dict)
    beside: Sums = field(default_factory=dict)
    last_version: int = 0

    @classmethod
    def of_parts(cls, parts: DeliveredParts) -> "LayerSums":
        """Return the sums of what was delivered alone."""
        known = parts.first_known
        return cls(
            sums_by_version(parts.version_from, parts_words(parts.fids, parts.contents)),
            sums_by_version(parts.version_from[known], parts_words(parts.fids[known], parts.first[known])),
            last_version=int(parts.version_from.max(initial=0)),
        )

    def digests(self, version: int) -> tuple[str, str, str]:
        """Return the digests of what a version delivered, wrote and closed."""
        delivered, written, closed = (_of(sums, version) for sums in (self.delivered, self.written, self.closed))
        return parts_digest(delivered), parts_digest(written), parts_digest(closed)

    def digests_before(self, version: int) -> tuple[str, ...]:
        """Return the same of all versions before one."""
        sums = (self.delivered, self.written, self.closed)
        return tuple(parts_digest(_total([each for n, each in by.items() if n < version])) for by in sums)

    def first_digest(self, version: int) -> str:
        """Return the digest of what a version delivered by the rule of stores before format 3."""
        return parts_digest(_of(self.first, version))


def layer_sums(store: Store, layer: str, parts: DeliveredParts | None, watch: RowWatch) -> LayerSums:
    """Return the sums of a layer; `watch` hears its rows on the way."""
    findings: list[tuple[NDArray[np.int64], Words]] = []

    def hear(kind: str, row: Mapping[str, Sequence[Any]]) -> None:
        watch(kind, row)
        if layer == FINDING:
            words = finding_words(store.catalogue[layer], row)
            findings.append((np.array(row["version_from"], dtype=np.int64), words))

    rows = layer_rows(store.dump, store.catalogue, layer, watch=hear)
    versions, words = list(zip(*findings, strict=True)) or [
        (np.empty(0, dtype=np.int64),),
        (np.empty((0, 2), np.uint64),),
    ]
    delivered = LayerSums() if parts is None else LayerSums.of_parts(parts)
    is_closed = rows.version_to != OPEN
    return LayerSums(
        delivered.delivered,
        delivered.first,
        sums_by_version(rows.version_from, rows.words),
        sums_by_version(rows.version_to[is_closed], rows.closing[is_closed]),
        sums_by_version(np.concatenate(versions), np.concatenate(words)),
        max(delivered.last_version, int(rows.version_from.max(initial=0))),
    )


@dataclass(frozen=True)
class SumsBeside:
    """Sums of what is kept beside rows, by layer and version: counts and boxes of changes, links, other numbers."""

    sums: Mapping[str, Mapping[int, Words]]
    changes: Mapping[int, Mapping[str, Box | None]]
    boxes: Mapping[str, Mapping[int, Box | None]]

    @classmethod
    def of(cls, dump: Dump) -> "SumsBeside":
        """Return them of what a store shows of itself."""
        sums: dict[str, dict[int, Words]] = defaultdict(lambda: defaultdict(_nothing))
        changes: dict[int, dict[str, Box | None]] = defaultdict(dict)
        boxes: dict[str, dict[int, Box | None]] = defaultdict(dict)
        for layer, version, words in _words_beside(dump):
            sums[layer][version] = sums[layer][version] + words
        for batch in dump("change"):
            for version, layer, *_, min_x, min_y, max_x, max_y in batch:
                box = None if min_x is None else (min_x, min_y, max_x, max_y)
                changes[version][layer] = boxes[layer][version] = box
        return cls(sums, changes, boxes)

    def digest(self, layer: str, version: int, more: Sums) -> str:
        """Return the digest of what a version kept beside the rows of a layer, with `more` of it."""
        return parts_digest(_of(self.sums.get(layer, {}), version) + _of(more, version))

    def layers_of(self, version: int) -> set[str]:
        """Return the layers that a version changed."""
        return set(self.changes.get(version, ()))

    def versions_of(self, layer: str) -> list[int]:
        """Return the versions that changed a layer."""
        return [*self.boxes.get(layer, ())]

    def boxes_of(self, layer: str) -> list[Box]:
        """Return the boxes of the changes of a layer."""
        return [box for box in self.boxes.get(layer, {}).values() if box is not None]

    @staticmethod
    def touched(dump: Dump) -> Callable[[str], tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Return what gives of a layer the versions and boxes (n, 4) by which clients learn what is stale."""
        rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for batch in dump("touched"):
            for layer, *row in batch:
                rows[layer].append(tuple(row))

        def of_layer(layer: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
            held = np.array(rows.get(layer, ()), dtype=np.float64).reshape(-1, 5)
            return held[:, 0].astype(np.int64), held[:, 1:]

        return of_layer


def _words_beside(dump: Dump) -> Iterator[tuple[str, int, Words]]:
    """Yield layer, version and words of each change, alias and link, and of each link that was closed."""
    for batch in dump("change"):
        words = change_words([tuple(row[2:]) for row in batch])
        yield from ((row[1], row[0], each) for row, each in zip(batch, words, strict=True))
    for batch in dump("alias"):
        words = alias_words([(alias, fid) for _, alias, fid, _ in batch])
        yield from ((row[0], row[3], each) for row, each in zip(batch, words, strict=True))
    for batch in dump("link"):
        links = [(version, kind, before, after) for version, kind, _, before, after, _ in batch]
        yield from ((row[2], row[0], each) for row, each in zip(batch, link_words(links), strict=True))
        closed = link_words(links, closed=True)
        yield from ((row[2], row[5], each) for row, each in zip(batch, closed, strict=True) if row[5] is not None)


def altered_feature(store: Store, layer: str, version: int) -> int | None:
    """Return a feature whose rows of a version say something else than the version delivered, None where all agree."""
    parts, rows = parts_by_layer(store.dump).get(layer), layer_rows(store.dump, store.catalogue, layer)
    if parts is None:
        return None
    mine, chosen = rows.version_from == version, parts.version_from == version
    written = {(fid, *words) for fid, words in zip(rows.fids[mine].tolist(), rows.contents[mine].tolist(), strict=True)}
    delivered = zip(parts.fids[chosen].tolist(), parts.contents[chosen].tolist(), strict=True)
    return next((int(fid) for fid, words in delivered if (fid, *words) not in written), None)


def _of(sums: Sums, version: int) -> Words:
    return sums.get(version, _nothing())


def _nothing() -> Words:
    return np.zeros(2, dtype=np.uint64)


def _total(words: list[Words]) -> Words:
    return np.asarray(np.sum([_nothing(), *words], axis=0, dtype=np.uint64))
