"""What GDAL streams is what it reads: the same rows, values and refusals, whether or not the file is whole."""

import random
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.vector import file as vector_file
from ingest.vector import stream as vector_stream
from ingest.vector.file import VectorFile
from ingest.vector.stream import Streamed, Unstreamable
from twin_model.errors import SourceRefused

FORMATS = {".shp": "ESRI Shapefile", ".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf", ".gml": "GML", ".sqlite": "SQLite",
           ".tab": "MapInfo File", ".mif": "MapInfo File"}  # fmt: skip
STREAMED = {".shp", ".gpkg", ".geojson", ".fgb", ".sqlite"}
ROWS = 23


def features(rows: int = ROWS) -> gpd.GeoDataFrame:
    """Return rows with every type of value, some of each unknown."""
    number = np.arange(rows)
    known = number % 7 != 3
    content = {
        "whole": number.astype("int32"),
        "big": number * 10**12,
        "gaps": pd.array(np.where(known, number, 0), dtype="Int64"),
        "small": number.astype("int16"),
        "share": np.where(known, number / 3, np.nan),
        "single": number.astype("float32") / 3,
        "yes": number % 2 == 0,
        "maybe": pd.array(number % 2 == 0, dtype="boolean"),
        "text": np.where(known, np.array(["甲" * (n % 4) for n in number]), None),
        "own": [f"第{n}栋" for n in number],
        "moment": pd.to_datetime(["2020-01-01T10:11:12"] * rows),
    }
    frame = gpd.GeoDataFrame(content, geometry=shapely.box(number, 0, number + 1, 1), crs="EPSG:4548")
    frame.loc[~known, ["gaps", "maybe"]] = None
    return frame


def batches(path: Path, rows: int) -> tuple[list[Any] | str, int]:
    """Return every value of a file, or why it is refused, and how many rows were streamed."""
    streamed = 0
    whole = vector_file.stream

    def counted(*arguments: Any) -> Iterator[Streamed]:
        nonlocal streamed
        for one in whole(*arguments):
            streamed += len(one) * one.alike
            yield one

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vector_file, "stream", counted)
            return values(path, rows), streamed
    except SourceRefused as refusal:
        return refusal.text("en"), streamed


def values(path: Path, rows: int) -> list[Any]:
    file = VectorFile(path, path.name)
    found = []
    for name, geometry in file.names():
        layer = file.layer(name, geometry)
        for batch in file.batches(layer, list(layer.fields), rows):
            shapes = shapely.from_wkb(batch.wkb.objects(), on_invalid="ignore").tolist()
            columns = {
                name: (str(column.dtype), [repr(one) for one in column.tolist()])
                for name, column in batch.columns.items()
            }
            found.append(
                (
                    batch.fids.tolist(),
                    [repr(one) for one in shapes],
                    columns,
                    {name: wrong.tolist() for name, wrong in batch.unread.items()},
                )
            )
    return found


def unstreamed(path: Path, rows: int, monkeypatch: pytest.MonkeyPatch) -> list[Any] | str:
    """Return the same where nothing can be streamed."""

    def refused(*_: Any) -> Iterator[Streamed]:
        raise Unstreamable
        yield

    with monkeypatch.context() as patch:
        patch.setattr(vector_file, "stream", refused)
        return batches(path, rows)[0]


