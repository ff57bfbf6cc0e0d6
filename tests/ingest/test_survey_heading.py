"""Headings of survey tables as offices write them, and what a section's text means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.draft import ReadOptions
from ingest.survey.heading import find_heading
from ingest.survey.section import read_section
from ingest.survey.vocabulary import Vocabulary, read_vocabulary
from ingest.tables import TextTable


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return read_vocabulary(ReadOptions())


def table(*rows: list[str]) -> TextTable:
    return TextTable("WSLine", "WSLine.csv", list(rows), list(range(1, len(rows) + 1)))


def test_units_in_brackets_and_full_width_letters_do_not_count(vocabulary: Vocabulary) -> None:
    heading = find_heading(table(["起点点号*", "终点 点号", "管径（mm）", "起点埋深(m)", "电压［kV］"]), vocabulary)

    assert heading is not None
    assert dict(heading.columns) == {"start_no": 0, "end_no": 1, "section": 2, "start_depth": 3, "voltage": 4}


def test_headings_cut_at_ten_bytes_are_understood(vocabulary: Vocabulary) -> None:
    heading = find_heading(table(["起点物探点", "终点物探点", "管径或断面"]), vocabulary)

    assert heading is not None
    assert dict(heading.columns) == {"start_no": 0, "end_no": 1, "section": 2}


def test_two_rows_of_heading_under_a_title_are_joined(vocabulary: Vocabulary) -> None:
    rows = [
        ["管线点成果表"],
        ["物探点号", "连接点号", "平面坐标", "", "高程", ""],
        ["", "", "X", "Y", "地面", "管顶(底)"],
        ["1", "2"],
    ]

    heading = find_heading(table(*rows), vocabulary)

    assert heading is not None
    assert (heading.role, heading.rows) == ("sheet", 3)
    assert {name: heading.columns[name] for name in ("x", "y", "ground_elevation", "elevation")} == {
        "x": 2,
        "y": 3,
        "ground_elevation": 4,
        "elevation": 5,
    }


def test_names_of_columns_in_letters_are_understood(vocabulary: Vocabulary) -> None:
    point = find_heading(table(["Exp_No", "X", "Y", "High", "Subsid"]), vocabulary)
    line = find_heading(table(["S_Point", "E_Point", "S_Deep", "PSize"]), vocabulary)

    assert point is not None and line is not None
    assert (point.role, line.role) == ("point", "line")


@pytest.mark.parametrize(
    ("said", "text", "shape", "width", "height"),
    [
        ("300", "300", "round", 300, 300),
        ("DN300", "DN300", "round", 300, 300),
        ("Φ300", "300", "round", 300, 300),
        ("ｄｎ３００", "DN300", "round", 300, 300),
        ("de110", "De110", "round", 110, 110),
        ("Φ89×4", "89", "round", 89, 89),
        ("1200X800", "1200x800", "rectangle", 1200, 800),
        ("1200 x 800mm", "1200x800", "rectangle", 1200, 800),
        ("1200*800", "1200x800", "rectangle", 1200, 800),
        ("BXH=1200×800", "1200x800", "rectangle", 1200, 800),
        ("3X185", "3X185", None, None, None),
        ("10kV", "10kV", None, None, None),
        ("", None, None, None, None),
        ("0", None, None, None, None),
    ],
)
def test_a_section_is_read_in_all_its_spellings(
    said: str, text: str | None, shape: str | None, width: float | None, height: float | None
) -> None:
    section = read_section(said)

    assert (section.text, section.shape, section.width_mm, section.height_mm) == (text, shape, width, height)


@given(st.integers(10, 9999), st.integers(10, 9999), st.sampled_from(["x", "X", "*", "×", " x "]))
def test_any_box_keeps_its_width_and_height(width: int, height: int, separator: str) -> None:
    section = read_section(f"{width}{separator}{height}")

    assert (section.width_mm, section.height_mm, section.shape) == (width, height, "rectangle")


@given(st.text(max_size=20))
def test_no_text_breaks_the_reading_of_a_section_or_makes_up_a_size(said: str) -> None:
    section = read_section(said)

    assert (section.shape is None) == (section.width_mm is None) == (section.height_mm is None)
    assert section.width_mm is None or any(one.isdigit() for one in said)


@pytest.mark.parametrize(
    "unit",
    [
        "(mm)",
        "（mm）",
        "[mm]",
        "［ｍｍ］",
        "【mm】",
        "/mm",
        "_mm",
        " mm",
        "mm",
        "（毫米）",
        "毫米",
        "(单位:mm)",
        "（单位：毫米）",
        "(MM)",
        "，mm",
    ],
)
def test_a_unit_however_it_is_written_belongs_to_its_column_whatever_its_name(
    vocabulary: Vocabulary, unit: str
) -> None:
    for name in [alias for alias in vocabulary.aliases["line"]["section"] if not alias.isascii()]:
        heading = find_heading(table(["起点点号", "终点点号", f"{name}{unit}"]), vocabulary)

        assert heading is not None and heading.columns.get("section") == 2, name
        assert dict(heading.units) == {"section": "mm"}, name


def test_units_of_every_kind_and_in_a_row_of_their_own_are_read(vocabulary: Vocabulary) -> None:
    names = ["物探点号", "X/m", "Y(m)", "地面高程（米）", "井深[cm]"]
    units = {"x": "m", "y": "m", "ground_elevation": "m", "well_depth": "cm"}
    below = ["", "m", "m", "m", "cm"]

    inside = find_heading(table(names), vocabulary)
    apart = find_heading(
        table(
            [name.split("/")[0].split("(")[0].split("（")[0].split("[")[0] for name in names],
            below,
            ["1", "2", "3", "4", "5"],
        ),
        vocabulary,
    )
    plain = find_heading(table(["物探点号", "X", "Y", "地面高程"]), vocabulary)

    assert inside is not None and apart is not None and plain is not None
    assert (dict(inside.units), inside.rows) == (units, 1)
    assert (dict(apart.units), apart.rows) == (units, 2)
    assert (dict(plain.units), plain.rows) == ({}, 1)


@pytest.mark.parametrize(
    ("said", "text", "width", "height"),
    [
        ("0.3m", "300", 300, 300), ("φ0.3m", "300", 300, 300), ("30cm", "300", 300, 300), ("DN300mm", "DN300", 300, 300), ("３００", "300", 300, 300),
        ("0.4m×0.3m", "400x300", 400, 300), ("0.4×0.3m", "400x300", 400, 300), ("400mm*300mm", "400x300", 400, 300), ("0,3m", "300", 300, 300),
        ("1.2米×80厘米", "1200x800", 1200, 800), ("0.3", "0.3", None, None), ("300m", "300m", None, None), ("——", None, None, None), ("无", None, None, None),
    ],
)  # fmt: skip
def test_a_unit_within_a_section_is_converted_and_an_impossible_one_gives_no_size(
    said: str, text: str | None, width: float | None, height: float | None
) -> None:
    section = read_section(said)

    assert (section.text, section.width_mm, section.height_mm) == (text, width, height)
