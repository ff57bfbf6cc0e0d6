"""How near layers of ours are to a layer of a source: by their names, and by how many of its columns they have fields for.

    proposals(outline, "Polygon", catalogue)[0].layer.id          # "building"

What a source holds is told by its outline (`ingest/outline.py`), how alike two names are by `ingest/name_likeness.py`.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cache

from ingest.mapping import LayerMapping, standard_mapping
from ingest.name_likeness import likeness
from ingest.number_text import NotANumber, is_no_value, read_number
from ingest.outline import ColumnOutline, LayerOutline
from twin_model.catalogue import Catalogue
from twin_model.geometry_kind import dimension_of
from twin_model.layer import Field, Layer

__all__ = [
    "FIT",
    "SURE",
    "FieldProposal",
    "LayerProposal",
    "fitting_layers",
    "may_take_in",
    "name_score",
    "nearest_layer",
    "proposals",
]

SURE = 0.6
"""From here on a column is proposed; below it is only named in a comment."""

FIT = 0.35
"""A layer below this is proposed for nothing; a draft leaves its entry as a comment."""

_NAMED = 0.4
_ENOUGH = 3.0
"""So many sure fields say as much as any number of them."""

_MOST = 8
_MOST_NAMES = 20


@dataclass(frozen=True)
class FieldProposal:
    """A field of ours for a column, and how sure it is (0 to 1)."""

    field: Field
    column: ColumnOutline
    score: float


@dataclass(frozen=True)
class LayerProposal:
    """A layer of ours for the features of one kind of geometry, with its fields, the surest first."""

    layer: Layer
    score: float
    fields: tuple[FieldProposal, ...] = field(default=())


def proposals(outline: LayerOutline, kind: str, catalogue: Catalogue) -> list[LayerProposal]:
    """Return the layers of ours that hold a kind of geometry, the nearest first; never one of another dimension.

    A layer of the town's own is one only where it is named so: its columns are those of the source that made it.
    """
    dimension = dimension_of(kind)
    fitting = [
        layer
        for layer in catalogue
        if may_take_in(layer)
        and (layer.dimension == dimension if kind else not layer.has_geometry)
        and (not layer.delivered_as or name_score(outline.name, layer) >= SURE)
    ]
    layers = [_layer_proposal(outline, layer) for layer in fitting]
    return sorted(layers, key=lambda proposal: -proposal.score)


def nearest_layer(outline: LayerOutline, kind: str, catalogue: Catalogue) -> str:
    """Return the id of the layer of the house that is nearest to a layer of a source, "" where none is near."""
    best = next((each for each in proposals(outline, kind, catalogue) if not each.layer.delivered_as), None)
    return best.layer.id if best is not None and best.score >= FIT else ""


def fitting_layers(catalogue: Catalogue, dimensions: Collection[int], names: Iterable[str] = ()) -> list[str]:
    """Return ids of layers that hold points (0), lines (1) or areas (2); all where no dimension is given.

    First those whose id or title is like one of `names`, then those of topography; at most eight, each dimension in turn.
    """
    words = list(names)[:_MOST_NAMES]
    layers = [layer for layer in catalogue if layer.has_geometry and may_take_in(layer) and not layer.delivered_as]
    fitting = [layer for layer in layers if not dimensions or layer.dimension in dimensions]
    scores = {layer.id: max((name_score(word, layer) for word in words), default=0.0) for layer in fitting}
    ranked = sorted(fitting, key=lambda layer: (-scores[layer.id], layer.cim_class != "base"))
    queues = [[layer.id for layer in ranked if layer.dimension == wanted] for wanted in sorted(dimensions or {0, 1, 2})]
    in_turn = [queue[turn] for turn in range(_MOST) for queue in queues if turn < len(queue)]
    return in_turn[:_MOST]


def may_take_in(layer: Layer) -> bool:
    """Return whether an office's layer may become one of ours; those of building models come from models alone."""
    return layer.kind == "feature" and layer.id != "finding" and not layer.dropped and not layer.id.startswith("bim_")


def name_score(name: str, layer: Layer) -> float:
    """Return how like the name of a source's layer, or a part of it, is to what we and offices call a layer, 0 to 1."""
    words = [layer.id, layer.title.zh, layer.title.en, *_customary_names(layer.id)]
    return max(likeness(part, words) for part in (name, *_parts_of_name(name)))


def _layer_proposal(outline: LayerOutline, layer: Layer) -> LayerProposal:
    """Return how near a layer of ours is: by its names, and by how many of the source's columns it has a field for."""
    matched = _matched(outline.columns, layer)
    named = name_score(outline.name, layer)
    sure = sum(each.score for each in matched if each.score >= SURE)
    return LayerProposal(layer, 0.6 * named + 0.4 * min(1.0, sure / _ENOUGH), tuple(matched))


def _parts_of_name(name: str) -> list[str]:
    """Return the words of a name such as FW_M or 2020-房屋面; what has one letter says nothing."""
    return [part for part in re.split(r"[\W_\d]+", name) if len(part) > 1]


def _matched(columns: Iterable[ColumnOutline], layer: Layer) -> list[FieldProposal]:
    """Return one field for one column, the surest pairs first."""
    pairs = [
        FieldProposal(each, column, score)
        for column in columns
        for each in layer.fields
        if (score := _field_score(column, each, layer.id)) >= _NAMED
    ]
    taken: set[str] = set()
    matched = []
    for pair in sorted(pairs, key=lambda pair: -pair.score):
        if taken.isdisjoint({f"field {pair.field.name}", f"column {pair.column.name}"}):
            taken |= {f"field {pair.field.name}", f"column {pair.column.name}"}
            matched.append(pair)
    return matched


def _field_score(column: ColumnOutline, ours: Field, layer_id: str) -> float:
    own = {name.casefold() for name in (layer_id, *_customary_names(layer_id))} - {column.name.casefold()}
    words = [ours.name, ours.title.zh, ours.title.en, *ours.aliases, *_customary_columns(layer_id).get(ours.name, ())]
    words += [f"{name}{ours.title.zh}" for name in _customary_names(layer_id) if not name.isascii()]
    words = [word for word in words if word.casefold() not in own]  # what names the layer is no part of a column's name
    score = max(likeness(column.name, words), likeness(column.column.title, words))
    if score and ours.type in ("integer", "number") and not _are_numbers(column):
        score *= 0.5
    return score


def _are_numbers(column: ColumnOutline) -> bool:
    if column.column.type in ("integer", "number"):
        return True
    return all(_is_number(value) for value in column.values if not is_no_value(value))


def _is_number(text: str) -> bool:
    try:
        read_number(text)
    except NotANumber:
        return False
    return True


@cache
def _customary_entries() -> dict[str, list[LayerMapping]]:
    entries: dict[str, list[LayerMapping]] = {}
    for entry in standard_mapping("vector").layers:
        entries.setdefault(entry.to, []).append(entry)
    return entries


def _customary_names(layer_id: str) -> list[str]:
    """Return how offices call the source layers of a layer of ours."""
    entries = _customary_entries().get(layer_id, [])
    return [pattern.strip("*") for entry in entries for pattern in entry.patterns]


@cache
def _customary_columns(layer_id: str) -> dict[str, tuple[str, ...]]:
    """Return how offices call the columns of a layer of ours, by field."""
    entries = _customary_entries().get(layer_id, [])
    return {ours: tuple(theirs) for entry in entries for ours, theirs in entry.fields.items()}
