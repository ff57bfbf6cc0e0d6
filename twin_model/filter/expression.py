"""A filter as a tree: predicates over scalars, geometries and instants, all frozen and hashable.

The names are those of OGC 21-065r2 (CQL2). How text and JSON become a tree is in `parsing`; what it means for
a database in `sql`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Literal

import shapely
from shapely.geometry.base import BaseGeometry

__all__ = [
    "Arithmetic",
    "Between",
    "Boolean",
    "Comparison",
    "Constant",
    "Expression",
    "FunctionCall",
    "Geometry",
    "In",
    "Instant",
    "IntervalLiteral",
    "IsNull",
    "JsonKind",
    "JsonValue",
    "Like",
    "Logical",
    "Node",
    "Not",
    "Property",
    "Scalar",
    "Spatial",
    "Temporal",
    "height",
    "properties",
    "terms",
    "vertices",
]

ComparisonOperator = Literal["=", "<>", "<", "<=", ">", ">="]
ArithmeticOperator = Literal["+", "-", "*", "/", "%", "div", "^"]
FunctionName = Literal["casei", "accenti"]
JsonKind = Literal["text", "number", "boolean", "any"]


@dataclass(frozen=True, slots=True)
class Property:
    """The value of one queryable of the feature."""

    name: str


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A value of a JSON column where it is of a kind, else unknown; `any` only says that it is there.

    `column` is "psets" (the path is set and property) or "attributes" (the path is the name of one).
    """

    column: str
    path: tuple[str, ...]
    kind: JsonKind


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, text or truth value. Whole numbers are `int`, however they were written."""

    value: str | int | float | bool

    def __eq__(self, other: object) -> bool:
        # `True == 1` in Python, but not in a filter.
        return isinstance(other, Constant) and (type(self.value), self.value) == (
            type(other.value),
            other.value,
        )

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True, slots=True)
class Instant:
    """A `date` (a whole local day) or an aware `datetime` in UTC."""

    value: date | datetime


@dataclass(frozen=True, slots=True)
class IntervalLiteral:
    """Both ends included; None is an open end (`..`), as is a property in a feature that has no value there."""

    start: "Property | Instant | None"
    end: "Property | Instant | None"


@dataclass(frozen=True, slots=True)
class Geometry:
    """A literal geometry in the CRS of the filter, x before y, two dimensions."""

    shape: BaseGeometry


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """`CASEI` (case ignored) or `ACCENTI` (accents ignored) of a text."""

    function: FunctionName
    argument: "Scalar"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    operator: ArithmeticOperator
    left: "Scalar"
    right: "Scalar"


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: ComparisonOperator
    left: "Scalar"
    right: "Scalar"


@dataclass(frozen=True, slots=True)
class Logical:
    """Two or more arguments; nested ANDs in an AND are one AND, and so with OR."""

    operator: Literal["and", "or"]
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Not:
    argument: "Expression"


@dataclass(frozen=True, slots=True)
class Like:
    """`pattern` is a `Constant` or calls of one: `%` is any text, `_` one character, a backslash escapes."""

    value: "Scalar"
    pattern: "Scalar"


@dataclass(frozen=True, slots=True)
class In:
    value: "Scalar"
    items: tuple["Scalar", ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Both ends included."""

    value: "Scalar"
    lower: "Scalar"
    upper: "Scalar"


@dataclass(frozen=True, slots=True)
class IsNull:
    value: "Scalar"


@dataclass(frozen=True, slots=True)
class Spatial:
    """`operator` without its `s_`; the property stands first (within and contains are turned round).

    The operator `dwithin` holds where both are at most `distance` metres apart in the storage CRS.
    """

    operator: str
    property: Property
    geometry: Geometry
    distance: float = 0.0


@dataclass(frozen=True, slots=True)
class Temporal:
    """`operator` without its `t_`."""

    operator: str
    left: "Property | Instant | IntervalLiteral"
    right: "Property | Instant | IntervalLiteral"


Scalar = Property | JsonValue | Constant | Instant | FunctionCall | Arithmetic
Expression = Boolean | Comparison | Logical | Not | Like | In | Between | IsNull | Spatial | Temporal
Node = Expression | Scalar | IntervalLiteral | Geometry


def properties(node: Node) -> frozenset[str]:
    """Return the names of all properties that `node` speaks of."""
    if isinstance(node, Property):
        return frozenset({node.name})
    return frozenset().union(*map(properties, _children(node)))


def height(node: Node) -> int:
    """Return how many nodes lie on the longest way from `node` down to a leaf."""
    return 1 + max(map(height, _children(node)), default=0)


def terms(node: Node) -> int:
    """Return how many conditions `node` has; each value in a list of IN is one."""
    if isinstance(node, Logical | Not):
        return sum(map(terms, _children(node)))
    return len(node.items) if isinstance(node, In) else 1


def vertices(node: Node) -> int:
    """Return how many vertices the geometries in `node` have together."""
    if isinstance(node, Geometry):
        return int(shapely.get_num_coordinates(node.shape))
    return sum(map(vertices, _children(node)))


def _children(node: Node) -> Iterator[Any]:
    for field in fields(node):
        value = getattr(node, field.name)
        for child in value if isinstance(value, tuple) else (value,):
            if isinstance(child, Node):
                yield child
