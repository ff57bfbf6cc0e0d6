"""What a survey's rules notice: odd rows are set aside or stored with a finding, and nothing is made up or
lost."""

import csv
from pathlib import Path
from string import Formatter
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest

from ingest.draft import Draft, ReadOptions
from ingest.survey.reader import read_survey
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import CatalogueError, SourceRefused
from twin_model.finding import Finding
from twin_model.messages import messages

POINT_HEADING = ["物探点号", "X", "Y", "地面高程", "特征", "附属物"]
LINE_HEADING = ["起点点号", "终点点号", "起点埋深", "终点埋深", "管径", "材质"]
SHEET_HEADING = ["物探点号", "连接点号", "X", "Y", "地面高程", "埋深", "管径", "材质"]
POINTS = [
    ["W1", "3885000", "617000", "65", "转折点", ""],
    ["W2", "3885030", "617000", "64", "", "检查井"],
    ["W3", "3885030", "617040", "64", "", "检查井"],
]
LINES = [["W1", "W2", "3", "2.5", "400", "PE"], ["W2", "W3", "2.5", "2.4", "400", "PE"]]


def save(path: Path, heading: list[str], rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([heading, *rows])
    return path


def survey(tmp_path: Path, *, points: list[list[str]] | None = None, lines: list[list[str]] | None = None) -> Path:
    save(tmp_path / "WSPoint.csv", POINT_HEADING, POINTS if points is None else points)
    return save(tmp_path / "WSLine.csv", LINE_HEADING, LINES if lines is None else lines)


def read(path: Path, **options: Any) -> tuple[dict[str, gpd.GeoDataFrame], Draft]:
    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs="EPSG:4548") as draft:
        read_survey(path, draft, ReadOptions(**{"crs": "EPSG:4548"} | options))
        assert draft.counts.read == draft.counts.stored + draft.counts.quarantined + draft.counts.decoration
        frames = dict(draft.frames())
    return frames, draft


def found(draft: Draft, rule: str) -> list[Finding]:
    return [finding for finding in draft.findings if finding.rule == rule]


def mapping(**options: Any) -> Any:
    return SimpleNamespace(name="office", crs=None, options=options)


def test_a_clean_survey_has_nothing_to_report(tmp_path: Path) -> None:
    _, draft = read(survey(tmp_path))

    assert draft.findings == []
    assert (draft.counts.read, draft.counts.stored, draft.counts.decoration) == (7, 5, 2)


def test_a_line_to_an_unknown_number_is_set_aside_and_the_nearest_number_named(tmp_path: Path) -> None:
    frames, draft = read(survey(tmp_path, lines=[*LINES, ["W3", "W22", "3", "3", "400", "PE"]]))

    (finding,) = found(draft, "survey.number_unknown")
    assert "refers to point W22" in finding.text("en")
    assert finding.values["nearest"][0] == "W2"
    assert (finding.place, finding.point) == ("WSLine row 4", (617040.0, 3885030.0))
    assert finding.raw == {
        "起点点号": "W3",
        "终点点号": "W22",
        "起点埋深": "3",
        "终点埋深": "3",
        "管径": "400",
        "材质": "PE",
    }
    assert len(frames["pipe_line"]) == 2


def test_a_number_like_no_other_still_gets_the_nearest_named(tmp_path: Path) -> None:
    _, draft = read(survey(tmp_path, lines=[["W1", "X9999", "3", "3", "400", "PE"]]))

    assert len(found(draft, "survey.number_unknown")[0].values["nearest"]) == 3


def test_a_number_of_another_class_does_not_stand_in_for_a_missing_one(tmp_path: Path) -> None:
    survey(tmp_path, lines=[["W1", "J9", "3", "3", "400", "PE"]])
    save(tmp_path / "JSPoint.csv", POINT_HEADING, [["J9", "3885060", "617000", "65", "三通", ""]])

    frames, draft = read(tmp_path)

    assert len(found(draft, "survey.number_unknown")) == 1
    assert "pipe_line" not in frames


def test_a_repeated_number_keeps_the_first_point(tmp_path: Path) -> None:
    frames, draft = read(survey(tmp_path, points=[*POINTS, ["W2", "3885033", "617004", "64", "三通", ""]]))

    (finding,) = found(draft, "survey.point_number_repeated")
    assert (finding.place, finding.values["first"], finding.values["distance"]) == (
        "WSPoint row 5",
        "WSPoint row 3",
        5.0,
    )
    assert len(frames["pipe_point"]) == 3


