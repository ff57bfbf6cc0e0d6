"""3D Tiles of a town, made on demand: trees and contents of each solid layer, standing on the town's ground.

The first document comes from the layer's census alone (`tileset_pages`); a page is read when its own document is asked for, and
its states are remembered, from which a tree for any instant is made. Everything is named by what it depends on, so a
stale tile cannot be served and an untouched one keeps its name: a content's name is the hash of its features and of the
last version that touched them. Files lie in `cache/`. Contents of the last generations are still there for viewers that
hold their names.

A view without an instant is one of all time: its contents hold every state there ever was or is planned, each with its
days (`tiles/solids.py`), and the viewer shows those of the day it looks at. With an instant they hold the one state of then.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from tiles.quadtree import DEEPEST, ROOT_CELL, Node, build_tree
from tiles.solids import Solids, placed_boxes
from tiles.tileset import node_frame, tileset_json
from tiles.tileset_pages import MOST_ROWS, LayerCensus, PageCell, lies_in, page_of, pages_of, upper_tree
from twin_model.cache_folder import CacheFolder
from twin_model.changeset import Box
from twin_model.crs import CRS84, lonlat_of, reachable_extent, transform_bounds
from twin_model.errors import NotFound
from twin_model.layer import Layer
from twin_model.recent_values import RecentValues
from twin_model.relief.ground import Ground
from twin_model.store.base import FeatureQuery, StoreReads
from twin_model.store.census import Cells, Census, is_within_world, shaping_fields
from twin_model.store.freshness import state_of
from twin_model.temporal import ALWAYS, Interval
from twin_model.town import Town, open_quietly
from twin_model.view import OPEN, Policy, View
from twin_model.workers import report

__all__ = ["PageTree", "TownTiles", "all_time", "build_contents", "states", "unpacked_glb"]

_FORMAT = "7"
_FADE = 2_000.0
_GENERATIONS = 3
"""So many former generations of a page are looked into for a content that its tree has no more."""
_NODE_BYTES = 2_000
_OPEN = np.iinfo(np.int64).min
"""What stands for the end of a state that has none."""


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
class Page:
    """The states of a page, of all time, as of one look; rows of `states` are those of `_states_of`, by fid and time."""

    cell: PageCell
    states: NDArray[np.int64]
    boxes: NDArray[np.float64]
    centers: NDArray[np.float64]
    weights: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        arrays = (self.states, self.boxes, self.centers, self.weights)
        return 500 + sum(array.nbytes for array in arrays)

    def within(self, view: View) -> NDArray[np.bool_]:
        """Say which states are true within the valid time of a view."""
        begins, ends = self.states[:, 1], self.states[:, 2]
        when = view.datetime if isinstance(view.datetime, Interval) else Interval(view.datetime, view.datetime)
        start, end = _milliseconds(pd.Series([when.start, when.end], dtype=object)).tolist()
        begun = np.ones(len(begins), dtype=bool) if when.end is None else begins <= end
        return begun if when.start is None else begun & ((ends == _OPEN) | (ends > start))


@dataclass(frozen=True)
class PageTree:
    """The tree of a page for a view; `names` gives each node's content its file name.

    The numbers in its nodes are rows of `states`: a feature that changed is there once a state. `recorded` is the version
    as of which a former generation is read.
    """

    root: Node
    nodes: dict[str, Node]
    names: dict[str, str]
    states: NDArray[np.int64]
    recorded: int | None

    @property
    def nbytes(self) -> int:
        return self.states.nbytes + _NODE_BYTES * len(self.nodes)


class TownTiles:
    """Trees and contents of a town's solid layers; safe to use from many threads and processes.

    At most about `pages_mib` of pages and trees are remembered, and `cache_mib` of files. A page has `page_rows` at most.
    """

    def __init__(self, town: Town, *, cache_mib: int = 4096, pages_mib: int = 64, page_rows: int = MOST_ROWS) -> None:
        self.town, self._page_rows = town, page_rows
        self._cache = CacheFolder(town.cache, most_mib=cache_mib)
        self.ground = Ground(town.store, self._cache)
        self._pages: RecentValues[Page] = RecentValues(pages_mib * 2**19)
        self._trees: RecentValues[PageTree] = RecentValues(pages_mib * 2**18)
        self._censuses: RecentValues[LayerCensus] = RecentValues(pages_mib * 2**18)

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

    def census(self, layer: Layer, view: View) -> LayerCensus:
        """Return what is counted of a layer: by the store, else by reading it, where a policy shows some rows of it alone
        or an earlier program has written last."""
        store, layer = self.town.store, self.town.store.catalogue[layer.id]
        ranges = store.census_ranges(layer.id) if view.policy.admits_whole(layer.id) else None
        if ranges is not None:
            cells = partial(store.census_cells, layer.id)
            return LayerCensus(ranges, cells, most_rows=self._page_rows)
        always = replace(view, datetime=ALWAYS)
        key = (*state_of(store, layer, always), layer.model.get("kind"))
        return self._censuses.get(key, make=lambda: self._counted(layer, always), size=lambda census: census.nbytes)

    def _counted(self, layer: Layer, view: View) -> LayerCensus:
        census = Census(layer)
        query = FeatureQuery(layer.id, view=_as_shaped(view), fields=shaping_fields(layer))
        for frame in states(self.town.store, query):
            shapes = frame.geometry.to_numpy()
            census.add_boxes(shapely.bounds(shapes))
            census.add_values({name: frame[name].to_numpy() for name in shaping_fields(layer)}, shapes)
        every = census.cells()
        return LayerCensus(census.ranges, partial(_chosen, every), every.nbytes, self._page_rows)

    def _page(self, layer: Layer, view: View, cell: PageCell) -> Page:
        """Return the states in a cell, of all time; they are read once for each change that touches it."""
        always = replace(view, datetime=ALWAYS)
        state = state_of(self.town.store, layer, always, cell.box)
        key = (cell.key, *state, self.ground.mark, repr(layer.model))
        return self._pages.get(key, make=lambda: self._read_page(layer, always, cell), size=lambda page: page.nbytes)

    def _read_page(self, layer: Layer, view: View, cell: PageCell) -> Page:
        layer = self.town.store.catalogue[layer.id]  # with the fields that are hidden: they shape it all the same
        solids = self.solids(layer)
        fields = tuple(
            dict.fromkeys((*shaping_fields(layer), *(str(name) for name in layer.model.values()), "mesh", "matrix"))
        )
        query = FeatureQuery(layer.id, view=_as_shaped(view), near=cell.bounds, fields=fields)
        read, boxes = [np.empty((0, 4), np.int64)], [np.empty((0, 6))]
        centers, weights = [np.empty((0, 2))], [np.empty(0, np.int64)]
        for frame in states(self.town.store, query):
            frame = frame[is_within_world(shapely.bounds(frame.geometry.to_numpy()))]
            bounds = shapely.bounds(frame.geometry.to_numpy())
            frame = solids.usable(frame[lies_in(cell, bounds[:, :2] / 2 + bounds[:, 2:] / 2)])
            if len(frame):
                bounds = shapely.bounds(frame.geometry.to_numpy())
                read.append(_states_of(frame))
                boxes.append(solids.boxes(frame))
                centers.append(bounds[:, :2] / 2 + bounds[:, 2:] / 2)
                weights.append(solids.weights(frame))
        every = np.concatenate(boxes)
        keep = placed_boxes(every, solids.to_lonlat)
        return Page(
            cell, np.concatenate(read)[keep], every[keep], np.concatenate(centers)[keep], np.concatenate(weights)[keep]
        )

    def page_tree(self, layer: Layer, view: View, cell: PageCell) -> PageTree:
        """Return the tree of a page for a view; instants between which nothing begins or ends there share one."""
        layer, view = view.policy.visible(layer), all_time(view)
        page = self._page(layer, view, cell)
        within = page.within(view)
        hidden = tuple(sorted(view.policy.hidden.get(layer.id, ())))
        content = blake2b(page.states.tobytes() + within.tobytes(), digest_size=16).digest()
        key = (layer.id, cell.key, content, self._chained(page.states), view.recorded, self._drawn_by(layer, hidden))
        make = partial(self._grown, layer, hidden, page, within, view.recorded)
        return self._trees.get(key, make=make, size=lambda tree: tree.nbytes)

    def _grown(
        self, layer: Layer, hidden: tuple[str, ...], page: Page, within: NDArray[np.bool_], recorded: int | None
    ) -> PageTree:
        content = page.states[within]
        root = build_tree(
            np.arange(len(content)),
            page.boxes[within],
            weights=page.weights[within],
            centers=page.centers[within],
            level=page.cell.level,
        )
        nodes = {node.key: node for node in root.walk()}
        names = {key: self._name(layer, hidden, content[node.fids]) for key, node in nodes.items() if node.has_content}
        return PageTree(root, nodes, names, content, recorded)

    def _drawn_by(self, layer: Layer, hidden: tuple[str, ...]) -> str:
        """Return all but the features themselves that contents depend on."""
        settings = self.town.settings
        depends = (
            layer.style,
            layer.model,
            self.ground.mark,
            settings.height_offset,
            settings.timezone,
            *hidden,
        )
        return repr((_FORMAT, *depends))

    def _name(self, layer: Layer, hidden: tuple[str, ...], content: NDArray[np.int64]) -> str:
        """Return the name of a node's content: it changes when its states, their versions, the style or the ground do.

        Who is shown the same states with the same fields is shown the same file, under whatever policy.
        """
        digest = blake2b(self._drawn_by(layer, hidden).encode(), digest_size=9)
        digest.update(content.tobytes() + self._chained(content).encode())
        return digest.hexdigest()

    def _chained(self, content: NDArray[np.int64]) -> str:
        """Return the hash of the newest version among states: after a restore another version may come to have its number."""
        return self.town.store.hash_of(int(content[:, 3].max(initial=0)))

    def tileset(
        self, layer: Layer, view: View, key: str | None, asked: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return `tileset.json` of a layer, or of the external part that begins at a cell.

        Every address in it carries the parameters `asked` for this view, so that what it leads to is of the same view.
        """
        up, query = "" if key is None else "../../../", f"?{urlencode(asked)}" if asked else ""
        cell = self._cell(layer, view, key)
        tree = self.page_tree(layer, view, cell) if cell is not None and cell.is_page else None
        root = tree.root if tree is not None else self._upper_tree(layer, view, cell)
        names = {} if tree is None else tree.names
        return tileset_json(
            root,
            to_lonlat=lonlat_of(self.town.store.crs),
            height_offset=self.town.settings.height_offset,
            content_uri=lambda tile: f"{up}content/{tile.key}/{names[tile.key]}.glb{query}",
            external_uri=lambda tile: f"{up}{tile.key}/tileset.json{query}",
            levels=DEEPEST + 1,
        )

    def _cell(self, layer: Layer, view: View, key: str | None) -> PageCell | None:
        """Return the cell whose document is asked for, None for that of a layer in which there is nothing."""
        place = _numbers(key or "0/0/0")
        cell = page_of(self.census(layer, view), *place)
        if key is not None and (cell is None or cell.key != key):
            raise NotFound("feature.not_found", id=key, layer=layer.id, example="0/0/0" if cell is None else cell.key)
        return cell

    def _upper_tree(self, layer: Layer, view: View, cell: PageCell | None) -> Node:
        census, nothing = self.census(layer, view), build_tree(np.empty(0, np.int64), np.empty((0, 6)))
        if cell is None:
            return nothing
        solids, surface = self.solids(layer), self.ground.surface()
        ground = (0.0, 0.0) if surface is None else surface.height_range
        reach = reachable_extent(self.town.store.summary(layer.id).extent, self.town.store.crs)

        def box_of(part: PageCell) -> NDArray[np.float64]:
            (box,) = solids.cell_boxes(np.array([part.box]), census.ranges, ground)
            return box if reach is None else _cut_to(box, reach)

        # What lies within a box that has a place on the globe has one too: each is looked at only where the largest has none.
        all_placed = bool(placed_boxes(box_of(cell)[None], solids.to_lonlat)[0])

        def node_of(part: PageCell) -> Node | None:
            box = box_of(part)
            if (box[:3] > box[3:]).any() or not (all_placed or placed_boxes(box[None], solids.to_lonlat)[0]):
                return None
            error = float(np.hypot(part.largest, solids.tallest(census.ranges)))
            size, nothing_own = ROOT_CELL / 2.0**part.level, np.full(6, np.nan)
            fids = np.empty(0, np.int64)
            return Node(part.level, part.column, part.row, size, fids, box, nothing_own, 0.0, error)

        return upper_tree(census, cell, node_of) or nothing

    def content(self, layer: Layer, view: View, key: str, name: str) -> bytes:
        """Return the GLB of a node; one of an earlier generation is there for some commits more."""
        tree = self.ensure_content(layer, view, key, name)
        return self._cache.cached(
            f"3dtiles/{layer.id}/{key.replace('/', '-')}-{name}.glb",
            lambda: self._encode(layer, view, tree, key),
            pack=bytes,
            unpack=unpacked_glb,
        )

    def ensure_content(self, layer: Layer, view: View, key: str, name: str) -> PageTree:
        """Return the tree that has this content, of now or of the last generations of its page; any other is refused."""
        cell = page_of(self.census(layer, view), *_numbers(key))
        if cell is None:
            raise NotFound("feature.not_found", id=f"{key}/{name}"[:100], layer=layer.id, example="-")
        tree = newest = self.page_tree(layer, view, cell)
        recorded = self._former(layer, view, cell)
        for _ in range(_GENERATIONS):
            if tree.names.get(key) == name:
                return tree
            if recorded <= 0:
                break
            tree = self.page_tree(layer, replace(view, recorded=recorded), cell)
            recorded = int(tree.states[:, 3].max(initial=0)) - 1
        example = f"{key}/{newest.names[key]}" if key in newest.names else "-"
        raise NotFound("feature.not_found", id=f"{key}/{name}"[:100], layer=layer.id, example=example)

    def _former(self, layer: Layer, view: View, cell: PageCell) -> int:
        """Return the last version before the one that touched a cell last."""
        changed = self.town.store.changed_since(layer.id, cell.box)
        return (changed if view.recorded is None else min(changed, view.recorded)) - 1

    def _encode(self, layer: Layer, view: View, tree: PageTree, key: str) -> bytes:
        node, view = tree.nodes[key], replace(view, recorded=tree.recorded)
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
            raise NotFound("feature.not_found", id=key, layer=layer.id, example=tree.root.key)
        frame: gpd.GeoDataFrame = pd.concat(frames)
        return self.solids(view.policy.visible(layer)).encode(frame, node_frame(node, lonlat_of(self.town.store.crs)))

    @property
    def remembered_pages(self) -> int:
        return len(self._pages)

    def pages(self, layer: Layer, view: View) -> list[PageCell]:
        """Return the pages into which a layer is cut."""
        return list(pages_of(self.census(layer, view)))

    def contents(self, layer: Layer, view: View) -> Iterator[tuple[str, str]]:
        """Yield key and name of every content of a layer, page by page."""
        for cell in self.pages(layer, view):
            yield from self.page_tree(layer, view, cell).names.items()


