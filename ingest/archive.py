"""Zip archives of sources: unpacked with care into a folder of ours, then read like any folder."""

import contextlib
import lzma
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from twin_model.errors import SourceRefused

__all__ = ["is_archive", "unpack"]

MOST_MIB = 4096
MOST_RATIO = 200
_SMALL_MIB = 16
_UTF8_FLAG = 0x800
_DAMAGE = (zlib.error, lzma.LZMAError)


def is_archive(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() == ".zip" and zipfile.is_zipfile(path)


def unpack(path: Path, folder: Path) -> Path:
    """Unpack an archive into `folder` and return it.

    Refused before anything is written: more than 4 GiB, more than 200 times its own size (beyond 16 MiB), paths that
    lead out. Names without the UTF-8 flag are read as GBK, as Chinese Windows writes them, unless they are UTF-8.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [entry for entry in archive.infolist() if not entry.is_dir()]
            _ensure_modest(path, members)
            places = [_place(path, member) for member in members]
            for member, place in zip(members, places, strict=True):
                _extract(path, archive, member, folder.joinpath(*place.parts))
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, EOFError, *_DAMAGE) as error:
        cause = str(error).rstrip(".") or type(error).__name__
        raise SourceRefused("source.unreadable", source=path.name, kind="zip", cause=cause) from error
    return folder


def _ensure_modest(path: Path, members: list[zipfile.ZipInfo]) -> None:
    size = sum(member.file_size for member in members)
    ratio = size / max(path.stat().st_size, 1)
    if size > MOST_MIB * 2**20 or (ratio > MOST_RATIO and size > _SMALL_MIB * 2**20):
        raise SourceRefused(
            "source.zip_bomb",
            source=path.name,
            size=round(size / 2**20),
            ratio=round(ratio),
            most=MOST_MIB,
            most_ratio=MOST_RATIO,
        )


def _place(path: Path, member: zipfile.ZipInfo) -> PurePosixPath:
    """Return where a member goes, below the folder it is unpacked into."""
    name = PurePosixPath(_name(member).replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in str(name):
        raise SourceRefused("source.zip_path", source=path.name, path=str(name))
    return name


def _extract(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as source, target.open("wb") as out:
        left = member.file_size
        while chunk := source.read(min(1 << 20, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise SourceRefused(
                    "source.zip_bomb",
                    source=path.name,
                    size="?",
                    ratio="?",
                    most=MOST_MIB,
                    most_ratio=MOST_RATIO,
                )
            out.write(chunk)


def _name(member: zipfile.ZipInfo) -> str:
    """Return a member's name: as flagged, else UTF-8 where its bytes are (macOS, Info-ZIP), else GBK."""
    if member.flag_bits & _UTF8_FLAG:
        return member.filename
    for encoding in ("utf-8", "gbk"):
        with contextlib.suppress(UnicodeEncodeError, UnicodeDecodeError):
            return member.filename.encode("cp437").decode(encoding)
    return member.filename