@pytest.mark.parametrize("depth", ["99", "-1.2", "15.01"])
def test_an_impossible_depth_is_kept_as_said_and_gives_no_height(tmp_path: Path, depth: str) -> None:
    frames, draft = read(survey(tmp_path, lines=[["W1", "W2", "3", depth, "400", "PE"]]))

    line = frames["pipe_line"].iloc[0]
    (finding,) = found(draft, "survey.depth_impossible")
    assert f"depth {float(depth)} m at point W2" in finding.text("en")
    assert line["end_depth"] == float(depth)
    assert line[["end_crown", "end_axis", "end_invert"]].isna().all()
    assert (line["start_invert"], line["height_source"], line.geometry.has_z) == (62.0, "unknown", False)


def test_what_depth_is_too_deep_is_a_setting(tmp_path: Path) -> None:
    path = survey(tmp_path, lines=[["W1", "W2", "3", "20", "400", "PE"]])

    _, draft = read(path, mapping=mapping(survey={"maximum_depth": {"WS": 25}}))

    assert found(draft, "survey.depth_impossible") == []


def test_a_pipe_said_to_be_overhead_may_lie_above_the_ground(tmp_path: Path) -> None:
    survey(tmp_path)
    save(tmp_path / "WSLine.csv", [*LINE_HEADING, "埋设方式"], [["W1", "W2", "-4", "-4", "400", "PE", "架空"]])

    frames, draft = read(tmp_path)

    assert found(draft, "survey.depth_impossible") == []
    assert frames["pipe_line"].iloc[0]["start_invert"] == 69.0


def test_an_elevation_of_zero_is_a_blank_filled_in_and_the_depth_is_used(tmp_path: Path) -> None:
    survey(tmp_path)
    save(
        tmp_path / "WSLine.csv",
        [*LINE_HEADING, "起点高程", "终点高程"],
        [["W1", "W2", "3", "2.5", "400", "PE", "0", "0"]],
    )

    frames, draft = read(tmp_path)

    assert (frames["pipe_line"].iloc[0]["start_invert"], frames["pipe_line"].iloc[0]["height_source"]) == (
        62.0,
        "depth",
    )
    assert found(draft, "survey.depth_impossible") == [], "the height is known"
    assert len(found(draft, "survey.depth_not_used")) == 2


def test_an_elevation_that_is_not_ground_minus_depth_is_reported_to_the_centimetre(tmp_path: Path) -> None:
    survey(tmp_path)
    rows = [["W1", "W2", "3", "2.5", "400", "PE", "62.01", "61.52"]]
    save(tmp_path / "WSLine.csv", [*LINE_HEADING, "起点高程", "终点高程"], rows)

    _, draft = read(tmp_path)

    (finding,) = found(draft, "survey.elevation_disagrees")
    assert (finding.values["number"], finding.values["apart"]) == ("W2", -0.02)


def test_a_line_from_a_point_to_itself_is_set_aside(tmp_path: Path) -> None:
    _, draft = read(survey(tmp_path, lines=[*LINES, ["W2", "W2", "3", "3", "400", "PE"]]))

    assert [finding.place for finding in found(draft, "survey.line_to_itself")] == ["WSLine row 4"]


def test_the_same_line_the_other_way_round_is_set_aside(tmp_path: Path) -> None:
    frames, draft = read(
        survey(
            tmp_path,
            lines=[*LINES, ["W2", "W1", "2.5", "3", "DN400", "PE"], ["W2", "W1", "2.5", "3", "400", "PE"]],
        )
    )

    (finding,) = found(draft, "survey.line_repeated")
    assert (finding.place, finding.values["first"]) == ("WSLine row 5", "WSLine row 2")
    assert len(found(draft, "survey.line_parallel")) == 1
    assert len(frames["pipe_line"]) == 3


