"""CQL2 (OGC 21-065r2): what may be asked of a layer, from text or JSON to the WHERE clause of either store.

Here are the grammar's fences, the expression tree, its checks and its SQL. Running the SQL and asking the
R-tree is `twin_model.store`'s part; `filter=`, `filter-lang` and `filter-crs` are read by
`api_config.routes`. `register_functions` gives a SQLite connection the functions that the SQL calls.

    >>> expression = parse_filter("storeys > 10 AND S_INTERSECTS(geometry, BBOX(118.3, 35.0, 118.4, 35.1))")
    >>> bounding_box(expression)                        # the R-tree is asked for this box first
    (118.3, 35.0, 118.4, 35.1)
    >>> columns, queryables = {"storeys": '"storeys"'}, {"storeys": "integer"}
    >>> to_sql(parse_filter("storeys > 10"), columns=columns, queryables=queryables, dialect="sqlite").text
    '("storeys" > ?)'
"""

from twin_model.filter.bounding_box import bounding_box
from twin_model.filter.checking import FieldType, check_names
from twin_model.filter.compiling import to_sql
from twin_model.filter.errors import FilterError
from twin_model.filter.expression import Expression, properties
from twin_model.filter.parsing import parse_filter
from twin_model.filter.sql import SqlFilter
from twin_model.filter.sqlite import register_functions

__all__ = [
    "Expression",
    "FieldType",
    "FilterError",
    "SqlFilter",
    "bounding_box",
    "check_names",
    "parse_filter",
    "properties",
    "register_functions",
    "to_sql",
]
