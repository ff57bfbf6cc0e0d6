"""The file of a backup: which members it may hold, how they are written, and how a foreign one is unpacked with care.

A backup may come from anybody. Nothing of it is written before every name, kind and size is checked, and nothing of it
is believed that does not match the manifest. Where the town goes is decided in `twin_model/backup.py`.
"""

import json
import lzma
import re
import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from twin_model.errors import StoreError

__all__ = [
    "FOLDERS",
    "MOST_FILES",
    "MOST_MIB",
    "SETTINGS",
    "STORE",
    "USUAL_LIMITS",
    "Manifest",
    "RestoreLimits",
    "unpack",
    "write_archive",
]

FOLDERS = ("catalogue", "mappings", "private", "sources")
SETTINGS, STORE, MANIFEST = "town.toml", "store", "manifest.json"
MOST_RATIO = 200
"""Times its own size that a backup may unpack to, beyond `_SMALL`; what packs better is written unpacked."""
_SMALL = 16 << 20
_MOST_BYTES = {SETTINGS: 1 << 20, MANIFEST: 64 << 20}
MOST_MIB, MOST_FILES = 1 << 20, 500_000
"""So many MiB, and so many members, a backup may unpack to unless whoever restores it says otherwise."""
_LONGEST = 240
_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NO_PLAIN_NAME = re.compile(r"\\|^\.|^[A-Za-z]:")
_SHA256 = re.compile("[0-9a-f]{64}")
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, KeyError, ValueError, RuntimeError, RecursionError,
           NotImplementedError)  # fmt: skip


@dataclass(frozen=True)
class RestoreLimits:
    """How much a backup may unpack to: MiB in all, and number of members."""

    mib: int = MOST_MIB
    files: int = MOST_FILES


USUAL_LIMITS = RestoreLimits()


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself: when it was made, and the SHA-256 of each member by its name."""

    made: str
    members: Mapping[str, str]


def write_archive(
    path: Path, members: Iterable[tuple[str, Path]], *, made: str, store: str, tick: Callable[[str], None]
) -> None:
    """Write files as the members of a backup, with a manifest that names each one's SHA-256."""
    members = list(members)
    _ensure_member_names(path.name, [name for name, _ in members])
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        digests: dict[str, str] = {}
        with zipfile.ZipFile(path, "w", compression, compresslevel=1, strict_timestamps=False) as archive:
            for name, file in members:
                tick(name)
                digests[name] = _hash_of(file)
                archive.write(file, name)
            manifest = {"made": made, "store": store, "members": digests}
            archive.writestr(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1))
            unpacked = sum(member.file_size for member in archive.infolist())
        if not _is_bomb(unpacked, path.stat().st_size):
            return


