"""管线点成果表 and 管线成果表: the tables of a pipe survey (CJJ 61-2017), one a class, as offices exchange them.

Column titles are those of the standard in every language, so that any office, and `ingest/survey`, reads the tables.
X is north and Y is east. A pipe's height stands in the table where it was surveyed; else it is ground minus depth.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from tiles.encodings.xlsx import Column, Sheet, plain_text, write_workbook
from twin_model.crs import transform_xy
from twin_model.formula_text import escape_formula
from twin_model.layer import Layer
from twin_model.messages import render
from twin_model.store.frames import records_of

__all__ = ["PipeTable", "TableHeading", "line_tables", "point_tables", "write_pipe_tables"]

_COLUMNS_OF_BOTH: Mapping[str, tuple[str, float, str]] = {
    "status": ("使用状态", 10, ""),
    "owner": ("权属单位", 18, ""),
    "built": ("建设年代", 12, ""),
    "road_name": ("道路名称", 14, ""),
    "surveyed": ("探测日期", 12, ""),
    "note": ("备注", 18, ""),
}
"""What stands last in both tables: title, width and format by field."""
_POINT_COLUMNS: Mapping[str, tuple[str, float, str]] = {
    "map_no": ("图上点号", 12, ""),
    "survey_no": ("物探点号", 14, ""),
    "project": ("工程编号", 12, ""),
    "feature": ("特征", 10, ""),
    "appurtenance": ("附属物", 12, ""),
    "x": ("X", 14, "0.000"),
    "y": ("Y", 14, "0.000"),
    "ground_elevation": ("地面高程", 11, "0.000"),
    "well_depth": ("井深", 8, "0.00"),
    "feature_code": ("要素代码", 12, ""),
    **_COLUMNS_OF_BOTH,
}
_LINE_COLUMNS: Mapping[str, tuple[str, float, str]] = {
    "start_no": ("起点点号", 14, ""),
    "end_no": ("终点点号", 14, ""),
    "project": ("工程编号", 12, ""),
    "start_depth": ("起点埋深", 10, "0.00"),
    "end_depth": ("终点埋深", 10, "0.00"),
    "start_elevation": ("起点管线高程", 13, "0.000"),
    "end_elevation": ("终点管线高程", 13, "0.000"),
    "section": ("管径或断面尺寸(mm)", 14, ""),
    "material": ("材质", 10, ""),
    "burial_method": ("埋设方式", 10, ""),
    "flow_direction": ("流向", 7, ""),
    "pressure": ("压力", 10, ""),
    "voltage": ("电压", 10, ""),
    "cable_count": ("电缆条数", 9, "0"),
    "hole_total": ("总孔数", 8, "0"),
    "hole_used": ("已用孔数", 9, "0"),
    **_COLUMNS_OF_BOTH,
}
_ALWAYS = frozenset({"survey_no", "feature", "appurtenance", "x", "y", "ground_elevation"}) | frozenset(
    {"start_no", "end_no", "start_depth", "end_depth", "section", "material"}
)
"""Columns that stand in a table also where nobody has a value; the others only where somebody has."""
_CSV_DECIMALS = {"0.000": 3, "0.00": 2, "0": 0}
_MOST_DECIMALS = 3
_AGREES = 5e-4
"""A height this near, in metres, to ground minus depth is that, and no survey of its own."""
_LEAST = 1e-6
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class TableHeading:
    """What stands above a table: texts."""

    project: str
    crs: str
    heights: str
    date: str


@dataclass(frozen=True)
class PipeTable:
    """The points or lines of one class: `name` as tables are called (WSPoint), values by field."""

    name: str
    kind: str
    class_title: str
    columns: Mapping[str, tuple[str, float, str]]
    rows: Sequence[Mapping[str, Any]]


def point_tables(points: gpd.GeoDataFrame, layer: Layer, crs: str, lang: str) -> list[PipeTable]:
    """Return 管线点成果表 of each class, sorted by number, with X and Y in `crs`."""
    rows = records_of(points)
    east, north = _coordinates(points, crs)
    for row, x, y in zip(rows, north, east, strict=True):
        row["x"], row["y"] = (float(x), float(y)) if np.isfinite(x) else (None, None)
    return list(_by_class(rows, layer, "point", _POINT_COLUMNS, ("project", "survey_no"), lang))


def line_tables(lines: gpd.GeoDataFrame, points: gpd.GeoDataFrame, layer: Layer, lang: str) -> list[PipeTable]:
    """Return 管线成果表 of each class, sorted by its points; `points` tell the ground at the ends."""
    rows = records_of(lines)
    ground = {_place(row, "survey_no"): row["ground_elevation"] for row in records_of(points)}
    for row in rows:
        for end in ("start", "end"):
            row[f"{end}_elevation"] = _surveyed_height(row, end, ground.get(_place(row, f"{end}_no")))
    return list(_by_class(rows, layer, "line", _LINE_COLUMNS, ("project", "start_no", "end_no"), lang))


def _coordinates(points: gpd.GeoDataFrame, crs: str) -> tuple[Any, Any]:
    x, y = points.geometry.x.to_numpy(dtype=np.float64), points.geometry.y.to_numpy(dtype=np.float64)
    return transform_xy(x, y, points.crs, crs)


def _place(row: Mapping[str, Any], number: str) -> tuple[Any, ...]:
    return row["project"], row["class"], row["subclass"], row[number]


def _surveyed_height(row: Mapping[str, Any], end: str, ground: float | None) -> float | None:
    """Return the height of an end where it is more than ground minus depth: the crown's or the invert's, as measured."""
    height: float | None = row[f"{end}_crown"] if row["depth_reference"] == "top" else row[f"{end}_invert"]
    depth = row[f"{end}_depth"]
    if height is None or row["height_source"] == "survey" or depth is None or ground is None:
        return height
    return height if abs(ground - depth - height) > _AGREES else None


def _by_class(
    rows: Sequence[dict[str, Any]],
    layer: Layer,
    kind: str,
    columns: Mapping[str, tuple[str, float, str]],
    order: Sequence[str],
    lang: str,
) -> Iterator[PipeTable]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["class"] or "", row["subclass"] or ""), []).append(row)
    for (major, sub), members in sorted(groups.items()):
        title = _title(layer, "subclass", sub, lang) or _title(layer, "class", major, lang) or "-"
        members.sort(key=lambda row: [_natural(row[name]) for name in order])
        for row in members:
            row["status"] = _title(layer, "status", row["status"], "zh")  # a word of the standard, which readers know
        used = {name for name in columns if name in _ALWAYS or any(row[name] is not None for row in members)}
        shown = {name: column for name, column in columns.items() if name in used}
        yield PipeTable(f"{sub or major}{kind.title()}", kind, title, shown, members)


def _title(layer: Layer, field: str, code: str | None, lang: str) -> str | None:
    """Return the title of a code, the code itself where it has none."""
    described = layer.field_of(field)
    if described is None or code is None or code not in described.codes:
        return code
    return described.codes[code](lang)


def _natural(text: Any) -> list[tuple[int, Any]]:
    """Return a key by which W2 stands before W10."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in _DIGITS.split(str(text or "")) if part]


