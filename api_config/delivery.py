"""A delivery from files to the store: find the sources, read each into a draft, commit, keep the source's bytes.

Each source is a changeset of its own; one refused file does not undo the others. Progress is told to a `Reporter`.
"""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from shapely.geometry.base import BaseGeometry

from ingest.archive import is_archive, unpack
from ingest.coordinates import coordinates_of
from ingest.draft import Draft, ReadOptions
from ingest.mapping import ensure_fits
from ingest.readers import ensure_inside, ensure_kind, find_sources, identify, kind_of, parts_of
from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import Reach, Source, Version
from twin_model.errors import SourceRefused, TwinError
from twin_model.finding import Finding
from twin_model.store.base import HeadStart
from twin_model.town import Town
from twin_model.versioning import commit, plan_changeset, touched_ids

__all__ = ["Delivery", "Outcome", "Reporter", "deliver", "inspect"]


class Reporter(Protocol):
    """Hears how a delivery goes on; may raise to stop it."""

    def source(self, name: str, number: int, total: int) -> None: ...

    def read(self, records: int) -> None: ...

    def stage(self, name: str) -> None: ...


class Silent:
    def source(self, name: str, number: int, total: int) -> None: ...

    def read(self, records: int) -> None: ...

    def stage(self, name: str) -> None: ...


@dataclass
class Outcome:
    """What became of one source: `version` None with an `error` where it was refused, or where it was only looked at."""

    source: str
    kind: str = ""
    version: Version | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    planned: dict[str, dict[str, int]] = field(default_factory=dict)
    ids: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    error: TwinError | None = None
    already: int | None = None


@dataclass(frozen=True)
class Delivery:
    """How sources are to be read: as what, with which mapping and CRS, true since when, by whom, and what they could
    have seen (`reach`, with "area" inside `area` in the storage CRS): of that they end what they no longer have."""

    options: ReadOptions = field(default_factory=ReadOptions)
    author: str = "twin"
    reason: str = ""
    dry_run: bool = False
    reach: Reach = "seen"
    area: BaseGeometry | None = None
    accept_removals: bool = False


def deliver(
    town: Town, paths: list[Path], delivery: Delivery, reporter: Reporter | None = None
) -> list[Outcome]:
    """Read and commit every source below the paths; return what became of each."""
    _ensure_answerable(delivery.options, town.catalogue)
    delivery = replace(delivery, options=replace(delivery.options, storey_height=town.settings.storey_height))
    reporter = reporter or Silent()
    with ExitStack() as stack:
        sources = list(_sources(paths, stack))
        delivery_id = uuid.uuid4().hex if len(sources) > 1 else ""
        outcomes = []
        for number, one in enumerate(sources):
            reporter.source(one.name if isinstance(one, Path) else one.source, number + 1, len(sources))
            outcomes.append(
                _deliver_one(town, one, delivery, delivery_id, reporter) if isinstance(one, Path) else one
            )
    return outcomes


def _ensure_answerable(options: ReadOptions, catalogue: Catalogue) -> None:
    """Refuse what the caller asks for wrongly before the first source is read."""
    ensure_kind(options.kind, catalogue)
    if options.mapping is not None:
        ensure_fits(options.mapping, catalogue)


def _sources(paths: list[Path], stack: ExitStack) -> Iterator["Path | Outcome"]:
    """Yield the sources below the paths; a folder or an archive that yields none is an outcome already."""
    for path in paths:
        try:
            found = find_sources(path)
        except SourceRefused as refusal:
            yield Outcome(path.name, error=refusal)
            continue
        for one in found:
            try:
                ensure_inside(one, path)
            except SourceRefused as refusal:
                yield Outcome(one.name, error=refusal)
                continue
            if is_archive(one):
                yield from _unpacked(one, stack)
            else:
                yield one


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
        kind = kind_of(path, delivery.options)
        outcome.kind = kind.name
        source = identify(path, kind, delivery=delivery_id)
        outcome.already = _already(town, source, delivery.options)
        if outcome.already is not None and not delivery.dry_run:
            with _keeping(town, path, source, delivery) as keep:
                keep()
            return outcome
        with (
            _head_start(town, delivery) as ahead,
            _draft(town, source, delivery.options, reporter, ahead) as draft,
            _keeping(town, path, source, delivery) as keep,
        ):
            reporter.stage("read")
            kind.read(path, draft, delivery.options)
            changeset = draft.to_changeset(
                author=delivery.author, reason=delivery.reason or path.name,
                details={"read_as": _said(delivery.options)}, reach=delivery.reach, area=delivery.area,
                accept_removals=delivery.accept_removals,
            )  # fmt: skip
            outcome.counts, outcome.findings = draft.counts.to_dict(), list(changeset.findings)
            if delivery.dry_run:
                plans = plan_changeset(town.store, changeset)
                outcome.planned = {name: plan.counts for name, plan in plans.items() if name != "finding"}
                outcome.ids = {
                    name: touched_ids(town.store, plan) for name, plan in plans.items() if name != "finding"
                }
                return outcome
            reporter.stage("commit")
            keep()
            outcome.version = commit(town.store, changeset, ahead)
    except TwinError as error:
        outcome.error = error
    except OSError as error:
        outcome.error = _unreadable(path, error)
    return outcome


