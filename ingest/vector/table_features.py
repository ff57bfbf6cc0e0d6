"""Rows of CSV and Excel tables that carry their place: X and Y, longitude and latitude, or WKT."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from ingest.number_text import comma_of, numbers_of_texts
from ingest.tables import TextTable, is_table_file, read_tables
from ingest.vector.layer_rows import LayerRows, Rows
from ingest.vector.table_heading import TableHeading, is_caption, joined_heading
from twin_model.errors import SourceRefused
from twin_model.finding import Finding

__all__ = ["holds_coordinates", "read_table", "typed_column"]

_LOOKED_AT = 20
_UNIT = re.compile(r"[(（\[].*?[)）\]]|[\s_\-./:：]")
_EAST = (
    "x",
    "lon",
    "lng",
    "long",
    "longitude",
    "经度",
    "easting",
    "east",
    "e",
    "pointx",
    "coordx",
    "xcoord",
    "x坐标",
    "东坐标",
    "横坐标",
    "东",
)
_NORTH = (
    "y",
    "lat",
    "latitude",
    "纬度",
    "northing",
    "north",
    "n",
    "pointy",
    "coordy",
    "ycoord",
    "y坐标",
    "北坐标",
    "纵坐标",
    "北",
)
_WKT = ("wkt", "geom", "geometry", "thegeom", "shape", "几何", "图形")
_WKT_START = re.compile(
    r"\s*(SRID=\d+;)?\s*(MULTI)?(POINT|LINESTRING|POLYGON|GEOMETRYCOLLECTION)\s*(Z|M|ZM)?\s*\(", re.I
)
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,14})")
_DECIMAL = re.compile(r"-?\d{1,15}\.\d{1,12}")


def holds_coordinates(path: Path) -> bool:
    """Say whether a table has a heading with columns of coordinates or of WKT among its first rows."""
    if not is_table_file(path):
        return False
    try:
        return any(_heading(table) is not None for table in read_tables(path, limit=_LOOKED_AT))
    except SourceRefused:
        return False


def read_table(path: Path, source: str, encoding: str | None) -> LayerRows | None:
    """Return the rows of each sheet that has coordinates; their system is not in a table, so it is the caller's to name."""
    layers: dict[str, Rows] = {}
    findings: list[Finding] = []
    decoration = 0
    tables = read_tables(path, encoding=encoding)
    for table in tables:
        heading = _heading(table)
        if heading is not None:
            row, places = heading
            layer = table.name if len(tables) > 1 else path.stem
            joined = joined_heading(table.rows, row, places)
            rows, captions = _without_captions(table, joined, places)
            names, decoration = joined.names, decoration + len(captions)
            findings += _notes(joined, captions, source, layer)
            cells = {
                name or f"column_{n + 1}": [cell[n] if n < len(cell) else "" for cell in rows]
                for n, name in enumerate(names)
            }
            shapes = _shapes(
                [[cell[n] if n < len(cell) else "" for cell in rows] for n in places], layer, source, findings
            )
            layers[layer] = shapes, {name: typed_column(values) for name, values in cells.items()}
    return LayerRows(layers, None, findings, decoration) if layers else None


def _without_captions(
    table: TextTable, heading: TableHeading, places: tuple[int, ...]
) -> tuple[list[list[str]], list[tuple[int, str]]]:
    """Return the rows that are features, and of the others their numbers in the file and their first texts."""
    rows: list[list[str]] = []
    captions: list[tuple[int, str]] = []
    above = table.rows[: heading.rows]
    for row, number in zip(table.rows[heading.rows :], table.numbers[heading.rows :], strict=True):
        if is_caption(row, above, places):
            captions.append((number, next(cell for cell in row if cell)))
        else:
            rows.append(row)
    return rows, captions


def _notes(heading: TableHeading, captions: list[tuple[int, str]], source: str, layer: str) -> list[Finding]:
    """Return what is told of a heading in several rows and of rows that are no features."""
    values = {"source": source, "source_layer": layer}
    notes = []
    if heading.depth > 1:
        names = [name for name in heading.names if name]
        notes.append(
            Finding("vector.table_heading_joined", "info", values=values | {"rows": heading.depth, "names": names})
        )
    if captions:
        number, text = captions[0]
        more = {"count": len(captions), "row": number, "text": text}
        notes.append(Finding("vector.table_captions", "info", place=f"row {number}", values=values | more))
    return notes


def _heading(table: TextTable) -> tuple[int, tuple[int, ...]] | None:
    """Return which row is the heading, and which columns hold x and y, or WKT; None where there is none."""
    for number, row in enumerate(table.rows[:_LOOKED_AT]):
        names = [_UNIT.sub("", cell).lower() for cell in row]
        following = table.rows[number + 1 :][:_LOOKED_AT]
        for column in (n for n, name in enumerate(names) if name in _WKT):
            if any(column < len(cells) and _WKT_START.match(cells[column]) for cells in following):
                return number, (column,)
        east, north = (next((names.index(name) for name in known if name in names), None) for known in (_EAST, _NORTH))
        if east is not None and north is not None and len(row) > 1:
            return number, (east, north)
    return None


def _shapes(cells: list[list[str]], layer: str, source: str, findings: list[Finding]) -> list[Any]:
    if len(cells) == 1:
        texts = [re.sub(r"^\s*SRID=\d+;", "", text) for text in cells[0]]
        return [shapely.from_wkt(text, on_invalid="ignore") if _WKT_START.match(text) else None for text in texts]
    x, y = (numbers_of_texts(texts, comma=comma_of(texts))[0] for texts in cells)
    if _is_north_first(x, y):
        findings.append(Finding("vector.table_north_first", "info", values={"source": source, "source_layer": layer}))
        x, y = y, x
    known = np.isfinite(x) & np.isfinite(y)
    shapes = np.full(len(x), None, dtype=object)
    shapes[known] = shapely.points(x[known], y[known])
    return shapes.tolist()


def _is_north_first(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Say whether X is the northing and Y the easting, as Chinese surveyors write them.

    Of a Gauss-Krueger grid in China northings have seven digits (2,000 to 6,000 km), eastings six, or eight with their zone.
    """
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if not len(x) or not len(y):
        return False
    zone = (y >= 13e6) & (y < 46e6)
    easting = np.where(zone, y % 1e6, y)
    return bool(((x >= 1.9e6) & (x < 6.1e6)).all() and ((easting >= 1e5) & (easting < 9e5)).all())


def typed_column(texts: Sequence[str]) -> Any:
    """Return a column as whole or decimal numbers where every cell is such a number; codes with leading zeros stay texts."""
    filled = [text for text in texts if text]
    if filled and all(_WHOLE.fullmatch(text) for text in filled):
        return pd.array([int(text) if text else None for text in texts], dtype="Int64")
    if filled and all(_WHOLE.fullmatch(text) or _DECIMAL.fullmatch(text) for text in filled):
        return [float(text) if text else float("nan") for text in texts]
    return [text or None for text in texts]
