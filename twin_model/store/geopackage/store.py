"""The GeoPackage store: one SQLite file in WAL mode, many readers, one writer at a time.

Here connections live and answers become frames; the statements are made in `select`, rows are written in
`write`, tables in `schema`.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from copy import copy
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import orjson
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.changeset import Box, Changeset, Version
from twin_model.deadline import is_over
from twin_model.errors import QueryRefused, StoreError, StoreTooNew
from twin_model.filter import register_functions
from twin_model.layer import Layer
from twin_model.plan import LayerPlan, Plan, Progress, unwatched
from twin_model.store.base import (
    FIRST_ROWS,
    DeliveredState,
    Described,
    FeatureQuery,
    HeadStart,
    LayerCounters,
    Provenance,
    Summary,
)
from twin_model.store.changeset_record import read_checkpoint
from twin_model.store.copying import COPYING
from twin_model.store.damage import Damage
from twin_model.store.former_fields import as_stored, ensure_own_tables, gained, retyped, with_former_fields
from twin_model.store.frames import to_frame
from twin_model.store.geopackage import copy as gpkg_copy
from twin_model.store.geopackage import schema as gpkg_schema
from twin_model.store.geopackage import upkeep
from twin_model.store.geopackage.failures import BUSY_SECONDS, in_our_words, is_of_the_disk, store_error
from twin_model.store.geopackage.history import GeoPackageHistory, layer_versions
from twin_model.store.geopackage.migrations import backup_path, migrate
from twin_model.store.geopackage.schema import srs_id
from twin_model.store.geopackage.select import GeoPackageDialect
from twin_model.store.geopackage.write import GeoPackageTransaction
from twin_model.store.plan_basis import compared_layers, written_as_planned
from twin_model.store.select import Context, quoted, select, wanted_sort_index
from twin_model.store.sort_index import FEWEST_FEATURES, SortIndex, SortIndexes
from twin_model.store.writing import take_censuses, write_changeset, written_layers
from twin_model.temporal import now
from twin_model.view import NOW, View

__all__ = ["GeoPackageStore"]

_STEPS_BETWEEN_LOOKS = 2_000
"""So many steps of a statement are some tens of microseconds, a spatial comparison apart."""

_CHECKPOINT_PAGES = 8_000
"""So many pages of 4 KiB wait beside the file before a commit takes them over: at SQLite's own thousand every edit of
some size would stop for the disk."""
_CACHE_KIB = 32_768
"""So much of the file a connection remembers; the rest is read again from the system's own memory of it. A mapped file is no
faster (CPU of the same questions within 3 %), and each connection's map would count as the worker's memory, up to the size of
the town."""
_KEPT_STATEMENTS, _LONGEST_KEPT = 128, 4_096
"""So many statements a connection keeps prepared, none with more characters: one of a long filter takes a megabyte."""

_DIALECT = GeoPackageDialect()

_FEW_PARTS = 2_000
"""So many parts are read whether they are closed or not."""

_OPEN_PARTS = "vgpkg_twin_part p WHERE p.layer = ? AND p.part = 0 AND p.version_to IS NULL"
_NEWEST_PARTS = (
    "{layer} f CROSS JOIN vgpkg_twin_part p WHERE p.layer = ?1 AND p.fid = f.fid AND p.part = 0 AND p.version_to IS NULL "
    "AND p.version_from = (SELECT max(version_from) FROM vgpkg_twin_part WHERE layer = ?1 AND fid = f.fid AND part = 0)"
)
"""What stands delivered, of each feature by its key: of many versions most parts are closed."""


class _Connection(sqlite3.Connection):
    """A connection that ends with its last user: SQLite crashes where one is closed while another thread steps in it.

    `streams` are the readings of it that go on for some time, in whatever thread.
    """

    streams = 0
    frozen: tuple[int, int, bool] | None = None
    """How the file was when it was opened for reading alone, nothing being written beside it; None otherwise."""

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Keep the connection open while rows are read from it one batch after the other."""
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1

    def __del__(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it was never opened
            self.close()


@in_our_words
class GeoPackageStore(GeoPackageHistory):
    """A store in one GeoPackage file. Safe to use from many threads; each thread reads on a connection of its own."""

    def __init__(
        self, path: Path, catalogue: Catalogue, *, zone: str = "Asia/Shanghai", unfinished: bool = False
    ) -> None:
        self._path, self._catalogue, self._zone = path, catalogue, ZoneInfo(zone)
        self._local, self._lock = threading.local(), threading.Lock()
        self._sort_indexes: SortIndexes | None = None
        try:
            meta = self._meta()
        except sqlite3.Error as error:
            raise self._as_store_error(error) from error
        self.is_unfinished = COPYING in meta
        if self.is_unfinished and not unfinished:
            raise StoreError("store.copy_unfinished", url=str(path))
        self._crs = meta["crs"]
        self.extend(catalogue)

    @classmethod
    def create(
        cls, path: Path, catalogue: Catalogue, crs: str, *, zone: str = "Asia/Shanghai", unfinished: bool = False
    ) -> "GeoPackageStore":
        """Make an empty store with every layer of the catalogue; the file appears whole or not at all, and takes no
        other file's place. One that is `unfinished` is to be filled (`load`) and is no town's until `finish_copy`."""
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.unlink(missing_ok=True)
        connection = sqlite3.connect(part, isolation_level=None)
        try:
            connection.execute("BEGIN")
            gpkg_schema.create_core(connection, crs)
            for layer in catalogue:
                if layer.kind == "feature":
                    gpkg_schema.create_layer(connection, layer, crs)
            if unfinished:
                connection.execute("INSERT INTO vgpkg_twin_meta VALUES (?, 'yes')", (COPYING,))
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        try:
            os.link(part, path)
        except FileExistsError as error:
            raise StoreError("store.file_exists", path=str(path)) from error
        finally:
            part.unlink()
        return cls(path, catalogue, zone=zone, unfinished=unfinished)

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
        own: _Connection | None = getattr(self._local, "connection", None)
        self._local = threading.local()  # nobody else holds the other threads' connections, but who is reading on one
        if own is not None and not own.streams:
            own.close()  # at once: its file may lie on a disk that is to be taken away

    def _connection(self) -> "_Connection":
        known: _Connection | None = getattr(self._local, "connection", None)
        if known is None or (known.frozen is not None and known.frozen != self._signature()):
            known = self._local.connection = self._reading_connection()
        return known

    def _connection_for(self, text: str) -> "_Connection":
        """Return a connection on which a statement runs; a long one has one of its own, which goes with its answer."""
        return self._connection() if len(text) <= _LONGEST_KEPT else self._reading_connection(0)

    def _reading_connection(self, kept_statements: int = _KEPT_STATEMENTS) -> "_Connection":
        """Return a connection to read on: where the disk has no room or may not be written to, one that writes nothing."""
        try:
            connection = self._connect(kept_statements=kept_statements)
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
            return connection
        except sqlite3.Error as error:
            if not is_of_the_disk(error) or not os.access(self._path, os.R_OK) or not self._path.is_file():
                raise
            waiting = self._path.with_name(f"{self._path.name}-wal")
            if waiting.exists() and waiting.stat().st_size:
                raise StoreError(
                    "store.changes_wait", path=str(self._path), wal=waiting.name, cause=str(error)
                ) from error
        frozen = self._signature()
        connection = self._connect(immutable=True, kept_statements=kept_statements)
        connection.frozen = frozen
        return connection

    def _signature(self) -> tuple[int, int, bool]:
        """Return what changes when somebody writes to the file."""
        held = self._path.stat()
        return held.st_mtime_ns, held.st_size, self._path.with_name(f"{self._path.name}-wal").exists()

    def _connect(self, *, immutable: bool = False, kept_statements: int = _KEPT_STATEMENTS) -> "_Connection":
        if not self._path.exists():
            raise StoreError("store.missing", path=str(self._path))
        connection = sqlite3.connect(
            f"file:{quote(str(self._path))}?immutable=1" if immutable else self._path,
            uri=immutable,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_SECONDS,
            cached_statements=kept_statements,
            factory=_Connection,
        )
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if not immutable:
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute("PRAGMA temp_store = MEMORY")
        register_functions(connection)
        connection.set_progress_handler(is_over, _STEPS_BETWEEN_LOOKS)
        return connection

    def _meta(self) -> dict[str, str]:
        try:
            meta = dict(self._connection().execute("SELECT key, value FROM vgpkg_twin_meta"))
        except sqlite3.DatabaseError as error:
            if self._is_a_strangers():
                raise StoreError("store.not_ours", path=str(self._path), cause=str(error)) from error
            raise self._as_store_error(error) from error
        if not meta.get("format", "").isdecimal() or not meta.get("crs"):
            raise StoreError("store.damaged", cause=f"vgpkg_twin_meta: {sorted(meta)[:5]}")
        stored = int(meta["format"])
        if stored > gpkg_schema.FORMAT:
            raise StoreTooNew(path=str(self._path), found=stored, known=gpkg_schema.FORMAT)
        if stored < gpkg_schema.FORMAT:
            self._migrate(stored, meta["crs"])
        return meta

    def _is_a_strangers(self) -> bool:
        """Say whether the file is a whole GeoPackage, and none of its tables is one of a town's."""
        try:
            names = {name for (name,) in self._connection().execute("SELECT name FROM sqlite_master")}
        except (sqlite3.Error, StoreError):
            return False
        return "gpkg_contents" in names and not any(name.startswith("vgpkg_twin_") for name in names)

    def _migrate(self, stored: int, crs: str) -> None:
        """Bring an older store to this program's format; a copy as it was stays in `backups/`."""
        backup = backup_path(self._path, stored)
        backup.parent.mkdir(parents=True, exist_ok=True)
        if not backup.exists():
            self.backup(backup)
        with self._writing() as connection:
            text = "SELECT value FROM vgpkg_twin_meta WHERE key = 'format'"
            migrate(connection, int(connection.execute(text).fetchone()[0]), self._catalogue, crs)

    def extend(self, catalogue: Catalogue) -> None:
        connection = self._connection()
        held = gpkg_schema.columns_held(connection)
        ensure_own_tables(held, held, str(self._path))
        if any(gained(catalogue, held)) or retyped(catalogue, held):
            with self._writing() as writer:
                known = gpkg_schema.make_room(writer, catalogue, self._crs)
        else:
            known = gpkg_schema.known_columns(connection, catalogue, held)
        self._list_unplaced(known)
        with self._lock:
            self._catalogue = known

    def _list_unplaced(self, catalogue: Catalogue) -> None:
        """Make the indexes that a file of an earlier program lacks; where it cannot be written, boxes are slower without."""
        if not gpkg_schema.lists_unplaced(self._connection(), catalogue):
            with suppress(StoreError), self._writing() as writer:
                gpkg_schema.list_unplaced(writer, catalogue)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the one writer's place; everything inside is written together, or nothing of it. What was answered with a
        version is on the disk: a power cut does not take it back."""
        connection = self._connect()
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA temp_store = FILE")  # sorting for an index grows with the layer
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO vgpkg_twin_writer VALUES (?)", (os.getpid(),))
            yield connection
            connection.execute("DELETE FROM vgpkg_twin_writer")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._as_store_error(error) from error
        finally:
            connection.close()

    def _as_store_error(self, error: sqlite3.Error) -> StoreError:
        return store_error(error, self._path)

    # --- reading

    def version(self) -> int:
        return int(
            self._connection().execute("SELECT coalesce(max(number), 0) FROM vgpkg_twin_changeset").fetchone()[0]
        )

    def _context(self, layer: Layer, query: FeatureQuery) -> Context:
        query.view.ensure_admits(layer.id)
        moment = now()
        row = (
            self._connection()
            .execute(
                "SELECT t.next_planned, c.min_x, c.min_y, c.max_x, c.max_y, t.features FROM vgpkg_twin_layer t JOIN gpkg_contents c ON c.table_name = t.layer WHERE t.layer = ?",
                (layer.id,),
            )
            .fetchone()
        )
        planned = row[0] is not None and row[0] <= moment
        extent: Box | None = row[1:5] if row[1] is not None else None
        sort_index = None if planned else self._sort_index(layer, query, row[5])
        return Context(layer, self._crs, moment, planned, extent, self._zone, sort_index)

    def _sort_index(self, layer: Layer, query: FeatureQuery, features: int) -> SortIndex | None:
        """Return the index by which a query is answered; where it is missing and worth it, it is begun to be made."""
        index = wanted_sort_index(layer, query)
        if index is None or gpkg_schema.has_sort_index(self._connection(), index):
            return index
        if self._sort_indexes is not None and features >= FEWEST_FEATURES:
            self._sort_indexes.want(index)
        return None

    def keep_sort_indexes(self) -> SortIndexes:
        if self._sort_indexes is None:
            self._sort_indexes = SortIndexes(self._make_sort_index)
        return self._sort_indexes

    def _make_sort_index(self, index: SortIndex) -> None:
        with self._writing() as connection:
            gpkg_schema.make_sort_index(connection, index)

    def _run(self, layer: Layer, query: FeatureQuery, what: str = "rows") -> tuple[sqlite3.Cursor, tuple[str, ...]]:
        statement = select(_DIALECT, self._context(layer, query), query, what=what)
        try:
            return self._connection_for(statement.text).execute(statement.text, statement.parameters), statement.columns
        except UnicodeEncodeError as error:
            raise QueryRefused("query.not_a_value") from error
        except sqlite3.OperationalError as error:
            held = gpkg_schema.columns_held(self._connection(), [layer.id])
            ensure_own_tables([layer.id], held, str(self._path))
            raise self._as_store_error(error) from error

    def features(self, query: FeatureQuery) -> gpd.GeoDataFrame:
        layer = self._catalogue[query.layer]
        cursor, columns = self._run(layer, query)
        return to_frame(layer, query, columns, cursor.fetchall(), self._crs)

    def rows(self, query: FeatureQuery) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        cursor, columns = self._run(self._catalogue[query.layer], query)
        return columns, cursor.fetchall()

    def read_rows(self, query: FeatureQuery, take: Callable[[tuple[str, ...], list[tuple[Any, ...]]], int]) -> None:
        cursor, columns = self._run(self._catalogue[query.layer], query)
        wanted = FIRST_ROWS
        try:
            while wanted > 0 and (rows := cursor.fetchmany(wanted)):
                wanted = take(columns, rows)
        finally:
            cursor.close()

    def frames(self, query: FeatureQuery, rows: int = 50_000) -> Iterator[gpd.GeoDataFrame]:
        layer = self._catalogue[query.layer]
        cursor, columns = self._run(layer, query)
        connection: _Connection = cursor.connection  # type: ignore[assignment]
        with connection.streaming():
            while chunk := cursor.fetchmany(rows):
                yield to_frame(layer, query, columns, chunk, self._crs)

    def count(self, query: FeatureQuery) -> int:
        cursor, _ = self._run(self._catalogue[query.layer], query, "count")
        return int(cursor.fetchone()[0])

    def summary(self, layer: str, view: View | None = None) -> Summary:
        query = FeatureQuery(layer, view=view or View())
        if not query.view.is_now:
            return Summary(self.count(query), self._context(self._catalogue[layer], query).extent)
        self._catalogue[layer]
        row = (
            self._connection()
            .execute(
                "SELECT t.features, c.min_x, c.min_y, c.max_x, c.max_y, t.next_planned FROM vgpkg_twin_layer t JOIN gpkg_contents c ON c.table_name = t.layer WHERE t.layer = ?",
                (layer,),
            )
            .fetchone()
        )
        number = int(row[0]) if row[5] is None else self._present(query)
        return Summary(number, row[1:5] if row[1] is not None else None)

    def _present(self, query: FeatureQuery) -> int:
        """Return how many features there are now where some are planned: the census knows, without counting rows."""
        instants = self.census_instants(query.layer) if query.view == NOW else None
        return self.count(query) if instants is None else instants.present(now())

    def delivered_state(self, layer: str) -> DeliveredState:
        """Two scans without a join, gathered by SQLite: half a million rows as objects cost five times as much.

        A store of format 1 kept findings under their number; that is no hash and equal to none."""
        connection = self._connection()
        (fids,) = connection.execute(f"SELECT json_group_array(fid) FROM {quoted(layer)}").fetchone()
        delivered, contents = connection.execute(
            f"SELECT json_group_array(p.fid), group_concat(hex(p.content), '') FROM {self._open_parts(layer)} "
            "AND length(p.content) = 16",
            (layer,),
        ).fetchone()
        numbered = self._catalogue[layer].identity_field is not None
        ids = dict(connection.execute(f"SELECT fid, id FROM {quoted(layer)}").fetchall()) if numbered else {}
        return DeliveredState.of(_numbers(fids), ids, _numbers(delivered), bytes.fromhex(contents or ""))

    def provenance(self, layer: str, *, ended: bool = False) -> Provenance:
        current = "" if ended else f" AND p.fid IN (SELECT fid FROM {quoted(layer)})"
        parts = _OPEN_PARTS if ended else self._open_parts(layer)
        text = f"SELECT p.fid, p.scope, p.series FROM {parts}{current}"
        return Provenance.of(self._connection().execute(text, (layer,)).fetchall())

    def _open_parts(self, layer: str) -> str:
        """Return tables and condition of what stands delivered of a layer's current features (`p`), at least; the layer is
        the parameter.

        Parts are read one after the other; where most of them are closed, the newest one of each feature is looked up.
        """
        text = (
            "SELECT EXISTS (SELECT 1 FROM vgpkg_twin_part WHERE layer = ? LIMIT 1 OFFSET "
            "(SELECT 2 * features + ? FROM vgpkg_twin_layer WHERE layer = ?))"
        )
        (many,) = self._connection().execute(text, (layer, _FEW_PARTS, layer)).fetchone()
        return _NEWEST_PARTS.format(layer=quoted(layer)) if many else _OPEN_PARTS

    def fids_of_past_ids(self, layer: str, ids: list[str]) -> dict[str, int]:
        history, listed = quoted(gpkg_schema.history_of(layer)), "(SELECT value FROM json_each(?1))"
        text = (
            f"SELECT id, max(fid) FROM {history} WHERE id IN {listed} GROUP BY id UNION ALL "
            f"SELECT alias, max(fid) FROM vgpkg_twin_alias WHERE layer = ?2 AND alias IN {listed} GROUP BY alias"
        )
        return dict(self._connection().execute(text, (orjson.dumps(ids).decode(), layer)).fetchall())

    def blob(self, digest: str) -> bytes:
        blobs = self.blobs([digest])
        if digest not in blobs:
            raise StoreError("store.error", cause=f"blob {digest} is missing")
        return blobs[digest]

    def blobs(self, digests: list[str]) -> dict[str, bytes]:
        rows = self._connection().execute(
            "SELECT digest, content FROM vgpkg_twin_blob WHERE digest IN (SELECT value FROM json_each(?))",
            (orjson.dumps(digests).decode(),),
        )
        return dict(rows.fetchall())

    # --- writing

    @contextmanager
    def head_start(self) -> Iterator[HeadStart]:
        """Take nothing ahead: the one writer's place of the file would be held while a source is read."""
        yield HeadStart()

    def commit(
        self,
        changeset: Changeset,
        plan: Plan,
        described: Sequence[Described] = (),
        progress: Progress = unwatched,
    ) -> Version:
        gaining = [each.layer for each in described]
        layers, version = written_as_planned(
            plan=lambda: plan(self._as_stored(gaining) if gaining else self, changeset),
            basis=lambda connection: layer_versions(
                connection, compared_layers(changeset, self._catalogue, [layer.id for layer in gaining])
            ),
            asking=lambda: nullcontext(self._connection()),
            writing=self._writing,
            write=lambda connection, plans: self._write(connection, changeset, plans, described, progress),
        )
        self._learn(layers)
        return version

    def _write(
        self,
        connection: sqlite3.Connection,
        changeset: Changeset,
        plans: Mapping[str, LayerPlan],
        described: Sequence[Described],
        progress: Progress,
    ) -> tuple[Mapping[str, Layer], Version]:
        """Write a planned changeset; return the layers as they were written, and the version."""
        layers = self._written(connection, written_layers(changeset, plans), described)
        catalogue = Catalogue({**self._catalogue.layers, **layers})
        transaction = GeoPackageTransaction(connection, catalogue, srs_id(self._crs))
        return layers, write_changeset(transaction, catalogue, changeset, plans, progress=progress)

    def _learn(self, layers: Mapping[str, Layer]) -> None:
        """Know layers from now on as their tables are."""
        with self._lock:
            if any(self._catalogue.layers.get(name) is not layer for name, layer in layers.items()):
                self._catalogue = Catalogue({**self._catalogue.layers, **layers})

    def _as_stored(self, layers: Sequence[Layer]) -> "GeoPackageStore":
        """Return this store as it is planned with: it knows of layers what their tables hold, nothing where there is none."""
        connection, only = self._connection(), Catalogue({layer.id: layer for layer in layers})
        held = gpkg_schema.columns_held(connection, only.layers)
        gpkg_schema.known_columns(connection, only, held)
        planned = copy(self)
        planned._catalogue = as_stored(self._catalogue, only, held)
        return planned

    def _written(
        self, connection: sqlite3.Connection, names: Iterable[str], described: Sequence[Described]
    ) -> Mapping[str, Layer]:
        """Return layers as they are written within a transaction: with columns that others have added, and with the table or
        the columns that described ones gain now."""
        catalogue = Catalogue({name: self._catalogue[name] for name in names if name in self._catalogue})
        layers = with_former_fields(catalogue, gpkg_schema.columns_held(connection, catalogue.layers)).layers
        if not described:
            return layers
        only = Catalogue({each.layer.id: each.layer for each in described})
        for each in described:
            gpkg_schema.keep_description(connection, each.layer.id, each.table)
        return {**layers, **gpkg_schema.make_room(connection, only, self._crs).layers}

    def descriptions(self) -> dict[str, str]:
        return gpkg_schema.descriptions(self._connection())

    def forget_description(self, layer: str, table: str) -> None:
        with self._writing() as connection:
            gpkg_schema.forget_description(connection, layer, table)

    # --- whole

    def backup(self, target: Path) -> None:
        """Copy the store as it is at one moment into a file, while others read and write; the file appears whole."""
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        copy = sqlite3.connect(part)
        try:
            self._connection().backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            raise self._as_store_error(error) from error
        finally:
            copy.close()
        part.replace(target)

    def dump(self, table: str) -> Iterator[list[tuple[Any, ...]]]:
        connection = self._connection()
        with connection.streaming():
            yield from gpkg_copy.dump(connection, self._catalogue, table)

    def load(self, tables: Iterable[tuple[str, Iterator[list[tuple[Any, ...]]]]]) -> None:
        with self._writing() as connection:
            for table, batches in tables:
                gpkg_copy.load(connection, self._catalogue, table, batches, srs_id(self._crs))
            transaction = GeoPackageTransaction(connection, self._catalogue, srs_id(self._crs))
            take_censuses(transaction, layer_versions(connection, [layer.id for layer in self._catalogue]))

    def finish_copy(self) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM vgpkg_twin_meta WHERE key = ?", (COPYING,))
        self.is_unfinished = False

    # --- upkeep

    def checkpoint(self) -> tuple[int, str] | None:
        text = "SELECT value FROM vgpkg_twin_meta WHERE key = 'checkpoint'"
        row = self._connection().execute(text).fetchone()
        return read_checkpoint(row[0]) if row else None

    def keep_checkpoint(self, number: int, digest: str) -> None:
        with self._writing() as connection:
            row = ("checkpoint", f"{number} {digest}")
            connection.execute("INSERT OR REPLACE INTO vgpkg_twin_meta VALUES (?,?)", row)

    def damages(self) -> list[Damage]:
        return upkeep.damages(self._connection(), self._catalogue, self._crs)

    def rebuild(self, counters: Iterable[LayerCounters]) -> None:
        with self._writing() as connection:
            upkeep.rebuild(connection, self._catalogue, self._crs, counters)


def _numbers(listed: str) -> NDArray[np.int64]:
    """Return the numbers of a JSON array."""
    return np.array(orjson.loads(listed), dtype=np.int64)
