"""The OpenAPI document: pygeoapi's skeleton with the paths that the route families say they have, and no other."""

from importlib.metadata import version
from typing import Any

from api_config.web.openapi import PARAMETERS
from api_config.web.openapi_schemas import SCHEMAS
from twin_model.layer import Layer

__all__ = ["patched_openapi"]

_PACKAGE = "hsr-town-twin"


def patched_openapi(
    document: dict[str, Any],
    base: str,
    layers: list[Layer],
    paths: dict[str, Any],
    *,
    page_most: int,
    systems: list[str],
) -> dict[str, Any]:
    """Return the document with our paths in place of pygeoapi's; each route that answers is in it, and no other.

    `systems` are the URIs of the CRSs that are offered.
    """
    document["info"]["version"] = version(_PACKAGE)
    document["servers"] = [{"url": base}]
    known = {"limit": {"maximum": page_most}} | {name: {"enum": systems} for name in ("crs", "bbox-crs", "filter-crs")}
    narrowed = {name: PARAMETERS[name] | {"schema": PARAMETERS[name]["schema"] | more} for name, more in known.items()}
    document["components"] = {"parameters": PARAMETERS | narrowed, "schemas": SCHEMAS}
    document["paths"] = paths
    document["tags"] = [{"name": layer.id, "description": f"{layer.title.zh} {layer.title.en}"} for layer in layers]
    return document
