"""Numbers as people write them, as numbers: decimal commas, groups of thousands, full-width digits, units, signs for "none".

Every reader asks here, so that one text means one number whatever file it stands in. A text that could mean two numbers
means none: `1,234` alone is not read. Which values of a column could not be read is said by the readers.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "METRES",
    "Comma",
    "NotANumber",
    "comma_of",
    "factor_between",
    "is_no_value",
    "numbers_of_texts",
    "read_number",
    "unit_of_word",
    "whole_number",
]

Comma = Literal["decimal", "thousands", "unknown"]
"""What the comma of `1,234` means, as the other values of its column tell."""

_NO_VALUE = {"", "-", "--", "---", "/", "//", "\\", "无", "无值", "空", "空值", "null", "none", "nan", "n/a", "na", "<null>", "(null)", "<空>", "nil", "nodata"}  # fmt: skip
METRES = {"mm": "0.001", "cm": "0.01", "dm": "0.1", "m": "1", "km": "1000"}
"""Units of length that are known -> metres, as they are written."""

_OTHER = {"kv": "kV", "v": "V", "mpa": "MPa", "kpa": "kPa", "pa": "Pa", "m2": "m2", "deg": "deg"}
_WORDS = {"毫米": "mm", "厘米": "cm", "公分": "cm", "分米": "dm", "米": "m", "公尺": "m", "千米": "km", "公里": "km", "千伏": "kv", "伏": "v",
          "伏特": "v", "兆帕": "mpa", "千帕": "kpa", "帕": "pa", "m²": "m2", "㎡": "m2", "平方米": "m2", "°": "deg", "度": "deg",
          "meter": "m", "meters": "m", "metre": "m", "metres": "m"}  # fmt: skip
_COUNTED = {"根", "孔", "条", "层", "个", "座", "株"}
_COUNT = "count"
"""The unit of what is counted; a field without a unit takes it."""

_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_PARTS = re.compile(
    r"(?P<sign>[+-]?)(?P<body>[0-9.,'\u2019 ]*[0-9][.,]?)(?P<exponent>[eE][+-]?[0-9]{1,3})?\s*(?P<unit>[^\s0-9.,].*)?"
)
_DIAMETER = re.compile(r"(?:DN|De|D|[Φφϕ∅Ø⌀]|管径)\s*[=:]?\s*(?=[0-9])", re.IGNORECASE)
"""What stands before a diameter, which is in millimetres then."""
_GROUPED = r"[0-9]{1,3}(?:%s[0-9]{3})+"
_LONGEST = 60


class NotANumber(ValueError):
    """A text that is no number, or could be two."""


class WrittenNumber(NamedTuple):
    """A number as Python reads it ("-1234.5") and the unit written behind it, "" where there is none."""

    digits: str
    unit: str


def is_no_value(text: str) -> bool:
    """Return whether a text says that there is no value: "", "-", "——", "/", "无", "NaN", "null" ..."""
    return _plain_form(text).lower() in _NO_VALUE


def read_number(text: str, *, unit: str = "", written_in: str = "", comma: Comma = "unknown") -> Decimal:
    """Return the number a text means, in `unit`, to its last digit.

    A unit in the text itself counts, and DN or φ before a diameter, else `written_in`, which a heading may say. Raises `NotANumber`.

    >>> read_number("1 234,5"), read_number("300mm", unit="m"), read_number("１．２５米", unit="m")
    (Decimal('1234.5'), Decimal('0.300'), Decimal('1.25'))
    """
    if unit == "mm" and (marked := _DIAMETER.match(_plain_form(text))):
        text, written_in = _plain_form(text)[marked.end() :], "mm"
    number = _written(text, comma)
    factor = factor_between(number.unit or written_in or unit, unit)
    return Decimal(number.digits) if factor == 1 else Decimal(number.digits) * factor  # a product has 28 digits only


def whole_number(text: str, *, comma: Comma = "unknown") -> int:
    """Return the whole number a text means, however long; `12.0` is one, `12.5` raises `NotANumber`."""
    number = read_number(text, comma=comma)
    if number != number.to_integral_value():
        raise NotANumber(text)
    return int(number)


def numbers_of_texts(
    texts: Sequence[Any] | NDArray[Any], *, unit: str = "", written_in: str = "", comma: Comma | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return texts as numbers in `unit`, NaN where there is no value or none can be read, and which could not be read.

    `comma` is asked of the texts themselves where it is not given.
    """
    distinct = dict.fromkeys(map(str, texts))
    meant = comma or comma_of(distinct)
    factor = factor_between(written_in or unit, unit)
    read = {text: _number_or_none(text, unit, written_in, meant, factor) for text in distinct}
    numbers = np.array([read[str(text)] for text in texts], dtype=np.float64)
    wrong = np.isinf(numbers)
    numbers[wrong] = np.nan
    return numbers, wrong


