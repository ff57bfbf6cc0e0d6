"""Constrained Delaunay triangles of ground points: the only module that knows `pythoncdt`.

Lines that cross: where their heights agree at the crossing, it becomes a vertex of the mean height. Where
they disagree (contours of 10 m and 11 m crossing: an error of the drawing) both segments lose their
constraint there; their vertices stay, and no height is invented between them.
"""

from typing import Any

import numpy as np
import pythoncdt
import shapely
from numpy.typing import NDArray

from twin_model.relief.ground_points import SAME_HEIGHT, Float64, GroundPoints, Index

Triangles = NDArray[np.uint32]


def triangulate(ground: GroundPoints) -> tuple[Float64, Triangles]:
    """Return vertices (n, 3) and triangles (m, 3), counter-clockwise seen from above, of the convex hull.

    The vertices are those of `ground`, followed by one for each crossing of lines that agree.
    """
    strategies = pythoncdt.IntersectingConstraintEdges
    try:
        return _triangulated(ground, strategies.NOT_ALLOWED)
    except RuntimeError as error:
        if "Intersecting constraint" not in str(error):
            raise
    edges = _undisputed(ground.vertices, ground.edges)
    return _triangulated(GroundPoints(ground.vertices, edges), strategies.TRY_RESOLVE)


def _triangulated(ground: GroundPoints, strategy: pythoncdt.IntersectingConstraintEdges) -> tuple[Float64, Triangles]:
    # Small numbers leave the predicates and the crossings more digits than projected metres would.
    origin = ground.vertices[:, :2].min(axis=0)
    order = pythoncdt.VertexInsertionOrder.AUTO
    work = pythoncdt.Triangulation(order, strategy, 0.0)
    # Arrays are buffers to pythoncdt; that numpy's are, type checkers learn only from Python 3.12.
    places: Any = np.ascontiguousarray(ground.vertices[:, :2] - origin)
    constraints: Any = np.ascontiguousarray(ground.edges, dtype=np.uint32)
    work.insert_vertices(places)
    work.insert_edges(constraints)
    work.erase_super_triangle()
    triangles = np.ascontiguousarray(work.triangles_array()["vertices"])
    return _with_crossings(ground.vertices, work, origin), triangles


def _with_crossings(vertices: Float64, work: pythoncdt.Triangulation, origin: Float64) -> Float64:
    """Append the vertices that crossings added, each with the mean height of the edges that meet there."""
    flat = work.vertices_array()
    n = len(vertices)
    added = np.stack([flat["x"][n:], flat["y"][n:]], axis=1) + origin
    if not len(added):
        return vertices
    meeting = {
        (at - n, original.v1, original.v2)
        for piece, originals in work.piece_to_originals_iter()
        for at in (piece.v1, piece.v2)
        if at >= n
        for original in originals
    }
    at, start, end = np.array(sorted(meeting), np.intp).T
    height = _height_along(vertices[start], vertices[end], added[at])
    mean = np.bincount(at, height, len(added)) / np.bincount(at, minlength=len(added))
    return np.concatenate([vertices, np.column_stack([added, mean])])


def _height_along(start: Float64, end: Float64, place: Float64) -> Float64:
    """Return heights of segments (start, end: (n, 3)) at the places (n, 2) on them."""
    along = end[:, :2] - start[:, :2]
    share = ((place - start[:, :2]) * along).sum(axis=1) / (along**2).sum(axis=1)
    return np.asarray(start[:, 2] + share * (end[:, 2] - start[:, 2]))


def _undisputed(vertices: Float64, edges: Index) -> Index:
    """Return the edges without those that cross another one at a different height."""
    segments: NDArray[Any] = np.asarray(shapely.linestrings(vertices[edges][:, :, :2]), dtype=object)
    first, second = shapely.STRtree(segments).query(segments, predicate="crosses")
    crossing = shapely.get_coordinates(
        shapely.point_on_surface(shapely.intersection(segments[first], segments[second]))
    )
    a = _height_along(vertices[edges[first, 0]], vertices[edges[first, 1]], crossing)
    b = _height_along(vertices[edges[second, 0]], vertices[edges[second, 1]], crossing)
    return np.delete(edges, np.unique(first[np.abs(a - b) > SAME_HEIGHT]), axis=0)
