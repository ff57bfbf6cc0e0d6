"""A PostgreSQL server as a town reaches it: its address, its connections, and its errors in our words.

An address is that of libpq with the town's schema among its parameters:
`postgresql://user@host:5432/database?schema=twin`. The password may be left out: libpq looks in PGPASSWORD and
~/.pgpass. It never appears in a message.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import psycopg
from psycopg import conninfo, errors, sql
from psycopg.types.array import ListDumper

from twin_model.errors import QueryRefused, StoreError

__all__ = [
    "LONGEST_NAME",
    "ServerAddress",
    "begin_ahead",
    "connect",
    "ensure_usable",
    "in_our_words",
    "prepare",
    "server_versions",
    "take_place",
    "writing",
]

_DEFAULT_SCHEMA = "twin"
_CONNECT_SECONDS = 10
_OLDEST = 13_00_00
_LOST = ("08", "57P")
"""How SQLSTATEs begin that say: the server is not there, or goes away."""

LONGEST_NAME = 63
"""So many bytes of a name PostgreSQL keeps; it cuts off the rest, so that two schemas would become one."""

_HIDDEN = "postgresql://..."

AHEAD_WAITS_MILLISECONDS = 200
"""So long what writes ahead waits for others: less than the second after which PostgreSQL looks for a deadlock."""

AHEAD_IDLE_SECONDS = 10
"""After so long without rows the server ends what writes ahead: others may be waiting for it."""

BUSY_SECONDS = 60
"""So long a writer waits for another one."""

_AS_A_WRITER = "SET LOCAL twin.writer = 'yes'; SET LOCAL lock_timeout = '{} ms'"
_PLACE = "hashtextextended(%s, 0)"


@dataclass(frozen=True)
class ServerAddress:
    """Where a town lies: `shown` is the address without its password, `conninfo` what libpq is given."""

    shown: str
    schema: str
    conninfo: str = field(repr=False)
    secret: str = field(default="", repr=False)

    @classmethod
    def read(cls, url: str) -> "ServerAddress":
        """Return the address of a URL; one that cannot be read is refused, and nothing of it shown that may be a password."""
        try:
            parts = urlsplit(re.sub("^[a-zA-Z]+:", "postgresql:", url))
        except ValueError as error:
            raise StoreError("store.bad_address", url=_HIDDEN) from error
        if url.count("@") != parts.netloc.count("@") or url.count("@") > 1:
            raise StoreError("store.bad_address", url=_HIDDEN)
        account, at, host = parts.netloc.rpartition("@")
        user, _, secret = account.partition(":")
        options = _options(parts.query)
        schema, password = options.pop("schema", _DEFAULT_SCHEMA), options.pop("password", None)
        options_of_url = options | ({"schema": schema} if schema != _DEFAULT_SCHEMA else {})
        shown = _url(user + at + host, parts.path, options_of_url)
        if not schema:
            raise StoreError("store.bad_address", url=shown)
        if len(schema.encode()) > LONGEST_NAME:
            raise StoreError("store.long_schema", url=shown, found=len(schema.encode()), most=LONGEST_NAME)
        try:
            known = conninfo.conninfo_to_dict(_url(parts.netloc, parts.path, options), password=password)
        except psycopg.Error as error:
            raise StoreError("store.bad_address", url=shown) from error
        known.setdefault("connect_timeout", _CONNECT_SECONDS)
        known.setdefault("application_name", "twin")
        return cls(shown, schema, conninfo.make_conninfo("", **known), unquote(secret) or password or "")


def _options(query: str) -> dict[str, str]:
    """Return the parameters of a URL as libpq reads them: a plus sign is one."""
    pairs = (option.partition("=") for option in query.split("&") if option)
    return {unquote(key): unquote(value) for key, _, value in pairs}


def _url(host: str, path: str, options: Mapping[str, str]) -> str:
    query = urlencode(options, quote_via=quote, safe="/")
    return f"postgresql://{host}{path}" + (f"?{query}" if query else "")


def connect(address: ServerAddress) -> "psycopg.Connection[Any]":
    """Return a connection of its own to a server that can keep a town."""
    with in_our_words(address):
        try:
            connection = psycopg.connect(address.conninfo, autocommit=True)
        except psycopg.OperationalError as error:
            raise StoreError("store.no_server", url=address.shown, cause=_told(error, address)) from error
        version = connection.info.server_version
        if version < _OLDEST or connection.info.parameter_status("server_encoding") != "UTF8":
            cause = f"PostgreSQL {version // 10000}, {connection.info.parameter_status('server_encoding')}"
            connection.close()
            raise StoreError("store.no_server", url=address.shown, cause=cause)
        prepare(connection, address)
        return connection


def server_versions(address: ServerAddress) -> tuple[str, str]:
    """Return the versions of PostgreSQL and PostGIS; the latter is empty where the database has no such extension."""
    with connect(address) as connection:
        text = "SELECT extversion FROM pg_extension WHERE extname = 'postgis'"
        extension = connection.execute(text).fetchone()
        number = connection.info.server_version
    return f"{number // 10000}.{number % 10000}", str(extension[0]) if extension else ""


class _Numbers(ListDumper):
    """Writes lists of whole numbers, or of others, all at once: one by one takes a hundred times as long."""

    def dump(self, obj: list[Any]) -> Any:
        if set(map(type, obj)) in ({int}, {float}):
            return b"{%s}" % str(obj)[1:-1].encode()
        return super().dump(obj)


def prepare(connection: "psycopg.Connection[Any]", address: ServerAddress) -> None:
    """Give a connection the town's search path. Plans are made for the values asked for; queries are too short for JIT, and
    for workers: starting two takes 30 ms, which only a look at millions of rows earns."""
    text = (
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'postgis'"
    )
    schema = connection.execute(text).fetchone()
    connection.adapters.register_dumper(list, _Numbers)
    path = [address.schema, schema[0] if schema else "public"]
    names = sql.SQL(", ").join(map(sql.Identifier, path))
    settings = (
        "SET search_path = {}; SET plan_cache_mode = force_custom_plan; SET jit = off; SET parallel_setup_cost = 100000"
    )
    connection.execute(sql.SQL(settings).format(names))


def ensure_usable(connection: "psycopg.Connection[Any]", address: ServerAddress) -> None:
    """Refuse a schema into which the account may not look: PostgreSQL passes it over, and would take the next of the path."""
    row = connection.execute("SELECT current_schema(), current_user").fetchone()
    schema, account = row if row else (None, "")
    if schema != address.schema:
        raise StoreError("store.forbidden", url=address.shown, cause=f"{account}: USAGE ON SCHEMA {address.schema}")


@contextmanager
def writing(connection: "psycopg.Connection[Any]", address: ServerAddress) -> Iterator[None]:
    """Hold the one writer's place of a town; everything inside is written together, or nothing of it."""
    with in_our_words(address), connection.transaction():
        connection.execute(_AS_A_WRITER.format(BUSY_SECONDS * 1_000))
        connection.execute(f"SELECT pg_advisory_xact_lock({_PLACE})", (f"twin {address.schema}",))
        yield