@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_that_are_streamed_are_those_that_are_read(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"town{suffix}"
    pyogrio.write_dataframe(features(), path, driver=FORMATS[suffix])

    found, streamed = batches(path, 50)

    assert found == unstreamed(path, 50, monkeypatch)
    assert streamed == (ROWS if suffix in STREAMED else 0)


@pytest.mark.parametrize("suffix", sorted(STREAMED))
def test_a_layer_larger_than_a_batch_comes_in_the_same_batches_both_ways(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"town{suffix}"
    pyogrio.write_dataframe(features(), path, driver=FORMATS[suffix])

    found, _ = batches(path, 7)

    assert [len(fids) for fids, *_ in found] == [7, 7, 7, 2]
    assert found == unstreamed(path, 7, monkeypatch)


def without_geometry(rows: list[int]) -> gpd.GeoDataFrame:
    frame = features()
    frame.loc[rows, "geometry"] = None
    return frame


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, ROWS - 1), max_size=3), st.integers(3, 30))
def test_a_row_without_geometry_is_read_and_none_comes_twice(
    tmp_path_factory: pytest.TempPathFactory, rows: list[int], batch: int
) -> None:
    path = tmp_path_factory.mktemp("gaps") / "town.shp"
    pyogrio.write_dataframe(without_geometry(rows), path)

    found, streamed = batches(path, batch)

    assert [fid for fids, *_ in found for fid in fids] == list(range(ROWS))
    gaps = {row // batch for row in rows}
    assert streamed == ROWS - sum(min(batch, ROWS - gap * batch) for gap in gaps)


@pytest.mark.parametrize("gap", [None, 12])
def test_deleted_records_of_a_table_are_left_out_and_no_row_comes_twice(gap: int | None, tmp_path: Path) -> None:
    path = tmp_path / "town.shp"
    pyogrio.write_dataframe(features() if gap is None else without_geometry([gap]), path)
    delete(path.with_suffix(".dbf"), [1, 2, 9])

    found, _ = batches(path, 5)

    assert [fid for fids, *_ in found for fid in fids] == [n for n in range(ROWS) if n not in (1, 2, 9)]


def delete(table: Path, records: list[int]) -> None:
    content = bytearray(table.read_bytes())
    head, length = (int.from_bytes(content[n : n + 2], "little") for n in (8, 10))
    for record in records:
        content[head + record * length] = ord("*")
    table.write_bytes(content)


@pytest.mark.parametrize("suffix", [".shp", ".geojson", ".fgb", ".tab"])
def test_a_damaged_file_is_refused_or_read_alike_and_the_terminal_stays_quiet(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pyogrio.write_dataframe(features(), tmp_path / f"town{suffix}", driver=FORMATS[suffix])
    dice = random.Random(7)
    for attempt in range(12):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        for part in tmp_path.glob("town.*"):
            shutil.copyfile(part, folder / part.name)
        damage(dice.choice(sorted(folder.iterdir())), dice)

        found, _ = batches(folder / f"town{suffix}", 7)

        assert found == unstreamed(folder / f"town{suffix}", 7, monkeypatch), attempt
    assert "ERROR" not in capfd.readouterr().err


def damage(path: Path, dice: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if len(content) > 120:
        content[dice.randrange(100, len(content))] = dice.randrange(256)
        path.write_bytes(content)


def test_who_stops_taking_rows_leaves_no_thread_reading(shapes: VectorFile) -> None:
    layer = shapes.layer("town", "Polygon")
    taken = shapes.batches(layer, [], 5)

    next(taken)
    taken.close()  # type: ignore[attr-defined]

    assert not [one for one in threading.enumerate() if one.name.startswith("twin-reads-ahead")]


@pytest.fixture
def shapes(tmp_path: Path) -> VectorFile:
    pyogrio.write_dataframe(features(), tmp_path / "town.shp")
    return VectorFile(tmp_path / "town.shp", "town.shp")


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_wkb_is_taken_from_where_a_column_begins_in_arrows_memory(kind: pa.DataType) -> None:
    column = pa.array([b"aaa", b"bb", None, b"c", b"dddd"], kind).slice(1, 3)

    assert vector_stream._packed(column).objects().tolist() == [b"bb", None, b"c"]


@pytest.mark.parametrize("suffix", [one for one in FORMATS if one not in {".tab", ".mif"}])  # these two know no NULL
def test_whole_numbers_and_truth_values_keep_their_type_beside_null(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    pyogrio.write_dataframe(features(), path, driver=FORMATS[suffix])
    file = VectorFile(path, path.name)
    layer = file.layer(*file.names()[0])

    batch = next(file.batches(layer, ["gaps", "maybe"], ROWS))

    assert {type(value) for value in batch.columns["gaps"].tolist()} == {int, type(None)}
    assert {type(value) for value in batch.columns["maybe"].tolist()} == {bool, type(None)}
