"""The past of the town: what a version did, what lies between two, how one is undone. Its proof stands in `audit`.

Here one thinks over the `Store` protocol; the `twin history|show|diff|revert|audit` verbs and notebooks ask here.

    difference(store, "building", 3, 5)        # a GeoDataFrame: one row a changed feature
    commit(store, revert(store, 5, author="planner", reason="wrong sheet"))
"""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.audit import Audit, verify
from twin_model.changeset import Changeset
from twin_model.errors import QueryRefused, VersionConflict
from twin_model.layer import Layer
from twin_model.store.base import ChangesetRecord, FeatureQuery, Store
from twin_model.temporal import Interval, now
from twin_model.view import View

__all__ = ["Audit", "changeset_of", "difference", "history", "revert", "verify"]

_ALWAYS = Interval(None, None)
_SYSTEM = ("fid", "valid_from", "valid_to", "version", "geometry")
_AT_ONCE = 5_000


def history(store: Store, layer: str | None = None, limit: int | None = None) -> list[ChangesetRecord]:
    """Return changesets, newest first: all of them, or those that changed a layer."""
    if layer is None:
        return store.changesets(limit)
    name = store.catalogue[layer].id
    found = [
        one
        for one in store.changesets()
        if name in store.changes(one.number) and store.changes(one.number)[name].changed
    ]
    return found[:limit]


def changeset_of(store: Store, number: int) -> ChangesetRecord:
    """Return one changeset; a number that does not exist is refused with the numbers that do."""
    if number < 1:
        raise QueryRefused("store.unknown_version", value=number, found=store.version())
    store.ensure_version(number)
    return next(one for one in store.changesets() if one.number == number)


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
    low, high = sorted((before, after))
    fids = store.changed_fids(described.id, low, high)
    records = [
        one
        for start in range(0, len(fids), _AT_ONCE)
        for one in _differences(store, described, fids[start : start + _AT_ONCE], before, after)
    ]
    columns = ["id", "fid", "change", "fields", "before", "after", "geometry"]
    frame = pd.DataFrame(records, columns=columns).set_index("id")
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=store.crs)


def _differences(store: Store, layer: Layer, fids: NDArray[np.int64], before: int, after: int) -> list[dict[str, Any]]:
    was, becomes = (_states_of(store, layer, fids, recorded) for recorded in (before, after))
    found = []
    for fid in fids.tolist():
        old, new = was.get(fid, []), becomes.get(fid, [])
        if [_said(one) for one in old] == [_said(one) for one in new]:
            continue
        found.append(_difference(fid, old, new))
    return found


def _states_of(store: Store, layer: Layer, fids: NDArray[np.int64], recorded: int) -> dict[int, list[dict[str, Any]]]:
    query = FeatureQuery(layer.id, view=View(_ALWAYS, recorded), fids=tuple(fids.tolist()), states=True)
    states: dict[int, list[dict[str, Any]]] = {}
    for row in store.features(query).reset_index().to_dict("records"):
        states.setdefault(int(row["fid"]), []).append({name: _plain(value) for name, value in row.items()})
    return states


def _said(state: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value.wkb if hasattr(value, "wkb") else value) for name, value in state.items() if name != "version"]


def _difference(fid: int, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one row: the last state of each side is compared, field by field."""
    last_old, last_new = (states[-1] if states else {} for states in (old, new))
    gone = bool(new) and new[-1]["valid_to"] is not None and (not old or old[-1]["valid_to"] is None)
    change = "inserted" if not old else "terminated" if not new or gone else "updated"
    names = [name for name in (last_new or last_old) if name not in {"id", "fid", "version"}]
    differing = [name for name in names if _differs(last_old.get(name), last_new.get(name))]
    fields = [name for name in differing if name != "valid_from"] or ["valid_from"]
    shown = [name for name in fields if name != "geometry"]
    return {
        "id": (last_new or last_old)["id"],
        "fid": fid,
        "change": change,
        "fields": fields,
        "before": {name: last_old.get(name) for name in shown} if old else None,
        "after": {name: last_new.get(name) for name in shown} if new else None,
        "geometry": (last_new or last_old).get("geometry"),
    }


def _differs(one: Any, other: Any) -> bool:
    return bool((one.wkb if hasattr(one, "wkb") else one) != (other.wkb if hasattr(other, "wkb") else other))


def _plain(value: Any) -> Any:
    """Return a value of a frame as Python's own, None where it is absent."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def revert(store: Store, number: int, *, author: str, reason: str = "") -> Changeset:
    """Return the changeset that undoes a version: its features are again as they were recorded before it.

    Findings stay: they tell what was noticed. Raises `VersionConflict` with the features that later versions have
    changed again, `QueryRefused` where there is nothing to undo.
    """
    undone = changeset_of(store, number)
    restored = {
        layer: tuple(store.changed_fids(layer, number - 1, number).tolist())
        for layer, touched in store.changes(number).items()
        if touched.changed and layer != "finding"
    }
    described = _described_back(store, undone)
    if not any(restored.values()) and not described:
        raise QueryRefused("store.nothing_to_revert", version=number)
    later = {layer: _changed_again(store, layer, fids, number) for layer, fids in restored.items()}
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
        counts={"reverts": number, **described},
    )


def _described_back(store: Store, undone: ChangesetRecord) -> dict[str, Any]:
    """Return the description that undoes the one of a changeset; a layer that was new then is dropped."""
    described = undone.counts.get("described")
    if described is None:
        return {}
    layer = described["layer"]
    later = (record for record in store.changesets() if record.number > undone.number)
    if any(record.counts.get("described", {}).get("layer") == layer for record in later):
        raise VersionConflict("store.reverted_conflict", version=undone.number, features={layer: ["description"]})
    before = described["before"] or {**described["after"], "dropped": True}
    return {"described": {"layer": layer, "before": described["after"], "after": before}}


def _changed_again(store: Store, layer: str, fids: tuple[int, ...], number: int) -> list[str]:
    """Return the ids of those features that versions after `number` have changed."""
    again = np.intersect1d(np.array(fids, dtype=np.int64), store.changed_fids(layer, number, store.version()))
    ids: dict[int, str] = {}
    for recorded in (
        number,
        number - 1,
        store.version(),
    ):  # a feature may not have been there at each of them
        left = [fid for fid in again.tolist() if fid not in ids]
        for start in range(0, len(left), _AT_ONCE):
            some, view = tuple(left[start : start + _AT_ONCE]), View(_ALWAYS, recorded)
            found = store.features(FeatureQuery(layer, view=view, fids=some, fields=(), geometry=False))
            ids |= dict(zip(found["fid"].tolist(), found.index.tolist(), strict=True))
    return [ids[fid] for fid in again.tolist()]
