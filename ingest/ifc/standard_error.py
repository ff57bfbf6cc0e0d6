"""Standard error as the geometry kernel of ifcopenshell writes to it, past Python: numbers for its own makers.

"local z: -8.29371e-17,...; delta: ..." says that an axis was turned by 1e-15; nothing of it concerns a surveyor.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["quiet_standard_error"]

_STANDARD_ERROR = 2


@contextmanager
def quiet_standard_error() -> Iterator[None]:
    """Drop what is written to file descriptor 2; hold it over single calls of the kernel only, nothing of ours."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    try:
        terminal = os.dup(_STANDARD_ERROR)
    except OSError:  # closed by whoever started us
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STANDARD_ERROR)
        os.close(nowhere)
        yield
    finally:
        os.dup2(terminal, _STANDARD_ERROR)
        os.close(terminal)
