"""Sources read into drafts, in this process or in children that can be limited and ended (`twin_model/workers.py`).

    with SourceReaders(ReadLimits(jobs=2), sources=500) as readers:
        reader = readers.reader_of(path, options)
        reading = readers.begin(ReadRequest(path, reader.name, source, options, catalogue, "EPSG:4548", folder))
        draft = reading.draft(tick, ahead)                # waits; a child that was ended is a `SourceRefused`

What a draft is stands in `ingest/draft.py`, which reader a source wants in `ingest/readers.py`.
"""

import os
import queue
import shutil
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from ingest.coordinates import coordinates_of
from ingest.draft import Draft, ReadOptions
from ingest.outline import LayerOutline
from ingest.place import TownPlace
from ingest.reader import Reader
from ingest.readers import READERS, reader_of
from ingest.spool import Spool
from twin_model.catalogue import Catalogue
from twin_model.changeset import Rows, Scope, Source
from twin_model.error_log import write_error_log
from twin_model.errors import SourceRefused, TwinError, WorkerEnded, WorkerOutOfMemory, WorkerTooSlow
from twin_model.temporal import Instant, now
from twin_model.workers import Workers, report

__all__ = ["HERE", "ReadLimits", "ReadRequest", "Reading", "SourceReaders", "look_apart"]

T = TypeVar("T")
Tick = Callable[[int], None]
Ahead = Callable[[str, Rows, Callable[[], Instant], Scope], None]
_MOST_CAUSE = 200
_LISTENING = 0.2
"""Seconds between two looks at what a child has read; its end wakes us at once."""


@dataclass(frozen=True)
class ReadLimits:
    """How many sources are read at a time (0: in this process, without limits), and what each may take.

    `memory_mib` is above what a child starts with; None is three quarters of the machine's, shared by the jobs.
    """

    jobs: int = 0
    memory_mib: int | None = None
    seconds: float | None = None


HERE = ReadLimits()
"""Read in this process."""


@dataclass(frozen=True)
class ReadRequest:
    """One source, and everything that decides what its reader makes of it. `folder` is the draft's own."""

    path: Path
    reader: str
    source: Source
    options: ReadOptions
    catalogue: Catalogue
    storage_crs: str
    folder: Path
    zone: str = "Asia/Shanghai"
    place: TownPlace | None = None
    moment: Instant = field(default_factory=now)

    def draft(self, tick: Tick, ahead: Ahead | None) -> Draft:
        """Return the draft of the source."""
        options = self.options
        draft = Draft(
            self.source,
            self.catalogue,
            storage_crs=self.storage_crs,
            zone=self.zone,
            effective=options.effective,
            coordinates=coordinates_of(options.mapping, options.grid),
            town=self.place,
            folder=self.folder,
            tick=tick,
            ahead=ahead,
            moment=self.moment,
        )
        begun = time.monotonic()
        _reader_named(self.reader).read(self.path, draft, options)
        draft.seconds = time.monotonic() - begun
        return draft


class Reading:
    """A source that is being read, or will be when its draft is asked for; leaving it takes the spool away."""

    def __init__(self, request: ReadRequest) -> None:
        self.request = request

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()
        shutil.rmtree(self.request.folder, ignore_errors=True)

    def draft(self, tick: Tick, ahead: Ahead | None = None) -> Draft:
        """Return the draft; `tick` hears how many records were read since it was last called, and may raise to cancel."""
        return self.request.draft(tick, ahead)

    def cancel(self) -> None:
        """End the reading, whatever it is doing."""


class _ChildReading(Reading):
    """A source that a child reads."""

    def __init__(self, request: ReadRequest, workers: Workers, limits: ReadLimits) -> None:
        super().__init__(request)
        self._limits = limits
        self._records: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._future = workers.submit_with_progress(lambda done, _: self._records.put(done), _read_in_child, request)
        self._future.add_done_callback(lambda _: self._records.put(None))

    def draft(self, tick: Tick, ahead: Ahead | None = None) -> Draft:
        spool, records = Spool(self.request.folder), 0
        while True:
            try:
                count = self._records.get(timeout=_LISTENING)
            except queue.Empty:
                count = records
            if ahead is not None:
                for frame in filter(attrgetter("early"), spool.grow()):
                    ahead(frame.layer, frame.rows(), partial(str, frame.since), frame.scope)
            if count is None:
                return _result(self._future, self.request.source.name, self._limits)
            tick(count - records)
            records = count

    def cancel(self) -> None:
        if not self._future.done():
            self._future.cancel()
            self._records_until_end()

    def _records_until_end(self) -> None:
        while self._records.get() is not None:
            pass


