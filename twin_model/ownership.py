"""Whose features of a network are: a delivery ends only what its own project, or a delivery that it replaces, brought.

Projects keep numbers apart, not ground: another project's pipes may lie in a delivery's sight (`scope`), and stay.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin_model.changeset import Box, Changeset
from twin_model.identity import ClassKey, class_keys
from twin_model.layer import Layer
from twin_model.rows.columns import plain_values
from twin_model.store.base import FeatureQuery, Provenance
from twin_model.view import NOW, View

if TYPE_CHECKING:
    from twin_model.store.base import Store

__all__ = [
    "Contents",
    "LayerContents",
    "Predecessor",
    "Project",
    "columns_of",
    "covers",
    "former_classes",
    "is_of_projects",
    "nearly_all",
    "own_features",
    "predecessors",
    "projects_of",
]

_NEARLY_ALL = 0.8
"""A delivery that shows this share of what another brought takes its place: a part of it, or its neighbour, does not."""

_AT_ONCE = 4_000
"""So many features are asked for by their fids at once."""

Project = tuple[Any, ...]
"""The values of the fields that name a project; None where one is not named."""

Predecessor = tuple[str, ClassKey]
"""The name of an earlier delivery, and a class that it brought."""


@dataclass(frozen=True)
class LayerContents:
    """Which classes and projects a delivery has of a layer, and the box in which its features lie."""

    classes: frozenset[ClassKey]
    projects: frozenset[Project]
    box: Box | None


class Contents:
    """What a delivery has of each layer; its rows are read once."""

    def __init__(self, changeset: Changeset) -> None:
        self._changeset = changeset
        self._layers: dict[str, LayerContents] = {}

    def of(self, layer: Layer) -> LayerContents:
        """Return what it has of a layer."""
        if layer.id not in self._layers:
            self._layers[layer.id] = self._read(layer)
        return self._layers[layer.id]

    def _read(self, layer: Layer) -> LayerContents:
        classes: set[ClassKey] = set()
        projects: set[Project] = set()
        boxes = [np.empty((0, 4))]
        for part in self._changeset.delivered:
            if part.layer == layer.id:
                rows = part.rows()
                classes |= set(class_keys(layer, rows.columns, len(rows)))
                projects |= set(projects_of(layer, rows.columns, len(rows)))
                boxes.append(rows.bounds[np.isfinite(rows.bounds).all(axis=1)])
        bounds = np.concatenate(boxes)
        box = None
        if len(bounds):
            (west, south), (east, north) = bounds[:, :2].min(axis=0).tolist(), bounds[:, 2:].max(axis=0).tolist()
            box = (west, south, east, north)
        return LayerContents(frozenset(classes), frozenset(projects), box)


def projects_of(layer: Layer, columns: Mapping[str, Any], rows: int) -> list[Project]:
    """Return the project of each row."""
    absent = [None] * rows
    named = [plain_values(columns[name]) if name in columns else absent for name in layer.projects]
    return [tuple(value or None for value in key) for key in zip(*named, strict=True)] if named else [()] * rows


def columns_of(
    store: "Store",
    layer: Layer,
    fids: NDArray[np.int64],
    fields: tuple[str, ...],
    view: View = NOW,
) -> Iterator[Mapping[str, list[Any]]]:
    """Yield some fields of features, as a view shows them, by column, `fid` among them."""
    for start in range(0, len(fids), _AT_ONCE):
        chosen = tuple(fids[start : start + _AT_ONCE].tolist())
        names, rows = store.rows(FeatureQuery(layer.id, view=view, fids=chosen, fields=fields, geometry=False))
        yield {name: [row[n] for row in rows] for n, name in enumerate(names)}


def covers(classes: frozenset[ClassKey], key: ClassKey) -> bool:
    """Say whether one of some delivered classes is that of a feature, or a parent of it; unknown is a parent of all."""
    return key in classes or any(
        all(mine in (None, theirs) for mine, theirs in zip(each, key, strict=True)) for each in classes
    )


def is_of_projects(project: Project, projects: frozenset[Project], *, same_name: bool = False) -> bool:
    """Say whether a project is one of a delivery's; under the same name what names none is of any."""
    if not same_name:
        return project in projects
    unnamed = tuple(None for _ in project)
    return project in projects or unnamed in projects or project == unnamed


