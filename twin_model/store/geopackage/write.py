"""Writing a changeset into the GeoPackage store: the SQL behind `twin_model/store/writing.py`, inside `BEGIN IMMEDIATE`."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.changeset import Rows, Touched
from twin_model.layer import Layer
from twin_model.store.census import Census
from twin_model.store.changeset_select import changeset_indexes
from twin_model.store.float32_box import rounded_outwards
from twin_model.store.geopackage import census as gpkg_census
from twin_model.store.geopackage.binary import bounds_of, header_bytes, to_blobs
from twin_model.store.geopackage.box_queue import BoxQueue
from twin_model.store.geopackage.rtree import insert, is_worth_packing, pack, write
from twin_model.store.geopackage.schema import history_of, indexed, unguarded, unindexed
from twin_model.store.geopackage.touched import keep_touched
from twin_model.store.layer_writer import LayerWriter, LinkRow, TimelineExtent, Writing, constants, row_columns
from twin_model.store.select import quoted
from twin_model.store.succession import Succession
from twin_model.store.timeline import Row, Steps, differing
from twin_model.store.touched import TouchedCells
from twin_model.store.writing import GENESIS
from twin_model.temporal import Instant

__all__ = ["GeoPackageTransaction"]

_BULK = 5_000
"""From this many rows on, taking guards and indexes away for the load costs less than asking them row by row."""


_READ_AT_ONCE = 20_000
_LINK = "version, kind, from_fid, to_fid"

_PLACES = (
    "CREATE TEMP TABLE IF NOT EXISTS twin_place (fid INTEGER PRIMARY KEY, since TEXT, closed INTEGER, ending INTEGER)"
)
"""Features whose current rows are followed by others: since when, and the keys of the rows that go to the history."""


class GeoPackageTransaction:
    """The open write transaction of a GeoPackage store (`writing.Transaction`)."""

    def __init__(self, connection: sqlite3.Connection, catalogue: Catalogue, srs_id: int) -> None:
        self._connection, self._catalogue, self._srs_id = connection, catalogue, srs_id

    def last(self) -> tuple[int, Instant | None, str]:
        text = "SELECT number, recorded, hash FROM vgpkg_twin_changeset ORDER BY number DESC LIMIT 1"
        row = self._connection.execute(text).fetchone()
        return row if row is not None else (0, None, GENESIS)

    def writer(self, layer: str, writing: Writing) -> LayerWriter:
        return GeoPackageWriter(self._catalogue[layer], writing, self._connection, self._srs_id)

    def fids(self, layer: str, ids: Sequence[str]) -> list[int]:
        text = f"SELECT fid FROM {quoted(layer)} WHERE id IN (SELECT value FROM json_each(?))"
        return [row[0] for row in self._connection.execute(text, (_listed(ids),))]

    def keep_blobs(self, blobs: Iterable[tuple[str, bytes]]) -> None:
        self._connection.executemany("INSERT OR IGNORE INTO vgpkg_twin_blob VALUES (?,?)", blobs)

    def record(self, line: Mapping[str, Any]) -> None:
        for statement in changeset_indexes(tables="vgpkg_twin", find="instr").values():
            self._connection.execute(statement)
        columns, marks = ", ".join(line), ", ".join("?" * len(line))
        self._connection.execute(f"INSERT INTO vgpkg_twin_changeset ({columns}) VALUES ({marks})", tuple(line.values()))


class GeoPackageWriter(LayerWriter):
    """Writes one layer: rows, R-trees, parts, touched boxes."""

    def __init__(self, layer: Layer, writing: Writing, connection: sqlite3.Connection, srs_id: int) -> None:
        super().__init__(layer, writing)
        self._connection, self._srs_id = connection, srs_id
        self._now, self._past = quoted(layer.id), quoted(history_of(layer.id))
        self._unindexed: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
        self._moved = BoxQueue(connection, f"rtree_{layer.id}_geom", replacing=True)
        self._past_boxes = BoxQueue(connection, f"rtree_history_{layer.id}")
        self._bulk = False
        self._more = 0
        self._dates = {field.name for field in layer.fields if field.type in ("date", "datetime")}

    def take_fids(self, count: int) -> int:
        text = "UPDATE vgpkg_twin_layer SET next_fid = next_fid + ? WHERE layer = ? RETURNING next_fid"
        (following,) = self._connection.execute(text, (count, self.layer.id)).fetchall()[0]
        return int(following) - count

    def ids_in_use(self, ids: list[str]) -> set[str]:
        listed = "(SELECT value FROM json_each(?1))"
        text = (
            f"SELECT id FROM {self._now} WHERE id IN {listed} UNION SELECT id FROM {self._past} WHERE id IN {listed} "
            f"UNION SELECT alias FROM vgpkg_twin_alias WHERE layer = ?2 AND alias IN {listed}"
        )
        return {row[0] for row in self._connection.execute(text, (_listed(ids), self.layer.id))}

    def geometries(self, rows: Rows) -> list[Any]:
        return to_blobs(self.layer, rows.wkb, rows.bounds, self._srs_id)

    def boxes(self, shapes: list[Any]) -> NDArray[np.float64]:
        return bounds_of(self.layer, shapes)

    def wkb(self, shapes: list[Any]) -> list[bytes | None]:
        head = header_bytes(self.layer)
        return [None if shape is None else shape[head:] for shape in shapes]

    def insert(self, columns: Mapping[str, list[Any]], bounds: NDArray[np.float64]) -> None:
        fids = columns["fid"]
        filled = {name: values for name, values in columns.items() if values.count(None) < len(values)}
        same = _literals(filled) if len(fids) >= _BULK else {}
        bound = {name: values for name, values in filled.items() if name not in same}
        text = (
            f"INSERT INTO {self._now} ({', '.join(map(quoted, (*bound, *same)))}) "
            f"VALUES ({', '.join([*'?' * len(bound), *same.values()])})"
        )
        with self._light(len(fids)):
            self._connection.executemany(text, zip(*bound.values(), strict=True))
        self._more += len(fids)
        if self.layer.has_geometry:
            placed = np.isfinite(bounds[:, 0])
            self._unindexed.append((np.array(fids, dtype=np.int64)[placed], rounded_outwards(bounds[placed])))

    @contextmanager
    def _light(self, rows: int) -> Iterator[None]:
        """Hold guards off a bulk load; where the table is small beside it, indexes too, to be built when all is in."""
        if rows < _BULK:
            yield
            return
        if not self._bulk and fits_bulk(self._connection, self._now, rows):
            unindexed(self._connection, self.layer)
            self._bulk = True
        with unguarded(self._connection, self.layer):
            yield

    def _index(self) -> None:
        """Put what came in bulk into the indexes; a thread packs the R-tree while SQLite sorts ids, which needs no Python."""
        rtree = f"rtree_{self.layer.id}_geom"
        boxes = sum(len(fids) for fids, _ in self._unindexed)
        packs = boxes > 0 and is_worth_packing(self._connection, rtree, boxes)
        with ThreadPoolExecutor(1, "twin-packs-rtree") as packer:
            packed = packer.submit(pack, *self._take_unindexed()) if packs else None
            if self._bulk:
                indexed(self._connection, self.layer)
            if packed is not None:
                write(self._connection, rtree, packed.result())
            elif boxes:
                insert(self._connection, rtree, *self._take_unindexed())

    def _take_unindexed(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return fids and boxes that are in no R-tree yet; they are not held here any more."""
        fids, boxes = zip(*self._unindexed, strict=True)
        self._unindexed.clear()
        return np.concatenate(fids), np.concatenate(boxes)

    def current_rows(self, fids: Sequence[int]) -> dict[str, list[Any]]:
        columns = row_columns(self.layer)
        text = f"SELECT {self._shown(columns)} FROM json_each(?) j CROSS JOIN {self._now} m ON m.fid = j.value"
        rows = self._connection.execute(text, (_listed(fids),)).fetchall()
        values = zip(*rows, strict=True) if rows else ((),) * len(columns)
        return {name: list(column) for name, column in zip(columns, values, strict=True)}

    def _shown(self, columns: Sequence[str]) -> str:
        return ", ".join(
            f"CAST(m.{quoted(name)} AS TEXT)" if name in self._dates else f"m.{quoted(name)}" for name in columns
        )

    def succeed(self, both: Succession) -> None:
        """Within the database: the history's rows are made of the current ones, which then get what differs."""
        with unguarded(self._connection, self.layer) if len(both.fids) >= _BULK else nullcontext():
            closed, ending = self._keep_former(both)
            names = both.differing(row_columns(self.layer))
            text = f"UPDATE {self._now} SET {', '.join(f'{quoted(name)} = ?' for name in names)} WHERE fid = ?"
            self._connection.executemany(text, zip(*(both.after[name] for name in (*names, "fid")), strict=True))
        if self.layer.has_geometry:
            self._queue_boxes(both, closed, ending)

    def _keep_former(self, both: Succession) -> tuple[list[int], list[int | None]]:
        """Put the former rows into the history; return the keys of those that are closed, and of those that are ended,
        None where a row was true for no time."""
        first, count = self._next_key(), len(both.fids)
        closed: list[int] = list(range(first, first + count))
        ending: list[int | None] = [None] * count
        places = np.flatnonzero(both.outlived).tolist()
        for number, place in enumerate(places, first + count):
            ending[place] = number
        self._connection.execute(_PLACES)
        self._connection.execute("DELETE FROM twin_place")
        rows = zip(both.fids, both.since, closed, ending, strict=True)
        self._connection.executemany("INSERT INTO twin_place VALUES (?,?,?,?)", rows)
        columns = row_columns(self.layer)
        held = {name: f"m.{quoted(name)}" for name in columns}
        ended = held | {"valid_to": "p.since", "version_from": "?1"}
        for key, values, version_to in (("closed", held, "?1"), ("ending", ended, "NULL")):
            self._connection.execute(
                f"INSERT INTO {self._past} (row, {', '.join(map(quoted, columns))}, version_to) "
                f"SELECT p.{key}, {', '.join(values.values())}, {version_to} FROM twin_place p CROSS JOIN {self._now} m ON m.fid = p.fid "
                f"WHERE p.{key} IS NOT NULL ORDER BY p.fid",
                (self.writing.version,),
            )
        return closed, ending

    def _queue_boxes(self, both: Succession, closed: list[int], ending: list[int | None]) -> None:
        former = self._boxes_of(both.before["geom"])
        ended = np.flatnonzero(both.outlived)
        self._past_boxes.add(np.array(closed), former)
        self._past_boxes.add(np.array([ending[place] for place in ended.tolist()], dtype=np.int64), former[ended])
        moved = both.moved
        if moved:
            shapes = [both.after["geom"][place] for place in moved]
            self._moved.add(np.array(both.fids)[moved], self._boxes_of(shapes))

    def _boxes_of(self, shapes: list[Any]) -> NDArray[np.float64]:
        """Return the boxes (n, 4) of geometries, NaN where there is none."""
        boxes = np.full((len(shapes), 4), np.nan)
        placed = [place for place, shape in enumerate(shapes) if shape is not None]
        if placed:
            boxes[placed] = bounds_of(self.layer, [shapes[place] for place in placed])
        return boxes

    def timelines(self, fids: Sequence[int], reach: TimelineExtent) -> dict[int, list[Row]]:
        columns = row_columns(self.layer)
        listed = self._shown(columns)
        chosen = "JOIN json_each(?1) j ON m.fid = j.value"
        text = f"SELECT NULL, NULL, {listed} FROM {self._now} m {chosen}"
        if reach != "current":
            believed = "" if reach == "whole" else " AND m.version_to IS NULL"
            text += f" UNION ALL SELECT m.row, m.version_to, {listed} FROM {self._past} m {chosen}{believed}"
        names, timelines = ("_row", "version_to", *columns), defaultdict(list)
        for values in self._connection.execute(text, (orjson.dumps(list(fids)).decode(),)):
            row = dict(zip(names, values, strict=True))
            timelines[row["fid"]].append(row)
        return {fid: sorted(timelines[fid], key=lambda row: str(row["valid_from"])) for fid in fids if fid in timelines}

    def apply(self, todo: Steps) -> None:
        """Take rows out and put rows in; a row that stays in its table is changed where it lies, in what differs."""
        moves = todo.moves()
        self._connection.executemany(f"UPDATE {self._past} SET version_to = ? WHERE row = ?", moves.closed)
        self._replace(moves.replaced)
        for past in (False, True):
            key = "_row" if past else "fid"
            self._take_out([(row[key],) for row in moves.take if (row["_row"] is not None) == past], past=past)
        self._more += sum(put.current for put in moves.put) - sum(row["_row"] is None for row in moves.take)
        for past in (False, True):
            self._put(
                [put.row | {"version_to": put.version_to} for put in moves.put if put.current != past],
                past=past,
            )

    def _replace(self, pairs: list[tuple[Row, Row]]) -> None:
        """Give current rows other values: only columns that differ are written, the R-tree only where the box does."""
        for names, rows in differing(pairs, row_columns(self.layer)).items():
            text = f"UPDATE {self._now} SET {', '.join(f'{quoted(name)} = ?' for name in names)} WHERE fid = ?"
            self._connection.executemany(text, [[row[name] for name in (*names, "fid")] for row in rows])
            if "geom" in names:
                self._moved.write_before([row["fid"] for row in rows])
                self._connection.executemany(
                    f"DELETE FROM {self._rtree(past=False)} WHERE id = ?", [(row["fid"],) for row in rows]
                )
                self._index_boxes([row["fid"] for row in rows], rows, past=False)

    def _take_out(self, keys: list[tuple[int]], *, past: bool) -> None:
        if not keys:
            return
        table, key = (self._past, "row") if past else (self._now, "fid")
        self._connection.executemany(f"DELETE FROM {table} WHERE {key} = ?", keys)
        if self.layer.has_geometry:
            (self._past_boxes if past else self._moved).write_before([key for (key,) in keys])
            self._connection.executemany(f"DELETE FROM {self._rtree(past=past)} WHERE id = ?", keys)

    def _put(self, rows: list[Row], *, past: bool) -> None:
        if not rows:
            return
        columns = [*row_columns(self.layer), *(["version_to"] if past else [])]
        table, first = (self._past, "row, ") if past else (self._now, "")
        keys = self._new_keys(len(rows)) if past else [row["fid"] for row in rows]
        text = f"INSERT INTO {table} ({first}{', '.join(map(quoted, columns))}) VALUES ({', '.join('?' * (len(columns) + past))})"
        self._connection.executemany(
            text,
            ((*((key,) if past else ()), *(row[c] for c in columns)) for key, row in zip(keys, rows, strict=True)),
        )
        self._index_boxes(keys, rows, past=past)

    def _index_boxes(self, keys: list[int], rows: list[Row], *, past: bool) -> None:
        shaped = [n for n, row in enumerate(rows) if self.layer.has_geometry and row["geom"] is not None]
        if shaped:
            boxes = bounds_of(self.layer, [rows[n]["geom"] for n in shaped])
            tree = self._rtree(past=past).strip('"')
            insert(self._connection, tree, np.array([keys[n] for n in shaped]), boxes)

    def _new_keys(self, count: int) -> list[int]:
        first = self._next_key()
        return list(range(first, first + count))

    def _next_key(self) -> int:
        text = f"SELECT coalesce(max(row), 0) + 1 FROM {self._past}"
        return int(self._connection.execute(text).fetchone()[0])

    def _rtree(self, *, past: bool) -> str:
        return quoted(f"rtree_history_{self.layer.id}" if past else f"rtree_{self.layer.id}_geom")

    def keep_parts(self, fids: list[int], contents: list[bytes]) -> None:
        scope = self.writing.scope
        # One statement for all: fids as a JSON text, contents as one blob. Bound row by row it takes four times as long.
        self._connection.execute(
            "INSERT OR REPLACE INTO vgpkg_twin_part (layer, fid, part, content, scope, series, version_from) "
            "SELECT ?1, value, 0, substr(?2, 16 * key + 1, 16), ?3, ?4, ?5 FROM json_each(?6)",
            (
                self.layer.id,
                b"".join(contents),
                scope.name,
                scope.series,
                self.writing.version,
                _listed(fids),
            ),
        )

    def close_parts(self, fids: list[int]) -> None:
        text = (
            "UPDATE vgpkg_twin_part SET version_to = ? WHERE layer = ? AND version_to IS NULL AND version_from < ? "
            "AND fid IN (SELECT value FROM json_each(?))"
        )
        version = self.writing.version
        self._connection.execute(text, (version, self.layer.id, version, _listed(fids)))

    def restore_parts(self, fids: list[int], version: int) -> list[tuple[int, bytes]]:
        new, layer, listed = self.writing.version, self.layer.id, _listed(fids)
        chosen = "layer = ?2 AND fid IN (SELECT value FROM json_each(?3))"
        text = f"UPDATE vgpkg_twin_part SET version_to = ?1 WHERE {chosen} AND version_to IS NULL AND version_from > ?4"
        self._connection.execute(text, (new, layer, listed, version))
        again = (
            "INSERT INTO vgpkg_twin_part (layer, fid, part, content, scope, series, version_from) "
            f"SELECT layer, fid, part, content, scope, series, ?1 FROM vgpkg_twin_part WHERE {chosen} "
            "AND version_from <= ?4 AND version_to > ?4 RETURNING fid, content"
        )
        return self._connection.execute(again, (new, layer, listed, version)).fetchall()

    def keep_aliases(self, renumbered: list[tuple[str, int]]) -> list[tuple[str, int]]:
        text = (
            "INSERT OR IGNORE INTO vgpkg_twin_alias (layer, alias, fid, version) VALUES (?,?,?,?) RETURNING alias, fid"
        )
        version = self.writing.version
        return self._returned(text, ((self.layer.id, alias, fid, version) for alias, fid in renumbered))

    def keep_links(self, links: list[tuple[str, int, int]]) -> list[LinkRow]:
        text = (
            "INSERT OR IGNORE INTO vgpkg_twin_link (version, kind, layer, from_fid, to_fid) VALUES (?,?,?,?,?) "
            f"RETURNING {_LINK}"
        )
        version = self.writing.version
        return self._returned(text, ((version, kind, self.layer.id, before, after) for kind, before, after in links))

    def _returned(self, text: str, rows: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Run a statement with each row and return what it returns; `executemany` returns nothing."""
        return [back for row in rows for back in self._connection.execute(text, row).fetchall()]

    def restore_links(self, fids: list[int], version: int) -> tuple[list[LinkRow], list[LinkRow]]:
        new, layer, listed = self.writing.version, self.layer.id, _listed(fids)
        concerned = "(SELECT value FROM json_each(?3))"
        chosen = f"layer = ?2 AND (from_fid IN {concerned} OR to_fid IN {concerned})"
        again = (
            "INSERT OR IGNORE INTO vgpkg_twin_link (version, kind, layer, from_fid, to_fid) SELECT ?1, kind, layer, from_fid, "
            f"to_fid FROM vgpkg_twin_link WHERE {chosen} AND version <= ?4 AND version_to > ?4 RETURNING {_LINK}"
        )
        made = self._connection.execute(again, (new, layer, listed, version)).fetchall()
        close = (
            f"UPDATE vgpkg_twin_link SET version_to = ?1 WHERE {chosen} AND version > ?4 AND version < ?1 "
            f"AND version_to IS NULL RETURNING {_LINK}"
        )
        return made, self._connection.execute(close, (new, layer, listed, version)).fetchall()

    def expect(self, instant: Instant) -> None:
        text = "UPDATE vgpkg_twin_layer SET next_planned = min(coalesce(next_planned, ?1), ?1) WHERE layer = ?2"
        self._connection.execute(text, (instant, self.layer.id))

    def overtaken(self) -> list[int]:
        moment = self.writing.moment
        text = "SELECT next_planned FROM vgpkg_twin_layer WHERE layer = ?"
        planned = self._connection.execute(text, (self.layer.id,)).fetchone()[0]
        if planned is None or planned > moment:
            return []
        self._connection.execute("UPDATE vgpkg_twin_layer SET next_planned = NULL WHERE layer = ?", (self.layer.id,))
        begun = (
            f"SELECT fid FROM {self._now} WHERE valid_to IS NOT NULL OR valid_from > (SELECT c.recorded FROM "
            "vgpkg_twin_layer t JOIN vgpkg_twin_changeset c ON c.number = t.version WHERE t.layer = ?2) UNION "
            f"SELECT fid FROM {self._past} WHERE version_to IS NULL AND (valid_to IS NULL OR valid_to > ?1)"
        )
        return [row[0] for row in self._connection.execute(begun, (moment, self.layer.id))]

    def changed_since(self, fids: list[int], version: int) -> list[str]:
        chosen = "m.fid IN (SELECT value FROM json_each(?1))"
        text = (
            f"SELECT m.id FROM {self._now} m WHERE {chosen} AND m.version_from > ?2 UNION "
            f"SELECT m.id FROM {self._past} m WHERE {chosen} AND (m.version_from > ?2 OR m.version_to > ?2) ORDER BY 1"
        )
        return [row[0] for row in self._connection.execute(text, (_listed(fids), version))]

    def census_stands(self) -> bool:
        return gpkg_census.stands(self._connection, self.layer)

    def every_row(self, names: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
        columns = tuple(dict.fromkeys((*names, *(("geom",) if self.layer.has_geometry else ()))))
        for table, closed in ((self._now, "NULL AS version_to"), (self._past, "version_to")):
            listed = ", ".join(closed if name == "version_to" else quoted(name) for name in columns)
            cursor = self._connection.execute(f"SELECT {listed} FROM {table}")
            while rows := cursor.fetchmany(_READ_AT_ONCE):
                yield dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))

    def keep_census(self, census: Census, *, anew: bool) -> None:
        gpkg_census.keep(self._connection, census, self.writing.version, anew=anew)

    def summarise(self, touched: Touched, cells: TouchedCells) -> None:
        self._index()
        self._moved.write()
        self._past_boxes.write()
        layer, version = self.layer.id, self.writing.version
        keep_touched(self._connection, layer, version, cells)
        numbers = (touched.inserted, touched.updated, touched.terminated, touched.unchanged)
        self._connection.execute(
            "INSERT INTO vgpkg_twin_change VALUES (?,?,?,?,?,?,?,?,?,?)",
            (version, layer, *numbers, *(touched.box or (None,) * 4)),
        )
        self._connection.execute(
            "UPDATE vgpkg_twin_layer SET version = ?, features = features + ? WHERE layer = ?",
            (version, self._more, layer),
        )
        if touched.box is not None:
            self._connection.execute(
                "UPDATE gpkg_contents SET min_x = min(coalesce(min_x, ?1), ?1), min_y = min(coalesce(min_y, ?2), ?2), "
                "max_x = max(coalesce(max_x, ?3), ?3), max_y = max(coalesce(max_y, ?4), ?4), last_change = ?5 WHERE table_name = ?6",
                (*touched.box, self.writing.moment, layer),
            )


def fits_bulk(connection: sqlite3.Connection, table: str, rows: int) -> bool:
    """Say whether a table holds at most so many rows."""
    (more,) = connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table} LIMIT 1 OFFSET ?)", (rows,)).fetchone()
    return not more


def _literals(columns: Mapping[str, list[Any]]) -> dict[str, str]:
    """Return as SQL has it what all values of a column are, so that it need not be bound row by row; others are left out."""
    return {
        name: str(one) if isinstance(one, int) else "'" + one.replace("'", "''") + "'"
        for name, one in constants(columns).items()
    }


def _listed(values: Iterable[Any]) -> str:
    return orjson.dumps(list(values)).decode()
