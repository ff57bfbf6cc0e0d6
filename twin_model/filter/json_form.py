"""CQL2 JSON -> `Expression`. Everything the standard has and we do not is refused by name here."""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

from twin_model.filter.errors import (
    FilterTooDeep,
    FilterTooLong,
    InvalidFilter,
    InvalidLiteral,
    UnsupportedOperator,
    nearest_names,
    shown,
)
from twin_model.filter.expression import (
    Arithmetic,
    Between,
    Boolean,
    Comparison,
    Constant,
    Expression,
    FunctionCall,
    Geometry,
    In,
    Instant,
    IntervalLiteral,
    IsNull,
    Like,
    Logical,
    Not,
    Property,
    Scalar,
    Spatial,
    Temporal,
    height,
    terms,
    vertices,
)
from twin_model.filter.instant import read_instant, read_interval
from twin_model.filter.spatial import (
    GEOMETRY_TYPES,
    PREDICATES,
    TURNED_ROUND,
    holds,
    read_bbox,
    read_geometry,
)
from twin_model.filter.text_form import MAX_TERMS

__all__ = ["MAX_HEIGHT", "MAX_VERTICES", "SUPPORTED", "expression_from_json"]

# SQLite's parser keeps at most 100 open symbols; a tree of this height needs fewer, a deeper one may not
# compile.
MAX_HEIGHT = 16
MAX_VERTICES = 50_000
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
ARITHMETIC = ("+", "-", "*", "/", "%", "div", "^")
FUNCTIONS = ("casei", "accenti")
DWITHIN = "dwithin"
"""A function of ours (listed at /functions): DWITHIN(geometry, POINT(x y), metres)."""
INSTANT_OPERATORS = ("after", "before", "disjoint", "equals", "intersects")
INTERVAL_OPERATORS = (
    "contains", "during", "finishedby", "finishes", "meets", "metby", "overlappedby", "overlaps", "startedby",
    "starts",
)  # fmt: skip
PREDICATE_NAMES = ("and", "or", "not", *COMPARISONS, "like", "in", "between", "isNull")
SUPPORTED = (
    *PREDICATE_NAMES,
    *ARITHMETIC,
    *FUNCTIONS,
    DWITHIN,
    *(f"s_{name}" for name in PREDICATES),
    *(f"t_{name}" for name in INSTANT_OPERATORS + INTERVAL_OPERATORS),
)
LONGEST_DISTANCE = 1_000_000
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1


def expression_from_json(tree: Any) -> Expression:
    """Return the expression of a CQL2 JSON value whose nesting has been checked.

    Raises `InvalidFilter`, `InvalidLiteral`, `InvalidGeometry`, `UnsupportedOperator` or `FilterTooDeep`.
    """
    expression = _predicate(tree)
    if height(expression) > MAX_HEIGHT:
        raise FilterTooDeep("filter.too_many_levels", limit=MAX_HEIGHT)
    for unit, counted, limit in (("terms", terms, MAX_TERMS), ("vertices", vertices, MAX_VERTICES)):
        if counted(expression) > limit:
            raise FilterTooLong(length=counted(expression), limit=limit, unit=unit)
    return expression


def _predicate(node: Any) -> Expression:
    if isinstance(node, bool):
        return Boolean(node)
    if isinstance(node, dict) and "property" in node:
        return Comparison("=", _property(node), Constant(True))
    operator, arguments = _operation(node, "a condition that is true or false")
    if operator in PREDICATE_READERS:
        return PREDICATE_READERS[operator](operator, arguments)
    if operator.startswith("s_") and operator[2:] in PREDICATES:
        return _spatial(operator[2:], arguments)
    if operator == DWITHIN:
        return _dwithin(arguments)
    if operator.startswith("t_") and operator[2:] in INSTANT_OPERATORS + INTERVAL_OPERATORS:
        return _temporal(operator[2:], arguments)
    if operator in ARITHMETIC or operator in FUNCTIONS:
        raise InvalidFilter(found=shown(operator), expected="a condition: compare this value with another")
    raise _unsupported(node["op"])


def _operation(node: Any, expected: str) -> tuple[str, list[Any]]:
    """Return operator (lower case) and arguments of `{"op": ..., "args": [...]}`."""
    if not isinstance(node, dict) or not isinstance(node.get("op"), str):
        raise InvalidFilter(found=shown(node), expected=expected)
    arguments = node.get("args")
    if not isinstance(arguments, list | tuple):
        raise InvalidFilter(found=shown(node), expected="a list of arguments in 'args'")
    return node["op"].lower(), list(arguments)


