"""Files nobody here made: every one ends in features and findings that add up, or in a refusal that names it."""

import shutil
import warnings
from pathlib import Path

import pyogrio
import pytest
from vector_readings import DraftContent

from ingest.coordinates import Coordinates
from ingest.draft import Draft, ReadOptions
from ingest.mapping import read_mapping
from ingest.vector.reader import read_vector
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import SourceRefused, TwinError

CATALOGUE = read_catalogue()


def reading(path: Path, storage: str, options: ReadOptions) -> DraftContent:
    # Samples of formats: where they lie is not what is asked.
    anywhere = Coordinates(anywhere=True)
    with Draft(Source(path.name, "0" * 64), CATALOGUE, storage_crs=storage, coordinates=anywhere) as draft:
        read_vector(path, draft, options)
        return DraftContent(draft)


def features_of(path: Path, folder: Path, *, dimension: str) -> int:
    """Return how many rows GDAL itself counts in the layers of a kind of geometry; in a copy, for it writes indexes."""
    for part in path.parent.glob(f"{path.stem}.*"):
        shutil.copyfile(part, folder / part.name)
    path = folder / path.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.set_gdal_config_options({"SHAPE_RESTORE_SHX": "YES" if path.suffix == ".shp" else None})
        layers = [
            name
            for name, kind in pyogrio.list_layers(path)
            if kind is not None and (dimension in kind or kind == "Unknown")
        ]
        return sum(int(pyogrio.read_info(path, layer=one, force_feature_count=True)["features"]) for one in layers)


def assert_adds_up(read: DraftContent) -> None:
    """Every record is stored or set aside, and every one set aside has a finding with its raw content."""
    counts = read.counts
    assert counts.read == counts.stored + counts.quarantined + counts.decoration
    aside = [one for one in read.findings if one.raw is not None]
    assert sum(one.values["count"] if "records" in (one.raw or {}) else 1 for one in aside) == counts.quarantined
    assert all(one.severity == "error" and one.place for one in aside)


FILES = [
    # file, layer named with --as, its geometry, CRS for files without one, storage CRS, set aside, findings
    ("topo/bgt/bgt_pand.sqlite", "building", "Polygon", None, "EPSG:28992", 0, set()),
    ("topo/bgt/bgt_begroeidterreindeel.sqlite", "vegetation_area", "Polygon", None, "EPSG:28992", 0, set()),
    ("topo/bgt/bgt_overbruggingsdeel.sqlite", "road_area", "Polygon", None, "EPSG:28992", 0, set()),
    ("topo/bgt/bgt_waterdeel.sqlite", "water_area", "Polygon", None, "EPSG:28992", 0, set()),
    ("topo/shp/six_counties.shp", "planning_area", "Polygon", None, "EPSG:32618", 0, {"geometry.repaired"}),
    ("topo/shp/nts/AllNulls.shp", "building", "Polygon", "EPSG:28992", "EPSG:28992", 0, {"vector.part_missing"}),
    ("topo/shp/nts/Sept_polygones.shp", "building", "Polygon", "EPSG:4326", "EPSG:32618", 0, {"vector.encoding_assumed", "vector.part_missing"}),
    ("topo/shp/nts/afvalbakken.shp", "building", "Polygon", "EPSG:28992", "EPSG:28992", 0, {"vector.part_missing"}),
    ("topo/shp/nts/crustal_test.shp", "land_use", "Polygon", "EPSG:32632", "EPSG:32632", 0, {"identity.missing", "vector.part_missing"}),
    ("topo/shp/nts/point_ed50_geo.shp", "control_point", "Point", "EPSG:4326", "EPSG:32631", 0, {"vector.part_missing"}),
    ("topo/shp/nts/tnp_pol.shp", "building", "Polygon", "EPSG:32631", "EPSG:32631", 0, {"vector.part_missing"}),
    ("topo/shp/nts/with_M.shp", "road_line", "LineString", "EPSG:4326", "EPSG:32615", 0, {"vector.part_missing"}),
    ("topo/shp/shapelib/anno.shp", "building", "Polygon", "EPSG:32616", "EPSG:32616", 0, {"geometry.repaired"}),
    ("topo/shp/shapelib/brklinz.shp", "contour", "LineString", "EPSG:32615", "EPSG:32615", 0, set()),
    ("topo/shp/shapelib/csah.shp", "road_line", "LineString", "EPSG:26915", "EPSG:26915", 1, {"geometry.missing", "vector.line_without_length"}),
    ("topo/shp/shapelib/masspntz.shp", "spot_height", "Point", "EPSG:32615", "EPSG:32615", 0, set()),
    ("topo/shp/shapelib/mpatch3.shp", "building", "Polygon", "EPSG:3006", "EPSG:3006", 0, {"geometry.repaired", "vector.encoding_assumed"}),
    ("gpkg/bentiu_southsudan-osm-20170213.gpkg", "building", "Polygon", None, "EPSG:32636", 2, {"geometry.beyond_repair", "vector.layer_left_out"}),
    ("gpkg/bentiu_southsudan-osm-20170213.gpkg", "road_line", "LineString", None, "EPSG:32636", 0, {"vector.layer_left_out"}),
    ("gpkg/curve.gpkg", "road_line", "LineString", None, "EPSG:32614", 0, set()),
    ("gpkg/line_zm.gpkg", "contour", "LineString", None, "EPSG:32614", 0, set()),
    ("gpkg/null_geometry.gpkg", "building", "Polygon", None, "EPSG:32631", 0, {"geometry.missing", "vector.layer_left_out"}),
    ("gpkg/null_geometry.gpkg", "street_lamp", "Point", None, "EPSG:32631", 0, {"geometry.missing", "vector.layer_left_out"}),
    ("gpkg/simple_sewer_features.gpkg", "water_line", "LineString", None, "EPSG:27700", 0, {"vector.layer_left_out"}),
    ("gpkg/simple_sewer_features.gpkg", "control_point", "Point", None, "EPSG:27700", 0, {"vector.layer_left_out"}),
    ("gpkg/test_gpkg_nulls.gpkg", "street_lamp", "Point", None, "EPSG:32631", 0, set()),
    ("gpkg/v12_bad_attributes.gpkg", "road_line", "LineString", None, "EPSG:32631", 0, {"geometry.missing", "vector.table_left_out"}),
]  # fmt: skip
_ELSEWHERE = {"geometry.outside_area", "value.unreadable", "attributes.kept"}
"""Where somebody else's file lies, which fields it has, and what is written in them, says nothing about the reader."""


