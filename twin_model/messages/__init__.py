"""The words of every error and finding, in zh and en, by rule id.

A message has four parts: what happened, with which value, what was expected or nearest, what to do.
The tables lie in `en/` and `zh/`, one file an area, one table in it named as the area; a test holds both equal.
How a value is written stands in `values.py`, pieces of English that end up in Chinese in `fragments.toml`.
Not here: what an error or a finding is (`twin_model/errors.py`, `twin_model/finding.py`).

    >>> render("layer.not_found", "en", {"name": "bulding", "nearest": ["building"]})
    "No layer named 'bulding'. Nearest: building. List the layers with: twin status"
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

from twin_model.messages.fragments import cause_in_chinese
from twin_model.messages.values import converted, plain

__all__ = ["LANGUAGES", "messages", "render"]

LANGUAGES = ("en", "zh")


@cache
def messages(lang: str) -> Mapping[str, str]:
    """Return rule id -> template of one language; dotted ids are flattened tables."""
    folder = Path(__file__).parent / (lang if lang in LANGUAGES else "en")
    tables = [tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))]
    return {
        f"{area}.{rule}": words for table in tables for area, rules in table.items() for rule, words in rules.items()
    }


class _Words(Formatter):
    """Fills named values into a template; a value that is absent or does not fit its format never fails a message."""

    def __init__(self, lang: str, values: Mapping[str, Any]) -> None:
        self._lang, self._layer = lang, str(values.get("layer"))

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        value = kwargs.get(field_name)
        return (self._cause(value) if field_name == "cause" else value), field_name

    def _cause(self, value: Any) -> Any:
        """Return a cause in the language: it may be the sentence of a library, or its exception."""
        if isinstance(value, Exception) and not callable(getattr(value, "text", None)):
            value = str(value)
        return cause_in_chinese(value) if self._lang == "zh" and isinstance(value, str) else value

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if conversion is None:
            return plain(value, self._lang)
        return converted(value, conversion, self._lang, self._layer)

    def format_field(self, value: Any, format_spec: str) -> str:
        try:
            return format(value, format_spec)
        except (TypeError, ValueError):
            return str(value)


def render(rule: str, lang: str, values: Mapping[str, Any]) -> str:
    """Return the message of `rule` with `values` filled in, an error among them in the same language; an unknown rule
    shows its id and values."""
    template = messages(lang).get(rule)
    if template is None:
        return f"{rule}: {', '.join(f'{k}={v!r}' for k, v in values.items())}"
    return _Words(lang, values).vformat(template, (), values)
