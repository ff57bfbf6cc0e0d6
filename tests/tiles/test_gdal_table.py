"""GeoPackage and FlatGeobuf of our own carry the marking; what they hold of features stands in test_files."""

from pathlib import Path

import geopandas as gpd
import orjson
import pyogrio
import pytest
import shapely

from tiles.encodings.gdal_table import write_gdal_table
from tiles.encodings.table_spool import TableForm, TableSpool
from twin_model.catalogue import read_catalogue
from twin_model.errors import QueryRefused

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


@pytest.mark.parametrize(("driver", "ending"), [("GPKG", "gpkg"), ("FlatGeobuf", "fgb")])
def test_names_and_texts_that_a_format_would_stumble_over_arrive(tmp_path: Path, driver: str, ending: str) -> None:
    names = ("geometry", "ID", "fid", "wkt", "", "geom", "Name", "rowid", "ogc_fid", "k\0")
    attributes = orjson.dumps(dict.fromkeys(names, "v\x00w")).decode()
    spool = spool_of(tmp_path, name=["a/b\n=1"], attributes=[attributes])

    write_gdal_table(spool, tmp_path / f"out.{ending}", driver)

    read = pyogrio.read_dataframe(tmp_path / f"out.{ending}").drop(columns="geometry").iloc[0].to_dict()
    assert read.pop("id") == "a" and read.pop("name") == "a/b\n=1"
    assert len(read) == len(names) and set(read.values()) == {"v\ufffdw"}


def test_more_columns_than_a_geopackage_has_are_refused_with_what_holds_them(tmp_path: Path) -> None:
    def attributes(number: int) -> list[str]:
        return [orjson.dumps({f"k{n}": n for n in range(number)}).decode()]

    most = spool_of(tmp_path, attributes=attributes(1_997))
    assert write_gdal_table(most, tmp_path / "most.gpkg", "GPKG") == []
    spool = spool_of(tmp_path, attributes=attributes(1_998))
    with pytest.raises(QueryRefused, match="2000 columns.*1999.*[.]parquet") as refused:
        write_gdal_table(spool, tmp_path / "out.gpkg", "GPKG")

    assert "f=parquet" in refused.value.text("zh", door="http")
    assert write_gdal_table(spool, tmp_path / "out.fgb", "FlatGeobuf") == []


def spool_of(folder: Path, **columns: list[str]) -> TableSpool:
    """Return one building with these columns, spooled."""
    square = shapely.MultiPolygon([shapely.box(0, 0, 1, 1)])
    frame = gpd.GeoDataFrame(columns, geometry=[square], crs="EPSG:4548", index=["a"]).rename_axis("id")
    spool = TableSpool(folder / "rows", TableForm(read_catalogue()["building"], "EPSG:4548"))
    spool.fill([frame])
    return spool
