"""The PostGIS dialect: `%s` placeholders as psycopg reads them, and functions of `postgis_functions` beside `ST_`'s.

It answers as the SQLite dialect does, with two exceptions: a sum, product or quotient beyond the largest double is an
error here (SQLSTATE 22003), infinite there; and of an invalid geometry each asks its own version of GEOS.
"""

from collections.abc import Mapping
from typing import ClassVar

import shapely
from shapely.geometry.base import BaseGeometry

from twin_model.filter.expression import Constant, FunctionCall, JsonKind, JsonValue, Scalar
from twin_model.filter.folding import folded, pattern_text
from twin_model.filter.like_pattern import to_like
from twin_model.filter.sql import Compiler, Fragment, filled

__all__ = ["PostgisCompiler"]

# Numbers are compared and computed as doubles, as in SQLite; a divisor of 0 gives NULL instead of an error.
ARITHMETIC = {
    "/": "({} / NULLIF({}, 0))",
    "div": "trunc({} / NULLIF({}, 0))",
    "%": "twin_modulo({}, {})",
    "^": "twin_power({}, {})",
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
            return Fragment("%s::double precision" if abs(value) < 2**53 else "%s::numeric", (value,))
        return Fragment('(%s::text COLLATE "C")', (value,))

    def like(self, value: Fragment, pattern: Scalar) -> Fragment:
        return filled("({} LIKE {})", value, self.bind(to_like(pattern_text(pattern))))

    def call(self, node: FunctionCall) -> Fragment:
        if isinstance(node.argument, Constant):
            return self.bind(folded(node.function, str(node.argument.value)))
        return filled(FOLDING[node.function], self.scalar(node.argument))

    def arithmetic(self, operator: str, left: Fragment, right: Fragment) -> Fragment:
        left, right = (filled("({})::double precision", side) for side in (left, right))
        return filled(ARITHMETIC.get(operator, f"({{}} {operator} {{}})"), left, right)

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