class SourceReaders:
    """What reads the sources of one delivery; left by an error or an interrupt, it ends the children."""

    def __init__(self, limits: ReadLimits, sources: int) -> None:
        jobs = min(limits.jobs, sources)
        self.at_a_time = max(jobs, 1)
        self._limits = ReadLimits(jobs, limits.memory_mib or _memory_share(jobs), limits.seconds)
        self._workers = None
        if jobs:
            # One more, which is free to say what the next source is.
            self._workers = Workers(
                jobs + 1, memory_mib=self._limits.memory_mib, seconds=limits.seconds, preload=("ingest.reading",)
            )

    def __enter__(self) -> "SourceReaders":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._workers is not None:
            self._workers.shutdown(cancel_futures=kind is not None)

    def reader_of(self, path: Path, options: ReadOptions) -> Reader:
        """Return the reader that a source wants; it is a `SourceRefused` where there is none."""
        return _reader_named(self.look(path.name, _name_of_reader, path, options))

    def outline(self, path: Path, options: ReadOptions) -> list[LayerOutline]:
        """Return the layers of a source with their columns; a `SourceRefused` where a mapping names none of them."""
        return self.look(path.name, _outline, path, options)

    def look(self, source: str, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Return what a function makes of a file, which it finds by its arguments; `source` is how messages name the file."""
        if self._workers is None:
            return function(*args, **kwargs)
        return _result(self._workers.submit(function, *args, **kwargs), source, self._limits)

    def begin(self, request: ReadRequest) -> Reading:
        """Begin to read a source."""
        return Reading(request) if self._workers is None else _ChildReading(request, self._workers, self._limits)


def look_apart(limits: ReadLimits, source: str, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Return what a function makes of one file, in a child with limits: for files that are no sources of a delivery."""
    with SourceReaders(limits, sources=1) as readers:
        return readers.look(source, function, *args, **kwargs)


def _result(future: "Future[T]", source: str, limits: ReadLimits) -> T:
    """Return what a child made of a source; one that did not come to its end is told by the source's name.

    What its reader did not foresee harms that source only, and is written down for us.
    """
    try:
        return future.result()
    except WorkerTooSlow as error:
        raise SourceRefused("source.too_slow", source=source, seconds=limits.seconds) from error
    except WorkerOutOfMemory as error:
        raise SourceRefused("source.too_much_memory", source=source, memory=limits.memory_mib) from error
    except WorkerEnded as error:
        raise SourceRefused("source.reader_ended", source=source, code=error.values["code"]) from error
    except (TwinError, OSError, CancelledError):
        raise
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"[:_MOST_CAUSE]
        raise SourceRefused("source.reader_failed", source=source, cause=cause, log=write_error_log(error)) from error


def _read_in_child(request: ReadRequest) -> Draft:
    records = 0

    def tick(more: int) -> None:
        nonlocal records
        records += more
        report(records)

    return request.draft(tick, None)


def _outline(path: Path, options: ReadOptions) -> list[LayerOutline]:
    reader = reader_of(path, options)
    outline = reader.outline(path, options)
    if outline is None:
        raise SourceRefused("mapping.no_outline", source=path.name, kind=reader.name)
    return outline


def _name_of_reader(path: Path, options: ReadOptions) -> str:
    return reader_of(path, options).name


def _reader_named(name: str) -> Reader:
    return next(reader for reader in READERS if reader.name == name)


def _memory_share(jobs: int) -> int | None:
    """Return the MiB that each of some jobs may take, None where the machine does not say what it has."""
    if not jobs or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(512, machine * 3 // 4 // jobs >> 20)