def unpack(source: Path, folder: Path, tick: Callable[[str], None], limits: RestoreLimits = USUAL_LIMITS) -> Manifest:
    """Unpack a backup into a folder and check each member against the manifest. Raises `StoreError`.

    Refused before anything is written: members of other names or kinds than `write_archive` makes, names that lead out,
    stand twice or differ in case only, more than the disk or the limits hold, and more than 200 times the file's own size.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            _ensure_within(source, archive.infolist(), limits)
            members = {member.filename: member for member in archive.infolist()}
            _ensure_member_names(source.name, [member.orig_filename for member in archive.infolist()])
            _ensure_plain_files(source, archive.infolist())
            _ensure_modest(source, archive.infolist(), folder)
            manifest = _manifest(source, archive)
            for name, digest in manifest.members.items():
                tick(name)
                _extract(source, archive, members[name], folder, digest)
    except _DAMAGE as error:
        cause = str(error)[:200].rstrip(".") or type(error).__name__
        raise StoreError("store.backup_damaged", path=source.name, cause=cause) from error
    return manifest


def _extract(source: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, digest: str) -> None:
    target = folder / member.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as packed, target.open("xb") as file:
        shutil.copyfileobj(packed, file, _CHUNK)
    # What was its owner's alone stays so; nothing that comes out of a backup may be run or written by others.
    target.chmod(member.external_attr >> 16 & 0o644 | 0o600)
    if _hash_of(target) != digest:
        raise StoreError("store.backup_changed", path=source.name, member=member.filename)


def _hash_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        digest = sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _ensure_member_names(path: str, names: Iterable[str]) -> None:
    """Refuse names that no backup holds, and those that would be one file on some disk. Raises `StoreError`."""
    places: dict[str, str] = {}
    for name in names:
        if not _is_member(name):
            raise StoreError("store.backup_member", path=path, member=_shown(name))
        parts = name.split("/")
        for place in (*("/".join(parts[:depth]) + "/" for depth in range(1, len(parts))), name):
            known = places.setdefault(_folded(place), place)
            is_new = known is place
            # A folder comes again with each of its files, spelled as before; a file comes once.
            if not is_new and not (known == place and place.endswith("/")):
                raise StoreError("store.backup_twice", path=path, member=_shown(place), other=_shown(known))


def _is_member(name: str) -> bool:
    if name in (SETTINGS, STORE, MANIFEST):
        return True
    folder, *parts = name.split("/")
    return folder in FOLDERS and bool(parts) and all(map(_is_plain, parts))


def _is_plain(part: str) -> bool:
    """Say whether a part of a path is a name on every system: not hidden, no way up, no drive, no control character."""
    controls = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in part)
    return bool(part) and not (controls or _NO_PLAIN_NAME.search(part)) and len(part.encode()) <= _LONGEST


def _folded(place: str) -> str:
    """Return what a place is to a disk that knows no case, no trailing dots and no forms of Unicode."""
    parts = unicodedata.normalize("NFC", place.rstrip("/")).casefold().split("/")
    return "/".join(part.rstrip(" .") for part in parts)


def _shown(name: str) -> str:
    return ascii(name) if not name.isprintable() else name[:200]


def _ensure_plain_files(source: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse links, folders, devices, and what is encrypted or packed in a way of which no backup is."""
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or member.flag_bits & _ENCRYPTED or member.compress_type not in _KINDS:
            raise StoreError("store.backup_member", path=source.name, member=_shown(member.filename))


def _ensure_within(source: Path, members: list[zipfile.ZipInfo], limits: RestoreLimits) -> None:
    """Refuse more members, or more of them together, than whoever restores the backup allows."""
    size = _mib(sum(member.file_size for member in members))
    if len(members) > limits.files or size > limits.mib:
        raise StoreError(
            "store.backup_limits",
            path=source.name,
            files=len(members),
            most_files=limits.files,
            size=size,
            most_mib=limits.mib,
        )


def _ensure_modest(source: Path, members: list[zipfile.ZipInfo], folder: Path) -> None:
    """Refuse what would fill the disk; `zipfile` never unpacks more of a member than it declares."""
    unpacked, packed = sum(member.file_size for member in members), source.stat().st_size
    too_large = any(member.file_size > _MOST_BYTES.get(member.filename, unpacked) for member in members)
    if too_large or _is_bomb(unpacked, packed) or sum(member.compress_size for member in members) > packed:
        raise StoreError(
            "store.backup_bomb",
            path=source.name,
            size=_mib(unpacked),
            ratio=round(unpacked / max(packed, 1)),
            most_ratio=MOST_RATIO,
        )
    free = shutil.disk_usage(folder).free
    if unpacked > free:
        raise StoreError(
            "store.backup_disk", path=source.name, size=_mib(unpacked), free=_mib(free), folder=str(folder.parent)
        )


def _is_bomb(unpacked: int, packed: int) -> bool:
    return unpacked > _SMALL and unpacked > MOST_RATIO * packed


def _mib(size: int) -> int:
    return -(-size >> 20)


def _manifest(source: Path, archive: zipfile.ZipFile) -> Manifest:
    """Return what the backup says of itself; it names each member, and no other."""
    content = json.loads(archive.read(MANIFEST))
    made, digests = (content.get(key) for key in ("made", "members")) if isinstance(content, dict) else (None, None)
    if not isinstance(made, str) or not isinstance(digests, dict):
        raise ValueError(MANIFEST)
    unlike = sorted(set(digests) ^ (set(archive.namelist()) - {MANIFEST}))
    unlike += [name for name in (SETTINGS, STORE) if name not in digests and name not in unlike]
    unlike += [name for name, digest in digests.items() if not _SHA256.fullmatch(str(digest))]
    if unlike:
        raise StoreError("store.backup_incomplete", path=source.name, members=[_shown(name) for name in unlike[:5]])
    return Manifest(made, digests)
