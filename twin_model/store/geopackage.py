"""The GeoPackage store: one SQLite file in WAL mode, many readers, one writer at a time.

Here connections live and answers become frames; the statements are made in `gpkg_select`, rows are written in
`gpkg_write`, tables in `gpkg_schema`.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import shapely
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.changeset import Box, Changeset, Rows, Touched, Version
from twin_model.errors import QueryRefused, StoreError, StoreTooNew
from twin_model.filter import register_functions
from twin_model.layer import Layer
from twin_model.store import gpkg_schema
from twin_model.store.base import ChangesetRecord, FeatureQuery, Known, Summary
from twin_model.store.gpkg_binary import from_blobs
from twin_model.store.gpkg_schema import quoted, srs_id
from twin_model.store.gpkg_select import Context, select, shown_fields
from twin_model.store.gpkg_write import LayerWriter, chain_hash, finding_columns
from twin_model.temporal import now
from twin_model.view import View

__all__ = ["GeoPackageStore"]

_BUSY_SECONDS = 60
_GENESIS = "0" * 64


class GeoPackageStore:
    """A store in one GeoPackage file. Safe to use from many threads; each thread reads on a connection of its own."""

    def __init__(self, path: Path, catalogue: Catalogue, *, zone: str = "Asia/Shanghai") -> None:
        self._path, self._catalogue, self._zone = path, catalogue, ZoneInfo(zone)
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        meta = self._meta()
        self._crs = meta["crs"]
        self._ensure_layers()

    @classmethod
    def create(
        cls, path: Path, catalogue: Catalogue, crs: str, *, zone: str = "Asia/Shanghai"
    ) -> "GeoPackageStore":
        """Make an empty store with every layer of the catalogue; the file appears whole or not at all."""
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.unlink(missing_ok=True)
        connection = sqlite3.connect(part, isolation_level=None)
        try:
            connection.execute("BEGIN")
            gpkg_schema.create_core(connection, crs)
            for layer in catalogue:
                if layer.kind == "feature":
                    gpkg_schema.create_layer(connection, layer, crs)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        part.replace(path)
        return cls(path, catalogue, zone=zone)

    @property
    def url(self) -> str:
        return str(self._path)

    @property
    def crs(self) -> str:
        return self._crs

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    def close(self) -> None:
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is None:
            known = self._local.connection = self._connect()
            known.execute("PRAGMA mmap_size = 1073741824")
            with self._lock:
                self._open.append(known)
        return known

    def _connect(self) -> sqlite3.Connection:
        if not self._path.exists():
            raise StoreError("store.error", cause=f"{self._path} does not exist")
        connection = sqlite3.connect(
            self._path,
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY_SECONDS,
            cached_statements=512,
        )
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("PRAGMA temp_store = MEMORY")
        register_functions(connection)
        return connection

    def _meta(self) -> dict[str, str]:
        try:
            meta = dict(self._connection().execute("SELECT key, value FROM vgpkg_twin_meta"))
        except sqlite3.DatabaseError as error:
            raise StoreError("store.not_ours", path=str(self._path), cause=str(error)) from error
        if int(meta["format"]) > gpkg_schema.FORMAT:
            raise StoreTooNew(path=str(self._path), found=meta["format"], known=gpkg_schema.FORMAT)
        return meta

    def _ensure_layers(self) -> None:
        """Make tables of layers, and columns of fields, that the catalogue has gained since the store was made."""
        known = {row[0] for row in self._connection().execute("SELECT layer FROM vgpkg_twin_layer")}
        missing = [layer for layer in self._catalogue if layer.kind == "feature" and layer.id not in known]
        gained = [(layer, one) for layer in self._catalogue if layer.id in known for one in layer.fields
                  if one.name not in self._columns(layer)]  # fmt: skip
        if missing or gained:
            with self._writing() as connection:
                for layer in missing:
                    gpkg_schema.create_layer(connection, layer, self._crs)
                for layer, one in gained:
                    gpkg_schema.add_field(connection, layer, one)

    def _columns(self, layer: Layer) -> set[str]:
        return {row[1] for row in self._connection().execute(f"PRAGMA table_info({quoted(layer.id)})")}

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the one writer's place; everything inside is written together, or nothing of it."""
        connection = self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO vgpkg_twin_writer VALUES (?)", (os.getpid(),))
            yield connection
            connection.execute("DELETE FROM vgpkg_twin_writer")
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise self._as_store_error(error) from error
        finally:
            connection.close()

    def _as_store_error(self, error: sqlite3.OperationalError) -> StoreError:
        if "locked" in str(error) or "busy" in str(error):
            return StoreError("store.busy", path=str(self._path), seconds=_BUSY_SECONDS)
        if "full" in str(error):
            return StoreError("store.disk_full", cause=str(error))
        return StoreError("store.error", cause=str(error))

    # --- reading

    def version(self) -> int:
        return int(
            self._connection()
            .execute("SELECT coalesce(max(number), 0) FROM vgpkg_twin_changeset")
            .fetchone()[0]
        )

    def _context(self, query: FeatureQuery) -> Context:
        layer = self._catalogue[query.layer]
        query.view.ensure_admits(layer.id)
        moment = now()
        row = (
            self._connection()
            .execute(
                "SELECT t.next_planned, c.min_x, c.min_y, c.max_x, c.max_y FROM vgpkg_twin_layer t JOIN gpkg_contents c ON c.table_name = t.layer WHERE t.layer = ?",
                (layer.id,),
            )
            .fetchone()
        )
        planned = row[0] is not None and row[0] <= moment
        extent: Box | None = row[1:] if row[1] is not None else None
        return Context(layer, self._crs, moment, planned, extent, self._zone)

    def _run(self, query: FeatureQuery, what: str = "rows") -> tuple[sqlite3.Cursor, tuple[str, ...]]:
        statement = select(self._context(query), query, what=what)
        try:
            return self._connection().execute(statement.text, statement.parameters), statement.columns
        except sqlite3.OperationalError as error:
            raise self._as_store_error(error) from error

    def features(self, query: FeatureQuery) -> gpd.GeoDataFrame:
        cursor, columns = self._run(query)
        return self._frame(query, cursor.fetchall(), columns)

    def rows(self, query: FeatureQuery) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        cursor, columns = self._run(query)
        return columns, cursor.fetchall()

    def frames(self, query: FeatureQuery, rows: int = 50_000) -> Iterator[gpd.GeoDataFrame]:
        cursor, columns = self._run(query)
        while chunk := cursor.fetchmany(rows):
            yield self._frame(query, chunk, columns)

    def _frame(
        self, query: FeatureQuery, rows: list[tuple[Any, ...]], columns: tuple[str, ...]
    ) -> gpd.GeoDataFrame:
        layer = self._catalogue[query.layer]
        by_name = dict(zip(columns, ([row[n] for row in rows] for n in range(len(columns))), strict=True))
        wkb = by_name.pop("geometry", None)
        types = {one.name: one.type for one in layer.fields if one.name in shown_fields(layer, query)}
        content = {name: _column(values, types.get(name)) for name, values in by_name.items()}
        shapes = from_blobs(np.array(wkb, dtype=object)) if wkb else np.full(len(rows), None, dtype=object)
        frame = gpd.GeoDataFrame(content, geometry=gpd.array.from_shapely(shapes), crs=self._crs)
        return frame.set_index("id")

    def count(self, query: FeatureQuery) -> int:
        cursor, _ = self._run(query, "count")
        return int(cursor.fetchone()[0])

    def summary(self, layer: str, view: View | None = None) -> Summary:
        query = FeatureQuery(layer, view=view or View())
        if not query.view.is_now:
            return Summary(self.count(query), self._context(query).extent)
        self._catalogue[layer]
        row = (
            self._connection()
            .execute(
                "SELECT t.features, c.min_x, c.min_y, c.max_x, c.max_y FROM vgpkg_twin_layer t JOIN gpkg_contents c ON c.table_name = t.layer WHERE t.layer = ?",
                (layer,),
            )
            .fetchone()
        )
        return Summary(int(row[0]), row[1:] if row[1] is not None else None)

    def known(self, layer: str, ids: NDArray[Any] | None = None) -> Known:
        text = (f"SELECT m.fid, m.id, p.content FROM {quoted(layer)} m JOIN vgpkg_twin_part p ON p.layer = ? AND p.fid = m.fid "
                "AND p.part = 0 AND p.version_to IS NULL")  # fmt: skip
        parameters: tuple[Any, ...] = (layer,)
        if ids is not None:
            text += " WHERE m.id IN (SELECT value FROM json_each(?))"
            parameters += (orjson.dumps(list(ids)).decode(),)
        rows = self._connection().execute(text, parameters).fetchall()
        return Known(np.array([r[0] for r in rows], dtype=np.int64), np.array([r[1] for r in rows], dtype=object),
                     np.array([r[2] for r in rows], dtype=object))  # fmt: skip

    def changed_since(self, layer: str, bbox: Box | None) -> int:
        if bbox is None:
            row = (
                self._connection()
                .execute("SELECT version FROM vgpkg_twin_layer WHERE layer = ?", (layer,))
                .fetchone()
            )
        else:
            minx, miny, maxx, maxy = bbox
            row = (
                self._connection()
                .execute(
                    "SELECT coalesce(max(version), 0) FROM rtree_twin_touched WHERE layer = ? AND minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ?",
                    (layer, maxx, minx, maxy, miny),
                )
                .fetchone()
            )
        return int(row[0]) if row else 0

    def next_boundary(self, layer: str, after: str) -> str | None:
        row = (
            self._connection()
            .execute("SELECT next_planned FROM vgpkg_twin_layer WHERE layer = ?", (layer,))
            .fetchone()
        )
        return row[0] if row and row[0] is not None and row[0] > after else None

    def changesets(self, limit: int | None = None) -> list[ChangesetRecord]:
        rows = self._connection().execute(
            "SELECT number, recorded, effective, author, reason, coalesce(source, ''), coalesce(sha256, ''), counts, hash FROM vgpkg_twin_changeset "
            "ORDER BY number DESC LIMIT ?", (-1 if limit is None else limit,),
        ).fetchall()  # fmt: skip
        names = ("number", "recorded", "effective", "author", "reason", "source", "sha256", "counts", "hash")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return [ChangesetRecord(**one | {"counts": orjson.loads(one["counts"])}) for one in found]

    def changes(self, version: int) -> Mapping[str, Touched]:
        """Return what a version changed, by layer."""
        rows = self._connection().execute("SELECT layer, inserted, updated, terminated, unchanged, min_x, min_y, max_x, max_y FROM vgpkg_twin_change "
                                          "WHERE version = ?", (version,)).fetchall()  # fmt: skip
        return {
            row[0]: Touched(row[1], row[2], row[3], row[4], row[5:] if row[5] is not None else None)
            for row in rows
        }

    def recorded_at(self, instant: str) -> int:
        """Return the version that was the newest at an instant."""
        row = (
            self._connection()
            .execute(
                "SELECT coalesce(max(number), 0) FROM vgpkg_twin_changeset WHERE recorded <= ?", (instant,)
            )
            .fetchone()
        )
        return int(row[0])

    def ensure_version(self, number: int) -> None:
        if not 0 <= number <= self.version():
            raise QueryRefused("store.unknown_version", value=number, found=self.version())

    def has_source(self, sha256: str) -> int | None:
        row = (
            self._connection()
            .execute("SELECT max(number) FROM vgpkg_twin_changeset WHERE sha256 = ?", (sha256,))
            .fetchone()
        )
        return row[0] if row else None

    def blob(self, digest: str) -> bytes:
        found = self.blobs([digest])
        if digest not in found:
            raise StoreError("store.error", cause=f"blob {digest} is missing")
        return found[digest]

    def blobs(self, digests: list[str]) -> dict[str, bytes]:
        rows = self._connection().execute(
            "SELECT digest, content FROM vgpkg_twin_blob WHERE digest IN (SELECT value FROM json_each(?))",
            (orjson.dumps(digests).decode(),),
        )
        return dict(rows.fetchall())

    # --- writing

    def commit(self, changeset: Changeset, plan: Callable[[Any, Changeset], Any]) -> Version:
        while True:
            base = self.version()
            plans = plan(self, changeset)
            with self._writing() as connection:
                newest = int(
                    connection.execute(
                        "SELECT coalesce(max(number), 0) FROM vgpkg_twin_changeset"
                    ).fetchone()[0]
                )
                if newest == base:
                    return self._write(connection, changeset, plans, base)

    def _write(
        self, connection: sqlite3.Connection, changeset: Changeset, plans: Mapping[str, Any], base: int
    ) -> Version:
        moment = max(now(), self._last_recorded(connection))
        nothing = all(one.is_empty for one in plans.values()) and not changeset.terminated
        if nothing and (plans or not changeset.findings):
            return Version(
                base,
                moment,
                {name: Touched(unchanged=len(one.decisions)) for name, one in plans.items()},
                made=False,
            )
        version = base + 1
        writers = {
            name: self._writer(connection, name, version, changeset, moment)
            for name in self._written(changeset, plans)
        }
        position = dict.fromkeys(plans, 0)
        for one in changeset.delivered:
            rows = one.rows()
            start = position[one.layer]
            writers[one.layer].write(rows, plans[one.layer].decisions[start : start + len(rows)])
            position[one.layer] = start + len(rows)
        for name, ids in changeset.terminated.items():
            fids = self.known(name, np.array(ids, dtype=object)).fids
            writers[name].terminate(fids.tolist(), changeset.effective)
        connection.executemany("INSERT OR IGNORE INTO vgpkg_twin_blob VALUES (?,?)", changeset.blobs())
        if changeset.findings:
            writers["finding"].write(*self._findings(changeset, version))
        finished = {name: writer.finish() for name, writer in writers.items()}
        digest = self._record(
            connection, changeset, version, moment, {name: d for name, (_, d) in finished.items()}
        )
        return Version(
            version, moment, {name: touched for name, (touched, _) in finished.items()}, True, digest
        )

    def _written(self, changeset: Changeset, plans: Mapping[str, Any]) -> list[str]:
        names = [*plans, *changeset.terminated, *(["finding"] if changeset.findings else [])]
        return list(dict.fromkeys(names))

    def _writer(
        self, connection: sqlite3.Connection, name: str, version: int, changeset: Changeset, moment: str
    ) -> LayerWriter:
        return LayerWriter(
            connection, self._catalogue[name], srs_id(self._crs), version, changeset.effective, moment
        )

    def _findings(self, changeset: Changeset, version: int) -> tuple[Rows, NDArray[np.int64]]:
        layer = self._catalogue["finding"]
        found = finding_columns(
            changeset.findings, changeset.source.name if changeset.source else "", version
        )
        points = np.array(
            [None if one.point is None else shapely.Point(one.point) for one in changeset.findings],
            dtype=object,
        )
        empty = np.full(len(points), None, dtype=object)
        columns = {name: np.array(found[name], dtype=object) for name in layer.field_names}
        keys = columns["finding_key"]
        rows = Rows(
            keys, np.asarray(shapely.to_wkb(points, byte_order=1, flavor="iso"), dtype=object), shapely.bounds(points), columns, empty, empty,
            np.full(len(points), layer.zoom.start, dtype=np.int16), np.array([key.encode() for key in keys], dtype=object),
        )  # fmt: skip
        return rows, np.zeros(len(points), dtype=np.int64)

    def _last_recorded(self, connection: sqlite3.Connection) -> str:
        """Return an instant strictly after the last changeset's, so that recorded time is strictly monotonic."""
        row = connection.execute("SELECT max(recorded) FROM vgpkg_twin_changeset").fetchone()
        if row[0] is None:
            return ""
        after = pd.Timestamp(row[0]) + pd.Timedelta(milliseconds=1)
        return after.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _record(
        self,
        connection: sqlite3.Connection,
        changeset: Changeset,
        version: int,
        moment: str,
        digests: Mapping[str, str],
    ) -> str:
        last = connection.execute(
            "SELECT hash FROM vgpkg_twin_changeset ORDER BY number DESC LIMIT 1"
        ).fetchone()
        previous = last[0] if last else _GENESIS
        source = changeset.source
        line = {"number": version, "recorded": moment, "effective": changeset.effective, "author": changeset.author, "reason": changeset.reason,
                "source": source.name if source else None, "sha256": source.sha256 if source else None, "kind": source.kind if source else None,
                "delivery": source.delivery if source else None, "counts": orjson.dumps({**changeset.counts, "content": digests}).decode()}  # fmt: skip
        digest = chain_hash(previous, line)
        columns = ", ".join([*line, "previous", "hash"])
        connection.execute(
            f"INSERT INTO vgpkg_twin_changeset ({columns}) VALUES ({', '.join('?' * (len(line) + 2))})",
            (*line.values(), previous, digest),
        )
        return digest


def _column(values: list[Any], kind: str | None) -> Any:
    """Return a column in the dtype of its field: numbers as floats with NaN, whole numbers nullable, texts as objects."""
    if kind == "number":
        return np.array(values, dtype=np.float64)
    if kind == "integer":
        return pd.array(values, dtype="Int64")
    if kind == "boolean":
        return pd.array([None if v is None else bool(v) for v in values], dtype="boolean")
    return np.array(values, dtype=object)
