"""What a vector file really is, by its content: GDAL sees only files of a kind we read that name nothing outside themselves.

GDAL chooses among some sixty drivers by what a file looks like, and several of them fetch addresses or read other files that
the file names. No list of drivers can be given to it here, so content is judged first. The rules for JSON stand in
`ingest/vector/json_kind.py`, for databases in `ingest/vector/sqlite_kind.py`; how the file is then read stands in `ingest/vector/file.py`.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from ingest.source_files import companions, ensure_own_files, with_companions
from ingest.vector.json_kind import ensure_geojson
from ingest.vector.sqlite_kind import ensure_plain_database
from twin_model.errors import SourceRefused

__all__ = [
    "CUSTOMARY",
    "UNUSED_DRIVERS",
    "companions",
    "ensure_own_files",
    "ensure_vector_kind",
    "ensure_whole_xml",
    "is_file_geodatabase",
    "not_recognised",
    "schemas_of",
    "tables_together",
]

CUSTOMARY = "shapefile, GeoPackage, GeoJSON, FlatGeobuf, GML, MapInfo, SQLite, KML, GPX, DGN, FileGDB"
UNUSED_DRIVERS = (
    "EEDA,OGCAPI,GDALG,PDS4,VICAR,MBTiles,PCIDSK,LVBAG,S57,CSV,LIBKML,KML,ESRIJSON,TopoJSON,OGR_GMT,WAsP,"
    "GeoRSS,VFK,OSM,GPSBabel,OGR_PDS,WFS,OAPIF,EDIGEO,Idrisi,ODS,XLSX,Elasticsearch,Carto,AmigoCloud,SXF,Selafin,JML,PLSCENES,"
    "CSW,VDV,MVT,NGW,MapML,GTFS,PMTiles,MiraMonVector,ADBC,AVCBin,AVCE00,AIVector,HTTP"
)
"""For OGR_SKIP in the environment of a process that has yet to import GDAL: a second wall, where there can be one."""

_HEAD_BYTES = 1 << 20
"""More than any of GDAL's drivers looks at before it says that a file is its own."""

_MOST_TAB_BYTES = _MOST_XSD_BYTES = 1 << 24
_MOST_SCHEMAS = 50
_ELSEWHERE = re.compile(r"[/\\:?]")
_CHUNK = 4096
_TAB_TYPES = {"char", "integer", "smallint", "largeint", "decimal", "float", "date", "time", "datetime", "logical"}
_MARKS = re.compile(
    rb"<(?:[\w.-]+:)?(OGRVRTDataSource|VRTDataset|OGRWFSDataSource|OGRCSWDataSource|WFS_Capabilities|WMS_Capabilities"
    rb"|Capabilities|GDAL_W[MC]\w?S?|Product_Observational)\b|(gdal_streamed_alg)",
    re.I,
)
"""Of files that are lists of other files or addresses; several drivers look for them anywhere in a head, not at its start."""

_DRIVERS = {
    "shapefile": ("ESRI Shapefile",),
    "FlatGeobuf": ("FlatGeobuf",),
    "SQLite": ("GPKG", "SQLite"),
    "GeoJSON": ("GeoJSON", "GeoJSONSeq", "JSONFG"),
    "GML": ("GML",),
    "MapInfo TAB": ("MapInfo File",),
    "MapInfo MIF": ("MapInfo File",),
    "GPX": ("GPX",),
    "DGN": ("DGN",),
    "FileGDB": ("OpenFileGDB",),
}
_SUFFIXES = {
    "shapefile": (".shp",),
    "FlatGeobuf": (".fgb",),
    "SQLite": (".gpkg", ".sqlite", ".db", ".gpkx", ".sqlite3", ".spatialite", ".db3"),
    "GeoJSON": (".geojson", ".json", ".geojsonl", ".geojsons", ".jsonl", ".ndjson"),
    "GML": (".gml", ".xml"),
    "MapInfo TAB": (".tab",),
    "MapInfo MIF": (".mif",),
    "GPX": (".gpx",),
    "DGN": (".dgn",),
}
"""Some drivers go by the ending alone, whatever the content is."""

_OTHER_ROOTS = {"kml", "gpx", "osm", "osmchange", "rss", "feed", "rdf", "html", "mapml", "mapml-", "jcsdatafile", "svg",
                "getrecordsresponse", "x3d", "collada"}  # fmt: skip


_DGN_STARTS = (b"\x08\x09\xfe\x02", b"\xc8\x09\xfe\x02", b"\x08\x05\x17\x00")
"""Of a drawing of MicroStation V7, in two and three dimensions, and of its libraries of cells (Intergraph, "ISFF", 1985)."""

_OLE_START = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Of a compound file of Microsoft's, in which MicroStation V8 keeps its drawings."""

_MODEL_ROOTS = {"citymodel": "citygml", "landxml": "landxml"}
"""Models of buildings and of roads in XML, which GDAL would take for features or for nothing; each has words of its own."""

_HEAD_OF_NAMES = 4096


