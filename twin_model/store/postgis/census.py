"""The census of a layer in a PostGIS store (`twin_model/store/census.py`): its tables, written by a commit, read by tiles."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg

from twin_model.errors import StoreError
from twin_model.layer import Layer
from twin_model.store.census import Cells, Census, Instants, Range, rule_of

__all__ = ["CENSUS_TABLES", "STANDS", "keep", "read_cells", "read_instants", "read_ranges", "stands"]

CENSUS_TABLES = """
CREATE TABLE IF NOT EXISTS twin_census (layer text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, rule text NOT NULL);
CREATE TABLE IF NOT EXISTS twin_census_cell (layer text COLLATE "C" NOT NULL, level integer NOT NULL, place bigint NOT NULL,
  rows bigint NOT NULL, min_x double precision, min_y double precision, max_x double precision, max_y double precision,
  largest double precision, PRIMARY KEY (layer, level, place));
CREATE TABLE IF NOT EXISTS twin_census_range (layer text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, low double precision,
  high double precision, PRIMARY KEY (layer, name));
CREATE TABLE IF NOT EXISTS twin_census_instant (layer text COLLATE "C" NOT NULL, instant text COLLATE "C" NOT NULL,
  begins bigint NOT NULL, ends bigint NOT NULL, PRIMARY KEY (layer, instant));
"""
"""What makes its tables where a store has none: one that an earlier program made."""

STANDS = (
    "SELECT t.version = 0 OR (c.version = t.version AND c.rule = %s) FROM twin_layer t "
    "LEFT JOIN twin_census c ON c.layer = t.layer WHERE t.layer = %s"
)

Connection = psycopg.Connection[Any]
Ask = Callable[..., list[tuple[Any, ...]]]
"""Returns the rows of a statement with its parameters."""


def stands(connection: Connection, layer: Layer) -> bool:
    """Say whether the census counts every row of a layer by today's rule; that of a layer never written does."""
    if connection.execute("SELECT to_regclass('twin_census_instant') IS NULL").fetchall()[0][0]:
        return False
    row = connection.execute(STANDS, (rule_of(layer), layer.id)).fetchone()
    return bool(row and row[0])


def keep(connection: Connection, census: Census, version: int, *, anew: bool) -> None:
    """Add to a layer's census, or put this one in its place, as of a version; within the commit's transaction."""
    layer = census.layer.id
    if anew:
        connection.execute(CENSUS_TABLES)
        for table in ("cell", "range", "instant"):
            connection.execute(f"DELETE FROM twin_census_{table} WHERE layer = %s".encode(), (layer,))
    cells = census.cells()
    connection.execute(
        "INSERT INTO twin_census_cell AS c SELECT %s, * FROM unnest(%s::integer[], %s::bigint[], %s::bigint[], %s::float8[], "
        "%s::float8[], %s::float8[], %s::float8[], %s::float8[]) ON CONFLICT (layer, level, place) DO UPDATE SET "
        "rows = c.rows + excluded.rows, min_x = least(c.min_x, excluded.min_x), min_y = least(c.min_y, excluded.min_y), "
        "max_x = greatest(c.max_x, excluded.max_x), max_y = greatest(c.max_y, excluded.max_y), "
        "largest = greatest(c.largest, excluded.largest)",
        (
            layer,
            *(values.tolist() for values in (cells.levels, cells.places, cells.rows, *cells.boxes.T, cells.largest)),
        ),
    )
    ranges, instants = census.ranges, census.instants()
    connection.execute(
        "INSERT INTO twin_census_range AS r SELECT %s, * FROM unnest(%s::text[], %s::float8[], %s::float8[]) "
        "ON CONFLICT (layer, name) DO UPDATE SET low = least(r.low, excluded.low), high = greatest(r.high, excluded.high)",
        (layer, list(ranges), [low for low, _ in ranges.values()], [high for _, high in ranges.values()]),
    )
    connection.execute(
        "INSERT INTO twin_census_instant AS i SELECT %s, * FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) "
        "ON CONFLICT (layer, instant) DO UPDATE SET begins = i.begins + excluded.begins, ends = i.ends + excluded.ends",
        (layer, *([row[side] for row in instants] for side in range(3))),
    )
    connection.execute("DELETE FROM twin_census_instant WHERE layer = %s AND begins = 0 AND ends = 0", (layer,))
    connection.execute(
        "INSERT INTO twin_census VALUES (%s, %s, %s) ON CONFLICT (layer) DO UPDATE SET version = excluded.version, rule = excluded.rule",
        (layer, version, rule_of(census.layer)),
    )


def read_ranges(ask: Ask, layer: Layer) -> Mapping[str, Range] | None:
    if not _stands(ask, layer):
        return None
    rows = ask("SELECT name, low, high FROM twin_census_range WHERE layer = %s", layer.id)
    return {name: (low, high) for name, low, high in rows}


def read_cells(ask: Ask, layer: str, wanted: Sequence[tuple[int, int, int]]) -> Cells:
    text = (
        "SELECT c.level, c.place, c.rows, c.min_x, c.min_y, c.max_x, c.max_y, c.largest "
        "FROM unnest(%s::integer[], %s::bigint[], %s::bigint[]) AS w (level, first, last) "
        "JOIN twin_census_cell c ON c.layer = %s AND c.level = w.level AND c.place BETWEEN w.first AND w.last"
    )
    return Cells.from_rows(ask(text, *([each[side] for each in wanted] for side in range(3)), layer))


def read_instants(ask: Ask, layer: Layer) -> Instants | None:
    if not _stands(ask, layer):
        return None
    rows = ask("SELECT instant, begins, ends FROM twin_census_instant WHERE layer = %s", layer.id)
    begins, ends = ({row[0]: row[side] for row in rows if row[side]} for side in (1, 2))
    return Instants(begins, ends)


def _stands(ask: Ask, layer: Layer) -> bool:
    try:
        rows = ask(STANDS, rule_of(layer), layer.id)
    except StoreError as error:
        if isinstance(error.__cause__, psycopg.errors.UndefinedTable):  # an earlier program made none
            return False
        raise
    return bool(rows and rows[0][0])
