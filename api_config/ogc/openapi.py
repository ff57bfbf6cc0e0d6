"""The OpenAPI document: pygeoapi's skeleton with the paths and parameters our routes really have."""

from typing import Any

from twin_model.layer import Layer
from twin_model.messages import render
from twin_model.store.select import queryables

__all__ = ["patched_openapi"]


def _query(name: str, schema: dict[str, Any], *titles: str, required: bool = False) -> dict[str, Any]:
    """Return a query parameter; its `titles` in both languages are the words of `messages` unless given."""
    titles = titles or tuple(render(f"parameter.{name}", lang, {}) for lang in ("zh", "en"))
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": " / ".join(titles),
        "schema": schema,
        "explode": False,
    }


_TEXT = {"type": "string"}
_WHOLE = {"type": "integer", "minimum": 0}
_JSON = "application/json"
_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}
PARAMETERS: dict[str, dict[str, Any]] = {
    "bbox": _query("bbox", _NUMBERS),
    "bbox-crs": _query("bbox-crs", {"type": "string", "format": "uri"}),
    "crs": _query("crs", {"type": "string", "format": "uri"}),
    "datetime": _query("datetime", _TEXT),
    "recorded": _query("recorded", _TEXT),
    "filter": _query("filter", _TEXT),
    "filter-lang": _query(
        "filter-lang",
        {"type": "string", "enum": ["cql2-text", "cql2-json"], "default": "cql2-text"},
    ),
    "filter-crs": _query("filter-crs", {"type": "string", "format": "uri"}),
    "q": _query("q", _TEXT),
    "sortby": _query("sortby", {"type": "array", "items": _TEXT}),
    "properties": _query("properties", {"type": "array", "items": _TEXT}),
    "skipGeometry": _query("skipGeometry", {"type": "boolean", "default": False}),
    "limit": _query(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 10000, "default": 100},
    ),
    "cursor": _query("cursor", _TEXT),
    "f": _query("f", _TEXT),
    "lang": _query("lang", {"type": "string", "enum": ["zh", "en"]}),
}
ITEM_PARAMETERS = ("crs", "datetime", "recorded", "f", "lang")
_PLAIN = {name: {"type": name} for name in ("number", "integer", "boolean")}
_PROBLEM = {"description": "problem", "content": {"application/problem+json": {"schema": {"type": "object"}}}}
_GEOJSON = {"application/geo+json": {"schema": {"type": "object"}}}


def patched_openapi(
    document: dict[str, Any], base: str, layers: list[Layer], tile_matrix_sets: list[str], *, page_most: int
) -> dict[str, Any]:
    """Return the document with our paths in place of pygeoapi's; each route that answers is in it, and no other."""
    limit = PARAMETERS["limit"] | {"schema": PARAMETERS["limit"]["schema"] | {"maximum": page_most}}
    document["servers"] = [{"url": base}]
    document["components"] = {"parameters": PARAMETERS | {"limit": limit}}
    paths = _town_paths(tile_matrix_sets)
    for layer in layers:
        here, tag = f"/collections/{layer.id}", [layer.id]
        paths[here] = _get(f"{layer.id}.describe", layer.title.en, "application/json", ["f", "lang"], tag)
        for name in ("queryables", "sortables", "schema"):
            paths[f"{here}/{name}"] = _get(
                f"{layer.id}.{name}",
                f"{name} of {layer.title.en}",
                "application/schema+json",
                ["f", "lang"],
                tag,
            )
        fields = [
            _query(name, _PLAIN.get(kind, _TEXT), *_titles(layer, name))
            for name, kind in queryables(layer).items()
            if kind != "geometry"
        ]
        items = _get(
            f"{layer.id}.items",
            f"Features of {layer.title.en}",
            "application/geo+json",
            list(PARAMETERS),
            tag,
        )
        items["get"]["parameters"] += [one for one in fields if one["name"] not in PARAMETERS]
        paths[f"{here}/items"] = items
        item = _get(
            f"{layer.id}.item",
            f"One feature of {layer.title.en}",
            "application/geo+json",
            list(ITEM_PARAMETERS),
            tag,
        )
        _add(item, _path("featureId", _TEXT))
        paths[f"{here}/items/{{featureId}}"] = item
        states = _get(
            f"{layer.id}.versions",
            f"Every state of a feature of {layer.title.en}",
            "application/geo+json",
            ["datetime", "recorded", "f", "lang"],
            tag,
        )
        _add(states, _path("featureId", _TEXT))
        paths[f"{here}/items/{{featureId}}/versions"] = states
        paths |= _tile_paths(layer, here, tag, tile_matrix_sets)
        if layer.model.get("kind"):
            paths |= _solid_paths(layer, here, tag)
    document["paths"] = paths
    document["tags"] = [
        {"name": layer.id, "description": f"{layer.title.zh} {layer.title.en}"} for layer in layers
    ]
    return document


