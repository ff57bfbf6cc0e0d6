"""What a delivery means for the town: each delivered feature is new, a new version of a known one, or no change.

Here one thinks; `twin_model/store` writes. A layer with numbers finds its features by id; a layer whose identity is
"match" finds them by content, then by place (`twin_model/identity.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.changeset import Changeset, Version
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
        frames = (one.frame() for one in changeset.delivered if one.layer == layer_id)
        plans[layer_id] = LayerPlan(layer_id, _decisions(store, layer, frames))
    return plans


def _decisions(store: "Store", layer: Layer, frames: Iterator[gpd.GeoDataFrame]) -> NDArray[np.int64]:
    if store.summary(layer.id).features == 0 and store.version() == 0:
        return np.concatenate([np.zeros(len(frame), dtype=np.int64) for frame in frames])
    known = store.known(layer.id)
    if not len(known.fids):
        return np.concatenate([np.zeros(len(frame), dtype=np.int64) for frame in frames])
    if layer.identity_field is not None:
        return np.concatenate([_by_id(frame, known.fids, known.ids, known.contents) for frame in frames])
    return _by_content_then_place(store, layer, frames, known.fids, known.contents)


def _by_id(
    frame: gpd.GeoDataFrame, fids: NDArray[np.int64], ids: NDArray[Any], contents: NDArray[Any]
) -> NDArray[np.int64]:
    row_of = pd.Index(ids).get_indexer(pd.Index(frame["id"].to_numpy(dtype=object)))
    decided = np.where(row_of >= 0, fids[np.maximum(row_of, 0)], NEW)
    same = np.array(
        [r >= 0 and contents[r] == c for r, c in zip(row_of, frame["content"], strict=True)], dtype=bool
    )
    decided[same] = UNCHANGED
    nameless = frame["id"].isna().to_numpy()
    decided[nameless] = NEW
    return decided.astype(np.int64)


def _by_content_then_place(
    store: "Store",
    layer: Layer,
    frames: Iterator[gpd.GeoDataFrame],
    fids: NDArray[np.int64],
    contents: NDArray[Any],
) -> NDArray[np.int64]:
    """Take out what is the same to the last digit, one to one; match what is left by place, within its box."""
    waiting: dict[bytes, list[int]] = {}
    for fid, content in zip(fids.tolist(), contents.tolist(), strict=True):
        waiting.setdefault(content, []).append(fid)
    decisions: list[NDArray[np.int64]] = []
    left: list[tuple[int, gpd.GeoDataFrame]] = []
    for frame in frames:
        decided = np.zeros(len(frame), dtype=np.int64)
        for row, content in enumerate(frame["content"]):
            if waiting.get(content):
                waiting[content].pop()
                decided[row] = UNCHANGED
        if (decided == NEW).any():
            left.append((len(decisions), frame[decided == NEW]))
        decisions.append(decided)
    free = np.array(sorted(fid for fids_left in waiting.values() for fid in fids_left), dtype=np.int64)
    for number, frame in left:
        matched = _match(store, layer, frame, free)
        decisions[number][decisions[number] == NEW] = matched
        free = np.setdiff1d(free, matched)
    return np.concatenate(decisions)


def _match(
    store: "Store", layer: Layer, frame: gpd.GeoDataFrame, free: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return for each row the fid of the one known feature at its place, 0 where there is none."""
    if not layer.has_geometry or not len(free) or frame.geometry.is_empty.all():
        return np.zeros(len(frame), dtype=np.int64)
    minx, miny, maxx, maxy = frame.total_bounds
    reach = 2 * layer.plan_error
    near = store.features(
        FeatureQuery(layer.id, bbox=(minx - reach, miny - reach, maxx + reach, maxy + reach), fields=())
    )
    near = near[np.isin(near["fid"].to_numpy(), free)]
    return match_by_place(layer, frame.geometry.to_numpy(), near.geometry.to_numpy(), near["fid"].to_numpy())
