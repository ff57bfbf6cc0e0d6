"""Heights and collections are taken as the rows have them, whatever type of geometry their layer declares."""

import sqlite3
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely
from vector_readings import CRS, EAST, NORTH, VectorReading

from ingest.draft import Draft, ReadOptions
from ingest.mapping import read_mapping
from ingest.vector.outline import vector_outline
from ingest.vector.reader import read_vector
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source

TRACKS = """<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1">
<wpt lat="35.1" lon="118.3"><ele>61.2</ele><name>a</name></wpt><wpt lat="35.1" lon="118.3"><name>b</name></wpt>
<rte><name>c</name><rtept lat="35.1" lon="118.3"/><rtept lat="35.101" lon="118.3"/></rte>
<trk><name>d</name><trkseg><trkpt lat="35.1" lon="118.3"><ele>60</ele></trkpt><trkpt lat="35.101" lon="118.3"><ele>61</ele></trkpt></trkseg></trk>
</gpx>"""
PLACEMARKS = """<kml xmlns="http://www.opengis.net/kml/2.2"><Document>
<Placemark><name>a</name><Point><coordinates>118.3,35.1,60.5</coordinates></Point></Placemark>
<Placemark><name>b</name><Point><coordinates>118.3,35.1</coordinates></Point></Placemark>
<Placemark><name>c</name><MultiGeometry><Point><coordinates>118.3,35.1</coordinates></Point><LineString><coordinates>
118.3,35.1,5 118.3,35.101,6</coordinates></LineString></MultiGeometry></Placemark></Document></kml>"""


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Three rows of one layer: a point, a collection of a point, two lines and an area, and an area."""
    line = shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH)])
    area = shapely.box(EAST, NORTH, EAST + 9, NORTH + 9)
    whole = shapely.GeometryCollection([shapely.Point(EAST, NORTH), shapely.GeometryCollection([line, area]), line])
    path = tmp_path / "mixed.gpkg"
    gpd.GeoDataFrame({"name": list("abc")}, geometry=[shapely.Point(EAST, NORTH), whole, area], crs=CRS).to_file(path)
    return path


def heights(reading: VectorReading, layer: str) -> list[float | None]:
    shapes = reading.layers[layer].geometry
    return [shapely.get_coordinates(shape, include_z=True)[0, 2] if shape.has_z else None for shape in shapes]


def test_heights_of_tracks_and_placemarks_are_kept_where_a_row_has_them(tmp_path: Path) -> None:
    (tmp_path / "walk.gpx").write_text(TRACKS, "utf-8")
    (tmp_path / "plan.kml").write_text(PLACEMARKS, "utf-8")

    walk, plan = VectorReading(tmp_path / "walk.gpx"), VectorReading(tmp_path / "plan.kml")

    assert (heights(walk, "waypoints"), heights(walk, "routes"), heights(walk, "tracks")) == (
        [61.2, None],
        [None],
        [60],
    )
    assert (heights(plan, "plan_points"), heights(plan, "plan_lines")) == ([60.5, None, None], [5])


def test_heights_that_a_geopackage_does_not_declare_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "wells.gpkg"
    points = [shapely.Point(EAST, NORTH), shapely.Point(EAST, NORTH, 7)]
    gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=points, crs=CRS).to_file(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE gpkg_geometry_columns SET geometry_type_name = 'POINT', z = 0")
        db.commit()

    assert pyogrio.read_info(path)["geometry_type"] == "Point"
    assert heights(VectorReading(path), "wells") == [None, 7]


def test_parts_of_a_collection_go_to_the_layers_of_their_kind_and_count_as_one_row(mixed: Path, tmp_path: Path) -> None:
    kinds = {"Point": "facility", "LineString": "road_line", "Polygon": "building"}
    entries = [f'[[layer]]\nfrom = "mixed|{kind}"\nto = "{layer}"\n' for kind, layer in kinds.items()]
    for name, chosen in (("all", entries), ("lines", entries[1:2]), ("points", entries[:1])):
        (tmp_path / f"{name}.toml").write_text("".join(chosen), "utf-8")

    def mapped(name: str) -> VectorReading:
        return VectorReading(mixed, mapping=read_mapping(tmp_path / f"{name}.toml"))

    own, every, lines, points = VectorReading(mixed), mapped("all"), mapped("lines"), mapped("points")

    assert own.numbers == {"mixed_points": 2, "mixed_lines": 1, "mixed_areas": 2}
    assert every.numbers == {"facility": 2, "road_line": 1, "building": 2}
    for reading in (own, every):
        assert (reading.counts.read, reading.counts.stored, reading.counts.quarantined) == (3, 3, 0)
        assert "vector.parts_left_out" not in reading.rules
    assert every.layers["road_line"].geometry[0].length == 18
    assert every.layers["facility"].name.tolist() == ["a", "b"]
    assert (lines.numbers, lines.counts.read, lines.counts.decoration) == ({"road_line": 1}, 3, 2)
    assert lines.finding("vector.parts_left_out").values["found"] == ["Point", "Polygon"]
    assert points.finding("vector.parts_left_out").values["found"] == ["LineString", "Polygon"]
    assert "NAME|LineString" in points.finding("vector.parts_left_out").text("en")
    assert vector_outline(mixed, ReadOptions())[0].rows == {"Point": 2, "LineString": 1, "Polygon": 2}


def test_heights_for_a_layer_that_came_without_are_named_and_the_remedy_keeps_them(tmp_path: Path) -> None:
    flat, high = [shapely.Point(EAST, NORTH)], [shapely.Point(EAST, NORTH, 7)]
    for name, shapes in (("wells_2020.geojson", flat), ("wells_2024.geojson", high), ("levelled.geojson", high)):
        frame = gpd.GeoDataFrame({"name": ["a"]}, geometry=shapes, crs=CRS).to_crs(4326)
        frame.to_file(tmp_path / name, layer="wells" if "wells" in name else "levelled")
    catalogue, rules = read_catalogue(), []

    for name in ("wells_2020.geojson", "wells_2024.geojson", "levelled.geojson"):
        with Draft(Source(name, "0" * 64), catalogue, storage_crs=CRS) as draft:
            read_vector(tmp_path / name, draft, ReadOptions())
            catalogue = draft.catalogue
            rules.append([finding.rule for finding in draft.findings])

    assert ["vector.heights_left_out" in each for each in rules] == [False, True, False]
    assert (catalogue["wells"].geometry, catalogue["levelled"].geometry) == ("Point", "PointZ")
