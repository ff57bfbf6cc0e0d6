"""`/collections/{c}/items` and `/items/{id}`: OGC API - Features parts 1, 2 and 3 over the store."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api_config.ogc.resources import crs_list
from api_config.pages.pages import item_page, items_page
from api_config.pages.samples import neighbours
from api_config.web.answer import answer, etag_of, not_modified
from api_config.web.call import Call
from api_config.web.cursor import Cursor
from api_config.web.family import OpenApiPaths, RouteFamily, per_layer
from api_config.web.feature_cache import FeatureCache
from api_config.web.lanes import get_route
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
from api_config.web.properties import typed_value
from api_config.web.schema import sortables
from tiles.encodings.geojson import with_members
from twin_model.changeset import Box
from twin_model.crs import CRS84, reachable_extent, uri_of
from twin_model.errors import FeatureNotFound, QueryRefused
from twin_model.filter import Expression, parse_filter
from twin_model.filter.parsing import FilterLanguage
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.query_area import bbox_area, conjunction, filter_in_storage_crs, narrowed_to
from twin_model.store.base import FeatureQuery, SortKey
from twin_model.store.freshness import state_of
from twin_model.store.select import ensure_sorts, has_attributes, queryables
from twin_model.temporal import now
from twin_model.view import View

__all__ = ["FAMILY", "item_bytes", "layer_of", "search_of", "words_of"]

GEOJSON = "application/geo+json"
QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
_HTML = "text/html; charset=utf-8"
_FORMATS = {"json": GEOJSON, "geojson": GEOJSON, "html": "text/html"}
_PARAMETERS = ("bbox", "bbox-crs", "crs", "datetime", "recorded", "filter", "filter-lang", "filter-crs", "q", "sortby", "properties",
               "skipGeometry", "limit", "cursor", "f")  # fmt: skip
_ITEM_PARAMETERS = ("crs", "datetime", "recorded", "f", "lang")
_QUICK_ROWS = 1_000
_SEARCHING = ("filter", "q", "sortby", "datetime", "recorded")
_LONGEST_WORDS = 200
_MOST_KEYS = 16
_LONGEST_CRS = 200
"""Characters; what has more is none of the systems that are offered."""

_CRS_FORMS = re.compile(
    r"https?://www\.opengis\.net/def/crs/(\w+)/[\w.]+/(\w+)|urn:ogc:def:crs:(\w+):[\w.]*:(\w+)|(\w+):(\w+)|\[(\w+):(\w+)\]|(CRS84)",
    re.IGNORECASE | re.ASCII,
)
"""The spellings of one system: OGC's URI, URN, CURIE with and without brackets."""


@dataclass(frozen=True)
class Asked:
    """What an items request asks: the query, the CRS of the answer and the format."""

    layer: Layer
    query: FeatureQuery
    crs: str
    format: str
    limit: int
    version: int


def items(request: Request) -> Response:
    """Answer a page of features."""
    call = Call(request)
    layer = layer_of(call)
    asked = _asked(call, layer)
    etag = _validator(call, asked, str(request.url.query), asked.format, call.lang)
    held = not_modified(request, etag)
    if held is not None:
        return held
    if request.method == "HEAD":
        return answer(request, b"", _FORMATS[asked.format], etag=etag, headers=_crs_header(asked.crs))
    page = _page(call, asked)
    if asked.format == "html":
        body = items_page(call, layer, orjson.loads(page))
        return answer(request, body, _HTML, etag=etag)
    links = f'<{call.base}/collections/{layer.id}/queryables>; rel="{QUERYABLES}"; type="application/schema+json"'
    return answer(request, page, GEOJSON, etag=etag, headers=_crs_header(asked.crs) | {"Link": links})


def search_of(call: Call, layer: Layer) -> tuple[str, bytes]:
    """Return the CRS and the page of features of a call whose parameters came in a body."""
    asked = _asked(call, layer)
    return asked.crs, _page(call, asked)