def _unreadable(path: Path, error: OSError) -> SourceRefused:
    cause = error.strerror or type(error).__name__
    return SourceRefused(
        "source.unreadable", source=path.name, kind=path.suffix.lstrip(".") or "?", cause=cause
    )


def _already(town: Town, source: Source, options: ReadOptions) -> int | None:
    """Return the version that brought in the same bytes read in the same way, None where there is none.

    The same bytes read as another layer, or with a corrected mapping, are another delivery; so are those of a version
    that was reverted.
    """
    if town.store.has_source(source.sha256) is None:
        return None
    said = _said(options)
    history = town.store.changesets()
    undone = {one.counts["reverts"] for one in history if "reverts" in one.counts}
    same = (one for one in history if one.sha256 == source.sha256 and one.number not in undone)
    return next((one.number for one in same if one.counts.get("read_as", said) == said), None)


def _said(options: ReadOptions) -> str:
    """Return a short name of how a source is to be read: what the caller says about it."""
    said = repr(
        (
            options.kind,
            options.crs,
            options.effective,
            options.encoding,
            options.mapping,
            options.storey_height,
        )
    )
    return sha256(said.encode()).hexdigest()[:16]


def _head_start(town: Town, delivery: Delivery) -> AbstractContextManager[HeadStart]:
    return nullcontext(HeadStart()) if delivery.dry_run else town.store.head_start()


def _draft(town: Town, source: Source, options: ReadOptions, reporter: Reporter, ahead: HeadStart) -> Draft:
    return Draft(source, town.catalogue, storage_crs=town.store.crs, zone=town.settings.timezone, effective=options.effective,
                 coordinates=coordinates_of(options.mapping), folder=town.cache / "drafts", tick=reporter.read, ahead=ahead.take)  # fmt: skip


@contextmanager
def _keeping(town: Town, path: Path, source: Source, delivery: Delivery) -> Iterator[Callable[[], None]]:
    """Copy the bytes of a source while it is read. What is yielded waits for the copy and puts it under its hash: call
    it before the commit, so that no version is without its source."""
    target = town.path / "sources" / source.sha256
    if target.exists() or delivery.dry_run:
        yield lambda: None
        return
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    part.chmod(0o755)

    def keep() -> None:
        copied.result()
        with suppress(OSError):  # another process has kept the same bytes meanwhile
            part.replace(target)

    try:
        with ThreadPoolExecutor(1) as copier:
            copied = copier.submit(_copy, parts_of(path, source.kind), part)
            yield keep
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _copy(files: list[Path], folder: Path) -> None:
    for one in files:
        shutil.copy2(one, folder / one.name)


def inspect(town: Town | None, path: Path, options: ReadOptions) -> list[Outcome]:
    """Read sources without storing anything, for `twin check`; without a town, in the CRS named or EPSG:4548."""
    crs = town.store.crs if town else options.crs or "EPSG:4548"
    catalogue = town.catalogue if town else read_catalogue()
    _ensure_answerable(options, catalogue)
    options = replace(options, storey_height=town.settings.storey_height) if town else options
    with ExitStack() as stack:
        return [
            _inspect_one(one, options, catalogue, crs) if isinstance(one, Path) else one
            for one in _sources([path], stack)
        ]


def _inspect_one(path: Path, options: ReadOptions, catalogue: Catalogue, crs: str) -> Outcome:
    outcome = Outcome(path.name)
    try:
        kind = kind_of(path, options)
        outcome.kind = kind.name
        coordinates = coordinates_of(options.mapping)
        with Draft(identify(path, kind), catalogue, storage_crs=crs, coordinates=coordinates) as draft:
            kind.read(path, draft, options)
            draft.ensure_placed()
            outcome.counts, outcome.findings = draft.counts.to_dict(), draft.findings
    except TwinError as error:
        outcome.error = error
    except OSError as error:
        outcome.error = _unreadable(path, error)
    return outcome
