"""Which encoding the bytes of a text are in: as people name encodings, and by what the bytes look like.

Undecodable bytes are never believed to be what a file declares: what is strictly UTF-8, or strictly GBK, is read as that.
"""

import codecs
import re
from difflib import get_close_matches

from twin_model.errors import CalledWrongly

__all__ = ["contradicting", "encoding_title", "ensure_encoding", "is_cut", "likely_encoding", "python_encoding"]

_CHINESE = {"gbk", "gb2312", "gb18030", "cp936"}
_CUSTOMARY = ("UTF-8", "GBK", "GB18030", "Big5", "windows-1252", "Shift_JIS")
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_COMMON_PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")
"""Both bytes from A1 on: the signs of GB 2312, of which Chinese texts are made but for rare names."""

_CHARACTERS = re.compile(rb"(?:[\xb0-\xf7][\xa1-\xfe]|[\xa1-\xa3][\xa1-\xfe])+")

_THREE_BYTES = re.compile(rb"[\xe3-\xe9\xef][\x80-\xbf]{2}")
_RUN = re.compile(rb"[\x80-\xff]+")
_MOSTLY, _NEARLY_ALL = 0.6, 0.9
_ENOUGH = 3
_WEST_EUROPEAN = {"cp1252", "iso8859-1", "latin-1", "cp437", "cp850", "ascii"}
"""What programs write into a header when they do not know: the bytes may say otherwise."""


def python_encoding(declared: str) -> str | None:
    """Return Python's name of an encoding as files and people name it; None where there is none.

    >>> python_encoding("GBK"), python_encoding("ANSI 936"), python_encoding("65001"), python_encoding("nonsense")
    ('gb18030', 'gb18030', 'utf-8', None)
    """
    text = re.sub(r"^(ansi|oem)", "", re.sub(r"[^0-9a-z]", "", declared.lower()))
    latin = re.fullmatch(r"(?:iso)?8859(1?\d)", text)
    for name in ({"65001": "utf-8"}.get(text, text), f"cp{text}", f"iso8859-{latin[1]}" if latin else ""):
        try:
            encoding = codecs.lookup(name).name
        except (LookupError, ValueError):
            continue
        if encoding.startswith(("utf-16", "utf-32")):
            return None
        return "gb18030" if encoding in _CHINESE else encoding
    return None


def ensure_encoding(value: str) -> str:
    """Return Python's name of the encoding that a caller named, or refuse it with the nearest."""
    encoding = python_encoding(value)
    if encoding is None:
        nearest = get_close_matches(value, _CUSTOMARY, 3, 0.4) or list(_CUSTOMARY)
        raise CalledWrongly("source.unknown_encoding", value=value, nearest=nearest)
    return encoding


def likely_encoding(sample: bytes) -> str | None:
    """Return what the bytes of a text look like: UTF-8, GBK (as GB 18030) or Windows 1252; None where they are plain ASCII."""
    if sample.isascii():
        return None
    text = sample.decode("utf-8", "replace")
    unread = text.count("\ufffd")
    if sum(not character.isascii() for character in text) - unread > 4 * unread:
        return "utf-8"
    single = len(re.findall(rb"[\x80-\xff]", _PAIR.sub(b"", sample)))
    common = len(_COMMON_PAIR.findall(sample))
    return "gb18030" if common >= _MOSTLY * (len(_PAIR.findall(sample)) + single) else "cp1252"


def contradicting(sample: bytes, declared: str) -> str | None:
    """Return the encoding that the bytes are in although another is declared; None where they may be as declared.

    Text that is declared UTF-8 and is not is what it looks like; so is text of a Western code page nearly all of which
    makes common Chinese characters. Text of any other code page is UTF-8 where all of it reads so, with three characters of three
    bytes at least: in GBK that does not happen by chance.
    """
    runs = _RUN.findall(sample)
    if not runs:
        return None
    if declared == "utf-8":
        wrong = sum(not _reads(run, "utf-8") for run in runs)
        likely = likely_encoding(b" ".join(runs))
        return likely if 2 * wrong > len(runs) and likely != "utf-8" else None
    if all(_reads(run, "utf-8") for run in runs) and len(_THREE_BYTES.findall(sample)) >= _ENOUGH:
        return "utf-8"
    if declared not in _WEST_EUROPEAN:
        return None
    chinese = [run for run in runs if _CHARACTERS.fullmatch(run)]
    return "gb18030" if len(chinese) >= _NEARLY_ALL * len(runs) and sum(map(len, chinese)) >= 2 * _ENOUGH else None


def encoding_title(name: str | None) -> str:
    """Return how an encoding is called in messages and is written for `--encoding`: "GBK", "UTF-8", "windows-1252"."""
    known = {"gb18030": "GBK", "utf-8": "UTF-8", None: "UTF-8", "big5": "Big5"}
    return known.get(name) or re.sub(r"^cp(125\d)$", r"windows-\1", str(name))


def is_cut(error: UnicodeDecodeError) -> bool:
    """Return whether bytes are no text only because their last character is not whole: a field was too narrow for it."""
    return error.reason in ("unexpected end of data", "incomplete multibyte sequence")


def _reads(run: bytes, encoding: str) -> bool:
    try:
        run.decode(encoding)
    except UnicodeDecodeError as error:
        return is_cut(error) and error.start > 0
    return True
