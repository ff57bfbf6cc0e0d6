"""Vector tiles: `/collections/{c}/tiles/{tms}/{z}/{row}/{col}` and their metadata (OGC API - Tiles)."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from api_config.ogc.resources import extent_of
from api_config.web.answer import VARY, answer, answer_json, etag_of, not_modified
from api_config.web.call import Call
from api_config.web.family import OpenApiPaths, RouteFamily, per_layer
from api_config.web.kept_answers import caching, version_of
from api_config.web.lanes import get_route
from api_config.web.openapi import WHOLE, add_parameters, get_operation, path_parameter, query_parameter
from tiles.grid import TILE_MATRIX_SETS, TileMatrixSet, tile_matrix_set
from tiles.mvt import encode_layer, encode_tile
from twin_model.changeset import Box
from twin_model.crs import placed_geometries, reachable_extent, transform_bounds, transform_geometries
from twin_model.errors import NotFound
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery
from twin_model.store.frames import from_wkb
from twin_model.store.freshness import state_of
from twin_model.view import View

__all__ = [
    "FAMILY",
    "MVT",
    "drawn_zoom",
    "encode_layer_tile",
    "ensure_within",
    "holds_rows",
    "tile_answer",
    "tile_state",
    "tiles_version",
    "tileset_of",
]

MVT = "application/vnd.mapbox-vector-tile"
_BUFFER = 64 / 4096
_LAST_LISTED = 20
"""The last zoom of which a tileset tells limits; there are tiles beyond it."""

_NOWHERE = (0.0, 0.0, 0.0, 0.0)
_TILE = {"mvt": MVT}
_JSON = {"json": "application/json"}
_REL = "http://www.opengis.net/def/rel/ogc/1.0"


def tile(request: Request) -> Response:
    """Answer one tile of one layer; an empty one within range is 204, one out of range 404."""
    call = Call(request)
    call.allow("datetime", "recorded", "f", "v")
    call.format(_TILE, "mvt")
    layer = call.layer()
    grid = tile_matrix_set(request.path_params["tms"])
    address, view = ensure_within(call, grid), call.view()
    etag = etag_of(grid.id, *address, *tile_state(call, layer, grid, address, view))
    held = not_modified(request, etag)
    if held is not None:
        return held
    if request.method == "HEAD":
        return tile_answer(request, b" " * holds_rows(call, layer, grid, address, view), etag, 0)
    data, dropped = encode_layer_tile(call, layer, grid, address, view)
    return tile_answer(request, data, etag, dropped, caching(call, lambda: tiles_version(call, layer)))


def tiles_version(call: Call, layer: Layer) -> str:
    """Return what names the state of a layer as its tiles of any place and time show it to the caller."""
    drawn = [(field.name, field.format, field.queryable) for field in layer.fields]
    state = state_of(call.town.store, layer, View(policy=call.policy))
    return version_of("tiles", state, drawn, layer.zoom, call.settings.tile_features)


def ensure_within(call: Call, grid: TileMatrixSet) -> tuple[int, int, int]:
    """Return zoom, row and column of the address; a tile that the set does not have is refused."""
    z, row, col = call.whole("z", "row", "col")
    if not grid.contains(z, row, col):
        raise NotFound("tile.outside", tile=f"{z}/{row}/{col}", name=grid.id)
    return z, row, col


def tile_state(
    call: Call, layer: Layer, grid: TileMatrixSet, address: tuple[int, int, int], view: View
) -> tuple[Any, ...]:
    """Return what the tile of a layer depends on besides its address."""
    return state_of(call.town.store, layer, view, _storage_box(call, layer, grid, *address))


def tile_answer(
    request: Request, data: bytes, etag: str, dropped: int, caching: Mapping[str, str] | None = None
) -> Response:
    headers = dict(caching or {})
    if not data:
        return Response(status_code=204, headers={"ETag": etag, "Cache-Control": "no-cache", "Vary": VARY} | headers)
    if dropped:
        headers["X-Features-Dropped"] = str(dropped)
    return answer(request, b"" if request.method == "HEAD" else data, MVT, etag=etag, headers=headers)


def _storage_box(call: Call, layer: Layer, grid: TileMatrixSet, z: int, row: int, col: int) -> Box:
    """Return what the tile with its buffer has of the layer's extent, in the storage CRS; _NOWHERE where they miss.

    An extent only ever grows, so a change within the tile is a change within this box.
    """
    minx, miny, maxx, maxy = grid.bounds(z, row, col)
    dx, dy = (maxx - minx) * _BUFFER, (maxy - miny) * _BUFFER
    extent = reachable_extent(call.town.store.summary(layer.id).extent, call.town.store.crs)
    if extent is None:
        return _NOWHERE
    west, south, east, north = _extent_in(extent, call.town.store.crs, grid.epsg)
    box = (max(minx, west) - dx, max(miny, south) - dy, min(maxx, east) + dx, min(maxy, north) + dy)
    if box[0] >= box[2] or box[1] >= box[3]:
        return _NOWHERE
    return transform_bounds(box, grid.epsg, call.town.store.crs)


@lru_cache(maxsize=256)
def _extent_in(extent: Box, crs: str, target: str) -> Box:
    return transform_bounds(extent, crs, target)


def drawn_zoom(grid: TileMatrixSet, z: int) -> int:
    """Return the zoom of WebMercatorQuad, in which zooms of features are counted, of a zoom of a set.

    A set that begins with two tiles is one zoom finer.
    """
    zoom: int = z + grid.root_width.bit_length() - 1
    return zoom


def _last_zoom(layer: Layer, grid: TileMatrixSet, z: int) -> int | None:
    """Return up to which of a feature's zooms a tile draws, None for all."""
    zoom = drawn_zoom(grid, z)
    return zoom if zoom < layer.zoom.latest else None


