"""What a delivery means for the town: each delivered feature is new, a new state of a known one, or no change; and
what the delivery could have seen and no longer has, ends.

Here one thinks; `twin_model/store` writes. A layer with numbers finds its features by id, by a number they once had,
and where a number is new by place; a layer whose identity is "match" finds them by content, then by place
(`twin_model/identity.py`). What a delivery could have seen stands in `twin_model/scope.py`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.aftermath import aftermath
from twin_model.changeset import Changeset, Delivered, Rows, Version
from twin_model.errors import FeatureNotFound, RemovalsRefused
from twin_model.finding_plan import finding_plan
from twin_model.ground import beginnings
from twin_model.identity import Traits, match_by_place
from twin_model.kept_values import compare_with_known
from twin_model.late_delivery import LateRows, concerns, known_then, shown_until, younger_deliveries
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.numbering import Matches, believed_numbers, features_by_number, find_by_exported_ids
from twin_model.ownership import Contents, Predecessor, predecessors
from twin_model.plan import KINDS, NEW, UNCHANGED, LatePlan, LayerPlan, PlannedLink, Progress, no_fids, unwatched
from twin_model.resurvey import found_elsewhere, split_and_merged_features
from twin_model.rows.content import row_contents, words_of
from twin_model.rows.partial_content import are_alike, are_partial
from twin_model.scope import removals
from twin_model.store.base import DeliveredState, Described, FeatureQuery, HeadStart, Store
from twin_model.store.digests import parts_digest
from twin_model.store.frames import not_ended
from twin_model.temporal import ALWAYS
from twin_model.view import NOW, View

__all__ = ["MOST_REMOVALS", "commit", "plan_changeset", "touched_ids"]

MOST_REMOVALS = 0.1
"""A delivery by which a larger share of what it could have seen would vanish is refused unless removals are accepted."""

_AT_ONCE = 60_000
"""So many features are matched by place at once."""

_CLOSE_TOGETHER = 4_000
"""So many features are asked for by their fids at once."""


def commit(
    store: Store,
    changeset: Changeset,
    ahead: HeadStart | None = None,
    described: Sequence[Described] = (),
    *,
    progress: Progress = unwatched,
) -> Version:
    """Bring a changeset into the store, whole or not at all, and return the version it made.

    A changeset that changes nothing makes no version: the answer then says `made=False`. Raises `RemovalsRefused`
    where too much would vanish, `VersionConflict` where an edit's base is stale, `FeatureNotFound` for an id that
    is to end and is not there. What a store did `ahead` need not be done again. The tables of layers that are `described`
    come with their rows. `progress` hears how many rows are compared and written, and may raise to stop the commit.
    """
    _ensure_there(store, changeset)
    ahead = ahead or HeadStart()
    plan = partial(_plan_to_commit, ahead, progress)
    version = None if described else ahead.commit(changeset, plan)
    return store.commit(changeset, plan, described, progress) if version is None else version


def _plan_to_commit(ahead: HeadStart, progress: Progress, store: Store, changeset: Changeset) -> dict[str, LayerPlan]:
    plans = plan_changeset(store, changeset, ahead, progress)
    vanishing = {name: plan for name, plan in plans.items() if name != "finding" and _vanishes(plan)}
    if vanishing and not changeset.accept_removals:
        raise RemovalsRefused(
            source=changeset.source.name if changeset.source else changeset.reason,
            removals=[f"{name} {len(plan.ended) - plan.replaced} / {plan.seen}" for name, plan in vanishing.items()],
            share=f"{MOST_REMOVALS:.0%}",
        )
    return plans


def _vanishes(plan: LayerPlan) -> bool:
    return len(plan.ended) - plan.replaced > MOST_REMOVALS * plan.seen


def _ensure_there(store: Store, changeset: Changeset) -> None:
    for name, ids in changeset.terminated.items():
        query = FeatureQuery(store.catalogue[name].id, view=View(ALWAYS), ids=tuple(ids), fields=(), geometry=False)
        found = not_ended(store.features(query))
        missing = sorted(set(ids) - set(found.index))
        if missing:
            raise FeatureNotFound(id=missing[0], layer=name, example=found.index[0] if len(found) else "-")


def plan_changeset(
    store: Store, changeset: Changeset, ahead: HeadStart | None = None, progress: Progress = unwatched
) -> dict[str, LayerPlan]:
    """Compare a delivery with what the store holds; memory holds ids and hashes of the layers, not their features.

    What the store holds was asked `ahead` of this, or is asked now.
    """
    deliveries = changeset.deliveries(store.catalogue)
    plans: dict[str, LayerPlan] = {}
    comparisons: dict[str, _Comparison] = {}
    mending = ["finding"] if changeset.source is not None and "finding" in store.catalogue else []
    for layer_id in dict.fromkeys([*(one.layer for one in deliveries), *mending]):
        delivered = [one for one in deliveries if one.layer == layer_id]
        if layer_id not in store.catalogue:
            rows = np.arange(sum(one.count for one in delivered))
            renumbered = rows if layer_id in changeset.exported else no_fids()
            plans[layer_id] = LayerPlan(layer_id, np.full(len(rows), NEW, dtype=np.int64), renumbered=renumbered)
            continue
        layer = store.catalogue[layer_id]
        if changeset.edit:
            plans[layer_id] = LayerPlan(layer_id, _edited(store, layer, delivered))
            continue
        known = (ahead and ahead.delivered_state(layer_id)) or store.delivered_state(layer_id)
        if layer_id == "finding":
            plan = finding_plan(store, layer, changeset, known, delivered)
            plans |= {} if plan is None else {layer_id: plan}
            continue
        comparisons[layer_id] = _comparison(store, layer, changeset, delivered, known, progress)
    _settle_late(store, changeset, comparisons)
    contents = Contents(changeset)
    matched = {name: each.accounted for name, each in comparisons.items() if each.layer.is_network}
    before = cache(lambda: predecessors(store, changeset, matched))
    for layer_id, comparison in comparisons.items():
        planned = _planned(store, changeset, comparison, contents, before)
        if len(comparison.matches.fids) or len(planned.ended):
            plans[layer_id] = planned
    return plans


@dataclass
class _Comparison:
    """What is delivered of a layer, what the store knows of it, what is what, and which lines were split or merged."""

    layer: Layer
    delivered: list[Delivered]
    known: DeliveredState
    matches: Matches
    links: tuple[PlannedLink, ...] = ()
    late: LateRows | None = None

    @property
    def begin(self) -> NDArray[np.bool_]:
        """Which rows are new to the town on the delivery's day; what has ended and begins again is as new as what never was."""
        return ~np.isin(self.matches.fids, self.known.fids if self.late is None else self.late.shown_before)

    @property
    def missing(self) -> DeliveredState:
        """What is known of the features that the delivery may end."""
        if self.late is None:
            return self.known
        return DeliveredState.of(self.late.missed, {}, no_fids(), b"")

    @property
    def free(self) -> NDArray[np.int64]:
        """The fids of features that no row is and of which the delivery may say that they are no more."""
        return np.setdiff1d(self.missing.fids, self.matches.fids)

    def view(self, changeset: Changeset) -> View:
        """Return how those were when the delivery was true."""
        return NOW if self.late is None else View(changeset.effective)

    @property
    def shown(self) -> NDArray[np.int64]:
        """The fids of known features that are delivered, in rising order."""
        return np.unique(self.matches.fids[self.matches.fids > 0])

    @property
    def accounted(self) -> NDArray[np.int64]:
        """The fids of known features that are delivered, as they were or in other parts."""
        replaced = np.array([link.from_fid for link in self.links], dtype=np.int64)
        return np.concatenate((self.matches.fids[self.matches.fids > 0], np.unique(replaced)))


