"""The texts of a shapefile's table: which encoding they are in, and the texts themselves.

GDAL is asked for the bytes as they stand (as ISO 8859-1) and they are decoded here, because GDAL takes a table without
`.cpg` for ISO 8859-1, and refuses a whole file over one name that was cut in the middle of a character.
"""

import codecs
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["AS_BYTES", "decoded", "decoded_text", "encoding_of", "spread"]

AS_BYTES = "ISO-8859-1"
"""The encoding that GDAL is told, so that each character stands for one byte of the file."""

_CHUNK = 1 << 20
_CHINESE = {"gbk", "gb2312", "gb18030", "cp936"}
_LANGUAGE_DRIVERS = {
    0x01: "cp437", 0x02: "cp850", 0x03: "cp1252", 0x58: "cp1252", 0x59: "cp1252", 0x4D: "gb18030", 0x7A: "gb18030", 0x4F: "big5",
    0x78: "big5", 0x13: "cp932", 0x7B: "cp932", 0x4E: "cp949", 0x79: "cp949", 0x50: "cp874", 0x7C: "cp874", 0x26: "cp866",
    0x65: "cp866", 0xC8: "cp1250", 0xC9: "cp1251", 0xCA: "cp1254", 0xCB: "cp1253", 0x7D: "cp1255", 0x7E: "cp1256",
}  # fmt: skip
"""Byte 29 of a dBASE header -> encoding (Esri's and FoxPro's tables). 0x57, "ANSI", says nothing and is left out."""

_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_COMMON_PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")
_MOSTLY = 0.6


def encoding_of(table: Path, cpg: Path | None) -> tuple[str, bool]:
    """Return the encoding of a `.dbf` and whether it is declared: by its `.cpg`, by its header, else by its bytes.

    Undeclared texts are UTF-8 where they read as such, GBK where most pairs of bytes are common Chinese characters
    (both bytes from A1 on, GB 2312), else Windows 1252.
    """
    named = _codec(cpg.read_text("ascii", "replace")) if cpg else None
    with table.open("rb") as file:
        header = file.read(32)
        if len(header) < 32:
            return named or "utf-8", named is not None
        named = named or _LANGUAGE_DRIVERS.get(header[29])
        if named is not None:
            return named, True
        descriptors = file.read(max(int.from_bytes(header[8:10], "little") - 32, 0))
        names = b" ".join(descriptors[n : n + 11].split(b"\x00")[0] for n in range(0, len(descriptors) - 31, 32))
        found = _sniffed(names)
        while found is None and (chunk := file.read(_CHUNK)):
            found = _sniffed(chunk)
    return found or "utf-8", False


def _codec(declared: str) -> str | None:
    """Return Python's name of the encoding a `.cpg` names ("GBK", "Big-5", "936", "ANSI 1252", "65001")."""
    text = re.sub(r"^(ansi|oem)", "", re.sub(r"[^0-9a-z]", "", declared.lower()))
    for name in ({"65001": "utf-8", "88591": "latin-1"}.get(text, text), f"cp{text}"):
        try:
            found = codecs.lookup(name).name
        except (LookupError, ValueError):
            continue
        if found.startswith(("utf-16", "utf-32")):
            return None
        return "gb18030" if found in _CHINESE else found
    return None


def _sniffed(sample: bytes) -> str | None:
    """Return what the bytes of a text look like, None where they are plain ASCII."""
    if sample.isascii():
        return None
    text = sample.decode("utf-8", "replace")
    unread = text.count("\ufffd")
    if sum(not one.isascii() for one in text) - unread > 4 * unread:
        return "utf-8"
    single = len(re.findall(rb"[\x80-\xff]", _PAIR.sub(b"", sample)))
    common = len(_COMMON_PAIR.findall(sample))
    return "gb18030" if common >= _MOSTLY * (len(_PAIR.findall(sample)) + single) else "cp1252"


def decoded_text(raw: str, encoding: str) -> tuple[str, bool]:
    """Return one text read as bytes, decoded, and whether every byte of it could be read.

    A character that the width of its field cut in two is left off; that is no fault of the bytes before it.
    """
    content = raw.encode("latin-1", "replace")
    try:
        return content.decode(encoding), True
    except UnicodeDecodeError as error:
        if error.start >= len(content) - 3:
            return content[: error.start].decode(encoding), True
        return content.decode(encoding, "replace"), False


def decoded(values: NDArray[Any], encoding: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a column read as bytes, decoded once per distinct text, and which rows hold bytes that are no text."""
    codes, distinct = pd.factorize(values)
    return spread(codes, distinct, encoding)


def spread(codes: NDArray[np.intp], distinct: NDArray[Any], encoding: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the same of a column that comes as distinct texts and which each row has, -1 where it has none."""
    texts = np.full(len(distinct) + 1, None, dtype=object)
    at_once = _all_at_once(distinct, encoding)
    if at_once is not None:
        texts[:-1] = at_once
        return texts[codes], np.zeros(len(codes), dtype=bool)
    read = [decoded_text(one, encoding) if type(one) is str else (one, True) for one in distinct]
    texts[:-1] = [text for text, _ in read]
    wrong = np.array([not good for _, good in read] + [False], dtype=bool)
    return texts[codes], wrong[codes]


def _all_at_once(distinct: NDArray[Any], encoding: str) -> list[str] | None:
    """Return all texts decoded in one go, None where one of them is no text or cannot be read whole."""
    if set(map(type, distinct)) != {str}:
        return None
    try:
        texts = "\x00".join(distinct).encode("latin-1").decode(encoding).split("\x00")
    except UnicodeError:
        return None
    return texts if len(texts) == len(distinct) else None
