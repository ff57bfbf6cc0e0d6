"""A file that matches no layer of ours becomes one of the town's own, and comes again as a difference, in both stores."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely

from api_config.delivery import Delivery, Outcome, deliver
from ingest.draft import ReadOptions
from ingest.mapping import Mapping
from tiles.encodings.files import write_frames
from twin_model.store.base import FeatureQuery
from twin_model.town import Town, init_town

CRS = "EPSG:4548"
EAST, NORTH = 618_600.0, 3_885_800.0


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    with init_town(tmp_path / "town", name="试点", crs=CRS, store=location) as town:
        yield town


def parcels(**columns: list[Any]) -> gpd.GeoDataFrame:
    squares = [shapely.box(EAST + 20 * n, NORTH, EAST + 20 * n + 10, NORTH + 10) for n in range(3)]
    given = {"OWNER": ["Li", "Wang", None], "面积": [100.5, 3.0, None], "n": [2**53 + 1, 2, 3]} | columns
    return gpd.GeoDataFrame(given, geometry=squares, crs=CRS)


def delivered(town: Town, path: Path, **options: Any) -> Outcome:
    (outcome,) = deliver(town, [path], Delivery(options=ReadOptions(**options), accept_removals=True))
    assert outcome.error is None, outcome.error
    return outcome


def written(frame: gpd.GeoDataFrame, path: Path, **options: Any) -> Path:
    encoding = {"encoding": "UTF-8"} if path.suffix == ".shp" else {}
    frame.to_file(path, engine="pyogrio", **encoding, **options)
    return path


def changes(outcome: Outcome, layer: str) -> tuple[int, int, int, int]:
    assert outcome.version is not None
    touched = outcome.version.touched[layer]
    return touched.inserted, touched.updated, touched.terminated, touched.unchanged


def test_a_file_becomes_a_layer_with_all_its_columns_and_comes_again_as_a_difference(
    town: Town, tmp_path: Path
) -> None:
    path = tmp_path / "delivery.gpkg"

    first = delivered(town, written(parcels(), path, layer="宗地"))
    again = delivered(town, written(parcels(OWNER=["Li", "Zhao", None]), path, layer="宗地"))
    wider = delivered(town, written(parcels(OWNER=["Li", "Zhao", None], 用途=["住", None, None]), path, layer="宗地"))

    assert changes(first, "zd") == (3, 0, 0, 0)
    assert changes(again, "zd") == (0, 1, 0, 2)
    assert changes(wider, "zd") == (0, 1, 0, 2), "the layer has grown by a column, which one row fills"
    frame = town.features("宗地")
    assert frame["OWNER"].tolist()[:2] == ["Li", "Zhao"] and frame["n"].tolist() == [2**53 + 1, 2, 3]
    assert [field.title.zh for field in town.catalogue["zd"].fields] == ["OWNER", "面积", "n", "用途"]
    assert town.features("zd", where="用途 = '住'").index.tolist() == frame.index.tolist()[:1]
    assert [one.rule for one in first.findings if one.layer == "zd"] == ["vector.own_layer"]
    assert "vector.own_layer" not in [one.rule for one in again.findings]


@pytest.mark.parametrize("day", ["2026-01-01", "2020-01-01"], ids=["newer", "late"])
def test_a_column_that_comes_while_another_is_missing_brings_its_values(town: Town, tmp_path: Path, day: str) -> None:
    """Renamed by the office, `OWNER` is called `持有人`: the values of the new column are an update, those of the old stay."""
    path = tmp_path / "宗地.gpkg"
    delivered(town, written(parcels(), path, layer="宗地"), effective="2024-01-01T00:00:00Z")
    frame = parcels(BZ=[7, None, 8]).rename(columns={"OWNER": "持有人"}).drop(columns="面积")

    renamed = delivered(town, written(frame, path, layer="宗地"), effective=f"{day}T00:00:00Z")

    assert changes(renamed, "zd") == (0, 3, 0, 0)
    then = town.features("zd", at=f"{day}T12:00:00Z")
    assert then["持有人"].tolist()[:2] == ["Li", "Wang"] and then["BZ"].tolist()[::2] == [7, 8]
    assert renamed.kept_columns.get("zd", []) == (["OWNER", "面积"] if day > "2024" else [])
    assert town.features("zd")["OWNER"].tolist()[:2] == ["Li", "Wang"]


def test_points_lines_and_areas_of_one_file_become_a_layer_each_in_one_version(town: Town, tmp_path: Path) -> None:
    shapes = [shapely.box(EAST, NORTH, EAST + 9, NORTH + 9), shapely.Point(EAST, NORTH), None]
    shapes += [shapely.LineString([(EAST, NORTH), (EAST + 5, NORTH)])]
    mixed = gpd.GeoDataFrame({"k": [1, 2, 3, 4]}, geometry=shapes, crs=CRS).to_crs(4326)

    outcome = delivered(town, written(mixed, tmp_path / "mixed.geojson"))

    assert outcome.counts["features"] == {"mixed_points": 2, "mixed_lines": 1, "mixed_areas": 1}
    assert town.features("mixed_points")["k"].tolist() == [2, 3] and town.features("mixed_lines")["k"].tolist() == [4]


def test_a_name_that_is_taken_gets_a_number_and_each_structure_finds_its_own_again(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "parcels.shp"
    delivered(town, written(parcels(), path))
    points = parcels().set_geometry(parcels().centroid)

    other = delivered(town, written(points, path))
    texts = delivered(town, written(parcels(n=["a", "b", "c"]), path))
    back = delivered(town, written(points.assign(OWNER="Li"), path))

    assert list(other.counts["features"]) == ["parcels_2"] and list(texts.counts["features"]) == ["parcels_3"]
    assert changes(back, "parcels_2") == (0, 2, 0, 1)
    assert [one.rule for one in other.findings if one.layer] == ["vector.other_structure"]


def test_what_a_layer_of_its_own_would_be_is_shown_and_nothing_is_stored(town: Town, tmp_path: Path) -> None:
    path = written(parcels(), tmp_path / "parcels.shp")

    (planned,) = deliver(town, [path], Delivery(dry_run=True))

    assert planned.planned["parcels"]["inserted"] == 3
    assert "parcels" not in town.catalogue and not list((town.path / "catalogue").glob("*.toml"))
    assert town.store.version() == 0


def test_a_refused_delivery_leaves_neither_table_nor_file(town: Town, tmp_path: Path) -> None:
    path = written(parcels().set_crs(None, allow_override=True), tmp_path / "parcels.shp")

    (refused,) = deliver(town, [path], Delivery())

    assert refused.error is not None and refused.error.rule_id == "source.no_crs"
    assert not list((town.path / "catalogue").glob("*.toml")) and "parcels" not in town.store.catalogue
    assert changes(delivered(town, path, crs=CRS), "parcels") == (3, 0, 0, 0)


def test_a_dropped_layer_of_its_own_begins_again_when_its_file_comes_again(town: Town, tmp_path: Path) -> None:
    path = written(parcels(), tmp_path / "parcels.shp")
    delivered(town, path)
    town.drop_layer("parcels", reason="not wanted")

    outcome = delivered(town, written(parcels(OWNER=["a", "b", "c"]), path))

    assert changes(outcome, "parcels")[0] == 3
    assert town.features("parcels")["OWNER"].tolist() == ["a", "b", "c"]


def test_titles_and_coded_values_of_a_geopackage_are_those_of_the_layer(town: Town, tmp_path: Path) -> None:
    path = written(parcels(USE=["1", "2", "9"]), tmp_path / "parcels.gpkg", layer="parcels")
    with sqlite3.connect(path) as db:
        db.executescript(
            "CREATE TABLE gpkg_data_columns (table_name TEXT, column_name TEXT, name TEXT, title TEXT, description TEXT,"
            " mime_type TEXT, constraint_name TEXT);"
            "CREATE TABLE gpkg_data_column_constraints (constraint_name TEXT, constraint_type TEXT, value TEXT, min NUMERIC,"
            " min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT);"
            "INSERT INTO gpkg_data_columns VALUES ('parcels', 'USE', 'use', '用途', NULL, NULL, 'uses');"
            "INSERT INTO gpkg_data_column_constraints VALUES ('uses', 'enum', '1', NULL, NULL, NULL, NULL, '住宅');"
            "INSERT INTO gpkg_data_column_constraints VALUES ('uses', 'enum', '2', NULL, NULL, NULL, NULL, '商业');"
            "UPDATE gpkg_contents SET identifier = '宗地图';"
        )

    delivered(town, path)

    assert town.codes("parcels", "用途", lang="zh").to_dict() == {"1": "住宅", "2": "商业"}
    assert town.catalogue["parcels"].title("zh") == "宗地图"


def test_a_column_of_world_wide_numbers_identifies_and_a_plain_one_does_not(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "parcels.gpkg"
    delivered(town, written(parcels(BSM=["A1", "A2", "A3"], OBJECTID=[1, 2, 3]), path, layer="parcels"))
    moved = parcels(BSM=["A1", "A2", "A3"]).translate(500, 0)

    outcome = delivered(
        town, written(parcels(BSM=["A3", "A1", "A2"], OBJECTID=[1, 2, 3]).set_geometry(moved), path, layer="parcels")
    )

    assert town.catalogue["parcels"].identity == "field:BSM"
    assert changes(outcome, "parcels") == (0, 3, 0, 0)


def test_a_table_with_a_number_becomes_a_layer_without_geometry_and_one_without_is_named(
    town: Town, tmp_path: Path
) -> None:
    path = written(parcels(), tmp_path / "parcels.gpkg", layer="parcels")
    pyogrio.write_dataframe(pd.DataFrame({"owner_id": [1, 2], "tel": ["5", "6"]}), path, layer="owners")
    pyogrio.write_dataframe(pd.DataFrame({"remark": ["x", "x"]}), path, layer="remarks")
    parcels().iloc[:0].to_file(path, layer="nothing", engine="pyogrio")

    outcome = delivered(town, path)

    assert outcome.counts["features"] == {"parcels": 3, "owners": 2}
    assert town.features("owners").index.tolist() == ["1", "2"]
    left_out = [one.values["source_layer"] for one in outcome.findings if one.rule == "vector.table_left_out"]
    assert left_out == ["remarks"]
    assert "nothing" not in town.catalogue, "an empty layer makes no layer"


def test_a_mapping_that_names_options_only_leaves_a_file_its_own_layer(town: Town, tmp_path: Path) -> None:
    """So is read what is meant to lie elsewhere: the remedy of a misplaced file names such a mapping."""
    anywhere = Mapping("anywhere", (), options={"coordinates": {"anywhere": True}})
    path = written(parcels().translate(-EAST, -NORTH).to_frame("geometry"), tmp_path / "宗地.gpkg", layer="宗地")

    (refused,) = deliver(town, [path], Delivery(options=ReadOptions()))
    outcome = delivered(town, path, mapping=anywhere)

    assert refused.error is not None and "anywhere = true" in refused.error.text("en")
    assert changes(outcome, "zd") == (3, 0, 0, 0)


def test_the_same_columns_of_another_program_are_the_same_columns(town: Town, tmp_path: Path) -> None:
    """GBK holds names that UTF-8 cuts; a file geodatabase has no days, a shapefile neither truth values nor times."""
    days = pd.Series(pd.to_datetime(["2024-01-05", "2024-02-29", None]))
    frame = parcels(地块编号=["a", "b", "c"]).drop(columns="n")
    frame = frame.assign(登记日期=["2024-01-05", "2024-02-29", None], 更新=days + pd.Timedelta("8h"))
    frame = frame.assign(是否征收=pd.array([True, False, None], dtype="boolean"))
    first = delivered(town, written(frame, tmp_path / "宗地.geojson"))
    kinds = {field.name: field.type for field in town.catalogue["zd"].fields}
    texts = {"是否征收": [1, 0, None], "更新": ["2024-01-05 08:00:00", "2024/02/29 08:00", None]}

    in_utf8 = delivered(town, written(frame.assign(**texts), tmp_path / "宗地.shp"))
    with_times = delivered(town, written(frame.assign(登记日期=days), tmp_path / "宗地.fgb", layer="宗地"))
    lower_case = delivered(town, written(frame.rename(columns=str.lower), tmp_path / "b.gpkg", layer="宗地"))

    for outcome in (in_utf8, with_times, lower_case):
        assert changes(outcome, "zd") == (0, 0, 0, 3)
    assert changes(first, "zd") == (3, 0, 0, 0) and {"boolean", "date", "datetime"} < set(kinds.values())
    assert {field.name: field.type for field in town.catalogue["zd"].fields} == kinds
    renamed = [each.values["columns"] for each in in_utf8.findings if each.rule == "vector.columns_known"]
    assert renamed == [["地块编 = 地块编号", "登记日 = 登记日期", "是否征 = 是否征收"]]


def test_an_edited_export_moves_its_features_and_adds_the_copied_one(town: Town, tmp_path: Path) -> None:
    delivered(town, written(parcels(), tmp_path / "宗地.gpkg"))
    frames = town.store.frames(FeatureQuery("zd"))
    write_frames(frames, town.catalogue["zd"], tmp_path / "zd.gpkg", crs=CRS, zone="Asia/Shanghai")
    frame = gpd.read_file(tmp_path / "zd.gpkg").iloc[[0, 1, 2, 2]].reset_index(drop=True)
    moved = frame.geometry.where(~frame.index.isin([0, 3]), frame.translate(0, 500))

    outcome = delivered(town, written(frame.set_geometry(moved), tmp_path / "edited.gpkg"))

    assert changes(outcome, "zd") == (1, 1, 0, 2)
    features = town.features("zd")
    assert sorted(features.index) == ["zd.1", "zd.2", "zd.3", "zd.4"]
    assert features.geometry.loc["zd.1"].bounds[1] == NORTH + 500 and features["n"].loc["zd.1"] == 2**53 + 1


def test_whole_numbers_become_numbers_only_where_a_value_needs_it_and_that_is_said(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "parcels.gpkg"
    delivered(town, written(parcels(n=[1, 2, 3]), path))

    same = delivered(town, written(parcels(n=[1.0, 2.0, 3.0]), path))
    unchanged = town.catalogue["parcels"].field_of("n")
    other = delivered(town, written(parcels(n=[1.0, 2.5, None]), path))
    widened = town.catalogue["parcels"].field_of("n")

    assert changes(same, "parcels") == (0, 0, 0, 3) and unchanged and unchanged.type == "integer"
    assert changes(other, "parcels") == (0, 2, 0, 1) and widened and widened.type == "number"
    said = [each.values["value"] for each in other.findings if each.rule == "vector.field_widened"]
    assert said == ["2.5"] and not [each for each in same.findings if each.rule == "vector.field_widened"]
