"""Every address that the service has for a town, each in its forms: whatever a layer holds, all of them must answer."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from starlette.routing import Route

from twin_model.town import Town


def addresses(app: Any, town: Town, sound: str, *, few: int = 3) -> Iterator[str]:
    """Yield the addresses of the app: of every layer that holds something, of its features but the first few, tiles near and far.

    What is not about a layer is asked once; `sound` is the layer that then stands for all.
    """
    layers = {entry.id: entry for entry in town.store.catalogue if town.store.summary(entry.id).features}
    tiles = [(0, 0, 0), (14, 6476, 13577)]
    for route in (entry for entry in app.routes if isinstance(entry, Route) and "GET" in (entry.methods or ())):
        for layer in layers if "{collection}" in route.path else [sound]:
            path = re.sub(r":\w+}", "}", route.path).replace("{collection}", layer).replace("{number}", "1")
            if "3dtiles" in path and (not layers[layer].model.get("kind") or "{level}" in path):
                continue
            for ident in town.features(layer).index[few:] if "{id}" in path else [""]:
                for z, row, column in tiles if "{z}" in path else tiles[:1]:
                    values = {
                        "id": quote(str(ident), safe=""),
                        "z": z,
                        "row": row,
                        "col": column,
                        "x": column,
                        "y": row,
                    }
                    yield path.replace("{tms}", "WebMercatorQuad").format_map(values)


def forms(address: str) -> list[str]:
    """Return an address in the forms that it has."""
    if address.endswith("/items"):
        bbox = "bbox=118.2,35.0,118.5,35.2"
        filtered = "filter=S_INTERSECTS(geometry,POLYGON((118 35,119 35,119 36,118 36,118 35)))"
        return [f"{address}?{query}" for query in ("f=json", "f=html", bbox, filtered, "crs=EPSG:4548&f=html")]
    if address == "/search":
        return [f"{address}?q=1"]
    if address == "/crs/transform":
        return [f"{address}?lon=118&lat=35"]
    if "/items/" in address and "/versions" not in address:
        return [f"{address}?f=html"]
    if any(
        part in address
        for part in ("/tiles", "/versions", "3dtiles", "terrain", "viewer", "z", "tileMatrixSets", "/functions")
    ):
        return [address]
    return [f"{address}?f={form}" for form in ("json", "html")]


def refused(answer: Any) -> bool:
    """Say whether an answer is none; a tile beyond the terrain's edge and a format that is not offered are answers."""
    beyond = answer.status_code == 404 and answer.url.path.endswith(".terrain")
    unknown_form = answer.status_code == 400 and "query.format" in answer.text
    return answer.status_code >= 400 and not beyond and not unknown_form


def numbers(value: Any) -> Iterator[Any]:
    """Yield everything that stands in the lists of a document."""
    if isinstance(value, list):
        for part in value:
            yield from numbers(part) if isinstance(part, list | dict) else [part]
    elif isinstance(value, dict):
        for name, part in value.items():
            if name != "temporal":  # an end that is not known is null there, as OGC API wants it
                yield from numbers(part)
