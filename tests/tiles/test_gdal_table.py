"""GeoPackage and FlatGeobuf of our own carry the marking; what they hold of features stands in test_files."""

from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely

from tiles.encodings.gdal_table import write_gdal_table
from tiles.encodings.table_spool import TableForm, TableSpool
from twin_model.catalogue import read_catalogue

FACTS = {"密级": "内部", "审图号": "GS(2024)1号"}


@pytest.mark.parametrize(("driver", "ending"), [("GPKG", "gpkg"), ("FlatGeobuf", "fgb")])
def test_a_file_says_how_it_is_classed_and_has_a_spatial_index(tmp_path: Path, driver: str, ending: str) -> None:
    shapes = [shapely.MultiPolygon([shapely.box(n, 0, n + 1, 1)]) for n in range(3)]
    frame = gpd.GeoDataFrame({"name": ["a", "b", "c"]}, geometry=shapes, crs="EPSG:4548", index=["a", "b", "c"])
    spool = TableSpool(tmp_path / "rows", TableForm(read_catalogue()["building"], "EPSG:4548"))
    spool.fill([frame.rename_axis("id")])

    findings = write_gdal_table(spool, tmp_path / f"out.{ending}", driver, marking="密级：内部", facts=FACTS)

    about = pyogrio.read_info(tmp_path / f"out.{ending}")
    assert findings == [] and about["features"] == 3
    assert about["capabilities"]["fast_spatial_filter"]
    assert FACTS.items() <= about["layer_metadata"].items() and about["layer_metadata"]["DESCRIPTION"] == "密级：内部"
