"""Sources on their way into a town: read ahead in children, committed in order, once each, whatever others commit."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from twin_command import run_twin

from api_config.delivery import Delivery, Outcome, deliver
from api_config.source_delivery import NoProgress, SourceDelivery
from ingest.draft import ReadOptions
from ingest.reading import HERE, ReadLimits, SourceReaders
from twin_model.errors import SourceRefused
from twin_model.town import Town, init_town, open_town

CRS = "EPSG:4548"
EAST, NORTH = 618_000.0, 3_885_000.0
LAMPS = Delivery(ReadOptions(kind="street_lamp"))


@pytest.fixture(params=["geopackage", "postgis"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    store = {} if request.param == "geopackage" else {"store": request.getfixturevalue("postgis_url")}
    made = init_town(tmp_path / "town", name="新城", crs=CRS, **store)
    yield made
    made.store.close()


def write_lamps(path: Path, first: int, rows: int) -> Path:
    """Write lamps numbered from `first` on, ten metres apart, 300 in a row."""
    numbers = np.arange(first, first + rows)
    points = shapely.points(EAST + numbers % 300 * 10.0, NORTH + numbers // 300 * 10.0)
    frame = gpd.GeoDataFrame({"pole_no": numbers.astype(str)}, geometry=points, crs=CRS)
    frame.to_file(path, driver="FlatGeobuf", SPATIAL_INDEX="NO")
    return path


def letters(folder: Path) -> Path:
    """Write a folder of five sources: three of lamps, the second under another name too, and a letter that no reader knows."""
    folder.mkdir()
    for number, name in enumerate("ace"):
        write_lamps(folder / f"{name}.fgb", number * 10, 10)
    shutil.copy(folder / "c.fgb", folder / "d.fgb")
    (folder / "b.dxf").write_text("Dear Sir", "utf-8")
    return folder


def told(outcomes: list[Outcome]) -> list[tuple[str, Any, Any, Any]]:
    return [
        (
            outcome.source,
            outcome.version.number if outcome.version else None,
            outcome.already,
            outcome.error.rule_id if outcome.error else None,
        )
        for outcome in outcomes
    ]


def test_sources_read_ahead_in_children_are_committed_in_order(town: Town, tmp_path: Path) -> None:
    folder = letters(tmp_path / "delivery")

    outcomes = deliver(town, [folder], LAMPS, None, ReadLimits(2))

    refusal = outcomes[1].error.rule_id if outcomes[1].error else None
    assert told(outcomes) == [
        ("a.fgb", 1, None, None),
        ("b.dxf", None, None, refusal),
        ("c.fgb", 2, None, None),
        ("d.fgb", 2, None, None),
        ("e.fgb", 3, None, None),
    ]
    assert refusal is not None and outcomes[0].seconds > 0
    assert sorted(town.features("street_lamp")["pole_no"].astype(int)) == list(range(30))
    assert list((town.cache / "drafts").iterdir()) == []


def test_a_large_source_read_by_a_child_is_the_same_in_the_town_as_read_here(
    tmp_path: Path, postgis_url: str, postgis_server: Any
) -> None:
    """In PostGIS its rows go in while the child reads on: 60,000 of them, two frames."""
    source = write_lamps(tmp_path / "street_lamp.fgb", 0, 60_000)
    frames = []
    for name, limits in (("child", ReadLimits(1)), ("here", HERE)):
        store = postgis_url if name == "child" else f"{postgis_url}_here"
        town = init_town(tmp_path / name, name="新城", crs=CRS, store=store)
        deliver(town, [source], LAMPS, None, limits)
        frames.append(town.features("street_lamp", system=True).drop(columns=["valid_from"]))
        town.store.close()

    pd.testing.assert_frame_equal(*frames)
    assert len(frames[0]) == 60_000


def test_with_fail_fast_nothing_is_read_after_a_refusal_and_each_is_named(town: Town, tmp_path: Path) -> None:
    folder = letters(tmp_path / "delivery")

    outcomes = deliver(town, [folder], Delivery(LAMPS.options, fail_fast=True), None, ReadLimits(2))

    assert [rule for *_, rule in told(outcomes)][2:] == ["source.not_begun"] * 3
    assert outcomes[0].version is not None and town.store.version() == 1
    error = outcomes[4].error
    assert isinstance(error, SourceRefused) and "e.fgb was not read" in error.text("en")


def test_a_source_whose_layer_changed_while_it_was_read_is_read_again(town: Town, tmp_path: Path) -> None:
    source = write_lamps(tmp_path / "street_lamp.fgb", 0, 3)
    with SourceReaders(HERE, 1) as readers:
        delivery = SourceDelivery(town, source, LAMPS, "", readers)
        delivery.begin()
        town.save_result(
            gpd.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(EAST, NORTH)], crs=CRS), "mine", reason="a"
        )
        other = SourceDelivery(town, source, LAMPS, "", readers)
        other.begin()
        first = other.complete(NoProgress())

        outcome = delivery.complete(NoProgress())

    assert first.version is not None and outcome.version is None
    assert outcome.already == first.version.number


def test_the_command_refuses_what_takes_too_much_by_name_and_reads_it_with_the_option_it_names(tmp_path: Path) -> None:
    """Two runs that start children, of a second each."""
    source = write_lamps(tmp_path / "street_lamp.fgb", 0, 60_000)
    init_town(tmp_path / "town", name="新城", crs=CRS).store.close()
    command = ["--town", tmp_path / "town", "ingest", source, "--jobs", "1"]

    refused = run_twin(*command, "--memory", "40")
    stored = run_twin(*command, "--memory", "4000", "--seconds", "600")

    assert refused.returncode == 1 and "needed more than 40 MiB of memory" in refused.stderr
    assert "--memory" in refused.stderr and stored.returncode == 0, stored.stderr


def test_files_of_a_folder_that_no_reader_goes_by_are_said_by_ending(tmp_path: Path) -> None:
    """What lies beside a source under its name is part of it, and what is hidden is nobody's."""
    folder = tmp_path / "delivery"
    (folder / "notes").mkdir(parents=True)
    write_lamps(folder / "street_lamp.fgb", 0, 3)
    for name in ("street_lamp.qix", ".hidden.doc", "notes/说明.docx", "notes/第二页.DOCX", "scan.tif"):
        (folder / name).write_bytes(b"x")
    town = tmp_path / "town"
    init_town(town, name="新城", crs=CRS).store.close()

    english = run_twin("--town", town, "ingest", folder, "--as", "street_lamp")
    chinese = run_twin("--town", town, "check", folder, "--json", environment={"TWIN_LANG": "zh"})

    assert english.returncode == 0 and "delivery: 3 files were passed over" in english.stderr
    assert ".docx 2 (notes/第二页.DOCX, notes/说明.docx)" in english.stderr and ".tif 1 (scan.tif)" in english.stderr
    assert "qix" not in english.stderr and "hidden" not in english.stderr
    assert "有 3 个文件未读取" in chinese.stderr


def test_a_source_of_which_no_row_can_be_read_is_refused_and_makes_no_version(tmp_path: Path) -> None:
    lamps = tmp_path / "lamps.geojson"
    shape = '{"type": "LineString", "coordinates": [[118.3, 35.1]]}'
    lamps.write_text(f'{{"type": "Feature", "properties": {{}}, "geometry": {shape}}}', "utf-8")
    town = tmp_path / "town"
    init_town(town, name="新城", crs=CRS).store.close()

    delivered, checked = (run_twin("--town", town, command, lamps) for command in ("ingest", "check"))

    assert (delivered.returncode, checked.returncode) == (1, 1)
    assert "No row of lamps.geojson could be read (1 in all, the first at fid 0)" in delivered.stderr
    assert "010200000001000000" in checked.stdout
    after = open_town(town)
    assert after.store.changesets() == []
    after.store.close()
