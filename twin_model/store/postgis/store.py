"""The PostGIS store: one schema of a PostgreSQL database a town, many readers and writers one after the other.

Here connections live and answers become frames; the statements are made in `select`, rows are written in
`write`, of a first load while its source is still read in `head_start`, what was delivered in `parts`,
tables in `schema`; how a server is reached stands in `server`.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from copy import copy
from itertools import islice
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import geopandas as gpd
import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from twin_model.catalogue import Catalogue
from twin_model.changeset import Changeset, Version
from twin_model.deadline import stopped_by
from twin_model.errors import StoreError, StoreTooNew
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
from twin_model.store.plan_basis import compared_layers, written_as_planned
from twin_model.store.postgis import copy as postgis_copy
from twin_model.store.postgis import schema as postgis_schema
from twin_model.store.postgis import upkeep
from twin_model.store.postgis.copy_queue import CopyQueue
from twin_model.store.postgis.head_start import PostgisHeadStart
from twin_model.store.postgis.history import PostgisHistory, layer_versions
from twin_model.store.postgis.migrations import migrate
from twin_model.store.postgis.parts import delivered, whole_numbers
from twin_model.store.postgis.patience import Ending, StatementBounds
from twin_model.store.postgis.schema import history_of, newest_version, srid_of
from twin_model.store.postgis.select import PostgisDialect
from twin_model.store.postgis.server import ServerAddress, connect, ensure_usable, in_our_words, prepare, writing
from twin_model.store.postgis.write import PostgisTransaction
from twin_model.store.select import Context, Select, quoted, select, wanted_sort_index
from twin_model.store.sort_index import FEWEST_FEATURES, SortIndex, SortIndexes
from twin_model.store.writing import take_censuses, write_changeset, written_layers
from twin_model.temporal import now
from twin_model.view import NOW, View

__all__ = ["PostgisStore"]

_MOST_CONNECTIONS = 16
_POOL_SECONDS = 5
_LONGEST_PREPARED = 4_096
"""Statements with more characters, those of long filters, are not kept prepared: neither here nor on the server."""

Connection = psycopg.Connection[Any]
PlainRows = list[tuple[Any, ...]]


class PostgisStore(PostgisHistory):
    """A store in one schema of a PostGIS database. Safe to use from many threads; readers share a pool of connections."""

    def __init__(
        self, url: str, catalogue: Catalogue, *, zone: str = "Asia/Shanghai", unfinished: bool = False
    ) -> None:
        self._address, self._catalogue, self._zone = ServerAddress.read(url), catalogue, ZoneInfo(zone)
        self._lock = threading.Lock()
        with connect(self._address) as connection:
            self._crs = self._opened(connection, unfinished=unfinished)
        self._dialect = PostgisDialect(srid_of(self._crs))
        self._pool: ConnectionPool[Connection] | None = None
        self._sort_indexes: SortIndexes | None = None
        self._pool_lock = threading.Lock()
        self._bounds = StatementBounds()

    @classmethod
    def create(
        cls, url: str, catalogue: Catalogue, crs: str, *, zone: str = "Asia/Shanghai", unfinished: bool = False
    ) -> "PostgisStore":
        """Make an empty store with every layer of the catalogue; the schema is filled whole or not at all.

        A schema that holds a town already is refused. The extension postgis is made where it is missing and may be. A store
        that is `unfinished` is to be filled (`load`) and is no town's until `finish_copy`.
        """
        address = ServerAddress.read(url)
        with connect(address) as connection, writing(connection, address):
            _ensure_postgis(connection, address)
            _ensure_schema(connection, address)
            prepare(connection, address)
            ensure_usable(connection, address)
            version = newest_version(connection, address)
            if version is not None:
                raise StoreError("store.not_empty", url=address.shown, version=version)
            postgis_schema.create_core(connection, crs)
            for layer in catalogue:
                if layer.kind == "feature":
                    postgis_schema.create_layer(connection, layer, crs)
            if unfinished:
                connection.execute("INSERT INTO twin_meta VALUES (%s, 'yes')", (COPYING,))
        return cls(url, catalogue, zone=zone, unfinished=unfinished)

    @property
    def url(self) -> str:
        """The address without its password."""
        return self._address.shown

    @property
    def crs(self) -> str:
        return self._crs

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    def close(self) -> None:
        with self._pool_lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _opened(self, connection: Connection, *, unfinished: bool) -> str:
        """Return the town's CRS; bring an older store to this program's format, refuse a newer one."""
        if newest_version(connection, self._address) is None:
            raise StoreError("store.no_town", url=self.url)
        meta = dict(connection.execute("SELECT key, value FROM twin_meta").fetchall())
        if not str(meta.get("format", "")).isdecimal() or not meta.get("crs"):
            raise StoreError("store.damaged", cause=f"twin_meta: {sorted(meta)[:5]}")
        self.is_unfinished = COPYING in meta
        if self.is_unfinished and not unfinished:
            raise StoreError("store.copy_unfinished", url=self.url)
        found, known = int(meta["format"]), postgis_schema.FORMAT
        if found > known:
            raise StoreTooNew(path=self.url, found=found, known=known)
        if found < known:
            with writing(connection, self._address):
                text = "SELECT value FROM twin_meta WHERE key = 'format'"
                (again,) = connection.execute(text).fetchall()[0]
                migrate(connection, int(again), self._catalogue, str(meta["crs"]), self._address)
        crs = str(meta["crs"])
        self._extend(connection, self._catalogue, crs)
        return crs

    def extend(self, catalogue: Catalogue) -> None:
        with connect(self._address) as connection:
            self._extend(connection, catalogue, self._crs)

    def _extend(self, connection: Connection, catalogue: Catalogue, crs: str) -> None:
        schema = self._address.schema
        own_layers = [name for (name,) in connection.execute("SELECT layer FROM twin_layer").fetchall()]
        held = postgis_schema.columns_held(connection, schema)  # later, so that no table made meanwhile is missed
        ensure_own_tables(own_layers, held, self.url)
        if any(gained(catalogue, held)) or retyped(catalogue, held):
            with writing(connection, self._address):
                known = postgis_schema.make_room(connection, catalogue, crs, schema)
        else:
            known = postgis_schema.known_columns(connection, catalogue, held, schema)
        self._ensure_functions(connection)
        with self._lock:
            self._catalogue = known

    def _ensure_functions(self, connection: Connection) -> None:
        """Make the functions that a schema of an earlier program lacks; an account that may only read goes without them."""
        if not postgis_schema.has_functions(connection, self._address.schema):
            with suppress(StoreError), writing(connection, self._address):
                postgis_schema.make_functions(connection)

    # --- reading

    def _open_pool(self) -> ConnectionPool[Connection]:
        """Return the pool; it is opened when first asked for, and again after `close`."""
        with self._pool_lock:
            if self._pool is None:
                self._pool = ConnectionPool(
                    self._address.conninfo,
                    min_size=0,
                    max_size=_MOST_CONNECTIONS,
                    timeout=_POOL_SECONDS,
                    reconnect_timeout=30,
                    open=True,
                    kwargs={"autocommit": True},
                    configure=lambda connection: prepare(connection, self._address),
                    name="twin",
                )
            return self._pool

    @contextmanager
    def _lent(self, *, asking: bool = True) -> Iterator[Connection]:
        """Lend a connection of the pool; where none comes free, the pool still waits for a server that was away, or another
        thread has just closed it, one of its own. A new one has to learn the tables first, which costs as much as a small edit."""
        with in_our_words(self._address, asking=asking):
            pool = self._open_pool()
            try:
                lent = pool.getconn()
            except (PoolTimeout, PoolClosed):
                with connect(self._address) as own, self._patiently(own):
                    yield own
                return
            try:
                with self._patiently(lent):
                    yield lent
            finally:
                pool.putconn(lent)

    @contextmanager
    def _patiently(self, connection: Connection) -> Iterator[None]:
        """Wait for a server as long as the caller does, and no longer."""
        ending = Ending(connection)
        try:
            with stopped_by(ending):
                self._bounds.tell(connection)
                yield
        finally:
            ending.over()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Lend a connection that holds the one writer's place; everything inside is written together, or nothing of it."""
        with self._lent(asking=False) as connection, writing(connection, self._address):
            yield connection

    def _all(self, text: str, *parameters: Any) -> PlainRows:
        return self._fetched(lambda connection: _rows(connection, text, parameters))

    def _fetched(
        self, ask: Callable[[Connection], PlainRows], may_repeat: Callable[[], bool] = lambda: True
    ) -> PlainRows:
        """Return what is asked of a connection; where the server was started anew in between, it is asked again if it may."""
        for again in (True, False):
            with self._lent() as connection:
                try:
                    return ask(connection)
                except psycopg.OperationalError:
                    if not (again and connection.closed and may_repeat()):
                        raise
                except psycopg.errors.FeatureNotSupported:  # a column has another type than when this was prepared
                    if not (again and may_repeat()):
                        raise
                    connection.close()
            self._open_pool().check()
        raise AssertionError("unreachable")

    def _select(
        self, connection: Connection, layer: Layer, query: FeatureQuery, what: str = "rows"
    ) -> tuple[Select, bool]:
        """Return the statement of a query, and whether its layer was ever written.

        Of one that never was there is nothing to read, and who brings its first features may hold the table.
        """
        query.view.ensure_admits(layer.id)
        moment = now()
        index = wanted_sort_index(layer, query)
        text = (
            "SELECT version, next_planned, features, (SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s::text)), "
            "min_x, min_y, max_x, max_y FROM twin_layer WHERE layer = %s"
        )
        asked = (quoted(index.name) if index else None, layer.id)
        version, next_planned, features, indexed, *extent = connection.execute(text, asked).fetchall()[0]
        planned = next_planned is not None and next_planned <= moment
        box = None if extent[0] is None else (extent[0], extent[1], extent[2], extent[3])
        if index is not None and not indexed and self._sort_indexes is not None and features >= FEWEST_FEATURES:
            self._sort_indexes.want(index)
        sort_index = index if indexed and not planned else None
        context = Context(layer, self._crs, moment, planned, box, self._zone, sort_index)
        return select(self._dialect, context, query, what=what), version > 0

    def keep_sort_indexes(self) -> SortIndexes:
        if self._sort_indexes is None:
            self._sort_indexes = SortIndexes(self._make_sort_index)
        return self._sort_indexes

    def _make_sort_index(self, index: SortIndex) -> None:
        with in_our_words(self._address), connect(self._address) as connection:
            postgis_schema.make_sort_index(connection, self._catalogue[index.layer], index)

    def _run(self, layer: Layer, query: FeatureQuery, what: str = "rows") -> tuple[tuple[str, ...], PlainRows]:
        columns: tuple[str, ...] = ()

        def ask(connection: Connection) -> PlainRows:
            nonlocal columns
            made, written = self._select(connection, layer, query, what)
            columns = made.columns
            return _rows(connection, made.text, made.parameters) if written else []

        rows = self._fetched(ask)
        return columns, rows

    def features(self, query: FeatureQuery) -> gpd.GeoDataFrame:
        layer = self._catalogue[query.layer]
        columns, rows = self._run(layer, query)
        return to_frame(layer, query, columns, rows, self._crs)

    def rows(self, query: FeatureQuery) -> tuple[tuple[str, ...], PlainRows]:
        return self._run(self._catalogue[query.layer], query)

    def read_rows(self, query: FeatureQuery, take: Callable[[tuple[str, ...], PlainRows], int]) -> None:
        if query.finds_few:  # a statement that is kept prepared
            columns, rows = self.rows(query)
            if rows:
                take(columns, rows)
            return
        handed_over = False

        def ask(connection: Connection) -> PlainRows:
            nonlocal handed_over
            made, written = self._select(connection, self._catalogue[query.layer], query)
            if not written:
                return []
            wanted = FIRST_ROWS
            with closing(_streamed(connection, made)) as rows:
                while wanted > 0 and (chunk := list(islice(rows, wanted))):
                    handed_over = True
                    wanted = take(made.columns, chunk)
            return []

        self._fetched(ask, may_repeat=lambda: not handed_over)

    def frames(self, query: FeatureQuery, rows: int = 50_000) -> Iterator[gpd.GeoDataFrame]:
        layer = self._catalogue[query.layer]
        with self._lent() as connection:
            made, written = self._select(connection, layer, query)
            chunks = postgis_copy.streamed(connection, made.text, made.parameters, rows) if written else ()
            for chunk in chunks:
                yield to_frame(layer, query, made.columns, chunk, self._crs)

    def count(self, query: FeatureQuery) -> int:
        _, rows = self._run(self._catalogue[query.layer], query, "count")
        return int(rows[0][0]) if rows else 0

    def summary(self, layer: str, view: View | None = None) -> Summary:
        query = FeatureQuery(layer, view=view or View())
        self._catalogue[layer]
        text = "SELECT features, min_x, min_y, max_x, max_y, next_planned FROM twin_layer WHERE layer = %s"
        row = self._all(text, layer)[0]
        number = int(row[0]) if query.view.is_now and row[5] is None else self._present(query)
        return Summary(number, row[1:5] if row[1] is not None else None)

    def _present(self, query: FeatureQuery) -> int:
        """Return how many features there are now where some are planned: the census knows, without counting rows."""
        instants = self.census_instants(query.layer) if query.view == NOW else None
        return self.count(query) if instants is None else instants.present(now())

    def delivered_state(self, layer: str) -> DeliveredState:
        """Scans without a join, gathered by the server into a few long values.

        A layer that never was written is not looked into: who brings its first features may hold the table.
        """
        if not self._all("SELECT 1 FROM twin_layer WHERE layer = %s AND version > 0", layer):
            return DeliveredState.of(whole_numbers(None), {}, whole_numbers(None), b"")
        ((fids,),) = self._all(f"SELECT string_agg(int8send(fid), ''::bytea) FROM {quoted(layer)}")
        ids: dict[int, str] = {}
        if self._catalogue[layer].identity_field is not None:
            ids = dict(self._all(f"SELECT fid, id FROM {quoted(layer)}"))
        return DeliveredState.of(whole_numbers(fids), ids, *delivered(self._all, layer))

    def provenance(self, layer: str, *, ended: bool = False) -> Provenance:
        current = "" if ended else f" JOIN {quoted(layer)} m ON p.fid = m.fid"
        text = (
            f"SELECT p.fid, p.scope, p.series FROM twin_parts p{current} "
            "WHERE p.layer = %s AND p.part = 0 AND p.version_to IS NULL ORDER BY p.fid"
        )
        return Provenance.of(self._all(text, layer))

    def fids_of_past_ids(self, layer: str, ids: list[str]) -> dict[str, int]:
        text = (
            f"SELECT id, max(fid) FROM {quoted(history_of(layer))} WHERE id = ANY(%s) GROUP BY id UNION ALL "
            "SELECT alias, max(fid) FROM twin_alias WHERE layer = %s AND alias = ANY(%s) GROUP BY alias"
        )
        return {alias: int(fid) for alias, fid in self._all(text, ids, layer, ids)}

    def blob(self, digest: str) -> bytes:
        blobs = self.blobs([digest])
        if digest not in blobs:
            raise StoreError("store.error", cause=f"blob {digest} is missing")
        return blobs[digest]

    def blobs(self, digests: list[str]) -> dict[str, bytes]:
        rows = self._all("SELECT digest, content FROM twin_blob WHERE digest = ANY(%s)", digests)
        return {digest: bytes(content) for digest, content in rows}

    # --- writing

    @contextmanager
    def head_start(self) -> Iterator[HeadStart]:
        ahead = PostgisHeadStart(self, self._address)
        try:
            yield ahead
        finally:
            ahead.end()

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
            asking=self._lent,
            writing=self._writing,
            write=lambda connection, plans: self._write(connection, changeset, plans, described, progress),
        )
        self._learn(layers)
        return version

    def _write(
        self,
        connection: Connection,
        changeset: Changeset,
        plans: Mapping[str, LayerPlan],
        described: Sequence[Described],
        progress: Progress,
    ) -> tuple[Mapping[str, Layer], Version]:
        """Write a planned changeset; return the layers as they were written, and the version."""
        with CopyQueue(connection) as queue:
            layers = self._written(connection, written_layers(changeset, plans), described)
            catalogue = Catalogue({**self._catalogue.layers, **layers})
            transaction = PostgisTransaction(queue, catalogue, self._crs)
            return layers, write_changeset(transaction, catalogue, changeset, plans, progress=progress)

    def _learn(self, layers: Mapping[str, Layer]) -> None:
        """Know layers from now on as their tables are."""
        with self._lock:
            if any(self._catalogue.layers.get(name) is not layer for name, layer in layers.items()):
                self._catalogue = Catalogue({**self._catalogue.layers, **layers})

    def _as_stored(self, layers: Sequence[Layer]) -> "PostgisStore":
        """Return this store as it is planned with: it knows of layers what their tables hold, nothing where there is none."""
        only, schema = Catalogue({layer.id: layer for layer in layers}), self._address.schema
        with self._lent() as connection:
            held = postgis_schema.columns_held(connection, schema, only.layers)
            postgis_schema.known_columns(connection, only, held, schema)
        planned = copy(self)
        planned._catalogue = as_stored(self._catalogue, only, held)
        return planned

    def _written(
        self, connection: Connection, names: Iterable[str], described: Sequence[Described]
    ) -> Mapping[str, Layer]:
        """Return layers as they are written within a transaction: with columns that others have added, and with the table or
        the columns that described ones gain now."""
        schema = self._address.schema
        catalogue = Catalogue({name: self._catalogue[name] for name in names if name in self._catalogue})
        held = postgis_schema.columns_held(connection, schema, catalogue.layers)
        layers = with_former_fields(catalogue, held).layers
        if not described:
            return layers
        only = Catalogue({each.layer.id: each.layer for each in described})
        for each in described:
            postgis_schema.keep_description(connection, each.layer.id, each.table)
        return {**layers, **postgis_schema.make_room(connection, only, self._crs, schema).layers}

    def descriptions(self) -> dict[str, str]:
        with self._lent() as connection:
            return postgis_schema.descriptions(connection)

    def forget_description(self, layer: str, table: str) -> None:
        with self._writing() as connection:
            postgis_schema.forget_description(connection, layer, table)

    # --- whole

    def backup(self, target: Path) -> None:
        """Write the town's schema as it is at one moment into a file of `pg_dump`; the file appears whole."""
        postgis_copy.backup(self._address, target)

    def dump(self, table: str) -> Iterator[PlainRows]:
        with self._lent() as connection:
            yield from postgis_copy.dump(connection, self._catalogue, table)

    def load(self, tables: Iterable[tuple[str, Iterator[PlainRows]]]) -> None:
        with connect(self._address) as connection, writing(connection, self._address):
            number, _, _ = PostgisTransaction(CopyQueue(connection), self._catalogue, self._crs).last()
            if number and self.is_unfinished:  # a copy that was stopped before both were proved equal
                postgis_copy.empty(connection, self._catalogue)
            elif number:
                raise StoreError("store.not_empty", url=self.url, version=number)
            for table, batches in tables:
                postgis_copy.load(connection, self._catalogue, table, batches, self._crs)
            with CopyQueue(connection) as queue:
                transaction = PostgisTransaction(queue, self._catalogue, self._crs)
                take_censuses(transaction, layer_versions(connection, [layer.id for layer in self._catalogue]))

    def finish_copy(self) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM twin_meta WHERE key = %s", (COPYING,))
        self.is_unfinished = False

    # --- upkeep

    def checkpoint(self) -> tuple[int, str] | None:
        rows = self._all("SELECT value FROM twin_meta WHERE key = 'checkpoint'")
        return read_checkpoint(rows[0][0]) if rows else None

    def keep_checkpoint(self, number: int, digest: str) -> None:
        text = "INSERT INTO twin_meta VALUES ('checkpoint', %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        with self._writing() as connection:
            connection.execute(text, (f"{number} {digest}",))

    def damages(self) -> list[Damage]:
        with self._lent() as connection:
            return upkeep.damages(connection, self._catalogue, self._address.schema, self._crs)

    def rebuild(self, counters: Iterable[LayerCounters]) -> None:
        with self._writing() as connection:
            upkeep.rebuild(connection, self._catalogue, self._address.schema, self._crs, counters)


