"""A table as GeoPackage or FlatGeobuf, written by GDAL from a stream of Arrow: it holds no more than a batch of it."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyogrio

from tiles.encodings.table_spool import GEOMETRY, TableSpool
from twin_model.finding import Finding
from twin_model.gdal_words import gdal_words

__all__ = ["write_gdal_table"]

_MOST_COLUMNS = {"GPKG": 1_999, "FlatGeobuf": 32_767}
"""Columns of a table of SQLite beside its number of the row, and of a FlatGeobuf."""


def write_gdal_table(
    spool: TableSpool, part: Path, driver: str, *, marking: str = "", facts: Mapping[str, str] | None = None
) -> list[Finding]:
    """Write the rows of a spool ("GPKG", "FlatGeobuf") and return what GDAL said; `facts` are metadata of the layer."""
    layer, is_geopackage = spool.form.layer, driver == "GPKG"
    spool.ensure_columns(_MOST_COLUMNS[driver], "local")
    options: dict[str, Any] = {"layer_options": _layer_options(spool, is_geopackage, marking)}
    if is_geopackage:
        options["dataset_options"] = {"VERSION": "1.3"}  # that of our store; older programs warn of newer ones
    if facts:
        options["layer_metadata"] = dict(facts)
    if spool.has_geometry:
        options |= {"geometry_name": GEOMETRY, "geometry_type": re.sub("Z$", " Z", layer.geometry), "crs": _crs(spool)}
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        pyogrio.write_arrow(spool.reader("local", fid=is_geopackage), part, layer=layer.id, driver=driver, **options)
    causes = dict.fromkeys(gdal_words(str(warning.message)) for warning in noticed)
    return [Finding("export.notice", "warning", layer=layer.id, values={"cause": cause}) for cause in causes]


def _layer_options(spool: TableSpool, is_geopackage: bool, marking: str) -> dict[str, str]:
    options = {"DESCRIPTION": marking} if marking else {}
    if not is_geopackage and spool.lacks_geometry:
        options["SPATIAL_INDEX"] = "NO"  # the index has no place for features without geometry
    return options


def _crs(spool: TableSpool) -> str:
    number = spool.crs.to_epsg()
    return f"EPSG:{number}" if number is not None else str(spool.crs.to_wkt())
