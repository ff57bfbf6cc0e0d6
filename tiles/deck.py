"""The town for an analyst's notebook: frames -> a pydeck `Deck`, and it as a page without network.

Only this file imports pydeck. The twin in the browser, with tiles and true BIM meshes, is made of 3D Tiles
(`tiles/solids.py`, `tiles/tileset.py`); here is what fits into one page.

    deck = deck_of({"building": buildings}, catalogue=town.catalogue, ground=surface.height_near)
    Path("out/town.html").write_text(offline_html(deck), "utf-8")

Everything is drawn in metres east and north of one origin (deck.gl's METER_OFFSETS): pydeck's transport keeps
32-bit floats, which for longitude and latitude are steps of 0.2 m, for metres in a town steps of 0.2 mm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import pydeck
import shapely
from numpy.typing import NDArray

from tiles.frame_layer import layer_of_frame, records_of
from tiles.local_frame import LocalFrame, ToLonLat, local_positions, projected_frame
from tiles.offline_page import frame_of, page_html, script_json, without_hosts
from twin_model.box import Box
from twin_model.catalogue import Catalogue
from twin_model.crs import (
    CRS84,
    area_of_use,
    crs_code,
    is_projected,
    lonlat_of,
    title_of,
    transform_bounds,
    transform_geometries,
)
from twin_model.errors import CrsRefused
from twin_model.layer import Layer

__all__ = ["Camera", "deck_of", "frame_html", "offline_html"]

Floats = NDArray[np.float64]
Colors = NDArray[np.uint8]
Ground = Callable[[Floats, Floats], Floats]
DeckRecord = dict[str, Any]

_METER_OFFSETS = pydeck.types.String("@@#COORDINATE_SYSTEM.METER_OFFSETS")
_UNKNOWN_HEIGHT = (233, 228, 218, 255)
_GLASS = 0.6
"""How much of an area's opacity is left while pipes are shown below it."""
_OVERLAY = {"depthCompare": "always", "depthWriteEnabled": False}
_LIGHT = {
    "@@type": "LightingEffect",
    "sky": {"@@type": "AmbientLight", "color": [255, 255, 255], "intensity": 1.15},
    "sun": {
        "@@type": "DirectionalLight",
        "color": [255, 250, 240],
        "intensity": 1.15,
        "direction": [0.45, 0.6, -1.0],
    },
}
"""Roofs brightest, walls to the south-west next, so that heights read at a glance."""
_MATERIAL = {"ambient": 0.5, "diffuse": 0.6, "shininess": 12, "specularColor": [20, 20, 20]}
_HIGHLIGHT = [255, 214, 64, 110]
_PIPE_PIXELS = 1.6


@dataclass(frozen=True)
class Camera:
    """Where the eye is: the box it looks at in the frames' CRS (None: all), degrees of pitch, bearing."""

    bbox: Box | None = None
    pitch: float = 48.0
    bearing: float = 15.0


@dataclass(frozen=True)
class _Place:
    """Projected metres and heights -> metres from the origin; z 0 is the ground at the origin."""

    frame: LocalFrame
    to_lonlat: ToLonLat
    lonlat: tuple[float, float]
    ground: Ground
    height: float

    def east_north_up(self, xy: Floats, z: Floats) -> Floats:
        """Return true metres east and north of the origin and height above its ground, rounded to 1 mm."""
        foot = np.column_stack((xy, np.zeros(len(xy))))
        east_north = local_positions(foot, self.frame, self.to_lonlat)[:, :2]
        return np.column_stack((east_north, z - self.height)).round(3)


