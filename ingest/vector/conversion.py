"""Sources that are read here instead of by GDAL: KML, KMZ, Esri JSON, TopoJSON, and tables with coordinates.

Their rows go into a GeoPackage in a folder of ours, which is then read like any other (`ingest/vector/file.py`). GDAL's own
drivers of these formats lose columns, follow what a file names, or cannot be told which file they may open.
"""

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from pyogrio import write_dataframe

from ingest.vector.json_features import read_json
from ingest.vector.json_numbers import copy_with_exact_numbers
from ingest.vector.kml_features import read_kml
from ingest.vector.layer_rows import LayerRows
from ingest.vector.table_features import read_table
from twin_model.errors import SourceRefused
from twin_model.finding import Finding

__all__ = ["ConvertedSource", "converted"]

_TABLES = dict.fromkeys((".csv", ".txt", ".tsv", ".xlsx", ".xlsm"), read_table)
_READERS: Mapping[str, Callable[[Path, str, str | None], LayerRows | None]] = {
    ".kml": read_kml, ".kmz": read_kml, ".json": read_json, ".geojson": read_json,
} | _TABLES  # fmt: skip
_MOST_COLUMNS = 1_900
"""A table of a GeoPackage holds 2,000 (SQLite, SQLITE_MAX_COLUMN), ours among them."""
_OWN_COLUMNS = {"FID": "twin_fid", "GEOMETRY_NAME": "twin_geometry"}
"""Names of the GeoPackage's own columns, so that a source may have `fid` and `geom`."""


@dataclass(frozen=True)
class ConvertedSource:
    """A file of ours with the rows of a source, what was noticed while they were read, and how many were no features."""

    path: Path
    findings: tuple[Finding, ...]
    decoration: int = 0


def converted(path: Path, source: str, folder: Path, encoding: str | None) -> ConvertedSource | None:
    """Return a GeoPackage in `folder` with the rows of a source, a copy of GeoJSON with numbers beyond GDAL's; None for a
    source that GDAL is to read as it is."""
    read = _READERS.get(path.suffix.lower())
    contents = read(path, source, encoding) if read is not None and path.is_file() else None
    if contents is None:
        exact = copy_with_exact_numbers(path, source, folder)
        return None if exact is None else ConvertedSource(exact[0], (exact[1],))
    target = folder / f"{path.stem}.gpkg"
    for name, (shapes, columns) in contents.layers.items():
        if len(columns) > _MOST_COLUMNS:
            values = {"source_layer": name, "count": len(columns), "most": _MOST_COLUMNS}
            raise SourceRefused("vector.too_many_columns", source=source, **values)
        _write(target, name, shapes, columns, contents.crs)
    return ConvertedSource(target, tuple(contents.findings), contents.decoration)


def _write(
    target: Path, name: str, shapes: Sequence[Any], columns: Mapping[str, Sequence[Any]], crs: str | None
) -> None:
    content: dict[str, Any] = {}
    for column, values in columns.items():
        content[_free(column, content)] = values
    geometry = np.empty(len(shapes), dtype=object)
    geometry[:] = list(shapes)
    frame = gpd.GeoDataFrame(content, geometry=gpd.GeoSeries(geometry), crs=crs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no system is said when the layer is read
        write_dataframe(
            frame,
            target,
            layer=name,
            driver="GPKG",
            append=target.exists(),
            geometry_type=_type_of(geometry),
            **_OWN_COLUMNS,
        )


def _free(name: str, taken: dict[str, Any]) -> str:
    """Return a column's name, with a number where another differs from it by its letters' case only: SQL knows no case."""
    lower = {column.lower() for column in (*taken, *_OWN_COLUMNS.values())}
    names = itertools.chain((name or "column",), (f"{name}_{number}" for number in itertools.count(2)))
    return next(each for each in names if each.lower() not in lower)


def _type_of(shapes: Any) -> str:
    kinds = {f"{shape.geom_type}{' Z' if shape.has_z else ''}" for shape in shapes if shape is not None}
    return kinds.pop() if len(kinds) == 1 else "Unknown"
