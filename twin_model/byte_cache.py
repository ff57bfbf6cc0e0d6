"""Results of a function remembered by the bytes they take, not by their number: a long text counts for what it is.

    @remembering(most_bytes=16 * 2**20, bytes_of=lambda expression, text: 32 * len(text))
    def parsed(text): ...

`functools.lru_cache` remembers 256 filters of 50 characters and 256 of a megabyte alike.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import update_wrapper
from typing import Generic, ParamSpec, TypeVar

__all__ = ["Remembering", "remembering"]

_Asked = ParamSpec("_Asked")
_Result = TypeVar("_Result")
_OVERHEAD = 400
"""Bytes that an entry takes beside what it holds."""


class Remembering(Generic[_Asked, _Result]):
    """A function of hashable arguments whose last results are remembered; safe to call from any thread.

    `held_bytes` is what they take. A result that takes more than a quarter of the room is not remembered.
    """

    def __init__(self, function: Callable[_Asked, _Result], most_bytes: int, bytes_of: Callable[..., int]) -> None:
        self._function, self._most, self._bytes_of = function, most_bytes, bytes_of
        self._results: OrderedDict[Hashable, tuple[_Result, int]] = OrderedDict()
        self._lock = threading.Lock()
        self.held_bytes = 0
        update_wrapper(self, function)

    def __call__(self, *args: _Asked.args, **kwargs: _Asked.kwargs) -> _Result:
        key = (args, tuple(kwargs.items()))
        with self._lock:
            known = self._results.get(key)
            if known is not None:
                self._results.move_to_end(key)
                return known[0]
        result = self._function(*args, **kwargs)
        size = _OVERHEAD + self._bytes_of(result, *args, **kwargs)
        if size <= self._most // 4:
            self._keep(key, result, size)
        return result

    def _keep(self, key: Hashable, result: _Result, size: int) -> None:
        with self._lock:
            _, former = self._results.pop(key, (None, 0))
            self._results[key] = (result, size)
            self.held_bytes += size - former
            while self.held_bytes > self._most:
                _, (_, gone) = self._results.popitem(last=False)
                self.held_bytes -= gone


def remembering(
    *, most_bytes: int, bytes_of: Callable[..., int]
) -> Callable[[Callable[_Asked, _Result]], Remembering[_Asked, _Result]]:
    """Return what makes a function remember at most so many bytes; `bytes_of(result, *arguments)` says what one takes."""
    return lambda function: Remembering(function, most_bytes, bytes_of)
