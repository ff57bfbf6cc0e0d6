"""Values that are dear to make and may be made again: those asked for last are kept, up to so many bytes together.

trees = RecentValues(64 * 2**20)
tree = trees.get(key, make=grown, size=lambda tree: tree.nbytes)
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["RecentValues"]

Value = TypeVar("Value")
_LOCKS = 32


class RecentValues(Generic[Value]):
    """A mapping that forgets what was not asked for the longest while it holds more than `most_bytes`; for many threads."""

    def __init__(self, most_bytes: int, *, largest: int | None = None) -> None:
        self._most, self._largest = most_bytes, most_bytes if largest is None else largest
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._making = [threading.Lock() for _ in range(_LOCKS)]

    def __len__(self) -> int:
        return len(self._values)

    @property
    def bytes_held(self) -> int:
        return self._bytes

    def get(self, key: Hashable, *, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """Return the value of a key; it is made where it is not there, by one thread while others wait for it.

        A value larger than `largest` (without it: than all that may be held) is returned and not kept. `make` must not ask for another value here.
        """
        known = self._known(key)
        if known is not None:
            return known[0]
        with self._making[hash(key) % _LOCKS]:
            known = self._known(key)
            if known is not None:
                return known[0]
            value = make()
            bytes_taken = size(value)
            if bytes_taken <= self._largest:
                self._keep(key, value, bytes_taken)
            return value

    def _known(self, key: Hashable) -> tuple[Value, int] | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def _keep(self, key: Hashable, value: Value, size: int) -> None:
        with self._lock:
            _, former = self._values.pop(key, (value, 0))
            self._values[key] = (value, size)
            self._bytes += size - former
            while self._bytes > self._most:
                _, (_, gone) = self._values.popitem(last=False)
                self._bytes -= gone
