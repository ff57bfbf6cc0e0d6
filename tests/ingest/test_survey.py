"""Pipeline surveys in every form they are delivered in: the same network comes out, and its heights are those
surveyed."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.draft import Draft, ReadOptions
from ingest.survey.reader import files_of_survey, read_survey, recognises_survey
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import SourceRefused

MAJOR = {"WS": "PS", "YS": "PS", "JP": "JS", "TR": "RQ", "GD": "DL"}
WORDS = {"WS": "污水", "YS": "雨水", "JP": "配水", "TR": "天然气", "GD": "供电"}
TO_INVERT = {"WS", "YS"}
POINT_HEADING = ["物探点号", "X", "Y", "地面高程", "特征"]
LINE_HEADING = ["起点点号", "终点点号", "起点埋深", "终点埋深", "管径或断面尺寸", "材质"]


def read(path: Path, **options: Any) -> tuple[dict[str, gpd.GeoDataFrame], Draft]:
    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs="EPSG:4548") as draft:
        read_survey(path, draft, ReadOptions(**{"crs": "EPSG:4548"} | options))
        frames: dict[str, list[gpd.GeoDataFrame]] = {}
        for layer, frame in draft.frames():
            frames.setdefault(layer, []).append(frame)
    return {layer: gpd.GeoDataFrame(pd.concat(parts, ignore_index=True)) for layer, parts in frames.items()}, draft


def mapping(**options: Any) -> Any:
    return SimpleNamespace(name="office", crs=None, options=options)


@dataclass(frozen=True)
class Pipe:
    """A surveyed line: class, indices of its points, depth at each, section text and height in metres,
    material."""

    code: str
    start: int
    end: int
    depths: tuple[float, float]
    section: str
    size: float
    material: str


@dataclass(frozen=True)
class Town:
    """Points per class (east, north, ground), and the lines between points of the same class."""

    points: dict[str, list[tuple[float, float, float]]]
    pipes: list[Pipe]


@st.composite
def towns(draw: st.DrawFn) -> Town:
    """Draw networks whose numbers repeat from class to class, with parallel-free lines of every section
    form."""
    codes = draw(st.lists(st.sampled_from(sorted(MAJOR)), min_size=1, max_size=3, unique=True))
    points, pipes = {}, []
    for code in codes:
        count = draw(st.integers(2, 6))
        points[code] = [
            (
                617000 + 20.0 * n + draw(st.integers(0, 9999)) / 1000,
                3885000 + draw(st.integers(0, 30000)) / 1000,
                60 + draw(st.integers(0, 500)) / 100,
            )
            for n in range(count)
        ]
        every = [(a, b) for a in range(count) for b in range(count) if a < b]
        for a, b in draw(st.lists(st.sampled_from(every), min_size=1, max_size=len(every), unique=True)):
            turned = draw(st.booleans())
            section, size = draw(st.sampled_from([("300", 0.3), ("DN600", 0.6), ("1200X800", 0.8), ("400×300", 0.3)]))
            depths = (draw(st.integers(20, 900)) / 100, draw(st.integers(20, 900)) / 100)
            material = draw(st.sampled_from(["PE", "钢", "混凝土"]))
            pipes.append(Pipe(code, b if turned else a, a if turned else b, depths, section, size, material))
    return Town(points, pipes)


def point_row(town: Town, code: str, index: int) -> list[Any]:
    east, north, ground = town.points[code][index]
    return [str(index + 1), f"{north:.3f}", f"{east:.3f}", f"{ground:.2f}", "转折点"]


def line_row(pipe: Pipe) -> list[Any]:
    return [
        str(pipe.start + 1),
        str(pipe.end + 1),
        *(f"{d:.2f}" for d in pipe.depths),
        pipe.section,
        pipe.material,
    ]


def save_csv(path: Path, rows: list[list[Any]], encoding: str) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)


def sheets_of(town: Town) -> dict[str, list[list[Any]]]:
    sheets: dict[str, list[list[Any]]] = {}
    for code, points in town.points.items():
        sheets[f"{code}Point"] = [POINT_HEADING, *(point_row(town, code, n) for n in range(len(points)))]
        sheets[f"{code}Line"] = [LINE_HEADING, *(line_row(pipe) for pipe in town.pipes if pipe.code == code)]
    return sheets


def as_csv_folder(town: Town, folder: Path, encoding: str) -> Path:
    for name, rows in sheets_of(town).items():
        save_csv(folder / f"{name}.csv", rows, encoding)
    return folder


def as_gbk(town: Town, folder: Path) -> Path:
    return as_csv_folder(town, folder, "gbk")


def as_utf8_with_mark(town: Town, folder: Path) -> Path:
    return as_csv_folder(town, folder, "utf-8-sig")


def as_workbook(town: Town, folder: Path) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets_of(town).items():
        sheet = book.create_sheet(name)
        sheet.append(["管线探测成果表"])
        for n, row in enumerate(rows):
            sheet.append([float(cell) if n and 1 <= m <= 3 and "." in cell else cell for m, cell in enumerate(row)])
    book.save(folder / "survey.xlsx")
    return folder / "survey.xlsx"


def as_class_column(town: Town, folder: Path) -> Path:
    points = [[*point_row(town, code, n), WORDS[code]] for code, some in town.points.items() for n in range(len(some))]
    save_csv(folder / "管线点.csv", [[*POINT_HEADING, "管类"], *points], "utf-8")
    save_csv(folder / "管线.csv", [[*LINE_HEADING, "管类"], *([*line_row(p), p.code] for p in town.pipes)], "utf-8")
    return folder / "管线.csv"


def as_one_sheet(town: Town, folder: Path, *, merged_cells: bool = False, order: int = 1) -> Path:
    """Write the 成果表: two heading rows, every line twice, points without a line once; with `order` -1 the last row first."""
    rows = [
        ["管线点成果表"],
        ["管类", "物探点号", "连接点号", "坐标", "", "高程", "埋深(m)", "特征", "规格(mm)", "材质"],
        ["", "", "", "X", "Y", "地面", "", "", "", ""],
    ]
    for code, points in town.points.items():
        for n in range(len(points)):
            number, x, y, ground, feature = point_row(town, code, n)
            halves = [(p.end, p.depths[0], p) for p in town.pipes if p.code == code and p.start == n]
            halves += [(p.start, p.depths[1], p) for p in town.pipes if p.code == code and p.end == n]
            for m, (other, depth, pipe) in enumerate(halves):
                own = ["", "", "", "", ""] if merged_cells and m else [number, x, y, ground, feature]
                rows.append(
                    [
                        "" if merged_cells and m else WORDS[code],
                        own[0],
                        str(other + 1),
                        *own[1:4],
                        f"{depth:.2f}",
                        own[4],
                        pipe.section,
                        pipe.material,
                    ]
                )
            if not halves:
                rows.append([WORDS[code], number, "", x, y, ground, "", feature, "", ""])
    save_csv(folder / "成果表.csv", [*rows[:3], *rows[3:][::order]], "gbk")
    return folder / "成果表.csv"


def as_merged_one_sheet(town: Town, folder: Path) -> Path:
    return as_one_sheet(town, folder, merged_cells=True)


def expected_lines(town: Town) -> dict[tuple[str, frozenset[str]], dict[str, Any]]:
    """Return by class and point numbers what each line must be, computed from the survey and nothing else."""
    expected = {}
    for pipe in town.pipes:
        ends = {}
        for index, depth in zip((pipe.start, pipe.end), pipe.depths, strict=True):
            east, north, ground = town.points[pipe.code][index]
            reference = ground - depth
            invert = reference if pipe.code in TO_INVERT else reference - pipe.size
            ends[str(index + 1)] = tuple(
                round(v, 6) for v in (east, north, invert + pipe.size / 2, invert, invert + pipe.size, depth)
            )
        expected[pipe.code, frozenset(ends)] = {
            "ends": ends,
            "material": pipe.material,
            "height_mm": pipe.size * 1000,
        }
    return expected


def stored_lines(frame: gpd.GeoDataFrame) -> dict[tuple[str, frozenset[str]], dict[str, Any]]:
    stored = {}
    for row in frame.itertuples():
        ends = {}
        for number, place, axis, invert, crown, depth in (
            (
                row.start_no,
                row.geometry.coords[0],
                row.start_axis,
                row.start_invert,
                row.start_crown,
                row.start_depth,
            ),
            (row.end_no, row.geometry.coords[-1], row.end_axis, row.end_invert, row.end_crown, row.end_depth),
        ):
            assert place[2] == pytest.approx(axis)
            ends[number] = tuple(round(float(v), 6) for v in (place[0], place[1], axis, invert, crown, depth))
        stored[row.subclass, frozenset(ends)] = {
            "ends": ends,
            "material": row.material,
            "height_mm": row.height_mm,
        }
    return stored


@pytest.mark.parametrize(
    "write", [as_gbk, as_utf8_with_mark, as_workbook, as_class_column, as_one_sheet, as_merged_one_sheet]
)
@settings(max_examples=8, deadline=None)
@given(town=towns())
def test_any_network_comes_back_from_every_form_of_delivery(
    tmp_path_factory: pytest.TempPathFactory, write: Callable[[Town, Path], Path], town: Town
) -> None:
    path = write(town, tmp_path_factory.mktemp("survey"))

    frames, draft = read(path)

    points = {
        (r.subclass, r.survey_no): (r.geometry.x, r.geometry.y, r.geometry.z) for r in frames["pipe_point"].itertuples()
    }
    assert points == {
        (code, str(n + 1)): tuple(round(v, 3) for v in one)
        for code, some in town.points.items()
        for n, one in enumerate(some)
    }
    lines = stored_lines(frames["pipe_line"])
    for key, one in expected_lines(town).items():
        assert lines[key]["material"] == one["material"]
        assert lines[key]["height_mm"] == pytest.approx(one["height_mm"])
        for number, end in one["ends"].items():
            assert lines[key]["ends"][number] == pytest.approx(end, abs=1e-6)
    assert len(lines) == len(frames["pipe_line"]) == len(town.pipes)
    assert draft.counts.quarantined == 0
    assert draft.counts.read == draft.counts.stored + draft.counts.decoration


@settings(max_examples=6, deadline=None)
@given(town=towns())
def test_ids_do_not_depend_on_the_form_of_delivery(tmp_path_factory: pytest.TempPathFactory, town: Town) -> None:
    tables, _ = read(as_gbk(town, tmp_path_factory.mktemp("tables")))
    sheet, _ = read(as_one_sheet(town, tmp_path_factory.mktemp("sheet")))

    assert set(tables["pipe_line"]["id"]) == set(sheet["pipe_line"]["id"])
    assert set(tables["pipe_point"]["id"]) == set(sheet["pipe_point"]["id"])


@settings(max_examples=6, deadline=None)
@given(town=towns())
def test_the_rows_of_one_sheet_say_the_same_in_any_order(tmp_path_factory: pytest.TempPathFactory, town: Town) -> None:
    contents = []
    for order in (1, -1):
        frames, _ = read(as_one_sheet(town, tmp_path_factory.mktemp("sheet"), order=order))
        contents.append({layer: dict(zip(rows["id"], rows["content"], strict=True)) for layer, rows in frames.items()})

    assert contents[0] == contents[1]


def small(tmp_path: Path, *, name: str = "WS", lines: list[list[Any]] | None = None) -> Path:
    """Write two points 30 m apart and a line from the first to the second, in a table of their class."""
    points = [["1", "3885000", "617000", "65.00", "转折点"], ["2", "3885030", "617000", "64.00", "转折点"]]
    save_csv(tmp_path / f"{name}Point.csv", [POINT_HEADING, *points], "utf-8")
    save_csv(
        tmp_path / f"{name}Line.csv",
        [LINE_HEADING, *(lines or [["1", "2", "3.00", "2.50", "400", "PE"]])],
        "utf-8",
    )
    return tmp_path / f"{name}Line.csv"


def test_either_file_of_a_pair_brings_its_partner(tmp_path: Path) -> None:
    line = small(tmp_path)
    (tmp_path / "YSPoint.csv").write_text("another class", "utf-8")

    assert [one.name for one in files_of_survey(line)] == ["WSLine.csv", "WSPoint.csv"]
    assert files_of_survey(tmp_path / "WSPoint.csv") == files_of_survey(line)
    assert len(read(tmp_path / "WSPoint.csv")[0]["pipe_line"]) == 1


@pytest.mark.parametrize(("name", "invert"), [("WS", (62.0, 61.5)), ("JS", (61.6, 61.1)), ("DX", (61.6, 61.1))])
def test_a_depth_means_the_invert_of_a_sewer_and_the_top_of_other_pipes(
    tmp_path: Path, name: str, invert: tuple[float, float]
) -> None:
    frames, _ = read(small(tmp_path, name=name))

    line = frames["pipe_line"].iloc[0]
    assert (line["start_invert"], line["end_invert"]) == pytest.approx(invert)
    assert line["start_crown"] - line["start_invert"] == pytest.approx(0.4)
    assert (line["depth_reference"], line["height_source"]) == ("invert" if name == "WS" else "top", "depth")


def test_an_office_may_measure_to_another_height(tmp_path: Path) -> None:
    frames, _ = read(small(tmp_path), mapping=mapping(survey={"depth_reference": {"WS": "top"}}))

    assert frames["pipe_line"].iloc[0]["start_crown"] == pytest.approx(62.0)


def test_older_codes_of_a_class_become_the_one_in_force(tmp_path: Path) -> None:
    frames, _ = read(small(tmp_path, name="DX"))

    assert set(frames["pipe_line"]["class"]) == {"TX"}


def test_an_office_may_name_its_own_columns(tmp_path: Path) -> None:
    path = small(tmp_path)
    for one in (path, tmp_path / "WSPoint.csv"):
        one.write_text(
            one.read_text("utf-8").replace("物探点号", "井号").replace("起点点号", "从").replace("终点点号", "至"),
            "utf-8",
        )
    names = {"point": {"survey_no": ["井号"]}, "line": {"start_no": ["从"], "end_no": "至"}}

    frames, _ = read(path, mapping=mapping(survey_aliases=names))

    assert frames["pipe_line"].iloc[0]["segment_key"] == "WS.1~2"


def test_a_surveyed_elevation_counts_before_ground_minus_depth(tmp_path: Path) -> None:
    path = small(tmp_path)
    save_csv(
        path,
        [
            [*LINE_HEADING, "起点管底高程", "终点管底高程"],
            ["1", "2", "3.00", "2.50", "400", "PE", "62.005", "61.496"],
        ],
        "gbk",
    )

    frames, draft = read(path)

    line = frames["pipe_line"].iloc[0]
    assert (line["start_invert"], line["end_invert"], line["height_source"]) == (62.005, 61.496, "survey")
    assert "survey.elevation_disagrees" not in {finding.rule for finding in draft.findings}


def test_a_column_that_says_crown_is_taken_at_its_word_for_a_sewer_too(tmp_path: Path) -> None:
    path = small(tmp_path)
    save_csv(
        path,
        [
            ["起点点号", "终点点号", "起点管顶高程", "终点管顶高程", "管径"],
            ["1", "2", "62.40", "61.90", "400"],
        ],
        "gbk",
    )

    frames, _ = read(path)

    assert frames["pipe_line"].iloc[0]["start_invert"] == pytest.approx(62.0)


def test_words_and_dates_are_kept_in_the_forms_of_the_catalogue(tmp_path: Path) -> None:
    path = small(tmp_path)
    heading = [*LINE_HEADING, "使用状态", "建设年代", "埋设方式", "流向", "探测日期"]
    save_csv(
        path,
        [heading, ["1", "2", "3", "2.5", "DN400", "砼", "废弃", "2009", "GM", "顺流", "2024/05/20"]],
        "gbk",
    )

    frames, draft = read(path)

    line = frames["pipe_line"].iloc[0]
    assert (line["status"], line["built"], line["valid_precision"]) == ("1", "2009", "year")
    assert (line["material"], line["burial_method"], line["flow_direction"]) == ("混凝土", "GM", "+")
    assert draft.surveyed == "2024-05-19T16:00:00.000Z"


def test_plan_accuracy_is_a_tenth_of_the_depth_but_of_one_metre_at_least(tmp_path: Path) -> None:
    frames, _ = read(
        small(tmp_path, lines=[["1", "2", "3.00", "2.50", "400", "PE"], ["1", "2", "0.50", "0.60", "100", "PE"]])
    )

    assert sorted(frames["pipe_line"]["accuracy"]) == pytest.approx([0.10, 0.30])


def test_accuracy_of_a_line_from_a_drawing_is_not_claimed(tmp_path: Path) -> None:
    path = small(tmp_path)
    save_csv(path, [[*LINE_HEADING, "数据来源"], ["1", "2", "3.00", "2.50", "400", "PE", "2"]], "gbk")

    assert pd.isna(read(path)[0]["pipe_line"].iloc[0]["accuracy"])


def test_lines_between_the_same_points_keep_their_keys_when_the_table_is_sorted_anew(tmp_path: Path) -> None:
    rows = [["1", "2", "3.00", "2.50", "400", "PE"], ["2", "1", "1.00", "1.00", "100", "钢"]]
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()

    one, _ = read(small(tmp_path / "one", lines=rows))
    two, _ = read(small(tmp_path / "two", lines=rows[::-1]))

    keys = [
        dict(zip(frames["pipe_line"]["section"], frames["pipe_line"]["segment_key"], strict=True))
        for frames in (one, two)
    ]
    assert keys[0] == keys[1] == {"100": "WS.1~2", "400": "WS.1~2~2"}


def test_numbers_of_two_projects_are_kept_apart(tmp_path: Path) -> None:
    points = [[p, "1", f"{3885000 + n * 100}", "617000", "65", "转折点"] for n, p in enumerate("AB")]
    points += [[p, "2", f"{3885020 + n * 100}", "617000", "65", "转折点"] for n, p in enumerate("AB")]
    save_csv(tmp_path / "WSPoint.csv", [["工程编号", *POINT_HEADING], *points], "gbk")
    save_csv(
        tmp_path / "WSLine.csv",
        [["工程编号", *LINE_HEADING], *([p, "1", "2", "3", "3", "400", "PE"] for p in "AB")],
        "gbk",
    )

    frames, draft = read(tmp_path)

    assert sorted(frames["pipe_line"]["id"]) == ["A.WS.1~2", "B.WS.1~2"]
    assert sorted(line.coords[0][1] for line in frames["pipe_line"].geometry) == [3885000, 3885100]
    assert draft.counts.quarantined == 0


def test_a_project_may_come_from_the_mapping(tmp_path: Path) -> None:
    frames, _ = read(small(tmp_path), mapping=mapping(survey={"project": "P7"}))

    assert list(frames["pipe_line"]["id"]) == ["P7.WS.1~2"]


def test_a_survey_is_recognised_by_its_headings_only(tmp_path: Path) -> None:
    line = small(tmp_path)
    save_csv(tmp_path / "trees.csv", [["name", "x", "y"], ["oak", "1", "2"]], "utf-8")
    save_csv(tmp_path / "control.csv", [["点号", "X", "Y", "高程"], ["D01", "1", "2", "3"]], "utf-8")
    (tmp_path / "plan.dxf").write_text("0\nSECTION\n", "utf-8")

    assert recognises_survey(line)
    assert recognises_survey(tmp_path)
    assert not recognises_survey(tmp_path / "trees.csv")
    assert not recognises_survey(tmp_path / "control.csv")
    assert not recognises_survey(tmp_path / "plan.dxf")


def test_a_survey_without_crs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused) as refusal:
        read(small(tmp_path), crs=None)

    assert refusal.value.rule_id == "source.no_crs"


def test_a_thousand_lines_are_read_within_a_few_frames(tmp_path: Path) -> None:
    points = [[f"W{n}", f"{3885000 + n * 20}", "617000", "65", "转折点"] for n in range(1001)]
    save_csv(tmp_path / "WSPoint.csv", [POINT_HEADING, *points], "gbk")
    save_csv(
        tmp_path / "WSLine.csv",
        [LINE_HEADING, *([f"W{n}", f"W{n + 1}", "3", "3", "400", "PE"] for n in range(1000))],
        "gbk",
    )

    frames, draft = read(tmp_path)

    assert (len(frames["pipe_line"]), draft.counts.stored) == (1000, 2001)
