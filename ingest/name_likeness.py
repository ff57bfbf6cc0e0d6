"""How alike the name of a source's column or layer is to words of ours: whole, cut, by pinyin initials, in part, nearly.

>>> round(likeness("FWJG", ["房屋结构"]), 2), round(likeness("层数", ["地上层数", "storeys"]), 2), likeness("x", ["name"])
(0.85, 0.7, 0.0)
"""

import re
from collections.abc import Collection
from difflib import SequenceMatcher

from twin_model.catalogue.ascii_name import ascii_name

__all__ = ["cut_names", "likeness"]

_CUT_AT = 10
"""Bytes that a shapefile leaves of a name."""

_SHORTEST_PART = {True: 2, False: 4}
"""Characters that a part of a name must have to say something: Chinese, other."""

_NEARLY = 0.8
_UNIT = re.compile(r"[\s_]*[(（\[/].*$")


def likeness(name: str, words: Collection[str]) -> float:
    """Return 0 (nothing in common) to 1 (the same) for a name and the word that it is most like."""
    scores = [_likeness(_plain(name), _plain(word)) for word in words if word]
    is_cut = len(name) >= 2 and any(_is_cut(name.casefold(), word.casefold()) for word in words)
    return max([0.9 if is_cut else 0.0, *scores])


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-.:：*]+", "", _UNIT.sub("", name.strip()) or name).casefold()


def _likeness(name: str, word: str) -> float:
    if not name or not word:
        return 0.0
    if name == word:
        return 1.0
    if name.isascii() and not word.isascii() and len(name) >= 2 and name == ascii_name(word):
        return 0.85
    shorter, longer = sorted((name, word), key=len)
    if len(shorter) >= _SHORTEST_PART[not shorter.isascii()] and shorter in longer:
        return 0.4 + 0.6 * len(shorter) / len(longer)
    nearness = SequenceMatcher(None, name, word).ratio()
    return 0.8 * nearness if nearness >= _NEARLY and len(shorter) >= 4 else 0.0


def cut_names(name: str) -> tuple[str, ...]:
    """Return a name as a shapefile cuts it: ten bytes of GBK, or of UTF-8; a short one stays as it is.

    >>> cut_names("房屋建筑面积")
    ('房屋建筑面', '房屋建')
    """
    encodings = ("gbk", "utf-8")
    return tuple(name.encode(each, "ignore")[:_CUT_AT].decode(each, "ignore") for each in encodings)


def _is_cut(name: str, word: str) -> bool:
    return name != word and name in cut_names(word)
