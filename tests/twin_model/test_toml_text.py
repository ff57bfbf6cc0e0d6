"""What we write as TOML is read back as it was."""

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from twin_model.toml_text import toml_key, toml_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=3),
    max_leaves=5,
)


@settings(max_examples=40)
@given(TEXTS, VALUES)
def test_a_key_and_its_value_come_back_as_they_were(key: str, value: Any) -> None:
    assert tomllib.loads(f"{toml_key(key)} = {toml_text(value)}") == {key: value}


def test_a_control_character_that_toml_does_not_take_is_escaped() -> None:
    assert tomllib.loads("name = " + toml_text("a\x7fb\x00")) == {"name": "a\x7fb\x00"}


def test_a_plain_key_stands_without_quotes_and_any_other_in_them() -> None:
    assert [toml_key(name) for name in ("width_mm", "a-1", "管径", "a b", "")] == [
        "width_mm",
        "a-1",
        '"管径"',
        '"a b"',
        '""',
    ]
