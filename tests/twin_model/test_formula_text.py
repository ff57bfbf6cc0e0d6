"""Texts that look like formulas are marked when they leave in a CSV, and come back as they were."""

from hypothesis import given
from hypothesis import strategies as st

from twin_model.formula_text import escape_formula, unescape_formula

FORMULAS = (
    "=1+1",
    "@SUM(A1)",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "=",
    "'=1",
    "-1-2",
    "+1e3x",
)
PLAIN = ("-1.5", "+86", "-", "+", "-.5", "+1e-3", "-1E5", "DN300", "'quoted'", "", "a=b", "'-1.5")


def test_a_formula_is_marked_and_a_number_a_sign_or_another_value_is_not() -> None:
    assert [escape_formula(text) for text in FORMULAS if text != "="] == [
        f"'{text}" for text in FORMULAS if text != "="
    ]
    assert [escape_formula(value) for value in (*PLAIN, "=", 3, -1.5, None)] == [*PLAIN, "=", 3, -1.5, None]


@given(st.text("'=+-@\t\r\n＝1e.x", max_size=8))
def test_every_text_comes_back_as_it_was(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text
