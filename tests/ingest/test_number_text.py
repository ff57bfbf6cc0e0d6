"""Numbers as people write them: one rule over many ways, and none that is read as another number."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.number_text import NotANumber, comma_of, is_no_value, numbers_of_texts, read_number, whole_number


def test_a_number_is_read_however_it_is_written() -> None:
    written = {
        "1.25": "1.25", " 1.25 ": "1.25", "１．２５": "1.25", "1。25": "1.25", "1,25": "1.25", "1，25": "1.25", "0,125": "0.125",
        "12345,678": "12345.678", "1,234.5": "1234.5", "1,234,567": "1234567", "1.234,5": "1234.5", "1 234,5": "1234.5",
        "1'234.5": "1234.5", "'300": "300", "+7": "7", "－0.5": "-0.5", "—0.5": "-0.5", "-1,5": "-1.5", "2E05": "200000", "1.5e-3": "0.0015",
        ".5": "0.5", "5.": "5", "1,5e2": "150", "3 885 123.45": "3885123.45",
    }  # fmt: skip

    assert {text: float(read_number(text)) for text in written} == {text: float(n) for text, n in written.items()}


def test_a_unit_in_the_text_or_of_the_heading_is_converted() -> None:
    assert read_number("300mm", unit="m") == Decimal("0.3")
    assert read_number("300 毫米", unit="m") == Decimal("0.3")
    assert read_number("1.2ｍ", unit="mm") == Decimal("1200")
    assert read_number("70", unit="m", written_in="cm") == Decimal("0.7")
    assert read_number("0.7m", unit="m", written_in="cm") == Decimal("0.7")
    assert [read_number(text, unit="mm", written_in="m") for text in ("DN300", "φ300", "Φ 300mm", "De=110", "0.3")] == [
        300,
        300,
        300,
        110,
        300,
    ]
    assert read_number("3层") == read_number("3 根") == 3


@pytest.mark.parametrize(
    "text",
    ["1,234", "1.2.3", "1,2,3", "12 34", "1,23,456", "abc", "1_000", "0x10", "inf", "约1.2", "1.2?", "3月5日", "#VALUE!", "#REF!", "300kV",
     "1.25 and more", "٣", "十二", "--5", "1e", "1e9999", "1,,5", "(1.2)", "DN300", "400×300", "3层"],
)  # fmt: skip
def test_what_is_no_number_or_could_be_two_is_not_read(text: str) -> None:
    with pytest.raises(NotANumber):
        read_number(text, unit="m")


def test_signs_for_no_value_are_empty_and_not_wrong() -> None:
    signs = ["", " ", "-", "—", "——", "－", "/", "／", "无", "NaN", "null", "N/A", "NULL"]

    numbers, wrong = numbers_of_texts(signs)

    assert all(map(is_no_value, signs))
    assert np.isnan(numbers).all()
    assert not wrong.any()


def test_the_other_values_of_a_column_tell_what_its_comma_means() -> None:
    decimal, _ = numbers_of_texts(["1,250", "0,75", "2"])
    grouped, _ = numbers_of_texts(["1,250", "12,345.6"])
    unclear, wrong = numbers_of_texts(["1,250", "12,345.6", "0,75"])

    assert decimal.tolist() == [1.25, 0.75, 2.0]
    assert grouped.tolist() == [1250.0, 12345.6]
    assert wrong.tolist() == [True, False, False]
    assert unclear[1:].tolist() == [12345.6, 0.75]
    assert comma_of(["7", "1,5mm"]) == "decimal"


@given(st.integers(-(10**40), 10**40))
def test_a_whole_number_keeps_every_digit(number: int) -> None:
    assert whole_number(str(number)) == number
    assert whole_number(f"{number:,}", comma="thousands") == number


def test_a_whole_number_may_end_in_zeros_behind_its_point_and_in_nothing_else() -> None:
    assert whole_number("12.00") == 12

    with pytest.raises(NotANumber):
        whole_number("12.5")
