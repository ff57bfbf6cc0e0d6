"""What `twin export` wrote and somebody edited comes back: to which layer it belongs, and which columns are the town's own.

The columns id, valid_from, valid_to and version say what the town knows of a feature; they are no fields of the source.
Files are written in `tiles/encodings/files.py`.
"""

import re
from collections.abc import Collection, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ingest.draft import FRAME_ROWS, Draft
from ingest.mapping import LayerMapping
from ingest.values import is_absent
from ingest.vector.file import VectorFile
from ingest.vector.source_layer import Batch, SourceLayer
from twin_model.catalogue.known_columns import known_columns
from twin_model.finding import Finding
from twin_model.geometry_kind import dimension_of
from twin_model.layer import ATTRIBUTES, Layer

__all__ = [
    "attribute_name",
    "exported_layer",
    "exported_mapping",
    "report_cut_attributes",
    "report_ended",
    "report_export",
    "town_columns",
    "with_object",
]

_SYSTEM = ("id", "valid_from", "valid_to", "version")
_ALSO = ("fid", "wkt")
"""The number of a row, which becomes a column where a program saves a GeoPackage as another file, and the geometry of a CSV."""

_NOT_DELIVERED = ("finding", "map_sheet")
"""Layers that the house writes itself."""

_FEWEST_BYTES_CUT = 8
"""A name that a shapefile has cut has ten bytes, or less where the last character has several or a number stands behind it."""

_INSTANT = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d")


def town_columns(file: VectorFile, layer: SourceLayer) -> tuple[str, ...]:
    """Return the columns of a source layer that are the town's own; none where it is no export.

    An office's file may have columns of these names: an export has all of them, and instants and numbers of versions in them.
    """
    if not set(_SYSTEM) <= set(layer.fields):
        return ()
    with closing(file.batches(layer, list(_SYSTEM), FRAME_ROWS)) as batches:
        batch = next(batches, None)
    if batch is None or not len(batch):
        return ()
    begins, versions = (_present(batch.columns[name]) for name in ("valid_from", "version"))
    is_ours = bool(begins) and all(_INSTANT.match(str(value)) for value in begins) and all(map(_is_version, versions))
    return tuple(name for name in (*_SYSTEM, *_ALSO) if name in layer.fields) if is_ours else ()


def _present(column: NDArray[Any]) -> list[Any]:
    return [value for value in column.tolist() if not is_absent(value)]


def _is_version(value: Any) -> bool:
    return re.fullmatch(r"[1-9]\d*(\.0+)?", str(value)) is not None


def exported_layer(file: VectorFile, layer: SourceLayer, draft: Draft) -> Layer | None:
    """Return the layer that a source layer was exported from, by its ids, its name and its fields; None where none fits."""
    dimension = dimension_of(layer.geometry) if layer.geometry is not None else -1
    with closing(file.batches(layer, ["id"], FRAME_ROWS)) as batches:
        ids = [str(value) for value in _present(next(batches).columns["id"])]
    shares = {
        each: _share_of_fields(each, layer, ids)
        for each in draft.catalogue
        if each.kind == "feature" and each.id not in _NOT_DELIVERED and dimension in (each.dimension, None)
    }
    best = max(shares.values(), default=0.0)
    fitting = [each for each, share in shares.items() if share == best]
    return fitting[0] if best >= 1 and len(fitting) == 1 else None


def _share_of_fields(ours: Layer, layer: SourceLayer, ids: Sequence[str]) -> float:
    """Return how much speaks for a layer: 1 or more where it is the one, more where names and more fields say so."""
    known = known_columns(ours, list(layer.fields), system=_SYSTEM[:1])
    share = len(known) / max(len(ours.fields), 1)
    minted = sum(each.startswith(f"{ours.id}.") for each in ids) > len(ids) / 2
    named = minted or layer.name == ours.id
    return (share if named or known else 0.0) + (share > 0.5) * named + len(known) / 1000 * (share == 1)


def exported_mapping(layer: SourceLayer, ours: Layer) -> LayerMapping:
    """Return how rows of an export are read into a layer of the house: each column is the field that it was."""
    known = known_columns(ours, list(layer.fields), system=_SYSTEM[:1])
    nothing: dict[str, tuple[str, ...]] = dict.fromkeys(ours.field_names, ())
    return LayerMapping((layer.name,), ours.id, nothing | {field.name: (column,) for column, field in known.items()})


def attribute_name(column: str) -> str:
    """Return the name of the attribute that an export wrote as a column."""
    return column.removeprefix(f"{ATTRIBUTES}.")


def with_object(attributes: NDArray[Any], objects: NDArray[Any]) -> NDArray[Any]:
    """Return attributes, JSON texts, with the members of objects: GeoJSON has all attributes in one."""
    joined = [_joined(text, value) for text, value in zip(attributes.tolist(), objects.tolist(), strict=True)]
    return np.array([*joined, None], dtype=object)[:-1]


def _joined(text: str | None, value: Any) -> dict[str, Any] | None:
    members = orjson.loads(text) if text else {}
    members |= orjson.loads(value) if not is_absent(value) else {}
    return members or None


def report_export(layer: SourceLayer, ours: Layer, columns: Collection[str], draft: Draft) -> None:
    """Say that a source layer is an export of the town, and which of its columns are not stored for that."""
    values = {"source": draft.source.name, "source_layer": layer.name, "to": ours.id, "columns": [*columns]}
    draft.report(Finding("vector.town_export", "info", layer=ours.id, values=values))


def report_cut_attributes(layer: SourceLayer, ours: Layer, columns: Collection[str], draft: Draft) -> list[str]:
    """Return the attributes of an export whose names a shapefile may have cut, and say that they are not taken.

    What the town knows of them stays: under other names they would be there twice.
    """
    if layer.about.get("driver") != "ESRI Shapefile":
        return []
    cut = [name for name in columns if len(name.encode()) >= _FEWEST_BYTES_CUT]
    if cut:
        values = {"source": draft.source.name, "to": ours.id, "columns": cut}
        draft.report(Finding("vector.town_export_cut", "warning", layer=ours.id, values=values))
    return cut


def report_ended(batch: Batch, ours: Layer, draft: Draft) -> None:
    """Say that features had an end when they were exported: delivered again, they have none."""
    ended = [row for row, value in enumerate(batch.columns["valid_to"].tolist()) if not is_absent(value)]
    if ended:
        first = str(batch.columns["valid_to"][ended[0]])[:10]
        values = {"source": draft.source.name, "rows": len(ended), "value": first}
        place = batch.place(ended[0])
        draft.report(Finding("vector.town_export_ended", "warning", layer=ours.id, place=place, values=values))
