"""Pieces of English inside Chinese messages: places, types of geometry, reasons of other libraries.

Code and libraries put short English texts into a message's values ("row 3", "Self-intersection[...]"). The table
`fragments.toml` gives each its Chinese; `{name}` in it stands for any text, `{piece_name}` for another fixed piece of
the table. What it does not know stays as it is; of a cause, which a library may have worded, it stays behind a mark.

    in_chinese("YSPOINT row 3")            # YSPOINT 表第 3 行
    cause_in_chinese("File not a shape")   # 内容无法识别（报错原文：File not a shape）
"""

import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path

__all__ = ["cause_in_chinese", "in_chinese"]

_NAME = re.compile(r"\{(\w+)\}")
_ENGLISH_WORDS = re.compile(r"[A-Za-z]{2,}[ ,:;()'\"]+[a-z]{2,}")
_CHINESE = re.compile("[\u3400-\u9fff]")
_PARAMETER = re.compile(r"[\w, ]+=")


@cache
def _fragments() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Return the fixed pieces, and the patterns with their Chinese: the most literal first."""
    tables = tomllib.loads((Path(__file__).parent / "fragments.toml").read_text("utf-8"))
    pieces = {english: chinese for table in tables.values() for english, chinese in table.items()}
    fixed = {english: chinese for english, chinese in pieces.items() if not _NAME.search(english)}
    open_ones = sorted(set(pieces) - set(fixed), key=lambda text: -len(_NAME.sub("", text)))
    return fixed, [(_pattern(english), pieces[english]) for english in open_ones]


def _pattern(english: str) -> re.Pattern[str]:
    parts = _NAME.split(english)
    return re.compile(
        "".join(f"(?P<{part}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)), re.DOTALL
    )


@lru_cache(maxsize=4096)
def in_chinese(text: str) -> str:
    """Return a piece of English in Chinese where the table knows it, else as it is."""
    fixed, patterns = _fragments()
    if text in fixed:
        return fixed[text]
    if len(text) > 300 or not any("a" <= letter <= "z" or "A" <= letter <= "Z" for letter in text):
        return text
    for pattern, chinese in patterns:
        match = pattern.fullmatch(text)
        if match and all(part in fixed for name, part in match.groupdict().items() if name.startswith("piece_")):
            pieces = {name: in_chinese(part) for name, part in match.groupdict().items()}
            return chinese.format_map(pieces)
    return text


@lru_cache(maxsize=1024)
def cause_in_chinese(text: str) -> str:
    """Return a cause in Chinese; the sentences of a library that the table does not know follow behind a mark.

    A library joins its sentences with "; ": each is looked up alone. Values such as `q=river park` stay as they are.
    """
    whole = in_chinese(text)
    if whole != text or not _is_english(text):
        return whole
    sentences = text.split("; ")
    known = [in_chinese(sentence) for sentence in sentences if not _is_unknown(sentence)]
    unknown = [sentence for sentence in sentences if _is_unknown(sentence)]
    return f"{'；'.join(known) or '内容无法识别'}" + (f"（报错原文：{'; '.join(unknown)}）" if unknown else "")


def _is_unknown(sentence: str) -> bool:
    return _is_english(sentence) and in_chinese(sentence) == sentence


def _is_english(text: str) -> bool:
    """Tell whether a text is a sentence of English rather than a name, a value or Chinese with a few names in it."""
    letters = sum("a" <= character.lower() <= "z" for character in text)
    return (
        bool(_ENGLISH_WORDS.search(text)) and letters > 2 * len(_CHINESE.findall(text)) and not _PARAMETER.match(text)
    )
