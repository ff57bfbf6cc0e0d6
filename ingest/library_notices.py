"""What libraries log while they read a source: counted by kind for a finding, and kept off the terminal.

Their warnings of Python ("Workbook contains no default style") are about themselves and are dropped. What a library
writes past Python: `ingest/ifc/terminal.py`. What is logged outside of reading: `api_config/commands/terminal.py`.
"""

import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from twin_model.finding import Finding

__all__ = ["LibraryNotices", "library_notices"]

_OURS = "twin"
_VARYING = re.compile(r"#?\b\w*\d\w*\b|(['\"]).*?\1")
"""Numbers, handles and quoted texts: what differs between two notices of one kind."""


class LibraryNotices(logging.Handler):
    """Notices of libraries by kind: the first of each and how many there were."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Count a notice; one of our own goes where it would have gone."""
        if record.name.split(".")[0] == _OURS:
            if logging.lastResort is not None:
                logging.lastResort.handle(record)
            return
        words = record.getMessage()
        kind = _VARYING.sub("", words)
        self._counts[kind] += 1
        self._first.setdefault(kind, words.strip().rstrip("."))

    def findings(self, source: str) -> list[Finding]:
        """Return a finding for each kind."""
        return [
            Finding(
                "source.library_notice", "info", values={"source": source, "count": count, "cause": self._first[kind]}
            )
            for kind, count in self._counts.items()
        ]


@contextmanager
def library_notices() -> Iterator[LibraryNotices]:
    """Yield what libraries log from now on, as warnings or worse."""
    notices, root = LibraryNotices(), logging.getLogger()
    root.addHandler(notices)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield notices
    finally:
        root.removeHandler(notices)
