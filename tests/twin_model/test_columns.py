"""Columns looked at once for each value: the values and their rows come back as they were, whether they repeat or not."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_model.rows.columns import coded, is_one

ROWS = 3_000


def objects(values: list[Any]) -> Any:
    return np.array([*values, None], dtype=object)[:-1]


def spread(values: list[Any]) -> list[Any]:
    """The column made again of its codes and distinct values."""
    codes, distinct = coded(objects(values))
    return [None if code < 0 else distinct[code] for code in codes.tolist()]


@given(st.lists(st.one_of(st.none(), st.sampled_from(["甲", "乙", "a", ""])), max_size=9))
def test_a_column_is_its_distinct_values_and_which_each_row_has(values: list[str | None]) -> None:
    codes, distinct = coded(objects(values))

    assert spread(values) == values
    assert len(distinct) == len(set(values) - {None}) and ((codes == -1) == [one is None for one in values]).all()


@pytest.mark.parametrize("late", ["0号楼", None, 7], ids=["twice", "nothing", "a number"])
def test_texts_that_hardly_repeat_are_each_their_own_and_what_comes_late_is_not_lost(late: Any) -> None:
    names = [f"{n}号楼" for n in range(ROWS)]
    values = [*names[:-1], late]

    assert spread(values) == values
    assert len(coded(objects(names))[1]) == ROWS
    assert len(coded(objects([name[-3:] for name in names] * 2))[1]) < ROWS, "what repeats is told apart"


def test_values_that_cannot_be_compared_are_each_their_own() -> None:
    values = [["a"], ["a"], None]

    assert spread(values) == values


def test_a_column_holds_one_text_or_nothing_throughout_or_it_does_not() -> None:
    assert is_one(objects(["甲"] * 3)) and is_one(objects([None] * 3))
    assert not is_one(objects(["甲", "乙", "甲"])) and not is_one(objects([None, "甲", None]))
    assert not is_one(objects([1, 1])) and not is_one(np.array([1.0, 1.0]))
