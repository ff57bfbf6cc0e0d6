"""Reports of a check: every finding of every source, in each format, in both languages, in the order of the sources."""

import csv
import json
import re
import shutil
import zipfile
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
import shapely
from click.testing import CliRunner, Result

from api_config.cli import make_cli

EAST, NORTH = 618_600.0, 3_885_800.0
REPEATED = 12


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three: a table of pipes in a zip, an empty file, parcels of which twelve repeat one number."""
    folder = tmp_path_factory.mktemp("delivery")
    boxes = [shapely.box(EAST + 20 * n, NORTH, EAST + 20 * n + 9, NORTH + 9) for n in range(REPEATED + 1)]
    frame = gpd.GeoDataFrame({"parcel_no": ["=A"] * (REPEATED + 1)}, geometry=boxes, crs=4548)
    frame.to_file(folder / "land_use.gpkg", engine="pyogrio")
    (folder / "empty.geojson").touch()
    points = "物探点号,X,Y,地面高程,特征,附属物\nW1,3885800,618700,65.2,,检查井\nW2,3885830,618720,65.3,转折点,\n"
    lines = "起点点号,终点点号,起点埋深,终点埋深,管径\nW1,W2,1.2,90,300\nW2,W9,1.2,1.4,300\n"
    with zipfile.ZipFile(folder / "pipes.zip", "w") as archive:
        archive.writestr("pipes/WSPoint.csv", points.encode("gbk"))
        archive.writestr("pipes/WSLine.csv", lines.encode("gbk"))
    return folder


def run(*arguments: str | Path, lang: str, town: Path) -> Result:
    environment = {"TWIN_LANG": lang, "TWIN_TOWN": str(town), "COLUMNS": "200", "TWIN_AUTHOR": "王工", "TWIN_JOBS": "0"}
    return CliRunner().invoke(make_cli(lang), [str(one) for one in arguments], env=environment)


def test_one_check_of_a_folder_writes_every_finding_in_every_format(delivery: Path, tmp_path: Path) -> None:
    reports = {ending: tmp_path / f"report{ending}" for ending in (".txt", ".json", ".csv", ".html", ".xlsx")}
    options = [word for path in reports.values() for word in ("--report", path)]

    done = run("check", delivery, "--crs", "EPSG:4548", *options, lang="zh", town=tmp_path / "none")

    assert done.exit_code == 1, "one of the sources was refused"
    told = json.loads(reports[".json"].read_text("utf-8"))
    assert [source["source"] for source in told["sources"]] == ["empty.geojson", "land_use.gpkg", "WSLine.csv"]
    rules = [row["rule"] for row in told["findings"]]
    assert rules.count("identity.duplicate") == REPEATED
    assert {"vector.zero_bytes", "survey.number_unknown", "survey.depth_impossible"} <= set(rules)
    rows = list(csv.DictReader(reports[".csv"].open(encoding="utf-8-sig")))
    assert len(rows) == len(rules)
    assert not any(cell.startswith("=") for row in rows for cell in row.values())
    page = reports[".html"].read_text("utf-8")
    assert page.count("<tr id=") == len(rules)
    assert page.count("<circle") == sum(row["east"] is not None for row in told["findings"])
    assert not re.search(r"(src|href)=.?https?:|@import|url\(", page), "the page loads nothing"
    places = re.findall(r"第 (\d+) 号要素", reports[".txt"].read_text("utf-8"))
    assert len(set(places)) == REPEATED


def test_the_form_of_an_office_has_its_columns_its_heading_and_prints_on_landscape_pages(
    delivery: Path, tmp_path: Path
) -> None:
    run("check", delivery, "--crs", "EPSG:4548", "--report", tmp_path / "form.xlsx", lang="zh", town=tmp_path / "none")

    book = openpyxl.load_workbook(tmp_path / "form.xlsx")
    form = book["意见表"]
    rows = list(form.iter_rows(values_only=True))
    assert rows[0][0] == "质量检查意见表"
    assert "坐标系：2000国家大地坐标系（CGCS2000）" in rows[3][0]
    assert rows[4] == ("序号", "点号或要素编号", "图幅号", "X（北）", "Y（东）", "问题描述", "错漏类别", "处理意见", "检查者", "日期", "复查")  # fmt: skip
    pipe = next(row for row in rows if row[1] == "W9")
    assert pipe[5].startswith("WSLine.csv：") and pipe[7] == "请改正点号，或补交该点。"
    assert pipe[6:9:2] == ("B", "王工") and pipe[10] is None
    parcel = next(row for row in rows if row[1] == "=A")
    assert 3_885_800 < parcel[3] < 3_885_810 and 618_600 < parcel[4] < 618_900
    assert form.cell(rows.index(parcel) + 1, 2).data_type == "s", "a text that begins like a formula is a text"
    assert {row[6] for row in rows[5:-2]} <= set("ABCD")
    assert (form.page_setup.orientation, form.page_setup.paperSize, form.print_title_rows) == ("landscape", 9, "$5:$5")
    assert [row[0] for row in book["成果文件"].iter_rows(min_row=6, values_only=True)] == [
        "empty.geojson",
        "land_use.gpkg",
        "WSLine.csv",
    ]


def test_a_report_of_an_unknown_ending_is_refused_before_anything_is_read(delivery: Path, tmp_path: Path) -> None:
    for lang, words in (
        ("en", "Possible: .txt, .json, .csv, .html, .xlsx"),
        ("zh", "可用：.txt、.json、.csv、.html、.xlsx"),
    ):
        done = run("check", delivery, "--report", tmp_path / "report.docx", lang=lang, town=tmp_path / "none")

        assert done.exit_code == 2 and words in done.stderr
        assert done.stdout == ""


def test_results_and_refusals_of_a_folder_come_in_order_also_in_one_pipe(delivery: Path, tmp_path: Path) -> None:
    done = run("check", delivery, "--crs", "EPSG:4548", lang="en", town=tmp_path / "none")

    starts = [line.split()[0] for line in done.output.splitlines() if re.match(r"\S+\.(geojson|gpkg|csv) ", line)]
    assert starts == ["empty.geojson", "land_use.gpkg", "WSLine.csv"]


def test_an_ingest_writes_a_report_with_the_sheet_a_finding_lies_on(
    empty_town: Path, delivery: Path, tmp_path: Path
) -> None:
    town = Path(shutil.copytree(empty_town, tmp_path / "town"))
    sheet = gpd.GeoDataFrame(
        {"sheet_key": ["s1"], "number": ["3885.5-618.5"]},
        geometry=[shapely.MultiPolygon([shapely.box(618_500, 3_885_500, 619_000, 3_886_000)])], crs=4548,
    )  # fmt: skip
    sheet.to_file(tmp_path / "map_sheet.gpkg", engine="pyogrio")
    run("ingest", tmp_path / "map_sheet.gpkg", "--as", "map_sheet", lang="zh", town=town)

    done = run("ingest", delivery / "land_use.gpkg", "--report", tmp_path / "r.json", "--json", lang="zh", town=town)

    assert json.loads(done.stdout)[0]["source"] == "land_use.gpkg", "the answer in JSON stays JSON"
    findings = json.loads((tmp_path / "r.json").read_text("utf-8"))["findings"]
    assert {row["sheet"] for row in findings if row["east"]} == {"3885.5-618.5"}
