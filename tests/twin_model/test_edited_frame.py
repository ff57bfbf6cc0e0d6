"""A frame of a notebook becomes rows of an edit: it knows the version it was read at, and its columns are fields."""

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from twin_model.catalogue import read_catalogue
from twin_model.desk.edited_frame import base_of, rows_in_parts

LAMP = read_catalogue()["street_lamp"]


def test_the_version_given_comes_before_that_of_the_frame_and_another_layers_counts_for_nothing() -> None:
    frame = pd.DataFrame()
    frame.attrs |= {"layer": "building", "version": 7}

    assert base_of(frame, "building", None) == 7
    assert base_of(frame, "building", 3) == 3
    assert base_of(frame, "road_line", None) is None


@pytest.mark.parametrize("version", [0, -1, "7", None])
def test_a_version_that_is_none_is_unknown(version: object) -> None:
    frame = pd.DataFrame()
    frame.attrs |= {"layer": "building", "version": version}

    assert base_of(frame, "building", None) is None


def test_a_long_frame_comes_in_parts_and_an_empty_one_in_one() -> None:
    shapes = shapely.points([[618_000, 3_886_000]] * 50_001)
    frame = gpd.GeoDataFrame(geometry=shapes, crs="EPSG:4548")

    parts = [rows_in_parts(LAMP, part, "EPSG:4548", "Asia/Shanghai") for part in (frame, frame.iloc[:0])]

    assert [[len(rows) for rows in each] for each in parts] == [[50_000, 1], [0]]
