"""`twin findings`: chosen by file, rule, layer, severity, status and place; grouped; written for the office."""

import csv
import io
import json
import shutil
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
import shapely
from click.testing import CliRunner, Result

from api_config.cli import make_cli
from twin_model.changeset import Changeset, Source
from twin_model.finding import Finding
from twin_model.town import open_town
from twin_model.versioning import commit

EAST, NORTH = 618_500.0, 3_886_000.0
MANY = 25


@pytest.fixture(scope="module")
def town(empty_town: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town with one map sheet and the findings of two sources, with and without place, layer and raw record."""
    folder = tmp_path_factory.mktemp("findings")
    town = Path(shutil.copytree(empty_town, folder / "town"))
    sheet = gpd.GeoDataFrame(
        {"sheet_key": ["s"], "number": ["10.00-27.75"]},
        geometry=[shapely.MultiPolygon([shapely.box(EAST, NORTH, EAST + 100, NORTH + 100)])],
        crs=4548,
    )
    sheet.to_file(folder / "map_sheet.gpkg", engine="pyogrio")
    run(town, "ingest", str(folder / "map_sheet.gpkg"), "--as", "map_sheet", "--effective", "2024-01-01")
    repeated = tuple(
        Finding("identity.duplicate", "error", layer="land_use", place=f"fid {n}", point=(EAST + 10 * n, NORTH + 10),
                values={"id": "A", "field": "parcel_no"}, raw={"parcel_no": "A"})
        for n in range(MANY)
    )  # fmt: skip
    tables = (
        Finding("survey.line_to_itself", "error", layer="pipe_line", place="WSLine row 3", point=(EAST + 5, NORTH + 50), values={"number": "W3"}),
        Finding("survey.point_no_kind", "info", layer="pipe_point", values={"number": "=W4"}, place="WSPoint row 4", raw={"number": "=W4"}),
        Finding("time.assumed_today", "info", values={"source": "WS.csv"}),
    )  # fmt: skip
    with open_town(town) as opened:
        for name, findings in (("plots.gpkg", repeated), ("WS.csv", tables)):
            source = Source(name, name.encode().hex().ljust(64, "0")[:64])
            commit(opened.store, Changeset("office", "", "2024-01-01T00:00:00.000Z", source=source, findings=findings))
    return town


def run(town: Path, *arguments: str, lang: str = "en") -> Result:
    environment = {"TWIN_LANG": lang, "TWIN_TOWN": str(town), "COLUMNS": "200", "TWIN_JOBS": "0"}
    return CliRunner().invoke(make_cli(lang), list(arguments), env=environment)


def rules(town: Path, *arguments: str) -> list[str]:
    done = run(town, "findings", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return [row["rule"] for row in json.loads(done.stdout)]


def test_findings_are_chosen_by_file_rule_layer_status_and_place(town: Path) -> None:
    chosen = {
        ("--source", "WS.csv"): 3,
        ("--source", "*.gpkg"): MANY,
        ("--rule", "survey"): 2,
        ("--rule", "survey.line_to_itself"): 1,
        ("--layer", "pipe_line"): 1,
        ("--severity", "info"): 2,
        ("--status", "open"): MANY + 3,
        ("--status", "已改正"): 0,
        ("--bbox", f"{EAST + 15},{NORTH},{EAST + 35},{NORTH + 20}"): 2,
        ("--near", f"{EAST + 5},{NORTH + 50},1"): 1,
        ("--near", f"{EAST + 20},{NORTH + 10},10"): 3,
        ("--sheet", "10.00-27.75"): 12,
        ("--sheet", "10.00-27.75", "--rule", "survey"): 1,
    }

    assert {words: len(rules(town, *words)) for words in chosen} == chosen


def test_what_cannot_be_chosen_is_refused_with_the_nearest_in_both_languages(town: Path) -> None:
    wrong = {
        ("--sheet", "10.00-27.7"): "10.00-27.75",
        ("--source", "WS.cvs"): "WS.csv",
        ("--rule", "survay"): "survey",
        ("--near", "1,2"): "618500,3886000,50",
        ("--bbox", "a,b,c,d"): "bbox",
    }

    for lang in ("en", "zh"):
        for words, hint in wrong.items():
            done = run(town, "findings", *words, lang=lang)
            assert done.exit_code in (1, 2) and hint in done.stderr, (words, done.output)
            assert words[0].lstrip("-") in done.stderr


def test_many_findings_are_grouped_by_rule_and_a_limit_lists_them(town: Path) -> None:
    grouped = run(town, "findings").stdout
    listed = run(town, "findings", "--limit", "100").stdout.splitlines()
    groups = json.loads(run(town, "findings", "--group", "--json").stdout)

    assert f"{MANY} of this kind (identity.duplicate): fid 0, fid 1, fid 2 ..." in grouped
    assert "28 in all, in 4 groups" in grouped
    assert "error   plots.gpkg: " in grouped and "info    WS.csv has no survey date" in grouped
    assert len(listed) == MANY + 3
    assert "X 3886010.000  Y 618500.000" in listed[0]
    assert {group["rule"]: group["count"] for group in groups}["identity.duplicate"] == MANY
    assert (
        "同类共 25 条（identity.duplicate）：第 0 号要素（FID）、" in run(town, "findings", "--group", lang="zh").stdout
    )


def test_coordinates_stand_in_json_and_are_absent_where_there_is_no_place(town: Path) -> None:
    rows = {row["rule"]: row for row in json.loads(run(town, "findings", "--source", "WS.csv", "--json").stdout)}

    line = rows["survey.line_to_itself"]
    assert (line["east"], line["north"], line["sheet"], line["number"]) == (EAST + 5, NORTH + 50, "10.00-27.75", "W3")
    assert line["class"] == "B" and line["status"] == "open"
    assert rows["survey.point_no_kind"]["east"] is None


def test_the_table_goes_to_the_standard_output_and_the_form_to_a_file(town: Path, tmp_path: Path) -> None:
    table = run(town, "findings", "--source", "WS.csv", "--csv", "-", lang="zh").stdout
    told = run(town, "findings", "--xlsx", str(tmp_path / "form.xlsx"), lang="zh").stdout

    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["点号或要素编号"] for row in rows] == ["W3", "'=W4", ""], "no spreadsheet takes a number for a formula"
    assert [row["原始记录"] for row in rows] == ["", '{"number":"=W4"}', ""]
    assert rows[0]["规则"] == "管线成果检查（survey.line_to_itself）" and rows[0]["错漏类别"] == "B"
    assert rows[0]["X(北)"] == "3886050.000" and rows[0]["状态"] == "未处理" and rows[0]["图层"] == "管线段"
    assert f"已写出 {MANY + 3} 条质量问题" in told
    form = openpyxl.load_workbook(tmp_path / "form.xlsx")["意见表"]
    assert form.max_row == 5 + MANY + 3 + 2
    assert str(form["A2"].value).startswith("工程名称：")
