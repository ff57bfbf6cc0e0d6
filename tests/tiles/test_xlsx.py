"""Workbooks: texts stay texts, names of tabs are made possible, a file appears whole."""

from pathlib import Path

import openpyxl

from tiles.encodings.xlsx import Column, Sheet, plain_text, write_workbook


def test_texts_numbers_and_nothing_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [("=1+1", 3885800.123456, None), ("+86\x07", 2, ""), ("1E5", -0.5, "x")]
    columns = [Column("a"), Column("b", number_format="0.000"), Column("c", wraps=True)]

    written = write_workbook(tmp_path / "book.xlsx", [Sheet("a/b:c", "标题", columns, rows, ["一", "二"], ["末"])] * 2)

    assert written == 6
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    assert book.sheetnames == ["a_b_c", "a_b_c_2"]
    tab = book["a_b_c"]
    assert list(tab.iter_rows(min_row=5, max_row=7, values_only=True)) == [
        ("=1+1", 3885800.123456, None),
        ("+86", 2, None),
        ("1E5", -0.5, "x"),
    ]
    assert tab["A5"].data_type == "s" and tab["B5"].number_format == "0.000"
    assert [path.name for path in tmp_path.iterdir()] == ["book.xlsx"]


def test_characters_no_spreadsheet_takes_are_left_out() -> None:
    assert [plain_text(value) for value in ("a\x00b", 5, None)] == ["ab", 5, None]
