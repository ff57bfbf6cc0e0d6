"""What a request for items asks: its parameters as a query of the store, in OGC API - Features' words (parts 1, 2 and 3)."""

from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b

from api_config.web.call import Call
from api_config.web.cursor import Cursor
from api_config.web.download import DOWNLOADS
from api_config.web.offered_crs import crs_of
from api_config.web.offset import offset_of, skipped
from api_config.web.properties import typed_value
from api_config.web.schema import sortables
from twin_model.changeset import Box
from twin_model.crs import reachable_extent
from twin_model.errors import QueryRefused
from twin_model.filter import Expression, parse_filter
from twin_model.filter.parsing import FilterLanguage
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.query_area import bbox_area, conjunction, filter_in_storage_crs, narrowed_to
from twin_model.store.base import FeatureQuery, SortKey
from twin_model.store.select import ensure_sorts, has_attributes, queryables
from twin_model.view import View

__all__ = [
    "FORMATS",
    "GEOJSON",
    "ITEMS_FORMATS",
    "ITEMS_PARAMETERS",
    "Asked",
    "as_of",
    "asked_of",
    "checksum_of",
    "words_of",
]

GEOJSON = "application/geo+json"
FORMATS = {"json": GEOJSON, "geojson": GEOJSON, "html": "text/html"}
ITEMS_FORMATS = FORMATS | DOWNLOADS
ITEMS_PARAMETERS = ("bbox", "bbox-crs", "crs", "datetime", "recorded", "filter", "filter-lang", "filter-crs", "q", "sortby", "properties",
                    "skipGeometry", "limit", "offset", "cursor", "f")  # fmt: skip
_LONGEST_WORDS = 200
_MOST_KEYS = 16


@dataclass(frozen=True)
class Asked:
    """What an items request asks: the query, the CRS of the answer and the format."""

    layer: Layer
    query: FeatureQuery
    crs: str
    format: str
    limit: int
    version: int


def asked_of(call: Call, layer: Layer) -> Asked:
    """Return what a call asks of a layer; a parameter that is none of ours, or a value that means nothing, is refused."""
    fields = set(queryables(layer)) - {"geometry", *ITEMS_PARAMETERS}
    call.allow(*ITEMS_PARAMETERS, *fields)
    limit = call.integer("limit", call.settings.page_limit, call.settings.page_most)
    crs = crs_of(call, layer, "crs")
    query = FeatureQuery(
        layer.id,
        view=call.view(),
        where=_where(call, layer, fields),
        where_crs=call.town.store.crs,
        text=words_of(call),
        sort=_sort(call, layer),
        fields=_fields(call, layer),
        geometry=not _flag(call, "skipGeometry"),
        limit=limit + 1,
    )
    query, version = _within(call, layer, query), call.town.store.version()
    cursor = call.params.get("cursor")
    if cursor is not None:
        mark = Cursor.read(cursor, checksum_of(call), keys=len(query.sort), newest=version)
        query = query.with_(after=mark.after)
        query = query if mark.version == version else as_of(query, mark.version)
        version = mark.version
    query = skipped(call.town.store, query, offset_of(call))
    return Asked(layer, query, crs, call.format(ITEMS_FORMATS, "json"), limit, version)


def as_of(query: FeatureQuery, version: int) -> FeatureQuery:
    """Return the query in the state of a version, unless it names a recorded state by itself."""
    view = query.view
    return query if view.recorded is not None else query.with_(view=View(view.datetime, version, view.policy))


def checksum_of(call: Call) -> bytes:
    """Return what ties a cursor to its query: every parameter but those of paging and form."""
    constraining = sorted(
        (name, value)
        for name, value in call.params.items()
        if name not in {"cursor", "offset", "limit", "f", "lang", "crs"}
    )
    return blake2b(repr((call.path["collection"], constraining)).encode(), digest_size=6).digest()


