"""Texts without characters that are not seen: control characters, which a terminal obeys, turned writing, broken bytes.

Names of files and what stands in them come from anybody. Line breaks and tabs of a longer text stay (`visible`), in the
name of a file they do not (`unseen`).
"""

import re

__all__ = ["unseen", "visible"]

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BYTES = (0xDC80, 0xDCFF)
"""What Python makes of bytes in a name that are no UTF-8."""


def unseen(text: str) -> list[str]:
    r"""Return the characters of a name that are not seen, as they would be written, each once.

    >>> unseen("a\x1b[31m.csv"), unseen("井 1.csv")
    (['\\x1b'], [])
    """
    return list(dict.fromkeys(_escaped(match[0]) for match in _UNSEEN.finditer(text)))


def visible(text: str, *, keeps: str = "\n\t") -> str:
    r"""Return a text in which each character that is not seen is written out, but for those that it `keeps`.

    >>> visible("a\x1b[31m\nb")
    'a\\x1b[31m\nb'
    """
    return _UNSEEN.sub(lambda match: match[0] if match[0] in keeps else _escaped(match[0]), text)


def _escaped(character: str) -> str:
    number = ord(character)
    if _BYTES[0] <= number <= _BYTES[1]:
        return f"\\x{number - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
