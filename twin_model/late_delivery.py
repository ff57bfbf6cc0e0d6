"""What younger deliveries have to say of one that comes late: of what it shows they ended what they saw no more.

Had it come in its time, they would have been compared with it. So they are now: with what each is recorded to have shown
(`twin_model/shown_features.py`), and by the rules that ended things then (`scope`, `ownership`, `resurvey`). What a younger one
shows in other parts, or in the place of what it ended, begins on its day. What was recorded stays recorded.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Changeset, Delivered, Scope
from twin_model.delivery_identity import standing
from twin_model.ground import in_the_same_place
from twin_model.identity import ClassKey, are_compatible, class_keys
from twin_model.layer import Layer
from twin_model.numbering import Matches
from twin_model.ownership import Project, columns_of, covers, is_of_projects, nearly_all, projects_of
from twin_model.plan import NEW, EarlierLink, LatePlan, no_fids
from twin_model.resurvey import (
    Shapes,
    delivered_shapes,
    known_shapes,
    moved_features,
    reclassed_features,
    split_and_merged,
)
from twin_model.rows.content import row_contents, words_of
from twin_model.scope import NEIGHBOURHOOD, SIGHT, mostly_within
from twin_model.shown_features import from_runs, recorded_scope
from twin_model.store.base import ChangesetRecord, DeliveredState, FeatureQuery, Store
from twin_model.temporal import Instant, Interval
from twin_model.view import NOW, View

__all__ = ["LateRows", "YoungerDelivery", "aftermath", "concerns", "known_then", "shown_until", "younger_deliveries"]

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
    records = [
        record for record in standing(store.changesets()) if record.sha256 and record.effective > changeset.effective
    ]
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


def aftermath(store: Store, changeset: Changeset, layers: Sequence[LateRows], younger: list[YoungerDelivery]) -> None:
    """Work out what became of late rows by the deliveries of later days, one after the other; `layers` are filled in."""
    for delivery in younger:
        networks = [late for late in layers if late.layer.is_network and late.open.any()]
        if networks:
            _Resurvey(store, changeset, delivery, networks, [late for late in layers if late.layer.is_network]).apply()
        for late in layers:
            if not late.layer.is_network and late.open.any():
                _apply_to_others(store, changeset, delivery, late)
    for late in layers:
        _begin_after(store, late)


def _apply_to_others(store: Store, changeset: Changeset, younger: YoungerDelivery, late: LateRows) -> None:
    """End the rows of a layer that is no network that a younger delivery would have ended."""
    layer, scope = late.layer, younger.scope
    shown = younger.shown(store, layer.id)
    if scope.reach == "nothing" or scope.series != changeset.scope.series or not len(shown):
        return
    same_name = scope.name == changeset.scope.name
    rows = np.flatnonzero(late.open)
    if scope.reach == "layer":
        seen = np.ones(len(rows), dtype=bool)
    elif scope.reach == "sheet":
        seen = np.full(len(rows), same_name)
    else:
        seen = _seen_places(store, younger, late, rows, shown, same_name=same_name)
    may_end = same_name or scope.reach in ("layer", "area") or scope.area is not None
    late.seen_no_more |= set(rows[seen].tolist())
    if may_end:
        late.end(rows[seen].tolist(), younger)


def _seen_places(
    store: Store,
    younger: YoungerDelivery,
    late: LateRows,
    rows: NDArray[np.int64],
    shown: NDArray[np.int64],
    *,
    same_name: bool,
) -> NDArray[np.bool_]:
    """Say which rows lie where a younger delivery looked; what has no place goes with its source."""
    layer, scope = late.layer, younger.scope
    if not layer.has_geometry:
        return np.full(len(rows), same_name)
    geometry = np.full(len(late.matches.fids), None, dtype=object)
    places = delivered_shapes(layer, late.delivered, late.open)
    geometry[places.keys] = places.geometry
    geometry = geometry[rows]
    if scope.area is not None:
        area = scope.area if same_name else shapely.buffer(scope.area, -SIGHT)
        return mostly_within(layer, geometry, np.full(len(rows), area, dtype=object))
    if not len(places.keys):
        return np.full(len(rows), same_name)
    near = known_shapes(store, layer, shown, places, NEIGHBOURHOOD, younger.view)
    seen = _in_sight(layer, geometry, [near.geometry], NEIGHBOURHOOD)
    return np.asarray(seen | (shapely.is_missing(geometry) & same_name), dtype=bool)


def _in_sight(layer: Layer, geometry: NDArray[Any], shown: list[NDArray[Any]], distance: float) -> NDArray[np.bool_]:
    """Say which geometries lie mostly within a distance of what was shown."""
    shapes = np.concatenate([np.empty(0, dtype=object), *shown])
    near: list[list[Any]] = [[] for _ in geometry]
    there = np.flatnonzero(~shapely.is_missing(geometry))
    pairs = shapely.STRtree(shapes).query(geometry[there], predicate="dwithin", distance=distance)
    for mine, theirs in zip(*pairs, strict=True):
        near[there[mine]].append(shapes[theirs])
    areas = np.array([shapely.buffer(shapely.union_all(each), distance) for each in near], dtype=object)
    return mostly_within(layer, geometry, areas)


class _Resurvey:
    """A younger survey of a network, compared with late rows as if it had come after them."""

    def __init__(
        self,
        store: Store,
        changeset: Changeset,
        younger: YoungerDelivery,
        open_layers: list[LateRows],
        layers: list[LateRows],
    ) -> None:
        self._store, self._younger, self._layers, self._open_layers = store, younger, layers, open_layers
        self._scope, self._late_scope = younger.scope, changeset.scope
        self._same_name = self._scope.name == self._late_scope.name
        self._shown = {late.layer.id: younger.shown(store, late.layer.id) for late in layers}

    def apply(self) -> None:
        """Fill in what it ends, splits, merges and shows elsewhere."""
        for late in self._open_layers:
            self._link(late)
        if self._scope.reach == "nothing" or self._scope.series != self._late_scope.series:
            return
        taken = self._classes_taken_over()
        for late in self._open_layers:
            self._end(late, taken)

    def _link(self, late: LateRows) -> None:
        new = delivered_shapes(late.layer, late.delivered, late.open)
        if late.layer.dimension != 1 or not len(new.keys):
            return
        projects = self._projects_and_classes(late.layer)[0]
        rows = _columns(late, (*late.layer.projects, *late.layer.classes))
        own = [is_of_projects(p, projects, same_name=self._same_name) for p in projects_of(late.layer, *rows)]
        new = new.take(np.array([own[row] for row in new.keys.tolist()], dtype=bool))
        for link in split_and_merged(late.layer, self._successors(late, new, 2 * late.layer.plan_error), new):
            late.end([link.from_fid], self._younger)
            late.begun[link.row] = self._younger.effective
            late.links.append(EarlierLink(link.kind, link.from_fid, link.row))

    def _successors(self, late: LateRows, new: Shapes, reach: float) -> Shapes:
        """Return features near rows that the survey was the first to show, that no row is and that follow none."""
        fids = np.setdiff1d(self._shown[late.layer.id], late.shown_before)
        fids = fids[~np.isin(fids, late.matches.fids) & ~np.isin(fids, [*late.begun])]
        if not len(new.keys) or not len(fids):
            return new.take(np.zeros(len(new.keys), dtype=bool))
        return known_shapes(self._store, late.layer, fids, new, reach, View(self._younger.effective))

    def _projects_and_classes(self, layer: Layer) -> tuple[frozenset[Project], frozenset[ClassKey]]:
        projects: set[Project] = set()
        classes: set[ClassKey] = set()
        fields = (*layer.projects, *layer.classes)
        for columns in columns_of(self._store, layer, self._shown[layer.id], fields, self._younger.view):
            projects |= set(projects_of(layer, columns, len(columns["fid"])))
            classes |= set(class_keys(layer, columns, len(columns["fid"])))
        return frozenset(projects), frozenset(classes)

    def _classes_taken_over(self) -> frozenset[ClassKey]:
        """Return the classes of which the survey shows nearly all that the late delivery brought (`ownership`)."""
        shown: Counter[tuple[str, ClassKey]] = Counter()
        brought: Counter[tuple[str, ClassKey]] = Counter()
        for late in self._layers:
            keys = class_keys(late.layer, *_columns(late, late.layer.classes))
            is_shown = np.isin(late.matches.fids, self._shown[late.layer.id])
            is_shown[[link.row for link in late.links]] = True
            brought.update(("", key) for key in keys)
            shown.update(("", keys[row]) for row in np.flatnonzero(is_shown).tolist())
        return frozenset(key for _, key in nearly_all(shown, brought))

    def _end(self, late: LateRows, taken: frozenset[ClassKey]) -> None:
        layer = late.layer
        gone = delivered_shapes(layer, late.delivered, late.open)
        if not len(gone.keys):
            return
        projects, classes = self._projects_and_classes(layer)
        columns, count = _columns(late, (*layer.projects, *layer.classes))
        keys, named = class_keys(layer, columns, count), projects_of(layer, columns, count)
        visible = np.array([covers(classes, keys[row]) for row in gone.keys.tolist()], dtype=bool)
        visible &= self._looked_at(layer, gone)
        gone = gone.take(visible)
        if self._scope.reach == "seen":
            own = [
                is_of_projects(named[row], projects, same_name=self._same_name)
                and (self._same_name or keys[row] in taken)
                for row in gone.keys.tolist()
            ]
            late.seen_no_more |= set(gone.keys.tolist())
            gone = gone.take(np.array(own, dtype=bool))
        gone = self._found_elsewhere(late, gone)
        late.end(gone.keys.tolist(), self._younger)

    def _looked_at(self, layer: Layer, gone: Shapes) -> NDArray[np.bool_]:
        """Say which rows lie where the survey looked."""
        scope = self._scope
        if scope.reach in ("layer", "sheet"):
            return np.full(len(gone.keys), scope.reach == "layer" or self._same_name)
        if scope.area is not None:
            area = scope.area if self._same_name else shapely.buffer(scope.area, -SIGHT)
            return mostly_within(layer, gone.geometry, np.full(len(gone.keys), area, dtype=object))
        near = [
            known_shapes(self._store, late.layer, self._shown[late.layer.id], gone, SIGHT, self._younger.view).geometry
            for late in self._layers
            if len(self._shown[late.layer.id])
        ]
        return _in_sight(layer, gone.geometry, near, SIGHT)

    def _found_elsewhere(self, late: LateRows, gone: Shapes) -> Shapes:
        """Return which rows that would end do end: the others have moved since, or are of another class."""
        if not len(gone.keys):
            return gone
        new = self._successors(late, gone, SIGHT)
        for pair in (reclassed_features, moved_features):
            followed = pair(late.layer, new, gone)
            for fid, row in followed.items():
                late.matches.fids[row] = fid
                late.matches.same[row] = False
            new = new.without(np.array([*followed], dtype=np.int64))
            gone = gone.without(np.array([*followed.values()], dtype=np.int64))
        return gone


def _columns(late: LateRows, names: Sequence[str]) -> tuple[dict[str, list[Any]], int]:
    """Return some columns of all rows, None where they have none, and how many rows there are."""
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for part in late.delivered:
        rows = part.rows()
        for name in names:
            columns[name] += rows.columns[name].tolist() if name in rows.columns else [None] * len(rows)
    return columns, len(late.matches.fids)


def _begin_after(store: Store, late: LateRows) -> None:
    """Have what younger deliveries first showed in the place of rows that ended begin when these ended."""
    layer = late.layer
    if not late.until or not layer.has_geometry or layer.valid_from_field is None:
        return
    ended = np.isin(np.arange(len(late.matches.fids)), [*late.until])
    rows = delivered_shapes(layer, late.delivered, ended)
    fids = np.setdiff1d(late.after, np.union1d(late.shown_before, late.matches.fids))
    fids = fids[~np.isin(fids, [*late.begun])]
    if not len(rows.keys) or not len(fids):
        return
    for end in sorted({late.until[row] for row in rows.keys.tolist()}):
        chosen = rows.take(np.array([late.until[row] == end for row in rows.keys.tolist()], dtype=bool))
        near = known_shapes(store, layer, fids, chosen, 2 * layer.plan_error, View(end))
        for feature, row in zip(*in_the_same_place(layer, near.geometry, chosen.geometry), strict=True):
            if are_compatible(near.traits.classes[feature], chosen.traits.classes[row]):
                late.begun[int(near.keys[feature])] = end