def own_features(
    store: "Store",
    layer: Layer,
    changeset: Changeset,
    contents: Contents,
    fids: NDArray[np.int64],
    before: Callable[[], frozenset[Predecessor]] | None = None,
    view: View = NOW,
) -> NDArray[np.bool_]:
    """Say which features are of a delivery's project, and came under its name or with one of the deliveries `before`.

    What names no project is of any where the name is the same; else it is of those that name none either. Without
    `before` all of its project are its own.
    """
    projects, origins = contents.of(layer).projects, store.provenance(layer.id, ended=not view.is_now)
    concerned = np.isin(origins.fids, fids)
    known = dict(zip(origins.fids[concerned].tolist(), origins.scopes[concerned].tolist(), strict=True))

    def is_own(fid: int, project: Project, key: ClassKey) -> bool:
        name = known.get(fid, "")
        if name == changeset.scope.name:
            return is_of_projects(project, projects, same_name=True)
        return is_of_projects(project, projects) and (before is None or (name, key) in before())

    own: dict[int, bool] = {}
    for columns in columns_of(store, layer, fids, (*layer.projects, *layer.classes), view):
        rows = len(columns["fid"])
        named = zip(columns["fid"], projects_of(layer, columns, rows), class_keys(layer, columns, rows), strict=True)
        own |= {fid: is_own(fid, project, key) for fid, project, key in named}
    return np.array([own[fid] for fid in fids.tolist()], dtype=bool)


def predecessors(
    store: "Store", changeset: Changeset, matched: Mapping[str, NDArray[np.int64]]
) -> frozenset[Predecessor]:
    """Return the earlier deliveries of a network whose place this one takes, with the classes of which it shows nearly all.

    It shows nearly all, too, of what they brought of those classes together: a file with a half of the lines does not.
    `matched` are the fids of known features that are delivered, by layer; points and lines count together.
    """
    shown: Counter[Predecessor] = Counter()
    brought: Counter[Predecessor] = Counter()
    for layer_id, fids in matched.items():
        layer, origins = store.catalogue[layer_id], store.provenance(layer_id)
        of_series = origins.series == changeset.scope.series
        is_shown = of_series & np.isin(origins.fids, fids)
        concerned = of_series & np.isin(origins.scopes, list(set(origins.scopes[is_shown].tolist())))
        brought.update(_brought(store, layer, origins, concerned))
        shown.update(_brought(store, layer, origins, is_shown))
    return nearly_all(shown, brought)


def nearly_all(shown: Counter[Predecessor], brought: Counter[Predecessor]) -> frozenset[Predecessor]:
    """Return the deliveries, with classes, of which so many features are shown that what shows them takes their place."""
    whole: Counter[str] = Counter()
    for each, count in shown.items():
        whole[each[0]] += count
    total: Counter[str] = Counter()
    for each in shown:
        total[each[0]] += brought[each]
    taken = {name for name, count in whole.items() if count >= _NEARLY_ALL * total[name]}
    return frozenset(each for each, count in shown.items() if each[0] in taken and count >= _NEARLY_ALL * brought[each])


def _brought(store: "Store", layer: Layer, origins: Provenance, chosen: NDArray[np.bool_]) -> Iterator[Predecessor]:
    """Yield the delivery and the class of some features."""
    names = dict(zip(origins.fids[chosen].tolist(), origins.scopes[chosen].tolist(), strict=True))
    for columns in columns_of(store, layer, origins.fids[chosen], layer.classes):
        keys = class_keys(layer, columns, len(columns["fid"]))
        yield from ((names[fid], key) for fid, key in zip(columns["fid"], keys, strict=True))


def former_classes(store: "Store", layer: Layer, matched: NDArray[np.int64], view: View = NOW) -> frozenset[ClassKey]:
    """Return the classes that a delivery's known features have: it covers those too, whatever it calls them."""
    return frozenset(
        key
        for columns in columns_of(store, layer, matched, layer.classes, view)
        for key in class_keys(layer, columns, len(columns["fid"]))
    )
