"""What a delivery could have seen: of that alone it ends what it no longer has.

Classes present in it, of the map scale it is drawn in, and by place: inside its surveyed polygon; lines and their
points within a buffer of its lines (never their hull); areas and points without a surveyed polygon near what came
under the same name before. Of a network it ends only what is its own: what came under its name, or in its project with
a delivery that it takes the place of, because it shows nearly all of it. A caller who knows better says so
(`changeset.Scope`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Box, Changeset
from twin_model.identity import ClassKey, class_keys
from twin_model.large_shapes import common_areas, part_near, seen_area
from twin_model.layer import Layer
from twin_model.ownership import Contents, Predecessor, covers, former_classes, own_features
from twin_model.store.base import DeliveredState, FeatureQuery, Provenance
from twin_model.view import NOW, View

if TYPE_CHECKING:
    from twin_model.store.base import Store

__all__ = ["NEIGHBOURHOOD", "SIGHT", "Removals", "mostly_within", "removals"]

SIGHT = 10.0
"""Metres around the lines of a survey within which it would have shown another; of a sheet's edge, where it may not."""

NEIGHBOURHOOD = 50.0
"""The same around areas and points, of what came under the same name: a partial export ends nothing far from it."""

_MOST_OF = 0.5
"""A line or area lies in the scope if at least this share of it does."""


@dataclass(frozen=True)
class Removals:
    """Which current features end by a delivery, how many it could have seen, and how many it lacks and yet keeps: they
    came under its name in its scale before, but lie out of its sight or are of a class it has none of. `others` lie in
    its sight and stay, for another project or source brought them."""

    ended: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    seen: int = 0
    kept: int = 0
    others: int = 0


def removals(
    store: "Store",
    layer: Layer,
    changeset: Changeset,
    known: DeliveredState,
    shown: NDArray[np.int64],
    contents: Contents,
    before: Callable[[], frozenset[Predecessor]],
    view: View = NOW,
) -> Removals:
    """Return what becomes of the `known` features, as a view shows them, that a delivery with those of `shown` lacks.

    `before` names the deliveries whose place it takes (`ownership.predecessors`).
    """
    scope = changeset.scope
    missing = known.fids[~np.isin(known.fids, shown)]
    if scope.reach == "nothing" or not len(missing):
        return Removals(seen=len(shown))
    own = of_others = np.empty(0, dtype=np.int64)
    if scope.reach in ("seen", "sheet"):
        origins = store.provenance(layer.id, ended=not view.is_now)
        under_its_name = origins.scopes == scope.name
        own = np.intersect1d(missing, origins.fids[under_its_name & (origins.series == scope.series)])
        of_others = origins.fids[~under_its_name]
        missing = np.intersect1d(missing, origins.fids[_of_source(layer, changeset, origins)])
    ended = visible = _visible(store, layer, changeset, contents, missing, shown, of_others, view)
    if layer.is_network and scope.reach == "seen" and len(visible):
        ended = visible[own_features(store, layer, changeset, contents, visible, before, view)]
    return Removals(ended, len(shown) + len(ended), len(np.setdiff1d(own, ended)), len(visible) - len(ended))


def _of_source(layer: Layer, changeset: Changeset, origins: Provenance) -> NDArray[np.bool_]:
    """Say which features came from where this delivery may end something: its scale, and its name where no place says more."""
    scope = changeset.scope
    same_series = origins.series == scope.series
    if scope.reach == "sheet" or (scope.area is None and not layer.is_network):
        same_series &= origins.scopes == scope.name
    return np.asarray(same_series, dtype=bool)


def _visible(
    store: "Store",
    layer: Layer,
    changeset: Changeset,
    contents: Contents,
    missing: NDArray[np.int64],
    matched: NDArray[np.int64],
    of_others: NDArray[np.int64],
    view: View,
) -> NDArray[np.int64]:
    """Return those of some missing features that are of a class the delivery has and lie where it looked.

    What came with another sheet must lie well inside this one: along a neatline both show a little of the other's.
    """
    scope = changeset.scope
    classes: frozenset[ClassKey] | None = None
    fids = [np.empty(0, dtype=np.int64)]
    box = scope.area.bounds if scope.area is not None and scope.reach in ("seen", "area") else None
    if box is None and scope.reach == "seen" and layer.is_network:
        box = _box_of(store, contents)
    for frame in store.frames(FeatureQuery(layer.id, view=view, bbox=box, fields=layer.classes)):
        here = np.isin(frame["fid"].to_numpy(), missing)
        if layer.is_network and here.any():
            if classes is None:
                classes = contents.of(layer).classes | former_classes(store, layer, matched, view)
            keys = class_keys(layer, frame.iloc[np.flatnonzero(here)], int(here.sum()))
            covered = {key: covers(classes, key) for key in set(keys)}
            here[here] = [covered[key] for key in keys]
        if scope.reach in ("seen", "area"):
            foreign = np.isin(frame["fid"].to_numpy()[here], of_others)
            here[here] = _looked_at(store, layer, changeset, frame.geometry.to_numpy()[here], foreign)
        fids.append(frame["fid"].to_numpy()[here])
    return np.concatenate(fids)


def _box_of(store: "Store", contents: Contents) -> Box | None:
    """Return the box within which a delivery of a network could have seen anything; None where it has no place."""
    networks = [layer for layer in store.catalogue if layer.is_network]
    boxes = np.array([box for layer in networks if (box := contents.of(layer).box) is not None]).reshape(-1, 4)
    if not len(boxes):
        return None
    (west, south), (east, north) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
    return west - SIGHT, south - SIGHT, east + SIGHT, north + SIGHT


def _looked_at(
    store: "Store", layer: Layer, changeset: Changeset, geometry: NDArray[Any], foreign: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Say which geometries lie mostly where a delivery looked; what has no place goes with its source."""
    area = changeset.scope.area
    if area is not None:
        areas = np.full(len(geometry), area, dtype=object)
        areas[foreign] = shapely.buffer(area, -SIGHT)
        return mostly_within(layer, geometry, areas)
    near: list[list[Any]] = [[] for _ in geometry]
    sight = SIGHT if layer.is_network else NEIGHBOURHOOD
    present = np.flatnonzero(~shapely.is_missing(geometry))
    for part in changeset.delivered:
        other = store.catalogue[part.layer]
        if part.layer != layer.id and not (layer.is_network and other.is_network):
            continue
        shown = part.rows().geometry()
        pairs = shapely.STRtree(shown).query(geometry[present], predicate="dwithin", distance=sight)
        for mine, theirs in zip(*pairs, strict=True):
            near[present[mine]].append(part_near(shown[theirs], geometry[present[mine]], 2 * sight))
    areas = np.array([seen_area(shapes, sight) for shapes in near], dtype=object)
    placeless = shapely.is_missing(geometry) & (not layer.is_network)
    return np.asarray(mostly_within(layer, geometry, areas) | placeless, dtype=bool)


def mostly_within(layer: Layer, geometry: NDArray[Any], areas: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which geometries lie within areas, lines and polygons with at least half of what they are."""
    inside = shapely.covers(areas, geometry)
    if layer.dimension == 0:
        return np.asarray(inside, dtype=bool)
    across = np.flatnonzero(~inside & shapely.intersects(areas, geometry))
    lines = layer.dimension == 1
    whole = (shapely.length if lines else shapely.area)(geometry[across])
    pairs = geometry[across], areas[across]
    common = shapely.length(shapely.intersection(*pairs)) if lines else common_areas(*pairs)
    inside[across] = common >= _MOST_OF * np.maximum(whole, 1e-9)
    return np.asarray(inside, dtype=bool)
