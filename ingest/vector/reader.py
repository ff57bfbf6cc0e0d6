"""Vector files through GDAL: shapefile, GeoPackage, GeoJSON, FlatGeobuf, GML, MapInfo, SQLite.

A record is one row of one source layer. Names become ours through a mapping (`ingest/mapping.py`); without one the standard
mapping and our own layer names are tried, and a source layer that matches none becomes a layer of the town's own
(`ingest/vector/own_layers.py`). Where the caller names a layer or a mapping, what that leaves out is left out with a finding. How the file is opened stands in `ingest/vector/file.py`. Text of a shapefile without `.cpg` is GBK unless it is UTF-8.
"""

import itertools
from collections.abc import Iterator
from collections.abc import Mapping as Map
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from ingest.draft import FRAME_ROWS, Draft, ReadOptions
from ingest.encoding import encoding_title
from ingest.leftovers import leftover_attributes, nested_texts
from ingest.mapping import LayerMapping, Mapping, standard_mapping
from ingest.source_crs import source_crs
from ingest.tables import is_table_file
from ingest.vector.columns import columns_of
from ingest.vector.declared_crs import declared_crs, layers_with_crs
from ingest.vector.file import VectorFile
from ingest.vector.kind import is_file_geodatabase
from ingest.vector.opening import opened_vector
from ingest.vector.own_layers import NOT_OF_THE_TOWN, Targets, own_targets
from ingest.vector.routing import Route, routed
from ingest.vector.shapefile_index import beside, index_is_whole
from ingest.vector.source_layer import Batch, SourceLayer
from ingest.vector.table_features import holds_coordinates
from ingest.vector.table_join import joined_layer, tables_joined
from ingest.vector.target_geometry import (
    ensure_some_fit,
    entries_of_dimension,
    entries_of_geometry,
    layers_like,
)
from twin_model.errors import SourceRefused
from twin_model.finding import Finding
from twin_model.geometry_kind import dimension_of
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.rows.columns import coded
from twin_model.rows.coordinate_runs import no_runs, read_runs

__all__ = ["read_vector", "recognises_vector"]

_LENGTH_OF_HEAD = 512
_ANY_LAYER = ("vector", "topography")
"""Words for `--as` that name no layer."""

_LOOKED_AT = 1_000
_MARKS_OF_XML = (b"opengis.net/gml", b"FeatureCollection", b"opengis.net/citygml", b"<LandXML")
"""What XML that is read, or named for what it is, has in its head."""


def recognises_vector(path: Path) -> bool:
    """Say whether the first bytes are those of a vector file GDAL reads for us."""
    if is_file_geodatabase(path):
        return True
    if not path.is_file():
        return False
    if is_table_file(path):
        return holds_coordinates(path)
    with path.open("rb") as file:
        head = file.read(_LENGTH_OF_HEAD)
    if head[:4] == b"\x00\x00\x27\x0a" or head[:15] == b"SQLite format 3" or head[:4] == b"fgb\x03":
        return True
    if path.suffix.lower() in {".tab", ".mif"}:
        return head[:6].lower() == b"!table" or head[:7].lower() == b"version"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if path.suffix.lower() in {".kml", ".kmz", ".gpx", ".dgn"}:
        return text[:1] == b"<" or head[:2] == b"PK" or path.suffix.lower() == ".dgn"
    if text[:1] in (b"{", b"["):
        return path.suffix.lower() in {".geojson", ".json"} and b"CityJSON" not in head
    if text[:1] != b"<":
        return False
    return any(mark in head for mark in _MARKS_OF_XML)


def read_vector(path: Path, draft: Draft, options: ReadOptions) -> None:
    """Read every layer of a file that a mapping, or `options.kind`, gives a place here."""
    _ensure_shapefile(path, draft)
    with opened_vector(path, draft.source.name, options) as opened:
        for finding in opened.findings:
            draft.report(finding)
        draft.decorate(opened.decoration)
        _read_file(opened.file, opened.path, draft, options)


