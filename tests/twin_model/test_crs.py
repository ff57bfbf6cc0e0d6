"""Coordinates against PROJ itself: values, axis order, names of systems, and the changes of datum that are refused."""

import warnings
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from twin_model.crs import (
    CRS84,
    area_of_use,
    authority_axis_swapped,
    crs_code,
    epsg_of,
    is_projected,
    lonlat_of,
    same_crs,
    transform_bounds,
    transform_geometries,
    transform_xy,
    uri_of,
    well_known_text,
)
from twin_model.errors import CrsRefused

LONGITUDES, LATITUDES = st.floats(115.5, 120.0), st.floats(30.0, 40.0)
TARGETS = ("EPSG:4548", "EPSG:4527", "EPSG:4549", "EPSG:3857", "EPSG:32650")
DEGREES, METRES = 1e-8, 1e-4


def by_proj(x: float, y: float, source: str, target: str) -> tuple[float, float]:
    """What PROJ answers between two systems of one datum, x, y."""
    transformer = pyproj.Transformer.from_crs(source, target, always_xy=True)
    return transformer.transform(x, y)


def one(x: float, y: float, source: Any, target: Any) -> tuple[float, float]:
    moved = transform_xy(np.array([x]), np.array([y]), source, target)
    return float(moved[0][0]), float(moved[1][0])


@given(LONGITUDES, LATITUDES, st.sampled_from(("EPSG:4548", "EPSG:4527", "EPSG:4549")))
def test_gauss_krueger_is_what_proj_computes_on_cgcs2000(lon: float, lat: float, target: str) -> None:
    expected = by_proj(lon, lat, "EPSG:4490", target)

    for source in (CRS84, "EPSG:4326", "EPSG:4490"):
        assert one(lon, lat, source, target) == pytest.approx(expected, abs=METRES)


@given(LONGITUDES, LATITUDES)
def test_web_mercator_is_what_proj_computes_on_wgs84(lon: float, lat: float) -> None:
    expected = by_proj(lon, lat, CRS84, "EPSG:3857")

    assert one(lon, lat, "EPSG:4490", "EPSG:3857") == pytest.approx(expected, abs=METRES)


@given(LONGITUDES, LATITUDES, st.sampled_from(TARGETS), st.sampled_from(TARGETS))
def test_there_and_back_again_is_the_same_place(lon: float, lat: float, first: str, second: str) -> None:
    x, y = one(lon, lat, CRS84, first)
    x, y = one(x, y, first, second)

    assert one(x, y, second, CRS84) == pytest.approx((lon, lat), abs=DEGREES)


def test_the_zone_prefix_is_the_only_difference_between_4527_and_4548() -> None:
    assert one(618_000.0, 3_886_000.0, 4548, 4527) == pytest.approx((39_618_000.0, 3_886_000.0), abs=METRES)


def test_cgcs2000_and_wgs84_are_one_datum_to_the_last_digit() -> None:
    assert one(118.3, 35.1, "EPSG:4490", "EPSG:4326") == (118.3, 35.1)
    assert same_crs("EPSG:4490", CRS84)
    assert not same_crs("EPSG:4548", "EPSG:4527")


@pytest.mark.parametrize(
    ("crs", "swapped"),
    [(4490, True), (4326, True), (4548, True), (4527, True), (3857, False), (CRS84, False), (32650, False)],
)
def test_axis_order_is_that_of_the_authority(crs: Any, swapped: bool) -> None:
    assert authority_axis_swapped(crs) is swapped


@pytest.mark.parametrize(
    "said",
    [
        4548, "EPSG:4548", "epsg:4548", " EPSG:4548 ", "[EPSG:4548]", "http://www.opengis.net/def/crs/EPSG/0/4548",
        "https://www.opengis.net/def/crs/EPSG/9.9.1/4548", "urn:ogc:def:crs:EPSG::4548", "urn:ogc:def:crs:EPSG:9.9:4548",
        pyproj.CRS(4548), pyproj.CRS(4548).to_wkt(), pyproj.CRS(4548).to_wkt("WKT1_GDAL"),
    ],
)  # fmt: skip
def test_one_system_has_one_code_however_it_is_said(said: Any) -> None:
    assert crs_code(said) == "EPSG:4548"


@pytest.mark.parametrize(
    "said",
    [
        "CRS84",
        "OGC:CRS84",
        "[OGC:CRS84]",
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        "http://www.opengis.net/def/crs/OGC/0/CRS84h",
        pyproj.CRS("OGC:CRS84"),
    ],
)
def test_crs84_is_known_by_all_its_names(said: Any) -> None:
    assert crs_code(said) == CRS84
    assert epsg_of(said) == 4326
    assert uri_of(said) == "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


