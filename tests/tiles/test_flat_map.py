"""A flat map as a page: its GeoJSON, how its layers lie over one another, what is said without a built viewer."""

import json
import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from shapely import LineString, Point, box

from tiles.flat_map import DrawnLayer, flat_map_html
from tiles.frame_layer import layer_of_frame
from tiles.symbology import Symbols
from twin_model.errors import PackageMissing

AREA = box(618500, 3886000, 618540, 3886030)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder with files named as MapLibre's, so that this test needs no built viewer."""
    (tmp_path / "maplibre-gl.js").write_text("const maplibregl = {};", "utf-8")
    (tmp_path / "maplibre-gl.css").write_text(".maplibregl-map {}", "utf-8")
    return tmp_path


def drawn(shape: Any) -> DrawnLayer:
    frame = gpd.GeoDataFrame({"name": ["站房"]}, geometry=[shape], crs="EPSG:4548", index=["a"])
    return DrawnLayer(layer_of_frame("result", frame), frame, Symbols(np.array([[255, 0, 0, 255]], dtype=np.uint8), ()))


def scene_of(page: str) -> dict[str, Any]:
    found = re.search(r"const scene = (.*);\n", page)
    assert found is not None
    scene: dict[str, Any] = json.loads(found[1])
    return scene


def test_features_come_in_degrees_to_the_millimetre_with_colour_and_label(library: Path) -> None:
    page = flat_map_html([drawn(AREA)], extent=(118, 35, 119, 36), lang="zh", library=library)

    (feature,) = scene_of(page)["style"]["sources"]["layer-0"]["data"]["features"]
    lon, lat = feature["geometry"]["coordinates"][0][0]
    assert (lon, lat) == pytest.approx((118.3, 35.1), abs=0.05)
    assert len(str(lon).split(".")[1]) <= 8
    assert feature["properties"] == {"id": "a", "label": "result a\nname: 站房", "color": "#ff0000"}


def test_areas_lie_lowest_and_points_on_top_and_the_pointer_asks_the_topmost_first(library: Path) -> None:
    shapes = [Point(618500, 3886000), AREA, LineString([(618500, 3886000), (618540, 3886030)])]

    scene = scene_of(
        flat_map_html([drawn(each) for each in shapes], extent=(118, 35, 119, 36), lang="zh", library=library)
    )

    kinds = [layer["type"] for layer in scene["style"]["layers"]]
    assert kinds == ["background", "fill", "line", "line", "circle"]
    assert scene["picked"][0].endswith("-circle") and scene["picked"][-1].endswith("-fill")


def test_the_style_asks_for_no_letters_tiles_or_pictures(library: Path) -> None:
    style = scene_of(flat_map_html([drawn(AREA)], extent=(118, 35, 119, 36), lang="zh", library=library))["style"]

    assert set(style) == {"version", "sources", "layers"}
    assert {source["type"] for source in style["sources"].values()} == {"geojson"}


def test_without_a_built_viewer_it_is_said_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(PackageMissing) as refused:
        flat_map_html([drawn(AREA)], extent=(118, 35, 119, 36), lang="zh", library=tmp_path / "maplibre")

    assert "make viewer" in str(refused.value)
    assert "make viewer" in refused.value.text("zh")
    assert str(tmp_path) in str(refused.value)