def _read_file(file: VectorFile, path: Path, draft: Draft, options: ReadOptions) -> None:
    layers = layers_with_crs(file, file.names(), draft, options)
    chosen = _chosen(layers, path, draft, options)
    targets: dict[str, Targets] = {name: dict(enumerate(entries)) for name, entries in chosen.items()}
    targets |= _own(file, layers, chosen, draft, options)
    if not targets:
        rows = sum(file.layer(name, geometry).features for name, geometry in layers)
        rule = "vector.only_tables" if rows else "source.empty"
        raise SourceRefused(rule, source=draft.source.name, found=[name for name, _ in layers])
    before = draft.counts.read
    joined = tables_joined([entry for entries in targets.values() for entry in entries.values()])
    for name, geometry in layers:
        if name in joined:
            continue
        if targets.get(name):
            _read_or_leave(file, name, geometry, targets[name], draft, options, alone=len(targets) == 1)
        else:
            _leave_out(file, name, geometry, draft)
    if draft.counts.read == before:
        raise SourceRefused("source.empty", source=draft.source.name)
    ensure_some_fit(draft)
    _report_encoding(file, draft)


def _ensure_shapefile(path: Path, draft: Draft) -> None:
    """A shapefile without a whole `.shx` is read (its index is rebuilt in a copy), one without `.dbf` too; both are said."""
    suffix = path.suffix.lower()
    if suffix in {".dbf", ".shx"}:
        whole = beside(path, ".shp")
        raise (
            SourceRefused("vector.part_of_shapefile", source=draft.source.name, shapefile=whole.name)
            if whole
            else SourceRefused("source.incomplete", source=draft.source.name, missing=f"{path.stem}.shp")
        )
    for part in (".dbf", ".shx") if suffix == ".shp" else ():
        if not beside(path, part):
            draft.report(Finding("vector.part_missing", "warning", values={"source": draft.source.name, "part": part}))
        elif part == ".shx" and not index_is_whole(path):
            draft.report(Finding("vector.index_broken", "warning", values={"source": draft.source.name}))


def _chosen(
    layers: list[tuple[str, str | None]], path: Path, draft: Draft, options: ReadOptions
) -> dict[str, list[LayerMapping]]:
    """Return source layer -> how it is read, in order; refuse a file of which nothing has a place here."""
    source = draft.source.name
    if not layers:
        raise SourceRefused("source.empty", source=source)
    stems = [path.stem] if len(layers) == 1 else []
    targets = {
        name: _targets([name, *stems], draft, options)
        for name, geometry in layers
        if geometry is not None or _takes_tables(draft, options)
    }
    if not targets and not _takes_own(options):
        raise SourceRefused("vector.only_tables", source=source, found=[name for name, _ in layers])
    if _takes_own(options):  # by its name alone a layer is not taken for one of another dimension
        declared = {name: dimension_of(geometry) for name, geometry in layers}
        targets = {name: entries_of_geometry(name, entries, declared[name], draft) for name, entries in targets.items()}
    chosen = {name: entries for name, entries in targets.items() if entries}
    if options.kind in draft.catalogue.layers:
        chosen = entries_of_dimension(chosen, dict(layers), draft.catalogue[str(options.kind)].dimension)
    if not chosen and not _takes_own(options):
        raise SourceRefused(
            "source.nothing_mapped", source=source, found=list(targets), nearest=layers_like(layers, draft)
        )
    return chosen


def _takes_own(options: ReadOptions) -> bool:
    """Say whether source layers may become layers of the town's own: where nobody says which are wanted."""
    names_layers = options.mapping is not None and options.mapping.layers
    return not names_layers and (options.kind is None or options.kind in _ANY_LAYER)


