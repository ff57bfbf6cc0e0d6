"""Whether what a store keeps beside the chain agrees with its rows: counters, extents, zooms, blobs, boxes of changes.

The rows of a layer are heard while the chain is proved (`twin_model/audit.py`), so that they are read once. What was
delivered is looked at in `delivered_scopes`, boxes of changes in `change_boxes`, tables and indexes by each store.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import shapely

from twin_model.changeset import Box
from twin_model.layer import SEARCH_KEY, Layer
from twin_model.rows.geometry import min_zoom
from twin_model.store.base import LayerCounters
from twin_model.store.change_boxes import ChangeBoxes
from twin_model.store.damage import Damage
from twin_model.temporal import Instant

__all__ = ["BLOB_FIELDS", "RowLook", "blob_damages", "counter_damages", "expected_counters"]

BLOB_FIELDS = ("mesh", "local_shapes")
"""The fields that name a blob by its digest."""


@dataclass
class RowLook:
    """What is noticed of a layer's rows when all are read; `stored` is what the store keeps of it in numbers."""

    layer: Layer
    crs: str
    recorded: Instant
    stored: LayerCounters
    features: int = 0
    last_fid: int = 0
    next_planned: Instant | None = None
    is_boundary: bool = False
    other_zooms: int = 0
    search_keys: int = 0
    blobs: set[str] = field(default_factory=set)
    boxes: ChangeBoxes = field(default_factory=ChangeBoxes)

    def __call__(self, kind: str, row: Mapping[str, Sequence[Any]]) -> None:
        """Hear a batch of rows of a logical table (`evidence.RowWatch`)."""
        self.features += len(row["fid"]) if kind == "now" else 0
        self.last_fid = max(self.last_fid, *row["fid"])
        self.search_keys += len(row["fid"]) - row[SEARCH_KEY].count(None)
        for name in BLOB_FIELDS:
            self.blobs.update(digest for digest in row.get(name, ()) if digest)
        closing = row.get("version_to", (None,) * len(row["fid"]))
        self._look_at_instants(row, closing)
        bounds = np.full((len(row["fid"]), 4), np.nan)
        if self.layer.has_geometry:
            bounds = shapely.bounds(shapely.from_wkb(np.array([*row["geom"], None], dtype=object)[:-1]))
            self.boxes.add(bounds, row["version_from"], closing)
        zooms = np.array([-1 if zoom is None else zoom for zoom in row["min_zoom"]], dtype=np.int64)
        self.other_zooms += int((zooms != min_zoom(self.layer, bounds, self.crs)).sum())

    def _look_at_instants(self, row: Mapping[str, Sequence[Any]], closing: Sequence[int | None]) -> None:
        spans = set(zip(row["valid_from"], row["valid_to"], closing, strict=True))
        ever = {instant for *span, _ in spans for instant in span}
        self.is_boundary = self.is_boundary or self.stored.next_planned in ever - {None}
        ahead = {instant for *span, closed in spans if closed is None for instant in span if instant is not None}
        planned = [*(instant for instant in ahead if instant > self.recorded), *filter(None, [self.next_planned])]
        self.next_planned = min(planned, default=None)


def expected_counters(look: RowLook, version: int, boxes: Iterable[Box], last_part: int) -> LayerCounters:
    """Return what the rows of a layer, the newest version that changed it and the boxes of its changes amount to.

    An instant that was planned and is planned no longer may stay as the next one until it has passed.
    """
    corners = np.array([*boxes]).reshape(-1, 4)
    low, high = (corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)) if len(corners) else ([None] * 2,) * 2
    extent = [None if value is None else float(value) for value in (*low, *high)]
    stored, planned = look.stored.next_planned, look.next_planned
    if stored is not None and look.is_boundary and (planned is None or stored < planned):
        planned = stored
    next_fid = max(look.last_fid, last_part) + 1
    return LayerCounters(look.layer.id, next_fid, look.features, version, planned, *extent)


def counter_damages(expected: LayerCounters, look: RowLook) -> list[Damage]:
    """Return which numbers of a layer are not what its rows amount to."""
    name = look.layer.id
    damages = [
        Damage("audit.counter", {"layer": name, "counter": counter, "stored": stored, "expected": value}, True)
        for counter, stored, value in zip(LayerCounters._fields, look.stored, expected, strict=True)
        if stored != value
    ]
    if look.other_zooms:
        damages.append(Damage("audit.zooms", {"layer": name, "count": look.other_zooms}, True))
    if look.search_keys:
        damages.append(Damage("audit.search_keys", {"layer": name, "count": look.search_keys}, True))
    return damages


def blob_damages(batches: Iterable[list[tuple[Any, ...]]], used: Mapping[str, set[str]]) -> list[Damage]:
    """Return which blobs are not what their digests say, and which are missing that rows name; `used` is by layer."""
    held: set[str] = set()
    damages = []
    for batch in batches:
        for digest, content in batch:
            held.add(digest)
            if sha256(content).hexdigest() != digest:
                damages.append(Damage("audit.blob_differs", {"digest": digest[:16]}))
    for layer, digests in used.items():
        missing = sorted(digests - held)
        if missing:
            values = {"layer": layer, "count": len(missing), "digest": missing[0][:16]}
            damages.append(Damage("audit.blob_missing", values))
    return damages
