"""Frames -> a file: GeoJSON, GeoPackage, FlatGeobuf, shapefile, CSV, by its ending. The file appears whole or not at all."""

import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import orjson
import pandas as pd
import pyogrio
import shapely

from tiles.encodings.geojson import encode_features, geometry_fragments
from tiles.encodings.local_times import with_local_texts, with_local_times
from tiles.encodings.shapefile import fitted_table, write_names
from twin_model.crs import CRS84, crs_code, epsg_of, is_projected, placed_geometries, transform_geometries
from twin_model.errors import QueryRefused
from twin_model.finding import Finding
from twin_model.formula_text import escape_formula
from twin_model.gdal_words import gdal_words
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.rows.attributes import with_flat_attributes
from twin_model.store.frames import records_of

__all__ = ["ENDINGS", "write_frames"]

ENDINGS = {
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".gpkg": "GPKG",
    ".fgb": "FlatGeobuf",
    ".shp": "ESRI Shapefile",
    ".csv": "CSV",
}


_WITH_TIMES = ("GPKG", "FlatGeobuf")
"""Formats with a type for times."""

_FILE_DEGREE_DECIMALS, _FILE_METRE_DECIMALS = 11, 6
"""What comes back from a file lies where it lay: a micrometre is far below the tolerance of every layer."""


def write_frames(
    frames: Iterator[gpd.GeoDataFrame],
    layer: Layer,
    file: Path,
    *,
    crs: str,
    day: str = "",
    zone: str | None = None,
    report: Callable[[Finding], None] | None = None,
) -> int:
    """Write frames in the storage CRS to a file in `crs` and return the number of features.

    Instants are those of a time zone, a type for times where the format has one; without a `zone` they are texts in UTC.
    `report` receives what the format cannot hold; short names of a shapefile also stand in `NAME.fields.csv` beside it.
    QueryRefused `query.nothing_to_export` names `day` where there is no feature; GeoJSON may be empty.

    `attributes` are an object in GeoJSON and a column each in all others. Every file keeps x, y order. GeoJSON is longitude, latitude (RFC 7946); in another system it says which one in
    `crs`, the way GDAL and QGIS read it.
    """
    driver = ENDINGS.get(file.suffix.lower())
    if driver is None:
        raise QueryRefused("query.format", value=file.suffix, nearest=sorted(ENDINGS))
    file.parent.mkdir(parents=True, exist_ok=True)
    if zone is not None:
        frames = (with_local_texts(frame, layer, zone) for frame in frames)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=file.parent) as folder:
        part = Path(folder) / file.name
        if driver == "GeoJSON":
            rows = _write_geojson(frames, part, crs)
        else:
            table = _table(frames, layer, crs, day)
            if zone is not None and driver in _WITH_TIMES:
                table = with_local_times(table, layer)
            rows = len(table)
            for finding in _write_gdal(table, layer, part, driver, crs):
                if report is not None:
                    report(finding)
        for entry in Path(folder).iterdir():
            shutil.move(str(entry), file.parent / entry.name)
    return rows


def _write_geojson(frames: Iterator[gpd.GeoDataFrame], part: Path, crs: str) -> int:
    rows = 0
    named = {} if crs_code(crs) == CRS84 else {"crs": {"type": "name", "properties": {"name": _urn(crs)}}}
    with part.open("wb") as out:
        head = orjson.dumps({"type": "FeatureCollection", **named})
        out.write(head[:-1] + b',"features":[')
        for frame in frames:
            if not len(frame):
                continue
            shapes = geometry_fragments(
                frame.geometry.to_numpy(), crs_code(frame.crs), crs, axis_order="xy", decimals=_file_decimals(crs)
            )
            records = [_with_object(record) for record in records_of(frame.drop(columns="fid"))]
            encoded = encode_features(frame.index.tolist(), records, shapes)
            out.write((b",\n" if rows else b"\n") + encoded[1:-1])
            rows += len(frame)
        out.write(b"\n]}\n")
    return rows