def test_lengths_out_of_the_usual_are_stored_with_a_warning(tmp_path: Path) -> None:
    points = [
        *POINTS,
        ["W4", "3885230", "617040", "64", "", "检查井"],
        ["W5", "3885230.02", "617040", "64", "", "检查井"],
    ]
    lines = [["W3", "W4", "3", "3", "400", "PE"], ["W4", "W5", "3", "3", "400", "PE"]]

    frames, draft = read(survey(tmp_path, points=points, lines=lines))

    assert [finding.values["length"] for finding in found(draft, "survey.length_unusual")] == [200.0, 0.02]
    assert len(frames["pipe_line"]) == 2


def test_a_riser_is_kept_without_geometry(tmp_path: Path) -> None:
    points = [*POINTS, ["W4", "3885030", "617040", "66", "出地", ""]]

    frames, _ = read(survey(tmp_path, points=points, lines=[["W3", "W4", "3", "1", "400", "PE"]]))

    line = frames["pipe_line"].iloc[0]
    assert line.geometry is None
    assert line["length"] == 4.0


@pytest.mark.parametrize(("x", "y"), [("", "617000"), ("NaN", "617000"), ("3885000", "inf"), ("unknown", "617000")])
def test_a_point_without_usable_coordinates_is_set_aside_with_its_lines(tmp_path: Path, x: str, y: str) -> None:
    frames, draft = read(survey(tmp_path, points=[*POINTS[:2], ["W3", x, y, "64", "三通", ""]]))

    assert len(found(draft, "survey.coordinates_missing")) == 1
    assert len(found(draft, "survey.line_lost_point")) == 1
    assert (len(frames["pipe_point"]), len(frames["pipe_line"]), draft.counts.quarantined) == (2, 1, 2)


def test_a_point_without_ground_is_stored_flat_and_its_lines_have_no_height_there(tmp_path: Path) -> None:
    frames, draft = read(survey(tmp_path, points=[*POINTS[:2], ["W3", "3885030", "617040", "", "三通", ""]]))

    assert [finding.values["field"] for finding in found(draft, "survey.point_value_missing")] == ["ground_elevation"]
    assert not frames["pipe_point"].set_index("survey_no").loc["W3"].geometry.has_z
    assert list(frames["pipe_line"]["height_source"]) == ["depth", "unknown"]


def test_a_point_is_a_feature_or_an_appurtenance_not_both(tmp_path: Path) -> None:
    points = [["W1", "3885000", "617000", "65", "三通", "检查井"], ["W2", "3885030", "617000", "64", "", ""]]

    _, draft = read(survey(tmp_path, points=points, lines=LINES[:1]))

    assert [finding.place for finding in found(draft, "survey.point_both_kinds")] == ["WSPoint row 2"]
    assert [finding.place for finding in found(draft, "survey.point_no_kind")] == ["WSPoint row 3"]


def test_a_status_nobody_knows_is_left_out_and_said(tmp_path: Path) -> None:
    survey(tmp_path)
    save(tmp_path / "WSLine.csv", [*LINE_HEADING, "使用状态"], [["W1", "W2", "3", "2.5", "400", "PE", "尚可"]])

    frames, draft = read(tmp_path)

    assert found(draft, "survey.status_unknown")[0].values["word"] == "尚可"
    assert pd.isna(frames["pipe_line"].iloc[0]["status"])


def test_a_class_nobody_knows_leaves_the_heights_open(tmp_path: Path) -> None:
    save(tmp_path / "points.csv", POINT_HEADING, POINTS)
    save(tmp_path / "lines.csv", LINE_HEADING, LINES)

    frames, draft = read(tmp_path / "lines.csv")

    assert len(found(draft, "survey.class_unknown")) == 5
    assert frames["pipe_line"]["start_crown"].isna().all()


def test_words_that_a_mapping_adds_are_known_and_so_is_a_unit_it_names(tmp_path: Path) -> None:
    save(tmp_path / "points.csv", [*POINT_HEADING, "管类", "使用状态"], [[*row, "雨水甲", "尚可"] for row in POINTS])
    lines = [
        ["W1", "W2", "3", "2.5", "0.4", "PE"],
        ["W2", "W3", "2.5", "2.4", "0.6", "PE"],
        ["W1", "W3", "3", "2.4", "0.6", "PE"],
    ]
    save(tmp_path / "lines.csv", [*LINE_HEADING, "管类", "使用状态"], [[*row, "雨水甲", "尚可"] for row in lines])
    words = mapping(survey={"classes": {"雨水甲": "YS"}, "status": {"尚可": "0"}, "units": {"section": "m"}})

    _, before = read(tmp_path / "lines.csv")
    frames, after = read(tmp_path / "lines.csv", mapping=words)

    rules = ("survey.class_unknown", "survey.status_unknown", "survey.section_unit")
    assert [rule for rule in rules if not found(before, rule)] == []
    assert not any(found(after, rule) for rule in rules)
    assert set(frames["pipe_line"]["subclass"]) == {"YS"} and set(frames["pipe_line"]["status"]) == {"0"}
    assert sorted(frames["pipe_line"]["width_mm"]) == [400, 600, 600]


