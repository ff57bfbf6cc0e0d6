"""Findings as rows: classes of error, remedies, groups; and every rule that a reader writes has a title in Chinese."""

import geopandas as gpd
import shapely

from tiles.encodings.finding_rows import (
    Sheets,
    by_rule,
    error_class,
    row_of,
    rule_title,
    short_reason,
    split_remedy,
)
from tiles.encodings.finding_rows import _classes as classes
from twin_model.finding import Finding
from twin_model.messages import messages


def test_every_rule_in_the_table_of_classes_is_a_rule_and_has_a_class() -> None:
    rules = classes()["rules"]

    assert set(rules) - set(messages("zh")) == set()
    assert set(rules.values()) | set(classes()["severity"].values()) == set("ABCD")


def test_the_class_of_an_error_is_that_of_its_rule_else_of_its_severity() -> None:
    expected = {
        ("geometry.zone_prefix", "error"): "A",
        ("source.empty", "refused"): "A",
        ("identity.duplicate", "error"): "B",
        ("survey.depth_impossible", "warning"): "B",
        ("survey.point_without_height", "warning"): "C",
        ("time.assumed_today", "info"): "D",
    }

    assert {key: error_class(*key) for key in expected} == expected


def test_a_remedy_is_the_last_sentence_of_a_message() -> None:
    zh = Finding(
        "survey.line_repeated", place="WSLine row 3", values={"start": "A", "end": "B", "first": "WSLine row 2"}
    ).text("zh")

    assert split_remedy(zh, "zh")[1] == "请删除该行；如为另一段管线，请改正点号。"
    assert split_remedy("A is lost. Expected 1.5 m. Measure it again.", "en") == (
        "A is lost. Expected 1.5 m.",
        "Measure it again.",
    )
    assert split_remedy("Only this", "en") == ("Only this", "")
    assert split_remedy("基准不同。请索取成果；或用控制点求定参数。", "zh")[1] == "请索取成果；或用控制点求定参数。"
    assert split_remedy("不是数值，按空值处理；请改正。", "zh") == ("不是数值，按空值处理；", "请改正。")


def test_a_reason_in_a_table_is_the_first_sentence_without_the_name_of_the_file() -> None:
    for lang in ("en", "zh"):
        text = Finding("source.empty", values={"source": "a (1).csv"}).text(lang)
        reason = short_reason(text, "a (1).csv", lang)

        assert reason and "a (1).csv" not in reason and len(reason) <= 60 and reason[-1] not in ".。"
    assert short_reason("x" * 200, "a.csv", "en").endswith("…")


def test_a_place_is_told_by_the_sheet_it_lies_on_unless_the_finding_names_one() -> None:
    sheets = Sheets(gpd.GeoDataFrame({"number": ["12.0-34.0"]}, geometry=[shapely.box(0, 0, 10, 10)], crs=4548))

    inside = row_of(Finding("source.empty", point=(5, 5)), "zh", source="a", sheets=sheets)
    outside = row_of(Finding("source.empty", point=(50, 5)), "zh", source="a", sheets=sheets)
    named = row_of(Finding("source.empty", point=(5, 5), values={"sheet": "99"}), "zh", source="a", sheets=sheets)

    assert [row.sheet for row in (inside, outside, named)] == ["12.0-34.0", "", "99"]


def test_groups_begin_with_the_worst_then_with_the_most() -> None:
    findings = [Finding("time.assumed_today", "info")] * 3 + [Finding("survey.line_to_itself", "error")] + [Finding("identity.duplicate", "error")] * 2  # fmt: skip

    groups = by_rule(row_of(finding, "zh", source="a") for finding in findings)

    assert [(group[0].rule, len(group)) for group in groups] == [
        ("identity.duplicate", 2),
        ("survey.line_to_itself", 1),
        ("time.assumed_today", 3),
    ]


def test_a_rule_is_told_by_the_kind_of_its_check_in_chinese() -> None:
    areas = {
        "geometry",
        "value",
        "identity",
        "time",
        "dxf",
        "survey",
        "ifc",
        "epanet",
        "vector",
        "source",
        "crs",
        "attributes",
    }

    assert rule_title("survey.line_to_itself", "zh") == "管线成果检查（survey.line_to_itself）"
    assert {area for area in areas if rule_title(f"{area}.x", "zh") == f"{area}.x"} == set()
