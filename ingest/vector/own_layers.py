"""Source layers that match none of ours become layers of the town's own: here what GDAL knows of them is described.

What a description becomes in the catalogue stands in `twin_model/catalogue/layer_from_source.py`; the rows are read by
`ingest/vector/reader.py`, as those of any other layer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.draft import FRAME_ROWS, Draft
from ingest.mapping import LayerMapping
from ingest.own_layer import own_target
from ingest.vector.file import VectorFile
from ingest.vector.geometry_parts import dimensions_of, have_heights, mixed_collections
from ingest.vector.source_layer import Batch, SourceLayer
from ingest.vector.source_notes import SourceNotes, notes_of
from ingest.vector.town_export import town_columns
from twin_model.catalogue.layer_from_source import SourceColumn, SourceDescription
from twin_model.geometry_kind import LAYER_GEOMETRIES, dimension_of
from twin_model.layer import ATTRIBUTES, FieldType, Layer

__all__ = ["NOT_OF_THE_TOWN", "Targets", "own_targets", "source_columns"]

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
_SAMPLED_ROWS = 10_000
_FLAT_AS_DECLARED = {"ESRI Shapefile", "FlatGeobuf", "GeoJSON", "MapInfo File", "OpenFileGDB"}
"""Drivers that give no row a height where the layer declares none; a GeoPackage may hold what it does not declare."""


@dataclass
class _Contents:
    """What was seen of a layer's rows: how many of each dimension and with heights, and which columns could be numbers."""

    rows: dict[int, int] = field(default_factory=dict)
    high: dict[int, int] = field(default_factory=dict)
    identities: dict[str, set[Any]] = field(default_factory=dict)

    def add(self, dimension: int, rows: int, high: int) -> None:
        """Count rows of a dimension, and how many of them have heights."""
        self.rows[dimension] = self.rows.get(dimension, 0) + rows
        self.high[dimension] = self.high.get(dimension, 0) + high


def own_targets(
    file: VectorFile, name: str, geometry: str | None, draft: Draft, exported: Layer | None = None
) -> Targets:
    """Describe one source layer to the draft and return how its rows are read; nothing for a table without a number.

    A layer with points, lines and areas becomes one of each. `exported` is the layer of the town's own that it was exported from.
    """
    layer = file.layer(name, geometry)
    columns = _without_system(source_columns(file, layer), town_columns(file, layer))
    contents = _looked_into(file, layer, columns)
    layer_id = exported.id if exported is not None else None
    if geometry is None:
        table = replace(_described(file, layer, columns, -1, contents), layer=layer_id)
        return {-1: own_target(table, draft)} if contents.identities or layer_id else {}
    dimensions = sorted(contents.rows)
    parts = [
        replace(_described(file, layer, columns, each, contents, part=len(dimensions) > 1), layer=layer_id)
        for each in dimensions
    ]
    return {each: own_target(part, draft) for each, part in zip(dimensions, parts, strict=True)}


def _without_system(columns: list[SourceColumn], of_the_town: tuple[str, ...]) -> list[SourceColumn]:
    """Return the columns of an export that were fields; those of any other file as they are."""
    if not of_the_town:
        return columns
    plain = (each for each in columns if each.name not in of_the_town)
    return [each for each in plain if each.name != ATTRIBUTES and not each.name.startswith(f"{ATTRIBUTES}.")]


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
    has_heights &= (
        layer.about["driver"] != "GPX"
    )  # declared with heights as it is asked for them, whether it has any or not
    contents = _Contents(identities={name: set() for name in wanted})
    if declared is not None:
        contents.rows[declared], contents.high[declared] = layer.features, layer.features * has_heights
    counts_rows = declared is None or (
        declared >= 0 and not has_heights and layer.about["driver"] not in _FLAT_AS_DECLARED
    )
    if not (wanted or counts_rows):
        return contents
    is_sample = not wanted and declared is not None and layer.about["driver"] != "GPX"
    with closing(file.batches(layer, wanted, _SAMPLED_ROWS if is_sample else FRAME_ROWS)) as batches:
        for batch in batches:
            if counts_rows:
                _count(contents, batch, declared)
            _keep_unique(contents, batch)
            if is_sample:  # a declaration is rarely wrong; heights that come later are named when they are read
                break
    return contents


def _declared(geometry: str | None) -> tuple[int | None, bool]:
    """Return the dimension that a layer's type of geometry says, None where it may be any, and whether it has heights."""
    if geometry is None:
        return -1, False
    return dimension_of(geometry), geometry.endswith(" Z") or "3D " in geometry


def _count(contents: _Contents, batch: Batch, declared: int | None) -> None:
    """Count rows and heights of each dimension; a collection counts for each dimension that it holds parts of."""
    high = have_heights(batch)
    if declared is not None:
        contents.high[declared] += int(high.sum())
        return
    dimensions = dimensions_of(batch)
    collections = mixed_collections(batch)
    dimensions[list(collections)] = -1
    for dimension in np.unique(dimensions[dimensions >= 0]).tolist():
        chosen = dimensions == dimension
        contents.add(dimension, int(chosen.sum()), int(high[chosen].sum()))
    for parts in collections.values():
        for dimension, shapes in parts.items():
            contents.add(dimension, 1, int(np.isfinite(shapely.get_coordinates(shapes, include_z=True)[:, 2]).any()))


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
    heights = "Z" if contents.high.get(dimension, 0) and dimension >= 0 else ""
    return SourceDescription(
        name=layer.name,
        source=file.source,
        geometry=_GEOMETRIES[dimension] + heights,
        columns=columns,
        title=notes_of(file, layer.name).title,
        identity=next(iter(contents.identities), None),
        part=_PARTS[dimension] if part else "",
        values=partial(_values, file, layer),
    )


def _values(file: VectorFile, layer: SourceLayer, column: str) -> Iterator[NDArray[Any]]:
    """Yield the values of a column, some thousand rows at a time: the layer is read once more."""
    for batch in file.batches(layer, [column], FRAME_ROWS):
        yield batch.columns[column]
