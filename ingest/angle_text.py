"""Angles as people write them, in degrees, minutes and seconds: 118°18′00.5″, 118-18-00, 118:18:00E, 北纬35度06分."""

import re
import unicodedata
from functools import lru_cache
from typing import Literal

__all__ = ["degrees_of_text"]

Axis = Literal["east", "north"]
_SIDES: dict[str, tuple[Axis, int]] = {
    "e": ("east", 1), "w": ("east", -1), "n": ("north", 1), "s": ("north", -1),
    "东经": ("east", 1), "西经": ("east", -1), "北纬": ("north", 1), "南纬": ("north", -1),
}  # fmt: skip
_SIDE = "[nsew]|东经|西经|北纬|南纬"
_NUMBER = r"\d{1,2}(?:[.,]\d*)?"
_MARKED = rf"(?P<d>\d{{1,3}}(?:\.\d+)?)\s*[°度]\s*(?:(?P<m>{_NUMBER})\s*['分]?\s*(?:(?P<s>{_NUMBER})\s*(?:\"|秒)?)?)?"
_DIVIDED = rf"(?P<d>\d{{1,3}})(?P<divider>[-:\s])\s*(?P<m>\d{{1,2}})(?P=divider)\s*(?P<s>{_NUMBER})\s*\"?"
_PLAIN = r"(?P<d>\d{1,3}(?:\.\d+)?)"
_FORMS = tuple(
    re.compile(rf"(?P<sign>[+-]?)(?P<before>{_SIDE})?\s*{form}\s*(?P<after>{_SIDE})?", re.IGNORECASE)
    for form in (_MARKED, _DIVIDED, _PLAIN)
)
_SIGNS = str.maketrans(
    {"º": "°", "˚": "°", "′": "'", "’": "'", "‘": "'", "´": "'", "`": "'", "″": '"', "”": '"', "“": '"'}
)


@lru_cache(maxsize=4096)
def degrees_of_text(text: str, axis: Axis | None = None) -> float | None:
    """Return the degrees that a text means, None where it is no angle, or one of the other axis (`118°E` for the north).

    >>> degrees_of_text("118°18′00″"), degrees_of_text("35-06-36"), degrees_of_text("33:51:54S")
    (118.3, 35.11, -33.865)
    """
    plain = unicodedata.normalize("NFKC", text.translate(_SIGNS)).replace("''", '"').strip()
    match = next((match for form in _FORMS if (match := form.fullmatch(plain))), None)
    if match is None or (match["before"] and match["after"]):
        return None
    named = _SIDES.get((match["before"] or match["after"] or "").lower())
    if named is not None and axis not in (None, named[0]):
        return None
    parts = match.groupdict()
    degrees, minutes, seconds = (float((parts.get(name) or "0").replace(",", ".")) for name in "dms")
    whole = degrees + minutes / 60 + seconds / 3600
    if minutes >= 60 or seconds >= 60 or whole > (90 if axis == "north" else 360):
        return None
    return round((named[1] if named else 1) * (-whole if match["sign"] == "-" else whole), 12)
