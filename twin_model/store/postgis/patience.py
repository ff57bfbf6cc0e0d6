"""How long a server is waited for: statements end with the deadline of who asked, on its side and, if it is silent, on ours.

A server that is told to cancel usually does. One that is paused, or behind a cable that was cut, answers nothing: then the
connection is cut here, so that the thread that waits on it comes free.
"""

import socket
import threading
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import psycopg

from twin_model.deadline import seconds_allowed

__all__ = ["Ending", "StatementBounds"]

_CANCEL_SECONDS = 5
_GRACE_SECONDS = 1.0
"""So long after it was told to cancel a server may take to end a statement."""

Connection = psycopg.Connection[Any]


class Ending:
    """Ends what a connection is busy with: call it from another thread; `over` says that the work has ended."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock, self._is_over = threading.Lock(), False
        self._cutting: threading.Timer | None = None

    def __call__(self) -> None:
        with self._lock:
            if self._is_over or self._cutting is not None:
                return
            self._cutting = threading.Timer(_GRACE_SECONDS, self._cut)
            self._cutting.daemon = True
            self._cutting.start()
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def over(self) -> None:
        """Let the connection be."""
        with self._lock:
            self._is_over = True
            if self._cutting is not None:
                self._cutting.cancel()

    def _cut(self) -> None:
        """Close the way to the server under whoever waits for it; the pool throws such a connection away."""
        with self._lock:
            if not self._is_over and not self._connection.closed:
                with suppress(OSError), socket.socket(fileno=self._duplicate()) as way:
                    way.shutdown(socket.SHUT_RDWR)

    def _duplicate(self) -> int:
        return socket.dup(self._connection.fileno())


class StatementBounds:
    """Tells the server how long statements of a connection may take: as long as who asks waits, and a second more.

    It ends them too where this process is gone and cannot tell it. Asked once a connection, as long as the bound stays.
    """

    def __init__(self) -> None:
        self._told: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()

    def tell(self, connection: Connection) -> None:
        seconds = seconds_allowed() or 0.0
        if self._told.get(connection, 0.0) != seconds:
            milliseconds = int(1_000 * (seconds + 1)) if seconds else 0
            connection.execute(f"SET statement_timeout = {milliseconds}")
            self._told[connection] = seconds
