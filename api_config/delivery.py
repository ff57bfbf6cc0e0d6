"""A delivery from files to the store: find the sources, read each into a draft, commit, keep the source's bytes.

Each source is a changeset of its own; one refused file does not undo the others. Progress is told to a `Reporter`.
"""

import tempfile
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path

from api_config.blank_columns import ensure_columns
from api_config.source_delivery import (
    Delivery,
    NoProgress,
    Outcome,
    Reporter,
    SourceDelivery,
    SourceInspection,
    town_place,
)
from ingest.archive import is_archive, unpack
from ingest.draft import ReadOptions
from ingest.mapping import ensure_fits
from ingest.place import TownPlace
from ingest.readers import (
    ensure_inside,
    ensure_kind,
    ensure_plain_name,
    files_passed_over,
    find_sources,
    special_files,
)
from ingest.reading import HERE, ReadLimits, SourceReaders
from ingest.source_crs import with_local_grid
from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.errors import CalledWrongly, SourceRefused
from twin_model.town import Town
from twin_model.visible_text import visible

__all__ = ["Delivery", "Outcome", "Reporter", "deliver", "inspect"]


def deliver(
    town: Town, paths: list[Path], delivery: Delivery, reporter: Reporter | None = None, limits: ReadLimits = HERE
) -> list[Outcome]:
    """Read and commit every source below the paths; return what became of each.

    With `limits.jobs` sources are read ahead in children; they are committed in the order they are found in.
    """
    _ensure_answerable(delivery.options, town.catalogue)
    ensure_columns(delivery.blank, town)
    if delivery.learn and delivery.options.mapping is None:
        raise CalledWrongly("mapping.nothing_to_learn")
    options = with_local_grid(delivery.options, town.path / "private")
    options = replace(options, storey_height=town.settings.storey_height, placings=town.placings())
    delivery = replace(delivery, options=options)
    reporter = reporter or NoProgress()
    with ExitStack() as stack:
        sources = list(_sources(paths, stack, reporter))
        delivery_id = uuid.uuid4().hex if len(sources) > 1 else ""
        readers = stack.enter_context(SourceReaders(limits, len(sources)))
        underway = _Underway(
            SourceDelivery(town, source, delivery, delivery_id, readers)
            for source in sources
            if isinstance(source, Path)
        )
        stack.callback(underway.cancel)
        outcomes = []
        for number, source in enumerate(sources):
            reporter.source(_name_of(source), number + 1, len(sources))
            outcomes.append(underway.next(readers.at_a_time).complete(reporter) if isinstance(source, Path) else source)
            if delivery.fail_fast and outcomes[-1].error is not None:
                return outcomes + [_not_begun(left) for left in sources[number + 1 :]]
    return outcomes


def _name_of(source: "Path | Outcome") -> str:
    return source.name if isinstance(source, Path) else source.source


def _not_begun(source: "Path | Outcome") -> Outcome:
    name = _name_of(source)
    return Outcome(name, error=SourceRefused("source.not_begun", source=name)) if isinstance(source, Path) else source


class _Underway:
    """The sources whose reading has begun, in order; not more than are read at a time."""

    def __init__(self, deliveries: Iterable[SourceDelivery | SourceInspection]) -> None:
        self._deliveries = iter(deliveries)
        self._begun: deque[SourceDelivery | SourceInspection] = deque()

    def next(self, at_a_time: int) -> SourceDelivery | SourceInspection:
        """Return the next source, which has begun, as have those after it that may."""
        for source in islice(self._deliveries, at_a_time - len(self._begun)):
            self._begun.append(source)
            source.begin()
        return self._begun.popleft()

    def cancel(self) -> None:
        """End what has begun and is not complete."""
        for source in self._begun:
            source.cancel()


def inspect(
    town: Town | None,
    paths: list[Path],
    options: ReadOptions,
    reporter: Reporter | None = None,
    limits: ReadLimits = HERE,
    *,
    with_shapes: bool = False,
) -> list[Outcome]:
    """Read sources without storing anything, for `twin check`; without a town, in the CRS named or EPSG:4548.

    `with_shapes` keeps what was read for a map.
    """
    options = with_local_grid(options, town.path / "private" if town else None)
    place = town_place(town) if town else TownPlace(options.crs or "EPSG:4548")
    catalogue = town.catalogue if town else read_catalogue()
    _ensure_answerable(options, catalogue)
    if town:
        options = replace(options, storey_height=town.settings.storey_height, placings=town.placings())
    reporter = reporter or NoProgress()
    outcomes = []
    with ExitStack() as stack:
        sources = list(_sources(paths, stack, reporter))
        readers = stack.enter_context(SourceReaders(limits, len(sources)))
        underway = _Underway(
            SourceInspection(source, options, catalogue, place, readers, with_shapes=with_shapes)
            for source in sources
            if isinstance(source, Path)
        )
        stack.callback(underway.cancel)
        for number, source in enumerate(sources):
            reporter.source(_name_of(source), number + 1, len(sources))
            outcomes.append(underway.next(readers.at_a_time).complete(reporter) if isinstance(source, Path) else source)
    return outcomes


def inspection_crs(town: Town | None, options: ReadOptions) -> str:
    """Return the system in which sources are looked at: the town's, without one that of `--crs`."""
    return town.store.crs if town else options.crs or "EPSG:4548"


def _ensure_answerable(options: ReadOptions, catalogue: Catalogue) -> None:
    """Refuse what the caller asks for wrongly before the first source is read."""
    ensure_kind(options.kind, catalogue)
    if options.mapping is not None:
        ensure_fits(options.mapping, catalogue)


def _sources(paths: list[Path], stack: ExitStack, reporter: Reporter) -> Iterator["Path | Outcome"]:
    """Yield the sources below the paths; a folder or an archive that yields none is an outcome already."""
    for path in paths:
        yield from _special(path)
        try:
            sources = find_sources(path)
        except SourceRefused as refusal:
            yield Outcome(visible(path.name, keeps=""), error=refusal)
            continue
        if names := files_passed_over(path, sources):
            reporter.passed_over(path.name, names)
        for source in sources:
            try:
                ensure_plain_name(source)
                ensure_inside(source, path)
            except SourceRefused as refusal:
                yield Outcome(visible(source.name, keeps=""), error=refusal)
                continue
            if is_archive(source):
                yield from _unpacked(source, stack, reporter)
            else:
                yield source


def _special(folder: Path) -> Iterator["Path | Outcome"]:
    """Yield the refusals of what stands in a folder and is no file."""
    for path, kind in special_files(folder).items():
        name = visible(path.name, keeps="")
        yield Outcome(name, error=SourceRefused("source.not_plain", source=name, found=kind))


def _unpacked(archive: Path, stack: ExitStack, reporter: Reporter) -> Iterator["Path | Outcome"]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twin-zip-")))
    try:
        unpacked = unpack(archive, folder)
        sources = find_sources(unpacked)
        if names := files_passed_over(unpacked, sources):
            reporter.passed_over(archive.name, names)
        for source in sources:
            try:
                ensure_plain_name(source)
            except SourceRefused as refusal:
                yield Outcome(visible(source.name, keeps=""), error=refusal)
            else:
                yield source
    except SourceRefused as refusal:
        values = refusal.values | {"source": archive.name}
        yield Outcome(archive.name, "zip", error=SourceRefused(refusal.rule_id, **values))
