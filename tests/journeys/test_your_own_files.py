"""The page about a stranger's own files is carried out as it stands: every command exits 0 and does what the page says."""

import re
import shlex
from pathlib import Path

import ezdxf
import geopandas as gpd
import pytest
import shapely
from click.testing import CliRunner

from api_config.cli import make_cli
from twin_model import init_town, open_town

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your-own-files.md"
EAST, NORTH = 618_600.0, 3_885_800.0


def square(number: int) -> shapely.Polygon:
    return shapely.box(EAST + 20 * number, NORTH, EAST + 20 * number + 10, NORTH + 10)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder with an empty town and the files that the page speaks of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWIN_LANG", "en")
    monkeypatch.setenv("TWIN_TOWN", str(tmp_path / "town"))
    init_town(tmp_path / "town", name="试点", crs="EPSG:4548").store.close()
    parcels = {"OWNER": ["Li", "Wang"], "USE": ["1", "2"], "AREA": [100.5, 98.0]}
    houses = {
        "HNAME": ["A", "B"],
        "FLOORS": [6, 3],
        "OWNER": ["Li", None],
        "RENT": [120.5, 80.0],
        "产权人 (2020)": ["甲", None],
    }
    shapes = [square(0), square(1)]
    gpd.GeoDataFrame(parcels, geometry=shapes, crs="EPSG:4548").to_file(
        "parcels.shp", encoding="UTF-8", engine="pyogrio"
    )
    gpd.GeoDataFrame(houses, geometry=shapes, crs="EPSG:4548").to_file("houses.gpkg", layer="houses", engine="pyogrio")
    drawing = ezdxf.new("R2010", units=6)
    drawing.modelspace().add_line((EAST, NORTH), (EAST + 50, NORTH), dxfattribs={"layer": "ROAD"})
    drawing.saveas("plan.dxf")
    return tmp_path


def test_every_command_of_the_page_runs_and_leaves_what_the_page_says(folder: Path) -> None:
    """Some twelve commands on two tiny files, in this process: two seconds."""
    page = PAGE.read_text("utf-8")
    for name, text in re.findall(r"^```toml file=(\S+)\n(.*?)^```$", page, re.M | re.S):
        (folder / name).write_text(text, "utf-8")
    commands = [line for block in re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S) for line in block.splitlines()]

    answers = {line: CliRunner().invoke(make_cli("en"), shlex.split(line)[1:]) for line in commands}

    assert len(commands) >= 10
    assert {line: answer.output for line, answer in answers.items() if answer.exit_code} == {}
    assert "becomes parcels" in answers["twin ingest parcels.shp"].output
    assert "OWNER, RENT" in answers["twin ingest houses.gpkg --as building"].output
    with open_town(folder / "town") as town:
        filters = re.findall(r"items\?filter=(.+)$", page, re.M)
        assert len(filters) == 2
        for where in filters:
            assert town.features("building", where=where)["name"].tolist() == ["A"], where
        code = re.search(r"^```python\n(.*?)^```$", page, re.M | re.S)
        assert code is not None
        rows = eval(code[1], {"town": town})
        assert rows[["name", "attributes.OWNER", "attributes.RENT"]].values.tolist() == [["A", "Li", 120.5]]
        assert set(town.layers().index) >= {"parcels", "plan_lines", "building"}
    assert gpd.read_file("houses_out.gpkg", engine="pyogrio")["OWNER"].tolist()[0] == "Li"
