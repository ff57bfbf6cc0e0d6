"""What a file says beside its rows: titles of layers and columns, meanings of coded values."""

import sqlite3
import subprocess
from pathlib import Path

import geopandas as gpd
import shapely
from vector_readings import CRS, EAST, NORTH

from ingest.vector.file import VectorFile
from ingest.vector.source_notes import SourceNotes, notes_of, notes_of_items

SCHEMA = """
CREATE TABLE gpkg_data_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
 mime_type TEXT, constraint_name TEXT);
CREATE TABLE gpkg_data_column_constraints (constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC,
 min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT);
INSERT INTO gpkg_extensions VALUES
 ('gpkg_data_columns', NULL, 'gpkg_schema', 'http://www.geopackage.org/spec121/#extension_schema', 'read-write'),
 ('gpkg_data_column_constraints', NULL, 'gpkg_schema', 'http://www.geopackage.org/spec121/#extension_schema', 'read-write');
INSERT INTO gpkg_data_columns VALUES ('wells', 'MATERIAL', 'material', '材质', NULL, NULL, 'materials');
INSERT INTO gpkg_data_column_constraints VALUES
 ('materials', 'enum', 'PE', NULL, NULL, NULL, NULL, '聚乙烯'), ('materials', 'enum', 'DI', NULL, NULL, NULL, NULL, '球墨铸铁');
"""
SUBTYPES = """<DETableInfo><AliasName>检查井</AliasName><GPFieldInfoExs>
<GPFieldInfoEx><Name>KIND</Name><AliasName>井类</AliasName></GPFieldInfoEx>
<GPFieldInfoEx><Name>A</Name><AliasName>同名</AliasName></GPFieldInfoEx><GPFieldInfoEx><Name>B</Name><AliasName>同名</AliasName></GPFieldInfoEx>
</GPFieldInfoExs><SubtypeFieldName>KIND</SubtypeFieldName><Subtypes><Subtype><SubtypeName>雨水口</SubtypeName>
<SubtypeCode>1</SubtypeCode></Subtype><Subtype><SubtypeName/><SubtypeCode>2</SubtypeCode></Subtype></Subtypes></DETableInfo>"""


def test_coded_values_are_read_from_a_geopackage_and_from_the_geodatabase_made_of_it(
    tmp_path: Path, ogrinfo: str
) -> None:
    package, geodatabase = tmp_path / "wells.gpkg", tmp_path / "wells.gdb"
    frame = gpd.GeoDataFrame({"MATERIAL": ["PE", "DI"]}, geometry=[shapely.Point(EAST, NORTH)] * 2, crs=CRS)
    frame.to_file(package, layer="wells")
    with sqlite3.connect(package) as db:
        db.executescript(SCHEMA)
    convert = [Path(ogrinfo).with_name("ogr2ogr"), "-f", "OpenFileGDB", geodatabase, package]
    subprocess.run(convert, check=True, capture_output=True)

    notes, same = (notes_of(VectorFile(path, path.name), "wells") for path in (package, geodatabase))

    assert notes.codes == same.codes == {"MATERIAL": {"DI": "球墨铸铁", "PE": "聚乙烯"}}
    assert notes.titles == {"MATERIAL": "材质"}


def test_subtypes_and_aliases_of_a_geodatabase_are_codes_and_titles() -> None:
    notes = notes_of_items([("", None), ("broken", "<DETableInfo>"), ("wells", SUBTYPES)], "wells")

    assert notes == SourceNotes("检查井", {"KIND": "井类"}, {"KIND": {"1": "雨水口", "2": "2"}})
    assert notes_of_items([("broken", "<DETableInfo>")], "broken") == SourceNotes()
