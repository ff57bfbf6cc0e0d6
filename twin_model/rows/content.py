"""What a feature says, as 16 bytes: equal for the same content however it was written, for comparing deliveries.

Ring start, direction of rings, order of parts, order of fields, fields without a value and digits below the layer's tolerance do not count.
Everything runs on whole columns: an area is the sum of its edges' hashes, a line that of its directed edges. The
hash guards against accidents, not against an adversary: the source's SHA-256 does that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from twin_model.layer import ATTRIBUTES, Layer
from twin_model.rows.columns import coded, is_one
from twin_model.rows.coordinate_runs import CoordinateRuns, no_runs, read_runs
from twin_model.rows.packed_wkb import PackedWkb

__all__ = [
    "content_hashes",
    "contents_from",
    "first_content_hashes",
    "key_hashes",
    "row_contents",
    "text_words",
    "words_of",
]

Words = NDArray[np.uint64]
Axes = tuple[NDArray[np.float64], ...]
_SEEDS = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)
_UNKNOWN = np.int64(-(2**62))
_NUMBER_DECIMALS = 6
_MOST_EXACT = 2**53
"""Up to here a float holds every whole number."""
_LONG = (np.int64, np.uint64)
_NUMBERS = (int, float, np.number, np.bool_)


def content_hashes(
    layer: Layer,
    geometry: NDArray[Any],
    columns: Mapping[str, NDArray[Any]],
    runs: CoordinateRuns | None = None,
) -> NDArray[Any]:
    """Return a 16-byte hash per feature of its geometry and of its fields, given by name.

    A field that is NULL adds nothing, so a layer may gain, lose or reorder fields and its features still hash as before.
    Geometries that are runs may be given as such, and be None in `geometry`.
    """
    lanes = _with_runs(layer, geometry, runs)
    for name, column in columns.items():
        words = _values(column)
        unknown = words == _NULL
        for lane, seed in zip(lanes, _field_seeds(name), strict=True):
            lane += np.where(unknown, np.uint64(0), _mixed(words ^ seed))
    return _packed([_mixed(lane + np.uint64(seed)) for lane, seed in zip(lanes, _SEEDS, strict=True)])


def first_content_hashes(
    layer: Layer, geometry: NDArray[Any], columns: Sequence[NDArray[Any]], runs: CoordinateRuns | None = None
) -> NDArray[Any]:
    """Return the hashes of stores before format 3: fields count by their place in the catalogue, NULL has a word."""
    lanes = _with_runs(layer, geometry, runs)
    for column in columns:
        words = _values(column)
        lanes = [_mixed(lane * np.uint64(seed | 1) + words) for lane, seed in zip(lanes, _SEEDS, strict=True)]
    return _packed(lanes)


def row_contents(
    layer: Layer, columns: Mapping[str, Sequence[Any]], names: Sequence[str] | None = None, *, first_rule: bool = False
) -> NDArray[Any]:
    """Return the hashes of a store's plain rows (`Store.rows`), given by column: what was stored hashes as it did when it came.

    `names` are the fields that count, else those of the layer and `attributes`. `first_rule` hashes as `first_content_hashes` does.
    """
    named = layer.field_names if names is None else names
    if names is None and ATTRIBUTES in columns and not first_rule:
        named = (*named, ATTRIBUTES)
    fields = {name: np.array([*columns[name], None], dtype=object)[:-1] for name in named}
    geometry = np.full(len(columns["fid"]), None, dtype=object)
    runs = None
    if layer.has_geometry:
        wkb, dimension = PackedWkb.of(columns["geometry"]), layer.dimension
        runs = no_runs(dimension) if layer.has_z else read_runs(wkb, dimension, multi=layer.is_multi)
        others = np.ones(len(wkb), dtype=bool)
        others[runs.rows] = False
        geometry[others] = shapely.from_wkb(wkb.objects(np.flatnonzero(others)))
    if first_rule:
        return first_content_hashes(layer, geometry, list(fields.values()), runs)
    return content_hashes(layer, geometry, fields, runs)


def key_hashes(keys: Iterable[str]) -> NDArray[Any]:
    """Return a 16-byte hash of each key: what a finding says is its key alone."""
    return np.array([*(blake2b(key.encode(), digest_size=16).digest() for key in keys), None], dtype=object)[:-1]


def _with_runs(layer: Layer, geometry: NDArray[Any], runs: CoordinateRuns | None) -> list[Words]:
    """Return a word per geometry for each seed, of geometries and of runs."""
    lanes = _geometries(layer, geometry)
    if runs is not None:
        levels = ((), (runs.offsets,), (runs.offsets, np.arange(len(runs) + 1)))[runs.dimension]
        for lane, shapes in zip(lanes, _shapes(layer, (runs.x, runs.y), levels), strict=True):
            lane[runs.rows] = shapes
    return lanes


def _packed(lanes: list[Words]) -> NDArray[Any]:
    packed = np.column_stack(lanes).astype("<u8").view("V16")
    return np.array([*packed.ravel().tolist(), None], dtype=object)[:-1]


@lru_cache(maxsize=4096)
def _field_seeds(name: str) -> tuple[np.uint64, np.uint64]:
    """Return the two words of a field's name."""
    digest = blake2b(name.encode(), digest_size=16).digest()
    first, second = np.frombuffer(digest, "<u8")
    return np.uint64(first), np.uint64(second)


