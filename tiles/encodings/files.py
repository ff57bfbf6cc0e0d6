"""Frames -> a file: GeoJSON, GeoPackage, GeoParquet, FlatGeobuf, shapefile, CSV, XLSX, by its ending. Whole or not at all.

Each format has its encoder, the same for `twin export` and for downloads of the service; rows wait in a `TableSpool`.
"""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import orjson
import pandas as pd
import pyogrio

from tiles.encodings.csv_table import write_csv
from tiles.encodings.gdal_table import write_gdal_table
from tiles.encodings.geojson import encode_features, geometry_fragments
from tiles.encodings.geoparquet import write_geoparquet
from tiles.encodings.local_times import with_local_texts
from tiles.encodings.shapefile import fitted_table, write_names
from tiles.encodings.table_spool import TableForm, TableSpool, decimals_of
from tiles.encodings.xlsx_table import write_xlsx_table
from twin_model.classification import UNMARKED, Marking
from twin_model.crs import CRS84, crs_code, epsg_of, placed_geometries, transform_geometries
from twin_model.errors import QueryRefused
from twin_model.finding import Finding
from twin_model.gdal_words import gdal_words
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.rows.attributes import with_flat_attributes
from twin_model.store.frames import records_of

__all__ = ["ENDINGS", "write_frames", "write_table"]

ENDINGS = {
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".gpkg": "GPKG",
    ".fgb": "FlatGeobuf",
    ".shp": "ESRI Shapefile",
    ".csv": "CSV",
    ".xlsx": "XLSX",
    ".parquet": "Parquet",
}


def write_frames(
    frames: Iterator[gpd.GeoDataFrame],
    layer: Layer,
    file: Path,
    *,
    crs: str,
    day: str = "",
    zone: str | None = None,
    report: Callable[[Finding], None] | None = None,
    marking: Marking = UNMARKED,
) -> int:
    """Write frames in the storage CRS to a file in `crs` and return the number of features.

    Instants are those of a time zone, a type for times where the format has one; without a `zone` they are texts in UTC.
    `report` receives what the format cannot hold; short names of a shapefile also stand in `NAME.fields.csv` beside it.
    QueryRefused `query.nothing_to_export` names `day` where there is no feature; GeoJSON may be empty.
    `marking` is written into the file where the format has a place for it.

    `attributes` are an object in GeoJSON and a column each in all others. Every file keeps x, y order. GeoJSON is longitude, latitude (RFC 7946); in another system it says which one in
    `crs`, the way GDAL and QGIS read it.
    """
    driver = ENDINGS.get(file.suffix.lower())
    if driver is None:
        raise QueryRefused("query.format", value=file.suffix, nearest=sorted(ENDINGS))
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=file.parent) as folder:
        part = Path(folder) / "whole" / file.name
        part.parent.mkdir()
        findings: list[Finding] = []
        if driver in ("GeoJSON", "ESRI Shapefile"):
            local = frames if zone is None else (with_local_texts(frame, layer, zone) for frame in frames)
            if driver == "GeoJSON":
                rows = _write_geojson(local, part, crs, marking)
            else:
                table = _table(local, layer, crs, day)
                rows, findings = len(table), _write_shapefile(table, layer, part)
        else:
            spool = TableSpool(Path(folder) / "rows", TableForm(layer, crs, zone))
            spool.fill(frames)
            rows = spool.rows
            _ensure_rows(rows, layer, day)
            findings = write_table(spool, part, marking)
        if report is not None:
            for finding in findings:
                report(finding)
        for entry in part.parent.iterdir():
            shutil.move(str(entry), file.parent / entry.name)
    return rows


def write_table(spool: TableSpool, part: Path, marking: Marking = UNMARKED) -> list[Finding]:
    """Write the rows of a spool to a file by its ending and return what the format could not hold of them."""
    driver, facts, line = ENDINGS[part.suffix.lower()], marking.facts, marking.text("zh")
    if driver == "CSV":
        write_csv(spool, part)
    elif driver == "XLSX":
        write_xlsx_table(spool, part, marking=line, facts=facts)
    elif driver == "Parquet":
        write_geoparquet(spool, part, facts=facts)
    else:
        return write_gdal_table(spool, part, driver, marking=line, facts=facts)
    return []


def _write_geojson(frames: Iterator[gpd.GeoDataFrame], part: Path, crs: str, marking: Marking) -> int:
    rows = 0
    named = {} if crs_code(crs) == CRS84 else {"crs": {"type": "name", "properties": {"name": _urn(crs)}}}
    with part.open("wb") as out:
        head = orjson.dumps({"type": "FeatureCollection", **marking.facts, **named})
        out.write(head[:-1] + b',"features":[')
        for frame in frames:
            if not len(frame):
                continue
            shapes = geometry_fragments(
                frame.geometry.to_numpy(), crs_code(frame.crs), crs, axis_order="xy", decimals=decimals_of(crs)
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


def _ensure_rows(rows: int, layer: Layer, day: str) -> None:
    if not rows:
        raise QueryRefused("query.nothing_to_export", layer=layer.id, day=day or date.today().isoformat())


def _table(frames: Iterable[gpd.GeoDataFrame], layer: Layer, crs: str, day: str) -> gpd.GeoDataFrame:
    """Return frames as one table in `crs` with a column for each attribute."""
    moved = [_moved(frame, crs) for frame in frames]
    _ensure_rows(len(moved), layer, day)
    return with_flat_attributes(pd.concat(moved)).reset_index().infer_objects()


def _write_shapefile(table: gpd.GeoDataFrame, layer: Layer, part: Path) -> list[Finding]:
    """Write a table as a shapefile and return what it could not hold."""
    fitted = fitted_table(table.drop(columns=["fid"]))
    findings = fitted.findings(layer.id)
    if fitted.shortened:
        write_names(part.with_suffix(".fields.csv"), fitted.shortened, layer)
    options: dict[str, Any] = {"driver": ENDINGS[".shp"], "encoding": "UTF-8"}
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        pyogrio.write_dataframe(fitted.table, part, layer=layer.id, **options)
    causes = dict.fromkeys(gdal_words(str(warning.message)) for warning in noticed)
    return findings + [Finding("export.notice", "warning", layer=layer.id, values={"cause": cause}) for cause in causes]


def _moved(frame: gpd.GeoDataFrame, crs: str) -> gpd.GeoDataFrame:
    shapes = placed_geometries(transform_geometries(frame.geometry.to_numpy(), crs_code(frame.crs), crs))
    named = (
        "EPSG:4326" if crs_code(crs) == CRS84 else crs
    )  # in x, y order the two are one, and every GIS knows this one
    return frame.set_geometry(gpd.array.from_shapely(shapes, crs=named))
