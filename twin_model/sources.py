"""The archive of sources: every file a version was read from, kept as it was delivered.

Each source has a folder named by its SHA-256, and so have the mapping and the code tables it was read with. The archive
lies in the town's folder (`sources/`) whatever its store is. Which files belong to a source its reader says
(`ingest/reader.py`), which delivery is the same as an earlier one `twin_model/delivery_identity.py`; proof of the history
itself stands in `twin_model/audit.py`.

    with source_copy(town.path / "sources", source, files) as copy:
        ...                     # read copy.path
        copy.keep()             # before the commit
    verify_sources(town.path / "sources", town.store.changesets()).missing
"""

import errno
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path

from twin_model.changeset import Source
from twin_model.delivery_identity import archived_files
from twin_model.errors import SourceRefused, StoreError
from twin_model.store.base import ChangesetRecord

__all__ = [
    "SourceAudit",
    "SourceCopy",
    "copy_to_read",
    "digest_of",
    "files_of_source",
    "is_kept",
    "keep_content",
    "refusal_of_the_disk",
    "source_copy",
    "verify_sources",
]

_CHUNK = 1 << 20
_OF_THE_DISK = {errno.ENOSPC: "store.disk_full", errno.EDQUOT: "store.disk_full", errno.EROFS: "store.read_only"}
"""What a disk says that takes nothing more, and the rule of the message."""


@dataclass(frozen=True)
class SourceAudit:
    """What the archive holds of the sources of a history: how many are whole, and which are not.

    `missing` and `differing` are source name -> versions that were read from it.
    """

    whole: int
    missing: Mapping[str, list[int]]
    differing: Mapping[str, list[int]]


def digest_of(files: Iterable[Path]) -> str:
    """Return the SHA-256 of a file; of several files that of a line for each, by name: its SHA-256, two spaces, its name.

    In a shell: `sha256sum roads.* | LC_ALL=C sort -k 2 | sha256sum`.
    """
    digests = {path.name: _file_digest(path) for path in files}
    if len(digests) == 1:
        return next(iter(digests.values()))
    names = sorted(digests, key=str.encode)
    return sha256("".join(f"{digests[name]}  {name}\n" for name in names).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _former_digest_of(files: Iterable[Path]) -> str:
    """Return the SHA-256 of files one after the other: so was a source of several files named before."""
    digest = sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True)
class SourceCopy:
    """A copy of a source on its way into the archive: `path` is that of the file that names it, `keep` puts it there."""

    path: Path
    keep: Callable[[], None]


@contextmanager
def source_copy(folder: Path, source: Source, files: tuple[Path, ...]) -> Iterator[SourceCopy]:
    """Yield a copy of a source's files, the one that names it among them, to be read in place of them.

    The copy is hashed: files that have changed since they were identified are a `SourceRefused`. Call `keep` before the
    commit, so that no version is without what it was read from. A damaged copy in the archive is replaced.
    """
    with _disk_in_our_words(folder):
        folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
        part.chmod(0o755)
    try:
        with _disk_in_our_words(folder):
            for path in files:
                shutil.copy2(path, part / path.name)
        digest = digest_of(part / path.name for path in files)
        if digest != source.sha256:
            raise SourceRefused("source.changed", source=source.name, found=digest[:12], expected=source.sha256[:12])
        yield SourceCopy(part / source.name, lambda: _put(part, folder / source.sha256, source))
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _disk_in_our_words(folder: Path) -> Iterator[None]:
    """Let a disk that is full or read-only be told so: the file that is read is not to blame."""
    try:
        yield
    except OSError as error:
        refusal = refusal_of_the_disk(error, folder)
        if refusal is None:
            raise
        raise refusal from error


def refusal_of_the_disk(error: OSError, folder: Path) -> StoreError | None:
    """Return what is said of a disk that takes nothing more in a folder; None where an error is about something else."""
    rule = _OF_THE_DISK.get(error.errno or 0)
    return None if rule is None else StoreError(rule, path=str(folder), cause=str(error))


