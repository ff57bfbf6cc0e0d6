"""Results of a function remembered by the bytes they take, not by their number: a long text counts for what it is.

    @remembering(most_bytes=16 * 2**20, bytes_of=lambda expression, text: 32 * len(text))
    def parsed(text): ...

`functools.lru_cache` remembers 256 filters of 50 characters and 256 of a megabyte alike.
"""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Generic, ParamSpec, TypeVar

from twin_model.recent_values import RecentValues

__all__ = ["Remembering", "remembering"]

_Asked = ParamSpec("_Asked")
_Result = TypeVar("_Result")
_OVERHEAD = 400
"""Bytes that an entry takes beside what it holds."""


class Remembering(Generic[_Asked, _Result]):
    """A function of hashable arguments whose last results are remembered; safe to call from any thread.

    A result that takes more than a quarter of the room is not remembered. The function must not call itself.
    """

    def __init__(self, function: Callable[_Asked, _Result], most_bytes: int, bytes_of: Callable[..., int]) -> None:
        self._function, self._bytes_of = function, bytes_of
        self._results: RecentValues[_Result] = RecentValues(most_bytes, largest=most_bytes // 4)
        update_wrapper(self, function)

    @property
    def held_bytes(self) -> int:
        """The bytes that are remembered now."""
        return self._results.bytes_held

    def __call__(self, *args: _Asked.args, **kwargs: _Asked.kwargs) -> _Result:
        def size(result: _Result) -> int:
            return _OVERHEAD + self._bytes_of(result, *args, **kwargs)

        return self._results.get(
            (args, tuple(kwargs.items())), make=partial(self._function, *args, **kwargs), size=size
        )


def remembering(
    *, most_bytes: int, bytes_of: Callable[..., int]
) -> Callable[[Callable[_Asked, _Result]], Remembering[_Asked, _Result]]:
    """Return what makes a function remember at most so many bytes; `bytes_of(result, *arguments)` says what one takes."""
    return lambda function: Remembering(function, most_bytes, bytes_of)
