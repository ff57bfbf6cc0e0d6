"""One source on its way into the town: recognised, copied and read, then compared, committed and archived.

What a delivery of many sources is stands in `api_config/delivery.py`, how a source is read in `ingest/reading.py`.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from ingest.draft import Draft, ReadOptions
from ingest.learned_mappings import has_learned, learn, learned_mapping
from ingest.place import TownPlace, place_of
from ingest.reader import Reader
from ingest.readers import files_of, identify
from ingest.reading import Reading, ReadRequest, SourceReaders
from ingest.reading_basis import ReadingBasis, reading_basis
from ingest.source_crs import with_local_grid
from twin_model.catalogue import Catalogue
from twin_model.changeset import Changeset, ScopeKind, Source, Touched, Version
from twin_model.delivery_identity import version_with_same_source, with_layers
from twin_model.errors import SourceRefused, TwinError
from twin_model.finding import Finding
from twin_model.local_grid import read_grids
from twin_model.plan import LayerPlan
from twin_model.sources import (
    SourceCopy,
    copy_to_read,
    is_kept,
    keep_content,
    refusal_of_the_disk,
    source_copy,
)
from twin_model.store.base import HeadStart
from twin_model.town import Town
from twin_model.versioning import plan_changeset, touched_ids

__all__ = ["Delivery", "NoProgress", "Outcome", "Reporter", "SourceDelivery", "SourceInspection", "town_place"]

_MOST_SHAPES = 20_000
"""So many geometries of one source are kept for a map."""


class Reporter(Protocol):
    """Receives the progress of a delivery; may raise to stop it."""

    def source(self, name: str, number: int, total: int) -> None: ...

    def read(self, records: int) -> None: ...

    def stage(self, name: str) -> None: ...

    def passed_over(self, folder: str, names: Mapping[str, list[str]]) -> None:
        """Hear which files of a folder no reader goes by, by their ending."""


class NoProgress:
    """Shows nothing of the progress of a delivery."""

    def source(self, name: str, number: int, total: int) -> None: ...

    def read(self, records: int) -> None: ...

    def stage(self, name: str) -> None: ...

    def passed_over(self, folder: str, names: Mapping[str, list[str]]) -> None: ...


@dataclass
class Outcome:
    """What became of one source.

    `version` is None with an `error` where it was refused, and where it was only looked at; `already` is the version that
    brought in the same source before; `seconds` is what reading and committing took. `kinds` counts by layer what happened
    to networks (`plan.KINDS`), in a dry run too; `kept_columns` are those that the source lacks and of which the town knows
    values; `others` counts by layer what lies in its sight, is lacking and stays, for another project or source brought it;
    of a source that came late `ended_since` counts by layer what younger deliveries saw no more, `outlasting` what they do not
    show and nevertheless stands.
    `shapes` are geometries of what was read, in the storage CRS, where they were asked for: not more than a drawing can
    show, the others are counted.
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
    ended_since: dict[str, int] = field(default_factory=dict)
    outlasting: dict[str, int] = field(default_factory=dict)
    ids: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    error: TwinError | None = None
    already: int | None = None
    learned: Path | None = None
    seconds: float = 0.0
    shapes: list[NDArray[Any]] = field(default_factory=list)
    shapes_left_out: int = 0

    def keep_shapes(self, draft: Draft) -> None:
        """Keep geometries of a draft for the map of a report."""
        left = _MOST_SHAPES
        for _, frame in draft.frames():
            shapes = frame.geometry.to_numpy()
            self.shapes.append(shapes[:left])
            self.shapes_left_out += max(len(shapes) - left, 0)
            left = max(left - len(shapes), 0)

    def note(self, layers: Mapping[str, LayerPlan] | Mapping[str, Touched]) -> None:
        """Take over what a plan, or a version, says of each layer besides its numbers."""
        self.kinds = {name: dict(each.kinds) for name, each in layers.items() if each.kinds}
        self.kept_columns = {name: list(each.kept_columns) for name, each in layers.items() if each.kept_columns}
        self.others = {name: each.others for name, each in layers.items() if each.others}
        self.ended_since = {name: each.ended_since for name, each in layers.items() if each.ended_since}
        self.outlasting = {name: each.outlasting for name, each in layers.items() if each.outlasting}


