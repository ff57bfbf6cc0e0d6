"""The filter that pygeoapi parses (ECQL, by pygeofilter) as CQL2 JSON; what has no place there is refused, never ignored."""

from datetime import date, datetime
from typing import Any

from pygeofilter import ast, values

from twin_model.filter.errors import FilterTooDeep
from twin_model.filter.parsing import MAX_DEPTH

__all__ = ["UnknownNode", "cql2_json"]


class UnknownNode(ValueError):
    """A part of the filter that CQL2 has no word for."""


def cql2_json(node: Any) -> Any:
    """Return a tree of pygeofilter as CQL2 JSON; one of more levels than a filter may have is refused.

    >>> from pygeofilter.parsers.ecql import parse
    >>> cql2_json(parse("storeys > 3"))
    {'op': '>', 'args': [{'property': 'storeys'}, 3]}
    """
    _ensure_shallow(node)
    return _cql2_json(node)


def _ensure_shallow(node: Any) -> None:
    """Count the levels of a tree without recursion: pygeofilter reads 2,000 terms, each a level deeper."""
    level = [node]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level if isinstance(parent, ast.Node) for child in parent.get_sub_nodes()]
        if not level:
            return
    raise FilterTooDeep("filter.too_many_levels", limit=MAX_DEPTH)


def _cql2_json(node: Any) -> Any:
    if isinstance(node, ast.Attribute):
        return {"property": node.name}
    if isinstance(node, ast.Not):
        return _operation("not", node.sub_node)
    if isinstance(node, ast.Comparison | ast.Combination | ast.Arithmetic):
        return _operation(node.op.value.lower(), node.lhs, node.rhs)
    if isinstance(node, ast.SpatialComparisonPredicate):
        return _operation(f"s_{node.op.value.lower()}", node.lhs, node.rhs)
    if isinstance(node, ast.BBox):
        box = {"bbox": [node.minx, node.miny, node.maxx, node.maxy]}
        return {"op": "s_intersects", "args": [_cql2_json(node.lhs), box]}
    if isinstance(node, ast.Between | ast.Like | ast.In | ast.IsNull):
        predicate = _predicate(node)
        return {"op": "not", "args": [predicate]} if node.not_ else predicate
    return _literal(node)


def _operation(operator: str, *arguments: Any) -> dict[str, Any]:
    return {"op": operator, "args": [_cql2_json(argument) for argument in arguments]}


def _predicate(node: Any) -> dict[str, Any]:
    if isinstance(node, ast.Between):
        return _operation("between", node.lhs, node.low, node.high)
    if isinstance(node, ast.In):
        return {"op": "in", "args": [_cql2_json(node.lhs), [_cql2_json(item) for item in node.sub_nodes]]}
    if isinstance(node, ast.IsNull):
        return _operation("isNull", node.lhs)
    value, pattern = _cql2_json(node.lhs), node.pattern
    if not node.nocase:
        return {"op": "like", "args": [value, pattern]}
    return {"op": "like", "args": [{"op": "casei", "args": [value]}, {"op": "casei", "args": [pattern]}]}


def _literal(node: Any) -> Any:
    if isinstance(node, values.Envelope):
        return {"bbox": [node.x1, node.y1, node.x2, node.y2]}
    if isinstance(node, values.Geometry):
        return node.geometry
    if isinstance(node, datetime):
        return {"timestamp": node.isoformat().replace("+00:00", "Z")}
    if isinstance(node, date):
        return {"date": node.isoformat()}
    if isinstance(node, str | int | float):
        return node
    raise UnknownNode(type(node).__name__)
