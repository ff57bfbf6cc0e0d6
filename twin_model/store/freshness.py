"""What an answer about a layer depends on besides its address: the last change, the boundaries of validity passed.

Validators and cache keys are made of it; no feature is read, unless something planned has begun since the last commit.
"""

from typing import Any

from twin_model.changeset import Box
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery, SortKey, Store
from twin_model.temporal import now
from twin_model.view import View

__all__ = ["has_begun", "holds_features", "mark_of", "state_of"]


def state_of(store: Store, layer: Layer, view: View, box: Box | None = None) -> tuple[Any, ...]:
    """Return values that are equal as long as the answer is; `box` narrows changes to those that touch it.

    Where something planned has begun since the last commit, the newest beginning and the number of features tell
    which boundaries of validity have passed. In a recorded state they always do: it is not touched by what was recorded after
    it, and what was planned in it begins all the same.
    """
    passed, mark = None, store.layer_mark(layer.id)
    if view.datetime is None and (view.recorded is not None or _is_past(mark.next_planned)):
        current = FeatureQuery(layer.id, view=view, fields=(), geometry=False)
        columns, rows = store.rows(current.with_(sort=(SortKey("valid_from", ascending=False),), limit=1))
        passed = (store.count(current), rows[0][columns.index("valid_from")] if rows else None)
    changed = mark.version if box is None else store.changed_since(layer.id, box)
    version = changed if view.recorded is None else min(changed, view.recorded)
    return (
        layer.id,
        mark[:2] if version == mark.version else mark_of(store, version),
        passed,
        view.datetime,
        view.recorded,
        view.policy.digest,
    )


def mark_of(store: Store, version: int) -> tuple[int, str]:
    """Return what names a version for who keeps an answer: its number and its hash in the chain.

    The number alone will not do: after a restore another version may come to have it.
    """
    return version, store.hash_of(version)


def holds_features(store: Store, layer_id: str) -> bool:
    """Say whether there is anything of a layer, now or planned."""
    return bool(store.summary(layer_id).features) or store.next_boundary(layer_id, "") is not None


def has_begun(store: Store, layer: Layer) -> bool:
    """Say whether something planned has begun since the last commit, so that counts kept with the layer are behind."""
    return _is_past(store.layer_mark(layer.id).next_planned)


def _is_past(planned: str | None) -> bool:
    return planned is not None and planned <= now()
