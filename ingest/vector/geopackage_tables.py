"""The tables of a GeoPackage as it lists them itself: one that GDAL cannot take spoils GDAL's list of all."""

import contextlib
import sqlite3
from pathlib import Path

__all__ = ["Table", "geopackage_tables"]

Table = tuple[str, str, str]


def geopackage_tables(path: Path) -> list[Table] | None:
    """Return name, kind ("features", "attributes", ...) and geometry type of a GeoPackage's tables, None where it is none."""
    address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as db:
            tables = db.execute("SELECT table_name, data_type FROM gpkg_contents").fetchall()
            spatial = any(kind == "features" for _, kind in tables)
            types = db.execute("SELECT table_name, geometry_type_name FROM gpkg_geometry_columns") if spatial else ()
            geometry = dict(types)
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    return [(name, kind, geometry.get(name, "")) for name, kind in tables if name != "ogr_empty_table"]
