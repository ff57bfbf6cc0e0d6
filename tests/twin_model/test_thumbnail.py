"""Small maps: what is drawn, in which colour, how large the picture gets."""

import re

import geopandas as gpd
import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from twin_model.desk.thumbnail import Drawing, drawings_of, thumbnail


def shapes(*geometries: shapely.Geometry | None) -> NDArray[np.object_]:
    return np.array(geometries, dtype=object)


def picture(*geometries: shapely.Geometry | None, geographic: bool = False) -> str:
    drawing = Drawing(shapes(*geometries), fill="#111111", edge="#222222", line="#333333", dot="#444444")
    return thumbnail([drawing], geographic=geographic)


def paths(svg: str) -> dict[str, str]:
    """Return the data of each path by the colour of its fill, or of its stroke where it has none; not the scale bar."""
    found = re.findall(r'<path fill="([^"]+)"[^>]*?stroke="([^"]+)"[^>]* d="([^"]+)"', svg)
    return {stroke if fill == "none" else fill: data for fill, stroke, data in found if stroke != "#4a4a4a"}


def size(data: str) -> tuple[int, int]:
    """Return width and height in tenths of a pixel of what a path of one ring or line goes through."""
    start, steps = re.fullmatch(r"M(-?\d+ -?\d+)l([-\d ]+)z?", data).groups()  # type: ignore[union-attr]
    numbers = np.array([int(number) for number in f"{start} {steps}".split()]).reshape(-1, 2)
    places = numbers.cumsum(axis=0)
    width, height = (places.max(axis=0) - places.min(axis=0)).tolist()
    return width, height


def test_areas_lines_and_points_are_drawn_each_in_its_colour() -> None:
    holed = shapely.box(0, 0, 400, 400).difference(shapely.box(100, 100, 200, 200))

    drawn = paths(picture(holed, shapely.LineString([(0, 0), (400, 400)]), shapely.Point(300, 50)))

    assert sorted(drawn) == ["#111111", "#333333", "#444444"]
    assert drawn["#111111"].count("z") == 2, "the outer ring and the hole"
    assert drawn["#444444"].count("h0") == 1


def test_a_square_of_metres_and_one_of_degrees_in_the_north_look_alike_on_the_ground() -> None:
    width, height = size(paths(picture(shapely.box(0, 0, 100, 100)))["#111111"])
    assert width == height

    width, height = size(paths(picture(shapely.box(118, 59.5, 119, 60.5), geographic=True))["#111111"])
    assert width / height == pytest.approx(0.5, abs=0.01)


def test_what_is_smaller_than_a_pixel_becomes_a_dot() -> None:
    drawn = paths(picture(shapely.box(0, 0, 10_000, 10_000).boundary, shapely.box(5_000, 5_000, 5_005, 5_005)))

    assert sorted(drawn) == ["#333333", "#444444"]


def test_areas_over_each_other_hide_nothing_and_holes_stay_open() -> None:
    """The rule of SVG is "nonzero": a ring counts +1 or -1 by the way it runs."""
    outer, inner = ([(0, 0), (400, 0), (400, 400), (0, 400)], [(100, 100), (200, 100), (200, 200), (100, 200)])

    for area in (
        shapely.Polygon(outer, [inner]),
        shapely.Polygon(outer[::-1], [inner]),
        shapely.Polygon(outer, [inner[::-1]]),
    ):
        svg = picture(area, area)
        turns = [way(ring) for ring in re.findall(r"M[^z]+z", paths(svg)["#111111"])]
        assert sorted(turns) == [-1, -1, 1, 1]
        assert "evenodd" not in svg


def way(data: str) -> int:
    start, steps = re.fullmatch(r"M(\S+ \S+)l(.+)z", data).groups()  # type: ignore[union-attr]
    places = np.array([int(number) for number in f"{start} {steps}".split()]).reshape(-1, 2).cumsum(axis=0)
    return 1 if shapely.LinearRing(places).is_ccw else -1


def test_parts_of_collections_are_drawn() -> None:
    collection = shapely.GeometryCollection(
        [shapely.MultiPoint([(0, 0), (50, 50)]), shapely.GeometryCollection([shapely.box(0, 0, 100, 100)])]
    )

    assert sorted(paths(picture(collection))) == ["#111111", "#444444"]


@pytest.mark.parametrize("nothing", [None, shapely.Point(), shapely.Point(np.nan, 1), shapely.Point(np.inf, 1)])
def test_what_has_no_place_is_left_out(nothing: shapely.Geometry | None) -> None:
    assert picture(nothing) == ""
    assert picture() == ""
    assert "h0" in picture(nothing, shapely.Point(5, 5)), "one point alone has a picture"


def test_a_picture_stays_small_whatever_it_shows() -> None:
    """Jagged polygons larger than a pixel, and dots of which no two lie in the same place."""
    random = np.random.default_rng(1)
    x, y = random.random((2, 20_000)) * 10_000
    points = shapely.points(x, y)
    circles = shapely.buffer(points[:4_000], random.random(4_000) * 200 + 50, quad_segs=64)

    svg = thumbnail([Drawing(circles), Drawing(points)], geographic=False)

    assert 30_000 < len(svg) < 90_000


def test_features_have_the_colours_of_their_classes() -> None:
    frame = gpd.GeoDataFrame(
        {"land_use": ["R", "R2", None, "X"]}, geometry=gpd.points_from_xy(range(4), range(4)), crs="EPSG:4548"
    )
    style = {"color": "#000000", "by": "land_use", "colors": {"R": "#aa0000", "R2": "#00aa00", "G": "#0000aa"}}

    colors = {drawing.fill: len(drawing.shapes) for drawing in drawings_of(frame, style)}
    plain = drawings_of(frame.drop(columns="land_use"), style)

    assert colors == {"#000000": 2, "#aa0000": 1, "#00aa00": 1}
    assert [(drawing.fill, len(drawing.shapes)) for drawing in plain] == [("#000000", 4)]


def test_a_style_is_data_and_not_believed() -> None:
    frame = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 100, 100)], crs="EPSG:4548")
    style = {
        "color": '"/><script>',
        "line_color": "url(#x)",
        "opacity": "<",
        "line_width": None,
        "by": ["a"],
        "colors": 1,
    }

    svg = thumbnail(drawings_of(frame, style), geographic=False, label='"><script>')

    assert "<script" not in svg and "url(" not in svg
