"""`Expression` -> the WHERE clause of one store: every value a parameter, every identifier from the mapping.

What is common to both dialects lives here; what SQLite and PostGIS write differently in `sqlite` and
`postgis`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Any, ClassVar

from shapely.geometry.base import BaseGeometry

from twin_model.box import Box
from twin_model.filter.expression import (
    Arithmetic,
    Between,
    Boolean,
    Comparison,
    Constant,
    Expression,
    FunctionCall,
    In,
    Instant,
    IntervalLiteral,
    IsNull,
    JsonValue,
    Like,
    Logical,
    Not,
    Property,
    Scalar,
    Spatial,
    Temporal,
)
from twin_model.filter.instant import as_text, day_bounds, local_day
from twin_model.filter.spatial import to_storage

__all__ = ["EXACT", "Box", "Compiler", "Fragment", "SqlFilter", "Transform"]

Transform = Callable[[BaseGeometry], BaseGeometry]
FLIPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_MODERATE = 1e200
EXACT = 2**53
"""Up to here a double holds every whole number."""

# Terms joined in one row make a left-deep tree, and SQLite allows a depth of 1000: longer rows are grouped.
TERMS_IN_A_ROW = 50
# One end of the left interval against one end of the right; all must hold (of "disjoint": one must).
TEMPORAL: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "after": (("start", ">", "end"),),
    "before": (("end", "<", "start"),),
    "disjoint": (("end", "<", "start"), ("start", ">", "end")),
    "intersects": (("start", "<=", "end"), ("end", ">=", "start")),
    "equals": (("start", "=", "start"), ("end", "=", "end")),
    "contains": (("start", "<", "start"), ("end", ">", "end")),
    "during": (("start", ">", "start"), ("end", "<", "end")),
    "finishedby": (("start", "<", "start"), ("end", "=", "end")),
    "finishes": (("start", ">", "start"), ("end", "=", "end")),
    "meets": (("end", "=", "start"),),
    "metby": (("start", "=", "end"),),
    "overlaps": (("start", "<", "start"), ("end", ">", "start"), ("end", "<", "end")),
    "overlappedby": (("start", ">", "start"), ("start", "<", "end"), ("end", ">", "end")),
    "startedby": (("start", "=", "start"), ("end", ">", "end")),
    "starts": (("start", "=", "start"), ("end", "<", "end")),
}


_EARLIEST, _LATEST = "", "~"
"""Texts that sort before and after every date and instant."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """An end of an interval that a property names: where a feature has no value there, it is open."""

    property: Property
    if_open: str


_End = Property | Instant | float | _Bound


@dataclass(frozen=True, slots=True)
class SqlFilter:
    """A condition to put after WHERE, its parameters in order, and a box for the spatial index.

    `bounding_box` is in the storage CRS; every match intersects it, so the store may ask its R-tree first.
    None means that nothing is known about where matches lie.
    """

    text: str
    parameters: tuple[Any, ...]
    bounding_box: Box | None


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of SQL and the parameters of its placeholders, in order."""

    text: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Compiler(ABC):
    """What a dialect needs to know: the column of each queryable, and which of them hold datetimes."""

    columns: Mapping[str, str]
    datetimes: frozenset[str]
    timezone: tzinfo
    transform: Transform | None
    srid: int
    json: Mapping[str, str] = field(default_factory=dict)
    """The columns of JSON texts by what a name into them begins with ("psets", "attributes")."""

    numbers: frozenset[str] = frozenset()
    """The properties that are doubles."""

    wholes: frozenset[str] = frozenset()
    """Those that are whole numbers of 64 bits, of which a double holds those up to 2^53 exactly."""

    placeholder: ClassVar[str]

    @abstractmethod
    def like(self, value: Fragment, pattern: Scalar) -> Fragment: ...

    @abstractmethod
    def call(self, node: FunctionCall) -> Fragment: ...

    @abstractmethod
    def arithmetic(self, node: Arithmetic) -> Fragment:
        """Return a value computed in doubles; NULL where it has none: beyond the largest, or a division by 0."""

    @abstractmethod
    def json_value(self, node: JsonValue) -> Fragment:
        """Return a value out of a column of JSON, NULL where it is of another kind, not there or JSON's null."""

    @abstractmethod
    def spatial(self, operator: str, column: Fragment, geometry: BaseGeometry) -> Fragment: ...

    @abstractmethod
    def within_distance(self, column: Fragment, geometry: BaseGeometry, distance: float) -> Fragment: ...

    def instant(self, value: date | datetime) -> str:
        """Return the parameter that compares with a column of dates or of datetimes: both stores keep them as texts."""
        return as_text(value)

    def column(self, name: str) -> Fragment:
        return Fragment(self.columns[name])

    def bind(self, value: Any) -> Fragment:
        return Fragment(self.placeholder, (value,))

    def condition(self, node: Expression) -> Fragment:
        """Return the SQL of a predicate, in brackets where it needs them."""
        match node:
            case Boolean():
                return truth(node.value)
            case Logical():
                return joined(f" {node.operator.upper()} ", [self.condition(argument) for argument in node.arguments])
            case Not():
                return filled("(NOT {})", self.condition(node.argument))
            case Comparison():
                return self.compare(node.operator, node.left, node.right)
            case Between():
                return self.between(node)
            case In():
                return self._in(node)
            case Like():
                return self.like(self.scalar(node.value), node.pattern)
            case IsNull():
                return filled("({} IS NULL)", self.scalar(node.value))
            case Spatial():
                shape = to_storage(node.geometry.shape, self.transform)
                column = self.column(node.property.name)
                if node.operator == "dwithin":
                    return self.within_distance(column, shape, node.distance)
                return self.spatial(node.operator, column, shape)
            case Temporal():
                return self._temporal(node)

    def scalar(self, node: Scalar) -> Fragment:
        match node:
            case Property():
                return self.column(node.name)
            case JsonValue():
                return self.json_value(node)
            case Constant():
                return self.bind(node.value)
            case Instant():
                return self.bind(self.instant(node.value))
            case FunctionCall():
                return self.call(node)
            case Arithmetic():
                return self.arithmetic(node)

    def operands(self, *nodes: Scalar) -> list[Fragment]:
        """Return the operands of one comparison."""
        return list(map(self.scalar, nodes))

    def is_double(self, node: Scalar) -> bool:
        """Say whether a value is a double: what it is compared with is made one, too."""
        match node:
            case Constant():
                return isinstance(node.value, float)
            case Property():
                return node.name in self.numbers
        return isinstance(node, Arithmetic)

    def is_tame(self, node: Arithmetic) -> bool:
        """Say whether no value of an operation can leave the range of doubles: a whole property and a moderate constant."""
        match node:
            case Arithmetic(_, Property(name), Constant(int() | float() as value)):
                return name in self.wholes and 1 <= abs(value) < _MODERATE
            case Arithmetic("+" | "-" | "*", Constant(int() | float() as value), Property(name)):
                return name in self.wholes and 1 <= abs(value) < _MODERATE
        return False

    def compare(self, operator: str, left: Scalar, right: Scalar) -> Fragment:
        """Return a comparison. Dates and datetimes meet at the coarser granularity: the local day."""
        if isinstance(left, Instant) and isinstance(right, Instant):
            return truth(_compared(operator, left, right, self.timezone))
        if isinstance(left, Instant):
            left, right, operator = right, left, FLIPPED[operator]
        if isinstance(right, Instant):
            is_datetime = isinstance(left, Property) and left.name in self.datetimes
            return self._compare_instant(operator, self.scalar(left), right, is_datetime=is_datetime)
        return filled(f"({{}} {operator} {{}})", *self.operands(left, right))

    def _compare_instant(self, operator: str, column: Fragment, right: Instant, *, is_datetime: bool) -> Fragment:
        if not is_datetime:
            day = self.bind(self.instant(local_day(right, self.timezone)))
            return filled(f"({{}} {operator} {{}})", column, day)
        if isinstance(right.value, datetime):
            return filled(f"({{}} {operator} {{}})", column, self.scalar(right))
        first, following = (self.bind(self.instant(bound)) for bound in day_bounds(right.value, self.timezone))
        match operator:
            case "=":
                return filled("({} >= {} AND {} < {})", column, first, column, following)
            case "<>":
                return filled("({} < {} OR {} >= {})", column, first, column, following)
            case "<" | ">=":
                return filled(f"({{}} {operator} {{}})", column, first)
        return filled(f"({{}} {'<' if operator == '<=' else '>='} {{}})", column, following)

    def between(self, node: Between) -> Fragment:
        if any(isinstance(part, Instant) for part in (node.value, node.lower, node.upper)):
            ends = (self.compare(">=", node.value, node.lower), self.compare("<=", node.value, node.upper))
            return filled("({} AND {})", *ends)
        return filled("({} BETWEEN {} AND {})", *self.operands(node.value, node.lower, node.upper))

    def _in(self, node: In) -> Fragment:
        are_instants = any(isinstance(part, Instant) for part in (node.value, *node.items))
        if are_instants or self._is_mixed(node):
            return joined(" OR ", [self.compare("=", node.value, item) for item in node.items])
        places = ", ".join("{}" for _ in node.items)
        return filled(f"({{}} IN ({places}))", *self.operands(node.value, *node.items))

    def _is_mixed(self, node: In) -> bool:
        """Say whether values of a list are compared one by one: a double among whole numbers makes no double of the others."""
        is_plain = self.is_double(node.value) and all(isinstance(item, Constant) for item in node.items)
        return not is_plain and any(map(self.is_double, (node.value, *node.items)))

    def _temporal(self, node: Temporal) -> Fragment:
        rules = TEMPORAL[node.operator]
        conditions = [
            self._compare_ends(_end(node.left, left), op, _end(node.right, right)) for left, op, right in rules
        ]
        return joined(" OR " if node.operator == "disjoint" else " AND ", conditions)

    def _compare_ends(self, left: _End, operator: str, right: _End) -> Fragment:
        """Compare two ends of intervals, of which an open one is infinite."""
        if isinstance(left, _Bound):
            return self._compare_bound(left, operator, right)
        if isinstance(right, _Bound):
            return self._compare_bound(right, FLIPPED[operator], left)
        if not isinstance(left, float) and not isinstance(right, float):
            return self.compare(operator, left, right)
        number = left if isinstance(left, float) else 0.0
        two = right if isinstance(right, float) else 0.0
        result = _ordered(operator, number, two)
        known = right if isinstance(left, float) else left
        if isinstance(known, Property):
            # Not simply true or false: of a feature without a date it is unknown, and a column tells by
            # itself.
            column = self.column(known.name)
            return filled("({} = {})" if result else "({} <> {})", column, column)
        return truth(result)

    def _compare_bound(self, bound: _Bound, operator: str, other: _End) -> Fragment:
        """Compare an end that is a property; a feature that has none there has an interval that is open at that end."""
        column = self._coalesced(bound)
        match other:
            case Instant():
                is_datetime = bound.property.name in self.datetimes
                return self._compare_instant(operator, column, other, is_datetime=is_datetime)
            case _Bound():
                return filled(f"({{}} {operator} {{}})", column, self._coalesced(other))
            case Property():
                return filled(f"({{}} {operator} {{}})", column, self.column(other.name))
        return filled(f"({{}} {operator} {{}})", column, self.bind(_LATEST if other > 0 else _EARLIEST))

    def _coalesced(self, bound: _Bound) -> Fragment:
        return filled("coalesce({}, {})", self.column(bound.property.name), self.bind(bound.if_open))


