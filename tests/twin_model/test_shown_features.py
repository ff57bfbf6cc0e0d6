"""A changeset says in few numbers which features its source showed, and what it could have seen."""

import numpy as np
import orjson
import pytest
import shapely

from twin_model.changeset import Scope
from twin_model.shown_features import MOST_RUNS, from_runs, recorded_scope, shown_record, to_runs


@pytest.mark.parametrize("fids", [[], [1], [7, 8, 9], [1, 3, 5], [2, 3, 9, 10, 11, 40]])
def test_runs_are_the_fids_again(fids: list[int]) -> None:
    runs = to_runs(np.array(fids, dtype=np.int64))

    assert from_runs(runs).tolist() == fids
    assert len(runs) % 2 == 0 and len(runs) <= 2 * len(fids)


def test_what_is_scattered_over_too_many_runs_is_left_out() -> None:
    shown = {"pipe_line": np.arange(10**6), "pipe_point": np.arange(0, 4 * MOST_RUNS, 2)}

    record = shown_record(Scope(), shown)

    assert record["layers"] == {"pipe_line": [0, 10**6]}


@pytest.mark.parametrize("area", [None, shapely.box(0, 0, 500, 500)])
def test_a_scope_is_recorded_as_it_is(area: shapely.Polygon | None) -> None:
    scope = Scope("seen", "sheet 7", "1:500", area)

    recorded = recorded_scope(orjson.loads(orjson.dumps(shown_record(scope, {}))))

    assert (recorded.reach, recorded.name, recorded.series) == ("seen", "sheet 7", "1:500")
    assert recorded.area is None if area is None else recorded.area.equals(area)