@pytest.mark.parametrize("number", [4547, 4548, 4527, 4490, 2384, 2436, 4610, 4214])
def test_the_prj_of_a_shapefile_gives_the_code_of_its_system(number: int) -> None:
    prj = pyproj.CRS(number).to_wkt("WKT1_ESRI")

    assert "AUTHORITY" not in prj
    assert crs_code(prj) == f"EPSG:{number}"


def test_the_prj_of_a_town_s_own_grid_stays_itself_and_can_be_transformed() -> None:
    prj = pyproj.CRS(4548).to_wkt("WKT1_ESRI").replace("117.0", "118.3").replace("_CM_117E", "_TOWN")

    code = crs_code(prj)

    assert epsg_of(code) is None
    assert is_projected(code)
    assert one(118.3, 35.1, CRS84, code)[0] == pytest.approx(500_000.0, abs=METRES)


@given(st.sampled_from(("EPSG:4548", "EPSG:3857", "EPSG:4490", CRS84)))
def test_uri_and_text_of_a_system_lead_back_to_it(code: str) -> None:
    assert crs_code(uri_of(code)) == code
    assert crs_code(well_known_text(code)) == code


@pytest.mark.parametrize(
    "said", ["EPSG:45480", 99999, "", "[]", "urn:ogc:def:crs", "EPSG:5737", "EPSG:4978", None, 3.5]
)
def test_what_is_no_horizontal_system_is_refused_with_one_that_is(said: Any) -> None:
    with pytest.raises(CrsRefused, match=r"is not known. Nearest: .*EPSG:4548") as refused:
        crs_code(said)

    assert "坐标" in refused.value.text("zh")


@pytest.mark.parametrize("source", [2384, 2436, 4555, 4610, 4214])
def test_xian_and_beijing_are_refused_because_their_parameters_are_the_town_s(source: int) -> None:
    with pytest.raises(CrsRefused, match=r"different datums.*transform it"):
        one(118.3, 35.1, source, "EPSG:4490")


def test_a_town_grid_on_beijing_1954_is_refused_too_though_it_has_no_code() -> None:
    prj = pyproj.CRS(2436).to_wkt("WKT1_ESRI").replace("117.0", "118.3").replace("_CM_117E", "_TOWN")

    with pytest.raises(CrsRefused, match="different datums"):
        one(500_000.0, 3_886_000.0, prj, "EPSG:4548")


def nameless(axis: float, flattening: float, meridian: float, east: float, datum: str = "unknown") -> str:
    """Return WKT as GDAL makes it of a MapInfo file: without a name."""
    return (
        f'PROJCS["unnamed",GEOGCS["unnamed",DATUM["{datum}",SPHEROID["x",{axis},{flattening}]],PRIMEM["Greenwich",0],'
        'UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],'
        f'PARAMETER["central_meridian",{meridian}],PARAMETER["scale_factor",1],PARAMETER["false_easting",{east}],'
        'PARAMETER["false_northing",0],UNIT["metre",1]]'
    )


