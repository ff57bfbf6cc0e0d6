"""An edit of a frame that was read some versions ago: only what it changes counts, and what others changed is not lost.

A value that is as it was when the frame was read is no change and takes the newest; a value that both changed, each to
something else, is a conflict. Not here: the store's own check while it writes (`store/writing.py`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Rows
from twin_model.errors import VersionConflict
from twin_model.layer import Layer
from twin_model.rows.content import content_hashes, row_contents
from twin_model.rows.geometry import min_zoom
from twin_model.rows.row_geometry import RowGeometry
from twin_model.store.base import FeatureQuery, Store
from twin_model.view import View

__all__ = ["Merged", "merged_with_newer"]

_DECIMALS = 6
_SHAPE = "geometry"


@dataclass(frozen=True)
class Merged:
    """Rows of an edit on the newest state, and how many values in them were kept as others had made them since."""

    rows: Rows
    newer: int = 0


def merged_with_newer(store: Store, layer: Layer, rows: Rows, base: int, *, own: Collection[int] = ()) -> Merged:
    """Return rows that were made from the state of version `base`, with what has changed in the store since.

    Versions in `own` were made by who edits now: they never conflict. Raises `VersionConflict` with the ids of features
    of which both changed a value, that ended since, or that others made since under an id that the rows give too.
    """
    newest = store.version()
    touched = store.changed_fids(layer.id, base, newest) if base < newest else np.empty(0, dtype=np.int64)
    if not len(touched):
        return Merged(rows)
    before, changed = _states(store, layer, rows, View(recorded=base)), set(touched.tolist())
    is_there = np.array([name in before for name in rows.ids], dtype=bool)
    appeared = _states(store, layer, rows.take(~is_there), View())
    known = appeared | before
    waiting = np.array([name in known and known[name]["fid"] in changed for name in rows.ids], dtype=bool)
    if not waiting.any():
        return Merged(rows)
    foreign = _foreign(store, layer.id, base, newest, own)
    stale = rows.take(waiting)
    return _merge(
        layer, store.crs, rows, stale, waiting, before, _states(store, layer, stale, View()), foreign, base, newest
    )


def _merge(
    layer: Layer,
    crs: str,
    rows: Rows,
    stale: Rows,
    waiting: NDArray[np.bool_],
    before: Mapping[str, dict[str, Any]],
    after: Mapping[str, dict[str, Any]],
    foreign: set[int],
    base: int,
    newest: int,
) -> Merged:
    positions = np.flatnonzero(waiting)
    columns = {name: column.copy() for name, column in rows.columns.items()}
    wkb = rows.wkb.copy()
    shapes = content_hashes(layer, stale.geometry(), {})
    conflicts, newer = [], 0
    for row, position in enumerate(positions.tolist()):
        name = rows.ids[position]
        then, now = before.get(name), after.get(name)
        if now is None:
            conflicts += [name] if then is not None and then["fid"] in foreign else []
            continue
        theirs, then = now["fid"] in foreign, then or {}
        said = {field: column[position] for field, column in rows.columns.items()} | {_SHAPE: shapes[row]}
        for field, value in said.items():
            if _is_same(then.get(field), now.get(field)):
                continue
            if not _is_same(value, then.get(field)):
                conflicts += [name] if theirs and not _is_same(value, now[field]) else []
                continue
            newer += 1
            if field == _SHAPE:
                wkb[position] = now["wkb"]
            else:
                columns[field][position] = (
                    np.nan if columns[field].dtype.kind == "f" and now[field] is None else now[field]
                )
    if conflicts:
        found = {layer.id: list(dict.fromkeys(conflicts))}
        raise VersionConflict(
            "desk.conflict", layer=layer.id, base=base, found=newest, ids=found[layer.id], features=found
        )
    return Merged(_rebuilt(layer, crs, rows, columns, wkb), newer) if newer else Merged(rows)


def _rebuilt(layer: Layer, crs: str, rows: Rows, columns: Mapping[str, NDArray[Any]], wkb: NDArray[Any]) -> Rows:
    geometry = np.asarray(shapely.from_wkb(wkb), dtype=object)
    bounds = shapely.bounds(geometry)
    return replace(
        rows,
        shapes=RowGeometry.of(wkb),
        bounds=bounds,
        columns=columns,
        min_zoom=min_zoom(layer, bounds, crs),
        content=content_hashes(layer, geometry, columns),
    )


def _states(store: Store, layer: Layer, rows: Rows, view: View) -> dict[str, dict[str, Any]]:
    """Return values by field and a hash of the geometry, by id, of the features that rows name."""
    named = tuple(name for name in rows.ids.tolist() if name is not None)
    names, records = store.rows(FeatureQuery(layer.id, view=view, ids=named))
    columns = {name: [record[place] for record in records] for place, name in enumerate(names)}
    shapes = row_contents(layer, columns, ())
    wkb = columns.get(_SHAPE, [None] * len(records))
    kept = [name for name in names if name != _SHAPE]
    return {
        columns["id"][row]: {name: columns[name][row] for name in kept} | {_SHAPE: shapes[row], "wkb": wkb[row]}
        for row in range(len(records))
    }


def _foreign(store: Store, layer: str, base: int, newest: int, own: Collection[int]) -> set[int]:
    """Return the fids that versions after `base` changed which are not our own."""
    if not any(base < version <= newest for version in own):
        return set(store.changed_fids(layer, base, newest).tolist())
    others = (version for version in range(base + 1, newest + 1) if version not in own)
    return {fid for version in others for fid in store.changed_fids(layer, version - 1, version).tolist()}


def _is_same(value: Any, other: Any) -> bool:
    """Return whether two values are one to a store: absent is absent, numbers count to six decimals."""
    if _is_absent(value) or _is_absent(other):
        return _is_absent(value) and _is_absent(other)
    if isinstance(value, str | bytes) or isinstance(other, str | bytes):
        return bool(value == other)
    return round(float(value), _DECIMALS) == round(float(other), _DECIMALS)


def _is_absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)
