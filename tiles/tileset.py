"""`tileset.json` of 3D Tiles 1.1 for a tree of features, and what is wrong with such a document.

The tree comes from `tiles/quadtree.py`. Contents are made by `tiles/gltf.py` in the frame `node_frame` names:
GLBs are tile-local, and the tile's transform sets them on the globe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiles.local_frame import SEMI_MAJOR_AXIS, LocalFrame, ToLonLat, projected_frame
from tiles.mesh import Float64
from tiles.quadtree import Node

FRAME_GRID = 2.0**13
"""Frames lie at most about this far from their vertices: float32 then steps by 0.5 mm."""
EDGE_STEPS = 8
LEVELS_PER_DOCUMENT = 4
USUAL_LIMIT = 16.0
"""Pixels of screen-space error above which viewers refine unless told otherwise."""

Uri = Callable[[Node], str]
Volume = dict[str, list[float]]


def node_frame(node: Node, to_lonlat: ToLonLat) -> LocalFrame:
    """Return the frame of a node's content: at the cell's centre on the ellipsoid, where no edit moves it.

    In a cell too large for float32 it is the point next to the content's centre on a fixed grid of 8 km.
    """
    if node.cell_size <= FRAME_GRID:
        half_grid = 2.0 ** (node.level - 1) if node.level else 0.5
        x = (node.x + 0.5 - half_grid) * node.cell_size
        y = (node.y + 0.5 - half_grid) * node.cell_size
    else:
        center = 0.5 * (node.content_box[:2] + node.content_box[3:5])
        x, y = ((np.floor(center / FRAME_GRID) + 0.5) * FRAME_GRID).tolist()
    return projected_frame(x, y, 0.0, to_lonlat)


def regions(boxes: Float64, to_lonlat: ToLonLat, height_offset: float = 0.0) -> Float64:
    """Return for projected boxes (n, 6) west, south, east, north (radians), lowest and highest height.

    The edges are followed in eight steps each; the bulge between two steps and 1 cm are added on all sides.
    """
    if len(boxes) == 0:
        return np.empty((0, 6))
    low, span = boxes[:, None, :2], (boxes[:, 3:5] - boxes[:, :2])[:, None, :]
    edge = low + span * _square_outline()
    lon, lat = to_lonlat(edge[..., 0].ravel(), edge[..., 1].ravel())
    lam, phi = np.radians(lon).reshape(len(boxes), -1), np.radians(lat).reshape(len(boxes), -1)
    steepness = np.maximum(np.tan(np.abs(phi).max(axis=1)), 1.0)
    step = span[:, 0].max(axis=1) / EDGE_STEPS
    pad = (step**2 / (4.0 * SEMI_MAJOR_AXIS) * steepness + 0.01) / SEMI_MAJOR_AXIS
    pad_east = pad / np.cos(np.abs(phi).max(axis=1))
    heights = boxes[:, [2, 5]] + height_offset + [-0.01, 0.01]
    sides = [
        lam.min(axis=1) - pad_east,
        phi.min(axis=1) - pad,
        lam.max(axis=1) + pad_east,
        phi.max(axis=1) + pad,
    ]
    return np.column_stack([*sides, heights])


def _square_outline() -> Float64:
    """Return points along the unit square's four sides."""
    along = np.arange(EDGE_STEPS) / EDGE_STEPS
    zero, one = np.zeros(EDGE_STEPS), np.ones(EDGE_STEPS)
    return np.column_stack(
        [
            np.concatenate([along, one, 1.0 - along, zero]),
            np.concatenate([zero, along, one, 1.0 - along]),
        ]
    )


