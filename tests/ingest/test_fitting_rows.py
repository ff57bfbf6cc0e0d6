"""The rows of a frame while they are fitted: what is noticed names its place, and what is set aside is kept as it was read."""

from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from ingest.fitting_rows import FittingRows, raw_record
from twin_model.catalogue import read_catalogue
from twin_model.rows.coordinate_runs import no_runs, read_runs
from twin_model.rows.packed_wkb import PackedWkb

CRS = "EPSG:4548"
LAYER = read_catalogue()["building"]
SQUARE = shapely.box(0, 0, 2, 2)


def rows_of(shapes: list[Any], **columns: list[Any]) -> FittingRows:
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs=CRS)
    geometry, runs = np.array([*shapes, None], dtype=object)[:-1], no_runs(LAYER.dimension)
    return FittingRows(LAYER, frame, geometry, np.ones(len(shapes), dtype=bool), CRS, runs, runs)


def test_a_row_is_named_by_the_place_its_reader_gave_or_by_its_number() -> None:
    placed, plain = rows_of([SQUARE] * 2, place=[7, 9]), rows_of([SQUARE] * 2)
    placed.frame.attrs["place"] = "line {}"

    assert [rows.place(1) for rows in (placed, plain)] == ["line 9", "row 1"]


def test_a_row_is_set_aside_once_with_its_record_and_a_report_keeps_it() -> None:
    work = rows_of([SQUARE, SQUARE], name=["a", "b"])

    work.report("value.unreadable", [0], value=lambda row: work.frame["name"][row])
    for _ in range(2):
        work.set_aside("identity.duplicate", np.array([False, True]), id=lambda row: work.frame["name"][row])

    assert work.keep.tolist() == [True, False]
    assert [(finding.rule, finding.severity, finding.raw) for finding in work.findings] == [
        ("value.unreadable", "warning", None),
        ("identity.duplicate", "error", {"name": "b", "geometry": SQUARE.wkt}),
    ]


def test_a_finding_has_a_point_from_when_the_rows_are_in_the_storage_crs() -> None:
    work = rows_of([SQUARE])

    work.report("geometry.repaired", [0])
    work.moved = True
    work.report("geometry.repaired", [0])

    assert [finding.point for finding in work.findings] == [None, (1.0, 1.0)]


def test_a_geometry_beside_the_frame_is_in_the_record_as_it_was_read() -> None:
    wkb = np.array([shapely.to_wkb(SQUARE), None], dtype=object)[:-1]
    runs = read_runs(PackedWkb.of(wkb), LAYER.dimension)
    frame = gpd.GeoDataFrame({"name": ["a"]}, geometry=[None], crs=CRS)

    work = FittingRows(LAYER, frame, np.array([None], dtype=object), np.ones(1, dtype=bool), CRS, runs, runs)

    assert shapely.from_wkt(work.record(0)["geometry"]).equals(SQUARE)


def test_a_raw_record_holds_plain_values_of_json() -> None:
    record = {"geometry": SQUARE, "none": float("nan"), "number": 3, "list": ["a"]}

    assert raw_record(record) == {"geometry": SQUARE.wkt, "none": None, "number": 3, "list": "['a']"}
