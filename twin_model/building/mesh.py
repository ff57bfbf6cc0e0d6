"""A triangle mesh in local metres, how its blob is written and read, and the matrix that places it in the town.

The blob, little-endian, without padding and without compression (equal meshes give equal bytes):

    offset  0   4 bytes   magic "TWM1"
            4   uint32    version, 1
            8   uint32    number of vertices n
           12   uint32    number of triangles m
           16   uint32    number of colours c: 0 (none), 1 (one for the mesh) or m (one per triangle)
           20   float64   n x 3 vertices, local metres, x y z
            …   uint32    m x 3 triangles, vertex numbers, counter-clockwise seen from outside
            …   uint8     c x 4 colours, sRGB red green blue alpha, alpha 255 = opaque

A feature keeps the SHA-256 of its blob (`mesh`) and `matrix`: JSON text of 16 numbers, column by column, that maps the
local vertices to projected metres of the storage CRS (east, north, height). Features of one shape share one blob.
"""

import hashlib
import json
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAGIC", "Mesh", "digest_of", "enclosed_volume", "matrix_of", "matrix_text", "outward"]

Float64 = NDArray[np.float64]
UInt32 = NDArray[np.uint32]
UInt8 = NDArray[np.uint8]

MAGIC = b"TWM1"
VERSION = 1
_HEADER = struct.Struct("<4sIIII")
_COLOUR_BYTES, _TRIANGLE_BYTES, _VERTEX_BYTES = 4, 12, 24


def _no_colors() -> UInt8:
    return np.empty((0, 4), np.uint8)


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in local metres: `vertices` (n, 3), `triangles` (m, 3), `colors` (0, 1 or m, 4) RGBA 0-255."""

    vertices: Float64
    triangles: UInt32
    colors: UInt8 = field(default_factory=_no_colors)

    def __post_init__(self) -> None:
        if len(self.colors) not in {0, 1, len(self.triangles)}:
            raise ValueError(
                f"{len(self.colors)} colours for {len(self.triangles)} triangles: expected 0, 1 or one each"
            )

    @property
    def is_empty(self) -> bool:
        return len(self.triangles) == 0

    @property
    def triangle_colors(self) -> UInt8 | None:
        """Return one colour per triangle (m, 4), None where the mesh has none."""
        if not len(self.colors):
            return None
        return np.broadcast_to(self.colors, (len(self.triangles), 4))

    def placed(self, matrix: Float64) -> Float64:
        """Return the vertices mapped by a 4 x 4 matrix, (n, 3)."""
        return np.asarray(self.vertices @ matrix[:3, :3].T + matrix[:3, 3], dtype=np.float64)

    def to_bytes(self) -> bytes:
        """Return the blob; the module's docstring has the format."""
        header = _HEADER.pack(MAGIC, VERSION, len(self.vertices), len(self.triangles), len(self.colors))
        return b"".join(
            (
                header,
                np.ascontiguousarray(self.vertices, dtype="<f8").tobytes(),
                np.ascontiguousarray(self.triangles, dtype="<u4").tobytes(),
                np.ascontiguousarray(self.colors, dtype=np.uint8).tobytes(),
            )
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "Mesh":
        """Return the mesh of a blob; ValueError where it is none, of another version, cut off or inconsistent."""
        if len(content) < _HEADER.size:
            raise ValueError(f"a mesh blob has at least {_HEADER.size} bytes, this has {len(content)}")
        magic, version, vertices, triangles, colors = _HEADER.unpack_from(content)
        if magic != MAGIC or version != VERSION:
            raise ValueError(f"not a mesh blob of version {VERSION}: magic {magic!r}, version {version}")
        size = _HEADER.size + vertices * _VERTEX_BYTES + triangles * _TRIANGLE_BYTES + colors * _COLOUR_BYTES
        if len(content) != size:
            raise ValueError(
                f"a mesh blob of {vertices} vertices and {triangles} triangles has {size} bytes, this has {len(content)}"
            )
        at = _HEADER.size
        points = np.frombuffer(content, "<f8", vertices * 3, at).reshape(-1, 3)
        at += vertices * _VERTEX_BYTES
        corners = np.frombuffer(content, "<u4", triangles * 3, at).reshape(-1, 3)
        at += triangles * _TRIANGLE_BYTES
        if triangles and (not vertices or int(corners.max()) >= vertices):
            raise ValueError(f"a triangle names a vertex beyond the {vertices} of the mesh")
        return cls(points, corners, np.frombuffer(content, np.uint8, colors * 4, at).reshape(-1, 4))


def enclosed_volume(vertices: Float64, triangles: NDArray[Any]) -> float:
    """Return the cubic metres triangles enclose (divergence theorem): negative where a closed mesh is inside out."""
    if not len(triangles):
        return 0.0
    a, b, c = (vertices - vertices[0])[triangles].transpose(1, 0, 2)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


def outward(vertices: Float64, triangles: UInt32) -> UInt32:
    """Return the triangles (m, 3) of a mesh, turned round where it is closed and inside out."""
    if enclosed_volume(vertices, triangles) < 0 and _is_closed(triangles):
        return np.ascontiguousarray(triangles[:, ::-1])
    return triangles


def _is_closed(triangles: UInt32) -> bool:
    """Say whether every edge is run once in each direction."""
    edges = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64)
    span = int(triangles.max()) + 1
    there, back = (np.sort(edges @ weights) for weights in ((span, 1), (1, span)))
    return bool((there[1:] != there[:-1]).all() and np.array_equal(there, back))


def digest_of(blob: bytes) -> str:
    """Return the SHA-256 of a blob in hex: its name in the store."""
    return hashlib.sha256(blob).hexdigest()


def matrix_text(matrix: Float64) -> str:
    """Return a 4 x 4 matrix as the JSON text a feature keeps: 16 numbers, column by column."""
    return json.dumps(np.asarray(matrix, dtype=np.float64).T.ravel().tolist(), separators=(",", ":"))


def matrix_of(text: str) -> Float64:
    """Return the 4 x 4 matrix of a feature's text; ValueError where it is not 16 numbers."""
    values = np.asarray(json.loads(text), dtype=np.float64)
    if values.shape != (16,):
        raise ValueError(f"a matrix has 16 numbers, this has shape {values.shape}")
    return np.asarray(values.reshape(4, 4).T)
