"""The OpenAPI document: pygeoapi's skeleton with the paths and parameters our routes really have."""

from typing import Any

from twin_model.layer import Layer

__all__ = ["patched_openapi"]


def _query(name: str, schema: dict[str, Any], zh: str, en: str, *, required: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": f"{zh} / {en}",
        "schema": schema,
        "explode": False,
    }


_TEXT = {"type": "string"}
_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}
PARAMETERS: dict[str, dict[str, Any]] = {
    "bbox": _query("bbox", _NUMBERS, "范围", "box: minx,miny,maxx,maxy in the axis order of bbox-crs"),
    "bbox-crs": _query("bbox-crs", {"type": "string", "format": "uri"}, "范围的坐标系", "CRS of bbox"),
    "crs": _query("crs", {"type": "string", "format": "uri"}, "结果坐标系", "CRS of the answer"),
    "datetime": _query("datetime", _TEXT, "有效时间", "valid time: instant or interval"),
    "recorded": _query("recorded", _TEXT, "记录时间", "recorded time: instant or version number"),
    "filter": _query("filter", _TEXT, "过滤条件 CQL2", "CQL2 filter"),
    "filter-lang": _query(
        "filter-lang",
        {"type": "string", "enum": ["cql2-text", "cql2-json"], "default": "cql2-text"},
        "过滤语言",
        "language of filter",
    ),
    "filter-crs": _query(
        "filter-crs", {"type": "string", "format": "uri"}, "过滤几何的坐标系", "CRS of geometries in filter"
    ),
    "q": _query("q", _TEXT, "检索文字", "text looked for in ids and names"),
    "sortby": _query("sortby", {"type": "array", "items": _TEXT}, "排序", "order: +name,-name"),
    "properties": _query(
        "properties", {"type": "array", "items": _TEXT}, "返回的属性", "properties of the answer"
    ),
    "skipGeometry": _query(
        "skipGeometry", {"type": "boolean", "default": False}, "不返回几何", "leave out geometry"
    ),
    "limit": _query(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 10000, "default": 100},
        "每页要素数",
        "features on a page",
    ),
    "cursor": _query("cursor", _TEXT, "下一页标记", "mark of the next page"),
    "f": _query("f", _TEXT, "格式", "format"),
    "lang": _query("lang", {"type": "string", "enum": ["zh", "en"]}, "语言", "language"),
}
ITEM_PARAMETERS = ("crs", "datetime", "recorded", "f", "lang")
_PROBLEM = {"description": "problem", "content": {"application/problem+json": {"schema": {"type": "object"}}}}
_GEOJSON = {"application/geo+json": {"schema": {"type": "object"}}}


def patched_openapi(
    document: dict[str, Any], base: str, layers: list[Layer], tile_matrix_sets: list[str]
) -> dict[str, Any]:
    """Return the document with our paths in place of pygeoapi's."""
    document["servers"] = [{"url": base}]
    document["components"] = {"parameters": PARAMETERS}
    paths: dict[str, Any] = {
        "/": _get("landing", "Landing page", "application/json", ["f", "lang"]),
        "/conformance": _get("conformance", "Conformance classes", "application/json", ["f", "lang"]),
        "/collections": _get("collections", "Collections", "application/json", ["f", "lang"]),
        "/search": _get(
            "search", "Search in all collections", "application/geo+json", ["q", "limit", "lang"]
        ),
        "/tileMatrixSets": _get("tileMatrixSets", "Tile matrix sets", "application/json", ["f", "lang"]),
    }
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
        fields = [_query(f.name, {"type": {"number": "number", "integer": "integer", "boolean": "boolean"}.get(f.type, "string")}, f.title.zh, f.title.en)
                  for f in layer.fields if f.queryable]  # fmt: skip
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
        item["get"]["parameters"].append(
            {"name": "featureId", "in": "path", "required": True, "schema": {"type": "string"}}
        )
        item["get"]["responses"]["404"] = _PROBLEM
        paths[f"{here}/items/{{featureId}}"] = item
        if layer.has_geometry:
            paths |= _tile_paths(layer, here, tag, tile_matrix_sets)
    document["paths"] = paths
    document["tags"] = [
        {"name": layer.id, "description": f"{layer.title.zh} {layer.title.en}"} for layer in layers
    ]
    return document


def _get(
    operation: str, summary: str, media_type: str, parameters: list[str], tags: list[str] | None = None
) -> dict[str, Any]:
    return {"get": {
        "operationId": operation, "summary": summary, "tags": tags or ["server"],
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in parameters],
        "responses": {"200": {"description": "OK", "content": {media_type: {"schema": {"type": "object"}}}}, "400": _PROBLEM, "default": _PROBLEM},
    }}  # fmt: skip


def _tile_paths(layer: Layer, here: str, tag: list[str], names: list[str]) -> dict[str, Any]:
    tile = _get(
        f"{layer.id}.tile",
        f"Vector tile of {layer.title.en}",
        "application/vnd.mapbox-vector-tile",
        ["datetime", "recorded"],
        tag,
    )
    tile["get"]["parameters"] += [{"name": name, "in": "path", "required": True, "schema": schema} for name, schema in (
        ("tileMatrixSetId", {"type": "string", "enum": names}), ("tileMatrix", _TEXT), ("tileRow", {"type": "integer"}), ("tileCol", {"type": "integer"}))]  # fmt: skip
    return {f"{here}/tiles": _get(f"{layer.id}.tilesets", "Tilesets", "application/json", ["f", "lang"], tag),
            f"{here}/tiles/{{tileMatrixSetId}}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}": tile}  # fmt: skip
