"""An export of the town that comes back says nothing new where nobody has changed it, in every format."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio
import pytest
import shapely
from click.testing import CliRunner

from api_config.cli import make_cli
from api_config.delivery import Delivery, Outcome, deliver
from ingest.draft import ReadOptions
from tiles.encodings.files import write_frames
from twin_model.store.base import FeatureQuery
from twin_model.town import Town, init_town

CRS = "EPSG:4548"
EAST, NORTH = 618_600.0, 3_885_800.0
ENDINGS = ("gpkg", "geojson", "fgb", "csv", "shp")
COLUMNS: dict[str, list[Any]] = {
    "地块编号": ["DK1", "DK2", None],
    "登记日期": ["2024-01-05", "2024-02-29", None],
    "更新": ["2024-01-05T00:00:00", "2024-02-29T08:30:00.250", None],
    "是否征收": [True, False, None],
    "层数": [3, None, 5],
    "=备注": ["=HYPERLINK(1)", "@旁注", "-"],
    "面积": [100.125, 3.0, None],
}
HOUSES: dict[str, list[Any]] = {
    "name": ["一号楼", "二号楼", None],
    "地下层数": [1, 2, None],
    "built": ["2019-05", "2020", None],
    "不动产权证书号": ["鲁1", "鲁2", None],
    "id": ["A-1", "A-2", "A-3"],
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Three houses with attributes, one of them called as a column of ours, and three parcels with columns of every type."""
    folder = tmp_path_factory.mktemp("export")
    with init_town(folder / "town", name="试点", crs=CRS) as town:
        for name, columns in (("宗地", COLUMNS), ("房屋", HOUSES)):
            squares = [
                shapely.box(EAST + 20.3336 * n, NORTH, EAST + 20.3336 * n + 10.0004, NORTH + 10) for n in range(3)
            ]
            gpd.GeoDataFrame(columns, geometry=squares, crs=CRS).to_file(folder / f"{name}.geojson")
            delivered(town, folder / f"{name}.geojson")
        yield town


def delivered(town: Town, path: Path, **delivery: Any) -> Outcome:
    crs = CRS if path.suffix == ".csv" else None
    (outcome,) = deliver(town, [path], Delivery(options=ReadOptions(crs=crs), **delivery))
    assert outcome.error is None, outcome.error
    return outcome


def exported(town: Town, layer: str, path: Path) -> Path:
    frames = town.store.frames(FeatureQuery(layer))
    write_frames(
        frames, town.catalogue[layer], path, crs="OGC:CRS84" if path.suffix == ".geojson" else CRS, zone="Asia/Shanghai"
    )
    return path


def counts(outcome: Outcome) -> dict[str, tuple[int, ...]]:
    names = ("inserted", "updated", "terminated", "unchanged")
    return {layer: tuple(planned[name] for name in names) for layer, planned in outcome.planned.items()}


@pytest.mark.parametrize("layer", ["building", "zd"])
def test_an_export_that_nobody_changed_is_no_change_whatever_its_file_is_called(
    town: Town, tmp_path: Path, layer: str
) -> None:
    planned = {
        ending: delivered(town, exported(town, layer, tmp_path / f"待改.{ending}"), dry_run=True) for ending in ENDINGS
    }

    for ending, outcome in planned.items():
        assert counts(outcome) == {layer: (0, 0, 0, 3)}, ending
        assert "vector.town_export" in {each.rule for each in outcome.findings}, ending
    cut = [each.values["columns"] for each in planned["shp"].findings if each.rule == "vector.town_export_cut"]
    assert cut == ([["attributes", "不动产"]] if layer == "building" else [])


def test_what_somebody_edited_in_an_export_is_the_change(town: Town, tmp_path: Path) -> None:
    path = exported(town, "zd", tmp_path / "zd.gpkg")
    frame = pyogrio.read_dataframe(path)
    frame.assign(地块编号=["DK1", "DK2改", "DK3"], 新列=[1.5, None, None]).to_file(tmp_path / "edited.gpkg")
    frame.drop(index=2).to_file(tmp_path / "fewer.gpkg")

    edited = delivered(town, tmp_path / "edited.gpkg", dry_run=True)
    fewer = delivered(town, tmp_path / "fewer.gpkg", dry_run=True, reach="layer", accept_removals=True)

    assert counts(edited) == {"zd": (0, 3, 0, 0)}
    assert counts(fewer) == {"zd": (0, 0, 1, 2)}


