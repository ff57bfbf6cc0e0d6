"""What a bureau has besides shapefile and GeoPackage: KML, GPX, Esri JSON, TopoJSON, FileGDB, SpatiaLite, tables with coordinates."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pytest
import shapely
from vector_readings import CRS, EAST, NORTH, VectorReading

from ingest.readers import files_of, find_sources, identify
from twin_model.errors import SourceRefused
from twin_model.sources import source_copy

LON, LAT = 118.3, 35.1
KML = f"""<?xml version="1.0" encoding="utf-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>管线普查</name>
<NetworkLink><Link><href>http://127.0.0.1:1/x.kml</href></Link></NetworkLink><Folder><name>井盖</name>
<Placemark><name>甲</name><description>雨水</description><ExtendedData><Data name="编号"><value>Y01</value></Data></ExtendedData>
<Point><coordinates>{LON},{LAT},12.5</coordinates></Point></Placemark></Folder><Placemark><name>乙</name><ExtendedData>
<SchemaData schemaUrl="#s"><SimpleData name="编号">Y02</SimpleData></SchemaData></ExtendedData><Polygon><outerBoundaryIs>
<LinearRing><coordinates>{LON},{LAT} {LON + 0.001},{LAT} {LON + 0.001},{LAT + 0.001} {LON},{LAT}</coordinates></LinearRing>
</outerBoundaryIs></Polygon></Placemark><Placemark><name>丙</name><LineString><coordinates>{LON},{LAT} {LON},{LAT + 0.001}
</coordinates></LineString></Placemark></Document></kml>"""
GPX = f"""<?xml version="1.0"?><gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1"><wpt lat="{LAT}" lon="{LON}"><name>点1</name>
</wpt><trk><name>巡检</name><trkseg><trkpt lat="{LAT}" lon="{LON}"/><trkpt lat="{LAT + 0.001}" lon="{LON}"/></trkseg></trk></gpx>"""
ESRI = {
    "geometryType": "esriGeometryPolygon", "spatialReference": {"wkid": 4548, "latestWkid": 4548},
    "fields": [{"name": "NAME", "type": "esriFieldTypeString"}, {"name": "BUILT", "type": "esriFieldTypeDate"}],
    "features": [{"attributes": {"NAME": "楼", "BUILT": 1_600_000_000_000}, "geometry": {"rings": [
        [[EAST, NORTH], [EAST, NORTH + 30], [EAST + 30, NORTH + 30], [EAST + 30, NORTH], [EAST, NORTH]],
        [[EAST + 10, NORTH + 10], [EAST + 20, NORTH + 10], [EAST + 20, NORTH + 20], [EAST + 10, NORTH + 20], [EAST + 10, NORTH + 10]],
    ]}}],
}  # fmt: skip
TOPOLOGY = {
    "type": "Topology", "transform": {"scale": [0.0001, 0.0001], "translate": [LON, LAT]},
    "arcs": [[[0, 0], [10, 0], [0, 10]], [[10, 10], [-10, 0], [0, -10]]],
    "objects": {"分区": {"type": "GeometryCollection", "geometries": [
        {"type": "Polygon", "arcs": [[0, 1]], "properties": {"NO": "1"}}, {"type": "LineString", "arcs": [-1], "properties": {"NO": "2"}},
    ]}},
}  # fmt: skip


def kmz(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("doc.kml", KML)


def geodatabase(path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"名称": ["甲", "乙"], "面积": [1.5, None]},
        geometry=[shapely.box(EAST, NORTH, EAST + 9, NORTH + 9)] * 2,
        crs=CRS,
    )
    frame.to_file(path, layer="分区", driver="OpenFileGDB", engine="pyogrio")


def spatialite(path: Path) -> None:
    frame = gpd.GeoDataFrame({"名称": ["甲"]}, geometry=[shapely.Point(EAST, NORTH)], crs=CRS)
    frame.to_file(path, layer="井", driver="SQLite", engine="pyogrio")


def workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (
        ["井盖调查表"],
        ["编号", "X坐标(m)", "Y坐标(m)", "材质"],
        ["007", NORTH, EAST, "铸铁"],
        ["008", NORTH + 5, EAST + 5, "复合"],
    ):
        book.active.append(row)
    book.save(path)


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content, "utf-8") and None


CASES: dict[str, tuple[Callable[[Path], None], int, dict[str, Any]]] = {
    "巡查.kml": (text(KML), 3, {"编号": {"Y01", "Y02"}, "folder": {"管线普查/井盖", "管线普查"}, "description": {"雨水"}}),
    "巡查.kmz": (kmz, 3, {"编号": {"Y01", "Y02"}}),
    "巡检.gpx": (text(GPX), 2, {"name": {"点1", "巡检"}}),
    "esri.json": (text(json.dumps(ESRI)), 1, {"NAME": {"楼"}}),
    "topo.json": (text(json.dumps(TOPOLOGY)), 2, {"NO": {"1", "2"}}),
    "库.gdb": (geodatabase, 2, {"名称": {"甲", "乙"}}),
    "库.sqlite": (spatialite, 1, {"名称": {"甲"}}),
    "井盖.xlsx": (workbook, 2, {"编号": {"007", "008"}, "材质": {"铸铁", "复合"}}),
    "站点.csv": (text(f"名称,经度,纬度,容量\n东站,{LON},{LAT},12\n西站,{LON + 0.01},{LAT},\n"), 2, {"名称": {"东站", "西站"}}),
    "道路.csv": (text(f'路名;WKT\n兰陵路;"LINESTRING ({EAST} {NORTH}, {EAST + 9} {NORTH})"\n'), 1, {"路名": {"兰陵路"}}),
    "poles.csv": (text(f"id,x,y\n1,{EAST},{NORTH}\n2,{EAST + 5},{NORTH}\n"), 2, {"id": {1, 2}}),
}  # fmt: skip
DEGREES = {"站点.csv", "topo.json"}


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_another_kind_becomes_layers_with_all_its_columns_in_its_place(tmp_path: Path, name: str) -> None:
    write, rows, columns = CASES[name]
    write(tmp_path / name)

    reading = VectorReading(tmp_path / name, crs="EPSG:4490" if name in DEGREES else CRS)

    assert sum(reading.numbers.values()) == reading.counts.stored == rows
    own_columns = (frame[column] for frame in reading.layers.values() for column in frame.columns.drop("geometry"))
    values = {value for column in own_columns for value in column.dropna().tolist()}
    for column, expected in columns.items():
        assert expected <= values, column
    for frame in reading.layers.values():
        inside = frame.geometry.within(shapely.box(EAST - 20_000, NORTH - 20_000, EAST + 20_000, NORTH + 20_000))
        assert inside.all()


def test_links_of_a_kml_are_counted_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.kml").write_text(KML, "utf-8")

    reading = VectorReading(tmp_path / "a.kml")

    assert reading.finding("vector.links_not_read").values["kinds"] == ["NetworkLink (1)"]
    assert reading.layers and reading.counts.read == 3


def test_holes_of_esri_rings_stay_holes(tmp_path: Path) -> None:
    (tmp_path / "esri.json").write_text(json.dumps(ESRI), "utf-8")

    reading = VectorReading(tmp_path / "esri.json", kind="building")

    assert reading.layers["building"].area.round(3).tolist() == [800.0]


def test_x_to_the_north_is_told_by_its_numbers_and_said(tmp_path: Path) -> None:
    workbook(tmp_path / "a.xlsx")
    (tmp_path / "b.csv").write_text(f"id,x,y\n1,{EAST},{NORTH}\n", "utf-8")

    north, east = (VectorReading(tmp_path / name, kind="facility", crs=CRS) for name in ("a.xlsx", "b.csv"))

    assert shapely.get_coordinates(north.layers["facility"].geometry.iloc[0]).round(3).tolist() == [[EAST, NORTH]]
    assert "vector.table_north_first" in north.rules
    assert "vector.table_north_first" not in east.rules


def test_degrees_minutes_and_seconds_are_read_and_what_is_not_understood_is_named(tmp_path: Path) -> None:
    rows = (
        "a,118°18′36″,35°06′36″",
        "b,118-18-36,35-06-36",
        "c,E118:18:36,35:06:36N",
        "d,118.31,35.11",
        "e,见图,35.11",
        "f,,",
        "g,-,无",
    )
    (tmp_path / "wells.csv").write_text("\n".join(("编号,经度,纬度", *rows)), "utf-8")

    reading = VectorReading(tmp_path / "wells.csv", crs="EPSG:4490")

    points = reading.layers["wells"].geometry
    assert len({shapely.to_wkt(point, rounding_precision=3) for point in points[:4]}) == 1
    assert [point is None for point in points] == [False] * 4 + [True] * 3
    finding = reading.finding("vector.coordinates_unread")
    assert (finding.place, finding.values["count"], finding.values["found"][0]) == ("row 6", 1, "经度 = 见图")


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("bomb.json", json.dumps({"type": "Topology", "arcs": [[[0, 0]] * 5_000], "objects": {"a": {"type": "MultiLineString", "arcs": [[0] * 5_000]}}}), "source.unreadable"),
        ("cut.kml", KML[:400], "vector.broken_xml"),
        ("dtd.kml", '<!DOCTYPE k [<!ENTITY a "b">]><kml><Placemark/></kml>', "vector.document_type"),
        ("dtd.gpx", '<!DOCTYPE g [<!ENTITY a "b">]><gpx/>', "vector.document_type"),
        ("v8.dgn", "\u00d0\u00cf\u0011\u00e0\u00a1\u00b1\u001a\u00e1", "vector.dgn_v8"),
        ("empty.kml", '<kml xmlns="http://www.opengis.net/kml/2.2"/>', "source.empty"),
        ("heading.csv", "name,x,y\n", "source.empty"),
        ("map.csv", "name,经度,纬度\na,见图,见图\n", "vector.no_coordinates_read"),
        ("sensors.csv", "name,value\na,1\n", "source.table_without_place"),
        ("cut.kmz", "PK\x03\x04", "source.archive_cut"),
        ("cut.zip", "PK\x03\x04", "source.archive_cut"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_words(tmp_path: Path, name: str, content: str, rule: str) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1" if name == "v8.dgn" else "utf-8"))

    with pytest.raises(SourceRefused) as refusal:
        VectorReading(tmp_path / name, crs=CRS)

    assert refusal.value.rule_id == rule
    assert name in refusal.value.text("zh")


def test_a_file_geodatabase_is_one_source_read_from_its_copy_and_refused_where_a_part_leads_out(tmp_path: Path) -> None:
    folder = tmp_path / "delivery"
    folder.mkdir()
    geodatabase(folder / "库.gdb")

    (path,) = find_sources(folder)
    with source_copy(tmp_path / "sources", identify(path), files_of(path)) as copy:
        reading = VectorReading(copy.path)
    (path / "a00000999.gdbtable").symlink_to("/etc/hostname")

    assert sum(reading.numbers.values()) == 2
    with pytest.raises(SourceRefused) as refusal:
        VectorReading(path)
    assert refusal.value.rule_id == "source.part_elsewhere"