def is_search(request: Request) -> bool:
    """Say whether an items request looks through a layer, or for very many features: it is answered apart from the quick ones."""
    asked = request.query_params
    limit = asked.get("limit", "")
    if any(name in asked for name in _SEARCHING) or (limit.isdigit() and int(limit[:9]) > _QUICK_ROWS):
        return True
    return any(name not in _PARAMETERS and name != "lang" for name in asked)


def item(request: Request) -> Response:
    """Answer one feature by id."""
    call = Call(request)
    layer = layer_of(call)
    call.allow("crs", "datetime", "recorded", "f")
    form = call.format(_FORMATS, "json")
    crs = _crs(call, layer, "crs")
    query = FeatureQuery(layer.id, view=call.view(), ids=(request.path_params["id"],))
    etag = _validator(call, Asked(layer, query, crs, form, 1, 0), request.url.path, request.url.query, form, call.lang)
    held = not_modified(request, etag)
    if held is not None:
        return held
    if request.method == "HEAD":
        ensure_there(call, layer, query)
        return answer(request, b"", _FORMATS[form], etag=etag, headers=_crs_header(crs))
    body = item_bytes(call, layer, query, crs)
    if form == "html":
        document = orjson.loads(body)
        page = item_page(call, layer, document, neighbours(call, layer, query))
        return answer(request, page, _HTML, etag=etag)
    return answer(request, body, GEOJSON, etag=etag, headers=_crs_header(crs))


def item_bytes(call: Call, layer: Layer, query: FeatureQuery, crs: str) -> bytes:
    """Return one feature as GeoJSON with its links; a feature that is not there is refused with an id that is."""
    encoded: FeatureCache = call.request.app.state.feature_cache
    _, rows, texts = encoded.page(call.town.store, layer, query, crs)
    if not rows:
        ensure_there(call, layer, query)
    here = f"{call.base}/collections/{layer.id}"
    item = f"{here}/items/{path_segment(rows[0][1])}"
    links = [
        {"href": _state_address(call, item), "rel": "self", "type": GEOJSON},
        {"href": _state_address(call, item, f="html"), "rel": "alternate", "type": "text/html"},
        {"href": here, "rel": "collection", "type": "application/json"},
    ]
    return with_members(texts[0], links=links)


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


def layer_of(call: Call) -> Layer:
    """Return the collection of the address; one that is closed to the caller is as absent as one that is not there."""
    return call.layer()


def _asked(call: Call, layer: Layer) -> Asked:
    fields = set(queryables(layer)) - {"geometry", *_PARAMETERS}
    call.allow(*_PARAMETERS, *fields)
    limit = call.integer("limit", call.settings.page_limit, call.settings.page_most)
    crs = _crs(call, layer, "crs")
    query = FeatureQuery(
        layer.id,
        view=call.view(),
        where=_where(call, layer, fields),
        where_crs=call.town.store.crs,
        text=words_of(call),
        sort=_sort(call, layer),
        fields=_fields(call, layer),
        geometry=not _flag(call, "skipGeometry"),
        limit=limit + 1,
    )
    query, version = _within(call, layer, query), call.town.store.version()
    cursor = call.params.get("cursor")
    if cursor is not None:
        mark = Cursor.read(cursor, _checksum(call), keys=len(query.sort), newest=version)
        query = query.with_(after=mark.after)
        query = query if mark.version == version else _as_of(query, mark.version)
        version = mark.version
    return Asked(layer, query, crs, call.format(_FORMATS, "json"), limit, version)


def _as_of(query: FeatureQuery, version: int) -> FeatureQuery:
    """Return the query in the state of a version, unless it names a recorded state by itself."""
    view = query.view
    return query if view.recorded is not None else query.with_(view=View(view.datetime, version, view.policy))


def _features(call: Call, asked: Asked) -> tuple[tuple[str, ...], list[tuple[Any, ...]], list[bytes]]:
    """Return rows and GeoJSON of the state that the cursor will name, also where a commit came between the two."""
    encoded: FeatureCache = call.request.app.state.feature_cache
    store = call.town.store
    page = encoded.page(store, asked.layer, asked.query, asked.crs)
    if asked.query.view.recorded is None and store.version() != asked.version:
        page = encoded.page(store, asked.layer, _as_of(asked.query, asked.version), asked.crs)
    return page


