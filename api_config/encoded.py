"""Features as GeoJSON bytes, remembered: a stored row never changes, so what it looks like in one CRS need be made once.

A row is named by layer, fid, version and the instant it begins. Planners look at the same streets again and again; a
page of remembered features reads no geometry. Two generations bound the memory: when the young one is full it becomes
the old one, and what is not asked for again is forgotten with it.
"""

from typing import Any

from api_config.items import properties_of
from tiles.encodings.geojson import encode_feature, geometry_fragments
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.gpkg_binary import from_blobs

__all__ = ["EncodedFeatures"]

_OVERHEAD = 200
"""Bytes a remembered feature costs beside its text: key, tuple, dict entry."""

Key = tuple[Any, ...]


class EncodedFeatures:
    """Encodes rows of a store as GeoJSON features and remembers them, at most about `most_bytes` of them."""

    def __init__(self, most_bytes: int) -> None:
        self._most = max(most_bytes // 2, 1)
        self._young: dict[Key, bytes] = {}
        self._old: dict[Key, bytes] = {}
        self._size = 0

    def page(self, store: Store, layer: Layer, query: FeatureQuery, crs: str) -> tuple[list[dict[str, Any]], list[bytes]]:
        """Return fid, id, validity and version of each row a query finds, in order, and its GeoJSON."""
        columns, rows = store.rows(query.with_(fields=(), geometry=False))
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        hidden = tuple(sorted(query.view.policy.hidden.get(layer.id, ())))
        shape = (layer.id, crs, query.fields, query.geometry, hidden)
        keys: list[Key] = [(*shape, row["fid"], row["version"], row["valid_from"]) for row in found]
        known = [self._recall(key) for key in keys]
        missing = [n for n, text in enumerate(known) if text is None]
        if missing:
            fids = tuple(found[n]["fid"] for n in missing)
            fresh = self._encode(store, layer, query, fids, crs)
            for n in missing:
                known[n] = fresh[found[n]["fid"]]
                self._remember(keys[n], fresh[found[n]["fid"]])
        return found, [text for text in known if text is not None]

    def _encode(self, store: Store, layer: Layer, query: FeatureQuery, fids: tuple[int, ...], crs: str) -> dict[int, bytes]:
        plain = FeatureQuery(layer.id, view=query.view, fids=fids, fields=query.fields, geometry=query.geometry)
        columns, rows = store.rows(plain)
        shapes = [b"null"] * len(rows)
        if "geometry" in columns and rows:
            shapes = geometry_fragments(from_blobs([row[columns.index("geometry")] for row in rows]), store.crs, crs)
        return {row[0]: encode_feature(row[1], properties_of(layer, columns, row), shape) for row, shape in zip(rows, shapes, strict=True)}

    def _recall(self, key: Key) -> bytes | None:
        text = self._young.get(key)
        if text is None:
            text = self._old.get(key)
            if text is not None:
                self._remember(key, text)
        return text

    def _remember(self, key: Key, text: bytes) -> None:
        if self._size > self._most:
            self._young, self._old, self._size = {}, self._young, 0
        self._young[key] = text
        self._size += len(text) + _OVERHEAD
