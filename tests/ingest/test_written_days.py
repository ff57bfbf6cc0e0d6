"""A day that does not exist is no other day: it is named with its place and counts as empty, whatever file it stands in."""

import json
from datetime import date
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyogrio
import pytest
import shapely
from vector_readings import CRS, EAST, NORTH, VectorReading

from ingest.mapping import read_mapping
from ingest.vector.dbf_numbers import days_as_written
from twin_model.rows.attributes import read_attributes

DRIVERS = {
    ".gpkg": "GPKG",
    ".sqlite": "SQLite",
    ".shp": "ESRI Shapefile",
    ".gml": "GML",
    ".mif": "MapInfo File",
    ".geojson": "GeoJSON",
}


def written(path: Path, wrong: str, layer: str = "wells") -> Path:
    """Write three points with days, the second of which is patched to be none in the bytes of the file."""
    days = pd.Series(pd.array([date(2023, 2, 27), date(2023, 2, 28), None], dtype=pd.ArrowDtype(pa.date32())))
    points = [shapely.Point(EAST + n, NORTH) for n in range(3)]
    frame = gpd.GeoDataFrame({"name": list("abc"), "day": days}, geometry=points, crs=CRS)
    pyogrio.write_dataframe(frame, path, driver=DRIVERS[path.suffix], use_arrow=True, layer=layer)
    for part in path.parent.glob(f"{path.stem}.*"):
        content = part.read_bytes()
        for mark in ("-", "/", ""):
            content = content.replace(f"2023{mark}02{mark}28".encode(), wrong.replace("-", mark).encode())
        part.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", DRIVERS)
def test_a_day_that_does_not_exist_is_named_and_left_empty(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"wells{suffix}", "2023-02-29")

    reading = VectorReading(path)

    finding = reading.finding("value.unreadable")
    assert reading.layers["wells"].day.isna().tolist() == [False, True, True]
    assert reading.layers["wells"].day[0] == "2023-02-27"
    assert finding.values["value"].replace("/", "").replace("-", "") == "20230229"
    assert finding.place.startswith("fid ")


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".mif"])
def test_a_month_that_does_not_exist_is_named_too(tmp_path: Path, suffix: str) -> None:
    reading = VectorReading(written(tmp_path / f"wells{suffix}", "2023-13-45"))

    assert reading.finding("value.unreadable").values["value"].replace("/", "").replace("-", "") == "20231345"


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson"])
def test_among_attributes_its_text_stays(tmp_path: Path, suffix: str) -> None:
    reading = VectorReading(written(tmp_path / f"street_lamp{suffix}", "2023-02-29", layer="street_lamp"))

    days = [each.get("day") for each in map(read_attributes, reading.layers["street_lamp"].attributes)]
    assert [day and day.replace("-", "") for day in days] == ["20230227", "20230229", None]


def test_times_are_read_however_they_are_spelt_and_days_of_a_mapping_are_named(tmp_path: Path) -> None:
    times = ["2024/02/09 01:02:03", "2024-02-09T01:02:03+08:00", "2023/02/29 10:00:00"]
    frame = gpd.GeoDataFrame({"at": times}, geometry=[shapely.Point(118.3, 35.1)] * 3, crs=4326)
    frame.to_file(tmp_path / "wells.geojson", engine="pyogrio")
    (tmp_path / "wells.toml").write_text('[[layer]]\nfrom = "wells"\nto = "street_lamp"\nvalid_from = "at"\n', "utf-8")

    own = VectorReading(tmp_path / "wells.geojson")
    mapped = VectorReading(tmp_path / "wells.geojson", mapping=read_mapping(tmp_path / "wells.toml"))

    assert own.layers["wells"]["at"].tolist()[:2] == ["2024-02-08T17:02:03.000Z"] * 2
    for reading, field in ((own, "at"), (mapped, "valid_from")):
        finding = reading.finding("value.unreadable")
        assert (finding.place, finding.values["field"], finding.values["value"]) == ("fid 2", field, times[2])


def test_days_of_a_table_come_as_written_where_one_is_none(tmp_path: Path) -> None:
    path = written(tmp_path / "wells.shp", "2023-02-30").with_suffix(".dbf")
    (whole,) = days_as_written(path).values()
    path.write_bytes(path.read_bytes().replace(b"20230230", b"20240229"))

    assert whole.tolist() == ["2023-02-27", "20230230", None]
    assert days_as_written(path) == {}


def test_a_date_of_esri_beyond_the_calendar_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wells.json"
    features = [{"attributes": {"at": when}, "geometry": {"x": 118.3, "y": 35.1}} for when in (0, 10**17)]
    fields = [{"name": "at", "type": "esriFieldTypeDate"}]
    content = {
        "geometryType": "esriGeometryPoint",
        "spatialReference": {"wkid": 4326},
        "fields": fields,
        "features": features,
    }
    path.write_text(json.dumps(content), "utf-8")

    assert VectorReading(path).layers["wells"]["at"].tolist() == ["1970-01-01T00:00:00+00:00", "100000000000000000"]
