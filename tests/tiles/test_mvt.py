"""Vector tiles, read back with mapbox_vector_tile and compared with what went in."""

import datetime
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import mapbox_vector_tile
import numpy as np
import pandas as pd
import pytest
import shapely
from drawn_examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from mapbox_vector_tile.Mapbox import vector_tile_pb2
from numpy.typing import NDArray
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from tiles.grid import tile_matrix_set
from tiles.mvt import EncodedLayer, encode_layer, encode_tile

BOUNDS = (1000.0, 2000.0, 1000.0 + 4096.0, 2000.0 + 4096.0)
"""One tile unit is one metre, so that distances in a test are tile units."""

offsets = st.floats(0, 4096)
places = st.tuples(offsets, offsets)


def array(*geometries: BaseGeometry | None) -> NDArray[np.object_]:
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


def on_map(geometry: BaseGeometry) -> BaseGeometry:
    """Return tile coordinates (origin top left, y down) as the map's."""
    return shapely.transform(geometry, lambda xy: np.column_stack((1000 + xy[:, 0], 6096 - xy[:, 1])))


def spots(count: int) -> NDArray[np.object_]:
    """Return that many points at one place, where only ids and properties matter."""
    return array(*[shapely.Point(2500, 2500)] * count)


def layer_of(encoded: EncodedLayer, name: str = "layer") -> dict[str, Any]:
    tile = mapbox_vector_tile.decode(encode_tile([encoded.data]), default_options={"y_coord_down": True})
    layer: dict[str, Any] = tile[name]
    return layer


def decoded(*geometries: BaseGeometry | None, **options: Any) -> list[BaseGeometry]:
    """Return the geometries after encoding and decoding, in tile coordinates."""
    encoded = encode_layer("layer", array(*geometries), BOUNDS, **options)
    return [shape(feature["geometry"]) for feature in layer_of(encoded)["features"]]


def messages(encoded: EncodedLayer) -> Any:
    """Return the protobuf Layer message itself."""
    tile = vector_tile_pb2.tile()
    tile.ParseFromString(encode_tile([encoded.data]))
    return tile.layers[0]


def signed_area(ring: Any) -> float:
    """Return the area by the surveyor's formula of the specification, in tile coordinates."""
    x, y = np.asarray(ring.coords).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def polygons(geometry: BaseGeometry) -> list[Any]:
    return list(shapely.get_parts(geometry))


@st.composite
def stars(draw: st.DrawFn, min_radius: float = 20.0) -> shapely.Polygon:
    """Return a star-shaped polygon, sometimes with a hole, sometimes wound the other way."""
    # From five on no two neighbours lie 180 degrees apart, so the rings cannot cross.
    count = draw(st.integers(5, 40))
    x, y = draw(places)
    turns = np.sort(np.array(draw(st.lists(st.floats(0, 0.9), min_size=count, max_size=count))))
    angles = 2 * np.pi * (np.arange(count) + turns) / count
    radii = np.array(draw(st.lists(st.floats(min_radius, 600), min_size=count, max_size=count)))
    rays = np.column_stack((np.cos(angles), np.sin(angles)))
    shell = rays * radii[:, None] + (1000 + x, 2000 + y)
    hole = rays * radii[:, None] * 0.5 + (1000 + x, 2000 + y)
    polygon = shapely.Polygon(shell, [hole] if draw(st.booleans()) else [])
    return shapely.reverse(polygon) if draw(st.booleans()) else polygon


# --------------------------------------------------------------------------------------------- geometry


@given(st.lists(places, min_size=1, max_size=30))
def test_points_come_back_at_the_nearest_grid_place(where: list[tuple[float, float]]) -> None:
    back = decoded(*[shapely.Point(1000 + x, 2000 + y, 77.0) for x, y in where])

    assert [tuple(point.coords[0]) for point in back] == [
        (np.rint((1000 + x) - 1000), np.rint(6096 - (2000 + y))) for x, y in where
    ]


