"""What PostGIS does while a source is still read: the rows of a layer's first load go in, where nobody is in the way; of a
layer that was written, what is known of it is asked.

A transaction of its own takes them into a layer that was never written. It holds that layer's table, whose indexes are
away, but not the writer's place, and waits for nobody. Whoever waits for it, a version that was made meanwhile, a halt of
ten seconds or anything that fails ends it, and the commit goes the ordinary way with the rows of the spool.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from typing import Any

import numpy as np
import psycopg

from twin_model.catalogue import Catalogue
from twin_model.changeset import Changeset, Rows, Scope, Version
from twin_model.errors import StoreError
from twin_model.plan import LayerPlan, Plan
from twin_model.store.base import DeliveredState, HeadStart, Store
from twin_model.store.former_fields import is_outgrown
from twin_model.store.layer_writer import Writing
from twin_model.store.postgis.copy_queue import CopyQueue
from twin_model.store.postgis.schema import columns_held
from twin_model.store.postgis.server import ServerAddress, begin_ahead, connect, in_our_words, take_place
from twin_model.store.postgis.write import BULK, PostgisTransaction, PostgisWriter
from twin_model.store.writing import write_changeset, written_layers
from twin_model.temporal import Instant, now

__all__ = ["PostgisHeadStart"]

Connection = psycopg.Connection[Any]


class _Disturbed(Exception):
    """Somebody waits for what is held, has made a version, or the commit is another than was thought."""


class PostgisHeadStart(HeadStart):
    """The head start of one delivery; nothing of it stays after `give_up` unless it was committed."""

    def __init__(self, store: Store, address: ServerAddress) -> None:
        self._store, self._address = store, address
        self._base = 0
        self._queue: CopyQueue | None = None
        self._layers: dict[str, PostgisWriter | None] = {}
        self._open = ExitStack()
        self._over = False
        self._asking = ThreadPoolExecutor(1, "twin-asks-ahead")
        self._asked: dict[str, Future[tuple[int, DeliveredState]]] = {}

    def take(self, layer: str, rows: Rows, since: Callable[[], Instant], scope: Scope) -> None:
        if layer not in self._asked:
            self._asked[layer] = self._asking.submit(self._ask, layer)
        if self._over:
            return
        try:
            if layer not in self._layers:
                self._layers[layer] = self._writer(layer, since, scope) if len(rows) >= BULK else None
            writer = self._layers[layer]
            if writer is not None:
                writer.write(rows, np.zeros(len(rows), dtype=np.int64))
                self._begun().submit(self._ensure_undisturbed)
        except (psycopg.Error, StoreError, _Disturbed):
            self.give_up()

    def delivered_state(self, layer: str) -> DeliveredState | None:
        """Return what was known of a layer as its first rows came, where no version was made since then."""
        if layer not in self._asked:
            return None
        try:
            version, known = self._asked[layer].result()
        except (psycopg.Error, StoreError):
            return None
        return known if version == self._store.version() else None

    def _ask(self, layer: str) -> tuple[int, DeliveredState]:
        # The version first: what one says that is made in between is then not taken for what this one says.
        version = self._store.version()
        return version, self._store.delivered_state(layer)

    def commit(self, changeset: Changeset, plan: Plan) -> Version | None:
        ahead = {name: writer for name, writer in self._layers.items() if writer is not None}
        if self._over or not ahead:
            return None
        try:
            for writer in ahead.values():
                writer.complete()
            plans = plan(self._store, changeset)
            queue = self._begun()
            transaction = PostgisTransaction(queue, self._store.catalogue, self._store.crs)
            if not take_place(queue.connection, self._address) or transaction.last()[0] != self._base:
                raise _Disturbed
            _ensure_as_thought(changeset, plans, ahead)
            self._ensure_known_columns(queue.connection, written_layers(changeset, plans))
            version = write_changeset(transaction, self._store.catalogue, changeset, plans, ahead=ahead)
            connection = queue.connection
        except (psycopg.Error, StoreError, _Disturbed):
            self.give_up()
            return None
        with in_our_words(self._address):
            connection.execute("COMMIT")
        return version

    def give_up(self) -> None:
        """Take back what is not committed."""
        self._over = True
        self._open.close()

    def end(self) -> None:
        """Take back what is not committed and wait for what was asked."""
        self.give_up()
        self._asking.shutdown()

    def _begun(self) -> CopyQueue:
        if self._queue is None:
            self._base = self._store.version()
            connection = self._open.enter_context(closing(connect(self._address)))
            self._open.callback(_roll_back, connection)
            begin_ahead(connection)
            self._queue = CopyQueue(connection)
            self._open.callback(self._queue.stop)
        return self._queue

    def _writer(self, layer: str, since: Callable[[], Instant], scope: Scope) -> PostgisWriter | None:
        """Return what writes into a layer that was never written and that nobody looks at, None for any other; where the
        first is another, nothing goes ahead."""
        queue = self._begun()
        writing = Writing(self._base + 1, since(), now(), scope=scope)
        writer = PostgisWriter(self._store.catalogue[layer], writing, queue, self._store.crs)
        if writer.lighten():
            return writer
        if not any(self._layers.values()):
            self.give_up()
        return None

    def _ensure_known_columns(self, connection: Connection, names: list[str]) -> None:
        known = self._store.catalogue
        catalogue = Catalogue({name: known[name] for name in names if name in known})
        if is_outgrown(catalogue, columns_held(connection, self._address.schema, catalogue.layers)):
            raise _Disturbed

    def _ensure_undisturbed(self, connection: Connection) -> None:
        text = (
            "SELECT (SELECT coalesce(max(number), 0) FROM twin_changeset) > %s OR EXISTS "
            "(SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        if connection.execute(text, (self._base,)).fetchall() != [(False,)]:
            raise _Disturbed


def _ensure_as_thought(
    changeset: Changeset, plans: Mapping[str, LayerPlan], ahead: Mapping[str, PostgisWriter]
) -> None:
    """Refuse a commit that would have written the rows otherwise, or other rows."""
    for name, writer in ahead.items():
        plan, said, scope = plans[name], writer.writing, changeset.scope
        whole = len(plan.decisions) == writer.inserted and not plan.decisions.any() and not len(plan.ended)
        same = (changeset.edit, changeset.effective, scope.name, scope.series) == (
            said.edit,
            said.effective,
            said.scope.name,
            said.scope.series,
        )
        if not (whole and same):
            raise _Disturbed


def _roll_back(connection: Connection) -> None:
    with suppress(psycopg.Error):
        connection.rollback()
