"""Texts of a drawing as people read them: every escape of the format decoded, in one place.

Names (layers, blocks, attribute tags) and XDATA know escapes of characters only; what is drawn (TEXT, ATTRIB, MTEXT) also has
control codes (`%%c`) and formatting (`\\P`, `\\fSimSun|b0;`). Programs write each of them into all releases from R12 on.
"""

import re
from collections.abc import Iterator
from typing import Any

from ezdxf.lldxf.encoding import decode_dxf_unicode, decode_mif_to_unicode
from ezdxf.tools.text import plain_mtext, plain_text

__all__ = ["decoded_name", "decoded_paragraphs", "decoded_text", "texts_of"]

_BYTES = re.compile("[\udc80-\udcff]")
"""What ezdxf makes of bytes that do not fit the code page of the drawing (`surrogateescape`)."""

_MAY_BE_OF_A_MARGIN = re.compile(r"[坐标子午带高程准]|CGCS|WGS|Xi|Bei|\\[UM]\+|[\udc80-\udcff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")
_LINED = re.compile("%%[kou]", re.I)
_STACKED = re.compile(r"\\S([^;{}/#^]*)[/#^] ?([^;{}]*);")
_NUMBERED = re.compile(r"%%(\d{3})")
_FORMATTED = re.compile(
    r"\\[fF][^;\\{}]*\|[^;{}]*;|\\[fF][^;\\{}]+\.(?:ttf|shx)[^;{}]*;|\\[HWTQA][-+]?[\d.]+x?;|\\[Cc]\d+;|\\S[^;{}]+[/^#][^;{}]*;"
    r"|\\p[xqitlr][^;{}]*;|\\P|\{\\[A-Za-z]"
)
"""Formatting that only an MTEXT should have; other programs put it into TEXT and ATTRIB. A Windows path has none of it but
`\\P`, and that only where a folder's name begins with a capital P."""


def decoded_name(text: str, encoding: str) -> str:
    r"""Return a name or a string of XDATA: `\U+4E95` and `\M+5BEAE` as characters, undeclared bytes as GBK.

    >>> decoded_name(r"\U+9053\U+8DEF", "cp1252")
    '道路'
    """
    if _BYTES.search(text):
        text = text.encode(encoding, "surrogateescape").decode("gb18030", "replace")
    if "\\M+" in text:
        text = decode_mif_to_unicode(text)
    if "\\U+" in text:
        text = decode_dxf_unicode(text)
        text = _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
        text = _HALF.sub("\ufffd", text)
    return text


def decoded_text(text: str, encoding: str) -> str:
    r"""Return the words of a TEXT or ATTRIB: `%%c` is ⌀ (as Ø), `%%065` is A; formatting is dropped, lines are kept.

    >>> decoded_text(r"{\fSimSun|b0;%%c300\P\U+4E95}", "cp1252")
    'Ø300\n井'
    """
    words = decoded_name(text, encoding)
    if "\\" in words and _FORMATTED.search(words):
        return decoded_paragraphs(words, encoding)
    if "%%" in words or "^" in words:
        words = plain_text(_NUMBERED.sub(_character, words)).replace("%%%", "%").replace("\t", " ")
    return words.strip()


def decoded_paragraphs(text: str, encoding: str) -> str:
    r"""Return the words of an MTEXT, a line for each paragraph.

    >>> decoded_paragraphs(r"\A1;DN\S1/2;\P{\C1;PE}", "utf-8")
    'DN1/2\nPE'
    """
    words = _LINED.sub("", _NUMBERED.sub(_character, decoded_name(text, encoding)))
    lines = plain_mtext(_STACKED.sub(_side_by_side, words), split=True, tabsize=1)
    return "\n".join(line.replace("%%%", "%").rstrip() for line in lines).strip()


def texts_of(document: Any) -> Iterator[str]:
    """Yield the texts of a drawing that may speak of coordinates, of paper space and blocks too: a margin may be there."""
    for entity in document.entitydb.values():
        kind = entity.dxftype()
        if kind not in ("TEXT", "MTEXT", "ATTRIB"):
            continue
        text = entity.text if kind == "MTEXT" else entity.dxf.get("text", "")
        if _MAY_BE_OF_A_MARGIN.search(text):
            yield (decoded_paragraphs if kind == "MTEXT" else decoded_text)(text, document.encoding)


def _side_by_side(stacked: re.Match[str]) -> str:
    """Return a fraction as 1/2, a raised or lowered figure by itself."""
    return "/".join(part for part in (stacked[1].strip(), stacked[2].strip()) if part)


def _character(number: re.Match[str]) -> str:
    """Return the character of `%%nnn`; those beyond ASCII are signs of a font of the office, and stay as they are."""
    code = int(number[1])
    return chr(code) if 32 <= code < 127 else number[0]
