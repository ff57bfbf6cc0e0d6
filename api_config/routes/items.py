"""`/collections/{c}/items` and `/items/{id}`: OGC API - Features parts 1, 2 and 3 over the store."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api_config.pages.pages import item_page, items_page
from api_config.pages.samples import neighbours
from api_config.web.answer import answer, etag_of, not_modified
from api_config.web.asked import (
    FORMATS,
    GEOJSON,
    ITEMS_FORMATS,
    ITEMS_PARAMETERS,
    Asked,
    as_of,
    asked_of,
    checksum_of,
)
from api_config.web.call import Call
from api_config.web.cursor import Cursor, behind
from api_config.web.download import DOWNLOADS, answer_download, ensure_may_download, is_download
from api_config.web.family import OpenApiPaths, RouteFamily, per_layer
from api_config.web.feature_cache import FeatureCache, Page
from api_config.web.lanes import get_route
from api_config.web.offered_crs import crs_header, crs_of
from api_config.web.openapi import (
    PARAMETERS,
    PLAIN,
    TEXT,
    add_parameters,
    get_operation,
    path_parameter,
    query_parameter,
    titles_of,
)
from api_config.web.path import path_segment
from tiles.encodings.geojson import with_members
from twin_model.errors import FeatureNotFound
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery
from twin_model.store.freshness import state_of
from twin_model.store.select import queryables
from twin_model.temporal import now

__all__ = ["FAMILY", "ensure_there", "item_bytes", "search_of"]

QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
_HTML = "text/html; charset=utf-8"
_ITEM_PARAMETERS = ("crs", "datetime", "recorded", "f", "lang")
_QUICK_ROWS = 1_000
_LONGEST_DOWNLOAD = 2**53
"""A download has no pages; a `limit` of any size is one."""

_SEARCHING = ("offset", "filter", "q", "sortby", "datetime", "recorded")


def items(request: Request) -> Response:
    """Answer a page of features, or a file of all that the filter shows: of so many where `limit` says how many."""
    call = Call(request)
    layer = call.layer()
    asked = asked_of(call, layer)
    if asked.format in DOWNLOADS:
        ensure_may_download(call, layer)
    etag = _validator(call, asked, str(request.url.query), asked.format, call.lang)
    held = not_modified(request, etag)
    if held is not None:
        return held
    if asked.format in DOWNLOADS:
        query = asked.query.with_(limit=call.integer("limit", 0, _LONGEST_DOWNLOAD) or None)
        headers = crs_header(asked.crs)
        return answer_download(call, layer, query, crs=asked.crs, form=asked.format, etag=etag, headers=headers)
    if request.method == "HEAD":
        return answer(request, b"", FORMATS[asked.format], etag=etag, headers=crs_header(asked.crs))
    page = _page(call, asked)
    if asked.format == "html":
        body = items_page(call, layer, orjson.loads(page))
        return answer(request, body, _HTML, etag=etag)
    links = f'<{call.base}/collections/{layer.id}/queryables>; rel="{QUERYABLES}"; type="application/schema+json"'
    return answer(request, page, GEOJSON, etag=etag, headers=crs_header(asked.crs) | {"Link": links})


def search_of(call: Call, layer: Layer) -> tuple[str, bytes]:
    """Return the CRS and the page of features of a call whose parameters came in a body."""
    asked = asked_of(call, layer)
    return asked.crs, _page(call, asked)


def is_search(request: Request) -> bool:
    """Say whether an items request looks through a layer, or for very many features: it is answered apart from the quick ones."""
    asked = request.query_params
    limit = asked.get("limit", "")
    if (
        is_download(request)
        or any(name in asked for name in _SEARCHING)
        or (limit.isdigit() and int(limit[:9]) > _QUICK_ROWS)
    ):
        return True
    return any(name not in ITEMS_PARAMETERS and name != "lang" for name in asked)


def item(request: Request) -> Response:
    """Answer one feature by id."""
    call = Call(request)
    layer = call.layer()
    call.allow("crs", "datetime", "recorded", "f")
    form = call.format(FORMATS, "json")
    crs = crs_of(call, layer, "crs")
    query = FeatureQuery(layer.id, view=call.view(), ids=(request.path_params["id"],))
    etag = _validator(call, Asked(layer, query, crs, form, 1, 0), request.url.path, request.url.query, form, call.lang)
    held = not_modified(request, etag)
    if held is not None:
        return held
    if request.method == "HEAD":
        ensure_there(call, layer, query)
        return answer(request, b"", FORMATS[form], etag=etag, headers=crs_header(crs))
    body = item_bytes(call, layer, query, crs)
    if form == "html":
        document = orjson.loads(body)
        page = item_page(call, layer, document, neighbours(call, layer, query))
        return answer(request, page, _HTML, etag=etag)
    return answer(request, body, GEOJSON, etag=etag, headers=crs_header(crs))


def item_bytes(call: Call, layer: Layer, query: FeatureQuery, crs: str) -> bytes:
    """Return one feature as GeoJSON with its links; a feature that is not there is refused with an id that is."""
    encoded: FeatureCache = call.request.app.state.feature_cache
    page = encoded.page(call.town.store, layer, query, crs)
    if not page.rows:
        ensure_there(call, layer, query)
    here = f"{call.base}/collections/{layer.id}"
    item = f"{here}/items/{path_segment(page.rows[0][1])}"
    links = [
        {"href": _state_address(call, item), "rel": "self", "type": GEOJSON},
        {"href": _state_address(call, item, f="html"), "rel": "alternate", "type": "text/html"},
        {"href": here, "rel": "collection", "type": "application/json"},
    ]
    return with_members(page.texts[0], links=links)


def _state_address(call: Call, address: str, **more: str) -> str:
    """Return the address of a feature in the state, and the system, in which it is asked for."""
    named = {name: call.params[name] for name in ("crs", "datetime", "recorded") if name in call.params} | more
    return f"{address}?{urlencode(named)}" if named else address


def ensure_there(call: Call, layer: Layer, query: FeatureQuery) -> None:
    """Refuse an id that is not there, with one that is; geometry is not read."""
    spare = query.with_(fields=(), geometry=False)
    if not call.town.store.rows(spare)[1]:
        _, some = call.town.store.rows(spare.with_(ids=None, limit=1))
        raise FeatureNotFound(id=(query.ids or ("",))[0][:100], layer=layer.id, example=some[0][1] if some else "-")


def _features(call: Call, asked: Asked) -> Page:
    """Return rows and GeoJSON of the state that the cursor will name, also where a commit came between the two."""
    encoded: FeatureCache = call.request.app.state.feature_cache
    store = call.town.store
    page = encoded.page(store, asked.layer, asked.query, asked.crs)
    if asked.query.view.recorded is None and store.version() != asked.version:
        page = encoded.page(store, asked.layer, as_of(asked.query, asked.version), asked.crs)
    return page


def _page(call: Call, asked: Asked) -> bytes:
    page = _features(call, asked)
    more, rows = page.is_cut or len(page.rows) > asked.limit, page.rows[: asked.limit]
    members: dict[str, Any] = {"numberReturned": len(rows), "links": _links(call, asked, page.columns, rows, more)}
    matched = _matched(call, asked, len(rows), more)
    if matched is not None:
        members["numberMatched"] = matched
    return b'{"type":"FeatureCollection","timeStamp":"%b","features":[%b],%b' % (
        now().encode(),
        b",".join(page.texts[: asked.limit]),
        orjson.dumps(members)[1:],
    )


def _matched(call: Call, asked: Asked, returned: int, more: bool) -> int | None:
    """Return how many features match, where that is known or cheap."""
    query = asked.query
    if query.after is None and not more:
        return returned
    plain = (
        query.bbox is None
        and query.area is None
        and query.where is None
        and query.text is None
        and query.view.is_now
        and not query.view.policy.rows
    )
    return call.town.store.summary(asked.layer.id).features if plain else None


def _links(
    call: Call, asked: Asked, columns: tuple[str, ...], rows: list[tuple[Any, ...]], more: bool
) -> list[dict[str, Any]]:
    here = f"{call.base}/collections/{asked.layer.id}"
    is_posted = call.request.method == "POST"
    links = (
        []
        if is_posted
        else [
            {"href": call.here, "rel": "self", "type": GEOJSON},
            {"href": here, "rel": "collection", "type": "application/json"},
            {"href": f"{here}/items?{_address(call, f='html')}", "rel": "alternate", "type": "text/html"},
            {"href": f"{here}/queryables", "rel": QUERYABLES, "type": "application/schema+json"},
        ]
    )
    if not is_posted and not call.town.marking(asked.layer).is_restricted:
        links += [
            {"href": f"{here}/items?{_address(call, f=form, cursor='', limit='')}", "rel": "alternate", "type": media}
            for form, media in DOWNLOADS.items()
        ]
    if more:
        after = behind(call.town.store, asked.query, columns, rows[-1])
        mark = Cursor(asked.version, after).text(checksum_of(call))
        if is_posted:
            return [*links, _next_search(call, here, mark)]
        links.append({"href": f"{here}/items?{_address(call, cursor=mark)}", "rel": "next", "type": GEOJSON})
    return links


def _next_search(call: Call, here: str, cursor: str) -> dict[str, Any]:
    """Return the link to the next page of a search: the same body with a cursor (`method`, `body`, `merge` as in STAC API)."""
    named = {name: call.request.query_params[name] for name in ("lang", "f") if name in call.request.query_params}
    address = f"{here}/search" + (f"?{urlencode(named)}" if named else "")
    return {
        "href": address,
        "rel": "next",
        "type": GEOJSON,
        "method": "POST",
        "body": {"cursor": cursor},
        "merge": True,
    }


def _address(call: Call, **changes: str) -> str:
    """Return the query of this request with changes; what is changed to "" is left out."""
    replaced = {*changes, "offset"} if "cursor" in changes else {*changes}
    params = {name: value for name, value in call.params.items() if name not in replaced}
    return urlencode(params | {name: value for name, value in changes.items() if value})


def _validator(call: Call, asked: Asked, *parts: Any) -> str:
    """Return the ETag of an answer: the layer's last change, the last boundary of validity passed, policy and address."""
    marking = call.town.marking(asked.layer).facts
    return etag_of(*state_of(call.town.store, asked.layer, asked.query.view), asked.crs, call.base, marking, *parts)


