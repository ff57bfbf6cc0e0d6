"""CQL2 (OGC 21-065r2): what may be asked of a layer, from text or JSON to the WHERE clause of either store.

Here are the grammar's fences, the expression tree, its checks and its SQL. Running the SQL and asking the
R-tree is `twin_model.store`'s part; `filter=`, `filter-lang` and `filter-crs` are read by
`api_config.routes`.

    expression = parse_filter("storeys > 10 AND S_INTERSECTS(geometry, BBOX(118.3, 35.0, 118.4, 35.1))")
    where = to_sql(expression, columns=columns, queryables=queryables, dialect="sqlite", transform=to_storage)
    register_functions(connection)  # once per connection
    connection.execute(f"SELECT fid FROM building WHERE {where.text}", where.parameters)
    where.bounding_box  # ask the R-tree for this box first
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
