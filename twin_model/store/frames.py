"""Plain rows of a store -> a GeoDataFrame, alike from every store."""

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from twin_model.layer import ATTRIBUTES, Layer
from twin_model.store.base import FeatureQuery
from twin_model.store.select import shown_fields
from twin_model.temporal import now

__all__ = ["from_wkb", "not_ended", "records_of", "to_frame"]


_ALWAYS_THERE = dict.fromkeys(("fid", "version"), "row number")


def from_wkb(wkb: Sequence[bytes | None] | NDArray[Any]) -> NDArray[Any]:
    """Return shapely geometries of the WKB that `Store.rows` answers with; None stays None."""
    return np.asarray(shapely.from_wkb(np.array(wkb, dtype=object)), dtype=object)


def to_frame(
    layer: Layer, query: FeatureQuery, columns: tuple[str, ...], rows: list[tuple[Any, ...]], crs: str
) -> gpd.GeoDataFrame:
    """Return rows as a frame: index `id`, every column in the dtype of its field, geometry in `crs`.

    `attributes`, a JSON text, is a column where some row has any, and where it was asked for by name.
    """
    by_name = dict(zip(columns, ([row[n] for row in rows] for n in range(len(columns))), strict=True))
    wkb = by_name.pop("geometry", None)
    shown = shown_fields(layer, query)
    types = _ALWAYS_THERE | {field.name: field.type for field in layer.fields if field.name in shown}
    content = {name: _column(values, types.get(name)) for name, values in by_name.items()}
    if query.fields is None and not any(by_name.get(ATTRIBUTES, ())):
        content.pop(ATTRIBUTES, None)
    shapes = from_wkb(wkb) if wkb else np.full(len(rows), None, dtype=object)
    frame = gpd.GeoDataFrame(content, geometry=gpd.array.from_shapely(shapes), crs=crs)
    return frame.set_index("id")


def not_ended(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return those rows of the latest states of features that are true still, or will be."""
    lasting = frame["valid_to"].isna() | (frame["valid_to"].fillna("") > now())
    return frame[lasting.astype(bool)]


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dicts without geometry; what is not known is None in every type of column.

    pandas itself gives NaN, NA or NaT for it, by the type that it took the column for: a text column in which a
    row has none answers NaN from pandas 3 on. The index is left out.
    """
    table = pd.DataFrame(frame.drop(columns="geometry", errors="ignore")).astype(object)
    return [
        {str(name): value for name, value in row.items()} for row in table.where(table.notna(), None).to_dict("records")
    ]


def _column(values: list[Any], kind: str | None) -> Any:
    """Return a column in the dtype of its field: numbers as floats with NaN, whole numbers nullable, texts as objects
    with None, which pandas would make NaN; those of rows and versions, which are never unknown, as plain whole numbers."""
    if kind == "row number":
        return np.array(values, dtype=np.int64)
    if kind == "number":
        return np.array(values, dtype=np.float64)
    if kind == "integer":
        return pd.array(values, dtype="Int64")
    if kind == "boolean":
        return pd.array([None if v is None else bool(v) for v in values], dtype="boolean")
    return pd.Series(values, dtype=object)