def _unsupported(name: str) -> UnsupportedOperator:
    if name.lower().startswith("a_"):
        supported = "IN for lists; array operators (A_...) are not, because no property is an array"
        return UnsupportedOperator(name=shown(name), nearest=("in",), supported=supported)
    supported = "comparisons, LIKE, IN, BETWEEN, IS NULL, CASEI, ACCENTI, arithmetic, S_..., T_... and DWITHIN"
    return UnsupportedOperator(name=shown(name), nearest=nearest_names(name, SUPPORTED), supported=supported)


def _count(operator: str, arguments: list[Any], count: int) -> list[Any]:
    if len(arguments) != count:
        expected = f"{count} argument{'s' * (count > 1)} for {operator}"
        raise InvalidFilter(found=f"{operator} with {len(arguments)}", expected=expected)
    return arguments


def _comparison(operator: str, arguments: list[Any]) -> Expression:
    left, right = map(_scalar, _count(operator, arguments, 2))
    return Comparison(cast(Any, operator), left, right)


def _logical(operator: str, arguments: list[Any]) -> Expression:
    if not arguments:
        raise InvalidFilter(found=f"{operator} without arguments", expected="two or more conditions")
    parts: list[Expression] = []
    for part in map(_predicate, arguments):
        nested = part.arguments if isinstance(part, Logical) and part.operator == operator else (part,)
        parts.extend(nested)
    return Logical(cast(Any, operator), tuple(parts)) if len(parts) > 1 else parts[0]


def _not(operator: str, arguments: list[Any]) -> Expression:
    return Not(_predicate(_count(operator, arguments, 1)[0]))


def _like(operator: str, arguments: list[Any]) -> Expression:
    value, pattern = map(_scalar, _count(operator, arguments, 2))
    inner = pattern
    while isinstance(inner, FunctionCall):
        inner = inner.argument
    if not isinstance(inner, Constant) or not isinstance(inner.value, str):
        raise InvalidFilter(found=shown(arguments[1]), expected="a text as the pattern of LIKE, such as 'a%'")
    return Like(value, pattern)


def _in(operator: str, arguments: list[Any]) -> Expression:
    value, items = _count(operator, arguments, 2)
    if not isinstance(items, list | tuple) or not items:
        raise InvalidFilter(found=shown(items), expected="a list of values for IN")
    return In(_scalar(value), tuple(map(_scalar, items)))


def _between(operator: str, arguments: list[Any]) -> Expression:
    return Between(*map(_scalar, _count(operator, arguments, 3)))


def _is_null(operator: str, arguments: list[Any]) -> Expression:
    return IsNull(_scalar(_count("IS NULL", arguments, 1)[0]))


PREDICATE_READERS: Mapping[str, Callable[[str, list[Any]], Expression]] = {
    **dict.fromkeys(COMPARISONS, _comparison),
    "and": _logical,
    "or": _logical,
    "not": _not,
    "like": _like,
    "in": _in,
    "between": _between,
    "isnull": _is_null,
}


def _spatial(operator: str, arguments: list[Any]) -> Expression:
    """Return `property OP geometry`; two literals are compared at once."""
    left, right = map(_spatial_operand, _count(f"s_{operator}", arguments, 2))
    if isinstance(left, Property) and isinstance(right, Geometry):
        return Spatial(operator, left, right)
    if isinstance(left, Geometry) and isinstance(right, Property):
        return Spatial(TURNED_ROUND.get(operator, operator), right, left)
    if isinstance(left, Geometry) and isinstance(right, Geometry):
        return Boolean(holds(operator, right.shape, left.shape))
    raise InvalidFilter(found=f"S_{operator.upper()} of two properties", expected="a property and a geometry")


def _dwithin(arguments: list[Any]) -> Expression:
    """Return `DWITHIN(property, geometry, metres)`, or the same with the first two the other way round."""
    *sides, distance = _count("DWITHIN", arguments, 3)
    if isinstance(distance, bool) or not isinstance(distance, int | float) or not 0 <= distance <= LONGEST_DISTANCE:
        expected = f"a distance in metres from 0 to {LONGEST_DISTANCE}, such as DWITHIN(geometry, POINT(x y), 50)"
        raise InvalidFilter(found=shown(distance), expected=expected)
    match [_spatial_operand(side) for side in sides]:
        case (Property() as name, Geometry() as place) | (Geometry() as place, Property() as name):
            return Spatial(DWITHIN, name, place, float(distance))
    raise InvalidFilter(found=shown(arguments[:2]), expected="DWITHIN of one property and one geometry")


