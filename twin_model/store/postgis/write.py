"""Writing a changeset into the PostGIS store: the SQL behind `twin_model/store/writing.py`, inside one transaction.

Rows go in by COPY in its binary form (`rows`), on a queue of their own: the server stores them while the next
are read and made ready. What all rows of a first load have in common is the table's default for its duration. The
writer's place is an advisory lock of the transaction, so versions are recorded one after the other; readers see the
state before until it commits.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, LiteralString, cast

import numpy as np
import psycopg
import shapely
from numpy.typing import NDArray
from psycopg import errors, sql

from twin_model.catalogue import Catalogue
from twin_model.changeset import Rows, Touched
from twin_model.layer import ATTRIBUTES, SEARCH_KEY, Layer
from twin_model.store.census import Census
from twin_model.store.layer_writer import LayerWriter, LinkRow, TimelineExtent, Writing, constants, row_columns
from twin_model.store.postgis import census as postgis_census
from twin_model.store.postgis.copy_queue import CopyQueue
from twin_model.store.postgis.flat_shapes import as_wkb, with_heights
from twin_model.store.postgis.parts import PartsWriter
from twin_model.store.postgis.rows import copy_rows
from twin_model.store.postgis.schema import (
    ensure_history_indexes,
    execute,
    history_of,
    indexed,
    set_defaults,
    srid_of,
    unindexed,
)
from twin_model.store.postgis.touched import keep_touched
from twin_model.store.select import quoted
from twin_model.store.succession import Succession
from twin_model.store.timeline import Place, Row, Steps, differing
from twin_model.store.touched import TouchedCells
from twin_model.store.writing import GENESIS
from twin_model.temporal import Instant

__all__ = ["BULK", "PostgisTransaction", "PostgisWriter", "RowCopy"]

_READ_AT_ONCE = 20_000
_LINK: LiteralString = "version, kind, from_fid, to_fid"

BULK = 5_000
"""From this many rows on, taking indexes away for a layer's first load costs less than filing row by row."""

Connection = psycopg.Connection[Any]


