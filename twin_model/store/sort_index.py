"""Indexes for pages in the order of a field: made when somebody first asks for that order, and kept from then on.

Without one all rows of a layer are read and compared for a page of ten; with it a page costs the same in a town of any
size. An index for each queryable would cost a fifth of every delivery's time and of the store, for orders that nobody
asks for; so a service makes one, on a thread of its own, after it has answered the first question of its kind
(`docs/scaling.md`). It serves pages of current features that ask for an order and nothing else: where a box or a filter
chooses few features, these are read and sorted.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from twin_model.errors import TwinError

__all__ = ["FEWEST_FEATURES", "SortIndex", "SortIndexes"]

LOGGER = logging.getLogger("twin")

FEWEST_FEATURES = 20_000
"""Layers with fewer features are sorted at each question: it takes some milliseconds."""

_LONGEST_NAME = 48


@dataclass(frozen=True)
class SortIndex:
    """An index of a layer's current rows by one column in one direction, then by fid."""

    layer: str
    column: str
    ascending: bool

    @property
    def name(self) -> str:
        """A name that PostgreSQL does not cut: it keeps 63 bytes of one."""
        named = f"{self.layer}_{self.column}"
        if len(named.encode()) > _LONGEST_NAME:
            named = blake2b(named.encode(), digest_size=8).hexdigest()
        return f"sorted_{named}_{'up' if self.ascending else 'down'}"


class SortIndexes:
    """Makes indexes on a thread of its own, each once; one that cannot be made is said in the log, and asked for no more."""

    def __init__(self, make: Callable[[SortIndex], None]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._begun: set[SortIndex] = set()
        self._threads: list[threading.Thread] = []

    def want(self, index: SortIndex) -> None:
        """Begin to make an index unless that has been begun before."""
        with self._lock:
            if index in self._begun:
                return
            self._begun.add(index)
            thread = threading.Thread(target=self._try, args=(index,), name="twin-sort-index", daemon=True)
            self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Wait until the indexes that have been begun are there."""
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _try(self, index: SortIndex) -> None:
        try:
            self._make(index)
        except TwinError as error:
            LOGGER.warning("no index %s: %s", index.name, error)
