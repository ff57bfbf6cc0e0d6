"""GeoPackage geometry blobs: a header before WKB, written for whole arrays at once; SQL strips it.

GeoPackage 1.3, 2.1.3: "GP", version 0, flags, srs_id, envelope. Points carry no envelope (8 bytes of header), all
other geometries one of minx, maxx, miny, maxy (40 bytes), so the WKB of a layer begins at one known byte.
"""

import operator
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin_model.layer import Layer

__all__ = ["bounds_of", "header_bytes", "to_blobs"]

_LITTLE_ENDIAN, _ENVELOPE_XY = 0x01, 0x02


def header_bytes(layer: Layer) -> int:
    """Return the length of the header before the WKB, the same for every blob of a layer."""
    return 8 if layer.dimension == 0 else 40


def to_blobs(layer: Layer, wkb: NDArray[Any], bounds: NDArray[np.float64], srs_id: int) -> list[bytes | None]:
    """Return the blobs of ISO WKB (little endian) with bounds minx, miny, maxx, maxy (n, 4); None stays None."""
    if layer.dimension == 0:
        head = b"GP\x00" + bytes([_LITTLE_ENDIAN]) + struct.pack("<i", srs_id)
        return [None if shape is None else head + shape for shape in wkb]
    head = b"GP\x00" + bytes([_LITTLE_ENDIAN | _ENVELOPE_XY]) + struct.pack("<i", srs_id)
    heads = np.empty(len(wkb), dtype=[("head", "S8"), ("envelope", "<f8", 4)])
    heads["head"], heads["envelope"] = head, bounds[:, [0, 2, 1, 3]]
    before, bodies = heads.view("V40").tolist(), wkb.tolist()
    if None not in bodies:
        return list(map(operator.add, before, bodies))
    return [None if body is None else first + body for first, body in zip(before, bodies, strict=True)]


def bounds_of(layer: Layer, blobs: Sequence[bytes]) -> NDArray[np.float64]:
    """Return minx, miny, maxx, maxy (n, 4) of whole blobs: points from their WKB, all others from their envelopes."""
    if layer.dimension == 0:
        points = np.array([np.frombuffer(blob, "<f8", 2, 13) for blob in blobs]).reshape(-1, 2)
        return np.hstack((points, points))
    envelopes = np.frombuffer(b"".join(blob[8:40] for blob in blobs), "<f8").reshape(-1, 4)
    return envelopes[:, [0, 2, 1, 3]]
