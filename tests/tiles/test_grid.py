"""Tile matrix sets: the arithmetic of tiles, and the document that OGC 17-083r4 prints."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiles.grid import TILE_MATRIX_SETS, Tile, TileMatrixSet, TileMatrixSetNotFound, tile_matrix_set

SETS = st.sampled_from(list(TILE_MATRIX_SETS.values()))


@st.composite
def set_and_tile(draw: st.DrawFn, max_zoom: int = 24) -> tuple[TileMatrixSet, Tile]:
    matrix_set, z = draw(SETS), draw(st.integers(0, max_zoom))
    width, height = matrix_set.matrix_size(z)
    return matrix_set, Tile(z, draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1)))


@given(set_and_tile(), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_any_place_inside_the_bounds_of_a_tile_belongs_to_that_tile(
    address: tuple[TileMatrixSet, Tile], east: float, south: float
) -> None:
    matrix_set, tile = address
    minx, miny, maxx, maxy = matrix_set.bounds(*tile)
    x = min(minx + east * (maxx - minx), math.nextafter(maxx, -math.inf))
    y = max(maxy - south * (maxy - miny), math.nextafter(miny, math.inf))

    assert matrix_set.tile_of(x, y, tile.z) == tile


@given(SETS, st.integers(0, 24), st.floats(0, 1), st.floats(0, 1))
def test_the_tile_of_a_place_has_bounds_that_hold_the_place(
    matrix_set: TileMatrixSet, z: int, east: float, north: float
) -> None:
    left, bottom, right, top = matrix_set.extent
    x, y = min(left + east * (right - left), right), min(bottom + north * (top - bottom), top)

    tile = matrix_set.tile_of(x, y, z)

    minx, miny, maxx, maxy = matrix_set.bounds(*tile)
    assert matrix_set.contains(*tile)
    assert minx <= x <= maxx
    assert miny <= y <= maxy


@given(set_and_tile(max_zoom=23))
def test_four_children_tile_their_parent_without_gap_or_overlap(address: tuple[TileMatrixSet, Tile]) -> None:
    matrix_set, (z, row, col) = address
    minx, miny, maxx, maxy = matrix_set.bounds(z, row, col)

    children = [matrix_set.bounds(z + 1, 2 * row + i, 2 * col + j) for i in (0, 1) for j in (0, 1)]

    north_west, north_east, south_west, south_east = children
    assert (north_west[0], north_west[3]) == (minx, maxy)
    assert (north_east[2], north_east[3]) == (maxx, maxy)
    assert (south_west[0], south_west[1]) == (minx, miny)
    assert (south_east[2], south_east[1]) == (maxx, miny)
    assert {north_west[2], south_west[2]} == {north_east[0], south_east[0]}
    assert {north_west[1], north_east[1]} == {south_west[3], south_east[3]}
    tiles = list(matrix_set.tiles((minx, miny, maxx, maxy), z + 1))
    assert tiles == [Tile(z + 1, 2 * row + i, 2 * col + j) for i in (0, 1) for j in (0, 1)]


@given(set_and_tile())
def test_the_box_of_a_tile_touches_that_tile_alone(address: tuple[TileMatrixSet, Tile]) -> None:
    matrix_set, tile = address

    assert list(matrix_set.tiles(matrix_set.bounds(*tile), tile.z)) == [tile]


@pytest.mark.parametrize("matrix_set", TILE_MATRIX_SETS.values(), ids=lambda each: each.id)
def test_addresses_out_of_range_are_not_contained(matrix_set: TileMatrixSet) -> None:
    width, height = matrix_set.matrix_size(3)

    assert matrix_set.contains(3, height - 1, width - 1)
    assert not matrix_set.contains(3, height, 0)
    assert not matrix_set.contains(3, 0, width)
    assert not matrix_set.contains(3, -1, 0)
    assert not matrix_set.contains(-1, 0, 0)
    assert not matrix_set.contains(25, 0, 0)


def test_a_place_beyond_the_extent_gets_an_address_that_is_not_contained() -> None:
    quad = tile_matrix_set("CGCS2000Quad")

    assert not quad.contains(*quad.tile_of(180.1, 35.0, 9))
    assert not quad.contains(*quad.tile_of(118.3, 90.1, 9))
    assert not quad.contains(*quad.tile_of(118.3, -90.1, 9))
    assert quad.contains(*quad.tile_of(180.0, -90.0, 9))


def test_a_box_beyond_the_extent_is_cut_to_it_and_one_outside_has_no_tiles() -> None:
    quad = tile_matrix_set("WorldCRS84Quad")

    assert len(list(quad.tiles((-1000, -1000, 1000, 1000), 2))) == 8 * 4
    assert list(quad.tiles((200, 0, 210, 10), 2)) == []
    assert quad.limits((200, 0, 210, 10), 2) is None


def test_the_limits_of_a_town_are_those_of_its_corner_tiles() -> None:
    quad = tile_matrix_set("CGCS2000Quad")
    bbox = (118.25, 35.03, 118.37, 35.15)

    limits = quad.limits(bbox, 14)

    assert limits is not None
    assert (limits.min_row, limits.min_col) == quad.tile_of(118.25, 35.15, 14)[1:]
    assert (limits.max_row, limits.max_col) == quad.tile_of(118.37, 35.03, 14)[1:]
    assert limits.to_dict() == {
        "tileMatrix": "14",
        "minTileRow": limits.min_row,
        "maxTileRow": limits.max_row,
        "minTileCol": limits.min_col,
        "maxTileCol": limits.max_col,
    }


def test_a_box_over_the_antimeridian_is_refused_with_a_remedy() -> None:
    with pytest.raises(ValueError, match="antimeridian"):
        list(tile_matrix_set("WorldCRS84Quad").tiles((170, 0, -170, 10), 3))


def test_a_place_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        tile_matrix_set("WebMercatorQuad").tile_of(math.inf, 0.0, 3)


def test_web_mercator_tiles_are_the_slippy_map_tiles_of_the_same_place() -> None:
    lon, lat, z = 118.3, 35.1, 13
    col = int((lon + 180) / 360 * 2**z)
    row = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**z)
    x = math.radians(lon) * 6378137
    y = math.asinh(math.tan(math.radians(lat))) * 6378137

    assert tile_matrix_set("WebMercatorQuad").tile_of(x, y, z) == (z, row, col)


# Annex D of 17-083r4, as OGC's register prints it.
@pytest.mark.parametrize(
    ("name", "z", "scale_denominator", "cell_size", "width", "height"),
    [
        ("WebMercatorQuad", 0, 559082264.028717, 156543.033928041, 1, 1),
        ("WebMercatorQuad", 13, 68247.346683193, 19.109257071294, 8192, 8192),
        ("WebMercatorQuad", 24, 33.3238997476528, 0.0093306919293428, 16777216, 16777216),
        ("WorldCRS84Quad", 0, 279541132.014358, 0.703125, 2, 1),
        ("WorldCRS84Quad", 17, 2132.72958384978, 0.00000536441802978515, 262144, 131072),
        ("CGCS2000Quad", 17, 2132.72958384978, 0.00000536441802978515, 262144, 131072),
    ],
)
def test_the_document_has_the_numbers_of_the_standard(
    name: str, z: int, scale_denominator: float, cell_size: float, width: int, height: int
) -> None:
    matrix = tile_matrix_set(name).to_dict()["tileMatrices"][z]

    assert matrix["id"] == str(z)
    assert matrix["scaleDenominator"] == pytest.approx(scale_denominator, rel=1e-13)
    assert matrix["cellSize"] == pytest.approx(cell_size, rel=1e-13)
    assert (matrix["matrixWidth"], matrix["matrixHeight"]) == (width, height)
    assert (matrix["tileWidth"], matrix["tileHeight"], matrix["cornerOfOrigin"]) == (256, 256, "topLeft")


def test_the_document_speaks_the_axis_order_of_its_crs() -> None:
    documents = {name: each.to_dict() for name, each in TILE_MATRIX_SETS.items()}

    assert documents["WebMercatorQuad"]["tileMatrices"][5]["pointOfOrigin"] == pytest.approx(
        [-20037508.3427892, 20037508.3427892], rel=1e-14
    )
    assert documents["WorldCRS84Quad"]["orderedAxes"] == ["Lon", "Lat"]
    assert documents["WorldCRS84Quad"]["tileMatrices"][5]["pointOfOrigin"] == [-180, 90]
    assert documents["CGCS2000Quad"]["crs"] == "http://www.opengis.net/def/crs/EPSG/0/4490"
    assert documents["CGCS2000Quad"]["orderedAxes"] == ["Lat", "Lon"]
    assert documents["CGCS2000Quad"]["tileMatrices"][5]["pointOfOrigin"] == [90, -180]


def test_the_document_claims_a_registered_identity_only_where_there_is_one() -> None:
    registered = tile_matrix_set("WorldCRS84Quad").to_dict()

    assert registered["uri"] == "http://www.opengis.net/def/tilematrixset/OGC/1.0/WorldCRS84Quad"
    assert registered["wellKnownScaleSet"] == "http://www.opengis.net/def/wkss/OGC/1.0/GoogleCRS84Quad"
    assert not {"uri", "wellKnownScaleSet"} & tile_matrix_set("CGCS2000Quad").to_dict().keys()


@pytest.mark.parametrize("z", range(25))
def test_every_zoom_of_every_document_covers_the_whole_extent(z: int) -> None:
    for matrix_set in TILE_MATRIX_SETS.values():
        left, bottom, right, top = matrix_set.extent
        matrix = matrix_set.to_dict()["tileMatrices"][z]

        side = matrix["cellSize"] * matrix["tileWidth"]

        assert matrix["matrixWidth"] * side == pytest.approx(right - left, rel=1e-15)
        assert matrix["matrixHeight"] * side == pytest.approx(top - bottom, rel=1e-15)


def test_an_unknown_name_is_answered_with_the_nearest_first() -> None:
    with pytest.raises(LookupError) as caught:
        tile_matrix_set("webmercatorquad")

    assert isinstance(caught.value, TileMatrixSetNotFound)
    assert caught.value.nearest[0] == "WebMercatorQuad"
    assert set(caught.value.nearest) == set(TILE_MATRIX_SETS)


def test_the_published_sets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TILE_MATRIX_SETS["Mine"] = tile_matrix_set("WebMercatorQuad")  # type: ignore[index]