@pytest.mark.parametrize(("file", "layer", "dimension", "crs", "storage", "aside", "rules"), FILES)
def test_every_row_that_gdal_counts_is_stored_or_set_aside_with_its_reason(
    file: str,
    layer: str,
    dimension: str,
    crs: str | None,
    storage: str,
    aside: int,
    rules: set[str],
    realdata: Path,
    tmp_path: Path,
) -> None:
    path = realdata / file
    delivered = {one.name: one.stat().st_mtime_ns for one in path.parent.iterdir()}

    read = reading(path, storage, ReadOptions(kind=layer, crs=crs))

    assert read.counts.read == features_of(path, tmp_path, dimension=dimension)
    assert read.counts.quarantined == aside
    assert set(read.rules) - _ELSEWHERE == rules
    assert_adds_up(read)
    assert {one.name: one.stat().st_mtime_ns for one in path.parent.iterdir()} == delivered


@pytest.mark.parametrize(
    ("file", "layer", "crs", "fitting"),
    [
        ("topo/shp/nts/afvalbakken.shp", "facility", "EPSG:28992", "building"),
        ("topo/shp/nts/crustal_test.shp", "boundary", "EPSG:32632", "water_area"),
    ],
)
def test_areas_named_as_points_or_lines_are_refused_with_layers_of_areas(
    file: str, layer: str, crs: str, fitting: str, realdata: Path
) -> None:
    with pytest.raises(SourceRefused) as refusal:
        reading(realdata / file, crs, ReadOptions(kind=layer, crs=crs))

    assert refusal.value.rule_id == "vector.wrong_geometry"
    assert fitting in refusal.value.text("en")


@pytest.mark.parametrize("name", ["gdal_sample", "gdal_sample_view"])
def test_a_geopackage_with_a_layer_of_any_geometry_and_heights_is_read_whole(
    name: str, realdata: Path, tmp_path: Path
) -> None:
    path = realdata / "gpkg" / f"{name}.gpkg"
    toml = tmp_path / "sample.toml"
    toml.write_text(
        'crs = "EPSG:32631"\n[[layer]]\nfrom = "*polygon*"\nto = "building"\n[[layer]]\nfrom = "*linestring*"\nto = "road_line"\n'
        '[[layer]]\nfrom = ["*point*"]\nto = "annotation"\n[[layer]]\nfrom = "geometry3d"\nto = "contour"\n',
        "utf-8",
    )

    read = reading(path, "EPSG:32631", ReadOptions(mapping=read_mapping(toml)))

    assert_adds_up(read)
    assert not [one for one in read.findings if one.rule == "vector.layer_unreadable"]
    left_out = {one.values["source_layer"] for one in read.findings if one.rule == "vector.layer_left_out"}
    assert {"geomcollection2d", "geometry2d", "geomcollection3d"} <= left_out
    misfits = [one for one in read.findings if one.rule == "geometry.wrong_type" and one.layer == "contour"]
    assert [one.place for one in misfits] == [f"geometry3d fid {n}" for n in (1, 3, 4, 6)]
    assert read.counts.features["contour"] >= 4
    assert read.counts.features["building"] == sum(
        2 for layer in ("polygon2d", "multipolygon2d", "polygon3d", "multipolygon3d") if layer
    )


