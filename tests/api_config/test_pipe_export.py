"""Pipes leave as the tables of a survey and come back as they were: no change."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result

from api_config.cli import make_cli

TABLES = {
    "WSPoint": """物探点号,图上点号,工程编号,X,Y,地面高程,特征,附属物,井深,使用状态,建设年代,权属单位
WS1,1,GC1,3885800.125,618700.5,65.213,,检查井,2.1,在用,2019,市政处
WS10,10,GC1,3885830.25,618720.75,65.3,转折点,,,0,2019-05-01,市政处
WS2,2,GC1,3885860.5,618720.25,65.4,三通,,,废弃,,
""",
    "WSLine": """起点点号,终点点号,工程编号,起点埋深,终点埋深,起点管线高程,终点管线高程,管径,材质,埋设方式,流向
WS1,WS10,GC1,1.25,1.3,63.963,64.0,300,砼,管埋,+
WS10,WS2,GC1,1.3,1.35,,,1200X800,砼,管沟,-
""",
    "GDPoint": """物探点号,工程编号,X,Y,地面高程,特征,附属物
D1,GC1,3885810,618710,65.1,,人孔
D2,GC1,3885840,618730,,直线点,
""",
    "GDLine": """起点点号,终点点号,工程编号,起点埋深,终点埋深,管径,电压,电缆条数,总孔数
D1,D2,GC1,0.7,0.75,200x100,10kV,3,6
""",
}


def run(town: Path, *arguments: str, lang: str = "zh") -> Result:
    environment = {"TWIN_LANG": lang, "TWIN_TOWN": str(town), "COLUMNS": "200", "TWIN_JOBS": "0"}
    return CliRunner().invoke(make_cli(lang), list(arguments), env=environment)


@pytest.fixture(scope="module")
def town(empty_town: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipes")
    town = Path(shutil.copytree(empty_town, folder / "town"))
    (folder / "survey").mkdir()
    for name, text in TABLES.items():
        (folder / "survey" / f"{name}.csv").write_text(text, "utf-8")
    done = run(
        town, "ingest", str(folder / "survey"), "--as", "survey", "--crs", "EPSG:4548", "--effective", "2024-01-01"
    )
    assert done.exit_code == 0, done.output
    return town


@pytest.mark.parametrize("file", ["pipes.xlsx", "pipes"])
def test_the_tables_come_back_without_a_change(town: Path, tmp_path: Path, file: str) -> None:
    exported = run(town, "export", "pipes", str(tmp_path / file))
    assert exported.exit_code == 0, exported.output

    options = ("--as", "survey", "--crs", "EPSG:4548", "--effective", "2024-01-01", "--dry-run", "--json")
    outcomes = json.loads(run(town, "ingest", str(tmp_path / file), *options).stdout)

    counts = Counter[tuple[str, str]]()
    for outcome in outcomes:
        counts.update({(name, key): n for name, numbers in outcome["planned"].items() for key, n in numbers.items()})
    assert +counts == {("pipe_point", "unchanged"): 5, ("pipe_line", "unchanged"): 3}
    assert {outcome["error"] for outcome in outcomes} == {None}
    rules = {row["rule"] for outcome in outcomes for row in outcome["findings"]}
    assert not [rule for rule in rules if rule.endswith(("unread", "ignored", "disagrees", "unknown"))]


def test_each_class_has_its_sheet_with_heading_titles_and_decimals(town: Path, tmp_path: Path) -> None:
    done = run(town, "export", "pipes", str(tmp_path / "pipes.xlsx"))

    assert "已导出 8 个要素" in done.stdout
    book = openpyxl.load_workbook(tmp_path / "pipes.xlsx")
    assert book.sheetnames == ["GDPoint", "WSPoint", "GDLine", "WSLine"]
    rows = list(book["WSPoint"].iter_rows(values_only=True))
    assert rows[0][0] == "管线点成果表" and rows[1][0] == "工程名称：小镇　　管类：污水"
    assert "高程基准：1985国家高程基准" in rows[2][0] and "制表：" in rows[3][0]
    titles = rows[4]
    assert titles[:8] == ("图上点号", "物探点号", "工程编号", "特征", "附属物", "X", "Y", "地面高程")
    assert [row[titles.index("物探点号")] for row in rows[5:]] == ["WS1", "WS2", "WS10"]
    assert [row[titles.index("使用状态")] for row in rows[5:]] == ["在用", "废弃", "在用"]
    place = book["WSPoint"].cell(6, titles.index("X") + 1)
    assert place.value == pytest.approx(3885800.125) and place.number_format == "0.000"
    lines = list(book["WSLine"].iter_rows(values_only=True))
    elevation = lines[4].index("起点管线高程")
    assert [row[elevation] for row in lines[5:]] == [63.963, None], "what was not surveyed is not told as if it were"


def test_a_folder_holds_a_table_a_class_with_the_decimals_of_the_standard(town: Path, tmp_path: Path) -> None:
    run(town, "export", "pipes", str(tmp_path / "tables"), lang="en")

    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == [f"{name}.csv" for name in sorted(TABLES)]
    rows = list(csv.DictReader((tmp_path / "tables" / "WSPoint.csv").open(encoding="utf-8-sig")))
    assert (rows[0]["X"], rows[0]["地面高程"], rows[0]["井深"]) == ("3885800.125", "65.213", "2.10")


def test_what_is_no_pipe_is_refused_with_what_can_be_written(town: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (("building", "b.docx"), ".xlsx"),
        (("bilding", "b.xlsx"), "building"),
        (("pipes", "b.docx"), ".xlsx"),
    ):
        done = run(town, "export", arguments[0], str(tmp_path / arguments[1]))

        assert done.exit_code in (1, 2) and words in done.stderr
    old = run(town, "export", "pipe_line", str(tmp_path / "old.xlsx"), "--at", "2000-01-01")
    assert old.exit_code == 2 and not (tmp_path / "old.xlsx").exists()
