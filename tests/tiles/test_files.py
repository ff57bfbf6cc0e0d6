"""Exports of every ending, read again with GDAL: the same features, values and places; whole or not at all."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from ingest.draft import Draft
from tiles.encodings.files import ENDINGS, write_frames
from twin_model.changeset import Source
from twin_model.crs import transform_geometries
from twin_model.errors import QueryRefused
from twin_model.store.base import FeatureQuery
from twin_model.store.frames import records_of
from twin_model.town import Town, init_town
from twin_model.versioning import commit

EAST, NORTH = 618_000.0, 3_886_000.0
SYSTEMS = ("EPSG:4548", "OGC:CRS84", "EPSG:4490", "EPSG:4527")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Seven houses with gaps of every kind, the last without geometry, and three pipes with heights."""
    x = EAST + 20.123 * np.arange(7)
    shapes = np.array([*shapely.box(x, NORTH, x + 12.345, NORTH + 9.876)[:6], None], dtype=object)
    houses = gpd.GeoDataFrame(
        {
            "name": ["一号楼", "a,b", '引"号', None, "换\n行", "", "六"],
            "storeys": [1, None, 3, 4, 5, 6, 7],
            "height": [3.0, np.nan, 9.25, 12.0, 15.0, 18.0, 0.1 + 0.2],
            "built": ["2019-07", "2020-05", None, "2021-01-01", None, None, None],
            "floor_area_estimate": [1.5, None, 2.5, 3.5, 4.5, 5.5, 6.5],
        },
        geometry=shapes,
        crs="EPSG:4548",
    )
    pipes = gpd.GeoDataFrame(
        {"segment_key": ["1-2", "2-3", "3-4"], "class": ["JS", "PS", "PS"], "width_mm": [300.0, 600.0, None]},
        geometry=[
            shapely.LineString([(EAST + n, NORTH, 60.5 - n), (EAST + n + 30, NORTH + 5, 60.25 - n)]) for n in range(3)
        ],
        crs="EPSG:4548",
    )
    with init_town(tmp_path_factory.mktemp("town"), name="小城", crs="EPSG:4548") as made:
        source = Source("test", "0" * 64)
        with Draft(source, made.catalogue, storage_crs=made.store.crs, effective="2024-01-01T00:00:00.000Z") as draft:
            draft.add("building", houses)
            draft.add("pipe_line", pipes)
            commit(made.store, draft.to_changeset(author="tester", reason="test"))
        yield made


def export(town: Town, layer: str, file: Path, crs: str, *, rows: int = 3) -> gpd.GeoDataFrame:
    """Export in frames of three rows and return what was to be written, moved by the house itself."""
    query = FeatureQuery(layer)
    written = write_frames(town.store.frames(query, rows), town.catalogue[layer], file, crs=crs)
    frame = town.store.features(query)
    assert written == len(frame)
    return frame.set_geometry(
        gpd.GeoSeries(transform_geometries(frame.geometry.to_numpy(), town.store.crs, crs), index=frame.index)
    )


def read(path: Path) -> gpd.GeoDataFrame:
    """Return what GDAL, or for Parquet pyarrow, reads."""
    return gpd.read_parquet(path) if path.suffix == ".parquet" else pyogrio.read_dataframe(path, encoding="utf-8")


def same_places(a: gpd.GeoSeries, b: gpd.GeoSeries, tolerance: float) -> bool:
    """Say whether two columns hold the same shapes; a shapefile knows no difference between one part and many."""
    assert a.isna().tolist() == b.isna().tolist()
    first, second = (_multi(one.to_numpy()[one.notna().to_numpy()]) for one in (a, b))
    assert (shapely.has_z(first) == shapely.has_z(second)).all()
    return bool(shapely.equals_exact(first, second, tolerance).all())


def _multi(shapes: np.ndarray) -> np.ndarray:
    areas = shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON
    lifted = np.array(shapes, dtype=object)
    lifted[areas] = [shapely.MultiPolygon([one]) for one in shapes[areas]]
    return shapely.normalize(lifted)


def plain(values: pd.Series) -> list[object]:
    """Values as texts and numbers whatever their column was read as."""
    if values.name in {"valid_from", "valid_to"}:
        return (
            pd.to_datetime(values, utc=True, format="ISO8601").tolist()
            if values.notna().any()
            else [None] * len(values)
        )
    return [
        None if pd.isna(v) else round(float(v), 9) if isinstance(v, int | float | np.number) else str(v) for v in values
    ]


@pytest.mark.parametrize("crs", SYSTEMS)
@pytest.mark.parametrize("layer", ["building", "pipe_line"])
@pytest.mark.parametrize("ending", [one for one in ENDINGS if one not in (".csv", ".xlsx")])
def test_every_ending_is_read_again_as_it_was(town: Town, tmp_path: Path, ending: str, layer: str, crs: str) -> None:
    frame = export(town, layer, tmp_path / f"out{ending}", crs)

    again = read(tmp_path / f"out{ending}").sort_values("id", ignore_index=True)

    frame = frame.sort_index()
    degrees = crs in {"OGC:CRS84", "EPSG:4490"}
    assert again["id"].tolist() == frame.index.tolist()
    assert again.crs.to_epsg() in ({4326, 4979} if crs == "OGC:CRS84" else {int(crs.removeprefix("EPSG:"))})
    assert same_places(again.geometry, frame.geometry, 1.1e-8 if degrees else 6e-4)
    for name in frame.columns.drop(["geometry", "fid"]):
        short = name[:10] if ending == ".shp" else name
        assert plain(again[short]) == plain(frame[name]), name


