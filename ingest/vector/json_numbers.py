"""Whole numbers of GeoJSON that GDAL makes floats of, 18446744073709551617 as 1.8446744073709552e+19, kept as texts.

A file with such numbers is read from a copy in which they stand in quotes; any other is left to GDAL.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twin_model.finding import Finding

__all__ = ["copy_with_exact_numbers", "has_long_digits", "is_long_number"]

_CHUNK = 1 << 20
_OVERLAP = 64
_MOST_BYTES = 512 << 20
_SUFFIXES = (".geojson", ".json")
_LEAST, _MOST = -(2**63) + 2, 2**63 - 1
"""Whole numbers that GDAL reads to their last digit."""

_SIMPLER = bytes.maketrans(b"123456789,[> \t\r\n-", b"0" * 9 + b":" * 8)
_LONG_SIMPLER = b":" + b"0" * 19
"""What a long number is once all digits are 0 and all that may stand before one is a colon: a search without patterns."""

_LONG = re.compile(rb"[:,\[\s]-?[1-9][0-9]{18,}(?![0-9.eE])")


def copy_with_exact_numbers(path: Path, source: str, folder: Path) -> tuple[Path, Finding] | None:
    """Return a copy in `folder` of GeoJSON with whole numbers beyond 64 bits, and what to say of it; None for any other file."""
    if path.suffix.lower() not in _SUFFIXES or not path.is_file() or path.stat().st_size > _MOST_BYTES:
        return None
    if not _may_have_long_numbers(path):
        return None
    try:
        document = json.loads(path.read_bytes())
        features = document["features"] if document.get("type") == "FeatureCollection" else [document]
        properties = [feature.get("properties") or {} for feature in features]
        long = [(name, number) for row in properties for name, value in row.items() for number in _long_numbers(value)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # what is wrong is said by who reads it
        return None
    if not long:
        return None
    names = Counter(name for name, _ in long)
    for row in properties:
        row.update({name: _with_texts(row[name], whole=True) for name in names if name in row})
    copy = folder / path.name
    copy.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    values = {"source": source, "count": len(long), "value": str(long[0][1]), "columns": list(names)}
    return copy, Finding("vector.numbers_as_texts", "warning", values=values)


def _may_have_long_numbers(path: Path) -> bool:
    """Return whether a file has a whole number of 19 digits somewhere outside of quotes; a fast search comes first."""
    with path.open("rb") as file:
        before = b""
        while chunk := file.read(_CHUNK):
            window = before + chunk
            if has_long_digits(window) and _LONG.search(window):
                return True
            before = window[-_OVERLAP:]
    return False


def has_long_digits(content: bytes) -> bool:
    """Return whether a number may have 19 digits before its point: a fast search."""
    return _LONG_SIMPLER in content.translate(_SIMPLER)


def is_long_number(value: Any) -> bool:
    """Return whether a value is a whole number that GDAL does not read to its last digit."""
    return type(value) is int and not _LEAST <= value <= _MOST


def _long_numbers(value: Any) -> Iterator[int]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _long_numbers(part)
    elif is_long_number(value):
        yield value


def _with_texts(value: Any, *, whole: bool = False) -> Any:
    """Return a value with its long numbers as texts; of a column that has one (`whole`) all numbers, so that it is of texts."""
    if isinstance(value, dict):
        return {name: _with_texts(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_texts(part) for part in value]
    is_number = type(value) in (int, float)
    return json.dumps(value) if is_long_number(value) or (whole and is_number) else value
