"""The census of a layer in a GeoPackage store (`twin_model/store/census.py`): its tables, written by a commit, read by tiles."""

import sqlite3
from collections.abc import Mapping, Sequence

import orjson

from twin_model.layer import Layer
from twin_model.store.census import Cells, Census, Instants, Range, rule_of

__all__ = ["CENSUS_TABLES", "keep", "read_cells", "read_instants", "read_ranges", "stands"]

CENSUS_TABLES = (
    "CREATE TABLE IF NOT EXISTS vgpkg_twin_census (layer TEXT PRIMARY KEY, version INTEGER NOT NULL, rule TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS vgpkg_twin_census_cell (layer TEXT NOT NULL, level INTEGER NOT NULL, place INTEGER NOT NULL, "
    "rows INTEGER NOT NULL, min_x REAL, min_y REAL, max_x REAL, max_y REAL, largest REAL, PRIMARY KEY (layer, level, place)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS vgpkg_twin_census_range (layer TEXT NOT NULL, name TEXT NOT NULL, low REAL, high REAL, "
    "PRIMARY KEY (layer, name)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS vgpkg_twin_census_instant (layer TEXT NOT NULL, instant TEXT NOT NULL, begins INTEGER NOT NULL, "
    "ends INTEGER NOT NULL, PRIMARY KEY (layer, instant)) WITHOUT ROWID",
)
"""What makes its tables where a store has none: one that an earlier program made."""


def stands(connection: sqlite3.Connection, layer: Layer) -> bool:
    """Say whether the census counts every row of a layer by today's rule; that of a layer never written does."""
    if not _has_tables(connection):
        return False
    text = (
        "SELECT t.version = 0 OR (c.version = t.version AND c.rule = ?) FROM vgpkg_twin_layer t "
        "LEFT JOIN vgpkg_twin_census c ON c.layer = t.layer WHERE t.layer = ?"
    )
    row = connection.execute(text, (rule_of(layer), layer.id)).fetchone()
    return bool(row and row[0])


def _has_tables(connection: sqlite3.Connection) -> bool:
    text = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'vgpkg_twin_census_instant'"
    return connection.execute(text).fetchone() is not None


def keep(connection: sqlite3.Connection, census: Census, version: int, *, anew: bool) -> None:
    """Add to a layer's census, or put this one in its place, as of a version; within the commit's transaction."""
    layer = census.layer.id
    if anew:
        for statement in CENSUS_TABLES:
            connection.execute(statement)
        for table in ("cell", "range", "instant"):
            connection.execute(f"DELETE FROM vgpkg_twin_census_{table} WHERE layer = ?", (layer,))
    connection.executemany(
        "INSERT INTO vgpkg_twin_census_cell VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, "
        "min_x = min(min_x, excluded.min_x), min_y = min(min_y, excluded.min_y), max_x = max(max_x, excluded.max_x), "
        "max_y = max(max_y, excluded.max_y), largest = max(largest, excluded.largest)",
        ((layer, *row) for row in census.cells().as_rows()),
    )
    connection.executemany(
        "INSERT INTO vgpkg_twin_census_range VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET "
        "low = min(low, excluded.low), high = max(high, excluded.high)",
        ((layer, name, *values) for name, values in census.ranges.items()),
    )
    connection.executemany(
        "INSERT INTO vgpkg_twin_census_instant VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET "
        "begins = begins + excluded.begins, ends = ends + excluded.ends",
        ((layer, *row) for row in census.instants()),
    )
    connection.execute("DELETE FROM vgpkg_twin_census_instant WHERE layer = ? AND begins = 0 AND ends = 0", (layer,))
    row = (layer, version, rule_of(census.layer))
    connection.execute("INSERT OR REPLACE INTO vgpkg_twin_census VALUES (?,?,?)", row)


def read_ranges(connection: sqlite3.Connection, layer: Layer) -> Mapping[str, Range] | None:
    if not stands(connection, layer):
        return None
    text = "SELECT name, low, high FROM vgpkg_twin_census_range WHERE layer = ?"
    return {name: (low, high) for name, low, high in connection.execute(text, (layer.id,))}


def read_cells(connection: sqlite3.Connection, layer: str, wanted: Sequence[tuple[int, int, int]]) -> Cells:
    text = (
        "SELECT c.level, c.place, c.rows, c.min_x, c.min_y, c.max_x, c.max_y, c.largest FROM json_each(?2) j "
        "CROSS JOIN vgpkg_twin_census_cell c ON c.layer = ?1 AND c.level = json_extract(j.value, '$[0]') "
        "AND c.place BETWEEN json_extract(j.value, '$[1]') AND json_extract(j.value, '$[2]')"
    )
    return Cells.from_rows(connection.execute(text, (layer, orjson.dumps(list(wanted)).decode())).fetchall())


def read_instants(connection: sqlite3.Connection, layer: Layer) -> Instants | None:
    if not stands(connection, layer):
        return None
    text = "SELECT instant, begins, ends FROM vgpkg_twin_census_instant WHERE layer = ?"
    rows = connection.execute(text, (layer.id,)).fetchall()
    begins, ends = ({row[0]: row[side] for row in rows if row[side]} for side in (1, 2))
    return Instants(begins, ends)
