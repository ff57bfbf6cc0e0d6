"""Reads vector files: shapefile, GeoPackage, GeoJSON, FlatGeobuf, GML, MapInfo, GPX, DGN, FileGDB through GDAL; KML, Esri JSON,
TopoJSON and tables with coordinates by readers of ours (`conversion`). Here alone is pyogrio.

Every file is judged by its content before GDAL opens it (`kind`). Not here: mappings (`ingest/mapping.py`).

    >>> READER.recognises(Path("lamps.geojson")), READER.recognises(Path("town/town.toml"))
    (True, False)
"""

from ingest.reader import Reader, ReaderFunctions
from ingest.vector.files import vector_files

__all__ = ["READER", "file", "files", "kind", "outline", "reader", "stream"]


def _functions() -> ReaderFunctions:
    from ingest.vector.outline import vector_outline
    from ingest.vector.reader import read_vector, recognises_vector

    return ReaderFunctions(recognises_vector, read_vector, vector_outline)


READER = Reader(
    "vector",
    topic="topography",
    suffixes=(
        ".shp",
        ".gpkg",
        ".geojson",
        ".json",
        ".fgb",
        ".gml",
        ".sqlite",
        ".tab",
        ".mif",
        ".kml",
        ".kmz",
        ".gpx",
        ".dgn",
        ".gdb",
    ),
    files=vector_files,
    load=_functions,
    version=3,
    tables=("vector.toml",),
)
