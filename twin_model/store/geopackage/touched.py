"""The touched boxes of a GeoPackage: an R-tree of boxes, and beside it which box is that of which cell (`store/touched.py`)."""

import sqlite3

import numpy as np
import orjson
from numpy.typing import NDArray

from twin_model.store.touched import TouchedCells, gathered, joined

__all__ = ["keep_touched"]

_CREATE_CELLS = (
    "CREATE TABLE vgpkg_twin_touched_cell (layer TEXT NOT NULL, cell INTEGER NOT NULL, box INTEGER NOT NULL, "
    "PRIMARY KEY (layer, cell)) WITHOUT ROWID"
)
_PUT = "INSERT OR REPLACE INTO rtree_twin_touched (id, minx, maxx, miny, maxy, layer, version) VALUES (?,?,?,?,?,?,?)"


def keep_touched(connection: sqlite3.Connection, layer: str, version: int, cells: TouchedCells) -> None:
    """Let cells of a layer be touched by a version, the newest; a cell that has a box already keeps it, widened."""
    _ensure_cells(connection)
    known = _known_boxes(connection, layer, cells.numbers)
    boxes = np.full((len(cells.numbers), 4), np.nan)
    for place, number in enumerate(cells.numbers.tolist()):
        if number in known:
            boxes[place] = known[number][1:]
    first = _next_box(connection)
    new = [number for number in cells.numbers.tolist() if number not in known]
    keys = {number: key for number, (key, *_) in known.items()} | dict(
        zip(new, range(first, first + len(new)), strict=True)
    )
    rows = zip(cells.numbers.tolist(), joined(cells.boxes, boxes).tolist(), strict=True)
    connection.executemany(_PUT, ((keys[n], x0, x1, y0, y1, layer, version) for n, (x0, y0, x1, y1) in rows))
    _name_cells(connection, layer, [(number, keys[number]) for number in new])


def _known_boxes(
    connection: sqlite3.Connection, layer: str, numbers: NDArray[np.int64]
) -> dict[int, tuple[int, float, float, float, float]]:
    """Return by cell the key of its box and the box."""
    text = (
        "SELECT c.cell, c.box, r.minx, r.miny, r.maxx, r.maxy FROM json_each(?) j "
        "CROSS JOIN vgpkg_twin_touched_cell c ON c.layer = ? AND c.cell = j.value "
        "CROSS JOIN rtree_twin_touched r ON r.id = c.box AND r.layer = c.layer"
    )
    rows = connection.execute(text, (orjson.dumps(numbers.tolist()).decode(), layer))
    return {cell: (key, *box) for cell, key, *box in rows}


def _ensure_cells(connection: sqlite3.Connection) -> None:
    """Make the table of cells with a store's first commit, or gather the boxes that versions of an older program have left.

    An audit asks for no such table: which box a cell has carries no meaning, a wrong one is only widened.
    """
    if connection.execute("PRAGMA table_info(vgpkg_twin_touched_cell)").fetchone() is not None:
        return
    connection.execute(_CREATE_CELLS)
    left = connection.execute("SELECT layer, version, minx, miny, maxx, maxy FROM rtree_twin_touched").fetchall()
    connection.execute("DELETE FROM rtree_twin_touched")
    for layer in sorted({row[0] for row in left}):
        rows = np.array([row[1:] for row in left if row[0] == layer], dtype=np.float64)
        cells, versions = gathered(rows[:, 1:], rows[:, 0].astype(np.int64))
        keys = range(_next_box(connection), _next_box(connection) + len(versions))
        boxes = zip(keys, cells.boxes.tolist(), versions.tolist(), strict=True)
        connection.executemany(_PUT, ((key, x0, x1, y0, y1, layer, v) for key, (x0, y0, x1, y1), v in boxes))
        _name_cells(connection, layer, list(zip(cells.numbers.tolist(), keys, strict=True)))


def _next_box(connection: sqlite3.Connection) -> int:
    """Return a key that no box has: the R-tree itself would be read as a whole to find it."""
    text = "SELECT coalesce(max(rowid), 0) + 1 FROM rtree_twin_touched_rowid"
    return int(connection.execute(text).fetchone()[0])


def _name_cells(connection: sqlite3.Connection, layer: str, cells: list[tuple[int, int]]) -> None:
    text = "INSERT OR REPLACE INTO vgpkg_twin_touched_cell (layer, cell, box) VALUES (?,?,?)"
    connection.executemany(text, ((layer, number, key) for number, key in cells))
