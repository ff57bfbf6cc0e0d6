"""Geometries are made valid and of the type of their layer; what was wrong is a finding, what cannot be used is set aside."""

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from ingest.fitting_rows import FittingRows
from ingest.geometry_repair import are_finite, give_type_of_layer, repair, single_parts
from twin_model.catalogue import read_catalogue
from twin_model.rows.coordinate_runs import no_runs

CRS = "EPSG:4548"
CATALOGUE = read_catalogue()
BOW_TIE = "POLYGON ((0 0, 10 10, 10 0, 0 10, 0 0))"
SQUARE = "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))"


def geometries(*texts: str | None) -> Any:
    return np.array([*(text and shapely.from_wkt(text) for text in texts), None], dtype=object)[:-1]


def rows_of(layer: str, *texts: str | None) -> FittingRows:
    shapes, runs = geometries(*texts), no_runs(CATALOGUE[layer].dimension)
    frame = gpd.GeoDataFrame(geometry=shapes.copy(), crs=CRS)
    return FittingRows(CATALOGUE[layer], frame, shapes, np.ones(len(shapes), dtype=bool), CRS, runs, runs)


def rules(work: FittingRows) -> list[str]:
    return [finding.rule for finding in work.findings]


def test_a_geometry_is_finite_where_all_its_vertices_are_and_where_it_is_missing() -> None:
    finite = are_finite(geometries("LINESTRING (0 0, 1 1)", "LINESTRING (0 0, NaN 1)", None, "POINT EMPTY"))

    assert finite.tolist() == [True, False, True, True]


def test_a_ring_that_crosses_itself_is_repaired_and_one_without_area_is_set_aside() -> None:
    work = rows_of("building", BOW_TIE, "POLYGON ((0 0, 1 1, 2 2, 0 0))", SQUARE, None)

    repair(work)

    assert work.keep.tolist() == [True, False, True, True]
    assert (work.geometry[0].is_valid, work.geometry[0].area) == (True, pytest.approx(50))
    assert sorted(rules(work)) == ["geometry.beyond_repair", "geometry.repaired"]


def test_a_line_of_one_place_is_set_aside_and_points_are_never_repaired() -> None:
    line, point = rows_of("road_line", "LINESTRING (1 1, 1 1)"), rows_of("street_lamp", "POINT (1 1)")

    repair(line)
    repair(point)

    assert (rules(line), line.keep.tolist()) == (["vector.line_without_length"], [False])
    assert (rules(point), point.keep.tolist()) == ([], [True])


def test_another_dimension_is_set_aside_and_a_collection_keeps_the_parts_of_the_layer() -> None:
    work = rows_of("building", f"GEOMETRYCOLLECTION ({SQUARE}, POINT (0 0))", "POINT (0 0)", None)

    give_type_of_layer(work)

    assert work.keep.tolist() == [True, False, True]
    assert work.geometry[0].equals(shapely.from_wkt(SQUARE))
    assert rules(work) == ["vector.parts_left_out", "geometry.wrong_type"]


def test_heights_are_dropped_where_the_layer_has_none_and_where_one_is_no_number() -> None:
    flat = rows_of("road_area", "POLYGON Z ((0 0 5, 1 0 5, 1 1 5, 0 0 5))")
    high = rows_of("contour", "LINESTRING Z (0 0 5, 1 1 NaN)", "LINESTRING Z (0 0 5, 1 1 5)")

    give_type_of_layer(flat)
    give_type_of_layer(high)

    assert (flat.geometry[0].has_z, rules(flat)) == (False, [])
    assert [shape.has_z for shape in high.geometry] == [False, True]
    assert rules(high) == ["geometry.height_unknown"]


def test_a_layer_of_single_geometries_takes_each_part_with_the_row_it_comes_from() -> None:
    shapes = geometries("MULTIPOINT ((0 0), (1 1))", None, "POINT (2 2)")

    parts, origin = single_parts(CATALOGUE["street_lamp"], shapes)
    whole, rows = single_parts(CATALOGUE["road_line"], geometries("MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))"))

    assert [part and part.wkt for part in parts] == ["POINT (0 0)", "POINT (1 1)", None, "POINT (2 2)"]
    assert origin.tolist() == [0, 0, 1, 2]
    assert (len(whole), rows.tolist()) == (1, [0])