@pytest.mark.parametrize("name", ["gdal_sample", "gdal_sample_view"])
def test_layers_of_a_geopackage_without_a_system_are_left_out_by_name_until_one_is_named(
    name: str, realdata: Path
) -> None:
    """One layer of the file has a system, and comes in."""
    path = realdata / "gpkg" / f"{name}.gpkg"

    read = reading(path, "EPSG:32631", ReadOptions(kind="building"))

    without = {one.values["source_layer"] for one in read.findings if one.rule == "vector.layer_without_crs"}
    assert {"polygon3d", "multipolygon2d", "multipolygon3d"} <= without
    assert read.counts.features["building"] == 2 and all(
        "--crs" in one.text("en") for one in read.findings if one.rule == "vector.layer_without_crs"
    )


@pytest.mark.parametrize(
    ("name", "rule"),
    [("elevation", "vector.only_rasters"), ("uint16", "vector.only_rasters"), ("empty", "source.empty")],
)
def test_a_geopackage_without_features_is_refused_for_what_it_holds(name: str, rule: str, realdata: Path) -> None:
    with pytest.raises(SourceRefused) as refusal:
        reading(realdata / "gpkg" / f"{name}.gpkg", "EPSG:4548", ReadOptions(kind="building"))

    assert refusal.value.rule_id == rule
    assert f"{name}.gpkg" in refusal.value.text("en")


TEXTS = [
    ("gbk.dbf", None, "简体国语"),
    ("utf8.dbf", None, "语國語"),
    ("big5.dbf", "big5", "繁體國語"),
    ("cpg/big5.dbf", None, "繁體國語"),
    ("cpg/shiftjis.dbf", None, "カタカナひらがな"),
    ("cpg/win1251.dbf", None, "РУССКИЙ"),
    ("ldid/chinese.dbf", None, "简体"),
]


@pytest.mark.parametrize(("table", "encoding", "text"), TEXTS)
def test_the_text_of_a_table_is_read_in_its_own_encoding(
    table: str, encoding: str | None, text: str, realdata: Path, tmp_path: Path
) -> None:
    shp = realdata / "topo" / "shp" / "cpg" / "big5.shp"
    dbf = realdata / "topo" / "shp" / table
    for source, suffix in (
        (shp, ".shp"),
        (shp.with_suffix(".shx"), ".shx"),
        (dbf, ".dbf"),
        (dbf.with_suffix(".cpg"), ".cpg"),
    ):
        if source.exists():
            shutil.copy(source, tmp_path / f"annotation{suffix}")

    read = reading(
        tmp_path / "annotation.shp",
        "EPSG:4548",
        ReadOptions(kind="control_point", crs="EPSG:4548", encoding=encoding),
    )

    stored = read.frames[0][1]["name"].tolist()
    assert len(stored) == 1
    assert text[-2:] in stored[0]
    assert "\ufffd" not in stored[0]


def _geojson(realdata: Path) -> list[Path]:
    return sorted((realdata / "bad" / "geojson").rglob("*.geojson"))


@pytest.mark.parametrize("layer", ["building", "control_point", "road_line"])
def test_every_geojson_of_the_lint_corpus_adds_up_or_is_refused_by_name(layer: str, realdata: Path) -> None:
    """GDAL takes some of them for other than they are; what it gives is counted, what it refuses is said in our words."""
    told: dict[str, str] = {}
    for path in _geojson(realdata):
        try:
            read = reading(path, "EPSG:3857", ReadOptions(kind=layer))
        except TwinError as refusal:
            assert isinstance(refusal, SourceRefused), path.name
            assert path.name in refusal.text("en")
            assert path.name in refusal.text("zh")
            assert "DRIVER" not in refusal.text("en")
            told[path.stem] = refusal.rule_id
        else:
            assert_adds_up(read)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert read.counts.read == int(pyogrio.read_info(path, force_feature_count=True)["features"]), path.name
            told[path.stem] = "read"
    assert told["bad-json"] == told["point-string"] == "source.unreadable"
    assert told["stringcoord"] == "read", "one wrong row does not drop the other"
    assert told["rootstring"] == told["unknowntype"] == "vector.not_recognised"
    assert told["badfeature"] == told["nofeaturetype"] == "source.empty"
    assert {told[name] for name in told if name.startswith("good-")} == {"read", "vector.wrong_geometry"}


def test_a_line_of_one_point_and_a_ring_left_open_end_aside_and_closed(realdata: Path) -> None:
    folder = realdata / "bad" / "geojson" / "bad"

    short = reading(folder / "short-line.geojson", "EPSG:3857", ReadOptions(kind="road_line"))
    ring = reading(folder / "different-first-last.geojson", "EPSG:3857", ReadOptions(kind="building"))

    assert set(short.rules) == {"vector.geometry_unreadable"}
    stored = ring.frames[0][1].geometry.iloc[0]
    assert stored.is_valid
    assert stored.area > 0
