"""Features as GeoJSON bytes, remembered: a stored row never changes, so what it looks like in one CRS need be made once.

A row is named by layer, fid, version and the instant it begins. Planners look at the same streets again and again; a
page of remembered features reads no geometry. Two generations bound the memory: when the young one is full it becomes
the old one, and what is not asked for again is forgotten with it.
"""

from typing import Any

import orjson

from api_config.items import properties_of
from tiles.encodings.geojson import geometry_fragments
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.gpkg_binary import from_blobs

__all__ = ["EncodedFeatures"]

_OVERHEAD = 250
"""Bytes a remembered feature costs beside its text: key, tuple, dict entry."""

Row = tuple[Any, ...]
Shape = tuple[Any, ...]
Texts = dict[tuple[int, int, str], bytes]


class EncodedFeatures:
    """Encodes rows of a store as GeoJSON features and remembers them, at most about `most_bytes` of them."""

    def __init__(self, most_bytes: int) -> None:
        self._most = max(most_bytes // 2, 1)
        self._young: dict[Shape, Texts] = {}
        self._old: dict[Shape, Texts] = {}
        self._size = 0

    def page(
        self, store: Store, layer: Layer, query: FeatureQuery, crs: str
    ) -> tuple[tuple[str, ...], list[Row], list[bytes]]:
        """Return columns and rows of what a query finds (fid, id, validity, version), and the GeoJSON of each, in order."""
        columns, rows = store.rows(query.with_(fields=(), geometry=False))
        place = [columns.index(name) for name in ("fid", "version", "valid_from")]
        keys = [(row[place[0]], row[place[1]], row[place[2]]) for row in rows]
        hidden = tuple(sorted(query.view.policy.hidden.get(layer.id, ())))
        shape: Shape = (layer.id, crs, query.fields, query.geometry, hidden)
        young, old = self._generations(shape)
        known = [young.get(key) for key in keys]
        if None in known:
            self._fill(store, layer, query, crs, keys, known, old, young)
        return columns, rows, [text for text in known if text is not None]

    def _generations(self, shape: Shape) -> tuple[Texts, Texts]:
        if self._size > self._most:
            self._young, self._old, self._size = {}, self._young, 0
        return self._young.setdefault(shape, {}), self._old.get(shape, {})

    def _fill(self, store: Store, layer: Layer, query: FeatureQuery, crs: str, keys: list[tuple[int, int, str]], known: list[bytes | None],
              old: Texts, young: Texts) -> None:  # fmt: skip
        """Put in what is missing: from the old generation, else encoded anew; all of it is young afterwards."""
        missing = [n for n, text in enumerate(known) if text is None]
        fids = tuple(keys[n][0] for n in missing if keys[n] not in old)
        fresh = self._encode(store, layer, query, fids, crs) if fids else {}
        for n in missing:
            text = old.get(keys[n]) or fresh[keys[n][0]]
            known[n] = young[keys[n]] = text
            self._size += len(text) + _OVERHEAD

    def _encode(
        self, store: Store, layer: Layer, query: FeatureQuery, fids: tuple[int, ...], crs: str
    ) -> dict[int, bytes]:
        plain = FeatureQuery(
            layer.id, view=query.view, fids=fids, fields=query.fields, geometry=query.geometry
        )
        columns, rows = store.rows(plain)
        shapes = [b"null"] * len(rows)
        if "geometry" in columns and rows:
            position = columns.index("geometry")
            shapes = geometry_fragments(from_blobs([row[position] for row in rows]), store.crs, crs)
        named = (
            columns
            if query.fields is None
            else tuple(name if name in query.fields else "" for name in columns)
        )
        dumps = orjson.dumps
        return {
            row[0]: b'{"type":"Feature","id":%b,"geometry":%b,"properties":%b}'
            % (dumps(row[1]), shape, dumps(properties_of(layer, named, row)))
            for row, shape in zip(rows, shapes, strict=True)
        }
