"""Rows of the store -> features of the API: what both our routes and the pygeoapi provider answer."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson

from twin_model.errors import QueryRefused
from twin_model.layer import Layer
from twin_model.store.gpkg_select import queryables

__all__ = ["properties_of", "property_shapers", "typed_value"]

# A year alone ("2017") comes out of a column of dates as a number: SQLite's affinity.
_SHAPES: dict[str, Callable[[Any], Any]] = {"boolean": bool, "date": str, "json": orjson.Fragment}
_SYSTEM = ("valid_from", "valid_to", "version")


@lru_cache(maxsize=512)
def property_shapers(layer: Layer, columns: tuple[str, ...]) -> tuple[tuple[int, str, str], ...]:
    """Return position, name and kind ("", "boolean", "date", "json") of each column that is a property."""
    shapers = []
    for position, name in enumerate(columns):
        one = layer.field_of(name)
        if one is not None:
            shapers.append(
                (
                    position,
                    name,
                    "json" if one.format == "json" else one.type if one.type in ("boolean", "date") else "",
                )
            )
        elif name in _SYSTEM:
            shapers.append((position, name, ""))
    return tuple(shapers)


def properties_of(layer: Layer, columns: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    """Return the properties of one row; JSON texts become what they mean."""
    values: dict[str, Any] = {}
    for position, name, kind in property_shapers(layer, columns):
        value = row[position]
        if kind and value is not None:
            value = _SHAPES[kind](value)
        values[name] = value
    return values


def typed_value(layer: Layer, name: str, value: str) -> Any:
    """Return the value of a plain `name=value` parameter in the type of its queryable, as CQL2 JSON has it."""
    kind = queryables(layer).get(name, "string")
    try:
        if kind in ("integer", "number"):
            return float(value)
        if kind == "boolean":
            return {"true": True, "false": False}[value.lower()]
    except (ValueError, KeyError) as error:
        raise QueryRefused("query.refused", cause=f"{name}={value[:100]}", expected=kind) from error
    return {"date": value} if kind == "date" else {"timestamp": value} if kind == "datetime" else value
