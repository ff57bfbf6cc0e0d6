"""Vector tiles of several layers at once: `/tiles/{tms}/{z}/{row}/{col}`, all of them or those of `collections` (OGC API - Tiles)."""

from collections.abc import Sequence
from difflib import get_close_matches
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from api_config.routes.tiles import (
    MVT,
    drawn_zoom,
    encode_layer_tile,
    ensure_within,
    holds_rows,
    tile_answer,
    tile_state,
    tileset_of,
)
from api_config.web.answer import answer_json, etag_of, not_modified
from api_config.web.call import Call
from api_config.web.family import OpenApiPaths, RouteFamily
from api_config.web.lanes import get_route
from api_config.web.openapi import WHOLE, add_parameters, get_operation, path_parameter, query_parameter
from tiles.grid import TILE_MATRIX_SETS, TileMatrixSet, tile_matrix_set
from twin_model.errors import QueryRefused
from twin_model.layer import Layer

__all__ = ["FAMILY"]

_JSON = {"json": "application/json"}
_TILE = {"mvt": MVT}
_CHINA = (73.62, 16.7, 134.77, 53.56)


def tilesets(request: Request) -> Response:
    """Answer the tilesets of the whole town, or of some of its layers."""
    call = Call(request)
    call.allow("collections", "f")
    call.format(_JSON, "json")
    layers = _chosen(call)
    listed = [_tileset(call, grid, layers) for grid in TILE_MATRIX_SETS.values()]
    here = {"href": call.here, "rel": "self", "type": "application/json"}
    return answer_json(request, {"tilesets": listed if layers else [], "links": [here]})


def tileset(request: Request) -> Response:
    """Answer the metadata of one tileset of several layers."""
    call = Call(request)
    call.allow("collections", "f")
    call.format(_JSON, "json")
    return answer_json(request, _tileset(call, tile_matrix_set(request.path_params["tms"]), _chosen(call)))


def tile(request: Request) -> Response:
    """Answer one tile of several layers, each a layer of the tile; a layer that was not named is drawn from its own first zoom on."""
    call = Call(request)
    call.allow("collections", "datetime", "recorded", "f")
    call.format(_TILE, "mvt")
    grid = tile_matrix_set(request.path_params["tms"])
    address, view, layers = ensure_within(call, grid), call.view(), _chosen(call)
    if "collections" not in call.params:
        layers = [layer for layer in layers if layer.zoom.start <= drawn_zoom(grid, address[0])]
    states = [tile_state(call, layer, grid, address, view) for layer in layers]
    etag = etag_of("dataset", grid.id, *address, *states)
    held = not_modified(request, etag)
    if held is not None:
        return held
    if request.method == "HEAD":
        is_filled = any(holds_rows(call, layer, grid, address, view) for layer in layers)
        return tile_answer(request, b" " * is_filled, etag, 0)
    # A vector tile is a protobuf message of repeated layers: tiles one after the other are one tile.
    encoded = [encode_layer_tile(call, layer, grid, address, view) for layer in layers]
    return tile_answer(request, b"".join(data for data, _ in encoded), etag, sum(dropped for _, dropped in encoded))


def _chosen(call: Call) -> list[Layer]:
    """Return the layers with geometry that the caller may see, or those of them that `collections` names, each once."""
    offered = {layer.id: layer for layer in call.layers if layer.has_geometry}
    named = call.params.get("collections")
    if named is None:
        return list(offered.values())
    names = list(dict.fromkeys(name.strip() for name in named.split(",")))
    unknown = next((name for name in names if name not in offered), None)
    if unknown is not None:
        nearest = get_close_matches(unknown, offered, 3, 0.4) or list(offered)[:5]
        raise QueryRefused("query.refused", cause=f"collections={unknown[:100]}", expected=", ".join(nearest))
    return [offered[name] for name in names]


def _tileset(call: Call, grid: TileMatrixSet, layers: Sequence[Layer]) -> dict[str, object]:
    named = {name: call.params[name] for name in ("collections",) if name in call.params}
    query = f"?{urlencode(named, safe=',')}" if named else ""
    title = call.town.settings.name(call.lang)
    return tileset_of(call, grid, f"{call.base}/tiles", title=title, layers=layers, extent=_extent(call), query=query)


def _extent(call: Call) -> Sequence[float]:
    """Return west, south, east, north of what the caller may see of the town; an empty one lies in China."""
    return call.town.extent(policy=call.policy) or _CHINA


def _paths(layers: Sequence[Layer]) -> OpenApiPaths:
    form, name = ["f", "lang"], path_parameter("tileMatrixSetId", {"type": "string", "enum": list(TILE_MATRIX_SETS)})
    names = {"type": "string", "enum": [layer.id for layer in layers if layer.has_geometry]}
    collections = query_parameter("collections", {"type": "array", "items": names})
    listed = get_operation("dataset.vector.getTileSetsList", "Tilesets of the town", _JSON, form, answers="tilesets")
    described = get_operation("dataset.vector.getTileSet", "One tileset of the town", _JSON, form, answers="tileset")
    drawn = get_operation("dataset.vector.getTile", "Vector tile of the town", _TILE, ["datetime", "recorded", *form])
    add_parameters(listed, collections)
    add_parameters(described, name, collections)
    numbers = [path_parameter(part, WHOLE) for part in ("tileMatrix", "tileRow", "tileCol")]
    add_parameters(drawn, name, *numbers, collections)
    drawn["get"]["responses"]["204"] = {"description": "No feature in this tile"}
    return {
        "/tiles": listed,
        "/tiles/{tileMatrixSetId}": described,
        "/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}": drawn,
    }


_ROUTES = [
    get_route("/tiles", tilesets),
    get_route("/tiles/{tms}", tileset),
    get_route("/tiles/{tms}/{z}/{row}/{col}", tile, heavy=True),
]
_STANDARD = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf"
FAMILY = RouteFamily(
    "town_tilesets",
    routes=lambda settings: _ROUTES,
    paths=_paths,
    conformance=frozenset({f"{_STANDARD}/dataset-tilesets", f"{_STANDARD}/collections-selection"}),
)
