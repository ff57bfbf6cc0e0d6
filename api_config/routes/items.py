"""`/collections/{c}/items` and `/items/{id}`: OGC API - Features parts 1, 2 and 3 over the store."""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

import anyio.to_thread
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api_config.answering import answer, etag_of, not_modified
from api_config.asking import Call
from api_config.cursor import Cursor
from api_config.items import properties_of
from api_config.ogc.resources import crs_list
from api_config.pages import item_page, items_page
from tiles.encodings.geojson import encode_feature, encode_features, geometry_fragments
from twin_model.changeset import Box
from twin_model.crs import CRS84, authority_axis_swapped, crs_code, transform_bounds, uri_of
from twin_model.errors import CrsRefused, FeatureNotFound, QueryRefused
from twin_model.filter import Expression, parse_filter
from twin_model.filter.expression import Logical
from twin_model.filter.parsing import FilterLanguage
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery, SortKey
from twin_model.store.gpkg_binary import from_blobs
from twin_model.temporal import now
from twin_model.view import View

__all__ = ["ROUTES", "item_bytes"]

GEOJSON = "application/geo+json"
_FORMATS = {"json": GEOJSON, "geojson": GEOJSON, "html": "text/html"}
_PARAMETERS = ("bbox", "bbox-crs", "crs", "datetime", "recorded", "filter", "filter-lang", "filter-crs", "q", "sortby", "properties",
               "skipGeometry", "limit", "cursor", "f")  # fmt: skip
_QUICK_ROWS = 1_000


@dataclass(frozen=True)
class Asked:
    """What an items request asks: the query, the CRS of the answer and the format."""

    layer: Layer
    query: FeatureQuery
    crs: str
    format: str
    limit: int
    version: int


async def items(request: Request) -> Response:
    """Answer a page of features."""
    call = Call(request)
    layer = layer_of(call)
    asked = _asked(call, layer)
    etag = _validator(call, asked, str(request.url.query), asked.format, call.lang)
    held = not_modified(request, etag)
    if held is not None:
        return held
    if request.method == "HEAD":
        return await answer(request, b"", _FORMATS[asked.format], etag=etag, headers=_crs_header(asked.crs))
    heavy = asked.limit > _QUICK_ROWS or asked.query.where is not None or asked.query.text or asked.query.sort
    page = await anyio.to_thread.run_sync(_page, call, asked) if heavy else _page(call, asked)
    if asked.format == "html":
        return await answer(
            request, items_page(call, layer, orjson.loads(page)), "text/html; charset=utf-8", etag=etag
        )
    return await answer(request, page, GEOJSON, etag=etag, headers=_crs_header(asked.crs))


async def item(request: Request) -> Response:
    """Answer one feature by id."""
    call = Call(request)
    layer = layer_of(call)
    call.allow("crs", "datetime", "recorded", "f")
    form = call.format(_FORMATS, "json")
    crs = _crs(call, layer, "crs")
    query = FeatureQuery(layer.id, view=call.view(), ids=(request.path_params["id"],))
    etag = _validator(
        call, Asked(layer, query, crs, form, 1, 0), request.url.path, request.url.query, form, call.lang
    )
    held = not_modified(request, etag)
    if held is not None:
        return held
    body = item_bytes(call, layer, query, crs)
    if form == "html":
        return await answer(
            request, item_page(call, layer, orjson.loads(body)), "text/html; charset=utf-8", etag=etag
        )
    return await answer(request, body, GEOJSON, etag=etag, headers=_crs_header(crs))


def item_bytes(call: Call, layer: Layer, query: FeatureQuery, crs: str) -> bytes:
    """Return one feature as GeoJSON with its links; a feature that is not there is refused with an id that is."""
    columns, rows = call.town.store.rows(query)
    if not rows:
        _, some = call.town.store.rows(
            FeatureQuery(layer.id, view=query.view, limit=1, fields=(), geometry=False)
        )
        raise FeatureNotFound(id=(query.ids or ("",))[0], layer=layer.id, example=some[0][1] if some else "-")
    here = f"{call.base}/collections/{layer.id}"
    links = [
        {"href": f"{here}/items/{rows[0][1]}", "rel": "self", "type": GEOJSON},
        {"href": here, "rel": "collection", "type": "application/json"},
    ]
    (shape,) = _shapes(call, columns, rows, crs)
    return encode_feature(str(rows[0][1]), properties_of(layer, columns, rows[0]), shape, links=links)


def layer_of(call: Call) -> Layer:
    """Return the collection of the address; one that is closed to the caller is as absent as one that is not there."""
    layer: Layer = call.town.catalogue[call.path["collection"]]
    View(policy=call.door.policy).ensure_admits(layer.id)
    return layer


