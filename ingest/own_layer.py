"""A source layer that matches none of ours, on its way into a layer of the town's own: one that is there already, or a new one.

Readers describe it (`ingest/vector/own_layers.py`, `ingest/dxf/own_layers.py`); what a description becomes in the catalogue
stands in `twin_model/catalogue/layer_from_source.py`.
"""

from typing import Any

from ingest.draft import Draft
from ingest.layer_likeness import nearest_layer
from ingest.mapping import LayerMapping
from ingest.outline import ColumnOutline, LayerOutline
from twin_model.catalogue import layer_of
from twin_model.catalogue.layer_from_source import SourceDescription, added_fields, table_of_source
from twin_model.finding import Finding
from twin_model.layer import Layer

__all__ = ["own_target"]


def own_target(described: SourceDescription, draft: Draft) -> LayerMapping:
    """Return how rows are read into the layer of the town's own that is theirs: one that is there already, or a new one."""
    known = _known(described, draft)
    if known is not None:
        layer, added = known
        draft.describe(layer, added)
    else:
        layer_id, table = table_of_source(described, taken=draft.catalogue.layers)
        layer = draft.describe(layer_of(layer_id, table), table)
        _report(described, layer, draft)
    layer = draft.catalogue[layer.id]
    names = {name: (field.aliases or (field.name,)) for name, field in ((each.name, each) for each in layer.fields)}
    return LayerMapping((described.name,), layer.id, names)


def _known(described: SourceDescription, draft: Draft) -> tuple[Layer, dict[str, Any]] | None:
    """Return the layer that the same source made before, with the table of what it gains; None where there is none."""
    dimension = described.geometry.removesuffix("Z")
    for layer in draft.catalogue:
        if described.delivered_as in layer.delivered_as and layer.geometry.removesuffix("Z") == dimension:
            added = added_fields(layer, described.columns)
            if added is not None:
                return layer, added
    return None


def _report(described: SourceDescription, layer: Layer, draft: Draft) -> None:
    taken = any(described.delivered_as in each.delivered_as for each in draft.catalogue if each.id != layer.id)
    values = {
        "source_layer": described.name,
        "source": described.source,
        "own_layer": layer.id,
        "fields": len(layer.fields),
        "nearest": _nearest(described, draft),
    }
    draft.report(
        Finding("vector.other_structure" if taken else "vector.own_layer", "info", layer=layer.id, values=values)
    )


def _nearest(described: SourceDescription, draft: Draft) -> str:
    """Return the layer of the house that is near by its name or columns, "" where none is: to show how --as is written."""
    kind = described.geometry.removesuffix("Z").removeprefix("Multi").removeprefix("None")
    columns = tuple(ColumnOutline(column) for column in described.columns)
    return nearest_layer(LayerOutline(described.name, {kind: 1}, columns=columns), kind, draft.catalogue)
