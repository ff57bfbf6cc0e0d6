"""What `/functions` says: the functions of filters that are ours, in the form of OGC 19-079r2 (Features part 3).

What they mean for a database stands in `twin_model/filter/`.
"""

from typing import Any

from twin_model.messages import render

__all__ = ["functions_document"]

_FUNCTIONS = {"DWITHIN": (("geometry", ["geometry"]), ("place", ["geometry"]), ("distance", ["number"]))}
"""The arguments of each function, in order: name and types."""


def functions_document(lang: str) -> dict[str, Any]:
    """Return the functions with their arguments and what they answer, described in a language."""
    return {"functions": [_described(name, lang) for name in _FUNCTIONS]}


def _described(name: str, lang: str) -> dict[str, Any]:
    rule = f"functions.{name.lower()}"
    arguments = [
        {"title": title, "description": render(f"{rule}_{title}", lang, {}), "type": types}
        for title, types in _FUNCTIONS[name]
    ]
    return {"name": name, "description": render(rule, lang, {}), "arguments": arguments, "returns": ["boolean"]}
