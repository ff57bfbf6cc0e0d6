"""What the tests of workers have children do: a module of its own, because a child must be able to import it."""

import os
import time
from pathlib import Path

from twin_model.errors import SourceRefused
from twin_model.workers import report


def double(number: int) -> int:
    return 2 * number


def count_to(total: int) -> int:
    for done in range(1, total + 1):
        report(done, total)
    return total


def crash() -> None:
    os.abort()


def grow(mib: int) -> int:
    return len(b"x" * (mib * 2**20))


def refuse() -> None:
    raise SourceRefused("source.no_crs", source="a.shp", crs="EPSG:4548")


def be_busy(path: str, seconds: float) -> None:
    """Say which process this is, then hold the interpreter's lock in a loop."""
    Path(path).write_text(str(os.getpid()), "utf-8")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def process() -> int:
    time.sleep(0.05)
    return os.getpid()
