"""Broken deliveries, each small and named by its oddness: what a reader must refuse, mend or report."""

import json
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
from shapely import Polygon, box

from data_samples.plan.station_parts import station_parts
from data_samples.plan.town import Town
from data_samples.writers.byhand import DRAWINGS, Group, drawing
from data_samples.writers.ifc_station import build_model
from data_samples.writers.survey_tables import Row, write_csv

EAST, NORTH = 618_600.0, 3_885_800.0
CRS_4548 = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4548"}}
MEGABYTE = 1 << 20
Feature = dict[str, object]


def write_broken(town: Town, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Write every broken sample and the table of what is wrong with each."""
    folder.mkdir(parents=True, exist_ok=True)
    for step in (_shapefiles, _geojson, _tables, _archives):
        tell(step.__name__.strip("_"))
        step(folder)
    tell("drawings and models")
    _drawings(folder)
    model: Any = build_model(town.station, station_parts())
    text = str(model.to_string())
    (folder / "half.ifc").write_text(text[:20_011], encoding="utf-8")
    rows = "\n".join(f"| `{name}` | {oddness} |" for name, oddness in ODDNESS.items())
    (folder / "README.md").write_text(README.format(rows=rows), encoding="utf-8")


def _shapefiles(folder: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"编号": ["1", "2", "3"], "结构": ["砼", "混", "砖"], "层数": [3, 6, 1]},
        geometry=[box(EAST + 30 * i, NORTH, EAST + 30 * i + 20, NORTH + 12) for i in range(3)],
        crs=4548,
    )
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "whole.shp"
        frame.to_file(whole, engine="pyogrio", driver="ESRI Shapefile", encoding="GBK")
        table = bytearray(whole.with_suffix(".dbf").read_bytes())
        table[1:4] = bytes((124, 3, 18))
        whole.with_suffix(".dbf").write_bytes(bytes(table))
        for target, suffixes in (
            ("building_without_prj", (".shp", ".shx", ".dbf")),
            ("missing_shx", (".shp", ".dbf", ".prj")),
        ):
            for suffix in suffixes:
                (folder / f"{target}{suffix}").write_bytes(whole.with_suffix(suffix).read_bytes())
    (folder / "wrong_type.shp").write_text("This is a letter about buildings, not a shapefile.\n", encoding="utf-8")


def _feature(number: object, kind: str, coordinates: object, **properties: object) -> Feature:
    return {
        "type": "Feature",
        "id": number,
        "properties": properties,
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def _square(x: float, y: float, side: float = 10.0) -> list[list[list[float]]]:
    return [[list(c) for c in Polygon([(x, y), (x + side, y), (x + side, y + side), (x, y + side)]).exterior.coords]]


def _collection(path: Path, features: list[Feature]) -> None:
    content = {"type": "FeatureCollection", "crs": CRS_4548, "features": features}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _geojson(folder: Path) -> None:
    bow = [[[EAST, NORTH], [EAST + 20, NORTH + 12], [EAST + 20, NORTH], [EAST, NORTH + 12], [EAST, NORTH]]]
    _collection(folder / "self_intersecting_ring.geojson", [_feature("a", "Polygon", bow, structure="砼", storeys=3)])
    places = [[EAST, NORTH], [float("nan"), NORTH], [EAST + 5, float("nan")]]
    _collection(
        folder / "nan_coordinates.geojson",
        [_feature(f"p{i}", "Point", place) for i, place in enumerate(places)],
    )
    twice = [_feature("same", "Point", [EAST + i, NORTH], height=67.0 + i) for i in range(3)]
    _collection(
        folder / "duplicated_ids.geojson",
        [*twice, _feature("other", "Point", [EAST + 9, NORTH], height=66.0)],
    )
    mixed: list[Feature] = [
        _feature("1", "Point", [EAST, NORTH]),
        _feature("2", "LineString", [[EAST, NORTH], [EAST + 10, NORTH + 10]]),
        _feature("3", "Polygon", _square(EAST, NORTH)),
        _feature("4", "MultiPolygon", [_square(EAST + 20, NORTH), _square(EAST + 40, NORTH)]),
        {"type": "Feature", "id": "5", "properties": {}, "geometry": None},
    ]
    _collection(folder / "mixed_geometry.geojson", mixed)
    lonlat = [
        _feature(
            "1",
            "Polygon",
            [[[118.3, 35.1], [118.301, 35.1], [118.301, 35.101], [118.3, 35.101], [118.3, 35.1]]],
            storeys=3,
        )
    ]
    _collection(folder / "lonlat_declared_as_4548.geojson", lonlat)
    (folder / "zero_bytes.geojson").write_bytes(b"")
    (folder / "cut_in_the_middle.geojson").write_bytes((folder / "mixed_geometry.geojson").read_bytes()[:400])


def _points(*, swap: bool = False, prefix: float = 0.0) -> list[Row]:
    rows: list[Row] = []
    for i in range(4):
        north, east = NORTH, EAST + prefix + 30 * i
        x, y = (east, north) if swap else (north, east)
        rows.append(
            {
                "物探点号": f"YS{i + 1:04d}",
                "X": f"{x:.3f}",
                "Y": f"{y:.3f}",
                "地面高程": f"{67.5 - 0.1 * i:.3f}",
                "特征": "",
                "附属物": "雨水井",
                "井底埋深": "2.60",
            }
        )
    return rows


def _lines() -> list[Row]:
    return [
        {
            "起点点号": f"YS{i:04d}",
            "终点点号": f"YS{i + 1:04d}",
            "起点埋深": "2.10",
            "终点埋深": "2.10",
            "管径或断面尺寸": "600",
            "材质": "混凝土",
            "埋设方式": "直埋",
            "流向": "+",
        }
        for i in (1, 2, 3)
    ]


def _tables(folder: Path) -> None:
    dangling, deep = _lines(), _lines()
    dangling[2] = {**dangling[2], "终点点号": "YS9999"}
    deep[1] = {**deep[1], "终点埋深": "90.00"}
    missing = _points()
    missing[1] = {**missing[1], "X": "NaN"}
    missing[2] = {**missing[2], "Y": ""}
    deliveries = {
        "survey_dangling_number": (_points(), dangling),
        "survey_depth_of_90m": (_points(), deep),
        "survey_swapped_axes": (_points(swap=True), _lines()),
        "survey_zone_prefixed": (_points(prefix=39_000_000.0), _lines()),
        "survey_nan_coordinates": (missing, _lines()),
        "survey_duplicated_number": ([*_points(), {**_points()[0], "Y": f"{EAST + 200:.3f}"}], _lines()),
    }
    for name, (points, lines) in deliveries.items():
        (folder / name).mkdir()
        write_csv(folder / name / "YSPOINT.csv", points, "gbk")
        write_csv(folder / name / "YSLINE.csv", lines, "gbk")
    (folder / "nan_coordinates.csv").write_text(
        "id,x,y,z\n1,618600.0,3885800.0,67.2\n2,nan,3885810.0,67.3\n3,618610.0,,67.1\n", encoding="utf-8"
    )


def _archives(folder: Path) -> None:
    with sqlite3.connect(folder / "empty.gpkg") as database:
        database.execute("PRAGMA page_size = 512")
        database.executescript(EMPTY_GEOPACKAGE)
    database.close()
    with zipfile.ZipFile(folder / "bomb.zip", "w") as archive:
        zeros = bytes(50 * MEGABYTE)
        for i in range(4):
            entry = zipfile.ZipInfo(f"topo/building_{i}.shp", (2024, 3, 18, 0, 0, 0))
            archive.writestr(entry, zeros, zipfile.ZIP_BZIP2)
        deflated = zipfile.ZipInfo("topo/building_4.shp", (2024, 3, 18, 0, 0, 0))
        archive.writestr(deflated, bytes(30 * MEGABYTE), zipfile.ZIP_DEFLATED)


def _drawings(folder: Path) -> None:
    expected, applications, entities = DRAWINGS["split_structure_and_storeys.dxf"]
    whole = drawing(expected, applications, entities())
    (folder / "truncated.dxf").write_bytes(whole[: len(whole) * 3 // 4 + 5])
    letter = "尊敬的客户：\n随函附上图纸。This file is a letter; its name ends in .dxf by mistake.\n"
    (folder / "text_pretending_to_be.dxf").write_text(letter, encoding="utf-8")
    zero: list[Group] = [
        (0, "LWPOLYLINE"),
        (100, "AcDbEntity"),
        (8, "DGX"),
        (100, "AcDbPolyline"),
        (90, 2),
        (70, 0),
        (38, 0.0),
    ]
    ends: list[Group] = [
        (10, EAST),
        (20, NORTH),
        (10, EAST + 40),
        (20, NORTH + 5),
        (1001, "SOUTH"),
        (1000, "201101"),
    ]
    (folder / "contour_at_zero.dxf").write_bytes(
        drawing("one contour at height 0: its height was lost", ("SOUTH",), [*zero, *ends])
    )


EMPTY_GEOPACKAGE = """
PRAGMA application_id = 1196444487;
PRAGMA user_version = 10300;
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY,
 organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL,
 definition TEXT NOT NULL, description TEXT);