def _own(
    file: VectorFile,
    layers: list[tuple[str, str | None]],
    chosen: Map[str, list[LayerMapping]],
    draft: Draft,
    options: ReadOptions,
) -> dict[str, Targets]:
    """Describe the source layers that match none of ours to the draft; return how they are read."""
    if not _takes_own(options):
        return {}
    targets: dict[str, Targets] = {}
    for name, geometry in layers:
        if name in chosen or name in NOT_OF_THE_TOWN:
            continue
        try:
            targets |= {name: own} if (own := own_targets(file, name, geometry, draft)) else {}
        except SourceRefused as refusal:
            if len(layers) == 1 or refusal.rule_id != "source.unreadable":
                raise
            _report_unreadable(name, refusal, draft)
    return targets


def _takes_tables(draft: Draft, options: ReadOptions) -> bool:
    return options.kind in draft.catalogue.layers and not draft.catalogue[str(options.kind)].has_geometry


def _targets(names: list[str], draft: Draft, options: ReadOptions) -> list[LayerMapping]:
    """Return how a source layer is read: by `--as LAYER`, the mapping, or because it is named as one of ours.

    Of a mapping of the caller's every entry that fits is one: the later ones take what the first does not.
    """
    given = options.mapping is not None and options.mapping.layers
    mapping: Mapping = options.mapping if given else standard_mapping("vector")
    if options.kind in draft.catalogue.layers:
        fitting = [entry for entry in (*mapping.layers, *standard_mapping("vector").layers) if entry.to == options.kind]
        return [fitting[0] if fitting else LayerMapping(("*",), str(options.kind))]
    for name in names:
        entries = mapping.entries_for(name)
        if entries:
            return entries if given else entries[:1]
        if name in draft.catalogue and not (_takes_own(options) and draft.catalogue[name].delivered_as):
            return [LayerMapping((name,), name)]
    return []


def _leave_out(file: VectorFile, name: str, geometry: str | None, draft: Draft) -> None:
    if geometry is None:
        rows = file.layer(name, None).features
        values = {"source_layer": name, "source": draft.source.name, "rows": rows}
        draft.report(Finding("vector.table_left_out", "info", values=values))
        return
    values = {"source_layer": name, "source": draft.source.name}
    draft.report(Finding("vector.layer_left_out", "info", values=values))


def _read_or_leave(
    file: VectorFile,
    name: str,
    geometry: str | None,
    targets: Targets,
    draft: Draft,
    options: ReadOptions,
    *,
    alone: bool,
) -> None:
    """Read one layer; one that cannot be opened is left out with a finding, so that the others still come in."""
    try:
        layer = file.layer(name, geometry)
        joined = joined_layer(file, layer, list(targets.values()))
        batches = file.batches(layer, _wanted(layer), FRAME_ROWS)
        if joined is not None:
            layer, batches = joined.layer, joined.extended(batches)
        first = next(batches, None)
    except SourceRefused as refusal:
        if alone or refusal.rule_id != "source.unreadable":
            raise
        _report_unreadable(name, refusal, draft)
        return
    with closing(batches):  # who refuses the layer lets go of it: while GDAL has it open, it keeps its encoding for all
        if first is not None:
            _read_layer(layer, first, batches, targets, draft, options)
    if joined is not None:
        joined.report(draft)


def _report_unreadable(name: str, refusal: SourceRefused, draft: Draft) -> None:
    values = {"source_layer": name, "source": draft.source.name, "cause": refusal.values["cause"]}
    draft.report(Finding("vector.layer_unreadable", "error", values=values))


def _fields(layer: SourceLayer, target: LayerMapping, ours: Layer) -> dict[str, str]:
    """Return our field -> the source's: by the mapping, else by our own name (in any case, whole or cut)."""
    own = LayerMapping((), ours.id, {name: (name,) for name in ours.field_names if name not in target.fields})
    available = list(layer.fields)
    mapped = own.source_fields(available) | target.source_fields(available)
    return {field: source for field, source in mapped.items() if ours.field_of(field)}


