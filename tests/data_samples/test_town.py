"""The plan: buildings, streets, water and sheet lines keep clear of one another."""

import numpy as np
import shapely
from shapely import STRtree, union_all

from data_samples.plan.frame import extent, sheet_lines, sheets
from data_samples.plan.streets import land_of, road_areas
from data_samples.plan.terrain import ground, height_grid
from data_samples.plan.town import Town


def footprints(town: Town) -> list[shapely.Polygon]:
    """Footprints on the ground: towers stand on their podium's."""
    return [b.footprint for b in town.buildings if not b.stands_on]


def test_the_town_has_between_1200_and_2500_valid_buildings(town: Town) -> None:
    shapes = np.array([b.footprint for b in town.buildings])

    assert 1200 <= len(shapes) <= 2500
    assert shapely.is_valid(shapes).all()
    assert len({b.number for b in town.buildings}) == len(town.buildings)


def test_no_building_overlaps_another(town: Town) -> None:
    shapes = footprints(town)

    left, right = STRtree(shapes).query(shapes, predicate="intersects")

    assert [(i, j) for i, j in zip(left, right, strict=True) if i < j] == []


def test_every_tower_stands_within_its_podium_and_is_higher(town: Town) -> None:
    by_number = {b.number: b for b in town.buildings}
    towers = [b for b in town.buildings if b.stands_on]

    assert len(towers) > 10
    for tower in towers:
        podium = by_number[tower.stands_on]
        assert podium.footprint.contains(tower.footprint)
        assert tower.height > podium.height


def test_no_building_stands_on_a_street_in_water_or_on_the_railway(town: Town) -> None:
    water = union_all([polygon for _, _, polygon in town.waters.areas])
    taken = union_all([land_of(town.streets), water, town.station.yard])
    shapely.prepare(taken)

    assert not shapely.intersects(taken, np.array(footprints(town))).any()


def test_no_building_crosses_a_sheet_line(town: Town) -> None:
    shapes = np.array([b.footprint for b in town.buildings])

    assert not shapely.intersects(sheet_lines(), shapes).any()


def test_the_sheets_tile_the_extent_without_gap_or_overlap() -> None:
    neatlines = [sheet.neatline for sheet in sheets()]

    assert union_all(neatlines).equals(extent())
    assert sum(n.area for n in neatlines) == extent().area
    assert {s.number for s in sheets() if s.scale == 1000} >= {"3886.0-618.5", "3885.5-618.0"}


def test_a_sheet_line_inside_the_core_runs_along_a_street(town: Town) -> None:
    centrelines = union_all([s.centreline for s in town.streets]).buffer(0.01)
    inner = sheet_lines().intersection(extent().buffer(-1))

    assert inner.difference(centrelines).length < 1e-6


def test_road_areas_do_not_overlap(town: Town) -> None:
    areas = [polygon for _, polygon in road_areas(town.streets)]

    assert abs(sum(a.area for a in areas) - union_all(areas).area) < 0.5


def test_heights_lie_between_60_and_80_metres_and_the_river_is_the_lowest_place(town: Town) -> None:
    _, _, heights = height_grid(extent().bounds, 20)
    line = shapely.segmentize(town.waters.river_line.intersection(extent()), 25)
    bed = ground(*shapely.get_coordinates(line).T)

    assert 60 < heights.min() < 63 < 76 < heights.max() < 80
    assert bed.max() < 62.5


def test_towers_near_the_station_reach_about_150_metres(town: Town) -> None:
    highest = max(town.buildings, key=lambda b: b.height)
    middle = highest.footprint.centroid

    assert 140 < highest.height < 155
    assert middle.distance(town.station.hall) < 700


def test_no_tree_and_no_car_park_stands_in_a_building_or_in_water(town: Town) -> None:
    taken = union_all([*footprints(town), *[polygon for _, _, polygon in town.waters.areas]])
    shapely.prepare(taken)
    places = np.array([(t.east, t.north) for t in town.trees])

    assert not shapely.contains_xy(taken, places[:, 0], places[:, 1]).any()
    assert not shapely.intersects(taken, np.array([park.area for park in town.car_parks])).any()
    assert not shapely.intersects(taken, np.array([green.area for green in town.greens])).any()


def test_names_of_streets_are_unique(town: Town) -> None:
    names = [s.name for s in town.streets]

    assert len(set(names)) == len(names)
