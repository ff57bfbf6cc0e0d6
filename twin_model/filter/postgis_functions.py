"""The SQL functions that filters compiled for PostGIS call; `create_functions` makes them in a town's schema.

What they answer is what SQLite's functions of the same names do (`sqlite.register_functions`): full case folding, a
remainder and a power that are unknown where they have no value, spatial predicates that mend an invalid geometry
where GEOS insists.
"""

import sys
from collections.abc import Iterator
from functools import cache

__all__ = ["NEWEST", "create_functions"]

NEWEST = "twin_quotient"
"""The function that was added last: a schema without it is given all of them."""

_PREDICATES = ("Intersects", "Disjoint", "Within", "Contains", "Touches", "Crosses", "Overlaps", "Equals")
_NEAR = 8
"""Code points that fold and lie this close are searched for as one range."""

# fmod by shifting and subtracting: every step is exact, so the remainder is that of C's fmod.
_MODULO = """CREATE OR REPLACE FUNCTION twin_modulo(a double precision, b double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE x double precision := abs(a); y double precision := abs(b); t double precision := abs(b);
BEGIN
  IF y = 0 OR x = 'Infinity' OR x = 'NaN' OR y = 'NaN' THEN RETURN NULL; END IF;
  IF x >= y THEN
    WHILE t <= x - t LOOP t := t * 2; END LOOP;
    LOOP
      IF t <= x THEN x := x - t; END IF;
      EXIT WHEN t = y;
      t := t / 2;
    END LOOP;
  END IF;
  RETURN CASE WHEN a < 0 THEN -x ELSE x END;
END $$"""

_POWER = """CREATE OR REPLACE FUNCTION twin_power(b double precision, e double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  IF b = 0 AND e < 0 OR b < 0 AND e <> trunc(e) THEN RETURN NULL; END IF;
  RETURN power(b, e);
EXCEPTION WHEN numeric_value_out_of_range THEN
  RETURN CASE WHEN (abs(b) > 1) = (e > 0) THEN NULL ELSE 0 END;
END $$"""

# Most values are far from both ends: the block that catches, which costs a subtransaction, is entered for others only.
_GUARDED = """CREATE OR REPLACE FUNCTION twin_{name}(a double precision, b double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  IF {moderate} THEN RETURN a {operator} b; END IF;
  BEGIN
    RETURN a {operator} b;
  EXCEPTION WHEN numeric_value_out_of_range THEN
    RETURN {beyond};
  END;
END $$"""
_MODERATE = "abs(a) BETWEEN 1e-100 AND 1e100 AND abs(b) BETWEEN 1e-100 AND 1e100"
_SUM = _GUARDED.format(name="sum", operator="+", moderate="abs(a) < 1e300 AND abs(b) < 1e300", beyond="NULL")
_PRODUCT = _GUARDED.format(
    name="product",
    operator="*",
    moderate=_MODERATE,
    beyond="CASE WHEN ln(abs(a)) + ln(abs(b)) > 0 THEN NULL ELSE 0 END",
)
_QUOTIENT = _GUARDED.format(
    name="quotient", operator="/", moderate=_MODERATE, beyond="CASE WHEN ln(abs(a)) > ln(abs(b)) THEN NULL ELSE 0 END"
).replace("BEGIN", "BEGIN IF b = 0 THEN RETURN NULL; END IF;", 1)

_PREDICATE = """CREATE OR REPLACE FUNCTION twin_{name}(a geometry, b geometry) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT COST 500 AS $$
BEGIN
  RETURN ST_{predicate}(a, b);
EXCEPTION WHEN internal_error THEN
  RETURN ST_{predicate}(ST_MakeValid(a), ST_MakeValid(b));
END $$"""

# Most texts hold nothing beyond ASCII that folds: they take the short way.
_CASEFOLD = """CREATE OR REPLACE FUNCTION twin_casefold(t text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT CASE WHEN t COLLATE "C" ~ '[{ranges}]' THEN {whole} ELSE lower(t COLLATE "C") END $$"""


def create_functions() -> Iterator[str]:
    """Yield the statements that make the functions in the first schema of the search path."""
    yield _MODULO
    yield from (_POWER, _SUM, _PRODUCT, _QUOTIENT)
    for predicate in _PREDICATES:
        yield _PREDICATE.format(name=predicate.lower(), predicate=predicate)
    yield _casefold()


@cache
def _casefold() -> str:
    """Return the statement of `twin_casefold`, made of this Python's own table of case foldings."""
    letters = map(chr, range(0x80, sys.maxunicode + 1))
    folds = {letter: letter.casefold() for letter in letters if letter != letter.casefold()}
    single = {letter: other for letter, other in folds.items() if len(other) == 1}
    whole = f"translate(lower(t COLLATE \"C\"), '{''.join(single)}', '{''.join(single.values())}')"
    for letter, several in folds.items():
        if len(several) > 1:
            whole = f"replace({whole}, '{letter}', '{several}')"
    return _CASEFOLD.format(ranges="".join(_ranges([ord(letter) for letter in folds])), whole=whole)


def _ranges(points: list[int]) -> Iterator[str]:
    """Yield ranges of a character class that hold all the code points, and some of their neighbours."""
    first = last = points[0]
    for point in [*points[1:], sys.maxunicode * 2]:
        if point - last > _NEAR:
            yield f"{chr(first)}-{chr(last)}"
            first = point
        last = point