def swapped(x: str, y: str) -> tuple[str, str]:
    return y, x


def with_zone_number(x: str, y: str) -> tuple[str, str]:
    return x, f"39{y}"


def from_next_meridian(x: str, y: str) -> tuple[str, str]:
    return x, f"{float(y) - 273_000:.3f}"


@pytest.mark.parametrize(
    ("change", "rule", "likely", "words"),
    [
        (swapped, "survey.axes_swapped", "EPSG:4548", "have north and east swapped"),
        (with_zone_number, "survey.zone_prefix", "EPSG:4527", "read the file with --crs EPSG:4527"),
        (from_next_meridian, "survey.wrong_zone", "EPSG:4549", "would fit the zone of EPSG:4549"),
    ],
)
def test_a_survey_in_another_order_or_zone_is_refused_and_the_likely_cause_named(
    tmp_path: Path, change: Any, rule: str, likely: str, words: str
) -> None:
    points = [[row[0], *change(row[1], row[2]), *row[3:]] for row in POINTS]

    with pytest.raises(SourceRefused, match=words) as refusal:
        read(survey(tmp_path, points=points))

    assert (refusal.value.rule_id, refusal.value.values["likely"]) == (rule, likely)


def test_a_single_point_with_swapped_axes_is_set_aside(tmp_path: Path) -> None:
    points = [*POINTS[:2], ["W3", "617040", "3885030", "64", "三通", ""]]

    frames, draft = read(survey(tmp_path, points=points))

    (finding,) = found(draft, "survey.axes_swapped")
    assert finding.raw is not None
    assert len(frames["pipe_point"]) == 2


def test_the_remedy_for_swapped_axes_works(tmp_path: Path) -> None:
    points = [[row[0], row[2], row[1], *row[3:]] for row in POINTS]

    frames, draft = read(survey(tmp_path, points=points), mapping=mapping(survey={"axes": "east_north"}))

    assert draft.findings == []
    assert frames["pipe_point"].geometry.x.tolist() == [617000, 617000, 617040]


def test_the_remedy_for_a_zone_number_works(tmp_path: Path) -> None:
    points = [[row[0], row[1], f"39{row[2]}", *row[3:]] for row in POINTS]

    frames, _ = read(survey(tmp_path, points=points), crs="EPSG:4527")

    assert frames["pipe_point"].geometry.x.tolist() == pytest.approx([617000, 617000, 617040])


def halves(*rows: list[str]) -> list[list[str]]:
    places = {row[0]: row[1:4] for row in POINTS}
    return [[row[0], row[1], *places[row[0]], *row[2:]] for row in rows]


def test_halves_that_disagree_are_reported_and_the_first_is_kept(tmp_path: Path) -> None:
    rows = halves(["W1", "W2", "3", "400", "PE"], ["W2", "W1", "2.5", "DN300", "PE"])

    frames, draft = read(save(tmp_path / "污水成果表.csv", SHEET_HEADING, rows))

    (finding,) = found(draft, "survey.halves_disagree")
    assert (finding.values["field"], finding.values["one"], finding.values["other"]) == (
        "section",
        "400",
        "DN300",
    )
    assert (finding.place, finding.values["where"]) == ("污水成果表 row 2", "污水成果表 row 3")
    assert frames["pipe_line"]["section"].tolist() == ["400"]
    assert (draft.counts.read, draft.counts.stored) == (3, 2)


def test_a_line_told_from_one_end_only_has_no_height_at_the_other(tmp_path: Path) -> None:
    rows = halves(["W1", "W2", "3", "400", "PE"], ["W2", "W3", "2.5", "400", "PE"], ["W3", "W2", "2.4", "400", "PE"])

    frames, draft = read(save(tmp_path / "污水成果表.csv", SHEET_HEADING, rows))

    assert len(found(draft, "survey.half_missing")) == 1
    line = frames["pipe_line"].set_index("segment_key").loc["WS.W1~W2"]
    assert (line["start_invert"], pd.isna(line["end_invert"]), line["height_source"]) == (
        62.0,
        True,
        "unknown",
    )


