"""Part of a file is wrong: the rest of it comes in; or the file is refused for what it is, never half of it in silence."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from vector_readings import CRS, EAST, NORTH, VectorReading

from ingest.mapping import read_mapping
from twin_model.errors import SourceRefused

MIXED = """
[[layer]]
from = "mixed"
where = { name = ["a", "工*"] }
to = "facility"
[[layer]]
from = "mixed"
to = "road_line"
[[layer]]
from = "mixed|Polygon"
to = "building"
"""


def houses(count: int = 3) -> gpd.GeoDataFrame:
    shapes = [shapely.box(EAST + 20 * n, NORTH, EAST + 20 * n + 10, NORTH + 10) for n in range(count)]
    return gpd.GeoDataFrame({"name": [f"n{n}" for n in range(count)]}, geometry=shapes, crs=CRS)


def changed(path: Path, sql: str, values: tuple[Any, ...] = ()) -> Path:
    """Change a GeoPackage as no program of GDAL's would."""
    with closing(sqlite3.connect(path)) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f'DROP TRIGGER "{trigger}"')
        db.execute(sql, values)
        db.commit()
    return path


@pytest.mark.parametrize("geometry", [b"\x00\x11\x22\x33", b"", "text", b"GP\x00\x01"])
def test_one_bad_geometry_does_not_drop_the_layer(tmp_path: Path, geometry: bytes | str) -> None:
    path = tmp_path / "building.gpkg"
    houses().to_file(path, engine="pyogrio")
    changed(path, "UPDATE building SET geom = ? WHERE fid = 2", (geometry,))

    reading = VectorReading(path)

    assert reading.counts.read == 3
    assert {"n0", "n2"} <= set(reading.layers["building"].name)
    assert reading.rules & {"geometry.missing", "vector.geometry_unreadable"}


def test_a_layer_without_system_is_left_out_where_others_have_theirs(tmp_path: Path) -> None:
    path = tmp_path / "plan.gpkg"
    houses().to_file(path, layer="building", engine="pyogrio")
    houses().set_crs(None, allow_override=True).to_file(path, layer="房屋", engine="pyogrio")

    reading, named = VectorReading(path), VectorReading(path, crs=CRS)

    assert reading.numbers == {"building": 3}
    assert reading.finding("vector.layer_without_crs").place == "房屋"
    assert reading.counts.left_out == reading.finding("vector.layer_without_crs").values["rows"] > 0
    assert "--crs" in reading.finding("vector.layer_without_crs").text("zh")
    assert named.numbers == {"building": 6}


def mixed(folder: Path) -> Path:
    shapes = [
        shapely.Point(EAST, NORTH), shapely.Point(EAST + 5, NORTH), shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH)]),
        shapely.box(EAST, NORTH, EAST + 9, NORTH + 9),
    ]  # fmt: skip
    path = folder / "mixed.geojson"
    gpd.GeoDataFrame({"name": ["a", "z", "b", "c"]}, geometry=shapes, crs=CRS).to_crs(4326).to_file(
        path, engine="pyogrio"
    )
    return path


def test_a_mapping_sends_the_rows_of_one_layer_to_several_by_geometry_and_value(tmp_path: Path) -> None:
    (tmp_path / "office.toml").write_text(MIXED, "utf-8")

    reading = VectorReading(mixed(tmp_path), mapping=read_mapping(tmp_path / "office.toml"))

    assert reading.numbers == {"facility": 1, "road_line": 1, "building": 1}
    assert reading.finding("geometry.wrong_type").place == "fid 1"  # the second point is named by the entry of lines
    assert (reading.counts.read, reading.counts.stored, reading.counts.quarantined) == (4, 3, 1)


def test_rows_that_no_entry_takes_are_counted_and_said(tmp_path: Path) -> None:
    (tmp_path / "office.toml").write_text("\n".join(MIXED.splitlines()[:5]), "utf-8")

    reading = VectorReading(mixed(tmp_path), mapping=read_mapping(tmp_path / "office.toml"))

    assert reading.numbers == {"facility": 1}
    assert reading.finding("vector.rows_not_taken").values["rows"] == reading.counts.decoration == 3


