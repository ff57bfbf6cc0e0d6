"""What a notebook asks, in Python's words -> a `FeatureQuery`: names checked, places in the storage CRS, times as a view.

Not here: how parameters get into a filter (`parameters`), what the answer looks like (`answer_frame`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from twin_model.changeset import Box
from twin_model.crs import CRS84, crs_code, is_projected, transform_bounds
from twin_model.desk.answer_frame import is_attribute
from twin_model.desk.names import field_named, fields_named
from twin_model.desk.notices import notice
from twin_model.desk.parameters import Binding, bound, ensure_degrees, geometry_in, has_geometry
from twin_model.errors import CrsRefused, QueryRefused
from twin_model.filter import Expression, parse_filter
from twin_model.filter.expression import Boolean, Geometry, Property, Spatial
from twin_model.filter.parsing import filter_tree
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.query_area import box_area, conjunction, filter_in_storage_crs, narrowed_to
from twin_model.store.base import FeatureQuery, SortKey, StoreReads
from twin_model.store.select import ensure_sorts
from twin_model.temporal import ALWAYS, time_text
from twin_model.view import View

__all__ = ["Place", "Time", "feature_query", "first_known", "time_words"]

Time: TypeAlias = str | date | np.datetime64 | tuple[Any, Any]
"""A day, an instant or an interval of valid time: a text, anything of `datetime`, numpy or pandas, or a pair of them."""

Place: TypeAlias = Sequence[float] | BaseGeometry | gpd.GeoSeries | gpd.GeoDataFrame
"""Four numbers, or a geometry: a shapely one is in the town's CRS, a series or frame in its own."""

_FAR_METRES, _FAR_DEGREES = 5_000.0, 0.05
"""A box that misses a layer by less is nothing to warn of."""

_MOST_VALUES = 20_000_000
"""So many keys and coordinates may a filter hold whose geometries come from Python."""

_OURS_TO_SORT = ("id", "fid", "valid_from", "valid_to", "version")


@dataclass(frozen=True)
class _Ground:
    """What a question is asked of: the store, the layer as the caller may see it, and the extent of all its states."""

    store: StoreReads
    layer: Layer
    extent: Box | None
    zone: str
    lang: str


def feature_query(
    store: StoreReads,
    layer: Layer,
    view: View,
    *,
    zone: str,
    lang: str = "en",
    where: str | bool | Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    bbox: Place | None = None,
    bbox_crs: Any = None,
    within: Place | None = None,
    ids: Iterable[Any] | str | None = None,
    fields: Sequence[str] | str | None = None,
    sort: Sequence[str] | str | None = None,
    limit: int | None = None,
) -> FeatureQuery:
    """Return the query of a question; every name, place and number is checked before the store is asked.

    Raises `QueryRefused` for what cannot be asked; warns of a box that lies nowhere near the town.
    """
    ground = _Ground(store, view.policy.visible(layer), store.summary(layer.id).extent, zone, lang)
    query = FeatureQuery(
        layer.id,
        view=view,
        where=_filter(ground, where, params),
        where_crs=store.crs,
        ids=None if ids is None else _ids(ids),
        fields=None if fields is None else _fields(ground.layer, fields),
        limit=_limit(limit),
        sort=_sort_keys(ground.layer, sort),
    )
    if bbox is not None:
        query = _in_box(ground, query, bbox, bbox_crs)
    return query if within is None else _within(ground, query, within)


def _fields(layer: Layer, fields: Sequence[str] | str) -> tuple[str, ...]:
    """Return the fields of a question; a name `attributes.NAME` asks for them all, from which it is picked afterwards."""
    names = [fields] if isinstance(fields, str) else list(fields)
    own = [name for name in names if not is_attribute(name)]
    return (*fields_named(layer, own), *([ATTRIBUTES] if len(own) < len(names) else []))


def time_words(value: Any) -> str | None:
    """Return a time as the text that a view is made of; a pair of times is an interval, None in it open.

    >>> time_words(date(2024, 6, 1)), time_words(("2023", None))
    ('2024-06-01', '2023/..')
    """
    if value is None:
        return None
    if isinstance(value, tuple | list) and len(value) == 2:
        return "/".join(time_words(side) or ".." for side in value)
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if value is pd.NaT:
        raise QueryRefused("query.datetime", value="NaT")
    return time_text(value)


def _filter(ground: _Ground, where: Any, params: Mapping[str, Any] | None) -> Expression | None:
    if where is None:
        if params:
            raise QueryRefused("desk.unused_param", names=sorted(params))
        return None
    if isinstance(where, str) and not where.strip():
        raise QueryRefused("query.filter", cause="''")
    if not isinstance(where, str | bool | Mapping):
        raise QueryRefused("desk.where", found=type(where).__name__)
    tree = filter_tree(where) if isinstance(where, str) else where
    ensure_degrees(tree)
    crs = CRS84 if has_geometry(tree) else ground.store.crs
    tree = bound(tree, ground.layer, params or {}, Binding(ground.store.crs, crs, ground.zone))
    expression = parse_filter(tree, lang="cql2-json", max_length=_MOST_VALUES)
    if crs != CRS84:
        return expression
    return filter_in_storage_crs(expression, CRS84, ground.store.crs, ground.extent)


