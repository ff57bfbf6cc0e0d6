"""The touched boxes of a PostGIS store: one row for each cell of a layer (`store/touched.py`)."""

from typing import Any

import numpy as np
import psycopg

from twin_model.store.float32_box import rounded_outwards
from twin_model.store.touched import TouchedCells, gathered

__all__ = ["CREATE_CELLS", "keep_touched"]

CREATE_CELLS = "CREATE UNIQUE INDEX twin_touched_cell ON twin_touched(layer, cell)"
"""Boxes that came with a copy of a town, or before there were cells, have none: they stay as they are."""

_PUT = (
    "INSERT INTO twin_touched AS t (layer, version, cell, minx, miny, maxx, maxy) SELECT %s, * FROM unnest("
    "%s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[], %s::float8[]) "
    "ON CONFLICT (layer, cell) DO UPDATE SET version = excluded.version, minx = least(t.minx, excluded.minx), "
    "miny = least(t.miny, excluded.miny), maxx = greatest(t.maxx, excluded.maxx), maxy = greatest(t.maxy, excluded.maxy)"
)


def keep_touched(connection: "psycopg.Connection[Any]", layer: str, version: int, cells: TouchedCells) -> None:
    """Let cells of a layer be touched by a version, the newest; a cell that has a box already keeps it, widened."""
    _ensure_cells(connection)
    if len(cells.numbers):
        _put(connection, layer, np.full(len(cells.numbers), version, dtype=np.int64), cells)


def _put(connection: "psycopg.Connection[Any]", layer: str, versions: Any, cells: TouchedCells) -> None:
    columns = rounded_outwards(cells.boxes).astype(np.float64).T.tolist()
    connection.execute(_PUT, (layer, versions.tolist(), cells.numbers.tolist(), *columns))


def _ensure_cells(connection: "psycopg.Connection[Any]") -> None:
    """Give a table of an older store its column of cells, and gather the boxes that its versions have left."""
    text = "SELECT 1 FROM pg_attribute WHERE attrelid = 'twin_touched'::regclass AND attname = 'cell'"
    if connection.execute(text).fetchone() is not None:
        return
    connection.execute("ALTER TABLE twin_touched ADD COLUMN cell bigint")
    connection.execute(CREATE_CELLS)
    left = connection.execute("DELETE FROM twin_touched RETURNING layer, version, minx, miny, maxx, maxy").fetchall()
    for layer in sorted({row[0] for row in left}):
        rows = np.array([row[1:] for row in left if row[0] == layer], dtype=np.float64)
        cells, versions = gathered(rows[:, 1:], rows[:, 0].astype(np.int64))
        _put(connection, layer, versions, cells)
