"""One source on its way into the town: recognised, copied and read, then compared, committed and archived.

What a delivery of many sources is stands in `api_config/delivery.py`, how a source is read in `ingest/reading.py`.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from shapely.geometry.base import BaseGeometry

from ingest.draft import Draft, ReadOptions
from ingest.reader import Reader
from ingest.readers import files_of, identify
from ingest.reading import Reading, ReadRequest, SourceReaders
from twin_model.catalogue import Catalogue
from twin_model.changeset import Changeset, ScopeKind, Source, Touched, Version
from twin_model.errors import SourceRefused, TwinError
from twin_model.finding import Finding
from twin_model.plan import LayerPlan
from twin_model.sources import SourceCopy, is_kept, source_copy, version_with_same_source
from twin_model.store.base import HeadStart
from twin_model.town import Town
from twin_model.versioning import plan_changeset, touched_ids

__all__ = ["Delivery", "NoProgress", "Outcome", "Reporter", "SourceDelivery", "inspect_source", "read_options_digest"]


class Reporter(Protocol):
    """Receives the progress of a delivery; may raise to stop it."""

    def source(self, name: str, number: int, total: int) -> None: ...

    def read(self, records: int) -> None: ...

    def stage(self, name: str) -> None: ...


class NoProgress:
    """Shows nothing of the progress of a delivery."""

    def source(self, name: str, number: int, total: int) -> None: ...

    def read(self, records: int) -> None: ...

    def stage(self, name: str) -> None: ...


@dataclass
class Outcome:
    """What became of one source.

    `version` is None with an `error` where it was refused, and where it was only looked at; `already` is the version that
    brought in the same source before; `seconds` is what reading and committing took. `kinds` counts by layer what happened
    to networks (`plan.KINDS`), in a dry run too; `kept_columns` are those that the source lacks and of which the town knows
    values; `others` counts by layer what lies in its sight, is lacking and stays, for another project or source brought it.
    """

    source: str
    kind: str = ""
    version: Version | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    planned: dict[str, dict[str, int]] = field(default_factory=dict)
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    kept_columns: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    ids: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    error: TwinError | None = None
    already: int | None = None
    seconds: float = 0.0

    def note(self, layers: Mapping[str, LayerPlan] | Mapping[str, Touched]) -> None:
        """Take over what a plan, or a version, says of each layer besides its numbers."""
        self.kinds = {name: dict(each.kinds) for name, each in layers.items() if each.kinds}
        self.kept_columns = {name: list(each.kept_columns) for name, each in layers.items() if each.kept_columns}
        self.others = {name: each.others for name, each in layers.items() if each.others}


@dataclass(frozen=True)
class Delivery:
    """How sources are to be read: as what, with which mapping and CRS, true since when, by whom.

    `reach` is the scope of the sources, "area" that inside `area` in the storage CRS: features in it that they no longer
    contain are ended. A column that a source lacks keeps what is known, unless it is among the fields of `blank`. With `fail_fast` nothing is read after a source that was refused.
    """

    options: ReadOptions = field(default_factory=ReadOptions)
    author: str = "twin"
    reason: str = ""
    dry_run: bool = False
    reach: ScopeKind = "seen"
    area: BaseGeometry | None = None
    accept_removals: bool = False
    fail_fast: bool = False
    blank: tuple[str, ...] = ()


class SourceDelivery:
    """A source that was begun: `begin` starts its reading, `complete` waits for it and commits. Neither raises our errors."""

    def __init__(self, town: Town, path: Path, delivery: Delivery, delivery_id: str, readers: SourceReaders) -> None:
        self.path = path
        self._town, self._delivery, self._delivery_id, self._readers = town, delivery, delivery_id, readers
        self._read_as = read_options_digest(delivery.options, delivery.blank)
        self._open = ExitStack()
        self._outcome = Outcome(path.name)
        self._reading: Reading | None = None
        self._catalogue = town.catalogue

    def begin(self) -> None:
        """Recognise and copy the source and begin to read it, unless it was delivered before."""
        town, delivery = self._town, self._delivery
        self._outcome, self._reading, self._catalogue = Outcome(self.path.name), None, town.catalogue
        with self._refusals():
            reader = self._readers.reader_of(self.path, delivery.options)
            self._outcome.kind = reader.name
            self._source = identify(self.path, reader, delivery=self._delivery_id)
            if self._is_known(reader):
                return
            self._copy = self._open.enter_context(_source_copy(town, self._source, self.path, reader, delivery))
            folder = self._open.enter_context(_spool_folder(town))
            request = read_request(
                self._copy.path, reader, self._source, delivery.options, self._catalogue, town.store.crs, folder
            )
            request = replace(request, zone=town.settings.timezone)
            self._reading = self._open.enter_context(self._readers.begin(request))

    def complete(self, reporter: Reporter) -> Outcome:
        """Wait until the source is read, commit it and return what became of it."""
        with self._open:
            while self._reading is not None and not self._completed(self._reading, reporter):
                self._open.close()
                self.begin()
        return self._outcome

    def _completed(self, reading: Reading, reporter: Reporter) -> bool:
        """Return whether there is no more to do: the source is committed or refused, and nobody made its draft outdated."""
        completed = True
        with self._refusals():
            completed = self._commit(reading, reporter)
        return completed

    def cancel(self) -> None:
        """End the reading and take away what it left."""
        self._open.close()

    def _is_known(self, reader: Reader) -> bool:
        """Return whether the source was delivered before; a copy that the archive lacks is kept all the same."""
        town, source = self._town, self._source
        self._outcome.already = version_with_same_source(town.store, source, self._read_as)
        if self._outcome.already is None or self._delivery.dry_run:
            return False
        if not is_kept(town.path / "sources", source):
            with _source_copy(town, source, self.path, reader, self._delivery) as copy:
                copy.keep()
        return True

    def _is_outdated(self, draft: Draft) -> bool:
        """Return whether what others committed since the reading began decides what the source has to say."""
        if version_with_same_source(self._town.store, self._source, self._read_as) != self._outcome.already:
            return True
        before, present = self._catalogue.layers, self._town.catalogue.layers
        return any(before.get(name) != present.get(name) for name in {*draft.layers, *draft.described})

    def _commit(self, reading: Reading, reporter: Reporter) -> bool:
        """Commit a source, or compare it in a dry run; False where it is to be read again."""
        town, delivery, outcome = self._town, self._delivery, self._outcome
        with _head_start(town, delivery) as ahead:
            reporter.stage("read")
            draft = reading.draft(reporter.read, ahead.take)
            if self._is_outdated(draft):
                return False
            read_at = time.monotonic()
            changeset = self._changeset(draft)
            outcome.counts, outcome.findings = draft.counts.to_dict(), list(changeset.findings)
            if delivery.dry_run:
                plans = plan_changeset(town.store, changeset)
                outcome.note(plans)
                outcome.planned = {name: plan.counts for name, plan in plans.items() if name != "finding"}
                outcome.ids = {name: touched_ids(town.store, plan) for name, plan in plans.items() if name != "finding"}
                return True
            reporter.stage("commit")
            self._copy.keep()
            outcome.version = town.commit_delivery(changeset, draft.described, ahead)
            outcome.note(outcome.version.touched)
            outcome.seconds = draft.seconds + time.monotonic() - read_at
        return True

    def _changeset(self, draft: Draft) -> Changeset:
        delivery = self._delivery
        return draft.to_changeset(
            author=delivery.author,
            reason=delivery.reason or self.path.name,
            details={"read_as": self._read_as},
            reach=delivery.reach,
            area=delivery.area,
            accept_removals=delivery.accept_removals,
            blank=delivery.blank,
        )

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        with _refusals(self.path, self._outcome):
            yield


def inspect_source(
    path: Path, options: ReadOptions, catalogue: Catalogue, crs: str, readers: SourceReaders, reporter: Reporter
) -> Outcome:
    """Return what reading a source would bring in `crs`; nothing is stored."""
    outcome = Outcome(path.name)
    with _refusals(path, outcome), tempfile.TemporaryDirectory(prefix="twin-draft-") as folder:
        reader = readers.reader_of(path, options)
        outcome.kind = reader.name
        source = identify(path, reader)
        with readers.begin(read_request(path, reader, source, options, catalogue, crs, Path(folder))) as reading:
            draft = reading.draft(reporter.read)
            draft.ensure_placed()
            outcome.counts, outcome.findings = draft.counts.to_dict(), draft.findings
            outcome.seconds = draft.seconds
    return outcome


def read_request(
    path: Path, reader: Reader, source: Source, options: ReadOptions, catalogue: Catalogue, crs: str, folder: Path
) -> ReadRequest:
    """Return the request to read a source into a folder of the spool."""
    return ReadRequest(path, reader.name, source, options, catalogue, crs, folder)


def read_options_digest(options: ReadOptions, blank: tuple[str, ...] = ()) -> str:
    """Return a digest of how a source is to be read: what the caller says about it, and which columns mean emptiness."""
    values: tuple[Any, ...] = (
        options.kind,
        options.crs,
        options.effective,
        options.encoding,
        options.mapping,
        options.storey_height,
    )
    values += (sorted(blank),) if blank else ()
    return sha256(repr(values).encode()).hexdigest()[:16]


@contextmanager
def _refusals(path: Path, outcome: Outcome) -> Iterator[None]:
    """Put an error that is about the source into its outcome."""
    try:
        yield
    except TwinError as error:
        outcome.error = error
    except OSError as error:
        cause = error.strerror or type(error).__name__
        kind = path.suffix.lstrip(".") or "?"
        outcome.error = SourceRefused("source.unreadable", source=path.name, kind=kind, cause=cause)


def _head_start(town: Town, delivery: Delivery) -> AbstractContextManager[HeadStart]:
    return nullcontext(HeadStart()) if delivery.dry_run else town.store.head_start()


@contextmanager
def _spool_folder(town: Town) -> Iterator[Path]:
    folder = town.cache / "drafts"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="draft-", dir=folder, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _source_copy(
    town: Town, source: Source, path: Path, reader: Reader, delivery: Delivery
) -> AbstractContextManager[SourceCopy]:
    """Return the copy of a source that is read and kept; a dry run reads the source itself and keeps nothing."""
    if delivery.dry_run:
        return nullcontext(SourceCopy(path, keep=lambda: None))
    return source_copy(town.path / "sources", source, files_of(path, reader))
