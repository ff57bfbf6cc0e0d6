"""A CSV for spreadsheets: no text or heading of it is run, and each is what it was when it is read again."""

import csv
from pathlib import Path

import geopandas as gpd
import orjson
import shapely

from tiles.encodings.csv_table import write_csv
from tiles.encodings.table_spool import TableForm, TableSpool
from twin_model.catalogue import read_catalogue
from twin_model.formula_text import unescape_formula


def test_no_text_of_a_csv_is_a_formula_and_each_can_be_had_back(tmp_path: Path) -> None:
    texts = ["=1+1", "+86 539", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0", "-1.5", "'=1", "'quoted'", "一号楼"]
    attributes = [orjson.dumps({"=heading": text}).decode() for text in texts]
    squares = shapely.box(range(len(texts)), 0, 1, 1)
    frame = gpd.GeoDataFrame({"name": texts, "attributes": attributes}, geometry=squares, crs="EPSG:4548")
    spool = TableSpool(tmp_path / "rows", TableForm(read_catalogue()["building"], "EPSG:4548"))
    spool.fill([frame.rename(index=str).rename_axis("id")])

    write_csv(spool, tmp_path / "out.csv")

    heading, *rows = csv.reader((tmp_path / "out.csv").read_text("utf-8-sig").splitlines())
    assert heading == ["id", "name", "'=heading", "wkt"]
    assert not any(cell[:1] in ("=", "+", "@", "\t") for row in rows for cell in row)
    assert [unescape_formula(row[1]) for row in rows] == [unescape_formula(row[2]) for row in rows] == texts