@given(st.lists(places, min_size=2, max_size=30))
def test_multi_points_come_back_without_repetitions(where: list[tuple[float, float]]) -> None:
    sent = shapely.MultiPoint([(1000 + x, 2000 + y) for x, y in where])

    back = decoded(sent, sent)

    grid = {(np.rint((1000 + x) - 1000), np.rint(6096 - (2000 + y))) for x, y in where}
    for geometry in back:
        assert len(polygons(geometry)) == len(grid)
        assert {tuple(point.coords[0]) for point in polygons(geometry)} == grid


@given(st.lists(places, min_size=2, max_size=60), st.booleans())
def test_lines_come_back_within_what_rounding_and_simplification_may_move(
    where: list[tuple[float, float]], simplify: bool
) -> None:
    line = shapely.LineString([(1000 + x, 2000 + y) for x, y in where])
    tolerance = math.sqrt(0.5) + (0.5 if simplify else 0.0) + 1e-6

    encoded = encode_layer("layer", array(line), BOUNDS, simplify=simplify)

    if not encoded.features:
        assert shapely.length(shapely.envelope(line)) <= 4 * math.sqrt(2)
        return
    back = on_map(shape(layer_of(encoded)["features"][0]["geometry"]))
    assert shapely.hausdorff_distance(line, back) <= tolerance
    assert len(shapely.get_coordinates(back)) <= len(where)


def test_a_line_that_runs_back_along_itself_keeps_its_turning_point() -> None:
    line = shapely.LineString([(1100, 2100), (1200, 2100), (1300, 2100), (1150, 2100)])

    (back,) = decoded(line)

    assert shapely.get_coordinates(on_map(back)).tolist() == [[1100, 2100], [1300, 2100], [1150, 2100]]


@examples(60, proof=300)
@given(stars())
def test_polygons_with_holes_come_back_valid_and_with_their_area(polygon: shapely.Polygon) -> None:
    inside = shapely.intersection(polygon, shapely.box(936, 1936, 5160, 6160))

    (back,) = decoded(polygon)

    assert shapely.is_valid(back)
    lost = shapely.area(shapely.symmetric_difference(on_map(back), inside))
    # Half a unit of simplification and 0.71 of rounding along the outline, and both once more at each corner.
    assert lost <= 1.3 * shapely.length(inside) + 4 * shapely.get_num_coordinates(inside)


@given(st.lists(stars(), min_size=1, max_size=5))
def test_exterior_rings_have_positive_and_holes_negative_area(stars: list[shapely.Polygon]) -> None:
    rows = decoded(shapely.union_all(stars), *stars)

    for polygon in [part for row in rows for part in polygons(row)]:
        assert signed_area(polygon.exterior) > 0
        assert all(signed_area(hole) < 0 for hole in polygon.interiors)


@given(st.lists(stars(), min_size=1, max_size=8))
def test_the_commands_follow_the_grammar_of_the_specification(stars: list[shapely.Polygon]) -> None:
    layer = messages(encode_layer("layer", array(*stars), BOUNDS))

    for feature in layer.features:
        integers = list(feature.geometry)
        while integers:
            assert integers[0] == 9  # MoveTo, once
            assert integers[3] & 7 == 2  # LineTo
            count = integers[3] >> 3
            assert count >= 2
            steps = integers[4 : 4 + 2 * count]
            assert (0, 0) not in zip(steps[::2], steps[1::2], strict=True)
            assert integers[4 + 2 * count] == 15  # ClosePath
            integers = integers[5 + 2 * count :]


