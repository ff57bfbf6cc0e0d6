"""The outline of a vector file: layers, kinds of geometry, columns with some of their values; nothing is stored."""

from contextlib import closing
from pathlib import Path

import numpy as np

from ingest.draft import ReadOptions
from ingest.outline import SAMPLED_ROWS, ColumnOutline, LayerOutline, shown_values
from ingest.vector.file import VectorFile
from ingest.vector.opening import opened_vector
from ingest.vector.own_layers import NOT_OF_THE_TOWN, dimensions_of, source_columns
from ingest.vector.source_layer import Batch, SourceLayer
from twin_model.geometry_kind import GEOMETRY_KINDS

__all__ = ["vector_outline"]

_KINDS = (*GEOMETRY_KINDS, "")
"""By dimension; the last, -1, is none."""


def vector_outline(path: Path, options: ReadOptions) -> list[LayerOutline]:
    """Return the layers of a file with at least one row; `SourceRefused` where GDAL cannot open it."""
    with opened_vector(path, path.name, options) as opened:
        names = [each for each in opened.file.names() if each[0] not in NOT_OF_THE_TOWN]
        layers = [opened.file.layer(name, geometry) for name, geometry in names]
        return [_outline(opened.file, layer) for layer in layers if layer.features]


def _outline(file: VectorFile, layer: SourceLayer) -> LayerOutline:
    with closing(file.batches(layer, sorted(layer.fields), SAMPLED_ROWS)) as batches:
        sample = next(batches)
    columns = [
        ColumnOutline(column, shown_values(sample.columns[column.name].tolist()))
        for column in source_columns(file, layer)
    ]
    return LayerOutline(layer.name, _rows(file, layer, sample), layer.crs or "", tuple(columns))


def _rows(file: VectorFile, layer: SourceLayer, sample: Batch) -> dict[str, int]:
    """Return the rows of each kind of geometry; a layer with one kind in its sample is taken to have that alone."""
    if layer.geometry is None:
        return {"": layer.features}
    kinds = np.unique(dimensions_of(sample))
    if layer.geometry != "Unknown" and len(kinds[kinds >= 0]) == 1:
        return {_KINDS[int(kinds[kinds >= 0][0])]: layer.features}
    counts: dict[str, int] = {}
    with closing(file.batches(layer, [], 50_000)) as batches:
        for batch in batches:
            for dimension, count in zip(*np.unique(dimensions_of(batch), return_counts=True), strict=True):
                kind = _KINDS[int(dimension)]
                counts[kind] = counts.get(kind, 0) + int(count)
    return {kind: count for kind, count in counts.items() if kind} or counts
