"""The spool of a draft: rows come back as they were written, to the type of each value, and nothing in it is run."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from ingest.spool import read_rows, write_rows
from twin_model.changeset import Rows
from twin_model.rows.coordinate_runs import Runs, no_runs, read_runs
from twin_model.rows.packed_wkb import PackedWkb
from twin_model.rows.row_geometry import Shapes

COLUMNS: dict[str, list[Any]] = {
    "texts": ["甲", None, "", "a\0b\n", "\ud800"], "one text": ["甲"] * 5, "nothing": [None] * 5,
    "integers": [0, -1, 2**53 + 1, None, 2**63], "large": [2**80, 1, None, 0, -(2**70)], "floats": [0.1, None, -0.0, 5e-324, 1e308],
    "infinite": [math.inf, -math.inf, None, 0.5, 1.0], "unknown": [math.nan, None, 1.0, 2.0, 3.0], "one float": [1.5] * 5,
    "truth": [True, False, None, True, True], "mixed": [1, 1.0, "1", True, None],
    "repeated": ["甲", "甲", None, "甲", "甲"], "repeated halves": ["\ud800", "\ud800", "\ud800", None, "\ud800"],
}  # fmt: skip


def objects(values: list[Any]) -> Any:
    return np.array([*values, None], dtype=object)[:-1]


def rows_of(shapes: Shapes, columns: dict[str, Any]) -> Rows:
    count, nothing = len(shapes), objects([None] * len(shapes))
    return Rows(objects([f"id {n}" for n in range(count)]), shapes, np.full((count, 4), np.nan), columns, nothing, nothing,
                np.arange(count, dtype=np.int16), objects([bytes([n]) * 16 for n in range(count)]))  # fmt: skip


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    columns = {name: objects(values) for name, values in COLUMNS.items()}
    columns |= {
        "plain": np.array([1.5, np.nan, 3, 4, 5]),
        "counted": np.arange(5, dtype=np.int32),
        "named": np.array(list("abcde")),
    }
    rows = rows_of(Shapes(objects([None] * 5), no_runs(0), multi=False), columns)

    write_rows(tmp_path / "0.rows", rows)
    again = read_rows(tmp_path / "0.rows", rows.content)

    for name, column in columns.items():
        assert list(map(repr, again.columns[name].tolist())) == list(map(repr, column.tolist())), name
        assert again.columns[name].dtype == column.dtype, name
    assert again.ids.tolist() == rows.ids.tolist() and again.valid_from.tolist() == [None] * 5
    assert again.min_zoom.dtype == np.int16 and again.min_zoom.tolist() == [0, 1, 2, 3, 4]
    assert again.content is rows.content and np.isnan(again.bounds).all() and again.bounds.shape == (5, 4)


def test_no_column_holds_an_object_that_would_have_to_be_run_to_come_back(tmp_path: Path) -> None:
    rows = rows_of(Shapes(objects([None]), no_runs(0), multi=False), {"path": objects([tmp_path])})

    with pytest.raises(TypeError, match="a column holds PosixPath"):
        write_rows(tmp_path / "0.rows", rows)


@pytest.mark.parametrize("multi", [False, True])
def test_shapes_come_back_each_in_its_row(*, multi: bool, tmp_path: Path) -> None:
    shapes = [shapely.box(n, 0, n + 1, 1) for n in range(3)]
    hole = shapely.to_wkb(shapes[0].buffer(3, quad_segs=1).difference(shapes[0]))
    runs = read_runs(PackedWkb.of(shapely.to_wkb(objects(shapes))), 2)
    standing = Runs(2, np.array([0, 2, 4]), runs.x, runs.y, runs.offsets)
    rows = rows_of(Shapes(objects([None, hole, None, None, None]), standing, multi), {})

    write_rows(tmp_path / "0.rows", rows)

    again = read_rows(tmp_path / "0.rows", rows.content)
    assert again.shapes.wkb.tolist() == rows.shapes.wkb.tolist() and len(again) == 5
    assert again.shapes.multi == multi