class PostgisTransaction:
    """The open write transaction of a PostGIS store (`writing.Transaction`)."""

    def __init__(self, queue: CopyQueue, catalogue: Catalogue, crs: str) -> None:
        self._queue, self._catalogue, self._crs = queue, catalogue, crs

    @property
    def _connection(self) -> Connection:
        return self._queue.connection

    def last(self) -> tuple[int, Instant | None, str]:
        text = "SELECT number, recorded, hash FROM twin_changeset ORDER BY number DESC LIMIT 1"
        row = self._connection.execute(text).fetchone()
        return row if row is not None else (0, None, GENESIS)

    def writer(self, layer: str, writing: Writing) -> LayerWriter:
        return PostgisWriter(self._catalogue[layer], writing, self._queue, self._crs)

    def fids(self, layer: str, ids: Sequence[str]) -> list[int]:
        text = f"SELECT fid FROM {quoted(layer)} WHERE id = ANY(%s)"
        return [row[0] for row in execute(self._connection, text, list(ids))]

    def keep_blobs(self, blobs: Iterable[tuple[str, bytes]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany("INSERT INTO twin_blob VALUES (%s, %b) ON CONFLICT DO NOTHING", blobs)

    def record(self, line: Mapping[str, Any]) -> None:
        ensure_history_indexes(self._connection)
        text = f"INSERT INTO twin_changeset ({', '.join(line)}) VALUES ({', '.join(['%s'] * len(line))})"
        execute(self._connection, text, *line.values())


class RowCopy:
    """Copies rows of a layer, given by column, into one of its tables; geometry is ISO WKB."""

    def __init__(self, layer: Layer, crs: str, table: str) -> None:
        self._layer, self._table, self._kinds, self._srid = layer, table, _kinds(layer), srid_of(crs)

    def __call__(self, connection: Connection, columns: Mapping[str, list[Any]]) -> None:
        """Put rows in; columns that hold nothing are left out."""
        columns = {name: values for name, values in columns.items() if values.count(None) < len(values)}
        if "geom" in columns:
            columns["geom"] = list(with_heights(self._layer, columns["geom"]))
        copy_rows(connection, self._table, columns, self._kinds, self._srid)


class PostgisWriter(LayerWriter):
    """Writes one layer: rows, parts, touched boxes. Values of the geometry column are ISO WKB."""

    def __init__(self, layer: Layer, writing: Writing, queue: CopyQueue, crs: str) -> None:
        super().__init__(layer, writing)
        self._queue = queue
        self._now, self._past = quoted(layer.id), quoted(history_of(layer.id))
        self._into_now, self._into_past = (RowCopy(layer, crs, table) for table in (layer.id, history_of(layer.id)))
        self._kinds, self._srid = _kinds(layer), srid_of(crs)
        self._parts = PartsWriter(queue, layer.id, writing.version, writing.scope)
        self._more = 0
        self._following: int | None = None
        self._bulk = False
        self._defaults: dict[str, str | int] = {}

    @property
    def _connection(self) -> Connection:
        return self._queue.connection

    def take_fids(self, count: int) -> int:
        if self._following is None:
            text = "SELECT next_fid FROM twin_layer WHERE layer = %s"
            self._following = int(self._connection.execute(text, (self.layer.id,)).fetchall()[0][0])
        first, self._following = self._following, self._following + count
        return first

    def ids_in_use(self, ids: list[str]) -> set[str]:
        text = (
            f"SELECT id FROM {self._now} WHERE id = ANY(%s) UNION SELECT id FROM {self._past} WHERE id = ANY(%s) "
            "UNION SELECT alias FROM twin_alias WHERE layer = %s AND alias = ANY(%s)"
        )
        return {row[0] for row in execute(self._connection, text, ids, ids, self.layer.id, ids)}

    def geometries(self, rows: Rows) -> list[Any]:
        return list(rows.wkb)

    def boxes(self, shapes: list[Any]) -> NDArray[np.float64]:
        return np.asarray(shapely.bounds(shapely.from_wkb(shapes)), dtype=np.float64)

    def wkb(self, shapes: list[Any]) -> list[bytes | None]:
        return shapes

    def insert(self, columns: Mapping[str, list[Any]], bounds: NDArray[np.float64]) -> None:
        rows = len(columns["fid"])
        if rows >= BULK:
            self.lighten()
        filled = self._without_constants(columns) if self._bulk else columns
        self._queue.submit(partial(self._into_now, columns=filled))
        self._more += rows

    def lighten(self) -> bool:
        """Take indexes away from a layer that was never written, is ours and that nobody reads; say whether."""
        self._bulk = self._bulk or _made_light(self._connection, self.layer)
        return self._bulk

    def complete(self) -> None:
        """Make the indexes again that were taken away, when the rows before are in."""
        if self._bulk:
            self._queue.submit(partial(set_defaults, layer=self.layer, before=self._defaults, after={}))
            self._queue.submit(partial(indexed, layer=self.layer))
            self._bulk, self._defaults = False, {}

    def _without_constants(self, columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Let the table know by default what all rows have in common; return what differs."""
        same = constants(columns)
        if same != self._defaults:
            self._queue.submit(partial(set_defaults, layer=self.layer, before=self._defaults, after=same))
            self._defaults = same
        return {name: values for name, values in columns.items() if name not in same}

    def current_rows(self, fids: Sequence[int]) -> dict[str, list[Any]]:
        columns = row_columns(self.layer)
        text = f"SELECT {_shown(self.layer, columns)} FROM {self._now} m WHERE m.fid = ANY(%s) ORDER BY m.fid"
        with self._connection.cursor(binary=True) as cursor:
            rows = cursor.execute(cast("sql.SQL", text), (list(fids),)).fetchall()
        values = zip(*rows, strict=True) if rows else ((),) * len(columns)
        return {name: list(column) for name, column in zip(columns, values, strict=True)}

    def succeed(self, both: Succession) -> None:
        """Within the database: the history's rows are made of the current ones, which then get what differs."""
        columns, version = row_columns(self.layer), self.writing.version
        into = f"INSERT INTO {self._past} ({', '.join(map(quoted, columns))}, version_to)"
        held = ", ".join(f"m.{quoted(name)}" for name in columns)
        text = f"{into} SELECT {held}, %s FROM {self._now} m WHERE m.fid = ANY(%s) ORDER BY m.fid"
        execute(self._connection, text, version, both.fids)
        given = {"valid_to": "p.since", "version_from": "%s"}
        ended = ", ".join(given.get(name, f"m.{quoted(name)}") for name in columns)
        text = (
            f"{into} SELECT {ended}, NULL FROM unnest(%s::bigint[], %s::text[]) AS p (fid, since) "
            f"JOIN {self._now} m ON m.fid = p.fid WHERE m.valid_from < p.since ORDER BY p.fid"
        )
        execute(self._connection, text, version, both.fids, both.since)
        self._give(both.differing(columns), both.after)

    def timelines(self, fids: Sequence[int], reach: TimelineExtent) -> dict[int, list[Row]]:
        if not fids:
            return {}
        columns = row_columns(self.layer)
        listed = _shown(self.layer, columns)
        text = f"SELECT NULL::bigint, NULL::bigint, {listed} FROM {self._now} m WHERE m.fid = ANY(%(fids)s)"
        if reach != "current":
            believed = "" if reach == "whole" else " AND m.version_to IS NULL"
            text += f' UNION ALL SELECT m."row", m.version_to, {listed} FROM {self._past} m WHERE m.fid = ANY(%(fids)s){believed}'
        names, timelines = ("_row", "version_to", *columns), defaultdict(list)
        with self._connection.cursor(binary=True) as cursor:
            for values in cursor.execute(cast("sql.SQL", text), {"fids": list(fids)}):
                row = dict(zip(names, values, strict=True))
                timelines[row["fid"]].append(row)
        return {fid: sorted(timelines[fid], key=lambda row: str(row["valid_from"])) for fid in fids if fid in timelines}

    def apply(self, todo: Steps) -> None:
        """Take rows out and put rows in; a row that stays in its table is changed where it lies, in what differs: where no
        indexed column does, PostgreSQL need not touch the indexes."""
        moves = todo.moves()
        if moves.closed:
            versions, keys = (list(column) for column in zip(*moves.closed, strict=True))
            text = (
                f"UPDATE {self._past} m SET version_to = v.version FROM unnest(%s::bigint[], %s::bigint[]) AS v (version, key) "
                'WHERE m."row" = v.key'
            )
            execute(self._connection, text, versions, keys)
        self._replace(moves.replaced)
        past = [row["_row"] for row in moves.take if row["_row"] is not None]
        now = [row["fid"] for row in moves.take if row["_row"] is None]
        for table, key, taken in ((self._now, "fid", now), (self._past, '"row"', past)):
            if taken:
                execute(self._connection, f"DELETE FROM {table} WHERE {key} = ANY(%s)", taken)
        put = [state for state in moves.put if state.current]
        self._put(self._into_now, put)
        self._put(self._into_past, [state for state in moves.put if not state.current], past=True)
        self._more += len(put) - len(now)

    def _replace(self, pairs: list[tuple[Row, Row]]) -> None:
        """Give current rows other values in what differs."""
        for names, rows in differing(pairs, row_columns(self.layer)).items():
            self._give(names, {name: [row[name] for row in rows] for name in ("fid", *names)})

    def _give(self, names: Sequence[str], rows: Mapping[str, list[Any]]) -> None:
        """Give current rows, named by fid, values in some columns; those that all share, as since when they are true, are
        sent once."""
        columns = {name: rows[name] for name in ("fid", *names)}
        if "geom" in columns:
            columns["geom"] = list(with_heights(self.layer, columns["geom"]))
        shared = {name: value for name, value in constants(columns).items() if name != "fid"}
        sent = [name for name in columns if name not in shared]
        values = {name: f"%s::{_ARRAYS[self._kinds[name]]}" for name in shared} | {
            name: f"v.{quoted(name)}" for name in sent[1:]
        }
        if "geom" in values:
            values["geom"] = f'ST_GeomFromWKB(v."geom", {self._srid})'
        text = (
            f"UPDATE {self._now} m SET {', '.join(f'{quoted(name)} = {value}' for name, value in values.items())} "
            f"FROM unnest({', '.join(f'%s::{_ARRAYS[self._kinds[name]]}[]' for name in sent)}) AS v ({', '.join(map(quoted, sent))}) "
            "WHERE m.fid = v.fid"
        )
        execute(self._connection, text, *shared.values(), *(columns[name] for name in sent))

    def _put(self, into: RowCopy, places: list[Place], *, past: bool = False) -> None:
        if not places:
            return
        columns = {name: [state.row[name] for state in places] for name in row_columns(self.layer)}
        if past:
            columns["version_to"] = [state.version_to for state in places]
        into(self._connection, columns)

    def keep_parts(self, fids: list[int], contents: list[bytes]) -> None:
        self._parts.keep(fids, contents, packed=self._bulk)

    def close_parts(self, fids: list[int]) -> None:
        self._parts.close(fids)

    def restore_parts(self, fids: list[int], version: int) -> list[tuple[int, bytes]]:
        return self._parts.restore(fids, version)

    def keep_aliases(self, renumbered: list[tuple[str, int]]) -> list[tuple[str, int]]:
        if not renumbered:
            return []
        text = (
            "INSERT INTO twin_alias (layer, alias, fid, version) SELECT %s, alias, fid, %s "
            "FROM unnest(%s::text[], %s::bigint[]) AS given (alias, fid) ON CONFLICT DO NOTHING RETURNING alias, fid"
        )
        aliases, fids = (list(column) for column in zip(*renumbered, strict=True))
        return self._connection.execute(text, (self.layer.id, self.writing.version, aliases, fids)).fetchall()

    def keep_links(self, links: list[tuple[str, int, int]]) -> list[LinkRow]:
        kinds, before, after = (list(column) for column in zip(*links, strict=True))
        text = (
            "INSERT INTO twin_link (version, kind, layer, from_fid, to_fid) SELECT %s, kind, %s, from_fid, to_fid "
            "FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS given (kind, from_fid, to_fid) ON CONFLICT DO NOTHING "
            f"RETURNING {_LINK}"
        )
        return self._connection.execute(text, (self.writing.version, self.layer.id, kinds, before, after)).fetchall()

    def restore_links(self, fids: list[int], version: int) -> tuple[list[LinkRow], list[LinkRow]]:
        new, layer = self.writing.version, self.layer.id
        chosen = "layer = %s AND (from_fid = ANY(%s) OR to_fid = ANY(%s))"
        made = self._connection.execute(
            "INSERT INTO twin_link (version, kind, layer, from_fid, to_fid) SELECT %s, kind, layer, from_fid, to_fid "
            f"FROM twin_link WHERE {chosen} AND version <= %s AND version_to > %s ON CONFLICT DO NOTHING RETURNING {_LINK}",
            (new, layer, fids, fids, version, version),
        ).fetchall()
        closed = self._connection.execute(
            f"UPDATE twin_link SET version_to = %s WHERE {chosen} AND version > %s AND version < %s AND version_to IS NULL "
            f"RETURNING {_LINK}",
            (new, layer, fids, fids, version, new),
        ).fetchall()
        return made, closed

    def expect(self, instant: Instant) -> None:
        text = "UPDATE twin_layer SET next_planned = least(next_planned, %s) WHERE layer = %s"
        self._connection.execute(text, (instant, self.layer.id))

    def overtaken(self) -> list[int]:
        moment, layer = self.writing.moment, self.layer.id
        text = "UPDATE twin_layer SET next_planned = NULL WHERE layer = %s AND next_planned <= %s RETURNING 1"
        if self._connection.execute(text, (layer, moment)).fetchone() is None:
            return []
        begun = (
            f"SELECT fid FROM {self._now} WHERE valid_to IS NOT NULL OR valid_from > (SELECT c.recorded FROM "
            "twin_layer t JOIN twin_changeset c ON c.number = t.version WHERE t.layer = %s) UNION "
            f"SELECT fid FROM {self._past} WHERE version_to IS NULL AND (valid_to IS NULL OR valid_to > %s)"
        )
        return [row[0] for row in execute(self._connection, begun, layer, moment)]

    def changed_since(self, fids: list[int], version: int) -> list[str]:
        text = (
            f"SELECT m.id FROM {self._now} m WHERE m.fid = ANY(%s) AND m.version_from > %s UNION "
            f"SELECT m.id FROM {self._past} m WHERE m.fid = ANY(%s) AND (m.version_from > %s OR m.version_to > %s) ORDER BY 1"
        )
        return [row[0] for row in execute(self._connection, text, fids, version, fids, version, version)]

    def census_stands(self) -> bool:
        return postgis_census.stands(self._connection, self.layer)

    def every_row(self, names: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
        columns = tuple(dict.fromkeys((*names, *(("geom",) if self.layer.has_geometry else ()))))
        for table, closed in ((self._now, "NULL::bigint"), (self._past, "m.version_to")):
            given = {name: _shown(self.layer, (name,)) for name in columns} | {"version_to": closed}
            text = f"SELECT {', '.join(given[name] for name in columns)} FROM {table} m"
            with self._connection.cursor("census", binary=True) as cursor:
                cursor.execute(cast("sql.SQL", text))
                while rows := cursor.fetchmany(_READ_AT_ONCE):
                    yield dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))

    def keep_census(self, census: Census, *, anew: bool) -> None:
        postgis_census.keep(self._connection, census, self.writing.version, anew=anew)

    def summarise(self, touched: Touched, cells: TouchedCells) -> None:
        self._parts.finish()
        self.complete()
        layer, version, box = self.layer.id, self.writing.version, touched.box or (None,) * 4
        keep_touched(self._connection, layer, version, cells)
        numbers = (touched.inserted, touched.updated, touched.terminated, touched.unchanged)
        text = f"INSERT INTO twin_change VALUES ({', '.join(['%s'] * 10)})"
        execute(self._connection, text, version, layer, *numbers, *box)
        self._connection.execute(
            "UPDATE twin_layer SET version = %s, next_fid = greatest(next_fid, %s), features = features + %s, min_x = least(min_x, %s), min_y = least(min_y, %s), "
            "max_x = greatest(max_x, %s), max_y = greatest(max_y, %s) WHERE layer = %s",
            (version, self._following, self._more, *box, layer),
        )


def _shown(layer: Layer, columns: Sequence[str]) -> str:
    return ", ".join(as_wkb(layer, "m.geom") if name == "geom" else f"m.{quoted(name)}" for name in columns)


def _made_light(connection: Connection, layer: Layer) -> bool:
    """The table is held until the load is committed, but readers do not look into a layer without a version."""
    text = "SELECT version FROM twin_layer WHERE layer = %s"
    if connection.execute(text, (layer.id,)).fetchall()[0][0]:
        return False
    try:
        with connection.transaction():
            execute(connection, f"LOCK TABLE {quoted(layer.id)} IN ACCESS EXCLUSIVE MODE NOWAIT")
            unindexed(connection, layer)
    except (errors.LockNotAvailable, errors.InsufficientPrivilege, errors.DependentObjectsStillExist):
        return False
    return True


def _kinds(layer: Layer) -> dict[str, str]:
    """Return for each column the form its values are sent in (`rows.encoded`)."""
    kinds = dict.fromkeys(("fid", "version_from", "version_to"), "int8") | {"min_zoom": "int4"}
    kinds |= dict.fromkeys(("id", "valid_from", "valid_to", "valid_precision"), "text") | {"geom": "geometry"}
    kinds |= dict.fromkeys((ATTRIBUTES, SEARCH_KEY), "text")
    return kinds | {each.name: _SENT.get(each.type, "text") for each in (*layer.fields, *layer.former_fields)}


_ARRAYS = {
    "int8": "bigint",
    "int4": "integer",
    "float8": "float8",
    "bool": "boolean",
    "text": "text",
    "geometry": "bytea",
}
"""What the values of a column are sent as where they change rows that stay."""

_SENT = {"integer": "int8", "number": "float8", "boolean": "bool"}
