"""Columns that are meant to be empty (`twin ingest --blank`): whether the town knows what they name.

What a name means in a layer: `ingest/filled_columns.py`.
"""

from collections.abc import Iterator
from difflib import get_close_matches

from twin_model.desk.answer_frame import is_attribute
from twin_model.desk.names import titled_field
from twin_model.errors import CalledWrongly
from twin_model.filter import parse_filter
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.rows.attributes import attribute_names
from twin_model.store.base import FeatureQuery
from twin_model.store.select import has_attributes
from twin_model.temporal import ALWAYS
from twin_model.town import Town
from twin_model.view import View

__all__ = ["ensure_columns"]

_LOOKED_AT = 4_000
"""In so many features of each layer the nearest names are looked for."""


def ensure_columns(names: tuple[str, ...], town: Town) -> None:
    """Raise CalledWrongly for a name of a column that the town has nowhere, with the nearest.

    A field is named by its name or title in any layer, an attribute by the name that some feature has or once had it
    under. `attributes` are all of them, and `attributes.NAME` is believed: it may have been emptied before.
    """
    for name in names:
        if not (is_attribute(name) or _is_field(name, town) or _has_been_attribute(name, town)):
            known = [*dict.fromkeys(_known_names(town))]
            raise CalledWrongly("source.no_such_column", value=name, nearest=get_close_matches(name, known, 3, 0.5))


def _is_field(name: str, town: Town) -> bool:
    return any(titled_field(layer, name) is not None for layer in town.catalogue)


def _has_been_attribute(name: str, town: Town) -> bool:
    absent = {"op": "isNull", "args": [{"property": f"{ATTRIBUTES}.{name}"}]}
    present = parse_filter({"op": "not", "args": [absent]})
    return any(
        town.store.rows(_any_time(layer, fields=()).with_(where=present, limit=1))[1]
        for layer in _with_attributes(town)
    )


def _known_names(town: Town) -> Iterator[str]:
    for layer in town.catalogue:
        yield from (word for field in layer.fields for word in (field.name, field.title.zh, field.title.en) if word)
    for layer in _with_attributes(town):
        columns, rows = town.store.rows(_any_time(layer, fields=(ATTRIBUTES,)).with_(limit=_LOOKED_AT))
        yield from sorted(attribute_names(row[columns.index(ATTRIBUTES)] for row in rows))


def _with_attributes(town: Town) -> Iterator[Layer]:
    return (layer for layer in town.store.catalogue if has_attributes(layer))


def _any_time(layer: Layer, fields: tuple[str, ...]) -> FeatureQuery:
    return FeatureQuery(layer.id, view=View(ALWAYS), fields=fields, geometry=False, states=True)
