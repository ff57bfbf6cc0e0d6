"""Motions that place a model, and what they move."""

import numpy as np
import pytest
import shapely

from twin_model.building.mesh import matrix_of, matrix_text
from twin_model.building.placing import motion, placed_columns, placed_geometry, rotation_of


def test_a_turn_is_counter_clockwise_and_brings_the_x_axis_from_east_to_north() -> None:
    matrix = motion(500_000.0, 3_886_000.0, 12.5, 90.0)

    assert (matrix @ [10.0, 0.0, 1.0, 1.0])[:3] == pytest.approx([500_000.0, 3_886_010.0, 13.5])
    assert rotation_of(matrix) == pytest.approx(90.0)


def test_geometry_matrices_and_heights_are_moved_and_what_is_absent_stays_absent() -> None:
    matrix = motion(100.0, 200.0, 5.0, 0.0)
    shapes = np.array([shapely.Point(1, 2, 3), None], dtype=object)

    moved = placed_geometry(shapes, matrix)
    columns = placed_columns(
        {"bottom": [1.0, None], "matrix": [matrix_text(np.eye(4)), None], "name": ["a", "b"]}, matrix
    )

    assert shapely.get_coordinates(moved[:1], include_z=True).tolist() == [[101.0, 202.0, 8.0]]
    assert moved[1] is None
    assert columns["bottom"] == [6.0, None]
    assert matrix_of(columns["matrix"][0])[:3, 3].tolist() == [100.0, 200.0, 5.0]
    assert columns["matrix"][1] is None and columns["name"] == ["a", "b"]