def tileset_json(
    node: Node,
    *,
    content_uri: Uri,
    to_lonlat: ToLonLat,
    height_offset: float = 0.0,
    external_uri: Uri | None = None,
    levels: int = LEVELS_PER_DOCUMENT,
    smallest_pixels: float = 4.0,
) -> dict[str, Any]:
    """Return the document for a node and what is below it, valid 3D Tiles 1.1.

    With `external_uri` the document ends after `levels` generations of nodes: a deeper one is an external
    tileset, whose document is this function's answer for that node (see `document_roots`).

    A node is refined, in a viewer with the usual limit of 16 pixels, where its largest missing feature would
    be `smallest_pixels` long on the screen: with 16 a town seen from afar would be empty.

    Only tiles with content carry a transform, and only at the ends of the tree: transforms multiply down the
    tree, so a parent's frame would change its children's. So an inner node's own features hang in a tile of
    their own, beside its children. Bounding volumes are regions, which no transform touches.
    """
    nodes = list(_nodes_within(node, levels if external_uri else None))
    writer = _Writer(
        _volumes({each.key: each.box for each in nodes}, to_lonlat, height_offset),
        _volumes({each.key: each.content_box for each in nodes}, to_lonlat, height_offset),
        content_uri,
        external_uri,
        to_lonlat,
        USUAL_LIMIT / smallest_pixels,
    )
    return {
        "asset": {"version": "1.1", "generator": "hsr-town-twin"},
        "geometricError": max(_diagonal(node), writer.error_factor * node.geometric_error),
        "root": {**writer.tile(node, levels), "refine": "ADD"},
    }


def _volumes(boxes: dict[str, Float64], to_lonlat: ToLonLat, height_offset: float) -> dict[str, Volume]:
    """Return the bounding volumes by node key, without nodes that hold nothing."""
    known = {key: box for key, box in boxes.items() if np.isfinite(box).all()}
    found = regions(np.array(list(known.values())).reshape(-1, 6), to_lonlat, height_offset)
    return {key: {"region": region.tolist()} for key, region in zip(known, found, strict=True)}


def document_roots(node: Node, levels: int = LEVELS_PER_DOCUMENT) -> Iterator[Node]:
    """Yield the root and every node that `tileset_json` makes an external tileset of."""
    yield node
    for child in _generation(node, levels):
        if child.children:
            yield from document_roots(child, levels)


def _generation(node: Node, depth: int) -> list[Node]:
    """Return the nodes `depth` generations below."""
    nodes = [node]
    for _ in range(depth):
        nodes = [child for parent in nodes for child in parent.children]
    return nodes


def _nodes_within(node: Node, levels: int | None) -> Iterator[Node]:
    yield node
    if levels != 0:
        for child in node.children:
            yield from _nodes_within(child, None if levels is None else levels - 1)


def _diagonal(node: Node) -> float:
    """Return the diagonal of everything, which is the error of drawing nothing at all."""
    return float(np.linalg.norm(node.box[3:] - node.box[:3])) if np.isfinite(node.box).all() else 0.0


@dataclass(frozen=True)
class _Writer:
    """Writes tiles; the regions of all nodes of the document are worked out before."""

    volumes: dict[str, Volume]
    content_volumes: dict[str, Volume]
    content_uri: Uri
    external_uri: Uri | None
    to_lonlat: ToLonLat
    error_factor: float

    def tile(self, node: Node, levels: int) -> dict[str, Any]:
        """Return the tile of a node with `levels` generations below it."""
        if node.external and self.external_uri is not None:
            return self.external_tile(node, self.external_uri)
        if not node.children:
            return self.content_tile(node) if node.has_content else _nothing()
        if levels == 0 and self.external_uri is not None:
            return self.external_tile(node, self.external_uri)
        own = [self.content_tile(node)] if node.has_content else []
        return self.empty_tile(node) | {"children": own + [self.tile(child, levels - 1) for child in node.children]}

    def empty_tile(self, node: Node) -> dict[str, Any]:
        """Return the tile of a node without anything in it."""
        return {
            "boundingVolume": self.volumes[node.key],
            "geometricError": self.error_factor * node.geometric_error,
        }

    def external_tile(self, node: Node, uri: Uri) -> dict[str, Any]:
        return self.empty_tile(node) | {"content": {"uri": uri(node)}}

    def content_tile(self, node: Node) -> dict[str, Any]:
        """Return a tile without children for the node's own features."""
        return {
            "boundingVolume": self.content_volumes[node.key],
            "geometricError": 0.0,
            "transform": node_frame(node, self.to_lonlat).transform,
            "content": {"uri": self.content_uri(node)},
        }


def _nothing() -> dict[str, Any]:
    return {"boundingVolume": {"region": [0.0] * 6}, "geometricError": 0.0}
