"""Triangle meshes on their way to a tile: what a sweep or an extrusion answers with and a GLB is made from.

Coordinates are projected metres (x east, y north, z up). Nothing here knows glTF; `tiles/gltf.py` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin_model.building.mesh import enclosed_volume

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
UInt32 = NDArray[np.uint32]
UInt8 = NDArray[np.uint8]


NO_WALL = (0.0, -1.0)
"""What `TileMesh.facade` holds of a vertex that is on no wall."""


@dataclass(frozen=True)
class TileMesh:
    """Triangles of many features, each vertex knowing the row number of its feature.

    `positions` (n, 3) metres, `normals` (n, 3) unit vectors or None, `triangles` (m, 3) counter-clockwise
    seen from outside, `feature` (n,) row numbers, `colors` (n, 4) sRGB with alpha, 0-255, or None.
    `facade` (n, 2) says where on a wall a vertex is, in bays along it and storeys up it; `NO_WALL` elsewhere.
    """

    positions: Float64
    normals: Float32 | None
    triangles: UInt32
    feature: UInt32
    colors: UInt8 | None = None
    facade: Float32 | None = None

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to draw."""
        return len(self.triangles) == 0

    @property
    def volume(self) -> float:
        """Return the cubic metres enclosed (divergence theorem); meaningful for closed meshes only."""
        return enclosed_volume(self.positions, self.triangles)


def empty_mesh() -> TileMesh:
    """Return a mesh without vertices."""
    return TileMesh(
        np.empty((0, 3)),
        np.empty((0, 3), np.float32),
        np.empty((0, 3), np.uint32),
        np.empty(0, np.uint32),
    )


def merge(meshes: Sequence[TileMesh]) -> TileMesh:
    """Return one mesh with the triangles of all, feature rows as they are.

    Normals survive if every mesh has them. Colours survive if any mesh has them; the others turn white. So do facades; the
    others are no walls.
    """
    filled = [mesh for mesh in meshes if not mesh.is_empty]
    if not filled:
        return empty_mesh()
    if len(filled) == 1:
        return filled[0]
    first_vertex = np.cumsum([0] + [len(mesh.positions) for mesh in filled[:-1]])
    triangles = [mesh.triangles + np.uint32(first) for mesh, first in zip(filled, first_vertex, strict=True)]
    return TileMesh(
        np.concatenate([mesh.positions for mesh in filled]),
        _merged_normals(filled),
        np.concatenate(triangles),
        np.concatenate([mesh.feature for mesh in filled]),
        _merged_colors(filled),
        _merged_facades(filled),
    )


def _merged_normals(meshes: Sequence[TileMesh]) -> Float32 | None:
    normals = [mesh.normals for mesh in meshes if mesh.normals is not None]
    return np.concatenate(normals) if len(normals) == len(meshes) else None


def _merged_facades(meshes: Sequence[TileMesh]) -> Float32 | None:
    if all(mesh.facade is None for mesh in meshes):
        return None
    return np.concatenate([mesh.facade if mesh.facade is not None else no_facade(mesh) for mesh in meshes])


def no_facade(mesh: TileMesh) -> Float32:
    """Return what says that no vertex of a mesh is on a wall."""
    return np.tile(np.array(NO_WALL, np.float32), (len(mesh.positions), 1))


def _merged_colors(meshes: Sequence[TileMesh]) -> UInt8 | None:
    if all(mesh.colors is None for mesh in meshes):
        return None
    return np.concatenate([_colors_or_white(mesh) for mesh in meshes])


def _colors_or_white(mesh: TileMesh) -> UInt8:
    return mesh.colors if mesh.colors is not None else np.full((len(mesh.positions), 4), 255, np.uint8)
