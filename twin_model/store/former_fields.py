"""The catalogue beside the tables of a store: what it has gained since, and columns of fields it no longer names.

Those columns stay, because the past was written with them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from twin_model.catalogue import Catalogue
from twin_model.errors import CatalogueError, StoreError
from twin_model.layer import ATTRIBUTES, SEARCH_KEY, Field, FieldType, Layer, Text

__all__ = [
    "Geometries",
    "Held",
    "as_held",
    "as_stored",
    "ensure_own_tables",
    "ensure_same_kinds",
    "gained",
    "is_outgrown",
    "retyped",
    "with_former_fields",
    "with_tolerances",
]

Held = Mapping[str, Mapping[str, FieldType]]
"""Layer -> column -> type of the tables of current rows as they are."""

IsEmpty = Callable[[Layer, Field], bool]
"""Says whether no row of a layer, now or ever, has a value in a field's column."""

Geometries = Mapping[str, tuple[str, bool]]
"""Layer -> type of its geometry in capitals, and whether it has heights; layers without geometry are not among them."""

_SYSTEM = frozenset(
    (
        "fid",
        "geom",
        "id",
        "valid_from",
        "valid_to",
        "valid_precision",
        "version_from",
        "min_zoom",
        SEARCH_KEY,
        ATTRIBUTES,
    )
)


_OWN = frozenset(("fid", "id", "valid_from", "version_from"))
"""Columns of every table of ours."""


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
    known = {*layer.field_names, *_SYSTEM}
    former = tuple(Field(name, kind, Text(name, name)) for name, kind in columns.items() if name not in known)
    if [each.name for each in former] == [each.name for each in layer.former_fields]:
        return layer
    return replace(layer, former_fields=former)


def is_outgrown(catalogue: Catalogue, held: Held) -> bool:
    """Return whether the tables of layers hold columns that the catalogue does not know of: others have added them."""
    return any(_with_former(layer, held.get(layer.id, {})) is not layer for layer in catalogue)


def as_stored(catalogue: Catalogue, layers: Catalogue, held: Held) -> Catalogue:
    """Return the catalogue in which some layers are what their tables are; without those that have no table yet."""
    others = {each.id: each for each in catalogue if each.id not in layers}
    return Catalogue(others | dict(as_held(layers, held).layers))


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


def retyped(catalogue: Catalogue, held: Held) -> list[tuple[Layer, Field]]:
    """Return the fields whose columns are of another type than the catalogue says."""
    return [
        (layer, field)
        for layer in catalogue
        for field in layer.fields
        if (column := held.get(layer.id, {}).get(field.name)) is not None and _kind(column) != _kind(field.type)
    ]


def ensure_own_tables(layers: Iterable[str], held: Held, place: str) -> None:
    """Refuse a store of which another program has dropped or replaced the table of a layer: its current rows are gone."""
    for layer in layers:
        if not set(held.get(layer, ())) >= _OWN:
            raise StoreError("store.table_replaced", layer=layer, path=place, found=sorted(held.get(layer, ()))[:5])


def ensure_same_kinds(catalogue: Catalogue, held: Held, geometries: Geometries, is_empty: IsEmpty) -> None:
    """Refuse a catalogue in which a field or geometry is of another type than what the store holds of it.

    Whole numbers may become numbers, and a column that holds nothing (`is_empty`) anything.
    """
    for layer, field in retyped(catalogue, held):
        column = held[layer.id][field.name]
        if (column, field.type) != ("integer", "number") and not is_empty(layer, field):
            raise CatalogueError(
                "catalogue.retyped", layer=layer.id, field=field.name, found=column, expected=field.type
            )
    for layer in catalogue:
        if layer.id not in held:
            continue
        expected = (layer.geometry.removesuffix("Z").upper(), layer.has_z) if layer.has_geometry else None
        if geometries.get(layer.id) != expected:
            name, has_z = geometries.get(layer.id, ("None", False))
            raise CatalogueError(
                "catalogue.other_geometry", layer=layer.id, found=name + ("Z" if has_z else ""), expected=layer.geometry
            )


def _kind(kind: FieldType) -> str:
    return "text" if kind in ("string", "date", "datetime") else kind


def with_tolerances(catalogue: Catalogue, tolerances: Mapping[str, float]) -> Catalogue:
    """Return the catalogue in which each layer has the tolerance that what is stored of it was hashed with."""
    return Catalogue(
        {
            layer.id: replace(layer, tolerance=tolerances[layer.id])
            if tolerances.get(layer.id, layer.tolerance) != layer.tolerance
            else layer
            for layer in catalogue
        }
    )
