"""GeoJSON against shapely's reader: the same coordinates in the authority's order, rounded, Z kept, never NaN."""

import json
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from drawn_examples import examples
from hypothesis import given
from hypothesis import strategies as st

from tiles.encodings.geojson import encode_feature, encode_features, geometry_fragments, wkb_fragments

EAST, NORTH = 618_000.0, 3_886_000.0
SHAPES = st.sampled_from(
    [
        "POINT ({0})",
        "POINT Z ({0} 62.1234)",
        "LINESTRING ({0}, {1})",
        "MULTILINESTRING Z (({0} 1, {1} 2), ({2} 3, {0} 4))",
        "POLYGON (({0}, {1}, {2}, {0}))",
        "MULTIPOLYGON Z ((({0} 1, {1} 2, {2} 3, {0} 1)))",
    ]
)
PLACES = st.tuples(st.floats(EAST, EAST + 9_000), st.floats(NORTH, NORTH + 9_000))

ALL_SHAPES = [
    "POINT ({0})", "POINT Z ({0} 62.1234)", "POINT Z ({0} NaN)", "POINT EMPTY", "MULTIPOINT (({0}))", "MULTIPOINT (({0}), ({1}))",
    "MULTIPOINT Z (({0} 1))", "MULTIPOINT EMPTY", "LINESTRING ({0}, {1})", "LINESTRING Z ({0} 1.00049, {1} 2)",
    "LINESTRING Z ({0} NaN, {1} 2)", "LINESTRING EMPTY", "LINEARRING ({0}, {1}, {2}, {0})", "MULTILINESTRING (({0}, {1}, {2}))",
    "MULTILINESTRING Z (({0} 1, {1} 2), ({2} 3, {0} 4))", "MULTILINESTRING (({0}, {1}), EMPTY)", "POLYGON (({0}, {1}, {2}, {0}))",
    "POLYGON Z (({0} 1, {1} 2, {2} 3, {0} 1))", "POLYGON (({0}, {1}, {2}, {0}), ({1}, {2}, {0}, {1}))", "POLYGON EMPTY", "POLYGON Z EMPTY",
    "MULTIPOLYGON ((({0}, {1}, {2}, {0})))", "MULTIPOLYGON Z ((({0} 1, {1} 2, {2} 3, {0} 1)))",
    "MULTIPOLYGON ((({0}, {1}, {2}, {0}), ({1}, {2}, {0}, {1})))", "MULTIPOLYGON ((({0}, {1}, {2}, {0})), (({2}, {0}, {1}, {2})))",
    "MULTIPOLYGON EMPTY", "GEOMETRYCOLLECTION (POINT ({0}), LINESTRING ({0}, {1}))", "GEOMETRYCOLLECTION EMPTY", None,
]  # fmt: skip
"""Every type of geometry: one run of coordinates, several, with holes, with heights, empty, absent."""
SYSTEMS = ["OGC:CRS84", "EPSG:4326", "EPSG:4490", "EPSG:4548", "EPSG:4509", "EPSG:4527", "EPSG:3857"]


