"""Schemas of what the service answers, as the OpenAPI document names them (`#/components/schemas/...`)."""

from typing import Any

__all__ = ["SCHEMAS", "schema_reference"]

Schema = dict[str, Any]


def schema_reference(name: str) -> Schema:
    """Return the reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_URI: Schema = {"type": "string", "format": "uri"}
_TIME: Schema = {"type": "string", "format": "date-time"}


def _object(required: str = "", **properties: Schema) -> Schema:
    """Return an object's schema; `required` are names with blanks between."""
    return {"type": "object", "properties": properties} | ({"required": required.split()} if required else {})


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


_LINKS = _list(schema_reference("link"))
_POINT = _list(_NUMBER, minItems=2, maxItems=2)
_BOX = _list(_NUMBER, minItems=4, maxItems=6)
_SPATIAL = _object("bbox", bbox=_list(_BOX, minItems=1), crs=_URI)
_KINDS = ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"]
_LIMITS = _object(
    "tileMatrix minTileRow maxTileRow minTileCol maxTileCol",
    tileMatrix=_TEXT, minTileRow=_WHOLE, maxTileRow=_WHOLE, minTileCol=_WHOLE, maxTileCol=_WHOLE,
)  # fmt: skip
_MATRIX = _object(
    "id scaleDenominator cellSize pointOfOrigin tileWidth tileHeight matrixWidth matrixHeight",
    id=_TEXT, scaleDenominator=_NUMBER, cellSize=_NUMBER, cornerOfOrigin={"type": "string", "enum": ["topLeft", "bottomLeft"]}, pointOfOrigin=_POINT,
    tileWidth=_WHOLE, tileHeight=_WHOLE, matrixWidth=_WHOLE, matrixHeight=_WHOLE,
)  # fmt: skip
_DIMENSION: Schema = {"type": "integer", "minimum": -1, "maximum": 3}

SCHEMAS: dict[str, Schema] = {
    "link": _object("href rel", href=_TEXT, rel=_TEXT, type=_TEXT, title=_TEXT, templated={"type": "boolean"}),
    "problem": _object("title status", type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT, instance=_TEXT, code=_TEXT, description=_TEXT, rule=_TEXT),
    "landingPage": _object("links", title=_TEXT, description=_TEXT, links=_LINKS),
    "conformance": _object("conformsTo", conformsTo=_list(_URI)),
    "openapi": _object("openapi info paths", openapi=_TEXT, info=_object("title version", title=_TEXT, version=_TEXT), paths={"type": "object"}),
    "collections": _object("links collections", links=_LINKS, collections=_list(schema_reference("collection")), crs=_list(_URI)),
    "collection": _object(
        "id links extent itemType crs storageCrs", id=_TEXT, title=_TEXT, description=_TEXT, keywords=_list(_TEXT), links=_LINKS, extent=_object("spatial", spatial=_SPATIAL),
        itemType={"type": "string", "enum": ["feature"]}, crs=_list(_URI), storageCrs=_URI,
    ),
    "geometry": _object("type", type={"type": "string", "enum": _KINDS}, coordinates=_list({}), geometries=_list(schema_reference("geometry"))) | {"nullable": True},
    "feature": _object(
        "type id geometry properties", type={"type": "string", "enum": ["Feature"]}, id=_TEXT, geometry=schema_reference("geometry"),
        properties={"type": "object"}, links=_LINKS,
    ),
    "featureCollection": _object(
        "type features", type={"type": "string", "enum": ["FeatureCollection"]}, features=_list(schema_reference("feature")), links=_LINKS, timeStamp=_TIME,
        numberMatched=_WHOLE, numberReturned=_WHOLE,
    ),
    "jsonSchema": _object("$schema type properties", **{"$schema": _URI, "$id": _URI, "type": {"type": "string", "enum": ["object"]}, "title": _TEXT, "properties": {"type": "object"}}),
    "functions": _object("functions", functions=_list(_object("name returns", name=_TEXT, description=_TEXT, arguments=_list({"type": "object"}), returns=_list(_TEXT)))),
    "position": _object("crs x_north y_east", crs=_URI, x_north=_NUMBER, y_east=_NUMBER),
    "tileMatrixSets": _object("tileMatrixSets", tileMatrixSets=_list(_object("id links", id=_TEXT, title=_TEXT, uri=_URI, crs=_URI, links=_LINKS))),
    "tileMatrixSet": _object("id crs tileMatrices", id=_TEXT, title=_TEXT, uri=_URI, crs=_URI, orderedAxes=_list(_TEXT), wellKnownScaleSet=_URI, tileMatrices=_list(_MATRIX)),
    "tilesets": _object("tilesets", tilesets=_list(schema_reference("tileset")), links=_LINKS),
    "tileset": _object(
        "dataType crs links", title=_TEXT, dataType={"type": "string", "enum": ["vector", "map", "coverage"]}, crs=_URI, tileMatrixSetURI=_URI, tileMatrixSetId=_TEXT,
        links=_LINKS, layers=_list(_object("id dataType", id=_TEXT, title=_TEXT, dataType=_TEXT, geometryDimension=_DIMENSION)),
        boundingBox=_object("lowerLeft upperRight", lowerLeft=_POINT, upperRight=_POINT, crs=_URI), tileMatrixSetLimits=_list(_LIMITS),
    ),
    "tileset3d": _object("asset geometricError root", asset=_object("version", version=_TEXT), geometricError=_NUMBER, root={"type": "object"}),
    "terrain": _object("tilejson format tiles", tilejson=_TEXT, format=_TEXT, tiles=_list(_TEXT), bounds=_BOX, minzoom=_WHOLE, maxzoom=_WHOLE, available=_list(_list({"type": "object"}))),
    "viewerConfig": _object("town layers", town={"type": "object"}, layers=_list({"type": "object"}), scenes=_list({"type": "object"})),
}  # fmt: skip
"""By name. `geometry` is nullable: a feature may have no place."""
