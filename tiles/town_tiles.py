"""3D Tiles of a town, made on demand: a tree and contents of each solid layer, standing on the town's ground.

Everything is named by what it depends on, so a stale tile cannot be served and an untouched one keeps its name:
a content's name is the hash of its features and of the last version that touched them. Files lie in `cache/`.

A view without an instant is one of all time: its contents hold every state there ever was or is planned, each with its
days (`tiles/solids.py`), and the viewer shows those of the day it looks at. With an instant they hold the one state of then.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tiles.quadtree import Node, build_tree
from tiles.solids import Solids, placed_boxes
from tiles.tileset import document_roots, node_frame, tileset_json
from twin_model.cache_folder import CacheFolder
from twin_model.changeset import Box
from twin_model.crs import CRS84, lonlat_of, transform_bounds
from twin_model.errors import NotFound
from twin_model.layer import Layer
from twin_model.relief.ground import Ground
from twin_model.store.base import FeatureQuery, StoreReads
from twin_model.store.freshness import state_of
from twin_model.temporal import ALWAYS
from twin_model.town import Town, open_quietly
from twin_model.view import OPEN, Policy, View
from twin_model.workers import report

__all__ = ["TownTiles", "Tree", "all_time", "build_contents", "states", "unpacked_glb"]

_FORMAT = "6"
_FADE = 2_000.0
_KEPT_TREES = 12


def all_time(view: View) -> View:
    """Return the view of which 3D Tiles are made: one without an instant or interval is of all time."""
    return replace(view, datetime=ALWAYS) if view.datetime is None else view


def _as_shaped(view: View) -> View:
    """Return the view that reads every field of the rows it shows: one that is hidden still shapes its feature.

    A building whose height is hidden stands as high as it is. What is written as a property, and the colour by a
    field's value, follow the visible layer (`Policy.visible`).
    """
    return replace(view, policy=replace(view.policy, hidden={}))


def states(store: StoreReads, query: FeatureQuery) -> Iterator[gpd.GeoDataFrame]:
    """Yield the states of the features asked for that are true within the query's view, of all time where it names none.

    They come by feature and time; an instant has one of each feature.
    """
    return store.frames(query.with_(view=all_time(query.view), states=True))


@dataclass(frozen=True)
class Tree:
    """The tree of one layer as of one version; `names` gives each node's content its file name.

    The numbers in its nodes are rows of `states` (see `_states_of`): a feature that changed is there once a state.
    """

    root: Node
    nodes: dict[str, Node]
    names: dict[str, str]
    states: NDArray[np.int64]
    version: int


class TownTiles:
    """Trees and contents of a town's solid layers; safe to use from many threads and processes."""

    def __init__(self, town: Town, *, cache_mib: int = 4096) -> None:
        self.town = town
        self._cache = CacheFolder(town.cache, most_mib=cache_mib)
        self.ground = Ground(town.store, self._cache)
        self._trees: OrderedDict[tuple[Any, ...], Tree] = OrderedDict()
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def terrain_bounds(self, policy: Policy = OPEN) -> Box | None:
        """Return longitude, latitude bounds of the fine terrain: the surveyed ground and what fades out around it."""
        bounds = self.ground.bounds()
        if bounds is None:
            return self.town.extent(policy=policy)
        minx, miny, maxx, maxy = bounds
        faded = (minx - _FADE, miny - _FADE, maxx + _FADE, maxy + _FADE)
        return transform_bounds(faded, self.town.store.crs, CRS84)

    def solids(self, layer: Layer) -> Solids:
        return Solids(
            layer,
            self.ground.heights,
            lonlat_of(self.town.store.crs),
            self.town.settings.height_offset,
            self.town.store.blobs,
            self.town.settings.timezone,
        )

    def tree(self, layer: Layer, view: View) -> Tree:
        """Return the tree of a layer for this view; built once a version."""
        store, layer = self.town.store, view.policy.visible(layer)
        view = all_time(view)
        key = (*state_of(store, layer, view), self.ground.version)
        with self._named_lock(layer.id):
            if key not in self._trees:
                self._trees[key] = self._build_tree(layer, view)
                while len(self._trees) > _KEPT_TREES:
                    self._trees.popitem(last=False)
            return self._trees[key]

    def _build_tree(self, layer: Layer, view: View) -> Tree:
        solids, store = self.solids(layer), self.town.store
        hidden = tuple(sorted(view.policy.hidden.get(layer.id, ())))
        version = store.changed_since(layer.id, None)
        found, boxes, weights = [], [], []
        for frame in states(store, FeatureQuery(layer.id, view=_as_shaped(view))):
            usable = solids.usable(frame)
            if len(usable):
                found.append(_states_of(usable))
                boxes.append(solids.boxes(usable))
                weights.append(solids.weights(usable))
        if not found:
            nothing = np.empty(0, np.int64)
            return Tree(build_tree(nothing, np.empty((0, 6))), {}, {}, nothing.reshape(0, 4), version)
        all_boxes = np.concatenate(boxes)
        keep = placed_boxes(all_boxes, solids.to_lonlat)
        kept = np.concatenate(found)[keep]
        root = build_tree(np.arange(len(kept)), all_boxes[keep], weights=np.concatenate(weights)[keep])
        nodes = {node.key: node for node in root.walk()}
        names = {key: self._name(layer, hidden, kept[node.fids]) for key, node in nodes.items() if node.has_content}
        return Tree(root, nodes, names, kept, version)

    def _name(self, layer: Layer, hidden: tuple[str, ...], content: NDArray[np.int64]) -> str:
        """Return the name of a node's content: it changes when its states, their versions, the style or the ground do.

        Who is shown the same states with the same fields is shown the same file, under whatever policy.
        """
        settings = self.town.settings
        depends = (
            layer.style,
            layer.model,
            self.ground.version,
            settings.height_offset,
            settings.timezone,
            *hidden,
        )
        digest = blake2b(repr((_FORMAT, *depends)).encode(), digest_size=9)
        digest.update(content.tobytes())
        return digest.hexdigest()

    def tileset(
        self, layer: Layer, view: View, key: str | None, asked: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return `tileset.json` of a layer, or of the external part that begins at a node.

        Every address in it carries the parameters `asked` for this view, so that what it leads to is of the same view.
        """
        tree = self.tree(layer, view)
        node = tree.root if key is None else tree.nodes.get(key)
        if node is None:
            raise NotFound("feature.not_found", id=key, layer=layer.id, example=tree.root.key)
        up, query = "" if key is None else "../../../", f"?{urlencode(asked)}" if asked else ""
        return tileset_json(
            node,
            to_lonlat=lonlat_of(self.town.store.crs),
            height_offset=self.town.settings.height_offset,
            content_uri=lambda tile: f"{up}content/{tile.key}/{tree.names[tile.key]}.glb{query}",
            external_uri=lambda tile: f"{up}{tile.key}/tileset.json{query}",
        )

    def content(self, layer: Layer, view: View, key: str, name: str) -> bytes:
        """Return the GLB of a node; one whose name is no longer that of the tree is gone."""
        tree = self.ensure_content(layer, view, key, name)
        return self._cache.cached(
            f"3dtiles/{layer.id}/{key.replace('/', '-')}-{name}.glb",
            lambda: self._encode(layer, view, tree, tree.nodes[key]),
            pack=bytes,
            unpack=unpacked_glb,
        )

    def ensure_content(self, layer: Layer, view: View, key: str, name: str) -> Tree:
        """Return the tree that has this content; a name of an earlier or of no state is refused."""
        tree = self.tree(layer, view)
        if tree.names.get(key) != name:
            example = next((f"{tile_key}/{named}" for tile_key, named in tree.names.items() if tile_key == key), "-")
            raise NotFound("feature.not_found", id=f"{key}/{name}"[:100], layer=layer.id, example=example)
        return tree

    def _encode(self, layer: Layer, view: View, tree: Tree, node: Node) -> bytes:
        content = tree.states[node.fids]
        fids = np.unique(content[:, 0])
        queries = (
            FeatureQuery(layer.id, view=_as_shaped(view), fids=tuple(part.tolist()))
            for part in np.array_split(fids, len(fids) // 500 + 1)
        )
        frames = [
            frame[_among(_states_of(frame), content)] for query in queries for frame in states(self.town.store, query)
        ]
        if sum(map(len, frames)) != len(content):
            # Someone has committed since the tree was built: under its name this content would be a wrong one.
            raise NotFound("feature.not_found", id=node.key, layer=layer.id, example=tree.root.key)
        frame: gpd.GeoDataFrame = pd.concat(frames)
        return self.solids(view.policy.visible(layer)).encode(frame, node_frame(node, lonlat_of(self.town.store.crs)))

    def documents(self, layer: Layer, view: View) -> list[str | None]:
        """Return the keys of every tileset document of a layer; the first is the root's, None."""
        roots = list(document_roots(self.tree(layer, view).root))
        return [None, *(node.key for node in roots[1:])]

    def _named_lock(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())


def _states_of(frame: gpd.GeoDataFrame) -> NDArray[np.int64]:
    """Return what tells states apart, a row each (n, 4): fid, beginning and end (ms since 1970-01-01), version."""
    fids, versions = (frame[name].to_numpy(dtype=np.int64) for name in ("fid", "version"))
    return np.column_stack((fids, _milliseconds(frame["valid_from"]), _milliseconds(frame["valid_to"]), versions))


def _milliseconds(instants: "pd.Series[str]") -> NDArray[np.int64]:
    """Return instants as milliseconds since 1970-01-01, the least number where open."""
    texts = [instant.removesuffix("Z") if isinstance(instant, str) else "NaT" for instant in instants]
    return np.array(texts, dtype="datetime64[ms]").astype(np.int64)


def _among(these: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rows of `these` are rows of `wanted`."""
    known = set(map(tuple, wanted.tolist()))
    return np.array([row in known for row in map(tuple, these.tolist())], dtype=bool)


def build_contents(folder: Path, layer_id: str) -> int:
    """Make every content of a solid layer that is not in the town's cache yet; return how many there are.

    Runs in a child process (`twin_model/workers.py`) and tells it how far it is.
    """
    with open_quietly(folder) as town:
        tiles, layer, view = TownTiles(town), town.store.catalogue[layer_id], View()
        names = tiles.tree(layer, view).names
        for done, (key, name) in enumerate(names.items(), start=1):
            tiles.content(layer, view, key, name)
            report(done, len(names))
        return len(names)


def unpacked_glb(content: memoryview) -> bytes:
    """Return a GLB as it was packed. Raises ValueError for what is none, or not whole."""
    version, length = (int.from_bytes(content[start : start + 4], "little") for start in (4, 8))
    if bytes(content[:4]) != b"glTF" or version != 2 or length != len(content):
        raise ValueError("it is no whole GLB")
    return bytes(content)