def _asked(call: Call, layer: Layer) -> Asked:
    fields = {one.name for one in layer.fields if one.queryable}
    call.allow(*_PARAMETERS, *fields)
    limit = call.integer("limit", call.settings.page_limit, call.settings.page_most)
    crs = _crs(call, layer, "crs")
    query = FeatureQuery(
        layer.id, view=call.view(), bbox=_bbox(call, layer), where=_where(call, layer, fields), where_crs=_crs(call, layer, "filter-crs"),
        text=call.params.get("q") or None, sort=_sort(call, layer), fields=_fields(call, layer), geometry=not _flag(call, "skipGeometry"),
        limit=limit + 1,
    )  # fmt: skip
    version = call.town.store.version()
    cursor = call.params.get("cursor")
    if cursor is not None:
        mark = Cursor.read(cursor, _checksum(call))
        query = query.with_(after=mark.after)
        if mark.version != version and query.view.recorded is None:
            query = query.with_(view=View(query.view.datetime, mark.version, query.view.policy))
        version = mark.version
    return Asked(layer, query, crs, call.format(_FORMATS, "json"), limit, version)


def _page(call: Call, asked: Asked) -> bytes:
    columns, rows = call.town.store.rows(asked.query)
    more, rows = len(rows) > asked.limit, rows[: asked.limit]
    shapes = _shapes(call, columns, rows, asked.crs)
    features = encode_features(
        [row[1] for row in rows], (properties_of(asked.layer, columns, row) for row in rows), shapes
    )
    members: dict[str, Any] = {"numberReturned": len(rows), "links": _links(call, asked, columns, rows, more)}
    matched = _matched(call, asked, len(rows), more)
    if matched is not None:
        members["numberMatched"] = matched
    head = orjson.dumps(members)[1:]
    return (
        b'{"type":"FeatureCollection","timeStamp":"'
        + now().encode()
        + b'","features":'
        + features
        + b","
        + head
    )


def _shapes(call: Call, columns: tuple[str, ...], rows: list[tuple[Any, ...]], crs: str) -> list[bytes]:
    if "geometry" not in columns or not rows:
        return [b"null"] * len(rows)
    position = columns.index("geometry")
    return geometry_fragments(from_blobs([row[position] for row in rows]), call.town.store.crs, crs)


def _matched(call: Call, asked: Asked, returned: int, more: bool) -> int | None:
    """Return how many features match, where that is known or cheap."""
    query = asked.query
    if query.after is None and not more:
        return returned
    plain = (
        query.bbox is None
        and query.where is None
        and query.text is None
        and query.view.is_now
        and not query.view.policy.rows
    )
    return call.town.store.summary(asked.layer.id).features if plain else None


def _links(
    call: Call, asked: Asked, columns: tuple[str, ...], rows: list[tuple[Any, ...]], more: bool
) -> list[dict[str, str]]:
    here = f"{call.base}/collections/{asked.layer.id}"
    links = [{"href": str(call.request.url), "rel": "self", "type": GEOJSON}, {"href": here, "rel": "collection", "type": "application/json"},
             {"href": f"{here}/items?{_address(call, f='html')}", "rel": "alternate", "type": "text/html"}]  # fmt: skip
    if more:
        names = [key.name for key in asked.query.sort]
        by_name = dict(zip(columns, rows[-1], strict=True))
        values = _sort_values(call, asked, by_name, names)
        mark = Cursor(asked.version, (*values, by_name["fid"])).text(_checksum(call))
        links.append({"href": f"{here}/items?{_address(call, cursor=mark)}", "rel": "next", "type": GEOJSON})
    return links


def _sort_values(call: Call, asked: Asked, row: dict[str, Any], names: list[str]) -> list[Any]:
    """Return the sort values of the last row; fields that were not asked for are fetched for it alone."""
    if all(name in row for name in names):
        return [row[name] for name in names]
    query = asked.query.with_(
        fields=None, geometry=False, fids=(row["fid"],), after=None, limit=1, bbox=None, where=None, text=None
    )
    columns, rows = call.town.store.rows(query)
    whole = dict(zip(columns, rows[0], strict=True))
    return [whole[name] for name in names]


def _address(call: Call, **changes: str) -> str:
    kept = {name: value for name, value in call.params.items() if name not in changes}
    return urlencode(kept | changes)


def _checksum(call: Call) -> bytes:
    """Return what ties a cursor to its query: every parameter but those of paging and form."""
    kept = sorted(
        (name, value)
        for name, value in call.params.items()
        if name not in {"cursor", "limit", "f", "lang", "crs"}
    )
    return blake2b(repr((call.path["collection"], kept)).encode(), digest_size=6).digest()


def _validator(call: Call, asked: Asked, *parts: Any) -> str:
    """Return the ETag of an answer: the layer's last change, the last boundary of validity passed, policy and address."""
    store, layer = call.town.store, asked.layer.id
    planned = store.next_boundary(layer, "")
    passed = planned if planned is not None and planned <= now() else None
    return etag_of(store.changed_since(layer, None), passed, asked.query.view, asked.crs, call.base, *parts)


def _crs(call: Call, layer: Layer, name: str) -> str:
    value = call.params.get(name)
    if value is None:
        return CRS84
    return _offered(value, layer.id, crs_list(call.town))


@lru_cache(maxsize=256)
def _offered(value: str, layer: str, offered: tuple[str, ...]) -> str:
    try:
        code = crs_code(value)
    except CrsRefused:
        code = ""
    if code not in offered:
        raise QueryRefused("query.crs", crs=value, layer=layer, nearest=[uri_of(one) for one in offered])
    return code


