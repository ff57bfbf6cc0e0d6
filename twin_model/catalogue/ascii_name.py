"""Names of any script as ids of layers: small ASCII letters, digits and `_`; Chinese by the first letters of its pinyin.

>>> ascii_name("地块界线 2020")
'dkjx_2020'
"""

import re
import unicodedata
from bisect import bisect_right

__all__ = ["ascii_name"]

_LONGEST = 40
_INITIALS = "abcdefghjklmnopqrstwxyz"
_BEGIN = (0xB0A1, 0xB0C5, 0xB2C1, 0xB4EE, 0xB6EA, 0xB7A2, 0xB8C1, 0xB9FE, 0xBBF7, 0xBFA6, 0xC0AC, 0xC2E8, 0xC4C3, 0xC5B6, 0xC5BE,
          0xC6DA, 0xC8BB, 0xC8F6, 0xCBFA, 0xCDDA, 0xCEF4, 0xD1B9, 0xD4D1)  # fmt: skip
"""Where the characters of each initial begin: GB 2312 orders its 3755 commonest by pinyin (section 5.1, first level)."""
_END = 0xD7FA


def ascii_name(name: str) -> str:
    """Return at most 40 letters, digits and `_` that begin with a letter; "layer" where nothing can be told by them."""
    letters = "".join(_letters(character) for character in unicodedata.normalize("NFKC", name))
    plain = re.sub(r"[^a-z0-9]+", "_", letters.lower()).strip("_")
    if not plain[:1].isalpha():
        plain = f"layer_{plain}".rstrip("_")
    return plain[:_LONGEST].rstrip("_")


def _letters(character: str) -> str:
    """Return a character's ASCII form: a letter without accents, a Chinese one's initial, `_` for what is neither."""
    decomposed = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    if decomposed:
        return decomposed
    try:
        code = int.from_bytes(character.encode("gb2312"))
    except UnicodeEncodeError:
        return "_"
    return _INITIALS[bisect_right(_BEGIN, code) - 1] if _BEGIN[0] <= code < _END else "_"
