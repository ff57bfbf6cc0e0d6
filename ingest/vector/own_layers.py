"""Source layers that match none of ours become layers of the town's own: here what GDAL knows of them is described.

What a description becomes in the catalogue stands in `twin_model/catalogue/layer_from_source.py`; the rows are read by
`ingest/vector/reader.py`, as those of any other layer.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.draft import FRAME_ROWS, Draft
from ingest.mapping import LayerMapping
from ingest.own_layer import own_target
from ingest.vector.file import VectorFile
from ingest.vector.source_layer import Batch, SourceLayer
from ingest.vector.source_notes import SourceNotes, notes_of
from twin_model.catalogue.layer_from_source import SourceColumn, SourceDescription
from twin_model.geometry_kind import LAYER_GEOMETRIES, dimension_of
from twin_model.layer import FieldType

__all__ = ["NOT_OF_THE_TOWN", "Targets", "dimensions_of", "own_targets", "source_columns"]

Targets = Mapping[int, LayerMapping]
"""Dimension of a geometry -> how rows of it are read; -1 stands for rows without geometry, which go to the first."""

NOT_OF_THE_TOWN = ("layer_styles", "qgis_projects")
"""Tables that programs keep for themselves."""

_GLOBAL = re.compile(
    r"uuid|guid|global_?id|bsm|标识码|要素唯一标识码|不动产单元号|宗地代码|osm_id|toid|uprn", re.IGNORECASE
)
_IN_TABLES = re.compile(r"id|(.*_)?id|objectid|no|code|number|key|.*(编号|编码|代码|标识码|序号)", re.IGNORECASE)
_TYPES: Mapping[str, FieldType] = {"OFTInteger": "integer", "OFTInteger64": "integer", "OFTReal": "number", "OFTDate": "date",
                                   "OFTDateTime": "datetime"}  # fmt: skip
_GEOMETRIES = (*LAYER_GEOMETRIES, "None")
"""By dimension, -1 is the last."""
_PARTS = {0: "points", 1: "lines", 2: "areas"}
_DIMENSIONS = {0: (1, 4), 1: (2, 5, 8, 9, 11, 13), 2: (3, 6, 10, 12, 14, 15, 16, 17)}
"""Dimension -> numbers of WKB types (OGC 06-103r4, table 7)."""


@dataclass
class _Contents:
    """What was seen of a layer's rows: how many of each dimension and with heights, and which columns could be numbers."""

    rows: dict[int, int] = field(default_factory=dict)
    high: dict[int, int] = field(default_factory=dict)
    identities: dict[str, set[Any]] = field(default_factory=dict)


def own_targets(file: VectorFile, name: str, geometry: str | None, draft: Draft) -> Targets:
    """Describe one source layer to the draft and return how its rows are read; nothing for a table without a number.

    A layer with points, lines and areas becomes one of each.
    """
    layer = file.layer(name, geometry)
    columns = source_columns(file, layer)
    contents = _looked_into(file, layer, columns)
    if geometry is None:
        return {-1: own_target(_described(file, layer, columns, -1, contents), draft)} if contents.identities else {}
    dimensions = sorted(contents.rows)
    parts = [_described(file, layer, columns, each, contents, part=len(dimensions) > 1) for each in dimensions]
    return {each: own_target(part, draft) for each, part in zip(dimensions, parts, strict=True)}


def dimensions_of(batch: Batch) -> NDArray[np.int64]:
    """Return the dimension of each geometry of a batch, -1 where there is none; of a collection that of its largest part."""
    dimensions = np.full(len(batch), -1, dtype=np.int64)
    rows = np.flatnonzero(batch.wkb.sizes >= 5)
    kinds = _kinds(batch, rows)[0]
    for dimension, numbers in _DIMENSIONS.items():
        dimensions[rows[np.isin(kinds, numbers)]] = dimension
    others = rows[(dimensions[rows] == -1)]
    shapes = shapely.from_wkb(batch.wkb.objects(others), on_invalid="ignore")
    dimensions[others] = shapely.get_dimensions(shapes)
    return dimensions


