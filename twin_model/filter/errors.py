"""What can be wrong with a filter. Every class is a caller's mistake, so the HTTP layer answers 400.

The values each class carries are named in its docstring; their words are in
`twin_model/messages/{zh,en}.toml`.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar

from twin_model.errors import CalledWrongly

__all__ = [
    "FilterError",
    "FilterSyntaxError",
    "FilterTooDeep",
    "FilterTooLong",
    "GeometryTooDeep",
    "InvalidFilter",
    "InvalidGeometry",
    "InvalidLiteral",
    "TypeMismatch",
    "UnknownProperty",
    "UnsupportedLanguage",
    "UnsupportedOperator",
    "nearest_names",
    "shown",
]


class FilterError(CalledWrongly, ValueError):
    """A filter that cannot be answered; `values` names what was wrong."""

    rule: ClassVar[str] = "filter.refused"


class FilterTooLong(FilterError):
    """`length`, `limit` and `unit`: characters, terms joined by AND and OR, or values of a JSON filter."""

    rule = "filter.too_long"


class FilterTooDeep(FilterError):
    """`limit`: brackets and operators nest too deep at `position` (characters from 1).

    A tree that is too deep has no position; its rule is `filter.too_many_levels`.
    """

    rule = "filter.too_deep"


class GeometryTooDeep(FilterTooDeep):
    """`kind` of geometry, the `limit` of its brackets and the `position` (characters from 1) of one too many."""

    rule = "filter.geometry_too_deep"


class FilterSyntaxError(FilterError):
    """`position` (characters from 1), `near` (the text there) and `expected`."""

    rule = "filter.syntax"


class UnsupportedLanguage(FilterError):
    """`lang` and `supported`."""

    rule = "filter.language"


class UnsupportedOperator(FilterError):
    """`name` of an operator or function, `nearest` and `supported`."""

    rule = "filter.operator"


class InvalidFilter(FilterError):
    """`found` (a piece of CQL2 JSON) and `expected` in its place."""

    rule = "filter.structure"


class InvalidLiteral(FilterError):
    """`kind` of literal, its `text` and what was `expected`."""

    rule = "filter.literal"


class InvalidGeometry(FilterError):
    """`kind` of geometry, and `reason`."""

    rule = "filter.geometry"


class UnknownProperty(FilterError):
    """`name`, `nearest` names and the number of `queryables`."""

    rule = "filter.unknown_property"


class TypeMismatch(FilterError):
    """`operator`, what was `found`, what was `expected`, and a `hint`."""

    rule = "filter.type"


def nearest_names(name: str, names: Iterable[str], *, count: int = 3) -> tuple[str, ...]:
    """Return the `names` most like `name`, best first; all of them when they are few and none is alike."""
    known = sorted(names)
    folded = {each.casefold(): each for each in reversed(known)}
    close = get_close_matches(name[:200].casefold(), folded, n=count, cutoff=0.5)
    return tuple(folded[each] for each in close) or tuple(known if len(known) <= count else ())


def shown(value: Any, *, limit: int = 60) -> str:
    """Return `value` as a short text for a message."""
    text = str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