def begin_ahead(connection: "psycopg.Connection[Any]") -> None:
    """Begin a transaction that writes before it has the writer's place, and so must neither wait for who may have it
    nor let others wait for long."""
    idle = f"SET LOCAL idle_in_transaction_session_timeout = '{AHEAD_IDLE_SECONDS}s'"
    connection.execute(f"BEGIN; {_AS_A_WRITER.format(AHEAD_WAITS_MILLISECONDS)}; {idle}")


def take_place(connection: "psycopg.Connection[Any]", address: ServerAddress) -> bool:
    """Take the writer's place where it is free, for the rest of the transaction; say whether."""
    text = f"SELECT pg_try_advisory_xact_lock({_PLACE})"
    ((taken,),) = connection.execute(text, (f"twin {address.schema}",)).fetchall()
    connection.execute(
        f"{_AS_A_WRITER.format(BUSY_SECONDS * 1_000)}; SET LOCAL idle_in_transaction_session_timeout TO DEFAULT"
    )
    return bool(taken)


@contextmanager
def in_our_words(address: ServerAddress, *, asking: bool = False) -> Iterator[None]:
    """Let what the server complains of be one of our errors; who asks may have asked for what cannot be."""
    try:
        yield
    except errors.LockNotAvailable as error:
        raise StoreError("store.busy", path=address.shown, seconds=BUSY_SECONDS) from error
    except errors.InsufficientPrivilege as error:
        raise StoreError("store.forbidden", url=address.shown, cause=_told(error, address)) from error
    except errors.ReadOnlySqlTransaction as error:
        raise StoreError("store.read_only", path=address.shown, cause=_told(error, address)) from error
    except errors.DiskFull as error:
        raise StoreError("store.disk_full", cause=_told(error, address)) from error
    except UnicodeEncodeError as error:
        raise QueryRefused("query.not_a_value") from error
    except psycopg.DataError as error:
        if not asking:
            raise StoreError("store.error", cause=_told(error, address)) from error
        raise QueryRefused(
            "query.beyond_numbers" if isinstance(error, errors.NumericValueOutOfRange) else "query.not_a_value"
        ) from error
    except psycopg.Error as error:
        lost = isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith(_LOST)
        rule = "store.no_server" if lost else "store.error"
        raise StoreError(rule, url=address.shown, cause=_told(error, address)) from error


def _told(error: psycopg.Error, address: ServerAddress) -> str:
    """Return the first line of what the server said, without the password."""
    sentence = (str(error).strip() or type(error).__name__).splitlines()[0]
    return sentence.replace(address.secret, "***") if address.secret else sentence