def test_both_rows_of_a_line_to_an_unknown_point_are_quarantined(tmp_path: Path) -> None:
    rows = halves(["W1", "W2", "3", "400", "PE"], ["W2", "W1", "2.5", "400", "PE"], ["W1", "W9", "3", "400", "PE"])
    rows.append(["W3", "W1", "", "", "64", "2", "400", "PE"])

    _, draft = read(save(tmp_path / "污水成果表.csv", SHEET_HEADING, rows))

    assert [finding.rule for finding in draft.findings if finding.raw] == [
        "survey.line_lost_point",
        "survey.number_unknown",
    ]
    assert (draft.counts.read, draft.counts.quarantined) == (5, 2)


def test_one_point_in_two_places_is_reported(tmp_path: Path) -> None:
    rows = halves(
        ["W1", "W2", "3", "400", "PE"],
        ["W2", "W1", "2.5", "400", "PE"],
        ["W2", "W3", "2.5", "400", "PE"],
        ["W3", "W2", "2.4", "400", "PE"],
    )
    rows[2][2] = "3885031"

    _, draft = read(save(tmp_path / "污水成果表.csv", SHEET_HEADING, rows))

    (finding,) = found(draft, "survey.point_told_differently")
    assert (finding.values["one"], finding.values["other"]) == ("3885030", "3885031")


def test_titles_captions_and_repeated_headings_are_decoration(tmp_path: Path) -> None:
    rows = [
        ["污水管线点成果表"],
        POINT_HEADING,
        POINTS[0],
        POINT_HEADING,
        POINTS[1],
        ["制表：张三", "", "", "检查：李四"],
    ]
    save(tmp_path / "WSPoint.csv", ["高铁新城地下管线普查"], rows)
    save(tmp_path / "WSLine.csv", LINE_HEADING, LINES[:1])

    frames, draft = read(tmp_path)

    assert (len(frames["pipe_point"]), draft.counts.decoration, draft.counts.quarantined) == (2, 6, 0)


def test_a_sheet_of_something_else_is_passed_over_and_said(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "说明"
    sheet.append(["本成果采用2000国家大地坐标系"])
    for name, rows in (("WSPoint", [POINT_HEADING, *POINTS]), ("WSLine", [LINE_HEADING, *LINES])):
        one = book.create_sheet(name)
        for row in rows:
            one.append(row)
    book.save(tmp_path / "survey.xlsx")

    _, draft = read(tmp_path / "survey.xlsx")

    assert [finding.values["table"] for finding in found(draft, "survey.table_ignored")] == ["说明"]
    assert (draft.counts.stored, draft.counts.decoration) == (5, 3)


def test_a_missing_column_is_refused_with_the_headings_found_and_the_names_expected(tmp_path: Path) -> None:
    save(tmp_path / "WSPoint.csv", ["物探点号", "X", "东", "地面高程"], [["W1", "1", "2", "3"]])

    with pytest.raises(SourceRefused) as refusal:
        read(tmp_path / "WSPoint.csv")

    message = str(refusal.value)
    assert "WSPoint in WSPoint.csv lacks the columns y. Headings found: 物探点号, X, 东, 地面高程." in message
    assert "y: y/y坐标/y(东)" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("物探点号,X,Y,特征\n", "holds no rows of data"),
        ("1,2,3\n4,5,6\n", r"No table of WSPoint\.csv has a heading .* begins with: 1, 2, 3"),
        ("\n\n\n", "holds no rows of data"),
    ],
)
def test_a_table_without_heading_or_rows_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "WSPoint.csv").write_text(content, "utf-8")

    with pytest.raises(SourceRefused, match=message):
        read(tmp_path / "WSPoint.csv")


def test_a_table_of_something_else_in_the_folder_does_not_stop_the_survey(tmp_path: Path) -> None:
    survey(tmp_path)
    save(tmp_path / "trees.csv", ["type", "x", "note"], [["oak", "1", "old"]])
    save(tmp_path / "control.csv", ["点号", "X", "Y", "高程"], [["D01", "3885000", "617000", "65"]])

    frames, draft = read(tmp_path)

    assert {finding.values["table"] for finding in found(draft, "survey.table_ignored")} == {
        "trees",
        "control",
    }
    assert len(frames["pipe_point"]) == 3


