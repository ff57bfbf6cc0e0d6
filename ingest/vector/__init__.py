"""Reads vector files through GDAL: shapefile, GeoPackage, GeoJSON, FlatGeobuf, GML and MapInfo. The only room that knows pyogrio.

Every file is judged by its content before GDAL opens it (`kind`). Not here: mappings (`ingest/mapping.py`).

    if recognises_vector(path):
        read_vector(path, draft, ReadOptions(mapping=read_mapping(Path("map.toml"))))
"""

__all__ = ["file", "kind", "reader", "stream"]