@dataclass(frozen=True)
class Delivery:
    """How sources are to be read: as what, with which mapping and CRS, true since when, by whom.

    `reach` is the scope of the sources, "area" that inside `area` in the storage CRS: features in it that they no longer
    contain are ended. A column that a source lacks keeps what is known, unless it is one of `blank` (`blank_columns`). With `again`
    a source is read once more though the same delivery was read before; with `fail_fast` nothing is read after a source that
    was refused. With `learn` the mapping is kept in the town for sources of the same form, which are then read by it where
    nobody says how they are to be read. `with_shapes` keeps what was read for a map.
    """

    options: ReadOptions = field(default_factory=ReadOptions)
    author: str = "twin"
    reason: str = ""
    dry_run: bool = False
    reach: ScopeKind = "seen"
    area: BaseGeometry | None = None
    accept_removals: bool = False
    fail_fast: bool = False
    again: bool = False
    learn: bool = False
    blank: tuple[str, ...] = ()
    with_shapes: bool = False


class SourceDelivery:
    """A source that was begun: `begin` starts its reading, `complete` waits for it and commits. Neither raises our errors."""

    def __init__(self, town: Town, path: Path, delivery: Delivery, delivery_id: str, readers: SourceReaders) -> None:
        self.path = path
        self._town, self._delivery, self._delivery_id, self._readers = town, delivery, delivery_id, readers
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
            self._options = self._with_learned_mapping(reader)
            self._basis = _basis(town, reader, self._options, delivery)
            self._source = identify(self.path, reader, delivery=self._delivery_id, identity=self._basis.digests)
            if self._is_known(reader):
                return
            self._copy = self._open.enter_context(_source_copy(town, self._source, self.path, reader, delivery))
            folder = self._open.enter_context(_spool_folder(town))
            request = read_request(
                self._copy.path, reader, self._source, self._options, self._catalogue, town_place(town), folder
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
        with self._refusals():
            if not self._commit(reading, reporter):
                return False
        return True

    def cancel(self) -> None:
        """End the reading and take away what it left."""
        self._open.close()

    def _is_known(self, reader: Reader) -> bool:
        """Return whether the source was delivered before; a copy that the archive lacks is kept all the same."""
        town, source = self._town, self._source
        self._outcome.already = self._brought_by()
        if self._outcome.already is None or self._delivery.dry_run:
            return False
        if not is_kept(town.path / "sources", source):
            with _source_copy(town, source, self.path, reader, self._delivery) as copy:
                copy.keep()
        _keep_basis(town, self._basis)
        return True

    def _brought_by(self) -> int | None:
        """Return the version that brought in the same delivery, None where it is to be read whatever it is."""
        if self._delivery.again:
            return None
        return version_with_same_source(self._town.store, self._source, self._town.catalogue)

    def _is_outdated(self, draft: Draft) -> bool:
        """Return whether what others committed since the reading began decides what the source has to say."""
        if self._brought_by() != self._outcome.already:
            return True
        if self._town.catalogue is self._catalogue:
            return False
        used = {*draft.layers, *draft.described}
        return with_layers({}, self._catalogue, used) != with_layers({}, self._town.catalogue, used)

    def _commit(self, reading: Reading, reporter: Reporter) -> bool:
        """Commit a source, or compare it in a dry run; False where it is to be read again."""
        town, delivery, outcome = self._town, self._delivery, self._outcome
        with _head_start(town, delivery) as ahead:
            reporter.stage("read")
            draft = reading.draft(reporter.read, ahead.take)
            if self._is_outdated(draft):
                return False
            self._basis.ensure_unchanged(self.path.name)
            self._report_learned(draft)
            read_at = time.monotonic()
            changeset = self._changeset(draft)
            outcome.counts, outcome.findings = draft.counts.to_dict(), list(changeset.findings)
            if delivery.with_shapes:
                outcome.keep_shapes(draft)
            if delivery.dry_run:
                plans = plan_changeset(town.store, changeset)
                outcome.note(plans)
                outcome.planned = {name: plan.counts for name, plan in plans.items() if name != "finding"}
                outcome.ids = {name: touched_ids(town.store, plan) for name, plan in plans.items() if name != "finding"}
                return True
            reporter.stage("commit")
            outlines = self._readers.outline(self._copy.path, self._options) if delivery.learn else []
            self._copy.keep()
            _keep_basis(town, self._basis)
            outcome.version = town.commit_delivery(changeset, draft.described, ahead)
            outcome.note(outcome.version.touched)
            if delivery.learn:
                outcome.learned = learn(town.path / "mappings", self._options.mapping, outlines)
            outcome.seconds = draft.seconds + time.monotonic() - read_at
        return True

    def _with_learned_mapping(self, reader: Reader) -> ReadOptions:
        """Return the options with the mapping that the town has learned for this form, where nobody says another."""
        options, folder = self._delivery.options, self._town.path / "mappings"
        if options.mapping is not None or options.kind is not None or not has_learned(folder):
            return options
        outlines = self._readers.outline(self.path, options) if reader.has_outline else []
        mapping = learned_mapping(folder, outlines)
        options = options if mapping is None else replace(options, mapping=mapping)
        return with_local_grid(options, self._town.path / "private")

    def _report_learned(self, draft: Draft) -> None:
        if self._options.mapping is not self._delivery.options.mapping:
            values = {"source": self.path.name, "mapping": self._options.mapping.file_name}
            draft.report(Finding("mapping.learned_used", "info", values=values))

    def _changeset(self, draft: Draft) -> Changeset:
        delivery = self._delivery
        return draft.to_changeset(
            author=delivery.author,
            reason=delivery.reason or self.path.name,
            reach=delivery.reach,
            area=delivery.area,
            accept_removals=delivery.accept_removals,
            blank=delivery.blank,
        )

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        with _refusals(self.path, self._outcome, self._town.cache):
            yield


class SourceInspection:
    """A source that is only looked at, for a place: nothing is stored. Neither `begin` nor `complete` raises our errors."""

    def __init__(
        self,
        path: Path,
        options: ReadOptions,
        catalogue: Catalogue,
        place: TownPlace,
        readers: SourceReaders,
        *,
        with_shapes: bool,
    ) -> None:
        self._path, self._options, self._catalogue, self._place = path, options, catalogue, place
        self._readers, self._with_shapes = readers, with_shapes
        self._open = ExitStack()
        self._outcome = Outcome(path.name)
        self._reading: Reading | None = None

    def begin(self) -> None:
        """Recognise the source and begin to read it."""
        with _refusals(self._path, self._outcome, Path(tempfile.gettempdir())):
            reader = self._readers.reader_of(self._path, self._options)
            self._outcome.kind = reader.name
            source = identify(self._path, reader)
            folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="twin-draft-")))
            copy = self._open.enter_context(copy_to_read(source, files_of(self._path, reader)))
            request = read_request(copy.path, reader, source, self._options, self._catalogue, self._place, folder)
            self._reading = self._open.enter_context(self._readers.begin(request))

    def complete(self, reporter: Reporter) -> Outcome:
        """Wait until the source is read and return what it would bring."""
        outcome = self._outcome
        with self._open, _refusals(self._path, outcome, Path(tempfile.gettempdir())):
            if self._reading is not None:
                draft = self._reading.draft(reporter.read)
                outcome.counts, outcome.findings = draft.counts.to_dict(), draft.findings
                outcome.seconds = draft.seconds
                if self._with_shapes:
                    outcome.keep_shapes(draft)
                draft.ensure_placed()
                draft.ensure_some_stored()
        return outcome

    def cancel(self) -> None:
        """End the reading and take away what it left."""
        self._open.close()


