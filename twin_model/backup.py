"""A town in one file: settings, catalogue, mappings, sources and the store with its whole history, and the way back.

The file is a zip with a `manifest.json` that names every member's SHA-256 and the last hash of the chain. It is made
while others read and write: the store is copied as it is at one moment. It holds `private/` too: keep it as you keep
that folder.
"""

import re
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from twin_model.audit import Audit, verify
from twin_model.backup_archive import FOLDERS, SETTINGS, STORE, USUAL_LIMITS, RestoreLimits, unpack, write_archive
from twin_model.errors import StoreError, TwinError
from twin_model.leftovers import sweep_backups
from twin_model.replacement import exclusive, members_of, replace_members, staging_folder
from twin_model.store.opening import restore_store
from twin_model.temporal import now
from twin_model.toml_text import toml_text
from twin_model.town import Town, open_town

__all__ = ["Backup", "backup_town", "restore_town"]

_STORE_FILE = "store.gpkg"
"""Where the store of a restored town lies, whatever place the backup names."""
_STORE_LINE = re.compile(r"""^[ \t]*(?:store|"store"|'store')[ \t]*=.*$""", re.MULTILINE)
_GEOPACKAGE, _DUMP = b"SQLite format 3\0", b"PGDMP"


@dataclass(frozen=True)
class Backup:
    """What a backup holds: version, last hash of the chain, when it was made, bytes of the file. Of one restored also
    where the town it replaced lies now, which place of the store it named where that was another, and how many things
    beside its history are not as they should be (`Audit.damages`)."""

    version: int
    hash: str
    made: str
    size: int
    replaced: str = ""
    store_before: str = ""
    damages: int = 0


def backup_town(town: Town, target: Path, tick: Callable[[str], None] = lambda name: None) -> Backup:
    """Write the town to a file, which appears whole; `tick` hears the members' names and may raise to cancel."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep_backups(target.parent)
    part = target.with_name(f".{target.name}.part")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as folder:
        store, made = Path(folder) / STORE, now()
        tick(STORE)
        town.store.backup(store)
        try:
            part.touch(mode=0o600)
            write_archive(part, [(STORE, store), *_files(town.path)], made=made, store=town.store.url, tick=tick)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    newest = town.store.changesets(1)
    number, digest = (newest[0].number, newest[0].hash) if newest else (0, "")
    return Backup(number, digest, made, target.stat().st_size)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    yield SETTINGS, folder / SETTINGS
    for name in FOLDERS:
        for path in sorted((folder / name).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.is_file() and not hidden:
                yield path.relative_to(folder).as_posix(), path


def restore_town(
    source: Path,
    folder: Path,
    *,
    replace: bool = False,
    server: str | None = None,
    limits: RestoreLimits = USUAL_LIMITS,
    tick: Callable[[str], None] = lambda name: None,
) -> Backup:
    """Make a town of a backup in a folder and return what was restored. Raises `StoreError`.

    A backup may come from anybody: every member and the chain of changesets are checked in a hidden folder before
    anything takes its place. The store comes to lie in the town's folder, or on the database server that the caller
    names: there the dump's own SQL is run. A town that is there is refused unless `replace`: it then lies in
    `backups/`, beside what lay there. Killed at any moment, the folder holds one of the two whole.
    """
    is_new, size = not folder.exists(), source.stat().st_size
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder), staging_folder(folder) as stage:
            _ensure_place(folder, replace=replace)
            manifest = unpack(source, stage, tick, limits)
            for name in FOLDERS:
                (stage / name).mkdir(exist_ok=True)
            (stage / "private").chmod(0o700)
            before = _settle_store(source, stage, server)
            tick("audit")
            with _undone_on_error(server):
                proved = _proved(source, stage, replace=replace)
                replaced = replace_members(folder, stage, f"replaced-{now()[:19].replace(':', '')}")
    except OSError as error:
        raise StoreError("store.restore_failed", path=str(folder), cause=str(error)) from error
    finally:
        if is_new:
            with suppress(OSError):  # what is restored stays
                folder.rmdir()
    return Backup(proved.changesets, proved.hash, manifest.made, size, str(replaced or ""), before, len(proved.damages))


def _ensure_place(folder: Path, *, replace: bool) -> None:
    """Refuse a folder that holds a town which is not to be replaced, and one that holds anything else."""
    held = members_of(folder)
    if SETTINGS in held and not replace:
        raise StoreError("store.restore_over", path=str(folder), version=_version_of(folder))
    if held and not (replace and {SETTINGS, _STORE_FILE} & set(held)):
        raise StoreError("store.restore_place", path=str(folder), members=held[:5])


def _version_of(folder: Path) -> int | str:
    try:
        with open_town(folder) as town:
            return town.store.version()
    except Exception:  # that town may be broken in any way: it is the reason to restore one
        return "?"


def _settle_store(source: Path, stage: Path, server: str | None) -> str:
    """Have `town.toml` name the place where the store is to lie; return the one it named, "" where that was the same.

    The backup's own word is not believed: a path would be written to, an address connected to.
    """
    settings = stage / SETTINGS
    try:
        text = settings.read_text("utf-8")
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError("store.backup_damaged", path=source.name, cause=f"{SETTINGS}: {error}"[:200]) from error
    location = str(table.get("store", _STORE_FILE))
    target = _target_of(source, stage / STORE, location, server)
    if location == target:
        return ""
    moved = _STORE_LINE.sub(lambda line: f"store = {toml_text(target)}", text)
    if "store" not in table:
        moved = f"store = {toml_text(target)}\n{text}"
    with suppress(ValueError):
        if tomllib.loads(moved) == table | {"store": target}:
            settings.write_text(moved, "utf-8")
            settings.chmod(0o600)  # the address of a server may hold a password
            return _without_account(location)
    raise StoreError(
        "store.backup_store_line", path=source.name, store=_without_account(location), target=_without_account(target)
    )


def _target_of(source: Path, store: Path, location: str, server: str | None) -> str:
    """Return where a store of its kind goes: a GeoPackage into the town's folder, a dump to the server that was named."""
    with store.open("rb") as file:
        head = file.read(len(_GEOPACKAGE))
    if head == _GEOPACKAGE:
        if server is not None:
            raise StoreError("store.restore_geopackage", path=source.name, url=_without_account(server))
        return _STORE_FILE
    if not head.startswith(_DUMP):
        raise StoreError("store.backup_store", path=source.name, head=head[:8].hex())
    if server is None:
        raise StoreError("store.restore_server", path=source.name, url=_without_account(location))
    return server


def _without_account(location: str) -> str:
    shown = re.sub(r"(?<=://)[^/]*@", "", location).partition("?")[0] if "://" in location else location
    return shown[:200] if shown.isprintable() else ascii(shown[:200])


def _proved(source: Path, stage: Path, *, replace: bool) -> Audit:
    """Bring the store of an unpacked backup into its place, open the town and prove its chain."""
    restore_store(stage, stage / STORE, replace=replace)
    try:
        with open_town(stage) as town:
            return verify(town.store)
    except Exception as error:  # whatever a foreign store does to whoever reads it, it is not proved
        cause = error if isinstance(error, TwinError) else f"{type(error).__name__}: {error}."[:200]
        raise StoreError("store.backup_unsound", path=source.name, cause=cause) from error


def _undone_on_error(server: str | None) -> AbstractContextManager[None]:
    """Return a context in which the schema of a server may be replaced; an error brings the former one back."""
    if server is None:
        return nullcontext()
    from twin_model.store.postgis.undo import undone_on_error

    return undone_on_error(server)
