"""The PostGIS dialect: `%s` placeholders as psycopg reads them, native dates, `ST_` predicates."""

from datetime import date, datetime
from typing import ClassVar

import shapely
from shapely.geometry.base import BaseGeometry

from twin_model.filter.expression import Call, Constant, Scalar
from twin_model.filter.like_pattern import to_like
from twin_model.filter.sql import Compiler, Fragment, filled

__all__ = ["PostgisCompiler"]

PREDICATES = {
    "intersects": "ST_Intersects",
    "disjoint": "ST_Disjoint",
    "within": "ST_Within",
    "contains": "ST_Contains",
    "touches": "ST_Touches",
    "crosses": "ST_Crosses",
    "overlaps": "ST_Overlaps",
    "equals": "ST_Equals",
}
# Numbers are compared and computed as doubles, as in SQLite; a divisor of 0 gives NULL instead of an error.
# The operands of a power are named once in a subquery, because each may be a long expression with parameters.
ARITHMETIC = {
    "/": "({} / NULLIF({}, 0))",
    "div": "trunc({} / NULLIF({}, 0))",
    "%": "mod(({})::numeric, NULLIF({}, 0)::numeric)::double precision",
    "^": "(SELECT CASE WHEN b = 0 AND e < 0 OR b < 0 AND e <> trunc(e) THEN NULL ELSE power(b, e) END"
    " FROM (VALUES ({}, {})) AS operands (b, e))",
}
ACCENTS = "normalize(regexp_replace(normalize({}, NFD), '[\\u0300-\\u036f]', '', 'g'), NFC)"


class PostgisCompiler(Compiler):
    """Conditions for psycopg. Columns: text, numbers, boolean, date, timestamptz, geometry."""

    placeholder: ClassVar[str] = "%s"

    def column(self, name: str) -> Fragment:
        # psycopg reads a lone % as the beginning of a placeholder.
        return Fragment(self.columns[name].replace("%", "%%"))

    def bind(self, value: object) -> Fragment:
        """Return a placeholder that says its type: PostgreSQL cannot guess that of `%s = %s`."""
        if isinstance(value, bool):
            return Fragment("%s::boolean", (value,))
        if isinstance(value, int | float):
            return Fragment("%s::double precision" if abs(value) <= 2**53 else "%s::numeric", (value,))
        if isinstance(value, str):
            return Fragment("%s::text", (value,))
        return Fragment("%s", (value,))

    def like(self, value: Fragment, pattern: Scalar) -> Fragment:
        return filled("({} LIKE {})", value, self._pattern(pattern))

    def _pattern(self, pattern: Scalar) -> Fragment:
        if isinstance(pattern, Call):
            return self._function(pattern.function, self._pattern(pattern.argument))
        assert isinstance(pattern, Constant)  # the reader of LIKE admits nothing else
        return self.bind(to_like(str(pattern.value)))

    def call(self, node: Call) -> Fragment:
        return self._function(node.function, self.scalar(node.argument))

    def _function(self, name: str, argument: Fragment) -> Fragment:
        return filled("lower({})" if name == "casei" else ACCENTS, argument)

    def arithmetic(self, operator: str, left: Fragment, right: Fragment) -> Fragment:
        left, right = (filled("({})::double precision", one) for one in (left, right))
        return filled(ARITHMETIC.get(operator, f"({{}} {operator} {{}})"), left, right)

    def spatial(self, operator: str, column: Fragment, geometry: BaseGeometry) -> Fragment:
        literal = Fragment("ST_GeomFromWKB(%s, %s)", (shapely.to_wkb(geometry), self.srid))
        return filled(f"{PREDICATES[operator]}({{}}, {{}})", column, literal)

    def instant(self, value: date | datetime) -> date | datetime:
        return value
