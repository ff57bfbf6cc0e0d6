"""Tables as text: encodings, separators, sheets, and files that are no tables."""

from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from exhausting_sources import WRITERS
from hypothesis import given
from hypothesis import strategies as st

from ingest.tables import is_table_file, read_tables
from twin_model.errors import SourceRefused

ROWS = [["物探点号", "X", "备注"], ["WS1", "3885000.5", "井, 有盖"]]


def test_one_table_in_four_encodings_reads_as_the_same_text(tmp_path: Path) -> None:
    text = '物探点号,X,备注\nWS1,3885000.5,"井, 有盖"\n'
    for encoding in ("utf-8", "utf-8-sig", "gbk", "utf-16"):
        path = tmp_path / f"{encoding}.csv"
        path.write_text(text, encoding)

        assert read_tables(path)[0].rows == ROWS


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_the_one_that_divides_the_first_lines(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(separator.join("abc") + "\n" + separator.join("123") + "\n", "utf-8")

    assert read_tables(path)[0].rows == [["a", "b", "c"], ["1", "2", "3"]]


def test_an_encoding_that_is_named_counts_before_the_guess(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("Röhre,1\n".encode("latin-1"))

    assert read_tables(path, encoding="latin-1")[0].rows == [["Röhre", "1"]]


def test_cells_of_a_workbook_become_what_a_surveyor_would_write(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "WSPoint"
    sheet.append([12.0, 0.25, date(2019, 5, 1), datetime(2019, 5, 1), True, None, " a "])
    sheet.append([])
    sheet.append(["after an empty row"])
    book.create_sheet("WSLine").append(["x"])
    book.save(tmp_path / "survey.xlsx")

    point, line = read_tables(tmp_path / "survey.xlsx")

    assert point.rows == [["12", "0.25", "2019-05-01", "2019-05-01", "1", "", "a"], ["after an empty row"]]
    assert (point.name, point.numbers, line.name) == ("WSPoint", [1, 3], "WSLine")


def test_a_limit_reads_the_first_rows_only_and_never_half_a_character(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("点号,备注\n" + "".join(f"{n},管线探测\n" for n in range(20_000)), "utf-8")

    assert read_tables(path, limit=3)[0].rows == [["点号", "备注"], ["0", "管线探测"], ["1", "管线探测"]]


def test_lock_files_of_office_programs_are_no_tables() -> None:
    assert is_table_file(Path("WSPoint.CSV"))
    assert not is_table_file(Path("~$survey.xlsx"))
    assert not is_table_file(Path("plan.dxf"))


def _whole_workbook(path: Path) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in range(200):
        sheet.append([f"WS{row}", row * 1.5])
    book.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.999])
def test_a_truncated_workbook_is_refused_as_damaged(tmp_path: Path, share: float) -> None:
    path = tmp_path / "survey.xlsx"
    content = _whole_workbook(path)
    path.write_bytes(content[: max(4, int(len(content) * share))])

    with pytest.raises(SourceRefused, match=r"The workbook survey\.xlsx is damaged: .*cut off on its way"):
        read_tables(path)


def test_a_workbook_with_a_spoilt_sheet_is_refused_without_a_traceback_of_the_library(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "survey.xlsx"
    _whole_workbook(path)
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"][:900]
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            package.writestr(name, content)

    with pytest.raises(SourceRefused, match="is damaged"):
        read_tables(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "points.xlsx",
            "点号,X,Y\n1,2,3\n".encode(),
            r"is called a workbook but is none; it begins with E7 82 B9 E5",
        ),
        ("points.csv", b"", r"points\.csv is empty: 0 bytes"),
        ("points.xls", b"\xd0\xcf\x11\xe0" + bytes(60), r"workbook of the old kind \(\.xls\)"),
        ("points.csv", b"\xff\x81\x00\x01\x02", r"in none of the encodings utf-8-sig, gb18030"),
        ("points.csv", b"a,b\n\x00\x00,1\n", r"in none of the encodings"),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(SourceRefused, match=message):
        read_tables(path)


def test_a_path_that_is_not_there_is_refused_with_the_cause(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match=r"nowhere\.csv could not be read: No such file"):
        read_tables(tmp_path / "nowhere.csv")


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_are_either_rows_of_text_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "any.csv"
    path.write_bytes(content)

    try:
        table = read_tables(path)[0]
    except SourceRefused as refusal:
        assert "any.csv" in refusal.text("en")
        assert "any.csv" in refusal.text("zh")
    else:
        assert all(any(row) for row in table.rows)
        assert len(table.rows) == len(table.numbers)


@pytest.mark.parametrize(
    "rows",
    [
        ["点号;X;Y;高程", "W1;3885123,45;617000,12;63,5", "W2;3885124;617001;63"],
        ["成果表;;;", "点号;X;Y;高程", "W1;1,5;2,5;3,5", "W2;1,5;2,5;3,5", "W3;1,5;2,5;3,5"],
        ["点号\tX\t备注", "W1\t1,25\ta; b, c, d", "W2\t1,5\te; f, g, h, i"],
        ["点号,X,备注", 'W1,1.5,"a; b"', "W2,1.5,a; b; c; d"],
    ],
)
def test_commas_within_cells_do_not_divide_a_table_of_another_separator(tmp_path: Path, rows: list[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(rows), "utf-8")

    table = read_tables(path)[0]

    assert {len(row) for row in table.rows} == {len(table.rows[-1])} and len(table.rows[-1]) in (3, 4)


def test_cells_that_a_spreadsheet_may_have_changed_are_named_with_what_it_shows(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["点号", "x"])
    for value, number_format in ((datetime(2026, 3, 5), 'm"月"d"日"'), (datetime(1932, 1, 1), "mmm-yy"), (datetime(2026, 3, 5), "yyyy/m/d"),
                                 (2e5, "0.00E+00"), (1.234567890123457e16, "0"), (12.5, "0.00"), (True, "General")):  # fmt: skip
        sheet.append([value, None])
        sheet.cell(sheet.max_row, 1).number_format = number_format
    book.save(tmp_path / "a.xlsx")

    table = read_tables(tmp_path / "a.xlsx")[0]

    shown = {row: (cell.kind, cell.shown) for (row, _), cell in table.altered.items()}
    assert shown == {1: ("date", "3月5日"), 2: ("date", "1932年1月"), 3: ("date", "2026年3月5日"), 4: ("exponent", "2.00E+05"),
                     5: ("rounded", "12345678901234570")}  # fmt: skip
    assert table.rows[5][0] == "12345678901234570"


def test_cells_far_away_cost_nothing_and_a_sheet_of_too_many_is_refused(tmp_path: Path) -> None:
    for name in ("far_row.xlsx", "far_row_first.xlsx", "far_columns.xlsx"):
        WRITERS[name](tmp_path / name)

    (far,) = read_tables(tmp_path / "far_row.xlsx")
    (first,) = read_tables(tmp_path / "far_row_first.xlsx", limit=20)

    assert far.numbers == [1, 2, 2_000_000_000] and first.numbers == [2_000_000_000]
    with pytest.raises(SourceRefused, match="reaches to column XFD in row 30[0-9]"):
        read_tables(tmp_path / "far_columns.xlsx")
