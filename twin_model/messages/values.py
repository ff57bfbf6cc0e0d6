"""How a value is written in a message: quoted, listed, as the title of a layer, as a box of degrees.

A template says it with a conversion: `{name!r}` in quotes, `{layer!t}` the title of a layer or of one of its fields,
`{layers!w}` also the members of a list in words, `{crs!c}` the name of a coordinate system, `{box!b}` degrees,
`{name!s}` the text as it is.
"""

import math
import re
import tomllib
from collections.abc import KeysView, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from twin_model.messages.crs_names import system_name
from twin_model.messages.fragments import in_chinese

__all__ = ["converted", "plain", "quoted", "title_of_field", "title_of_layer"]

_CATALOGUE = Path(__file__).resolve().parents[1] / "catalogue"
_MOST_DIGITS = 14
_SYSTEM = re.compile(r"(EPSG|OGC):\w+$|(PROJ|GEOG|GEOD|BOUND)(CRS|CS)\[")


def plain(value: Any, lang: str) -> Any:
    """Return a list as its members, a table as its rows, an absent value as a dash; numbers stay numbers.

    A text that is a known piece of English comes in the language; members of lists are names and stay.
    """
    if isinstance(value, Mapping):
        colon, separator = ("：", "；") if lang == "zh" else (": ", "; ")
        return separator.join(f"{name}{colon}{plain(one, lang)}" for name, one in value.items()) or "-"
    if isinstance(value, list | tuple | set | frozenset | KeysView):
        return _separator(lang).join(str(_member(member, lang)) for member in value) or "-"
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, bytes):
        return quoted(value, lang)
    if callable(getattr(value, "text", None)):  # one of our errors or findings as the cause of another
        return value.text(lang)
    if isinstance(value, str):
        return in_chinese(value) if lang == "zh" else value
    return "-" if value is None else value


def _member(value: Any, lang: str) -> Any:
    """Return a member of a list as it is written: names stay as they are."""
    return value if isinstance(value, str) else plain(value, lang)


def _rounded(value: float) -> Any:
    """Return a number without the digits that only a computer writes; one that is none as a dash."""
    if not math.isfinite(value):
        return "-"
    return value if len(repr(float(value))) <= _MOST_DIGITS else round(float(value), 6)


def converted(value: Any, conversion: str, lang: str, layer: str) -> Any:
    """Return a value as its conversion in a template asks; `layer` is the layer the message is about."""
    if value is None:
        return "-"
    if conversion == "r":
        if isinstance(value, str | bytes):
            return quoted(value, lang)
        written = plain(value, lang)
        return quoted(written, lang) if isinstance(written, str) and written != "-" else written
    if conversion == "s":
        return value if isinstance(value, str) else str(plain(value, lang))
    if conversion == "b":
        return _box(value, lang)
    if conversion == "c" and (isinstance(value, str) and _SYSTEM.match(value)):
        return system_name(value, lang)
    if conversion == "w" and isinstance(value, list | tuple):
        return _separator(lang).join(str(_titled(item, lang, layer)) for item in value) or "-"
    return _titled(value, lang, layer)


def quoted(value: str | bytes, lang: str) -> str:
    """Return a text in quotes, without characters that could move a terminal's cursor; bytes as the text they are."""
    text = value if isinstance(value, str) else _text_of(value)
    if text is None:
        return bytes(value).hex(" ").upper()  # type: ignore[arg-type]
    if lang != "zh":
        return repr(text)
    return f"“{''.join(map(_printable, text))}”"


def _printable(letter: str) -> str:
    if letter in "\r\n\t":
        return " "
    return letter if letter.isprintable() else repr(letter)[1:-1]


def _text_of(content: bytes) -> str | None:
    """Return bytes as text where they are one; the last character may be cut."""
    for encoding in ("utf-8", "gb18030"):
        for end in range(len(content), max(len(content) - 4, 0), -1):
            try:
                text = content[:end].decode(encoding)
            except UnicodeDecodeError:
                continue
            if all(letter.isprintable() or letter in "\r\n\t" for letter in text):
                return text
            return None
    return None


def _box(value: Any, lang: str) -> Any:
    """Return west, south, east, north of degrees as ranges."""
    try:
        west, south, east, north = (float(degrees) for degrees in value)
    except (TypeError, ValueError):
        return plain(value, lang)
    along = _range(west, east, "东经" if lang == "zh" else "E", "西经" if lang == "zh" else "W", lang)
    across = _range(south, north, "北纬" if lang == "zh" else "N", "南纬" if lang == "zh" else "S", lang)
    return f"{along}{_separator(lang)}{across}"


def _range(low: float, high: float, positive: str, negative: str, lang: str) -> str:
    side = positive if low >= 0 else negative
    first, second = (f"{abs(degrees):.4f}".rstrip("0").rstrip(".") + "°" for degrees in (low, high))
    same = positive if high >= 0 else negative
    if lang == "zh":
        return f"{side}{first}" + ("" if low == high else f"～{'' if same == side else same}{second}")
    return f"{first} {side}" if low == high else f"{first} {side} to {second} {same}"


def _titled(value: Any, lang: str, layer: str) -> Any:
    if lang != "zh" or not isinstance(value, str):
        return plain(value, lang)
    return title_of_layer(value) or title_of_field(layer, value) or in_chinese(value)


def _separator(lang: str) -> str:
    return "、" if lang == "zh" else ", "


@cache
def _titles() -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """Return the Chinese titles of the house's layers and of their fields; a town's own layers have none here."""
    layers: dict[str, str] = {}
    fields: dict[tuple[str, str], str] = {}
    for path in sorted(_CATALOGUE.glob("*.toml")):
        for layer, table in tomllib.loads(path.read_text("utf-8")).items():
            if layer != "codes":
                layers[layer] = table["title"]["zh"]
                fields |= {(layer, name): field["zh"] for name, field in table["fields"].items()}
    return layers, fields


def title_of_layer(layer: str) -> str:
    """Return the Chinese title of a layer of the house, empty where it has none."""
    return _titles()[0].get(layer, "")


def title_of_field(layer: str, name: str) -> str:
    """Return the Chinese title of a field of a layer of the house, empty where it has none."""
    return _titles()[1].get((layer, name), "")