def _numbers(key: str) -> tuple[int, int, int]:
    level, column, row = map(int, key.split("/"))
    return level, column, row


def _chosen(cells: Cells, wanted: Iterable[tuple[int, int, int]]) -> Cells:
    """Return the cells among those that are wanted."""
    parts = [
        np.flatnonzero((cells.levels == level) & (cells.places >= first) & (cells.places <= last))
        for level, first, last in wanted
    ]
    return cells.take(np.concatenate([np.empty(0, np.intp), *parts]))


def _cut_to(box: NDArray[np.float64], reach: Box) -> NDArray[np.float64]:
    """Return a box (6,) without what lies outside of another (4) in plan."""
    low, high = np.maximum(box[:2], reach[:2]), np.minimum(box[3:5], reach[2:])
    return np.array([*low, box[2], *high, box[5]])


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
        pages, made = tiles.pages(layer, view), 0
        for done, cell in enumerate(pages, start=1):
            for key, name in tiles.page_tree(layer, view, cell).names.items():
                tiles.content(layer, view, key, name)
                made += 1
            report(done, len(pages))
        return made


def unpacked_glb(content: memoryview) -> bytes:
    """Return a GLB as it was packed. Raises ValueError for what is none, or not whole."""
    version, length = (int.from_bytes(content[start : start + 4], "little") for start in (4, 8))
    if bytes(content[:4]) != b"glTF" or version != 2 or length != len(content):
        raise ValueError("it is no whole GLB")
    return bytes(content)
