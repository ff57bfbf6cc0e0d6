"""Features of a layer -> what a 3D tile holds: boxes for the tree, a GLB for a node. How a layer becomes solid is the
catalogue's `model` table: "extrude" (footprint and height), "sweep" (pipes), "mesh" (BIM elements).

Geometry comes in projected metres, x east, y north, heights of the town's datum; `ground` gives the height of the
ground at x, y where the features do not know theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import shapely
from numpy.typing import NDArray

from tiles.extrude import extrude
from tiles.gltf import Material, encode_glb, encode_instanced_glb
from tiles.hatch import stripes
from tiles.instances import Instances
from tiles.local_frame import LocalFrame, ToLonLat
from tiles.mesh import TileMesh, merge
from tiles.property_table import LAST_INT32, NO_INT32, PropertyType
from tiles.quadtree import ROOT_CELL
from tiles.sweep import MITRE_LIMIT, sweep
from twin_model.building.mesh import Mesh as StoredMesh
from twin_model.layer import Layer
from twin_model.store.census import HEIGHTS, Range
from twin_model.temporal import local_day_number

__all__ = ["Solids", "feature_colors", "placed_boxes"]

Floats = NDArray[np.float64]
Ground = Callable[[Floats, Floats], Floats]
_DEFAULT_PIPE_MM = 100.0
_SIDES = 8
_UNKNOWN, _HATCH = "#e9e4da", "#b5493a"
_FARTHEST_UP = 1e6
"""Metres above or below which no height is one."""
_LIFT = 0.1
"""Metres by which a flat footprint lies above the ground, and its hatching half of that above it."""
_PROPERTY_TYPE = {
    "string": PropertyType.STRING,
    "integer": PropertyType.INT32,
    "number": PropertyType.FLOAT64,
    "boolean": PropertyType.FLAG,
    "date": PropertyType.STRING,
    "datetime": PropertyType.STRING,
}


@dataclass(frozen=True)
class Solids:
    """Turns frames of one layer into boxes and GLBs; `blobs` fetches stored meshes by their digests.

    `zone` is the town's, in which `valid_from` and `valid_to` of a GLB's features are days. A state with
    `valid_from <= day < valid_to` is the one true at the end of that day: a change within a day shows on it.
    """

    layer: Layer
    ground: Ground
    to_lonlat: ToLonLat
    height_offset: float
    blobs: Callable[[list[str]], dict[str, bytes]]
    zone: str = "Asia/Shanghai"

    @property
    def kind(self) -> str:
        return str(self.layer.model.get("kind", ""))

    def usable(self, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        """Return the features that have a place in the town: with geometry, heights for pipes, a mesh for BIM elements."""
        shapes = frame.geometry.to_numpy()
        keep = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
        if self.kind == "sweep":
            keep &= shapely.has_z(shapes)
        if self.kind == "mesh":
            keep &= frame["mesh"].notna().to_numpy() & frame["matrix"].notna().to_numpy()
        return frame[keep]

    def boxes(self, frame: gpd.GeoDataFrame) -> Floats:
        """Return minx, miny, minz, maxx, maxy, maxz (n, 6) of usable features in projected metres."""
        bounds = shapely.bounds(frame.geometry.to_numpy())
        low, high = {
            "extrude": self._building_heights,
            "sweep": self._pipe_heights,
            "mesh": self._element_heights,
        }[self.kind](frame)
        if self.kind == "sweep":
            reach = self._reach(frame)[:, None]
            bounds = np.hstack((bounds[:, :2] - reach, bounds[:, 2:] + reach))
        return np.column_stack((bounds[:, :2], low, bounds[:, 2:], high))

    def cell_boxes(self, boxes: Floats, ranges: Mapping[str, Range], ground: Range) -> Floats:
        """Return minx, miny, minz, maxx, maxy, maxz (n, 6) that hold the solids of all features in boxes (n, 4).

        `ranges` are those of the layer's census, `ground` the lowest and the highest height of the ground.
        """
        reach = self._farthest_reach(ranges) if self.kind == "sweep" else 0.0
        low, high = self._height_range(ranges, ground, reach)
        plan = np.hstack((boxes[:, :2] - reach, boxes[:, 2:] + reach))
        heights = np.tile([low, high], (len(boxes), 1))
        return np.column_stack((plan[:, :2], heights[:, 0], plan[:, 2:], heights[:, 1]))

    def tallest(self, ranges: Mapping[str, Range]) -> float:
        """Return how high a feature of the layer may be, in metres."""
        if self.kind == "mesh":
            return _hull_of(ranges, "top", "bottom")[1] - _hull_of(ranges, "top", "bottom")[0]
        return max(_hull_of(ranges, str(self.layer.model.get("height")))[1], 0.0) if self.kind == "extrude" else 0.0

    def _height_range(self, ranges: Mapping[str, Range], ground: Range, reach: float) -> Range:
        if self.kind == "sweep":
            low, high = _hull_of(ranges, HEIGHTS)
            return low - reach, high + reach
        if self.kind == "mesh":
            return _hull_of({**ranges, "": ground}, "bottom", "top", "")
        base = _hull_of({**ranges, "": (ground[0], ground[1] + _LIFT)}, str(self.layer.model.get("base")), "")
        height = _hull_of({**ranges, "": (0.0, _LIFT / 2)}, str(self.layer.model.get("height")), "")
        return base[0] + height[0], base[1] + height[1]

    def _farthest_reach(self, ranges: Mapping[str, Range]) -> float:
        names = (str(self.layer.model[name]) for name in ("width_mm", "height_mm"))
        sides = [max(ranges.get(name, (0.0, 0.0))[1], _DEFAULT_PIPE_MM) / 1000.0 for name in names]
        return float(max(sides) * np.sqrt(2.0) / 2 / np.cos(MITRE_LIMIT / 2))

    def weights(self, frame: gpd.GeoDataFrame) -> NDArray[np.int64]:
        """Return about how many vertices each feature will have."""
        corners = shapely.get_num_coordinates(frame.geometry.to_numpy())
        per_corner = {"extrude": 6, "sweep": 2 * _SIDES, "mesh": 40}[self.kind]
        return np.asarray(corners * per_corner, dtype=np.int64)

    def encode(self, frame: gpd.GeoDataFrame, at: LocalFrame) -> bytes:
        """Return the GLB of these features, in their order, with feature ids and metadata."""
        properties, types = self._properties(frame)
        if self.kind == "mesh":
            return encode_instanced_glb(
                self._instances(frame),
                frame=at,
                to_lonlat=self.to_lonlat,
                height_offset=self.height_offset,
                properties=properties,
                property_types=types,
                class_name=self.layer.id,
            )
        mesh = self._extruded(frame) if self.kind == "extrude" else self._swept(frame)
        return encode_glb(mesh, frame=at, to_lonlat=self.to_lonlat, height_offset=self.height_offset, properties=properties, property_types=types,
                          class_name=self.layer.id, material=Material())  # fmt: skip

    def _properties(self, frame: gpd.GeoDataFrame) -> tuple[dict[str, Any], dict[str, PropertyType]]:
        names = [str(name) for name in self.layer.model.get("properties", ())]
        properties: dict[str, Any] = {"id": frame.index.to_numpy()} | {
            name: frame[name].to_numpy(dtype=object) for name in names
        }
        types = {"id": PropertyType.STRING} | {
            name: _PROPERTY_TYPE[field.type] for name in names if (field := self.layer.field_of(name))
        }
        for name, never in (("valid_from", NO_INT32), ("valid_to", LAST_INT32)):
            properties[name] = _days(frame[name].to_numpy(dtype=object), self.zone, never)
            types[name] = PropertyType.DAY
        return properties, types

    def _bases(self, frame: gpd.GeoDataFrame) -> Floats:
        """Return the height at which each building stands: its own, else the lowest ground at its corners; a footprint
        without a height lies on the highest, so that the ground does not swallow it."""
        column = self.layer.model.get("base")
        own = frame[column].to_numpy(dtype=np.float64, copy=True) if column else np.full(len(frame), np.nan)
        unknown = np.flatnonzero(np.isnan(own))
        if len(unknown):
            low, high = _ground_under(frame.geometry.to_numpy()[unknown], self.ground)
            flat = np.isnan(self._heights(frame)[unknown])
            own[unknown] = np.where(flat, high + _LIFT, low)
        return own

    def _heights(self, frame: gpd.GeoDataFrame) -> Floats:
        return np.asarray(frame[self.layer.model["height"]], dtype=np.float64)

    def _storeys(self, frame: gpd.GeoDataFrame) -> Floats:
        """Return the storeys that walls show; NaN where the number is unknown, or hidden from the looker."""
        column = self.layer.model.get("storeys")
        if not column or self.layer.field_of(column) is None:
            return np.full(len(frame), np.nan)
        return np.asarray(frame[column], dtype=np.float64)

    def _building_heights(self, frame: gpd.GeoDataFrame) -> tuple[Floats, Floats]:
        base, height = self._bases(frame), self._heights(frame)
        return base, base + np.where(np.isnan(height), _LIFT / 2, height)

    def _extruded(self, frame: gpd.GeoDataFrame) -> TileMesh:
        """Return solids; a footprint whose height is unknown lies flat, in a colour of its own and hatched."""
        areas, base, height = frame.geometry.to_numpy(), self._bases(frame), self._heights(frame)
        colors, storeys = feature_colors(self.layer, frame), self._storeys(frame)
        solid = extrude(areas, base, height, colors=colors, flat_color=_rgba(_UNKNOWN), storeys=storeys)
        flat = np.flatnonzero(np.isnan(height))
        if not len(flat):
            return solid
        hatch = extrude(
            stripes(areas[flat]),
            base[flat] + _LIFT / 2,
            height[flat],
            feature=flat.astype(np.uint32),
            flat_color=_rgba(_HATCH),
            colors=np.tile(np.array(_rgba(_HATCH), dtype=np.uint8), (len(flat), 1)),
        )
        return merge([solid, hatch])

    def _sections(self, frame: gpd.GeoDataFrame) -> Floats:
        """Return width and height of each pipe's section in metres; one that is not known is drawn 100 mm wide."""
        width = frame[self.layer.model["width_mm"]].to_numpy(dtype=np.float64)
        height = frame[self.layer.model["height_mm"]].to_numpy(dtype=np.float64)
        width = np.where(width > 0, width, _DEFAULT_PIPE_MM)
        return np.column_stack((width, np.where(height > 0, height, width))) / 1000.0

    def _reach(self, frame: gpd.GeoDataFrame) -> Floats:
        """Return how far each pipe's skin lies from its axis at most: half the section, a little more at a mitre."""
        sections = self._sections(frame)
        is_round = frame[self.layer.model["shape"]].to_numpy(dtype=object) != "rectangle"
        half = np.where(is_round, sections.max(axis=1, initial=0.0), np.hypot(*sections.T)) / 2
        return np.asarray(half / np.cos(MITRE_LIMIT / 2))

    def _pipe_heights(self, frame: gpd.GeoDataFrame) -> tuple[Floats, Floats]:
        coordinates, index = shapely.get_coordinates(frame.geometry.to_numpy(), include_z=True, return_index=True)
        starts = np.searchsorted(index, np.arange(len(frame)))
        reach = self._reach(frame)
        return np.minimum.reduceat(coordinates[:, 2], starts) - reach, np.maximum.reduceat(
            coordinates[:, 2], starts
        ) + reach

    def _swept(self, frame: gpd.GeoDataFrame) -> TileMesh:
        sections = self._sections(frame)
        shape = frame[self.layer.model["shape"]].to_numpy(dtype=object)
        return sweep(
            frame.geometry.to_numpy(),
            sections[:, 0],
            sections[:, 1],
            shape != "rectangle",
            sides=_SIDES,
            colors=feature_colors(self.layer, frame),
        )

    def _element_heights(self, frame: gpd.GeoDataFrame) -> tuple[Floats, Floats]:
        low, high = (frame[name].to_numpy(dtype=np.float64) for name in ("bottom", "top"))
        ground = np.nan_to_num(
            self.ground(*shapely.get_coordinates(shapely.centroid(frame.geometry.to_numpy())).T), nan=0.0
        )
        low = np.where(np.isnan(low), ground, low)
        return low, np.maximum(np.where(np.isnan(high), low, high), low)

    def _instances(self, frame: gpd.GeoDataFrame) -> list[Instances]:
        """Return each stored mesh once a colour, with the places of the elements that share it."""
        stored = {
            digest: StoredMesh.from_bytes(blob) for digest, blob in self.blobs(sorted(set(frame["mesh"]))).items()
        }
        colors = feature_colors(self.layer, frame)
        painted = frame["color"] if self.layer.field_of("color") else [None] * len(frame)
        own = [_rgba(value) if isinstance(value, str) and value.startswith("#") else None for value in painted]
        shared: dict[tuple[str, tuple[int, ...]], list[int]] = {}
        for row, digest in enumerate(frame["mesh"]):
            if digest in stored and not stored[digest].is_empty:
                shared.setdefault((digest, tuple(own[row] or colors[row].tolist())), []).append(row)
        matrices = [np.array(orjson.loads(text), dtype=np.float64).reshape(4, 4).T for text in frame["matrix"]]
        return [
            Instances(
                _drawn(stored[digest], color),
                np.stack([matrices[row] for row in rows]),
                np.array(rows, dtype=np.uint32),
            )
            for (digest, color), rows in shared.items()
        ]


