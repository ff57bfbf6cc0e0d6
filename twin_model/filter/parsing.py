"""`parse_filter`: a CQL2 filter as people write it -> `Expression`. The fences come before the parsers."""

import json
from collections.abc import Iterable
from typing import Any, Literal, NoReturn

from twin_model.byte_cache import remembering
from twin_model.filter.errors import (
    FilterError,
    FilterSyntaxError,
    FilterTooDeep,
    FilterTooLong,
    InvalidFilter,
    InvalidLiteral,
    UnsupportedLanguage,
    shown,
)
from twin_model.filter.expression import Expression
from twin_model.filter.json_form import expression_from_json
from twin_model.filter.text_form import json_from_text

__all__ = ["LANGUAGES", "MAX_DEPTH", "MAX_LENGTH", "FilterLanguage", "ensure_shallow", "filter_tree", "parse_filter"]

FilterLanguage = Literal["cql2-text", "cql2-json"]
LANGUAGES = ("cql2-text", "cql2-json")
MAX_LENGTH = 16_384
MAX_DEPTH = 64
# A level of CQL2 JSON is an object and its list; below the last one, coordinates nest four lists and an
# object.
JSON_NESTING = 2
GEOMETRY_NESTING = 8
_BYTES_OF_A_CHARACTER = 32
"""What a filter that was read takes for each character of its text; a list of short numbers takes most."""


def parse_filter(
    source: str | dict[str, Any] | bool,
    *,
    lang: FilterLanguage = "cql2-text",
    max_length: int = MAX_LENGTH,
    max_depth: int = MAX_DEPTH,
) -> Expression:
    """Return the expression that `source` means; text and JSON of one filter give equal expressions.

    A dict (or a truth value) is CQL2 JSON already read; `max_length` then counts its keys, values and
    characters. Raises only subclasses of `FilterError`, whatever `source` holds. The last texts are
    remembered, 16 MiB of them.

    >>> parse_filter("storeys > 10")
    Comparison(operator='>', left=Property(name='storeys'), right=Constant(value=10))
    """
    if lang not in LANGUAGES:
        raise UnsupportedLanguage(lang=shown(lang), supported=LANGUAGES)
    if not isinstance(source, str):
        _ensure_modest(source, max_length, JSON_NESTING * max_depth + GEOMETRY_NESTING, max_depth)
        return expression_from_json(source)
    if len(source) > max_length:
        raise FilterTooLong(length=len(source), limit=max_length, unit="characters")
    return _parse(source, lang, max_depth)


def filter_tree(source: str, *, max_length: int = MAX_LENGTH, max_depth: int = MAX_DEPTH) -> Any:
    """Return the CQL2 JSON of a CQL2 text, within the same fences: for who puts values into it before it is parsed.

    >>> filter_tree("storeys > :least")
    {'op': '>', 'args': [{'property': 'storeys'}, {'property': ':least'}]}
    """
    if len(source) > max_length:
        raise FilterTooLong(length=len(source), limit=max_length, unit="characters")
    if not source.isascii():
        _ensure_characters(source)
    return json_from_text(source, max_depth=max_depth)


@remembering(most_bytes=16 * 2**20, bytes_of=lambda expression, source, *_: _BYTES_OF_A_CHARACTER * len(source))
def _parse(source: str, lang: FilterLanguage, max_depth: int) -> Expression:
    if lang == "cql2-json":
        return expression_from_json(_loads(source, max_depth))
    if not source.isascii():
        _ensure_characters(source)
    return expression_from_json(json_from_text(source, max_depth=max_depth))


def _ensure_characters(source: str) -> None:
    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise InvalidLiteral(kind="text", text=shown(ascii(source)), expected="Unicode text") from error


def _loads(source: str, max_depth: int) -> Any:
    ensure_shallow(source, max_depth)
    try:
        return json.loads(source, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        near = source[error.pos : error.pos + 24].strip() or "the end of the filter"
        raise FilterSyntaxError(position=error.pos + 1, near=near, expected=f"JSON: {error.msg}") from error
    except FilterError:
        raise
    except ValueError as error:  # an integer of more digits than Python reads
        raise InvalidLiteral(kind="number", text=shown(error), expected="a whole number of at most 64 bits") from error


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidLiteral(kind="number", text=name, expected="a finite number")


def ensure_shallow(source: str, max_depth: int = MAX_DEPTH) -> None:
    """Raise `FilterTooDeep` where a JSON text nests deeper than a filter of so many levels can."""
    nesting = JSON_NESTING * max_depth + GEOMETRY_NESTING
    depth, in_string, escaped = 0, False, False
    for position, one in enumerate(source):
        if in_string:
            in_string = escaped or one != '"'
            escaped = one == "\\" and not escaped
        elif one == '"':
            in_string = True
        elif one in "[{":
            depth += 1
            if depth > nesting:
                raise FilterTooDeep(limit=max_depth, position=position + 1)
        elif one in "]}":
            depth -= 1


def _ensure_modest(tree: Any, max_length: int, nesting: int, max_depth: int) -> None:
    """Measure a JSON value level by level, so that neither its depth nor its size can exhaust us."""
    level, size = [tree], 0
    for _ in range(nesting + 1):
        size += sum(len(node) if isinstance(node, str) else 1 for node in level)
        if size > max_length:
            raise FilterTooLong(length=size, limit=max_length, unit="values")
        level = [child for node in level for child in _members(node)]
        if not level:
            return
    raise FilterTooDeep("filter.too_many_levels", limit=max_depth)


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):  # shapely's `mapping` writes tuples
        return value
    if value is None or isinstance(value, str | int | float):
        return []
    raise InvalidFilter(found=shown(type(value).__name__), expected="CQL2 JSON: objects, lists, texts and numbers")