@pytest.mark.filterwarnings("ignore:.*shapely.ops.transform:DeprecationWarning")
def test_buildings_have_the_vertices_that_the_reference_encoder_gives_them() -> None:
    random = np.random.default_rng(3)
    corner = random.uniform(100, 3900, (500, 2)) + np.array([1000, 2000])
    size = random.uniform(5, 60, (500, 2))
    houses = shapely.box(corner[:, 0], corner[:, 1], corner[:, 0] + size[:, 0], corner[:, 1] + size[:, 1])
    features = [{"geometry": house, "properties": {}} for house in houses]
    reference = mapbox_vector_tile.encode(
        [{"name": "layer", "features": features}], default_options={"quantize_bounds": BOUNDS}
    )

    back = decoded(*houses)

    expected = mapbox_vector_tile.decode(reference, default_options={"y_coord_down": True})["layer"]["features"]
    assert len(back) == 500
    assert all(shapely.equals(mine, shape(theirs["geometry"])) for mine, theirs in zip(back, expected, strict=True))


def test_multi_polygons_and_multi_lines_keep_their_parts() -> None:
    near, far = shapely.box(1100, 2100, 1200, 2200), shapely.box(3100, 4100, 3300, 4300)
    holed = shapely.Polygon(far.exterior, [shapely.box(3150, 4150, 3200, 4200).exterior])
    strokes = shapely.MultiLineString([[(1100, 2100), (1200, 2300)], [(2000, 3000), (2100, 3000)]])

    area, lines = decoded(shapely.MultiPolygon([near, holed]), strokes)

    assert area.geom_type == "MultiPolygon"
    assert on_map(area).equals(shapely.MultiPolygon([near, holed]))
    assert lines.geom_type == "MultiLineString"
    assert on_map(lines).equals(strokes)


def test_a_collection_gives_its_parts_of_the_highest_dimension() -> None:
    house = shapely.box(1100, 2100, 1200, 2200)
    nested = shapely.GeometryCollection(
        [shapely.Point(1500, 2500), shapely.GeometryCollection([house, shapely.LineString([(0, 0), (9, 9)])])]
    )
    beyond = shapely.GeometryCollection([shapely.box(0, 0, 9, 9), shapely.Point(1500, 2500)])

    encoded = encode_layer("layer", array(nested, beyond), BOUNDS)

    (feature,) = layer_of(encoded)["features"]
    assert on_map(shape(feature["geometry"])).equals(house)


def test_rows_without_geometry_are_skipped_and_the_others_keep_order_and_properties() -> None:
    rows = array(
        None,
        shapely.Point(1500, 2500),
        shapely.Polygon(),
        shapely.box(1100, 2100, 1200, 2200),
        shapely.GeometryCollection(),
        shapely.LineString([(1100, 2100), (1200, 2300)]),
        shapely.Point(math.nan, 5),
        shapely.Point(9, 9),
    )

    encoded = encode_layer("layer", rows, BOUNDS, ids=np.arange(8), properties={"row": np.arange(8)})

    features = layer_of(encoded)["features"]
    assert encoded.features == 3
    assert [(feature["id"], feature["properties"]["row"]) for feature in features] == [(1, 1), (3, 3), (5, 5)]
    assert [feature["geometry"]["type"] for feature in features] == ["Point", "Polygon", "LineString"]


def test_a_layer_with_nothing_in_the_tile_is_no_bytes_at_all() -> None:
    encoded = encode_layer("layer", array(shapely.Point(0, 0), None), BOUNDS)

    assert encoded == EncodedLayer(b"", 0, 0)
    assert encode_layer("layer", array(), BOUNDS, properties={"name": []}).data == b""


@given(st.floats(0, 90), st.floats(0, 1), st.integers(3, 30))
def test_neighbouring_tiles_meet_without_a_gap(turn: float, north: float, corners: int) -> None:
    quad = tile_matrix_set("WebMercatorQuad")
    west, east = quad.bounds(13, 3241, 6787), quad.bounds(13, 3241, 6788)
    size = west[2] - west[0]
    angles = np.radians(turn) + 2 * np.pi * np.arange(corners) / corners
    centre = (west[2], west[1] + size * (0.3 + 0.4 * north))
    lake = shapely.Polygon(np.column_stack((np.cos(angles), np.sin(angles))) * size / 5 + centre)

    sides = []
    for bounds, edge in ((west, 4096), (east, 0)):
        encoded = encode_layer("layer", array(lake), bounds, buffer=0, simplify=False)
        xy = shapely.get_coordinates(shape(layer_of(encoded)["features"][0]["geometry"]))
        sides.append(set(xy[xy[:, 0] == edge, 1]))

    assert len(sides[0]) == 2
    assert sides[0] == sides[1]