INSERT INTO gpkg_spatial_ref_sys VALUES ('Undefined cartesian', -1, 'NONE', -1, 'undefined', NULL),
 ('Undefined geographic', 0, 'NONE', 0, 'undefined', NULL),
 ('WGS 84 geodetic', 4326, 'EPSG', 4326, 'GEOGCS["WGS 84",DATUM["WGS_1984",
SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]', NULL);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,
 identifier TEXT UNIQUE, description TEXT DEFAULT '',
 last_change DATETIME NOT NULL DEFAULT '2024-03-18T00:00:00.000Z', min_x DOUBLE, min_y DOUBLE,
 max_x DOUBLE, max_y DOUBLE, srs_id INTEGER);
"""

ODDNESS = {
    "building_without_prj.shp": "three buildings, no .prj: the coordinate system is not known",
    "missing_shx.shp": "three buildings, the index .shx is missing",
    "wrong_type.shp": "a letter named as a shapefile",
    "self_intersecting_ring.geojson": "one building whose ring crosses itself (a bow tie)",
    "nan_coordinates.geojson": "three points, two with NaN",
    "nan_coordinates.csv": "three rows, one with nan, one with an empty coordinate",
    "duplicated_ids.geojson": "three of four features share the id `same`",
    "mixed_geometry.geojson": "point, line, polygon, multipolygon and null in one collection",
    "lonlat_declared_as_4548.geojson": "degrees under the name of EPSG:4548",
    "zero_bytes.geojson": "nothing at all",
    "cut_in_the_middle.geojson": "JSON that ends in the middle",
    "truncated.dxf": "a drawing cut off inside an entity",
    "text_pretending_to_be.dxf": "a letter named as a drawing",
    "contour_at_zero.dxf": "a contour at height 0",
    "survey_dangling_number/": "a line to point YS9999, which no table has",
    "survey_depth_of_90m/": "one end of a line 90 m deep",
    "survey_swapped_axes/": "X holds the easting and Y the northing",
    "survey_zone_prefixed/": "eastings with the zone number 39 before them",
    "survey_nan_coordinates/": "one X is NaN, one Y is empty",
    "survey_duplicated_number/": "two points named YS0001, 200 m apart",
    "empty.gpkg": "a GeoPackage without a layer",
    "bomb.zip": "230 MB of zeros in a few kilobytes",
    "half.ifc": "a model that ends in the middle of a line",
}

README = """# Broken samples / 异常样例

Small files named by their oddness, for tests of what is refused, mended or reported. Re-made by
`python data_samples/make_samples.py --only broken`. 以其异常命名的小文件，用于检验拒收、修复与报告。

| file | what is wrong |
|---|---|
{rows}
"""
