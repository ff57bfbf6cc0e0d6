"""GeoPackage geometry blobs: a header before WKB, written and stripped for whole arrays at once.

GeoPackage 1.3, 2.1.3: "GP", version 0, flags, srs_id, envelope. Points carry no envelope (8 bytes of header), all
other geometries one of minx, maxx, miny, maxy (40 bytes), so the WKB of a layer begins at one known byte.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from twin_model.layer import Layer

__all__ = ["bounds_of", "from_blobs", "header_bytes", "to_blobs"]

_LITTLE_ENDIAN, _ENVELOPE_XY = 0x01, 0x02


def header_bytes(layer: Layer) -> int:
    """Return the length of the header before the WKB, the same for every blob of a layer."""
    return 8 if layer.dimension == 0 else 40


def to_blobs(layer: Layer, wkb: NDArray[Any], bounds: NDArray[np.float64], srs_id: int) -> list[bytes | None]:
    """Return the blobs of ISO WKB (little endian) with bounds minx, miny, maxx, maxy (n, 4); None stays None."""
    if layer.dimension == 0:
        head = b"GP\x00" + bytes([_LITTLE_ENDIAN]) + struct.pack("<i", srs_id)
        return [None if one is None else head + one for one in wkb]
    head = b"GP\x00" + bytes([_LITTLE_ENDIAN | _ENVELOPE_XY]) + struct.pack("<i", srs_id)
    envelopes = np.ascontiguousarray(bounds[:, [0, 2, 1, 3]], dtype="<f8").tobytes()
    return [
        None if one is None else head + envelopes[32 * n : 32 * n + 32] + one for n, one in enumerate(wkb)
    ]


def from_blobs(wkb: Sequence[bytes | None] | NDArray[Any]) -> NDArray[Any]:
    """Return shapely geometries of WKB whose header SQL has cut off already (`substr(geom, header_bytes + 1)`)."""
    return np.asarray(shapely.from_wkb(np.array(wkb, dtype=object)), dtype=object)


def bounds_of(layer: Layer, blobs: Sequence[bytes]) -> NDArray[np.float64]:
    """Return minx, miny, maxx, maxy (n, 4) of whole blobs: points from their WKB, all others from their envelopes."""
    if layer.dimension == 0:
        points = np.array([np.frombuffer(one, "<f8", 2, 13) for one in blobs]).reshape(-1, 2)
        return np.hstack((points, points))
    envelopes = np.frombuffer(b"".join(one[8:40] for one in blobs), "<f8").reshape(-1, 4)
    return envelopes[:, [0, 2, 1, 3]]
