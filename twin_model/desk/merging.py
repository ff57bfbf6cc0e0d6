"""An edit of a frame that was read some versions ago: only what it changes counts, and what others changed is not lost.

A value that is as it was when the frame was read is no change and takes the newest; a value that both changed, each to
something else, is a conflict. Not here: the store's own check while it writes (`store/writing.py`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
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
    touched = set(store.changed_fids(layer.id, base, newest).tolist()) if base < newest else set()
    if not touched:
        return Merged(rows)
    before = _states(store, layer, rows, View(recorded=base))
    appeared = _states(store, layer, rows.take(np.array([name not in before for name in rows.ids], dtype=bool)), View())
    fids = {name: state["fid"] for name, state in (appeared | before).items()}
    stale = [row for row, name in enumerate(rows.ids.tolist()) if fids.get(name) in touched]
    if not stale:
        return Merged(rows)
    after = _states(store, layer, rows.take(np.array(stale)), View())
    sides = _Sides(before, after, _foreign(store, layer.id, base, newest, own))
    columns, wkb, merges = _merged_columns(layer, rows, stale, sides)
    ids = [merge.name for merge in merges if merge.conflicts]
    if ids:
        raise VersionConflict(
            "desk.conflict", layer=layer.id, base=base, found=newest, ids=ids, features={layer.id: ids}
        )
    newer = sum(len(merge.newer) for merge in merges)
    return Merged(_rebuilt(layer, store.crs, rows, columns, wkb), newer) if newer else Merged(rows)


@dataclass(frozen=True)
class _Sides:
    """What features said when the frame was read, what they say now, by id, and which fids somebody else has changed."""

    before: Mapping[str, dict[str, Any]]
    after: Mapping[str, dict[str, Any]]
    foreign: Collection[int]


@dataclass
class _RowMerge:
    """What becomes of one row: the fields that take the newer value, those that both sides have changed."""

    name: str
    newer: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def _merged_columns(
    layer: Layer, rows: Rows, stale: list[int], sides: _Sides
) -> tuple[dict[str, NDArray[Any]], NDArray[Any], list[_RowMerge]]:
    """Return columns and WKB in which stale rows have the newer values, and what became of each of these rows."""
    columns = {name: column.copy() for name, column in rows.columns.items()}
    wkb, merges = rows.wkb.copy(), []
    shapes = content_hashes(layer, rows.take(np.array(stale)).geometry(), {})
    for row, shape in zip(stale, shapes.tolist(), strict=True):
        name = rows.ids[row]
        merge = _row_merge(name, {each: column[row] for each, column in rows.columns.items()} | {_SHAPE: shape}, sides)
        merges.append(merge)
        for each in merge.newer:
            newest = sides.after[name][each]
            if each == _SHAPE:
                wkb[row] = sides.after[name]["wkb"]
            else:
                columns[each][row] = np.nan if newest is None and columns[each].dtype.kind == "f" else newest
    return columns, wkb, merges


def _row_merge(name: str, row: Mapping[str, Any], sides: _Sides) -> _RowMerge:
    """Compare what a row says with its feature as it was read and as it is now, value by value."""
    merge = _RowMerge(name)
    then, now = sides.before.get(name), sides.after.get(name)
    if now is None:
        merge.conflicts += ["id"] if then is not None and then["fid"] in sides.foreign else []
        return merge
    is_foreign, then = now["fid"] in sides.foreign, then or {}
    for each, value in row.items():
        if _is_same(then.get(each), now.get(each)):
            continue
        if _is_same(value, then.get(each)):
            merge.newer.append(each)
        elif is_foreign and not _is_same(value, now.get(each)):
            merge.conflicts.append(each)
    return merge


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
    fields = [name for name in names if name != _SHAPE]
    return {
        columns["id"][row]: {name: columns[name][row] for name in fields} | {_SHAPE: shapes[row], "wkb": wkb[row]}
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
