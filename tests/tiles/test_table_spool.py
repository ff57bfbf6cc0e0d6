"""Rows that wait on disk: columns known with the last row, types of days and attributes of all rows together."""

from pathlib import Path

import geopandas as gpd
import pyarrow as pa
import pytest
import shapely

from tiles.encodings.table_spool import TableForm, TableSpool
from twin_model.catalogue import read_catalogue

BUILDING = read_catalogue()["building"]


def frame(ids: list[str], **columns: list[object]) -> gpd.GeoDataFrame:
    shapes = [shapely.box(n, 0, n + 1, 1) for n in range(len(ids))]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4548", index=ids).rename_axis("id")


def test_an_attribute_of_the_last_row_has_a_column_from_the_first_on(tmp_path: Path) -> None:
    spool = TableSpool(tmp_path / "rows", TableForm(BUILDING, "EPSG:4548", "Asia/Shanghai"))

    spool.fill([
        frame(["a"], name=["甲"], built=["2024-01-05"]),
        frame(["b"], name=["乙"], built=["2024"], attributes=['{"层":2,"name":"\\ud800"}']),
        frame(["c"], name=[None], built=[None], attributes=['{"层":2.5}']),
    ])  # fmt: skip
    table = pa.Table.from_batches(spool.batches("local"))

    assert spool.rows == 3 and not spool.lacks_geometry
    assert table.column_names == ["id", "name", "built", "层", "attributes.name", "geometry"]
    assert table["层"].to_pylist() == [None, 2.0, 2.5]
    assert table["built"].to_pylist() == ["2024-01-05", "2024", None], "a bare year is no day, so none is"
    assert table["attributes.name"].to_pylist() == [None, "?", None]


def test_columns_of_a_query_are_there_without_a_row_and_no_other_is(tmp_path: Path) -> None:
    empty = TableSpool(tmp_path / "empty", TableForm(BUILDING, "EPSG:4548", "Asia/Shanghai", ("height", "built")))
    empty.fill([])
    few = TableSpool(tmp_path / "few", TableForm(BUILDING, "EPSG:4548", columns=("height",), geometry=False))
    few.fill([frame(["a"], name=["甲"], height=[3.5], attributes=['{"面":1}'])])

    assert empty.schema("aware").names == ["id", "height", "built", "geometry"]
    assert [str(kind) for kind in empty.schema("aware").types] == ["string", "double", "date32[day]", "binary"]
    assert pa.Table.from_batches(few.batches("text")).to_pylist() == [{"id": "a", "height": 3.5}]


def test_whoever_looks_may_end_it(tmp_path: Path) -> None:
    def look(rows: int, size: int) -> None:
        if rows > 1 and size > 100:
            raise TimeoutError(f"{rows} rows")

    spool = TableSpool(tmp_path / "rows", TableForm(BUILDING, "EPSG:4548"), look)

    with pytest.raises(TimeoutError, match="2 rows"):
        spool.fill(frame([name], name=[name]) for name in "abc")
