"""Making a frame fit its layer: what is repaired is as large as it should be, what is set aside is kept as read."""

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.fitting import Fitted, Fitting
from twin_model.catalogue import read_catalogue
from twin_model.rows.coordinate_runs import read_runs
from twin_model.rows.packed_wkb import PackedWkb

CRS = "EPSG:4548"
EAST, NORTH = 618_600.0, 3_885_800.0
CATALOGUE = read_catalogue()


def fitted(layer: str, shapes: list[Any], crs: str = CRS, **columns: list[Any]) -> Fitted:
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs=crs)
    return Fitting(CATALOGUE, CRS, "Asia/Shanghai").fit(CATALOGUE[layer], frame)


def at(*pairs: tuple[float, float]) -> list[tuple[float, float]]:
    return [(EAST + x, NORTH + y) for x, y in pairs]


points = st.tuples(st.integers(0, 20), st.integers(0, 20))


@settings(max_examples=60, deadline=None)
@given(st.lists(points, min_size=3, max_size=9, unique=True))
def test_whatever_ring_is_drawn_it_is_stored_valid_with_the_area_it_encloses_or_set_aside(
    ring: list[tuple[int, int]],
) -> None:
    drawn = shapely.Polygon(at(*ring))

    result = fitted("building", [drawn])

    assert len(result.rows) + result.quarantined == 1
    if len(result.rows):
        stored = result.rows.geometry()[0]
        assert stored.is_valid
        assert stored.area == pytest.approx(shapely.make_valid(drawn).area, abs=1e-6)
        assert bool(result.findings) == (not drawn.is_valid)
    else:
        assert drawn.area == 0
        assert result.findings[0].raw is not None


def test_an_area_meant_for_a_layer_of_lines_is_of_the_wrong_type_not_beyond_repair() -> None:
    result = fitted("road_line", [shapely.Polygon(at((0, 0), (10, 10), (10, 0), (0, 10)))])

    assert [one.rule for one in result.findings] == ["geometry.wrong_type"]


def test_a_collection_keeps_the_parts_of_its_layer_and_names_the_others() -> None:
    collection = shapely.GeometryCollection(
        [
            shapely.box(*at((0, 0))[0], *at((10, 10))[0]),
            shapely.Point(EAST, NORTH),
            shapely.GeometryCollection([shapely.LineString(at((0, 0), (5, 5)))]),
        ]
    )

    areas, lines = fitted("building", [collection]), fitted("road_line", [collection])

    assert areas.rows.geometry()[0].area == pytest.approx(100.0)
    assert lines.rows.geometry()[0].length == pytest.approx(np.hypot(5, 5))
    assert areas.findings[0].values["found"] == ["LineString", "Point"]
    assert "除面外还有线、点" in areas.findings[0].text("zh")


def test_a_collection_without_a_part_for_the_layer_is_set_aside_as_it_was_read() -> None:
    collection = shapely.GeometryCollection([shapely.Point(EAST, NORTH)])

    result = fitted("building", [collection], name=["a"])

    assert (len(result.rows), result.quarantined) == (0, 1)
    assert result.findings[0].rule == "geometry.wrong_type"
    assert result.findings[0].raw == {"name": "a", "geometry": collection.wkt}


def test_parts_of_lines_in_a_collection_are_not_merged() -> None:
    crossing = shapely.GeometryCollection(
        [shapely.LineString(at((0, 0), (10, 10))), shapely.LineString(at((0, 10), (10, 0)))]
    )

    stored = fitted("road_line", [crossing]).rows.geometry()[0]

    assert len(stored.geoms) == 2


def test_a_multi_point_in_a_layer_of_points_is_split_and_each_part_keeps_its_number() -> None:
    result = fitted(
        "pipe_point",
        [shapely.MultiPoint([(EAST, NORTH, 1), (EAST + 1, NORTH, 2)]), shapely.Point(EAST, NORTH + 9, 3)],
        survey_no=["A", "B"],
    )

    assert (result.records, result.quarantined, len(result.rows)) == (2, 0, 3)
    assert [one.split(".", 1)[-1] if one.startswith("A.") else one for one in result.rows.ids] == [
        "A",
        "2",
        "B",
    ]


def test_coordinates_that_no_place_has_in_the_source_system_are_set_aside_unmoved() -> None:
    shapes = [shapely.Point(118.3, 35.1, 5), shapely.Point(118.3, 3_885_800.0, 5)]
    frame = gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=shapes, crs="EPSG:4490")
    fitting = Fitting(CATALOGUE, CRS, "Asia/Shanghai")

    result = fitting.fit(CATALOGUE["control_point"], frame)

    assert (len(result.rows), result.quarantined) == (1, 1)
    (finding,) = fitting.unplaced.findings
    assert finding.rule == "geometry.outside_crs"
    assert finding.raw is not None
    assert "3885800" in finding.raw["records"][0]["geometry"]


