"""pygeoapi through a bridge: its API is built in memory from the catalogue; what it says is patched before a client hears it.

From pygeoapi come landing page, collections, schema and the OpenAPI skeleton. Items, tiles, pages and errors are ours.
What is patched: media types and links that do not exist here (JSON-LD, HTML twins), conformance classes, CRS lists.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import orjson
import pygeoapi.api as core
from pygeoapi.api import API, APIRequest
from pygeoapi.openapi import get_oas

from api_config.ogc.openapi import patched_openapi
from api_config.ogc.resources import configuration, extent_of, features_of, is_placed, life_of
from api_config.web.download import DOWNLOADS, TITLES
from api_config.web.family import RouteFamily, conformance_of, paths_of
from api_config.web.offered_crs import crs_list
from twin_model.crs import uri_of
from twin_model.layer import Layer
from twin_model.messages import render
from twin_model.store.freshness import mark_of
from twin_model.town import Town
from twin_model.view import Policy

__all__ = ["Bridge"]

_KEPT = 16
_HERE = "http://here.invalid"
"""Stands for the service's address in what is kept: each client may know it by another."""

_REL = "http://www.opengis.net/def/rel/ogc/1.0"


class _Ask:
    """A request as pygeoapi's `APIRequest` reads it: parameters, headers, path."""

    def __init__(self, lang: str, path: str) -> None:
        self.args = {"f": "json", "lang": "zh-CN" if lang == "zh" else "en-US"}
        self.headers: dict[str, str] = {}
        self.path_info = path
        self.path = path
        self.method = "GET"
        self.data = b""


