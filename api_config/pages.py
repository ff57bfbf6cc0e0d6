"""HTML for people: the documents of the service as pages, in Chinese or English.

Every function takes the `Call` and the JSON document that the same address answers, and returns bytes. Markup
lies in `templates/`, which also holds the words (`words.html`); styles and scripts in `static/`. Nothing here
trusts a value: Jinja escapes, `safe_href` decides what may be a link, and `CSP` is the second lock.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import shapely
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from api_config.ogc.resources import is_placed
from api_config.web.call import Call
from twin_model.catalogue import CIM_CLASSES
from twin_model.crs import (
    CRS84,
    authority_axis_swapped,
    crs_code,
    placed_geometries,
    transform_geometries,
    transform_xy,
)
from twin_model.crs import title_of as title_of_crs
from twin_model.finding import Finding
from twin_model.layer import Field, Layer
from twin_model.messages import messages, render
from twin_model.messages.fragments import in_chinese
from twin_model.messages.values import title_of_layer

__all__ = [
    "CSP",
    "api_page",
    "collection_page",
    "collections_page",
    "conformance_page",
    "item_page",
    "items_page",
    "landing_page",
    "problem_page",
    "queryables_page",
    "safe_href",
    "search_page",
]

CSP = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""The policy under which every page works: nothing inline, nothing from elsewhere."""

Document = Mapping[str, Any]
Bounds = tuple[float, float, float, float]

_COLUMNS = 10
_DRAWN = 2_000
_TITLE_FIELDS = ("name", "text", "long_name", "survey_no", "segment_key", "number", "parcel_no", "pole_no")
_CHIPS = ("filter", "q", "datetime", "recorded", "bbox", "sortby", "properties", "crs", "cursor")


# --- pages


def landing_page(call: Call, document: Document, sketch: Mapping[str, Document] | None = None) -> bytes:
    """Return the front page: what is here, layers by CIM class, addresses to copy.

    `document` is the landing page with the `collections` of `/collections`. `sketch` holds, for each
    layer id on the map of the front page, a FeatureCollection, the lowest first; without it there is no map.
    """
    drawn = [Drawn(call.town.catalogue[name], one, linked=False) for name, one in (sketch or {}).items()]
    groups = _groups(call, document.get("collections", ()))
    return _render(
        call,
        "landing",
        document=document,
        groups=groups,
        example=_example_layer(groups),
        map=draw_map(call, drawn, extent=call.town.extent(), locate=False) if drawn else None,
    )


def collections_page(call: Call, document: Document) -> bytes:
    """Return the list of every collection, by CIM class."""
    return _render(call, "collections", document=document, groups=_groups(call, document["collections"]))


def collection_page(call: Call, layer: Layer, document: Document, sample: Document | None = None) -> bytes:
    """Return one collection: what it is, extent, fields, addresses; `sample` is a first page for the map."""
    extent = _extent_of(document)
    drawn = [Drawn(layer, sample or {"features": []})]
    return _render(
        call,
        "collection",
        layer=layer,
        document=document,
        extent=extent,
        placed=is_placed(call.town, layer),
        map=draw_map(call, drawn, extent=extent) if layer.has_geometry else None,
    )


