"""The number of a sheet: its corner decides which of the numbers on the margin is its own, and whether any is."""

import numpy as np
import pytest

from ingest.dxf.record import Record
from ingest.dxf.sheet_number import find_number, is_number

EAST, NORTH = 618_000.0, 3_885_000.0
SHEET = (EAST, NORTH, EAST + 500, NORTH + 500)
NEIGHBOURS = ("3885.5-617.5", "3885.5-618.0", "3885.0-617.5", "3884.5-618.5", "3885.0-618.5")


def text(words: str, x: float = EAST - 50, size: float = 2.0) -> Record:
    return Record(1, "TEXT", "TK", "1", None, "text", np.array([[x, NORTH + 520, 0.0]]), words, size=size)


@pytest.mark.parametrize(
    "own",
    ["3885.0-618.0", "3885.00 - 618.00", "图号：3885.0－618.0", "3885.0-39618.0", "85.0-18.0"],
)
@pytest.mark.parametrize("zone", [0.0, 39_000_000.0], ids=["plain", "zone 39"])
def test_the_number_of_the_corner_wins_over_neighbours_wherever_it_stands(own: str, zone: float) -> None:
    west, south, east, north = SHEET
    texts = [text(words, size=5.0) for words in NEIGHBOURS] + [text(own)]

    found = find_number(texts, (west + zone, south, east + zone, north), 1000, standard=True)

    assert found.text is texts[-1] and found.written is None
    assert found.number is not None and found.number.replace("－", "-") == own.replace(" ", "").replace(
        "－", "-"
    ).removeprefix("图号：")


@pytest.mark.parametrize(
    ("scale", "corner", "expected"),
    [
        (500, (618_250.0, 3_885_250.0), "3885.25-618.25"),
        (1000, (618_500.0, 3_885_000.0), "3885.0-618.5"),
        (5000, (618_000.0, 3_884_000.0), "3884-618"),
    ],
)
def test_a_standard_neatline_overrules_a_margin_that_names_another_sheet(
    scale: int, corner: tuple[float, float], expected: str
) -> None:
    bounds = (*corner, corner[0] + scale / 2, corner[1] + scale / 2)

    found = find_number([text("3880.0-610.0")], bounds, scale, standard=True)
    silent = find_number([], bounds, scale, standard=True)

    assert (found.number, found.text, found.written) == (expected, None, "3880.0-610.0")
    assert (silent.number, silent.text, silent.written) == (expected, None, None)


def test_a_frame_of_no_standard_size_leaves_the_margin_its_number_and_says_what_the_corner_gives() -> None:
    largest = text("3880.0-610.0", size=6.0)

    odd = find_number([text("3880.5-610.0"), largest], SHEET, 1000, standard=False)
    crooked = find_number([largest], (EAST + 33, NORTH + 33, EAST + 533, NORTH + 533), 1000, standard=True)

    assert (odd.number, odd.text, odd.written) == ("3880.0-610.0", largest, "3885.0-618.0")
    assert crooked.number == "3880.0-610.0"


def test_without_a_frame_the_largest_number_counts_and_of_equal_ones_of_the_national_grid_the_middle_one() -> None:
    title = text("3885.0-618.0", size=4.0)
    middle = text("J50G001002", x=EAST + 250)

    assert find_number([text("3885.5-618.0"), title], None, 1000, standard=False).text is title
    assert find_number([text("J50G001001"), middle], SHEET, 1000, standard=True).text is middle
    assert find_number([], None, None, standard=False).number is None


def test_only_numbers_of_sheets_are_numbers() -> None:
    assert is_number("图幅号 3885.00-618.00") and is_number("J50G001001") and is_number(" 85.0－18.5 ")
    assert not any(map(is_number, ("1:1000", "2023.11-2024.2月", "3885.0", "琅琊新城", "12-3")))
