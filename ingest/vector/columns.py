"""Columns of a source -> columns of ours: values a mapping translates, constants, and what follows from what was delivered.

Which source column feeds which field stands in `ingest/mapping.py`; the rows come from `ingest/vector/file.py`.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.mapping import LayerMapping
from ingest.values import typed
from ingest.vector.source_layer import Batch
from twin_model.layer import Layer
from twin_model.rows.columns import coded

__all__ = ["columns_of"]

_FIELD = np.array([None, "field"], dtype=object)
_SOURCES = np.array(["unknown", "storeys", "measured"], dtype=object)


def columns_of(
    layer: Layer, target: LayerMapping, fields: dict[str, str], batch: Batch, *, storey_height: float
) -> dict[str, Any]:
    """Return our columns of a batch: mapped, translated, constant, and what follows from them."""
    content: dict[str, Any] = {
        ours: _translated(batch.columns[theirs], target.values.get(ours)) for ours, theirs in fields.items()
    }
    for ours, constant in target.constants.items():
        content[ours] = np.full(len(batch), constant, dtype=object)
    return _finished(layer, content, len(batch), storey_height)


def _translated(values: NDArray[Any], table: Any) -> NDArray[Any]:
    """Return values as a table of the mapping renames them; "3" is found for 3 and 3.0 too."""
    if table is None:
        return values
    codes, distinct = coded(values)
    meant = np.empty(len(distinct) + 1, dtype=object)
    meant[:-1], meant[-1] = [table.get(_key(value), value) for value in distinct], None
    return np.asarray(meant[codes], dtype=object)


def _key(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).strip()


def _finished(layer: Layer, content: dict[str, Any], rows: int, storey_height: float) -> dict[str, Any]:
    """Fill what follows from what was delivered and was not delivered itself: a building's height, land use's class."""
    if layer.id == "building" and ("height" in content or "storeys" in content):
        content |= {
            name: column
            for name, column in _heights(layer, content, rows, storey_height).items()
            if name == "height" or name not in content
        }
    if layer.id == "land_use" and "land_use" not in content and "land_use_code" in content:
        content["land_use"] = np.array(
            [str(c)[:1].upper() if c else None for c in content["land_use_code"]], dtype=object
        )
    return content


def _heights(layer: Layer, content: dict[str, Any], rows: int, storey_height: float) -> dict[str, NDArray[Any]]:
    """Return a building's height, how it is known, and how its storeys are: measured, else storeys of the town's height.

    A height that is no number stays as it is written, so that it is reported.
    """
    height, unread = _numbers(layer, content, "height", rows)
    storeys, _ = _numbers(layer, content, "storeys", rows)
    measured, counted = height > 0, storeys > 0
    derived = np.where(measured, height, np.where(counted, storeys * storey_height, math.nan))
    if unread:
        derived = derived.astype(object)
        derived[unread] = np.asarray(content["height"], dtype=object)[unread]
    return {
        "height": derived,
        "height_source": _SOURCES[np.where(measured, 2, np.where(counted, 1, 0))],
        "storeys_source": _FIELD[counted.astype(np.intp)],
    }


def _numbers(layer: Layer, content: dict[str, Any], name: str, rows: int) -> tuple[NDArray[np.float64], list[int]]:
    """Return a column as numbers in the unit of its field, NaN where absent, and the rows that are no number."""
    field = layer.field_of(name)
    if name not in content or field is None:
        return np.full(rows, math.nan), []
    return typed(np.asarray(content[name]), replace(field, type="number"), "")
