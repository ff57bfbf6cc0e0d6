"""Vector tiles: `/collections/{c}/tiles/{tms}/{z}/{row}/{col}` and their metadata (OGC API - Tiles)."""

from typing import Any

import anyio.to_thread
import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api_config.answering import answer, answer_json, etag_of, not_modified
from api_config.asking import Call
from api_config.ogc.resources import extent_of
from api_config.routes.items import layer_of
from tiles.grid import TILE_MATRIX_SETS, TileMatrixSet, tile_matrix_set
from tiles.mvt import encode_layer, encode_tile
from twin_model.crs import transform_bounds, transform_geometries
from twin_model.errors import CrsRefused, NotFound
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery
from twin_model.store.gpkg_binary import from_blobs
from twin_model.temporal import now

__all__ = ["ROUTES", "encode_layer_tile"]

MVT = "application/vnd.mapbox-vector-tile"
_BUFFER = 64 / 4096
_REL = "http://www.opengis.net/def/rel/ogc/1.0"


async def tile(request: Request) -> Response:
    """Answer one tile of one layer; an empty one within range is 204, one out of range 404."""
    call = Call(request)
    call.allow("datetime", "recorded", "f")
    layer = layer_of(call)
    grid = tile_matrix_set(request.path_params["tms"])
    z, row, col = (request.path_params[name] for name in ("z", "row", "col"))
    if not grid.contains(z, row, col):
        raise NotFound("tile.outside", tile=f"{z}/{row}/{col}", name=grid.id)
    view, box = call.view(), _storage_box(call, grid, z, row, col)
    store = call.town.store
    planned = store.next_boundary(layer.id, "")
    passed = planned if planned is not None and planned <= now() else None
    etag = etag_of(layer.id, grid.id, z, row, col, view, store.changed_since(layer.id, box), passed)
    held = not_modified(request, etag)
    if held is not None:
        return held
    data, dropped = await anyio.to_thread.run_sync(encode_layer_tile, call, layer, grid, (z, row, col), view)
    headers = {"X-Features-Dropped": str(dropped)} if dropped else {}
    if not data:
        return Response(status_code=204, headers={"ETag": etag, "Cache-Control": "no-cache"})
    return await answer(request, data, MVT, etag=etag, headers=headers)


def _storage_box(
    call: Call, grid: TileMatrixSet, z: int, row: int, col: int
) -> tuple[float, float, float, float] | None:
    """Return the tile's box with its buffer in the storage CRS; None where the projection does not reach."""
    minx, miny, maxx, maxy = grid.bounds(z, row, col)
    dx, dy = (maxx - minx) * _BUFFER, (maxy - miny) * _BUFFER
    town = call.town.extent(grid.epsg)
    box = (minx - dx, miny - dy, maxx + dx, maxy + dy)
    if town is not None:
        box = (
            max(box[0], town[0] - dx),
            max(box[1], town[1] - dy),
            min(box[2], town[2] + dx),
            min(box[3], town[3] + dy),
        )
        if box[0] >= box[2] or box[1] >= box[3]:
            return (0.0, 0.0, 0.0, 0.0)
    try:
        return transform_bounds(box, grid.epsg, call.town.store.crs)
    except CrsRefused:
        return None


def encode_layer_tile(
    call: Call, layer: Layer, grid: TileMatrixSet, address: tuple[int, int, int], view: Any
) -> tuple[bytes, int]:
    """Return a tile of one layer and how many features fell to the limit; only rows drawn at this zoom are read."""
    z, row, col = address
    box = _storage_box(call, grid, z, row, col)
    if not layer.has_geometry or box == (0.0, 0.0, 0.0, 0.0):
        return b"", 0
    names = tuple(one.name for one in layer.fields if one.format != "json" and one.queryable)
    query = FeatureQuery(
        layer.id, view=view, bbox=box, fields=names, max_zoom=z if z < layer.zoom.latest else None
    )
    columns, rows = call.town.store.rows(query)
    if not rows:
        return b"", 0
    by_name = {name: [one[n] for one in rows] for n, name in enumerate(columns)}
    geometry = transform_geometries(
        from_blobs(np.array(by_name["geometry"], dtype=object)), call.town.store.crs, grid.epsg
    )
    properties: dict[str, Any] = {"id": by_name["id"]} | {
        name: np.array(by_name[name], dtype=object) for name in names
    }
    encoded = encode_layer(layer.id, geometry, grid.bounds(z, row, col), ids=np.array(by_name["fid"], dtype=np.int64), properties=properties,
                           limit=call.settings.tile_features)  # fmt: skip
    return encode_tile([encoded.data]), encoded.dropped