def _hull_of(ranges: Mapping[str, Range], *names: str) -> Range:
    """Return the range of several values together, 0 to 0 where none is known."""
    known = [ranges[name] for name in names if name in ranges] or [(0.0, 0.0)]
    return min(low for low, _ in known), max(high for _, high in known)


def _drawn(stored: StoredMesh, color: tuple[int, ...]) -> TileMesh:
    """Return a stored mesh as a tile draws it: flat shaded, one colour a triangle where the model gives them."""
    corners = stored.vertices[stored.triangles.ravel()]
    triangles = np.arange(len(corners), dtype=np.uint32).reshape(-1, 3)
    a, b, c = corners[0::3], corners[1::3], corners[2::3]
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.divide(normal, length, out=np.tile([0.0, 0.0, 1.0], (len(normal), 1)), where=length > 0)
    painted = stored.triangle_colors
    colors = (
        np.repeat(painted, 3, axis=0)
        if painted is not None
        else np.tile(np.array(color, dtype=np.uint8), (len(corners), 1))
    )
    return TileMesh(
        corners,
        np.repeat(normal, 3, axis=0).astype(np.float32),
        triangles,
        np.zeros(len(corners), dtype=np.uint32),
        colors,
    )


def feature_colors(layer: Layer, frame: gpd.GeoDataFrame) -> NDArray[np.uint8]:
    """Return the RGBA colour (n, 4) of each feature by the catalogue's style: one for all, or by a field's value."""
    style: Mapping[str, Any] = layer.style
    default = _rgba(str(style.get("color") or style.get("line_color") or "#cccccc"))
    table = {str(value): _rgba(str(color)) for value, color in style.get("colors", {}).items()}
    if not table or style.get("by") not in frame:
        return np.tile(np.array(default, dtype=np.uint8), (len(frame), 1))
    return np.array([table.get(str(value), default) for value in frame[style["by"]]], dtype=np.uint8).reshape(-1, 4)


