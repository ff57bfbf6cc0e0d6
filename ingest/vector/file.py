"""A vector file as GDAL opens it: its layers, what they hold, their rows in batches. What GDAL says becomes our words.

How rows become features of ours stands in `ingest/vector/reader.py`, the encoding of a shapefile's table in `ingest/vector/dbf_text.py`.
"""

import itertools
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pyogrio
from numpy.typing import NDArray
from pyogrio.errors import GeometryError
from pyogrio.raw import read as read_raw
from pyogrio.util import vsi_path

from ingest.vector.dbf_numbers import numbers_as_written
from ingest.vector.dbf_text import AS_BYTES, Texts, decoded, decoded_text, encoding_of, spread
from ingest.vector.files import vector_files
from ingest.vector.gdal_settings import in_our_words
from ingest.vector.geopackage_tables import Table, geopackage_tables
from ingest.vector.kind import CUSTOMARY, ensure_vector_kind
from ingest.vector.mapinfo_text import copy_as_bytes, mapinfo_encoding
from ingest.vector.shapefile_index import beside, index_is_whole
from ingest.vector.source_layer import Batch, SourceLayer
from ingest.vector.stream import Column, Streamed, TextColumn, Unstreamable, stream, whole_columns
from twin_model.errors import SourceRefused
from twin_model.geometry_kind import GEOMETRY_KINDS
from twin_model.rows.packed_wkb import PackedWkb

__all__ = ["VectorFile"]

_BY_NAME = {name.upper(): name for kind in GEOMETRY_KINDS for name in (kind, f"Multi{kind}")}
"""How a GeoPackage names a type of geometry -> how GDAL does."""
_GPX_LAYERS = {"waypoints", "routes", "tracks"}
_WHOLE = {"OFTInteger", "OFTInteger64"}


