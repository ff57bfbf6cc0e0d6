"""Files of the 3D cache: each with a checksum at its end, so that what is damaged or of another kind is made anew.

Nothing in a cache is believed or run: a surface is arrays of numbers, checked before they are used. What is made when
stands in `api_config/scene.py`.
"""

import logging
import os
import shutil
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from twin_model.relief import Surface

__all__ = ["cached", "packed_surface", "unpacked_glb", "unpacked_surface"]

LOGGER = logging.getLogger("twin")
_SEAL = 4
_SURFACE_MAGIC, _SURFACE = b"twinTIN1", ("<i8", "<f8", "<u4")

Content = TypeVar("Content")


def cached(
    path: Path, make: Callable[[], Content], *, pack: Callable[[Content], bytes], unpack: Callable[[memoryview], Content]
) -> Content:  # fmt: skip
    """Return what a file of the cache holds; one that is absent, damaged or foreign is made anew and written.

    `unpack` raises ValueError for what is not of its kind. Where nothing can be written, what was made is returned all the
    same.
    """
    try:
        return unpack(_unsealed(path.read_bytes()))
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        LOGGER.warning("cache file %s is made anew: %s", path.name, error)
        _remove(path)
    content = make()
    try:
        _write(path, pack(content))
    except OSError as error:
        LOGGER.warning("cache file %s cannot be written: %s", path.name, error)
    return content


def packed_surface(surface: Surface | None) -> bytes:
    """Return a surface as numbers: how many vertices and triangles, then these; none of either for a town without one."""
    vertices = np.empty((0, 3)) if surface is None else surface.vertices
    triangles = np.empty((0, 3)) if surface is None else surface.triangles
    counts = np.array([len(vertices), len(triangles)])
    arrays = zip((counts, vertices, triangles), _SURFACE, strict=True)
    return _SURFACE_MAGIC + b"".join(array.astype(kind).tobytes() for array, kind in arrays)


def unpacked_surface(content: memoryview) -> Surface | None:
    """Return the surface of `packed_surface`, without copying it. Raises ValueError for what is none."""
    head = len(_SURFACE_MAGIC)
    if content[:head] != _SURFACE_MAGIC or len(content) < head + 16:
        raise ValueError("it is no surface")
    counts = np.frombuffer(content, _SURFACE[0], 2, head)
    middle = head + 16 + int(counts[0]) * 24
    if min(counts) < 0 or len(content) != middle + int(counts[1]) * 12:
        raise ValueError("its numbers are more or fewer than it says")
    vertices = np.frombuffer(content[head + 16 : middle], _SURFACE[1]).reshape(-1, 3)
    triangles = np.frombuffer(content[middle:], _SURFACE[2]).reshape(-1, 3)
    if not len(triangles) and not len(vertices):
        return None
    if not len(triangles) or triangles.max() >= len(vertices) or not np.isfinite(vertices).all():
        raise ValueError("its triangles have corners that are nowhere")
    return Surface(vertices, triangles)


def unpacked_glb(content: memoryview) -> bytes:
    """Return a GLB as it was packed. Raises ValueError for what is none, or not whole."""
    version, length = (int.from_bytes(content[start : start + 4], "little") for start in (4, 8))
    if bytes(content[:4]) != b"glTF" or version != 2 or length != len(content):
        raise ValueError("it is no whole GLB")
    return bytes(content)


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
        part.write_bytes(_sealed(content))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
