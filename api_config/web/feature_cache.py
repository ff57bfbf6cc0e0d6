"""Features as GeoJSON bytes, remembered: a stored row never changes, so what it looks like in one CRS need be made once.

A row is named by layer, fid, version and the instant it begins. Planners look at the same streets again and again; a
page of remembered features reads no geometry. Two generations bound the memory: when the young one is full it becomes
the old one, and what is not asked for again is forgotten with it.

Whoever walks through new streets asks for what nobody remembers. So a page is asked for whole, in one statement, until
a page of the same shape (layer, CRS, fields) was remembered for the greater part; from then on the keys are asked
first. A wrong guess costs one more statement, or geometry that is read for nothing; never another answer. Where the
store must line up all it finds before it cuts the page off (an order, another time than now), keys always come first:
to line up whole rows of a large layer takes nearly twice as long.
"""

from typing import Any

import orjson

from api_config.web.properties import property_reader
from tiles.encodings.geojson import wkb_fragments
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.freshness import has_begun

__all__ = ["FeatureCache"]

_OVERHEAD = 250
"""Bytes a remembered feature costs beside its text: key, tuple, dict entry."""

PlainRow = tuple[Any, ...]
Key = tuple[int, int, str]
AnswerShape = tuple[Any, ...]
CachedTexts = dict[Key, bytes]
Page = tuple[tuple[str, ...], list[PlainRow], list[bytes]]


class FeatureCache:
    """Encodes rows of a store as GeoJSON features and remembers them, at most about `most_bytes` of them."""

    def __init__(self, most_bytes: int) -> None:
        self._most = max(most_bytes // 2, 1)
        self._recent: dict[AnswerShape, CachedTexts] = {}
        self._older: dict[AnswerShape, CachedTexts] = {}
        self._size = 0
        self._mostly_cached: set[AnswerShape] = set()

    def page(self, store: Store, layer: Layer, query: FeatureQuery, crs: str) -> Page:
        """Return columns and rows of what a query finds and the GeoJSON of each row, in order.

        The columns hold fid, id, validity and version; the properties and the geometry only where they had to be read.
        """
        hidden = tuple(sorted(query.view.policy.hidden.get(layer.id, ())))
        shape: AnswerShape = (layer.id, crs, query.fields, query.geometry, hidden)
        young, old = self._generations(shape)
        keys_first = shape in self._mostly_cached or _lined_up(store, layer, query)
        found = self._by_keys(store, layer, query, crs, young, old) if keys_first else None
        page, fresh = found or self._whole(store, layer, query, crs, young, old)
        if page[1]:
            (self._mostly_cached.discard if 2 * fresh > len(page[1]) else self._mostly_cached.add)(shape)
        return page

    def _generations(self, shape: AnswerShape) -> tuple[CachedTexts, CachedTexts]:
        if self._size > self._most:
            self._recent, self._older, self._size = {}, self._recent, 0
            self._mostly_cached = set()
        if shape not in self._recent:
            self._size += _OVERHEAD
        return self._recent.setdefault(shape, {}), self._older.get(shape, {})

    def _whole(
        self, store: Store, layer: Layer, query: FeatureQuery, crs: str, young: CachedTexts, old: CachedTexts
    ) -> tuple[Page, int]:
        """Return the page by one statement that reads everything, and how many of its features were encoded anew."""
        columns, rows = store.rows(query)
        keys = _keys(columns, rows)
        known = self._recalled(keys, young, old)
        fresh = [n for n, text in enumerate(known) if text is None]
        texts = _encoded(layer, query, columns, [rows[n] for n in fresh], store.crs, crs)
        for n, text in zip(fresh, texts, strict=True):
            known[n] = self._remember(keys[n], text, young)
        return (columns, rows, [text for text in known if text is not None]), len(fresh)

    def _by_keys(
        self, store: Store, layer: Layer, query: FeatureQuery, crs: str, young: CachedTexts, old: CachedTexts
    ) -> tuple[Page, int] | None:
        """Return the same by a statement for the keys and one for the rows nobody remembers.

        None where the second does not find the very rows that the first named: a commit came between the two, or
        an interval holds several states of a feature and the filter chose another.
        """
        columns, rows = store.rows(query.with_(fields=(), geometry=False))
        keys = _keys(columns, rows)
        known = self._recalled(keys, young, old)
        fresh = [n for n, text in enumerate(known) if text is None]
        if fresh:
            missing = FeatureQuery(
                layer.id,
                view=query.view,
                fids=tuple(keys[n][0] for n in fresh),
                fields=query.fields,
                geometry=query.geometry,
            )
            read = store.rows(missing)
            place = {key: n for n, key in enumerate(_keys(*read))}
            if any(keys[n] not in place for n in fresh):
                return None
            texts = _encoded(layer, query, *read, store.crs, crs)
            for n in fresh:
                known[n] = self._remember(keys[n], texts[place[keys[n]]], young)
        return (columns, rows, [text for text in known if text is not None]), len(fresh)

    def _recalled(self, keys: list[Key], young: CachedTexts, old: CachedTexts) -> list[bytes | None]:
        """Return what is remembered under each key; what was old is young again."""
        known: list[bytes | None] = [young.get(key) for key in keys]
        if old:
            for n, key in enumerate(keys):
                text = old.get(key) if known[n] is None else None
                if text is not None:
                    known[n] = self._remember(key, text, young)
        return known

    def _remember(self, key: Key, text: bytes, young: CachedTexts) -> bytes:
        young[key] = text
        self._size += len(text) + _OVERHEAD
        return text


def _lined_up(store: Store, layer: Layer, query: FeatureQuery) -> bool:
    return bool(query.sort) or not query.view.is_now or has_begun(store, layer)


def _keys(columns: tuple[str, ...], rows: list[PlainRow]) -> list[Key]:
    fid, version, begins = (columns.index(name) for name in ("fid", "version", "valid_from"))
    return [(row[fid], row[version], row[begins]) for row in rows]


def _encoded(
    layer: Layer, query: FeatureQuery, columns: tuple[str, ...], rows: list[PlainRow], source_crs: str, crs: str
) -> list[bytes]:
    """Return the GeoJSON of rows; what the store sends along and nobody asked for is no property."""
    shapes = [b"null"] * len(rows)
    if "geometry" in columns:
        position = columns.index("geometry")
        shapes = wkb_fragments([row[position] for row in rows], source_crs, crs)
    asked = query.fields
    named = columns if asked is None else tuple(name if name in asked else "" for name in columns)
    properties, dumps = property_reader(layer, named), orjson.dumps
    return [
        b'{"type":"Feature","id":%b,"geometry":%b,"properties":%b}' % (dumps(row[1]), shape, dumps(properties(row)))
        for row, shape in zip(rows, shapes, strict=True)
    ]
