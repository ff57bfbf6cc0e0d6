"""Whether source layers have the geometry of the layers they are to go to, and which layers fit where they have not."""

import re

from ingest.draft import Draft
from ingest.mapping import LayerMapping, standard_mapping
from ingest.suggestion import fitting_layers
from twin_model.errors import SourceRefused
from twin_model.finding import Finding
from twin_model.geometry_kind import dimension_of

__all__ = ["ensure_some_fit", "entries_of_dimension", "entries_of_geometry", "layers_like"]

_STEM = re.compile("_(area|line|point)$")
"""What tells layers of the same things apart that are drawn otherwise."""


def ensure_some_fit(draft: Draft) -> None:
    """Refuse a source none of which has the geometry of the layer it was to go to, and name layers that have."""
    if draft.counts.stored or not draft.counts.quarantined:
        return
    rows = [finding for finding in draft.findings if finding.raw is not None]
    if any(finding.rule != "geometry.wrong_type" for finding in rows):
        return
    kinds = sorted({str(finding.values["found"]) for finding in rows})
    dimensions = {dimension for kind in kinds if (dimension := dimension_of(kind)) is not None}
    layer = str(rows[0].layer)
    values = {"found": kinds, "layer": layer, "expected": draft.catalogue[layer].geometry}
    nearest = fitting_layers(draft.catalogue, dimensions, [layer, draft.source.name])
    raise SourceRefused("vector.wrong_geometry", source=draft.source.name, **values, nearest=nearest, to=nearest[0])


def entries_of_geometry(
    name: str, entries: list[LayerMapping], dimension: int | None, draft: Draft
) -> list[LayerMapping]:
    """Return those entries whose layer holds the geometry that a source layer declares, else the entry of a sibling layer.

    Lines named as road areas are road lines. Where any geometry may come, the siblings of all dimensions follow.
    """
    own = [entry for entry in entries if draft.catalogue[entry.to].dimension in (dimension, -1) or dimension is None]
    known = {entry.to for entry in own}
    siblings = [] if own and dimension is not None else _siblings(entries, dimension, draft)
    others = [entry for entry in siblings if entry.to not in known]
    for entry in others if not own else ():
        values = {"source_layer": name, "source": draft.source.name, "named": entries[0].to, "taken": entry.to}
        draft.report(Finding("vector.sibling_taken", "warning", layer=entry.to, values=values))
    return own + others


def _siblings(entries: list[LayerMapping], dimension: int | None, draft: Draft) -> list[LayerMapping]:
    """Return the standard entries of layers of the same things drawn otherwise: road_line for road_area."""
    stems = {_STEM.sub("", entry.to) for entry in entries if _STEM.search(entry.to)}
    layers = [layer for layer in draft.catalogue if _STEM.search(layer.id) and _STEM.sub("", layer.id) in stems]
    return [_standard_entry(layer.id) for layer in layers if dimension in (layer.dimension, None)]


def _standard_entry(layer: str) -> LayerMapping:
    fitting = (entry for entry in standard_mapping("vector").layers if entry.to == layer)
    return next(fitting, LayerMapping(("*",), layer))


def entries_of_dimension(
    chosen: dict[str, list[LayerMapping]], geometry: dict[str, str | None], dimension: int
) -> dict[str, list[LayerMapping]]:
    """Return the layers whose geometry suits the layer the caller named, all of them where none does."""
    suiting = {name: entries for name, entries in chosen.items() if dimension_of(geometry[name]) in (dimension, None)}
    return suiting or chosen


def layers_like(layers: list[tuple[str, str | None]], draft: Draft) -> list[str]:
    """Return layers of ours that could take in what the file holds, by dimension and name."""
    wanted = [dimension_of(geometry) for _, geometry in layers if geometry is not None]
    dimensions = set() if None in wanted else {dimension for dimension in wanted if dimension is not None}
    return fitting_layers(draft.catalogue, dimensions, [name for name, _ in layers])