def _comparison(
    store: Store,
    layer: Layer,
    changeset: Changeset,
    delivered: list[Delivered],
    known: DeliveredState,
    progress: Progress,
) -> _Comparison:
    """Compare what is delivered of a layer with what the store knows of it."""
    if changeset.source is None:
        known = _as_it_is_now(store, layer, known)
    if _is_late(store, layer, changeset):
        comparison = _late_comparison(store, layer, changeset, delivered, known, progress)
    else:
        views = ((NOW, known.fids),)
        comparison = _Comparison(layer, delivered, known, _compared(store, layer, delivered, known, views, progress))
    if layer.id in changeset.exported and layer.identity_field is None:
        find_by_exported_ids(store, layer, known, delivered, comparison.matches)
    if layer.is_network:
        begin, free, view = comparison.begin, comparison.free, comparison.view(changeset)
        comparison.links = split_and_merged_features(store, layer, changeset, begin, free, view)
    if (comparison.matches.doubted > 0).any():
        origins = store.provenance(layer.id)
        believed_numbers(comparison.matches, origins.fids[origins.scopes == changeset.scope.name], comparison.links)
    return comparison


def _late_comparison(
    store: Store,
    layer: Layer,
    changeset: Changeset,
    delivered: list[Delivered],
    known: DeliveredState,
    progress: Progress,
) -> _Comparison:
    """Compare a late delivery with what stands on its day or later: first with what holds on the day."""
    then = known_then(store, layer, known, changeset.effective)
    views = then.views(changeset.effective)
    comparison = _Comparison(
        layer, delivered, then.state, _compared(store, layer, delivered, then.state, views, progress)
    )
    shown_before = shown_until(store, layer.id, changeset.effective)
    missed = then.missed(store, layer.id, shown_before, changeset.effective)
    comparison.late = LateRows(layer, delivered, comparison.matches, then.after, shown_before, missed)
    return comparison


