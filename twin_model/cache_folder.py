"""A town's `cache/`: files that can be made again. Each ends in a checksum, so what is damaged or foreign is made anew.

Nothing in a cache is believed or run: whoever unpacks a file checks it first. The folder stays below a size: the files
that nobody has used for longest go.
"""

import logging
import os
import shutil
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

__all__ = ["CacheFolder"]

LOGGER = logging.getLogger("twin")
_SEAL = 4
_MIB = 2**20
_USED_SECONDS = 3600
"""A file counts as used again when its time is older than this: not every look writes to the disk."""

Content = TypeVar("Content")


class CacheFolder:
    """The files below a folder, at most about `most_mib` of them together; safe for many threads and processes."""

    def __init__(self, path: Path, *, most_mib: int = 4096) -> None:
        self._path, self._most = path, most_mib * _MIB
        self._written = self._most
        self._lock = threading.Lock()

    def cached(
        self,
        name: str,
        make: Callable[[], Content],
        *,
        pack: Callable[[Content], bytes],
        unpack: Callable[[memoryview], Content],
    ) -> Content:
        """Return what the file of a name (a path below the folder) holds; an absent or bad one is made and written.

        `unpack` raises ValueError for what is not of its kind. Where nothing can be written, what was made is returned all
        the same.
        """
        path = self._path / name
        try:
            content = unpack(_unsealed(path.read_bytes()))
            _touch(path)
            return content
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            LOGGER.warning("cache file %s is made anew: %s", path.name, error)
            _remove(path)
        content = make()
        try:
            packed = pack(content)
            _write(path, packed)
            self._count(len(packed))
        except OSError as error:
            LOGGER.warning("cache file %s cannot be written: %s", path.name, error)
        return content

    def _count(self, written: int) -> None:
        """Look at the folder's size once in a while: after the first file and whenever a sixteenth of it was written."""
        with self._lock:
            self._written += written
            if self._written < self._most // 16:
                return
            self._written = 0
        self.sweep()

    def sweep(self) -> int:
        """Remove the files that were not used for longest, until nine tenths of the size are left; return how many."""
        files = []
        for path in self._path.rglob("*"):
            with suppress(OSError):
                if path.is_file() and not path.is_symlink():
                    status = path.stat()
                    if path.name.startswith(".") and time.time() - status.st_mtime > _USED_SECONDS:
                        path.unlink()  # what a process that was killed had begun to write
                        continue
                    files.append((status.st_mtime, status.st_size, path))
        total, removed = sum(size for _, size, _ in files), 0
        if total <= self._most:
            return 0
        for _, size, path in sorted(files):
            if total <= self._most * 9 // 10:
                break
            _remove(path)
            total, removed = total - size, removed + 1
        LOGGER.info("cache %s: %s files made room", self._path, removed)
        return removed


def _touch(path: Path) -> None:
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > _USED_SECONDS:
            path.touch()


def _sealed(content: bytes) -> bytes:
    return content + zlib.crc32(content).to_bytes(_SEAL, "little")


def _unsealed(content: bytes) -> memoryview:
    body = memoryview(content)[:-_SEAL]
    if len(content) < _SEAL or zlib.crc32(body) != int.from_bytes(content[-_SEAL:], "little"):
        raise ValueError("its checksum is another")
    return body


def _remove(path: Path) -> None:
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    """Write a cache file whole: other processes see all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with part.open("wb") as file:
            file.write(_sealed(content))
            file.flush()
            os.fsync(file.fileno())  # else a power cut leaves a name without its content
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