def read_request(
    path: Path,
    reader: Reader,
    source: Source,
    options: ReadOptions,
    catalogue: Catalogue,
    place: TownPlace,
    folder: Path,
) -> ReadRequest:
    """Return the request to read a source into a folder of the spool."""
    return ReadRequest(path, reader.name, source, options, catalogue, place.crs, folder, place=place)


def town_place(town: Town) -> TownPlace:
    """Return where a town is, with its local grids."""
    place = place_of(town.store, town.settings.height_datum)
    return replace(place, grids=read_grids(town.path / "private"))


def _basis(town: Town, reader: Reader, options: ReadOptions, delivery: Delivery) -> ReadingBasis:
    """Return what a source is read with, the town's time zone and the scope that the caller named among it."""
    reach = None if delivery.reach == "seen" else delivery.reach
    area = None if delivery.area is None else delivery.area.wkb_hex
    return reading_basis(
        reader, options, zone=town.settings.timezone, reach=reach, area=area, blank=delivery.blank or None
    )


def _keep_basis(town: Town, basis: ReadingBasis) -> None:
    """Put the mapping and the code tables that a source was read with into the archive."""
    for name, content in basis.contents.items():
        keep_content(town.path / "sources", name.rpartition("/")[2], content)


@contextmanager
def _refusals(path: Path, outcome: Outcome, spooled: Path) -> Iterator[None]:
    """Put an error that is about the source, or about the disk on which it is spooled, into its outcome."""
    try:
        yield
    except TwinError as error:
        outcome.error = error
    except OSError as error:
        cause = error.strerror or type(error).__name__
        kind = path.suffix.lstrip(".") or "?"
        unreadable = SourceRefused("source.unreadable", source=path.name, kind=kind, cause=cause)
        outcome.error = refusal_of_the_disk(error, spooled) or unreadable


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
    """Return the copy of a source that is read and kept; a dry run keeps nothing."""
    files = files_of(path, reader)
    if delivery.dry_run:
        return copy_to_read(source, files, town.cache)
    return source_copy(town.path / "sources", source, files)
