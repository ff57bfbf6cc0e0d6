"""Shapes of very many vertices are compared as small ones are, and in a second."""

import time
from collections.abc import Callable

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from twin_model.large_shapes import common_areas, greatest_distances, part_near, seen_area

EAST, NORTH = 618_600.0, 3_885_800.0


def waves(vertices: int, shift: float = 0.0, turns: int = 4000) -> NDArray[np.float64]:
    """Return the vertices of a ring of waves about a circle of 400 m."""
    angles = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    radius = 400 + 40 * np.sin(turns * angles)
    return np.column_stack((EAST + shift + radius * np.cos(angles), NORTH + radius * np.sin(angles)))


def quickly(compare: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return what a comparison gives; exactly, it would take minutes."""
    begun = time.process_time()
    result = compare()
    assert time.process_time() - begun < 5
    return result


@pytest.mark.parametrize("shift", [0.0, 3.0, 200.0, 2_000.0])
def test_what_large_areas_share_is_counted_nearly_exactly(shift: float) -> None:
    ring, other = (shapely.Polygon(waves(4_000, each, turns=20)) for each in (0.0, shift))
    exact = shapely.intersection(ring, other).area

    (shared,) = common_areas(np.array([ring]), np.array([other]))

    assert abs(shared - exact) <= 0.01 * ring.area


def test_areas_of_half_a_million_vertices_and_many_small_ones_are_compared_quickly() -> None:
    large, again = (shapely.Polygon(waves(500_000, shift)) for shift in (0.0, 0.05))
    small = shapely.box(EAST + np.arange(50), NORTH, EAST + np.arange(50) + 8, NORTH + 9)
    pairs = np.array([large, *[large] * 50, None], dtype=object), np.array([again, *small, large], dtype=object)

    shared = quickly(lambda: common_areas(*pairs))

    assert shared[0] > 0.97 * large.area
    np.testing.assert_allclose(shared[1:-1], 72.0)
    assert shared[-1] == 0


def test_lines_of_many_vertices_are_as_far_apart_as_by_each_vertex() -> None:
    line, near, far = (shapely.LineString(waves(1_500, shift, 30)) for shift in (0.0, 0.4, 30.0))
    both = shapely.MultiLineString([waves(700, 0.0, 30), waves(800, 9.0, 30)])

    distances = greatest_distances(np.array([line, line, both]), np.array([near, far, both]), 1.0)

    assert distances[0] == pytest.approx(shapely.hausdorff_distance(line, near))
    assert distances[1:].tolist() == [np.inf, 0.0]


def test_lines_of_thirty_thousand_vertices_are_compared_quickly() -> None:
    line, near = (shapely.LineString(waves(30_000, shift)) for shift in (0.0, 0.01))

    (distance,) = quickly(lambda: greatest_distances(np.array([line]), np.array([near]), 1.0))

    assert 0 < distance <= 0.0101


def test_what_is_seen_beside_a_large_shape_is_what_is_seen_beside_the_part_of_it_that_is_near() -> None:
    large, place = shapely.Polygon(waves(8_000, turns=64)), shapely.box(EAST + 425, NORTH, EAST + 445, NORTH + 9)

    part = part_near(large, place, 60.0)

    assert shapely.get_num_coordinates(part) < 3_000 and part_near(place, large, 1.0) is place
    exact = shapely.intersection(shapely.buffer(large, 30.0), place).area
    assert shapely.intersection(seen_area([part, place], 30.0), place).area == pytest.approx(place.area)
    assert shapely.intersection(seen_area([part], 30.0), place).area == pytest.approx(exact)
    assert seen_area([large], 30.0).area == pytest.approx(large.area)