def _settle_late(store: Store, changeset: Changeset, comparisons: Mapping[str, _Comparison]) -> None:
    """Work out what became of the rows of layers for which the delivery comes late."""
    late = [comparison.late for comparison in comparisons.values() if comparison.late is not None]
    if late:
        aftermath(store, changeset, late, younger_deliveries(store, changeset))


def _planned(
    store: Store,
    changeset: Changeset,
    comparison: _Comparison,
    contents: Contents,
    before: Callable[[], frozenset[Predecessor]],
) -> LayerPlan:
    """Return the plan of a layer: what else the delivery lacks, ends; what it shows elsewhere, has moved."""
    layer, matches, links = comparison.layer, comparison.matches, comparison.links
    view, missing = comparison.view(changeset), comparison.missing
    gone = removals(store, layer, changeset, missing, comparison.accounted, contents, before, view)
    ended = gone.ended
    if layer.is_network and len(ended):
        ended = found_elsewhere(store, layer, comparison.delivered, matches, links, ended, view)
    kinds, kept_columns = _fill_in(store, changeset, comparison)
    replaced = np.unique(np.array([link.from_fid for link in links], dtype=np.int64))
    ended = np.union1d(ended, replaced)
    since = beginnings(store, layer, changeset.effective, comparison.delivered, comparison.begin, ended, matches.fids)
    late = LatePlan() if comparison.late is None else comparison.late.plan(store, ended)
    linked = {link.row for link in links}
    renumbered = np.flatnonzero((matches.doubted > 0) & (matches.fids == NEW))
    if changeset.source is not None and layer.identity_field is None:
        renumbered = np.arange(len(matches.fids))  # ids of an export only find features: new ones get ids of this town
    if layer.is_network:
        kinds["split"] = len({link.from_fid for link in links if link.kind == "split"})
        kinds["merged"] = len({link.row for link in links if link.kind == "merged"})
        kinds["new"] = len(np.setdiff1d(np.flatnonzero(matches.fids == NEW), [*linked]))
    return LayerPlan(
        layer.id,
        matches.decisions,
        np.setdiff1d(ended, late.ended_earlier),
        gone.seen,
        gone.kept,
        others=gone.others,
        links=links,
        kinds={kind: kinds[kind] for kind in KINDS if kinds[kind]},
        kept_columns=kept_columns,
        renumbered=renumbered,
        since=since,
        shown=comparison.shown,
        late=late,
    )


