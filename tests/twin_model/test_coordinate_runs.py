"""Geometries that are one run of coordinates: read, moved, checked and written as shapely would, to the last bit."""

from typing import Any

import numpy as np
import pytest
import shapely
from drawn_examples import examples
from hypothesis import given
from hypothesis import strategies as st

from twin_model.catalogue import read_catalogue
from twin_model.crs import transform_geometries
from twin_model.rows.content import content_hashes
from twin_model.rows.coordinate_runs import CoordinateRuns, no_runs, read_runs, valid_runs
from twin_model.rows.geometry import layer_wkb
from twin_model.rows.packed_wkb import PackedWkb

CATALOGUE = read_catalogue()
EAST, NORTH = 618_600.0, 3_885_800.0
LAYERS = {0: "street_lamp", 1: "road_line", 2: "building"}


def objects(shapes: list[Any]) -> Any:
    return np.array([*shapes, None], dtype=object)[:-1]


def runs_of(shapes: list[Any], dimension: int) -> CoordinateRuns:
    return read_runs(PackedWkb.of(objects(shapely.to_wkb(objects(shapes)).tolist())), dimension)


corners = st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda p: (EAST + p[0], NORTH + p[1]))


@examples(60, proof=300)
@given(st.lists(st.lists(corners, min_size=3, max_size=14), min_size=1, max_size=6))
def test_a_ring_is_plain_where_shapely_calls_it_valid_however_its_corners_lie(
    rings: list[list[tuple[float, float]]],
) -> None:
    shapes = [shapely.Polygon(ring) for ring in rings]

    runs = runs_of(shapes, 2)

    assert len(runs) == len(shapes)
    assert runs.plain().tolist() == [shape.is_valid for shape in shapes]
    assert not (runs._surely_plain() & ~runs.plain()).any()


@examples(40, proof=100)
@given(st.lists(st.lists(corners, min_size=2, max_size=5), min_size=1, max_size=6))
def test_a_line_is_plain_where_shapely_calls_it_valid(lines: list[list[tuple[float, float]]]) -> None:
    shapes = [shapely.LineString(line) for line in lines]

    assert runs_of(shapes, 1).plain().tolist() == [shape.is_valid for shape in shapes]


@pytest.mark.parametrize("dimension", [0, 1, 2])
def test_what_is_made_of_runs_is_what_shapely_makes(dimension: int) -> None:
    layer = CATALOGUE[LAYERS[dimension]]
    rng = np.random.default_rng(dimension)
    around = [(118.3 + x, 35.1 + y) for x, y in rng.uniform(0, 0.1, (60, 2)).tolist()]
    shapes = objects([shapely.Point(at).buffer(0.001, quad_segs=1 + n % 5) for n, at in enumerate(around)])
    shapes = objects([shape.exterior if dimension == 1 else shape for shape in shapes])
    shapes = objects([shapely.LineString(shape.coords) if dimension == 1 else shape for shape in shapes])
    shapes = shapely.centroid(shapes) if dimension == 0 else shapes

    runs = valid_runs(runs_of(shapes.tolist(), dimension), "EPSG:4490", "EPSG:4548")
    moved = transform_geometries(shapes, "EPSG:4490", "EPSG:4548")

    assert runs.rows.tolist() == list(range(60))
    assert runs.wkb(multi=layer.is_multi).tolist() == layer_wkb(layer, moved).tolist()
    assert runs.bounds.tolist() == shapely.bounds(moved).tolist()
    assert shapely.equals_identical(runs.geometries(), moved).all()
    none = objects([None] * 60)
    assert content_hashes(layer, none, {}, runs).tolist() == content_hashes(layer, moved, {}).tolist()


@pytest.mark.parametrize("dimension", [0, 1, 2])
def test_multi_geometries_of_one_part_are_runs_where_they_are_asked_for(dimension: int) -> None:
    layer = CATALOGUE[LAYERS[dimension]]
    alone = [shapely.Point(EAST, NORTH), shapely.LineString([(0, 0), (1, 1)]), shapely.box(0, 0, 1, 1)][dimension]
    two = [
        shapely.MultiPoint([(0, 0), (1, 1)]),
        shapely.MultiLineString([[(0, 0), (1, 1)]] * 2),
        shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)]),
    ][dimension]
    multi = [shapely.multipoints, shapely.multilinestrings, shapely.multipolygons][dimension]([alone])
    wkb = PackedWkb.of(shapely.to_wkb(objects([multi, two, alone, None]), byte_order=1, flavor="iso"))

    runs = read_runs(wkb, dimension, multi=True)

    assert runs.rows.tolist() == [0] and read_runs(wkb, dimension).rows.tolist() == [2]
    assert runs.wkb(multi=True).tolist() == wkb.objects(np.array([0])).tolist()
    assert runs.wkb(multi=layer.is_multi).tolist() == layer_wkb(layer, objects([alone])).tolist()


def test_only_flat_little_endian_shapes_of_one_run_are_runs() -> None:
    box = shapely.box(EAST, NORTH, EAST + 1, NORTH + 1)
    hole = shapely.Polygon(box.exterior, [shapely.box(EAST + 0.2, NORTH + 0.2, EAST + 0.4, NORTH + 0.4).exterior])
    plain = shapely.to_wkb(box)
    wkb = [plain, shapely.to_wkb(hole), shapely.to_wkb(shapely.MultiPolygon([box])), shapely.to_wkb(shapely.force_3d(box)), None, b"",
           shapely.to_wkb(box, byte_order=0), plain[:-1], plain + b"\0", plain[:-8] + b"\0" * 8, shapely.to_wkb(shapely.Polygon()),
           shapely.to_wkb(shapely.Point(1, 2)), plain[:9], plain]  # fmt: skip

    runs = read_runs(PackedWkb.of(objects(wkb)), 2)

    assert runs.rows.tolist() == [0, 13]


def test_runs_among_rows_stand_as_these_rows_stand() -> None:
    runs = runs_of([shapely.Point(n, n) for n in range(6)], 0)

    some = runs.restricted_to(np.array([1, 2, 2, 4]))

    assert some.rows.tolist() == [0, 1, 3]
    assert some.x.tolist() == [1.0, 2.0, 4.0]


def test_no_runs_are_moved_checked_and_written_like_many() -> None:
    runs = valid_runs(no_runs(2), "EPSG:4490", "EPSG:4548")

    assert len(runs) == len(runs.wkb(multi=True)) == len(runs.bounds) == len(runs.geometries()) == 0
    assert runs.geometry(3) is None


def test_what_is_not_finite_before_or_after_is_left_to_be_looked_at() -> None:
    lines = [
        [(118.3, 35.1), (118.4, 35.1)],
        [(np.nan, 35.1), (118.4, 35.1)],
        [(1e6, 1e6), (118.4, 35.1)],
        [(118.3, 35.1)] * 2,
    ]

    runs = valid_runs(runs_of([shapely.LineString(one) for one in lines], 1), "EPSG:4490", "EPSG:4548")

    assert runs.rows.tolist() == [0]