def _spatial_operand(node: Any) -> Property | Geometry:
    match node:
        case {"property": _}:
            return _property(node)
        case {"bbox": numbers}:
            return Geometry(read_bbox(numbers))
        case {"type": str(kind)} if kind in GEOMETRY_TYPES:
            return Geometry(read_geometry(node))
    expected = "a geometry property, BBOX(west, south, east, north) or a geometry such as POINT(x y)"
    raise InvalidFilter(found=shown(node), expected=expected)


def _temporal(operator: str, arguments: list[Any]) -> Expression:
    left, right = map(_temporal_operand, _count(f"t_{operator}", arguments, 2))
    # CQL2 asks for intervals on both sides of these; an instant inside an interval has a plain meaning all
    # the same.
    left_needs = operator in INTERVAL_OPERATORS and operator != "during"
    right_needs = operator in INTERVAL_OPERATORS and operator != "contains"
    for operand, needs in ((left, left_needs), (right, right_needs)):
        if needs and not isinstance(operand, IntervalLiteral):
            written = f"an instant in T_{operator.upper()}"
            raise InvalidFilter(found=written, expected="INTERVAL(start, end), where '..' is an open end")
    return Temporal(operator, left, right)


def _temporal_operand(node: Any) -> Property | Instant | IntervalLiteral:
    match node:
        case {"property": _}:
            return _property(node)
        case {"date": text}:
            return read_instant("date", text)
        case {"timestamp": text}:
            return read_instant("timestamp", text)
        case {"interval": ends}:
            return read_interval(ends)
    expected = "a property, DATE('2024-06-01'), TIMESTAMP('2024-06-01T00:00:00Z') or INTERVAL(start, end)"
    raise InvalidFilter(found=shown(node), expected=expected)


def _scalar(node: Any) -> Scalar:
    match node:
        case bool() | int() | float() | str():
            return Constant(_constant(node))
        case {"property": _}:
            return _property(node)
        case {"date": text}:
            return read_instant("date", text)
        case {"timestamp": text}:
            return read_instant("timestamp", text)
        case {"op": str(name)}:
            return _computed(name, node)
        case None:
            raise InvalidFilter(found="NULL", expected="a value; write IS NULL to find features without one")
        case {"interval": _}:
            raise InvalidFilter(found="INTERVAL(...)", expected="a single value; compare intervals with T_INTERSECTS")
        case {"type": _} | {"bbox": _}:
            raise InvalidFilter(found="a geometry", expected="a single value; compare geometries with S_INTERSECTS")
    raise InvalidFilter(found=shown(node), expected="a number, a text, a property or a date")


def _computed(name: str, node: dict[str, Any]) -> Scalar:
    operator, arguments = _operation(node, "a value")
    if operator in ARITHMETIC:
        left, right = map(_scalar, _count(operator, arguments, 2))
        return _folded(Arithmetic(cast(Any, operator), left, right))
    if operator in FUNCTIONS:
        return FunctionCall(cast(Any, operator), _scalar(_count(operator, arguments, 1)[0]))
    if operator in PREDICATE_READERS or (operator.startswith(("s_", "t_")) and operator in SUPPORTED):
        raise InvalidFilter(found=f"the condition {shown(name)}", expected="a value; join conditions with AND, OR, NOT")
    raise _unsupported(name)


def _folded(node: Arithmetic) -> Scalar:
    """Return `-1 * 5`, which is how a text writes `-(5)`, as the number it is."""
    match node:
        case Arithmetic("*", Constant(-1), Constant(int() | float() as value)) if not isinstance(value, bool):
            return Constant(_constant(-value))
    return node


def _property(node: Mapping[str, Any]) -> Property:
    name = node["property"]
    if not isinstance(name, str) or not name:
        raise InvalidFilter(found=shown(node), expected="the name of a property")
    return Property(_clean_text(name))


def _constant(value: Any) -> str | int | float | bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, float):
        return _number(value)
    if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        text = f"{float(value):.3g}" if abs(value) < 10**300 else "an integer of 300 digits or more"
        raise InvalidLiteral(kind="number", text=text, expected="a whole number of at most 64 bits")
    return int(value)


def _number(value: float) -> int | float:
    if not math.isfinite(value):
        raise InvalidLiteral(kind="number", text=str(value), expected="a finite number")
    return int(value) if value.is_integer() and abs(value) <= 2**53 else value


def _clean_text(text: str) -> str:
    """Return `text` if a database can hold it: no NUL, no half of a surrogate pair."""
    if "\x00" in text or (not text.isascii() and any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)):
        raise InvalidLiteral(kind="text", text=shown(ascii(text)), expected="text without NUL or broken characters")
    return text