def truth(value: bool) -> Fragment:
    return Fragment("(1 = 1)" if value else "(1 = 0)")


def filled(template: str, *fragments: Fragment) -> Fragment:
    """Return `template` with `{}` replaced by the fragments, and their parameters in that order."""
    text = template.format(*(fragment.text for fragment in fragments))
    return Fragment(text, tuple(value for fragment in fragments for value in fragment.parameters))


def joined(operator: str, fragments: Sequence[Fragment]) -> Fragment:
    """Return the fragments joined by AND or OR, in brackets; long rows are grouped to stay shallow."""
    if len(fragments) == 1:
        return fragments[0]
    while len(fragments) > TERMS_IN_A_ROW:
        starts = range(0, len(fragments), TERMS_IN_A_ROW)
        fragments = [joined(operator, fragments[start : start + TERMS_IN_A_ROW]) for start in starts]
    parameters = tuple(value for fragment in fragments for value in fragment.parameters)
    return Fragment(f"({operator.join(fragment.text for fragment in fragments)})", parameters)


def _end(side: Property | Instant | IntervalLiteral, which: str) -> _End:
    if not isinstance(side, IntervalLiteral):
        return side
    end, if_open = (side.start, _EARLIEST) if which == "start" else (side.end, _LATEST)
    if isinstance(end, Property):
        return _Bound(end, if_open)
    return end or float("-inf" if which == "start" else "inf")


def _compared(operator: str, left: Instant, right: Instant, timezone: tzinfo) -> bool:
    if isinstance(left.value, datetime) and isinstance(right.value, datetime):
        return _ordered(operator, left.value.astimezone(UTC), right.value.astimezone(UTC))
    return _ordered(operator, local_day(left, timezone), local_day(right, timezone))


def _ordered(operator: str, left: Any, right: Any) -> bool:
    outcomes = {"=": left == right, "<>": left != right, "<": left < right, ">": left > right}
    outcomes |= {"<=": left <= right, ">=": left >= right}
    return bool(outcomes[operator])