def test_geometry_is_cut_at_the_buffer() -> None:
    (area, line) = decoded(shapely.box(0, 0, 9000, 9000), shapely.LineString([(0, 3000), (9000, 3000)]), buffer=128)

    assert shapely.bounds(area).tolist() == [-128, -128, 4224, 4224]
    assert shapely.bounds(line).tolist() == [-128, 3096, 4224, 3096]


def test_a_line_that_leaves_and_enters_again_becomes_a_multi_line() -> None:
    (back,) = decoded(shapely.LineString([(1100, 2100), (0, 2100), (0, 3000), (1100, 3000)]), buffer=0)

    assert on_map(back).equals(shapely.MultiLineString([[(1100, 2100), (1000, 2100)], [(1000, 3000), (1100, 3000)]]))


def test_a_polygon_that_crosses_itself_keeps_both_lobes() -> None:
    bow_tie = shapely.Polygon([(1100, 2100), (1300, 2300), (1300, 2100), (1100, 2300)])

    (back,) = decoded(bow_tie)

    assert shapely.is_valid(back)
    assert shapely.area(back) == pytest.approx(20_000)


def test_an_invalid_polygon_across_the_border_is_cut_and_keeps_its_area() -> None:
    bow_tie = shapely.Polygon([(900, 2100), (1300, 2500), (1300, 2100), (900, 2500)])

    (back,) = decoded(bow_tie, buffer=0)

    inside = shapely.intersection(shapely.make_valid(bow_tie), shapely.box(*BOUNDS))
    assert shapely.is_valid(back)
    assert shapely.area(back) == pytest.approx(shapely.area(inside), rel=0.01)


@pytest.mark.parametrize(
    "corners",
    [
        [(-20, -40), (80, 140), (120, 0), (-60, 100)],
        [(60, -40), (40, -60), (100, 20), (140, -40), (140, -60), (140, 80)],
        [(60, 140), (-40, 80), (60, 120), (-20, 160)],
        [(-60, 100), (-20, -40), (100, 80), (100, 140), (-20, -20), (100, 140)],
        [(-20, 20), (40, 20), (60, 20), (40, 20), (40, 60), (-20, 60)],
    ],
)
def test_a_crossing_outline_over_the_border_never_fills_more_than_its_own_area(
    corners: list[tuple[float, float]],
) -> None:
    outline = shapely.Polygon(corners)
    box = (0.0, 0.0, 100.0, 100.0)

    encoded = encode_layer("layer", array(outline), box, buffer=0)

    mended = shapely.make_valid(outline, method="structure", keep_collapsed=False)
    inside = shapely.area(shapely.intersection(mended, shapely.box(*box))) * 40.96**2
    (feature,) = layer_of(encoded)["features"]
    back = shape(feature["geometry"])
    assert shapely.is_valid(back)
    assert shapely.area(back) == pytest.approx(inside, rel=0.02)


@given(st.integers(20, 40), st.integers(0, 10_000))
def test_a_long_outline_that_crosses_itself_loses_no_large_lobe(corners: int, seed: int) -> None:
    scribble = shapely.Polygon(np.random.default_rng(seed).normal(size=(corners, 2)) * 300 + (3000, 4000))
    mended = shapely.make_valid(scribble, method="structure", keep_collapsed=False)

    (back,) = decoded(scribble)

    lost = shapely.area(shapely.symmetric_difference(on_map(back), mended))
    assert shapely.is_valid(back)
    assert lost <= 1.5 * shapely.length(scribble)


