"""The words of every error and finding, in zh and en, by rule id.

A message has four parts: what happened, with which value, what was expected or nearest, what to do.
The tables lie in `en/` and `zh/`, one file an area, one table in it named as the area; a test holds both equal.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["LANGUAGES", "messages", "render"]

LANGUAGES = ("en", "zh")


@cache
def messages(lang: str) -> Mapping[str, str]:
    """Return rule id -> template of one language; dotted ids are flattened tables."""
    folder = Path(__file__).parent / (lang if lang in LANGUAGES else "en")
    tables = [tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))]
    return {
        f"{area}.{rule}": words
        for table in tables
        for area, rules in table.items()
        for rule, words in rules.items()
    }


class _Shown(dict[str, Any]):
    """Named values for a template; one that is absent shows as a dash instead of failing the message."""

    def __missing__(self, key: str) -> str:
        return "-"


def render(rule: str, lang: str, values: Mapping[str, Any]) -> str:
    """Return the message of `rule` with `values` filled in; an unknown rule shows its id and values."""
    template = messages(lang).get(rule)
    if template is None:
        return f"{rule}: {', '.join(f'{k}={v!r}' for k, v in values.items())}"
    return template.format_map(_Shown({k: _shown(v) for k, v in values.items()}))


def _shown(value: Any) -> Any:
    if isinstance(value, list | tuple | set):
        return ", ".join(str(v) for v in value) or "-"
    return "-" if value is None else value
