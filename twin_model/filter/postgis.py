"""The PostGIS dialect: `%s` placeholders as psycopg reads them, and functions of `postgis_functions` beside `ST_`'s.

It answers as the SQLite dialect does, with one exception: of an invalid geometry each asks its own version of GEOS.
"""

from collections.abc import Mapping
from typing import ClassVar

import shapely
from shapely.geometry.base import BaseGeometry

from twin_model.filter.expression import Arithmetic, Constant, FunctionCall, JsonKind, JsonValue, Scalar
from twin_model.filter.folding import folded, pattern_text
from twin_model.filter.like_pattern import to_like
from twin_model.filter.sql import EXACT, Compiler, Fragment, filled

__all__ = ["PostgisCompiler"]

# Numbers are compared and computed as doubles, as in SQLite; a divisor of 0 gives NULL instead of an error.
ARITHMETIC = {
    "/": "({} / NULLIF({}, 0))",
    "div": "trunc({} / NULLIF({}, 0))",
    "%": "twin_modulo({}, {})",
    "^": "twin_power({}, {})",
}
# PostgreSQL refuses what is too large or too small for a double; these answer NULL and 0.
GUARDED = ARITHMETIC | {
    "+": "twin_sum({}, {})",
    "-": "twin_sum({}, -{})",
    "*": "twin_product({}, {})",
    "/": "twin_quotient({}, {})",
    "div": "trunc(twin_quotient({}, {}))",
}
FOLDING = {
    "casei": "twin_casefold({})",
    "accenti": "normalize(regexp_replace(normalize({}, NFD), '[\\u0300-\\u036f]', '', 'g'), NFC)",
}
_JSON_VALUE: Mapping[JsonKind, str] = {
    "text": "(CASE json_typeof({}) WHEN 'string' THEN {} END COLLATE \"C\")",
    "number": "(CASE json_typeof({}) WHEN 'number' THEN {}::numeric END)",
    "boolean": "(CASE json_typeof({}) WHEN 'boolean' THEN {}::boolean END)",
}


class PostgisCompiler(Compiler):
    """Conditions for psycopg. Columns: text COLLATE "C" (dates too, in ISO form), numbers, boolean, geometry."""

    placeholder: ClassVar[str] = "%s"

    def column(self, name: str) -> Fragment:
        # psycopg reads a lone % as the beginning of a placeholder.
        return Fragment(self.columns[name].replace("%", "%%"))

    def bind(self, value: object) -> Fragment:
        """Return a placeholder that says its type: PostgreSQL cannot guess that of `%s = %s`.

        Texts compare by code point, whatever order the database prefers.
        """
        if isinstance(value, bool):
            return Fragment("%s::boolean", (value,))
        if isinstance(value, int | float):
            is_exact = isinstance(value, int) and abs(value) >= EXACT
            return Fragment("%s::numeric" if is_exact else "%s::double precision", (value,))
        return Fragment('(%s::text COLLATE "C")', (value,))

    def like(self, value: Fragment, pattern: Scalar) -> Fragment:
        return filled("({} LIKE {})", value, self.bind(to_like(pattern_text(pattern))))

    def call(self, node: FunctionCall) -> Fragment:
        if isinstance(node.argument, Constant):
            return self.bind(folded(node.function, str(node.argument.value)))
        return filled(FOLDING[node.function], self.scalar(node.argument))

    def arithmetic(self, node: Arithmetic) -> Fragment:
        left, right = (filled("({})::double precision", self.scalar(side)) for side in (node.left, node.right))
        if not self.is_tame(node):
            return filled(GUARDED[node.operator], left, right)
        return filled(ARITHMETIC.get(node.operator, f"({{}} {node.operator} {{}})"), left, right)

    def operands(self, *nodes: Scalar) -> list[Fragment]:
        """Return the operands of a comparison; beside a whole number that no double holds, all whole numbers are exact."""
        values = [node.value for node in nodes if isinstance(node, Constant) and not isinstance(node.value, bool)]
        has_exact = any(isinstance(value, int) and abs(value) >= EXACT for value in values)
        if not has_exact or any(map(self.is_double, nodes)):
            return super().operands(*nodes)
        return [
            Fragment("%s::numeric", (node.value,)) if isinstance(node, Constant) else self.scalar(node)
            for node in nodes
        ]

    def json_value(self, node: JsonValue) -> Fragment:
        column = Fragment(self.json[node.column].replace("%", "%%"))
        path = [Fragment("%s::text", (each,)) for each in node.path]
        names = ", ".join(["{}"] * len(path))
        text = filled(f"json_extract_path_text({{}}::json, {names})", column, *path)
        if node.kind == "any":
            return text
        return filled(_JSON_VALUE[node.kind], filled(f"json_extract_path({{}}::json, {names})", column, *path), text)

    def spatial(self, operator: str, column: Fragment, geometry: BaseGeometry) -> Fragment:
        return filled(f"twin_{operator}({{}}, {{}})", column, self._literal(geometry))

    def within_distance(self, column: Fragment, geometry: BaseGeometry, distance: float) -> Fragment:
        return filled("ST_DWithin({}, {}, {})", column, self._literal(geometry), self.bind(distance))

    def _literal(self, geometry: BaseGeometry) -> Fragment:
        return Fragment("ST_GeomFromWKB(%s, %s)", (shapely.to_wkb(geometry), self.srid))
