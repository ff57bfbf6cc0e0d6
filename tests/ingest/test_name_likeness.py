"""Names of an office's columns are as like to our words as a surveyor would say: whole, cut, initials, part, nearly."""

import pytest

from ingest.name_likeness import likeness

WORDS = ["structure", "结构", "房屋结构"]


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("Structure", 1.0, 1.0),
        ("房屋结构", 1.0, 1.0),
        ("结构(类)", 1.0, 1.0),
        ("FWJG", 0.85, 0.85),
        ("主房屋结构", 0.8, 0.99),
        ("structurs", 0.6, 0.8),
        ("OWNER", 0.0, 0.0),
        ("", 0.0, 0.0),
        ("s", 0.0, 0.0),
    ],
)
def test_a_name_is_as_like_to_a_word_as_it_is_written_like_it(name: str, least: float, most: float) -> None:
    assert least <= likeness(name, WORDS) <= most


def test_a_name_that_a_shapefile_cut_is_that_of_the_whole_word() -> None:
    assert likeness("地上建筑层", ["地上建筑层数合计"]) == 0.9
    assert likeness("floor_area", ["floor_area_ratio"]) == 0.9