def items_page(call: Call, layer: Layer, document: Document) -> bytes:
    """Return a page of features: map, table, filter, sorting, paging and downloads."""
    features = document["features"]
    return _render(
        call,
        "items",
        layer=layer,
        document=document,
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
    plan = (
        draw_map(call, drawn, width=_NARROW, margin=0.4)
        if layer.has_geometry and document.get("geometry")
        else None
    )
    return _render(
        call,
        "item",
        layer=layer,
        document=document,
        map=plan,
        center=_center(call, plan),
        finding=_finding_text(call, layer, document),
    )


def queryables_page(call: Call, layer: Layer, document: Document) -> bytes:
    """Return a JSON Schema of a collection (queryables, sortables or schema) as a table."""
    return _render(call, "queryables", layer=layer, document=document)


def conformance_page(call: Call, document: Document) -> bytes:
    """Return the declared conformance classes, by standard."""
    standards: dict[str, list[str]] = {}
    for uri in document["conformsTo"]:
        standard, _, name = uri.removeprefix("http://www.opengis.net/spec/").partition("/conf/")
        standards.setdefault(standard, []).append(name)
    return _render(call, "conformance", standards=standards)


def api_page(call: Call, document: Document) -> bytes:
    """Return the OpenAPI document as a list of operations, readable offline and without script."""
    shared = document.get("components", {}).get("parameters", {})
    tags: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method not in {"get", "post", "put", "patch", "delete", "head", "options"}:
                continue
            one = _operation(path, method, operation, shared)
            tags.setdefault((operation.get("tags") or ["server"])[0], []).append(one)
    described = {tag["name"]: tag.get("description", "") for tag in document.get("tags", ())}
    return _render(call, "api", document=document, tags=tags, described=described, shared=shared)


def search_page(call: Call, document: Document) -> bytes:
    """Return the hits of `/search` as a list; `document` is its FeatureCollection."""
    return _render(call, "search", document=document, words=call.params.get("q", ""))


def problem_page(call: Call, problem: Document) -> bytes:
    """Return an error for a reader: what happened, where to go on; `problem` is the problem+json document."""
    return _render(call, "problem", problem=problem)


# --- environment and addresses


@cache
def _environment() -> Environment:
    """Return the one environment of all pages; templates are compiled once."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "crs_name": title_of_crs,
        "worded": _worded,
        "safe_href": safe_href,
        "value_href": _value_href,
        "number": _number,
        "unit": _unit,
        "group": _grouped,
        "pretty": _pretty,
    }
    environment.tests["mapping_value"] = lambda value: isinstance(value, Mapping)
    environment.tests["list_value"] = lambda value: isinstance(value, list)
    return environment


def _render(call: Call, name: str, **values: Any) -> bytes:
    environment = _environment()
    words = getattr(environment.get_template("words.html").module, call.lang)
    zone = ZoneInfo(call.town.settings.timezone)
    page = environment.get_template(f"{name}.html").render(
        t=words,
        lang=call.lang,
        at=address_of(call),
        town=call.town.settings,
        instant=lambda value: _instant(value, zone),
        title_of=_feature_title,
        **values,
    )
    return page.encode()


def address_of(call: Call) -> "Address":
    return Address(urlsplit(call.base).path, call.base, dict(call.params))


@dataclass(frozen=True)
class Address:
    """Addresses of this service: `root` is the path it stands at, `base` the whole address for programs."""

    root: str
    base: str
    params: Mapping[str, str]

    def page(self, *parts: str, **query: str) -> str:
        """Return the path of a page; a language chosen by the reader is kept, parts are quoted."""
        kept = {"lang": self.params["lang"]} if "lang" in self.params else {}
        path = self.root + "/" + "/".join(quote(str(part), safe=":") for part in parts)
        return path + ("?" + urlencode(kept | query) if kept or query else "")

    def data(self, *parts: str, **query: str) -> str:
        """Return the whole address of a document for other programs."""
        path = "/".join((self.base, *(quote(str(part), safe=":") for part in parts)))
        return path + ("?" + urlencode(query) if query else "")

    def query(self, *without: str, **changes: str) -> str:
        """Return this page with other parameters, relative to itself; paging begins anew."""
        kept = {
            name: value for name, value in self.params.items() if name not in {*without, *changes, "cursor"}
        }
        return "?" + urlencode(kept | changes)

    def again(self, **changes: str) -> str:
        """Return this very page, as far as the reader has paged, in another form or language."""
        return "?" + urlencode({**self.params, **changes})

    def kept(self, *without: str) -> list[tuple[str, str]]:
        """Return the parameters a form must carry on."""
        return [(name, value) for name, value in self.params.items() if name not in {*without, "cursor"}]


def safe_href(url: object) -> str | None:
    """Return a URL that may become a link: http, https or relative within this host; None for every other.

    Control characters, blanks and backslashes are refused: browsers drop or turn them, as in `java\\nscript:`
    and `/\\host`.
    """
    text = str(url)
    if not text or re.search(r"[\x00-\x20\\\x7f-\xa0]", text):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    if parts.scheme:
        return text if parts.scheme in {"http", "https"} and parts.netloc else None
    return None if text.startswith("//") or ":" in text.split("/")[0].split("?")[0].split("#")[0] else text


def _value_href(value: object) -> str | None:
    """Return an attribute value that is a whole http(s) address; anything else stays text."""
    return (
        safe_href(value)
        if isinstance(value, str) and value.lower().startswith(("http://", "https://"))
        else None
    )


# --- values


def _number(value: float) -> str:
    """Return a number without noise of binary fractions: at most three decimals, none where they are zero."""
    return (
        str(value)
        if isinstance(value, int) or not math.isfinite(value)
        else f"{value:.3f}".rstrip("0").rstrip(".")
    )


def _grouped(value: int) -> str:
    return f"{value:,}"


def _unit(unit: str) -> str:
    return unit.replace("m2", "m²").replace("m3", "m³")


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _instant(value: object, zone: ZoneInfo) -> str:
    """Return an instant on the town's clock; what is not one comes back as it is."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    local = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(zone)
    return local.strftime("%Y-%m-%d" if (local.hour, local.minute) == (0, 0) else "%Y-%m-%d %H:%M")


def _feature_title(feature: Document) -> str:
    """Return the name a person would call the feature by, else its id."""
    properties = feature.get("properties") or {}
    return next(
        (str(properties[name]) for name in _TITLE_FIELDS if properties.get(name)), str(feature.get("id", ""))
    )


def _worded(value: Any, layer: Layer, name: str, lang: str) -> Any:
    """Return a finding's layer, place and rule in words for a Chinese reader; any other value as it is."""
    if layer.id != "finding" or lang != "zh" or not isinstance(value, str):
        return value
    if name == "layer":
        return title_of_layer(value) or value
    if name == "rule":
        area = f"rule_area.{value.split('.')[0]}"
        return f"{render(area, lang, {})}（{value}）" if area in messages(lang) else value
    return in_chinese(value) if name == "place" else value


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


# --- what the pages list


def _groups(call: Call, collections: Iterable[Document]) -> list[tuple[str, list[tuple[Layer, Document]]]]:
    """Return title and collections of each CIM class, in customary order; those without features last."""
    pairs = [(call.town.catalogue[one["id"]], one) for one in collections if one["id"] in call.town.catalogue]
    pairs.sort(key=lambda pair: not pair[1].get("x-features"))
    found = [
        (text(call.lang), [pair for pair in pairs if pair[0].cim_class == name])
        for name, text in CIM_CLASSES.items()
    ]
    return [(title, members) for title, members in found if members]


def _example_layer(groups: Sequence[tuple[str, Sequence[tuple[Layer, Document]]]]) -> str:
    """Return the id of a layer to show addresses with: buildings where there are some, else the fullest."""
    counts = {
        layer.id: document.get("x-features") or 0 for _, members in groups for layer, document in members
    }
    return (
        "building"
        if counts.get("building")
        else max(counts, key=lambda name: counts[name], default="building")
    )


def _extent_of(document: Document) -> Bounds | None:
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
        for one in features
        for name, value in (one.get("properties") or {}).items()
        if value not in (None, "")
    }
    return [one for one in layer.fields if one.name in filled and one.format != "json" and one.queryable][
        :_COLUMNS
    ]


