"""The worst that a town's own layers can hold: texts of ten megabytes, a million corners, ids as nobody should give them."""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely import LineString, Point, box

from twin_model.town import Town

EAST, NORTH = 617_000.0, 3_886_000.0
SOUND = "road_area"
WORDS = [
    "<script>alert(1)</script>", "a/b", "a/versions", "%2e%2e", "a%2Fb", "?q=1", "#top", "'; DROP TABLE building; --", "\u202etxt.exe",
    "😀" * 40, "é", "e\u0301", "{{ 7*7 }}", "${x}", "\\", '"', "a b", " a", "名称", "\x7f", "null", "-0", "1e999", "a" * 4_000,
]  # fmt: skip
"""Ids and names as nobody should give them."""
_HEAVY = 10 * 2**20


def square(n: float, side: float = 10.0) -> Any:
    return box(EAST + 20 * n, NORTH, EAST + 20 * n + side, NORTH + side)


def own_layers(corners: int) -> dict[str, gpd.GeoDataFrame]:
    """Return frames that become layers of the town's own, each with something that no other layer would have."""
    shapes = [square(n) for n in range(len(WORDS))]
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    wheel = shapely.Polygon(np.column_stack((EAST + 300 + 90 * np.cos(angles), NORTH + 90 * np.sin(angles))))
    frames = {
        "strange_words": ({"word": WORDS, "label": WORDS[::-1]}, shapes),
        "field_names": ({"bbox": ["1,2"], "limit": [3], "crs": ["x"], "datetime": ["2024"], "Geometry2": ["g"], "f": ["html"]}, shapes[:1]),
        "heavy_text": ({"note": ["重" * (_HEAVY // 3), "light"]}, shapes[:2]),
        "many_corners": ({"name": ["wheel"]}, [wheel]),
        "no_fields": ({}, shapes[:2]),
        "all_empty": ({"name": [None, None], "size": [None, None]}, [None, shapes[0]]),
        "heights": ({"name": ["up"]}, [Point(EAST, NORTH, 1e9)]),
        "depths": ({"name": ["down"]}, [LineString([(EAST, NORTH, -1e9), (EAST + 5, NORTH, 1e9)])]),
        "years": ({"name": ["first", "last"], "begins": ["0001-01-01", "9999-12-31"]}, shapes[:2]),
        "numbers": ({"value": [1e308, -1e308, 5e-324], "whole": [2**63 - 1, -(2**63), 0]}, shapes[:3]),
    }  # fmt: skip
    made = {
        name: gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4548") for name, (columns, shapes) in frames.items()
    }
    made["strange_words"].index = pd.Index(WORDS, name="id")
    return made


def sound_roads() -> gpd.GeoDataFrame:
    shapes = [shapely.MultiPolygon([square(n)]) for n in range(4)]
    return gpd.GeoDataFrame({"name": list("abcd")}, geometry=shapes, crs="EPSG:4548")


def fill_with_monsters(town: Town, corners: int) -> None:
    """Give a town a sound layer and all the others; `corners` are those of one polygon."""
    town.edit(SOUND, sound_roads(), reason="survey")
    for name, frame in own_layers(corners).items():
        town.save_result(frame, name, reason="<b>why</b>", title=f"<i>{name}</i>\u202e")
