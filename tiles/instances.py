"""Geometry used more than once (repeated BIM parts, lamps, manholes): what a tile may share, what it must
copy.

A viewer multiplies shared vertices with one translation, rotation and scale per instance, all in float32.
That is good enough where the way from projected metres to the tile's frame is close to such a product over
the size of the part; where it is not, or where the part is so small that a copy is cheaper than a draw call,
the part is baked: copied vertex by vertex into an ordinary mesh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiles.local_frame import (
    SEMI_MAJOR_AXIS,
    Y_UP_FROM_Z_UP,
    LocalFrame,
    ToLonLat,
    local_jacobians,
    local_positions,
)
from tiles.mesh import Float32, Float64, TileMesh, UInt32, empty_mesh, merge

PLACE_TOLERANCE = 1e-3
"""Metres a shared vertex may lie beside its true place."""
UNEVEN_SCALE = 0.01
"""CesiumJS turns normals with the instance's matrix itself, so an uneven scale would shade wrongly."""


@dataclass(frozen=True)
class Instances:
    """A mesh in its own metres, z up, and the 4x4 matrices (k, 4, 4) that set it into projected metres.

    `features` (k,) are the row numbers of the instances; the mesh's own `feature` is not used.
    """

    mesh: TileMesh
    matrices: Float64
    features: UInt32


@dataclass(frozen=True)
class SharedMesh:
    """A mesh centred on its own origin (z up) and k places for it, already in the tile's y-up frame.

    `rotation` (k, 4) are unit quaternions x, y, z, w.
    """

    mesh: TileMesh
    translation: Float32
    rotation: Float32
    scale: Float32
    features: UInt32


def share(
    instances: Sequence[Instances],
    frame: LocalFrame,
    to_lonlat: ToLonLat,
    height_offset: float = 0.0,
    *,
    bake_below: int = 512,
) -> tuple[list[SharedMesh], TileMesh]:
    """Return what can be shared, and all the rest as one mesh in projected metres.

    Copied are instances with shear or a scale uneven by over 1 %, parts so large that the earth's curvature
    or the projection would move a vertex by more than 1 mm, and groups of fewer than `bake_below` vertices in
    sum.
    """
    shared: list[SharedMesh] = []
    baked: list[TileMesh] = []
    for group in (side for both in instances for side in _unmirrored(both)):
        centred = _centred(group)
        place = _Place.of(centred, frame, to_lonlat, height_offset)
        fits = place.error(_radius(centred.mesh)) < PLACE_TOLERANCE
        if fits.sum() < 2 or fits.sum() * len(group.mesh.positions) < bake_below:
            fits[:] = False
        if fits.any():
            shared.append(place.shared(centred, fits))
        baked.append(bake(_chosen(group, ~fits)))
    return shared, merge(baked)


def bake(instances: Instances) -> TileMesh:
    """Return all copies as one mesh in projected metres; a mirroring matrix turns the triangles round."""
    mesh, count = instances.mesh, len(instances.matrices)
    if count == 0 or mesh.is_empty:
        return empty_mesh()
    linear = instances.matrices[:, :3, :3]
    positions = mesh.positions @ linear.transpose(0, 2, 1) + instances.matrices[:, None, :3, 3]
    triangles = np.repeat(mesh.triangles[None], count, axis=0)
    mirrored = np.linalg.det(linear) < 0.0
    triangles[mirrored] = triangles[mirrored][..., ::-1]
    triangles += (len(mesh.positions) * np.arange(count, dtype=np.uint32))[:, None, None]
    return TileMesh(
        positions.reshape(-1, 3),
        None if mesh.normals is None else turned_normals(mesh.normals, linear),
        triangles.reshape(-1, 3),
        np.repeat(np.asarray(instances.features, np.uint32), len(mesh.positions)),
        None if mesh.colors is None else np.tile(mesh.colors, (count, 1)),
    )


def turned_normals(normals: Float32, linear: Float64) -> Float32:
    """Return unit normals for each of the matrices (k, 3, 3), shape (k * n, 3): by the matrix of
    cofactors."""
    a, b, c = linear.transpose(2, 0, 1)
    cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=-1)
    cofactors *= np.where(np.linalg.det(linear) < 0.0, -1.0, 1.0)[:, None, None]
    turned = (normals @ cofactors.transpose(0, 2, 1)).reshape(-1, 3)
    length = np.sqrt(np.einsum("ij,ij->i", turned, turned))[:, None]
    unit = np.where(length > 0.0, turned / np.where(length > 0.0, length, 1.0), [0.0, 0.0, 1.0])
    return unit.astype(np.float32)