def test_what_only_touches_the_border_is_left_out() -> None:
    beside = shapely.box(900, 2100, 1000, 2200)
    stair = shapely.Polygon([(900, 2100), (1000, 2100), (1000, 2200), (900, 2200), (900, 2300), (1100, 2300),
                             (1100, 2400), (800, 2400), (800, 2100)])  # fmt: skip

    back = decoded(beside, stair, buffer=0)

    assert [on_map(each).bounds for each in back] == [(1000, 2300, 1100, 2400)]


def test_a_spike_leaves_no_trace() -> None:
    spiked = shapely.Polygon(
        [(1100, 2100), (1200, 2100), (1200, 2000), (1200, 2100), (1300, 2100), (1300, 2200), (1100, 2200)]
    )

    (back,) = decoded(spiked)

    assert shapely.get_num_coordinates(back) == 5
    assert on_map(back).equals(shapely.box(1100, 2100, 1300, 2200))


def test_a_hole_outlives_its_exterior_in_no_case() -> None:
    astray = shapely.Polygon(
        [(1500.1, 2500.1), (1500.3, 2500.1), (1500.3, 2500.3)], [[(1700, 2700), (1900, 2700), (1900, 2900)]]
    )

    (back,) = decoded(astray)

    assert shapely.area(back) == 1


def test_a_polygon_that_rounding_makes_invalid_is_mended_and_keeps_its_large_parts() -> None:
    """Two fields joined by a path 0.2 units wide: on the grid the path closes."""
    fields = shapely.union_all(
        [
            shapely.box(1100, 2100, 1500, 2500),
            shapely.box(1500, 2299.9, 2000, 2300.1),
            shapely.box(2000, 2100, 2400, 2500),
        ]
    )

    (back,) = decoded(fields)

    assert shapely.is_valid(back)
    assert len(polygons(back)) == 2
    assert shapely.area(back) == pytest.approx(2 * 400 * 400)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30)), min_size=3, max_size=25))
def test_any_scribble_of_a_few_units_gives_a_valid_polygon(where: list[tuple[float, float]]) -> None:
    scribble = shapely.Polygon([(1500 + x, 2500 + y) for x, y in where])

    (back,) = decoded(scribble)

    assert shapely.is_valid(back)
    assert all(signed_area(part.exterior) > 0 for part in polygons(back))


def test_collinear_and_repeated_vertices_are_left_out() -> None:
    dense = shapely.segmentize(shapely.box(1100, 2100, 1500, 2500), 1.5)

    (back,) = decoded(dense, simplify=False)

    assert shapely.get_num_coordinates(back) == 5


def test_a_thousand_vertices_on_a_small_circle_become_few() -> None:
    circle = shapely.Point(3000, 4000).buffer(50, quad_segs=250)

    (plain,) = decoded(circle, simplify=False)
    (back,) = decoded(circle)

    assert shapely.get_num_coordinates(back) < 40 < shapely.get_num_coordinates(plain)
    assert shapely.hausdorff_distance(on_map(back), circle) < 1.3


def test_a_polygon_that_collapses_is_kept_as_one_square_unit_or_dropped_as_told() -> None:
    tiny, house = shapely.box(1500.1, 2500.1, 1500.3, 2500.3), shapely.box(1100, 2100, 1200, 2200)

    kept = decoded(tiny, house)
    dropped = encode_layer("layer", array(tiny, house), BOUNDS, ids=np.array([1, 2]), small_polygons="drop")

    assert shapely.area(kept).tolist() == [1.0, 10_000.0]
    assert shapely.distance(on_map(kept[0]), tiny) <= 1
    assert signed_area(polygons(kept[0])[0].exterior) == 1
    assert [feature["id"] for feature in layer_of(dropped)["features"]] == [2]
    assert dropped.dropped == 0


def test_a_round_polygon_that_collapses_is_kept_as_one_square_unit_too() -> None:
    (back,) = decoded(shapely.Point(1500.2, 2500.2).buffer(0.2, quad_segs=30))

    assert shapely.area(back) == 1
    assert shapely.distance(on_map(back), shapely.Point(1500, 2500)) <= 1