@pytest.mark.parametrize("crs", SYSTEMS)
def test_a_table_keeps_its_geometry_to_the_millimetre(town: Town, tmp_path: Path, crs: str) -> None:
    frame = export(town, "building", tmp_path / "out.csv", crs)

    again = pd.read_csv(tmp_path / "out.csv", encoding="utf-8-sig")

    shapes = gpd.GeoSeries([None if pd.isna(one) else shapely.from_wkt(one) for one in again["wkt"]])
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert again["id"].tolist() == frame.index.tolist()
    assert plain(again["name"]) == plain(frame["name"])
    assert plain(again["height"]) == plain(frame["height"])
    assert same_places(
        shapes, frame.geometry.reset_index(drop=True), 1e-8 if crs in {"OGC:CRS84", "EPSG:4490"} else 6e-4
    )


def test_ogrinfo_reads_the_geopackage_without_a_word_of_warning(town: Town, tmp_path: Path, ogrinfo: str) -> None:
    export(town, "building", tmp_path / "out.gpkg", "EPSG:4548")

    told = subprocess.run(
        [ogrinfo, "-so", str(tmp_path / "out.gpkg"), "building"], capture_output=True, text=True, check=True
    )

    assert "Feature Count: 7" in told.stdout
    assert "Geometry: Multi Polygon" in told.stdout
    assert "Warning" not in told.stdout + told.stderr


def test_geojson_in_longitude_and_latitude_is_that_of_the_rfc_and_another_says_its_system(
    town: Town, tmp_path: Path
) -> None:
    export(town, "building", tmp_path / "rfc.geojson", "OGC:CRS84")
    export(town, "building", tmp_path / "town.geojson", "EPSG:4548")

    assert '"crs"' not in (tmp_path / "rfc.geojson").read_text("utf-8")
    assert "urn:ogc:def:crs:EPSG::4548" in (tmp_path / "town.geojson").read_text("utf-8")


def test_geojson_of_nothing_is_an_empty_collection(town: Town, tmp_path: Path) -> None:
    written = write_frames(iter([]), town.catalogue["building"], tmp_path / "out.geojson", crs="OGC:CRS84")

    assert written == 0
    assert pyogrio.read_dataframe(tmp_path / "out.geojson").empty


def test_an_export_that_breaks_off_leaves_the_file_that_was_there(town: Town, tmp_path: Path) -> None:
    (tmp_path / "out.geojson").write_text("old", "utf-8")

    def breaking() -> Iterator[gpd.GeoDataFrame]:
        yield town.store.features(FeatureQuery("building"))
        raise OSError("the disk was pulled out")

    with pytest.raises(OSError, match="pulled out"):
        write_frames(breaking(), town.catalogue["building"], tmp_path / "out.geojson", crs="OGC:CRS84")

    assert [one.name for one in tmp_path.iterdir()] == ["out.geojson"]
    assert (tmp_path / "out.geojson").read_text("utf-8") == "old"


def test_an_ending_nobody_knows_is_refused_with_those_that_are(town: Town, tmp_path: Path) -> None:
    with pytest.raises(QueryRefused, match=r"'.dwg' is not offered here. Offered: .csv, .fgb, .geojson"):
        write_frames(iter([]), town.catalogue["building"], tmp_path / "out.dwg", crs="EPSG:4548")


def test_names_cut_to_ten_bytes_stay_different(town: Town, tmp_path: Path) -> None:
    export(town, "pipe_line", tmp_path / "out.shp", "EPSG:4548")

    names = pyogrio.read_info(tmp_path / "out.shp")["fields"].tolist()

    assert len(set(names)) == len(names)
    assert all(len(name.encode()) <= 10 for name in names)


def test_what_is_not_known_is_none_in_records_whatever_the_type_of_the_column() -> None:
    columns = {
        "text": np.array(["a", None], dtype=object),
        "number": np.array([1.5, np.nan]),
        "integer": pd.array([1, None], dtype="Int64"),
        "boolean": pd.array([True, None], dtype="boolean"),
        "moment": pd.to_datetime(["2024-01-01", None]),
        "list": pd.Series([[1, None], None], dtype=object),
        "nothing": np.array([None, None], dtype=object),
    }
    frame = gpd.GeoDataFrame(columns, geometry=[shapely.Point(1, 2), None], crs="EPSG:4548")

    present, absent = records_of(frame)

    assert present == {"text": "a", "number": 1.5, "integer": 1, "boolean": True, "moment": pd.Timestamp("2024-01-01"), "list": [1, None], "nothing": None}  # fmt: skip
    assert absent == dict.fromkeys(columns)
    assert records_of(frame[:0]) == []
