"""Features as GeoJSON bytes, remembered: a stored row never changes, so what it looks like in one CRS need be made once.

A row is named by layer, fid, version and the instant it begins. Planners look at the same streets again and again; a
page of remembered features reads no geometry. Two generations bound the memory: when the young one is full it becomes
the old one, and what is not asked for again is forgotten with it.

Whoever walks through new streets asks for what nobody remembers. So a page is asked for whole, in one statement, until
a page of the same shape (layer, CRS, fields) was remembered for the greater part; from then on the keys are asked
first. A wrong guess costs one more statement, or geometry that is read for nothing; never another answer. Where the
store must line up all it finds before it cuts the page off (an order, another time than now), keys always come first:
to line up whole rows of a large layer takes nearly twice as long.

A page has a limit of bytes too. Rows are read and encoded a few at first and then as many as fit, so that a page of ten
thousand features of ten megabytes ends early; the link to the next page goes on behind it.
"""

from typing import Any, NamedTuple

import orjson

from api_config.web.properties import property_reader
from tiles.encodings.geojson import wkb_fragments
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.freshness import has_begun

__all__ = ["FeatureCache", "Page"]

_OVERHEAD = 250
"""Bytes a remembered feature costs beside its text: key, tuple, dict entry."""

PlainRow = tuple[Any, ...]
Key = tuple[int, int, str]
AnswerShape = tuple[Any, ...]
CachedTexts = dict[Key, bytes]
_MOST_ROWS_AT_ONCE = 2_000
"""Of small rows so many are read and encoded in one go."""


class Page(NamedTuple):
    """Columns and rows of what a query finds and the GeoJSON of each row, in order; `is_cut` where there are more rows than had room."""

    columns: tuple[str, ...]
    rows: list[PlainRow]
    texts: list[bytes]
    is_cut: bool = False


class _Room:
    """How many bytes of a page are left, and how many rows may fit into them."""

    def __init__(self, most_bytes: int) -> None:
        self.left, self._largest = most_bytes, 1

    @property
    def is_full(self) -> bool:
        return self.left <= 0

    def rows_after(self, texts: list[bytes]) -> int:
        """Return how many rows may follow some that became these texts, as if all were like the largest; 0 where none has room."""
        self._largest = max(self._largest, *map(len, texts))
        self.left -= sum(map(len, texts))
        return min(max(self.left // self._largest, 1), _MOST_ROWS_AT_ONCE) * (not self.is_full)


class FeatureCache:
    """Encodes rows of a store as GeoJSON features and remembers them, at most about `most_bytes` of them.

    A page ends with the feature that makes it larger than `page_bytes`.
    """

    def __init__(self, most_bytes: int, *, page_bytes: int = 64 * 2**20) -> None:
        self._most = max(most_bytes // 2, 1)
        self._page_bytes = page_bytes
        self._recent: dict[AnswerShape, CachedTexts] = {}
        self._older: dict[AnswerShape, CachedTexts] = {}
        self._size = 0
        self._mostly_cached: set[AnswerShape] = set()

    def page(self, store: Store, layer: Layer, query: FeatureQuery, crs: str) -> Page:
        """Return what a query finds. The columns hold fid, id, validity and version; the properties and the geometry only
        where they had to be read."""
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
        columns: tuple[str, ...] = ()
        rows: list[PlainRow] = []
        texts: list[bytes] = []
        fresh, wanted, room = 0, 1, _Room(self._page_bytes)

        def take(named: tuple[str, ...], chunk: list[PlainRow]) -> int:
            nonlocal columns, fresh, wanted
            columns = named
            keys = _keys(named, chunk)
            known = self._recalled(keys, young, old)
            unknown = [n for n, text in enumerate(known) if text is None]
            encoded = _encoded(layer, query, named, [chunk[n] for n in unknown], store.crs, crs)
            for n, text in zip(unknown, encoded, strict=True):
                known[n] = self._remember(keys[n], text, young)
            made = _beginning(known, room.left)
            rows.extend(chunk[: len(made)])
            texts.extend(made)
            fresh += len(unknown)
            wanted = room.rows_after(made)
            return wanted

        store.read_rows(query, take)
        return Page(columns, rows, texts, is_cut=wanted == 0), fresh

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
        missing = FeatureQuery(layer.id, view=query.view, fields=query.fields, geometry=query.geometry)
        is_full, room = False, _Room(self._page_bytes)
        for start in range(0, len(fresh), _MOST_ROWS_AT_ONCE):
            places = {keys[n]: n for n in fresh[start : start + _MOST_ROWS_AT_ONCE]}

            def take(named: tuple[str, ...], chunk: list[PlainRow], places: dict[Key, int] = places) -> int:
                made = _encoded(layer, query, named, chunk, store.crs, crs)
                for key, text in zip(_keys(named, chunk), made, strict=True):
                    if key in places:
                        known[places[key]] = self._remember(key, text, young)
                return room.rows_after(made)

            store.read_rows(missing.with_(fids=tuple(fid for fid, _, _ in places)), take)
            is_full = room.is_full
            if is_full and known[0] is None:  # rows come by fid: none of those read may be the page's first
                store.read_rows(missing.with_(fids=(keys[0][0],)), take)
            if is_full:
                break
            if any(known[n] is None for n in places.values()):
                return None
        texts = _beginning(known, self._page_bytes)
        if rows and not texts:
            return None
        return Page(columns, rows[: len(texts)], texts, is_cut=len(texts) < len(rows)), len(fresh)

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


def _beginning(texts: list[bytes | None], most_bytes: int) -> list[bytes]:
    """Return texts up to the first that is missing, or with the one that makes them larger than so many bytes."""
    beginning: list[bytes] = []
    left = most_bytes
    for text in texts:
        if text is None or left <= 0:
            break
        beginning.append(text)
        left -= len(text)
    return beginning


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
