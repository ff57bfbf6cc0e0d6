"""Landing page, conformance, OpenAPI, collections and their schemas, search, health: what clients read first."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import shapely
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api_config.ogc.bridge import Bridge
from api_config.pages import pages
from api_config.pages.samples import feature_collection, overview
from api_config.web.answer import answer, answer_json, etag_of, not_modified
from api_config.web.asked import words_of
from api_config.web.call import Call
from api_config.web.family import OpenApiPaths, RouteFamily, per_layer
from api_config.web.functions import functions_document
from api_config.web.lanes import get_route
from api_config.web.openapi import (
    JSON,
    TEXT,
    add_parameters,
    get_operation,
    query_parameter,
    require_parameter,
)
from api_config.web.schema import feature_schema, queryables_schema, schema_of, sortables_schema
from tiles.encodings.geojson import geometry_fragments
from twin_model.crs import CRS84, crs_code, placed_geometries, transform_xy, uri_of
from twin_model.errors import QueryRefused
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery
from twin_model.store.frames import from_wkb
from twin_model.store.freshness import holds_features, mark_of

__all__ = ["FAMILY"]

_FORMATS = {"json": "application/json", "html": "text/html"}
_JSON_ONLY = {"json": "application/json"}
_SCHEMAS = {"json": "application/schema+json", "html": "text/html"}
_SEARCHES = {"json": "application/geo+json", "geojson": "application/geo+json", "html": "text/html"}
_FORMATS_OF_API = "application/vnd.oai.openapi+json;version=3.0"
_OPENAPI = {"json": _FORMATS_OF_API, "html": "text/html"}
HTML = "text/html; charset=utf-8"
_SAMPLE = 300
_SEARCH_MOST = 100


def _bridge(call: Call) -> Bridge:
    bridge: Bridge = call.request.app.state.bridge
    return bridge


def landing(request: Request) -> Response:
    call = Call(request)
    call.allow("f")
    form = call.format(_FORMATS, "json")
    document = _bridge(call).landing(call.base, call.lang, call.policy)
    if form == "html":
        listed = _bridge(call).collections(call.base, call.lang, call.policy)
        page = document | {"collections": listed["collections"]}
        body = pages.landing_page(call, page, overview(call))
        return answer(request, body, HTML)
    return answer_json(request, document)


def conformance(request: Request) -> Response:
    call = Call(request)
    call.allow("f")
    document = _bridge(call).conformance()
    if call.format(_FORMATS, "json") == "html":
        return answer(request, pages.conformance_page(call, document), HTML)
    return answer_json(request, document)


def functions(request: Request) -> Response:
    """Answer the functions that a filter may call besides the standard's own."""
    call = Call(request)
    call.allow("f")
    call.format(_JSON_ONLY, "json")
    return answer_json(request, functions_document(call.lang))


def openapi(request: Request) -> Response:
    call = Call(request)
    call.allow("f")
    form = call.format(_OPENAPI, "json")
    document = _bridge(call).openapi(call.base, call.policy)
    if form == "html":
        return answer(request, pages.api_page(call, document), HTML)
    return answer_json(request, document, media_type=_OPENAPI["json"])


def collections(request: Request) -> Response:
    call = Call(request)
    call.allow("f")
    form = call.format(_FORMATS, "json")
    store = call.town.store
    etag = etag_of(mark_of(store, store.version()), call.here, call.lang, form, call.policy.digest)
    held = not_modified(request, etag)
    if held is not None:
        return held
    if request.method == "HEAD":
        return answer(request, b"", _FORMATS[form], etag=etag)
    document = _bridge(call).collections(call.base, call.lang, call.policy)
    if form == "html":
        return answer(request, pages.collections_page(call, document), HTML, etag=etag)
    return answer_json(request, document, etag=etag)


def collection(request: Request) -> Response:
    call = Call(request)
    call.allow("f")
    layer = call.layer()
    form = call.format(_FORMATS, "json")
    document = _bridge(call).collection(layer, call.base, call.lang, call.policy)
    if form == "html":
        sample = _sample(call, layer)
        return answer(request, pages.collection_page(call, layer, document, sample=sample), HTML)
    return answer_json(request, document)


def _sample(call: Call, layer: Layer) -> dict[str, Any]:
    return feature_collection(call.town, layer, FeatureQuery(layer.id, view=call.view(), limit=_SAMPLE))


