"""What becomes of a result's description: dropped, a field renamed, words changed; each a changeset that can be reverted.

The table of a result stands in the town's `catalogue/`, and every changeset that changes it keeps the table before and
after (`counts["described"]`). Nothing of the past is lost: a dropped layer and a former field can still be asked for as
they were known. Writing a result's features is `saving`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twin_model.catalogue import layer_of
from twin_model.catalogue.layer_from_frame import field_name_of
from twin_model.changeset import Changeset, Delivered, Scope
from twin_model.desk.names import field_named
from twin_model.editing import is_storable, rows_of
from twin_model.errors import EditRefused
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.frames import not_ended
from twin_model.temporal import ALWAYS, now
from twin_model.view import View

__all__ = ["Reshaping", "drop", "redescribe", "rename_field"]

Table = dict[str, Any]
_WORDS = ("zh", "en", "unit", "codes")
"""What `redescribe` may say of a field."""
_AT_ONCE = 50_000


@dataclass(frozen=True)
class Reshaping:
    """A changeset and the tables of the layer's description before and after it."""

    changeset: Changeset
    before: Table
    after: Table


def drop(store: Store, layer: Layer, table: Table, *, reason: str, author: str) -> Reshaping:
    """Return what ends every feature of a result and takes it out of the catalogue's lists; its past stays."""
    ids: list[str] = []
    query = FeatureQuery(layer.id, view=View(ALWAYS), fields=(), geometry=False)
    for frame in store.frames(query, _AT_ONCE):
        ids += not_ended(frame).index.tolist()
    after = {**table, "dropped": True}
    return _reshaping(layer, table, after, reason, author, terminated={layer.id: tuple(ids)} if ids else {})


def rename_field(
    store: Store, layer: Layer, table: Table, field: str, name: str, *, reason: str, author: str, zone: str
) -> Reshaping:
    """Return what moves the values of a field to one of another name, since now; the past keeps the former name.

    Raises `QueryRefused` for a field that is not there, `EditRefused` for a name that is taken or cannot be one.
    """
    former = field_named(layer, field)
    fields: Mapping[str, Any] = table.get("fields", {})
    if field_name_of(name) != name:
        raise EditRefused("edit.field_name", layer=layer.id, found=repr(name)[:80], nearest=field_name_of(name))
    if any(name.lower() == other.lower() for other in layer.field_names if other != former.name) or name == former.name:
        raise EditRefused("edit.same_name", found=[former.name, name])
    titles = {lang: name for lang in ("zh", "en") if fields[former.name].get(lang) == former.name}
    renamed = {
        name if each == former.name else each: {**said, **titles} if each == former.name else said
        for each, said in fields.items()
    }
    after = {**table, "fields": renamed}
    both = layer_of(layer.id, {**table, "fields": {**fields, name: fields[former.name]}})
    delivered, base = [], store.version()
    for frame in store.frames(FeatureQuery(layer.id, fields=(former.name,)), _AT_ONCE):
        moved = frame[[former.name, frame.geometry.name]].assign(**{name: frame[former.name]})
        moved[former.name] = None
        delivered.append(Delivered.of(layer.id, rows_of(both, moved, store.crs, zone=zone)))
    return _reshaping(layer, table, after, reason, author, delivered=tuple(delivered), edit=True, base=base)


def redescribe(
    layer: Layer, table: Table, *, title: Any, description: Any, fields: Mapping[str, Any], reason: str, author: str
) -> Reshaping:
    """Return what changes titles, description, and the words, units and codes of fields; no feature changes.

    A text stands for both languages; `fields` maps a name or title to a title or to {"zh": ..., "en": ..., "unit": ..., "codes": ...}.
    """
    after = {**table, "fields": {name: dict(said) for name, said in table.get("fields", {}).items()}}
    for key, words in (("title", title), ("description", description)):
        if words is not None:
            after[key] = _both(layer, key, words)
    for name, said in fields.items():
        known = field_named(layer, name).name
        words = _words_of_field(layer, known, said)
        unknown = sorted(set(words) - set(_WORDS))
        if unknown:
            raise EditRefused("edit.field_words", layer=layer.id, field=known, found=unknown, expected=_WORDS)
        after["fields"][known] |= words
    layer_of(layer.id, after)
    if after == table:
        raise EditRefused("edit.nothing_described", layer=layer.id)
    return _reshaping(layer, table, after, reason, author)


def _words_of_field(layer: Layer, field: str, wording: Any) -> dict[str, Any]:
    """Return what is said of a field; a code may be a number, its words are those of a title."""
    if not isinstance(wording, Mapping):
        return _both(layer, field, wording)
    words = dict(wording)
    codes = words.get("codes")
    if isinstance(codes, Mapping):
        words["codes"] = {str(code): _both(layer, f"{field}: {code!r}", text) for code, text in codes.items()}
    texts = [text for text in words.values() if isinstance(text, str)]
    if not all(map(is_storable, [*texts, *(words["codes"] if isinstance(codes, Mapping) else ())])):
        raise EditRefused("edit.words", layer=layer.id, field=field, value=repr(wording)[:80])
    return words


def _both(layer: Layer, key: str, words: Any) -> dict[str, str]:
    texts = {"zh": words, "en": words} if isinstance(words, str) else words
    if (
        not isinstance(texts, Mapping)
        or not texts
        or set(texts) - {"zh", "en"}
        or not all(isinstance(text, str) and text.strip() and is_storable(text) for text in texts.values())
    ):
        raise EditRefused("edit.words", layer=layer.id, field=key, value=repr(words)[:80])
    return dict(texts)


def _reshaping(layer: Layer, before: Table, after: Table, reason: str, author: str, **more: Any) -> Reshaping:
    changeset = Changeset(
        author, reason, now(), scope=Scope("layer", layer.id), accept_removals=True, since_recorded=True, **more
    )
    return Reshaping(changeset, before, after)
