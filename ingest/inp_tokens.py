"""The words of an EPANET line. A comma stands between words, as EPANET has it, or within numbers, as some offices write them.

Which of the two a file means is told by the lines whose number of words is known: `R1 527100,5 3884200,2` has three words
as coordinates need, so its commas are decimal; `R1 527100,3884200` has only two, so its comma stands between words.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from twin_model.errors import SourceRefused

__all__ = ["InpLine", "ensure_one_comma", "words_of"]

_WORD = re.compile(r'"([^"]*)"|([^\s,]+)')
_WORD_WITH_COMMA = re.compile(r'"([^"]*)"|(\S+)')
_QUOTED = re.compile(r'"[^"]*"')
_DECIMAL = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
_FEWEST = {
    "COORDINATES": 3,
    "VERTICES": 3,
    "PIPES": 6,
    "PUMPS": 4,
    "VALVES": 6,
    "JUNCTIONS": 2,
    "RESERVOIRS": 2,
    "TANKS": 6,
}
"""Words that an entry of a section has at least (EPANET 2.2 user's manual, appendix C)."""


class InpLine(NamedTuple):
    """A line of a section without its comment; `number` is its number in the file, from 1."""

    section: str
    number: int
    text: str


def words_of(text: str, *, decimal_comma: bool) -> tuple[str, ...]:
    """Return the words of a line, quotes taken off; with `decimal_comma` numbers such as `63,5` become `63.5`.

    >>> words_of("P1 R1,J1 152,4", decimal_comma=False), words_of("P1 152,4", decimal_comma=True)
    (('P1', 'R1', 'J1', '152', '4'), ('P1', '152.4'))
    """
    if not decimal_comma:
        return tuple(quoted or plain for quoted, plain in _WORD.findall(text))
    words = (quoted or plain for quoted, plain in _WORD_WITH_COMMA.findall(text))
    return tuple(word.replace(",", ".") if _DECIMAL.fullmatch(word) else word for word in words)


def ensure_one_comma(lines: Sequence[InpLine], source: str) -> list[InpLine]:
    """Return the lines whose commas are decimal, none where commas stand between words.

    Raises `SourceRefused` for a file in which both stand, because then a number could be read in two ways.
    """
    decimal: list[InpLine] = []
    between: list[InpLine] = []
    for line in lines:
        if "," in _QUOTED.sub("", line.text):
            (decimal if _is_decimal(line) else between).append(line)
    if decimal and between:
        raise SourceRefused(
            "epanet.two_commas",
            source=source,
            decimal=f"{decimal[0].number}: {decimal[0].text.strip()}",
            between=f"{between[0].number}: {between[0].text.strip()}",
        )
    return decimal


def _is_decimal(line: InpLine) -> bool:
    """Return whether all commas of a line stand within numbers, and the line has its words without them."""
    text = _QUOTED.sub('""', line.text)
    words = text.split()
    with_comma = [word for word in words if "," in word]
    return all(map(_DECIMAL.fullmatch, with_comma)) and len(words) >= _FEWEST.get(line.section, 2)
