"""Control points of a local grid: a table (CSV, XLSX) of places known both in the grid and in the target system.

    点号,源X,源Y,目标X,目标Y             heights: 源H, 目标H; English headings too: point, source_x, ...
    K1,12000.000,8000.000,3888000.000,618000.000

X is north by the custom of surveys and east by that of drawings: the caller says which (`axes`), or the headings do
(源东, 源北; source_east, source_north; 源L, 源B in degrees). How a grid is fitted stands in `twin_model/local_grid.py`.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.place import TownPlace, causes_of
from ingest.tables import TextTable, read_tables
from twin_model.errors import CalledWrongly, SourceRefused
from twin_model.local_grid import Control, GridFit, Model, fit_grid

__all__ = ["AXES", "ensure_good", "ensure_in_town", "read_control"]

AXES = ("xy", "yx")
"""What X and Y of a table are: "xy" east and north, "yx" north and east."""

_SIDES = {"source": ("源", "原", "旧", "地方", "独立", "source", "src", "local", "old"),
          "target": ("目标", "新", "国家", "target", "dst", "new")}  # fmt: skip
_AXES = {
    "x": "x",
    "y": "y",
    "e": "east",
    "east": "east",
    "东": "east",
    "l": "east",
    "lon": "east",
    "经度": "east",
    "n": "north",
    "north": "north",
    "北": "north",
    "b": "north",
    "lat": "north",
    "纬度": "north",
    "h": "height",
    "z": "height",
    "height": "height",
    "高": "height",
    "高程": "height",
}
_NUMBERS = {"点号", "点名", "点", "point", "name", "id", "no", "number"}
_HEADINGS = ["点号", "源X", "源Y", "目标X", "目标Y", "point", "source_x", "source_y", "target_x", "target_y"]

_CLEARLY_BETTER = 10.0

Column = tuple[str, str]
"""Side ("source", "target") and axis ("x", "y", "east", "north", "height") of a column."""


def read_control(path: Path, *, axes: str | None = None, source_axes: str | None = None) -> Control:
    """Return the control points of the first table with their headings, as east, north, height.

    Raises SourceRefused for what is no such table or holds what is no number, CalledWrongly where X and Y are headings
    and nobody says which of them is north.
    """
    for table in read_tables(path):
        columns = _columns(table)
        if columns is not None:
            return _control(table, columns, {"source": source_axes or axes, "target": axes})
    raise SourceRefused("georeference.no_heading", source=path.name, expected=_HEADINGS)


def _columns(table: TextTable) -> dict[Column | None, int] | None:
    """Return column -> its number in the table (None: the point's number); None where the headings are none of ours."""
    columns: dict[Column | None, int] = {}
    for number, heading in enumerate(table.rows[0] if table.rows else ()):
        words = re.sub(r"[\s_]|坐标|\(.*\)|（.*）", "", heading.lower())
        if words in _NUMBERS:
            columns.setdefault(None, number)
        for side, names in _SIDES.items():
            name = next((prefix for prefix in names if words.startswith(prefix)), None)
            if name is not None and words.removeprefix(name) in _AXES:
                columns[side, _AXES[words.removeprefix(name)]] = number
    whole = all(
        {(side, "x"), (side, "y")} <= set(columns) or {(side, "east"), (side, "north")} <= set(columns)
        for side in _SIDES
    )
    return columns if whole and None in columns else None


def _control(table: TextTable, columns: Mapping[Column | None, int], axes: Mapping[str, str | None]) -> Control:
    rows = [(number, row) for number, row in zip(table.numbers[1:], table.rows[1:], strict=True) if any(row)]
    names = tuple(_cell(row, columns[None]) for _, row in rows)
    if len(set(names)) < len(names) or "" in names:
        repeated = sorted({number for number in names if names.count(number) > 1 or not number})
        raise SourceRefused("georeference.repeated", source=table.file, numbers=repeated)
    sides = [_side(table, rows, columns, side, axes[side]) for side in ("source", "target")]
    return Control(names, sides[0], sides[1])


def _side(
    table: TextTable,
    rows: list[tuple[int, list[str]]],
    columns: Mapping[Column | None, int],
    side: str,
    axes: str | None,
) -> NDArray[np.float64]:
    """Return east, north, height of all points on one side; a height that nobody gives is NaN."""
    order = ("east", "north") if (side, "east") in columns else None
    if order is None and axes not in AXES:
        raise CalledWrongly("georeference.axes_unsaid", source=table.file)
    order = order or (("x", "y") if axes == "xy" else ("y", "x"))
    xyz = np.full((len(rows), 3), np.nan)
    for axis, name in enumerate((*order, "height")):
        if (side, name) not in columns:
            continue
        for row, (number, cells) in enumerate(rows):
            text = _cell(cells, columns[side, name])
            try:
                xyz[row, axis] = float(text) if text or axis < 2 else np.nan
            except ValueError:
                values = {"source": table.file, "row": number, "value": text}
                raise SourceRefused("georeference.no_number", **values) from None
    return xyz


def _cell(row: list[str], column: int) -> str:
    return row[column].strip() if column < len(row) else ""


def ensure_in_town(control: Control, target_crs: str, town: TownPlace, source: str) -> None:
    """Refuse control points whose target coordinates do not lie in the town, by the rule of all readers."""
    east, north = control.target[:, 0], control.target[:, 1]
    causes = [cause for cause in causes_of(east, north, target_crs, town) if cause is not None]
    if not causes:
        return
    values = {"source": source, "count": len(causes), "total": len(control), "crs": target_crs, "likely": causes[0].crs}
    values |= {"x": float(east[0]), "y": float(north[0])}
    swapped = causes[0].rule == "geometry.axes_swapped"
    raise SourceRefused("georeference.target_swapped" if swapped else "georeference.target_elsewhere", **values)


def ensure_good(fit: GridFit, control: Control, model: Model, *, limit: float) -> None:
    """Refuse a grid with a residual above the limit (metres): it says who does not fit, and what would fit better."""
    grid = fit.grid
    if float(fit.lengths.max()) <= limit and not grid.is_mirrored:
        return
    values = {
        "name": grid.name,
        "limit": limit,
        "rmse": round(fit.rmse, 3),
        "worst": round(float(fit.lengths.max()), 3),
    }
    crs = {"target_crs": grid.target_crs, "source_crs": grid.source_crs}
    if model != "bursa":
        turned = fit_grid(control.with_source_swapped(), model, grid.name, **crs)
        usual, better = float(np.median(fit.lengths)), float(np.median(turned.lengths))
        if grid.is_mirrored or better < usual / _CLEARLY_BETTER:
            raise CalledWrongly("georeference.source_swapped", **values, usual=round(usual, 3), better=round(better, 3))
    if fit.outliers:
        raise CalledWrongly(
            "georeference.outliers", **values, outliers=list(fit.outliers), without=",".join(fit.outliers)
        )
    raise CalledWrongly("georeference.wild", **values)