def _schema_route(make: Any) -> Any:
    def route(request: Request) -> Response:
        call = Call(request)
        call.allow("f")
        layer = call.layer()
        document = make(layer, call.base, call.lang)
        if call.format(_SCHEMAS, "json") == "html":
            return answer(request, pages.queryables_page(call, layer, document), HTML)
        return answer_json(request, document, media_type="application/schema+json")

    return route


def search(request: Request) -> Response:
    """Answer features of any layer whose id, name, number or address holds the words of `q`."""
    call = Call(request)
    call.allow("q", "limit", "datetime", "recorded", "f")
    form = call.format(_SEARCHES, "json")
    words = words_of(call)
    if words is None:
        raise QueryRefused("query.refused", cause="q", expected="q=...")
    limit = call.integer("limit", 20, _SEARCH_MOST)
    document = _searched(call, words, limit)
    if form == "html":
        return answer(request, pages.search_page(call, document), HTML)
    return answer_json(request, document, media_type="application/geo+json")


def _searched(call: Call, words: str, limit: int) -> dict[str, Any]:
    features: list[dict[str, Any]] = []
    for layer in call.layers:
        if len(features) >= limit:
            break
        if layer.id == "finding" or not holds_features(call.town.store, layer.id):
            continue
        query = FeatureQuery(layer.id, view=call.view(), text=words, limit=limit - len(features))
        columns, rows = call.town.store.rows(query)
        features += [_hit(call, layer, columns, row) for row in rows]
    return {"type": "FeatureCollection", "features": features, "numberReturned": len(features)}


_PLACES = ("address", "road_name", "parcel_no")
"""Fields that say where a feature is; one without any is placed by X (north) and Y (east) of the town's grid."""
_KINDS = ("class", "kind", "usage", "structure", "ifc_class", "land_use", "stage")


