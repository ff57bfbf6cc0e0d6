"""Which reader a source wants: found by what the file is, never by its name alone.

What a reader is stands in `ingest/reader.py`; each is declared in its own package. Their modules are imported when first
needed: ifcopenshell and ezdxf take their time.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from ingest.archive import ensure_whole_archive
from ingest.draft import Draft, ReadOptions
from ingest.dxf import READER as DXF
from ingest.epanet import READER as EPANET
from ingest.ifc import READER as IFC
from ingest.reader import TOPICS, Reader
from ingest.source_files import alone, ensure_own_files
from ingest.survey import READER as SURVEY
from ingest.vector import READER as VECTOR
from ingest.vector.kind import is_file_geodatabase
from twin_model.catalogue import Catalogue
from twin_model.changeset import Source
from twin_model.errors import CalledWrongly, SourceRefused
from twin_model.sources import digest_of
from twin_model.visible_text import unseen, visible

__all__ = [
    "READERS",
    "ensure_inside",
    "ensure_kind",
    "ensure_plain_name",
    "files_of",
    "files_passed_over",
    "find_sources",
    "identify",
    "read_source",
    "reader_of",
    "special_files",
]

READERS: tuple[Reader, ...] = (IFC, EPANET, DXF, SURVEY, VECTOR)
"""In the order they are asked, those first by whose suffix a file goes; the first that recognises it reads it."""


def ensure_kind(value: str | None, catalogue: Catalogue) -> None:
    """Refuse an `--as` that is neither a layer nor a kind of source."""
    kinds = list(dict.fromkeys([*TOPICS, *(reader.name for reader in READERS)]))
    if value is None or value in catalogue or value in kinds:
        return
    layers = list(catalogue.layers)
    raise CalledWrongly(
        "source.unknown_as",
        value=value,
        kinds=kinds,
        nearest=get_close_matches(value, layers, 3, 0.3) or layers[:4],
    )


def find_sources(path: Path) -> list[Path]:
    """Return the sources below a path: the file itself, or every file of a folder that some reader goes by.

    Files that belong to another source are none of their own: the tables of a pipeline survey (points and lines) are one
    source, named by its first table.
    """
    if not path.exists():
        raise CalledWrongly("source.not_found", source=str(path))
    if path.is_file() or is_file_geodatabase(path):
        return [path]
    if not path.is_dir():
        raise SourceRefused("source.not_plain", source=path.name, found=_kind_of(path))
    paths = [file for file in _called_as_sources(path) if file.is_file() or is_file_geodatabase(file)]
    if not paths:
        raise SourceRefused("source.nothing_found", source=str(path))
    return list(_without_companions(paths))


def special_files(folder: Path) -> dict[Path, str]:
    """Return what is called as a source in a folder and is none to be read, with what it is: a pipe, a device, a broken link."""
    if not folder.is_dir() or is_file_geodatabase(folder):
        return {}
    return {path: _kind_of(path) for path in _called_as_sources(folder) if not path.is_file() and not path.is_dir()}


def _called_as_sources(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder, by name, and has a suffix that some reader goes by; hidden files are none."""
    suffixes = {suffix for reader in READERS for suffix in reader.suffixes} | {".zip"}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and not path.name.startswith((".", "~$")):
            yield path


def _kind_of(path: Path) -> str:
    """Return what stands at a path that is neither a file nor a folder."""
    if path.is_symlink():
        return "a link that leads nowhere" if not path.exists() else "a link to a pipe or a device"
    return "a pipe" if path.is_fifo() else "a socket" if path.is_socket() else "a device"


def ensure_plain_name(path: Path) -> None:
    """Refuse a file whose name holds what is not seen, such as line breaks or what a terminal obeys."""
    if found := unseen(path.name):
        raise SourceRefused("source.name_unseen", source=visible(path.name, keeps=""), found=found)