def ensure_vector_kind(path: Path, source: str) -> frozenset[str]:
    """Return the GDAL drivers that may read a file; refuse one of no kind we read, or that names files or addresses.

    Companions of the same name are judged too. Costs a look at the first MiB; of JSON, a search through the file.
    """
    if is_file_geodatabase(path):
        for part in path.iterdir():
            if part.is_symlink() or not part.is_file():
                raise SourceRefused("source.part_elsewhere", source=source, part=part.name, found="no plain file")
        return frozenset(_DRIVERS["FileGDB"])
    if not path.is_file():
        raise SourceRefused("source.not_found", source=source)
    ensure_own_files(path, companions(path), source)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    kind = _kind(path, head, source)
    mark = None if kind in ("shapefile", "SQLite") else _MARKS.search(head)
    if mark is not None:
        raise SourceRefused("vector.list_of_files", source=source, found=_text(mark[1] or mark[2]), expected=CUSTOMARY)
    if kind == "GML":
        _ensure_gml(path, head, source)
    elif kind == "GPX":
        ensure_whole_xml(path, source)
    suffixes = _SUFFIXES[kind]
    if path.suffix.lower() not in suffixes or path.name.lower().endswith(".gdalg.json"):
        raise SourceRefused("vector.other_suffix", source=source, found=kind, suffix=path.suffix, expected=suffixes[:3])
    if kind == "SQLite":
        ensure_plain_database(path, source)
    elif kind == "GeoJSON":
        ensure_geojson(path, head, source, CUSTOMARY)
    elif kind == "MapInfo TAB":
        _ensure_own_table(path, source)
    return frozenset(_DRIVERS[kind])


def is_file_geodatabase(path: Path) -> bool:
    """Return whether a path is a folder with the tables of an Esri file geodatabase."""
    return path.is_dir() and path.suffix.lower() == ".gdb" and any(path.glob("a00000001.gdbtable"))


def tables_together(path: Path, folder: Path) -> Path:
    """Return a file geodatabase as a folder of its own where its files lie beside each other, as a copy of a source has them.

    Any other path is returned as it is. The folder, in `folder`, holds the files themselves: links are never followed there.
    """
    if path.suffix.lower() != ".gdb" or path.exists() or not (path.parent / "a00000001.gdbtable").is_file():
        return path
    tables = folder / path.name
    tables.mkdir()
    for part in path.parent.iterdir():
        if part.is_file() and not part.is_symlink():
            _placed(part, tables / part.name)
    return tables


def _placed(part: Path, target: Path) -> None:
    """Put a file in a second place without copying it, where the disk can."""
    try:
        os.link(part, target)
    except OSError:
        shutil.copyfile(part, target)


def _kind(path: Path, head: bytes, source: str) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:4] == b"\x00\x00\x27\x0a":
        return "shapefile"
    if head[:16] == b"SQLite format 3\x00":
        return "SQLite"
    if head[:3] == b"fgb" and head[4:7] == b"fgb":
        return "FlatGeobuf"
    if text[:1] == b"{":
        return "GeoJSON"
    if head[:4] in _DGN_STARTS:
        return "DGN"
    if head[:8] == _OLE_START and path.suffix.lower() == ".dgn":
        raise SourceRefused("vector.dgn_v8", source=source)
    if text[:1] == b"<" and path.suffix.lower() == ".gpx":
        if (_root(text, source) or "").lower() != "gpx":
            raise not_recognised(path, source)
        return "GPX"
    if text[:1] == b"<":
        return "GML"
    if path.suffix.lower() == ".tab" and text[:6].lower() == b"!table":
        return "MapInfo TAB"
    if path.suffix.lower() == ".mif" and text[:7].lower() == b"version":
        return "MapInfo MIF"
    raise not_recognised(path, source)


def not_recognised(path: Path, source: str) -> SourceRefused:
    """Return the refusal of a file that is of no kind we read."""
    with path.open("rb") as file:
        head = file.read(24).decode("utf-8", "replace")
    kind = path.suffix.lstrip(".").lower() or "vector"
    return SourceRefused("vector.not_recognised", source=source, kind=kind, found=head, expected=CUSTOMARY)


def _text(content: bytes) -> str:
    return content[:80].decode("utf-8", "replace")


# --- XML


def _ensure_gml(path: Path, head: bytes, source: str) -> None:
    root = _root(head, source)
    if root is None:
        raise not_recognised(path, source)
    name = root.lower()
    if name in _MODEL_ROOTS or b"opengis.net/citygml" in head[:_HEAD_OF_NAMES]:
        raise SourceRefused(f"vector.{_MODEL_ROOTS.get(name, 'citygml')}", source=source, found=root)
    if name in _OTHER_ROOTS:
        raise SourceRefused("vector.other_kind", source=source, found=root, expected=CUSTOMARY)
    if b"opengis.net/gml" not in head and b"FeatureCollection" not in head:
        raise not_recognised(path, source)
    ensure_whole_xml(path, source)
    for part in companions(path):
        if part.suffix.lower() == ".xsd":
            _ensure_own_schema(part, source)


