"""Footprints: what a shape covers seen from above, compared with the plain union of all its triangles."""

import math

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from ingest.ifc.footprint import footprint_of, placed_footprints

L_SHAPE = [(0, 0), (6, 0), (6, 2), (2, 2), (2, 5), (0, 5)]


def prism(ring: list[tuple[float, float]], bottom: float, top: float) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices and outward triangles of a prism over a simple ring (counter-clockwise)."""
    n = len(ring)
    vertices = np.array([(x, y, z) for z in (bottom, top) for x, y in ring], dtype=np.float64)
    points = {xy: at for at, xy in enumerate(map(tuple, np.asarray(ring, dtype=np.float64)))}
    cap = []
    for triangle in shapely.constrained_delaunay_triangles(Polygon(ring)).geoms:
        corners = [points[xy] for xy in list(triangle.exterior.coords)[:3]]
        cap.append(corners if triangle.exterior.is_ccw else corners[::-1])
    sides = [t for i in range(n) for t in ((i, (i + 1) % n, n + i), ((i + 1) % n, n + (i + 1) % n, n + i))]
    below = [(a, c, b) for a, b, c in cap]
    above = [(a + n, b + n, c + n) for a, b, c in cap]
    return vertices, np.array([*below, *above, *sides], np.uint32)


@settings(max_examples=40, deadline=None)
@given(
    width=st.floats(0.5, 30),
    depth=st.floats(0.5, 30),
    cut=st.floats(0.1, 0.9),
    top=st.floats(0.1, 50),
    turn=st.floats(0, 6.28),
)
def test_the_footprint_of_a_prism_is_the_union_of_its_triangles(
    width: float, depth: float, cut: float, top: float, turn: float
) -> None:
    ring = [
        (0, 0),
        (width, 0),
        (width, depth * cut),
        (width * cut, depth * cut),
        (width * cut, depth),
        (0, depth),
    ]
    cos, sin = math.cos(turn), math.sin(turn)
    vertices, triangles = prism([(cos * x - sin * y, sin * x + cos * y) for x, y in ring], -1.0, -1.0 + top)

    found = footprint_of(vertices, triangles)

    flat = shapely.polygons(vertices[triangles][:, :, :2])
    union = shapely.union_all(flat[shapely.area(flat) > 1e-9])
    assert found.area.symmetric_difference(union).area < 4e-3 * union.length
    assert (found.bottom, found.top) == (-1.0, vertices[:, 2].max())
    assert not found.widened


def test_an_l_shape_keeps_its_inner_corner() -> None:
    found = footprint_of(*prism(L_SHAPE, 0.0, 3.0))

    assert found.area.area == Polygon(L_SHAPE).area
    assert not found.area.contains(shapely.Point(5, 4))


def test_a_shape_of_many_faces_is_stood_for_by_its_hull() -> None:
    steps = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    star = [((2 + (i % 2)) * math.cos(a), (2 + (i % 2)) * math.sin(a)) for i, a in enumerate(steps)]

    found = footprint_of(*prism(star, 0.0, 1.0))

    assert found.area.equals(shapely.convex_hull(Polygon(star)))


def test_an_upright_plate_gets_a_strip_of_ten_millimetres() -> None:
    plate = np.array([(0, 0, 0), (4, 0, 0), (4, 0, 3), (0, 0, 3)], dtype=np.float64)

    found = footprint_of(plate, np.array([(0, 1, 2), (0, 2, 3)], np.uint32))

    assert found.widened
    assert found.area.bounds == (-0.005, -0.005, 4.005, 0.005)


def test_placed_footprints_are_turned_moved_and_lie_at_the_bottom() -> None:
    areas = np.array([Polygon(L_SHAPE), shapely.MultiPolygon([Polygon(L_SHAPE)])], dtype=object)
    quarter = np.array([[0, -1, 0, 100], [1, 0, 0, 200], [0, 0, 1, 9], [0, 0, 0, 1]], dtype=np.float64)

    placed = placed_footprints(areas, np.array([quarter, np.eye(4)]), np.array([7.0, -2.0]))

    expected = Polygon([(100 - y, 200 + x) for x, y in L_SHAPE])
    assert shapely.force_2d(placed[0]).equals(expected)
    assert shapely.force_2d(placed[1]).equals(Polygon(L_SHAPE))
    assert [set(shapely.get_coordinates(one, include_z=True)[:, 2]) for one in placed] == [{7.0}, {-2.0}]
    assert {one.geom_type for one in placed} == {"MultiPolygon"}