def _fill_in(store: Store, changeset: Changeset, comparison: _Comparison) -> tuple[Counter[str], tuple[str, ...]]:
    """Compare what updates would say with what holds; return the kinds of those that differ, and columns that stay as they are.

    What a late delivery says is compared with what held on its day, and so is what it says of a feature that has ended.
    The comparison is filled in.
    """
    layer, matches = comparison.layer, comparison.matches
    kinds: Counter[str] = Counter()
    columns: set[str] = set()
    late, then = comparison.late is not None, View(changeset.effective)
    for part, delivery in _parts_of(comparison.delivered):
        same, fids = matches.same[part], matches.fids[part]
        standing = np.isin(fids, comparison.known.fids) & (not late)
        all_of_them = late or changeset.blank  # what the last delivery said is not what held on another day
        waiting = np.flatnonzero(fids > 0) if all_of_them else np.flatnonzero((fids > 0) & ~same)
        for view, chosen in ((NOW, waiting[standing[waiting]]), (then, waiting[~standing[waiting]])):
            if not len(chosen):
                continue
            rows = delivery.rows()
            whole = changeset.source is None
            lacking = not whole and _lacks_columns(layer, rows)
            follows = layer.id in changeset.follows_edits
            partial = are_partial(comparison.known.contents_of(fids[chosen]), words_of(rows.content[chosen])).any()
            if view is NOW and not (layer.is_network or lacking or changeset.blank or follows or partial):
                continue
            compared = compare_with_known(store, layer, rows.take(chosen), fids[chosen], view, whole=whole)
            same[chosen] = compared.same
            kinds += compared.kinds
            columns |= compared.kept_columns
    fields = [name for name in layer.field_names if name in columns]
    return kinds, (*fields, *sorted(columns.difference(fields)))


def _lacks_columns(layer: Layer, rows: Rows) -> bool:
    """Say whether a known feature may keep a field or an attribute of which rows say nothing."""
    says_all = rows.attribute_names is None and ATTRIBUTES in rows.columns
    return not says_all or any(name not in rows.columns for name in layer.field_names)


def _as_it_is_now(store: Store, layer: Layer, known: DeliveredState) -> DeliveredState:
    """Return what a layer holds by what its features say now, be it delivered or edited.

    A source that is delivered again has nothing new to say of what was edited since; a frame that is to replace a layer has.
    """
    contents = known.contents.copy()
    if store.count(FeatureQuery(layer.id)) < len(known.fids):
        visible = [frame["fid"] for frame in store.frames(FeatureQuery(layer.id, fields=(), geometry=False))]
        contents[~np.isin(known.fids, np.concatenate([no_fids(), *visible]))] = 0
    edited = np.intersect1d(known.fids, _edited_fids(store, layer.id))
    for start in range(0, len(edited), _CLOSE_TOGETHER):
        some = tuple(edited[start : start + _CLOSE_TOGETHER].tolist())
        columns = _columns(store, FeatureQuery(layer.id, fids=some))
        positions = np.searchsorted(known.fids, np.array(columns["fid"], dtype=np.int64))
        contents[positions] = words_of(row_contents(layer, columns).tolist())
    return replace(known, contents=contents)


def _edited_fids(store: Store, layer: str) -> NDArray[np.int64]:
    """Return the features that versions have changed which delivered nothing of the layer."""
    nothing = parts_digest(np.zeros(2, dtype=np.uint64))
    digests = ((record.number, record.counts.get("content", {}).get(layer, "")) for record in store.changesets())
    edits = [number for number, digest in digests if digest.startswith(nothing)]
    return np.concatenate([no_fids(), *(store.changed_fids(layer, number - 1, number) for number in edits)])


