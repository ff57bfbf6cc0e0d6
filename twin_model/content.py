"""What a feature says, as 16 bytes: equal for the same content however it was written, for comparing deliveries.

Ring start, direction of rings, order of parts, order of fields and digits below the layer's tolerance do not count.
Everything runs on whole columns: an area is the sum of its edges' hashes, a line that of its directed edges. The
hash guards against accidents, not against an adversary: the source's SHA-256 does that.
"""

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from twin_model.layer import Layer

__all__ = ["content_hashes", "frame_contents"]

Words = NDArray[np.uint64]
_SEEDS = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)
_UNKNOWN = np.int64(-(2**62))
_NUMBER_DECIMALS = 6
_NUMBERS = (int, float, np.number, np.bool_)


def content_hashes(layer: Layer, geometry: NDArray[Any], columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return a 16-byte hash per feature of its geometry and of its fields in the catalogue's order."""
    lanes = _geometries(layer, geometry)
    for column in columns:
        values = _values(column)
        lanes = [
            _mixed(lane * np.uint64(seed | 1) + values) for lane, seed in zip(lanes, _SEEDS, strict=True)
        ]
    packed = np.column_stack(lanes).astype("<u8").tobytes()
    hashes = np.empty(len(geometry), dtype=object)
    hashes[:] = [packed[start : start + 16] for start in range(0, len(packed), 16)]
    return hashes


def frame_contents(layer: Layer, frame: gpd.GeoDataFrame) -> NDArray[Any]:
    """Return the same hashes for features that a store answered: what was stored hashes as it did when it came."""
    columns = [np.array([None if value is pd.NA else value for value in frame[name].tolist()] + [None], dtype=object)[:-1]
               for name in layer.field_names]  # fmt: skip
    return content_hashes(layer, frame.geometry.to_numpy(), columns)


def _mixed(words: Words) -> Words:
    """Return splitmix64's finaliser of each word (Steele, Lea, Flood 2014); sums wrap on purpose."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _values(column: NDArray[Any]) -> Words:
    """Return a word per value, whatever its neighbours are: NULL has one of its own, numbers count to six decimals."""
    if column.dtype.kind in "fiub":
        numbers = np.round(column.astype(np.float64), _NUMBER_DECIMALS) + 0.0
        numbers[np.isnan(numbers)] = np.nan
        return _mixed(numbers.view(np.uint64))
    codes, distinct = pd.factorize(column)
    return np.append(_distinct(np.asarray(distinct, dtype=object)), _values(np.array([np.nan])))[codes]


def _distinct(values: NDArray[Any]) -> Words:
    """Return a word per value that is there: a number's, else that of its text."""
    words = np.empty(len(values), dtype=np.uint64)
    number = np.array(
        [not isinstance(value, str) and isinstance(value, _NUMBERS) for value in values], dtype=bool
    )
    if number.any():
        words[number] = _values(values[number].astype(np.float64))
    texts = [value if isinstance(value, str) else repr(value) for value in values[~number]]
    words[~number] = pd.util.hash_array(np.array([*texts, ""], dtype=object)[:-1], categorize=False)
    return words


def _geometries(layer: Layer, geometry: NDArray[Any]) -> list[Words]:
    """Return a word per geometry for each seed, 0 where there is none."""
    there = (
        np.flatnonzero(~shapely.is_missing(geometry)) if layer.has_geometry else np.empty(0, dtype=np.intp)
    )
    lanes = [np.zeros(len(geometry), dtype=np.uint64) for _ in _SEEDS]
    if len(there):
        _, coordinates, offsets = shapely.to_ragged_array(geometry[there], include_z=layer.has_z)
        for lane, seed in zip(lanes, _SEEDS, strict=True):
            lane[there] = _shapes(layer, _vertices(coordinates / layer.tolerance, seed), offsets)
    return lanes


def _shapes(layer: Layer, vertices: Words, offsets: tuple[NDArray[Any], ...]) -> Words:
    """Return a word per geometry from a word per vertex; `offsets` are those of shapely's ragged arrays."""
    if layer.dimension == 0:
        return vertices
    following = np.append(vertices[1:], np.uint64(0))
    edges = (
        _mixed(vertices + following) if layer.dimension == 2 else _mixed(vertices + np.uint64(3) * following)
    )
    edges[np.asarray(offsets[0][1:], dtype=np.intp) - 1] = np.uint64(0)
    bounds = np.asarray(offsets[-1], dtype=np.intp)
    for level in reversed(offsets[:-1]):
        bounds = np.asarray(level, dtype=np.intp)[bounds]
    sums = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(edges, dtype=np.uint64)))
    return np.asarray(sums[bounds[1:]] - sums[bounds[:-1]])


def _vertices(steps: NDArray[np.float64], seed: int) -> Words:
    rounded = np.clip(np.round(steps), -(2.0**61), 2.0**61)
    numbers = np.where(np.isnan(rounded), _UNKNOWN, np.nan_to_num(rounded).astype(np.int64))
    words = np.full(len(numbers), seed, dtype=np.uint64)
    for axis in range(numbers.shape[1]):
        words = _mixed(words + numbers[:, axis].astype(np.uint64))
    return words
