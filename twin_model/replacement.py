"""How a town takes its place in a folder: all of it or nothing, after a kill at any moment too.

The folder itself is never renamed, for it may be a mount point. The fresh town lies in a hidden folder within, so that
renames suffice. A journal is written before the first of them: whoever opens the town next completes what was stopped.
How a town is made of a backup stands in `twin_model/backup.py`.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from twin_model.errors import StoreError

try:
    import fcntl
except ImportError:  # Windows has no such lock: there the journal alone tells of a replacement
    fcntl = None  # type: ignore[assignment]

__all__ = ["complete_replacement", "exclusive", "members_of", "replace_members", "staging_folder"]

_JOURNAL, _STAGE, _FORMER_CACHE = ".replacement.json", ".restoring-", "former-cache"
_STAYS = ("backups", "cache", "lost+found")
_LAST = "town.toml"


@dataclass(frozen=True)
class _Journal:
    """What is exchanged: names that go from the folder to `away`, and names that come from `stage`, both within it."""

    stage: str
    away: str
    outgoing: tuple[str, ...]
    incoming: tuple[str, ...]


def members_of(folder: Path) -> list[str]:
    """Return the names in a town's folder that are replaced with it: no hidden ones, neither backups nor cache."""
    names = (path.name for path in folder.iterdir())
    return sorted(name for name in names if not name.startswith(".") and name not in _STAYS)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep others from replacing the town in a folder; what a killed process left halfway is completed first."""
    number = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            with suppress(OSError):  # a network's file system may have no locks for folders
                fcntl.flock(number, fcntl.LOCK_EX)
        _complete(folder)
        yield
    finally:
        os.close(number)


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """Yield a hidden folder within a town's, to make a town in; it is gone afterwards, and so are those of killed runs.

    To be entered under `exclusive`. A folder that is made for it goes again if nothing took its place there.
    """
    for remnant in folder.glob(f"{_STAGE}*"):
        shutil.rmtree(remnant, ignore_errors=True)
    stage = folder / f"{_STAGE}{os.getpid()}"
    stage.mkdir(mode=0o700)
    try:
        yield stage
    finally:
        if not (folder / _JOURNAL).exists():
            shutil.rmtree(stage, ignore_errors=True)


def replace_members(folder: Path, stage: Path, label: str) -> Path | None:
    """Put the town of a stage in the place of what a folder holds; return where that lies now, None if it held nothing.

    On an error everything is put back and the error raised. To be entered under `exclusive`.
    """
    outgoing = tuple(sorted(members_of(folder), key=lambda name: name != _LAST))
    incoming = tuple(sorted(members_of(stage), key=lambda name: name == _LAST))
    away = _place_for(folder, stage, label) if outgoing else stage
    journal = _Journal(stage.name, away.relative_to(folder).as_posix(), outgoing, incoming)
    _write_journal(folder, journal)
    try:
        _go_forward(folder, journal)
    except BaseException:
        if (folder / _JOURNAL).exists():
            with _in_our_words(folder):
                _go_back(folder, journal)
        raise
    return away if outgoing else None


def complete_replacement(folder: Path) -> None:
    """Complete the replacement of a town that was stopped halfway; nothing is done where none was."""
    if (folder / _JOURNAL).exists():
        with exclusive(folder):
            pass


def _complete(folder: Path) -> None:
    with _in_our_words(folder):
        journal = _read_journal(folder)
        if journal is None:
            return
        try:
            _go_forward(folder, journal)
        except OSError:  # what made the restore fail may still be so: then the former town takes its place again
            _go_back(folder, journal)
        shutil.rmtree(folder / journal.stage, ignore_errors=True)


@contextmanager
def _in_our_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError("store.replacement_stopped", path=str(folder), cause=str(error)[:200]) from error


def _go_forward(folder: Path, journal: _Journal) -> None:
    """Move what is not moved yet. Nothing comes in before all has gone out, so any state between tells what is left."""
    stage, away = folder / journal.stage, folder / journal.away
    for name in journal.outgoing:
        is_fresh = name in journal.incoming and not os.path.lexists(stage / name)
        if not is_fresh and not os.path.lexists(away / name) and os.path.lexists(folder / name):
            (folder / name).rename(away / name)
    _empty_cache(folder, stage)
    for name in journal.incoming:
        if os.path.lexists(stage / name):
            (stage / name).rename(folder / name)
    for name in ("cache", "backups"):
        (folder / name).mkdir(exist_ok=True)
    _sync(folder)
    (folder / _JOURNAL).unlink()


def _go_back(folder: Path, journal: _Journal) -> None:
    stage, away = folder / journal.stage, folder / journal.away
    for name in reversed(journal.incoming):
        if not os.path.lexists(stage / name) and os.path.lexists(folder / name):
            (folder / name).rename(stage / name)
    for name in reversed(journal.outgoing):
        if os.path.lexists(away / name) and not os.path.lexists(folder / name):
            (away / name).rename(folder / name)
    if (stage / _FORMER_CACHE).exists() and not (folder / "cache").exists():
        (stage / _FORMER_CACHE).rename(folder / "cache")
    if away != stage:
        with suppress(OSError):
            away.rmdir()
    (folder / _JOURNAL).unlink()


def _place_for(folder: Path, stage: Path, label: str) -> Path:
    """Make the folder for what is replaced: in `backups/`, beside it where that is another disk's."""
    (folder / "backups").mkdir(exist_ok=True)
    for parent in (folder / "backups", folder):
        for number in range(1, 1000):
            place = parent / (label if number == 1 else f"{label}-{number}")
            if os.path.lexists(place):
                continue
            made = stage / "away"
            made.mkdir(exist_ok=True)
            try:
                made.rename(place)  # shows at once whether renames lead there
            except OSError:
                made.rmdir()
                break
            return place
    raise StoreError("store.restore_failed", path=str(folder), cause=label)


def _empty_cache(folder: Path, stage: Path) -> None:
    """Leave no tile of the former town: their names may be those of other contents now."""
    cache, former = folder / "cache", stage / _FORMER_CACHE
    if not cache.is_dir():
        return
    try:
        cache.rename(former)
    except OSError:  # a mount point: what is in it goes one by one
        for path in cache.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _write_journal(folder: Path, journal: _Journal) -> None:
    if hasattr(os, "sync"):
        os.sync()  # the fresh town is on the disk before anything says that it is to take its place
    part = folder / f"{_JOURNAL}.part"
    with part.open("w", encoding="utf-8") as file:
        json.dump(asdict(journal), file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / _JOURNAL)
    _sync(folder)


def _read_journal(folder: Path) -> _Journal | None:
    try:
        content = json.loads((folder / _JOURNAL).read_text("utf-8"))
    except FileNotFoundError:
        return None
    journal = _Journal(content["stage"], content["away"], tuple(content["outgoing"]), tuple(content["incoming"]))
    names = (journal.stage, *journal.away.split("/"), *journal.outgoing, *journal.incoming)
    if any(not name or name == ".." or Path(name).name != name for name in names):
        raise ValueError(f"{_JOURNAL} leads out of the folder")
    return journal


def _sync(folder: Path) -> None:
    """Have the disk know the names in a folder; some file systems have no such thing."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