def strict(text: bytes) -> Any:
    """JSON as RFC 8259 has it: NaN and Infinity are no values."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))


def written(shape: str, places: list[tuple[float, float]]) -> Any:
    return shapely.from_wkt(shape.format(*(f"{x!r} {y!r}" for x, y in places)))


@given(SHAPES, st.lists(PLACES, min_size=3, max_size=3))
def test_what_is_written_in_metres_is_read_again_to_the_millimetre(
    shape: str, places: list[tuple[float, float]]
) -> None:
    original = written(shape, places)

    (fragment,) = geometry_fragments(np.array([original]), "EPSG:4548", "EPSG:4548", axis_order="xy")

    again = shapely.from_geojson(fragment)
    assert shapely.has_z(again) == shapely.has_z(original)
    assert again.geom_type == original.geom_type
    before, after = (shapely.get_coordinates(one, include_z=True) for one in (original, again))
    np.testing.assert_allclose(after, before, rtol=0, atol=0.000501)
    np.testing.assert_array_equal(after, np.round(after, 3))


@given(SHAPES, st.lists(PLACES, min_size=3, max_size=3))
def test_degrees_are_those_of_proj_to_eight_decimals(shape: str, places: list[tuple[float, float]]) -> None:
    original = written(shape, places)

    (fragment,) = geometry_fragments(np.array([original]), "EPSG:4548", "OGC:CRS84")

    coordinates = shapely.get_coordinates(original)
    expected = pyproj.Transformer.from_crs(4548, 4490, always_xy=True).transform(*coordinates.T)
    after = shapely.get_coordinates(shapely.from_geojson(fragment))
    np.testing.assert_allclose(after, np.column_stack(expected), rtol=0, atol=0.6e-8)
    np.testing.assert_array_equal(after, np.round(after, 8))


@pytest.mark.parametrize(
    ("crs", "first"),
    [
        ("EPSG:4326", "latitude"),
        ("EPSG:4490", "latitude"),
        ("OGC:CRS84", "longitude"),
        ("EPSG:4548", "north"),
        ("EPSG:3857", "east"),
    ],
)
def test_axes_stand_in_the_order_of_the_authority_unless_a_file_wants_x_y(crs: str, first: str) -> None:
    point = np.array([shapely.Point(EAST, NORTH, 62.5)])

    by_authority, by_file = (
        strict(geometry_fragments(point, "EPSG:4548", crs, axis_order=order)[0])["coordinates"]
        for order in ("authority", "xy")
    )

    x, y = pyproj.Transformer.from_crs(4548, 4490, always_xy=True).transform(EAST, NORTH)
    mercator = pyproj.Transformer.from_crs(4326, 3857, always_xy=True).transform(x, y)
    xy = {"EPSG:4548": (EAST, NORTH), "EPSG:3857": mercator}.get(crs, (x, y))
    assert by_file == pytest.approx([*xy, 62.5], abs=6e-4)
    swapped = first in {"latitude", "north"}
    assert by_authority == ([by_file[1], by_file[0], 62.5] if swapped else by_file)


def test_flat_and_high_shapes_and_gaps_on_one_page_keep_their_kind() -> None:
    page = np.array([shapely.Point(EAST, NORTH), None, shapely.Point(EAST, NORTH, 62.5)], dtype=object)

    fragments = geometry_fragments(page, "EPSG:4548", "OGC:CRS84")

    assert fragments[1] == b"null"
    assert [len(strict(one)["coordinates"]) for one in (fragments[0], fragments[2])] == [2, 3]


def test_a_height_or_value_that_is_not_a_number_never_becomes_nan() -> None:
    for unknown in (np.nan, np.inf, -np.inf):
        shapes = np.array([shapely.Point(EAST, NORTH, unknown), shapely.Point(EAST, NORTH, 1.0)])

        fragments = geometry_fragments(shapes, "EPSG:4548", "OGC:CRS84")
        collection = strict(
            encode_features(["a", "b"], [{"height": float("nan")}, {"height": float("inf")}], fragments)
        )

        assert len(collection[0]["geometry"]["coordinates"]) == 2
    assert [one["properties"]["height"] for one in collection] == [None, None]


@given(st.lists(st.text(), min_size=1, max_size=5), st.dictionaries(st.text(), st.one_of(st.none(), st.text(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.booleans())))  # fmt: skip
def test_ids_and_properties_come_back_as_they_were(ids: list[str], values: dict[str, Any]) -> None:
    fragments = [b"null"] * len(ids)

    features = strict(encode_features(ids, [values] * len(ids), fragments))

    assert [one["id"] for one in features] == ids
    assert all(one["properties"] == values for one in features)
    assert features[0] == strict(encode_feature(ids[0], values, b"null"))


def test_links_stand_beside_the_properties_of_a_feature() -> None:
    feature = strict(encode_feature("a", {"name": "甲"}, b"null", links=[{"rel": "self"}]))

    assert feature == {
        "type": "Feature",
        "id": "a",
        "geometry": None,
        "properties": {"name": "甲"},
        "links": [{"rel": "self"}],
    }


def test_geopandas_reads_a_page_as_the_frame_it_was() -> None:
    frame = gpd.GeoDataFrame(
        {"name": ["甲", "乙"]},
        geometry=shapely.box([0.0, 2.0], [0.0, 0.0], [1.0, 3.0], [1.0, 1.0]),
        crs="OGC:CRS84",
    )
    fragments = geometry_fragments(frame.geometry.to_numpy(), "OGC:CRS84", "OGC:CRS84")

    features = strict(encode_features(["a", "b"], frame[["name"]].to_dict("records"), fragments))

    again = gpd.GeoDataFrame.from_features(features, crs="OGC:CRS84")
    assert shapely.equals(again.geometry.to_numpy(), frame.geometry.to_numpy()).all()
    assert again["name"].tolist() == ["甲", "乙"]


def wkb_of(shapes: list[Any]) -> list[bytes | None]:
    """Return ISO WKB, little endian, as the store keeps it."""
    return list(shapely.to_wkb(np.array(shapes, dtype=object), byte_order=1, flavor="iso"))


def page_of(pairs: list[tuple[str | None, list[tuple[float, float]]]]) -> list[Any]:
    return [None if shape is None else written(shape, places) for shape, places in pairs]


PAGES = st.lists(st.tuples(st.sampled_from(ALL_SHAPES), st.lists(PLACES, min_size=3, max_size=3)), max_size=12)


@examples(60, proof=300)
@given(PAGES, st.sampled_from(SYSTEMS), st.sampled_from(["authority", "xy"]))
def test_a_page_written_from_wkb_has_the_values_of_one_written_by_shapely(
    pairs: list[tuple[str | None, list[tuple[float, float]]]], crs: str, order: Any
) -> None:
    shapes = page_of(pairs)

    by_wkb = wkb_fragments(wkb_of(shapes), "EPSG:4548", crs, axis_order=order)

    by_shapely = geometry_fragments(np.array(shapes, dtype=object), "EPSG:4548", crs, axis_order=order)
    assert [strict(one) for one in by_wkb] == [strict(one) for one in by_shapely]


@pytest.mark.parametrize("shape", ALL_SHAPES)
@given(places=st.lists(PLACES, min_size=3, max_size=3))
def test_every_type_alone_in_its_own_system_is_what_shapely_writes(
    shape: str | None, places: list[tuple[float, float]]
) -> None:
    (original,) = page_of([(shape, [(round(x, 3), round(y, 3)) for x, y in places])])

    (fragment,) = wkb_fragments(wkb_of([original]), "EPSG:4548", "EPSG:4548", axis_order="xy")

    text = "null" if original is None or original.is_empty else shapely.to_geojson(original).replace("1.00049", "1.0")
    assert strict(fragment) == strict(text.replace("62.1234", "62.123").encode())


@pytest.mark.parametrize("far", [1e9, 1e30, -1e300])
def test_a_place_that_a_system_has_no_coordinates_for_is_written_alike_and_spoils_no_neighbour(
    far: float,
) -> None:
    shapes = [shapely.box(EAST, NORTH, EAST + 9, NORTH + 9), shapely.box(far, far, far * 1.5, far * 1.5)]

    by_wkb = wkb_fragments(wkb_of(shapes), "EPSG:4548", "OGC:CRS84")

    assert [strict(one) for one in by_wkb] == [
        strict(one) for one in geometry_fragments(np.array(shapes), "EPSG:4548", "OGC:CRS84")
    ]


def test_wkb_that_is_no_geometry_is_refused_by_either_way() -> None:
    with pytest.raises(shapely.errors.GEOSException):
        wkb_fragments([b"\x01\x63"], "EPSG:4548", "OGC:CRS84")


def test_an_empty_page_is_an_empty_list() -> None:
    assert geometry_fragments(np.array([], dtype=object), "EPSG:4548", "OGC:CRS84") == []
    assert wkb_fragments([], "EPSG:4548", "OGC:CRS84") == []
    assert encode_features([], [], []) == b"[]"
