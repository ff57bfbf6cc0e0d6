"""The past of the town: what a version did, what lies between two, how one is undone. Its proof stands in `audit`.

Here one thinks over the `Store` protocol; the `twin history|show|diff|revert|audit` verbs and notebooks ask here.

    difference(store, "building", 3, 5)        # a GeoDataFrame: one row a changed feature
    commit(store, revert(store, 5, author="planner", reason="wrong sheet"))
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from twin_model.audit import Audit, verify
from twin_model.changeset import Changeset
from twin_model.delivery_identity import standing
from twin_model.errors import QueryRefused, VersionConflict
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.rows.attributes import read_attributes
from twin_model.store.base import ChangesetQuery, ChangesetRecord, FeatureQuery, Store
from twin_model.store.frames import from_wkb
from twin_model.temporal import Interval, now
from twin_model.view import View

__all__ = [
    "Audit",
    "ChangedStates",
    "Predecessors",
    "State",
    "attributes_of",
    "changed_states",
    "changeset_of",
    "difference",
    "differing_fields",
    "history",
    "predecessors_of",
    "revert",
    "states_of",
    "verify",
]

State = Mapping[str, Any]
"""What one row says, by column: plain values with None where they are absent, geometry as WKB."""

_ALWAYS = Interval(None, None)
_AT_ONCE = 5_000


def history(store: Store, layer: str | None = None, limit: int | None = None) -> list[ChangesetRecord]:
    """Return changesets, newest first: all of them, or those that changed a layer or its description."""
    if layer is None:
        return store.changesets(limit)
    name = store.catalogue[layer].id
    described = [
        changeset
        for changeset in store.chosen_changesets(ChangesetQuery(noted=True))
        if changeset.counts.get("described", {}).get("layer") == name
    ]
    changed = store.chosen_changesets(ChangesetQuery(limit, touching=name))
    by_number = {changeset.number: changeset for changeset in (*described, *changed)}
    return [by_number[number] for number in sorted(by_number, reverse=True)][:limit]


def changeset_of(store: Store, number: int) -> ChangesetRecord:
    """Return one changeset; a number that does not exist is refused with the numbers that do."""
    if number < 1:
        raise QueryRefused("store.unknown_version", value=number, found=store.version())
    store.ensure_version(number)
    return store.chosen_changesets(ChangesetQuery(numbers=(number,)))[0]


class Predecessors(NamedTuple):
    """A feature of a layer and the ids of those that it follows; `kind` is how ("split", "merged")."""

    layer: str
    kind: str
    id: str
    former_ids: tuple[str, ...]


def predecessors_of(store: Store, number: int) -> list[Predecessors]:
    """Return which features follow which others by a version, as known now: what was undone since is not among them."""
    followed: list[Predecessors] = []
    for layer in store.changes(number):
        links = [link for link in store.links(layer) if link.version == number]
        ids = _ids_of(store, layer, sorted({fid for link in links for fid in (link.from_fid, link.to_fid)}))
        former: dict[tuple[str, int], list[str]] = {}
        for link in links:
            former.setdefault((link.kind, link.to_fid), []).append(ids[link.from_fid])
        followed += [Predecessors(layer, kind, ids[fid], tuple(names)) for (kind, fid), names in former.items()]
    return followed


def _ids_of(store: Store, layer: str, fids: Sequence[int]) -> dict[int, str]:
    """Return the ids of features, also of those that have ended."""
    ids: dict[int, str] = {}
    for start in range(0, len(fids), _AT_ONCE):
        part = tuple(fids[start : start + _AT_ONCE])
        frame = store.features(FeatureQuery(layer, view=View(_ALWAYS), fids=part, fields=(), geometry=False))
        ids |= dict(zip(frame["fid"].tolist(), frame.index.tolist(), strict=True))
    return ids


def difference(store: Store, layer: str, before: int, after: int) -> gpd.GeoDataFrame:
    """Return what differs in a layer between the states recorded as of two versions: one row a changed feature.

    Index `id`; `change` is "inserted", "updated" or "terminated"; `fields` names what differs ("geometry" among it; validity
    alone where nothing else does); `before` and `after` hold the differing values; the geometry is that of the later
    state, of the earlier one where the feature is gone. States of all valid time are compared, so a late delivery that
    corrects the past shows.
    """
    described = store.catalogue[layer]
    for number in (before, after):
        store.ensure_version(number)
    records = [_difference(each) for each in changed_states(store, described, before, after)]
    columns = ["id", "fid", "change", "fields", "before", "after", "geometry"]
    frame = pd.DataFrame(records, columns=columns).set_index("id")
    return gpd.GeoDataFrame(
        frame, geometry=gpd.array.from_shapely(from_wkb(frame["geometry"].to_list())), crs=store.crs
    )


class ChangedStates(NamedTuple):
    """A feature of which two versions say something else, with the states that each knows of it, oldest first."""

    fid: int
    before: Sequence[State]
    after: Sequence[State]

    @property
    def change(self) -> str:
        """The kind of change: "inserted", "updated" or "terminated"."""
        if not self.before:
            return "inserted"
        has_end = bool(self.after) and self.after[-1]["valid_to"] is not None
        return "terminated" if not self.after or (has_end and self.before[-1]["valid_to"] is None) else "updated"

    @property
    def latest(self) -> tuple[State, State]:
        """The latest states in which the two versions differ; empty where one of them knows none of that time."""
        old, new = list(self.before), list(self.after)
        while old and new and _content(old[-1]) == _content(new[-1]):
            old.pop()
            new.pop()
        return (old[-1] if old else {}), (new[-1] if new else {})


def changed_states(store: Store, layer: Layer, before: int, after: int) -> Iterator[ChangedStates]:
    """Yield the features of which two versions say something else, by fid; states of all valid time are compared."""
    low, high = sorted((before, after))
    fids = store.changed_fids(layer.id, low, high)
    for start in range(0, len(fids), _AT_ONCE):
        part = fids[start : start + _AT_ONCE].tolist()
        was, becomes = (states_of(store, layer, part, View(_ALWAYS, recorded)) for recorded in (before, after))
        for fid in part:
            old, new = was.get(fid, []), becomes.get(fid, [])
            if [_content(each) for each in old] != [_content(each) for each in new]:
                yield ChangedStates(fid, old, new)


def states_of(store: Store, layer: Layer, fids: Sequence[int], view: View) -> dict[int, list[State]]:
    """Return the states of features that a view shows, by fid, the oldest first; each attribute is a column `attributes.NAME`."""
    query = FeatureQuery(layer.id, view=view, fids=tuple(fids), states=isinstance(view.datetime, Interval))
    columns, rows = store.rows(query)
    truths = {each.name for each in layer.fields if each.type == "boolean"} & set(columns)
    states: dict[int, list[State]] = {}
    for row in rows:
        state = dict(zip(columns, row, strict=True))
        state |= {name: bool(state[name]) for name in truths if state[name] is not None}
        attributes = read_attributes(state.pop(ATTRIBUTES, None))
        state |= {f"{ATTRIBUTES}.{name}": value for name, value in attributes.items()}
        states.setdefault(state["fid"], []).append(state)
    return states


def _content(state: State) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name != "version" and value is not None}


def attributes_of(*states: State) -> list[str]:
    """Return the names `attributes.NAME` that states have, in the order in which they first come."""
    return list(dict.fromkeys(name for state in states for name in state if name.startswith(f"{ATTRIBUTES}.")))


def _difference(states: ChangedStates) -> dict[str, Any]:
    """Return one row: the latest states that differ are compared, field by field."""
    old, new = states.latest
    names = [name for name in (new or old) if name not in {"id", "fid", "version"}]
    names += [name for name in attributes_of(old) if name not in names]
    differing = differing_fields(old, new, names)
    fields = [name for name in differing if name != "valid_from"] or ["valid_from"]
    shown = [name for name in fields if name != "geometry"]
    last = (states.after or states.before)[-1]
    return {
        "id": last["id"],
        "fid": states.fid,
        "change": states.change,
        "fields": fields,
        "before": {name: old.get(name) for name in shown} if states.before else None,
        "after": {name: new.get(name) for name in shown} if states.after else None,
        "geometry": last.get("geometry"),
    }


def differing_fields(before: State, after: State, names: Sequence[str]) -> list[str]:
    """Return those of the names whose values differ; what a state does not have is as good as None."""
    return [name for name in names if before.get(name) != after.get(name)]


def revert(store: Store, number: int, *, author: str, reason: str = "") -> Changeset:
    """Return the changeset that undoes a version: its features are again as they were recorded before it.

    Findings stay: they tell what was noticed; those that `twin doctor` closed are open again. Raises `VersionConflict` with the features that later versions have
    changed again, `QueryRefused` where there is nothing to undo.
    """
    undone = changeset_of(store, number)
    restored = {
        layer: tuple(store.changed_fids(layer, number - 1, number).tolist())
        for layer, touched in store.changes(number).items()
        if touched.changed and (layer != "finding" or "doctor" in undone.counts)
    }
    described = _described_back(store, undone)
    if not any(restored.values()) and not described:
        raise QueryRefused("store.nothing_to_revert", version=number)
    later = {layer: _changed_again(store, layer, fids, number) for layer, fids in restored.items()}
    later |= {layer: ids for layer, ids in _ended_by(store, undone).items() if not later.get(layer)}
    if any(later.values()):
        shown = {layer: ids[:20] for layer, ids in later.items() if ids}
        raise VersionConflict("store.reverted_conflict", version=number, features=shown)
    return Changeset(
        author,
        reason or f"revert {number}: {undone.reason}",
        now(),
        edit=True,
        base=store.version(),
        restored=restored,
        restored_to=number - 1,
        since_recorded=True,
        counts={"reverts": number, **described},
    )


def _ended_by(store: Store, undone: ChangesetRecord) -> dict[str, list[str]]:
    """Return by layer the features of deliveries that came late and ended by a version: these are to be undone first."""
    ended: dict[str, list[str]] = {}
    for record in standing(store.changesets()):
        if undone.number not in record.counts.get("ended_by", ()):
            continue
        for layer in store.changes(record.number):
            fids = tuple(store.changed_fids(layer, record.number - 1, record.number).tolist())
            query = FeatureQuery(layer, view=View(_ALWAYS), fids=fids, fields=(), geometry=False)
            frame = store.features(query)
            ended[layer] = frame.index[(frame["valid_to"] == undone.effective).to_numpy()].tolist()
    return ended


def _described_back(store: Store, undone: ChangesetRecord) -> dict[str, Any]:
    """Return the description that undoes the one of a changeset; a layer that was new then is dropped."""
    described = undone.counts.get("described")
    if described is None:
        return {}
    layer = described["layer"]
    later = (record for record in store.changesets() if record.number > undone.number)
    if any(record.counts.get("described", {}).get("layer") == layer for record in later):
        raise VersionConflict("store.reverted_conflict", version=undone.number, features={layer: ["description"]})
    after = described["after"]
    before = described["before"] or {**after, "dropped": True}
    kinds = {name: said["type"] for name, said in after["fields"].items() if "type" in said}
    fields = {
        name: {**said, "type": kinds.get(name, said.get("type", "string"))} for name, said in before["fields"].items()
    }
    before = {**before, "fields": fields}  # a column that became wider stays so
    return {"described": {"layer": layer, "before": after, "after": before}}


def _lasting_after(store: Store, number: int) -> list[int]:
    """Return the later versions that stand, without those that undo another later one."""
    lasting = (record for record in standing(store.changesets()) if record.number > number)
    return [record.number for record in lasting if record.counts.get("reverts", 0) <= number]


def _changed_again(store: Store, layer: str, fids: tuple[int, ...], number: int) -> list[str]:
    """Return the ids of those features that versions after `number` have changed; what was changed and undone is as it was."""
    changed = [store.changed_fids(layer, later - 1, later) for later in _lasting_after(store, number)]
    again = np.intersect1d(np.array(fids, dtype=np.int64), np.concatenate([np.empty(0, dtype=np.int64), *changed]))
    ids: dict[int, str] = {}
    for recorded in (
        number,
        number - 1,
        store.version(),
    ):  # a feature may not have been there at each of them
        left = [fid for fid in again.tolist() if fid not in ids]
        for start in range(0, len(left), _AT_ONCE):
            some, view = tuple(left[start : start + _AT_ONCE]), View(_ALWAYS, recorded)
            features = store.features(FeatureQuery(layer, view=view, fids=some, fields=(), geometry=False))
            ids |= dict(zip(features["fid"].tolist(), features.index.tolist(), strict=True))
    return [ids[fid] for fid in again.tolist()]
