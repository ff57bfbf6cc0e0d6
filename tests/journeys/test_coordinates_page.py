"""The page on coordinates is carried out as it stands: what it says is refused is refused, and every remedy works."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import ezdxf
import geopandas as gpd
import pytest
import shapely
from click.testing import CliRunner, Result

from api_config.cli import make_cli
from twin_model.crs import transform_xy
from twin_model.town import init_town

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "coordinates.md"
EAST, NORTH = 618_100.0, 3_885_400.0
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def lamps(x: float, y: float, crs: str | None = "EPSG:4548") -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=shapely.points([[x, y], [x + 1e-5, y]]), crs=crs)


def write_sources() -> None:
    """Write the files that the page names: the same two lamps, each time with another mistake."""
    lon, lat = transform_xy(*(lamps(EAST, NORTH).get_coordinates().to_numpy().T), "EPSG:4548", "EPSG:4490")
    mistakes = {
        "zone_number": (39e6 + EAST, NORTH),
        "next_zone": (EAST - 273_070, NORTH),
        "swapped": (NORTH, EAST),
        "millimetres": (EAST * 1000, NORTH * 1000),
        "degrees": (float(lon[0]), float(lat[0])),
        "cut_off": (EAST - 600_000, NORTH - 3_800_000),
        "wrong_prj": (EAST, NORTH),
    }
    for name, (x, y) in mistakes.items():
        lamps(x, y).to_file(f"{name}.gpkg", engine="pyogrio")
    lamps(EAST, NORTH, None).to_file("no_crs.shp", engine="pyogrio")
    lamps(1200.0, 800.0, None).to_file("local.shp", engine="pyogrio")
    shutil.copy(ROOT / "data_samples" / "control" / "local_grid.csv", "control.csv")
    drawing = ezdxf.new()
    drawing.modelspace().add_point((EAST, NORTH))
    drawing.modelspace().add_text("1980西安坐标系 中央子午线117°")
    drawing.saveas("xian_margin.dxf")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Result]:
    """Return a function that runs a line of the page in a folder with its files and an empty town."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWIN_LANG", "en")
    init_town(tmp_path / "town", name="t", crs="EPSG:4548").store.close()
    write_sources()
    return lambda line: CliRunner().invoke(make_cli("en"), ["--town", "town", *line.split()[1:]])


def test_what_the_page_says_is_refused_is_refused_and_every_remedy_works(run: Callable[[str], Result]) -> None:
    """It brings in a dozen files, a tenth of a second each."""
    wrong, lines = [], 0
    for language, block in _FENCE.findall(PAGE.read_text("utf-8")):
        if language == "toml":
            Path(block.splitlines()[0].removeprefix("# ")).write_text(block, "utf-8")
            continue
        for line in block.splitlines():
            command, _, remark = line.partition("#")
            result = run(command)
            lines += 1
            if result.exit_code != (1 if "refused" in remark else 0):
                wrong.append((line, result.exit_code, result.stdout + result.stderr))

    assert (wrong, lines) == ([], 21)
