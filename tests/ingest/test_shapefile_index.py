"""A shapefile's index counts only where it is whole; files beside a shapefile may be written in any case."""

from pathlib import Path

import geopandas as gpd
import shapely

from ingest.vector.shapefile_index import beside, index_is_whole


def test_an_index_that_is_cut_or_missing_or_none_at_all_is_not_whole(tmp_path: Path) -> None:
    path, index = tmp_path / "road.shp", tmp_path / "road.shx"
    gpd.GeoDataFrame(geometry=[shapely.Point(0, 0)] * 3, crs="EPSG:4548").to_file(path)
    whole = index.read_bytes()
    contents = {"whole": whole, "cut": whole[:-4], "longer": whole + b"\0", "other": b"\xff" * len(whole), "empty": b""}

    judged = {}
    for name, content in contents.items():
        index.write_bytes(content)
        judged[name] = index_is_whole(path)
    index.unlink()

    assert judged == {"whole": True, "cut": False, "longer": False, "other": False, "empty": False}
    assert not index_is_whole(path)


def test_a_file_beside_is_known_in_whatever_case_its_ending_is_written(tmp_path: Path) -> None:
    path = tmp_path / "road.shp"
    for name in ("road.DBF", "roads.cpg"):
        (tmp_path / name).touch()

    assert beside(path, ".dbf") == tmp_path / "road.DBF"
    assert beside(path, ".cpg") is None
