"""The section of a pipe as offices write it: 300, DN300, Φ300, 1200X800, 400×300 -> one text, a shape, width
and height.

The numbers are nominal: outer diameter for PE, bore for concrete, DN for steel; no wall thickness is added.
"""

import re
import unicodedata
from dataclasses import dataclass

from ingest.number_text import NotANumber, is_no_value, read_number, unit_of_word

__all__ = ["PipeSection", "read_section"]

_UNIT = "(?:MM|CM|DM|M|毫米|厘米|分米|米)"
_NUMBER = r"[0-9]+(?:[.,][0-9]+)*"
_MARK = r"(?P<mark>DN|DE|D|Φ|Ø|⌀|∅|管径)?"
_ROUND = re.compile(rf"^{_MARK}[=:]?(?P<size>{_NUMBER})(?P<unit>{_UNIT})?(?:[X×*]\d+(?:\.\d+)?)?$")
_BOX = re.compile(
    rf"^(?:方沟|箱涵|矩形|管沟|管块|方管|宽[X×*]高|B[X×*]H)?[=:]?"
    rf"(?P<width>{_NUMBER})(?P<width_unit>{_UNIT})?[X×*](?P<height>{_NUMBER})(?P<unit>{_UNIT})?$"
)
_LEAST_MM, _MOST_MM = 10.0, 20_000.0


@dataclass(frozen=True)
class PipeSection:
    """`text` in one form ("DN300", "1200x800"); shape "round", "rectangle" or None where the text says
    neither."""

    text: str | None
    shape: str | None = None
    width_mm: float | None = None
    height_mm: float | None = None


def read_section(text: str) -> PipeSection:
    """Return what a section text means; a text that means no section is kept as said, without shape and size.

    >>> read_section("1200×800")
    PipeSection(text='1200x800', shape='rectangle', width_mm=1200.0, height_mm=800.0)
    """
    # NFKC leaves × and Φ alone; φ becomes Φ by upper().
    form = (
        "".join(unicodedata.normalize("NFKC", text).upper().split())
        .replace("✕", "X")
        .replace("╳", "X")
        .replace("乘", "X")
    )
    if is_no_value(form) or form in {"0", "0.0", "0X0"}:
        return PipeSection(None)
    form = form.replace("。", ".")
    box = _BOX.match(form)
    width, height = (
        (_mm(box["width"], box["width_unit"] or box["unit"]), _mm(box["height"], box["unit"])) if box else (0, 0)
    )
    if min(width, height) >= _LEAST_MM and max(width, height) <= _MOST_MM:
        return PipeSection(f"{_plain(width)}x{_plain(height)}", "rectangle", width, height)
    pipe = _ROUND.match(form)
    size = _mm(pipe["size"], pipe["unit"]) if pipe and (pipe["mark"] or not box) else 0.0
    if pipe and _LEAST_MM <= size <= _MOST_MM:
        return PipeSection(_named(pipe["mark"], size), "round", size, size)
    return PipeSection(text.strip())


def _mm(number: str, unit: str | None) -> float:
    """Return a size in millimetres, 0 where it is no number; one without a unit is in millimetres."""
    try:
        return float(read_number(number, unit="mm", written_in=unit_of_word(unit or "") or "mm"))
    except NotANumber:
        return 0.0


def _named(mark: str | None, size: float) -> str:
    """Return the size with the mark that tells what is meant by it; the many signs for a diameter are one."""
    return {"DN": "DN", "DE": "De"}.get(mark or "", "") + _plain(size)


def _plain(number: float) -> str:
    return str(int(number)) if number.is_integer() else str(number)
