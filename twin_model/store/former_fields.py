"""The catalogue beside the tables of a store: what it has gained since, and columns of fields it no longer names.

Those columns stay, because the past was written with them.
"""

from collections.abc import Mapping
from dataclasses import replace

from twin_model.catalogue import Catalogue
from twin_model.layer import SEARCH_KEY, Field, FieldType, Layer, Text

__all__ = ["as_held", "gained", "with_former_fields"]

Held = Mapping[str, Mapping[str, FieldType]]
"""Layer -> column -> type of the tables of current rows as they are."""

_SYSTEM = frozenset(
    ("fid", "geom", "id", "valid_from", "valid_to", "valid_precision", "version_from", "min_zoom", SEARCH_KEY)
)


def with_former_fields(catalogue: Catalogue, held: Held) -> Catalogue:
    """Return the catalogue in which each layer also knows the columns its table holds beyond its fields."""
    return Catalogue({layer.id: _with_former(layer, held.get(layer.id, {})) for layer in catalogue})


def as_held(catalogue: Catalogue, held: Held) -> Catalogue:
    """Return the layers that have tables, each with the fields its table has: those just gained have no column yet."""
    layers = (_with_former(catalogue[name], columns) for name, columns in held.items() if name in catalogue)
    return Catalogue(
        {
            layer.id: replace(layer, fields=tuple(each for each in layer.fields if each.name in held[layer.id]))
            for layer in layers
        }
    )


def _with_former(layer: Layer, columns: Mapping[str, FieldType]) -> Layer:
    known = {*layer.stored_names, *_SYSTEM}
    former = tuple(Field(name, kind, Text(name, name)) for name, kind in columns.items() if name not in known)
    return replace(layer, former_fields=former) if former else layer


def gained(catalogue: Catalogue, held: Held) -> tuple[list[Layer], list[tuple[Layer, Field]]]:
    """Return the layers without a table, and the fields without a column in the table of their layer."""
    missing = [layer for layer in catalogue if layer.kind == "feature" and layer.id not in held]
    fields = [
        (layer, field)
        for layer in catalogue
        if layer.id in held
        for field in layer.fields
        if field.name not in held[layer.id]
    ]
    return missing, fields
