"""A delivery from files to the store: find the sources, read each into a draft, commit, keep the source's bytes.

Each source is a changeset of its own; one refused file does not undo the others. Progress is told to a `Reporter`.
"""

import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from shapely.geometry.base import BaseGeometry

from ingest.archive import is_archive, unpack
from ingest.coordinates import coordinates_of
from ingest.draft import Draft, ReadOptions
from ingest.mapping import ensure_fits
from ingest.reader import Reader
from ingest.readers import ensure_inside, ensure_kind, files_of, find_sources, identify, reader_of
from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import ScopeKind, Source, Touched, Version
from twin_model.errors import CalledWrongly, SourceRefused, TwinError
from twin_model.finding import Finding
from twin_model.plan import LayerPlan
from twin_model.sources import SourceCopy, is_kept, source_copy, version_with_same_source
from twin_model.store.base import HeadStart
from twin_model.town import Town
from twin_model.versioning import commit, plan_changeset, touched_ids

__all__ = ["Delivery", "Outcome", "Reporter", "deliver", "inspect"]


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
    brought in the same source before. `kinds` counts by layer what happened to networks (`plan.KINDS`), in a dry run too;
    `kept_columns` are those that the source lacks and of which the town knows values; `others` counts by layer what lies in
    its sight, is lacking and stays, for other projects or sources brought it.
    """

    source: str
    kind: str = ""
    version: Version | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    planned: dict[str, dict[str, int]] = field(default_factory=dict)
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    kept_columns: dict[str, list[str]] = field(default_factory=dict)
    ids: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    error: TwinError | None = None
    already: int | None = None

    def note(self, layers: Mapping[str, LayerPlan] | Mapping[str, Touched]) -> None:
        """Take over what a plan, or a version, says of each layer besides its numbers."""
        self.kinds = {name: dict(each.kinds) for name, each in layers.items() if each.kinds}
        self.kept_columns = {name: list(each.kept_columns) for name, each in layers.items() if each.kept_columns}
        self.others = {name: each.others for name, each in layers.items() if each.others}


@dataclass(frozen=True)
class Delivery:
    """How sources are to be read: as what, with which mapping and CRS, true since when, by whom.

    `reach` is the scope of the sources, "area" that inside `area` in the storage CRS: features in it that they no longer
    contain are ended. A column that a source lacks keeps what is known, unless it is among the fields of `blank`.
    """

    options: ReadOptions = field(default_factory=ReadOptions)
    author: str = "twin"
    reason: str = ""
    dry_run: bool = False
    reach: ScopeKind = "seen"
    area: BaseGeometry | None = None
    accept_removals: bool = False
    blank: tuple[str, ...] = ()


def deliver(town: Town, paths: list[Path], delivery: Delivery, reporter: Reporter | None = None) -> list[Outcome]:
    """Read and commit every source below the paths; return what became of each."""
    _ensure_answerable(delivery.options, town.catalogue)
    delivery = replace(delivery, blank=_fields_named(delivery.blank, town.catalogue))
    delivery = replace(delivery, options=replace(delivery.options, storey_height=town.settings.storey_height))
    reporter = reporter or NoProgress()
    with ExitStack() as stack:
        sources = list(_sources(paths, stack))
        delivery_id = uuid.uuid4().hex if len(sources) > 1 else ""
        outcomes = []
        for number, source in enumerate(sources):
            reporter.source(source.name if isinstance(source, Path) else source.source, number + 1, len(sources))
            outcomes.append(
                _deliver_one(town, source, delivery, delivery_id, reporter) if isinstance(source, Path) else source
            )
    return outcomes


def _ensure_answerable(options: ReadOptions, catalogue: Catalogue) -> None:
    """Refuse what the caller asks for wrongly before the first source is read."""
    ensure_kind(options.kind, catalogue)
    if options.mapping is not None:
        ensure_fits(options.mapping, catalogue)


def _fields_named(words: tuple[str, ...], catalogue: Catalogue) -> tuple[str, ...]:
    """Return the fields that words name, by name or title; a word that names none is refused with the nearest."""
    fields = [each for layer in catalogue for each in layer.fields]
    names = {word: each.name for each in fields for word in (each.title.en, each.title.zh, each.name)}
    for word in words:
        if word not in names:
            raise CalledWrongly("source.no_such_column", value=word, nearest=get_close_matches(word, names, 3, 0.5))
    return tuple(dict.fromkeys(names[word] for word in words))


def _sources(paths: list[Path], stack: ExitStack) -> Iterator["Path | Outcome"]:
    """Yield the sources below the paths; a folder or an archive that yields none is an outcome already."""
    for path in paths:
        try:
            sources = find_sources(path)
        except SourceRefused as refusal:
            yield Outcome(path.name, error=refusal)
            continue
        for source in sources:
            try:
                ensure_inside(source, path)
            except SourceRefused as refusal:
                yield Outcome(source.name, error=refusal)
                continue
            if is_archive(source):
                yield from _unpacked(source, stack)
            else:
                yield source


def _unpacked(archive: Path, stack: ExitStack) -> Iterator["Path | Outcome"]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twin-zip-")))
    try:
        yield from find_sources(unpack(archive, folder))
    except SourceRefused as refusal:
        values = refusal.values | {"source": archive.name}
        yield Outcome(archive.name, "zip", error=SourceRefused(refusal.rule_id, **values))


def _deliver_one(town: Town, path: Path, delivery: Delivery, delivery_id: str, reporter: Reporter) -> Outcome:
    outcome = Outcome(path.name)
    try:
        reader = reader_of(path, delivery.options)
        outcome.kind = reader.name
        source = identify(path, reader, delivery=delivery_id)
        read_as = read_options_digest(delivery.options, delivery.blank)
        outcome.already = version_with_same_source(town.store, source, read_as)
        if outcome.already is not None and not delivery.dry_run:
            if not is_kept(town.path / "sources", source):
                with _source_copy(town, source, path, reader, delivery) as copy:
                    copy.keep()
            return outcome
        with (
            _source_copy(town, source, path, reader, delivery) as copy,
            _head_start(town, delivery) as ahead,
            _draft(town, source, delivery.options, reporter, ahead) as draft,
        ):
            reporter.stage("read")
            draft.blank = delivery.blank
            reader.read(copy.path, draft, delivery.options)
            changeset = draft.to_changeset(
                author=delivery.author,
                reason=delivery.reason or path.name,
                details={"read_as": read_as},
                reach=delivery.reach,
                area=delivery.area,
                accept_removals=delivery.accept_removals,
            )
            outcome.counts, outcome.findings = draft.counts.to_dict(), list(changeset.findings)
            if delivery.dry_run:
                plans = plan_changeset(town.store, changeset)
                outcome.note(plans)
                outcome.planned = {name: plan.counts for name, plan in plans.items() if name != "finding"}
                outcome.ids = {name: touched_ids(town.store, plan) for name, plan in plans.items() if name != "finding"}
                return outcome
            reporter.stage("commit")
            copy.keep()
            outcome.version = version = commit(town.store, changeset, ahead)
            outcome.note(version.touched)
    except TwinError as error:
        outcome.error = error
    except OSError as error:
        outcome.error = _unreadable(path, error)
    return outcome


def _unreadable(path: Path, error: OSError) -> SourceRefused:
    cause = error.strerror or type(error).__name__
    return SourceRefused("source.unreadable", source=path.name, kind=path.suffix.lstrip(".") or "?", cause=cause)


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


def _head_start(town: Town, delivery: Delivery) -> AbstractContextManager[HeadStart]:
    return nullcontext(HeadStart()) if delivery.dry_run else town.store.head_start()


def _draft(town: Town, source: Source, options: ReadOptions, reporter: Reporter, ahead: HeadStart) -> Draft:
    return Draft(source, town.catalogue, storage_crs=town.store.crs, zone=town.settings.timezone, effective=options.effective,
                 coordinates=coordinates_of(options.mapping), folder=town.cache / "drafts", tick=reporter.read, ahead=ahead.take)  # fmt: skip


def _source_copy(
    town: Town, source: Source, path: Path, reader: Reader, delivery: Delivery
) -> AbstractContextManager[SourceCopy]:
    """Return the copy of a source that is read and kept; a dry run reads the source itself and keeps nothing."""
    if delivery.dry_run:
        return nullcontext(SourceCopy(path, keep=lambda: None))
    return source_copy(town.path / "sources", source, files_of(path, reader))


def inspect(town: Town | None, path: Path, options: ReadOptions) -> list[Outcome]:
    """Read sources without storing anything, for `twin check`; without a town, in the CRS named or EPSG:4548."""
    crs = town.store.crs if town else options.crs or "EPSG:4548"
    catalogue = town.catalogue if town else read_catalogue()
    _ensure_answerable(options, catalogue)
    options = replace(options, storey_height=town.settings.storey_height) if town else options
    with ExitStack() as stack:
        return [
            _inspect_one(source, options, catalogue, crs) if isinstance(source, Path) else source
            for source in _sources([path], stack)
        ]


def _inspect_one(path: Path, options: ReadOptions, catalogue: Catalogue, crs: str) -> Outcome:
    outcome = Outcome(path.name)
    try:
        reader = reader_of(path, options)
        outcome.kind = reader.name
        coordinates = coordinates_of(options.mapping)
        with Draft(identify(path, reader), catalogue, storage_crs=crs, coordinates=coordinates) as draft:
            reader.read(path, draft, options)
            draft.ensure_placed()
            outcome.counts, outcome.findings = draft.counts.to_dict(), draft.findings
    except TwinError as error:
        outcome.error = error
    except OSError as error:
        outcome.error = _unreadable(path, error)
    return outcome
