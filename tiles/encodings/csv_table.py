"""A table as CSV: UTF-8 with a mark for spreadsheets, geometry as WKT, no text that a spreadsheet takes for a formula."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import shapely

from tiles.encodings.table_spool import GEOMETRY, TableSpool, decimals_of
from twin_model.formula_text import escape_formula

__all__ = ["write_csv"]


def write_csv(spool: TableSpool, part: Path) -> None:
    """Write the rows of a spool; the column of geometry is called `wkt`, x, y."""
    decimals = decimals_of(spool.form.crs)
    with part.open("w", encoding="utf-8-sig", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        names = spool.schema("text").names
        rows.writerow(escape_formula("wkt" if name == GEOMETRY else name) for name in names)
        for batch in spool.batches("text"):
            columns = [_cells(batch.column(name).to_pylist(), name, decimals) for name in names]
            rows.writerows(zip(*columns, strict=True))


def _cells(values: list[Any], name: str, decimals: int) -> Sequence[Any]:
    if name == GEOMETRY:
        return list(shapely.to_wkt(shapely.from_wkb(values), rounding_precision=decimals)) if values else []
    return [escape_formula(value) for value in values]