def _streamed(connection: Connection, made: Select) -> Generator[tuple[Any, ...], None, None]:
    """Yield rows while the server still sends: at most some dozens wait in memory, where the client library knows how."""
    size = FIRST_ROWS if psycopg.capabilities.has_stream_chunked() else 1
    with connection.cursor() as cursor:
        yield from cursor.stream(cast("sql.SQL", made.text), made.parameters or None, binary=True, size=size)


def _rows(connection: Connection, text: str, parameters: tuple[Any, ...]) -> PlainRows:
    with connection.cursor(binary=True) as cursor:
        prepare = None if len(text) <= _LONGEST_PREPARED else False
        return cursor.execute(cast("sql.SQL", text), parameters or None, prepare=prepare).fetchall()


def _ensure_postgis(connection: Connection, address: ServerAddress) -> None:
    extension = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'postgis'").fetchone()
    if extension is not None:
        return
    try:
        with connection.transaction():
            connection.execute("CREATE EXTENSION postgis")
    except psycopg.Error as error:
        raise StoreError("store.no_postgis", url=address.shown, cause=str(error).splitlines()[0]) from error


def _ensure_schema(connection: Connection, address: ServerAddress) -> None:
    """Make the schema where it is missing: an account may be given one and no right to make others."""
    schema = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (address.schema,)).fetchone()
    if schema is None:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(address.schema)))
