"""The SQLite dialect: GeoPackage blobs, ISO texts for dates, and functions that `register_functions` adds."""

import math
import sqlite3
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar

import numpy as np
import orjson
import shapely
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from twin_model.byte_cache import remembering
from twin_model.filter.errors import InvalidLiteral, shown
from twin_model.filter.expression import (
    Arithmetic,
    Between,
    Constant,
    FunctionCall,
    JsonKind,
    JsonValue,
    Property,
    Scalar,
)
from twin_model.filter.folding import folded, pattern_text, without_accents
from twin_model.filter.like_pattern import to_glob
from twin_model.filter.spatial import holds
from twin_model.filter.sql import EXACT, Compiler, Fragment, filled

__all__ = ["SqliteCompiler", "prepared_literals", "register_functions"]

ENVELOPE_BYTES = (0, 32, 48, 48, 64)
HEADER_BYTES = 8
# Flags of a blob as our own store writes it: little endian, envelope minx, maxx, miny, maxy, not empty.
PLAIN_FLAGS, PLAIN_ENVELOPE = 0x03, struct.Struct("<4d")
# SQLITE_MAX_LIKE_PATTERN_LENGTH, of GLOB too.
MAX_PATTERN_BYTES = 50_000
PREPARED_LITERALS = 16
PREPARED_BYTES = 2 * 2**20
"""So much WKB is prepared at most; the index of a prepared geometry takes several times as much."""
_WHOLE = 2**63
"""SQLite's whole numbers are below it."""
ARITHMETIC = {
    "+": "twin_add",
    "-": "twin_subtract",
    "*": "twin_multiply",
    "/": "twin_divide",
    "div": "twin_divide_whole",
    "%": "twin_modulo",
    "^": "twin_power",
}