def test_lines_named_as_areas_are_taken_for_the_lines_of_the_same_things(tmp_path: Path) -> None:
    path = tmp_path / "道路面.shp"
    lines = houses().set_geometry(houses().boundary)
    lines.to_file(path, encoding="UTF-8", engine="pyogrio")

    reading = VectorReading(path)

    assert reading.numbers == {"road_line": 3}
    assert reading.finding("vector.sibling_taken").values["named"] == "road_area"


def test_a_source_of_another_geometry_than_its_layer_is_refused_with_the_layers_that_fit(tmp_path: Path) -> None:
    path = tmp_path / "lamps.shp"
    houses().set_geometry(houses().centroid).to_file(path, engine="pyogrio")

    with pytest.raises(SourceRefused) as refusal:
        VectorReading(path, kind="road_line")

    assert refusal.value.rule_id == "vector.wrong_geometry"
    assert refusal.value.values["to"] == "street_lamp"
    assert VectorReading(path, kind=refusal.value.values["to"]).numbers == {"street_lamp": 3}
    assert "street_lamp" in refusal.value.text("zh") and "点" in refusal.value.text("zh")


GML = (
    '<?xml version="1.0" encoding="utf-8"?>\n<ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" '
    'xmlns:gml="http://www.opengis.net/gml">\n<gml:featureMember><ogr:road_line fid="r.0"><ogr:geometryProperty>'
    '<gml:LineString srsName="EPSG:4548"><gml:coordinates>618600,3885800 618609,3885800</gml:coordinates></gml:LineString>'
    "</ogr:geometryProperty><ogr:name>n0</ogr:name></ogr:road_line></gml:featureMember>\n</ogr:FeatureCollection>"
)


@pytest.mark.parametrize(
    ("content", "line"),
    [(GML[:-30], 3), (GML.replace("</ogr:name>", "</ogr:nam>"), 3), (GML.replace("n0", "a & b"), 3), (GML + "<x/>", 4)],
    ids=["cut", "mismatched", "ampersand", "more after the end"],
)
def test_broken_gml_is_refused_with_its_line(tmp_path: Path, content: str, line: int) -> None:
    path = tmp_path / "road_line.gml"
    path.write_text(content, "utf-8")

    with pytest.raises(SourceRefused) as refusal:
        VectorReading(path)

    assert (refusal.value.rule_id, refusal.value.values["line"]) == ("vector.broken_xml", line)
    assert f"第 {line} 行" in refusal.value.text("zh")
    path.write_text(GML, "utf-8")
    assert VectorReading(path).numbers == {"road_line": 1}


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("city.gml", '<core:CityModel xmlns:core="http://www.opengis.net/citygml/2.0" xmlns:gml="http://www.opengis.net/gml"/>', "vector.citygml"),
        ("way.xml", '<LandXML xmlns="http://www.landxml.org/schema/LandXML-1.2" xmlns:i="http://buildingsmart.fi/inframodel"/>', "vector.landxml"),
        ("empty.gml", '<FeatureCollection xmlns:gml="http://www.opengis.net/gml"/>', "source.empty"),
        ("empty.geojson", '{"type":"FeatureCollection","features":[]}', "source.empty"),
        ("nothing.geojson", "", "vector.zero_bytes"),
    ],
)  # fmt: skip
def test_what_is_no_feature_collection_is_named_for_what_it_is(
    tmp_path: Path, name: str, content: str, rule: str
) -> None:
    (tmp_path / name).write_text(content, "utf-8")

    with pytest.raises(SourceRefused) as refusal:
        VectorReading(tmp_path / name, crs=CRS)

    assert refusal.value.rule_id == rule
    assert name in refusal.value.text("en") and name in refusal.value.text("zh")


def test_a_network_padded_with_nul_is_read(tmp_path: Path) -> None:
    text = "[JUNCTIONS]\n1 10\n2 11\n[PIPES]\n1 1 2 10 100 100\n[OPTIONS]\nUnits LPS\n[COORDINATES]\n"
    text += f"1 {EAST} {NORTH}\n2 {EAST + 9} {NORTH}\n[END]\n"
    path = tmp_path / "net.inp"
    path.write_bytes(text.encode() + b"\x00" * 300 + b"\x1a")

    assert VectorReading(path, crs=CRS).numbers == {"pipe_point": 2, "pipe_line": 1}