def _page(call: Call, asked: Asked) -> bytes:
    columns, rows, texts = _features(call, asked)
    more, rows = len(rows) > asked.limit, rows[: asked.limit]
    members: dict[str, Any] = {"numberReturned": len(rows), "links": _links(call, asked, columns, rows, more)}
    matched = _matched(call, asked, len(rows), more)
    if matched is not None:
        members["numberMatched"] = matched
    return b'{"type":"FeatureCollection","timeStamp":"%b","features":[%b],%b' % (
        now().encode(),
        b",".join(texts[: asked.limit]),
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
    if more:
        names = [key.name for key in asked.query.sort]
        last = dict(zip(columns, rows[-1], strict=True))
        values = _sort_values(call, asked, last, names)
        mark = Cursor(asked.version, (*values, last["fid"])).text(_checksum(call))
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


def _sort_values(call: Call, asked: Asked, row: dict[str, Any], names: list[str]) -> list[Any]:
    """Return the sort values of the last row; fields that were not asked for are fetched for it alone."""
    if all(name in row for name in names):
        return [row[name] for name in names]
    query = asked.query.with_(
        fields=None,
        geometry=False,
        fids=(row["fid"],),
        after=None,
        limit=1,
        bbox=None,
        area=None,
        where=None,
        text=None,
    )
    columns, rows = call.town.store.rows(query)
    whole = dict(zip(columns, rows[0], strict=True))
    return [whole[name] for name in names]


def _address(call: Call, **changes: str) -> str:
    params = {name: value for name, value in call.params.items() if name not in changes}
    return urlencode(params | changes)


def _checksum(call: Call) -> bytes:
    """Return what ties a cursor to its query: every parameter but those of paging and form."""
    kept = sorted(
        (name, value) for name, value in call.params.items() if name not in {"cursor", "limit", "f", "lang", "crs"}
    )
    return blake2b(repr((call.path["collection"], kept)).encode(), digest_size=6).digest()


def _validator(call: Call, asked: Asked, *parts: Any) -> str:
    """Return the ETag of an answer: the layer's last change, the last boundary of validity passed, policy and address."""
    return etag_of(*state_of(call.town.store, asked.layer, asked.query.view), asked.crs, call.base, *parts)


def _crs(call: Call, layer: Layer, name: str) -> str:
    value = call.params.get(name)
    if value is None:
        return CRS84
    offered = crs_list(call.town)
    if len(value) > _LONGEST_CRS:
        raise QueryRefused("query.crs", crs=value[:100], layer=layer.id, nearest=[uri_of(each) for each in offered])
    return _offered(value, layer.id, offered)


@lru_cache(maxsize=256)
def _offered(value: str, layer: str, offered: tuple[str, ...]) -> str:
    """Return the code of an offered system, however it is written; nothing else of the text reaches PROJ."""
    written = _CRS_FORMS.fullmatch(value.strip())
    authority, _, code = (
        (":".join(part for part in written.groups() if part) if written else "").upper().rpartition(":")
    )
    asked_code = f"{authority or 'OGC'}:{code}"
    if asked_code not in offered:
        raise QueryRefused("query.crs", crs=value[:100], layer=layer, nearest=[uri_of(each) for each in offered])
    return asked_code


def _within(call: Call, layer: Layer, query: FeatureQuery) -> FeatureQuery:
    """Return the query narrowed to its `bbox`; `bbox-crs` is looked at also without one."""
    value, crs, store = call.params.get("bbox"), _crs(call, layer, "bbox-crs"), call.town.store
    if value is None:
        return query
    area, heights = bbox_area(value, crs)
    # What has no geometry is in every box: OGC API - Features part 1, /req/core/fc-bbox-response, C.
    placed_or_not = query.with_(heights=heights, unplaced=True)
    return narrowed_to(placed_or_not, area, crs, store.crs, _extent(call, layer))


def words_of(call: Call) -> str | None:
    """Return the words looked for; nothing but spaces, or very many of them, is refused."""
    value = call.params.get("q")
    if value is not None and (not value.strip() or len(value) > _LONGEST_WORDS or len(value.split()) > _MOST_KEYS):
        raise QueryRefused(
            "query.refused",
            cause=f"q={value[:100]}",
            expected=f"1-{_MOST_KEYS} words, 1-{_LONGEST_WORDS} characters",
        )
    return value


def _where(call: Call, layer: Layer, fields: set[str]) -> Expression | None:
    source = call.params.get("filter")
    simple = [
        {"op": "=", "args": [{"property": name}, typed_value(layer, name, value)]}
        for name, value in call.params.items()
        if name in fields
    ]
    _crs(call, layer, "filter-crs")
    lang = call.params.get("filter-lang", "cql2-text")
    if lang not in ("cql2-text", "cql2-json"):
        raise QueryRefused("query.filter_lang", value=lang)
    dialect: FilterLanguage = "cql2-json" if lang == "cql2-json" else "cql2-text"
    equal = (
        parse_filter({"op": "and", "args": simple} if len(simple) > 1 else simple[0], lang="cql2-json")
        if simple
        else None
    )
    if source is None:
        return equal
    filtered = parse_filter(source, lang=dialect, max_length=call.settings.filter_length)
    crs, extent = _crs(call, layer, "filter-crs"), _extent(call, layer)
    return conjunction(filter_in_storage_crs(filtered, crs, call.town.store.crs, extent), equal)


def _extent(call: Call, layer: Layer) -> Box | None:
    store = call.town.store
    return reachable_extent(store.summary(layer.id).extent, store.crs)


def _sort(call: Call, layer: Layer) -> tuple[SortKey, ...]:
    value = call.params.get("sortby")
    if value is None:
        return ()
    keys = tuple(SortKey(part.strip().lstrip("+-"), not part.strip().startswith("-")) for part in value.split(","))
    for key in keys:
        ensure_sorts(layer, key.name)
        _ensure_property(layer, key.name, tuple(sortables(layer)))
    if len({key.name for key in keys}) < len(keys):
        raise QueryRefused("query.refused", cause=f"sortby={value[:100]}", expected="sortby=+a,-b")
    return keys


def _fields(call: Call, layer: Layer) -> tuple[str, ...] | None:
    value = call.params.get("properties")
    if value is None:
        return None
    names = tuple(part.strip() for part in value.split(","))
    for name in names:
        known = (*layer.field_names, "id", "valid_from", "valid_to", "version", "geometry")
        _ensure_property(layer, name, (*known, ATTRIBUTES) if has_attributes(layer) else known)
    return names


def _ensure_property(layer: Layer, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise QueryRefused(
            "query.unknown_property",
            layer=layer.id,
            name=name[:100],
            nearest=get_close_matches(name, names, 3, 0.4) or names[:5],
        )


def _flag(call: Call, name: str) -> bool:
    value = call.params.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise QueryRefused("query.refused", cause=f"{name}={value[:100]}", expected="true, false")
    return value == "true"


def _crs_header(crs: str) -> dict[str, str]:
    return {"Content-Crs": f"<{uri_of(crs)}>"}


def _paths(layers: Sequence[Layer]) -> OpenApiPaths:
    return per_layer(layers, _item_paths)


def _item_paths(layer: Layer, here: str, tags: list[str]) -> OpenApiPaths:
    title = layer.title.en
    items = get_operation(
        f"{layer.id}.items", f"Features of {title}", _FORMATS, [*PARAMETERS, "f"], tags, answers="featureCollection"
    )
    fields = [
        query_parameter(name, PLAIN.get(kind, TEXT), *titles_of(layer, name))
        for name, kind in queryables(layer).items()
        if kind != "geometry" and name not in _PARAMETERS
    ]
    items["get"]["parameters"] += fields
    item = get_operation(
        f"{layer.id}.item", f"One feature of {title}", _FORMATS, list(_ITEM_PARAMETERS), tags, answers="feature"
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
