"""The texts of a shapefile's table: which encoding they are in, and the texts themselves.

GDAL is asked for the bytes as they stand (as ISO 8859-1) and they are decoded here, because GDAL takes a table without
`.cpg` for ISO 8859-1, and refuses a whole file over one name that was cut in the middle of a character.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ingest.encoding import contradicting, is_cut, likely_encoding, python_encoding

__all__ = ["AS_BYTES", "TableEncoding", "Texts", "decoded", "decoded_text", "encoding_of", "spread"]

AS_BYTES = "ISO-8859-1"
"""The encoding that GDAL is told, so that each character stands for one byte of the file."""

_CHUNK = 1 << 20
_OTHERS = ("utf-8", "gb18030")
_LANGUAGE_DRIVERS = {
    0x01: "cp437", 0x02: "cp850", 0x03: "cp1252", 0x58: "cp1252", 0x59: "cp1252", 0x4D: "gb18030", 0x7A: "gb18030", 0x4F: "big5",
    0x78: "big5", 0x13: "cp932", 0x7B: "cp932", 0x4E: "cp949", 0x79: "cp949", 0x50: "cp874", 0x7C: "cp874", 0x26: "cp866",
    0x65: "cp866", 0xC8: "cp1250", 0xC9: "cp1251", 0xCA: "cp1254", 0xCB: "cp1253", 0x7D: "cp1255", 0x7E: "cp1256",
}  # fmt: skip
"""Byte 29 of a dBASE header -> encoding (Esri's and FoxPro's tables). 0x57, "ANSI", says nothing and is left out."""

_MOST_BYTES = 64 << 20
"""So much of a table is looked at, a chunk at a time, until its texts say what they are."""

_SAMPLE = 1 << 16
_TEXT = re.compile(rb"[\x80-\xff][\x40-\xff]*")
"""From a byte beyond ASCII on, with what may be the second byte of a Chinese character."""


@dataclass(frozen=True)
class TableEncoding:
    """The encoding of a table: `declared` what it says itself (by `.cpg` or header, None where it says nothing), `read_as`
    what its bytes are."""

    read_as: str
    declared: str | None = None

    @property
    def contradicts(self) -> bool:
        """Whether the bytes are not what the table says they are."""
        return self.declared is not None and self.declared != self.read_as


def encoding_of(table: Path, cpg: Path | None) -> TableEncoding:
    """Return the encoding of a `.dbf`: as its `.cpg` or its header declares, unless the bytes say otherwise.

    Undeclared texts are UTF-8 where they read as such, GBK where most pairs of bytes are common Chinese characters
    (both bytes from A1 on, GB 2312), else Windows 1252.
    """
    declared = python_encoding(cpg.read_text("ascii", "replace")) if cpg else None
    with table.open("rb") as file:
        header = file.read(32)
        if len(header) < 32:
            return TableEncoding(declared or "utf-8", declared)
        declared = declared or _LANGUAGE_DRIVERS.get(header[29])
        sample = _sample(file, header)
    read_as = contradicting(sample, declared) if declared else likely_encoding(sample)
    return TableEncoding(read_as or declared or "utf-8", declared)


def _sample(file: BinaryIO, header: bytes) -> bytes:
    """Return the texts beyond ASCII with which a table begins: its names, then enough of its rows."""
    descriptors = file.read(max(int.from_bytes(header[8:10], "little") - 32, 0))
    names = [descriptors[n : n + 11].split(b"\x00")[0] for n in range(0, len(descriptors) - 31, 32)]
    width = int.from_bytes(header[10:12], "little")
    chunk_bytes = max(_CHUNK // width, 1) * width if width else _CHUNK
    runs = [run for name in names for run in _TEXT.findall(name)]
    size, seen = sum(map(len, runs)), 0
    while size < _SAMPLE and seen < _MOST_BYTES and (chunk := file.read(chunk_bytes)):
        texts = [] if chunk.isascii() else _TEXT.findall(chunk)
        runs.extend(texts)
        size, seen = size + sum(map(len, texts)), seen + len(chunk)
    return b" ".join(runs)


def decoded_text(raw: str, encoding: str, others: Sequence[str] = _OTHERS) -> tuple[str, str | None]:
    """Return one text read as bytes, decoded, and the encoding that all of it could be read in, None where there is none.

    What is not text in `encoding` is read in the first of the `others` in which all of it is. A character that the width of its field cut
    in two is left off; that is no fault of the bytes before it.
    """
    content = raw.encode("latin-1", "replace")
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError as error:
        if is_cut(error):
            return content[: error.start].decode(encoding), encoding
    for other in others:
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode(other), other
    return content.decode(encoding, "replace"), None


@dataclass(frozen=True)
class Texts:
    """A column of decoded texts: which rows hold bytes that are no text, and how many rows were read in which other encoding."""

    values: NDArray[Any]
    unread: NDArray[np.bool_]
    otherwise: Mapping[str, int] = field(default_factory=dict)


def decoded(values: NDArray[Any], encoding: str, others: Sequence[str] = _OTHERS) -> Texts:
    """Return a column read as bytes, decoded once per distinct text."""
    codes, distinct = pd.factorize(values)
    return spread(codes, distinct, encoding, others)


def spread(codes: NDArray[np.intp], distinct: NDArray[Any], encoding: str, others: Sequence[str] = _OTHERS) -> Texts:
    """Return the same of a column that comes as distinct texts and which each row has, -1 where it has none."""
    texts = np.full(len(distinct) + 1, None, dtype=object)
    at_once = _all_at_once(distinct, encoding)
    if at_once is not None:
        texts[:-1] = at_once
        return Texts(texts[codes], np.zeros(len(codes), dtype=bool))
    read = [decoded_text(text, encoding, others) if type(text) is str else (text, encoding) for text in distinct]
    texts[:-1] = [text for text, _ in read]
    used = np.array([*(name or "" for _, name in read), encoding], dtype=object)[codes]
    return Texts(texts[codes], used == "", Counter(used[(used != encoding) & (used != "")].tolist()))


def _all_at_once(distinct: NDArray[Any], encoding: str) -> list[str] | None:
    """Return all texts decoded in one go, None where one of them is no text or cannot be read whole."""
    if set(map(type, distinct)) != {str}:
        return None
    try:
        texts = "\x00".join(distinct).encode("latin-1").decode(encoding).split("\x00")
    except UnicodeError:
        return None
    return texts if len(texts) == len(distinct) else None
