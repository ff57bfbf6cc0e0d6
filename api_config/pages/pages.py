"""HTML for people: the documents of the service as pages, in Chinese or English.

Every function takes the `Call` and the JSON document that the same address answers, and returns bytes. Markup
lies in `templates/`, which also holds the words (`words.html`); styles and scripts in `static/`. Nothing here
trusts a value: Jinja escapes, `safe_href` decides what may be a link, and the content policy (`api_config/web/envelope.py`) is the second lock.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from api_config.ogc.resources import is_placed
from api_config.pages.map import NARROW, Drawn, center, draw_map
from api_config.pages.render import Document, number, render_page
from api_config.web.call import Call
from api_config.web.download import DOWNLOADS, TITLES, may_download
from tiles.svg.plan import Box
from twin_model.catalogue import CIM_CLASSES
from twin_model.finding import Finding
from twin_model.layer import Field, Layer

__all__ = [
    "api_page",
    "collection_page",
    "collections_page",
    "conformance_page",
    "item_page",
    "items_page",
    "landing_page",
    "problem_page",
    "queryables_page",
    "search_page",
]

"""The policy under which every page works: nothing inline, nothing from elsewhere."""
Downloads = list[tuple[str | None, list[tuple[str, dict[str, str]]]]]
_COLUMNS = 10
_CHIPS = ("filter", "q", "datetime", "recorded", "bbox", "sortby", "properties", "crs", "cursor")


def landing_page(call: Call, document: Document, sketch: Mapping[str, Document] | None = None) -> bytes:
    """Return the front page: what is here, layers by CIM class, addresses to copy.

    `document` is the landing page with the `collections` of `/collections`. `sketch` holds, for each
    layer id on the map of the front page, a FeatureCollection, the lowest first; without it there is no map.
    """
    layers = {layer.id: layer for layer in call.layers}
    drawn = [Drawn(layers[name], one, linked=False) for name, one in (sketch or {}).items()]
    groups = _groups(call, document.get("collections", ()))
    return render_page(
        call,
        "landing",
        document=document,
        groups=groups,
        example=_example_layer(groups),
        map=draw_map(call, drawn, extent=call.town.extent(policy=call.policy), locate=False) if drawn else None,
    )


def collections_page(call: Call, document: Document) -> bytes:
    """Return the list of every collection, by CIM class."""
    return render_page(call, "collections", document=document, groups=_groups(call, document["collections"]))


def collection_page(call: Call, layer: Layer, document: Document, sample: Document | None = None) -> bytes:
    """Return one collection: what it is, extent, fields, addresses; `sample` is a first page for the map."""
    extent = _extent_of(document)
    drawn = [Drawn(layer, sample or {"features": []})]
    return render_page(
        call,
        "collection",
        layer=layer,
        document=document,
        extent=extent,
        placed=is_placed(call.town, layer, call.policy),
        marking=call.town.marking(layer),
        downloads=_downloads(call, layer),
        map=draw_map(call, drawn, extent=extent) if layer.has_geometry else None,
    )


def items_page(call: Call, layer: Layer, document: Document) -> bytes:
    """Return a page of features: map, table, filter, sorting, paging and downloads."""
    features = document["features"]
    return render_page(
        call,
        "items",
        layer=layer,
        document=document,
        marking=call.town.marking(layer),
        downloads=_downloads(call, layer),
        columns=_columns(layer, features),
        order=_order(call),
        next=_next_query(document),
        examples=_filter_examples(layer, features),
        chips=[(name, call.params[name]) for name in _CHIPS if name in call.params],
        map=draw_map(call, [Drawn(layer, document)]) if layer.has_geometry else None,
    )


def item_page(call: Call, layer: Layer, document: Document, nearby: Document | None = None) -> bytes:
    """Return one feature: attributes with units and meanings, property sets, validity.

    `nearby`, a FeatureCollection of the same layer, is drawn behind it.
    """
    drawn = [Drawn(layer, nearby, muted=True)] if nearby else []
    drawn.append(Drawn(layer, {"features": [document]}, linked=False))
    plan = draw_map(call, drawn, width=NARROW, margin=0.4) if layer.has_geometry and document.get("geometry") else None
    return render_page(
        call,
        "item",
        layer=layer,
        document=document,
        marking=call.town.marking(layer),
        map=plan,
        center=center(call, plan),
        finding=_finding_text(call, layer, document),
    )


def queryables_page(call: Call, layer: Layer, document: Document) -> bytes:
    """Return a JSON Schema of a collection (queryables, sortables or schema) as a table."""
    return render_page(call, "queryables", layer=layer, document=document)


def conformance_page(call: Call, document: Document) -> bytes:
    """Return the declared conformance classes, by standard."""
    standards: dict[str, list[str]] = {}
    for uri in document["conformsTo"]:
        standard, _, name = uri.removeprefix("http://www.opengis.net/spec/").partition("/conf/")
        standards.setdefault(standard, []).append(name)
    return render_page(call, "conformance", standards=standards)


def api_page(call: Call, document: Document) -> bytes:
    """Return the OpenAPI document as a list of operations, readable offline and without script."""
    shared = document.get("components", {}).get("parameters", {})
    tags: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method not in {"get", "post", "put", "patch", "delete", "head", "options"}:
                continue
            entry = _operation(path, method, operation, shared)
            tags.setdefault((operation.get("tags") or ["server"])[0], []).append(entry)
    described = {tag["name"]: tag.get("description", "") for tag in document.get("tags", ())}
    return render_page(call, "api", document=document, tags=tags, described=described, shared=shared)


def search_page(call: Call, document: Document) -> bytes:
    """Return the hits of `/search` as a list; `document` is its FeatureCollection."""
    return render_page(call, "search", document=document, words=call.params.get("q", ""))


def problem_page(call: Call, problem: Document) -> bytes:
    """Return an error for a reader: what happened, where to go on; `problem` is the problem+json document."""
    return render_page(call, "problem", problem=problem)


def _finding_text(call: Call, layer: Layer, document: Document) -> str | None:
    """Return the sentence of a finding in the reader's language; None for features of other layers."""
    properties = document.get("properties") or {}
    if layer.id != "finding" or not properties.get("rule"):
        return None
    details = properties.get("details")
    values = details if isinstance(details, dict) else {}
    severity: Literal["info"] = "info"  # the words do not depend on it
    return Finding(
        properties["rule"],
        severity,
        layer=properties.get("layer"),
        place=properties.get("place") or "",
        values=values,
    ).text(call.lang)