def test_lines_without_their_points_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="no table of their points came with it"):
        read(save(tmp_path / "WSLine.csv", LINE_HEADING, LINES))


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("nothing", "utf-8")

    with pytest.raises(SourceRefused, match=r"holds no table\. Found: readme\.md"):
        read(tmp_path)


def test_a_setting_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="depth_referense"):
        read(survey(tmp_path), mapping=mapping(survey={"depth_referense": {"WS": "top"}}))


@pytest.mark.parametrize("area", ["survey", "epanet"])
def test_every_message_has_the_same_values_in_both_languages(area: str) -> None:
    english, chinese = (
        {rule: words for rule, words in messages(lang).items() if rule.startswith(f"{area}.")} for lang in ("en", "zh")
    )

    assert english.keys() == chinese.keys() and english
    for rule, words in english.items():
        fields = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (words, chinese[rule])]
        assert fields[0] == fields[1], rule


def test_a_column_that_nobody_understood_is_named_once_for_its_table(tmp_path: Path) -> None:
    path = survey(tmp_path)
    save(path, [*LINE_HEADING[:4], "Grösse", "材质", "空列"], [[*row, ""] for row in LINES])

    frames, draft = read(path)

    assert frames["pipe_line"]["section"].isna().all()
    [finding] = found(draft, "attributes.kept")
    assert "WSLine" in finding.text("en") and "Grösse" in finding.text("en")


def test_numbers_are_read_as_they_are_written_or_told_with_their_place(tmp_path: Path) -> None:
    save(tmp_path / "WSPoint.csv", POINT_HEADING, [
        ["W1", "3885000,00", "617000,25", "65,5", "转折点", ""],
        ["W2", "３８８５０３０．５", "617 000", "64m", "", "检查井"],
        ["W3", "3885030", "617040", "1,064", "", "检查井"],
    ])  # fmt: skip
    save(
        tmp_path / "WSLine.csv",
        LINE_HEADING,
        [["W1", "W2", "1,25", "300cm", "0.4m", "PE"], ["W2", "W3", "——", "约2.4", "4 00", "PE"]],
    )

    frames, draft = read(tmp_path / "WSLine.csv")

    assert frames["pipe_point"]["ground_elevation"].tolist() == [65.5, 64.0, 1.064]
    assert [shape.y for shape in frames["pipe_point"].geometry] == [3885000.0, 3885030.5, 3885030.0]
    lines = frames["pipe_line"]
    assert [lines["start_depth"][0], lines["end_depth"][0], lines["width_mm"][0]] == [1.25, 3.0, 400.0]
    assert lines[["start_depth", "end_depth"]].iloc[1].isna().all()
    told = [(one.place, one.values["field"], one.values["value"]) for one in found(draft, "survey.number_unreadable")]
    assert told == [("WSLine row 3", "end_depth", "约2.4")]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_of_a_table_without_quotes_are_no_separators(tmp_path: Path, separator: str) -> None:
    rows = [POINT_HEADING, *([row[0], f"{row[1]},5", f"{row[2]},25", f"{row[3]},75", *row[4:]] for row in POINTS)]
    (tmp_path / "WSPoint.csv").write_text("\n".join(separator.join(row) for row in rows), "utf-8")

    frames, _ = read(tmp_path / "WSPoint.csv")

    assert next((one.x, one.y, one.z) for one in frames["pipe_point"].geometry) == (617000.25, 3885000.5, 65.75)