def _hit(call: Call, layer: Layer, columns: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a hit small enough for a list: a point to fly to, a title, its kind and place, so that two alike can be told apart."""
    by_name = dict(zip(columns, row, strict=True))
    point = place = None
    if by_name.get("geometry") is not None:
        shapes = placed_geometries(from_wkb([by_name["geometry"]]))
        at = shapely.point_on_surface(shapely.force_2d(shapes))
        x, y = shapely.get_coordinates(at).sum(axis=0)
        place = f"X {y:.0f} Y {x:.0f}" if not shapely.is_empty(at).any() else None
        (fragment,) = geometry_fragments(at, call.town.store.crs, CRS84)
        point = orjson.loads(fragment)
    title = layer.title_of(by_name, row[1], call.lang)
    return {
        "type": "Feature",
        "id": row[1],
        "geometry": point,
        "properties": {
            "collection": layer.id,
            "layer": layer.title(call.lang),
            "title": title,
            "kind": _kind(layer, by_name, title, call.lang),
            "place": next((str(by_name[name]) for name in _PLACES if by_name.get(name)), place),
        },
    }


def _kind(layer: Layer, by_name: dict[str, Any], title: str, lang: str) -> str | None:
    """Return what sort of its layer's features one is, in words."""
    fields = [field for name in _KINDS if (field := layer.field_of(name)) and by_name.get(name)]
    kinds = (field.word(by_name[field.name], lang) for field in fields)
    return next((kind for kind in kinds if kind != title), None)


def _code_of(text: str) -> str:
    """Return the code of any EPSG system; no other text reaches PROJ."""
    if not re.fullmatch(r"(?i:EPSG):[0-9]{4,6}|OGC:CRS84", text):
        raise QueryRefused("query.refused", cause=f"to={text[:100]}", expected="EPSG:4548")
    return crs_code(text)


def transform(request: Request) -> Response:
    """Answer one coordinate in another system, as surveyors write it: X north, Y east."""
    call = Call(request)
    call.allow("lon", "lat", "to")
    try:
        lon, lat = float(call.params.get("lon", "")), float(call.params.get("lat", ""))
    except ValueError as error:
        raise QueryRefused("query.refused", cause="lon, lat", expected="lon=118.3&lat=35.1") from error
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise QueryRefused("query.refused", cause=f"{lon}, {lat}", expected="-180..180, -90..90")
    target = _code_of(call.params.get("to", call.town.store.crs))
    x, y = transform_xy(np.array([lon]), np.array([lat]), CRS84, target)
    if not np.isfinite([x[0], y[0]]).all():
        raise QueryRefused("query.refused", cause=f"{lon}, {lat}", expected=target)
    return answer_json(
        request, {"crs": uri_of(target), "x_north": round(float(y[0]), 4), "y_east": round(float(x[0]), 4)}
    )


async def healthz(request: Request) -> Response:
    """Answer that the process runs, whatever its store and its lanes are busy with."""
    return PlainTextResponse("ok")


def readyz(request: Request) -> Response:
    """Answer 200 once the store can be read; say where the town's files have changed so that they cannot be followed."""
    version = request.app.state.service.town.store.version()
    behind = "" if request.app.state.is_followed else "; changes of the town's files are not followed, the log says why"
    return PlainTextResponse(f"ready, version {version}{behind}")


def _paths(layers: Sequence[Layer]) -> OpenApiPaths:
    form, plain, number = ["f", "lang"], "text/plain", {"type": "number"}
    paths = {
        "/": get_operation("landing", "Landing page", _FORMATS, form, answers="landingPage"),
        "/conformance": get_operation("conformance", "Conformance classes", _FORMATS, form, answers="conformance"),
        "/api": get_operation("api", "This document", _OPENAPI, form, answers="openapi"),
        "/collections": get_operation("collections", "Collections", _FORMATS, form, answers="collections"),
        "/functions": get_operation("functions", "Functions of filters", _JSON_ONLY, form, answers="functions"),
        "/search": get_operation(
            "search",
            "Search in all collections",
            _SEARCHES,
            ["q", "limit", "datetime", "recorded", *form],
            answers="featureCollection",
        ),
        "/crs/transform": get_operation(
            "transform", "A coordinate in another system", JSON, ["lang"], answers="position"
        ),
        "/healthz": get_operation("healthz", "Whether the service runs", plain, []),
        "/readyz": get_operation("readyz", "Whether the store can be read", plain, []),
    }
    add_parameters(
        paths["/crs/transform"],
        *(query_parameter(name, number, required=True) for name in ("lon", "lat")),
        query_parameter("to", TEXT),
    )
    require_parameter(paths["/search"], "q")
    return paths | per_layer(layers, _collection_paths)


def _collection_paths(layer: Layer, here: str, tags: list[str]) -> OpenApiPaths:
    form = ["f", "lang"]
    schemas = {
        f"{here}/{name}": get_operation(
            f"{layer.id}.{name.replace('/', '.')}",
            f"{name} of {layer.title.en}",
            _SCHEMAS,
            form,
            tags,
            answers="jsonSchema",
        )
        for name in ("queryables", "sortables", "schema", "schemas/feature")
    }
    return {
        here: get_operation(f"{layer.id}.describe", layer.title.en, _FORMATS, form, tags, answers="collection")
    } | schemas


_ROUTES = [
    get_route("/", landing),
    get_route("/conformance", conformance),
    get_route("/api", openapi),
    get_route("/collections", collections),
    get_route("/collections/{collection}", collection),
    get_route("/collections/{collection}/queryables", _schema_route(queryables_schema)),
    get_route("/collections/{collection}/sortables", _schema_route(sortables_schema)),
    get_route("/collections/{collection}/schemas/feature", _schema_route(feature_schema)),
    get_route("/collections/{collection}/schema", _schema_route(schema_of)),
    get_route("/functions", functions),
    get_route("/search", search, heavy=True),
    get_route("/crs/transform", transform),
    Route("/healthz", healthz, methods=["GET", "HEAD"]),
    get_route("/readyz", readyz),
]
_FEATURES = "http://www.opengis.net/spec/ogcapi-features"
FAMILY = RouteFamily(
    "core",
    routes=lambda settings: _ROUTES,
    paths=_paths,
    conformance=frozenset(
        {
            "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
            "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/landing-page",
            "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/json",
            "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/html",
            "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/oas30",
            "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
            f"{_FEATURES}-1/1.0/conf/core",
            f"{_FEATURES}-1/1.0/conf/html",
            f"{_FEATURES}-1/1.0/conf/oas30",
            f"{_FEATURES}-3/1.0/conf/queryables",
            f"{_FEATURES}-3/1.0/conf/queryables-query-parameters",
            f"{_FEATURES}-5/1.0/conf/schemas",
            f"{_FEATURES}-5/1.0/conf/core-roles-features",
            f"{_FEATURES}-5/1.0/conf/returnables-and-receivables",
            f"{_FEATURES}-5/1.0/conf/queryables",
            "http://www.opengis.net/spec/cql2/1.0/conf/functions",
            f"{_FEATURES}-5/1.0/conf/sortables",
        }
    ),
)
