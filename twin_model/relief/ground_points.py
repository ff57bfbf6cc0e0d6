"""What a surface is made from: spot heights and vertices of contours, cleaned so that they can be
triangulated.

Two vertices closer than 1 cm cannot both stay. Spot heights, and vertices of lines of one height, become one
vertex with the mean height. Vertices of lines of different heights are never averaged: contours of 10 m and
11 m that touch at a cliff stay 10 m and 11 m; the later one loses the vertex and is open there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

CLOSEST = 0.01
"""Metres; vertices closer than this are one place."""
SAME_HEIGHT = 0.05
"""Metres; lines that meet with heights closer than this agree. Contours are 0.25 m apart or more."""
SPOT = -1


@dataclass(frozen=True, eq=False)
class GroundPoints:
    """Places with heights, `vertices` (n, 3), and constrained `edges` (k, 2) between vertex numbers."""

    vertices: Float64
    edges: Index


def ground_points(points: Float64, lines: NDArray[Any], *, most: int) -> GroundPoints:
    """Return cleaned vertices and edges of spot heights (n, 3) and LineString Z; at most `most` vertices.

    What has no height (NaN, or a line without Z) is left out. Beyond `most` both are thinned evenly: every
    k-th vertex along the lines, their ends kept, and every k-th spot height.
    """
    spots = points[np.isfinite(points).all(axis=1)]
    vertices, line = line_vertices(lines)
    if len(spots) + len(vertices) > most:
        share = most / (len(spots) + len(vertices))
        spots = spots[_evenly(len(spots), round(share * len(spots)))]
        thinned = _thinned(line, most - len(spots))
        vertices, line = vertices[thinned], line[thinned]
    everything = np.concatenate([vertices, spots])
    owner = np.concatenate([line, np.full(len(spots), SPOT, np.intp)])
    return _merged(everything, owner, _chain(line))


def line_vertices(lines: NDArray[Any]) -> tuple[Float64, Index]:
    """Return the vertices (n, 3) of all lines one after the other, and for each its line's number."""
    parts = shapely.get_parts(np.asarray(lines, dtype=object))
    parts = parts[shapely.has_z(parts) & (shapely.length(parts) > 0)]
    xyz, line = shapely.get_coordinates(parts, include_z=True, return_index=True)
    known = np.isfinite(xyz).all(axis=1)
    return xyz[known], line[known].astype(np.intp)


def _evenly(n: int, wanted: int) -> Mask:
    """Choose `wanted` of n in equal steps."""
    if wanted >= n:
        return np.ones(n, np.bool_)
    rank = np.arange(n)
    return np.asarray((rank + 1) * wanted // n > rank * wanted // n)


def _thinned(line: Index, wanted: int) -> Mask:
    """Choose about `wanted` line vertices: first the ends of lines, then every k-th between them."""
    changes = np.flatnonzero(np.diff(line)) if len(line) else np.empty(0, np.intp)
    end = np.zeros(len(line), np.bool_)
    end[[0, -1] if len(line) else []] = True
    end[changes] = end[changes + 1] = True
    if end.sum() >= wanted:
        return _evenly(len(line), wanted)
    kept = end.copy()
    kept[~end] = _evenly(int((~end).sum()), wanted - int(end.sum()))
    return kept


def _chain(line: Index) -> Index:
    """Return the edges between neighbouring vertices of one line, (k, 2)."""
    start = np.flatnonzero(line[:-1] == line[1:])
    return np.stack([start, start + 1], axis=1)


def _merged(xyz: Float64, owner: Index, edges: Index) -> GroundPoints:
    """Make one vertex of those closer than `CLOSEST`; drop the later where lines disagree about heights."""
    first, second = _close_pairs(xyz[:, :2])
    on_lines = (owner[first] != SPOT) & (owner[second] != SPOT)
    disputed = on_lines & (np.abs(xyz[first, 2] - xyz[second, 2]) > SAME_HEIGHT)
    dropped = np.zeros(len(xyz), np.bool_)
    dropped[second[disputed]] = True
    agreed = ~disputed & ~dropped[first] & ~dropped[second]
    first, second = _without_bridges(first[agreed], second[agreed], owner)
    label = _connected(len(xyz), first, second)
    edges = edges[~dropped[edges].any(axis=1)]
    return _numbered(xyz, label, ~dropped, edges)


def _close_pairs(xy: Float64) -> tuple[Index, Index]:
    places: NDArray[Any] = np.asarray(shapely.points(xy), dtype=object)
    pairs = shapely.STRtree(places).query(places, predicate="dwithin", distance=CLOSEST)
    first, second = pairs[:, pairs[0] < pairs[1]]
    return first, second


def _without_bridges(first: Index, second: Index, owner: Index) -> tuple[Index, Index]:
    """Let a spot height join one line vertex only, so that it cannot tie two contours together.

    Line vertices are numbered before spot heights: of a mixed pair the second is the spot.
    """
    mixed = np.flatnonzero((owner[first] != SPOT) & (owner[second] == SPOT))
    spot, at = np.unique(second[mixed], return_index=True)
    taken = np.isin(first, spot) | np.isin(second, spot)
    free = ~taken
    free[mixed[at]] = True
    return first[free], second[free]


def _connected(n: int, first: Index, second: Index) -> Index:
    """Return for each of n the smallest number it is tied to, through others too."""
    label = np.arange(n)
    while len(first) and (label[first] != label[second]).any():
        smaller = np.minimum(label[first], label[second])
        np.minimum.at(label, first, smaller)
        np.minimum.at(label, second, smaller)
    return label


def _numbered(xyz: Float64, label: Index, stays: Mask, edges: Index) -> GroundPoints:
    """Number the places anew; a place lies where its first vertex lies, at the mean height of all."""
    place, number = np.unique(label[stays], return_inverse=True)
    new = np.full(len(xyz), -1, np.intp)
    new[stays] = number
    vertices = xyz[place].copy()
    vertices[:, 2] = np.bincount(number, xyz[stays, 2], len(place)) / np.bincount(number, minlength=len(place))
    tied = np.sort(new[edges], axis=1)
    tied = tied[tied[:, 0] != tied[:, 1]]
    return GroundPoints(vertices, np.unique(tied, axis=0) if len(tied) else tied.reshape(0, 2))
