"""A frame of any kind as a layer to be drawn, and what a pointer reads of its features."""

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from shapely import LineString, Point, box

from tiles.frame_layer import layer_of_frame, records_of, with_columns
from twin_model.catalogue import read_catalogue

CRS = "EPSG:4548"
AREA = box(618500, 3886000, 618540, 3886030)
BUILDING = read_catalogue()["building"]


def frame_of(shape: Any = AREA, **columns: Any) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {name: [value] for name, value in columns.items()}, geometry=[shape], crs=CRS, index=["A-01"]
    )


@pytest.mark.parametrize(("shape", "dimension"), [(Point(1, 2), 0), (LineString([(0, 0), (1, 1)]), 1), (AREA, 2)])
def test_a_layer_has_the_dimension_of_its_features(shape: Any, dimension: int) -> None:
    assert layer_of_frame("far", frame_of(shape)).dimension == dimension


def test_areas_with_a_height_of_numbers_are_raised_and_others_lie_flat() -> None:
    assert layer_of_frame("far", frame_of(height=12.0)).model["kind"] == "extrude"
    assert "kind" not in layer_of_frame("far", frame_of(height="tall")).model
    assert "kind" not in layer_of_frame("far", frame_of(Point(1, 2), height=12.0)).model


def test_a_label_has_title_id_and_values_as_people_write_them() -> None:
    frame = frame_of(容积率=1.23456, share=0.000123456, near=True, empty=None, parts=[1, 2], fid=7)

    (record,) = records_of(layer_of_frame("far", frame, title="地块"), frame, "zh")

    assert record["label"].split("\n") == ["地块 A-01", "容积率: 1.235", "share: 0.000123", "near: 是", "parts: [1, 2]"]


def test_a_column_of_ones_own_is_read_before_the_fields_of_the_layer() -> None:
    frame = frame_of(storeys=6, structure="砖", density=0.5, version=3)

    (record,) = records_of(with_columns(BUILDING, frame, first="structure"), frame, "zh")

    assert record["label"].split("\n") == ["建筑物 A-01", "结构: 砖木结构", "density: 0.5", "地上层数: 6"]


def test_colours_that_are_given_come_before_those_of_the_catalogue() -> None:
    frame = frame_of(structure="砖")

    own, given = (
        records_of(BUILDING, frame, "zh"),
        records_of(BUILDING, frame, "zh", np.array([[1, 2, 3, 255]], np.uint8)),
    )

    assert own[0]["color"] == [0xD8, 0xA5, 0x8C, 255]
    assert given[0]["color"] == [1, 2, 3, 255]
