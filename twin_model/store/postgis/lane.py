"""A connection whose bulk work runs beside its caller: the server takes rows in while the next ones are made ready."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import psycopg

__all__ = ["Lane"]

_AHEAD = 3
"""So many pieces of work may wait: more would hold more rows in memory and gain nothing."""


class Lane:
    """Does work on one connection in the order it is given; what is asked for directly waits until all of it is done."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, "twin-copies")
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> "Lane":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._wait_for(0)
        finally:
            self.stop()

    def stop(self) -> None:
        """Finish what is begun and leave what waits."""
        self._thread.shutdown(cancel_futures=True)

    @property
    def connection(self) -> "psycopg.Connection[Any]":
        """The connection, idle: raises what work given before ran into."""
        self._wait_for(0)
        return self._connection

    def then(self, work: Callable[["psycopg.Connection[Any]"], None]) -> None:
        """Do work after what was given before; raises what earlier work ran into."""
        self._wait_for(_AHEAD - 1)
        self._waiting.append(self._thread.submit(work, self._connection))

    def _wait_for(self, most: int) -> None:
        """Wait until at most so many pieces are not done."""
        while len(self._waiting) > most:
            self._waiting.popleft().result()
