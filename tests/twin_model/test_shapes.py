"""Geometries of rows that are ready to be stored: runs and others, each in its row."""

from typing import Any

import numpy as np
import pytest
import shapely

from twin_model.rows.coordinate_runs import Runs, read_runs
from twin_model.rows.packed_wkb import PackedWkb
from twin_model.rows.row_geometry import Shapes


def objects(shapes: list[Any]) -> Any:
    return np.array([*shapes, None], dtype=object)[:-1]


@pytest.mark.parametrize("multi", [False, True])
def test_shapes_are_the_runs_and_the_others_each_in_its_row(*, multi: bool) -> None:
    shapes = [shapely.box(n, 0, n + 1, 1) for n in range(3)]
    hole = shapely.to_wkb(shapes[0].buffer(3, quad_segs=1).difference(shapes[0]))
    runs = read_runs(PackedWkb.of(shapely.to_wkb(objects(shapes))), 2)
    standing = Runs(2, np.array([0, 2, 4]), runs.x, runs.y, runs.offsets)
    made = Shapes(objects([None, hole, None, None, None]), standing, multi)

    plain = runs.wkb(multi=multi).tolist()
    assert made.wkb.tolist() == [plain[0], hole, plain[1], None, plain[2]]
    assert len(made) == 5
    assert made.take(np.array([4, 1])).wkb.tolist() == [plain[2], hole]
