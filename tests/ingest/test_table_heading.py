"""Tables with coordinates whose heading stands in several rows, with titles above and sums below."""

from pathlib import Path

import openpyxl
import pytest

from ingest.draft import Draft, ReadOptions
from ingest.readers import read_source
from ingest.vector.table_heading import is_caption, joined_heading
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source

HEADINGS = {
    "merged right and down": (
        [["编号", "坐标(m)", "", "属性", ""], ["", "X", "Y", "杆高(m)", "安装日期"], ["L1", "1", "2", "8", "2024-01-01"]],
        1, (1, 2), ["编号", "X", "Y", "杆高(m)", "安装日期"], 2, 2,
    ),
    "names that occur twice": (
        [["井号", "位置", "", "起点", "", "终点", ""], ["", "X", "Y", "埋深", "高程", "埋深", "高程"], ["1"] * 7],
        1, (1, 2), ["井号", "X", "Y", "起点埋深", "起点高程", "终点埋深", "终点高程"], 2, 2,
    ),
    "coordinates in the upper row": (
        [["编号", "X", "Y", "属性", "", "备注"], ["", "", "", "杆高", "日期", ""], ["L1", "1", "2", "8", "a", ""]],
        0, (1, 2), ["编号", "X", "Y", "杆高", "日期", "备注"], 2, 2,
    ),
    "three rows": (
        [["编号", "位置", "", "", "备注"], ["", "坐标", "", "高程", ""], ["", "X", "Y", "", ""], ["L1", "1", "2", "3", ""]],
        2, (1, 2), ["编号", "X", "Y", "高程", "备注"], 3, 3,
    ),
    "a title and a unit above": (
        [["××市路灯成果表", "", "", ""], ["工程：甲", "", "", "单位：m"], ["编号", "X", "Y", "杆高"], ["L1", "1", "2", "3"]],
        2, (1, 2), ["编号", "X", "Y", "杆高"], 3, 1,
    ),
    "units and numbers of columns below": (
        [["编号", "X", "Y", "杆高"], ["", "m", "m", "m"], ["1", "2", "3", "4"], ["L1", "1", "2", "3"]],
        0, (1, 2), ["编号", "X(m)", "Y(m)", "杆高(m)"], 3, 1,
    ),
    "a row without coordinates": (
        [["编号", "X", "Y", "", "备注"], ["L1", "", "", "", "损坏"], ["L2", "1", "2", "", ""]],
        0, (1, 2), ["编号", "X", "Y", "", "备注"], 1, 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADINGS)
def test_a_heading_in_several_rows_is_joined_downwards(name: str) -> None:
    rows, known, places, names, end, depth = HEADINGS[name]

    heading = joined_heading(rows, known, places)

    assert (list(heading.names), heading.rows, heading.depth) == (names, end, depth)


def test_sums_notes_and_repeated_headings_are_no_features() -> None:
    heading = [["编号", "X", "Y"]]
    rows = {
        "合  计": (["合  计", "", ""], True),
        "total": (["Total", "", "", "812"], True),
        "note": (["注：坐标为2000系", "", ""], True),
        "signature": (["制表：甲", "", "审核：乙"], True),
        "next page": (["编号", "X", "Y"], True),
        "a place of its own": (["合计", "3886000", "618000"], False),
        "a name": (["小计桥", "", ""], False),
        "without coordinates": (["L1", "", ""], False),
        "total station": (["Summit", "", ""], False),
    }

    wrong = {name for name, (row, expected) in rows.items() if is_caption(row, heading, (1, 2)) != expected}

    assert wrong == set()


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_a_table_of_an_office_comes_in_with_its_names_and_without_its_sums(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"lamps{suffix}"
    rows = [["路灯台账"], ["编号", "坐标(m)", "", "属性", ""], ["", "X", "Y", "杆高(m)", "安装日期"]]
    rows += [[f"L{n}", str(3_886_000 + n), "618000", "8", "2024-01-01"] for n in range(3)] + [
        ["合计", "", "", "24", ""]
    ]
    if suffix == ".csv":
        path.write_text("\n".join(",".join(row) for row in rows), "utf-8")
    else:
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append([cell or None for cell in row])
        book.active.merge_cells("B2:C2")
        book.active.merge_cells("A2:A3")
        book.save(path)

    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs="EPSG:4548") as draft:
        read_source(path, draft, ReadOptions(crs="EPSG:4548"))
        frames = list(draft.frames())
        rules = {finding.rule: finding.text("zh") for finding in draft.findings}

    assert (draft.counts.read, draft.counts.stored, draft.counts.decoration) == (4, 3, 1)
    assert sum(len(frame) for _, frame in frames) == 3
    assert "编号、X、Y、杆高(m)、安装日期" in rules["vector.table_heading_joined"]
    assert "有 1 行是合计" in rules["vector.table_captions"]
    assert "第 7 行：“合计”" in rules["vector.table_captions"]
