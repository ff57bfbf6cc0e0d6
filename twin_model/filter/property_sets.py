"""`psets.<set>.<property>` and `attributes.<name>` in a filter: a value out of what a feature carries as JSON.

    psets.Pset_WallCommon.FireRating = '2h'
    "psets.Qto_WallBaseQuantities.Net Area" > 12       # in double quotes where it is more than letters, digits and _
    attributes.OWNER = 'Li' AND "attributes.产权人 (2020)" IS NOT NULL

Property sets and attributes hold texts, numbers and truth values as their sources had them; what a value is compared with says which of
the three is meant, and a value of another kind matches nothing, as one that is not there.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from twin_model.filter.checking import KINDS, FieldType
from twin_model.filter.errors import TypeMismatch, UnknownProperty, shown
from twin_model.filter.expression import (
    Arithmetic,
    Between,
    Comparison,
    Constant,
    Expression,
    FunctionCall,
    In,
    Instant,
    IntervalLiteral,
    IsNull,
    JsonKind,
    JsonValue,
    Like,
    Logical,
    Not,
    Property,
    Scalar,
    Temporal,
)
from twin_model.layer import ATTRIBUTES

__all__ = ["PREFIX", "PREFIXES", "with_property_sets"]

PREFIX = "psets"
PREFIXES = (PREFIX, ATTRIBUTES)
"""With these a name begins that reaches into a column of JSON."""

_KINDS: Mapping[str, JsonKind] = {"text": "text", "number": "number", "boolean": "boolean"}


def with_property_sets(
    expression: Expression, queryables: Mapping[str, FieldType], prefixes: Collection[str] = PREFIXES
) -> Expression:
    """Return a filter in which names of properties in sets, and of attributes, are values of the kind they are compared with.

    `prefixes` are those of the columns that there are. Raises `UnknownProperty` for a name of another shape than
    `psets.<set>.<property>`, `TypeMismatch` where nothing says the kind (two such values side by side) or where it is a time.
    """
    return _Kinds(queryables, prefixes).of(expression)


class _Kinds:
    def __init__(self, queryables: Mapping[str, FieldType], prefixes: Collection[str]) -> None:
        self._queryables, self._prefixes = queryables, prefixes

    def of(self, node: Expression) -> Expression:
        match node:
            case Logical():
                return replace(node, arguments=tuple(map(self.of, node.arguments)))
            case Not():
                return Not(self.of(node.argument))
            case Comparison():
                left, right = self._alike(node.operator, node.left, node.right)
                return Comparison(node.operator, left, right)
            case Between():
                return Between(*self._alike("BETWEEN", node.value, node.lower, node.upper))
            case In():
                value, *items = self._alike("IN", node.value, *node.items)
                return In(value, tuple(items))
            case Like():
                return Like(self._meant(node.value, "text"), node.pattern)
            case IsNull():
                return IsNull(self._meant(node.value, "any"))
            case Temporal():
                self._ensure_no_times(node)
        return node

    def _alike(self, operator: str, *operands: Scalar) -> list[Scalar]:
        """Return operands of one operator, in which the first that has a kind by itself gives it to all."""
        if not any(self._is_one(each) for each in operands):
            return [self._meant(each, "text") for each in operands]
        kind = next((kind for each in operands if (kind := self._kind(each))), None)
        if kind is None:
            hint = "compare a value of a property set with a text, a number, TRUE or FALSE, an attribute likewise"
            raise TypeMismatch(
                operator=operator, found="two property sets or attributes", expected="one type", hint=hint
            )
        return [self._meant(each, kind) for each in operands]

    def _kind(self, node: Scalar) -> JsonKind | None:
        match node:
            case Constant(bool()):
                return "boolean"
            case Constant(int() | float()) | Arithmetic():
                return "number"
            case Property(name) if not self._is_one(node):
                kind = self._queryables.get(name)
                return _KINDS.get(KINDS[kind], "text") if kind else "text"
            case Constant() | FunctionCall() | Instant():
                return "text"
        return None

    def _meant(self, node: Scalar, kind: JsonKind) -> Scalar:
        match node:
            case Property(name) if self._is_one(node):
                return JsonValue(*_split(name), kind)
            case FunctionCall():
                return FunctionCall(node.function, self._meant(node.argument, "text"))
            case Arithmetic():
                return Arithmetic(node.operator, self._meant(node.left, "number"), self._meant(node.right, "number"))
        return node

    def _is_one(self, node: object) -> bool:
        """Say whether a node is a property of a set, or an attribute; a field of the layer that is called so comes first."""
        return (
            isinstance(node, Property)
            and node.name not in self._queryables
            and node.name.split(".")[0] in self._prefixes
        )

    def _ensure_no_times(self, node: Temporal) -> None:
        sides = (node.left, node.right)
        ends = [end for side in sides if isinstance(side, IntervalLiteral) for end in (side.start, side.end)]
        if any(self._is_one(each) for each in (*sides, *ends)):
            hint = "T_ operators compare dates and timestamps"
            raise TypeMismatch(operator=f"T_{node.operator.upper()}", found="text", expected="date", hint=hint)


def _split(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the column and the path in it: all behind `attributes.` is one name, and all behind `psets.<set>.`."""
    column, *path = name.split(".", 2 if name.split(".")[0] == PREFIX else 1)
    if len(path) != (2 if column == PREFIX else 1) or not all(path):
        raise UnknownProperty("psets.name" if column == PREFIX else "attributes.name", name=shown(name))
    return column, tuple(path)
