"""A frame as a layer to be drawn: one described from its columns, and what a pointer reads of each feature.

Not here: a layer that a town keeps (`twin_model/catalogue`); this one has any column names and lives as long as the map.

    layer = layer_of_frame("far", parcels, title="容积率")
    records_of(layer, parcels, "zh")[0]["label"]            # '容积率 A-01\nfloor_area_ratio: 1.5'
"""

import numbers
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from tiles.solids import feature_colors
from tiles.symbology import NO, YES
from twin_model.geometry_kind import LAYER_GEOMETRIES
from twin_model.layer import Field, FieldType, Layer, Text

__all__ = ["SYSTEM_COLUMNS", "layer_of_frame", "records_of", "with_columns"]

SYSTEM_COLUMNS = ("fid", "valid_from", "valid_to", "version", "attributes", "search_key")
"""Columns that `Town.features` adds to a layer's own."""

_LABELLED = 6
"""How many properties a label has."""
_RAISED = {"kind": "extrude", "height": "height", "base": "base_elevation"}


def layer_of_frame(name: str, frame: gpd.GeoDataFrame, *, title: str = "", color: str = "#c8503c") -> Layer:
    """Return a layer that describes a frame: its fields are the columns, its geometry is that of the first feature.

    Areas with a column `height` of numbers (metres) are solids, as buildings are, on `base_elevation` where there is one.
    """
    shapes = frame.geometry[frame.geometry.notna()].to_numpy()
    dimension = max(int(shapely.get_dimensions(shapes[:1])[0]), 0) if len(shapes) else 2
    is_raised = dimension == 2 and "height" in frame and pd.api.types.is_numeric_dtype(frame["height"])
    layer = Layer(
        id=name,
        kind="feature",
        title=Text(title or name, title or name),
        description=Text(),
        cim_class="results",
        cim_level="",
        geometry=LAYER_GEOMETRIES[dimension],
        identity="match",
        fields=(),
        style={"color": color, "line_color": "#6b6459" if dimension == 2 else color, "opacity": 0.85, "line_width": 2},
        model=_RAISED if is_raised else {},
    )
    return with_columns(layer, frame)


def with_columns(layer: Layer, frame: gpd.GeoDataFrame, first: str | None = None) -> Layer:
    """Return the layer with a field for each column it did not know; labels show `first` and those new ones first."""
    geometries = set(frame.columns[frame.dtypes.map(lambda dtype: isinstance(dtype, gpd.array.GeometryDtype))])
    known = {*layer.field_names, *SYSTEM_COLUMNS}
    columns = [name for name in frame.columns if name not in known and name not in geometries]
    added = tuple(Field(name, _type_of(frame[name]), Text(str(name), str(name))) for name in columns)
    shown = dict.fromkeys([*([first] if first is not None else []), *columns])
    shown |= dict.fromkeys(layer.model.get("properties", layer.field_names))
    return replace(layer, fields=(*layer.fields, *added), model={**layer.model, "properties": list(shown)})


def _type_of(column: "pd.Series[Any]") -> FieldType:
    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    if pd.api.types.is_integer_dtype(column):
        return "integer"
    return "number" if pd.api.types.is_numeric_dtype(column) else "string"


def records_of(
    layer: Layer, frame: gpd.GeoDataFrame, lang: str, colors: NDArray[np.uint8] | None = None
) -> list[dict[str, Any]]:
    """Return id, label and RGBA colour of each row: what a pick and a tooltip answer; colours are the catalogue's if not given."""
    names = [name for name in layer.model.get("properties", layer.field_names) if name in frame]
    fields = [field for name in names if (field := layer.field_of(name)) and frame[name].notna().any()][:_LABELLED]
    columns = [frame[field.name].to_numpy(dtype=object) for field in fields]
    paints = (feature_colors(layer, frame) if colors is None else colors).tolist()
    records = []
    for row, feature_id in enumerate(frame.index):
        values = ((field, column[row]) for field, column in zip(fields, columns, strict=True))
        lines = [_line(field, value, lang) for field, value in values if not _is_missing(value)]
        label = "\n".join((f"{layer.title(lang)} {feature_id}", *lines))
        records.append({"id": str(feature_id), "label": label, "color": paints[row]})
    return records


def _line(field: Field, value: Any, lang: str) -> str:
    shown = field.codes[str(value)](lang) if str(value) in field.codes else _shown(value, lang)
    return f"{field.title(lang)}: {shown} {field.unit}".rstrip()


def _shown(value: Any, lang: str) -> str:
    """Return a value as text; a number with a fraction keeps three places, a small one three digits."""
    if isinstance(value, bool | np.bool_):
        return (YES if value else NO)(lang)
    if not isinstance(value, numbers.Real) or isinstance(value, numbers.Integral):
        return str(value)[:300]
    number = float(value)
    return str(round(number, 3)) if number == 0 or abs(number) >= 1 else f"{number:.3g}"


def _is_missing(value: Any) -> bool:
    missing = pd.isna(value)
    return bool(missing) if isinstance(missing, (bool, np.bool_)) else False
