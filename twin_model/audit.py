"""Proof that nobody has changed the past: the chain of changesets, and that the store still holds what each one wrote.

    verify(town.store)            # Audit(changesets=23, ...), or ChainBroken with the first version that does not fit
    verify_chain(town.store)      # the chain alone, from the last checkpoint on

What hangs on the rows and is no part of the history (counters, boxes of changes, indexes) is looked at on the way: what of
it is wrong the `Audit` names, and `rebuild` makes it anew.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from shapely.errors import ShapelyError

from twin_model.errors import ChainBroken, StoreError
from twin_model.store.base import ChangesetRecord, LayerCounters, Store
from twin_model.store.change_boxes import uncovered_versions
from twin_model.store.damage import Damage
from twin_model.store.delivered_scopes import DeliveredScopes
from twin_model.store.evidence import parts_by_layer
from twin_model.store.soundness import RowLook, blob_damages, counter_damages, expected_counters
from twin_model.store.version_sums import LayerSums, SumsBeside, altered_feature, layer_sums
from twin_model.store.writing import GENESIS, chain_hash

__all__ = ["Audit", "ChainProof", "rebuild", "verify", "verify_chain"]

_KINDS = ("parts", "rows", "closed rows", "counts, links, other numbers or findings")
"""What the digests of a layer are made of; lines of older programs lack the last."""

_TURNS = 5
"""So many times a store is read again whose history has gone on while it was read."""

MOST_LINES = 200
"""So many lines of the history are proved at most where the chain alone is asked for."""


@dataclass(frozen=True)
class Audit:
    """What was proved: how many changesets, and the hash of the last.

    `unproved` counts by layer the features that a store of an earlier format could not prove when it was sealed; `unread`
    are layers that the catalogue no longer names; `damages` is what is wrong beside the chain.
    """

    changesets: int
    hash: str
    unproved: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    damages: tuple[Damage, ...] = ()


@dataclass(frozen=True)
class ChainProof:
    """How many changesets there are, the hash of the last, and from which version on lines were proved."""

    changesets: int
    hash: str
    since: int


def verify(store: Store) -> Audit:
    """Prove the history; raises `ChainBroken` with the first version that is not as it was written.

    Each changeset's hash is made of its line and the hash before it; numbers and instants follow one another; and what
    the store holds of a version (parts, rows with their validity, rows that it closed) adds up to what its line says.
    A changeset of an earlier rule is proved by that rule, and by the seal of the one that brought the store to this one.
    A store that others commit to meanwhile is read again. Cost: linear in rows and versions.
    """
    for turn in range(_TURNS):
        newest, is_last = store.version(), turn == _TURNS - 1
        try:
            audit, _ = _proved(store)
        except ChainBroken:
            if is_last or store.version() == newest:
                raise
            continue
        if is_last or not audit.damages or store.version() == newest:
            break
    if not audit.damages:
        _keep_checkpoint(store, audit.changesets, audit.hash)
    return audit


def verify_chain(store: Store) -> ChainProof:
    """Prove the lines of the history since the last checkpoint, at most `MOST_LINES` of them; raises `ChainBroken`.

    Rows are not read. What was proved is the next checkpoint, where the store can be written to.
    """
    newest = store.version()
    number, digest = store.checkpoint() or (0, "")
    records = store.changesets(min(newest - number + 1, MOST_LINES + 1))[::-1] if newest >= number else []
    if number and (not records or (records[0].number == number and records[0].hash != digest)):
        raise ChainBroken(
            version=number,
            cause=f"the history ends at {newest}" if not records else "another hash",
            expected=digest[:12],
        )
    since = records[0].number if records else 0
    previous, recorded = (GENESIS, "") if since <= 1 else (records[0].previous, "")
    for expected, record in enumerate(records, start=since):
        _ensure_linked(record, expected, previous, recorded)
        previous, recorded = record.hash, record.recorded
    if records:
        _keep_checkpoint(store, records[-1].number, previous)
    return ChainProof(records[-1].number if records else 0, previous, since)


def rebuild(store: Store) -> Audit:
    """Make anew what hangs on the rows and is no part of the history, and return what is still wrong then.

    The history is proved first: raises `ChainBroken` where it is not whole, `StoreError` where nobody can tell in which CRS
    the rows are. Rows, versions and hashes stay as they are.
    """
    store.extend(store.catalogue)
    audit, counters = _proved(store)
    for damage in audit.damages:
        if damage.rule == "audit.crs":
            raise StoreError(damage.rule, **damage.values)
    if any(damage.is_derived for damage in audit.damages):
        store.rebuild(counters)
    return verify(store)


def _keep_checkpoint(store: Store, number: int, digest: str) -> None:
    with suppress(StoreError):  # who may only read proves the same lines again next time
        if number and store.checkpoint() != (number, digest):
            store.keep_checkpoint(number, digest)


def _proved(store: Store) -> tuple[Audit, list[LayerCounters]]:
    """Return what is proved of a store, and the numbers of its layers as the rows have them."""
    store.extend(store.catalogue)  # columns that others have added since the store was opened say something too
    records = store.changesets()[::-1]
    previous, recorded = GENESIS, ""
    for expected, record in enumerate(records, start=1):
        _ensure_linked(record, expected, previous, recorded)
        previous, recorded = record.hash, record.recorded
    evidence = _Evidence(store, records)
    unproved: dict[str, int] = {}
    unread: set[str] = set()
    for record in records:
        digests: Mapping[str, str] = record.counts.get("content", {})
        unread |= {layer for layer in digests if layer not in store.catalogue}
        if "sealed" in record.counts:
            unproved |= record.counts["unproved"]
            _ensure_sealed(record, digests, evidence)
        else:
            _ensure_kept(record, digests, evidence)
    _ensure_no_more(len(records), evidence)
    counters = evidence.counters()
    damages = (*evidence.damages(counters), *_checkpoint_damages(store, records), *store.damages())
    return Audit(len(records), previous, unproved, tuple(sorted(unread)), damages), counters


def _checkpoint_damages(store: Store, records: list[ChangesetRecord]) -> list[Damage]:
    number, digest = store.checkpoint() or (0, "")
    if number > len(records):
        raise ChainBroken(version=len(records) + 1, cause=f"the history ends at {len(records)}", expected=number)
    if not number or (number > 0 and records[number - 1].hash == digest):
        return []
    return [Damage("audit.checkpoint", {"number": number}, True)]


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
    """What the store holds, added up by layer and version; rows are read once."""

    def __init__(self, store: Store, records: list[ChangesetRecord]) -> None:
        self._store, self._history = store, {record.number: record for record in records}
        self._scopes, self._beside = DeliveredScopes(), SumsBeside.of(store.dump)
        self._counters = {row[0]: LayerCounters(*row) for batch in store.dump("layer") for row in batch}
        parts = parts_by_layer(store.dump, self._scopes)
        self._looks: dict[str, RowLook] = {}
        self.layers: dict[str, LayerSums] = {}
        for layer in store.catalogue.of_kind("feature"):
            look = self._looks[layer.id] = self._look(layer.id)
            try:
                self.layers[layer.id] = layer_sums(store, layer.id, parts.pop(layer.id, None), look)
            except (
                ArithmeticError,
                TypeError,
                ValueError,
                ShapelyError,
            ) as error:  # what stands there is no row of ours
                raise StoreError("store.damaged", cause=f"{layer.id}: {str(error)[:200]}") from error
        self.unread = {name: LayerSums.of_parts(delivered) for name, delivered in parts.items()}

    def _look(self, layer: str) -> RowLook:
        version = max(self._beside.versions_of(layer), default=0)
        recorded = self._history[version].recorded if version in self._history else ""
        nothing = LayerCounters(layer, 0, -1, 0, None, None, None, None, None)
        return RowLook(self._store.catalogue[layer], self._store.crs, recorded, self._counters.get(layer, nothing))

    def changed(self, version: int) -> set[str]:
        """Return the layers of which the store counts a change by a version."""
        return self._beside.layers_of(version)

    def digests(self, layer: str, version: int) -> tuple[str, ...]:
        """Return the digests of what a version delivered, wrote and closed of a layer, and of what it kept beside."""
        return (*self.layers[layer].digests(version), self._beside.digest(layer, version, self.layers[layer].beside))

    def first_rule_digest(self, layer: str, version: int) -> str:
        """Return the digest of what a version delivered by the rule of stores before format 3."""
        sums = self.layers.get(layer) or self.unread.get(layer) or LayerSums()
        return sums.first_digest(version)

    def altered(self, layer: str, version: int) -> int | None:
        """Return a feature whose rows of a version say something else than the version delivered."""
        return altered_feature(self._store, layer, version)

    def counters(self) -> list[LayerCounters]:
        """Return the numbers of each layer as its rows have them."""
        versions = {name: max(self._beside.versions_of(name), default=0) for name in self._looks}
        return [
            expected_counters(look, versions[name], self._beside.boxes_of(name), self._scopes.last_fid(name))
            for name, look in self._looks.items()
        ]

    def damages(self, counters: list[LayerCounters]) -> list[Damage]:
        """Return what is wrong beside the chain: numbers of layers, boxes of changes, scopes of parts, blobs."""
        damages: list[Damage] = []
        touched = self._beside.touched(self._store.dump)
        for expected, (name, look) in zip(counters, self._looks.items(), strict=True):
            damages += counter_damages(expected, look)
            versions, boxes = touched(name)
            uncovered = uncovered_versions(look.boxes, versions, boxes)
            uncovered += sorted({*versions.tolist()}.difference(self._beside.versions_of(name)))
            if uncovered:
                values = {"layer": name, "version": uncovered[0], "count": len(uncovered)}
                damages.append(Damage("audit.change_boxes", values, True))
        damages += self._scopes.damages(self._history)
        used = {name: look.blobs for name, look in self._looks.items() if look.blobs}
        return damages + blob_damages(self._store.dump("blob"), used)


def _ensure_no_more(newest: int, evidence: _Evidence) -> None:
    """Refuse rows and parts of versions that the history does not know: its end was cut off."""
    for layer, sums in evidence.layers.items():
        if sums.last_version > newest:
            raise ChainBroken(version=newest + 1, cause=f"{layer} holds version {sums.last_version}", expected=newest)


def _ensure_kept(record: ChangesetRecord, digests: Mapping[str, str], evidence: _Evidence) -> None:
    """Refuse a version of which the store has kept other layers, or something else, than its line says."""
    changed = evidence.changed(record.number)
    if set(digests) != changed:
        raise ChainBroken(version=record.number, cause=f"changes of {sorted(changed)}", expected=sorted(digests))
    for layer, expected in digests.items():
        if record.rule < 3:
            first = expected.split("-")[0]
            if "-" in expected and evidence.first_rule_digest(layer, record.number) != first:
                raise _not_adding_up(record.number, layer, "parts", first, evidence)
        elif layer in evidence.layers:
            _ensure_digests(record.number, layer, expected, evidence.digests(layer, record.number), evidence)


def _ensure_sealed(record: ChangesetRecord, digests: Mapping[str, str], evidence: _Evidence) -> None:
    """Refuse a store that holds something else of the time before its seal."""
    for layer, expected in digests.items():
        if layer in evidence.layers:
            sealed = evidence.layers[layer].digests_before(record.number)
            _ensure_digests(record.number, layer, expected, sealed, evidence)


def _ensure_digests(version: int, layer: str, expected: str, held: tuple[str, ...], evidence: _Evidence) -> None:
    for kind, wanted, digest in zip(_KINDS, expected.split("-"), held, strict=False):
        if wanted != digest:
            raise _not_adding_up(version, layer, kind, wanted, evidence)


def _not_adding_up(version: int, layer: str, kind: str, expected: str, evidence: _Evidence) -> ChainBroken:
    fid = evidence.altered(layer, version) if layer in evidence.layers and kind in _KINDS[:2] else None
    if fid is not None:
        cause = f"{layer} fid {fid} says something else"
        return ChainBroken(version=version, cause=cause, expected="what was delivered")
    return ChainBroken(version=version, cause=f"{kind} of {layer} do not add up", expected=expected)