def _within(call: Call, layer: Layer, query: FeatureQuery) -> FeatureQuery:
    """Return the query narrowed to its `bbox`; `bbox-crs` is looked at also without one."""
    value, crs, store = call.params.get("bbox"), crs_of(call, layer, "bbox-crs"), call.town.store
    if value is None:
        return query
    area, heights = bbox_area(value, crs)
    # What has no geometry is in every box: OGC API - Features part 1, /req/core/fc-bbox-response, C.
    placed_or_not = query.with_(heights=heights, unplaced=True)
    return narrowed_to(placed_or_not, area, crs, store.crs, _extent(call, layer))


def words_of(call: Call) -> str | None:
    """Return the words looked for; nothing but spaces, or very many of them, is refused."""
    value = call.params.get("q")
    if value is not None and (not value.strip() or len(value) > _LONGEST_WORDS or len(value.split()) > _MOST_KEYS):
        raise QueryRefused(
            "query.refused",
            cause=f"q={value[:100]}",
            expected=f"1-{_MOST_KEYS} words, 1-{_LONGEST_WORDS} characters",
        )
    return value


def _where(call: Call, layer: Layer, fields: set[str]) -> Expression | None:
    source = call.params.get("filter")
    simple = [
        {"op": "=", "args": [{"property": name}, typed_value(layer, name, value)]}
        for name, value in call.params.items()
        if name in fields
    ]
    crs_of(call, layer, "filter-crs")
    lang = call.params.get("filter-lang", "cql2-text")
    if lang not in ("cql2-text", "cql2-json"):
        raise QueryRefused("query.filter_lang", value=lang)
    dialect: FilterLanguage = "cql2-json" if lang == "cql2-json" else "cql2-text"
    equal = (
        parse_filter({"op": "and", "args": simple} if len(simple) > 1 else simple[0], lang="cql2-json")
        if simple
        else None
    )
    if source is None:
        return equal
    # JSON is read some twenty times as fast as text: of it as much as a body may hold.
    longest = call.settings.search_kib * 1024 if dialect == "cql2-json" else call.settings.filter_length
    filtered = parse_filter(source, lang=dialect, max_length=longest)
    crs, extent = crs_of(call, layer, "filter-crs"), _extent(call, layer)
    return conjunction(filter_in_storage_crs(filtered, crs, call.town.store.crs, extent), equal)


def _extent(call: Call, layer: Layer) -> Box | None:
    store = call.town.store
    return reachable_extent(store.summary(layer.id).extent, store.crs)


def _sort(call: Call, layer: Layer) -> tuple[SortKey, ...]:
    value = call.params.get("sortby")
    if value is None:
        return ()
    keys = tuple(SortKey(part.strip().lstrip("+-"), not part.strip().startswith("-")) for part in value.split(","))
    for key in keys:
        ensure_sorts(layer, key.name)
        _ensure_property(layer, key.name, tuple(sortables(layer)))
    if len({key.name for key in keys}) < len(keys):
        raise QueryRefused("query.refused", cause=f"sortby={value[:100]}", expected="sortby=+a,-b")
    return keys


def _fields(call: Call, layer: Layer) -> tuple[str, ...] | None:
    value = call.params.get("properties")
    if value is None:
        return None
    names = tuple(part.strip() for part in value.split(","))
    for name in names:
        known = (*layer.field_names, "id", "valid_from", "valid_to", "version", "geometry")
        _ensure_property(layer, name, (*known, ATTRIBUTES) if has_attributes(layer) else known)
    return names


def _ensure_property(layer: Layer, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise QueryRefused(
            "query.unknown_property",
            layer=layer.id,
            name=name[:100],
            nearest=get_close_matches(name, names, 3, 0.4) or names[:5],
        )


def _flag(call: Call, name: str) -> bool:
    value = call.params.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise QueryRefused("query.refused", cause=f"{name}={value[:100]}", expected="true, false")
    return value == "true"