def test_a_height_that_is_no_number_leaves_the_feature_flat() -> None:
    result = fitted("contour", [shapely.LineString([(EAST, NORTH, 5), (EAST + 9, NORTH, np.nan)])])

    assert not result.rows.geometry()[0].has_z
    assert [one.rule for one in result.findings] == ["geometry.height_unknown"]


def test_coordinates_outside_the_area_of_use_are_stored_and_said_once_per_source() -> None:
    fitting = Fitting(CATALOGUE, CRS, "Asia/Shanghai")
    frame = gpd.GeoDataFrame({}, geometry=[shapely.Point(1_200_000.0, NORTH)], crs=CRS)

    results = [fitting.fit(CATALOGUE["street_lamp"], frame) for _ in range(2)]

    assert [len(one.rows) for one in results] == [1, 1]
    assert [[f.rule for f in one.findings] for one in results] == [["geometry.outside_area"], []]


def test_a_column_the_layer_has_not_is_a_mistake_of_the_reader() -> None:
    with pytest.raises(ValueError, match=r"no fields \['colour'\]"):
        fitted("building", [shapely.box(EAST, NORTH, EAST + 1, NORTH + 1)], colour=["red"])


def test_an_empty_frame_gives_no_rows_and_no_findings() -> None:
    result = fitted("building", [])

    assert (len(result.rows), result.findings, result.records) == (0, [], 0)


# --- runs beside the frame

degrees = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda p: (118.3 + p[0] / 1000, 35.1 + p[1] / 1000))
strange = st.sampled_from([(np.nan, 35.1), (1e7, 1e7), (np.inf, 35.1)])
places = st.one_of(degrees, degrees, degrees, degrees, degrees, strange)


rings = st.builds(lambda first, *others: shapely.Polygon([first, *others]), degrees, degrees, degrees, places, degrees)
shapes_of = {
    "building": st.one_of(st.lists(degrees, min_size=3, max_size=8).map(shapely.Polygon), rings),
    "road_line": st.lists(places, min_size=2, max_size=5).map(shapely.LineString),
    "street_lamp": places.map(shapely.Point),
}
any_shape = st.one_of(
    st.none(),
    *shapes_of.values(),
    st.just(shapely.MultiPolygon([shapely.box(118.3, 35.1, 118.4, 35.2)])),
    st.lists(degrees, min_size=2, max_size=3).map(shapely.MultiPoint),
    st.just(shapely.Polygon()),
)


@settings(max_examples=120, deadline=None)
@pytest.mark.parametrize("layer", ["building", "road_line", "street_lamp"])
@given(data=st.data())
def test_runs_beside_a_frame_give_the_rows_and_findings_that_geometries_in_it_give(
    layer: str, data: st.DataObject
) -> None:
    shapes = data.draw(st.lists(st.one_of(shapes_of[layer], shapes_of[layer], any_shape), min_size=1, max_size=8))
    numbers = data.draw(st.lists(st.sampled_from(["A", "B", None, ""]), min_size=len(shapes), max_size=len(shapes)))
    wkb = np.array([*shapely.to_wkb(np.array([*shapes, None], dtype=object))], dtype=object)[:-1]
    whole = np.array([*shapely.from_wkb(wkb, on_invalid="fix"), None], dtype=object)[:-1]
    runs = read_runs(PackedWkb.of(wkb), CATALOGUE[layer].dimension)
    beside = whole.copy()
    beside[runs.rows] = None
    columns = {"place": range(len(shapes))} | ({"pole_no": numbers} if layer == "street_lamp" else {"name": numbers})

    frames = [
        gpd.GeoDataFrame(columns, geometry=gpd.array.from_shapely(some), crs="EPSG:4490") for some in (whole, beside)
    ]
    general, fast = (
        Fitting(CATALOGUE, CRS, "Asia/Shanghai").fit(CATALOGUE[layer], frame, some)
        for frame, some in zip(frames, (None, runs), strict=True)
    )

    assert told(fast) == told(general)


def told(result: Fitted) -> Any:
    """Return everything a fitted frame says, in a form that compares NaN with NaN."""
    rows = result.rows
    columns = {name: (str(one.dtype), repr(one.tolist())) for name, one in rows.columns.items()}
    return (rows.ids.tolist(), rows.wkb.tolist(), repr(rows.bounds.tolist()), columns, rows.valid_from.tolist(), rows.valid_precision.tolist(),
            rows.min_zoom.tolist(), rows.content.tolist(), repr(result.findings), result.records, result.quarantined)  # fmt: skip


def test_a_text_that_is_no_json_is_left_out_of_a_field_of_json_and_said() -> None:
    shapes = [shapely.force_3d(shapely.box(EAST + n, NORTH, EAST + n + 1, NORTH + 1)) for n in range(2)]

    result = fitted("bim_element", shapes, global_id=["a", "b"], properties=['{"Pset": {"A": 1}}', "A=1"])

    assert result.rows.columns["properties"].tolist() == ['{"Pset": {"A": 1}}', None]
    assert [(one.rule, one.values["expected"]) for one in result.findings] == [("value.unreadable", "JSON")]
