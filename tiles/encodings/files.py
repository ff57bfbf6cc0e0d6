"""Frames -> a file: GeoJSON, GeoPackage, FlatGeobuf, shapefile, CSV, by its ending. The file appears whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio

from tiles.encodings.geojson import encode_features, geometry_fragments
from twin_model.crs import authority_axis_swapped, crs_code, transform_geometries
from twin_model.errors import QueryRefused
from twin_model.layer import Layer

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

    Files of a GIS keep x, y order; GeoJSON in a system that is northing first says its order in `crs` and keeps x, y too.
    """
    driver = ENDINGS.get(file.suffix.lower())
    if driver is None:
        raise QueryRefused("query.format", value=file.suffix, nearest=sorted(ENDINGS))
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=file.parent) as folder:
        part = Path(folder) / file.name
        rows = (
            _write_geojson(frames, part, crs)
            if driver == "GeoJSON"
            else _write_gdal(frames, layer, part, driver, crs)
        )
        for one in Path(folder).iterdir():
            shutil.move(str(one), file.parent / one.name)
    return rows


def _write_geojson(frames: Iterator[gpd.GeoDataFrame], part: Path, crs: str) -> int:
    rows = 0
    with part.open("wb") as out:
        out.write(b'{"type":"FeatureCollection","features":[')
        for frame in frames:
            storage = crs_code(frame.crs)
            target = storage if authority_axis_swapped(crs) and crs == storage else crs
            shapes = geometry_fragments(frame.geometry.to_numpy(), storage, target)
            encoded = encode_features(frame.index.tolist(), _records(frame), shapes)
            out.write((b",\n" if rows else b"\n") + encoded[1:-1])
            rows += len(frame)
        out.write(b"\n]}\n")
    return rows


def _records(frame: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    table = pd.DataFrame(frame.drop(columns=["geometry", "fid"]))
    return [
        {str(k): None if v is None or v is pd.NA or v != v else v for k, v in row.items()}
        for row in table.astype(object).to_dict("records")
    ]


def _write_gdal(frames: Iterator[gpd.GeoDataFrame], layer: Layer, part: Path, driver: str, crs: str) -> int:
    moved = [_moved(frame, crs) for frame in frames]
    whole = pd.concat(moved) if moved else None
    if whole is None:
        raise QueryRefused("source.empty", source=layer.id)
    options: dict[str, Any] = {"encoding": "UTF-8"} if driver == "ESRI Shapefile" else {}
    table = whole.reset_index()
    table = table.drop(columns=["fid"]) if driver != "GPKG" else table
    if driver == "CSV":
        table["wkt"] = table.geometry.to_wkt()
        pd.DataFrame(table.drop(columns=["geometry"])).to_csv(part, index=False, encoding="utf-8-sig")
        return len(table)
    pyogrio.write_dataframe(table, part, layer=layer.id, driver=driver, **options)
    return len(table)


def _moved(frame: gpd.GeoDataFrame, crs: str) -> gpd.GeoDataFrame:
    shapes = transform_geometries(frame.geometry.to_numpy(), crs_code(frame.crs), crs)
    return frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=None)).set_crs(
        crs, allow_override=True
    )
