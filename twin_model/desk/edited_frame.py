"""A frame of a notebook as an edit takes it: names of fields, codes instead of words, days as precisely as they were known.

What a frame's values must be stands in `twin_model/editing.py`, how it is written in `twin_model/desk/saving.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.catalogue.frame_values import with_plain_values
from twin_model.catalogue.layer_from_frame import without_system_columns
from twin_model.changeset import Rows
from twin_model.desk.answer_frame import without_words
from twin_model.desk.names import nearest_fields, titled_field
from twin_model.editing import ids_of, rows_of
from twin_model.errors import EditRefused
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import parse_instant

__all__ = ["base_of", "editable", "rows_in_parts"]

_FRAME_ROWS = 50_000


def base_of(frame: pd.DataFrame, layer: str, base: int | None) -> int | None:
    """Return the version at which a frame of a layer was read: the one given, else that of `Town.features`; None for unknown."""
    if base is not None:
        return int(base)
    read = frame.attrs.get("version") if frame.attrs.get("layer") == layer else None
    return read if isinstance(read, int) and read > 0 else None


def editable(store: Store, layer: Layer, frame: pd.DataFrame, zone: str) -> gpd.GeoDataFrame:
    """Return a frame of `Town.features`, or made from one, as an edit takes it.

    Codes instead of words, no system columns, days as precisely as the store has them where they are the same day; a table
    without geometry gets that of the features its index names.
    """
    lang = frame.attrs.get("labels") if frame.attrs.get("layer") == layer.id else None
    if not isinstance(frame, gpd.GeoDataFrame) or frame.active_geometry_name is None:
        frame = _with_geometry(store, layer, frame)
    frame = without_system_columns(frame)
    if lang in ("zh", "en"):
        frame = without_words(layer, frame, lang)
    frame = _with_field_names(layer, frame)
    _ensure_fields(layer, frame)
    return _as_precise(store, layer, with_plain_values(layer.id, frame), zone)


def _with_field_names(layer: Layer, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a frame in which columns that are called by a field's title or alias are called by its name."""
    titled = {name: titled_field(layer, name) for name in frame.columns if name != frame.geometry.name}
    names = {name: field.name for name, field in titled.items() if field is not None and name not in layer.field_names}
    for name, field in names.items():
        others = [other for other in frame.columns if other != name and names.get(other, other) == field]
        if others:
            raise EditRefused("edit.same_name", found=[str(others[0]), str(name)])
    return frame.rename(columns=names) if names else frame


def _ensure_fields(layer: Layer, frame: gpd.GeoDataFrame) -> None:
    """Refuse columns that are no fields, with the fields whose names or titles are nearest."""
    known = (*layer.field_names, ATTRIBUTES, frame.geometry.name)
    unknown = [str(name) for name in frame.columns if name not in known]
    if unknown:
        nearest = dict.fromkeys(name for each in unknown for name in nearest_fields(layer, each))
        expected = list(nearest) or list(layer.field_names)
        raise EditRefused("slip.no_column", layer=layer.id, found=unknown, nearest=expected)


def _with_geometry(store: Store, layer: Layer, table: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return a table with the geometry of the features that its index `id`, or column `id`, names."""
    if table.index.name is None and "id" in table.columns:
        table = table.set_index("id")
    if not layer.has_geometry:
        raise EditRefused("edit.no_frame", found=type(table).__name__)
    if table.index.name != "id":
        raise EditRefused("slip.no_ids", layer=layer.id, found=repr(table.index.name))
    ids = ids_of(layer, table).tolist()
    known = store.features(FeatureQuery(layer.id, ids=tuple(name for name in ids if name is not None), fields=()))
    missing = [each for each in ids if each not in known.index]
    if missing:
        raise EditRefused("edit.no_geometry", layer=layer.id, ids=missing[:5])
    shapes = known.geometry.loc[ids].to_numpy()
    return gpd.GeoDataFrame(table, geometry=gpd.array.from_shapely(shapes, crs=store.crs), crs=store.crs)


def _as_precise(store: Store, layer: Layer, frame: gpd.GeoDataFrame, zone: str) -> gpd.GeoDataFrame:
    """Return a frame whose days are the store's own texts ("2017") where they mean the same day."""
    names = [
        field.name
        for field in layer.fields
        if field.type == "date" and field.name in frame and pd.api.types.is_datetime64_any_dtype(frame[field.name])
    ]
    if not names or frame.index.name != "id":
        return frame
    own_ids = ids_of(layer, frame).tolist()
    known_ids = tuple(name for name in own_ids if name is not None)
    query = FeatureQuery(layer.id, ids=known_ids, fields=tuple(names), geometry=False)
    columns, records = store.rows(query)
    ids = [record[columns.index("id")] for record in records]
    return frame.assign(
        **{
            name: _texts_of_days(
                frame[name],
                own_ids,
                dict(zip(ids, (record[columns.index(name)] for record in records), strict=True)),
                zone,
            )
            for name in names
        }
    )


def _texts_of_days(
    days: "pd.Series[Any]", ids: Sequence[str | None], known: Mapping[str | None, str | None], zone: str
) -> NDArray[Any]:
    texts = [None if day is pd.NaT else day.date().isoformat() for day in days]
    former = [known.get(name) for name in ids]
    same = [
        text is not None and old is not None and _begins(old, zone) == _begins(text, zone)
        for text, old in zip(texts, former, strict=True)
    ]
    return np.array(
        [*(old if equal else text for text, old, equal in zip(texts, former, same, strict=True)), None], dtype=object
    )[:-1]


def _begins(text: str, zone: str) -> str:
    return parse_instant(text, zone)[0]


def rows_in_parts(layer: Layer, frame: gpd.GeoDataFrame, crs: str, zone: str) -> list[Rows]:
    """Return a frame's features as rows, at most 50,000 together; raises `EditRefused` where one does not fit."""
    starts = range(0, len(frame), _FRAME_ROWS)
    parts = [frame.iloc[start : start + _FRAME_ROWS] for start in starts] or [frame]
    return [rows_of(layer, part, crs, zone=zone) for part in parts]
