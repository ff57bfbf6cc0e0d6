"""Texts that a spreadsheet would run are written as texts, and can be told from texts that begin alike."""

from tiles.encodings.csv_table import escaped_formula


def test_no_text_of_a_csv_is_a_formula_and_each_can_be_had_back() -> None:
    dangerous = ["=1+1", "+86 539", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"]
    harmless = ["", "a=b", "'", "'quoted'", "一号楼", "O'Hare", " =1", "-2", "+1.5"]
    apostrophes = ["'=1", "''-2"]

    texts = dangerous + harmless + apostrophes
    written = [escaped_formula(text) for text in texts]

    assert written == [f"'{text}" for text in dangerous] + harmless + [f"'{text}" for text in apostrophes]
    assert len(set(written)) == len(texts), "no two texts are written alike"