class Bridge:
    """Answers what pygeoapi answers, as dicts, for one town."""

    def __init__(self, town: Town, families: Sequence[RouteFamily], *, page_most: int = 10_000) -> None:
        self._town, self._families, self._page_most = town, families, page_most
        self._apis: OrderedDict[tuple[tuple[int, str], str], tuple[API, dict[str, Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def published(self, policy: Policy) -> list[Layer]:
        """Return the layers this policy may see; the ones without features too, so that clients can rely on addresses."""
        return policy.visible_layers(self._town.catalogue)

    def _api(self, policy: Policy) -> tuple[API, dict[str, Any]]:
        """Return pygeoapi's API and OpenAPI document for the town as of now; built anew when the town changes."""
        store = self._town.store
        key = (mark_of(store, store.version()), policy.digest)
        with self._lock:
            if key not in self._apis:
                config = configuration(self._town, _HERE, policy=policy, layers=self.published(policy))
                openapi = get_oas(deepcopy(config), fail_on_invalid_collection=False)
                layers = self.published(policy)
                paths = paths_of(self._families, layers)
                systems = [uri_of(crs) for crs in crs_list(self._town)]
                document = patched_openapi(
                    deepcopy(openapi), _HERE, layers, paths, page_most=self._page_most, systems=systems
                )
                self._apis[key] = (API(config, openapi), document)
                while len(self._apis) > _KEPT:
                    self._apis.popitem(last=False)
            return self._apis[key]

    def _ask(self, function: Any, base: str, lang: str, policy: Policy, path: str, *args: Any) -> dict[str, Any]:
        api, _ = self._api(policy)
        request = APIRequest.from_flask(_Ask(lang, path), api.locales)
        _, status, content = function(api, request, *args)
        if int(status) != 200:
            raise RuntimeError(f"pygeoapi answered {status} for {path}")
        answer: dict[str, Any] = orjson.loads(content.replace(_HERE, base))
        return answer

    def landing(self, base: str, lang: str, policy: Policy) -> dict[str, Any]:
        title = partial(_title, lang)
        page = self._ask(core.landing_page, base, lang, policy, "/")
        page["links"] = [
            _link(f"{base}/", "self", "application/json", title("self")),
            _link(f"{base}/?f=html", "alternate", "text/html", title("page")),
            _link(f"{base}/api", "service-desc", "application/vnd.oai.openapi+json;version=3.0", "OpenAPI"),
            _link(
                f"{base}/api?f=html",
                "service-doc",
                "text/html",
                title("documentation"),
            ),
            _link(
                f"{base}/conformance",
                "conformance",
                "application/json",
                title("conformance"),
            ),
            _link(f"{base}/collections", "data", "application/json", title("collections")),
            _link(f"{base}/tiles", f"{_REL}/tilesets-vector", "application/json", title("town_tiles")),
            _link(
                f"{base}/tileMatrixSets",
                f"{_REL}/tiling-schemes",
                "application/json",
                title("tile_matrix_sets"),
            ),
            _link(f"{base}/viewer/", "related", "text/html", title("viewer")),
        ]
        return page

    def conformance(self) -> dict[str, Any]:
        """Return the classes that tests stand behind; pygeoapi's own list claims what our routes do not do its way."""
        return {"conformsTo": sorted(conformance_of(self._families))}

    def collections(self, base: str, lang: str, policy: Policy) -> dict[str, Any]:
        title = partial(_title, lang)
        answer = self._ask(core.describe_collections, base, lang, policy, "/collections")
        answer["collections"] = [
            self._collection(collection, base, lang, policy) for collection in answer["collections"]
        ]
        answer["links"] = [
            _link(f"{base}/collections", "self", "application/json", title("self")),
            _link(f"{base}/collections?f=html", "alternate", "text/html", title("page")),
        ]
        answer["crs"] = [uri_of(crs) for crs in crs_list(self._town)]
        return answer

    def collection(self, layer: Layer, base: str, lang: str, policy: Policy) -> dict[str, Any]:
        answer = self._ask(core.describe_collections, base, lang, policy, f"/collections/{layer.id}", layer.id)
        return self._collection(answer, base, lang, policy)

    def _collection(self, answer: dict[str, Any], base: str, lang: str, policy: Policy) -> dict[str, Any]:
        """Patch pygeoapi's words on one collection: links of ours, CRS lists, counts, style hints for the viewer."""
        layer = self._town.catalogue[answer["id"]]
        title, here = partial(_title, lang), f"{base}/collections/{layer.id}"
        links = [
            _link(here, "self", "application/json", title("self")),
            _link(f"{here}?f=html", "alternate", "text/html", title("page")),
            _link(
                f"{here}/items",
                "items",
                "application/geo+json",
                title("items"),
            ),
            _link(f"{here}/items?f=html", "items", "text/html", title("items_page")),
            _link(
                f"{here}/queryables",
                f"{_REL}/queryables",
                "application/schema+json",
                title("queryables"),
            ),
            _link(
                f"{here}/sortables",
                f"{_REL}/sortables",
                "application/schema+json",
                title("sortables"),
            ),
            _link(f"{here}/schema", f"{_REL}/schema", "application/schema+json", title("schema")),
            _link(f"{here}/schemas/feature", "describedby", "application/schema+json", title("feature_schema")),
        ]
        if layer.has_geometry:
            links += [
                _link(
                    f"{here}/tiles",
                    f"{_REL}/tilesets-vector",
                    "application/json",
                    title("vector_tiles"),
                )
            ]
        if layer.model.get("kind"):
            links += [
                _link(
                    f"{here}/3dtiles/tileset.json",
                    f"{_REL}/3dtiles",
                    "application/json+3dtiles",
                    title("solid_tiles"),
                )
            ]
        answer["links"] = links + self._downloads(layer, here, lang)
        answer["itemType"] = "feature"
        answer["crs"] = [uri_of(crs) for crs in crs_list(self._town)]
        answer["storageCrs"] = uri_of(self._town.store.crs)
        answer["extent"]["spatial"] = {
            "bbox": [extent_of(self._town, layer, policy)],
            "crs": uri_of("OGC:CRS84"),
        }
        life = life_of(self._town, layer, policy)
        if life is not None:
            answer["extent"]["temporal"] = {"interval": [life]}
        answer["x-placed"] = is_placed(self._town, layer, policy)
        answer["x-features"] = features_of(self._town, layer, policy)
        if layer.geometry.endswith("Z"):
            answer["x-height-datum"] = self._town.settings.height_datum
        answer["x-cim"] = {"class": layer.cim_class, "level": layer.cim_level}
        return answer

    def _downloads(self, layer: Layer, here: str, lang: str) -> list[dict[str, str]]:
        """Return a link to the whole layer in each format; what is classed too high for the network has none."""
        if self._town.marking(layer).is_restricted:
            return []
        return [
            _link(f"{here}/items?f={form}", "enclosure", media, render("link.download", lang, {"format": TITLES[form]}))
            for form, media in DOWNLOADS.items()
        ]

    def openapi(self, base: str, policy: Policy) -> dict[str, Any]:
        """Return the OpenAPI document; made once a version, but for its address."""
        document: dict[str, Any] = orjson.loads(
            orjson.dumps(self._api(policy)[1]).replace(_HERE.encode(), base.encode())
        )
        return document


def _title(lang: str, link: str) -> str:
    return render(f"link.{link}", lang, {})


def _link(href: str, rel: str, media_type: str, title: str) -> dict[str, str]:
    return {"href": href, "rel": rel, "type": media_type, "title": title}
