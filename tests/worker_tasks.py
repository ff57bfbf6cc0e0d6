"""What the tests of workers have children do: a module of its own, because a child must be able to import it."""

import mmap
import os
import signal
import tempfile
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


class EndsItsReader:
    """An answer at whose packing the child is killed."""

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        os.kill(os.getpid(), signal.SIGKILL)
        return object, ()


def answer_that_ends_its_child() -> EndsItsReader:
    return EndsItsReader()


def leave_files(path: str) -> None:
    """Say where temporary files are, fill some, and break down."""
    folder = tempfile.mkdtemp()
    Path(folder, "rows").write_bytes(b"x" * 1000)
    Path(path).write_text(folder, "utf-8")
    os.abort()


def look_into(path: str) -> int:
    """Read every page of a file that is mapped into memory."""
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        pages = sum(content[at] for at in range(0, len(content), mmap.PAGESIZE))
        time.sleep(0.3)
    return pages


def fail_without_words() -> None:
    raise type("Unpackable", (Exception,), {})("no class of this module")
