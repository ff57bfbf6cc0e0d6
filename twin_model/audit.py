"""Proof that nobody has changed the past: the chain of changesets, and that the store still holds what each one wrote.

verify(town.store)          # Audit(changesets=23, ...), or ChainBroken with the first version that does not fit
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from twin_model.errors import ChainBroken
from twin_model.store.base import ChangesetRecord, Store
from twin_model.store.digests import parts_digest, parts_words
from twin_model.store.evidence import DeliveredParts, LayerRows, layer_rows, parts_by_layer, sealed_digest
from twin_model.store.writing import GENESIS, chain_hash

__all__ = ["Audit", "verify"]

_KINDS = ("parts", "rows", "closed rows")
"""What the three digests of a layer are made of."""


_TURNS = 5
"""So many times a store is read again whose history has gone on while it was read."""


@dataclass(frozen=True)
class Audit:
    """What was proved: how many changesets, and the hash of the last.

    `unproved` counts by layer the features that a store of an earlier format could not prove when it was sealed; `unread`
    are layers that the catalogue no longer names.
    """

    changesets: int
    hash: str
    unproved: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def verify(store: Store) -> Audit:
    """Prove the history; raises `ChainBroken` with the first version that is not as it was written.

    Each changeset's hash is made of its line and the hash before it; numbers and instants follow one another; and what
    the store holds of a version (parts, rows with their validity, rows that it closed) adds up to what its line says.
    A changeset of an earlier rule is proved by that rule, and by the seal of the one that brought the store to this one.
    A store that others commit to meanwhile is read again.
    """
    for _ in range(_TURNS):
        newest = store.version()
        try:
            return _proved(store)
        except ChainBroken:
            if store.version() == newest:
                raise
    return _proved(store)


def _proved(store: Store) -> Audit:
    store.extend(store.catalogue)  # columns that others have added since the store was opened say something too
    parts = parts_by_layer(store.dump)
    evidence = _Evidence(store, parts)
    previous, recorded = GENESIS, ""
    unproved: dict[str, int] = {}
    unread: set[str] = set()
    for expected, record in enumerate(reversed(store.changesets()), start=1):
        _ensure_linked(record, expected, previous, recorded)
        digests: Mapping[str, str] = record.counts.get("content", {})
        unread |= {layer for layer in digests if layer not in store.catalogue}
        if "sealed" in record.counts:
            unproved |= record.counts["unproved"]
            _ensure_sealed(record, digests, evidence)
        else:
            _ensure_kept(store, record, digests, evidence)
        previous, recorded = record.hash, record.recorded
    _ensure_no_more(store, evidence)
    return Audit(store.version(), previous, unproved, tuple(sorted(unread)))


def _ensure_no_more(store: Store, evidence: "_Evidence") -> None:
    """Refuse rows and parts of versions that the history does not know: its end was cut off."""
    newest = store.version()
    for layer in store.catalogue.of_kind("feature"):
        rows, parts = evidence.rows(layer.id), evidence.parts(layer.id)
        for versions in (rows.version_from if rows else None, parts.version_from if parts else None):
            if versions is not None and len(versions) and int(versions.max()) > newest:
                cause = f"{layer.id} holds version {int(versions.max())}"
                raise ChainBroken(version=newest + 1, cause=cause, expected=newest)


def _ensure_linked(record: ChangesetRecord, expected: int, previous: str, recorded: str) -> None:
    if record.number != expected:
        raise ChainBroken(version=expected, cause=f"the next changeset is {record.number}", expected=expected)
    if record.previous != previous:
        raise ChainBroken(version=record.number, cause=f"it follows {record.previous[:12]}", expected=previous[:12])
    digest = chain_hash(previous, record.line)
    if digest != record.hash:
        raise ChainBroken(version=record.number, cause=f"its line hashes to {digest[:12]}", expected=record.hash[:12])
    if record.recorded <= recorded:
        raise ChainBroken(version=record.number, cause=f"recorded {record.recorded}", expected=f"after {recorded}")


class _Evidence:
    """What the store holds, by layer; the rows of a layer are read when first asked for."""

    def __init__(self, store: Store, parts: Mapping[str, DeliveredParts]) -> None:
        self._store, self._parts = store, parts
        self._of_layer = cache(self._read)

    def parts(self, layer: str) -> DeliveredParts | None:
        return self._parts.get(layer)

    def rows(self, layer: str) -> LayerRows | None:
        """Return the rows of a layer, None where the catalogue no longer names it."""
        return self._of_layer(layer) if layer in self._store.catalogue else None

    def _read(self, layer: str) -> LayerRows:
        return layer_rows(self._store.dump, self._store.catalogue, layer)

    def first_rule_digest(self, layer: str, version: int) -> str:
        """Return the digest of what a version delivered by the rule of stores before format 3."""
        parts = self._parts.get(layer)
        if parts is None:
            return parts_digest(np.zeros(2, dtype=np.uint64))
        chosen = (parts.version_from == version) & parts.first_known
        return parts_digest(_total(parts_words(parts.fids[chosen], parts.first[chosen])))

    def digest(self, layer: str, version: int) -> str:
        """Return the digests of what a version delivered, wrote and closed of a layer."""
        parts, rows = self._parts.get(layer), self.rows(layer)
        delivered = np.zeros(2, dtype=np.uint64)
        if parts is not None:
            chosen = parts.version_from == version
            delivered = _total(parts_words(parts.fids[chosen], parts.contents[chosen]))
        assert rows is not None
        written = _total(rows.words[rows.version_from == version])
        closed = _total(rows.closing[rows.version_to == version])
        return "-".join(map(parts_digest, (delivered, written, closed)))

    def altered(self, layer: str, version: int) -> int | None:
        """Return a feature whose rows of a version say something else than the version delivered, None where all agree."""
        parts, rows = self._parts.get(layer), self.rows(layer)
        if parts is None or rows is None:
            return None
        mine = rows.version_from == version
        written = {
            (fid, *words) for fid, words in zip(rows.fids[mine].tolist(), rows.contents[mine].tolist(), strict=True)
        }
        chosen = parts.version_from == version
        for fid, words in zip(parts.fids[chosen].tolist(), parts.contents[chosen].tolist(), strict=True):
            if (fid, *words) not in written:
                return int(fid)
        return None


def _ensure_kept(store: Store, record: ChangesetRecord, digests: Mapping[str, str], evidence: _Evidence) -> None:
    """Refuse a version of which the store has kept other layers, or something else, than its line says."""
    changed = store.changes(record.number)
    if set(digests) != set(changed):
        raise ChainBroken(version=record.number, cause=f"changes of {sorted(changed)}", expected=sorted(digests))
    for layer, expected in digests.items():
        if record.rule < 3:
            if "-" in expected and evidence.first_rule_digest(layer, record.number) != expected.split("-")[0]:
                raise _not_adding_up(record.number, layer, "parts", expected.split("-")[0], evidence)
        elif evidence.rows(layer) is not None:
            _ensure_digest(record.number, layer, expected, evidence.digest(layer, record.number), evidence)


def _ensure_sealed(record: ChangesetRecord, digests: Mapping[str, str], evidence: _Evidence) -> None:
    """Refuse a store that holds something else of the time before its seal."""
    for layer, expected in digests.items():
        rows = evidence.rows(layer)
        if rows is not None:
            digest = sealed_digest(rows, evidence.parts(layer), record.number)
            _ensure_digest(record.number, layer, expected, digest, evidence)


def _ensure_digest(version: int, layer: str, expected: str, digest: str, evidence: _Evidence) -> None:
    for kind, wanted, held in zip(_KINDS, expected.split("-"), digest.split("-"), strict=True):
        if wanted != held:
            raise _not_adding_up(version, layer, kind, wanted, evidence)


def _not_adding_up(version: int, layer: str, kind: str, expected: str, evidence: _Evidence) -> ChainBroken:
    fid = evidence.altered(layer, version)
    if fid is not None:
        cause = f"{layer} fid {fid} says something else"
        return ChainBroken(version=version, cause=cause, expected="what was delivered")
    return ChainBroken(version=version, cause=f"{kind} of {layer} do not add up", expected=expected)


def _total(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.asarray(words.sum(axis=0, dtype=np.uint64))
