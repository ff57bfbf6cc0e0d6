"""Degrees, minutes and seconds are read as they are written in survey offices; what could be something else is no angle."""

import pytest

from ingest.angle_text import degrees_of_text


@pytest.mark.parametrize(
    "text",
    [
        "118°18′36″", "118°18'36\"", "118° 18' 36.0''", "118º18’36”", "118-18-36", "118:18:36.00", "118 18 36", "118度18分36秒", "１１８°１８′３６″",
        "118°18.6′", "118.31°", "118°18′36″E", "E118°18′36″", "东经118°18′36″", "118:18:36 e", "118.31E",
    ],
)  # fmt: skip
def test_one_angle_is_read_in_every_spelling(text: str) -> None:
    assert degrees_of_text(text, "east") == pytest.approx(118.31, abs=1e-9)


@pytest.mark.parametrize(
    "text", ["", "-", "118-18", "118°60′00″", "118:18:61", "about 118°", "E118°18′W", "361°", "2024-01-02"]
)
def test_what_is_no_angle_is_none(text: str) -> None:
    assert degrees_of_text(text) is None


def test_south_and_west_are_negative_and_belong_to_their_axis() -> None:
    assert degrees_of_text("33°51′54″S", "north") == pytest.approx(-33.865)
    assert degrees_of_text("西经70°30′") == -70.5
    assert degrees_of_text("118°18′36″E", "north") is None
    assert degrees_of_text("118°18′36″", "north") is None
