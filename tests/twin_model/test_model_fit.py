"""Motions fitted to control points and to the outline of a building."""

import numpy as np
import pytest
import shapely

from twin_model.building.placing import motion, placed_geometry, rotation_of
from twin_model.desk.model_fit import equally_good, fit_outline, fit_points
from twin_model.errors import CalledWrongly

L_SHAPE = shapely.Polygon([(0, 0), (20, 0), (20, 8), (9, 8), (9, 15), (0, 15)])


def test_control_points_give_the_motion_of_least_squares_and_what_each_is_off() -> None:
    local = [(0.0, 0.0, 0.0), (30.0, 0.0, 0.0), (0.0, 20.0, 3.0)]
    truth = motion(618_500.0, 3_886_000.0, 60.0, 37.0)
    target = [tuple((truth @ [*point, 1.0])[:3]) for point in local]
    target[1] = (target[1][0] + 0.02, target[1][1], target[1][2])

    fit = fit_points(local, target)

    assert rotation_of(fit.matrix) == pytest.approx(37.0, abs=0.05)
    assert fit.matrix[2, 3] == pytest.approx(60.0)
    assert 0.001 < max(fit.residuals) < 0.02
    assert np.linalg.det(fit.matrix[:2, :2]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("factor", "words"), [(1000.0, "millimetres. Divide them"), (0.001, "Divide the places"), (1.02, "factor 0.98")]
)
def test_points_whose_distances_differ_are_refused_with_the_unit_that_is_meant(factor: float, words: str) -> None:
    local = [(0.0, 0.0), (30.0 * factor, 0.0)]

    with pytest.raises(CalledWrongly, match=words):
        fit_points(local, [(0.0, 0.0), (30.0, 0.0)])


@pytest.mark.parametrize("points", [[(0.0, 0.0)], [(1.0, 1.0), (1.0, 1.0)]])
def test_too_few_points_or_points_at_one_place_are_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(CalledWrongly, match="control points"):
        fit_points(points, points)


def test_an_outline_is_laid_on_the_building_it_fits_and_the_other_turns_fit_less() -> None:
    truth = motion(618_000.0, 3_886_000.0, 4.0, -63.0)
    target = placed_geometry(np.array([L_SHAPE], dtype=object), truth)[0]

    best, *others = fit_outline(L_SHAPE, target, 4.0)

    assert best.overlap > 0.999
    assert best.rotation == pytest.approx(-63.0, abs=0.1)
    assert best.matrix[:3, 3] == pytest.approx(truth[:3, 3], abs=0.05)
    assert len(equally_good([best, *others])) == 1


def test_a_rectangle_fits_by_half_a_turn_as_well_and_a_square_by_each_quarter() -> None:
    candidates = {
        size: fit_outline(shapely.box(0, 0, *size), shapely.box(50, 50, 50 + size[0], 50 + size[1]), 0.0)
        for size in ((20, 8), (9, 9))
    }

    assert [len(equally_good(each)) for each in candidates.values()] == [2, 4]
