"""Rows of the store -> features of the API: what both our routes and the pygeoapi provider answer."""

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson

from twin_model.errors import QueryRefused
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.store.select import queryables

__all__ = ["properties_of", "property_reader", "typed_value"]

# A year alone ("2017") comes out of a column of dates as a number: SQLite's affinity.
_SHAPES: dict[str, Callable[[Any], Any]] = {"boolean": bool, "date": str, "json": orjson.Fragment}
_SYSTEM = ("valid_from", "valid_to", "version")


@lru_cache(maxsize=512)
def property_reader(layer: Layer, columns: tuple[str, ...]) -> Callable[[tuple[Any, ...]], dict[str, Any]]:
    """Return a function row -> properties for rows of these columns; what is no property of the layer stays out.

    `attributes`, an object, is there where a feature has any.

    Made once for a page: to find out anew for each row which column is what would cost more than to read it.
    """
    places = [n for n, name in enumerate(columns) if name in _SYSTEM or layer.field_of(name) is not None]
    others = columns.index(ATTRIBUTES) if ATTRIBUTES in columns else None
    names = tuple(columns[n] for n in places)
    pick = itemgetter(*places, 0, 0)  # of one place it would give no tuple; `zip` leaves the two out
    shaped = tuple((name, _SHAPES[kind]) for name in names if (kind := _kind(layer, name)) in _SHAPES)

    def properties(row: tuple[Any, ...]) -> dict[str, Any]:
        values = dict(zip(names, pick(row), strict=False))
        for name, shape in shaped:
            if values[name] is not None:
                values[name] = shape(values[name])
        if others is not None and row[others]:
            values[ATTRIBUTES] = orjson.Fragment(row[others])
        return values

    return properties


def _kind(layer: Layer, name: str) -> str:
    field = layer.field_of(name)
    return "" if field is None else "json" if field.format == "json" else field.type


def properties_of(layer: Layer, columns: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    """Return the properties of one row; JSON texts become what they mean."""
    return property_reader(layer, columns)(row)


def typed_value(layer: Layer, name: str, value: str) -> Any:
    """Return the value of a plain `name=value` parameter in the type of its queryable, as CQL2 JSON has it."""
    kind = queryables(layer).get(name, "string")
    try:
        if kind in ("integer", "number"):
            return int(value) if kind == "integer" and value.strip("+-").isdigit() else float(value)
        if kind == "boolean":
            return {"true": True, "false": False}[value.lower()]
    except (ValueError, KeyError) as error:
        raise QueryRefused("query.refused", cause=f"{name}={value[:100]}", expected=kind) from error
    return {"date": value} if kind == "date" else {"timestamp": value} if kind == "datetime" else value
