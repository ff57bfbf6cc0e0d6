"""Does a filter fit a layer? Names against its queryables, operand against operand."""

from collections.abc import Mapping
from typing import Literal

from twin_model.filter.errors import TypeMismatch, UnknownProperty, nearest_names, shown
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

__all__ = ["FieldType", "check_names", "ensure_known"]

FieldType = Literal["string", "integer", "number", "boolean", "date", "datetime", "geometry"]
# "instant" is a literal: it is compared with dates and datetimes alike, at the coarser granularity.
Kind = Literal["text", "number", "boolean", "date", "datetime", "instant", "geometry"]
KINDS: Mapping[FieldType, Kind] = {
    "string": "text",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "geometry": "geometry",
}
HINTS: Mapping[frozenset[str], str] = {
    frozenset({"number", "text"}): "write numbers without quotes, texts in single quotes",
    frozenset({"boolean", "text"}): "write TRUE or FALSE without quotes",
    frozenset({"boolean", "number"}): "write TRUE or FALSE",
    frozenset({"date", "text"}): "write DATE('2024-06-01')",
    frozenset({"datetime", "text"}): "write TIMESTAMP('2024-06-01T00:00:00Z') or DATE('2024-06-01')",
    frozenset({"date", "number"}): "write DATE('2024-06-01')",
    frozenset({"datetime", "number"}): "write TIMESTAMP('2024-06-01T00:00:00Z') or DATE('2024-06-01')",
    frozenset({"date", "datetime"}): "compare dates with dates; a literal may be either",
}
SPATIAL_HINT = "compare geometries with S_INTERSECTS and the other S_ operators"


def check_names(expression: Expression, queryables: Mapping[str, FieldType]) -> None:
    """Pass when every name is a queryable and every operand has the type its operator needs.

    Raises `UnknownProperty` with the nearest names, or `TypeMismatch` with a hint.
    """
    _Checker(queryables).check(expression)


def ensure_known(name: str, names: Mapping[str, object]) -> None:
    """Raise `UnknownProperty` unless `name` is among `names`."""
    if name not in names:
        raise UnknownProperty(name=shown(name), nearest=nearest_names(name, names), queryables=len(names))


class _Checker:
    def __init__(self, queryables: Mapping[str, FieldType]) -> None:
        self.queryables = queryables

    def check(self, node: Expression) -> None:
        match node:
            case Logical():
                for argument in node.arguments:
                    self.check(argument)
            case Not():
                self.check(node.argument)
            case Comparison():
                self._compare(node)
            case Between():
                self._alike("BETWEEN", node.value, node.lower, node.upper)
                self._ordered("BETWEEN", node.value)
            case In():
                self._alike("IN", node.value, *node.items)
            case Like():
                self._need("LIKE", node.value, "text")
                self._need("LIKE", node.pattern, "text")
            case IsNull():
                self._kind(node.value)
            case Spatial():
                self._need_geometry(node)
            case Temporal():
                self._temporal(node)
            case Boolean():
                pass

    def _kind(self, node: Scalar) -> Kind:
        match node:
            case Property():
                ensure_known(node.name, self.queryables)
                return KINDS[self.queryables[node.name]]
            case JsonValue():
                return "text" if node.kind == "any" else node.kind
            case Constant():
                return _constant_kind(node)
            case Instant():
                return "instant"
            case FunctionCall():
                self._need(node.function.upper(), node.argument, "text")
                return "text"
            case Arithmetic():
                self._need(node.operator, node.left, "number")
                self._need(node.operator, node.right, "number")
                return "number"

    def _compare(self, node: Comparison) -> None:
        self._alike(node.operator, node.left, node.right)
        if node.operator not in ("=", "<>"):
            self._ordered(node.operator, node.left)

    def _alike(self, operator: str, first: Scalar, *others: Scalar) -> None:
        kind = self._kind(first)
        for other in others:
            found = self._kind(other)
            if "geometry" in (kind, found):
                raise TypeMismatch(operator=operator, found="geometry", expected="a value", hint=SPATIAL_HINT)
            if not _comparable(kind, found):
                hint = HINTS.get(frozenset({kind, found}), "compare values of one type")
                both = f"{kind} and {found}"
                raise TypeMismatch(operator=operator, found=both, expected="one type", hint=hint)

    def _ordered(self, operator: str, node: Scalar) -> None:
        if self._kind(node) == "boolean":
            expected = "number, text or date"
            raise TypeMismatch(operator=operator, found="boolean", expected=expected, hint="use = or <>")

    def _need(self, operator: str, node: Scalar, kind: Kind) -> None:
        found = self._kind(node)
        if found != kind:
            hint = HINTS.get(frozenset({kind, found}), f"{operator} works on {kind} only")
            raise TypeMismatch(operator=operator, found=found, expected=kind, hint=hint)

    def _need_geometry(self, node: Spatial) -> None:
        found = self._kind(node.property)
        if found != "geometry":
            names = [name for name, kind in self.queryables.items() if kind == "geometry"]
            hint = f"the geometry is called {', '.join(names)}" if names else "this layer has no geometry"
            operator = f"S_{node.operator.upper()}"
            raise TypeMismatch(operator=operator, found=found, expected="geometry", hint=hint)

    def _temporal(self, node: Temporal) -> None:
        operator = f"T_{node.operator.upper()}"
        kinds = {self._kind(bound) for side in (node.left, node.right) for bound in _bounds(side)}
        strange = ", ".join(sorted(kinds - {"date", "datetime", "instant"}))
        if strange:
            hint = "T_ operators compare dates and timestamps"
            raise TypeMismatch(operator=operator, found=strange, expected="date", hint=hint)
        if {"date", "datetime"} <= kinds:
            hint = HINTS[frozenset({"date", "datetime"})]
            raise TypeMismatch(operator=operator, found="date and datetime", expected="one type", hint=hint)


def _bounds(side: Property | Instant | IntervalLiteral) -> list[Property | Instant]:
    ends = (side.start, side.end) if isinstance(side, IntervalLiteral) else (side,)
    return [end for end in ends if end is not None]


def _constant_kind(node: Constant) -> Kind:
    if isinstance(node.value, bool):
        return "boolean"
    return "text" if isinstance(node.value, str) else "number"


def _comparable(one: Kind, other: Kind) -> bool:
    return one == other or {one, other} in ({"date", "instant"}, {"datetime", "instant"})
