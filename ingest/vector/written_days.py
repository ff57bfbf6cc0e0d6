"""Days as a source has them written, where GDAL reads another day or none without a word: 2023-02-29 as 2023-03-01.

Days of GeoJSON come as texts (`ingest/vector/file.py` asks for them so), those of a shapefile's table are read in
`ingest/vector/dbf_numbers.py`. What a text means is read in `ingest/values.py`.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyogrio.raw import read as read_raw

from ingest.vector.stream import Column, TextColumn

__all__ = [
    "OddDays",
    "day_columns",
    "may_be_odd",
    "odd_days_of_database",
    "read_days",
    "time_columns",
    "with_odd_days",
]

OddDays = dict[str, dict[int, str]]
"""GDAL's name of a column -> feature id -> the text that stands there."""

_PLAIN = "{0} NOT GLOB '????-0[1-9]-[0-2][1-8]{1}' AND {0} NOT GLOB '????-1[0-2]-[0-2][1-8]{1}'"
"""Most days are told by their form, at a tenth of what reading them costs."""

_AFTER_SHORT_MONTHS = {None, "", "03-01", "03-02", "03-03", "05-01", "07-01", "10-01", "12-01"}
"""What GDAL makes of days that do not exist, as February 29: none, or one of these."""

_IS_ODD = {
    "OFTDate": _PLAIN.format("{0}", "") + " AND {0} IS NOT strftime('%Y-%m-%d', {0}, '+0 days')",
    "OFTDateTime": _PLAIN.format("{0}", "T*") + " AND strftime('%s', {0}) IS NULL",
}
"""Whether SQLite finds another day in a text than the text says, or none; of times GDAL keeps the day that is written."""


def day_columns(about: Mapping[str, Any]) -> list[str]:
    """Return the columns of days of a layer (`about` it is what `pyogrio.read_info` says), without those of times."""
    return [name for name, kind in zip(about["fields"], about["ogr_types"], strict=True) if kind == "OFTDate"]


def time_columns(about: Mapping[str, Any]) -> set[str]:
    """Return the columns of days and of times of a layer."""
    return {name for name, kind in zip(about["fields"], about["ogr_types"], strict=True) if kind in _IS_ODD}


def read_days(address: str, layer: str, columns: Sequence[str], start: int, rows: int) -> list[NDArray[Any]]:
    """Return columns of days of some rows as texts "2023/02/29", also where there is no such day; None for none."""
    names = ", ".join(f"CAST({_quoted(name)} AS character(32)) AS day_{n}" for n, name in enumerate(columns))
    sql = f"SELECT {names} FROM {_quoted(layer)}"
    return list(
        read_raw(address, sql=sql, sql_dialect="OGRSQL", read_geometry=False, skip_features=start, max_features=rows)[3]
    )


def odd_days_of_database(path: Path, layer: str, about: Mapping[str, Any]) -> OddDays:
    """Return the texts in columns of days and times of a GeoPackage or SpatiaLite that are no day, or are written otherwise."""
    kinds = zip(about["fields"].tolist(), about["ogr_types"], strict=True)
    asked = {name: _IS_ODD[kind] for name, kind in kinds if kind in _IS_ODD}
    number = _quoted(about["fid_column"] or "rowid")
    odd: OddDays = {}
    if not asked:
        return odd
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            for name, condition in asked.items():
                column = _quoted(name)
                sql = f"SELECT {number}, {column} FROM {_quoted(layer)} WHERE typeof({column}) = 'text' AND {condition.format(column)}"
                odd |= {name: texts} if (texts := dict(db.execute(sql))) else {}
    except (sqlite3.Error, UnicodeDecodeError):  # a view, a table under another name: as GDAL reads it
        return {}
    return odd


def may_be_odd(column: Column) -> bool:
    """Return whether days or times as GDAL gives them may stand for odd texts: some are missing, or follow a shorter month."""
    if isinstance(column, TextColumn):
        values = [*column.distinct.tolist(), *([None] if (column.codes < 0).any() else [])]
    else:
        values = column.astype(str).tolist() if column.dtype.kind == "M" else column.tolist()
    return not _AFTER_SHORT_MONTHS.isdisjoint({None if value is None else value[5:] for value in values})


def with_odd_days(column: NDArray[Any], fids: NDArray[np.int64], texts: Mapping[int, str]) -> NDArray[Any]:
    """Return a column of some features with the texts of those whose day is odd."""
    rows = [row for row, fid in enumerate(fids.tolist()) if fid in texts]
    if not rows:
        return column
    whole = column.astype(str).astype(object) if column.dtype.kind == "M" else column.astype(object)
    whole[whole == "NaT"] = None
    whole[rows] = [texts[int(fids[row])] for row in rows]
    return whole


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
