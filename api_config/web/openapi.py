"""Pieces of the OpenAPI document: what a route family says of its paths is put together from these.

Each family describes its own routes (`api_config/routes`); the document is gathered in `api_config/ogc/openapi.py`.
"""

from collections.abc import Mapping
from typing import Any

from api_config.web.openapi_schemas import schema_reference
from twin_model.layer import Layer
from twin_model.messages import render

__all__ = [
    "JSON",
    "PARAMETERS",
    "PLAIN",
    "TEXT",
    "WHOLE",
    "add_parameters",
    "get_operation",
    "path_parameter",
    "post_operation",
    "query_parameter",
    "require_parameter",
    "titles_of",
]


def query_parameter(name: str, schema: dict[str, Any], *titles: str, required: bool = False) -> dict[str, Any]:
    """Return a query parameter; its `titles` in both languages are the words of `messages` unless given."""
    titles = titles or tuple(render(f"parameter.{name}", lang, {}) for lang in ("zh", "en"))
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": " / ".join(titles),
        "schema": schema,
        "style": "form",
        "explode": False,
    }


TEXT = {"type": "string"}
WHOLE = {"type": "integer", "minimum": 0}
JSON = "application/json"
_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}
PARAMETERS: dict[str, dict[str, Any]] = {
    "bbox": query_parameter("bbox", _NUMBERS),
    "bbox-crs": query_parameter("bbox-crs", {"type": "string", "format": "uri"}),
    "crs": query_parameter("crs", {"type": "string", "format": "uri"}),
    "datetime": query_parameter("datetime", TEXT),
    "recorded": query_parameter("recorded", TEXT),
    "filter": query_parameter("filter", TEXT),
    "filter-lang": query_parameter(
        "filter-lang",
        {"type": "string", "enum": ["cql2-text", "cql2-json"], "default": "cql2-text"},
    ),
    "filter-crs": query_parameter("filter-crs", {"type": "string", "format": "uri"}),
    "q": query_parameter("q", TEXT),
    "sortby": query_parameter("sortby", {"type": "array", "items": TEXT}),
    "properties": query_parameter("properties", {"type": "array", "items": TEXT}),
    "skipGeometry": query_parameter("skipGeometry", {"type": "boolean", "default": False}),
    "limit": query_parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 10000, "default": 100},
    ),
    "cursor": query_parameter("cursor", TEXT),
    "lang": query_parameter("lang", {"type": "string", "enum": ["zh", "en"]}),
}
PLAIN = {name: {"type": name} for name in ("number", "integer", "boolean")}
_PROBLEM = {"description": "problem", "content": {"application/problem+json": {"schema": schema_reference("problem")}}}


def titles_of(layer: Layer, name: str) -> tuple[str, str]:
    """Return the titles of a field in both languages, the name where it is none."""
    field = layer.field_of(name)
    return (field.title.zh, field.title.en) if field is not None else (name, name)


def path_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter that is part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": schema}


def add_parameters(path: dict[str, Any], *parameters: dict[str, Any]) -> None:
    """Give an operation more parameters; one with a place in its path can be missing there."""
    path["get"]["parameters"] += parameters
    if any(parameter["in"] == "path" for parameter in parameters):
        path["get"]["responses"]["404"] = _PROBLEM


def require_parameter(path: dict[str, Any], name: str) -> None:
    """Make one of an operation's parameters a required one."""
    path["get"]["parameters"] = [
        PARAMETERS[name] | {"required": True} if parameter == {"$ref": f"#/components/parameters/{name}"} else parameter
        for parameter in path["get"]["parameters"]
    ]


def get_operation(
    operation: str,
    summary: str,
    forms: Mapping[str, str] | str,
    parameters: list[str],
    tags: list[str] | None = None,
    *,
    answers: str = "",
) -> dict[str, Any]:
    """Return a GET operation: its id, summary, media type, parameters by name, tags.

    `forms` is the media type, or the media types by the values of `f` that ask for them, the default first; `answers` names the
    schema of what is JSON of them (`openapi_schemas.py`).
    """
    media_types = [forms] if isinstance(forms, str) else list(dict.fromkeys(forms.values()))
    return {"get": {
        "operationId": operation, "summary": summary, "tags": tags or ["server"],
        "parameters": [_parameter(name, forms) for name in parameters],
        "responses": {
            "200": {"description": "OK", "content": {media_type: {"schema": _body(media_type, answers)} for media_type in media_types}},
            "400": _PROBLEM, "default": _PROBLEM,
        },
    }}  # fmt: skip


def _parameter(name: str, forms: Mapping[str, str] | str) -> dict[str, Any]:
    """Return a parameter by reference; `f` has its values with each operation."""
    if name != "f":
        return {"$ref": f"#/components/parameters/{name}"}
    return query_parameter("f", {"type": "string", "enum": [] if isinstance(forms, str) else list(forms)})


def _body(media_type: str, answers: str) -> dict[str, Any]:
    if media_type.startswith("text/"):
        return {"type": "string"}
    return schema_reference(answers) if "json" in media_type else {"type": "string", "format": "binary"}


def post_operation(
    operation: str, summary: str, body: dict[str, Any], media_type: str, parameters: list[str], tags: list[str]
) -> dict[str, Any]:
    """Return a POST operation that takes a JSON body of a schema; its other parts are those of `get_operation`."""
    described = get_operation(operation, summary, media_type, parameters, tags)["get"]
    described["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
    described["responses"] |= {"413": _PROBLEM, "415": _PROBLEM}
    return {"post": described}
