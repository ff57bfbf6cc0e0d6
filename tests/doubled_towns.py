"""Towns that hold a network twice, as versions before the rules of today left them: the second stands beside the first."""

import numpy as np
from surveyed_networks import CRS, Frames

from twin_model.changeset import Changeset, Delivered, Version
from twin_model.editing import rows_of
from twin_model.plan import LayerPlan
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import now

__all__ = ["insert", "put_beside", "states"]


def put_beside(
    store: Store, doubles: Frames, random: np.random.Generator | None = None, *, prefix: str = "before"
) -> Version:
    """Insert features without comparing them with what is there, by ids of their own; with `random`, some of them."""
    named = {}
    for layer, frame in doubles.items():
        some = frame if random is None else frame[random.random(len(frame)) < 0.6]
        named[layer] = some.set_index((f"{prefix}/" + some[store.catalogue[layer].identity_field]).rename("id"))
    return insert(store, named)


def insert(store: Store, named: Frames) -> Version:
    """Insert features by the ids that the frames' indexes give them."""
    delivered = tuple(
        Delivered.of(layer, rows_of(store.catalogue[layer], frame, CRS)) for layer, frame in named.items()
    )
    changeset = Changeset("before", "doubled", now(), delivered=delivered, edit=True, since_recorded=True)
    return store.commit(changeset, _all_new)


def _all_new(store: Store, changeset: Changeset) -> dict[str, LayerPlan]:
    return {one.layer: LayerPlan(one.layer, np.zeros(one.count, dtype=np.int64)) for one in changeset.delivered}


def states(store: Store, *layers: str) -> dict[str, list[dict[str, object]]]:
    """Return what the features of layers say now, by id, without versions and days."""
    found = {}
    for layer in layers:
        names, rows = store.rows(FeatureQuery(layer))
        found[layer] = [
            {name: value for name, value in zip(names, row, strict=True) if name not in ("version", "valid_from")}
            for row in rows
        ]
    return found