class SqliteCompiler(Compiler):
    """Conditions for a connection that has been through `register_functions`."""

    placeholder: ClassVar[str] = "?"

    def like(self, value: Fragment, pattern: Scalar) -> Fragment:
        glob = to_glob(pattern_text(pattern))
        if len(glob.encode()) > MAX_PATTERN_BYTES:
            expected = f"a pattern of at most {MAX_PATTERN_BYTES} bytes"
            raise InvalidLiteral(kind="pattern", text=shown(glob), expected=expected)
        return filled("({} GLOB {})", value, self.bind(glob))

    def call(self, node: FunctionCall) -> Fragment:
        if isinstance(node.argument, Constant):
            return self.bind(folded(node.function, str(node.argument.value)))
        function = "twin_casefold" if node.function == "casei" else "twin_unaccent"
        return filled(f"{function}({{}})", self.scalar(node.argument))

    def arithmetic(self, node: Arithmetic) -> Fragment:
        """SQLite divides and takes remainders of integers in its own way, and knows infinity: functions of ours do neither."""
        if node.operator in "+-*" and self.is_tame(node):
            return filled(f"({{}} {node.operator} {{}})", self._as_double(node.left), self._as_double(node.right))
        return filled(f"{ARITHMETIC[node.operator]}({{}}, {{}})", self.scalar(node.left), self.scalar(node.right))

    def operands(self, *nodes: Scalar) -> list[Fragment]:
        """Return the operands of a comparison; beside a double all are doubles, where that makes a difference.

        SQLite compares a whole number with a double digit by digit, PostgreSQL makes the whole number a double.
        """
        doubles = [node for node in nodes if self.is_double(node)]
        if len(nodes) == 2 and all(isinstance(node, Constant) and abs(float(node.value)) < EXACT for node in doubles):
            return super().operands(*nodes)
        return list(map(self._compared_as_double if doubles else self.scalar, nodes))

    def between(self, node: Between) -> Fragment:
        if not any(map(self.is_double, (node.value, node.lower, node.upper))):
            return super().between(node)
        return filled(
            "({} AND {})", self.compare(">=", node.value, node.lower), self.compare("<=", node.value, node.upper)
        )

    def _compared_as_double(self, node: Scalar) -> Fragment:
        is_whole = isinstance(node, Property) and node.name in self.wholes
        return filled("CAST({} AS REAL)", self.scalar(node)) if is_whole else self._as_double(node)

    def _as_double(self, node: Scalar) -> Fragment:
        """Return an operand, a constant as a double: SQLite then makes one of what it is computed with."""
        if isinstance(node, Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
            return self.bind(float(node.value))
        return self.scalar(node)

    def json_value(self, node: JsonValue) -> Fragment:
        path = self.bind(orjson.dumps(node.path).decode())
        return filled(f"twin_json('{node.kind}', {{}}, {{}})", Fragment(self.json[node.column]), path)

    def spatial(self, operator: str, column: Fragment, geometry: BaseGeometry) -> Fragment:
        return filled(f"twin_spatial('{operator}', {{}}, {{}})", column, self.bind(shapely.to_wkb(geometry)))

    def within_distance(self, column: Fragment, geometry: BaseGeometry, distance: float) -> Fragment:
        return filled("twin_dwithin({}, {}, {})", column, self.bind(shapely.to_wkb(geometry)), self.bind(distance))


def register_functions(connection: sqlite3.Connection) -> None:
    """Give `connection` the functions that compiled filters call; do so once, right after connecting.

    Each answers NULL to NULL. `twin_spatial(operator, geopackage_blob, wkb)` prepares a literal when it first
    meets it and keeps the last few. A blob that holds no readable geometry gives NULL: unknown, so no match.
    """
    literal = prepared_literals()
    for name, function, count in (
        ("twin_casefold", str.casefold, 1),
        ("twin_unaccent", without_accents, 1),
        ("twin_add", _add, 2),
        ("twin_subtract", _subtract, 2),
        ("twin_multiply", _multiply, 2),
        ("twin_divide", _divide, 2),
        ("twin_divide_whole", _divide_whole, 2),
        ("twin_modulo", _modulo, 2),
        ("twin_power", _power, 2),
        ("twin_spatial", _spatial_function(literal), 3),
        ("twin_dwithin", _distance_function(literal), 3),
        ("twin_json", _json_value, 3),
        ("twin_reaches", _reaches, 3),
    ):
        connection.create_function(name, count, _null_aware(function), deterministic=True)


def _null_aware(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let `function` answer NULL to NULL, and to what it has no value for (0 / 0, a number too large)."""

    @wraps(function)
    def answer(*arguments: Any) -> Any:
        if None in arguments:
            return None
        try:
            return function(*arguments)
        except (ArithmeticError, TypeError, ValueError):
            return None

    return answer


def _json_value(kind: JsonKind, text: str, path: str) -> str | float | None:
    """Return the value at a path of a JSON text where it is of a kind; what is no JSON says nothing."""
    value: Any = _read_json(text)
    for name in _read_json(path):
        value = value.get(name) if isinstance(value, dict) else None
    if kind == "any" or value is None:
        return None if value is None else 1
    if kind == "text":
        return value if isinstance(value, str) else None
    if not isinstance(value, int | float) or isinstance(value, bool) != (kind == "boolean"):
        return None
    return value if -_WHOLE < value < _WHOLE else float(value)


@remembering(most_bytes=32 * 2**20, bytes_of=lambda value, text: 10 * len(text))
def _read_json(text: str) -> Any:
    """Return what a JSON text means; elements of one type share theirs, so that few texts are read for many rows."""
    return orjson.loads(text)


def _finite(number: float) -> float | None:
    """Return a number; None beyond the largest double, which Python calls infinite."""
    return number if math.isfinite(number) else None


def _add(left: float, right: float) -> float | None:
    return _finite(float(left) + float(right))


def _subtract(left: float, right: float) -> float | None:
    return _finite(float(left) - float(right))


def _multiply(left: float, right: float) -> float | None:
    return _finite(float(left) * float(right))


def _divide(left: float, right: float) -> float | None:
    return _finite(float(left) / float(right))


def _divide_whole(left: float, right: float) -> float:
    """Return the quotient cut towards zero; a float, because it may exceed SQLite's integers."""
    return float(math.trunc(float(left) / float(right)))


def _modulo(left: float, right: float) -> float:
    """Return the remainder, with the sign of `left`."""
    return math.fmod(left, right)


def _power(left: float, right: float) -> float:
    return math.pow(left, right)


@dataclass(frozen=True)
class _Literal:
    """A geometry of a filter, prepared, with a box that lies wholly inside it (None where none was found)."""

    wkb: bytes
    geometry: BaseGeometry
    inside: tuple[float, float, float, float] | None

    @classmethod
    def of(cls, wkb: bytes) -> "_Literal":
        geometry = shapely.from_wkb(wkb)
        shapely.prepare(geometry)
        return cls(wkb, geometry, _box_inside(geometry))

    def surely_meets(self, blob: bytes) -> bool:
        """Say whether the blob's envelope alone shows that the two meet; nine of ten features of a box are told so.

        False means no more than that the geometry has to be looked at.
        """
        if self.inside is None or len(blob) <= HEADER_BYTES + PLAIN_ENVELOPE.size or blob[3] != PLAIN_FLAGS:
            return False
        minx, maxx, miny, maxy = PLAIN_ENVELOPE.unpack_from(blob, HEADER_BYTES)
        west, south, east, north = self.inside
        return bool(west <= minx <= maxx <= east and south <= miny <= maxy <= north)


def _box_inside(geometry: BaseGeometry) -> tuple[float, float, float, float] | None:
    """Return the widest of a few boxes around the middle that the geometry covers: nearly all of a bbox turned a little."""
    if not isinstance(geometry, shapely.Polygon | shapely.MultiPolygon):
        return None
    minx, miny, maxx, maxy = geometry.bounds
    for margin in (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32):
        x, y = margin * (maxx - minx), margin * (maxy - miny)
        box = (minx + x, miny + y, maxx - x, maxy - y)
        if shapely.covers(geometry, shapely.box(*box)):
            return box
    return None


def prepared_literals() -> Callable[[bytes], _Literal]:
    """Return what prepares a literal of WKB and remembers the last few, most recent first."""
    prepared: list[_Literal] = []

    def literal(wkb: bytes) -> _Literal:
        # Comparing bytes is a memcmp; hashing a large literal for every row would cost more than the
        # predicate.
        for known in prepared:
            if known.wkb == wkb:
                return known
        prepared.insert(0, _Literal.of(wkb))
        del prepared[PREPARED_LITERALS:]
        while len(prepared) > 1 and sum(len(known.wkb) for known in prepared) > PREPARED_BYTES:
            prepared.pop()
        return prepared[0]

    return literal


def _spatial_function(literal: Callable[[bytes], _Literal]) -> Callable[[str, bytes, bytes], int | None]:
    def twin_spatial(operator: str, blob: bytes, wkb: bytes) -> int | None:
        try:
            known = literal(wkb)
            if operator == "intersects" and known.surely_meets(blob):
                return 1
            return int(holds(operator, known.geometry, _geometry_of(blob)))
        except (GEOSException, IndexError):
            return None

    return twin_spatial


def _distance_function(literal: Callable[[bytes], _Literal]) -> Callable[[bytes, bytes, float], int | None]:
    def twin_dwithin(blob: bytes, wkb: bytes, distance: float) -> int | None:
        try:
            feature = _geometry_of(blob)
            if feature.is_empty:
                return None
            return int(shapely.dwithin(literal(wkb).geometry, feature, distance))
        except (GEOSException, IndexError):
            return None

    return twin_dwithin


def _reaches(blob: bytes, low: float, high: float) -> int | None:
    """Say whether the heights of a geometry reach into a range; one of which no height is known does."""
    try:
        heights = shapely.get_coordinates(_geometry_of(blob), include_z=True)[:, 2]
    except (GEOSException, IndexError):
        return None
    known = heights[~np.isnan(heights)]
    return int(not len(known) or (known.max() >= low and known.min() <= high))


def _geometry_of(blob: bytes) -> BaseGeometry:
    geometry: BaseGeometry = shapely.from_wkb(blob[HEADER_BYTES + ENVELOPE_BYTES[blob[3] >> 1 & 7] :])
    return geometry
