"""Frames as a flat map by MapLibre GL JS: a page seen from above, north up, that works without network.

There is no background map, no letters and no tiles: only what is given. The library comes with the built viewer
(`viewer/dist/maplibre`, made by `make viewer`). Not here: three dimensions (`deck`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import orjson
import shapely

from tiles.frame_layer import records_of
from tiles.offline_page import BACKGROUND, page_html, script_json, without_hosts
from tiles.symbology import Symbols
from tiles.viewer_files import viewer_folder
from twin_model.box import Box
from twin_model.crs import CRS84, transform_geometries
from twin_model.errors import PackageMissing
from twin_model.layer import Layer

__all__ = ["DrawnLayer", "flat_map_html"]

LIBRARY = viewer_folder() / "maplibre"
"""The folder of MapLibre's script and style sheet."""

_DECIMALS = 8
"""Decimals of a degree: a millimetre."""


@dataclass(frozen=True)
class DrawnLayer:
    """A layer, its features (any CRS that is set; none without geometry), their colours and legend."""

    layer: Layer
    frame: gpd.GeoDataFrame
    symbols: Symbols


def flat_map_html(
    layers: Sequence[DrawnLayer], *, extent: Box, lang: str, legend: str = "", title: str = "", library: Path = LIBRARY
) -> str:
    """Return a page with the layers over one another, areas lowest, points on top.

    `extent` is the box in degrees that the page begins with. Raises `PackageMissing` where the viewer is not built.
    """
    script, styles = _library(library)
    drawn = sorted(layers, key=lambda each: -each.layer.dimension)
    sources = {f"layer-{number}": _source(each, lang) for number, each in enumerate(drawn)}
    styled = [style for number, each in enumerate(drawn) for style in _style_layers(f"layer-{number}", each.layer)]
    background = {"id": "background", "type": "background", "paint": {"background-color": BACKGROUND}}
    style = {"version": 8, "sources": sources, "layers": [background, *styled]}
    scene = script_json({"style": style, "bounds": extent, "picked": [each["id"] for each in styled[::-1]]})
    return page_html(
        title=title,
        styles=f"{styles}\n{_STYLES}",
        body='<div id="map"></div><div id="tooltip"></div>',
        scripts=[script, f"const scene = {scene};\n{_DRAW}"],
        legend=legend,
        lang=lang,
    )


def _library(folder: Path) -> tuple[str, str]:
    try:
        script, styles = ((folder / f"maplibre-gl.{kind}").read_text("utf-8") for kind in ("js", "css"))
    except FileNotFoundError as error:
        raise PackageMissing("notebook.no_viewer", path=str(folder)) from error
    return without_hosts(script), without_hosts(styles)


def _source(drawn: DrawnLayer, lang: str) -> dict[str, Any]:
    """Return a GeoJSON source with longitudes and latitudes; properties are label and colour."""
    records = records_of(drawn.layer, drawn.frame, lang, drawn.symbols.colors)
    moved = transform_geometries(shapely.force_2d(drawn.frame.geometry.to_numpy()), drawn.frame.crs, CRS84)
    shapes = shapely.to_geojson(shapely.transform(moved, lambda degrees: degrees.round(_DECIMALS)))
    features = [
        {"type": "Feature", "id": number, "properties": _properties(record), "geometry": orjson.Fragment(shape)}
        for number, (record, shape) in enumerate(zip(records, shapes, strict=True))
    ]
    data = {"type": "FeatureCollection", "features": features}
    return {"type": "geojson", "data": data, "maxzoom": 20, "tolerance": 0.1}


def _properties(record: dict[str, Any]) -> dict[str, Any]:
    red, green, blue, _ = record["color"]
    return {"id": record["id"], "label": record["label"], "color": f"#{red:02x}{green:02x}{blue:02x}"}


