"""What became of a late delivery by the deliveries of later days: what they ended, split, merged and showed elsewhere.

Each of them is compared with the late rows as if it had come after them, by the rules that ended things then (`scope`,
`ownership`, `resurvey`). What they first showed in the place of rows that ended begins on that day.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Changeset
from twin_model.ground import in_the_same_place
from twin_model.identity import ClassKey, are_compatible, class_keys
from twin_model.large_shapes import part_near, seen_area
from twin_model.late_delivery import LateRows, YoungerDelivery
from twin_model.layer import Layer
from twin_model.ownership import Project, columns_of, covers, is_of_projects, nearly_all, projects_of
from twin_model.plan import EarlierLink
from twin_model.resurvey import (
    Shapes,
    delivered_shapes,
    known_shapes,
    moved_features,
    reclassed_features,
    split_and_merged,
)
from twin_model.scope import NEIGHBOURHOOD, SIGHT, mostly_within
from twin_model.store.base import Store
from twin_model.view import View

__all__ = ["aftermath"]


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
        near[there[mine]].append(part_near(shapes[theirs], geometry[there[mine]], 2 * distance))
    areas = np.array([seen_area(each, distance) for each in near], dtype=object)
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