def _order(call: Call) -> dict[str, str]:
    """Return the sort direction of each field that `sortby` names."""
    parts = [part.strip() for part in call.params.get("sortby", "").split(",")]
    return {
        part.lstrip("+-"): "descending" if part.startswith("-") else "ascending" for part in parts if part
    }


def _next_query(document: Document) -> str | None:
    """Return the query of the next page, to be followed from this very address."""
    href = next((one["href"] for one in document.get("links", ()) if one.get("rel") == "next"), None)
    return None if href is None else "?" + urlsplit(href).query


def _filter_examples(layer: Layer, features: Sequence[Document]) -> list[str]:
    """Return up to three CQL2 filters that fit the values on this page: a number, a code, a beginning."""
    found: dict[str, str] = {}
    for one in layer.fields:
        values = [v for f in features if (v := (f.get("properties") or {}).get(one.name)) not in (None, "")]
        if not values or not one.queryable or one.format == "json":
            continue
        if one.type in ("integer", "number"):
            middle = sorted(values)[len(values) // 2]
            found.setdefault("number", f"{one.name} >= {_number(middle)}")
        elif one.type == "string" and one.codes:
            found.setdefault("code", f"{one.name} = {_literal(values[0])}")
        elif one.type == "string" and one.name in _TITLE_FIELDS:
            found.setdefault(
                "text",
                f"{one.name} LIKE {_literal(str(values[0])[:2].replace('%', '').replace('_', '') + '%')}",
            )
    return [found[kind] for kind in ("number", "code", "text") if kind in found]


def _literal(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _operation(path: str, method: str, operation: Document, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return an operation as the page lists it; parameters that many share are only named."""
    names, own = [], []
    for one in operation.get("parameters", ()):
        reference = str(one.get("$ref", "")).rpartition("/")[2]
        if reference and reference in shared:
            names.append(reference)
        elif not reference:
            own.append(one)
    return {
        "path": path,
        "method": method,
        "summary": operation.get("summary", ""),
        "shared": names,
        "own": own,
        "media": list(operation.get("responses", {}).get("200", {}).get("content", {})),
        "try": method == "get" and "{" not in path,
    }


# --- maps: SVG drawn from the features of the page, in degrees scaled by the cosine of the latitude

_WIDE, _NARROW = 960.0, 600.0
_LOWEST, _HIGHEST = 0.375, 0.65
_METRES = 111_320.0
"""Length of a degree of latitude: enough for a picture and its scale bar, within 0.5 % everywhere."""
_SMALLEST = 60.0 / _METRES
_COLOR = re.compile(r"#[0-9a-fA-F]{3,8}")


@dataclass(frozen=True)
class Drawn:
    """A FeatureCollection to draw in the style of its layer; `muted` is for what only surrounds."""

    layer: Layer
    document: Document
    muted: bool = False
    linked: bool = True


@dataclass(frozen=True)
class Frame:
    """What a map shows: its size in pixels, the west and north edge in degrees, pixels for a degree."""

    width: float
    height: float
    west: float
    north: float
    sx: float
    sy: float

    def xy(self, lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(((lonlat[:, 0] - self.west) * self.sx, (self.north - lonlat[:, 1]) * self.sy))

    def box(self, bounds: Bounds) -> list[float]:
        """Return x, y, width, height of a box of degrees."""
        x, y = (bounds[0] - self.west) * self.sx, (self.north - bounds[3]) * self.sy
        return [
            round(v, 1) for v in (x, y, (bounds[2] - bounds[0]) * self.sx, (bounds[3] - bounds[1]) * self.sy)
        ]


def draw_map(
    call: Call,
    drawn: Sequence[Drawn],
    *,
    extent: Bounds | None = None,
    width: float = _WIDE,
    margin: float = 0.06,
    locate: bool = True,
) -> dict[str, Any] | None:
    """Return what `map.html` draws: shapes by colour, legend, graticule, scale bar, place in the town.

    The map shows `extent`, else the features of the last collection, with a margin as a share of their size.
    None where there is neither.
    """
    shapes = [_geometries(call, one.document["features"][:_DRAWN]) for one in drawn]
    bounds = extent or _bounds(np.concatenate(shapes[-1:] or [np.empty(0, dtype=object)]))
    if bounds is None:
        return None
    frame = frame_of(bounds, width, margin)
    groups = [
        group
        for one, geometries in zip(drawn, shapes, strict=True)
        for group in _shape_groups(call, one, geometries, frame)
    ]
    town = call.town.extent()
    drawn_count = sum(min(len(one.document["features"]), _DRAWN) for one in drawn)
    return {
        "frame": frame,
        "groups": groups,
        "legend": _legend(call, groups),
        "bounds": bounds,
        "town": town and frame.box(town),
        "meridians": _ticks(frame.west, frame.width / frame.sx, "EW"),
        "parallels": _ticks(frame.north - frame.height / frame.sy, frame.height / frame.sy, "NS"),
        "scale": _scale_bar(frame),
        "locator": _locator(town, frame) if locate and town else None,
        "count": drawn_count,
        "cut": any(len(one.document["features"]) > _DRAWN for one in drawn),
    }


def frame_of(bounds: Bounds, width: float, margin: float) -> Frame:
    """Return a frame around a box of degrees, with a margin, never closer than a house and its yard."""
    west, south, east, north = bounds
    middle, cosine = (south + north) / 2, max(math.cos(math.radians((south + north) / 2)), 0.05)
    across = max((east - west) * cosine, _SMALLEST) * (1 + 2 * margin)
    down = max(north - south, _SMALLEST) * (1 + 2 * margin)
    height = round(width * min(max(down / across, _LOWEST), _HIGHEST))
    sy = min(width / across, height / down)
    sx = sy * cosine
    return Frame(width, height, (west + east) / 2 - width / 2 / sx, middle + height / 2 / sy, sx, sy)


def _geometries(call: Call, features: Sequence[Document]) -> NDArray[Any]:
    """Return the features' geometries in longitude, latitude, whatever `crs` the page was asked for in."""
    texts = [orjson.dumps(one["geometry"]).decode() if one.get("geometry") else None for one in features]
    geometries: NDArray[Any] = shapely.force_2d(
        shapely.from_geojson(np.array(texts, dtype=object), on_invalid="ignore")
    )
    asked = call.params.get("crs")
    crs = crs_code(asked) if asked else CRS84
    if crs == CRS84:
        return geometries
    if authority_axis_swapped(crs):
        geometries = shapely.transform(geometries, lambda xy: xy[:, ::-1])
    return placed_geometries(transform_geometries(geometries, crs, CRS84))


def _bounds(geometries: NDArray[Any]) -> Bounds | None:
    present = geometries[~(shapely.is_missing(geometries) | shapely.is_empty(geometries))]
    if not len(present):
        return None
    west, south, east, north = shapely.total_bounds(present).tolist()
    return west, south, east, north


def _shape_groups(call: Call, one: Drawn, geometries: NDArray[Any], frame: Frame) -> list[dict[str, Any]]:
    """Return the shapes of a layer, those of one colour together."""
    pixels = shapely.simplify(shapely.transform(geometries, frame.xy), 0.25)
    address, by, colors = address_of(call), one.layer.style.get("by"), one.layer.style.get("colors", {})
    groups: dict[str, dict[str, Any]] = {}
    for feature, shape, text in zip(
        one.document["features"], pixels, shapely.to_wkt(pixels, rounding_precision=1), strict=False
    ):
        if shape is None or shape.is_empty:
            continue
        key = _color_key((feature.get("properties") or {}).get(by) if by else None, colors)
        group = groups.setdefault(
            key or "",
            {
                "layer": one.layer,
                "key": key,
                "by": by,
                "muted": one.muted,
                "shapes": [],
                **_presentation(one.layer, colors.get(key) if key else None),
            },
        )
        name = feature.get("id")
        href = (
            address.page("collections", one.layer.id, "items", str(name))
            if one.linked and name is not None
            else None
        )
        group["shapes"].append({"d": _path(text), "title": _feature_title(feature), "id": name, "href": href})
    return list(groups.values())


def _color_key(value: object, colors: Mapping[str, str]) -> str | None:
    """Return the key of the colour table that fits a value: itself, else the longest beginning (R for R2)."""
    text = str(value)
    return (
        next((key for key in sorted(colors, key=len, reverse=True) if text.startswith(key)), None)
        if value not in (None, "")
        else None
    )


def _presentation(layer: Layer, color: str | None) -> dict[str, Any]:
    """Return the catalogue's style as SVG presentation attributes."""
    style = layer.style
    plain = (
        _checked_color(color)
        or _checked_color(style.get("color"))
        or _checked_color(style.get("line_color"))
        or "#5b6b73"
    )
    line = _checked_color(style.get("line_color")) or plain
    if layer.dimension == 2:
        return {
            "swatch": plain,
            "fill": plain,
            "opacity": float(style.get("opacity", 0.8)),
            "stroke": line,
            "width": float(style.get("line_width", 1)),
            "cap": "round",
        }
    width = 7.0 if layer.dimension == 0 else max(float(style.get("line_width", 1.5)), 1.2)
    return {
        "swatch": plain if layer.dimension == 0 or color else line,
        "fill": "none",
        "opacity": 1.0,
        "stroke": plain if layer.dimension == 0 or color else line,
        "width": width,
        "cap": "square" if style.get("symbol") == "square" else "round",
    }


def _checked_color(value: object) -> str | None:
    return value if isinstance(value, str) and _COLOR.fullmatch(value) else None


def _path(wkt: str) -> str:
    """Return the path of a geometry in pixels; a point is a line without length, a dot by its round cap."""
    kind = wkt.split("(", 1)[0]
    runs = re.findall(r"\(([^()]+)\)", wkt)
    close = "h0" if "POINT" in kind else "Z" if "POLYGON" in kind else ""
    return "".join("M" + run.replace(", ", "L") + close for run in runs)


def _legend(call: Call, groups: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return colour and meaning of each colour on the map, in the reader's language."""
    found: dict[tuple[str, str], None] = {}
    for group in groups:
        layer, key = group["layer"], group["key"]
        one = layer.field_of(group["by"]) if group["by"] else None
        title = (
            layer.title(call.lang)
            if key is None
            else one.codes[key](call.lang)
            if one and key in one.codes
            else key
        )
        if not group["muted"]:
            found[(group["swatch"], title)] = None
    return list(found)


def _nice(length: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not longer."""
    power = 10.0 ** math.floor(math.log10(length))
    return next(step * power for step in (5, 2, 1) if step * power <= length * (1 + 1e-9))


def _ticks(start: float, span: float, names: str) -> list[tuple[float, str]]:
    """Return position (in degrees) and label of each graticule line within a span."""
    step = _nice(span / 3)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    values = np.arange(math.ceil(start / step), math.floor((start + span) / step) + 1) * step
    return [(float(v), f"{abs(v):.{decimals}f}°{names[0] if v >= 0 else names[1]}") for v in values]


def _scale_bar(frame: Frame) -> tuple[float, str]:
    """Return the length in pixels and the words of a scale bar."""
    metres = _nice(frame.width * 0.2 / frame.sy * _METRES)
    return round(
        metres / _METRES * frame.sy, 1
    ), f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"


def _locator(town: Bounds, frame: Frame) -> dict[str, Any] | None:
    """Return the small map of the town with the box of this one; None where this one shows most of it."""
    cosine = frame.sx / frame.sy
    scale = min(104 / max((town[2] - town[0]) * cosine, 1e-9), 78 / max(town[3] - town[1], 1e-9))
    width, height = (town[2] - town[0]) * cosine * scale, (town[3] - town[1]) * scale
    view = [
        (frame.west - town[0]) * cosine * scale,
        (town[3] - frame.north) * scale,
        frame.width / frame.sx * cosine * scale,
        frame.height / frame.sy * scale,
    ]
    if view[2] * view[3] >= 0.5 * width * height:
        return None
    grow = [max(0.0, 5 - view[2]), max(0.0, 5 - view[3])]  # a view too small to see is shown as a dot
    box = [view[0] - grow[0] / 2, view[1] - grow[1] / 2, view[2] + grow[0], view[3] + grow[1]]
    return {"width": round(width, 1), "height": round(height, 1), "view": [round(v, 1) for v in box]}


def _center(call: Call, plan: Mapping[str, Any] | None) -> dict[str, float] | None:
    """Return the middle of a map in degrees and, as surveyors write it, X north, Y east in the town's CRS."""
    if plan is None:
        return None
    west, south, east, north = plan["bounds"]
    lon, lat = (west + east) / 2, (south + north) / 2
    x, y = transform_xy(np.array([lon]), np.array([lat]), CRS84, call.town.store.crs)
    return {"lon": lon, "lat": lat, "x_north": float(y[0]), "y_east": float(x[0])}
