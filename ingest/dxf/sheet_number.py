"""The number of a map sheet: the neatline decides, what stands on the margin is checked against it.

A sheet of 1:500 to 1:5000 is numbered by its south-west corner, north then east in kilometres (GB/T 20257.1). The margin
names the neighbours as well, in the table of adjoining sheets (接图表): a number that fits the corner is the sheet's own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.dxf.record import Record

__all__ = ["SheetNumber", "find_number", "is_number", "number_of"]

Bounds = tuple[float, float, float, float]

_LABEL = r"^(?:图幅编号|图幅号|图号)?\s*[:：]?\s*"
_KILOMETRES = re.compile(_LABEL + r"(\d{1,4}\.\d{1,3})\s*[-—－]\s*(\d{1,5}\.\d{1,3})$")
_NATIONAL = re.compile(_LABEL + r"([A-Z]\d{2}[A-K]\d{6,8})$")


@dataclass(frozen=True)
class SheetNumber:
    """A sheet's number; `text` is the record that bears it, `written` the one on the margin where that is another."""

    number: str | None = None
    text: Record | None = None
    written: str | None = None


def is_number(words: str) -> bool:
    """Return whether a text of the margin is a sheet's number, its own or a neighbour's."""
    return bool(_KILOMETRES.match(words.strip()) or _NATIONAL.match(words.strip()))


def find_number(texts: Sequence[Record], bounds: Bounds | None, scale: int | None, *, standard: bool) -> SheetNumber:
    """Return the number of a sheet from the numbers on its margin and its neatline's bounds.

    A number of another corner gives way to that of the neatline where this is `standard`, of a sheet's size. Otherwise, and
    among numbers of the national grid, the largest text counts, then the one nearest to the sheet's middle.
    """
    ranked = sorted(texts, key=lambda text: (-round(text.size, 3), _from_middle(text, bounds)))
    if bounds is None:
        return SheetNumber(_plain(ranked[0]), ranked[0]) if ranked else SheetNumber()
    fitting = [text for text in ranked if _fits(text.text, bounds)]
    national = [text for text in ranked if _NATIONAL.match(text.text.strip())]
    for text in (*fitting, *national):
        return SheetNumber(_plain(text), text)
    by_corner = number_of(bounds, scale) if scale is not None else None
    if by_corner is not None and (not ranked or (standard and _is_corner(bounds, scale))):
        return SheetNumber(by_corner, None, _plain(ranked[0]) if ranked else None)
    return SheetNumber(_plain(ranked[0]), ranked[0], by_corner) if ranked else SheetNumber()


def number_of(bounds: Bounds, scale: int) -> str:
    """Return a sheet's number from its south-west corner: north, then east, in km (2 decimals at 1:500,
    else 1, 0 at 1:5000)."""
    decimals = _decimals(scale)
    return f"{bounds[1] / 1000:.{decimals}f}-{bounds[0] / 1000:.{decimals}f}"


def _decimals(scale: int | None) -> int:
    return 2 if scale is not None and scale <= 500 else 1 if scale is not None and scale <= 2000 else 0


def _is_corner(bounds: Bounds, scale: int | None) -> bool:
    """Return whether a corner can be named by a number of this scale, to a metre."""
    step = 1000.0 / 10 ** _decimals(scale)
    return all(abs(value - step * round(value / step)) < 1.0 for value in bounds[:2])


def _fits(words: str, bounds: Bounds) -> bool:
    """Return whether a number names the south-west corner; offices leave first digits of coordinates away,
    or write the zone before them."""
    match = _KILOMETRES.match(words.strip())
    return match is not None and all(
        _names(written, metres) for written, metres in zip(match.groups(), (bounds[1], bounds[0]), strict=True)
    )


def _names(written: str, metres: float) -> bool:
    whole, _, decimals = written.partition(".")
    circle = 10.0 ** max(min(len(whole), len(str(int(abs(metres) / 1000)))), 2)
    apart = abs(float(written) - metres / 1000.0) % circle
    return min(apart, circle - apart) <= 0.5 * 10.0 ** -len(decimals) + 1e-6


def _from_middle(text: Record, bounds: Bounds | None) -> float:
    return abs(float(text.xyz[0, 0]) - (bounds[0] + bounds[2]) / 2) if bounds is not None and len(text.xyz) else 0.0


def _plain(text: Record) -> str:
    """Return a number without its label, the two parts joined by a hyphen."""
    words = text.text.strip()
    kilometres, national = _KILOMETRES.match(words), _NATIONAL.match(words)
    return "-".join(kilometres.groups()) if kilometres else national[1] if national else words
