"""The syntax of a STEP physical file (ISO 10303-21), looked over as text before ifcopenshell opens it.

ifcopenshell opens files with doubled ids, doubled commas or a missing end in silence and shifts or drops attributes.
One pass takes strings, comments and blanks out; what is left answers every question by plain byte searches.
Container and schema (zip, XML, byte order mark, FILE_SCHEMA) stand in `ingest/ifc/file.py`.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin_model.errors import SourceRefused
from twin_model.finding import Finding

__all__ = ["Numbers", "Outline", "check_syntax", "numbers_at", "outline_of", "text_for_numbers"]

_STRING_OR_COMMENT = re.compile(rb"'[^'\\]*(?:\\(?:S\\.)?[^'\\]*)*'|/\*.*?\*/", re.DOTALL)
_HEADER_ENTITY = re.compile(rb"(?:^|;)([A-Z_]+)\(")
_STANDARD_HEADER = {
    "FILE_DESCRIPTION",
    "FILE_NAME",
    "FILE_SCHEMA",
    "FILE_POPULATION",
    "SECTION_LANGUAGE",
    "SECTION_CONTEXT",
    "SCHEMA_POPULATION",
}
_BLANKS = b" \t\r\n\f\v"
_EMPTY_ATTRIBUTE = (b",,", b"(,", b",)")
_SHOWN = 5
_MOST_DIGITS = 18
_HASH, _ZERO, _NINE, _EQUALS = b"#09="

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Outline:
    """A file without its strings, comments and blanks, cut into header and data; `ended` where it has its last line."""

    header: bytes
    data: bytes
    has_header: bool
    ended: bool


def outline_of(content: bytes) -> Outline:
    """Return what is left of a file when strings, comments and blanks are taken out."""
    bare = _STRING_OR_COMMENT.sub(b"''", content).translate(None, _BLANKS)
    start = bare.find(b"DATA;")
    end = bare.rfind(b"END-ISO-10303-21;")
    head = bare[: max(start, 0)]
    body = bare[start + len(b"DATA;") : end if end > start else len(bare)] if start >= 0 else b""
    return Outline(head, body, b"HEADER;" in head and b"ENDSEC;" in head, end > start >= 0)


def check_syntax(outline: Outline, name: str) -> tuple[list[Finding], Numbers]:
    """Return findings about what can be read all the same, and the instances' numbers; SourceRefused for the rest.

    Refused: no header, no data, no last line (cut off), an unfinished string, an instance number twice or zero, an
    empty attribute. Noted: doubled semicolons, foreign header entries, references to instances that are not there.
    """
    if not outline.has_header:
        raise SourceRefused("ifc.no_header", source=name)
    defined, referenced = _numbers(outline.data)
    _ensure_whole(outline, defined, name)
    _ensure_unambiguous(outline, defined, name)
    return [*_semicolons(outline), *_header_entries(outline), *_dangling(defined, referenced)], defined


def _numbers(data: bytes) -> tuple[Numbers, Numbers]:
    """Return the numbers of instances in order of definition, and all numbers referred to (digit by digit, vectorised)."""
    text = text_for_numbers(data)
    numbers, ends = numbers_at(text, np.flatnonzero(text == _HASH) + 1)
    defining = text[ends] == _EQUALS
    return numbers[defining], numbers[~defining]


def text_for_numbers(data: bytes) -> NDArray[np.uint8]:
    """Return bytes as an array with blanks after the last, so that a number that ends the data is read like any other."""
    return np.frombuffer(data + b" " * (_MOST_DIGITS + 1), np.uint8)


def numbers_at(text: NDArray[np.uint8], starts: NDArray[np.intp]) -> tuple[Numbers, NDArray[np.intp]]:
    """Return the numbers that begin at positions of a text of `text_for_numbers`, and where each ends; 0 where none begins."""
    numbers, at = np.zeros(len(starts), np.int64), starts
    for _ in range(_MOST_DIGITS):
        digit = text[at]
        reading = (digit >= _ZERO) & (digit <= _NINE)
        if not reading.any():
            break
        numbers = np.where(reading, numbers * 10 + (digit.astype(np.int64) - _ZERO), numbers)
        at = at + reading
    return numbers, at


def _ensure_whole(outline: Outline, defined: Numbers, name: str) -> None:
    last = f"#{defined[-1]}" if len(defined) else "-"
    if b"'" in outline.data.replace(b"''", b""):
        raise SourceRefused("ifc.unfinished_string", source=name, last=last)
    if not outline.ended:
        raise SourceRefused("ifc.truncated", source=name, last=last, instances=len(defined))
    if not len(defined):
        raise SourceRefused("ifc.no_entities", source=name)


def _ensure_unambiguous(outline: Outline, defined: Numbers, name: str) -> None:
    found, times = np.unique(defined, return_counts=True)
    if len(found) != len(defined):
        twice = found[times > 1]
        raise SourceRefused("ifc.duplicate_number", source=name, count=len(twice), numbers=_shown(twice))
    if found[0] == 0:
        raise SourceRefused("ifc.number_zero", source=name)
    for pattern in _EMPTY_ATTRIBUTE:
        at = outline.data.find(pattern)
        if at >= 0:
            raise SourceRefused("ifc.empty_attribute", source=name, instance=_instance_at(outline.data, at))


def _shown(numbers: Numbers) -> list[str]:
    return [f"#{number}" for number in numbers[:_SHOWN]]


def _instance_at(data: bytes, at: int) -> str:
    """Return the instance ("#17=IFCWALL") that a position of the outline lies in."""
    start = data.rfind(b";", 0, at) + 1
    return data[start:at].split(b"(")[0][:80].decode("ascii", "replace")


def _semicolons(outline: Outline) -> list[Finding]:
    at = outline.data.find(b";;")
    if at < 0:
        return []
    return [
        Finding(
            "ifc.double_semicolon",
            "warning",
            place=_instance_at(outline.data, at),
            values={"count": outline.data.count(b";;"), "instance": _instance_at(outline.data, at)},
        )
    ]


def _header_entries(outline: Outline) -> list[Finding]:
    names = {name.decode() for name in _HEADER_ENTITY.findall(outline.header)}
    foreign = sorted(names - _STANDARD_HEADER)
    return [Finding("ifc.header_entry", "warning", place="HEADER", values={"entries": foreign})] if foreign else []


def _dangling(defined: Numbers, referenced: Numbers) -> list[Finding]:
    missing = np.unique(referenced[~np.isin(referenced, defined)])
    if not len(missing):
        return []
    return [Finding("ifc.dangling_reference", "warning", values={"count": len(missing), "numbers": _shown(missing)})]
