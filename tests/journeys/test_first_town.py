"""What a newcomer does with the command: make a town, look before storing, bring sources in, look again, take them out."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from twin_command import run_twin

TWIN = Path(sys.executable).with_name("twin")
CRS = ("--crs", "EPSG:4548")
EAST, NORTH = 618_600.0, 3_885_800.0


def twin(town: Path, *arguments: str, lang: str = "en") -> "subprocess.CompletedProcess[str]":
    done = run_twin("--town", town, *arguments, environment={"TWIN_LANG": lang})
    assert "Traceback" not in done.stdout + done.stderr
    return done


def script(town: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the installed script itself: the first commands of a newcomer begin with nothing imported."""
    command = [str(TWIN), "--town", str(town), *arguments]
    environment = {**os.environ, "TWIN_LANG": "en"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def answer(town: Path, *arguments: str) -> Any:
    done = twin(town, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def delivery(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small delivery: one sheet, one shapefile, the plan, one class of pipes."""
    folder = tmp_path_factory.mktemp("delivery")
    for pattern in ("topo/1000/3885.0-618.0.dxf", "topo/shp/水域面.*", "planning/*.gpkg", "survey/WS*.csv"):
        for one in samples.glob(pattern):
            shutil.copy(one, folder / one.name)
    return folder


@pytest.fixture(scope="module")
def first_day(delivery: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The town of the first day, and what each command answered."""
    town = tmp_path_factory.mktemp("first") / "town"
    told: dict[str, Any] = {}
    told["init"] = script(town, "init", "--name", "高铁新城", *CRS)
    told["dry"] = answer(town, "ingest", str(delivery), *CRS, "--dry-run")
    told["after dry"] = answer(town, "status")
    told["kept after dry"] = [one for name in ("sources", "cache/drafts") for one in (town / name).glob("*")]
    told["ingest"] = json.loads(script(town, "ingest", str(delivery), *CRS, "--json").stdout)
    told["status"] = answer(town, "status")
    return town, told


def test_the_first_command_makes_a_town_and_says_the_next(first_day: tuple[Path, dict[str, Any]]) -> None:
    town, told = first_day

    assert told["init"].returncode == 0
    assert f"twin --town {town} ingest" in told["init"].stdout
    assert (town / "town.toml").read_text("utf-8").count("高铁新城") == 2


def test_a_dry_run_says_what_would_happen_and_stores_nothing(first_day: tuple[Path, dict[str, Any]]) -> None:
    _, told = first_day

    assert told["after dry"]["version"] == 0
    assert all(one["features"] == 0 for one in told["after dry"]["layers"].values())
    assert told["kept after dry"] == []
    for planned, made in zip(told["dry"], told["ingest"], strict=True):
        inserted = {name: one["inserted"] for name, one in made["changes"].items() if name != "finding"}
        assert {name: one["inserted"] for name, one in planned["planned"].items()} == inserted
        assert planned["counts"] == made["counts"]
        assert planned["version"] is None


def test_status_in_json_has_the_promised_shape_and_holds_what_was_delivered(
    first_day: tuple[Path, dict[str, Any]],
) -> None:
    _, told = first_day
    status = told["status"]

    assert {"town", "version", "layers", "findings"} <= set(status)
    assert (status["town"], status["version"]) == ("高铁新城", 4)
    assert {"error", "warning"} <= set(status["findings"])
    assert all(set(one) == {"features", "geometry", "crs", "extent"} for one in status["layers"].values())
    counted = {name: one["features"] for name, one in status["layers"].items() if one["features"] and name != "finding"}
    delivered = pd.Series(0, index=sorted({n for one in told["ingest"] for n in one["counts"]["features"]}))
    for one in told["ingest"]:
        delivered = delivered.add(pd.Series(one["counts"]["features"]), fill_value=0)
    assert counted == {name: int(count) for name, count in delivered.items()}
    west, south, east, north = status["layers"]["water_area"]["extent"]
    assert 617_000 <= west < east <= 620_000
    assert 3_885_000 <= south < north <= 3_887_000
    assert status["layers"]["water_area"]["crs"] == "EPSG:4548"


def test_a_second_ingest_says_that_nothing_changed(first_day: tuple[Path, dict[str, Any]], delivery: Path) -> None:
    town, told = first_day

    again = twin(town, "ingest", str(delivery), *CRS)

    assert again.returncode == 0
    lines = [line for line in again.stdout.splitlines() if "no change (already in version" in line]
    assert len(lines) == len(told["ingest"])
    assert f"{len(lines)} sources: 0 stored, {len(lines)} delivered before, 0 refused" in again.stdout
    assert answer(town, "status")["version"] == told["status"]["version"]


def test_the_bytes_of_every_source_are_kept_under_their_hash(first_day: tuple[Path, dict[str, Any]]) -> None:
    town, _ = first_day

    kept = {one.name for folder in (town / "sources").iterdir() for one in folder.iterdir()}

    assert {
        "3885.0-618.0.dxf",
        "水域面.shp",
        "水域面.dbf",
        "new_town_plan.gpkg",
        "WSPoint.csv",
        "WSLine.csv",
    } <= kept


def test_findings_are_told_in_both_languages_and_can_be_chosen(
    first_day: tuple[Path, dict[str, Any]],
) -> None:
    town, told = first_day

    infos = answer(town, "findings", "--severity", "info")
    chinese = twin(town, "findings", lang="zh").stdout

    assert len(infos) == told["status"]["findings"]["info"]
    told_of = {"rule", "severity", "layer", "source", "place", "text", "status"}
    assert set(infos[0]) == told_of | {"class", "number", "sheet", "east", "north"}
    assert len(chinese.splitlines()) == sum(told["status"]["findings"].values())
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)


def test_dated_sheets_and_surveys_are_not_said_to_lack_a_date(first_day: tuple[Path, dict[str, Any]]) -> None:
    _, told = first_day
    dated = {
        one["source"]: {f["rule"] for f in one["findings"]}
        for one in told["ingest"]
        if one["kind"] in ("dxf", "survey")
    }

    assert len(dated) == 2
    assert all("time.assumed_today" not in rules for rules in dated.values())


READ: dict[str, Callable[[Path], gpd.GeoDataFrame]] = {
    ".geojson": gpd.read_file,
    ".gpkg": gpd.read_file,
    ".fgb": gpd.read_file,
    ".shp": gpd.read_file,
    ".csv": lambda path: gpd.GeoDataFrame(
        table := pd.read_csv(path), geometry=gpd.GeoSeries.from_wkt(table["wkt"]), crs=4548
    ),
}


@pytest.mark.parametrize("suffix", READ)
def test_a_layer_is_exported_and_read_back_equal(
    suffix: str, first_day: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    town, told = first_day
    file = tmp_path / f"building{suffix}"

    written = twin(town, "export", "building", str(file))
    back = READ[suffix](file).to_crs(4548).sort_values("id")

    count = told["status"]["layers"]["building"]["features"]
    assert (written.returncode, len(back)) == (0, count), written.stderr
    assert f"Wrote {count} features" in written.stdout
    from twin_model.town import open_town

    with open_town(town) as opened:
        stored = opened.features("building").sort_index()
    assert back["id"].tolist() == stored.index.tolist()
    apart = shapely.hausdorff_distance(back.geometry.to_numpy(), stored.geometry.to_numpy())
    assert apart.max() < (0.002 if suffix == ".geojson" else 1e-6)
    assert back["structure"].fillna("").tolist() == stored["structure"].fillna("").tolist()
    assert back["height"].astype(float).tolist() == pytest.approx(stored["height"].astype(float).tolist(), nan_ok=True)


def test_an_earlier_instant_and_an_earlier_version_show_what_was_true_and_known_then(tmp_path: Path) -> None:
    town = tmp_path / "town"
    twin(town, "init", "--name", "小镇", *CRS)
    box = shapely.box(EAST, NORTH, EAST + 10, NORTH + 10)
    for height, since in ((9.0, "2020-05-01"), (15.0, "2023-05-01")):
        file = tmp_path / f"since_{since}.gpkg"
        gpd.GeoDataFrame({"height": [height]}, geometry=[box], crs=4548).to_file(
            file, layer="building", engine="pyogrio"
        )
        (outcome,) = answer(town, "ingest", str(file), "--effective", since)
        assert "time.assumed_today" not in {one["rule"] for one in outcome["findings"]}

    def heights(*options: str) -> list[float]:
        file = tmp_path / "out.gpkg"
        done = twin(town, "export", "building", str(file), *options)
        assert done.returncode == 0, done.stderr
        back: list[float] = gpd.read_file(file)["height"].tolist()
        return back

    assert heights() == [15.0]
    assert heights("--datetime", "2021-01-01") == [9.0]
    assert heights("--recorded", "1") == [9.0]
    assert answer(town, "status", "--datetime", "2019-01-01")["layers"]["building"]["features"] == 0
    assert answer(town, "status", "--recorded", "1")["layers"]["building"]["features"] == 1
    assert twin(town, "status", "--recorded", "9").returncode == 2


def test_the_same_bytes_read_in_another_way_are_another_delivery(tmp_path: Path) -> None:
    town, file = tmp_path / "town", tmp_path / "areas.gpkg"
    twin(town, "init", "--name", "小镇", *CRS)
    box = shapely.box(EAST, NORTH, EAST + 10, NORTH + 10)
    gpd.GeoDataFrame({"a": [1]}, geometry=[box], crs=4548).to_file(file, engine="pyogrio")

    outcomes = [answer(town, "ingest", str(file), "--as", layer)[0] for layer in ("water_area", "building", "building")]

    assert [one["version"] for one in outcomes] == [1, 2, None]
    assert [one["already"] for one in outcomes] == [None, None, 2]


def _until(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "the ingest ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.parametrize("moment", ["reading", "storing"])
def test_ctrl_c_during_an_ingest_leaves_everything_whole_and_the_next_run_completes(
    moment: str, tmp_path: Path
) -> None:
    town, small, large = (
        tmp_path / "town",
        tmp_path / "small" / "street_lamp.fgb",
        tmp_path / "street_lamp.fgb",
    )
    small.parent.mkdir()
    for file, rows in ((small, 10), (large, 60_000)):
        points = shapely.points(EAST + np.arange(rows) * 0.01, NORTH + (rows == 10) * 500.0)
        gpd.GeoDataFrame({"pole_no": np.arange(rows).astype(str)}, geometry=points, crs=4548).to_file(
            file, driver="FlatGeobuf", engine="pyogrio", SPATIAL_INDEX="NO"
        )
    twin(town, "init", "--name", "小镇", *CRS)
    answer(town, "ingest", str(small))
    command = [str(TWIN), "--town", str(town), "ingest", str(large), "--jobs", "1"]
    # A shell lets its background jobs ignore Ctrl-C, and they what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        spool = town / "cache" / "drafts"
        frames = 1 if moment == "reading" else 2
        _until(lambda: len(list(spool.glob("*/*.rows"))) >= frames, process)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[0]

    assert process.returncode == 130, told
    assert "Traceback" not in told
    stopped = answer(town, "status")
    whole = [(1, 10)] if moment == "reading" else [(1, 10), (2, 60_010)]
    assert (stopped["version"], stopped["layers"]["street_lamp"]["features"]) in whole
    assert list((town / "cache" / "drafts").glob("*")) == []
    assert twin(town, "ingest", str(large)).returncode == 0
    completed = answer(town, "status")
    assert (completed["version"], completed["layers"]["street_lamp"]["features"]) == (2, 60_010)
    assert len(list((town / "sources").iterdir())) == 2


def test_the_whole_sample_town_holds_what_its_plan_says(demo_town: Path, samples: Path) -> None:
    plan = json.loads((samples / "town_plan.json").read_text("utf-8"))

    status = answer(demo_town, "status")

    held = {name: one["features"] for name, one in status["layers"].items()}
    assert held["building"] == plan["topo"]["totals"]["buildings"]
    assert held["contour"] == plan["topo"]["totals"]["contours"]
    assert held["spot_height"] == plan["topo"]["totals"]["spot_heights"]
    assert held["map_sheet"] == len(plan["topo"]["sheets"])
    assert held["car_park"] == plan["shapefiles"]["停车场"]
    assert {name: held[name] for name in ("planning_area", "land_use", "control_line", "project")} == {
        name: plan["planning"][name] for name in ("planning_area", "land_use", "control_line", "project")
    }
    assert held["bim_storey"] == plan["ifc"]["storeys"]
    assert held["pipe_point"] == sum(one["points"] for one in plan["survey"].values())
    assert held["pipe_line"] == sum(one["lines"] for one in plan["survey"].values())
    assert status["findings"]["error"] == 0
