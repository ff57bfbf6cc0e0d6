"""A family of routes: one file that exports its routes, the conformance classes it keeps and its paths in OpenAPI.

`api_config/routes/__init__.py` lists the families; the app, `/conformance` and `/api` gather what they say.

    FAMILY = RouteFamily("versions", routes=lambda settings: ROUTES, paths=_paths)
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.routing import BaseRoute

from api_config.settings import Settings
from twin_model.layer import Layer

__all__ = ["OpenApiPaths", "RouteFamily", "conformance_of", "paths_of", "per_layer"]

OpenApiPaths = dict[str, Any]
"""OpenAPI's path items by path."""


@dataclass(frozen=True)
class RouteFamily:
    """Routes that belong together. `paths` describes them for the layers a caller may see."""

    name: str
    routes: Callable[[Settings], Sequence[BaseRoute]]
    paths: Callable[[Sequence[Layer]], OpenApiPaths]
    conformance: frozenset[str] = frozenset()


def conformance_of(families: Iterable[RouteFamily]) -> frozenset[str]:
    """Return the conformance classes of all families together."""
    return frozenset().union(*(family.conformance for family in families))


def paths_of(families: Iterable[RouteFamily], layers: Sequence[Layer]) -> OpenApiPaths:
    """Return the OpenAPI paths of all families together."""
    paths: OpenApiPaths = {}
    for family in families:
        paths |= family.paths(layers)
    return paths


def per_layer(layers: Sequence[Layer], describe: Callable[[Layer, str, list[str]], OpenApiPaths]) -> OpenApiPaths:
    """Return the paths of each layer: `describe` is given the layer, the address of its collection and its tags."""
    paths: OpenApiPaths = {}
    for layer in layers:
        paths |= describe(layer, f"/collections/{layer.id}", [layer.id])
    return paths
