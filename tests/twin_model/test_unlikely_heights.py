"""Heights that those around them make unlikely, and none that is merely steep, at sea level or alone."""

from typing import Any

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from twin_model.relief.unlikely_heights import unlikely_heights

RANDOM = np.random.default_rng(7)


def spots(count: int, low: float, high: float, side: float = 1000.0) -> NDArray[np.float64]:
    """Return a slope from `low` to `high` with a little noise, at random places."""
    xy = RANDOM.uniform(0, side, (count, 2))
    z = low + (high - low) * xy[:, 0] / side + RANDOM.normal(0, 0.2, count)
    return np.column_stack((xy, z))


@pytest.mark.parametrize("count", [5, 40, 3000])
@pytest.mark.parametrize("height", [0.0, 999.0, 9999.0, -999.0, -9999.0, 999.99, 635.0, 6350.0])
def test_a_height_that_cannot_be_true_is_found_in_few_and_in_many(height: float, count: int) -> None:
    xyz = np.vstack((spots(count, 60, 80), [(500, 500, height), (510, 500, height)]))

    assert np.flatnonzero(unlikely_heights(shapely.points(xyz)).unlikely).tolist() == [count, count + 1]


def test_many_unknown_heights_side_by_side_do_not_outvote_those_that_are_known() -> None:
    xyz = spots(300, 60, 80)
    xyz[xyz[:, 0] < 400, 2] = 0.0

    assert unlikely_heights(shapely.points(xyz)).unlikely.tolist() == (xyz[:, 2] == 0).tolist()


@pytest.mark.parametrize(
    "xyz",
    [
        spots(400, -1, 6),  # a coast
        np.vstack((spots(100, 0.3, 6), [(500.0, 500.0, 0.0)])),
        spots(400, 10, 900),  # a mountain
        np.vstack(
            (spots(200, 60, 62), np.column_stack((RANDOM.uniform(400, 500, (40, 2)), np.full(40, 85.0))))
        ),  # a quarry
        np.array([(0.0, 0.0, 0.0), (5.0, 5.0, 999.0), (9.0, 9.0, 61.0)]),  # nothing to compare with
        np.zeros((50, 3)) + spots(50, 0, 0) * (1, 1, 0),  # a drawing without heights
    ],
)
def test_what_is_merely_steep_low_or_alone_is_likely(xyz: NDArray[np.float64]) -> None:
    assert not unlikely_heights(shapely.points(xyz)).unlikely.any()


def test_contours_count_as_wholes_and_others_may_be_told_of() -> None:
    def contour(y: float, z: float) -> Any:
        return shapely.LineString([(x, y, z) for x in range(0, 1000, 10)])

    lines = np.array([contour(10.0 * n, 60.0 + n) for n in range(20)] + [contour(55.0, 0.0), contour(400.0, 0.0)])
    flat = np.array([shapely.LineString([(0, 0), (5, 5)]), None], dtype=object)

    found = unlikely_heights(np.concatenate((lines, flat)))
    alone = unlikely_heights(lines[-1:], spots(40, 60, 80))

    assert np.flatnonzero(found.unlikely).tolist() == [20, 21]
    assert (found.lowest[20], found.highest[20]) == (60.0, 79.0) or found.lowest[20] >= 60.0
    assert alone.unlikely.tolist() == [True]
    assert not unlikely_heights(np.empty(0, dtype=object)).unlikely.size
