"""JSON Schemas of a layer: all properties, those that can be asked for, those that can be sorted by (OGC API parts 3 and 5)."""

from typing import Any

from twin_model.layer import ATTRIBUTES, Field, Layer, Text
from twin_model.store.select import has_attributes, has_property_sets, queryables

__all__ = ["feature_schema", "queryables_schema", "schema_of", "sortables", "sortables_schema"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES: dict[str, dict[str, str]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}
_PROPERTY_SET = (
    r"^psets\.[^.]+\..+$",
    Text("属性集中的属性", "Property of a property set"),
    "psets.<set>.<property>",
)
"""What a filter may name besides, in layers of models: pattern of the name, title, how it is written."""
_OF_ATTRIBUTES = (
    r"^attributes\..+$",
    Text("没有对应字段的源数据属性", "Attribute that no field takes"),
    "attributes.<name>",
)
"""The same, in layers whose features may carry attributes."""
_VALIDITY = {"valid_from": "primary-interval-start", "valid_to": "primary-interval-end"}
"""Roles of the properties that every layer has (OGC API - Features part 5, 8)."""


def schema_of(layer: Layer, base: str, lang: str) -> dict[str, Any]:
    """Return the schema of the layer's features."""
    properties = {"id": {"type": "string", "x-ogc-role": "id", "readOnly": True}} | {
        field.name: _field(field, lang) for field in layer.fields
    }
    properties |= {
        name: {"x-ogc-role": role, **_TYPES["datetime"], "readOnly": True} for name, role in _VALIDITY.items()
    }
    properties["version"] = {"type": "integer", "readOnly": True}
    if has_attributes(layer):
        properties[ATTRIBUTES] = {"title": _OF_ATTRIBUTES[1](lang), "type": "object"}
    return _document(layer, base, lang, "schema", properties | _geometry(layer))


def feature_schema(layer: Layer, base: str, lang: str) -> dict[str, Any]:
    """Return the schema of one feature as GeoJSON: GDAL takes the types of a layer's columns from it (rel `describedby`).

    A date may be a year or a month, so it is a plain text; a whole number of a result, or of a layer of the town's own, may need more than the 32 bits that
    GDAL gives an integer, so it is a number.
    """
    described = schema_of(layer, base, lang)["properties"]
    properties = {name: described[name] for name in described if name not in ("id", "geometry")}
    for field in layer.fields:
        if field.type == "date":
            properties[field.name] = {"title": field.title(lang), "type": "string"}
        elif field.type == "integer" and (layer.cim_class == "results" or layer.delivered_as):
            properties[field.name] = {"title": field.title(lang), "type": "number"}
    feature = {
        "type": {"type": "string", "const": "Feature"},
        "id": {"type": "string"},
        "geometry": {"title": "GeoJSON"},
        "properties": {"type": "object", "properties": properties},
    }
    return _document(layer, base, lang, "schemas/feature", feature) | {"required": ["type", "geometry", "properties"]}


def queryables_schema(layer: Layer, base: str, lang: str) -> dict[str, Any]:
    """Return what `filter` and plain parameters may name."""
    known = queryables(layer)
    properties = {name: _named(layer, name, kind, lang) for name, kind in known.items() if name != "geometry"}
    document = _document(layer, base, lang, "queryables", properties | _geometry(layer))
    named = [_PROPERTY_SET] if has_property_sets(layer) else []
    named += [_OF_ATTRIBUTES] if has_attributes(layer) else []
    if named:
        document["patternProperties"] = {
            pattern: {"title": title(lang), "description": written} for pattern, title, written in named
        }
    return document | {"additionalProperties": False}


def sortables(layer: Layer) -> dict[str, str]:
    """Return what `sortby` may name, with types: what may be asked for, and the version."""
    kinds: dict[str, str] = {name: kind for name, kind in queryables(layer).items() if kind != "geometry"}
    return kinds | {"version": "integer"}


def sortables_schema(layer: Layer, base: str, lang: str) -> dict[str, Any]:
    """Return what `sortby` may name, as a schema."""
    kinds = sortables(layer)
    return _document(
        layer,
        base,
        lang,
        "sortables",
        {name: _named(layer, name, kind, lang) for name, kind in kinds.items()},
    ) | {"additionalProperties": False}


def _document(layer: Layer, base: str, lang: str, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": _DRAFT,
        "$id": f"{base}/collections/{layer.id}/{name}",
        "type": "object",
        "title": layer.title(lang),
        "description": layer.description(lang),
        "properties": properties,
    }


def _named(layer: Layer, name: str, kind: str, lang: str) -> dict[str, Any]:
    field = layer.field_of(name)
    return _field(field, lang) if field is not None else {"title": name, **_TYPES[kind]}


def _field(field: Field, lang: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"title": field.title(lang), **_TYPES[field.type]}
    if field.format == "json":
        schema = {"title": field.title(lang), "type": ["object", "array"]}
    if field.unit:
        schema["x-ogc-unit"] = field.unit
    if field.codes:
        schema["oneOf"] = [{"const": code, "title": words(lang)} for code, words in field.codes.items()]
    return schema


def _geometry(layer: Layer) -> dict[str, Any]:
    if not layer.has_geometry:
        return {}
    return {
        "geometry": {"x-ogc-role": "primary-geometry", "format": f"geometry-{layer.geometry.removesuffix('Z').lower()}"}
    }
