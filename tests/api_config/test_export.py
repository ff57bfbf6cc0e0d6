"""`twin export`: every ending, the class of a layer in the file and its name, a word asked before what is classed leaves."""

import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pyogrio
import pytest
import shapely
from click.testing import CliRunner, Result

from api_config.cli import make_cli
from api_config.delivery import Delivery, deliver
from ingest.draft import ReadOptions
from twin_model.town import open_town

EAST, NORTH = 617_000.0, 3_886_000.0


@pytest.fixture
def town(empty_town: Path, tmp_path: Path, bring: Any) -> Path:
    """A house for internal use, a pipe that is secret."""
    folder = Path(shutil.copytree(empty_town, tmp_path / "town"))
    with open_town(folder) as made:
        house = gpd.GeoDataFrame({"name": ["一号楼"]}, geometry=[shapely.box(EAST, NORTH, EAST + 10, NORTH + 10)])
        house.set_crs("EPSG:4548").to_file(tmp_path / "房屋.geojson")
        deliver(made, [tmp_path / "房屋.geojson"], Delivery(options=ReadOptions(kind="building")))
        line = shapely.LineString([(EAST, NORTH, 1), (EAST + 9, NORTH, 2)])
        bring(made, "pipe_line", [line], segment_key=["1-2"], **{"class": ["JS"]})
    settings = folder / "town.toml"
    settings_added = 'classification = { "*" = "内部", pipe_line = "机密" }\n'
    settings.write_text(settings.read_text("utf-8") + settings_added, "utf-8")
    return folder


def run(town: Path, *arguments: str, lang: str = "en") -> Result:
    environment = {"TWIN_LANG": lang, "TWIN_TOWN": str(town), "COLUMNS": "200", "TWIN_JOBS": "0"}
    return CliRunner().invoke(make_cli(lang), list(arguments), env=environment)


def test_the_class_stands_in_the_name_and_a_marked_export_comes_back_as_no_change(town: Path, tmp_path: Path) -> None:
    endings = ("gpkg", "fgb", "csv", "geojson", "shp", "xlsx")
    written = {ending: run(town, "export", "building", str(tmp_path / f"houses.{ending}")) for ending in endings}

    assert {done.exit_code for done in written.values()} == {0}
    assert f"{tmp_path}/houses_内部.gpkg" in written["gpkg"].stdout
    assert pyogrio.read_info(tmp_path / "houses_内部.gpkg")["layer_metadata"]["密级"] == "内部"
    assert '"密级":"内部"' in (tmp_path / "houses_内部.geojson").read_text("utf-8")
    with open_town(town) as opened:
        for ending in endings:
            options = ReadOptions(kind="building", crs="EPSG:4548" if ending in ("csv", "xlsx") else None)
            (outcome,) = deliver(opened, [tmp_path / f"houses_内部.{ending}"], Delivery(options=options, dry_run=True))
            assert outcome.error is None, (ending, outcome.error)
            planned = {
                layer: (counts["inserted"], counts["updated"], counts["unchanged"])
                for layer, counts in outcome.planned.items()
            }
            assert planned == {"building": (0, 0, 1)}, ending
    run(town, "export", "building", str(tmp_path / "内部资料.csv"))
    assert (tmp_path / "内部资料.csv").exists(), "a name that says it already stays"


def test_what_is_classed_above_internal_asks_for_a_word_that_works(town: Path, tmp_path: Path) -> None:
    refused = run(town, "export", "pipe_line", str(tmp_path / "pipes.gpkg"))
    in_chinese = run(town, "export", "pipes", str(tmp_path / "pipes.xlsx"), lang="zh")
    allowed = run(town, "export", "pipe_line", str(tmp_path / "pipes.gpkg"), "--classified-ok")
    tables = run(town, "export", "pipe_line", str(tmp_path / "pipes.xlsx"), "--classified-ok", lang="zh")

    assert (
        refused.exit_code == 2
        and "classed secret, above internal" in refused.stderr
        and "--classified-ok" in refused.stderr
    )
    assert in_chinese.exit_code == 2 and "密级为机密" in in_chinese.stderr
    assert allowed.exit_code == 0 and tables.exit_code == 0, tables.output
    assert sorted(path.name for path in tmp_path.glob("pipes*")) == ["pipes_机密.gpkg", "pipes_机密.xlsx"]
    sheet = openpyxl.load_workbook(tmp_path / "pipes_机密.xlsx").active
    assert "密级：机密" in [row[0].value for row in sheet.iter_rows(max_row=3)]


def test_findings_are_classed_as_the_highest_of_what_they_may_quote(town: Path, tmp_path: Path) -> None:
    refused = run(town, "findings", "--csv", str(tmp_path / "f.csv"), lang="zh")
    allowed = run(
        town, "findings", "--csv", str(tmp_path / "f.csv"), "--xlsx", str(tmp_path / "f.xlsx"), "--classified-ok"
    )
    houses = run(town, "findings", "--layer", "building", "--csv", str(tmp_path / "houses.csv"))

    assert refused.exit_code == 2 and "密级为机密" in refused.stderr and "--classified-ok" in refused.stderr
    assert allowed.exit_code == houses.exit_code == 0, allowed.output
    assert {path.name for path in tmp_path.glob("*.[cx][sl]*")} == {"f_机密.csv", "f_机密.xlsx", "houses_内部.csv"}
    sheet = openpyxl.load_workbook(tmp_path / "f_机密.xlsx").active
    assert "Classification: secret" in [row[0].value for row in sheet.iter_rows(max_row=3)]
