"""`to_sql`: an expression and a layer's columns -> the condition for one store."""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Literal

from twin_model.filter.bounding_box import bounding_box
from twin_model.filter.checking import FieldType, check_names, ensure_known
from twin_model.filter.expression import Expression, properties
from twin_model.filter.postgis import PostgisCompiler
from twin_model.filter.property_sets import with_property_sets
from twin_model.filter.sql import SqlFilter, Transform
from twin_model.filter.sqlite import SqliteCompiler

__all__ = ["Dialect", "to_sql"]

Dialect = Literal["sqlite", "postgis"]
COMPILERS = {"sqlite": SqliteCompiler, "postgis": PostgisCompiler}


def to_sql(
    expression: Expression,
    *,
    columns: Mapping[str, str],
    queryables: Mapping[str, FieldType],
    dialect: Dialect,
    transform: Transform | None = None,
    srid: int = 0,
    timezone: tzinfo = UTC,
    json: Mapping[str, str] = {},
) -> SqlFilter:
    """Return the condition that holds for exactly the features `expression` accepts.

    `columns` gives each queryable its SQL expression, already quoted; no other identifier gets into the text.
    `transform` takes literal geometries from the filter CRS to the storage CRS (densify there: a rectangle's
    sides bend). `timezone` says where a bare DATE begins and ends when it meets a datetime. `srid` is
    PostGIS's only. `json` gives the SQL expressions of the property sets ("psets") and of the attributes ("attributes"), JSON texts of
    which `psets.<set>.<property>` and `attributes.<name>` name a value; what it lacks is not there.

    Nulls follow SQL's (and CQL2's) logic of true, false and unknown; only true matches. Column types in
    SQLite: numbers, booleans as 0 and 1, dates 'YYYY-MM-DD', datetimes 'YYYY-MM-DDTHH:MM:SS.sssZ', GeoPackage
    blobs; the connection must have been through `register_functions`. Raises as `check_names` does.
    """
    if json:
        expression = with_property_sets(expression, queryables, json)
    check_names(expression, queryables)
    for name in properties(expression):
        ensure_known(name, columns)
    datetimes, numbers, wholes = (
        frozenset(name for name, kind in queryables.items() if kind == wanted)
        for wanted in ("datetime", "number", "integer")
    )
    compiler = COMPILERS[dialect](columns, datetimes, timezone, transform, srid, json, numbers, wholes)
    condition = compiler.condition(expression)
    return SqlFilter(condition.text, condition.parameters, bounding_box(expression, transform=transform))
