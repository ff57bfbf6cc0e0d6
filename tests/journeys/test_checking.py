"""Every command of docs/checking-and-reports.md runs as it stands, on files with the faults it speaks of."""

import re
import shlex
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from click.testing import CliRunner

from api_config.cli import make_cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "checking-and-reports.md"


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def test_every_command_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "delivery").mkdir()
    boxes = [shapely.box(618_600 + 20 * n, 3_885_800, 618_609 + 20 * n, 3_885_809) for n in range(3)]
    parcels = gpd.GeoDataFrame({"parcel_no": ["A", "A", "B"]}, geometry=boxes, crs=4548)
    parcels.to_file(tmp_path / "delivery" / "land_use.gpkg", engine="pyogrio")
    points = "物探点号,X,Y,地面高程,特征,附属物\nW1,3885800,618700,65.2,,检查井\nW2,3885830,618720,65.3,转折点,\n"
    lines = "起点点号,终点点号,起点埋深,终点埋深,管径\nW1,W2,1.2,1.3,300\nW2,W9,1.2,1.4,300\n"
    (tmp_path / "delivery" / "WSPoint.csv").write_text(points, "gbk")
    (tmp_path / "delivery" / "WSLine.csv").write_text(lines, "gbk")
    monkeypatch.chdir(tmp_path)
    runner = CliRunner(env={"TWIN_LANG": "en", "TWIN_TOWN": str(tmp_path / "town"), "TWIN_JOBS": "0"})
    assert runner.invoke(make_cli("en"), ["init", "--name", "t", "--crs", "EPSG:4548"]).exit_code == 0
    every, answers = commands(), {}

    for command in every:
        program, *arguments = shlex.split(command)
        assert program == "twin"
        answers[command] = runner.invoke(make_cli("en"), arguments)

    assert len(every) >= 15
    assert {command: answer.output for command, answer in answers.items() if answer.exit_code != 0} == {}
    assert {path.name for path in tmp_path.rglob("*") if path.suffix in {".xlsx", ".html"}} == {
        "report.xlsx", "report.html", "findings.xlsx", "pipes.xlsx", "lines.xlsx",
    }  # fmt: skip
    assert "W9" in answers["twin findings --source WSLine.csv"].stdout
    back = runner.invoke(
        make_cli("en"),
        ["ingest", "out/pipes.xlsx", "--as", "survey", "--crs", "EPSG:4548", "--effective", "2024-06-01", "--dry-run"],
    )
    assert "pipe_point unchanged 2" in back.stdout and "inserted" not in back.stdout
