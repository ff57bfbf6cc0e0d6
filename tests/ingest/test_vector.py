"""Vector files: every format, encodings of shapefiles, damaged geometry, what is left out and what is refused."""

import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from vector_readings import DraftContent

from ingest.draft import Draft, ReadOptions
from ingest.mapping import read_mapping, standard_mapping
from ingest.vector.dbf_text import TableEncoding, decoded_text, encoding_of
from ingest.vector.reader import read_vector, recognises_vector
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import CrsRefused, SourceRefused

CRS = "EPSG:4548"
EAST, NORTH = 618_600.0, 3_885_800.0
FORMATS = {".shp": "ESRI Shapefile", ".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf", ".gml": "GML", ".sqlite": "SQLite",
           ".tab": "MapInfo File", ".mif": "MapInfo File"}  # fmt: skip


def reading(path: Path, **options: Any) -> DraftContent:
    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs=CRS) as draft:
        read_vector(path, draft, ReadOptions(**options))
        return DraftContent(draft)


def square(number: int, size: float = 10.0) -> shapely.Polygon:
    return shapely.box(EAST + 20 * number, NORTH, EAST + 20 * number + size, NORTH + size)


def buildings(rows: int = 3, **columns: list[Any]) -> gpd.GeoDataFrame:
    given = {"名称": [f"第{n}栋" for n in range(rows)], "层数": list(range(1, rows + 1))} | columns
    return gpd.GeoDataFrame(given, geometry=[square(n) for n in range(rows)], crs=CRS)


