"""Point numbers that a spreadsheet changed: given back where only one is possible, else told, and lines say why they lost them."""

from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from ingest.draft import Draft, ReadOptions
from ingest.survey.reader import read_survey
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.finding import Finding

MONTH_DAY, YEAR_MONTH, YEAR_MONTH_DAY = 'm"月"d"日"', "mmm-yy", "yyyy/m/d"


def survey(path: Path, points: list[Any], lines: list[tuple[Any, Any]]) -> Path:
    """Write a workbook; a number may be a value with its format."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "WSPoint"
    sheet.append(["物探点号", "X", "Y", "地面高程"])
    for n, number in enumerate(points):
        sheet.append([None, 3885000 + 30 * n, 617000, 65])
        put(sheet.cell(n + 2, 1), number)
    sheet = book.create_sheet("WSLine")
    sheet.append(["起点点号", "终点点号", "管径"])
    for n, ends in enumerate(lines):
        sheet.append([None, None, 300])
        for column, number in enumerate(ends, 1):
            put(sheet.cell(n + 2, column), number)
    book.save(path)
    return path


def put(cell: Any, number: Any) -> None:
    cell.value, cell.number_format = number if isinstance(number, tuple) else (number, "@")


def read(path: Path) -> tuple[list[str], list[tuple[str, str]], list[Finding]]:
    """Return the numbers of points, the ends of lines, and the findings."""
    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs="EPSG:4548") as draft:
        read_survey(path, draft, ReadOptions(crs="EPSG:4548"))
        frames = dict(draft.frames())
    lines = frames.get("pipe_line")
    ends = [] if lines is None else list(zip(lines["start_no"], lines["end_no"], strict=True))
    return frames["pipe_point"]["survey_no"].tolist(), ends, draft.findings


@pytest.mark.parametrize(
    ("altered", "typed"),
    [
        ((datetime(2026, 3, 5), MONTH_DAY), "3-5"),
        ((datetime(2026, 3, 5), "d-mmm"), "3/5"),
        ((datetime(2026, 3, 5), MONTH_DAY), "03-05"),
        ((datetime(1932, 1, 1), YEAR_MONTH), "1-32"),
        ((datetime(2013, 3, 1), YEAR_MONTH), "13-3"),
        ((datetime(2001, 2, 3), YEAR_MONTH_DAY), "1-2-3"),
        ((2e5, "0.00E+00"), "2E05"),
        ((1.23456789012346e17, "0"), "123456789012345678"),
    ],
)
def test_a_number_is_given_back_where_one_number_alone_is_referred_to(
    tmp_path: Path, altered: tuple[Any, str], typed: str
) -> None:
    numbers, ends, findings = read(survey(tmp_path / "a.xlsx", ["A1", altered, "A3"], [("A1", typed), (typed, "A3")]))

    assert (numbers, ends) == (["A1", typed, "A3"], [("A1", typed), (typed, "A3")])
    [finding] = [one for one in findings if one.rule == "survey.numbers_restored"]
    assert (finding.place, finding.values["number"], finding.values["count"]) == ("WSPoint row 3", typed, 1)


def test_numbers_changed_in_every_table_are_given_back_as_all_others_are_written(tmp_path: Path) -> None:
    day = (datetime(2026, 3, 5), MONTH_DAY)

    numbers, ends, _ = read(survey(tmp_path / "a.xlsx", ["3-40", day, "10-31"], [("3-40", day), (day, "10-31")]))

    assert (numbers, ends) == (["3-40", "3-5", "10-31"], [("3-40", "3-5"), ("3-5", "10-31")])


def test_where_several_numbers_are_possible_the_cell_is_told_and_each_end_of_each_line_says_why(tmp_path: Path) -> None:
    day = (datetime(2026, 3, 5), MONTH_DAY)
    lines = [("A1", "3-5"), ("3/5", "A1"), ("3-5", "3/5"), ("A1", "A2")]

    numbers, ends, findings = read(survey(tmp_path / "a.xlsx", ["A1", day, "A2"], lines))

    assert (numbers, ends) == (["A1", "3月5日", "A2"], [("A1", "A2")])
    told = [one for one in findings if one.rule == "survey.number_altered"]
    assert [(one.place, one.values["shown"], one.values["likely"]) for one in told] == [
        ("WSPoint row 3", "3月5日", ["3-5", "3/5"])
    ]
    lost = sorted((one.place, one.values["number"]) for one in findings if one.rule == "survey.number_lost")
    assert lost == [("WSLine row 2", "3-5"), ("WSLine row 3", "3/5"), ("WSLine row 4", "3-5"), ("WSLine row 4", "3/5")]
    assert all("WSPoint row 3: 3月5日" in one.text("en") for one in findings if one.rule == "survey.number_lost")


def test_numbers_that_nothing_tells_of_stay_as_the_spreadsheet_shows_them_and_are_told(tmp_path: Path) -> None:
    cells = [(datetime(2026, 3, 5), MONTH_DAY), (2e5, "0.00E+00"), (datetime(2026, 3, 1), YEAR_MONTH)]

    numbers, _, findings = read(survey(tmp_path / "a.xlsx", ["A1", *cells], [("A1", "A9")]))

    assert numbers == ["A1", "3月5日", "2.00E+05", "2026年3月"]
    assert [one.place for one in findings if one.rule == "survey.number_altered"] == [
        f"WSPoint row {n}" for n in (3, 4, 5)
    ]


def test_digits_that_a_spreadsheet_does_not_keep_are_told_once_for_a_table(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "WSPoint"
    for row in (
        ["物探点号", "X", "Y", "备注"],
        ["A1", 3885000, 617000, 1.23456789012346e17],
        ["A2", 3885030, 617000, 1.23456789012347e17],
    ):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")

    _, _, findings = read(tmp_path / "a.xlsx")

    [finding] = [one for one in findings if one.rule == "survey.digits_lost"]
    assert (finding.place, finding.values["count"], finding.values["value"]) == (
        "WSPoint row 2",
        2,
        "123456789012346000",
    )