def holds_rows(call: Call, layer: Layer, grid: TileMatrixSet, address: tuple[int, int, int], view: View) -> bool:
    """Say whether a tile has anything of a layer; geometry is not read."""
    box = _storage_box(call, layer, grid, *address)
    if not layer.has_geometry or box == _NOWHERE:
        return False
    drawn = _last_zoom(layer, grid, address[0])
    query = FeatureQuery(layer.id, view=view, bbox=box, fields=(), geometry=False, max_zoom=drawn, limit=1)
    return bool(call.town.store.rows(query)[1])


def encode_layer_tile(
    call: Call, layer: Layer, grid: TileMatrixSet, address: tuple[int, int, int], view: View
) -> tuple[bytes, int]:
    """Return a tile of one layer and how many features fell to the limit; only rows drawn at this zoom are read."""
    z, row, col = address
    box = _storage_box(call, layer, grid, z, row, col)
    if not layer.has_geometry or box == _NOWHERE:
        return b"", 0
    names = tuple(field.name for field in layer.fields if field.format != "json" and field.queryable)
    query = FeatureQuery(layer.id, view=view, bbox=box, fields=names, max_zoom=_last_zoom(layer, grid, z))
    columns, rows = call.town.store.rows(query)
    if not rows:
        return b"", 0
    by_name = {name: [values[n] for values in rows] for n, name in enumerate(columns)}
    stored = from_wkb(np.array(by_name["geometry"], dtype=object))
    geometry = placed_geometries(transform_geometries(stored, call.town.store.crs, grid.epsg))
    properties: dict[str, Any] = {"id": by_name["id"]} | {name: np.array(by_name[name], dtype=object) for name in names}
    encoded = encode_layer(
        layer.id,
        geometry,
        grid.bounds(z, row, col),
        ids=np.array(by_name["fid"], dtype=np.int64),
        properties=properties,
        limit=call.settings.tile_features,
    )
    return encode_tile([encoded.data]), encoded.dropped


def tilesets(request: Request) -> Response:
    """Answer the tilesets of a collection."""
    call = Call(request)
    call.allow("f")
    call.format(_JSON, "json")
    layer = call.layer()
    here = f"{call.base}/collections/{layer.id}/tiles"
    listed = [_tileset(call, layer, grid) for grid in TILE_MATRIX_SETS.values()]
    return answer_json(
        request,
        {
            "tilesets": listed if layer.has_geometry else [],
            "links": [{"href": here, "rel": "self", "type": "application/json"}],
        },
    )


def tileset(request: Request) -> Response:
    """Answer the metadata of one tileset."""
    call = Call(request)
    call.allow("f")
    call.format(_JSON, "json")
    return answer_json(request, _tileset(call, call.layer(), tile_matrix_set(request.path_params["tms"])))


def _limits_of(grid: TileMatrixSet, extent: Sequence[float], first_zoom: int) -> list[dict[str, Any]]:
    """Return the rows and columns of each zoom that an extent in degrees meets; the first zoom is one of WebMercatorQuad."""
    west, south, east, north = extent
    bounds = transform_bounds((west, south, east, north), "OGC:CRS84", grid.epsg)
    limits = (grid.limits(bounds, z) for z in range(max(0, first_zoom + 1 - grid.root_width), _LAST_LISTED + 1))
    return [limit.to_dict() for limit in limits if limit is not None]


def _tileset(call: Call, layer: Layer, grid: TileMatrixSet) -> dict[str, Any]:
    here, extent = f"{call.base}/collections/{layer.id}/tiles", extent_of(call.town, layer, call.policy)
    return tileset_of(call, grid, here, title=layer.title(call.lang), layers=[layer], extent=extent)