def _wanted(layer: SourceLayer) -> list[str]:
    """Return every column: those that no field takes stay in `attributes`."""
    return sorted(layer.fields)


def _read_layer(
    layer: SourceLayer, first: Batch, others: Iterator[Batch], targets: Targets, draft: Draft, options: ReadOptions
) -> None:
    crs = draft.storage_crs if layer.geometry is None and layer.crs is None else _crs(layer, first, draft, options)
    readings = [_Reading(layer, target, draft) for target in targets.values()]
    not_taken = 0
    for batch in itertools.chain([first], others):
        for number, part in routed(batch, [reading.route for reading in readings]):
            if number is None:
                not_taken += len(part)
            else:
                readings[number].add(part, crs, options)
    if not_taken:
        draft.decorate(not_taken)
        values = {"source_layer": layer.name, "source": draft.source.name, "rows": not_taken}
        draft.report(Finding("vector.rows_not_taken", "info", values=values))


class _Reading:
    """How rows of a source layer become features of one of ours."""

    def __init__(self, layer: SourceLayer, target: LayerMapping, draft: Draft) -> None:
        self.ours, self.target, self.draft = draft.catalogue[target.to], target, draft
        self.fields, self.dated = _fields(layer, target, self.ours), target.dated_by(list(layer.fields))
        self.route = Route(layer, target, self.ours)
        kinds = list(zip(layer.fields, layer.about["ogr_types"], layer.about["ogr_subtypes"], strict=True))
        used = {*self.fields.values(), self.dated}
        self.nested = [name for name, kind, _ in kinds if kind.endswith("List") or kind == "OFTBinary"]
        self.leftover = {name: (kind, subtype) for name, kind, subtype in kinds if name not in used}
        if self.leftover:
            draft.report_attributes(self.ours.id, list(self.leftover), layer.name)

    def _attributes(self, batch: Batch) -> NDArray[Any]:
        columns = {name: batch.columns[name] for name in self.leftover}
        days = [name for name, (kind, _) in self.leftover.items() if kind == "OFTDate"]
        columns |= {name: _days(columns[name]) for name in days}
        truths = [name for name, (_, subtype) in self.leftover.items() if subtype == "OFSTBoolean"]
        columns |= {name: _truths(columns[name]) for name in truths}
        json = [
            name for name, (kind, subtype) in self.leftover.items() if subtype == "OFSTJSON" or kind.endswith("List")
        ]
        return leftover_attributes(columns, len(batch), json_columns=json)

    def add(self, batch: Batch, crs: str, options: ReadOptions) -> None:
        ours, target, fields, dated, draft = self.ours, self.target, self.fields, self.dated, self.draft
        if self.nested:
            plain = {name: nested_texts(batch.columns[name]) for name in self.nested}
            batch = replace(batch, columns=batch.columns | plain)
        content = columns_of(ours, target, fields, batch, storey_height=options.storey_height)
        if dated:
            content["valid_from"] = batch.columns[dated]
        content["place"] = batch.fids
        if self.leftover:
            content[ATTRIBUTES] = self._attributes(batch)
        _report_texts(batch, draft, ours)
        _add(ours, content, batch, crs, draft)


def _truths(column: NDArray[Any]) -> NDArray[Any]:
    """Return truth values, None where there is none; with NULLs among them they come as numbers."""
    if column.dtype.kind == "b":
        return column
    values = [None if value is None or value != value else bool(value) for value in column.tolist()]
    return np.array([*values, None], dtype=object)[:-1]


def _days(column: NDArray[Any]) -> NDArray[Any]:
    """Return dates as ISO text, whichever way GDAL wrote them."""
    codes, distinct = coded(column)
    days = [*(str(value)[:10].replace("/", "-") for value in distinct), None]
    return np.array(days, dtype=object)[codes]