@dataclass(frozen=True)
class _Place:
    """Where the instances stand in the tile's east-north-up frame: origins (k, 3), matrices and their
    parts."""

    origin: Float64
    linear: Float64
    rotation: Float64
    scale: Float64

    @classmethod
    def of(cls, instances: Instances, frame: LocalFrame, to_lonlat: ToLonLat, height_offset: float) -> _Place:
        projected = instances.matrices[:, :3, 3]
        jacobians = local_jacobians(projected, frame, to_lonlat, height_offset)
        linear = jacobians @ instances.matrices[:, :3, :3]
        scale = np.linalg.norm(linear, axis=1)
        u, _, v = np.linalg.svd(linear / np.maximum(scale, 1e-12)[:, None, :])
        return cls(local_positions(projected, frame, to_lonlat, height_offset), linear, u @ v, scale)

    def error(self, radius: float) -> Float64:
        """Return the metres by which a vertex at `radius` may be misplaced; infinite where shading would
        fail."""
        shear = np.linalg.norm(self.linear - self.rotation * self.scale[:, None, :], axis=(1, 2)) * radius
        sagitta = (radius * self.scale.max(axis=1)) ** 2 / (2.0 * SEMI_MAJOR_AXIS)
        uneven = self.scale.max(axis=1) > (1.0 + UNEVEN_SCALE) * self.scale.min(axis=1)
        return np.where(uneven, np.inf, shear + sagitta)

    def shared(self, instances: Instances, fits: NDArray[np.bool_]) -> SharedMesh:
        turn = Y_UP_FROM_Z_UP
        return SharedMesh(
            instances.mesh,
            (self.origin[fits] @ turn.T).astype(np.float32),
            _quaternions(turn @ self.rotation[fits] @ turn.T).astype(np.float32),
            self.scale[fits][:, [0, 2, 1]].astype(np.float32),
            np.asarray(instances.features, np.uint32)[fits],
        )


def _unmirrored(instances: Instances) -> list[Instances]:
    """Return the group without mirroring matrices: mirrored instances become a group with a mirrored mesh.

    A viewer decides once per draw call which side of a triangle is its front.
    """
    mirrored = np.linalg.det(instances.matrices[:, :3, :3]) < 0.0
    if not mirrored.any():
        return [instances]
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mesh = bake(Instances(instances.mesh, mirror[None], np.zeros(1, np.uint32)))
    turned = Instances(mesh, instances.matrices[mirrored] @ mirror, instances.features[mirrored])
    rest = [] if mirrored.all() else [_chosen(instances, ~mirrored)]
    return [*rest, turned]


def _centred(instances: Instances) -> Instances:
    """Return the same instances with the mesh about its own origin, where float32 is fine."""
    mesh = instances.mesh
    if mesh.is_empty:
        return instances
    center = 0.5 * (mesh.positions.min(axis=0) + mesh.positions.max(axis=0))
    matrices = instances.matrices.copy()
    matrices[:, :3, 3] += matrices[:, :3, :3] @ center
    moved = TileMesh(mesh.positions - center, mesh.normals, mesh.triangles, mesh.feature, mesh.colors)
    return Instances(moved, matrices, instances.features)


def _chosen(instances: Instances, mask: NDArray[np.bool_]) -> Instances:
    return Instances(instances.mesh, instances.matrices[mask], instances.features[mask])


def _radius(mesh: TileMesh) -> float:
    return float(np.linalg.norm(mesh.positions, axis=1).max(initial=0.0))


def _quaternions(rotation: Float64) -> Float64:
    """Return unit quaternions x, y, z, w: the dominant eigenvector of a symmetric 4x4 matrix.

    I. Y. Bar-Itzhack, New Method for Extracting the Quaternion from a Rotation Matrix, 2000, version 2.
    """
    r = rotation.transpose(1, 2, 0)
    matrix = np.empty((len(rotation), 4, 4))
    matrix[:, :3, :3] = (r + r.transpose(1, 0, 2)).transpose(2, 0, 1)
    diagonal = np.arange(3)
    matrix[:, diagonal, diagonal] = 2.0 * rotation[:, diagonal, diagonal] - r.trace()[:, None]
    matrix[:, :3, 3] = matrix[:, 3, :3] = np.stack([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]], axis=-1)
    matrix[:, 3, 3] = r.trace()
    quaternions: Float64 = np.linalg.eigh(matrix)[1][:, :, -1]
    return quaternions