class VectorFile:
    """A file GDAL can open; anything it cannot is a `SourceRefused` named after the source.

    `encoding` is that of its texts where they are bytes to us, `declared` whether the file says so, `contradicted` what it says
    where its bytes are something else, `otherwise` how many texts were read in which other encoding. `renamed` holds layer and our name of each column whose name
    another of its layer has -> that name.
    """

    def __init__(self, path: Path, source: str, encoding: str | None = None) -> None:
        if path.is_file() and path.stat().st_size == 0:
            raise SourceRefused("vector.zero_bytes", source=source)
        self.drivers = ensure_vector_kind(path, source)
        self.path, self.source = self._path_for_gdal(path), source
        self.encoding, self.declared = encoding, True
        self.otherwise: Counter[str] = Counter()
        self.contradicted: str | None = None
        self.renamed: dict[tuple[str, str], str] = {}
        self._as_bytes_too: set[str] = set()
        table = beside(path, ".dbf") if path.suffix.lower() == ".shp" else None
        if table is not None and encoding is None:
            encodings = encoding_of(table, beside(path, ".cpg"))
            self.encoding, self.declared = encodings.read_as, encodings.declared is not None
            self.contradicted = encodings.declared if encodings.contradicts else None
        self._is_shapefile = self._as_bytes = table is not None
        if path.suffix.lower() in {".mif", ".tab"}:
            self._read_mapinfo_as_bytes()
        self._written = {} if table is None else numbers_as_written(table)
        self._several = False
        self._virtual: tempfile.TemporaryDirectory[str] | None = None
        self._restores_index = path.suffix.lower() == ".shp" and not index_is_whole(path)
        if self._restores_index:
            self._copy_to_mend()

    def _path_for_gdal(self, path: Path) -> Path:
        """Return the whole path of a file, or of a link to it in a folder of ours that holds the source's own files only.

        Links are given to GML, where GDAL writes its notes (`.gfs`) beside the file and believes those it finds there;
        and where pyogrio would take a part of the path for an archive, an address or a parameter ("!", ";", a scheme)
        and open another file than the one that was judged.
        """
        whole = path.absolute()
        plain = vsi_path(str(whole)) == str(whole) and not str(whole).startswith("/vsi")
        if plain and "GML" not in self.drivers:
            return whole
        self._links = tempfile.TemporaryDirectory(prefix="twin-source-")
        links = Path(self._links.name)
        for part in vector_files(whole):
            (links / _name_of_link(part, whole)).symlink_to(part)
        return links / _name_of_link(whole, whole)

    def _read_mapinfo_as_bytes(self) -> None:
        """Go on with a copy whose texts come as bytes where they are not in the encoding that the file declares."""
        if self.encoding is None:
            meant = mapinfo_encoding(self.path)
            if meant is None:
                return
            self.encoding, self.declared = meant.read_as, meant.declared is not None
            self.contradicted = meant.declared if meant.contradicts else None
        self._mended = tempfile.TemporaryDirectory(prefix="twin-mapinfo-")
        self.path = copy_as_bytes(self.path, Path(self._mended.name))
        self._as_bytes = True

    def _copy_to_mend(self) -> None:
        """Go on with a copy without index: GDAL writes a new `.shx` beside the file (asked to restore, even where a
        whole one stands there), and a source's folder is not ours to change."""
        self._mended = tempfile.TemporaryDirectory(prefix="twin-shapefile-")
        for part in (self.path, *(beside(self.path, suffix) for suffix in (".dbf", ".prj", ".cpg"))):
            if part is not None:
                shutil.copyfile(part, Path(self._mended.name) / part.name)
        self.path = Path(self._mended.name) / self.path.name

    def names(self) -> list[tuple[str, str | None]]:
        """Return name and geometry type of every layer and table."""
        layers: list[tuple[str, str | None]]
        try:
            with self._gdal():
                layers = pyogrio.list_layers(str(self.path)).tolist()
        except SourceRefused as refusal:
            tables = geopackage_tables(self.path)
            if tables is None:
                raise
            layers = self._without_gdal(tables, refusal)
        if "GPX" in self.drivers:  # GDAL lists each vertex of a track once more as a point
            layers = [(name, kind) for name, kind in layers if name in _GPX_LAYERS and self._rows_of(name)]
        self._several = len(layers) > 1
        return [(str(name), None if kind is None else str(kind)) for name, kind in layers]

    def _rows_of(self, layer: str) -> int:
        with self._gdal():
            return int(self._info(str(self.path), layer)["features"])

    def _without_gdal(self, tables: list[Table], refusal: SourceRefused) -> list[tuple[str, str | None]]:
        """Return what a GeoPackage itself says it holds, where GDAL lists nothing: one layer it cannot take spoils all."""
        layers = [
            (name, _BY_NAME.get(geometry, "Unknown") if kind == "features" else None)
            for name, kind, geometry in tables
            if kind in {"features", "attributes"}
        ]
        if layers:
            return layers
        if tables:
            images = sorted(name for name, *_ in tables)
            raise SourceRefused("vector.only_rasters", source=self.source, found=images) from refusal
        raise SourceRefused("source.empty", source=self.source) from refusal

    def layer(self, name: str, geometry: str | None) -> SourceLayer:
        """Return what a layer holds; one of a geometry type pyogrio has no name for is read through a virtual layer."""
        address = str(self.path)
        with self._gdal():
            try:
                about = self._info(address, name)
            except GeometryError:
                address = self._untyped(name)
                about = self._info(address, name)
        if address == str(self.path) and about["driver"] not in self.drivers:
            raise SourceRefused("vector.other_kind", source=self.source, found=about["driver"], expected=CUSTOMARY)
        fields = self._fields(name, about["fields"].tolist())
        return SourceLayer(
            name, geometry, int(about["features"]), about["crs"], fields, address, not self._several, about
        )

    def _fields(self, layer: str, names: list[str]) -> dict[str, str]:
        """Return our spelling of each column -> GDAL's; a second column of one name gets a number, and is noted as renamed."""
        fields: dict[str, str] = {}
        for name in names:
            spelt = self._spelt(name)
            numbered = (f"{spelt}_{number}" for number in itertools.count(2))
            free = (each for each in numbered if each not in fields and each not in names)
            ours = spelt if spelt not in fields else next(free)
            fields[ours] = name
            if ours != spelt:
                self.renamed[layer, ours] = spelt
        return fields

    def _info(self, address: str, name: str) -> dict[str, Any]:
        about: dict[str, Any] = pyogrio.read_info(
            address, layer=name, encoding=self._said_to_gdal(), force_feature_count=True
        )
        return about

    def _untyped(self, name: str) -> str:
        """Return the address of a layer whose geometry type is left open: a virtual layer of GDAL's, in a file of ours."""
        self._virtual = tempfile.TemporaryDirectory(prefix="twin-layer-") if self._virtual is None else self._virtual
        attribute, layer = escape(name, {chr(34): "&quot;"}), escape(name)
        address = Path(self._virtual.name) / f"{sha256(name.encode()).hexdigest()}.vrt"
        address.write_text(
            f'<OGRVRTDataSource><OGRVRTLayer name="{attribute}"><SrcDataSource relativeToVRT="0">{escape(str(self.path))}</SrcDataSource>'
            f"<SrcLayer>{layer}</SrcLayer><GeometryType>wkbUnknown</GeometryType></OGRVRTLayer></OGRVRTDataSource>",
            encoding="utf-8",
        )
        return str(address)

    def _said_to_gdal(self) -> str | None:
        """Return which encoding GDAL is told: texts that are none of its own are asked for as bytes."""
        return AS_BYTES if self._is_shapefile else None

    def _spelt(self, name: str) -> str:
        return decoded_text(name, self.encoding or "utf-8")[0] if self._as_bytes else name

    def batches(self, layer: SourceLayer, fields: list[str], rows: int) -> Generator[Batch]:
        """Yield the rows of a layer, at most `rows` at a time, with the named fields (our spelling).

        They are streamed; those that cannot be are read, and what is wrong with them is said as reading says it.
        """
        wanted = fields if layer.has_repeated_names else [layer.fields[field] for field in fields]
        start = 0
        try:
            for streamed in self._streamed(layer, wanted, rows):
                if not (streamed.alike or self._is_shapefile):
                    break
                # Only of a shapefile: elsewhere GDAL walks to the rows it is to read, and stumbles over what lies before.
                read = streamed if streamed.alike else self._read(layer, wanted, start, rows)
                if not np.array_equal(read.fids, streamed.fids):
                    break
                yield self._batch(layer, read)
                start = self._following(read.fids, start)
            else:
                return
        except Unstreamable:
            pass
        while rows_left := self._rows_left(layer, start, rows):
            read = self._read(layer, wanted, start, rows_left)
            if not len(read):
                return
            yield self._batch(layer, read)
            start = self._following(read.fids, start)
            if len(read) < rows:
                return

    def _read(self, layer: SourceLayer, wanted: list[str], start: int, rows: int) -> Streamed:
        names = None if layer.has_repeated_names else wanted  # GDAL gives the first of two columns for the name of both
        with self._gdal():
            about, fids, wkb, values = self._read_texts(layer, names, start, rows)
        shapes = None if wkb is None else PackedWkb.of(wkb)
        own = about["fields"].tolist() if names is not None else list(layer.fields)
        columns = {name: column for name, column in zip(own, values, strict=True) if name in wanted}
        return Streamed(fids, shapes, columns | self._whole_columns(layer, columns, fids, start))

    def _read_texts(self, layer: SourceLayer, names: list[str] | None, start: int, rows: int) -> tuple[Any, ...]:
        """Return what pyogrio reads; texts of a layer that are not all UTF-8 come as bytes from then on."""
        once_more = layer.name in self._as_bytes_too
        for encoding in [AS_BYTES] if once_more else [self._said_to_gdal(), AS_BYTES]:
            try:
                read: tuple[Any, ...] = read_raw(layer.address, layer=layer.name, columns=names, skip_features=start, max_features=rows,
                                                 return_fids=True, encoding=encoding, datetime_as_string=True)  # fmt: skip
            except UnicodeDecodeError:
                if encoding == AS_BYTES:
                    raise
                self._as_bytes_too.add(layer.name)
            else:
                return read
        raise AssertionError

    def _whole_columns(
        self, layer: SourceLayer, columns: dict[str, NDArray[Any]], fids: NDArray[np.int64], start: int
    ) -> dict[str, Column]:
        """Return columns of whole numbers and truth values that were read as floats, for one of them is NULL, once more."""
        kinds = dict(
            zip(
                layer.fields if layer.has_repeated_names else layer.about["fields"],
                layer.about["ogr_types"],
                strict=True,
            )
        )
        floats = [name for name, column in columns.items() if column.dtype.kind == "f" and kinds[name] in _WHOLE]
        if not floats:
            return {}
        if layer.has_repeated_names:
            return {name: _objects(columns[name]) for name in floats}
        with self._gdal():
            try:
                same, whole = whole_columns(layer.address, layer.name, floats, start, len(fids), self._said_to_gdal())
            except Unstreamable:
                same, whole = np.empty(0, dtype=np.int64), {}
        return whole if np.array_equal(same, fids) else {name: _objects(columns[name]) for name in floats}

    def _streamed(self, layer: SourceLayer, wanted: list[str], rows: int) -> Iterator[Streamed]:
        if layer.has_repeated_names:
            raise Unstreamable
        streamed = stream(layer.address, layer.about, layer.name, wanted, rows, self._said_to_gdal())
        with self._gdal():  # the file is opened with the first batch
            first = next(streamed, None)
        return itertools.chain(() if first is None else (first,), streamed)

    def _rows_left(self, layer: SourceLayer, start: int, rows: int) -> int:
        """Return how many rows to ask for: asked for more than there are, pyogrio refuses all of them for one bad geometry.

        Of a shapefile it is not known, for `start` counts deleted records too.
        """
        return rows if self._is_shapefile or layer.features < 0 else min(rows, layer.features - start)

    def _following(self, fids: NDArray[np.int64], start: int) -> int:
        """Return how many rows GDAL is to skip to reach the next ones; of a shapefile it counts deleted records too."""
        return int(fids[-1]) + 1 if self._is_shapefile else start + len(fids)

    def _batch(self, layer: SourceLayer, read: Streamed) -> Batch:
        columns: dict[str, NDArray[Any]] = {}
        unread: dict[str, NDArray[np.bool_]] = {}
        for gdal, column in read.columns.items():
            name = gdal if layer.has_repeated_names else layer.names[gdal]
            texts = self._as_texts(layer, column)
            columns[name] = texts.values
            self.otherwise.update(texts.otherwise)
            unread |= {name: texts.unread} if texts.unread.any() else {}
            if gdal in self._written and not layer.has_repeated_names:
                columns[name] = self._written[gdal][read.fids]
        wkb = PackedWkb.of(np.full(len(read), None, dtype=object)) if read.wkb is None else read.wkb
        return Batch(read.fids, wkb, columns, unread, "" if layer.alone else layer.name)

    def _as_texts(self, layer: SourceLayer, column: Column) -> Texts:
        """Return a column with its texts decoded where they came as bytes."""
        if isinstance(column, TextColumn):
            if self._as_bytes:
                return spread(column.codes, column.distinct, self.encoding or "utf-8")
            column = np.array([*column.distinct, None], dtype=object)[column.codes]
        elif self._as_bytes and column.dtype == object:
            return decoded(column, self.encoding or "utf-8")
        elif layer.name in self._as_bytes_too and column.dtype == object:
            return decoded(column, "utf-8", (self.encoding or "gb18030", "gb18030"))
        return Texts(column, np.zeros(len(column), dtype=bool))

    def _gdal(self) -> AbstractContextManager[None]:
        """Return a block in which GDAL is as a source wants it, and what it says becomes a refusal."""
        return in_our_words(self.path, self.source, restores_index=self._restores_index)


def _objects(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers that were read as floats as Python's own, None for NaN."""
    return np.array([*(None if number != number else int(number) for number in numbers.tolist()), None], dtype=object)[
        :-1
    ]


def _name_of_link(part: Path, path: Path) -> str:
    """Return a plain name for a file of the source at `path`; those under the source's name stay so."""
    if not part.name.lower().startswith(f"{path.stem}.".lower()):
        return part.name  # a schema goes by the name that another gives it
    return f"{_plain(path.stem)}{_plain(part.name[len(path.stem) :])}"


def _plain(name: str) -> str:
    return re.sub(r"[^\w.\- ]", "_", name)
