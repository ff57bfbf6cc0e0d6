"""What a delivery means for the town: each delivered feature is new, a new version of a known one, or no change.

Here one thinks; `twin_model/store` writes. A layer with numbers finds its features by id; a layer whose identity is
"match" finds them by content, then by place (`twin_model/identity.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.changeset import Changeset, Delivered, Rows, Version
from twin_model.identity import match_by_place
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery

if TYPE_CHECKING:
    from twin_model.store.base import Store

__all__ = ["UNCHANGED", "LayerPlan", "commit", "plan_changeset"]

NEW = 0
UNCHANGED = -1


@dataclass(frozen=True)
class LayerPlan:
    """What each delivered row of a layer is, in the order delivered: 0 new, -1 no change, else the fid it updates."""

    layer: str
    decisions: NDArray[np.int64]

    @property
    def is_empty(self) -> bool:
        return bool((self.decisions == UNCHANGED).all())


def commit(store: "Store", changeset: Changeset) -> Version:
    """Bring a changeset into the store, whole or not at all, and return the version it made.

    A changeset that changes nothing makes no version: the answer then says `made=False`.
    """
    return store.commit(changeset, plan_changeset)


def plan_changeset(store: "Store", changeset: Changeset) -> dict[str, LayerPlan]:
    """Compare a delivery with what the store holds; memory holds ids and hashes of the layers, not their features."""
    plans = {}
    for layer_id in dict.fromkeys(one.layer for one in changeset.delivered):
        layer = store.catalogue[layer_id]
        delivered = [one for one in changeset.delivered if one.layer == layer_id]
        plans[layer_id] = LayerPlan(layer_id, _decisions(store, layer, delivered))
    return plans


def _decisions(store: "Store", layer: Layer, delivered: list[Delivered]) -> NDArray[np.int64]:
    known = store.known(layer.id)
    if not len(known.fids):
        return np.zeros(sum(one.count for one in delivered), dtype=np.int64)
    deliveries = (one.rows() for one in delivered)
    if layer.identity_field is not None:
        return np.concatenate([_by_id(rows, known.fids, known.ids, known.contents) for rows in deliveries])
    return _by_content_then_place(store, layer, deliveries, known.fids, known.contents)


def _by_id(
    rows: Rows, fids: NDArray[np.int64], ids: NDArray[Any], contents: NDArray[Any]
) -> NDArray[np.int64]:
    row_of = pd.Index(ids).get_indexer(pd.Index(rows.ids))
    decided = np.where(row_of >= 0, fids[np.maximum(row_of, 0)], NEW)
    same = np.array(
        [r >= 0 and contents[r] == c for r, c in zip(row_of, rows.content, strict=True)], dtype=bool
    )
    decided[same] = UNCHANGED
    decided[np.array([one is None for one in rows.ids], dtype=bool)] = NEW
    return np.asarray(decided, dtype=np.int64)


def _by_content_then_place(
    store: "Store", layer: Layer, deliveries: Iterator[Rows], fids: NDArray[np.int64], contents: NDArray[Any]
) -> NDArray[np.int64]:
    """Take out what is the same to the last digit, one to one; match what is left by place, within its box."""
    waiting: dict[bytes, list[int]] = {}
    for fid, content in zip(fids.tolist(), contents.tolist(), strict=True):
        waiting.setdefault(content, []).append(fid)
    decisions: list[NDArray[np.int64]] = []
    left: list[tuple[int, Rows]] = []
    for rows in deliveries:
        decided = np.zeros(len(rows), dtype=np.int64)
        for row, content in enumerate(rows.content.tolist()):
            if waiting.get(content):
                waiting[content].pop()
                decided[row] = UNCHANGED
        if (decided == NEW).any():
            left.append((len(decisions), rows.take(decided == NEW)))
        decisions.append(decided)
    free = np.array(sorted(fid for fids_left in waiting.values() for fid in fids_left), dtype=np.int64)
    for number, rows in left:
        matched = _match(store, layer, rows, free)
        decisions[number][decisions[number] == NEW] = matched
        free = np.setdiff1d(free, matched)
    return np.concatenate(decisions)


def _match(store: "Store", layer: Layer, rows: Rows, free: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row the fid of the one known feature at its place, 0 where there is none."""
    there = np.isfinite(rows.bounds[:, 0])
    if not layer.has_geometry or not len(free) or not there.any():
        return np.zeros(len(rows), dtype=np.int64)
    reach = 2 * layer.plan_error
    minx, miny = rows.bounds[there, :2].min(axis=0) - reach
    maxx, maxy = rows.bounds[there, 2:].max(axis=0) + reach
    near = store.features(
        FeatureQuery(layer.id, bbox=(float(minx), float(miny), float(maxx), float(maxy)), fields=())
    )
    near = near[np.isin(near["fid"].to_numpy(), free)]
    return match_by_place(layer, rows.geometry(), near.geometry.to_numpy(), near["fid"].to_numpy())
