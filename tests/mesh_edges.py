"""Whether a mesh is closed: what tests of solids ask of its edges."""

from collections import Counter

import numpy as np

from tiles.mesh import TileMesh

__all__ = ["open_edges"]


def open_edges(mesh: TileMesh) -> int:
    """Count edges that are not walked once in each direction, vertices at one place being one."""
    _, place = np.unique(np.round(mesh.positions, 6), axis=0, return_inverse=True)
    corners = place.ravel()[mesh.triangles]
    edges: Counter[tuple[int, int]] = Counter()
    for a, b in ((0, 1), (1, 2), (2, 0)):
        edges.update(zip(corners[:, a].tolist(), corners[:, b].tolist(), strict=True))
    return sum(count != edges[(b, a)] for (a, b), count in edges.items())
