"""A table as CSV: UTF-8 with a mark for spreadsheets, geometry as WKT, no text that a spreadsheet takes for a formula."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import shapely

from tiles.encodings.table_spool import GEOMETRY, TableSpool, decimals_of

__all__ = ["escaped_formula", "write_csv"]

_NUMBER = re.compile(r"[+-][0-9]+(\.[0-9]+)?")
_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(spool: TableSpool, part: Path) -> None:
    """Write the rows of a spool; the column of geometry is called `wkt`, x, y."""
    decimals = decimals_of(spool.form.crs)
    with part.open("w", encoding="utf-8-sig", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        names = spool.schema("text").names
        rows.writerow(escaped_formula("wkt" if name == GEOMETRY else name) for name in names)
        for batch in spool.batches("text"):
            columns = [_cells(batch.column(name).to_pylist(), name, decimals) for name in names]
            rows.writerows(zip(*columns, strict=True))


def escaped_formula(text: str) -> str:
    """Return a text that no spreadsheet runs: an apostrophe stands before one that begins like a formula.

    One that begins so behind apostrophes of its own gets one more, so that the text can be told from what was escaped. A plain
    number ("-1.5") runs nothing and stays.

    >>> [escaped_formula(text) for text in ("=1+1", "'=1", "a=b", "-1.5")]
    ["'=1+1", "''=1", 'a=b', '-1.5']
    """
    if not text.lstrip("'").startswith(_BEGIN_FORMULAS) or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"


def _cells(values: list[Any], name: str, decimals: int) -> Sequence[Any]:
    if name == GEOMETRY:
        return list(shapely.to_wkt(shapely.from_wkb(values), rounding_precision=decimals)) if values else []
    return [escaped_formula(value) if isinstance(value, str) else value for value in values]
