"""The way back of a restore into PostgreSQL: where it fails after all, the schema that was there has its name again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, sql

from twin_model.store.postgis.server import ServerAddress, connect, in_our_words

__all__ = ["undone_on_error"]


@contextmanager
def undone_on_error(url: str) -> Iterator[None]:
    """Within it `copy.restore` may replace a schema; an error drops what came and brings back what was there."""
    address = ServerAddress.read(url)
    before = _schemas(address)
    try:
        yield
    except BaseException:
        _undo(address, before)
        raise


def _undo(address: ServerAddress, before: set[str]) -> None:
    name = sql.Identifier(address.schema)
    after = _schemas(address)
    put_away = [schema for schema in after - before if schema.startswith(f"{address.schema[:40]}_")]
    if not put_away and (address.schema in before or address.schema not in after):
        return
    with connect(address) as connection, in_our_words(address), connection.transaction():
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
        for schema in put_away[:1]:
            connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(schema), name))


def _schemas(address: ServerAddress) -> set[str]:
    with connect(address) as connection, in_our_words(address):
        return _names(connection)


def _names(connection: "Connection[Any]") -> set[str]:
    return {name for (name,) in connection.execute("SELECT nspname FROM pg_namespace").fetchall()}