@pytest.fixture
def shapefile(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes three buildings as a shapefile in an encoding, and removes parts of it."""

    def written(
        *,
        encoding: str = "GBK",
        without: tuple[str, ...] = (".cpg",),
        frame: Any = None,
        name: str = "房屋面",
    ) -> Path:
        path = tmp_path / f"{name}.shp"
        (buildings() if frame is None else frame).to_file(path, encoding=encoding, engine="pyogrio")
        for suffix in without:
            path.with_suffix(suffix).unlink()
        return path

    return written


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_recognised_by_content_and_read_with_its_texts_and_places(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"building{suffix}"
    frame = buildings(name=["甲", "乙", "丙"], storeys=[1, 2, 30])[["name", "storeys", "geometry"]]
    frame.to_file(path, driver=FORMATS[suffix], engine="pyogrio", **({"encoding": "GBK"} if suffix == ".shp" else {}))

    read = reading(path)

    assert recognises_vector(path)
    assert read.counts.to_dict() == {
        "read": 3,
        "stored": 3,
        "quarantined": 0,
        "decoration": 0,
        "features": {"building": 3},
    }
    stored = read.frame("building").sort_values("name", key=lambda one: one.map("甲乙丙".index))
    assert stored["name"].tolist() == ["甲", "乙", "丙"]
    assert stored["storeys"].tolist() == [1, 2, 30]
    distance = [shapely.hausdorff_distance(a, b) for a, b in zip(stored.geometry, frame.geometry, strict=True)]
    assert max(distance) < (0.02 if suffix == ".tab" else 0.001)  # MapInfo keeps whole centimetres here


@pytest.mark.parametrize(
    ("encoding", "without"),
    [("GBK", ()), ("GBK", (".cpg",)), ("UTF-8", ()), ("UTF-8", (".cpg",)), ("BIG5", ())],
)
def test_texts_and_field_names_of_a_shapefile_are_read_right_with_and_without_cpg(
    encoding: str, without: tuple[str, ...], shapefile: Callable[..., Path]
) -> None:
    frame = buildings().drop(columns="名称").rename(columns={"层数": "層數"}) if encoding == "BIG5" else buildings()
    frame["name" if encoding == "BIG5" else "名称"] = ["車站", "學校", "市場"]
    path = shapefile(encoding=encoding, without=without, frame=frame)

    stored = reading(path).frame("building")

    assert stored["name"].tolist() == ["車站", "學校", "市場"]


def test_the_language_driver_of_a_table_says_its_encoding(shapefile: Callable[..., Path]) -> None:
    path = shapefile(encoding="BIG5", frame=buildings(name=["車站", "學校", "市場"])[["name", "geometry"]])
    table = bytearray(path.with_suffix(".dbf").read_bytes())
    table[29] = 0x78
    path.with_suffix(".dbf").write_bytes(table)

    stored = reading(path).frame("building")

    assert stored["name"].tolist() == ["車站", "學校", "市場"]


def test_a_mapping_can_name_the_encoding_of_texts(shapefile: Callable[..., Path], tmp_path: Path) -> None:
    path = shapefile(encoding="BIG5", frame=buildings(name=["車站", "學校", "市場"])[["name", "geometry"]])
    toml = tmp_path / "office.toml"
    toml.write_text(
        '[options]\nencoding = "big5"\n[[layer]]\nfrom = "*"\nto = "building"\nfields = { name = "name" }\n',
        "utf-8",
    )

    stored = reading(path, mapping=read_mapping(toml)).frame("building")

    assert stored["name"].tolist() == ["車站", "學校", "市場"]


@pytest.mark.parametrize("encoding", ["GBK", "UTF-8"])
def test_field_names_cut_to_ten_bytes_find_their_field(encoding: str, shapefile: Callable[..., Path]) -> None:
    frame = buildings().rename(columns={"名称": "房屋名称"})
    frame["建筑高度"] = [9.5, 12.0, 20.0]

    stored = reading(shapefile(encoding=encoding, without=(), frame=frame)).frame("building")

    assert stored["name"].tolist() == ["第0栋", "第1栋", "第2栋"]
    assert stored["height"].tolist() == [9.5, 12.0, 20.0]


def test_bytes_that_are_no_text_are_shown_as_such_and_said(shapefile: Callable[..., Path]) -> None:
    path = shapefile(encoding="GBK", without=())
    table = path.with_suffix(".dbf").read_bytes()
    path.with_suffix(".dbf").write_bytes(table.replace("第1栋".encode("gbk"), b"\xff\xff1\xff\xff "))

    read = reading(path)

    assert read.frame("building")["name"].tolist()[1].startswith("\ufffd")
    finding = next(one for one in read.findings if one.rule == "vector.text_unreadable")
    assert (finding.place, finding.values) == ("fid 1", {"field": "名称", "rows": 1})


@given(
    st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=40),
    st.integers(1, 80),
)
def test_a_text_cut_by_its_field_loses_no_more_than_the_cut_character(text: str, width: int) -> None:
    for encoding in ("gbk", "utf-8"):
        stored = text.encode(encoding)[:width]

        read, whole = decoded_text(stored.decode("latin-1"), encoding)

        assert whole == encoding
        assert text.startswith(read)
        assert len(stored) - len(read.encode(encoding)) <= 3


def test_western_texts_without_declaration_are_not_taken_for_chinese(shapefile: Callable[..., Path]) -> None:
    names = ["Ministère", "Québec", "Zürich"]
    path = shapefile(encoding="ISO-8859-1", frame=buildings(name=names)[["name", "geometry"]])

    read = reading(path)

    assert read.frame("building")["name"].tolist() == names
    assert "vector.encoding_assumed" in read.rules


def test_the_encoding_is_found_where_the_first_million_bytes_are_ascii(tmp_path: Path) -> None:
    rows = 12_000
    names = ["a" * 100] * (rows - 1) + ["龙"]
    points = shapely.points(np.full(rows, EAST), np.arange(rows) + NORTH)
    gpd.GeoDataFrame({"name": names}, geometry=points, crs=CRS).to_file(
        tmp_path / "p.shp", encoding="GBK", engine="pyogrio"
    )
    assert (tmp_path / "p.dbf").stat().st_size > 1 << 20

    assert encoding_of(tmp_path / "p.dbf", None) == TableEncoding("gb18030")


@pytest.mark.parametrize(("part", "rule"), [(".shx", "vector.part_missing"), (".dbf", "vector.part_missing")])
def test_a_shapefile_without_a_part_is_read_and_said(part: str, rule: str, shapefile: Callable[..., Path]) -> None:
    path = shapefile(without=(".cpg", part))
    delivered = sorted(path.parent.iterdir())

    read, again = reading(path), reading(path)

    assert read.counts.stored == again.counts.stored == 3
    finding = next(one for one in read.findings if one.rule == rule)
    assert finding.values["part"] == part
    assert again.rules == read.rules
    assert sorted(path.parent.iterdir()) == delivered, "nothing is written into the office's folder"


def _broken_index(path: Path, fault: str) -> None:
    index = path.with_suffix(".shx")
    whole = index.read_bytes()
    index.write_bytes({"cut off": whole[:-4], "emptied": b"", "text": b"no index at all" * 20}[fault])


@pytest.mark.parametrize("fault", ["cut off", "emptied", "text"])
def test_a_shapefile_with_a_broken_index_is_read_whole_from_a_copy_and_said(
    fault: str, shapefile: Callable[..., Path]
) -> None:
    path = shapefile()
    _broken_index(path, fault)
    delivered = {one.name: one.read_bytes() for one in path.parent.iterdir()}

    read = reading(path)

    assert read.counts.stored == 3
    assert "vector.index_broken" in read.rules
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == delivered


def test_reading_a_whole_shapefile_writes_nothing_into_its_folder(shapefile: Callable[..., Path]) -> None:
    """GDAL, asked to restore indexes, writes a new one over every whole one it opens."""
    path = shapefile()
    reading(shapefile(name="房屋面2", without=(".shx",)))
    written = {one.name: one.stat().st_mtime_ns for one in path.parent.iterdir()}

    assert reading(path).counts.stored == 3

    assert {one.name: one.stat().st_mtime_ns for one in path.parent.iterdir()} == written


def test_a_shapefile_without_prj_is_refused_with_the_remedy_and_read_with_it(
    shapefile: Callable[..., Path],
) -> None:
    path = shapefile(without=(".cpg", ".prj"))

    with pytest.raises(SourceRefused, match=r"does not state its coordinate reference system.*--crs EPSG:4548"):
        reading(path)
    assert reading(path, crs=CRS).counts.stored == 3


def test_a_file_that_says_its_own_crs_keeps_it_and_says_so(shapefile: Callable[..., Path]) -> None:
    read = reading(shapefile(), crs="EPSG:4490")

    assert "vector.crs_kept" in read.rules
    assert read.frame("building").total_bounds[0] == pytest.approx(EAST)


@pytest.mark.parametrize("part", [".dbf", ".shx"])
def test_naming_one_part_of_a_shapefile_names_the_shapefile_to_deliver(
    part: str, shapefile: Callable[..., Path]
) -> None:
    path = shapefile()

    with pytest.raises(SourceRefused, match="part of the shapefile 房屋面.shp"):
        reading(path.with_suffix(part))


def test_an_upper_case_shapefile_is_read_with_its_texts(shapefile: Callable[..., Path], tmp_path: Path) -> None:
    source = shapefile()
    upper = tmp_path / "upper"
    upper.mkdir()
    for one in source.parent.glob("房屋面.*"):
        shutil.copy(one, upper / f"房屋面{one.suffix.upper()}")

    read = reading(upper / "房屋面.SHP")

    assert recognises_vector(upper / "房屋面.SHP")
    assert read.frame("building")["name"].tolist() == ["第0栋", "第1栋", "第2栋"]
    assert "vector.part_missing" not in read.rules


def test_more_rows_than_a_frame_holds_come_in_several_frames_in_order(tmp_path: Path) -> None:
    rows = 120_001
    path = tmp_path / "spot_height.fgb"
    points = shapely.points(EAST + np.arange(rows) * 0.01, NORTH, np.arange(rows) / 100.0)
    gpd.GeoDataFrame({"elevation": np.arange(rows) / 100.0}, geometry=points, crs=CRS).to_file(
        path, driver="FlatGeobuf", engine="pyogrio", SPATIAL_INDEX="NO"
    )

    read = reading(path)

    assert [len(frame) for _, frame in read.frames] == [50_000, 50_000, 20_001]
    assert read.counts.read == read.counts.stored == rows
    assert np.concatenate([shapely.get_x(f.geometry.to_numpy()) for _, f in read.frames]) == pytest.approx(
        EAST + np.arange(rows) * 0.01
    )


def test_mixed_geometry_keeps_what_the_layer_holds_and_sets_the_rest_aside(tmp_path: Path) -> None:
    path = tmp_path / "building.geojson"
    nested = shapely.GeometryCollection([shapely.GeometryCollection([square(7)]), shapely.Point(EAST, NORTH)])
    only_point = shapely.GeometryCollection([shapely.Point(EAST, NORTH)])
    shapes = [
        square(0),
        shapely.Point(EAST, NORTH),
        shapely.MultiPolygon([square(1), square(2)]),
        None,
        nested,
        only_point,
    ]
    gpd.GeoDataFrame({"name": list("abcdef")}, geometry=shapes, crs=CRS).to_file(
        path, driver="GeoJSON", engine="pyogrio"
    )

    read = reading(path)

    assert (read.counts.read, read.counts.stored, read.counts.quarantined) == (6, 4, 2)
    stored = read.frame("building").set_index("name")
    assert stored.index.tolist() == ["a", "c", "d", "e"]
    assert stored.geometry["d"] is None
    assert stored.geometry["e"].area == pytest.approx(100.0)
    assert sorted(read.rules) == [
        "geometry.missing",
        "geometry.wrong_type",
        "geometry.wrong_type",
        "vector.parts_left_out",
    ]
    assert {one.place for one in read.findings if one.rule == "geometry.wrong_type"} == {"fid 1", "fid 5"}


def test_a_bow_tie_is_repaired_to_its_two_triangles_with_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "building.geojson"
    bow_tie = shapely.Polygon([(EAST, NORTH), (EAST + 10, NORTH + 10), (EAST + 10, NORTH), (EAST, NORTH + 10)])
    gpd.GeoDataFrame({"name": ["a"]}, geometry=[bow_tie], crs=CRS).to_file(path, driver="GeoJSON", engine="pyogrio")

    read = reading(path)

    assert read.rules == ["geometry.repaired"]
    stored = read.frame("building").geometry[0]
    assert stored.is_valid
    assert stored.area == pytest.approx(50.0)


def test_a_line_without_length_is_set_aside_as_a_line(tmp_path: Path) -> None:
    path = tmp_path / "road_line.gpkg"
    lines = [
        shapely.LineString([(EAST, NORTH), (EAST, NORTH)]),
        shapely.LineString([(EAST, NORTH), (EAST + 5, NORTH)]),
    ]
    gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=lines, crs=CRS).to_file(path, engine="pyogrio")

    read = reading(path)

    assert read.frame("road_line")["name"].tolist() == ["b"]
    assert "has no length" in read.findings[0].text("en")


def test_coordinates_that_are_no_numbers_set_their_row_aside_with_its_record(tmp_path: Path) -> None:
    path = tmp_path / "control_point.gpkg"
    points = [
        shapely.Point(EAST, NORTH),
        shapely.Point(EAST, float("nan")),
        shapely.Point(float("inf"), NORTH),
    ]
    gpd.GeoDataFrame({"name": ["a", "b", "c"]}, geometry=points, crs=CRS).to_file(path, engine="pyogrio")

    read = reading(path, kind="control_point")

    assert (read.counts.read, read.counts.stored, read.counts.quarantined) == (3, 1, 2)
    aside = [one for one in read.findings if one.rule == "geometry.not_finite"]
    assert [one.raw["name"] for one in aside if one.raw] == ["b", "c"]


def test_a_number_that_occurs_twice_is_set_aside_and_one_that_is_missing_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "地块.gpkg"
    frame = gpd.GeoDataFrame({"地块编号": ["A1", "A1", None, "A2"]}, geometry=[square(n) for n in range(4)], crs=CRS)
    frame.to_file(path, engine="pyogrio")

    read = reading(path)

    assert read.frame("land_use")["parcel_no"].dropna().tolist() == ["A1", "A2"]
    assert read.counts.to_dict() == {
        "read": 4,
        "stored": 3,
        "quarantined": 1,
        "decoration": 0,
        "features": {"land_use": 3},
    }
    assert sorted(read.rules) == ["identity.duplicate", "identity.missing"]


def test_a_geometry_whose_bytes_are_none_sets_its_row_aside_and_the_others_come_in(tmp_path: Path) -> None:
    path = tmp_path / "road_line.geojson"
    path.write_text(
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"name":"short"},"geometry":'
        '{"type":"LineString","coordinates":[[118.3,35.1]]}},{"type":"Feature","properties":{"name":"whole"},"geometry":'
        '{"type":"LineString","coordinates":[[118.3,35.1],[118.301,35.1]]}}]}'
    )

    read = reading(path)

    assert (read.counts.read, read.counts.stored, read.counts.quarantined) == (2, 1, 1)
    finding = next(one for one in read.findings if one.rule == "vector.geometry_unreadable")
    assert (finding.place, finding.raw and finding.raw["name"]) == ("fid 0", "short")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: 0 bytes"),
        (b"a letter, not a map", "is not what its ending says"),
        (b'{"type":"FeatureCollection","features":[', "cannot be read as geojson"),
        (b'{"type":"FeatureCollection","features":[]}', "holds no features"),
    ],
)
def test_a_file_without_features_is_refused_in_our_words(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "building.geojson"
    path.write_bytes(content)

    with pytest.raises(SourceRefused, match=message) as refusal:
        reading(path)
    assert "DRIVER" not in refusal.value.text("en")
    assert "building.geojson" in refusal.value.text("zh")


def test_a_file_with_nothing_for_a_mapping_names_the_layers_that_could_take_it(tmp_path: Path) -> None:
    path = tmp_path / "mystery.geojson"
    buildings().to_file(path, driver="GeoJSON", engine="pyogrio")

    with pytest.raises(SourceRefused) as refusal:
        reading(path, mapping=standard_mapping("vector"))

    assert refusal.value.values["found"] == ["mystery"]
    assert "building" in refusal.value.values["nearest"]
    assert "road_line" not in refusal.value.values["nearest"]


def test_layers_that_a_mapping_does_not_name_and_tables_are_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "town.gpkg"
    buildings().to_file(path, layer="房屋", engine="pyogrio")
    buildings().to_file(path, layer="mystery", engine="pyogrio")
    pyogrio.write_dataframe(pd.DataFrame({"a": [1, 2]}), path, layer="owners")

    read = reading(path, mapping=standard_mapping("vector"))

    assert read.counts.to_dict()["features"] == {"building": 3}
    assert {one.rule: one.values["source_layer"] for one in read.findings} == {
        "vector.layer_left_out": "mystery",
        "vector.table_left_out": "owners",
    }


def test_a_file_of_tables_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "owners.gpkg"
    pyogrio.write_dataframe(pd.DataFrame({"a": [1, 2]}), path, layer="building")

    with pytest.raises(SourceRefused, match="only tables without geometry: building"):
        reading(path)


def test_naming_a_layer_reads_the_source_layers_of_its_dimension(tmp_path: Path) -> None:
    path = tmp_path / "mixed.gpkg"
    buildings().to_file(path, layer="areas", engine="pyogrio")
    gpd.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(EAST, NORTH)], crs=CRS).to_file(
        path, layer="points", engine="pyogrio"
    )

    read = reading(path, kind="building")

    assert read.counts.read == read.counts.stored == 3
    assert [one.values["source_layer"] for one in read.findings] == ["points"]


def test_a_mapping_gives_constants_translates_values_and_dates_rows(tmp_path: Path) -> None:
    path = tmp_path / "要素.gpkg"
    frame = buildings(TYPE=[1.0, 2.0, 9.0], SURVEYED=["2019-05-01", "2020", None])
    frame.to_file(path, engine="pyogrio")
    toml = tmp_path / "office.toml"
    toml.write_text(
        '[[layer]]\nfrom = "要*"\nto = "building"\nfields = { name = "名称", usage = "type" }\nconstants = { structure = "砼" }\n'
        'values = { usage = { "1" = "住宅", "2" = "商业" } }\nvalid_from = "surveyed"\n',
        "utf-8",
    )

    stored = reading(path, mapping=read_mapping(toml)).frame("building")

    assert stored["usage"].tolist() == ["住宅", "商业", "9"]
    assert stored["structure"].tolist() == ["砼"] * 3
    assert stored["valid_from"].tolist()[:2] == ["2019-04-30T16:00:00.000Z", "2019-12-31T16:00:00.000Z"]
    assert stored["valid_precision"].tolist()[:2] == ["day", "year"]
    assert stored["valid_from"].isna().tolist() == [False, False, True]


def test_a_height_follows_from_storeys_where_none_was_measured_and_an_unreadable_one_is_said(
    tmp_path: Path,
) -> None:
    path = tmp_path / "building.gpkg"
    buildings(height=["12.5", None, "high"], storeys=[4, 6, 2]).to_file(path, engine="pyogrio")

    read = reading(path)

    stored = read.frame("building")
    assert stored["height"].tolist() == [12.5, 18.0, None]
    assert stored["height_source"].tolist()[:2] == ["measured", "storeys"]
    finding = next(one for one in read.findings if one.rule == "value.unreadable")
    assert (finding.place, finding.values["value"]) == ("fid 3", "high")


def test_what_a_source_says_about_its_heights_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "building.gpkg"
    buildings(height=[18.0] * 3, height_source=["storeys"] * 3).to_file(path, engine="pyogrio")

    assert reading(path).frame("building")["height_source"].tolist() == ["storeys"] * 3


def _geopackage_geometry(path: Path, layer: str, type_name: str, wkb: bytes, *, z: int = 0) -> None:
    """Put a geometry of a type shapely cannot write into the one row of a GeoPackage layer without index."""
    srs = struct.pack("<i", 4548)
    with sqlite3.connect(path) as db:
        db.execute(
            "UPDATE gpkg_geometry_columns SET geometry_type_name = ?, z = ? WHERE table_name = ?",
            (type_name, z, layer),
        )
        db.execute(f'UPDATE "{layer}" SET geom = ?', (b"GP\x00\x01" + srs + wkb,))
    db.close()


def _one_line(path: Path, layer: str) -> None:
    line = shapely.LineString([(EAST, NORTH), (EAST + 10, NORTH)])
    gpd.GeoDataFrame({"name": ["a"]}, geometry=[line], crs=CRS).to_file(
        path, layer=layer, engine="pyogrio", SPATIAL_INDEX="NO", GEOMETRY_NAME="geom"
    )


def test_a_circular_arc_becomes_the_line_that_follows_it(tmp_path: Path) -> None:
    path = tmp_path / "curves.gpkg"
    _one_line(path, "road_line")
    arc = struct.pack("<BII6d", 1, 8, 3, EAST, NORTH, EAST + 10, NORTH + 10, EAST + 20, NORTH)
    _geopackage_geometry(path, "road_line", "CIRCULARSTRING", arc)

    stored = reading(path).frame("road_line").geometry[0]

    assert stored.length == pytest.approx(np.pi * 10, rel=1e-3)


def test_a_layer_of_any_geometry_with_heights_is_read_and_so_are_the_others(tmp_path: Path) -> None:
    path = tmp_path / "any.gpkg"
    _one_line(path, "road_line")
    buildings().to_file(path, layer="building", engine="pyogrio")
    line = shapely.to_wkb(shapely.LineString([(EAST, NORTH, 1), (EAST + 10, NORTH, 2)]), byte_order=1, flavor="iso")
    _geopackage_geometry(path, "road_line", "GEOMETRY", line, z=1)

    read = reading(path)

    assert read.counts.to_dict()["features"] == {"road_line": 1, "building": 3}
    assert read.frame("road_line").geometry[0].length == pytest.approx(10.0)


def test_geojson_without_crs_is_longitude_and_latitude(tmp_path: Path) -> None:
    path = tmp_path / "street_lamp.geojson"
    path.write_text('{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[118.3,35.1]}}')

    stored = reading(path).frame("street_lamp").geometry[0]

    east, north = pyproj.Transformer.from_crs(4490, 4548, always_xy=True).transform(118.3, 35.1)
    assert (stored.x, stored.y) == pytest.approx((east, north), abs=0.001)


def test_a_datum_without_sanctioned_parameters_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "building.gpkg"
    buildings().set_crs("EPSG:2384", allow_override=True).to_file(path, engine="pyogrio")

    with pytest.raises(CrsRefused, match="different datums"):
        reading(path)


def test_an_engineering_system_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "building.gpkg"
    buildings().set_crs(None, allow_override=True).to_file(path, engine="pyogrio")

    with pytest.raises(SourceRefused, match="does not state its coordinate reference system"):
        reading(path)
    assert reading(path, crs=CRS).frame("building").total_bounds[0] == pytest.approx(EAST)


def test_a_layer_that_cannot_be_opened_is_left_out_with_an_error_and_the_others_come_in(
    tmp_path: Path,
) -> None:
    path = tmp_path / "two.gpkg"
    for layer in ("building", "water_area"):
        buildings().to_file(path, layer=layer, engine="pyogrio", SPATIAL_INDEX="NO")
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE water_area")
        db.execute("CREATE VIEW water_area AS SELECT * FROM nowhere")
    db.close()

    read = reading(path)

    assert read.counts.to_dict()["features"] == {"building": 3}
    finding = next(one for one in read.findings if one.rule == "vector.layer_unreadable")
    assert (finding.severity, finding.values["source_layer"]) == ("error", "water_area")
    assert "nowhere" in finding.text("en")


@pytest.mark.parametrize("suffix", [one for one in FORMATS if one not in {".tab", ".mif"}])  # these two know no NULL
def test_a_row_without_a_value_changes_neither_digits_nor_type_of_the_others(suffix: str, tmp_path: Path) -> None:
    first = 12_345_678_901_234_801
    columns = {
        "storeys": pd.array([first, None, first + 2], dtype="Int64"),
        "name": pd.array([first, None, first + 2], dtype="Int64"),
    }
    path = tmp_path / f"building{suffix}"
    outlines = [square(number) for number in range(3)]
    pyogrio.write_dataframe(gpd.GeoDataFrame(columns, geometry=outlines, crs=CRS), path, driver=FORMATS[suffix])

    read = reading(path)

    stored = read.frame("building").sort_values("name")
    assert stored["storeys"].tolist() == [first, first + 2, None]
    assert stored["name"].tolist()[:2] == [str(first), str(first + 2)]
    assert not [rule for rule in read.rules if rule.startswith("value.")]


def test_numbers_written_as_texts_are_read_as_they_are_meant_or_told(tmp_path: Path) -> None:
    written = ["9,5", "１２．５", "9500mm", "——", "约9米", "1.2m", "1,234.5"]
    expected = [9.5, 12.5, 9.5, None, None, 1.2, 1234.5]
    frame = gpd.GeoDataFrame(
        {"height": written, "storeys": ["3", "4.0", "5", "无", "三", "7.5", "1"]},
        geometry=[square(number) for number in range(len(written))],
        crs=CRS,
    )
    frame.to_file(tmp_path / "building.gpkg", engine="pyogrio")

    read = reading(tmp_path / "building.gpkg", storey_height=0.0)

    stored = read.frame("building")
    assert [None if not value or np.isnan(value) else value for value in stored["height"]] == expected
    assert stored["storeys"].tolist() == [3, 4, 5, None, None, None, 1]
    told = {(one.rule, one.place, one.values["field"], one.values["value"]) for one in read.findings}
    assert told == {("value.unreadable", "fid 5", "height", "约9米"), ("value.unreadable", "fid 5", "storeys", "三"),
                    ("value.unreadable", "fid 6", "storeys", "7.5")}  # fmt: skip


def test_a_decimal_comma_in_a_column_of_numbers_is_not_cut_off(shapefile: Callable[..., Path]) -> None:
    path = shapefile(frame=buildings(height=[9.25, 12.5, 7.75])[["height", "geometry"]])
    table = path.with_suffix(".dbf")
    table.write_bytes(table.read_bytes().replace(b".", b","))

    assert reading(path, kind="building").frame("building")["height"].tolist() == [9.25, 12.5, 7.75]


def test_digits_that_a_float_may_have_lost_are_told_once_for_a_column(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"name": [1.2345678901234568e16, 1.2345678901234570e16, 12.0], "storeys": [1.0, 2.0, np.nan]},
        geometry=[square(number) for number in range(3)],
        crs=CRS,
    )
    frame.to_file(tmp_path / "building.gpkg", engine="pyogrio")

    read = reading(tmp_path / "building.gpkg")

    assert read.frame("building")["storeys"].tolist() == [1, 2, None]
    [finding] = read.findings
    assert (finding.rule, finding.place, finding.values["count"]) == ("value.rounded", "fid 1", 2)


def test_whole_numbers_of_more_than_64_bits_are_texts_where_they_are_names_and_told_where_they_are_numbers(
    tmp_path: Path,
) -> None:
    path = tmp_path / "building.geojson"
    outline = shapely.to_geojson(shapely.box(118.3, 35.1, 118.3002, 35.1002))
    properties = '{"name": 110101199003071234567, "storeys": 110101199003071234567}'
    path.write_text(f'{{"type": "FeatureCollection", "features": [{{"type": "Feature", "properties": {properties}, "geometry": {outline}}}]}}')  # fmt: skip

    read = reading(path)

    assert read.frame("building")["storeys"].tolist() == [None]
    assert {"value.unreadable", "value.rounded"} <= set(read.rules)
