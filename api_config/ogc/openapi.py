"""The OpenAPI document: pygeoapi's skeleton with the paths that the route families say they have, and no other."""

from typing import Any

from api_config.web.openapi import PARAMETERS
from twin_model.layer import Layer

__all__ = ["patched_openapi"]


def patched_openapi(
    document: dict[str, Any], base: str, layers: list[Layer], paths: dict[str, Any], *, page_most: int
) -> dict[str, Any]:
    """Return the document with our paths in place of pygeoapi's; each route that answers is in it, and no other."""
    limit = PARAMETERS["limit"] | {"schema": PARAMETERS["limit"]["schema"] | {"maximum": page_most}}
    document["servers"] = [{"url": base}]
    document["components"] = {"parameters": PARAMETERS | {"limit": limit}}
    document["paths"] = paths
    document["tags"] = [{"name": layer.id, "description": f"{layer.title.zh} {layer.title.en}"} for layer in layers]
    return document
