"""The terminal as the geometry kernel of ifcopenshell writes to it, past Python: numbers for its own makers.

"local z: -8.29371e-17,-3.02673e-17,1; delta: ..." says that an axis was turned by 1e-15; nothing of it concerns a surveyor. The kernel
works ahead in threads of its own and keeps lines in C's buffer, so that they come at any moment while an iterator lives.
"""

import ctypes
import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

__all__ = ["quiet_terminal"]

_STREAMS = {1: "stdout", 2: "stderr"}


@contextmanager
def quiet_terminal() -> Iterator[None]:
    """Drop what is written to file descriptors 1 and 2 past Python; what Python writes still reaches the terminal."""
    with ExitStack() as stack:
        for descriptor, name in _STREAMS.items():
            stack.enter_context(_quiet(descriptor, name))
        yield


@contextmanager
def _quiet(descriptor: int, name: str) -> Iterator[None]:
    before = getattr(sys, name)
    with suppress(OSError, ValueError, AttributeError):
        before.flush()
    _flush_c()
    try:
        terminal = os.dup(descriptor)
    except OSError:  # closed by whoever started us
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
        if _writes_to(before, descriptor):
            raw = os.fdopen(os.dup(terminal), "wb", buffering=0)
            setattr(sys, name, io.TextIOWrapper(raw, before.encoding, before.errors, write_through=True))
        yield
    finally:
        if getattr(sys, name) is not before:
            with suppress(OSError, ValueError):
                getattr(sys, name).close()
            setattr(sys, name, before)
        _flush_c()
        os.dup2(terminal, descriptor)
        os.close(terminal)
        os.close(nowhere)


def _flush_c() -> None:
    """Write out what C keeps in its buffers: where it goes is decided then."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)


def _writes_to(stream: object, descriptor: int) -> bool:
    """Tell whether a stream of Python's writes to a descriptor, and would be dropped with it."""
    try:
        return isinstance(stream, io.TextIOBase) and stream.fileno() == descriptor
    except (OSError, ValueError):
        return False
