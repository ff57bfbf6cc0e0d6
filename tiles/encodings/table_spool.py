"""Rows of a layer on disk between two looks: the first learns which columns there are, the second hands them to an encoder.

Which attributes there are, and whether a column of dates holds whole days only, shows with the last row. Nothing but the rows
of one frame is in memory at a time. The encoders: `csv_table`, `xlsx_table`, `geoparquet`, `gdal_table`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import pyarrow as pa
import shapely
from pandas.api.types import is_bool_dtype, is_float_dtype, is_integer_dtype

from tiles.encodings.local_times import with_local_texts
from twin_model.crs import CRS84, crs_code, is_projected, placed_geometries, transform_geometries
from twin_model.errors import QueryRefused
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.rows.attributes import FlatColumns, read_attributes
from twin_model.store.base import FeatureQuery
from twin_model.store.select import shown_fields

__all__ = ["GEOMETRY", "TableForm", "TableSpool", "Times", "decimals_of", "shown_columns"]

GEOMETRY = "geometry"
Times = Literal["text", "local", "aware"]
"""How instants and days are written: as texts; as times of the town's clock without a zone, and dates; as times with a zone, and dates."""

_DEGREE_DECIMALS, _METRE_DECIMALS = 11, 6
"""What comes back from a file lies where it lay: a micrometre is far below the tolerance of every layer."""

_NAMES_OF_GEOMETRY = ("geom", "wkt", "ogc_fid")
"""What formats call the column of geometry, or of row numbers."""

_SYSTEM = ("valid_from", "valid_to", "version")
_TYPES = {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(), "string": pa.string()}


def decimals_of(crs: str) -> int:
    """Return the decimals with which coordinates in a system are written as text."""
    return _METRE_DECIMALS if is_projected(crs) else _DEGREE_DECIMALS


def shown_columns(layer: Layer, query: FeatureQuery) -> tuple[str, ...]:
    """Return the columns that a query asks for, the id always: those of the policy, of `properties` where it names some."""
    system = _SYSTEM if query.fields is None else tuple(name for name in _SYSTEM if name in query.fields)
    return ("fid", *shown_fields(layer, query), *system)


@dataclass(frozen=True)
class TableForm:
    """What a table is to hold: `columns` besides id and geometry (None: those of the first frame), in which CRS, x, y.

    Instants are those of `zone`, without one they are texts in UTC.
    """

    layer: Layer
    crs: str
    zone: str | None = None
    columns: tuple[str, ...] | None = None
    geometry: bool = True


