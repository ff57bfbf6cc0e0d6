"""Filling an empty SQLite R-tree at once: boxes are packed into full nodes and the shadow tables written directly.

SQLite's own way inserts box by box and takes a third of a bulk load's time; packed nodes are also fuller, so queries
touch fewer of them. The layout is that of SQLite's rtree module (ext/rtree/rtree.c, "Database Format of R-Tree
Tables"): a node is depth (of the root), number of cells, then cells of a 64-bit id and float32 bounds, big-endian.
Boxes are rounded outwards to float32, as SQLite does. `rtreecheck` agrees, and a test says so.
"""

import sqlite3
from collections.abc import Iterator

import numpy as np
import orjson
from numpy.typing import NDArray

from twin_model.store.float32_box import rounded_outwards

__all__ = ["fill", "insert", "is_worth_packing", "pack", "replace", "write"]

_CELL = np.dtype([("id", ">i8"), ("bounds", ">f4", (4,))])
_MOST_CELLS = 51
_WORTH_PACKING = 2_000
_WORTH_PACKING_ANEW = 0.2
"""Where so large a share of a tree's boxes comes or moves, all of it is packed anew: a box put in costs as much as six packed."""
_AT_ONCE = 50_000
"""So many rows are handed to SQLite as one JSON text: it unpacks them three times as fast as they are bound one by one."""


Levels = list[NDArray[np.void]]
"""The cells of each level of a tree, leaves first, in the order of their nodes."""


def insert(connection: sqlite3.Connection, table: str, ids: NDArray[np.int64], bounds: NDArray[np.floating]) -> None:
    """Put boxes (minx, miny, maxx, maxy) of new ids into an R-tree; into an empty one, or where they are many beside what
    it holds, all at once."""
    if is_worth_packing(connection, table, len(ids)):
        fill(connection, table, ids, bounds)
    elif _are_many(connection, table, len(ids)):
        _pack_anew(connection, table, ids, bounds)
    else:
        rows = zip(ids.tolist(), *bounds[:, [0, 2, 1, 3]].T.tolist(), strict=True)
        connection.executemany(f'INSERT INTO "{table}" VALUES (?,?,?,?,?)', rows)


def replace(connection: sqlite3.Connection, table: str, ids: NDArray[np.int64], bounds: NDArray[np.float64]) -> None:
    """Give ids of an R-tree other boxes; those whose box is NaN have none any more."""
    placed = np.isfinite(bounds[:, 0])
    if _are_many(connection, table, len(ids)):
        _pack_anew(connection, table, ids, bounds)
        return
    connection.executemany(f'DELETE FROM "{table}" WHERE id = ?', zip(ids.tolist()))
    insert(connection, table, ids[placed], bounds[placed])


def _are_many(connection: sqlite3.Connection, table: str, boxes: int) -> bool:
    return boxes >= _WORTH_PACKING and boxes >= _WORTH_PACKING_ANEW * _size(connection, table)


def _size(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f'SELECT count(*) FROM "{table}_rowid"').fetchone()[0])


def _pack_anew(
    connection: sqlite3.Connection, table: str, ids: NDArray[np.int64], bounds: NDArray[np.floating]
) -> None:
    """Fill an R-tree with what it holds, but for the boxes of some ids, which are now others; its float32 bounds stay."""
    held = np.array(connection.execute(f'SELECT id, minx, miny, maxx, maxy FROM "{table}"').fetchall()).reshape(-1, 5)
    held_ids = held[:, 0].astype(np.int64)
    stays, placed = ~np.isin(held_ids, ids), np.isfinite(bounds[:, 0])
    _empty(connection, table)
    fill(
        connection,
        table,
        np.concatenate((held_ids[stays], ids[placed])),
        np.concatenate((held[stays, 1:], bounds[placed])),
    )


def _empty(connection: sqlite3.Connection, table: str) -> None:
    """Take everything out of an R-tree; its root stays, with as many bytes as before."""
    for below in ("rowid", "parent"):
        connection.execute(f'DELETE FROM "{table}_{below}"')
    connection.execute(f'DELETE FROM "{table}_node" WHERE nodeno > 1')
    connection.execute(f'UPDATE "{table}_node" SET data = zeroblob(length(data)) WHERE nodeno = 1')


def is_worth_packing(connection: sqlite3.Connection, table: str, boxes: int) -> bool:
    """Say whether an R-tree is empty and so many boxes come that they are better packed."""
    if boxes < _WORTH_PACKING:
        return False
    return _size(connection, table) == 0


