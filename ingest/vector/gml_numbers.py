"""Whole numbers of GML that GDAL cuts to the limits of 64 bits: 18446744073709551617 becomes 9223372036854775807 there.

A file with such numbers is read with all its columns as texts. Those of GeoJSON: `ingest/vector/json_numbers.py`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.vector.json_numbers import has_long_digits, is_long_number
from twin_model.finding import Finding

__all__ = ["long_numbers_of_gml"]

_CHUNK = 1 << 20
_OVERLAP = 256
_ELEMENT = re.compile(rb"<(?:[\w.-]+:)?([^\s<>:/]+)(?:\s[^<>]*)?>\s*(-?[1-9][0-9]{18,})\s*</")


def long_numbers_of_gml(path: Path, source: str) -> Finding | None:
    """Return what to say of a GML file with whole numbers at or beyond the limits of 64 bits; None for any other file."""
    if path.suffix.lower() not in (".gml", ".xml") or not path.is_file():
        return None
    numbers = dict(_numbers(path))
    if not numbers:
        return None
    columns = sorted({name for name, _ in numbers.values()})
    values = {"source": source, "count": len(numbers), "value": next(iter(numbers.values()))[1], "columns": columns}
    return Finding("vector.numbers_as_texts", "warning", values=values)


def _numbers(path: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield where each such number begins, the name of its element, and its digits."""
    with path.open("rb") as file:
        start, before = 0, b""
        while chunk := file.read(_CHUNK):
            window = before + chunk
            for match in _ELEMENT.finditer(window) if has_long_digits(window) else ():
                if is_long_number(int(match[2])):
                    yield start - len(before) + match.start(2), (match[1].decode("utf-8", "replace"), match[2].decode())
            start, before = start + len(chunk), window[-_OVERLAP:]
