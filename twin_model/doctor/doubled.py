"""Networks that stand twice: features that a later delivery should have known again, and brought as new ones.

The older feature of a pair stays. A pair is what the rule of today takes for one thing (`twin_model/identity.py`): at one
place, of compatible classes, neither size nor depth contradicting. What one delivery brought or touched together is two.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.identity import Traits, match_by_place
from twin_model.layer import Layer
from twin_model.plan import no_fids
from twin_model.store.base import FeatureQuery, Store

__all__ = ["DoubledPairs", "by_first_version", "doubled_pairs"]


@dataclass(frozen=True)
class DoubledPairs:
    """Fids of features that stay and of those that stand there once more, in parallel, by the version that brought these."""

    older: NDArray[np.int64]
    newer: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.older)


@dataclass(frozen=True)
class _Features:
    """The current features of a layer that have a place, by rising fid; `abandoned` is None where that is not known."""

    fids: NDArray[np.int64]
    geometry: NDArray[Any]
    traits: Traits
    abandoned: list[bool | None]

    def take(self, fids: NDArray[np.int64]) -> "_Features":
        rows = np.flatnonzero(np.isin(self.fids, fids))
        abandoned = [self.abandoned[row] for row in rows.tolist()]
        return _Features(self.fids[rows], self.geometry[rows], self.traits.take(rows), abandoned)


def doubled_pairs(store: Store, layer: Layer) -> DoubledPairs:
    """Return the features of a network that stand twice, with those that stay, one to one for each version that doubled."""
    if not layer.is_network or not layer.has_geometry:
        return DoubledPairs(no_fids(), no_fids())
    features = _current_features(store, layer)
    staying = no_fids()
    pairs = [DoubledPairs(no_fids(), no_fids())]
    for fids in by_first_version(store, layer.id, features.fids):
        if len(staying):
            pairs.append(_agreeing_pairs(layer, features.take(fids), features.take(staying)))
        staying = np.union1d(staying, np.setdiff1d(fids, pairs[-1].newer))
    joined = DoubledPairs(np.concatenate([p.older for p in pairs]), np.concatenate([p.newer for p in pairs]))
    return _without_companions(store, layer, joined)


def by_first_version(store: Store, layer: str, fids: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield features by the version that brought them, the oldest version first."""
    left = fids
    for number in _versions(store, layer, sources_only=False):
        brought = np.intersect1d(left, store.changed_fids(layer, number - 1, number))
        left = np.setdiff1d(left, brought)
        if len(brought):
            yield brought


def _versions(store: Store, layer: str, *, sources_only: bool) -> list[int]:
    """Return the versions that changed a layer, oldest first: all of them, or those of deliveries."""
    records = [record for record in store.changesets() if record.source or not sources_only]
    return sorted(record.number for record in records if layer in store.changes(record.number))


def _current_features(store: Store, layer: Layer) -> _Features:
    fields = tuple(dict.fromkeys((*layer.classes, *layer.sizes, *layer.abandoned)))
    frames = [frame[~frame.geometry.isna()] for frame in store.frames(FeatureQuery(layer.id, fields=fields))]
    frame = pd.concat(frames) if frames else store.features(FeatureQuery(layer.id, fields=fields, limit=0))
    frame = frame.sort_values("fid")
    traits = Traits.of(layer, frame, len(frame))
    geometry = np.asarray(frame.geometry.to_numpy(), dtype=object)
    return _Features(frame["fid"].to_numpy(dtype=np.int64), geometry, traits, _abandoned(layer, frame))


def _abandoned(layer: Layer, frame: pd.DataFrame) -> list[bool | None]:
    """Say of each feature whether it is abandoned, None where its state is not known."""
    states: list[bool | None] = [None] * len(frame)
    for name, codes in layer.abandoned.items():
        known = frame[name].notna().tolist()
        states = [
            code in codes if knows else state for state, knows, code in zip(states, known, frame[name], strict=True)
        ]
    return states


def _agreeing_pairs(layer: Layer, newer: _Features, older: _Features) -> DoubledPairs:
    """Return pairs at one place that nothing contradicts: a pipe in use lies where an abandoned one lay, and is another."""
    fids = match_by_place(
        layer, newer.geometry, older.geometry, older.fids, (newer.traits, older.traits), agreeing=True
    )
    states = dict(zip(older.fids.tolist(), older.abandoned, strict=True))
    agree = [
        fid > 0 and (state is None or states[fid] is None or state == states[fid])
        for fid, state in zip(fids.tolist(), newer.abandoned, strict=True)
    ]
    return DoubledPairs(fids[agree], newer.fids[agree])


def _without_companions(store: Store, layer: Layer, pairs: DoubledPairs) -> DoubledPairs:
    """Return the pairs of which no delivery changed both at once: one that shows both says that they are two."""
    apart = np.ones(len(pairs), dtype=bool)
    for number in _versions(store, layer.id, sources_only=True) if len(pairs) else ():
        changed = store.changed_fids(layer.id, number - 1, number)
        apart &= ~(np.isin(pairs.older, changed) & np.isin(pairs.newer, changed))
    return DoubledPairs(pairs.older[apart], pairs.newer[apart])
