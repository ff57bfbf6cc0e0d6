"""Commas of an EPANET file: decimal, between words, or refused where a file has both."""

import pytest

from ingest.inp_tokens import InpLine, ensure_one_comma, words_of
from twin_model.errors import SourceRefused

DECIMAL = [("JUNCTIONS", "J1 63,5 0"), ("RESERVOIRS", "R1  98,25"), ("PIPES", "P1 R1 J1 152,4 300 110 0 Open"),
           ("COORDINATES", "J1 527200,50 3884200,25"), ("TANKS", "T1 50,5 1 0 5 10 0")]  # fmt: skip
BETWEEN = [("COORDINATES", "J1 527200,3884200"), ("COORDINATES", "J1,527200,3884200"), ("PIPES", "P1,R1,J1,152.4,300,110"),
           ("PIPES", "P1 R1 J1 152,300,110"), ("JUNCTIONS", "J1, 63.5, 0"), ("VERTICES", "P2, 1,2")]  # fmt: skip


def lines(entries: list[tuple[str, str]]) -> list[InpLine]:
    return [InpLine(section, number, text) for number, (section, text) in enumerate(entries, 1)]


def test_commas_within_numbers_are_told_from_commas_between_words() -> None:
    assert ensure_one_comma(lines(DECIMAL), "a.inp") == lines(DECIMAL)
    assert ensure_one_comma(lines(BETWEEN), "a.inp") == []
    assert ensure_one_comma(lines([("PIPES", 'P1 "a,b" J1 152.4 300 110')]), "a.inp") == []


def test_words_are_those_of_epanet_or_numbers_with_a_point() -> None:
    assert words_of('P1,R1 "J 1"  152.4', decimal_comma=False) == ("P1", "R1", "J 1", "152.4")
    assert words_of('J1 63,5 "a,b" -1,5e2', decimal_comma=True) == ("J1", "63.5", "a,b", "-1.5e2")


@pytest.mark.parametrize("between", BETWEEN)
def test_a_file_with_both_is_refused_with_a_line_of_each(between: tuple[str, str]) -> None:
    with pytest.raises(SourceRefused) as refused:
        ensure_one_comma(lines([DECIMAL[0], between]), "a.inp")

    assert "1: J1 63,5 0" in refused.value.text("en") and f"2: {between[1]}" in refused.value.text("zh")
