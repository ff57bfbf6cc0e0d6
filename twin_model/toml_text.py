"""Values as TOML writes them, for the files that we write ourselves; Python reads TOML but does not write it."""

import json
import re
from typing import Any

__all__ = ["toml_key", "toml_text"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_key(name: str) -> str:
    """Return a key as TOML writes it, in quotes where it has to be.

    >>> print(toml_key("width_mm"), toml_key("管径"))
    width_mm "管径"
    """
    return name if _BARE_KEY.fullmatch(name) else toml_text(name)


def toml_text(value: Any) -> str:
    """Return a text, number, list or table as TOML writes it on one line; its basic strings have the escapes of JSON.

    >>> print(toml_text({"path": "a\\\\b", "sizes": [1, 2.5], "管径": True}))
    { path = "a\\\\b", sizes = [1, 2.5], "管径" = true }
    """
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{toml_key(key)} = {toml_text(each)}' for key, each in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_text, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