@pytest.mark.parametrize(
    ("name", "burial", "reference"),
    [("JS", "", "top"), ("JS", "直埋", "top"), ("JS", "管沟", "invert"), ("DL", "GG", "invert"), ("DL", "管沟敷设", "invert"), ("TX", "管块", "top"),
     ("TX", "GK", "top"), ("TX", "排管", "top"), ("RL", "ZH", "invert"), ("RL", "管廊", "invert"), ("RQ", "", "top"), ("GY", "", "top"), ("PS", "", "invert"),
     ("WS", "管埋", "invert"), ("YS", "管块", "top"), ("DL", "", "top"), ("TX", "", "top"), ("TX", "RF", "invert"), ("TX", "1", "invert"), ("TX", "3", "top")],
)  # fmt: skip
def test_what_a_depth_is_measured_to_is_told_by_class_and_burial(
    tmp_path: Path, name: str, burial: str, reference: str
) -> None:
    save(tmp_path / f"{name}Point.csv", POINT_HEADING, POINTS)
    path = save(
        tmp_path / f"{name}Line.csv", [*LINE_HEADING, "埋设方式"], [["W1", "W2", "2", "2", "400X800", "砼", burial]]
    )

    line = read(path)[0]["pipe_line"].iloc[0]

    assert line["depth_reference"] == reference
    assert (line["start_crown"], line["start_invert"]) == ((63.0, 62.2) if reference == "top" else (63.8, 63.0))


def test_a_finding_about_one_end_of_a_line_is_at_the_place_of_that_point(tmp_path: Path) -> None:
    heading = [*LINE_HEADING, "起点高程", "终点高程"]
    save(tmp_path / "WSPoint.csv", POINT_HEADING, POINTS)
    path = save(
        tmp_path / "WSLine.csv",
        heading,
        [["W1", "W2", "99", "2.5", "400", "PE", "", "61.3"], ["W2", "W3", "2.5", "2.4", "400", "PE", "", ""]],
    )

    _, draft = read(path)

    places = {one.rule: (one.values["number"], one.point) for one in draft.findings}
    assert places == {
        "survey.depth_impossible": ("W1", (617000.0, 3885000.0)),
        "survey.elevation_disagrees": ("W2", (617000.0, 3885030.0)),
    }


def test_a_row_that_decimal_commas_divided_is_set_aside_and_not_read_as_other_numbers(tmp_path: Path) -> None:
    path = survey(tmp_path)
    path.write_text(path.read_text("utf-8") + "W1,W3,1,25,1,5,300,PE\nW3,W1,1,1,400,PE,,\n", "utf-8")

    frames, draft = read(path)

    assert len(frames["pipe_line"]) == 3
    [finding] = found(draft, "survey.cells_divided")
    assert (finding.place, finding.values["cells"], finding.values["columns"]) == ("WSLine row 4", 8, 6)


def test_a_row_of_one_sheet_that_commas_divided_gives_neither_point_nor_line(tmp_path: Path) -> None:
    path = save(tmp_path / "WS成果表.csv", SHEET_HEADING, [
        ["W1", "W2", "3885000", "617000", "65", "3", "400", "PE"],
        ["W2", "W1", "3885030", "617000", "64", "2.5", "400", "PE"],
    ])  # fmt: skip
    path.write_text(path.read_text("utf-8") + "W3,W1,3885060,5,617000,5,64,2,5,400,PE\n", "utf-8")

    frames, draft = read(path)

    assert frames["pipe_point"]["survey_no"].tolist() == ["W1", "W2"]
    assert len(frames["pipe_line"]) == 1
    assert [one.place for one in found(draft, "survey.cells_divided")] == ["WS成果表 row 4"]


def test_units_and_impossible_depths_are_read_in_one_sheet_tables_too(tmp_path: Path) -> None:
    heading = ["物探点号", "连接点号", "X/m", "Y/m", "地面高程（米）", "埋深[cm]", "管径或断面（mm）", "材质"]
    rows = [
        ["W1", "W2", "3885000", "617000", "65", "300", "400", "PE"],
        ["W2", "W1", "3885030", "617000", "64", "250", "400", "PE"],
        ["W2", "W3", "3885030", "617000", "64", "250", "400", "PE"],
        ["W3", "W2", "3885060", "617000", "64", "240", "400", "PE"],
    ]

    frames, draft = read(save(tmp_path / "WS成果表.csv", heading, rows))
    with pytest.raises(SourceRefused) as refused:
        read(save(tmp_path / "YS成果表.csv", [*heading[:5], "埋深", *heading[6:]], rows))

    assert frames["pipe_line"][["start_depth", "end_depth", "width_mm"]].to_numpy().tolist() == [
        [3.0, 2.5, 400.0],
        [2.5, 2.4, 400.0],
    ]
    assert draft.findings == []
    assert refused.value.values["likely"] == "cm" and refused.value.values["column"] == "埋深"
