"""The GeoPackage store as logical tables (`twin_model/store/copying.py`): their rows out, and into an empty store."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely

from twin_model.catalogue import Catalogue
from twin_model.layer import Layer
from twin_model.store.copying import columns_of, selection
from twin_model.store.geopackage.binary import bounds_of, header_bytes, to_blobs
from twin_model.store.geopackage.rtree import insert
from twin_model.store.geopackage.schema import history_of, indexed, unguarded, unindexed
from twin_model.store.select import quoted

__all__ = ["dump", "load"]

_ROWS = 20_000
_TABLES = {
    "changeset": "vgpkg_twin_changeset",
    "change": "vgpkg_twin_change",
    "touched": "rtree_twin_touched",
    "part": "vgpkg_twin_part",
    "alias": "vgpkg_twin_alias",
    "link": "vgpkg_twin_link",
    "blob": "vgpkg_twin_blob",
}
_LAYERS = (
    "SELECT t.layer, t.next_fid, t.features, t.version, t.next_planned, c.min_x, c.min_y, c.max_x, c.max_y "
    "FROM vgpkg_twin_layer t JOIN gpkg_contents c ON c.table_name = t.layer ORDER BY t.layer"
)


def dump(connection: sqlite3.Connection, catalogue: Catalogue, table: str) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a logical table in batches."""
    cursor = connection.execute(_LAYERS if table == "layer" else selection(catalogue, table, _place, _shown))
    while rows := cursor.fetchmany(_ROWS):
        yield rows


def _place(table: str) -> str:
    """Return the table a logical one lies in."""
    kind, _, name = table.partition(":")
    return quoted(name if kind == "now" else history_of(name)) if name else _TABLES[table]


def _shown(layer: Layer, column: str) -> str:
    """Return the expression of a column: geometry as ISO WKB, dates as texts (a column of SQLite's DATE has made a number
    of a bare year)."""
    field = layer.column_of(column)
    if column == "geom":
        return f"substr(geom, {header_bytes(layer) + 1})"
    if field is not None and field.type in ("date", "datetime"):
        return f"CAST({quoted(column)} AS TEXT)"
    return quoted(column)


def load(
    connection: sqlite3.Connection,
    catalogue: Catalogue,
    table: str,
    batches: Iterator[list[tuple[Any, ...]]],
    srs_id: int,
) -> None:
    """Put the rows of a logical table into an empty store."""
    if table == "layer":
        for batch in batches:
            _load_layers(connection, batch)
    elif ":" not in table:
        columns = columns_of(catalogue, table)
        text = f"INSERT INTO {_TABLES[table]} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        for batch in batches:
            connection.executemany(text, batch)
    else:
        kind, name = table.split(":", 1)
        layer = catalogue[name]
        with unguarded(connection, layer):
            unindexed(connection, layer)
            _load_rows(connection, layer, columns_of(catalogue, table), batches, srs_id, past=kind == "history")
            indexed(connection, layer)


def _load_layers(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    for layer, next_fid, features, version, planned, *box in rows:
        connection.execute(
            "UPDATE vgpkg_twin_layer SET next_fid = ?, features = ?, version = ?, next_planned = ? WHERE layer = ?",
            (next_fid, features, version, planned, layer),
        )
        connection.execute(
            "UPDATE gpkg_contents SET min_x = ?, min_y = ?, max_x = ?, max_y = ? WHERE table_name = ?",
            (*box, layer),
        )


def _load_rows(
    connection: sqlite3.Connection,
    layer: Layer,
    columns: tuple[str, ...],
    batches: Iterator[list[tuple[Any, ...]]],
    srs_id: int,
    *,
    past: bool,
) -> None:
    table = quoted(history_of(layer.id) if past else layer.id)
    text = f"INSERT INTO {table} ({', '.join(map(quoted, columns))}) VALUES ({', '.join('?' * len(columns))})"
    position = columns.index("geom") if layer.has_geometry else None
    keys: list[int] = []
    blobs: list[Any] = []
    for batch in batches:
        rows = [list(row) for row in batch]
        if position is not None:
            shapes = np.array([row[position] for row in rows] + [None], dtype=object)[:-1]
            for row, blob in zip(
                rows, to_blobs(layer, shapes, shapely.bounds(shapely.from_wkb(shapes)), srs_id), strict=True
            ):
                row[position] = blob
        start = connection.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()[0] if past else 0
        connection.executemany(text, rows)
        numbered = [start + 1 + n for n in range(len(rows))] if past else [row[0] for row in rows]
        filled = [n for n, row in enumerate(rows) if position is not None and row[position] is not None]
        keys += [numbered[n] for n in filled]
        blobs += [rows[n][position][:40] for n in filled if position is not None]
    if keys:
        tree = f"rtree_history_{layer.id}" if past else f"rtree_{layer.id}_geom"
        insert(connection, tree, np.array(keys, dtype=np.int64), bounds_of(layer, blobs))
