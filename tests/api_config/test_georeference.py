"""`twin georeference`: a local grid from control points, read with `--crs local:NAME` by every reader, and never shown."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ezdxf
import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from click.testing import CliRunner, Result

from api_config.cli import make_cli
from twin_model.backup import backup_town
from twin_model.town import open_town

Run = Callable[..., Result]
SAMPLE = Path(__file__).resolve().parents[2] / "data_samples" / "control" / "local_grid.csv"
LOCAL, PLACE = (1200.0, 800.0), (617_071.330, 3_884_341.370)
"""East and north of K1 of the sample in the grid, and in the town."""


@pytest.fixture
def run(empty_town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs `twin` in this process on an empty town."""
    town = shutil.copytree(empty_town, tmp_path / "town")
    monkeypatch.setenv("COLUMNS", "300")

    def ran(*arguments: Any, lang: str = "en") -> Result:
        monkeypatch.setenv("TWIN_LANG", lang)
        return CliRunner().invoke(make_cli(lang), ["--town", str(town), *map(str, arguments)])

    return ran


def fit(run: Run, control: Path, *options: Any, lang: str = "en") -> Result:
    return run("georeference", "--control", control, "--name", "north", "--axes", "yx", *options, lang=lang)


def changed(path: Path, before: str, after: str) -> Path:
    path.write_text(SAMPLE.read_text("utf-8").replace(before, after), "utf-8")
    return path


def test_a_grid_is_fitted_with_residuals_and_kept_readable_by_its_owner_alone(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "town" / "private" / "local-north.toml"

    dry = fit(run, SAMPLE, "--dry-run", "--json")
    assert (dry.exit_code, kept.exists()) == (0, False)
    answer = json.loads(dry.stdout)
    wet = fit(run, SAMPLE, lang="zh")

    assert (wet.exit_code, kept.stat().st_mode & 0o077) == (0, 0)
    assert answer["rmse"] == pytest.approx(0.0092, abs=1e-4)
    assert [one["point"] for one in answer["points"]] == ["K1", "K2", "K3", "K4", "K5"]
    assert "残差中误差：0.009 米" in wet.stdout and "--crs local:north" in wet.stdout
    secrets = kept.read_text("utf-8").partition("parameters = [")[2].split("]")[0].split(", ")
    assert len(secrets) == 4
    assert not [one for one in secrets if one[:7] in dry.stdout + wet.stdout]


def test_a_point_that_does_not_fit_is_named_and_the_remedy_works(run: Run, tmp_path: Path) -> None:
    control = changed(tmp_path / "k.csv", "K5,1750", "K5,1752")

    refused, without, unknown = (
        fit(run, control),
        fit(run, control, "--without", "K5"),
        fit(run, control, "--without", "K9"),
    )

    assert (
        refused.exit_code == 2 and "do not fit the others: K5." in refused.stderr and "--without K5" in refused.stderr
    )
    assert (without.exit_code, unknown.exit_code) == (0, 2)
    assert fit(run, control, "--limit", "2").exit_code == 0


def test_axes_that_are_wrong_are_named_and_the_remedy_works(run: Run, tmp_path: Path) -> None:
    rows = [line.split(",") for line in SAMPLE.read_text("utf-8").splitlines()[1:]]
    control = tmp_path / "k.csv"
    control.write_text(
        "点号,源X,源Y,目标X,目标Y\n" + "\n".join(f"{k},{y},{x},{n},{e}" for k, x, y, n, e in rows), "utf-8"
    )

    for model in ("similarity", "affine"):
        refused = fit(run, control, "--model", model)
        assert (refused.exit_code, "Say the other --source-axes" in refused.stderr) == (2, True), model
        assert fit(run, control, "--model", model, "--source-axes", "xy").exit_code == 0
    both = run("georeference", "--control", SAMPLE, "--name", "north", "--axes", "xy")
    assert "Say the other --axes" in both.stderr


def test_seven_parameters_ask_for_the_system_and_the_heights_of_the_source(run: Run, tmp_path: Path) -> None:
    for options, words in (
        (("--model", "bursa"), "--source-crs EPSG:2384"),
        (("--model", "bursa", "--source-crs", "EPSG:2384"), "源H"),
    ):
        refused = fit(run, SAMPLE, *options)

        assert (refused.exit_code, words in refused.stderr) == (2, True)


def test_xian_1980_comes_into_the_town_by_seven_parameters_only(run: Run, tmp_path: Path) -> None:
    """Control and lamps are made by PROJ's Helmert transformation, with parameters that nobody has."""
    shifted = pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=tmerc +lon_0=117 +x_0=500000 +a=6378140 +rf=298.257 +step +proj=cart +a=6378140 +rf=298.257 "
        "+step +proj=helmert +x=120 +y=-60 +z=40 +rx=1 +ry=-2 +rz=3 +s=-4 +convention=position_vector "
        "+step +inv +proj=cart +ellps=GRS80 +step +proj=tmerc +lon_0=117 +x_0=500000 +ellps=GRS80"
    )
    places = np.array(
        [[616e3, 3.884e6, 60], [621e3, 3.884e6, 75], [616e3, 3.889e6, 62], [621e3, 3.889e6, 70], [618e3, 3.886e6, 66]]
    )
    pairs = np.column_stack((places, np.column_stack(shifted.transform(*places.T))))
    rows = [",".join([f"G{n}", *(f"{number:.4f}" for number in row)]) for n, row in enumerate(pairs)]
    control = tmp_path / "g.csv"
    control.write_text("点号,源东,源北,源H,目标东,目标北,目标H\n" + "\n".join(rows), "utf-8")
    lamp = tmp_path / "street_lamp.gpkg"
    gpd.GeoDataFrame(geometry=shapely.points([[619e3, 3.885e6]]), crs=2384).to_file(lamp, engine="pyogrio")

    refused = run("ingest", lamp)
    fitted = run(
        "georeference", "--control", control, "--name", "xian", "--model", "bursa", "--source-crs", "EPSG:2384"
    )
    read = run("ingest", lamp, "--crs", "local:xian")

    assert refused.exit_code == 1 and "--model bursa --source-crs EPSG:2384" in refused.stderr
    assert (fitted.exit_code, read.exit_code) == (0, 0), fitted.stderr + read.stderr
    with open_town(tmp_path / "town") as town:
        (shape,) = town.features("street_lamp").geometry
    east, north, _ = shifted.transform(619e3, 3.885e6, 0)
    assert (shape.x, shape.y) == pytest.approx((east, north), abs=0.01)


