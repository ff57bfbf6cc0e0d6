"""What the geometries of a batch are: their dimension, whether they have heights, and of which parts a collection is made."""

from collections import Counter

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.vector.source_layer import Batch

__all__ = ["dimensions_of", "have_heights", "mixed_collections", "rows_by_dimension"]

_DIMENSIONS = {0: (1, 4), 1: (2, 5, 8, 9, 11, 13), 2: (3, 6, 10, 12, 14, 15, 16, 17)}
"""Dimension -> numbers of WKB types (OGC 06-103r4, table 7)."""

_COLLECTION = 7
_SINGLE = 3
"""From here on shapely's numbers of types are those of geometries that have parts."""

Parts = dict[int, NDArray[np.object_]]
"""Dimension -> the single geometries of it."""


def dimensions_of(batch: Batch) -> NDArray[np.int64]:
    """Return the dimension of each geometry of a batch, -1 where there is none; of a collection that of its largest part."""
    dimensions = np.full(len(batch), -1, dtype=np.int64)
    rows = np.flatnonzero(batch.wkb.sizes >= 5)
    kinds = _types(batch, rows) & 0xFFFF
    for dimension, numbers in _DIMENSIONS.items():
        dimensions[rows[np.isin(kinds % 1_000, numbers)]] = dimension
    others = rows[(dimensions[rows] == -1)]
    shapes = shapely.from_wkb(batch.wkb.objects(others), on_invalid="ignore")
    dimensions[others] = shapely.get_dimensions(shapes)
    return dimensions


def have_heights(batch: Batch) -> NDArray[np.bool_]:
    """Return whether each geometry of a batch has heights."""
    heights = np.zeros(len(batch), dtype=bool)
    rows = np.flatnonzero(batch.wkb.sizes >= 5)
    types = _types(batch, rows)
    thousands = (types & 0xFFFF) // 1_000
    heights[rows] = (types & 0x80000000 > 0) | (thousands == 1) | (thousands == 3)
    return heights


def mixed_collections(batch: Batch) -> dict[int, Parts]:
    """Return row -> parts of those collections that hold geometries of several dimensions."""
    rows = np.flatnonzero(batch.wkb.sizes >= 5)
    rows = rows[(_types(batch, rows) & 0xFFFF) % 1_000 == _COLLECTION]
    shapes = shapely.from_wkb(batch.wkb.objects(rows), on_invalid="fix")
    parts = {row: _by_dimension(shape) for row, shape in zip(rows.tolist(), shapes, strict=True)}
    return {row: each for row, each in parts.items() if len(each) > 1}


def rows_by_dimension(batch: Batch) -> Counter[int]:
    """Return how many rows have geometries of each dimension; a collection counts for each that it holds."""
    dimensions = dimensions_of(batch)
    collections = mixed_collections(batch)
    plain = np.delete(dimensions, list(collections))
    return Counter(plain.tolist()) + Counter(each for parts in collections.values() for each in parts)


def _by_dimension(shape: shapely.Geometry | None) -> Parts:
    parts = np.asarray(shapely.get_parts([shape]), dtype=object)
    while (shapely.get_type_id(parts) > _SINGLE).any():
        parts = np.asarray(shapely.get_parts(parts), dtype=object)
    dimensions = shapely.get_dimensions(parts)
    return {each: parts[dimensions == each] for each in np.unique(dimensions).tolist() if each >= 0}


def _types(batch: Batch, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the number of each geometry's WKB type, with its marks of dimensions (ISO thousands, EWKB bits)."""
    heads = batch.wkb.part(rows, 0, 5)
    little = heads[:, 0] == 1
    numbers = np.where(little, heads[:, 1:].copy().view("<u4").ravel(), heads[:, 1:].copy().view(">u4").ravel())
    return numbers.astype(np.int64)