def _number_or_none(text: str, unit: str, written_in: str, comma: Comma, factor: Decimal) -> float:
    """Return the number, NaN for no value, infinity for what cannot be read (a number is never infinite)."""
    if factor == 1 and _PLAIN.fullmatch(text):
        return float(text)
    if is_no_value(text):
        return np.nan
    try:
        return float(read_number(text, unit=unit, written_in=written_in, comma=comma))
    except NotANumber:
        return np.inf


def comma_of(texts: Iterable[str]) -> Comma:
    """Return what a comma between digits means in texts of one column: those that can be read in one way only tell.

    >>> comma_of(["1,234", "0,75"]), comma_of(["1,234", "12,345.6"]), comma_of(["1,234"])
    ('decimal', 'thousands', 'unknown')
    """
    meant = {_comma_meant(_plain_form(text)) for text in texts if "," in text or "，" in text} - {"unknown"}
    return meant.pop() if len(meant) == 1 else "unknown"


def _comma_meant(text: str) -> Comma:
    parts = _PARTS.fullmatch(text)
    body = parts["body"].strip() if parts else ""
    if "," not in body or re.fullmatch(r"[1-9][0-9]{0,2},[0-9]{3}", body):
        return "unknown"
    if re.fullmatch(r"[0-9]+,[0-9]*", body) or re.fullmatch(_GROUPED % r"[.' ]" + ",[0-9]*", body):
        return "decimal"
    return "thousands" if re.fullmatch(_GROUPED % "," + r"(?:\.[0-9]*)?", body) else "unknown"


def factor_between(written_in: str, unit: str) -> Decimal:
    """Return what a number in one unit is to be multiplied with to be in another. Raises `NotANumber` for unlike units."""
    if written_in == unit or (written_in, unit) == (_COUNT, ""):
        return Decimal(1)
    if written_in not in METRES or unit not in METRES:
        raise NotANumber(f"{written_in} -> {unit}")
    return Decimal(METRES[written_in]) / Decimal(METRES[unit])


@lru_cache(maxsize=1024)
def unit_of_word(word: str) -> str | None:
    """Return the unit a word means ("毫米", "MM", "m"), None where it means none."""
    if word.strip() in _COUNTED:
        return _COUNT
    plain = _plain_form(word).lower()
    plain = _WORDS.get(word.strip(), _WORDS.get(plain, plain))
    return plain if plain in METRES else _OTHER.get(plain)


def _written(text: str, comma: Comma) -> WrittenNumber:
    plain = _plain_form(text)
    if _PLAIN.fullmatch(plain):
        return WrittenNumber(plain, "")
    parts = _PARTS.fullmatch(plain) if len(plain) <= _LONGEST else None
    unit = unit_of_word(parts["unit"]) if parts and parts["unit"] else ""
    if parts is None or unit is None:
        raise NotANumber(text)
    body = _body(parts["body"].strip(), comma)
    if body is None:
        raise NotANumber(text)
    return WrittenNumber(f"{parts['sign']}{body}{parts['exponent'] or ''}", unit)


def _body(body: str, comma: Comma) -> str | None:
    """Return digits with a point, None where groups are no groups or the comma may mean two things."""
    if re.fullmatch(r"[0-9]*\.?[0-9]*", body):
        return body
    for separator in (" ", "'", "\u2019"):
        if re.fullmatch(_GROUPED % separator + r"(?:[.,][0-9]*)?", body):
            return body.replace(separator, "").replace(",", ".")
    meant = _comma_meant(body)
    meant = comma if meant == "unknown" else meant
    if meant == "decimal" and re.fullmatch(r"(?:[0-9]+|%s),[0-9]*" % (_GROUPED % r"\."), body):
        return body.replace(".", "").replace(",", ".")
    if meant == "thousands" and re.fullmatch(_GROUPED % "," + r"(?:\.[0-9]*)?", body):
        return body.replace(",", "")
    return None


@lru_cache(maxsize=4096)
def _plain_form(text: str) -> str:
    """Return a text with half-width digits and signs, one kind of minus and point, and no blanks around it."""
    plain = unicodedata.normalize("NFKC", text).replace("\x00", "").strip().lstrip("'").strip()
    plain = re.sub("[\u2010-\u2015\u2212\u2500]", "-", plain).replace("。", ".")
    return re.sub(r"\s+", " ", plain)
