"""The texts of a MapInfo table or interchange file: which encoding they are in, and a copy whose texts GDAL gives as bytes.

GDAL believes the `Charset` of a `.mif` and the `!charset` of a `.tab`; "Neutral", and what it does not know, it takes for UTF-8.
Names after MapInfo Pro's "Character Set" reference.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ingest.encoding import contradicting, likely_encoding, python_encoding
from ingest.vector.dbf_text import TableEncoding
from ingest.vector.files import vector_files

__all__ = ["copy_as_bytes", "mapinfo_encoding"]

_CHARSETS = {
    "windowslatin1": "cp1252", "windowslatin2": "cp1250", "windowscyrillic": "cp1251", "windowsgreek": "cp1253",
    "windowsturkish": "cp1254", "windowshebrew": "cp1255", "windowsarabic": "cp1256", "windowsbaltic": "cp1257",
    "windowsvietnamese": "cp1258", "windowsthai": "cp874", "windowssimpchinese": "gb18030", "windowstradchinese": "big5",
    "windowsjapanese": "cp932", "windowskorean": "cp949",
}  # fmt: skip
_CHARSET = re.compile(rb'(?im)^(\s*(?:!|Type\s+\w+\s+)?charset\s+)("?)([\w.-]+)"?')
"""Once in a `.mif`; in a `.tab` at the top and in the definition of the table."""

_FIRST_LINES = {".mif": re.compile(rb"\A.*"), ".tab": re.compile(rb"\A.*\n.*")}
"""Behind what a charset stands: the version, in a `.tab` below the line that says that it is one."""

_TEXT = re.compile(rb"[\x80-\xff][\x40-\xff]*")
"""From a byte beyond ASCII on, with what may be the second byte of a Chinese character."""

_HEAD, _CHUNK, _SAMPLE, _MOST_BYTES = 1 << 16, 1 << 20, 1 << 16, 64 << 20


def mapinfo_encoding(path: Path) -> TableEncoding | None:
    """Return the encoding of a `.mif` or `.tab`, None where its texts are as it declares, or nothing is beyond ASCII."""
    named = _CHARSET.search(_head(path))
    declared = _declared(named[3].decode("ascii")) if named else None
    sample = _sample(path)
    read_as = contradicting(sample, declared) if declared else likely_encoding(sample)
    return None if read_as is None else TableEncoding(read_as, declared)


def copy_as_bytes(path: Path, folder: Path) -> Path:
    """Return a copy, in a folder of ours, that declares ISO 8859-1: each character that GDAL gives is a byte of the file."""
    for part in vector_files(path):
        if part != path:
            (folder / part.name).symlink_to(part.absolute())
    head = _head(path)
    changed, named = _CHARSET.subn(rb"\g<1>\g<2>ISO8859_1\g<2>", head)
    if not named:
        line = b'\nCharset "ISO8859_1"' if path.suffix.lower() == ".mif" else b"\n!charset ISO8859_1"
        changed = _FIRST_LINES[path.suffix.lower()].sub(lambda first: first[0].rstrip(b"\r") + line, head, count=1)
    with path.open("rb") as source, (folder / path.name).open("wb") as copy:
        source.seek(len(head))
        copy.write(changed)
        shutil.copyfileobj(source, copy)
    return folder / path.name


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _declared(charset: str) -> str | None:
    known = _CHARSETS.get(charset.lower())
    return known or python_encoding(re.sub("(?i)^codepage", "", charset).replace("_", "-"))


def _sample(path: Path) -> bytes:
    """Return the texts beyond ASCII of a source's head and tables, enough of them."""
    runs: list[bytes] = []
    size = 0
    for chunk in _chunks(path):
        texts = [] if chunk.isascii() else _TEXT.findall(chunk)
        runs += texts
        size += sum(map(len, texts))
        if size >= _SAMPLE:
            break
    return b" ".join(runs)


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield the head of the file itself and the parts of a source that hold texts: `.mid`, `.dat`, `.dbf`."""
    yield _head(path).split(b"\nData", 1)[0]
    for part in vector_files(path):
        if part.suffix.lower() == ".mid":
            with part.open("rb") as file:
                yield from iter(lambda: file.read(_CHUNK) if file.tell() < _MOST_BYTES else b"", b"")
        elif part.suffix.lower() in {".dat", ".dbf"}:
            yield from _texts_of_table(part)


def _texts_of_table(path: Path) -> Iterator[bytes]:
    """Yield the columns of texts of a table in the form of dBASE, some thousand rows at a time; the others are binary."""
    with path.open("rb") as file:
        header = file.read(32)
        if len(header) < 32:
            return
        begins, width = int.from_bytes(header[8:10], "little"), int.from_bytes(header[10:12], "little")
        descriptors = file.read(max(begins - 32, 0))
        columns, start = [], 1
        for n in range(0, len(descriptors) - 31, 32):
            kind, size = descriptors[n + 11 : n + 12], descriptors[n + 16]
            columns += [slice(start, start + size)] if kind == b"C" else []
            start += size
        file.seek(begins)
        while width and columns and file.tell() < _MOST_BYTES and (chunk := file.read(max(_CHUNK // width, 1) * width)):
            rows = np.frombuffer(chunk, np.uint8, len(chunk) // width * width).reshape(-1, width)
            yield b" ".join(rows[:, each].tobytes() for each in columns)
