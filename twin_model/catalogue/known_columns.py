"""Columns of a source that comes again -> the fields of a layer that they are: by name, in any case, whole or cut.

A shapefile cuts names to ten bytes, of GBK or of UTF-8, and tells names that are then alike apart by a number (GDAL's rule).
The same columns are therefore called otherwise by the program that saved them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from twin_model.layer import Field, Layer

__all__ = ["cut_names", "known_columns"]

_ENCODINGS = ("utf-8", "gbk")
_MOST_BYTES, _BYTES_BEFORE_NUMBER = 10, 8


def known_columns(layer: Layer, columns: Sequence[str], *, system: Sequence[str] = ()) -> dict[str, Field]:
    """Return column -> the field it is, of the columns that a layer knows; each field once.

    Whole names come first, then the same in another case, then names that one of both has cut: `地块编` is `地块编号`.
    `system` are columns that stand before the fields in the source: they count where cut names are told apart.
    """
    known: dict[str, Field] = {}
    for names in (_whole_names(layer), _folded_names(layer), _cut_fields(layer, system)):
        _take(known, columns, names)
    for column in columns:
        fields = [] if column in known else _fields_cut_from(layer, column, known.values())
        if len(fields) == 1:
            known[column] = fields[0]
    return known


def cut_names(names: Iterable[str], encoding: str) -> dict[str, str]:
    """Return the names of a shapefile's columns, not two alike -> the whole ones, where the table is in an encoding."""
    whole: dict[str, str] = {}
    for name in names:
        cut, number = _first_bytes(name, _MOST_BYTES, encoding), 0
        while cut in whole:
            number += 1
            cut = f"{_first_bytes(name, _BYTES_BEFORE_NUMBER, encoding)}_{number}"
        whole[cut] = name
    return whole


def _first_bytes(name: str, count: int, encoding: str) -> str:
    return name.encode(encoding, "ignore")[:count].decode(encoding, "ignore")


def _take(known: dict[str, Field], columns: Sequence[str], names: Mapping[str, Field]) -> None:
    """Give columns that are not known yet the fields that are left and go by their names; `known` is filled in."""
    taken = {field.name for field in known.values()}
    for column in columns:
        field = names.get(column) or names.get(column.strip().lower())
        if column not in known and field is not None and field.name not in taken:
            known[column] = field
            taken.add(field.name)


def _whole_names(layer: Layer) -> dict[str, Field]:
    return {name: field for field in layer.fields for name in (*field.aliases, field.name)}


def _folded_names(layer: Layer) -> dict[str, Field]:
    return {name.strip().lower(): field for name, field in _whole_names(layer).items()}


def _cut_fields(layer: Layer, system: Sequence[str]) -> dict[str, Field]:
    """Return field by the names that a shapefile makes of the layer's own names and of those of its source."""
    whole = _whole_names(layer)
    own, source = ([*system, *names] for names in (layer.field_names, (_source_name(each) for each in layer.fields)))
    cut = [cut_names(names, encoding) for names in (source, own) for encoding in _ENCODINGS]
    pairs = [(short, name) for each in reversed(cut) for short, name in each.items() if short != name]
    return {short.lower(): whole[name] for short, name in pairs if name in whole}


def _source_name(field: Field) -> str:
    return field.aliases[0] if field.aliases else field.name


def _fields_cut_from(layer: Layer, column: str, taken: Collection[Field]) -> list[Field]:
    """Return the fields left whose names are what a shapefile makes of a column's."""
    cut = {_first_bytes(column, _MOST_BYTES, encoding).lower() for encoding in _ENCODINGS} - {column.lower()}
    left = [field for field in layer.fields if field not in taken]
    return [field for field in left if cut & {name.lower() for name in (*field.aliases, field.name)}]