def _style_layers(name: str, layer: Layer) -> list[dict[str, Any]]:
    """Return how MapLibre draws a layer; the outline of what the pointer is on is wider."""
    color, is_pointed = ["get", "color"], ["boolean", ["feature-state", "pointed"], False]
    line_width = float(layer.style.get("line_width", 1.0))
    if layer.dimension == 2:
        outline = str(layer.style.get("line_color", "#8c8c8c"))
        fill = {"fill-color": color, "fill-opacity": float(layer.style.get("opacity", 1.0))}
        line = {"line-color": ["case", is_pointed, "#1c1c1c", outline], "line-width": ["case", is_pointed, 2.5, 0.7]}
        kinds = [("fill", fill), ("line", line)]
    elif layer.dimension == 1:
        kinds = [("line", {"line-color": color, "line-width": ["case", is_pointed, line_width + 3, line_width + 0.5]})]
    else:
        rim = ["case", is_pointed, "#1c1c1c", "#ffffff"]
        circle = {"circle-color": color, "circle-stroke-color": rim, "circle-radius": _by_zoom(1.4, 4.5)}
        kinds = [
            (
                "circle",
                circle | {"circle-stroke-width": _by_zoom(["case", is_pointed, 2, 0.2], ["case", is_pointed, 2, 1])},
            )
        ]
    return [{"id": f"{name}-{kind}", "type": kind, "source": name, "paint": paint} for kind, paint in kinds]


def _by_zoom(far: Any, near: Any) -> list[Any]:
    """Return a value that goes from that of a whole town to that of a street."""
    return ["interpolate", ["linear"], ["zoom"], 13, far, 17, near]


_STYLES = f"""
#map {{ position: absolute; inset: 0; background: {BACKGROUND}; }}
#tooltip {{ position: absolute; z-index: 3; display: none; max-width: 340px; padding: 5px 9px; white-space: pre-wrap;
  color: #fff; background: #2b2b2bee; border-radius: 3px; pointer-events: none; overflow-wrap: anywhere; }}
"""

_DRAW = """
const legend = document.getElementById("legend");
const covered = legend ? Math.min(legend.offsetWidth + 10, innerWidth * 0.35) : 0;
const padding = {top: 20, right: 44, bottom: 36, left: 20 + covered};
const map = new maplibregl.Map({
  container: "map", style: scene.style, bounds: scene.bounds, fitBoundsOptions: {padding, maxZoom: 19},
  attributionControl: false, dragRotate: false, pitchWithRotate: false, maxPitch: 0, maxZoom: 23, fadeDuration: 0,
});
map.touchZoomRotate.disableRotation();
map.keyboard.disableRotation();
map.addControl(new maplibregl.NavigationControl({showCompass: false}));
const tooltip = document.getElementById("tooltip");
let pointed = null;
function point(feature) {
  if (pointed) map.setFeatureState(pointed, {pointed: false});
  pointed = feature ? {source: feature.source, id: feature.id} : null;
  if (pointed) map.setFeatureState(pointed, {pointed: true});
}
function featureAt({x, y}) {
  return map.queryRenderedFeatures([[x - 3, y - 3], [x + 3, y + 3]], {layers: scene.picked})[0];
}
map.on("mousemove", ({point: at}) => {
  const feature = featureAt(at);
  point(feature);
  map.getCanvas().style.cursor = feature ? "pointer" : "";
  tooltip.style.display = feature ? "block" : "none";
  if (!feature) return;
  tooltip.textContent = feature.properties.label;
  const {clientWidth: width, clientHeight: height} = map.getContainer();
  tooltip.style.left = `${Math.max(4, Math.min(at.x + 14, width - tooltip.offsetWidth - 6))}px`;
  tooltip.style.top = `${Math.max(4, Math.min(at.y + 14, height - tooltip.offsetHeight - 6))}px`;
});
map.on("mouseout", () => { point(null); tooltip.style.display = "none"; });
function showScale() {
  const y = map.getContainer().clientHeight / 2, x = map.getContainer().clientWidth / 2;
  drawScale(map.unproject([x - 50, y]).distanceTo(map.unproject([x + 50, y])) / 100);
}
map.on("move", showScale);
map.on("resize", showScale);
showScale();
"""