def deck_of(
    frames: Mapping[str, gpd.GeoDataFrame],
    *,
    catalogue: Catalogue,
    ground: Ground | float | None = None,
    camera: Camera | None = None,
    lang: str = "zh",
    colors: Mapping[str, Colors] = {},
) -> pydeck.Deck:
    """Return frames, by the id of their layer, as a deck: solids extruded, lines and points at their heights.

    A name that is not in the catalogue is that of a frame of its own kind (`layer_of_frame`). Colours are the
    catalogue's, or RGBA (n, 4) of each row in `colors`. `ground` is the height of the ground at x, y of the first frame's
    CRS (which must be projected), or one height for all, the lowest of all heights if left out; what has no height of its
    own lies on it, and a building of unknown height lies flat. BIM elements are footprints raised from bottom to top, not
    their meshes. While pipes are shown, areas turn pale and the pipes shine through them.
    """
    crs = _shared_crs(frames.values())
    moved = {name: _in_crs(frame, crs) for name, frame in frames.items()}
    paints = {name: colors[name][_is_drawn(frame)] for name, frame in frames.items() if name in colors}
    bounds = _bounds(moved.values(), crs)
    level = _lowest_height(moved.values()) if ground is None else ground
    place = _place_of(bounds, crs, level if callable(level) else _level(level))
    layers = [catalogue.layers.get(name) or layer_of_frame(name, frame) for name, frame in moved.items()]
    glass = _GLASS if any(layer.underground or _kind(layer) == "sweep" for layer in layers) else 1.0
    camera = camera or Camera()
    return pydeck.Deck(
        layers=[
            _drawn(
                layer,
                moved[layer.id],
                records_of(layer, moved[layer.id], lang, paints.get(layer.id)),
                place,
                glass,
                layer.id in paints,
            )
            for layer in sorted(layers, key=_order)
        ],
        initial_view_state=_view_state(camera, camera.bbox or bounds, place),
        effects=[_LIGHT],
        map_provider=None,
        map_style=None,
        tooltip={"text": "{label}"},
    )


def _shared_crs(frames: Iterable[gpd.GeoDataFrame]) -> str:
    crs = crs_code(next((frame.crs for frame in frames), None))
    if not is_projected(crs):
        raise CrsRefused("crs.not_projected", crs=crs, title=title_of(crs))
    return crs


def _in_crs(frame: gpd.GeoDataFrame, crs: str) -> gpd.GeoDataFrame:
    """Return the features that have a geometry, in the deck's CRS."""
    present = frame[_is_drawn(frame)]
    return present.set_geometry(
        gpd.GeoSeries(transform_geometries(present.geometry.to_numpy(), present.crs, crs), present.index, crs=crs)
    )


