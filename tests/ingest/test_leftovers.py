"""Columns that no field takes as one JSON object a row."""

import json
from datetime import date

import numpy as np

from ingest.leftovers import leftover_attributes, nested_texts


def objects(*values: object) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    return np.array([*values, None], dtype=object)[:-1]


def test_values_stand_as_the_source_has_them_and_absent_ones_are_left_out() -> None:
    columns = {
        "number": np.array([1.5, np.nan, np.inf]),
        "whole": np.array([2**62 + 1, 2, 3]),
        "truth": objects(True, None, 1),
        "text": objects('{"not": "json"}', "", 'a "b" 中\x01'),
        "nested": objects('{"b": [1, null], "a": {}}', "null", "no json"),
        "odd": objects(2**70 + 1, date(2020, 1, 2), b"\x01\xff"),
    }

    texts = leftover_attributes(columns, 3, json_columns=["nested"])

    assert [json.loads(text) for text in texts] == [
        {"nested": {"a": {}, "b": [1, None]}, "number": 1.5, "odd": 2**70 + 1, "text": '{"not": "json"}', "truth": True,
         "whole": 2**62 + 1},
        {"odd": "2020-01-02", "whole": 2},
        {"nested": "no json", "number": "inf", "odd": "01ff", "text": 'a "b" 中\x01', "truth": 1, "whole": 3},
    ]  # fmt: skip
    assert list(json.loads(texts[0])) == sorted(columns)


def test_a_nested_number_keeps_every_digit_and_what_is_no_json_is_a_text() -> None:
    nested = objects(f'{{"id": {2**64 + 1}, "ids": [{2**53 + 1}]}}', "[NaN]", "1e400")

    texts = leftover_attributes({"nested": nested}, 3, json_columns=["nested"])

    assert [json.loads(text)["nested"] for text in texts] == [{"id": 2**64 + 1, "ids": [2**53 + 1]}, "[NaN]", "1e400"]


def test_a_row_of_which_nothing_is_there_has_none() -> None:
    assert leftover_attributes({"a": objects(None, "")}, 2).tolist() == [None, None]
    assert leftover_attributes({}, 2).tolist() == [None, None]


def test_lists_and_bytes_are_texts() -> None:
    column = np.empty(4, dtype=object)
    column[:] = [np.array([1, 2]), None, ["a", "b"], b"\x01"]

    assert nested_texts(column).tolist() == ["[1,2]", None, '["a","b"]', "01"]