def _groups(call: Call, collections: Iterable[Document]) -> list[tuple[str, list[tuple[Layer, Document]]]]:
    """Return title and collections of each CIM class, in customary order; those without features last."""
    layers = {layer.id: layer for layer in call.layers}
    pairs = [(layers[each["id"]], each) for each in collections if each["id"] in layers]
    pairs.sort(key=lambda pair: not pair[1].get("x-features"))
    groups = [
        (text(call.lang), [pair for pair in pairs if pair[0].cim_class == name]) for name, text in CIM_CLASSES.items()
    ]
    return [(title, members) for title, members in groups if members]


def _example_layer(groups: Sequence[tuple[str, Sequence[tuple[Layer, Document]]]]) -> str:
    """Return the id of a layer to show addresses with: buildings where there are some, else the fullest."""
    counts = {layer.id: document.get("x-features") or 0 for _, members in groups for layer, document in members}
    return "building" if counts.get("building") else max(counts, key=lambda name: counts[name], default="building")


def _downloads(call: Call, layer: Layer) -> Downloads:
    """Return the files that the caller may have of a layer: for each CRS the parameters of each format, by its title.

    The system is the one shown; where none was asked for, longitude and latitude, and the storage CRS as well.
    """
    if not may_download(call, layer):
        return []
    shown = call.params.get("crs")
    systems = [shown] if shown else [None, call.town.store.crs] if layer.has_geometry else [None]
    return [
        (system, [(TITLES[form], {"f": form} | ({"crs": system} if system else {})) for form in DOWNLOADS])
        for system in systems
    ]


def _extent_of(document: Document) -> Box | None:
    boxes = document.get("extent", {}).get("spatial", {}).get("bbox") or [None]
    box = boxes[0]
    if box is None or len(box) not in (4, 6):
        return None
    west, south, east, north = box if len(box) == 4 else (*box[:2], *box[3:5])
    return float(west), float(south), float(east), float(north)


def _columns(layer: Layer, features: Sequence[Document]) -> list[Field]:
    """Return the fields worth a column: those with a value on this page, plain ones, the first few."""
    filled = {
        name
        for feature in features
        for name, value in (feature.get("properties") or {}).items()
        if value not in (None, "")
    }
    shown = [field for field in layer.fields if field.name in filled and field.format != "json" and field.queryable]
    return shown[:_COLUMNS]


def _order(call: Call) -> dict[str, str]:
    """Return the sort direction of each field that `sortby` names."""
    parts = [part.strip() for part in call.params.get("sortby", "").split(",")]
    return {part.lstrip("+-"): "descending" if part.startswith("-") else "ascending" for part in parts if part}


def _next_query(document: Document) -> str | None:
    """Return the query of the next page, to be followed from this very address."""
    href = next((link["href"] for link in document.get("links", ()) if link.get("rel") == "next"), None)
    return None if href is None else "?" + urlsplit(href).query


def _filter_examples(layer: Layer, features: Sequence[Document]) -> list[str]:
    """Return up to three CQL2 filters that fit the values on this page: a number, a code, a beginning."""
    examples: dict[str, str] = {}
    for field in layer.fields:
        values = [v for f in features if (v := (f.get("properties") or {}).get(field.name)) not in (None, "")]
        if not values or not field.queryable or field.format == "json":
            continue
        if field.type in ("integer", "number"):
            middle = sorted(values)[len(values) // 2]
            examples.setdefault("number", f"{field.name} >= {number(middle)}")
        elif field.type == "string" and field.codes:
            examples.setdefault("code", f"{field.name} = {_literal(values[0])}")
        elif field.type == "string" and field.name in layer.label:
            examples.setdefault(
                "text",
                f"{field.name} LIKE {_literal(str(values[0])[:2].replace('%', '').replace('_', '') + '%')}",
            )
    return [examples[kind] for kind in ("number", "code", "text") if kind in examples]


def _literal(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _operation(path: str, method: str, operation: Document, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return an operation as the page lists it; parameters that many share are only named."""
    names, own = [], []
    for parameter in operation.get("parameters", ()):
        reference = str(parameter.get("$ref", "")).rpartition("/")[2]
        if reference and reference in shared:
            names.append(reference)
        elif not reference:
            own.append(parameter)
    return {
        "path": path,
        "method": method,
        "summary": operation.get("summary", ""),
        "shared": names,
        "own": own,
        "media": list(operation.get("responses", {}).get("200", {}).get("content", {})),
        "try": method == "get" and "{" not in path,
    }
