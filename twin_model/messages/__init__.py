"""The words of every error and finding, in zh and en, by rule id.

A message has four parts: what happened, with which value, what was expected or nearest, what to do.
The tables lie in `en/` and `zh/`, one file an area, one table in it named as the area; a test holds both equal.
Not here: what an error or a finding is (`twin_model/errors.py`, `twin_model/finding.py`).

    render("layer.not_found", "zh", {"name": "bulding", "nearest": ["building"]})
"""

import tomllib
from collections.abc import KeysView, Mapping, Sequence
from functools import cache
from pathlib import Path
from string import Formatter
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


class _Words(Formatter):
    """Fills named values into a template; a value that is absent or does not fit its format never fails a message."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        return _shown(kwargs.get(field_name)), field_name

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
    spoken = {key: value.text(lang) if hasattr(value, "text") else value for key, value in values.items()}
    return _Words().vformat(template, (), spoken)


def _shown(value: Any) -> Any:
    """Return a list as its members with commas between, a table as its rows; what is absent or empty shows as a dash."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_shown(one)}" for name, one in value.items()) or "-"
    if isinstance(value, list | tuple | set | frozenset | KeysView):
        return ", ".join(str(v) for v in value) or "-"
    return "-" if value is None else value
