"""The catalogue as pygeoapi's configuration, made in memory: never from environment variables, never at import."""

from typing import Any

from api_config.web.offered_crs import crs_list
from twin_model.crs import CRS84, placed_bounds, uri_of
from twin_model.layer import Layer
from twin_model.query_area import seen_extent
from twin_model.store.base import FeatureQuery
from twin_model.town import Town
from twin_model.view import Policy, View

__all__ = ["PROVIDER", "configuration", "extent_of", "features_of", "is_placed", "life_of"]

PROVIDER = "api_config.ogc.providers.TownFeatureProvider"


def extent_of(town: Town, layer: Layer, policy: Policy) -> list[float]:
    """Return west, south, east, north of what is seen of a layer; the whole town's while that is nothing, or where
    some of it has no place on the globe (`is_placed`)."""
    extent = seen_extent(town.store, layer.id, policy)
    bounds = extent and placed_bounds(extent, town.store.crs, CRS84)
    return [round(v, 7) for v in bounds or town.extent(policy=policy) or (73.62, 16.7, 134.77, 53.56)]


def is_placed(town: Town, layer: Layer, policy: Policy) -> bool:
    """Say whether all that is seen of a layer has a place on the globe; else its extent is left out of the town's."""
    extent = seen_extent(town.store, layer.id, policy)
    return extent is None or placed_bounds(extent, town.store.crs, CRS84) is not None


def life_of(town: Town, layer: Layer, policy: Policy) -> list[str | None] | None:
    """Return when the first of a layer begins and the last ends, None for an open end; nothing where that takes reading every row."""
    counted = town.store.census_instants(layer.id) if policy.admits_whole(layer.id) else None
    if counted is None or not counted.begins:
        return None
    is_over = sum(counted.ends.values()) >= sum(counted.begins.values())
    return [min(counted.begins), max(counted.ends) if is_over else None]


def features_of(town: Town, layer: Layer, policy: Policy) -> int:
    """Return how many features of a layer are to be seen now under a policy."""
    if layer.id not in policy.rows:
        return town.store.summary(layer.id).features
    return town.store.count(FeatureQuery(layer.id, view=View(policy=policy)))


def configuration(town: Town, url: str, *, policy: Policy, layers: list[Layer], stock: bool = False) -> dict[str, Any]:
    """Return the configuration of pygeoapi for these layers, as a policy shows them.

    `stock` is for an unmodified `pygeoapi serve`: it swaps northing-first systems, so there only longitude, latitude
    is offered, and the provider answers in it.
    """
    name = town.settings.name
    return {
        "server": {"bind": {"host": "0.0.0.0", "port": 5000}, "url": url, "mimetype": "application/json; charset=UTF-8", "encoding": "utf-8",
                   "gzip": False, "languages": ["en-US"] if stock else ["zh-CN", "en-US"], "pretty_print": False, "admin": False,
                   "limits": {"default_items": 100, "max_items": 10_000, "on_exceed": "throttle"},
                   "map": {"url": "", "attribution": ""}},
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {"title": _texts(name.zh, name.en, stock), "description": _texts(f"{name.zh} 数字孪生空间数据服务", f"Digital twin of {name.en}", stock),
                               "keywords": {"en": ["digital twin", "CIM", "OGC API"]} if not stock else ["digital twin", "CIM"], "keywords_type": "theme",
                               "terms_of_service": "", "url": url},
            "license": {"name": "see the town's office", "url": url},
            "provider": {"name": name.en, "url": url},
            "contact": {"name": name.en, "url": url},
        },
        "resources": {layer.id: _resource(town, layer, policy, stock) for layer in layers},
    }  # fmt: skip


def _texts(zh: str, en: str, stock: bool) -> Any:
    return f"{zh} {en}" if stock else {"zh": zh, "en": en}


def _resource(town: Town, layer: Layer, policy: Policy, stock: bool) -> dict[str, Any]:
    storage = uri_of("OGC:CRS84" if stock else town.store.crs)
    crs = [uri_of("OGC:CRS84")] if stock else [uri_of(each) for each in crs_list(town)]
    return {
        "type": "collection", "title": _texts(layer.title.zh, layer.title.en, stock),
        "description": _texts(layer.description.zh, layer.description.en, stock),
        "keywords": [layer.id] if stock else {"zh": [layer.title.zh], "en": [layer.id]}, "links": [],
        "extents": {"spatial": {"bbox": extent_of(town, layer, policy), "crs": uri_of("OGC:CRS84")}},
        "providers": [{"type": "feature", "name": PROVIDER, "data": {"town": str(town.path.resolve()), "layer": layer.id},
                       "id_field": "id", "storage_crs": storage, "crs": crs}],
    }  # fmt: skip