def fill(connection: sqlite3.Connection, table: str, ids: NDArray[np.int64], bounds: NDArray[np.floating]) -> None:
    """Fill an empty R-tree with two dimensions; every node but the last of a level is full."""
    write(connection, table, pack(ids, bounds))


def pack(ids: NDArray[np.int64], bounds: NDArray[np.floating]) -> Levels:
    """Return the levels of a tree of boxes; this asks no database, so a thread may do it while SQLite does other things.

    Beside what it is given and returns, it needs 30 bytes a box.
    """
    outwards = rounded_outwards(bounds)
    order = _tiles(outwards)
    cells = np.empty(len(ids), dtype=_CELL)
    cells["id"] = ids[order]
    for place, column in enumerate((0, 2, 1, 3)):
        cells["bounds"][:, place] = outwards[order, column]
    levels = [cells]
    while len(levels[-1]) > _MOST_CELLS:
        levels.append(_parents(levels[-1]))
    return levels


def write(connection: sqlite3.Connection, table: str, levels: Levels) -> None:
    """Write a packed tree into an empty R-tree."""
    size = len(connection.execute(f'SELECT data FROM "{table}_node" WHERE nodeno = 1').fetchone()[0])
    first = _first_numbers(levels)
    for depth, level in enumerate(levels):
        _write_level(connection, table, level, depth, first, size, root_depth=len(levels) - 1)


def _tiles(bounds: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return an order in which runs of 51 boxes lie close together: sort-tile-recursive (Leutenegger et al. 1997)."""
    x, y = bounds[:, 0] + bounds[:, 2], bounds[:, 1] + bounds[:, 3]
    nodes = -(-len(x) // _MOST_CELLS)
    slices = int(np.ceil(np.sqrt(nodes)))
    by_x = np.argsort(x, kind="stable")
    slice_of = np.empty(len(x), dtype=np.int32)
    slice_of[by_x] = np.arange(len(x)) // (slices * _MOST_CELLS)
    del by_x
    return np.lexsort((y, slice_of))


def _parents(level: NDArray[np.void]) -> NDArray[np.void]:
    """Return one cell per node of a level; its id is filled in when nodes get their numbers."""
    starts = np.arange(0, len(level), _MOST_CELLS)
    cells = np.empty(len(starts), dtype=_CELL)
    bounds = level["bounds"]
    low = np.minimum.reduceat(bounds[:, [0, 2]], starts)
    high = np.maximum.reduceat(bounds[:, [1, 3]], starts)
    cells["bounds"] = np.column_stack((low[:, 0], high[:, 0], low[:, 1], high[:, 1]))
    return cells


def _first_numbers(levels: Levels) -> list[int]:
    """Return the number of the first node of each level: the root is 1, its children follow, the leaves come last."""
    numbers, following = [0] * len(levels), 1
    for depth in range(len(levels) - 1, -1, -1):
        numbers[depth] = following
        following += -(-len(levels[depth]) // _MOST_CELLS)
    for depth in range(1, len(levels)):
        levels[depth]["id"] = np.arange(len(levels[depth])) + numbers[depth - 1]
    return numbers


def _write_level(
    connection: sqlite3.Connection,
    table: str,
    level: NDArray[np.void],
    depth: int,
    first: list[int],
    size: int,
    *,
    root_depth: int,
) -> None:
    octets = level.view(np.uint8)
    head_of_root = (root_depth if depth == root_depth else 0).to_bytes(2, "big")

    def nodes() -> Iterator[tuple[int, bytes]]:
        for node, start in enumerate(range(0, len(level), _MOST_CELLS), start=first[depth]):
            cells = octets[start * _CELL.itemsize : (start + _MOST_CELLS) * _CELL.itemsize].tobytes()
            head = head_of_root + (len(cells) // _CELL.itemsize).to_bytes(2, "big")
            yield node, (head + cells).ljust(size, b"\0")

    connection.executemany(f'INSERT OR REPLACE INTO "{table}_node" VALUES (?,?)', nodes())
    below = "rowid" if depth == 0 else "parent"
    columns = "(rowid, nodeno)" if depth == 0 else "(nodeno, parentnode)"
    order = np.argsort(level["id"].astype(np.int64), kind="stable")
    for chunk in (order[start : start + _AT_ONCE] for start in range(0, len(order), _AT_ONCE)):
        owners = chunk // _MOST_CELLS + first[depth]
        pairs = dict(zip(level["id"][chunk].tolist(), owners.tolist(), strict=True))
        connection.execute(
            f'INSERT INTO "{table}_{below}" {columns} SELECT key, value FROM json_each(?)',
            (orjson.dumps(pairs, option=orjson.OPT_NON_STR_KEYS).decode(),),
        )
