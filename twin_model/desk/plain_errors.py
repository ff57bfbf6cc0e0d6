"""Errors as a notebook wants them: one frame of ours in the traceback, the sentence in words of Python.

@plainly
def features(self, ...): ...
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from twin_model.errors import TwinError

__all__ = ["plainly"]

_Parameters = ParamSpec("_Parameters")
_Answer = TypeVar("_Answer")


def plainly(method: Callable[_Parameters, _Answer]) -> Callable[_Parameters, _Answer]:
    """Return a method whose own errors leave without the frames of our inside, and speak as `TwinError.door` "python"."""

    @wraps(method)
    def plain(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Answer:
        try:
            return method(*args, **kwargs)
        except TwinError as error:
            error.door = error.door or "python"
            refusal = error.with_traceback(None)
        raise refusal from None

    return plain