def sources(folder: Path) -> list[tuple[Path, str]]:
    """Write one point of the local grid as each office would deliver it; return the files and their layers."""
    (x, y), wrong = LOCAL, (1e30, 1e30)
    frame = gpd.GeoDataFrame({"pole_no": ["L1", "L2"]}, geometry=shapely.points([[x, y], wrong]))
    frame[:1].to_file(folder / "street_lamp.shp", engine="pyogrio")
    frame[:1].set_crs(4549).to_file(folder / "camera.gpkg", engine="pyogrio")
    (folder / "net.inp").write_text(f"[JUNCTIONS]\n1 10\n[PIPES]\n[COORDINATES]\n1 {x} {y}\n[END]\n")
    (folder / "JSPOINT.csv").write_text(f"物探点号,X,Y,地面高程\nJ1,{y},{x},10\n", "utf-8")
    drawing = ezdxf.new(units=4)
    drawing.modelspace().add_point((x * 1000, y * 1000), dxfattribs={"layer": "facility"})
    drawing.saveas(folder / "points.dxf")
    (folder / "dxf.toml").write_text('[[layer]]\nfrom = "*"\nto = "facility"\n', "utf-8")
    names = ("street_lamp.shp", "camera.gpkg", "net.inp", "JSPOINT.csv", "points.dxf")
    return [
        *zip(
            (folder / name for name in names),
            ("street_lamp", "camera", "pipe_point", "pipe_point", "facility"),
            strict=True,
        )
    ]


def test_every_reader_reads_in_a_local_grid_and_nothing_tells_its_parameters(run: Run, tmp_path: Path) -> None:
    fit(run, SAMPLE)
    secrets = (tmp_path / "town" / "private" / "local-north.toml").read_text("utf-8")
    numbers = [one for one in secrets.partition("parameters = [")[2].split("]")[0].split(", ") if len(one) > 6]

    printed = ""
    for path, _ in sources(tmp_path):
        mapping = ("--mapping", tmp_path / "dxf.toml") if path.suffix == ".dxf" else ()
        result = run("ingest", path, "--crs", "local:north", *mapping)
        assert result.exit_code == 0, (path.name, result.stderr)
        printed += result.stdout + result.stderr

    with open_town(tmp_path / "town") as town:
        for path, layer in sources(tmp_path):
            for shape in town.features(layer).geometry:
                assert np.hypot(shape.x - PLACE[0], shape.y - PLACE[1]) < 0.05, path.name
        details = [dict(one.counts) for one in town.store.changesets()]
        backup_town(town, tmp_path / "town.zip")
    assert "local grid: local:north" in run("show", 1).stdout
    assert {one.get("local_grid") for one in details} == {"local:north"}
    assert {one.get("crs_wins") for one in details} == {None, "EPSG:4549 -> local:north"}
    assert not [one for one in numbers if one[:8] in printed + json.dumps(details)]
    assert (tmp_path / "town.zip").stat().st_mode & 0o077 == 0, "it holds what private/ holds"


def test_a_mapping_may_name_the_grid_and_a_grid_that_is_not_there_is_refused(run: Run, tmp_path: Path) -> None:
    fit(run, SAMPLE)
    (tmp_path / "office.toml").write_text('crs = "local:north"\n', "utf-8")
    (survey,) = [path for path, _ in sources(tmp_path) if path.suffix == ".csv"]

    read = run("ingest", survey, "--mapping", tmp_path / "office.toml")
    refused = run("check", survey, "--crs", "local:sorth")

    assert (read.exit_code, refused.exit_code) == (0, 2)
    assert "Known: north." in refused.stderr and " georeference --control" in refused.stderr