def _ids(ids: Iterable[Any] | str) -> tuple[str, ...]:
    return (ids,) if isinstance(ids, str) else tuple(dict.fromkeys(str(each) for each in ids))


def _limit(limit: Any) -> int | None:
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int | np.integer) or limit < 0:
        raise QueryRefused("desk.limit", value=repr(limit)[:80])
    return int(limit)


def _sort_keys(layer: Layer, sort: Sequence[str] | str | None) -> tuple[SortKey, ...]:
    names = [] if sort is None else sort.split(",") if isinstance(sort, str) else list(sort)
    keys = []
    for name in names:
        if not isinstance(name, str):
            raise QueryRefused("desk.no_field", layer=layer.id, name=repr(name)[:80], nearest=layer.field_names)
        plain = name.strip().lstrip("+-")
        ensure_sorts(layer, plain, "desk.sort_by_attribute")
        known = plain if plain in _OURS_TO_SORT else field_named(layer, plain).name
        keys.append(SortKey(known, not name.strip().startswith("-")))
    return tuple(keys)


def _in_box(ground: _Ground, query: FeatureQuery, bbox: Place, bbox_crs: Any) -> FeatureQuery:
    storage_crs = ground.store.crs
    numbers, crs = _box_of(bbox, storage_crs if bbox_crs is None else crs_code(bbox_crs))
    area = box_area(numbers, crs)
    _warn_of_elsewhere(ground, numbers, crs, named=bbox_crs is not None)
    return narrowed_to(query, area, crs, storage_crs, ground.extent)


def _box_of(bbox: Place, crs: str) -> tuple[Box, str]:
    """Return four numbers and their CRS: of a geometry the box around it, of a series or frame in its own CRS."""
    if isinstance(bbox, gpd.GeoSeries | gpd.GeoDataFrame):
        if bbox.crs is None:
            raise QueryRefused("desk.place_without_crs", name="bbox")
        numbers, crs = bbox.total_bounds, crs_code(bbox.crs)
    else:
        numbers = bbox.bounds if isinstance(bbox, BaseGeometry) else bbox
    try:
        minx, miny, maxx, maxy = (float(number) for number in numbers)
    except (TypeError, ValueError) as error:
        raise QueryRefused("desk.bbox", value=repr(bbox)[:80]) from error
    if not all(map(math.isfinite, (minx, miny, maxx, maxy))):
        raise QueryRefused("desk.bbox", value=repr(bbox)[:80])
    return (minx, miny, maxx, maxy), crs


def _warn_of_elsewhere(ground: _Ground, numbers: Box, crs: str, *, named: bool) -> None:
    """Warn of a box that meets nothing the layer ever held by more than its own size: often degrees for metres."""
    if ground.extent is None:
        return
    try:
        extent = transform_bounds(ground.extent, ground.store.crs, crs)
    except CrsRefused:
        extent = ground.extent
    margin = max(extent[2] - extent[0], extent[3] - extent[1], _FAR_METRES if is_projected(crs) else _FAR_DEGREES)
    near = shapely.box(*extent).buffer(margin)
    if shapely.box(*numbers).intersects(near):
        return
    in_degrees = not named and all(abs(number) <= 180 for number in numbers)
    rule = "desk.bbox_degrees" if in_degrees else "desk.bbox_elsewhere"
    notice(rule, ground.lang, value=_rounded(numbers), crs=crs, layer=ground.layer.id, extent=_rounded(extent))


def _rounded(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:.6g}" if abs(number) < 1000 else f"{number:.0f}" for number in numbers)


def _within(ground: _Ground, query: FeatureQuery, within: Place) -> FeatureQuery:
    storage_crs = ground.store.crs
    if not isinstance(within, BaseGeometry | gpd.GeoSeries | gpd.GeoDataFrame):
        within = shapely.box(*_box_of(within, storage_crs)[0])
    area = geometry_in(within, storage_crs, storage_crs, name="within")
    if not shapely.is_valid(area) or area.area == 0:
        raise QueryRefused("desk.within", found=f"{area.geom_type}: {shapely.is_valid_reason(area)}")
    if not ground.layer.has_geometry:
        return query.with_(where=Boolean(False))
    inside = Spatial("within", Property("geometry"), Geometry(area))
    return query.with_(where=conjunction(query.where, inside))


def first_known(store: StoreReads, layer: Layer, view: View) -> str | None:
    """Return since when anything of a layer has been known as true, as recorded in a view; None for nothing at all."""
    earliest = FeatureQuery(
        layer.id,
        view=View(ALWAYS, view.recorded, view.policy),
        fields=(),
        geometry=False,
        states=True,
        sort=(SortKey("valid_from"),),
        limit=1,
    )
    columns, rows = store.rows(earliest)
    return str(rows[0][columns.index("valid_from")]) if rows else None
