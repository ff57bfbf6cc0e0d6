"""Stripes lie within their area, cover their share of it, and run on from one area to the next."""

import numpy as np
import pytest
import shapely

from tiles.hatch import SPACING, WIDTH, stripes

SQUARE = shapely.box(618_000, 3_886_000, 618_040, 3_886_030)
YARD = shapely.Polygon(SQUARE.exterior, [shapely.box(618_010, 3_886_010, 618_030, 3_886_020).exterior])


@pytest.mark.parametrize(
    "area",
    [SQUARE, YARD, shapely.MultiPolygon([SQUARE, shapely.box(618_100, 3_886_000, 618_120, 3_886_010)])],
)
def test_stripes_cover_their_share_of_an_area_and_nothing_else(area: shapely.Geometry) -> None:
    (striped,) = stripes(np.array([area], dtype=object))

    assert shapely.difference(striped, area).area == pytest.approx(0.0, abs=1e-6)
    assert striped.area / area.area == pytest.approx(WIDTH / SPACING, rel=0.1)


def test_two_halves_are_hatched_as_the_whole() -> None:
    halves = np.array(
        [
            shapely.box(618_000, 3_886_000, 618_020, 3_886_030),
            shapely.box(618_020, 3_886_000, 618_040, 3_886_030),
        ],
        dtype=object,
    )

    whole, together = stripes(np.array([SQUARE], dtype=object))[0], shapely.union_all(stripes(halves))

    assert shapely.symmetric_difference(whole, together).area == pytest.approx(0.0, abs=1e-6)