def _is_late(store: Store, layer: Layer, changeset: Changeset) -> bool:
    """Say whether the layer has had a delivery since of a later day: that one has seen more (`late_delivery`)."""
    return any(concerns(store, one.record, layer.id) for one in younger_deliveries(store, changeset))


def touched_ids(store: Store, plan: LayerPlan) -> dict[str, list[str]]:
    """Return the ids of the features that a plan updates and ends."""
    fids = {"updated": plan.decisions[plan.decisions > 0], "terminated": plan.ended}
    ids: dict[str, list[str]] = {name: [] for name in fids}
    for name, some in fids.items():
        for start in range(0, len(some), _CLOSE_TOGETHER):
            chosen = tuple(some[start : start + _CLOSE_TOGETHER].tolist())
            ids[name] += store.features(FeatureQuery(plan.layer, fids=chosen, fields=(), geometry=False)).index.tolist()
    return ids


def _compared(
    store: Store,
    layer: Layer,
    delivered: list[Delivered],
    known: DeliveredState,
    views: Sequence[tuple[View, NDArray[np.int64]]],
    progress: Progress,
) -> Matches:
    """Find which features rows are; `views` say with which state which of them are compared by place, one after the other."""
    if layer.identity_field is not None:
        matches = features_by_number(store, layer, known, delivered, views[0][0])
    else:
        content = np.concatenate([words_of(()), *(frame.contents for frame in delivered)])
        fids = _by_content(known, content)
        matches = Matches.of(fids, (fids > 0) & (known.contents_of(fids) == content).all(axis=1))
    if len(known.fids) and layer.has_geometry and (layer.identity_field is None or layer.classes):
        for view, fids in views:
            _match_by_place(store, layer, delivered, matches, np.setdiff1d(fids, matches.fids), view, progress)
    return matches


def _parts_of(delivered: list[Delivered]) -> Iterator[tuple[slice, Delivered]]:
    start = 0
    for one in delivered:
        yield slice(start, start + one.count), one
        start += one.count


