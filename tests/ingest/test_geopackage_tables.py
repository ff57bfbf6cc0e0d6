"""A GeoPackage lists its tables itself; what is no GeoPackage lists none."""

import sqlite3
from contextlib import closing
from pathlib import Path

from ingest.vector.geopackage_tables import geopackage_tables


def test_tables_come_with_their_kind_and_geometry_and_gdals_own_is_none_of_them(tmp_path: Path) -> None:
    path = tmp_path / "两 层#1.gpkg"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE gpkg_contents (table_name, data_type)")
        db.execute("CREATE TABLE gpkg_geometry_columns (table_name, geometry_type_name)")
        rows = [("road", "features"), ("owner", "attributes"), ("image", "tiles"), ("ogr_empty_table", "attributes")]
        db.executemany("INSERT INTO gpkg_contents VALUES (?, ?)", rows)
        db.execute("INSERT INTO gpkg_geometry_columns VALUES ('road', 'CURVE')")
        db.commit()

    assert geopackage_tables(path) == [
        ("road", "features", "CURVE"),
        ("owner", "attributes", ""),
        ("image", "tiles", ""),
    ]


def test_another_file_has_no_such_list(tmp_path: Path) -> None:
    (tmp_path / "plan.gpkg").write_bytes(b"no database at all" * 100)

    assert geopackage_tables(tmp_path / "plan.gpkg") is None
    assert geopackage_tables(tmp_path / "absent.gpkg") is None