def _bbox(call: Call, layer: Layer) -> Box | None:
    value = call.params.get("bbox")
    if value is None:
        if "bbox-crs" in call.params:
            _crs(call, layer, "bbox-crs")
        return None
    crs = _crs(call, layer, "bbox-crs")
    return _storage_box(value, crs, call.town.store.crs)


@lru_cache(maxsize=1024)
def _storage_box(value: str, crs: str, storage_crs: str) -> Box:
    """Return a bbox parameter as a box in the storage CRS, densified; 6 numbers carry heights that are not looked at."""
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError as error:
        raise QueryRefused("query.bbox", value=value[:100], cause="not numbers") from error
    if len(numbers) not in (4, 6) or not all(-1e9 < n < 1e9 for n in numbers):
        raise QueryRefused("query.bbox", value=value[:100], cause=f"{len(numbers)} numbers")
    a, b, c, d = numbers if len(numbers) == 4 else (*numbers[:2], *numbers[3:5])
    minx, miny, maxx, maxy = (b, a, d, c) if authority_axis_swapped(crs) else (a, b, c, d)
    if miny > maxy or minx > maxx:
        raise QueryRefused("query.bbox", value=value[:100], cause="min > max")
    try:
        return transform_bounds(_clamped((minx, miny, maxx, maxy), crs), crs, storage_crs)
    except CrsRefused as error:
        raise QueryRefused("query.bbox", value=value[:100], cause=str(error)) from error


def _clamped(box: Box, crs: str) -> Box:
    """Keep a box of degrees near what a projection can take: clients ask for the whole world."""
    if crs not in {"OGC:CRS84", "EPSG:4326", "EPSG:4490"}:
        return box
    minx, miny, maxx, maxy = box
    if minx < -180 or maxx > 180 or miny < -90 or maxy > 90:
        raise QueryRefused("query.bbox", value=str(box), cause="beyond 180 or 90 degrees")
    return box


def _where(call: Call, layer: Layer, fields: set[str]) -> Expression | None:
    source = call.params.get("filter")
    simple = [{"op": "=", "args": [{"property": name}, _typed(layer, name, value)]} for name, value in call.params.items()
              if name in fields and name not in _PARAMETERS]  # fmt: skip
    lang = call.params.get("filter-lang", "cql2-text")
    if lang not in ("cql2-text", "cql2-json"):
        raise QueryRefused("query.filter_lang", value=lang)
    dialect: FilterLanguage = "cql2-json" if lang == "cql2-json" else "cql2-text"
    filtered = None
    if source is not None:
        filtered = parse_filter(source, lang=dialect, max_length=call.settings.filter_length)
    equal = (
        parse_filter({"op": "and", "args": simple} if len(simple) > 1 else simple[0], lang="cql2-json")
        if simple
        else None
    )
    if filtered is not None and equal is not None:
        return Logical("and", (filtered, equal))
    return filtered or equal


def _typed(layer: Layer, name: str, value: str) -> Any:
    """Return the value of a plain `name=value` parameter in the type of its field."""
    one = layer.field_of(name)
    kind = one.type if one else "string"
    try:
        if kind in ("integer", "number"):
            return float(value)
        if kind == "boolean":
            return {"true": True, "false": False}[value.lower()]
    except (ValueError, KeyError) as error:
        raise QueryRefused("query.refused", cause=f"{name}={value}", expected=kind) from error
    return {"date": value} if kind == "date" else {"timestamp": value} if kind == "datetime" else value


def _sort(call: Call, layer: Layer) -> tuple[SortKey, ...]:
    value = call.params.get("sortby")
    if value is None:
        return ()
    keys = tuple(
        SortKey(part.strip().lstrip("+-"), not part.strip().startswith("-")) for part in value.split(",")
    )
    for key in keys:
        _ensure_property(layer, key.name, ("id", "valid_from", "valid_to", "version"))
    return keys


def _fields(call: Call, layer: Layer) -> tuple[str, ...] | None:
    value = call.params.get("properties")
    if value is None:
        return None
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    for name in names:
        _ensure_property(layer, name, ("id", "valid_from", "valid_to", "version", "geometry"))
    return names


def _ensure_property(layer: Layer, name: str, more: tuple[str, ...]) -> None:
    names = (*layer.field_names, *more)
    if name not in names:
        raise QueryRefused(
            "query.unknown_property",
            layer=layer.id,
            name=name,
            nearest=get_close_matches(name, names, 3, 0.4) or names[:5],
        )


def _flag(call: Call, name: str) -> bool:
    value = call.params.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise QueryRefused("query.refused", cause=f"{name}={value}", expected="true, false")
    return value == "true"


def _crs_header(crs: str) -> dict[str, str]:
    return {"Content-Crs": f"<{uri_of(crs)}>"}


ROUTES = [
    Route("/collections/{collection}/items", items, methods=["GET", "HEAD"]),
    Route("/collections/{collection}/items/{id:path}", item, methods=["GET", "HEAD"]),
]
