"""Writing a changeset into the PostGIS store: the SQL behind `twin_model/store/writing.py`, inside one transaction.

Rows go in by COPY in its binary form, on a lane of their own: the server stores them while the next are read and made
ready. What all rows of a first load have in common is the table's default for its duration. The writer's place is an
advisory lock of the transaction, so versions are recorded one after the other; readers see the state before until it
commits.
"""

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import psycopg
import shapely
from numpy.typing import NDArray
from psycopg import errors, sql

from twin_model.catalogue import Catalogue
from twin_model.changeset import Rows, Touched
from twin_model.layer import Layer
from twin_model.store.boxes import outwards
from twin_model.store.layer_writer import LayerWriter, Writing, constants, row_columns
from twin_model.store.postgis_lane import Lane
from twin_model.store.postgis_schema import execute, history_of, indexed, set_defaults, srid_of, unindexed
from twin_model.store.select import quoted
from twin_model.store.timeline import Place, Row, Steps
from twin_model.store.writing import GENESIS
from twin_model.temporal import Instant

__all__ = ["PostgisTransaction", "RowCopy"]

_BULK = 5_000
"""From this many rows on, taking indexes away for a layer's first load costs less than filing row by row."""

Connection = psycopg.Connection[Any]
Convert = Callable[[list[Any]], list[Any]]


