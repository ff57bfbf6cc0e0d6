"""One sheet of typed cells, read again by openpyxl; what a sheet cannot hold is refused, never cut."""

from datetime import datetime
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
import shapely

from tiles.encodings.table_spool import TableForm, TableSpool
from tiles.encodings.xlsx_table import MOST_ROWS, write_xlsx_table
from twin_model.catalogue import read_catalogue
from twin_model.errors import QueryRefused

BUILDING = read_catalogue()["building"]


def spooled(folder: Path, **columns: list[object]) -> TableSpool:
    rows = len(next(iter(columns.values())))
    frame = gpd.GeoDataFrame(columns, geometry=[shapely.box(n, 0, n + 1, 1) for n in range(rows)], crs="EPSG:4548")
    frame.index = [f"b{n}" for n in range(rows)]
    spool = TableSpool(folder / "rows", TableForm(BUILDING, "EPSG:4548", "Asia/Shanghai", geometry=False))
    spool.fill([frame.rename_axis("id")])
    return spool


def test_cells_have_the_types_of_their_columns_and_no_character_is_refused(tmp_path: Path) -> None:
    times = ["2024-01-04T16:00:00.000Z", "0850-01-01T00:00:00.000Z"]
    spool = spooled(
        tmp_path, name=["<a & b>\r\n\x01x", "=1+1"], built=["2024-02-29", "1899-01-01"], valid_from=times,
        attributes=['{"长":12345678901234567,"是":true}', '{"长":1,"是":false}'], height=[0.1, None],
    )  # fmt: skip

    write_xlsx_table(spool, tmp_path / "t.xlsx", marking="密级：内部", facts={"密级": "内部"})

    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    heading, first, second = book.active.iter_rows(values_only=True)
    read = dict(zip(heading, first, strict=True))
    assert read == {
        "id": "b0", "name": "<a & b>\r\n\ufffdx", "built": datetime(2024, 2, 29), "valid_from": datetime(2024, 1, 5), "height": 0.1,
        "长": "12345678901234567", "是": True,
    }  # fmt: skip
    assert dict(zip(heading, second, strict=True))["built"] == "1899-01-01", "a day that Excel does not know is a text"
    assert book.properties.keywords == "密级=内部" and book.properties.subject == "密级：内部"
    assert book.active.oddHeader.center.text == "密级：内部"
    assert book.active.freeze_panes == "A2" and book.active.title == "building"


def test_what_a_sheet_cannot_hold_is_refused_and_not_cut(tmp_path: Path) -> None:
    spool = spooled(tmp_path, name=["x" * 32_768])
    with pytest.raises(QueryRefused, match="32768 characters.*32767") as too_long:
        write_xlsx_table(spool, tmp_path / "t.xlsx")
    spool.rows = MOST_ROWS + 1
    with pytest.raises(QueryRefused, match="1048576 rows.*1048575") as too_many:
        write_xlsx_table(spool, tmp_path / "t.xlsx")

    assert "skipGeometry=true" in too_long.value.text("zh", door="http")
    assert "f=csv" in too_many.value.text("zh", door="http")
