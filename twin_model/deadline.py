"""How long a caller waits: work that takes longer, or that nobody waits for any more, ends where it stands.

    deadline = Deadline(30.0)
    with waiting(deadline):
        town.features("building")       # SQLite asks `is_over` as it goes, PostgreSQL is told to cancel
    deadline.cancel()                   # from another thread: the caller has left

Without a deadline nothing is stopped: commands and notebooks wait as long as it takes.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Deadline", "is_over", "seconds_allowed", "stopped_by", "waiting"]


class Deadline:
    """A moment from which on nobody waits: `seconds` from now, or when it is cancelled. Safe to use from any thread."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = time.monotonic() + seconds
        self._cancelled = False
        self._lock = threading.Lock()
        self._stop: Callable[[], object] | None = None

    @property
    def is_over(self) -> bool:
        return self._cancelled or time.monotonic() > self._until

    @property
    def seconds_left(self) -> float:
        return max(self._until - time.monotonic(), 0.0)

    def cancel(self) -> None:
        """Stop what runs and whatever begins from now on; may wait for a server as long as telling it takes."""
        self._cancelled = True
        with self._lock:
            if self._stop is not None:
                self._stop()

    @contextmanager
    def stopped_by(self, stop: Callable[[], object]) -> Iterator[None]:
        """Call `stop` if the deadline is cancelled meanwhile; afterwards it is called no more, nor still under way."""
        with self._lock:
            self._stop = stop
        try:
            yield
        finally:
            with self._lock:
                self._stop = None


_CURRENT: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def waiting(deadline: Deadline) -> Iterator[None]:
    """Do what is inside for a caller who waits until a deadline."""
    token = _CURRENT.set(deadline)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def is_over() -> bool:
    """Say whether nobody waits any more for what is done here."""
    deadline = _CURRENT.get()
    return deadline is not None and deadline.is_over


def seconds_allowed() -> float | None:
    """Return how long the caller waits in all for what is done here; None for as long as it takes."""
    deadline = _CURRENT.get()
    return None if deadline is None else deadline.seconds


@contextmanager
def stopped_by(stop: Callable[[], object]) -> Iterator[None]:
    """Have `stop` called where the caller no longer waits for what is inside: a statement on a server."""
    deadline = _CURRENT.get()
    if deadline is None:
        yield
    else:
        with deadline.stopped_by(stop):
            yield
