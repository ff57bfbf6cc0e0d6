"""`/collections/{c}/items/{id}/versions`: the states of a feature, by valid time, as recorded now or at a version."""

from collections.abc import Sequence
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api_config.routes.items import ensure_there
from api_config.web.answer import answer, etag_of, not_modified
from api_config.web.asked import GEOJSON
from api_config.web.call import Call
from api_config.web.family import OpenApiPaths, RouteFamily, per_layer
from api_config.web.lanes import get_route
from api_config.web.openapi import TEXT, add_parameters, get_operation, path_parameter
from api_config.web.properties import property_reader
from tiles.encodings.geojson import encode_features, wkb_fragments
from twin_model.crs import CRS84, uri_of
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery
from twin_model.store.freshness import state_of
from twin_model.temporal import Instant, Interval
from twin_model.view import View

__all__ = ["FAMILY"]

_FORMATS = {"json": GEOJSON, "geojson": GEOJSON}


def versions(request: Request) -> Response:
    """Answer the states of one feature, oldest first; each has `valid_from`, `valid_to` and the `version` that wrote it.

    Those that do not fit on a page follow at the address of its link `next`, as they were recorded when it was asked for.
    """
    call = Call(request)
    layer = call.layer()
    call.allow("datetime", "recorded", "limit", "f")
    call.format(_FORMATS, "json")
    limit = call.integer("limit", call.settings.page_limit, call.settings.page_most)
    view, newest = call.view(), call.town.store.version()
    stretch = view.datetime if isinstance(view.datetime, Interval) else Interval(view.datetime, view.datetime)
    query = FeatureQuery(
        layer.id,
        view=View(stretch, view.recorded, view.policy),
        ids=(request.path_params["id"],),
        states=True,
        limit=limit + 1,
    )
    etag = etag_of(
        *state_of(call.town.store, layer, query.view),
        call.base,
        request.url.path,
        request.url.query,
        call.lang,
    )
    held = not_modified(request, etag)
    if held is not None:
        return held
    columns, rows = call.town.store.rows(query)
    if not rows:
        ensure_there(call, layer, query.with_(limit=None))
    more, rows = len(rows) > limit, rows[:limit]
    shapes = (
        wkb_fragments([row[columns.index("geometry")] for row in rows], call.town.store.crs, CRS84)
        if layer.has_geometry
        else [b"null"] * len(rows)
    )
    read, ids = property_reader(layer, columns), [f"{row[1]}" for row in rows]
    features = encode_features(ids, (read(row) for row in rows), shapes)
    links = [
        {"href": call.here, "rel": "self", "type": GEOJSON},
        {"href": call.here.split("?")[0].removesuffix("/versions"), "rel": "item", "type": GEOJSON},
    ]
    if more:
        end, recorded = rows[-1][columns.index("valid_to")], str(newest if view.recorded is None else view.recorded)
        links.append({"href": _next_page(call, stretch, end, recorded), "rel": "next", "type": GEOJSON})
    members = orjson.dumps({"numberReturned": len(rows), "links": links})[1:]
    body = b'{"type":"FeatureCollection","features":' + features + b"," + members
    return answer(request, body, GEOJSON, etag=etag, headers={"Content-Crs": f"<{uri_of(CRS84)}>"})


def _next_page(call: Call, stretch: Interval, since: Instant, recorded: str) -> str:
    """Return the address of the states that follow a page's last one, which ended at an instant, as recorded by then."""
    asked = {"datetime": f"{since}/{stretch.end or '..'}", "recorded": recorded}
    return f"{call.here.split('?')[0]}?{urlencode(dict(call.params.items()) | asked)}"


def _paths(layers: Sequence[Layer]) -> OpenApiPaths:
    return per_layer(layers, _version_paths)


def _version_paths(layer: Layer, here: str, tags: list[str]) -> OpenApiPaths:
    title = f"The states of a feature of {layer.title.en}"
    parameters = ["datetime", "recorded", "limit", "f", "lang"]
    states = get_operation(f"{layer.id}.versions", title, _FORMATS, parameters, tags, answers="featureCollection")
    add_parameters(states, path_parameter("featureId", TEXT))
    return {f"{here}/items/{{featureId}}/versions": states}


_ROUTES = [get_route("/collections/{collection}/items/{id:segments}/versions", versions)]
FAMILY = RouteFamily("versions", routes=lambda settings: _ROUTES, paths=_paths)