def _add(ours: Layer, content: dict[str, Any], batch: Batch, crs: str, draft: Draft) -> None:
    """Add a batch; a row whose geometry is no geometry at all is set aside with its values."""
    runs = no_runs(ours.dimension) if ours.has_z or not ours.has_geometry else read_runs(batch.wkb, ours.dimension)
    others = np.ones(len(batch), dtype=bool)
    others[runs.rows] = False
    shapes = np.full(len(batch), None, dtype=object)
    shapes[others] = shapely.from_wkb(batch.wkb.objects(np.flatnonzero(others)), on_invalid="fix")
    broken = others & shapely.is_missing(shapes) & (batch.wkb.sizes > 0)
    unread = np.flatnonzero(broken)
    for row, wkb in zip(unread.tolist(), batch.wkb.objects(unread), strict=True):
        raw = {name: str(column[row]) for name, column in batch.columns.items()} | {"wkb": wkb.hex()[:400]}
        draft.set_aside(Finding("vector.geometry_unreadable", "error", layer=ours.id, place=batch.place(row),
                                values={"found": wkb.hex()[:18]}, raw=raw))  # fmt: skip
    # A series of objects stays one: pandas would make a text array of texts, and we objects of it again.
    columns = {name: pd.Series(column[~broken], dtype=column.dtype, copy=False) for name, column in content.items()}
    frame = gpd.GeoDataFrame(columns, geometry=gpd.array.from_shapely(shapes[~broken]), crs=crs)
    frame.attrs["place"] = f"{batch.layer} fid {{}}".strip()
    draft.add(ours.id, frame, runs=runs.restricted_to(np.flatnonzero(~broken)))


def _report_texts(batch: Batch, draft: Draft, ours: Layer) -> None:
    for field, wrong in batch.unread.items():
        values = {"field": field, "rows": int(wrong.sum())}
        place = batch.place(int(np.argmax(wrong)))
        draft.report(Finding("vector.text_unreadable", "warning", layer=ours.id, place=place, values=values))


def _report_encoding(file: VectorFile, draft: Draft) -> None:
    """Say where texts were read in another encoding than the file declares, or one was guessed that is not customary here;
    and which columns had to be named anew."""
    source = draft.source.name
    if file.contradicted is not None:
        values = {
            "source": source,
            "declared": encoding_title(file.contradicted),
            "found": encoding_title(file.encoding),
        }
        draft.report(Finding("vector.encoding_contradicts", "warning", values=values))
    elif not file.declared and file.encoding == "cp1252":
        values = {"source": source, "encoding": encoding_title("cp1252")}
        draft.report(Finding("vector.encoding_assumed", "info", values=values))
    for encoding, texts in file.otherwise.items():
        others: dict[str, Any] = {
            "source": source,
            "texts": texts,
            "found": encoding_title(encoding),
            "usual": encoding_title(file.encoding),
        }
        draft.report(Finding("vector.texts_otherwise", "warning", values=others))
    for (layer, ours), name in file.renamed.items():
        values = {"source": source, "source_layer": layer, "column": name, "to": ours}
        draft.report(Finding("vector.column_renamed", "info", values=values))


def _crs(layer: SourceLayer, first: Batch, draft: Draft, options: ReadOptions) -> str:
    """Return the system of a layer (`ingest/source_crs.py`)."""
    return source_crs(draft, options, lambda: _places(first, draft), declared=declared_crs(layer.crs))


def _places(batch: Batch, draft: Draft) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x, y of the middles of the first geometries of a batch, read as the mapping says they are meant."""
    rows = np.flatnonzero(batch.wkb.sizes > 0)[:_LOOKED_AT]
    shapes = np.asarray(shapely.from_wkb(batch.wkb.objects(rows), on_invalid="ignore"), dtype=object)
    bounds = shapely.bounds(draft.coordinates.read(shapes))
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    return (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