@pytest.mark.parametrize(
    ("source", "name", "example"),
    [
        (nameless(6378245, 298.3, 117, 5e5, "Pulkovo_1942"), "克拉索夫斯基1940椭球（1954年北京坐标系）/ 中央子午线 117°E", "EPSG:2436"),
        (nameless(6378245, 298.3, 117, 39.5e6, "Pulkovo_1942"), "克拉索夫斯基1940椭球（1954年北京坐标系）", "EPSG:2415"),
        (nameless(6378245, 298.3, 117, 20.5e6, "Pulkovo_1942"), "克拉索夫斯基1940椭球（1954年北京坐标系）", "EPSG:21420"),
        (nameless(6378140, 298.257, 117.5, 5e5), "IAG 1975椭球（1980西安坐标系）/ 中央子午线 117.5°E", "'+proj=tmerc +lat_0=0 +lon_0=117.5"),
        ("EPSG:2436", "1954年北京坐标系 / 3度带 117°E", "EPSG:2436"),
        ("EPSG:2384", "1980西安坐标系 / 3度带 117°E", "EPSG:2384"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("target", ["EPSG:4548", "EPSG:32650"])
def test_a_system_without_a_name_is_called_by_its_ellipsoid_which_tells_the_datum(
    source: str, name: str, example: str, target: str
) -> None:
    with pytest.raises(CrsRefused) as refused:
        one(618_500.0, 3_885_800.0, source, target)

    assert name in refused.value.text("zh").replace("） / ", "）/ ")
    assert f"--source-crs {example}" in refused.value.text("zh")
    assert f"--source-crs {example}" in refused.value.text("en")
    assert "unnamed" not in refused.value.text("zh") + refused.value.text("en")
    assert crs_code(str(refused.value.values["example"]).strip("'")), "the command takes it"


def test_a_change_within_xian_1980_is_a_mere_projection() -> None:
    expected = by_proj(617_882.0, 3_886_000.0, "EPSG:2384", "EPSG:4610")

    assert one(617_882.0, 3_886_000.0, 2384, 4610) == pytest.approx(expected, abs=DEGREES)


@pytest.mark.parametrize(
    ("source", "x", "y"),
    [(28992, 155_000.0, 463_000.0), (2056, 2_600_000.0, 1_200_000.0), (27700, 530_000.0, 180_000.0)],
)
def test_a_datum_with_a_real_operation_is_brought_over_and_says_nothing(source: int, x: float, y: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lon, lat = lonlat_of(source)(np.array([x]), np.array([y]))

    transformer = pyproj.Transformer.from_crs(source, CRS84, always_xy=True, allow_ballpark=False)
    assert (lon[0], lat[0]) == pytest.approx(transformer.transform(x, y), abs=DEGREES)
    west, south, east, north = area_of_use(source) or (0, 0, 0, 0)
    assert west < lon[0] < east
    assert south < lat[0] < north


def test_where_proj_has_only_a_ballpark_the_change_is_refused() -> None:
    with pytest.raises(CrsRefused, match="different datums"):
        one(118.3, 35.1, "EPSG:4267", "EPSG:4490")


SIDE = st.floats(10.0, 300_000.0)


@settings(max_examples=60)
@given(
    st.floats(380_000.0, 620_000.0),
    st.floats(3_000_000.0, 4_500_000.0),
    SIDE,
    SIDE,
    st.sampled_from((CRS84, "EPSG:3857", "EPSG:4549")),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20),
)
def test_the_moved_box_holds_every_moved_point_of_the_box(
    x: float, y: float, width: float, height: float, target: str, places: list[tuple[float, float]]
) -> None:
    grid = np.linspace(0, 1, 51)
    edges = [(t, side) for t in grid for side in (0.0, 1.0)] + [(side, t) for t in grid for side in (0.0, 1.0)]
    share = np.array(places + edges)

    minx, miny, maxx, maxy = transform_bounds((x, y, x + width, y + height), "EPSG:4548", target)

    px, py = transform_xy(x + width * share[:, 0], y + height * share[:, 1], "EPSG:4548", target)
    assert (px >= minx).all()
    assert (px <= maxx).all()
    assert (py >= miny).all()
    assert (py <= maxy).all()
    assert maxx - minx <= (px.max() - px.min()) * 1.01 + 1e-6
    assert maxy - miny <= (py.max() - py.min()) * 1.01 + 1e-6


def test_a_box_stays_as_it_is_where_nothing_is_to_change() -> None:
    assert transform_bounds((118.1, 35.0, 118.4, 35.2), CRS84, "EPSG:4490") == (118.1, 35.0, 118.4, 35.2)


def test_a_box_without_a_place_in_the_other_system_is_refused() -> None:
    with pytest.raises(CrsRefused, match="cannot be transformed to"):
        transform_bounds((1e30, 1e30, 2e30, 2e30), "EPSG:4548", CRS84)


def test_flat_and_high_geometries_and_gaps_keep_their_kind() -> None:
    mixed = np.array(
        [
            shapely.Point(118.3, 35.1),
            None,
            shapely.Point(118.3, 35.1, 62.5),
            shapely.from_wkt("POLYGON EMPTY"),
            shapely.from_wkt("LINESTRING Z (118.3 35.1 1, 118.4 35.2 2)"),
        ],
        dtype=object,
    )

    moved = transform_geometries(mixed, CRS84, "EPSG:4548")

    x, y = by_proj(118.3, 35.1, "EPSG:4490", "EPSG:4548")
    assert [g is None for g in moved] == [False, True, False, False, False]
    assert shapely.has_z(moved).tolist() == [False, False, True, False, True]
    assert shapely.get_coordinate_dimension(moved)[[0, 2, 4]].tolist() == [2, 3, 3]
    assert shapely.get_coordinates(moved[0]).tolist()[0] == pytest.approx((x, y), abs=METRES)
    assert shapely.get_coordinates(moved[2], include_z=True).tolist()[0] == pytest.approx((x, y, 62.5), abs=METRES)
    assert shapely.get_z(shapely.get_point(moved[4], 1)) == 2.0
    assert shapely.is_empty(moved[3])
    assert mixed[0].x == 118.3