def test_the_smallest_area_is_in_pixels_and_holds_for_holes_too() -> None:
    yard = shapely.box(1100, 2100, 1200, 2200).difference(shapely.box(1150, 2150, 1160, 2160))
    shed = shapely.box(1300, 2300, 1315, 2316)  # 240 of the 256 square units of a pixel

    encoded = encode_layer("layer", array(yard, shed), BOUNDS, small_polygons="drop", min_area_px=1.0)
    finer = encode_layer("layer", array(yard, shed), BOUNDS, small_polygons="drop", min_area_px=0.3)

    (feature,) = layer_of(encoded)["features"]
    assert shape(feature["geometry"]).area == 10_000
    assert [shape(each["geometry"]).area for each in layer_of(finer)["features"]] == [9_900, 240]


# ------------------------------------------------------------------------------- properties, ids, limits

cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.sampled_from(["高铁新城", "给水管线 DN300", "住宅", "", "𠮷野家"]),
)


def present(properties: Mapping[str, list[Any]], row: int) -> dict[str, Any]:
    """Return what a feature should carry: None and NaN are left out."""
    values = {key: column[row] for key, column in properties.items()}
    return {key: value for key, value in values.items() if value is not None and value == value}


@settings(max_examples=200)
@given(
    st.integers(1, 8).flatmap(
        lambda count: st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"])),
            st.lists(cells, min_size=count, max_size=count),
            min_size=1,
            max_size=4,
        )
    )
)
def test_properties_of_every_type_come_back_equal(properties: dict[str, list[Any]]) -> None:
    count = len(next(iter(properties.values())))

    encoded = encode_layer("层", spots(count), BOUNDS, properties=properties)

    features = layer_of(encoded, "层")["features"]
    for row, feature in enumerate(features):
        expected = present(properties, row)
        assert feature["properties"] == expected
        assert {key: type(value) for key, value in feature["properties"].items()} == {
            key: type(value) for key, value in expected.items()
        }


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (np.array([1, -2], dtype=np.int8), [1, -2]),
        (np.array([2**32 - 1, 0], dtype=np.uint32), [2**32 - 1, 0]),
        (np.array([2**64 - 1, 5], dtype=np.uint64), [float(2**64), 5.0]),
        ([2**70, 1], [float(2**70), 1.0]),
        (np.array([0.1, np.nan], dtype=np.float32), [float(np.float32(0.1)), None]),
        (np.array([0.1, math.inf]), [0.1, math.inf]),
        (np.array([True, False]), [True, False]),
        (np.array(["管", "沟"]), ["管", "沟"]),
        (np.array([np.bool_(True), np.float64(2.5)], dtype=object), [True, 2.5]),
        ([np.int64(7), np.str_("x")], [7, "x"]),
        ([Decimal("2.5"), Decimal("NaN")], [2.5, None]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.Series(["甲", None], dtype="str"), ["甲", None]),
        (pd.Series(["甲", "乙"], dtype="category"), ["甲", "乙"]),
        (np.array(["2024-06-01", "NaT"], dtype="M8[s]"), ["2024-06-01", None]),
        (
            pd.Series([pd.Timestamp("2024-06-01T08:00:00+08:00"), pd.NaT]),
            ["2024-06-01T08:00:00+08:00", None],
        ),
        ([datetime.date(2024, 6, 1), pd.NaT], ["2024-06-01", None]),
        ([datetime.time(8, 30), pd.NA], ["08:30:00", None]),
        (["broken \udcff", "x"], ["broken ?", "x"]),
    ],
    ids=str,
)
def test_columns_of_every_kind_are_understood(column: Any, expected: list[Any]) -> None:
    encoded = encode_layer("layer", spots(2), BOUNDS, properties={"k": column})

    values = [feature["properties"].get("k") for feature in layer_of(encoded)["features"]]
    assert values == expected
    assert list(map(type, values)) == list(map(type, expected))