def _kinds(batch: Batch, rows: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the number of each geometry's WKB type without its dimensions, and whether it has heights."""
    heads = batch.wkb.part(rows, 0, 5)
    little = heads[:, 0] == 1
    numbers = np.where(little, heads[:, 1:].copy().view("<u4").ravel(), heads[:, 1:].copy().view(">u4").ravel())
    numbers = numbers.astype(np.int64)
    plain = (numbers & 0xFFFF) % 1_000
    thousands = (numbers & 0xFFFF) // 1_000
    return plain, (numbers & 0x80000000 > 0) | (thousands == 1) | (thousands == 3)


def source_columns(file: VectorFile, layer: SourceLayer) -> list[SourceColumn]:
    """Return what a file says of the columns of a layer: types, titles, coded values."""
    about, notes = layer.about, notes_of(file, layer.name)
    names = list(layer.fields)
    kinds = zip(names, about["ogr_types"], about["ogr_subtypes"], strict=True)
    return [_column(name, str(kind), str(subtype), notes) for name, kind, subtype in kinds]


def _column(name: str, kind: str, subtype: str, notes: SourceNotes) -> SourceColumn:
    is_json = subtype == "OFSTJSON" or kind.endswith("List")
    type_: FieldType = "boolean" if subtype == "OFSTBoolean" else _TYPES.get(kind, "string")
    return SourceColumn(name, type_, notes.titles.get(name, ""), notes.codes.get(name, {}), is_json)


def _looked_into(file: VectorFile, layer: SourceLayer, columns: Sequence[SourceColumn]) -> _Contents:
    """Return what the rows show: read once more where the type of geometry is open, or a column may be the number."""
    pattern = _GLOBAL if layer.geometry is not None else _IN_TABLES
    wanted = [each.name for each in columns if pattern.fullmatch(each.name) and each.type in ("string", "integer")]
    declared, has_heights = _declared(layer.geometry)
    contents = _Contents(identities={name: set() for name in wanted})
    if declared is not None:
        contents.rows[declared], contents.high[declared] = layer.features, layer.features * has_heights
        if not wanted:
            return contents
    for batch in file.batches(layer, wanted, FRAME_ROWS):
        if declared is None:
            _count(contents, batch)
        _keep_unique(contents, batch)
    return contents


def _declared(geometry: str | None) -> tuple[int | None, bool]:
    """Return the dimension that a layer's type of geometry says, None where it may be any, and whether it has heights."""
    if geometry is None:
        return -1, False
    return dimension_of(geometry), geometry.endswith(" Z") or "3D " in geometry


def _count(contents: _Contents, batch: Batch) -> None:
    dimensions = dimensions_of(batch)
    rows = np.flatnonzero(batch.wkb.sizes >= 5)
    high = np.zeros(len(batch), dtype=bool)
    high[rows] = _kinds(batch, rows)[1]
    for dimension in np.unique(dimensions[dimensions >= 0]).tolist():
        chosen = dimensions == dimension
        contents.rows[dimension] = contents.rows.get(dimension, 0) + int(chosen.sum())
        contents.high[dimension] = contents.high.get(dimension, 0) + int(high[chosen].sum())


def _keep_unique(contents: _Contents, batch: Batch) -> None:
    """Give up the columns in which a value is missing or comes twice."""
    for name in list(contents.identities):
        values = batch.columns[name].tolist()
        seen = contents.identities[name]
        before = len(seen)
        seen.update(values)
        if any(value is None or value != value or value == "" for value in values) or len(seen) < before + len(values):
            del contents.identities[name]


def _described(
    file: VectorFile,
    layer: SourceLayer,
    columns: Sequence[SourceColumn],
    dimension: int,
    contents: _Contents,
    *,
    part: bool = False,
) -> SourceDescription:
    rows, high = contents.rows.get(dimension, 0), contents.high.get(dimension, 0)
    heights = "Z" if rows and rows == high and dimension >= 0 else ""
    return SourceDescription(
        name=layer.name,
        source=file.source,
        geometry=_GEOMETRIES[dimension] + heights,
        columns=columns,
        title=notes_of(file, layer.name).title,
        identity=next(iter(contents.identities), None),
        part=_PARTS[dimension] if part else "",
    )
