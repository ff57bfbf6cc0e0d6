"""3D Tiles and terrain: `/collections/{c}/3dtiles/tileset.json`, contents, `/terrain/layer.json`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from api_config.web.answer import answer, answer_json, etag_of, not_modified
from api_config.web.call import Call
from api_config.web.family import OpenApiPaths, RouteFamily, per_layer
from api_config.web.kept_answers import caching, version_of
from api_config.web.lanes import get_route
from api_config.web.openapi import JSON, TEXT, WHOLE, add_parameters, get_operation, path_parameter, query_parameter
from tiles.terrain import MEDIA_TYPE, NORMALS, encode_terrain_tile, is_available, layer_json
from tiles.town_tiles import TownTiles, all_time
from twin_model.crs import CRS84, transform_xy
from twin_model.errors import LayerNotFound, NotFound
from twin_model.layer import Layer
from twin_model.relief.ground import SOURCES
from twin_model.store.freshness import state_of
from twin_model.view import OPEN, View

__all__ = ["FAMILY", "is_open_ground", "terrain_tile_bytes", "terrain_version", "tileset_version"]

_FOREVER = 31_536_000
TERRAIN_ZOOM = 16


def tiles_of(call: Call) -> TownTiles:
    tiles: TownTiles = call.request.app.state.tiles
    return tiles


def _solid_layer(call: Call) -> Layer:
    layer = call.layer()
    if not layer.model.get("kind"):
        solid = [layer.id for layer in call.layers if layer.model.get("kind")]
        raise LayerNotFound(name=layer.id, nearest=solid)
    return layer


def tileset(request: Request) -> Response:
    """Answer the tileset of a layer, or the part of it that begins at a node.

    Without `datetime` it holds the states of all time with the days on which they begin and end.
    """
    call = Call(request)
    call.allow("recorded", "datetime", "v")
    layer, view = _solid_layer(call), all_time(call.view())
    key = _node(call) if "level" in request.path_params else None
    tiles = tiles_of(call)
    etag = etag_of(key, *state_of(call.town.store, layer, view), tiles.ground.mark, layer.style)
    held = not_modified(request, etag)
    if held is not None:
        return held
    document = tiles.tileset(layer, view, key, _asked(call, view))
    return answer_json(request, document, etag=etag, headers=caching(call, lambda: tileset_version(call, layer)))


def tileset_version(call: Call, layer: Layer) -> str:
    """Return what names the state of a layer of all time, as its tilesets show it to the caller."""
    state = state_of(call.town.store, layer, all_time(View(policy=call.policy)))
    return version_of("3dtiles", state, tiles_of(call).ground.mark, layer.style, layer.model)


def content(request: Request) -> Response:
    """Answer the GLB of a node; its address names its content, so it never changes."""
    call = Call(request)
    call.allow("recorded", "datetime", "v")
    layer = _solid_layer(call)
    key, name = _node(call), request.path_params["name"]
    # Who lost a right is not told that what they hold still stands; everybody's validator stays as it was.
    etag = etag_of(layer.id, key, name, *([] if call.policy == OPEN else [call.policy.digest]))
    held = not_modified(request, etag)
    if held is not None:
        return held
    if request.method == "HEAD":
        tiles_of(call).ensure_content(layer, call.view(), key, name)
        return answer(request, b"", "model/gltf-binary", etag=etag, max_age=_FOREVER)
    glb = tiles_of(call).content(layer, call.view(), key, name)
    return answer(request, glb, "model/gltf-binary", etag=etag, max_age=_FOREVER)


def _asked(call: Call, view: View) -> dict[str, str]:
    """Return the parameters that name this view again; a recorded state by its number, which stays the same."""
    asked = {"datetime": call.params["datetime"]} if "datetime" in call.params else {}
    return asked | ({} if view.recorded is None else {"recorded": str(view.recorded)})


def _node(call: Call) -> str:
    return "/".join(str(number) for number in call.whole("level", "x", "y"))


def is_open_ground(call: Call) -> bool:
    """Say whether every layer is open, with every row, of which the ground is made; it would tell their heights."""
    return all(call.policy.admits_whole(name) for name in SOURCES)


def _ensure_open_ground(call: Call) -> None:
    if not is_open_ground(call):
        raise LayerNotFound(name="terrain", nearest=["/collections"])


def terrain_layer(request: Request) -> Response:
    """Answer the description of the terrain."""
    call = Call(request)
    call.allow("v")
    _ensure_open_ground(call)
    bounds = tiles_of(call).terrain_bounds(call.policy)
    if bounds is None:
        raise LayerNotFound(name="terrain", nearest=["spot_height", "contour"])
    return answer_json(request, layer_json(bounds, TERRAIN_ZOOM), headers=_terrain_caching(call))


def terrain_version(call: Call) -> str:
    """Return what names the state of the ground and how far it reaches."""
    tiles = tiles_of(call)
    reach = (tiles.terrain_bounds(call.policy), call.town.extent())
    return version_of("terrain", tiles.ground.mark, *reach, call.town.settings.height_offset)


def _terrain_caching(call: Call) -> dict[str, str]:
    return caching(call, lambda: terrain_version(call))


def terrain_tile(request: Request) -> Response:
    """Answer a quantized-mesh tile of the ground."""
    call = Call(request)
    call.allow("v")
    _ensure_open_ground(call)
    z, x, y = call.whole("z", "x", "y")
    tiles = tiles_of(call)
    bounds = tiles.terrain_bounds(call.policy)
    if bounds is None or not is_available(bounds, z, x, y, TERRAIN_ZOOM):
        raise NotFound("tile.outside", tile=f"{z}/{x}/{y}", name="terrain")
    normals = NORMALS in request.headers.get("accept", "")
    etag = etag_of("terrain", normals, z, x, y, tiles.ground.mark, call.town.settings.height_offset)
    held = not_modified(request, etag)
    if held is not None:
        return held
    if request.method == "HEAD":
        return answer(request, b"", MEDIA_TYPE, etag=etag)
    body = terrain_tile_bytes(tiles, (z, x, y), normals)
    return answer(request, body, MEDIA_TYPE, etag=etag, headers=_terrain_caching(call))


def terrain_tile_bytes(tiles: TownTiles, address: tuple[int, int, int], normals: bool) -> bytes:
    """Return one terrain tile; heights beyond the survey are held at the nearest known one."""
    town = tiles.town

    def height(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
        if tiles.ground.surface() is None:
            return np.full(lon.shape, town.settings.height_offset)
        west, south, east, north = town.extent() or (0.0, 0.0, 0.0, 0.0)
        near_lon, near_lat = np.clip(lon, west - 0.2, east + 0.2), np.clip(lat, south - 0.2, north + 0.2)
        px, py = transform_xy(near_lon.ravel(), near_lat.ravel(), CRS84, town.store.crs)
        return (tiles.ground.heights(px, py) + town.settings.height_offset).reshape(lon.shape)

    return encode_terrain_tile(*address, height, held=town.settings.height_offset, normals=normals)


def _paths(layers: Sequence[Layer]) -> OpenApiPaths:
    mesh = "application/vnd.quantized-mesh"
    paths = {
        "/terrain/layer.json": get_operation(
            "terrain", "The ground, as quantized-mesh tiles", JSON, ["lang"], answers="terrain"
        ),
        "/terrain/{z}/{x}/{y}.terrain": get_operation("terrainTile", "One tile of the ground", mesh, ["lang"]),
    }
    named_version = query_parameter("v", TEXT)
    add_parameters(paths["/terrain/layer.json"], named_version)
    add_parameters(
        paths["/terrain/{z}/{x}/{y}.terrain"], *(path_parameter(name, WHOLE) for name in "zxy"), named_version
    )
    return paths | per_layer([layer for layer in layers if layer.model.get("kind")], _solid_paths)


def _solid_paths(layer: Layer, here: str, tags: list[str]) -> OpenApiPaths:
    title, when = layer.title.en, ["datetime", "recorded", "lang"]
    root = get_operation(f"{layer.id}.3dtiles", f"3D Tiles of {title}", JSON, when, tags, answers="tileset3d")
    part = get_operation(
        f"{layer.id}.3dtilesPart", f"Part of the 3D Tiles of {title}", JSON, when, tags, answers="tileset3d"
    )
    glb = get_operation(
        f"{layer.id}.3dtilesContent", f"Content of the 3D Tiles of {title}", "model/gltf-binary", when, tags
    )
    node = [path_parameter(name, WHOLE) for name in ("level", "x", "y")]
    named_version = query_parameter("v", TEXT)
    add_parameters(root, named_version)
    add_parameters(part, *node, named_version)
    add_parameters(glb, *node, path_parameter("name", TEXT), named_version)
    return {
        f"{here}/3dtiles/tileset.json": root,
        f"{here}/3dtiles/{_NODE}/tileset.json": part,
        f"{here}/3dtiles/content/{_NODE}/{{name}}.glb": glb,
    }


_NODE = "{level}/{x}/{y}"
_ROUTES = [
    get_route("/collections/{collection}/3dtiles/tileset.json", tileset, heavy=True),
    get_route(f"/collections/{{collection}}/3dtiles/{_NODE}/tileset.json", tileset, heavy=True),
    get_route(f"/collections/{{collection}}/3dtiles/content/{_NODE}/{{name}}.glb", content),
    get_route("/terrain/layer.json", terrain_layer, heavy=True),
    get_route("/terrain/{z}/{x}/{y}.terrain", terrain_tile, heavy=True),
]
FAMILY = RouteFamily("tilesets", routes=lambda settings: _ROUTES, paths=_paths)
