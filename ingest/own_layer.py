"""A source layer that matches none of ours, on its way into a layer of the town's own: one that is there already, or a new one.

Readers describe it (`ingest/vector/own_layers.py`, `ingest/dxf/own_layers.py`); what a description becomes in the catalogue
stands in `twin_model/catalogue/layer_from_source.py`.
"""

import re
from collections.abc import Mapping as Map
from functools import partial
from typing import Any

from ingest.draft import Draft
from ingest.layer_likeness import nearest_layer
from ingest.mapping import LayerMapping
from ingest.outline import ColumnOutline, LayerOutline
from ingest.values import is_absent, typed
from twin_model.catalogue import layer_of
from twin_model.catalogue.known_columns import known_columns
from twin_model.catalogue.layer_from_source import (
    AddedFields,
    SourceColumn,
    SourceDescription,
    added_fields,
    table_of_source,
)
from twin_model.finding import Finding
from twin_model.layer import Field, Layer

__all__ = ["own_target"]

_MIDNIGHT = re.compile(r"\b00:00(:00(\.0+)?)?(?![:\d.])")


def own_target(described: SourceDescription, draft: Draft) -> LayerMapping:
    """Return how rows are read into the layer of the town's own that is theirs: one that is there already, or a new one."""
    known = _known(described, draft)
    columns: Map[str, str] = {}
    if known is not None:
        layer, added = known
        columns = added.fields
        draft.describe(layer, dict(added.table))
        _report_known(described, layer, added, draft)
    else:
        layer_id, table = table_of_source(described, taken=draft.catalogue.layers)
        layer = draft.describe(layer_of(layer_id, table), table)
        _report(described, layer, draft)
    layer = draft.catalogue[layer.id]
    new = {each.name for each in layer.fields} if known is None else set(known[1].table)
    names: dict[str, tuple[str, ...]] = {
        each.name: (each.aliases or (each.name,)) if each.name in new else () for each in layer.fields
    }
    names |= {field: (column,) for column, field in columns.items()}
    return LayerMapping((described.name,), layer.id, names)


def _known(described: SourceDescription, draft: Draft) -> tuple[Layer, AddedFields] | None:
    """Return the layer that the same source made before, with what it gains; None where there is none.

    Of several layers of one name that with the same types of columns comes first.
    """
    layers = [layer for layer in draft.catalogue if _may_be(layer, described)]
    fields = {layer.id: known_columns(layer, [each.name for each in described.columns]) for layer in layers}

    def other_types(layer: Layer) -> int:
        held = fields[layer.id]
        return sum(each.name in held and held[each.name].type != each.type for each in described.columns)

    for layer in sorted(layers, key=other_types):
        added = added_fields(layer, described.columns, partial(_misfit, described, draft.zone), fields[layer.id])
        if added is not None:
            return layer, added
    return None


def _may_be(layer: Layer, described: SourceDescription) -> bool:
    """Say whether a layer is the source's by its name, or by what the source says of itself, and has its kind of geometry."""
    named = layer.id == described.layer or described.delivered_as in layer.delivered_as
    return named and layer.geometry.removesuffix("Z") == described.geometry.removesuffix("Z")


def _misfit(described: SourceDescription, zone: str, held: Field, column: SourceColumn) -> Any:
    """Return a value of a source's column that cannot be read as a field's type, None where all can."""
    if described.values is None:
        return column.type
    for values in described.values(column.name):
        rows = typed(values, held, zone)[1]
        if held.type == "date" and column.type == "datetime":
            rows = [*rows, *(row for row, value in enumerate(values.tolist()) if _has_time(value))]
        if rows:
            return values[rows[0]]
    return None


def _has_time(value: Any) -> bool:
    """Say whether a time of a source is another than midnight: a file geodatabase writes a day so."""
    return not is_absent(value) and re.search(r"\d\d:\d\d", str(value)) is not None and not _MIDNIGHT.search(str(value))


def _report_known(described: SourceDescription, layer: Layer, added: AddedFields, draft: Draft) -> None:
    """Say which columns are taken for fields of other names, and which fields become numbers."""
    known = {each.name: {each.name, *each.aliases} for each in layer.fields}
    renamed = [
        f"{column} = {_title(layer, name)}" for column, name in added.fields.items() if column not in known[name]
    ]
    values = {"source": described.source, "source_layer": described.name, "own_layer": layer.id}
    if renamed:
        draft.report(Finding("vector.columns_known", "info", layer=layer.id, values=values | {"columns": renamed}))
    for name, value in added.widened.items():
        widened = values | {"column": _title(layer, name), "value": str(value)}
        draft.report(Finding("vector.field_widened", "info", layer=layer.id, values=widened))


def _title(layer: Layer, name: str) -> str:
    field = layer.field_of(name)
    return field.aliases[0] if field and field.aliases else name


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