def test_keys_and_values_are_written_once_and_unused_keys_not_at_all() -> None:
    count = 300
    properties: dict[str, list[Any]] = {
        "class": ["住宅", "商业", "住宅"] * 100,
        "use": ["商业"] * count,
        "floors": [1, 1.0, True] * 100,
        "remark": [None] * count,
    }

    layer = messages(encode_layer("layer", spots(count), BOUNDS, properties=properties))

    assert list(layer.keys) == ["class", "use", "floors"]
    assert len(layer.values) == 5
    # The most frequent value stands first, where its number is shortest.
    assert layer.values[0].string_value == "商业"


def test_numbers_take_the_shortest_exact_form() -> None:
    layer = messages(encode_layer("layer", spots(4), BOUNDS, properties={"n": [0.5, 0.1, 7, -7]}))

    fields = {field.name for value in layer.values for field, _ in value.ListFields()}
    assert fields == {"float_value", "double_value", "uint_value", "sint_value"}


@given(st.lists(st.integers(0, 2**53), min_size=1, max_size=20))
def test_ids_up_to_what_a_browser_can_hold_come_back(ids: list[int]) -> None:
    points = spots(len(ids))

    encoded = encode_layer("layer", points, BOUNDS, ids=np.array(ids))

    assert [feature["id"] for feature in layer_of(encoded)["features"]] == ids


def test_without_ids_no_feature_has_one() -> None:
    layer = messages(encode_layer("layer", spots(1), BOUNDS))

    assert not layer.features[0].HasField("id")
    assert (layer.version, layer.extent) == (2, 4096)


def test_beyond_the_limit_the_least_important_of_the_tile_are_dropped_and_counted() -> None:
    x = [0, 1500, 1600, 9000, 1700, 1800, 1900]
    rows = array(*[shapely.Point(each, 2500) for each in x])

    encoded = encode_layer("layer", rows, BOUNDS, ids=np.arange(7), limit=3)

    assert (encoded.features, encoded.dropped) == (3, 2)
    assert [feature["id"] for feature in layer_of(encoded)["features"]] == [1, 2, 4]
    assert encode_layer("layer", rows, BOUNDS, limit=5).dropped == 0
    assert encode_layer("layer", rows, BOUNDS, limit=0) == EncodedLayer(b"", 0, 5)


def test_the_extent_sets_the_grid() -> None:
    encoded = encode_layer("layer", array(shapely.box(1000, 2000, 3048, 4048)), BOUNDS, extent=512, buffer=8)

    layer = layer_of(encoded)
    assert layer["extent"] == 512
    assert shape(layer["features"][0]["geometry"]).bounds == (0, 256, 256, 512)


def test_a_tile_holds_its_layers_in_order() -> None:
    point = spots(1)
    layers = [encode_layer(name, point, BOUNDS).data for name in ("建筑", "管线")]

    tile = mapbox_vector_tile.decode(encode_tile([layers[0], b"", layers[1]]))

    assert list(tile) == ["建筑", "管线"]
    assert encode_tile([]) == b""


def test_wrong_arguments_are_refused_with_the_value_and_a_remedy() -> None:
    point = spots(1)

    with pytest.raises(ValueError, match=r"'name' has 2 rows, the geometries 1"):
        encode_layer("layer", point, BOUNDS, properties={"name": ["a", "b"]})
    with pytest.raises(ValueError, match="-4 is negative"):
        encode_layer("layer", point, BOUNDS, ids=np.array([-4]))
    with pytest.raises(ValueError, match="minx, miny, maxx, maxy"):
        encode_layer("layer", point, (0, 0, 0, 10))
    with pytest.raises(TypeError, match=r"'parts' holds list.*Convert it first"):
        encode_layer("layer", point, BOUNDS, properties={"parts": [[1, 2]]})
    with pytest.raises(TypeError, match=r"'age' is timedelta64"):
        encode_layer("layer", point, BOUNDS, properties={"age": np.array([5], dtype="m8[s]")})
