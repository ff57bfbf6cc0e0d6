"""Frames -> a file: GeoJSON, GeoPackage, FlatGeobuf, shapefile, CSV, by its ending. The file appears whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import orjson
import pandas as pd
import pyogrio
import shapely

from tiles.encodings.geojson import DEGREE_DECIMALS, METRE_DECIMALS, encode_features, geometry_fragments
from twin_model.crs import CRS84, crs_code, epsg_of, is_projected, placed_geometries, transform_geometries
from twin_model.errors import QueryRefused
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


def write_frames(frames: Iterator[gpd.GeoDataFrame], layer: Layer, file: Path, *, crs: str) -> int:
    """Write frames in the storage CRS to a file in `crs` and return the number of features.

    `attributes` are an object in GeoJSON and a column each in all others. Every file keeps x, y order. GeoJSON is longitude, latitude (RFC 7946); in another system it says which one in
    `crs`, the way GDAL and QGIS read it.
    """
    driver = ENDINGS.get(file.suffix.lower())
    if driver is None:
        raise QueryRefused("query.format", value=file.suffix, nearest=sorted(ENDINGS))
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=file.parent) as folder:
        part = Path(folder) / file.name
        rows = (
            _write_geojson(frames, part, crs) if driver == "GeoJSON" else _write_gdal(frames, layer, part, driver, crs)
        )
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
            shapes = geometry_fragments(frame.geometry.to_numpy(), crs_code(frame.crs), crs, axis_order="xy")
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


def _write_gdal(frames: Iterator[gpd.GeoDataFrame], layer: Layer, part: Path, driver: str, crs: str) -> int:
    moved = [_moved(frame, crs) for frame in frames]
    if not moved:
        raise QueryRefused("source.empty", source=layer.id)
    table = with_flat_attributes(pd.concat(moved)).reset_index().infer_objects()
    if driver == "CSV":
        _write_csv(table, part, METRE_DECIMALS if is_projected(crs) else DEGREE_DECIMALS)
        return len(table)
    table = table.drop(columns=["fid"]) if driver != "GPKG" else table
    options: dict[str, Any] = {}
    if driver == "GPKG":
        options = {"dataset_options": {"VERSION": "1.3"}}  # the version of our store; older programs warn of newer ones
    if driver == "ESRI Shapefile":
        options = {"encoding": "UTF-8"}
        table = table.rename(columns=_ten_bytes([str(name) for name in table.columns if name != "geometry"]))
    if driver == "FlatGeobuf" and table.geometry.isna().any():
        options = {"SPATIAL_INDEX": "NO"}  # the index has no place for features without geometry
    pyogrio.write_dataframe(table, part, layer=layer.id, driver=driver, **options)
    return len(table)


def _write_csv(table: gpd.GeoDataFrame, part: Path, decimals: int) -> None:
    """Write a table with its geometry as WKT, marked as UTF-8 for spreadsheets."""
    plain = pd.DataFrame(table.drop(columns=["fid", "geometry"]))
    plain["wkt"] = shapely.to_wkt(table.geometry.to_numpy(), rounding_precision=decimals)
    plain.to_csv(part, index=False, encoding="utf-8-sig")


def _ten_bytes(names: list[str]) -> dict[str, str]:
    """Return for each name one of at most ten bytes, as a shapefile wants it, no two alike."""
    short: dict[str, str] = {}
    for name in names:
        cut, number = name.encode()[:10].decode(errors="ignore"), 0
        while cut in short.values():
            number += 1
            cut = f"{name.encode()[:8].decode(errors='ignore')}_{number}"
        short[name] = cut
    return short


def _moved(frame: gpd.GeoDataFrame, crs: str) -> gpd.GeoDataFrame:
    shapes = placed_geometries(transform_geometries(frame.geometry.to_numpy(), crs_code(frame.crs), crs))
    named = (
        "EPSG:4326" if crs_code(crs) == CRS84 else crs
    )  # in x, y order the two are one, and every GIS knows this one
    return frame.set_geometry(gpd.array.from_shapely(shapes, crs=named))