async def tilesets(request: Request) -> Response:
    """Answer the tilesets of a collection."""
    call = Call(request)
    call.allow("f")
    layer = layer_of(call)
    here = f"{call.base}/collections/{layer.id}/tiles"
    listed = [_tileset(call, layer, grid, here) for grid in TILE_MATRIX_SETS.values()]
    return await answer_json(
        request, {"tilesets": listed, "links": [{"href": here, "rel": "self", "type": "application/json"}]}
    )


async def tileset(request: Request) -> Response:
    """Answer the metadata of one tileset, with the limits of what it covers."""
    call = Call(request)
    call.allow("f")
    layer = layer_of(call)
    grid = tile_matrix_set(request.path_params["tms"])
    extent = transform_bounds(tuple(extent_of(call.town, layer)), "OGC:CRS84", grid.epsg)  # type: ignore[arg-type]
    limits = [one for one in (grid.limits(extent, z) for z in range(layer.zoom.start, 21)) if one is not None]
    body = _tileset(call, layer, grid, f"{call.base}/collections/{layer.id}/tiles") | {
        "tileMatrixSetLimits": [one.to_dict() for one in limits]
    }
    return await answer_json(request, body)


def _tileset(call: Call, layer: Layer, grid: TileMatrixSet, here: str) -> dict[str, Any]:
    west, south, east, north = extent_of(call.town, layer)
    return {
        "title": f"{layer.title(call.lang)} {grid.id}", "dataType": "vector", "crs": grid.crs_uri, "tileMatrixSetId": grid.id,
        "layers": [{"id": layer.id, "dataType": "vector", "geometryDimension": layer.dimension}],
        "boundingBox": {"lowerLeft": [west, south], "upperRight": [east, north], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"},
        "links": [
            {"href": f"{here}/{grid.id}", "rel": "self", "type": "application/json"},
            {"href": f"{call.base}/tileMatrixSets/{grid.id}", "rel": f"{_REL}/tiling-scheme", "type": "application/json"},
            {"href": f"{here}/{grid.id}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}", "rel": "item", "type": MVT, "templated": True},
        ],
    }  # fmt: skip


async def matrix_sets(request: Request) -> Response:
    call = Call(request)
    call.allow("f")
    listed = [{"id": grid.id, "title": grid.title, "crs": grid.crs_uri,
               "links": [{"href": f"{call.base}/tileMatrixSets/{grid.id}", "rel": "self", "type": "application/json"}]}
              for grid in TILE_MATRIX_SETS.values()]  # fmt: skip
    return await answer_json(request, {"tileMatrixSets": listed}, max_age=3600)


async def matrix_set(request: Request) -> Response:
    Call(request).allow("f")
    return await answer_json(request, tile_matrix_set(request.path_params["tms"]).to_dict(), max_age=3600)


ROUTES = [
    Route("/collections/{collection}/tiles", tilesets, methods=["GET"]),
    Route("/collections/{collection}/tiles/{tms}", tileset, methods=["GET"]),
    Route("/collections/{collection}/tiles/{tms}/{z:int}/{row:int}/{col:int}", tile, methods=["GET", "HEAD"]),
    Route("/tileMatrixSets", matrix_sets, methods=["GET"]),
    Route("/tileMatrixSets/{tms}", matrix_set, methods=["GET"]),
]
