"""How a town and what it answers show themselves in a notebook: facts, a small map, then the table.

    Features.of(frame, {"layer": "building", "title": "建筑物", "version": 24, "at": None, "as_known": None})

A layer, a catalogue and a version show themselves (`_repr_html_` in their modules); HTML is made in
`twin_model/markup.py`, the map in `thumbnail`. Whatever state a store is in, something is shown: nothing here raises.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from twin_model.box import Box
from twin_model.crs import CRS84, crs_code, is_projected, placed_bounds, title_of
from twin_model.desk.description import valid_days
from twin_model.desk.thumbnail import WIDTH, Drawing, drawings_of, thumbnail
from twin_model.errors import TwinError
from twin_model.layer import Layer
from twin_model.markup import cut_short, panel
from twin_model.messages import render
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.freshness import holds_features
from twin_model.temporal import local_time
from twin_model.town_settings import TownSettings

__all__ = ["Features", "town_html", "town_text"]

_DRAWN = ("vegetation_area", "water_area", "road_area", "rail", "building")
"""Layers of a town's picture, the lowest first; where it has none of them, the first few it has."""
_OTHERS, _MOST, _CHOSEN = 5, 20_000, 4_000
"""So many layers of another town are drawn, so many features of each, and so many where none is large enough to be seen."""
_ZOOM_0 = 156_543.0
"""Metres to a pixel of zoom 0 at the equator."""
_REASON = 60


class Features(gpd.GeoDataFrame):  # type: ignore[misc]
    """Features of a layer as a town answers them: a GeoDataFrame that a notebook shows under its facts and a small map.

    Everything made of it (`features[...]`, `.assign`, `.merge`, `.to_crs`) is a plain GeoDataFrame. What is shown is read from
    `attrs`: layer (id), title, version, at, as_known, lang, style, marking (a line); each may be missing.

    >>> features = Features.of(town.features("building"), {"layer": "building", "title": "Buildings", "lang": "en"})
    >>> type(features.head(1)).__name__
    'GeoDataFrame'
    """

    @classmethod
    def of(cls, frame: gpd.GeoDataFrame, attrs: Mapping[str, Any]) -> "Features":
        """Return a frame as features with these `attrs`, values that JSON can say; the frame itself stays as it is."""
        features = cls(frame)
        features.attrs = dict(attrs)
        return features

    # geopandas makes derived frames of this class in three places; under facts that are not theirs they would mislead
    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        make = super()._constructor
        return lambda *content, **options: _plain(make(*content, **options))

    def _constructor_from_mgr(self, mgr: Any, axes: Any) -> Any:
        return _plain(super()._constructor_from_mgr(mgr, axes))

    def __getitem__(self, key: Any) -> Any:
        return _plain(super().__getitem__(key))

    def _repr_html_(self) -> str | None:
        table = super()._repr_html_()
        if table is None:  # pandas was told to show text
            return None
        try:
            return features_panel(self) + str(table)
        except Exception:  # attrs are the user's too: the table is shown whatever stands in them
            return str(table)


def _plain(frame: Any) -> Any:
    """Return a frame just made as a GeoDataFrame; whatever is no `Features` as it is."""
    if isinstance(frame, Features):
        frame.__class__ = gpd.GeoDataFrame
    return frame


def features_panel(frame: gpd.GeoDataFrame) -> str:
    """Return the facts of an answer and its map as HTML; what its `attrs` do not say is left out."""
    attrs = frame.attrs
    lang = str(attrs.get("lang") or "zh")
    title, layer = (str(attrs.get(key) or "") for key in ("title", "layer"))
    style = attrs.get("style")
    drawings = drawings_of(frame, style if isinstance(style, Mapping) else {})
    picture = thumbnail(drawings, geographic=not is_projected(frame.crs), label=title or layer)
    heading = " ".join(dict.fromkeys(filter(None, (title, layer, str(attrs.get("marking") or "")))))
    return panel(heading, _features_facts(frame, lang), picture=picture)


def _features_facts(frame: gpd.GeoDataFrame, lang: str) -> list[tuple[str, str]]:
    attrs = frame.attrs
    facts = [
        (render("shown.features", lang, {}), f"{len(frame):,}"),
        (render("shown.time", lang, {}), str(attrs.get("at") or render("shown.now", lang, {}))),
    ]
    if attrs.get("version") is not None:
        asked = attrs.get("as_known") not in (None, attrs["version"])
        known = render("shown.version_asked", lang, attrs) if asked else str(attrs["version"])
        facts.append((render("shown.version", lang, {}), known))
    facts.append((render("shown.crs", lang, {}), _crs_text(frame.crs, lang)))
    bounds = frame.total_bounds
    if np.isfinite(bounds).all():
        facts += _extent_facts(tuple(bounds.tolist()), frame.crs, lang)
    return facts


def _extent_facts(box: Box, crs: Any, lang: str) -> list[tuple[str, str]]:
    """Return a box of any CRS as degrees; nothing where it has no place on the globe."""
    degrees = placed_bounds(box, crs, CRS84)
    return [] if degrees is None else [(render("shown.extent", lang, {}), render("shown.box", lang, {"box": degrees}))]


