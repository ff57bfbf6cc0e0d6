"""Heights of the ground at frames, arrays and points, on both stores: NaN outside the survey, never an invented one."""

from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from twin_model import Town, init_town
from twin_model.errors import CalledWrongly
from twin_model.relief import SurfaceRefused

CRS, EAST, NORTH = "EPSG:4548", 618_000.0, 3_886_000.0


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    """A slope of 100 m by 100 m that rises 10 m eastwards from 60 m."""
    x, y = np.meshgrid(np.linspace(0, 100, 11), np.linspace(0, 100, 11))
    points = shapely.points(EAST + x.ravel(), NORTH + y.ravel(), 60 + x.ravel() / 10)
    with init_town(tmp_path / "town", name="测试", crs=CRS, store=location) as town:
        spots = gpd.GeoDataFrame({"elevation": 60 + x.ravel() / 10}, geometry=points, crs=CRS)
        town.edit("spot_height", spots, effective="2020-01-01", reason="survey")
        yield town


def test_a_frame_gives_a_series_with_its_index_in_any_crs(town: Town) -> None:
    shapes = [
        shapely.Point(EAST + 50, NORTH + 50),
        None,
        shapely.Point(EAST + 500, NORTH),
        shapely.Point(EAST + 25, NORTH, 999),
    ]
    wells = gpd.GeoDataFrame({"no": [1, 2, 3, 4]}, geometry=shapes, crs=CRS, index=["a", "b", "c", "d"])

    heights = town.height_at(wells)
    far = town.height_at(wells.geometry.to_crs("EPSG:4490"))

    assert heights.index.tolist() == ["a", "b", "c", "d"] and heights.name == "height"
    assert heights["a"] == pytest.approx(65) and heights["d"] == pytest.approx(62.5)
    assert heights.isna().tolist() == [False, True, True, False]
    assert np.allclose(far, heights, atol=1e-4, equal_nan=True)


def test_arrays_points_and_lists_are_in_the_towns_crs(town: Town) -> None:
    point = shapely.Point(EAST + 10, NORTH + 10)

    assert town.height_at(np.array([[EAST + 10, NORTH], [EAST - 1, NORTH]])).tolist() == [
        pytest.approx(61),
        pytest.approx(np.nan, nan_ok=True),
    ]
    assert town.height_at(point) == pytest.approx(61)
    assert town.height_at([point, point]).tolist() == pytest.approx([61, 61])
    assert town.height_at((EAST + 20, NORTH + 20)) == pytest.approx(62)
    assert town.height_at([]).shape == (0,)
    assert town.height_at(np.empty((0, 2))).shape == (0,)


def test_the_ground_is_made_once_and_follows_what_the_town_knows(town: Town) -> None:
    ground = town.ground()
    assert town.ground() is ground and ground.surface() is ground.surface()
    assert ground.heights(np.array([EAST + 500]), np.array([NORTH])).item() > 60, (
        "held outside the survey, when asked there"
    )

    hill = gpd.GeoDataFrame({"elevation": [99.0]}, geometry=[shapely.Point(EAST + 55, NORTH + 55, 99)], crs=CRS)
    town.edit("spot_height", hill, effective="2021-01-01", reason="a hill")

    assert town.height_at(hill)[0] == pytest.approx(99)


def test_what_is_no_point_is_refused(town: Town) -> None:
    area = shapely.box(0, 0, 1, 1)
    for given in (area, [area], np.zeros((3, 3)), "here", 7, [["a", "b"]]):
        with pytest.raises(CalledWrongly, match=r"Expected points.*representative_point") as refused:
            town.height_at(given)

        assert "应为点" in refused.value.text("zh"), given


def test_a_frame_without_crs_and_a_town_without_ground_are_refused(town: Town, tmp_path: Path) -> None:
    with pytest.raises(CalledWrongly, match="never guesses"):
        town.height_at(gpd.GeoSeries([shapely.Point(EAST, NORTH)]))
    with init_town(tmp_path / "empty", name="空", crs=CRS) as empty:
        with pytest.raises(SurfaceRefused, match="no ground.*spot_height and contour.*twin ingest") as refused:
            empty.height_at(shapely.Point(EAST, NORTH))
        assert "城市库没有地面" in refused.value.text("zh")


def test_longitude_and_latitude_are_not_taken_for_metres_without_a_word(town: Town) -> None:
    with pytest.warns(UserWarning, match="坐标像是经纬度"):
        assert np.isnan(town.height_at([(118.29, 35.09)])).all()
    with pytest.warns(UserWarning, match="坐标像是经纬度"):
        assert np.isnan(town.height_at(shapely.Point(118.29, 35.09)))


@pytest.mark.parametrize("height", [0.0, 999.0, -9999.0])
def test_a_height_that_cannot_be_true_bends_no_ground(town: Town, height: float) -> None:
    place = gpd.GeoDataFrame({"elevation": [height]}, geometry=[shapely.Point(EAST + 55, NORTH + 55, height)], crs=CRS)

    town.edit("spot_height", place, effective="2020-02-01", reason="a slip")

    assert town.height_at((EAST + 55, NORTH + 55)) == pytest.approx(65.5)
