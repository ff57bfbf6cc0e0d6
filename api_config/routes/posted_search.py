"""`POST /collections/{c}/search`: the parameters of items as a JSON object, for filters longer than an address can be.

    {"filter": {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Polygon", ...}]}, "limit": 1000}

`POST /collections/{c}/items` is not this: there a feature is created (OGC API - Features part 4). GET answers what items answers.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api_config.routes.items import items, search_of
from api_config.web.answer import answer
from api_config.web.asked import FORMATS, GEOJSON
from api_config.web.body import parameters_of, read_body
from api_config.web.call import Call
from api_config.web.family import OpenApiPaths, RouteFamily, per_layer
from api_config.web.lanes import Lanes, answered
from api_config.web.openapi import PARAMETERS, get_operation, post_operation
from twin_model.crs import uri_of
from twin_model.errors import QueryRefused
from twin_model.layer import Layer

__all__ = ["FAMILY"]

_FORMATS = {"json": GEOJSON, "geojson": GEOJSON}
_OF_ADDRESS = ("lang", "f")
_IN_BODY = tuple(name for name in PARAMETERS if name not in _OF_ADDRESS)


async def search(request: Request) -> Response:
    """Read the body on the loop and answer in the lane of what searches; GET answers what items answers."""
    lanes: Lanes = request.app.state.lanes
    if request.method != "POST":
        return await answered(lanes.heavy, request, items)
    most_bytes = request.app.state.service.settings.search_kib * 1024
    body = await read_body(request, most_bytes=most_bytes)
    return await answered(lanes.heavy, request, partial(_found, body=body))


def _found(request: Request, *, body: bytes) -> Response:
    """Answer a page of features."""
    Call(request).allow(*_OF_ADDRESS)
    in_address = {name: request.query_params[name] for name in _OF_ADDRESS if name in request.query_params}
    parameters = parameters_of(body)
    twice = sorted(in_address.keys() & parameters.keys())
    if twice:
        raise QueryRefused("query.refused", cause=f"{twice[0]}=..., {twice[0]}=...", expected=f"{twice[0]}=...")
    call = Call(request, parameters | in_address)
    call.format(_FORMATS, "json")
    crs, page = search_of(call, call.layer())
    return answer(request, page, GEOJSON, headers={"Content-Crs": f"<{uri_of(crs)}>", "Cache-Control": "no-store"})


def _paths(layers: Sequence[Layer]) -> OpenApiPaths:
    return per_layer(layers, _search_path)


def _search_path(layer: Layer, here: str, tags: list[str]) -> OpenApiPaths:
    title = f"Features of {layer.title.en} that a longer filter finds"
    same, answers = f"Features of {layer.title.en}", "featureCollection"
    got = get_operation(f"{layer.id}.search.items", same, FORMATS, [*PARAMETERS, "f"], tags, answers=answers)
    posted = post_operation(
        f"{layer.id}.search", title, _schema(layer), _FORMATS, list(_OF_ADDRESS), tags, answers=answers
    )
    return {f"{here}/search": got | posted}


def _schema(layer: Layer) -> dict[str, Any]:
    """Return the schema of the body: the parameters of items, a filter as text or as CQL2 JSON, queryables by name."""
    members = {
        name: {**PARAMETERS[name]["schema"], "description": PARAMETERS[name]["description"]} for name in _IN_BODY
    }
    members["filter"] = {
        "oneOf": [{"type": "string"}, {"type": "object"}],
        "description": members["filter"]["description"],
    }
    return {"type": "object", "properties": members, "example": {"filter": f"id LIKE '{layer.id}.1%'", "limit": 10}}


_ROUTES = [Route("/collections/{collection}/search", search, methods=["GET", "HEAD", "POST"])]
FAMILY = RouteFamily("posted_search", routes=lambda settings: _ROUTES, paths=_paths)
