"""What SQLite complains of, as one of our errors: a full or read-only disk, a lock, a damaged file; never a restore where
the file is whole.

`in_our_words` lays this over every method of a store, so that no sentence of SQLite reaches who asks.
"""

import inspect
import sqlite3
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from shapely.errors import ShapelyError

from twin_model.errors import StoreError

__all__ = ["BUSY_SECONDS", "in_our_words", "is_of_the_disk", "store_error"]

BUSY_SECONDS = 60
"""So long a writer waits for another one."""

_RULES = {
    sqlite3.SQLITE_BUSY: "store.busy",
    sqlite3.SQLITE_LOCKED: "store.busy",
    sqlite3.SQLITE_FULL: "store.disk_full",
    sqlite3.SQLITE_READONLY: "store.read_only",
    sqlite3.SQLITE_CANTOPEN: "store.unreadable",
    sqlite3.SQLITE_PERM: "store.unreadable",
    sqlite3.SQLITE_AUTH: "store.unreadable",
    sqlite3.SQLITE_IOERR: "store.disk_failed",
    sqlite3.SQLITE_CORRUPT: "store.damaged",
    sqlite3.SQLITE_NOTADB: "store.damaged",
    sqlite3.SQLITE_FORMAT: "store.damaged",
}
_LACKING = (
    "no such table",
    "no such column",
    "no such module",
    "has no column",
    "malformed",
    "could not decode",
    "duplicate column",
)
"""What SQLite says where a table is not as the town made it."""

_NO_ROOM = "SQLITE_IOERR_SHM"
"""How errors are named that come of a disk with no room for the index of what waits to be written."""

Kind = TypeVar("Kind", bound=type)


def store_error(error: Exception, path: Path) -> StoreError:
    """Return our error for one that a store's file gave rise to."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    cause = f"{path.name}: {error}"[:200]
    if getattr(error, "sqlite_errorname", "").startswith(_NO_ROOM):
        return StoreError("store.no_room", path=str(path), cause=cause)
    rule = _RULES.get(code & 0xFF)
    if rule is None:
        is_lacking = isinstance(error, ShapelyError) or any(word in str(error).lower() for word in _LACKING)
        rule = "store.damaged" if is_lacking else "store.error"
    return StoreError(rule, path=str(path), seconds=BUSY_SECONDS, cause=cause)


def is_of_the_disk(error: sqlite3.Error) -> bool:
    """Say whether a file could not be opened because of the disk or of what this user may do, not because of what is in it."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def in_our_words(kind: Kind) -> Kind:
    """Return a class of stores whose public methods raise our errors for SQLite's; `url` of a store is its path."""
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_"):
            setattr(kind, name, _told(method))
    return kind


def _told(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method, or one that yields, which raises our errors."""
    if inspect.isgeneratorfunction(method):

        @wraps(method)
        def stream(store: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                yield from method(store, *args, **kwargs)
            except (sqlite3.Error, ShapelyError) as error:
                raise store_error(error, Path(store.url)) from error

        return stream

    @wraps(method)
    def call(store: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(store, *args, **kwargs)
        except (sqlite3.Error, ShapelyError) as error:
            raise store_error(error, Path(store.url)) from error

    return call
