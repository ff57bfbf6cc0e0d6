"""Zip archives of sources: unpacked with care into a folder of ours, then read like any folder."""

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from twin_model.errors import SourceRefused

__all__ = ["is_archive", "unpack"]

MOST_MIB = 4096
MOST_RATIO = 200
_SMALL_MIB = 16


def is_archive(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() == ".zip" and zipfile.is_zipfile(path)


def unpack(path: Path, folder: Path) -> Path:
    """Unpack an archive into `folder` and return it.

    Refused: more than 4 GiB, more than 200 times its own size (beyond 16 MiB), paths that lead out. Names without the
    UTF-8 flag are read as GBK, as Chinese Windows writes them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            _ensure_modest(path, members)
            for member in members:
                _extract(path, archive, member, folder)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise SourceRefused("source.unreadable", source=path.name, kind="zip", cause=str(error)) from error
    return folder


def _ensure_modest(path: Path, members: list[zipfile.ZipInfo]) -> None:
    size = sum(one.file_size for one in members)
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


def _extract(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    name = PurePosixPath(_name(member).replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in str(name):
        raise SourceRefused("source.zip_path", source=path.name, path=str(name))
    target = folder.joinpath(*name.parts)
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
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("gbk")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return member.filename


def discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