def keep_content(folder: Path, name: str, content: bytes) -> str:
    """Put what a source was read with, a mapping or a code table, into the archive; return its SHA-256."""
    source = Source(name, sha256(content).hexdigest())
    if not is_kept(folder, source):
        folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
        part.chmod(0o755)
        try:
            (part / name).write_bytes(content)
            _put(part, folder / source.sha256, source)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return source.sha256


@contextmanager
def copy_to_read(source: Source, files: tuple[Path, ...], folder: Path | None = None) -> Iterator[SourceCopy]:
    """Yield a copy of a source's files that is read and then gone; it is made in `folder`, else where the system has room.

    What lies beside a source is neither read nor written: libraries leave notes and indexes there, and believe them.
    """
    with (
        tempfile.TemporaryDirectory(prefix="twin-source-", dir=folder, ignore_cleanup_errors=True) as place,
        source_copy(Path(place), source, files) as copy,
    ):
        yield SourceCopy(copy.path, keep=lambda: None)


def _put(part: Path, target: Path, source: Source) -> None:
    """Give a copy its place in the archive, unless a whole one has it: another process may put it there meanwhile."""
    if is_kept(target.parent, source):
        return
    try:
        part.replace(target)
    except OSError:
        if not target.exists():
            raise
        if is_kept(target.parent, source):
            return
        if _is_whole(target, source.sha256):  # the same bytes came under another name: both are kept
            (part / source.name).replace(target / source.name)
            return
        damaged = Path(tempfile.mkdtemp(prefix=".damaged-", dir=target.parent))
        target.replace(damaged / target.name)
        part.replace(target)
        shutil.rmtree(damaged, ignore_errors=True)


def files_of_source(folder: Path, digest: str) -> tuple[Path, ...]:
    """Return the files that the archive holds of a source, by name; empty where it holds none."""
    target = folder / digest
    return tuple(sorted(path for path in target.iterdir() if path.is_file())) if target.is_dir() else ()


def is_kept(folder: Path, source: Source) -> bool:
    """Return whether the archive holds a source whole under its name; its files are hashed again."""
    target = folder / source.sha256
    return (target / source.name).is_file() and _is_whole(target, source.sha256, source.name)


def verify_sources(folder: Path, changesets: Iterable[ChangesetRecord]) -> SourceAudit:
    """Hash again what the archive holds of every source of a history, and of what each was read with; name what is missing
    or differs."""
    versions: dict[tuple[str, str], list[int]] = {}
    for record in sorted(changesets, key=lambda record: record.number):
        files = {record.sha256: record.source} if record.sha256 else {}
        for digest, name in (files | archived_files(record.identity)).items():
            versions.setdefault((digest, name), []).append(record.number)
    whole = 0
    missing: dict[str, list[int]] = {}
    differing: dict[str, list[int]] = {}
    for (digest, name), numbers in versions.items():
        if not files_of_source(folder, digest):
            missing.setdefault(name, []).extend(numbers)
        elif not _is_whole(folder / digest, digest, name):
            differing.setdefault(name, []).extend(numbers)
        else:
            whole += 1
    return SourceAudit(whole, missing, differing)


def _is_whole(target: Path, digest: str, name: str = "") -> bool:
    """Return whether the files in a source's folder are those that made its hash.

    A source of one file may lie there under several names: the one of that name counts where there is one.
    """
    files = files_of_source(target.parent, target.name)
    named = [path for path in files if path.name == name]
    if any(_file_digest(path) == digest for path in named or files):
        return True
    return len(files) > 1 and (digest_of(files) == digest or _was_whole(files, digest, name))


def _was_whole(files: tuple[Path, ...], digest: str, name: str) -> bool:
    """Return whether the files made a hash of the former kind: the one that names the source first, or all by name."""
    heads = sorted(files, key=lambda path: path.name != name)
    orders = dict.fromkeys((head, *(path for path in files if path != head)) for head in heads)
    return any(_former_digest_of(order) == digest for order in orders)