def _town_paths(tile_matrix_sets: list[str]) -> dict[str, Any]:
    """Return the paths that belong to no collection."""
    form, plain = ["f", "lang"], "text/plain"
    paths = {
        "/": _get("landing", "Landing page", _JSON, form),
        "/conformance": _get("conformance", "Conformance classes", _JSON, form),
        "/api": _get("api", "This document", "application/vnd.oai.openapi+json;version=3.0", form),
        "/collections": _get("collections", "Collections", _JSON, form),
        "/search": _get("search", "Search in all collections", "application/geo+json", ["q", "limit", "datetime", "recorded", *form]),
        "/tileMatrixSets": _get("tileMatrixSets", "Tile matrix sets", _JSON, form),
        "/tileMatrixSets/{tileMatrixSetId}": _get("tileMatrixSet", "One tile matrix set", _JSON, form),
        "/crs/transform": _get("transform", "A coordinate in another system", _JSON, ["lang"]),
        "/terrain/layer.json": _get("terrain", "The ground, as quantized-mesh tiles", _JSON, ["lang"]),
        "/terrain/{z}/{x}/{y}.terrain": _get("terrainTile", "One tile of the ground", "application/vnd.quantized-mesh", ["lang"]),
        "/viewer/config.json": _get("viewerConfig", "The town as the viewer needs it", _JSON, ["lang"]),
        "/healthz": _get("healthz", "Whether the service runs", plain, []),
        "/readyz": _get("readyz", "Whether the store can be read", plain, []),
    }  # fmt: skip
    _add(
        paths["/tileMatrixSets/{tileMatrixSetId}"],
        _path("tileMatrixSetId", {"type": "string", "enum": tile_matrix_sets}),
    )
    _add(paths["/terrain/{z}/{x}/{y}.terrain"], *(_path(name, _WHOLE) for name in ("z", "x", "y")))
    number = {"type": "number"}
    _add(paths["/crs/transform"], _query("lon", number, required=True), _query("lat", number, required=True),
         _query("to", _TEXT))  # fmt: skip
    _require(paths["/search"], "q")
    return paths


def _titles(layer: Layer, name: str) -> tuple[str, str]:
    one = layer.field_of(name)
    return (one.title.zh, one.title.en) if one is not None else (name, name)


def _path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _add(path: dict[str, Any], *parameters: dict[str, Any]) -> None:
    """Give an operation more parameters; one with a place in its path can be missing there."""
    path["get"]["parameters"] += parameters
    if any(one["in"] == "path" for one in parameters):
        path["get"]["responses"]["404"] = _PROBLEM


def _require(path: dict[str, Any], name: str) -> None:
    path["get"]["parameters"] = [PARAMETERS[name] | {"required": True} if one == {"$ref": f"#/components/parameters/{name}"} else one
                                 for one in path["get"]["parameters"]]  # fmt: skip


def _get(
    operation: str, summary: str, media_type: str, parameters: list[str], tags: list[str] | None = None
) -> dict[str, Any]:
    return {"get": {
        "operationId": operation, "summary": summary, "tags": tags or ["server"],
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in parameters],
        "responses": {"200": {"description": "OK", "content": {media_type: {"schema": {"type": "object"}}}}, "400": _PROBLEM, "default": _PROBLEM},
    }}  # fmt: skip


def _tile_paths(layer: Layer, here: str, tag: list[str], names: list[str]) -> dict[str, Any]:
    paths = {
        f"{here}/tiles": _get(f"{layer.id}.tilesets", "Tilesets", _JSON, ["f", "lang"], tag),
        f"{here}/tiles/{{tileMatrixSetId}}": _get(f"{layer.id}.vectorTileset", "One tileset", _JSON, ["f", "lang"], tag),
        f"{here}/tiles/{{tileMatrixSetId}}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}": _get(
            f"{layer.id}.tile", f"Vector tile of {layer.title.en}", "application/vnd.mapbox-vector-tile", ["datetime", "recorded", "f", "lang"], tag),
    }  # fmt: skip
    of_set, tile = list(paths.values())[1:]
    _add(of_set, _path("tileMatrixSetId", {"type": "string", "enum": names}))
    _add(
        tile,
        _path("tileMatrixSetId", {"type": "string", "enum": names}),
        *(_path(name, _WHOLE) for name in ("tileMatrix", "tileRow", "tileCol")),
    )
    tile["get"]["responses"]["204"] = {"description": "No feature in this tile"}
    return paths


def _solid_paths(layer: Layer, here: str, tag: list[str]) -> dict[str, Any]:
    title, when, node = layer.title.en, ["datetime", "recorded", "lang"], "{level}/{x}/{y}"
    paths = {
        f"{here}/3dtiles/tileset.json": _get(f"{layer.id}.3dtiles", f"3D Tiles of {title}", _JSON, when, tag),
        f"{here}/3dtiles/{node}/tileset.json": _get(f"{layer.id}.3dtilesPart", f"Part of the 3D Tiles of {title}", _JSON, when, tag),
        f"{here}/3dtiles/content/{node}/{{name}}.glb": _get(f"{layer.id}.3dtilesContent", f"Content of the 3D Tiles of {title}", "model/gltf-binary", when, tag),
    }  # fmt: skip
    part, content = list(paths.values())[1:]
    _add(part, *(_path(name, _WHOLE) for name in ("level", "x", "y")))
    _add(content, *(_path(name, _WHOLE) for name in ("level", "x", "y")), _path("name", _TEXT))
    return paths