def _with_object(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record in which `attributes` is an object, as the service answers it; without any it is left out."""
    text = record.pop(ATTRIBUTES, None)
    return record if text is None else {**record, ATTRIBUTES: orjson.Fragment(text)}


def _urn(crs: str) -> str:
    """Return the URN of a system, as GDAL writes it into GeoJSON; one without a code cannot be named there."""
    number = epsg_of(crs)
    if number is None:
        raise QueryRefused("query.crs", crs=crs[:60], layer="GeoJSON", nearest=[CRS84, "EPSG:4490", "EPSG:4548"])
    return f"urn:ogc:def:crs:EPSG::{number}"


def _file_decimals(crs: str) -> int:
    return _FILE_METRE_DECIMALS if is_projected(crs) else _FILE_DEGREE_DECIMALS


def _table(frames: Iterator[gpd.GeoDataFrame], layer: Layer, crs: str, day: str) -> gpd.GeoDataFrame:
    """Return frames as one table in `crs` with a column for each attribute."""
    moved = [_moved(frame, crs) for frame in frames]
    if not moved:
        raise QueryRefused("query.nothing_to_export", layer=layer.id, day=day or date.today().isoformat())
    return with_flat_attributes(pd.concat(moved)).reset_index().infer_objects()


def _write_gdal(table: gpd.GeoDataFrame, layer: Layer, part: Path, driver: str, crs: str) -> list[Finding]:
    """Write a table and return what the format could not hold of it."""
    if driver == "CSV":
        _write_csv(table, part, _file_decimals(crs))
        return []
    table = table.drop(columns=["fid"]) if driver != "GPKG" else table
    options: dict[str, Any] = {}
    findings: list[Finding] = []
    if driver == "GPKG":
        options = {"dataset_options": {"VERSION": "1.3"}}  # the version of our store; older programs warn of newer ones
        if layer.has_geometry:  # by way of Arrow days are of the type for days
            options |= {"use_arrow": True, "geometry_type": re.sub("Z$", " Z", layer.geometry)}
    if driver == "ESRI Shapefile":
        options = {"encoding": "UTF-8"}
        fitted = fitted_table(table)
        table, findings = fitted.table, fitted.findings(layer.id)
        if fitted.shortened:
            write_names(part.with_suffix(".fields.csv"), fitted.shortened, layer)
    if driver == "FlatGeobuf" and table.geometry.isna().any():
        options = {"SPATIAL_INDEX": "NO"}  # the index has no place for features without geometry
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        pyogrio.write_dataframe(table, part, layer=layer.id, driver=driver, **options)
    causes = dict.fromkeys(gdal_words(str(warning.message)) for warning in noticed)
    return findings + [Finding("export.notice", "warning", layer=layer.id, values={"cause": cause}) for cause in causes]


def _write_csv(table: gpd.GeoDataFrame, part: Path, decimals: int) -> None:
    """Write a table with its geometry as WKT, marked as UTF-8 for spreadsheets, without a formula in it."""
    plain = pd.DataFrame(table.drop(columns=["fid", "geometry"])).rename(columns=escape_formula)
    texts = plain.select_dtypes(exclude=["number", "bool", "datetime", "datetimetz"]).columns
    plain[texts] = plain[texts].map(escape_formula)
    plain["wkt"] = shapely.to_wkt(table.geometry.to_numpy(), rounding_precision=decimals)
    plain.to_csv(part, index=False, encoding="utf-8-sig")


def _moved(frame: gpd.GeoDataFrame, crs: str) -> gpd.GeoDataFrame:
    shapes = placed_geometries(transform_geometries(frame.geometry.to_numpy(), crs_code(frame.crs), crs))
    named = (
        "EPSG:4326" if crs_code(crs) == CRS84 else crs
    )  # in x, y order the two are one, and every GIS knows this one
    return frame.set_geometry(gpd.array.from_shapely(shapes, crs=named))
