"""Finding sources and their kind: by content, in folders, with the files that belong together."""

import shutil
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from ingest.draft import ReadOptions
from ingest.readers import ensure_kind, files_of, find_sources, identify, reader_of
from twin_model.catalogue import read_catalogue
from twin_model.errors import CalledWrongly, SourceRefused


@pytest.fixture
def shapefile(tmp_path: Path) -> Path:
    path = tmp_path / "道路 [1].shp"
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(1, 2)], crs=4548).to_file(path, engine="pyogrio")
    return path


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("topo/1000/3885.0-618.0.dxf", "dxf"),
        ("planning/new_town_plan.gpkg", "vector"),
        ("topo/shp/路灯.shp", "vector"),
        ("survey/YSPOINT.csv", "survey"),
        ("survey/JS给水管线.xlsx", "survey"),
        ("ifc/hsr_station.ifc", "ifc"),
    ],
)
def test_a_source_is_recognised_by_content_whatever_it_is_called(
    file: str, kind: str, samples: Path, tmp_path: Path
) -> None:
    source = samples / file
    renamed = tmp_path / (source.name if kind in ("survey", "vector") else "delivery.bin")
    shutil.copy(source, renamed)

    assert reader_of(renamed, ReadOptions()).name == kind


def test_what_no_reader_knows_is_refused_with_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir")

    with pytest.raises(SourceRefused, match=r"not in a format that can be read.*Dear Sir"):
        reader_of(path, ReadOptions())


def test_all_parts_of_a_shapefile_make_its_hash(shapefile: Path) -> None:
    reader = reader_of(shapefile, ReadOptions())
    before = identify(shapefile, reader).sha256

    shapefile.with_suffix(".prj").write_text("changed")

    assert {one.suffix for one in files_of(shapefile, reader)} == {".shp", ".dbf", ".shx", ".prj", ".cpg"}
    assert identify(shapefile, reader).sha256 != before


def test_a_folder_gives_its_sources_and_no_companions_or_hidden_files(shapefile: Path, tmp_path: Path) -> None:
    (tmp_path / ".hidden.geojson").write_text("{}")
    (tmp_path / "notes.txt").write_text("notes")

    assert find_sources(tmp_path) == [shapefile]


def test_an_upper_case_suffix_is_found_in_a_folder(shapefile: Path, tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    for one in tmp_path.glob("道路*"):
        shutil.copy(one, upper / f"道路{one.suffix.upper()}")

    assert [one.name for one in find_sources(upper)] == ["道路.SHP"]


def test_point_and_line_tables_of_one_survey_are_one_source(samples: Path, tmp_path: Path) -> None:
    for name in ("YSPOINT.csv", "YSLINE.csv"):
        shutil.copy(samples / "survey" / name, tmp_path / name)

    found = find_sources(tmp_path)

    assert len(found) == 1
    assert {one.name for one in files_of(found[0])} == {"YSPOINT.csv", "YSLINE.csv"}


def test_a_path_that_is_not_there_is_a_wrong_call_and_an_empty_folder_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(CalledWrongly, match="There is no file"):
        find_sources(tmp_path / "nowhere")
    with pytest.raises(SourceRefused, match="contains no file that can be read"):
        find_sources(tmp_path)


def test_an_as_that_means_nothing_names_the_nearest_layers_and_each_kind_once() -> None:
    with pytest.raises(CalledWrongly, match="nearest layers: building") as refusal:
        ensure_kind("bilding", read_catalogue())

    kinds = refusal.value.values["kinds"]
    assert len(kinds) == len(set(kinds))