def _is_drawn(frame: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    return np.asarray(frame.geometry.notna() & ~frame.geometry.is_empty, dtype=np.bool_)


def _lowest_height(frames: Iterable[gpd.GeoDataFrame]) -> float:
    """Return the lowest height of any corner or base, 0 where none has one."""
    heights = [shapely.get_coordinates(frame.geometry.to_numpy(), include_z=True)[:, 2] for frame in frames]
    heights += [_numbers(frame, name) for frame in frames for name in ("base_elevation", "bottom")]
    known = np.concatenate(heights)
    return float(np.nanmin(known)) if np.isfinite(known).any() else 0.0


def _bounds(frames: Iterable[gpd.GeoDataFrame], crs: str) -> Box:
    """Return the box of all features; of the CRS where there is none, so that no feature is an empty deck."""
    boxes = np.array([frame.total_bounds for frame in frames if len(frame)]).reshape(-1, 4)
    if not len(boxes):
        return transform_bounds(area_of_use(crs) or (-180.0, -80.0, 180.0, 80.0), CRS84, crs)
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _level(height: float) -> Ground:
    return lambda x, y: np.full(len(x), height)


def _place_of(bounds: Box, crs: str, ground: Ground) -> _Place:
    x, y = (np.array([(bounds[axis] + bounds[axis + 2]) / 2]) for axis in (0, 1))
    to_lonlat = lonlat_of(crs)
    lon, lat = to_lonlat(x, y)
    height = float(np.nan_to_num(ground(x, y), nan=0.0)[0])
    frame = projected_frame(float(x[0]), float(y[0]), 0.0, to_lonlat)
    return _Place(frame, to_lonlat, (float(lon[0]), float(lat[0])), ground, height)


def _kind(layer: Layer) -> str:
    return str(layer.model.get("kind", ""))


def _order(layer: Layer) -> int:
    """Sort what is drawn: areas, what lies below and shines through them, lines and points, solids last."""
    if layer.underground or _kind(layer) == "sweep":
        return 1
    return 3 if _kind(layer) else 0 if layer.dimension == 2 else 2


def _view_state(camera: Camera, bbox: Box, place: _Place) -> pydeck.ViewState:
    """Return the eye over the middle of a box, as near as about 900 x 500 pixels can show it whole."""
    x, y = np.array([bbox[0], bbox[2]]), np.array([bbox[1], bbox[3]])
    lon, lat = place.to_lonlat(x.mean(keepdims=True), y.mean(keepdims=True))
    metres = max((bbox[2] - bbox[0]) / 820, (bbox[3] - bbox[1]) / 460, 0.02)
    zoom = np.log2(78271.517 * np.cos(np.radians(lat[0])) / metres)  # 78 km a pixel at zoom 0
    return pydeck.ViewState(
        longitude=float(lon[0]),
        latitude=float(lat[0]),
        zoom=float(zoom),
        pitch=camera.pitch,
        bearing=camera.bearing,
        max_pitch=85,
    )


def _drawn(
    layer: Layer, frame: gpd.GeoDataFrame, records: list[DeckRecord], place: _Place, glass: float, is_painted: bool
) -> pydeck.Layer:
    """Return a layer of the deck; where the caller gave colours, `is_painted`, no others come in."""
    if layer.dimension == 2 and _kind(layer):
        return _solids_layer(layer, frame, records, place, is_painted)
    if layer.dimension == 2:
        return _areas_layer(layer, frame, records, place, glass)
    return (_lines_layer if layer.dimension == 1 else _points_layer)(layer, frame, records, place)


def _polygons(
    frame: gpd.GeoDataFrame, records: list[DeckRecord], place: _Place, base: Floats | None
) -> list[DeckRecord]:
    """Return one record a polygon, its rings in metres at `base` (rows,), None for the ground below."""
    parts, row_of_part = shapely.get_parts(shapely.force_2d(frame.geometry.to_numpy()), return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    xy, ring_of_point = shapely.get_coordinates(rings, return_index=True)
    row = row_of_part[part_of_ring[ring_of_point]]
    z = np.nan_to_num(place.ground(xy[:, 0], xy[:, 1]), nan=place.height) if base is None else base[row]
    paths = _split(place.east_north_up(xy, z), ring_of_point, len(rings))
    polygons: list[list[Any]] = [[] for _ in parts]
    for part, path in zip(part_of_ring, paths, strict=True):
        polygons[part].append(path)
    return [records[row] | {"polygon": polygon} for row, polygon in zip(row_of_part, polygons, strict=True)]


def _split(points: Floats, owner: NDArray[np.intp], count: int) -> list[Any]:
    return [path.tolist() for path in np.split(points, np.searchsorted(owner, np.arange(1, count)))[:count]]


def _solids_layer(
    layer: Layer, frame: gpd.GeoDataFrame, records: list[DeckRecord], place: _Place, is_painted: bool
) -> pydeck.Layer:
    base, height = _standing(layer, frame, place)
    for record, metres in zip(records, height, strict=True):
        record["elevation"] = round(float(np.nan_to_num(metres)), 3)
        if np.isnan(metres) and not is_painted:
            record["color"] = list(_UNKNOWN_HEIGHT)
    if _kind(layer) == "mesh" and "color" in frame and not is_painted:
        for record, color in zip(records, frame["color"], strict=True):
            if isinstance(color, str) and color.startswith("#"):
                record["color"] = _rgb(color)
    polygons = _polygons(frame, records, place, base)
    return _layer("PolygonLayer", layer, polygons, place, get_polygon="polygon", extruded=True,
                  wireframe=True, get_elevation="elevation", get_fill_color="color",
                  get_line_color=[90, 84, 76], material=_MATERIAL)  # fmt: skip


def _standing(layer: Layer, frame: gpd.GeoDataFrame, place: _Place) -> tuple[Floats, Floats]:
    """Return the height at which each solid stands and the metres it rises, NaN where nobody knows."""
    base_name, top_name = ("bottom", "top") if _kind(layer) == "mesh" else (str(layer.model.get("base")), "")
    corners, row = shapely.get_coordinates(frame.geometry.to_numpy(), return_index=True)
    lowest = np.full(len(frame), np.inf)
    np.minimum.at(lowest, row, np.nan_to_num(place.ground(corners[:, 0], corners[:, 1]), nan=place.height))
    own = _numbers(frame, base_name)
    base = np.where(np.isnan(own), lowest, own)
    return base, _numbers(frame, top_name) - base if top_name else _numbers(frame, str(layer.model["height"]))


def _numbers(frame: gpd.GeoDataFrame, name: str) -> Floats:
    if name not in frame:
        return np.full(len(frame), np.nan)
    return np.asarray(pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))


def _areas_layer(
    layer: Layer, frame: gpd.GeoDataFrame, records: list[DeckRecord], place: _Place, glass: float
) -> pydeck.Layer:
    """Return areas lying on the ground. They hide nothing: the order of the layers says what is over what."""
    line = _rgb(str(layer.style.get("line_color", "#8c8c8c")))
    opacity = float(layer.style.get("opacity", 1.0)) * glass
    polygons = _polygons(frame, records, place, None)
    return _layer("PolygonLayer", layer, polygons, place, get_polygon="polygon", get_fill_color="color",
                  stroked=True, get_line_color=line, line_width_min_pixels=1, get_line_width=0.5,
                  opacity=opacity, parameters=_OVERLAY)  # fmt: skip


def _lines_layer(layer: Layer, frame: gpd.GeoDataFrame, records: list[DeckRecord], place: _Place) -> pydeck.Layer:
    """Return lines at their heights, pipes as wide as they are, yet never too thin to be seen."""
    parts, row_of_part = shapely.get_parts(frame.geometry.to_numpy(), return_index=True)
    xyz, part_of_point = shapely.get_coordinates(parts, include_z=True, return_index=True)
    paths = _split(place.east_north_up(xyz[:, :2], _heights(xyz, place)), part_of_point, len(parts))
    width = np.nan_to_num(_numbers(frame, str(layer.model.get("width_mm"))) / 1000.0, nan=0.1)
    data = [
        records[row] | {"path": path, "width": round(float(width[row]), 3)}
        for row, path in zip(row_of_part, paths, strict=True)
    ]
    pixels = _PIPE_PIXELS if _kind(layer) == "sweep" else float(layer.style.get("line_width", 1.0))
    return _layer("PathLayer", layer, data, place, get_path="path", get_color="color", get_width="width",
                  billboard=True, cap_rounded=True, joint_rounded=True, width_min_pixels=pixels)  # fmt: skip


def _points_layer(layer: Layer, frame: gpd.GeoDataFrame, records: list[DeckRecord], place: _Place) -> pydeck.Layer:
    xyz = shapely.get_coordinates(frame.geometry.to_numpy(), include_z=True)
    points = place.east_north_up(xyz[:, :2], _heights(xyz, place)).tolist()
    data = [record | {"position": point} for record, point in zip(records, points, strict=True)]
    return _layer("ScatterplotLayer", layer, data, place, get_position="position", get_fill_color="color",
                  get_radius=0.5, radius_min_pixels=1.5)  # fmt: skip


def _heights(xyz: Floats, place: _Place) -> Floats:
    ground = np.nan_to_num(place.ground(xyz[:, 0], xyz[:, 1]), nan=place.height)
    return np.where(np.isnan(xyz[:, 2]), ground, xyz[:, 2])


def _layer(kind: str, layer: Layer, data: list[DeckRecord], place: _Place, **props: Any) -> pydeck.Layer:
    return pydeck.Layer(kind, data, id=layer.id, pickable=True, auto_highlight=True,
                        highlight_color=_HIGHLIGHT, coordinate_system=_METER_OFFSETS,
                        coordinate_origin=[*place.lonlat, 0.0], **props)  # fmt: skip


def _rgb(color: str) -> list[int]:
    return [int(color[start : start + 2], 16) for start in (1, 3, 5)]


def offline_html(deck: pydeck.Deck, *, title: str = "", legend: str = "", lang: str = "zh") -> str:
    """Return a page that draws a deck of `deck_of` without any network; 4 MB of it are deck.gl from pydeck.

    `legend` is HTML (`legend_html`). `Deck.to_html(offline=True)` inlines deck.gl too, yet asks other hosts for map
    libraries and style sheets. This page asks nobody: addresses in the bundle lose their scheme, and the page's content
    security policy refuses whatever would still be asked for.
    """
    scene = script_json(orjson.loads(deck.to_json()))
    return page_html(
        title=title,
        styles=_STYLES,
        body='<div id="deck-container"></div>',
        scripts=[_bundle(), _DRAW.replace("SCENE", scene, 1)],
        legend=legend,
        lang=lang,
    )


def frame_html(deck: pydeck.Deck, *, height: int = 520) -> str:
    """Return the offline page inside a frame, for `IPython.display.HTML`; `height` in pixels."""
    return frame_of(offline_html(deck), height=height)


@cache
def _bundle() -> str:
    """Return deck.gl as pydeck ships it."""
    return without_hosts(files("pydeck").joinpath("nbextension", "static", "index.js").read_text("utf-8"))


_STYLES = "#deck-container { position: relative; width: 100vw; height: 100vh; }"

_DRAW = """
const deckInstance = createDeck({
  container: document.getElementById("deck-container"),
  jsonInput: SCENE,
  tooltip: {
    text: "{label}",
    style: {whiteSpace: "pre-wrap", maxWidth: "340px", overflowWrap: "anywhere", font: "inherit", zIndex: 3,
            background: "#2b2b2bee", color: "#fff"},
  },
});
deckInstance.setProps({onAfterRender: () => {
  const viewport = deckInstance.getViewports()[0];
  if (viewport) drawScale(viewport.metersPerPixel);
}});
"""