def write_pipe_tables(tables: Sequence[PipeTable], path: Path, heading: TableHeading, lang: str) -> int:
    """Write tables as one workbook (.xlsx), or as CSV files into a folder; return how many rows they have."""
    if path.suffix.lower() == ".xlsx":
        return write_workbook(path, [_sheet(table, heading, lang) for table in tables])
    path.mkdir(parents=True, exist_ok=True)
    for table in tables:
        _write_csv(table, path / f"{table.name}.csv")
    return sum(len(table.rows) for table in tables)


def _sheet(table: PipeTable, heading: TableHeading, lang: str) -> Sheet:
    lines = [
        render("pipe_table.heading", lang, {"project": heading.project, "name": table.class_title}),
        render("pipe_table.systems", lang, {"crs": heading.crs, "heights": heading.heights}),
        render("pipe_table.signatures", lang, {"date": heading.date}),
    ]
    columns = [Column(title, width, shown or "General") for title, width, shown in table.columns.values()]
    rows = [[row[name] for name in table.columns] for row in table.rows]
    title = render(f"pipe_table.{table.kind}_title", lang, {})
    return Sheet(table.name, title, columns, rows, lines, pages=render("report.pages", lang, {}))


def _write_csv(table: PipeTable, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([title for title, _, _ in table.columns.values()])
        for row in table.rows:
            writer.writerow([_cell(row[name], shown) for name, (_, _, shown) in table.columns.items()])
    part.replace(path)


def _cell(value: Any, shown: str) -> str:
    if value is None or pd.isna(value):
        return ""
    if not shown:
        return str(escape_formula(plain_text(value)))
    decimals = _CSV_DECIMALS[shown]
    exact = abs(value - round(value, decimals)) < _LEAST  # a depth told in millimetres keeps them
    return f"{value:.{decimals if exact else _MOST_DECIMALS}f}"