def _mixed(words: Words) -> Words:
    """Return splitmix64's finaliser of each word (Steele, Lea, Flood 2014); sums wrap on purpose."""
    mixed = words >> np.uint64(30)
    mixed ^= words
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _values(column: NDArray[Any]) -> Words:
    """Return a word per value, whatever its neighbours are, or one for all: NULL has one of its own, numbers count to six
    decimals."""
    if len(column) > 1 and is_one(column):
        return _values(column[:1])
    if column.dtype.kind in "fiub":
        numbers = np.round(column.astype(np.float64), _NUMBER_DECIMALS) + 0.0
        numbers[np.isnan(numbers)] = np.nan
        words = _mixed(numbers.view(np.uint64))
        return _with_every_digit(column, words) if column.dtype in _LONG else words
    codes, distinct = coded(column)
    return np.append(_distinct(np.asarray(distinct, dtype=object)), _NULL)[codes]


def _with_every_digit(column: NDArray[Any], words: Words) -> Words:
    """Return words of whole numbers in which those that no float holds have the word of their digits."""
    for row in np.flatnonzero((column > _MOST_EXACT) | (column < -_MOST_EXACT)).tolist():
        if _beyond_floats(int(column[row])):
            words[row] = _texts(np.array([str(column[row])], dtype=object))[0]
    return words


def _beyond_floats(value: Any) -> bool:
    return (
        isinstance(value, int) and abs(value) > _MOST_EXACT and (value.bit_length() > 64 or int(float(value)) != value)
    )


_NULL = _values(np.array([np.nan]))[0]
"""The word of a value that is not there."""


def _distinct(values: NDArray[Any]) -> Words:
    """Return a word per value that is there: a number's, else that of its text."""
    if set(map(type, values)) <= {str}:
        return _texts(values)
    words = np.empty(len(values), dtype=np.uint64)
    number = np.array([not isinstance(value, str) and isinstance(value, _NUMBERS) for value in values], dtype=bool)
    number &= ~np.array([_beyond_floats(value) for value in values], dtype=bool)
    if number.any():
        words[number] = _values(values[number].astype(np.float64))
    texts = [value if isinstance(value, str) else repr(value) for value in values[~number]]
    words[~number] = _texts(np.array([*texts, ""], dtype=object)[:-1])
    return words


def _texts(texts: NDArray[Any]) -> Words:
    return np.asarray(pd.util.hash_array(texts, categorize=False))


def _geometries(layer: Layer, geometry: NDArray[Any]) -> list[Words]:
    """Return a word per geometry for each seed, 0 where there is none."""
    present = np.flatnonzero(~shapely.is_missing(geometry)) if layer.has_geometry else np.empty(0, dtype=np.intp)
    lanes = [np.zeros(len(geometry), dtype=np.uint64) for _ in _SEEDS]
    if len(present):
        _, coordinates, offsets = shapely.to_ragged_array(geometry[present], include_z=layer.has_z)
        for lane, shapes in zip(lanes, _shapes(layer, tuple(coordinates.T), offsets), strict=True):
            lane[present] = shapes
    return lanes


def _shapes(layer: Layer, axes: Axes, offsets: tuple[NDArray[Any], ...]) -> Iterator[Words]:
    """Yield for each seed a word per geometry of coordinates; `offsets` are those of shapely's ragged arrays."""
    steps = [_steps(axis, layer.tolerance) for axis in axes]
    for seed in _SEEDS:
        yield _sums(layer, _vertices(steps, seed), offsets)


def _sums(layer: Layer, vertices: Words, offsets: tuple[NDArray[Any], ...]) -> Words:
    """Return a word per geometry from a word per vertex."""
    if layer.dimension == 0:
        return vertices
    following = np.append(vertices[1:], np.uint64(0))
    edges = _mixed(vertices + following) if layer.dimension == 2 else _mixed(vertices + np.uint64(3) * following)
    edges[np.asarray(offsets[0][1:], dtype=np.intp) - 1] = np.uint64(0)
    bounds = np.asarray(offsets[-1], dtype=np.intp)
    for level in reversed(offsets[:-1]):
        bounds = np.asarray(level, dtype=np.intp)[bounds]
    sums = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(edges, dtype=np.uint64)))
    return np.asarray(sums[bounds[1:]] - sums[bounds[:-1]])


def _steps(axis: NDArray[np.float64], tolerance: float) -> Words:
    """Return coordinates as whole numbers of tolerances; one that is not a number has a word of its own."""
    rounded = np.clip(np.round(axis / tolerance), -(2.0**61), 2.0**61)
    unknown = np.isnan(rounded)
    if not unknown.any():
        return rounded.astype(np.int64).view(np.uint64)
    return np.where(unknown, _UNKNOWN, np.nan_to_num(rounded).astype(np.int64)).view(np.uint64)


def _vertices(steps: list[Words], seed: int) -> Words:
    words = _mixed(steps[0] + np.uint64(seed))
    for axis in steps[1:]:
        words = _mixed(words + axis)
    return words


def text_words(texts: Sequence[str | None]) -> Words:
    """Return a word per text, or one for all where they are the same."""
    return _values(np.array([*texts, None], dtype=object)[:-1])


def words_of(contents: Iterable[bytes]) -> NDArray[np.uint64]:
    """Return hashes as two words each, (n, 2): what compares and adds without an object a row."""
    return np.frombuffer(b"".join(contents), dtype="<u8").reshape(-1, 2)


def contents_from(words: NDArray[np.uint64]) -> NDArray[Any]:
    """Return the hashes that `words_of` made words of, an object each."""
    content = words.tobytes()
    return np.array([*(content[at : at + 16] for at in range(0, len(content), 16)), None], dtype=object)[:-1]
