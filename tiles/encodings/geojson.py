"""GeoJSON: rows -> bytes, for whole pages at once.

Coordinates are rounded to what the source can mean: 8 decimals of a degree (1 mm), 3 of a metre.

Most shapes of a town are one run of coordinates: a point, a line, an outline without holes. `wkb_fragments` reads
those straight from WKB, writes the numbers of the whole page as one text and cuts it; what is not one run, or not
finite, goes through shapely as everything does in `geometry_fragments`. Both give the same values.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from twin_model.crs import (
    authority_axis_swapped,
    is_projected,
    placed_geometries,
    transform_geometries,
    transform_xy,
)

__all__ = ["encode_feature", "encode_features", "geometry_fragments", "with_members", "wkb_fragments"]

DEGREE_DECIMALS, METRE_DECIMALS = 8, 3
AxisOrder = Literal["authority", "xy"]
_SINGLE, _MULTI = ("Point", "LineString", "Polygon"), ("MultiPoint", "MultiLineString", "MultiPolygon")
_Z_CODE = 1_000


def geometry_fragments(
    geometry: NDArray[Any],
    source_crs: str,
    target_crs: str,
    *,
    axis_order: AxisOrder = "authority",
    decimals: int | None = None,
) -> list[bytes]:
    """Return the GeoJSON of each geometry in another CRS; None gives `null`, and so does what is nowhere in it.

    The axes stand in the order of the CRS's authority, as OGC API wants it, or x, y as files of a GIS have them. `decimals` are
    those of x and y, without them millimetres.
    """
    moved = placed_geometries(transform_geometries(geometry, source_crs, target_crs))
    writing = _Writing.of(target_crs, axis_order)
    writing = writing if decimals is None else replace(writing, decimals=decimals)
    if shapely.has_z(moved).any():
        flat = ~shapely.has_z(moved)
        tidied = shapely.transform(moved, writing.tidy, include_z=True)
        tidied[flat] = shapely.force_2d(tidied[flat])
    else:
        tidied = shapely.transform(moved, writing.tidy)
    return [b"null" if text is None else text.encode() for text in shapely.to_geojson(tidied)]


def wkb_fragments(
    wkb: Sequence[bytes | None], source_crs: str, target_crs: str, *, axis_order: AxisOrder = "authority"
) -> list[bytes]:
    """Return what `geometry_fragments` does, of little-endian ISO WKB as a store keeps it; several times as fast."""
    fragments: list[bytes] = [b"null"] * len(wkb)
    rest: list[int] = []
    runs: dict[int, list[tuple[int, _Run, bytes]]] = {2: [], 3: []}
    for n, one in enumerate(wkb):
        if one is None:
            continue
        run = _RUNS.get(one[:5])
        if run is not None and one.startswith(run.head) and len(one) > run.skip:
            runs[run.axes].append((n, run, one[run.skip :]))
        else:
            rest.append(n)
    for axes, found in runs.items():
        xyz = np.frombuffer(b"".join(body for _, _, body in found), dtype="<f8").reshape(-1, axes)
        if not np.isfinite(xyz).all():
            rest += [n for n, _, _ in found]
        elif found:
            ends = np.cumsum([len(body) for _, _, body in found]) // (8 * axes)
            texts = _texts(xyz, ends, source_crs, target_crs, _Writing.of(target_crs, axis_order))
            for (n, run, _), text in zip(found, texts, strict=True):
                fragments[n] = run.opening + text + run.closing if text else b"null"
    if rest:
        shapes = shapely.from_wkb(np.array([wkb[n] for n in rest], dtype=object))
        general = geometry_fragments(shapes, source_crs, target_crs, axis_order=axis_order)
        for n, text in zip(rest, general, strict=True):
            fragments[n] = text
    return fragments


def _texts(
    xyz: NDArray[np.float64], ends: NDArray[Any], source_crs: str, target_crs: str, writing: "_Writing"
) -> list[bytes]:
    """Return the coordinates of each run, `[x,y],[x,y]`, nothing for one that has no place in the target CRS; `ends`
    count the coordinates up to where each run ends."""
    moved = np.column_stack((*transform_xy(xyz[:, 0], xyz[:, 1], source_crs, target_crs), xyz[:, 2:]))
    nowhere = ~np.isfinite(moved[:, :2]).all(axis=1)
    page = orjson.dumps(np.ascontiguousarray(writing.tidy(moved)), option=orjson.OPT_SERIALIZE_NUMPY)
    brackets = np.flatnonzero(np.frombuffer(page, dtype=np.uint8) == ord("["))
    # The first bracket opens the page, every other one a coordinate; a comma, or the page's last bracket, ends a run.
    cuts = [1, *(brackets[1:][ends[:-1]]).tolist(), len(page)]
    texts = [page[begin : end - 1] for begin, end in pairwise(cuts)]
    for run in np.unique(np.searchsorted(ends, np.flatnonzero(nowhere), side="right")).tolist():
        texts[run] = b""
    return texts


@dataclass(frozen=True)
class _Writing:
    """How coordinates stand in an answer: rounded to so many decimals, heights to the millimetre, axes swapped or not."""

    decimals: int
    swapped: bool

    @classmethod
    def of(cls, crs: str, axis_order: AxisOrder) -> "_Writing":
        decimals = METRE_DECIMALS if is_projected(crs) else DEGREE_DECIMALS
        return cls(decimals, axis_order == "authority" and authority_axis_swapped(crs))

    def tidy(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        rounded = np.round(xyz, self.decimals)
        rounded[:, 2:] = np.round(xyz[:, 2:], METRE_DECIMALS)
        rounded[:, 2:][np.isinf(rounded[:, 2:])] = np.nan  # a height without end is none
        return rounded[:, [1, 0, *range(2, rounded.shape[1])]] if self.swapped else rounded


@dataclass(frozen=True)
class _Run:
    """A kind of geometry that is one run of coordinates: how its WKB begins, and the GeoJSON around the run."""

    head: bytes
    skip: int
    axes: int
    opening: bytes
    closing: bytes


def _runs() -> dict[bytes, _Run]:
    """Return the runs by the first five bytes of their WKB: points, lines and outlines, alone or as the only part."""
    runs = {}
    for axes, z in ((2, 0), (3, _Z_CODE)):
        for depth, (single, multi) in enumerate(zip(_SINGLE, _MULTI, strict=True)):
            counted = 4 if depth else 0  # the number of coordinates; a point has one and does not say so
            rings = struct.pack("<I", 1) if single == "Polygon" else b""
            alone = struct.pack("<BI", 1, depth + 1 + z) + rings
            part = struct.pack("<BII", 1, depth + 4 + z, 1) + alone
            for name, head, nested in ((single, alone, depth), (multi, part, depth + 1)):
                opening = b'{"type":"%b","coordinates":' % name.encode() + b"[" * nested
                runs[head[:5]] = _Run(head, len(head) + counted, axes, opening, b"]" * nested + b"}")
    return runs


_RUNS = _runs()


def encode_features(ids: Sequence[str], properties: Iterable[Mapping[str, Any]], geometries: Sequence[bytes]) -> bytes:
    """Return the features as a JSON array; `geometries` are fragments of `geometry_fragments`."""
    parts = [
        b'{"type":"Feature","id":'
        + orjson.dumps(name)
        + b',"geometry":'
        + shape
        + b',"properties":'
        + orjson.dumps(values)
        + b"}"
        for name, shape, values in zip(ids, geometries, properties, strict=True)
    ]
    return b"[" + b",".join(parts) + b"]"


def encode_feature(name: str, properties: Mapping[str, Any], geometry: bytes, **members: Any) -> bytes:
    """Return one feature; `members` (links) stand beside its properties."""
    feature = b'{"type":"Feature","id":%b,"geometry":%b,"properties":%b}'
    return with_members(feature % (orjson.dumps(name), geometry, orjson.dumps(properties)), **members)


def with_members(feature: bytes, **members: Any) -> bytes:
    """Return an encoded feature with further members (links) behind its own."""
    return (
        feature[:-1]
        + b"".join(b',"%b":%b' % (key.encode(), orjson.dumps(value)) for key, value in members.items())
        + b"}"
    )