class TableSpool:
    """Rows in a file; `rows` is their number. `look` is called with rows and bytes so far, and may raise to end it all."""

    def __init__(self, path: Path, form: TableForm, look: Callable[[int, int], None] | None = None) -> None:
        self.form, self.rows = form, 0
        self.lacks_geometry = not form.geometry or not form.layer.has_geometry
        """Whether some row has no geometry."""
        self._path, self._look = path, look or (lambda rows, size: None)
        self._attributes = FlatColumns()
        self._no_days: set[str] = set()
        self._columns: tuple[str, ...] = form.columns or ()
        self._kinds: dict[str, str] = {}

    def fill(self, frames: Iterable[gpd.GeoDataFrame]) -> None:
        """Take the rows of all frames, in the storage CRS, index `id`."""
        writer: pa.RecordBatchWriter | None = None
        with pa.OSFile(str(self._path), "wb") as file:
            for frame in frames:
                if writer is None:
                    self._columns = self._columns or _columns_of(frame)
                    self._kinds = {name: _kind(self.form.layer, name, frame) for name in self._columns}
                    writer = pa.ipc.new_stream(file, self._spooled)
                writer.write_batch(self._batch(frame))
                self.rows += len(frame)
                self._look(self.rows, file.tell())
            if writer is not None:
                writer.close()

    @property
    def has_geometry(self) -> bool:
        """Whether the table has a column for geometry."""
        return self.form.geometry and self.form.layer.has_geometry

    @cached_property
    def crs(self) -> Any:
        """The system of the file: in x, y order EPSG:4326 is CRS84, and every GIS knows this one."""
        code = crs_code(self.form.crs)
        return gpd.GeoSeries([], crs="EPSG:4326" if code == CRS84 else code).crs

    def schema(self, times: Times, *, fid: bool = False) -> pa.Schema:
        """Return the columns of the table: id, fields, validity, attributes, geometry (ISO WKB)."""
        fields = [pa.field("id", pa.string())]
        fields += [pa.field(name, self._type(name, times)) for name in self._plain_columns(fid)]
        fields += [pa.field(free, _TYPES[self._attributes.kind(name)]) for name, free in self._flat.items()]
        return pa.schema([*fields, *([pa.field(GEOMETRY, pa.binary())] if self.has_geometry else [])])

    def ensure_columns(self, most: int, times: Times) -> None:
        """Refuse a table of more columns than a format has place for: each attribute of a source is one."""
        columns = len(self.schema(times))
        if columns > most:
            raise QueryRefused("download.too_many_columns", layer=self.form.layer.id, columns=columns, most=most)

    def batches(self, times: Times, *, fid: bool = False) -> Iterator[pa.RecordBatch]:
        """Yield the rows as they came, in batches of `schema`; none where no frame came."""
        schema = self.schema(times, fid=fid)
        if not self.rows:
            return
        with pa.OSFile(str(self._path), "rb") as file:
            for batch in pa.ipc.open_stream(file):
                self._look(self.rows, 0)
                yield self._written(batch, schema, times, fid)

    def reader(self, times: Times, *, fid: bool = False) -> pa.RecordBatchReader:
        """Return the same as a stream of Arrow, as GDAL reads it."""
        return pa.RecordBatchReader.from_batches(self.schema(times, fid=fid), self.batches(times, fid=fid))

    @property
    def _spooled(self) -> pa.Schema:
        fields = [pa.field("id", pa.string())]
        fields += [pa.field(name, _TYPES[self._kinds[name]]) for name in self._columns]
        return pa.schema([*fields, *([pa.field(GEOMETRY, pa.binary())] if self.has_geometry else [])])

    @cached_property
    def _flat(self) -> dict[str, str]:
        """The columns of attributes by the names of these; asked for when all rows were taken."""
        return self._attributes.names(["id", "fid", *self._plain_columns(fid=True), GEOMETRY, *_NAMES_OF_GEOMETRY])

    def _plain_columns(self, fid: bool) -> list[str]:
        return [name for name in self._columns if name != ATTRIBUTES and (fid or name != "fid")]

    def _batch(self, frame: gpd.GeoDataFrame) -> pa.RecordBatch:
        form = self.form
        if form.zone is not None:
            frame = with_local_texts(frame, form.layer, form.zone)
        arrays = [_texts(frame.index.tolist())]
        for name in self._columns:
            arrays.append(self._array(frame, name))
        if self.has_geometry:
            arrays.append(self._geometry(frame))
        return pa.RecordBatch.from_arrays(arrays, schema=self._spooled)

    def _array(self, frame: gpd.GeoDataFrame, name: str) -> pa.Array:
        kind = self._kinds[name]
        if name not in frame:
            return pa.nulls(len(frame), _TYPES[kind])
        if kind != "string":
            return pa.array(frame[name], type=_TYPES[kind], from_pandas=True)
        texts = _texts(frame[name].where(frame[name].notna(), None).tolist())
        if name == ATTRIBUTES:
            self._attributes.add(texts.to_pylist())
        if name not in self._no_days and _field_type(self.form.layer, name) == "date" and not _are_days(texts):
            self._no_days.add(name)
        return texts

    def _geometry(self, frame: gpd.GeoDataFrame) -> pa.Array:
        shapes = transform_geometries(frame.geometry.to_numpy(), crs_code(frame.crs), self.form.crs)
        wkb = pa.array(shapely.to_wkb(placed_geometries(shapes), flavor="iso").tolist(), type=pa.binary())
        self.lacks_geometry = self.lacks_geometry or wkb.null_count > 0
        return wkb

    def _type(self, name: str, times: Times) -> pa.DataType:
        kind = _field_type(self.form.layer, name)
        if times == "text" or self.form.zone is None:
            return _TYPES[self._kinds.get(name) or _kind(self.form.layer, name, None)]
        if kind == "date" and name not in self._no_days:
            return pa.date32()
        if kind == "datetime":
            return pa.timestamp("ms", tz=self.form.zone if times == "aware" else None)
        return _TYPES[self._kinds.get(name) or _kind(self.form.layer, name, None)]

    def _written(self, batch: pa.RecordBatch, schema: pa.Schema, times: Times, fid: bool) -> pa.RecordBatch:
        """Return a spooled batch with the columns of the table."""
        arrays = [batch.column("id")]
        arrays += [_typed(batch.column(name), schema.field(name).type) for name in self._plain_columns(fid)]
        if self._flat:
            rows = [read_attributes(text) for text in batch.column(ATTRIBUTES).to_pylist()]
            for name in self._flat:
                values, kind = self._attributes.values(name, rows), self._attributes.kind(name)
                arrays.append(_texts(values) if kind == "string" else pa.array(values, type=_TYPES[kind]))
        if self.has_geometry:
            arrays.append(batch.column(GEOMETRY))
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _columns_of(frame: gpd.GeoDataFrame) -> tuple[str, ...]:
    """Return the columns of a frame; a later one may have attributes where this one has none."""
    names = [str(name) for name in frame.columns if name not in (GEOMETRY, ATTRIBUTES)]
    return (*names, ATTRIBUTES)


