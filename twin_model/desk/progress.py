"""One line that says how far long work is, on stderr, where somebody sees it: in a terminal or a notebook.

    with progress_line("zh") as progress:
        commit(store, changeset, progress=progress)       # 正在提交，写入记录：120,000 / 200,000

What tells of its progress so stands in `twin_model/plan.py`; the command's own bars are `api_config/commands/ingest.py`'s.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO
from unicodedata import east_asian_width

from twin_model.messages import render
from twin_model.plan import Progress, unwatched

__all__ = ["is_watched", "progress_line"]

_PATIENCE = 2.0
"""Seconds before the line appears: quick work shows none."""

_BETWEEN = 0.2
"""Seconds that a line stays at least, so that writing it costs nothing."""

_RULES = {"compare": "progress.compare", "write": "progress.write", "index": "progress.index"}


@contextmanager
def progress_line(lang: str, *, patience: float | None = None, out: TextIO | None = None) -> Iterator[Progress]:
    """Yield what shows progress on one line of `out` (stderr) after `patience` seconds (2); the line is gone at the end.

    Where nobody watches, in a pipe or a log, nothing is written.
    """
    out = out or sys.stderr
    if not is_watched(out):
        yield unwatched
        return
    line = _Line(out, lang, time.monotonic() + (_PATIENCE if patience is None else patience))
    try:
        yield line.show
    finally:
        line.erase()


def is_watched(out: TextIO) -> bool:
    """Say whether a stream is a terminal, or the output of a notebook's cell."""
    return out.isatty() or type(out).__module__.startswith("ipykernel.")


class _Line:
    """A line that is written over itself with a carriage return."""

    def __init__(self, out: TextIO, lang: str, earliest: float) -> None:
        self._out, self._lang, self._next = out, lang, earliest
        self._width = 0

    def show(self, phase: str, done: int, total: int) -> None:
        """Write what is being done, unless it is too early or was just written."""
        if time.monotonic() < self._next:
            return
        text = render(_RULES[phase], self._lang, {"done": done, "total": total})
        width = sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
        self._write(text + " " * max(0, self._width - width))
        self._width, self._next = width, time.monotonic() + _BETWEEN

    def erase(self) -> None:
        """Leave the line empty, for what comes next."""
        if self._width:
            self._write(" " * self._width)
            self._write("")

    def _write(self, text: str) -> None:
        self._out.write(f"\r{text}")
        self._out.flush()