def files_passed_over(folder: Path, sources: Iterable[Path]) -> dict[str, list[str]]:
    """Return the files of a folder that belong to no source, by their ending: no reader goes by it.

    Hidden files, and those that belong to a source without being read, such as an index beside a shapefile, are none.
    """
    if not folder.is_dir() or is_file_geodatabase(folder):
        return {}
    own = list(sources)
    stems = {(path.parent, path.stem) for path in own}
    read = {file for path in own for file in files_of(path)} | set(own)
    names: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        belongs = path in read or any(above in read for above in path.parents)
        beside = (path.parent, path.name.split(".")[0]) in stems or path.name.startswith((".", "~$"))
        if path.is_file() and not belongs and not beside:
            names.setdefault(path.suffix.lower() or "-", []).append(path.relative_to(folder).as_posix())
    return names


def _without_companions(paths: list[Path]) -> Iterator[Path]:
    drawings = {path.with_suffix("") for path in paths if path.suffix.lower() == ".dxf"}
    taken = {path for path in paths if path.suffix.lower() == ".dwg" and path.with_suffix("") in drawings}
    for path in paths:
        if path not in taken:
            taken.update(files_of(path))
            yield path


def ensure_inside(source: Path, folder: Path) -> None:
    """Refuse a source of a folder that is a link out of it: whoever delivers it chose what it leads to."""
    if folder.is_dir() and not source.resolve().is_relative_to(folder.resolve()):
        target = str(source.readlink()) if source.is_symlink() else str(source.resolve())
        raise SourceRefused("source.link_outside", source=source.name, found=target)


def files_of(path: Path, reader: Reader | None = None) -> tuple[Path, ...]:
    """Return the files that belong to a source; without a reader, as the one that goes by its suffix says."""
    reader = reader or next((reader for reader in READERS if reader.goes_by(path)), None)
    return reader.files(path) if reader else alone(path)


def identify(
    path: Path, reader: Reader | None = None, *, delivery: str = "", identity: Mapping[str, str] | None = None
) -> Source:
    """Return name, SHA-256 and kind of a source; the hash covers all its files (`twin_model.sources.digest_of`).

    `identity` are digests of what else decides what is read (`ingest/reading_basis.py`).
    """
    files = files_of(path, reader)
    ensure_own_files(path, files, path.name)
    return Source(
        path.name, digest_of(files), reader.name if reader else "", delivery=delivery, identity=identity or {}
    )


def reader_of(path: Path, options: ReadOptions) -> Reader:
    """Return the reader of a source: the caller's, else the first that recognises it."""
    named = next((reader for reader in READERS if reader.name == options.kind), None)
    if named is not None:
        return named
    # The likely ones first: a reader that is not asked need not be imported, and some take a quarter of a second.
    for reader in sorted(READERS, key=lambda reader: not reader.goes_by(path)):
        if options.kind in TOPICS and reader.topic != options.kind:
            continue
        if reader.recognises(path):
            return reader
    return _reader_that_refuses(path)


def _reader_that_refuses(path: Path) -> Reader:
    """Return the reader that says what is wrong with a file that none recognises.

    One that goes by no suffix of theirs is a `SourceRefused`.
    """
    suffix = path.suffix.lower()
    named = path.with_suffix(".shp") if suffix in (".dbf", ".shx") else path
    by_suffix = next((reader for reader in READERS if reader.goes_by(named) and reader is not SURVEY), None)
    if by_suffix is not None:
        return by_suffix
    if suffix == ".zip":
        ensure_whole_archive(path)
    if suffix in (".csv", ".xlsx"):
        from ingest.tables import read_tables

        tables = read_tables(path, limit=20)  # one that cannot be opened says why
        heading = next((row for table in tables for row in table.rows if sum(map(bool, row)) > 1), None)
        if heading is not None:
            raise SourceRefused("source.table_without_place", source=path.name, found=list(filter(None, heading))[:12])
    with path.open("rb") as file:
        raise SourceRefused("source.unknown_kind", source=path.name, found=file.read(16))


def read_source(path: Path, draft: Draft, options: ReadOptions, reader: Reader | None = None) -> None:
    """Read one source into a draft with the reader its content wants."""
    (reader or reader_of(path, options)).read(path, draft, options)