def tileset_of(
    call: Call,
    grid: TileMatrixSet,
    here: str,
    *,
    title: str,
    layers: Sequence[Layer],
    extent: Sequence[float],
    query: str = "",
) -> dict[str, Any]:
    """Return the metadata of a tileset of these layers, with the limits of what it covers; `query` is what its addresses carry on."""
    west, south, east, north = extent
    return {
        "title": f"{title} {grid.id}", "dataType": "vector", "crs": grid.crs_uri, "tileMatrixSetId": grid.id,
        "tileMatrixSetURI": grid.uri or f"{call.base}/tileMatrixSets/{grid.id}",
        "layers": [{"id": layer.id, "title": layer.title(call.lang), "dataType": "vector", "geometryDimension": layer.dimension} for layer in layers],
        "boundingBox": {"lowerLeft": [west, south], "upperRight": [east, north], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"},
        "tileMatrixSetLimits": _limits_of(grid, extent, min((layer.zoom.start for layer in layers), default=0)),
        "links": [
            {"href": f"{here}/{grid.id}{query}", "rel": "self", "type": "application/json"},
            {"href": f"{call.base}/tileMatrixSets/{grid.id}", "rel": f"{_REL}/tiling-scheme", "type": "application/json"},
            {"href": f"{here}/{grid.id}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}{query}", "rel": "item", "type": MVT, "templated": True},
        ],
    }  # fmt: skip


def matrix_sets(request: Request) -> Response:
    call = Call(request)
    call.allow("f")
    call.format(_JSON, "json")
    listed = [
        {
            "id": grid.id,
            "title": grid.title,
            "crs": grid.crs_uri,
            "links": [{"href": f"{call.base}/tileMatrixSets/{grid.id}", "rel": "self", "type": "application/json"}],
        }
        for grid in TILE_MATRIX_SETS.values()
    ]
    return answer_json(request, {"tileMatrixSets": listed}, max_age=3600)


def matrix_set(request: Request) -> Response:
    call = Call(request)
    call.allow("f")
    call.format(_JSON, "json")
    return answer_json(request, tile_matrix_set(request.path_params["tms"]).to_dict(), max_age=3600)


def _paths(layers: Sequence[Layer]) -> OpenApiPaths:
    form, name = ["f", "lang"], {"type": "string", "enum": list(TILE_MATRIX_SETS)}
    paths = {
        "/tileMatrixSets": get_operation(
            "getTileMatrixSetsList", "Tile matrix sets", _JSON, form, answers="tileMatrixSets"
        ),
        "/tileMatrixSets/{tileMatrixSetId}": get_operation(
            "getTileMatrixSet", "One tile matrix set", _JSON, form, answers="tileMatrixSet"
        ),
    }
    add_parameters(paths["/tileMatrixSets/{tileMatrixSetId}"], path_parameter("tileMatrixSetId", name))
    return paths | per_layer(layers, _tile_paths)


def _tile_paths(layer: Layer, here: str, tags: list[str]) -> OpenApiPaths:
    form, title = ["f", "lang"], f"Vector tile of {layer.title.en}"
    name_of = f"{layer.id}.collection.vector"
    tilesets = get_operation(f"{name_of}.getTileSetsList", "Tilesets", _JSON, form, tags, answers="tilesets")
    tileset = get_operation(f"{name_of}.getTileSet", "One tileset", _JSON, form, tags, answers="tileset")
    tile = get_operation(f"{name_of}.getTile", title, _TILE, ["datetime", "recorded", *form], tags)
    name = path_parameter("tileMatrixSetId", {"type": "string", "enum": list(TILE_MATRIX_SETS)})
    add_parameters(tileset, name)
    add_parameters(tile, name, *(path_parameter(part, WHOLE) for part in ("tileMatrix", "tileRow", "tileCol")))
    add_parameters(tile, query_parameter("v", {"type": "string"}))
    tile["get"]["responses"]["204"] = {"description": "No feature in this tile"}
    return {
        f"{here}/tiles": tilesets,
        f"{here}/tiles/{{tileMatrixSetId}}": tileset,
        f"{here}/tiles/{{tileMatrixSetId}}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}": tile,
    }


_ROUTES = [
    get_route("/collections/{collection}/tiles", tilesets),
    get_route("/collections/{collection}/tiles/{tms}", tileset),
    get_route("/collections/{collection}/tiles/{tms}/{z}/{row}/{col}", tile),
    get_route("/tileMatrixSets", matrix_sets),
    get_route("/tileMatrixSets/{tms}", matrix_set),
]
_STANDARD = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf"
FAMILY = RouteFamily(
    "tiles",
    routes=lambda settings: _ROUTES,
    paths=_paths,
    conformance=frozenset(
        f"{_STANDARD}/{name}"
        for name in ("core", "tileset", "tilesets-list", "geodata-tilesets", "mvt", "datetime", "oas30")
    ),
)