def test_what_somebody_moved_in_an_export_is_the_feature_it_was(town: Town, tmp_path: Path) -> None:
    frame = pyogrio.read_dataframe(exported(town, "building", tmp_path / "building.gpkg"))
    moved = frame.geometry.where(frame["id"] != "building.2", frame.translate(500, 300))
    frame.set_geometry(moved).to_file(tmp_path / "moved.gpkg")
    strange = frame.assign(id=["building.2", "building.3", "building.1"]).set_geometry(moved)
    strange.to_file(tmp_path / "another_town.gpkg")

    here, elsewhere = (delivered(town, tmp_path / name, dry_run=True) for name in ("moved.gpkg", "another_town.gpkg"))

    assert counts(here) == {"building": (0, 1, 0, 2)} and here.ids["building"]["updated"] == ["building.2"]
    assert counts(elsewhere) == {"building": (1, 0, 0, 2)}, "ids that name other features are another town's"


def test_an_attribute_that_a_shapefile_would_cut_is_edited_in_a_geopackage(town: Town, tmp_path: Path) -> None:
    (refused,) = (
        each.text("en")
        for each in delivered(town, exported(town, "building", tmp_path / "b.shp"), dry_run=True).findings
        if each.rule == "vector.town_export_cut"
    )
    command = ["--town", str(town.path), "export", "building", str(tmp_path / "b.gpkg")]

    done = CliRunner().invoke(make_cli("en"), command)
    frame = pyogrio.read_dataframe(tmp_path / "b.gpkg")
    frame.assign(不动产权证书号=["鲁1", "鲁9", None]).to_file(tmp_path / "edited.gpkg")
    outcome = delivered(town, tmp_path / "edited.gpkg", dry_run=True)

    assert "twin export building FILE.gpkg" in refused and done.exit_code == 0, done.output
    assert counts(outcome) == {"building": (0, 1, 0, 2)}


def test_days_and_times_of_a_geopackage_are_those_of_the_town(town: Town, tmp_path: Path) -> None:
    path = exported(town, "zd", tmp_path / "zd.gpkg")

    about, _, _, columns = pyogrio.raw.read(path, datetime_as_string=True)

    kinds = dict(zip(about["fields"], about["ogr_types"], strict=True))
    values = dict(zip(about["fields"], columns, strict=True))
    assert (kinds["登记日期"], kinds["更新"], kinds["valid_from"]) == ("OFTDate", "OFTDateTime", "OFTDateTime")
    assert values["登记日期"][0] == "2024-01-05" and values["更新"][0].startswith("2024-01-05T00:00:00")


def test_columns_of_an_office_that_are_called_as_ours_stay_its_own(town: Town, tmp_path: Path) -> None:
    columns = {"id": ["a", "b"], "valid_from": ["2020", "2021"], "valid_to": [None, None], "version": ["v1", "v2"]}
    frame = gpd.GeoDataFrame(columns, geometry=[shapely.Point(EAST, NORTH), shapely.Point(EAST, NORTH + 9)], crs=CRS)
    frame.to_file(tmp_path / "signs.gpkg")

    outcome = delivered(town, tmp_path / "signs.gpkg")

    fields = [field.aliases[0] for field in town.catalogue["signs"].fields]
    assert fields == ["id", "valid_from", "valid_to", "version"]
    assert "vector.town_export" not in {each.rule for each in outcome.findings}


def test_what_had_ended_when_it_was_exported_is_told_when_it_comes_back(town: Town, tmp_path: Path) -> None:
    path = exported(town, "zd", tmp_path / "zd.gpkg")
    frame = pyogrio.read_dataframe(path)
    frame.assign(valid_to=["2024-06-01T00:00:00.000+08:00", None, None]).to_file(tmp_path / "then.gpkg")

    outcome = delivered(town, tmp_path / "then.gpkg", dry_run=True)

    assert [each.values["value"] for each in outcome.findings if each.rule == "vector.town_export_ended"] == [
        "2024-06-01"
    ]


@pytest.mark.parametrize("layer", ["building", "zd"])
def test_an_export_with_a_copied_feature_fills_another_town_with_features_of_its_own(
    town: Town, tmp_path: Path, layer: str
) -> None:
    """Whoever copies a feature in a GIS copies its id too."""
    frame = pyogrio.read_dataframe(exported(town, layer, tmp_path / f"{layer}.gpkg"))
    twice = frame.iloc[[1, 0, 0, 2]].reset_index(drop=True)
    copied = twice.geometry.where(twice.index != 2, twice.translate(0, 90))
    twice.set_geometry(copied).to_file(tmp_path / "copied.gpkg", layer=layer)

    with init_town(tmp_path / "town", name="他处", crs=CRS) as other:
        delivered(other, tmp_path / "copied.gpkg")
        features = other.store.features(FeatureQuery(layer))

    assert sorted(features.index) == [f"{layer}.{number}" for number in (1, 2, 3, 4)]
    assert set(features["valid_from"]) <= set(town.store.features(FeatureQuery(layer))["valid_from"]), (
        "they began when they began"
    )
