"""What younger deliveries have to say of one that comes late: of what it shows they ended what they saw no more.

Had it come in its time, they would have been compared with it. So they are now (`twin_model/aftermath.py`), with what each is
recorded to have shown (`twin_model/shown_features.py`). Here stands what is known of them and of the day: with what the late
one is compared, and what its rows come to. What was recorded stays recorded.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin_model.changeset import Changeset, Delivered, Scope
from twin_model.delivery_identity import standing, standing_of
from twin_model.layer import Layer
from twin_model.numbering import Matches
from twin_model.plan import NEW, EarlierLink, LatePlan, no_fids
from twin_model.rows.content import row_contents, words_of
from twin_model.shown_features import from_runs, recorded_scope
from twin_model.store.base import ChangesetQuery, ChangesetRecord, DeliveredState, FeatureQuery, Store
from twin_model.temporal import Instant, Interval
from twin_model.view import NOW, View

__all__ = ["LateRows", "YoungerDelivery", "concerns", "known_then", "shown_until", "younger_deliveries"]

_AT_ONCE = 4_000
"""So many features are asked for by their fids at once."""


@dataclass(frozen=True)
class YoungerDelivery:
    """A delivery that is true since a later day than another one; its changeset says what it showed."""

    record: ChangesetRecord

    @property
    def effective(self) -> Instant:
        return self.record.effective

    @property
    def view(self) -> View:
        """The town on the day of the delivery, as it was known by it."""
        return View(self.effective, self.record.number)

    @property
    def scope(self) -> Scope:
        """What it could have seen; what was delivered before that was recorded is taken for a source like others."""
        said = self.record.counts.get("shown")
        return recorded_scope(said) if said else Scope("seen", self.record.source)

    def shown(self, store: Store, layer: str) -> NDArray[np.int64]:
        """Return the features of a layer that it showed, as far as that is known: at least those that it changed."""
        return _shown(store, [self.record], layer)


def concerns(store: Store, record: ChangesetRecord, layer: str) -> bool:
    """Say whether a version has something to say of a layer."""
    content = record.counts.get("content")
    return layer in (store.changes(record.number) if content is None else content)


def _standing_of(store: Store, layer: str) -> list[ChangesetRecord]:
    """Return the versions of a layer that are not reverted."""
    return [record for record in standing(store.changesets()) if concerns(store, record, layer)]


def _is_told(record: ChangesetRecord, layer: str) -> bool:
    """Say whether a changeset says which features of a layer it showed."""
    return layer in record.counts.get("shown", {}).get("layers", {})


def _shown(store: Store, records: Iterable[ChangesetRecord], layer: str) -> NDArray[np.int64]:
    """Return the features of a layer that versions have shown, as far as that is known: at least those that they changed."""
    shown, untold = [no_fids()], []
    for record in records:
        runs = record.counts.get("shown", {}).get("layers", {}).get(layer)
        if runs is None:
            untold.append(record.number)
        else:
            shown.append(from_runs(runs))
    numbers = np.sort(np.array(untold, dtype=np.int64))
    for run in np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1) if len(numbers) else ():
        shown.append(store.changed_fids(layer, int(run[0]) - 1, int(run[-1])))
    return np.unique(np.concatenate(shown))


def younger_deliveries(store: Store, changeset: Changeset) -> list[YoungerDelivery]:
    """Return the deliveries of later days that stand, the earliest of these days first."""
    later = store.chosen_changesets(ChangesetQuery(effective_after=changeset.effective))
    records = [record for record in standing_of(store, later) if record.sha256] if later else []
    return [YoungerDelivery(record) for record in sorted(records, key=lambda record: (record.effective, record.number))]


def _days_shown(store: Store, layer: str, fids: NDArray[np.int64]) -> dict[int, tuple[Instant, ...]]:
    """Return the days of the deliveries that showed features, by fid."""
    days: dict[int, list[Instant]] = {fid: [] for fid in fids.tolist()}
    for record in _standing_of(store, layer):
        if record.sha256:
            for fid in np.intersect1d(fids, _shown(store, [record], layer)).tolist():
                days[fid].append(record.effective)
    return {fid: tuple(sorted(each)) for fid, each in days.items()}


@dataclass
class LateRows:
    """What a late delivery has of a layer: which features its rows are, and what became of them.

    `after` are the fids of features that stand on its day or on a later one.
    `shown_before` are those that a delivery of its day, or of one before, has shown; `missed` are those of them that stand on
    its day and that neither it nor a younger one shows.
    """

    layer: Layer
    delivered: list[Delivered]
    matches: Matches
    after: NDArray[np.int64]
    shown_before: NDArray[np.int64]
    missed: NDArray[np.int64]
    until: dict[int, Instant] = field(default_factory=dict)
    begun: dict[int, Instant] = field(default_factory=dict)
    links: list[EarlierLink] = field(default_factory=list)
    seen_no_more: set[int] = field(default_factory=set)
    ended_by: set[int] = field(default_factory=set)

    @property
    def open(self) -> NDArray[np.bool_]:
        """Which rows are, as yet, true for ever: no later state or end is known of them."""
        fids = self.matches.fids
        lasting = np.asarray((fids == NEW) | ~np.isin(fids, self.after), dtype=bool)
        lasting[[*self.until]] = False
        return lasting

    def plan(self, store: Store, ended: NDArray[np.int64]) -> LatePlan:
        """Return what it comes to; of the features that are `ended`, those that do not stand now are told apart."""
        lasting = self.open
        updated = self.matches.fids[(self.matches.fids > 0) & ~self.matches.same]
        return LatePlan(
            self.until,
            self.begun,
            tuple(self.links),
            tuple(np.setdiff1d(ended, _fids(store, self.layer.id, NOW)).tolist()),
            _days_shown(store, self.layer.id, updated),
            sum(bool(lasting[row]) for row in self.seen_no_more),
            frozenset(self.ended_by),
        )

    def end(self, rows: Iterable[int], younger: YoungerDelivery) -> None:
        """Have rows end by a younger delivery."""
        ended = dict.fromkeys(rows, younger.effective)
        self.until |= ended
        self.ended_by |= {younger.record.number} if ended else set()


@dataclass(frozen=True)
class KnownThen:
    """What a late delivery is compared with: features that stand on its day (`then`) or on a later one (`after`)."""

    state: DeliveredState
    then: NDArray[np.int64]
    after: NDArray[np.int64]

    def missed(
        self, store: Store, layer: str, shown_before: NDArray[np.int64], effective: Instant
    ) -> NDArray[np.int64]:
        """Return the features that stand on the day, were shown before it and of which nothing younger says anything.

        Of a delivery whose changeset does not say what it showed, nobody knows whether it showed what stands on its day.
        """
        records = [record for record in _standing_of(store, layer) if record.effective > effective]
        shown_later = [_shown(store, records, layer)]
        for record in records:
            if record.sha256 and not _is_told(record, layer):
                shown_later.append(_fids(store, layer, View(record.effective)))
        return np.setdiff1d(np.intersect1d(self.then, shown_before), np.concatenate(shown_later))

    def views(self, effective: Instant) -> tuple[tuple[View, NDArray[np.int64]], ...]:
        """Return with which state features are compared: that of the day, else the last one."""
        later = np.setdiff1d(self.state.fids, self.then)
        return (View(effective), self.then), (View(Interval(effective, None)), later)


def known_then(store: Store, layer: Layer, known: DeliveredState, effective: Instant) -> KnownThen:
    """Return what is known of the features that stand on a day or later; `known` is what is known of current ones.

    Of those that stand on the day the contents are what holds then, in a layer that goes by content.
    """
    then, after = (np.sort(_fids(store, layer.id, view)) for view in (View(effective), View(Interval(effective, None))))
    fids = np.union1d(known.fids, np.union1d(then, after))
    contents = known.contents_of(fids)
    if layer.identity_field is None:
        contents[np.searchsorted(fids, then)] = _contents(store, layer, then, View(effective))
    ids = np.full(len(fids), None, dtype=object)
    ids[np.searchsorted(fids, known.fids)] = known.ids
    return KnownThen(DeliveredState(fids, ids, contents), then, after)


def _fids(store: Store, layer: str, view: View) -> NDArray[np.int64]:
    frames = store.frames(FeatureQuery(layer, view=view, fields=(), geometry=False))
    return np.concatenate([no_fids(), *(frame["fid"].to_numpy() for frame in frames)])


def _contents(store: Store, layer: Layer, fids: NDArray[np.int64], view: View) -> NDArray[np.uint64]:
    contents = np.zeros((len(fids), 2), dtype=np.uint64)
    for start in range(0, len(fids), _AT_ONCE):
        chosen = fids[start : start + _AT_ONCE]
        names, rows = store.rows(FeatureQuery(layer.id, view=view, fids=tuple(chosen.tolist())))
        columns = {name: [row[n] for row in rows] for n, name in enumerate(names)}
        at = start + np.searchsorted(chosen, np.array(columns["fid"], dtype=np.int64))
        contents[at] = words_of(row_contents(layer, columns).tolist())
    return contents


def shown_until(store: Store, layer: str, effective: Instant) -> NDArray[np.int64]:
    """Return the features of a layer that deliveries or edits of a day, or of one before, have shown."""
    records = (record for record in _standing_of(store, layer) if record.effective <= effective)
    return _shown(store, records, layer)
