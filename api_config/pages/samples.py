"""What pages draw on their maps: a sketch of the town, a layer's first features, the neighbours of one feature."""

from functools import lru_cache
from typing import Any

import orjson
import shapely

from api_config.web.call import Call
from api_config.web.properties import properties_of
from tiles.encodings.geojson import geometry_fragments
from twin_model.crs import CRS84, placed_geometries
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery
from twin_model.store.frames import from_wkb
from twin_model.town import Town
from twin_model.view import View

__all__ = ["feature_collection", "neighbours", "overview"]

_DRAWN = ("planning_area", "water_area", "vegetation_area", "road_area", "building", "rail")
"""The layers of a town's sketch, the lowest first."""
_MOST, _NEAR_MOST, _NEAR = 2_000, 200, 60.0

Collection = dict[str, Any]


def feature_collection(town: Town, layer: Layer, query: FeatureQuery) -> Collection:
    """Return features in longitude, latitude as a plain FeatureCollection."""
    columns, rows = town.store.rows(query)
    shapes = [b"null"] * len(rows)
    if "geometry" in columns and rows:
        shapes = geometry_fragments(from_wkb([row[columns.index("geometry")] for row in rows]), town.store.crs, CRS84)
    features = [
        {
            "type": "Feature",
            "id": row[1],
            "geometry": orjson.loads(shape),
            "properties": properties_of(layer, columns, row),
        }
        for row, shape in zip(rows, shapes, strict=True)
    ]
    return {"type": "FeatureCollection", "features": features, "numberReturned": len(features)}


def overview(call: Call) -> dict[str, Collection]:
    """Return the collections of the front page's map, as open as the caller's view; made once a version."""
    names = tuple(name for name in _DRAWN if name in call.town.catalogue and call.policy.admits(name))
    return _overview(call.town, names, View(policy=call.policy), call.town.store.version())


@lru_cache(maxsize=8)
def _overview(town: Town, names: tuple[str, ...], view: View, version: int) -> dict[str, Collection]:
    queries = {name: FeatureQuery(name, view=view, fields=(), limit=_MOST) for name in names}
    drawn = {name: feature_collection(town, town.catalogue[name], query) for name, query in queries.items()}
    return {name: one for name, one in drawn.items() if one["features"]}


def neighbours(call: Call, layer: Layer, query: FeatureQuery) -> Collection | None:
    """Return the features around the one a query names, to be drawn behind it; None where it has no place."""
    if not layer.has_geometry:
        return None
    columns, rows = call.town.store.rows(query.with_(fields=()))
    shape = placed_geometries(from_wkb([rows[0][columns.index("geometry")]]))[0] if rows else None
    if shape is None:
        return None
    minx, miny, maxx, maxy = shapely.bounds(shape).tolist()
    box = (minx - _NEAR, miny - _NEAR, maxx + _NEAR, maxy + _NEAR)
    return feature_collection(
        call.town, layer, FeatureQuery(layer.id, view=query.view, bbox=box, fields=(), limit=_NEAR_MOST)
    )
