"""Colours and legends of columns: every row has the colour its legend says, and the borders shown are those used."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiles.symbology import CATEGORIES, RAMPS, Symbols, rgba, symbols_of
from twin_model.errors import QueryRefused
from twin_model.layer import Field, Text

STRUCTURE = Field("structure", "string", Text("结构", "Structure"), codes={"砖": Text("砖木", "brick"), "钢": Text("钢", "steel")})  # fmt: skip
MISSING = "#d3cfc7"


def texts(symbols: Symbols) -> list[str]:
    return [entry.text for entry in symbols.entries]


def color_of(symbols: Symbols, row: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*symbols.colors[row][:3])


@given(st.lists(st.floats(-1e9, 1e9) | st.none(), min_size=1, max_size=60), st.sampled_from(["quantile", "equal"]))
def test_each_row_is_in_the_class_whose_colour_it_has(values: list[float | None], breaks: str) -> None:
    symbols = symbols_of(pd.Series(values, dtype=float), lang="en", breaks=breaks)

    colors = [color_of(symbols, row) for row in range(len(values))]
    assert sum(entry.count for entry in symbols.entries) == len(values)
    assert {entry.color: entry.count for entry in symbols.entries if entry.count} == {
        color: colors.count(color) for color in set(colors)
    }
    assert (MISSING in colors) == (None in values)


@given(st.lists(st.floats(0, 1000), min_size=10, max_size=60))
def test_a_larger_number_is_never_in_a_lower_class(values: list[float]) -> None:
    symbols = symbols_of(pd.Series(values), lang="en")

    order = {entry.color: place for place, entry in enumerate(symbols.entries)}
    places = [order[color_of(symbols, row)] for row in np.argsort(values)]
    assert places == sorted(places)


def test_quantiles_hold_equally_many_and_equal_classes_are_equally_wide() -> None:
    values = pd.Series([1.0, 2.0, 3.0, 4.0, 100.0])

    quantiles, equal = (symbols_of(values, lang="en", breaks=breaks) for breaks in ("quantile", "equal"))

    assert [entry.count for entry in quantiles.entries] == [1, 1, 1, 1, 1]
    assert [entry.count for entry in equal.entries] == [4, 0, 0, 0, 1]
    assert texts(equal)[0] == "1 – 21"


def test_borders_of_ones_own_are_used_and_what_lies_beyond_is_said() -> None:
    symbols = symbols_of(pd.Series([-1.0, 0.0, 0.4, 1.0, 7.0]), lang="zh", breaks=[0, 0.5, 1])

    assert [(entry.text, entry.count) for entry in symbols.entries] == [
        ("< 0", 1),
        ("0 – 0.5", 2),
        ("0.5 – 1", 1),
        ("> 1", 1),
    ]


def test_few_whole_numbers_stay_single_and_many_end_with_the_last_they_hold() -> None:
    few = symbols_of(pd.Series([1, 2, 2, None], dtype="Int64"), lang="zh")
    many = symbols_of(pd.Series(range(1, 21)), lang="zh", breaks=[1, 6, 11, 20])

    assert texts(few) == ["1", "2", "无数据"]
    assert texts(many) == ["1 – 5", "6 – 10", "11 – 20"]


def test_codes_have_the_words_and_colours_of_the_catalogue_in_its_order() -> None:
    symbols = symbols_of(pd.Series(["钢", "钢", "砖", "x"]), lang="zh", field=STRUCTURE, colors={"砖": "#d8a58c"})

    assert symbols.title == "结构"
    assert [(entry.text, entry.color) for entry in symbols.entries] == [
        ("砖木", "#d8a58c"),
        ("钢", CATEGORIES[0]),
        ("x", CATEGORIES[1]),
    ]


def test_a_unit_stands_beside_the_title() -> None:
    field = Field("height", "number", Text("高度", "Height"), unit="m")

    assert [symbols_of(pd.Series([1.0]), lang=lang, field=field).title for lang in ("zh", "en")] == [
        "高度（m）",
        "Height (m)",
    ]


def test_values_beyond_the_colours_are_shown_together_as_other() -> None:
    symbols = symbols_of(pd.Series([f"kind {number}" for number in range(20)]), lang="zh")

    assert len(symbols.entries) == len(CATEGORIES) + 1
    assert (symbols.entries[-1].text, symbols.entries[-1].count) == ("其他", 8)


def test_a_palette_may_name_the_colour_of_each_value() -> None:
    symbols = symbols_of(pd.Series([1.0, 2.0, np.nan]), lang="en", palette={1: "#ff0000"})

    assert color_of(symbols, 0) == "#ff0000"
    assert texts(symbols) == ["1", "other", "no data"]


def test_yes_and_no_are_words() -> None:
    assert texts(symbols_of(pd.Series([True, False, True]), lang="zh")) == ["是", "否"]


@pytest.mark.parametrize("zone", [None, "Asia/Shanghai"])
def test_times_are_classed_by_local_days(zone: str | None) -> None:
    values = pd.Series(pd.date_range("2024-01-01 00:30", periods=100, tz=zone))

    symbols = symbols_of(values, lang="zh", breaks=["2024-01-01", "2024-02-01", "2024-04-09"])

    assert texts(symbols) == ["2024-01-01 – 2024-01-31", "2024-02-01 – 2024-04-09"]
    assert [entry.count for entry in symbols.entries] == [31, 69]


@pytest.mark.parametrize("values", [[], [None, None], [np.nan], [np.inf, 5.0], [7.0, 7.0]])
def test_odd_columns_have_a_colour_a_row(values: list[Any]) -> None:
    symbols = symbols_of(pd.Series(values, dtype=float), lang="zh")

    assert symbols.colors.shape == (len(values), 4)
    assert sum(entry.count for entry in symbols.entries) == len(values)


@pytest.mark.parametrize("breaks", ["jenks", [1], [2, 1], ["a", "b"], []])
def test_what_are_no_breaks_is_refused(breaks: Any) -> None:
    with pytest.raises(QueryRefused, match="no breaks of classes"):
        symbols_of(pd.Series([1.0, 2.0]), lang="zh", breaks=breaks)


@pytest.mark.parametrize("palette", ["rainbow", ["red"], [], {"a": "#fff"}, ['#000000"><script>']])
def test_what_is_no_palette_is_refused_with_the_names(palette: Any) -> None:
    with pytest.raises(QueryRefused, match="viridis"):
        symbols_of(pd.Series([1.0, 2.0]), lang="zh", palette=palette)


def test_a_ramp_goes_from_its_first_colour_to_its_last() -> None:
    symbols = symbols_of(pd.Series([1.0, 2.0, 3.0]), lang="zh", palette="blues")

    assert rgba(RAMPS["blues"][0]) == tuple(symbols.colors[0])
    assert rgba(RAMPS["blues"][-1]) == tuple(symbols.colors[-1])