class PostgisTransaction:
    """The open write transaction of a PostGIS store (`writing.Transaction`)."""

    def __init__(self, lane: Lane, catalogue: Catalogue, crs: str) -> None:
        self._lane, self._catalogue, self._crs = lane, catalogue, crs

    @property
    def _connection(self) -> Connection:
        return self._lane.connection

    def last(self) -> tuple[int, Instant | None, str]:
        text = "SELECT number, recorded, hash FROM twin_changeset ORDER BY number DESC LIMIT 1"
        row = self._connection.execute(text).fetchone()
        return row if row is not None else (0, None, GENESIS)

    def writer(self, layer: str, writing: Writing) -> LayerWriter:
        return PostgisWriter(self._catalogue[layer], writing, self._lane, self._crs)

    def fids(self, layer: str, ids: Sequence[str]) -> list[int]:
        text = f"SELECT fid FROM {quoted(layer)} WHERE id = ANY(%s)"
        return [row[0] for row in execute(self._connection, text, list(ids))]

    def keep_blobs(self, blobs: Iterable[tuple[str, bytes]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany("INSERT INTO twin_blob VALUES (%s, %b) ON CONFLICT DO NOTHING", blobs)

    def record(self, line: Mapping[str, Any]) -> None:
        text = f"INSERT INTO twin_changeset ({', '.join(line)}) VALUES ({', '.join(['%s'] * len(line))})"
        execute(self._connection, text, *line.values())


class RowCopy:
    """Copies rows of a layer, given by column, into one of its tables; geometry is ISO WKB."""

    def __init__(self, layer: Layer, crs: str, table: str) -> None:
        self._table, self._conversions = table, _conversions(layer, srid_of(crs))

    def __call__(self, connection: Connection, columns: Mapping[str, list[Any]]) -> None:
        """Put rows in; columns that hold nothing are left out."""
        self.copy(connection, self.ready(columns))

    def ready(self, columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Return the columns that hold something, their values of the types `copy` sends."""
        return {
            name: self._conversions[name][1](values)
            for name, values in columns.items()
            if values.count(None) < len(values)
        }

    def copy(self, connection: Connection, columns: Mapping[str, list[Any]]) -> None:
        """Send columns that are ready."""
        text = f"COPY {quoted(self._table)} ({', '.join(map(quoted, columns))}) FROM STDIN (FORMAT BINARY)"
        with connection.cursor() as cursor, cursor.copy(cast("sql.SQL", text)) as copy:
            copy.set_types([self._conversions[name][0] for name in columns])
            for row in zip(*columns.values(), strict=True):
                copy.write_row(row)


class PostgisWriter(LayerWriter):
    """Writes one layer: rows, parts, touched boxes. Values of the geometry column are ISO WKB."""

    def __init__(self, layer: Layer, writing: Writing, lane: Lane, crs: str) -> None:
        super().__init__(layer, writing)
        self._lane = lane
        self._now, self._past = quoted(layer.id), quoted(history_of(layer.id))
        self._into_now, self._into_past = (RowCopy(layer, crs, one) for one in (layer.id, history_of(layer.id)))  # fmt: skip
        self._more = self._last_part = 0
        self._following: int | None = None
        self._bulk = False
        self._defaults: dict[str, str | int] = {}

    @property
    def _connection(self) -> Connection:
        return self._lane.connection

    def take_fids(self, count: int) -> int:
        if self._following is None:
            text = "SELECT next_fid FROM twin_layer WHERE layer = %s"
            self._following = int(self._connection.execute(text, (self.layer.id,)).fetchall()[0][0])
        first, self._following = self._following, self._following + count
        return first

    def geometries(self, rows: Rows) -> list[Any]:
        return list(rows.wkb)

    def boxes(self, shapes: list[Any]) -> NDArray[np.float64]:
        return np.asarray(shapely.bounds(shapely.from_wkb(shapes)), dtype=np.float64)

    def insert(self, columns: Mapping[str, list[Any]], bounds: NDArray[np.float64]) -> None:
        rows = len(columns["fid"])
        if rows >= _BULK and not self._bulk:
            self._bulk = _made_light(self._connection, self.layer)
        said = self._into_now.ready(columns)
        if self._bulk:
            said = self._without_constants(said)
        self._lane.then(partial(self._into_now.copy, columns=said))
        self._more += rows

    def _without_constants(self, columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Let the table know by default what all rows have in common; return what differs."""
        same = constants(columns)
        if same != self._defaults:
            self._lane.then(partial(set_defaults, layer=self.layer, before=self._defaults, after=same))
            self._defaults = same
        return {name: values for name, values in columns.items() if name not in same}

    def timelines(self, fids: Sequence[int], *, whole: bool = False) -> dict[int, list[Row]]:
        columns = row_columns(self.layer)
        listed = ", ".join("ST_AsBinary(m.geom, 'NDR')" if c == "geom" else f"m.{quoted(c)}" for c in columns)
        believed = "" if whole else " AND m.version_to IS NULL"
        text = (f"SELECT NULL::bigint, NULL::bigint, {listed} FROM {self._now} m WHERE m.fid = ANY(%s) UNION ALL "
                f'SELECT m."row", m.version_to, {listed} FROM {self._past} m WHERE m.fid = ANY(%s){believed}')  # fmt: skip
        names, found = ("_row", "version_to", *columns), defaultdict(list)
        with self._connection.cursor(binary=True) as cursor:
            for values in cursor.execute(cast("sql.SQL", text), (list(fids), list(fids))):
                row = dict(zip(names, values, strict=True))
                found[row["fid"]].append(row)
        return {
            fid: sorted(found[fid], key=lambda row: str(row["valid_from"])) for fid in fids if fid in found
        }

    def apply(self, todo: Steps) -> None:
        past = [row["_row"] for row in todo.take if row["_row"] is not None]
        now = [row["fid"] for row in todo.take if row["_row"] is None]
        for table, key, taken in ((self._now, "fid", now), (self._past, '"row"', past)):
            if taken:
                execute(self._connection, f"DELETE FROM {table} WHERE {key} = ANY(%s)", taken)
        put = [one for one in todo.put if one.current]
        self._put(self._into_now, put)
        self._put(self._into_past, [one for one in todo.put if not one.current], "version_to")
        self._more += len(put) - len(now)

    def _put(self, into: RowCopy, places: list[Place], *more: str) -> None:
        if not places:
            return
        rows = [one.row | {"version_to": one.version_to} for one in places]
        into(
            self._connection,
            {name: [row[name] for row in rows] for name in (*row_columns(self.layer), *more)},
        )

    def keep_parts(self, fids: list[int], contents: list[bytes]) -> None:
        if min(fids, default=0) > self._last_part and len(set(fids)) == len(fids):
            self._copy_parts(fids, contents)
        else:
            self._replace_parts(dict(zip(fids, contents, strict=True)))
        self._last_part = max(self._last_part, max(fids, default=0))

    def _copy_parts(self, fids: list[int], contents: list[bytes]) -> None:
        """Keep parts of features of which this version has kept none yet."""
        layer, scope, version = self.layer.id, self.writing.scope, self.writing.version

        def copied(connection: Connection) -> None:
            text = "COPY twin_part (layer, fid, part, content, scope, series, version_from) FROM STDIN (FORMAT BINARY)"
            with connection.cursor() as cursor, cursor.copy(text) as copy:
                copy.set_types(["text", "int8", "int4", "bytea", "text", "text", "int8"])
                for fid, content in zip(fids, contents, strict=True):
                    copy.write_row((layer, fid, 0, content, scope.name, scope.series, version))

        self._lane.then(copied)

    def _replace_parts(self, parts: Mapping[int, bytes]) -> None:
        scope = self.writing.scope
        self._connection.execute(
            "INSERT INTO twin_part (layer, fid, part, content, scope, series, version_from) "
            "SELECT %s, fid, 0, content, %s, %s, %s FROM unnest(%b::bigint[], %b::bytea[]) AS delivered (fid, content) "
            "ON CONFLICT (layer, fid, part, version_from) DO UPDATE SET content = excluded.content, scope = excluded.scope, "
            "series = excluded.series, version_to = NULL",
            (
                self.layer.id,
                scope.name,
                scope.series,
                self.writing.version,
                list(parts),
                list(parts.values()),
            ),
        )

    def close_parts(self, fids: list[int]) -> None:
        text = "UPDATE twin_part SET version_to = %s WHERE layer = %s AND version_to IS NULL AND version_from < %s AND fid = ANY(%s)"
        version = self.writing.version
        self._connection.execute(text, (version, self.layer.id, version, fids))

    def restore_parts(self, fids: list[int], version: int) -> list[tuple[int, bytes]]:
        new, layer = self.writing.version, self.layer.id
        text = "UPDATE twin_part SET version_to = %s WHERE layer = %s AND version_to IS NULL AND version_from > %s AND fid = ANY(%s)"
        self._connection.execute(text, (new, layer, version, fids))
        again = ("INSERT INTO twin_part (layer, fid, part, content, scope, series, version_from) "
                 "SELECT layer, fid, part, content, scope, series, %s FROM twin_part "
                 "WHERE layer = %s AND fid = ANY(%s) AND version_from <= %s AND version_to > %s RETURNING fid, content")  # fmt: skip
        return self._connection.execute(again, (new, layer, fids, version, version)).fetchall()

    def keep_aliases(self, renumbered: list[tuple[str, int]]) -> None:
        if renumbered:
            self._connection.execute(
                "INSERT INTO twin_alias (layer, alias, fid, version) SELECT %s, alias, fid, %s "
                "FROM unnest(%s::text[], %s::bigint[]) AS given (alias, fid) ON CONFLICT DO NOTHING",
                (self.layer.id, self.writing.version, [one for one, _ in renumbered], [fid for _, fid in renumbered]),
            )  # fmt: skip

    def expect(self, instant: Instant) -> None:
        text = "UPDATE twin_layer SET next_planned = least(next_planned, %s) WHERE layer = %s"
        self._connection.execute(text, (instant, self.layer.id))

    def overtaken(self) -> list[int]:
        moment, layer = self.writing.moment, self.layer.id
        text = "UPDATE twin_layer SET next_planned = NULL WHERE layer = %s AND next_planned <= %s RETURNING 1"
        if self._connection.execute(text, (layer, moment)).fetchone() is None:
            return []
        begun = (f"SELECT fid FROM {self._now} WHERE valid_to IS NOT NULL OR valid_from > %s UNION "
                 f"SELECT fid FROM {self._past} WHERE version_to IS NULL AND (valid_to IS NULL OR valid_to > %s)")  # fmt: skip
        return [row[0] for row in execute(self._connection, begun, moment, moment)]

    def changed_since(self, fids: list[int], version: int) -> list[str]:
        text = (f"SELECT m.id FROM {self._now} m WHERE m.fid = ANY(%s) AND m.version_from > %s UNION "
                f"SELECT m.id FROM {self._past} m WHERE m.fid = ANY(%s) AND (m.version_from > %s OR m.version_to > %s) ORDER BY 1")  # fmt: skip
        return [row[0] for row in execute(self._connection, text, fids, version, fids, version, version)]

    def summarise(self, touched: Touched, cells: NDArray[np.float64]) -> None:
        if self._bulk:
            set_defaults(self._connection, self.layer, self._defaults, {})
            indexed(self._connection, self.layer)
        layer, version, box = self.layer.id, self.writing.version, touched.box or (None,) * 4
        if len(cells):
            minx, miny, maxx, maxy = outwards(cells).astype(np.float64).T.tolist()
            self._connection.execute(
                "INSERT INTO twin_touched SELECT %s, %s, * FROM unnest(%s::float8[], %s::float8[], %s::float8[], %s::float8[])",
                (layer, version, minx, miny, maxx, maxy),
            )
        numbers = (touched.inserted, touched.updated, touched.terminated, touched.unchanged)
        text = f"INSERT INTO twin_change VALUES ({', '.join(['%s'] * 10)})"
        execute(self._connection, text, version, layer, *numbers, *box)
        self._connection.execute(
            "UPDATE twin_layer SET version = %s, next_fid = greatest(next_fid, %s), features = features + %s, min_x = least(min_x, %s), min_y = least(min_y, %s), "
            "max_x = greatest(max_x, %s), max_y = greatest(max_y, %s) WHERE layer = %s",
            (version, self._following, self._more, *box, layer),
        )


def _made_light(connection: Connection, layer: Layer) -> bool:
    """Take indexes away from a layer that was never written, is ours and that nobody reads; say whether.

    The table is held until the load is committed, but readers do not look into a layer without a version.
    """
    text = "SELECT version FROM twin_layer WHERE layer = %s"
    if connection.execute(text, (layer.id,)).fetchall()[0][0]:
        return False
    try:
        with connection.transaction():
            execute(connection, f"LOCK TABLE {quoted(layer.id)} IN ACCESS EXCLUSIVE MODE NOWAIT")
            unindexed(connection, layer)
    except (errors.LockNotAvailable, errors.InsufficientPrivilege):
        return False
    return True


def _conversions(layer: Layer, srid: int) -> dict[str, tuple[str, Convert]]:
    """Return for each column its type in COPY's binary form and what makes its values of that type."""
    types = dict.fromkeys(("fid", "version_from", "version_to"), "int8") | {
        "min_zoom": "int4",
        "geom": "bytea",
    }
    types |= dict.fromkeys(("id", "valid_from", "valid_to", "valid_precision"), "text")
    types |= {one.name: _COPIED.get(one.type, "text") for one in layer.fields}
    made: dict[str, Convert] = {
        "int8": _whole,
        "int4": _whole,
        "float8": _numbers,
        "bool": _truths,
        "text": _texts,
    }
    return {name: (kind, _with_srid(srid) if name == "geom" else made[kind]) for name, kind in types.items()}


_COPIED = {"integer": "int8", "number": "float8", "boolean": "bool"}


def _whole(values: list[Any]) -> list[Any]:
    if _are(values, int):
        return values
    return [None if value is None or value != value else int(value) for value in values]


def _numbers(values: list[Any]) -> list[Any]:
    """Return doubles; what is not a number is unknown, as SQLite has it."""
    return [None if value is None or value != value else float(value) for value in values]


def _truths(values: list[Any]) -> list[Any]:
    if _are(values, bool):
        return values
    return [None if value is None or value != value else bool(value) for value in values]


def _texts(values: list[Any]) -> list[Any]:
    if _are(values, str):
        return values
    return [value if value is None or type(value) is str else str(value) for value in values]


def _are(values: list[Any], kind: type) -> bool:
    """Say whether values are of one type already, or unknown."""
    return set(map(type, values)) <= {kind, type(None)}


def _with_srid(srid: int) -> Convert:
    """Return what puts the number of the CRS into WKB (little endian): PostGIS's own form of it."""
    number = struct.pack("<i", srid)

    def extended(values: list[Any]) -> list[Any]:
        return [
            None if one is None else one[:4] + bytes((one[4] | 0x20,)) + number + one[5:] for one in values
        ]

    return extended