def _rgba(color: str) -> tuple[int, int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 255


def _days(instants: NDArray[Any], zone: str, never: int) -> NDArray[np.int32]:
    """Return the local days of instants, counted from 1970-01-01; `never` where open."""
    numbers, distinct = pd.factorize(instants)
    days = np.array([*(local_day_number(instant, zone) for instant in distinct), never], dtype=np.int32)
    return days[numbers]


def _ground_under(footprints: NDArray[Any], ground: Ground) -> tuple[Floats, Floats]:
    """Return the lowest and the highest ground at the corners of each footprint."""
    coordinates, index = shapely.get_coordinates(footprints, return_index=True)
    if not len(coordinates):
        return np.zeros(len(footprints)), np.zeros(len(footprints))
    heights = np.nan_to_num(ground(coordinates[:, 0], coordinates[:, 1]), nan=0.0)
    starts = np.searchsorted(index, np.arange(len(footprints)))
    return np.minimum.reduceat(heights, starts), np.maximum.reduceat(heights, starts)


def placed_boxes(boxes: Floats, to_lonlat: ToLonLat) -> NDArray[np.bool_]:
    """Return which boxes have a place on the globe and a height on it: one that has none must not hide a whole layer."""
    placed = np.asarray(np.isfinite(boxes).all(axis=1), dtype=bool)
    placed[placed] = (np.abs(boxes[placed][:, [0, 1, 3, 4]]) < ROOT_CELL / 2).all(axis=1)
    placed[placed] = (np.abs(boxes[placed][:, [2, 5]]) < _FARTHEST_UP).all(axis=1)
    for x, y in ((0, 1), (3, 1), (0, 4), (3, 4)):
        lon, lat = to_lonlat(boxes[placed, x], boxes[placed, y])
        placed[placed] = np.isfinite(lon) & np.isfinite(lat)
    return placed
