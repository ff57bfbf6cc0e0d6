"""A town in one file: settings, catalogue, mappings, sources and the store with its whole history, and the way back.

The file is a zip with a `manifest.json` that names every member's SHA-256 and the last hash of the chain. It is made
while others read and write: the store is copied as it is at one moment. It holds `private/` too: keep it as you keep
that folder.
"""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from twin_model.errors import StoreError, TwinError
from twin_model.history import verify
from twin_model.store.opening import restore_store
from twin_model.temporal import now
from twin_model.town import Town, open_town

__all__ = ["Backup", "backup_town", "restore_town"]

_FOLDERS = ("catalogue", "mappings", "private", "sources")
_STORE, _MANIFEST = "store", "manifest.json"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Backup:
    """What a backup holds: version, last hash of the chain, when it was made, bytes of the file."""

    version: int
    hash: str
    made: str
    size: int


def backup_town(town: Town, target: Path, tick: Callable[[str], None] = lambda name: None) -> Backup:
    """Write the town to a file, which appears whole; `tick` hears the members' names and may raise to cancel."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as folder:
        store = Path(folder) / _STORE
        tick(_STORE)
        town.store.backup(store)
        members: dict[str, str] = {}
        try:
            part.touch(mode=0o600)
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, path in [(_STORE, store), *_files(town.path)]:
                    tick(name)
                    members[name] = _hash_of(path)
                    archive.write(path, name)
                manifest: dict[str, Any] = {"made": now(), "store": town.store.url, "members": members}
                archive.writestr(_MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    newest = town.store.changesets(1)
    return Backup(
        newest[0].number if newest else 0,
        newest[0].hash if newest else "",
        manifest["made"],
        target.stat().st_size,
    )


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    yield "town.toml", folder / "town.toml"
    for name in _FOLDERS:
        for path in sorted((folder / name).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.is_file() and not hidden:
                yield path.relative_to(folder).as_posix(), path


def _hash_of(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def restore_town(
    source: Path, folder: Path, *, replace: bool = False, tick: Callable[[str], None] = lambda name: None
) -> Backup:
    """Make a town of a backup in a folder and return what was restored; every member is checked, and the chain of
    changesets, before the town stands in its place. A town that is there is refused unless `replace`: its folder is
    then kept in `backups/`. Raises `StoreError`."""
    if (folder / "town.toml").exists() and not replace:
        with open_town(folder) as present:
            raise StoreError("store.restore_over", path=str(folder), version=present.store.version())
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=folder.parent) as made:
        fresh = Path(made) / "town"
        manifest = _unpacked(source, fresh, tick)
        for name in (*_FOLDERS, "cache", "backups"):
            (fresh / name).mkdir(exist_ok=True)
        (fresh / "private").chmod(0o700)
        tick("audit")
        restored = _opened(source, fresh, replace=replace)
        if folder.exists():
            _put_away(folder, fresh)
        fresh.replace(folder)
    return Backup(*restored, manifest["made"], source.stat().st_size)


def _unpacked(source: Path, folder: Path, tick: Callable[[str], None]) -> dict[str, Any]:
    """Unpack a backup and check each member against the manifest; what was its owner's alone stays so."""
    try:
        with zipfile.ZipFile(source) as archive:
            manifest: dict[str, Any] = json.loads(archive.read(_MANIFEST))
            for name, digest in manifest["members"].items():
                tick(name)
                target = folder / _within(name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file, _CHUNK)
                target.chmod(archive.getinfo(name).external_attr >> 16 & 0o777 | 0o600)
                if _hash_of(target) != digest:
                    raise StoreError(
                        "store.backup_unsound", path=source.name, cause=f"{name} is not as it was written"
                    )
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise StoreError("store.backup_unsound", path=source.name, cause=str(error)[:200]) from error
    return manifest


def _within(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name} leads out of the backup")
    return name


def _opened(source: Path, folder: Path, *, replace: bool) -> tuple[int, str]:
    """Bring the store of an unpacked backup into its place and prove it."""
    restore_store(folder, folder / _STORE, replace=replace)
    (folder / _STORE).unlink(missing_ok=True)
    try:
        with open_town(folder) as town:
            proved = verify(town.store)
    except TwinError as error:
        raise StoreError("store.backup_unsound", path=source.name, cause=str(error)) from error
    return proved.changesets, proved.hash


def _put_away(folder: Path, fresh: Path) -> None:
    """Move the town that is replaced into the `backups/` of the one that takes its place, with its own backups."""
    kept = fresh / "backups"
    for old in sorted((folder / "backups").glob("*")) if (folder / "backups").is_dir() else ():
        old.replace(kept / old.name)
    folder.replace(kept / f"replaced-{now()[:19].replace(':', '')}")
