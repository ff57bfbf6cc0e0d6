"""Plot ratio, building density, green ratio and length of pipes: small worlds of which the answer is known by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from twin_model import Town, init_town
from twin_model.desk.measures import building_density, green_ratio, pipe_length, plot_ratio
from twin_model.errors import CrsRefused, QueryRefused

CRS, EAST, NORTH = "EPSG:4548", 618_000.0, 3_886_000.0


def box(left: float, bottom: float, right: float, top: float) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([shapely.box(EAST + left, NORTH + bottom, EAST + right, NORTH + top)])


def frame(shapes: list[Any], **columns: Any) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=CRS)


PARCELS = frame([box(0, 0, 100, 100), box(100, 0, 200, 100), box(300, 0, 400, 100)], parcel_no=["A", "B", "C"])
BUILDINGS = frame(
    [box(10, 10, 30, 30), box(90, 40, 130, 60), box(150, 0, 170, 20), box(10, 60, 60, 90), box(20, 65, 40, 85)],
    storeys=pd.array([5, 10, None, 4, 20], dtype="Int64"),
)
"""One in A; one across A and B, a quarter of it in A; one of unknown storeys in B; a podium in A with a tower in it."""


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    with init_town(tmp_path / "town", name="测试", crs=CRS, store=location) as town:
        town.edit("land_use", PARCELS, effective="2022-01-01", reason="plan")
        town.edit("building", BUILDINGS, effective="2020-01-01", reason="survey")
        yield town


def test_floor_area_is_split_among_parcels_and_no_storey_counts_twice(town: Town) -> None:
    ratio = town.plot_ratio()

    tower, podium = 400 * 20, (1500 - 400) * 4
    assert ratio["floor_area_estimate"].tolist() == pytest.approx([400 * 5 + 200 * 10 + podium + tower, 600 * 10, 0])
    assert ratio["plot_ratio_estimate"].tolist() == pytest.approx([1.64, 0.6, 0])
    assert ratio["footprint_area"].tolist() == pytest.approx([400 + 200 + 1500, 600 + 400, 0])
    assert ratio["buildings"].tolist() == [3, 2, 0], "each building once, where the most of it stands"
    assert ratio["unknown_storeys"].tolist() == [0, 1, 0]
    assert ratio["parcel_area"].tolist() == pytest.approx([10_000] * 3)
    assert (
        ratio.index.equals(town.features("land_use").index)
        and ratio.crs == CRS
        and ratio.geometry.area.sum() == pytest.approx(30_000)
    )


def test_density_counts_the_ground_once(town: Town) -> None:
    density = town.building_density("规划用地", "建筑物")

    assert density["density_percent_estimate"].tolist() == pytest.approx([21, 10, 0])
    assert density["footprint_area"].sum() == pytest.approx(BUILDINGS.union_all().area)


def test_outlines_that_overlap_in_any_number_are_as_large_as_their_union() -> None:
    random = np.random.default_rng(7)
    corners = random.uniform(0, 90, (60, 2))
    buildings = frame([box(x, y, x + 15, y + 15) for x, y in corners], storeys=random.integers(1, 30, 60))
    storeys = buildings["storeys"].to_numpy()

    ratio = plot_ratio(PARCELS.iloc[:1], buildings)

    inside = buildings.intersection(PARCELS.geometry.iloc[0])
    assert ratio["footprint_area"].sum() == pytest.approx(inside.union_all().area)
    layered = sum(inside[storeys >= floor].union_all().area for floor in range(1, 30))
    assert ratio["floor_area_estimate"].sum() == pytest.approx(layered), "floor by floor, what stands that high"


def test_green_space_is_of_the_kinds_that_count() -> None:
    areas = [box(0, 0, 50, 100), box(40, 0, 60, 100), box(60, 0, 100, 100), box(110, 0, 120, 100)]
    vegetation = frame(areas, kind=["草地", "林地", "耕地", None])

    green = green_ratio(PARCELS, vegetation)

    assert green["green_area"].tolist() == pytest.approx([6000, 0, 0]), "what overlaps counts once"
    assert green["other_vegetation_area"].tolist() == pytest.approx([4000, 1000, 0])
    assert green["green_percent_estimate"].tolist() == pytest.approx([60, 0, 0])
    assert green_ratio(PARCELS, vegetation, kinds=None)["green_percent_estimate"].tolist() == pytest.approx(
        [100, 10, 0]
    )
    assert green_ratio(PARCELS, vegetation, kinds=["耕地"])["green_percent_estimate"].tolist()[0] == pytest.approx(40)


def test_pipes_are_as_long_as_their_axis_and_groups_add_up(town: Town) -> None:
    lines = [
        shapely.LineString([(EAST, NORTH, 60), (EAST + 300, NORTH, 460)]),
        shapely.LineString([(EAST, NORTH, 60), (EAST + 100, NORTH, 60)]),
        shapely.LineString([(EAST, NORTH, 60), (EAST, NORTH + 700, 60)]),
    ]
    keys = {"segment_key": ["1", "2", "3"], "class": ["JS", "JS", "PS"], "material": ["PE", None, "砼"]}
    town.edit("pipe_line", frame(lines, **keys), effective="2020-01-01", reason="survey")

    length = town.pipe_length()
    both = town.pipe_length(["管类", "material"])

    assert length.loc["JS"].tolist() == pytest.approx([2, 0.6, 0.4]) and length.loc["PS", "length_km"] == pytest.approx(
        0.7
    )
    assert (
        both.index.names == ["class", "material"] and len(both) == 3 and both["length_km"].sum() == pytest.approx(1.3)
    )
    assert town.pipe_length([]).loc["all", ["segments", "length_km"]].tolist() == pytest.approx([3, 1.3])
    with pytest.raises(QueryRefused, match="no field 'materail'. Nearest: material"):
        town.pipe_length("materail")


def test_a_line_of_several_parts_or_without_heights_has_its_length_in_plan() -> None:
    parts = shapely.MultiLineString([[(0, 0), (100, 0)], [(500, 0), (500, 100)]])
    half = shapely.LineString([(0, 0, 60), (30, 40, float("nan"))])

    length = pipe_length(frame([parts, half, None], kind=["x", "y", "z"]), "kind")

    assert length["length_km"].tolist() == pytest.approx([0.2, 0.05, 0])


def test_frames_of_ones_own_are_measured_in_any_projected_crs(town: Town) -> None:
    zone_39 = PARCELS.to_crs("EPSG:4527")

    ratio = town.plot_ratio(zone_39, BUILDINGS.assign(storeys=1))

    assert ratio["plot_ratio_estimate"].tolist()[:2] == pytest.approx([0.21, 0.1], rel=1e-3)
    assert ratio.crs == "EPSG:4527"
    assert building_density(PARCELS, BUILDINGS.iloc[:0])["density_percent_estimate"].tolist() == [0, 0, 0]
    assert plot_ratio(PARCELS.iloc[:0], BUILDINGS).empty


def test_the_past_is_measured_and_a_time_before_the_plan_is_refused_not_zero(town: Town) -> None:
    torn_down = town.features("building").iloc[:1].assign(storeys=1)
    town.edit("building", torn_down, effective="2023-01-01", reason="survey")

    assert town.plot_ratio(at="2022-06-01")["plot_ratio_estimate"].tolist()[0] == pytest.approx(1.64)
    assert town.plot_ratio()["plot_ratio_estimate"].tolist()[0] == pytest.approx(1.48)
    assert town.plot_ratio(as_known=2)["plot_ratio_estimate"].tolist()[0] == pytest.approx(1.64)
    with pytest.raises(QueryRefused, match="land_use shows nothing at that time: .* since 2022-01-01") as refused:
        town.plot_ratio(at="2021-01-01")
    assert "自 2022-01-01 起有效" in refused.value.text("zh")
    assert town.plot_ratio(PARCELS, at="2021-01-01")["floor_area_estimate"].sum() > 0


def test_frames_that_cannot_be_measured_are_refused() -> None:
    with pytest.raises(CrsRefused, match="in degrees.*Transform it"):
        plot_ratio(PARCELS.to_crs("EPSG:4490"), BUILDINGS)
    with pytest.raises(CrsRefused, match="never guesses"):
        pipe_length(gpd.GeoDataFrame({"class": ["JS"]}, geometry=[shapely.LineString([(0, 0), (1, 1)])]))
    with pytest.raises(QueryRefused, match="no column 'storeys', its columns are geometry"):
        plot_ratio(PARCELS, BUILDINGS[["geometry"]])
    with pytest.raises(QueryRefused, match="no column 'kind'"):
        green_ratio(PARCELS, BUILDINGS)
