"""What looks like a mistake in an edit, before it is written and after: remarks in the reader's language, none of which stops it."""

from collections.abc import Mapping, Sequence

import numpy as np

from twin_model.changeset import Rows
from twin_model.layer import Layer
from twin_model.messages import render
from twin_model.rows.content import row_contents
from twin_model.store.base import FeatureQuery, Store

__all__ = ["remarks_before", "remarks_on"]

_FRAME_ROWS = 50_000
_MOST_COMPARED = 100_000
_MANY = 10
"""From so many features on it is worth a word that all of them change."""


def remarks_before(
    store: Store, layer: Layer, rows: Sequence[Rows], *, base: int | None, lang: str, all_new: bool = False
) -> list[str]:
    """Return what looks like a mistake in an edit before it is written: ids nobody knows, features that are there already.

    With `all_new` rows are meant to be new, so ids nobody knows are right.
    """
    remarks = []
    ids = [name for part in rows for name in part.ids.tolist() if name is not None]
    if ids:
        known = set(store.rows(FeatureQuery(layer.id, ids=tuple(ids), fields=(), geometry=False))[1])
        if not known and not all_new and store.summary(layer.id).features:
            remarks.append(render("edit.nothing_matched", lang, {"layer": layer.id, "count": len(ids), "ids": ids[:3]}))
        elif known and base is None:
            remarks.append(render("edit.no_base", lang, {"layer": layer.id}))
    remarks += _remarks_on_codes(store, layer, rows, lang)
    twice = _ids_of_repeated_rows(store, layer, rows)
    if twice:
        remarks.append(render("edit.said_already", lang, {"layer": layer.id, "count": len(twice), "ids": twice[:3]}))
    return remarks


def _remarks_on_codes(store: Store, layer: Layer, rows: Sequence[Rows], lang: str) -> list[str]:
    """Return a remark for each field that gets values which are none of its codes and are not in the layer yet."""
    remarks = []
    for field in layer.fields:
        columns = [part.columns[field.name] for part in rows if field.codes and field.name in part.columns]
        unknown = {str(value) for column in columns for value in column if value is not None} - set(field.codes)
        unknown -= _values_of(store, layer, field.name) if unknown else set()
        if unknown:
            values = {
                "layer": layer.id,
                "field": field.name,
                "values": sorted(unknown)[:5],
                "expected": [*field.codes][:9],
            }
            remarks.append(render("slip.no_code", lang, values))
    return remarks


def _values_of(store: Store, layer: Layer, field: str) -> set[str]:
    """Return the values that a field has now, as texts."""
    if layer.id not in store.catalogue or store.catalogue[layer.id].field_of(field) is None:
        return set()
    frames = store.frames(FeatureQuery(layer.id, fields=(field,), geometry=False), _FRAME_ROWS)
    return {str(value) for frame in frames for value in frame[field].dropna().unique()}


def _ids_of_repeated_rows(store: Store, layer: Layer, rows: Sequence[Rows]) -> list[str]:
    """Return the ids of features with exactly the values of rows without an id: a cell that ran twice."""
    new = [part.take(np.array([name is None for name in part.ids], dtype=bool)) for part in rows]
    new = [part for part in new if len(part)]
    if not new or not layer.has_geometry or sum(map(len, new)) > _MOST_COMPARED:
        return []
    bounds = np.concatenate([part.bounds for part in new])
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    if not len(bounds):
        return []
    box = (*bounds[:, :2].min(axis=0).tolist(), *bounds[:, 2:].max(axis=0).tolist())
    names, records = store.rows(FeatureQuery(layer.id, bbox=box))
    columns = {name: [record[place] for record in records] for place, name in enumerate(names)}
    columns |= {name: [None] * len(records) for name in new[0].columns if name not in columns}
    known = dict(zip(row_contents(layer, columns, tuple(new[0].columns)).tolist(), columns["id"], strict=True))
    return [known[content] for part in new for content in part.content.tolist() if content in known]


def remarks_on(layer: str, features: int, counts: Mapping[str, int], lang: str) -> list[str]:
    """Return what looks like a mistake in what was written, or would be, to a layer that held so many `features`."""
    values = {"layer": layer, "count": features}
    if features and counts["ended"] == features and not counts["inserted"] and not counts["updated"]:
        return [render("edit.emptied", lang, values)]
    if features >= _MANY and counts["updated"] >= features:
        return [render("edit.all_changed", lang, values)]
    return []