def _paths(layers: Sequence[Layer]) -> OpenApiPaths:
    return per_layer(layers, _item_paths)


def _item_paths(layer: Layer, here: str, tags: list[str]) -> OpenApiPaths:
    title = layer.title.en
    items = get_operation(
        f"{layer.id}.items",
        f"Features of {title}",
        ITEMS_FORMATS,
        [*PARAMETERS, "f"],
        tags,
        answers="featureCollection",
    )
    fields = [
        query_parameter(name, PLAIN.get(kind, TEXT), *titles_of(layer, name))
        for name, kind in queryables(layer).items()
        if kind != "geometry" and name not in ITEMS_PARAMETERS
    ]
    items["get"]["parameters"] += fields
    item = get_operation(
        f"{layer.id}.item", f"One feature of {title}", FORMATS, list(_ITEM_PARAMETERS), tags, answers="feature"
    )
    add_parameters(item, path_parameter("featureId", TEXT))
    return {f"{here}/items": items, f"{here}/items/{{featureId}}": item}


_ROUTES = [
    get_route("/collections/{collection}/items", items, heavy=is_search),
    get_route("/collections/{collection}/items/{id:segments}", item),
]
_STANDARD = "http://www.opengis.net/spec/ogcapi-features"
_CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf"
FAMILY = RouteFamily(
    "items",
    routes=lambda settings: _ROUTES,
    paths=_paths,
    conformance=frozenset(
        {
            f"{_STANDARD}-1/1.0/conf/geojson",
            f"{_STANDARD}-2/1.0/conf/crs",
            f"{_STANDARD}-3/1.0/conf/filter",
            f"{_STANDARD}-3/1.0/conf/features-filter",
            f"{_CQL2}/cql2-text",
            f"{_CQL2}/cql2-json",
            f"{_CQL2}/basic-cql2",
            f"{_CQL2}/advanced-comparison-operators",
            f"{_CQL2}/basic-spatial-functions",
            f"{_CQL2}/basic-spatial-functions-plus",
            f"{_CQL2}/spatial-functions",
            f"{_CQL2}/temporal-functions",
            f"{_CQL2}/case-insensitive-comparison",
            f"{_CQL2}/accent-insensitive-comparison",
            f"{_CQL2}/property-property",
            f"{_CQL2}/arithmetic",
        }
    ),
)
