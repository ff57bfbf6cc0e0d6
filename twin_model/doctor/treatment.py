"""What is wrong in a town of before, and one changeset that mends it: it can be undone as any version can.

treatment = treatment_of(store)             # reads; nothing changes
version = apply_treatment(store, treatment, author="planner", reason="doubled in 2024")
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from twin_model.changeset import Changeset, Delivered, Version
from twin_model.crs import CRS84, placed_bounds
from twin_model.doctor.doubled import DoubledPairs, doubled_pairs
from twin_model.doctor.joined import ENDS, JoinedStates, State, join_features, redirect_ends, rows_of_states
from twin_model.doctor.repeated_findings import RepeatedFindings, repeated_findings
from twin_model.layer import Layer
from twin_model.plan import LayerPlan, no_fids
from twin_model.store.base import Store
from twin_model.temporal import now

__all__ = ["LayerTreatment", "Treatment", "apply_treatment", "treatment_of"]

MERGED = "merged"
"""The kind of link between what stood twice and what stays."""


@dataclass(frozen=True)
class LayerTreatment:
    """What becomes of one network: pairs of features that are one, and what the ones that stay say then."""

    layer: Layer
    pairs: DoubledPairs
    joined: JoinedStates

    def examples(self, count: int) -> list[dict[str, Any]]:
        """Return the first pairs: id that stays, id that leads to it, x and y in the storage CRS."""
        chosen = zip(self.pairs.older[:count].tolist(), self.pairs.newer[:count].tolist(), strict=True)
        states = ((self.joined.before[older], self.joined.before[newer]) for older, newer in chosen)
        return [{"stays": a["id"], "joins": b["id"], "place": _place(a)} for a, b in states]

    @property
    def new_ids(self) -> dict[tuple[str, str], str]:
        """By layer and id of what stood twice: the id of what stays."""
        before, pairs = self.joined.before, zip(self.pairs.older.tolist(), self.pairs.newer.tolist(), strict=True)
        return {(self.layer.id, before[newer]["id"]): before[older]["id"] for older, newer in pairs}


def _place(state: State) -> list[float]:
    centre = shapely.get_coordinates(shapely.centroid(shapely.from_wkb(state["geometry"])))[0]
    return [round(value, 3) for value in centre.tolist()]


@dataclass(frozen=True)
class Treatment:
    """What is to be mended in a town as it is at `version`, and what only its owner can mend (`unplaced`: layers by id)."""

    version: int
    layers: tuple[LayerTreatment, ...] = ()
    findings: RepeatedFindings = field(default_factory=RepeatedFindings)
    unplaced: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.layers and not self.findings.pairs and not self.findings.moved


def treatment_of(store: Store) -> Treatment:
    """Return what is wrong in a town and can be mended; nothing is changed."""
    version = store.version()
    networks = [layer for layer in store.catalogue.of_kind("feature") if layer.is_network and not layer.dropped]
    pairs = {layer.id: doubled_pairs(store, layer) for layer in networks}
    joined = {layer.id: join_features(store, layer, pairs[layer.id]) for layer in networks}
    _redirect(store, networks, pairs, joined)
    layers = tuple(
        LayerTreatment(layer, pairs[layer.id], joined[layer.id])
        for layer in networks
        if len(pairs[layer.id]) or joined[layer.id].after
    )
    new_ids = {key: stays for each in layers for key, stays in each.new_ids.items()}
    return Treatment(version, layers, repeated_findings(store, new_ids), _unplaced(store))


def _redirect(
    store: Store, networks: list[Layer], pairs: Mapping[str, DoubledPairs], joined: Mapping[str, JoinedStates]
) -> None:
    """Name the points that stay at the ends of all lines that name points by number; `joined` is filled in."""
    numbered = [layer for layer in networks if layer.identity_field == "survey_no"]
    points = [
        (joined[layer.id].before[older], joined[layer.id].before[newer])
        for layer in numbered
        for older, newer in zip(pairs[layer.id].older.tolist(), pairs[layer.id].newer.tolist(), strict=True)
    ]
    for layer in networks:
        if all(name in layer.field_names for name in ENDS):
            redirect_ends(store, layer, joined[layer.id], pairs[layer.id].newer.tolist(), points)


def _unplaced(store: Store) -> tuple[str, ...]:
    """Return the layers of which some feature has no place on the globe."""
    extents = ((layer.id, store.summary(layer.id).extent) for layer in store.catalogue.of_kind("feature"))
    return tuple(name for name, box in extents if box is not None and placed_bounds(box, store.crs, CRS84) is None)


def apply_treatment(store: Store, treatment: Treatment, *, author: str, reason: str) -> Version:
    """Commit what a treatment says as one changeset, which `history.revert` undoes, findings too.

    Raises `VersionConflict` where others have changed one of its features since it was made.
    """
    plans, delivered = _plans(store, treatment)
    counts = {each.layer.id: len(each.pairs) for each in treatment.layers}
    changeset = Changeset(
        author,
        reason,
        now(),
        delivered=tuple(delivered),
        base=treatment.version,
        edit=True,
        since_recorded=True,
        counts={"doctor": {**counts, "finding": len(treatment.findings)}},
    )
    return store.commit(changeset, lambda store, changeset: plans)


def _plans(store: Store, treatment: Treatment) -> tuple[dict[str, LayerPlan], list[Delivered]]:
    plans: dict[str, LayerPlan] = {}
    delivered: list[Delivered] = []
    for each in treatment.layers:
        before, pairs = each.joined.before, each.pairs
        joined = [
            (before[newer]["id"], newer, older)
            for older, newer in zip(pairs.older.tolist(), pairs.newer.tolist(), strict=True)
        ]
        delivered += _planned(store, each.layer, [*each.joined.after.values()], joined, plans)
    if treatment.findings.pairs or treatment.findings.moved:
        repeated = [(before["id"], before["fid"], after["fid"]) for before, after in treatment.findings.pairs]
        delivered += _planned(store, store.catalogue["finding"], treatment.findings.moved, repeated, plans)
    return plans, delivered


def _planned(
    store: Store,
    layer: Layer,
    states: list[State],
    joined: list[tuple[str, int, int]],
    plans: dict[str, LayerPlan],
) -> list[Delivered]:
    """Return the rows of features that change; `plans` gets the plan of the layer. `joined`: id, fid, fid that stays."""
    ended = np.array([fid for _, fid, _ in joined], dtype=np.int64)
    decisions = np.array([state["fid"] for state in states], dtype=np.int64) if states else no_fids()
    links = tuple((MERGED, former_id, fid, stays) for former_id, fid, stays in joined)
    kinds = {MERGED: len(joined)} if layer.is_network and joined else {}
    plans[layer.id] = LayerPlan(layer.id, decisions, np.sort(ended), len(ended), joined=links, kinds=kinds)
    return [Delivered.of(layer.id, rows) for rows in rows_of_states(layer, states, store.crs)]