def ensure_whole_xml(path: Path, source: str) -> None:
    """Refuse XML that breaks off or is not well formed, with its line: GDAL would keep quiet about what it could not read."""
    parser = _parser(source)
    with path.open("rb") as file:
        start = file.read(_CHUNK)
        parser_starts = max(start.find(b"<"), 0)
        try:
            parser.Parse(start[parser_starts:], False)
            while chunk := file.read(_HEAD_BYTES):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            line = error.lineno + start[:parser_starts].count(b"\n")
            values = {"line": line, "column": error.offset + 1, "cause": expat.ErrorString(error.code)}
            raise SourceRefused("vector.broken_xml", source=source, **values) from error


def _root(content: bytes, source: str) -> str | None:
    """Return the local name of the root element, None where there is none."""
    names: list[str] = []
    parser = _parser(source)
    parser.StartElementHandler = lambda name, _: names.append(name.rpartition(":")[2])
    start = max(content.find(b"<"), 0)
    with contextlib.suppress(expat.ExpatError):
        for offset in range(start, len(content), _CHUNK):
            parser.Parse(content[offset : offset + _CHUNK], False)
            if names:
                break
    return names[0] if names else None


def _parser(source: str) -> expat.XMLParserType:
    """Return a parser that takes each byte for a character (markup is ASCII in every encoding GDAL knows) and refuses a DTD,
    which can name anything."""
    parser = expat.ParserCreate("iso-8859-1")

    def refuse(name: str, system: str | None, *_: object) -> None:
        raise SourceRefused(
            "vector.document_type", source=source, found=f"<!DOCTYPE {name} {system or ''}".strip()[:80]
        )

    parser.StartDoctypeDeclHandler = refuse
    return parser


def _ensure_own_schema(schema: Path, source: str) -> None:
    """Refuse a schema beside a GML file that takes in others than those beside it: GDAL would fetch them."""
    for part, names in _schemas(schema, source):
        for name in names:
            if _ELSEWHERE.search(name):
                raise SourceRefused("vector.names_elsewhere", source=source, part=part.name, found=name[:80])
            ensure_own_files(schema, [schema.with_name(name)], source)


def _schemas(schema: Path, source: str) -> Iterator[tuple[Path, list[str]]]:
    """Yield a schema and those beside it that it takes in, each with the names that it takes in itself."""
    waiting, known = [schema.name], set[str]()
    while waiting and len(known) < _MOST_SCHEMAS:
        part = schema.with_name(waiting.pop())
        if part.name in known or not part.is_file():
            continue
        known.add(part.name)
        names = _included(part, source)
        yield part, names
        waiting.extend(name for name in names if name and not _ELSEWHERE.search(name))


def schemas_of(path: Path) -> tuple[Path, ...]:
    """Return the schemas a GML file is read by: the one beside it under its name and those it takes in, by name.

    A schema that cannot be read ends the search; `ensure_vector_kind` says what is wrong with it.
    """
    schemas: set[Path] = set()
    for schema in with_companions(path, (".xsd",))[1:]:
        schemas.add(schema)
        with contextlib.suppress(SourceRefused):
            schemas.update(part for part, _ in _schemas(schema, path.name))
    return tuple(sorted(schemas))


def _included(schema: Path, source: str) -> list[str]:
    names: list[str] = []

    def note(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2].lower() in ("include", "redefine", "override"):
            names.extend(value for key, value in attributes.items() if key.lower().endswith("schemalocation"))

    parser = _parser(source)
    parser.StartElementHandler = note
    with schema.open("rb") as file:
        content = file.read(_MOST_XSD_BYTES)
    try:
        parser.Parse(content.removeprefix(b"\xef\xbb\xbf"), True)
    except expat.ExpatError as error:
        raise SourceRefused("source.unreadable", source=source, kind=schema.name, cause=str(error)) from error
    return names


# --- MapInfo


def _ensure_own_table(path: Path, source: str) -> None:
    """Refuse a table that is a view of others, a seamless map of others, a picture, or whose data lie under another name."""
    with path.open("rb") as file:
        lines = file.read(_MOST_TAB_BYTES).decode("latin-1")
    for line in re.split(r"[\r\n]+", lines):
        words = [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|([^\s"(),;]+)', line)]
        first = words[0].lower() if words else ""
        second = words[1] if len(words) > 1 else ""
        foreign = second.lower() not in _TAB_TYPES and (
            (first == "open" and second.lower() == "table")
            or (first == "create" and second.lower() == "view")
            or (first == "\\isseamless" and any(word.lower() in ("true", "t", "1") for word in words[1:]))
            or (first == "type" and second.lower() not in ("native", "linked", "dbf"))
            or (first == "file" and Path(second).stem.lower() != path.stem.lower())
            or (first in ("file", "\\table\\dat", "\\table\\map") and re.search(r"[/\\:]", second))
        )
        if foreign:
            raise SourceRefused("vector.names_elsewhere", source=source, part=path.name, found=line.strip()[:80])