def _field_type(layer: Layer, name: str) -> str:
    if name in ("valid_from", "valid_to"):
        return "datetime"
    field = layer.field_of(name)
    return "string" if field is None else field.type


def _kind(layer: Layer, name: str, frame: gpd.GeoDataFrame | None) -> str:
    """Return the type in which a column is spooled: that of its field, of another column that of its values."""
    if name in ("fid", "version"):
        return "integer"
    if layer.field_of(name) is not None or frame is None or name not in frame:
        kind = _field_type(layer, name)
        return kind if kind in _TYPES else "string"
    dtype = frame[name].dtype
    checks = (("boolean", is_bool_dtype), ("integer", is_integer_dtype), ("number", is_float_dtype))
    return next((kind for kind, is_kind in checks if is_kind(dtype)), "string")


def _texts(values: list[Any]) -> pa.Array:
    """Return texts; a bare year that a store gives as a number is one too.

    Half a character becomes "?", and NUL, at which programs written in C end a text, the character for what cannot be shown.
    """
    texts = [value if value is None or isinstance(value, str) else str(value) for value in values]
    if any(text is not None and "\0" in text for text in texts):
        texts = [text if text is None else text.replace("\0", "\ufffd") for text in texts]
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        whole = (text if text is None else text.encode(errors="replace").decode() for text in texts)
        return pa.array(list(whole), pa.string())


def _are_days(texts: pa.Array) -> bool:
    try:
        for text in texts.to_pylist():
            if text is not None:
                date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _typed(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return texts as days or instants where the table has such, other columns as they are."""
    if pa.types.is_date(kind):
        return pa.array([None if text is None else date.fromisoformat(text) for text in column.to_pylist()], kind)
    if pa.types.is_timestamp(kind):
        instants = [None if text is None else datetime.fromisoformat(text) for text in column.to_pylist()]
        if kind.tz is None:
            instants = [None if instant is None else instant.replace(tzinfo=None) for instant in instants]
        return pa.array(instants, kind)
    return column