def _by_content(known: DeliveredState, content: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return for each delivered hash (n, 2) the fid of a feature of which the same was delivered, 0 for none.

    One to one: the second row that says a thing is the second feature that said it. Hashes are found by their first
    word, which is as good as random, and compared by both; one that says only part is found too (`partial_content`).
    """
    fids = np.zeros(len(content), dtype=np.int64)
    if not len(known.fids):
        return fids
    (ours, wanted), (theirs, there) = (_ordered(words[:, 0]) for words in (content, known.contents))
    first = np.r_[True, wanted[1:] != wanted[:-1]][: len(wanted)]
    rank = np.arange(len(wanted)) - np.maximum.accumulate(np.where(first, np.arange(len(wanted)), 0))
    at = np.searchsorted(there, wanted) + rank
    inside = at < len(there)
    ours, wanted, at = ours[inside], wanted[inside], at[inside]
    theirs, there = theirs[at], there[at]
    same = are_alike(content[ours], known.contents[theirs])
    fids[ours[same]] = known.fids[theirs[same]]
    return fids


def _ordered(words: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
    """Return the order of words, equal ones as they came, and the words in it; where none are equal any sort will do."""
    order = np.argsort(words)
    found = words[order]
    if (found[1:] == found[:-1]).any():
        order = np.argsort(words, kind="stable")
    return order, found


def _edited(store: Store, layer: Layer, delivered: list[Delivered]) -> NDArray[np.int64]:
    """Return what each row of an edit is: it names its feature by id, and says something else than holds now or not."""
    decisions = [np.empty(0, dtype=np.int64)]
    for one in delivered:
        rows = one.rows()
        named = [each for each in rows.ids.tolist() if each is not None]
        now = _columns(store, FeatureQuery(layer.id, ids=tuple(named)))
        now |= {name: [None] * len(now["id"]) for name in rows.columns if name not in now}
        contents = dict(zip(now["id"], row_contents(layer, now, tuple(rows.columns)), strict=True))
        fids = dict(zip(now["id"], now["fid"], strict=True))
        fids = store.fids_of_past_ids(layer.id, [each for each in named if each not in fids]) | fids
        decisions.append(
            np.array(
                [
                    UNCHANGED if contents.get(each) == content else fids.get(each, NEW)
                    for each, content in zip(rows.ids.tolist(), rows.content.tolist(), strict=True)
                ],
                dtype=np.int64,
            )
        )
    return np.concatenate(decisions)


def _columns(store: Store, query: FeatureQuery) -> dict[str, list[Any]]:
    """Return plain rows by column."""
    names, rows = store.rows(query)
    return {name: [row[n] for row in rows] for n, name in enumerate(names)}


def _match_by_place(
    store: Store,
    layer: Layer,
    delivered: list[Delivered],
    matches: Matches,
    free: NDArray[np.int64],
    view: View,
    progress: Progress,
) -> None:
    """Match by place what nothing else was found for; `found` is filled in. The town is gone through in strips from
    west to east, so that memory holds what is left in one of them, in whatever order the rows were delivered."""
    left, west, east = _unmatched_rows(delivered, matches)
    if not len(free) or not len(left):
        return
    strips = np.array_split(np.argsort(west, kind="stable"), -(-max(len(left), len(free)) // _AT_ONCE))
    done = 0
    for strip in strips:
        progress("compare", done, len(left))
        done += len(strip)
        reach = 2 * layer.plan_error
        sides = None if len(strips) == 1 else (west[strip].min() - reach, east[strip].max() + reach)
        near = _free_features(store, layer, free, sides, view)
        taken = np.sort(left[strip])
        for part, delivery in _parts_of(delivered):
            group = taken[np.searchsorted(taken, part.start) : np.searchsorted(taken, part.stop)]
            if len(group) and len(near):
                matches.fids[group] = _match(layer, delivery.rows().take(group - part.start), near)
                near = near[~np.isin(near["fid"].to_numpy(), matches.fids[group])]
        free = np.setdiff1d(free, matches.fids[left[strip]])


def _unmatched_rows(
    delivered: list[Delivered], matches: Matches
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the positions of rows with a geometry that are nothing known yet, and where each begins and ends."""
    positions, boxes = [np.empty(0, dtype=np.int64)], [np.empty((0, 4))]
    for part, delivery in _parts_of(delivered):
        rows = np.flatnonzero(matches.fids[part] == NEW)
        if len(rows):
            bounds = delivery.rows().bounds[rows]
            there = np.isfinite(bounds[:, 0])
            positions.append(rows[there] + part.start)
            boxes.append(bounds[there])
    box = np.concatenate(boxes)
    return np.concatenate(positions), box[:, 0], box[:, 2]


def _free_features(
    store: Store, layer: Layer, free: NDArray[np.int64], sides: tuple[float, float] | None, view: View
) -> gpd.GeoDataFrame:
    """Return the features that are still free, all of them or those between two meridians of the town's grid."""
    query = FeatureQuery(layer.id, view=view, fields=(*layer.classes, *layer.sizes))
    if sides is None:
        return store.features(query.with_(fids=tuple(free.tolist())))
    extent = store.summary(layer.id, view).extent
    south, north = (extent[1], extent[3]) if extent else (0.0, 0.0)
    query = query.with_(bbox=(float(sides[0]), south, float(sides[1]), north))
    frames = [frame[np.isin(frame["fid"].to_numpy(), free)] for frame in store.frames(query)]
    return gpd.GeoDataFrame(pd.concat(frames)) if frames else store.features(query.with_(limit=0))


def _match(layer: Layer, rows: Rows, near: gpd.GeoDataFrame) -> NDArray[np.int64]:
    """Return for each row the fid of the one known feature that is it by place and traits, 0 where there is none."""
    traits = None
    if layer.is_network:
        traits = Traits.of(layer, rows.columns, len(rows)), Traits.of(layer, near, len(near))
    return match_by_place(layer, rows.geometry(), near.geometry.to_numpy(), near["fid"].to_numpy(), traits)
