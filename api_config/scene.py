"""The town in three dimensions, made on demand: ground, terrain, a tree and contents of each solid layer.

Everything is named by what it depends on, so a stale tile cannot be served and an untouched one keeps its name:
a content's name is the hash of its features and of the last version that touched them. Files lie in `cache/`.
"""

import os
import pickle
import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from api_config.freshness import state_of
from tiles.quadtree import Node, build_tree
from tiles.solids import Solids, outlier_free
from tiles.tileset import document_roots, node_frame, tileset_json
from twin_model.changeset import Box
from twin_model.crs import CRS84, lonlat_of, transform_bounds
from twin_model.errors import NotFound
from twin_model.layer import Layer
from twin_model.relief import Surface, build_surface
from twin_model.store.base import FeatureQuery
from twin_model.town import Town
from twin_model.view import View

__all__ = ["Scene", "Tree"]

_FORMAT = "3"
_SHEET_GAP = 1.0
"""Metres by which neighbouring sheets may miss one another."""
_FADE = 2_000.0
_KEPT_TREES = 12


@dataclass(frozen=True)
class Tree:
    """The tree of one layer as of one version; `names` gives each node's content its file name."""

    root: Node
    nodes: dict[str, Node]
    names: dict[str, str]
    version: int


class Scene:
    """Ground, trees and contents of a town; safe to use from many threads and processes."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._trees: OrderedDict[tuple[Any, ...], Tree] = OrderedDict()
        self._surfaces: dict[int, Surface | None] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    # --- ground

    @property
    def ground_version(self) -> int:
        """Return the last version that changed anything the ground is made of."""
        return max(
            self.town.store.changed_since(layer, None) for layer in ("spot_height", "contour", "map_sheet")
        )

    def surface(self) -> Surface | None:
        """Return the ground from spot heights and contours, None where the town has too few."""
        key = self.ground_version
        with self._named_lock("surface"):
            if key not in self._surfaces:
                self._surfaces = {key: self._cached_surface(key)}
            return self._surfaces[key]

    def _cached_surface(self, key: int) -> Surface | None:
        path = self.town.cache / "relief" / f"surface-{_FORMAT}-{key}.pickle"
        if path.is_file():
            try:
                return pickle.loads(path.read_bytes())  # type: ignore[no-any-return]
            except (pickle.UnpicklingError, EOFError, AttributeError):
                path.unlink(missing_ok=True)
        surface = self._build_surface()
        _write(path, pickle.dumps(surface, protocol=5))
        return surface

    def _build_surface(self) -> Surface | None:
        points = self.town.store.features(FeatureQuery("spot_height", fields=()))
        lines = self.town.store.features(FeatureQuery("contour", fields=()))
        points, lines = points[points.geometry.notna()], lines[lines.geometry.notna()]
        points, lines = points[points.geometry.has_z], lines[lines.geometry.has_z]
        if len(points) + len(lines) < 3:
            return None
        xyz = (
            np.column_stack((points.geometry.x, points.geometry.y, points.geometry.z))
            if len(points)
            else np.empty((0, 3))
        )
        return build_surface(xyz, lines.geometry.to_numpy(), hull=self._surveyed())

    def _surveyed(self) -> Polygon | None:
        """Return the area the sheets cover, so that no sliver of the ground spans what nobody surveyed."""
        sheets = self.town.store.features(FeatureQuery("map_sheet", fields=())).geometry
        sheets = sheets[sheets.notna()]
        area = shapely.union_all(shapely.buffer(sheets.to_numpy(), _SHEET_GAP)) if len(sheets) else None
        return area if isinstance(area, Polygon) else None

    def terrain_bounds(self) -> Box | None:
        """Return longitude, latitude bounds of the fine terrain: the surveyed ground and what fades out around it."""
        surface = self.surface()
        if surface is None:
            return self.town.extent()
        minx, miny, maxx, maxy = surface.bounds
        return transform_bounds(
            (minx - _FADE, miny - _FADE, maxx + _FADE, maxy + _FADE), self.town.store.crs, CRS84
        )

    def ground(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the height of the ground, held at the nearest known height beyond the survey; 0 without one."""
        surface = self.surface()
        return np.zeros(len(x)) if surface is None else surface.height_near(x, y)

    # --- solids

    def solids(self, layer: Layer) -> Solids:
        return Solids(
            layer,
            self.ground,
            lonlat_of(self.town.store.crs),
            self.town.settings.height_offset,
            self.town.store.blobs,
        )

    def tree(self, layer: Layer, view: View) -> Tree:
        """Return the tree of a layer as it is now for this view; built once a version."""
        store = self.town.store
        key = (*state_of(store, layer, view), self.ground_version)
        with self._named_lock(layer.id):
            if key not in self._trees:
                self._trees[key] = self._build_tree(layer, view)
                while len(self._trees) > _KEPT_TREES:
                    self._trees.popitem(last=False)
            return self._trees[key]

    def _build_tree(self, layer: Layer, view: View) -> Tree:
        solids, store = self.solids(layer), self.town.store
        version = store.changed_since(layer.id, None)
        fids, boxes, weights, versions = [], [], [], []
        for frame in store.frames(FeatureQuery(layer.id, view=view)):
            usable = solids.usable(frame)
            if len(usable):
                fids.append(usable["fid"].to_numpy(dtype=np.int64))
                boxes.append(solids.boxes(usable))
                weights.append(solids.weights(usable))
                versions.append(usable["version"].to_numpy(dtype=np.int64))
        if not fids:
            return Tree(build_tree(np.empty(0, np.int64), np.empty((0, 6))), {}, {}, version)
        all_boxes = np.concatenate(boxes)
        keep = outlier_free(all_boxes)
        all_fids, all_versions = np.concatenate(fids)[keep], np.concatenate(versions)[keep]
        root = build_tree(all_fids, all_boxes[keep], weights=np.concatenate(weights)[keep])
        version_of = pd.Series(all_versions, index=all_fids)
        nodes = {node.key: node for node in root.walk()}
        names = {
            key: self._name(layer, view, node, version_of) for key, node in nodes.items() if node.has_content
        }
        return Tree(root, nodes, names, version)

    def _name(self, layer: Layer, view: View, node: Node, version_of: "pd.Series[int]") -> str:
        """Return the name of a node's content: it changes when its features, their versions, the style or the ground do."""
        digest = blake2b(digest_size=9)
        digest.update(
            repr(
                (_FORMAT, layer.style, layer.model, self.ground_version, self.town.settings.height_offset)
            ).encode()
        )
        digest.update(node.fids.tobytes())
        digest.update(version_of.reindex(node.fids).to_numpy().tobytes())
        return digest.hexdigest()

    def tileset(self, layer: Layer, view: View, key: str | None) -> dict[str, Any]:
        """Return `tileset.json` of a layer, or of the external part that begins at a node."""
        tree = self.tree(layer, view)
        node = tree.root if key is None else tree.nodes.get(key)
        if node is None:
            raise NotFound("feature.not_found", id=key, layer=layer.id, example=tree.root.key)
        up = "" if key is None else "../../../"
        return tileset_json(
            node, to_lonlat=lonlat_of(self.town.store.crs), height_offset=self.town.settings.height_offset,
            content_uri=lambda one: f"{up}content/{one.key}/{tree.names[one.key]}.glb", external_uri=lambda one: f"{up}{one.key}/tileset.json",
        )  # fmt: skip

    def content(self, layer: Layer, view: View, key: str, name: str) -> bytes:
        """Return the GLB of a node; one whose name is no longer that of the tree is gone."""
        tree = self.ensure_content(layer, view, key, name)
        path = self.town.cache / "3dtiles" / layer.id / f"{key.replace('/', '-')}-{name}.glb"
        if path.is_file():
            return path.read_bytes()
        glb = self._encode(layer, view, tree.nodes[key])
        _write(path, glb)
        return glb

    def ensure_content(self, layer: Layer, view: View, key: str, name: str) -> Tree:
        """Return the tree that has this content; a name of an earlier or of no state is refused."""
        tree = self.tree(layer, view)
        if tree.names.get(key) != name:
            example = next((f"{one}/{named}" for one, named in tree.names.items() if one == key), "-")
            raise NotFound("feature.not_found", id=f"{key}/{name}"[:100], layer=layer.id, example=example)
        return tree

    def _encode(self, layer: Layer, view: View, node: Node) -> bytes:
        frames = [
            self.town.store.features(FeatureQuery(layer.id, view=view, fids=tuple(part.tolist())))
            for part in np.array_split(node.fids, len(node.fids) // 500 + 1)
        ]
        frame: gpd.GeoDataFrame = pd.concat(frames)
        frame = frame.reset_index().set_index("fid", drop=False).loc[node.fids].set_index("id")
        return self.solids(layer).encode(frame, node_frame(node, lonlat_of(self.town.store.crs)))

    def documents(self, layer: Layer, view: View) -> list[str | None]:
        """Return the keys of every tileset document of a layer; the first is the root's, None."""
        roots = list(document_roots(self.tree(layer, view).root))
        return [None, *(node.key for node in roots[1:])]

    def _named_lock(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())


def _write(path: Path, content: bytes) -> None:
    """Write a cache file whole: other processes see all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    part.write_bytes(content)
    part.replace(path)
