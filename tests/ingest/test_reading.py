"""Sources read in children: the same drafts as here, limits that end one source only, and a cancel that ends the child."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import pytest
import shapely
import worker_tasks
from exhausting_sources import WRITERS

from ingest.draft import Draft, ReadOptions
from ingest.reading import HERE, ReadLimits, ReadRequest, SourceReaders
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import SourceRefused

CATALOGUE = read_catalogue()
CRS = "EPSG:4548"
EAST, NORTH = 618_000.0, 3_885_000.0
READERS = {
    "dxf": "topo/1000/3885.0-618.0.dxf",
    "survey": "survey/YSPOINT.csv",
    "vector": "topo/shp/路灯.shp",
    "ifc": "ifc/hsr_station.ifc",
}


@pytest.fixture(scope="module")
def readers() -> Iterator[SourceReaders]:
    with SourceReaders(ReadLimits(1), sources=1) as made:
        yield made


@pytest.fixture
def lamps(tmp_path: Path) -> Path:
    """60,000 lamps as GeoJSON: two frames, and a second of reading."""
    rows = 60_000
    points = shapely.points(EAST + np.arange(rows) * 0.01, np.full(rows, NORTH))
    path = tmp_path / "street_lamp.geojson"
    features = [
        {"type": "Feature", "properties": {"pole_no": str(number)}, "geometry": {"type": "Point", "coordinates": xy}}
        for number, xy in enumerate(shapely.get_coordinates(points).tolist())
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4548"}}
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return path


def request(path: Path, reader: str, folder: Path) -> ReadRequest:
    return ReadRequest(path, reader, Source(path.name, "0" * 64), ReadOptions(crs=CRS), CATALOGUE, CRS, folder)


def contents(draft: Draft) -> list[tuple[str, pd.DataFrame]]:
    return [
        (layer, frame.drop(columns="geometry").assign(wkb=frame.geometry.to_wkb())) for layer, frame in draft.frames()
    ]


def ignore(records: int) -> None:
    """Do nothing with the progress."""


def test_a_child_reads_the_same_draft_as_this_process(readers: SourceReaders, samples: Path, tmp_path: Path) -> None:
    """One source of each of four readers; a model of a station takes its second."""
    for name, file in READERS.items():
        path = samples / file
        asked = [request(path, name, tmp_path / f"{name} {side}") for side in ("child", "here")]

        with readers.begin(asked[0]) as far, SourceReaders(HERE, 1).begin(asked[1]) as near:
            drafts = far.draft(ignore), near.draft(ignore)

            assert readers.reader_of(path, ReadOptions()).name == name
            assert drafts[0].counts == drafts[1].counts and drafts[0].findings == drafts[1].findings
            assert list(drafts[0].stored_blobs()) == list(drafts[1].stored_blobs())
            for (layer, frame), (expected_layer, expected) in zip(*map(contents, drafts), strict=True):
                assert layer == expected_layer
                pd.testing.assert_frame_equal(frame, expected)
        assert not asked[0].folder.exists() and not asked[1].folder.exists()


def test_a_head_start_gets_the_rows_while_the_child_reads_on_and_progress_is_counted(
    readers: SourceReaders, lamps: Path, tmp_path: Path
) -> None:
    taken: list[tuple[str, int, str, str]] = []
    ticks: list[int] = []

    with readers.begin(request(lamps, "vector", tmp_path / "spool")) as reading:
        draft = reading.draft(
            ticks.append, lambda *rows: taken.append((rows[0], len(rows[1]), rows[2](), rows[3].name))
        )
        held = draft.to_changeset(author="a", reason="b").effective

    assert sum(ticks) <= 60_000 and len(ticks) > 1
    assert taken == [("street_lamp", count, held, "street_lamp") for count in (50_000, 10_000)]


def ended(path: Path, limits: ReadLimits, folder: Path, signal_number: int | None = None) -> str:
    """Return the message about a source whose reading was ended; a second, small source is read after it."""
    small = path.with_name("lamps") / path.name
    small.parent.mkdir()
    gpd.GeoDataFrame({"pole_no": ["1"]}, geometry=[shapely.Point(EAST, NORTH)], crs=CRS).to_file(small)
    with SourceReaders(limits, sources=1) as readers:
        with pytest.raises(SourceRefused) as refused, readers.begin(request(path, "vector", folder / "a")) as reading:
            if signal_number is not None:
                os.kill(reader_of_file(path), signal_number)
            reading.draft(ignore)
        with readers.begin(request(small, "vector", folder / "b")) as reading:
            assert reading.draft(ignore).counts.stored == 1
    assert not (folder / "a").exists()
    return refused.value.text("en") + refused.value.text("zh")


def reader_of_file(path: Path) -> int:
    """Return the process that has a file open, once one has."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(path) in [str(file.readlink()) for file in (process / "fd").iterdir()]:
                    return int(process.name)
    raise AssertionError(f"nobody reads {path}")


def test_a_source_that_takes_too_long_is_refused_by_name_with_the_option_and_the_next_is_read(
    lamps: Path, tmp_path: Path
) -> None:
    """The child is halted, which is a reading that never ends: the test waits for the limit."""
    words = ended(lamps, ReadLimits(1, seconds=3), tmp_path, signal.SIGSTOP)

    assert "street_lamp.geojson was not read within 3 s" in words and words.count("--seconds") == 2


def test_a_source_that_needs_too_much_memory_is_refused_by_name_with_the_option_and_the_next_is_read(
    lamps: Path, tmp_path: Path
) -> None:
    words = ended(lamps, ReadLimits(1, memory_mib=60), tmp_path)

    assert "street_lamp.geojson needed more than 60 MiB" in words and words.count("--memory") == 2


def test_a_child_that_is_killed_is_told_by_the_name_of_its_source_and_the_next_is_read(
    lamps: Path, tmp_path: Path
) -> None:
    words = ended(lamps, ReadLimits(1), tmp_path, signal.SIGKILL)

    assert "The process that read street_lamp.geojson broke down" in words and "读取 street_lamp.geojson" in words


def test_progress_that_raises_ends_the_child_and_takes_the_spool_away(lamps: Path, tmp_path: Path) -> None:
    def stop(records: int) -> None:
        raise KeyboardInterrupt

    with SourceReaders(ReadLimits(1), sources=1) as readers:
        with (
            pytest.raises(KeyboardInterrupt),
            readers.begin(request(lamps, "vector", tmp_path / "spool")) as reading,
        ):
            reading.draft(stop)

        assert not (tmp_path / "spool").exists()


def test_a_reader_that_crashes_harms_its_own_source_and_what_nobody_foresaw_is_written_down(
    readers: SourceReaders, tmp_path: Path
) -> None:
    model = tmp_path / "endless.ifc"
    WRITERS["endless_booleans.ifc"](model)

    with pytest.raises(SourceRefused) as crashed, readers.begin(request(model, "ifc", tmp_path / "a")) as reading:
        reading.draft(ignore)
    with pytest.raises(SourceRefused) as unforeseen:
        readers.look("b.csv", worker_tasks.fail_without_words)
    log = Path(unforeseen.value.values["log"])
    words = log.read_text("utf-8")
    log.unlink()

    assert "The process that read endless.ifc broke down (exit code -11)" in crashed.value.text("en")
    assert "Reading b.csv ended at something its reader does not foresee: RuntimeError: Unpackable" in str(
        unforeseen.value
    )
    assert str(log) in unforeseen.value.text("zh") and "fail_without_words" in words
