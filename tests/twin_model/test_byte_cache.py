"""What is remembered is bounded by its bytes: of short things many, of long ones few, of the longest none."""

import numpy as np
import shapely

from twin_model import query_area
from twin_model.byte_cache import remembering
from twin_model.filter import parsing, sqlite
from twin_model.filter.sqlite import prepared_literals


def test_results_are_remembered_until_their_bytes_are_too_many_the_oldest_going_first() -> None:
    asked: list[str] = []

    @remembering(most_bytes=10_000, bytes_of=lambda result, text: len(text))
    def upper(text: str) -> str:
        asked.append(text)
        return text.upper()

    short, long = [f"{n}" * 100 for n in range(10)], "x" * 5_000
    assert [upper(text) for text in [*short, *short]] == [text.upper() for text in [*short, *short]]
    assert asked == short
    assert [upper(long), upper(long)] == [long.upper()] * 2 and asked.count(long) == 2
    for n in range(30):
        upper(f"{n:02}" * 100)
        assert upper(short[0]) == short[0] and upper.held_bytes <= 10_000
    assert asked.count(short[0]) == 1
    assert upper(short[9]) == short[9] and asked.count(short[9]) == 2


def test_long_filters_boxes_and_attributes_do_not_fill_the_memory() -> None:
    ring = np.column_stack((np.arange(60_000), np.arange(60_000) % 2))
    for n in range(8):
        parsing.parse_filter(f"name = '{n}{'x' * 100_000}'", max_length=200_000)
        sqlite._read_json('{"a": "' + f"{n}" * 500_000 + '"}')
        query_area.stored_area(shapely.LineString(ring + n), "EPSG:4548", "EPSG:4548", (0, 0, 90_000, 100))

    for remembered in (parsing._parse, query_area.stored_area, sqlite._read_json):
        assert 0 < remembered.held_bytes <= 32 * 2**20


def test_literals_that_are_prepared_are_few_where_they_are_long() -> None:
    literal, ring = prepared_literals(), np.column_stack((np.arange(60_000), np.arange(60_000)))
    long = [shapely.to_wkb(shapely.LineString(ring + n)) for n in range(6)]
    short = [shapely.to_wkb(shapely.Point(n, n)) for n in range(10)]

    first = [literal(wkb) for wkb in short]

    assert all(literal(wkb) is known for wkb, known in zip(short, first, strict=True))
    last = [literal(wkb) for wkb in long]
    assert literal(long[5]) is last[5] and literal(long[0]) is not last[0]