def _crs_text(crs: Any, lang: str) -> str:
    """Return a system's name with its code."""
    code, name = crs_code(crs), title_of(crs, lang)
    return name if code in name or len(code) > 20 else f"{name} ({code})"


def town_text(settings: TownSettings, store: Store, lang: str) -> str:
    """Return a town in two lines: name, CRS and store; newest version, layers and features. Never raises."""
    name = render("shown.town", lang, {"name": settings.name(lang)})
    first = " · ".join((name, settings.crs, _store_kind(store)))
    try:
        number = render("shown.version_number", lang, {"version": _newest(store, settings.timezone, lang)})
        return f"{first}\n{number} · {_held(store, lang)}"
    except Exception as error:
        return f"{first}\n{_unreadable(error, lang)}"


def town_html(settings: TownSettings, store: Store, lang: str, extent: Callable[[], Box | None]) -> str:
    """Return a town's facts and a map of a few layers as HTML, below 100 kB. Never raises.

    `extent` answers the town's box in degrees.
    """
    name = settings.name(lang)
    facts = [
        (render("shown.crs", lang, {}), _crs_text(settings.crs, lang)),
        (render("shown.height_datum", lang, {}), settings.height_datum),
        (render("shown.store", lang, {}), _store_kind(store)),
    ]
    picture = ""
    try:
        facts += _store_facts(settings, store, lang, extent())
        picture = _town_picture(store, name)
    except Exception as error:  # closed, broken or gone: the facts that are known are shown
        facts.append((render("shown.store", lang, {}), _unreadable(error, lang)))
    return panel(render("shown.town", lang, {"name": name}), facts, picture=picture)


def _store_facts(settings: TownSettings, store: Store, lang: str, extent: Box | None) -> list[tuple[str, str]]:
    facts = [
        (render("shown.newest", lang, {}), _newest(store, settings.timezone, lang)),
        (render("shown.holds", lang, {}), _held(store, lang)),
    ]
    if extent is not None:
        facts += _extent_facts(extent, CRS84, lang)
    days = [day for layer in _filled(store) for day in valid_days(store, layer.id, zone=settings.timezone)]
    if days:
        first, last = str(min(days)), str(max(days))
        between = first if first == last else render("shown.days", lang, {"first": first, "last": last})
        facts.append((render("shown.valid", lang, {}), between))
    return facts


def _store_kind(store: Store) -> str:
    """Return what keeps the town; the address of a server is left out, it may name people and machines."""
    return "PostGIS" if "://" in store.url else f"GeoPackage {Path(store.url).name}"


def _filled(store: Store) -> list[Layer]:
    return [layer for layer in store.catalogue if holds_features(store, layer.id)]


def _newest(store: Store, zone: str, lang: str) -> str:
    """Return number, day and reason of the newest version."""
    newest = store.changesets(1)
    if not newest:
        return render("shown.no_version", lang, {})
    made = newest[0]
    values = {
        "version": made.number,
        "day": local_time(made.recorded, zone)[:10],
        "reason": cut_short(made.reason, _REASON),
    }
    return render("shown.version_made", lang, values)


def _held(store: Store, lang: str) -> str:
    layers = _filled(store)
    features = sum(store.summary(layer.id).features for layer in layers)
    return render("shown.layers_and_features", lang, {"layers": len(layers), "features": features})


def _unreadable(error: Exception, lang: str) -> str:
    cause = error.text(lang) if isinstance(error, TwinError) else f"{type(error).__name__}: {error}"
    return render("shown.unreadable", lang, {"cause": cause})


def _town_picture(store: Store, label: str) -> str:
    """Return a map of the layers that tell most of a town, as much of each as one sees at this size."""
    layers = _layers_to_draw(store)
    boxes = np.array([store.summary(layer.id).extent for layer in layers])
    if not len(boxes):
        return ""
    across = max(np.concatenate((boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0), [1.0])))
    zoom = max(0, math.ceil(math.log2(_ZOOM_0 * WIDTH / across)))
    drawings = [drawing for layer in layers for drawing in _drawings(store, layer, zoom)]
    return thumbnail(drawings, geographic=False, label=label)


def _layers_to_draw(store: Store) -> list[Layer]:
    placed = {layer.id: layer for layer in _filled(store) if _has_place(store, layer)}
    usual = [placed[name] for name in _DRAWN if name in placed]
    return usual or sorted(placed.values(), key=lambda layer: -layer.dimension)[:_OTHERS]


def _has_place(store: Store, layer: Layer) -> bool:
    """Say whether all of a layer lies on the globe: what does not would draw the map out to nowhere."""
    extent = store.summary(layer.id).extent
    return extent is not None and placed_bounds(extent, store.crs, CRS84) is not None


def _drawings(store: Store, layer: Layer, zoom: int) -> list[Drawing]:
    """Return what one sees of a layer at a zoom; where that is nothing, some of its features, the same each time."""
    by = layer.style.get("by")
    query = FeatureQuery(layer.id, limit=_MOST, fields=(by,) if isinstance(by, str) else ())
    frame = store.features(query.with_(max_zoom=zoom))
    if frame.empty:
        features = store.summary(layer.id).features
        fids = np.random.default_rng(0).permutation(features)[:_CHOSEN] + 1
        frame = store.features(query.with_(fids=tuple(fids.tolist())))
    return drawings_of(frame, layer.style)
