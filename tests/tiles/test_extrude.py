"""Extruded footprints hold the volume they should, with every wall facing outward."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mesh_edges import open_edges
from numpy.typing import NDArray

from tiles.extrude import extrude, footprint_rings, triangulate
from tiles.mesh import NO_WALL, TileMesh, empty_mesh, merge

EAST, NORTH = 619_000.0, 3_886_000.0


def objects(*geometries: object) -> NDArray[np.object_]:
    column = np.empty(len(geometries), dtype=object)
    column[:] = geometries
    return column


def solid(polygon: object, base: float = 60.0, height: float = 10.0) -> TileMesh:
    return extrude(objects(polygon), np.array([base]), np.array([height]), floor=True)


@st.composite
def footprints(draw: st.DrawFn) -> shapely.Polygon:
    """A star-shaped footprint in real coordinates, often concave, sometimes with holes, either way round."""
    corners = draw(st.integers(3, 14))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    angle = (
        np.sort(random.uniform(0, 2 * np.pi, corners))
        if draw(st.booleans())
        else (2 * np.pi * np.arange(corners) / corners)
    )
    reach = random.uniform(4, 40, corners)
    ring = np.column_stack([EAST + reach * np.cos(angle), NORTH + reach * np.sin(angle)]).round(3)
    polygon = shapely.Polygon(ring[:: draw(st.sampled_from([1, -1]))])
    if draw(st.booleans()) and polygon.is_valid:
        well = shapely.Point(EAST + 1, NORTH).buffer(draw(st.floats(0.3, 3)), 2)
        parts = shapely.get_parts(polygon.difference(well))
        polygon = max(parts.tolist(), key=shapely.area, default=polygon)
    return polygon


@given(footprints(), st.floats(-30, 200), st.floats(0.5, 300))
@settings(max_examples=150, deadline=None)
def test_the_volume_is_area_times_height(polygon: shapely.Polygon, base: float, height: float) -> None:
    assume(polygon.is_valid and polygon.area > 1.0)

    mesh = solid(polygon, base, height)

    assert mesh.volume == pytest.approx(polygon.area * height, rel=1e-6)
    assert mesh.positions[:, 2].min() == pytest.approx(base)
    assert mesh.positions[:, 2].max() == pytest.approx(base + height)


@given(footprints())
@settings(max_examples=100, deadline=None)
def test_triangles_turn_the_way_their_normals_point(polygon: shapely.Polygon) -> None:
    assume(polygon.is_valid and polygon.area > 1.0)

    mesh = solid(polygon)

    a, b, c = mesh.positions[mesh.triangles].transpose(1, 0, 2)
    cross = np.cross(b - a, c - a)
    sized = np.linalg.norm(cross, axis=1) > 1e-6
    assert mesh.normals is not None
    facing = np.einsum("ij,ij->i", cross, mesh.normals[mesh.triangles[:, 0]].astype(np.float64))
    assert (facing[sized] > 0.99 * np.linalg.norm(cross, axis=1)[sized]).all()


@given(st.lists(footprints(), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_many_footprints_at_once_give_what_each_gives_alone(polygons: list[shapely.Polygon]) -> None:
    count = len(polygons)

    together = extrude(objects(*polygons), np.zeros(count), np.full(count, 10.0), floor=True)

    for row, polygon in enumerate(polygons):
        own = together.triangles[together.feature[together.triangles[:, 0]] == row]
        part = TileMesh(together.positions, None, own, together.feature)
        assert part.volume == pytest.approx(solid(polygon).volume, rel=1e-6, abs=1e-6)


def test_a_closed_solid_has_no_open_edge_and_without_floor_only_its_foot_is_open() -> None:
    court = shapely.box(0, 0, 30, 20).difference(shapely.box(5, 5, 10, 10))

    closed = solid(court)
    standing = extrude(objects(court), np.zeros(1), np.ones(1))

    assert open_edges(closed) == 0
    assert open_edges(standing) == 8


@pytest.mark.parametrize(
    "ring",
    [
        [(0, 0), (10, 0), (10, 0), (10, 8), (0, 8), (0, 8), (0, 0)],
        [(0, 0), (5, 0), (10, 0), (10, 4), (10, 8), (5, 8), (0, 8), (0, 3)],
        [(0, 0), (0, 8), (10, 8), (10, 0)],
        [(0, 0), (10, 0), (10, 8), (0, 8), (0, 8 - 1e-8)],
    ],
    ids=["repeated points", "collinear points", "clockwise", "nearly repeated"],
)
def test_odd_rings_give_the_same_block(ring: list[tuple[float, float]]) -> None:
    mesh = solid(shapely.Polygon(ring))

    assert mesh.volume == pytest.approx(800.0)
    assert open_edges(mesh) == 0


@pytest.mark.parametrize(
    "ring",
    [
        [(0, 0), (9, 0), (9, 3), (3, 3), (3, 9), (0, 9)],
        [(0, 0), (9, 0), (9, 9), (6, 9), (6, 3), (3, 3), (3, 9), (0, 9)],
        [(0, 0), (4, 0), (4, 4), (2, 1)],
    ],
    ids=["L", "U", "arrowhead"],
)
def test_concave_roofs_are_filled_exactly(ring: list[tuple[float, float]]) -> None:
    polygon = shapely.Polygon(ring)
    rings = footprint_rings(objects(polygon))

    triangles = shapely.polygons(rings.points[triangulate(rings)])

    assert shapely.area(triangles).sum() == pytest.approx(polygon.area)
    assert shapely.union_all(triangles).equals(polygon)


def test_a_multipolygon_is_one_feature_and_an_empty_place_is_none() -> None:
    pair = shapely.MultiPolygon([shapely.box(0, 0, 2, 2), shapely.box(5, 0, 8, 2)])
    line = shapely.LineString([(0, 0), (1, 1)])
    flat = shapely.Polygon([(0, 0), (1, 0), (0, 0), (1, 0)])

    mesh = extrude(
        objects(None, pair, shapely.Polygon(), line, flat, shapely.box(0, 0, 1, 1)),
        np.zeros(6),
        np.full(6, 3.0),
        floor=True,
    )

    assert set(mesh.feature.tolist()) == {1, 5}
    assert mesh.volume == pytest.approx(3.0 * (4 + 6 + 1))


def test_nothing_to_extrude_gives_an_empty_mesh() -> None:
    assert extrude(objects(), np.empty(0), np.empty(0)).is_empty
    assert extrude(objects(None), np.zeros(1), np.ones(1)).is_empty


def test_an_unknown_height_lies_flat_and_is_painted_so() -> None:
    colors = np.array([[10, 20, 30, 255], [40, 50, 60, 255]], np.uint8)

    mesh = extrude(
        objects(shapely.box(0, 0, 5, 5), shapely.box(9, 0, 14, 5)),
        np.array([60.0, 61.0]),
        np.array([12.0, np.nan]),
        colors=colors,
        flat_color=(255, 0, 255, 90),
        floor=True,
    )

    assert mesh.colors is not None
    flat = mesh.feature == 1
    assert mesh.positions[flat, 2].tolist() == [61.0] * 4
    assert {tuple(color) for color in mesh.colors[flat].tolist()} == {(255, 0, 255, 90)}
    assert {tuple(color) for color in mesh.colors[~flat].tolist()} == {(10, 20, 30, 255)}
    assert mesh.volume - flat_volume(mesh) == pytest.approx(300.0, abs=1e-6)


def flat_volume(mesh: TileMesh) -> float:
    """Return what the open flat sheet adds to the divergence sum."""
    own = mesh.triangles[mesh.feature[mesh.triangles[:, 0]] == 1]
    a, b, c = (mesh.positions - mesh.positions[0])[own].transpose(1, 0, 2)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


def test_rows_may_be_numbered_by_the_caller() -> None:
    mesh = extrude(
        objects(shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)),
        np.zeros(2),
        np.ones(2),
        feature=np.array([41, 7], np.uint32),
    )

    assert set(mesh.feature.tolist()) == {41, 7}


def test_merged_meshes_keep_their_triangles_and_get_white_where_they_had_no_colour() -> None:
    red = extrude(
        objects(shapely.box(0, 0, 1, 1)),
        np.zeros(1),
        np.ones(1),
        colors=np.array([[255, 0, 0, 255]], np.uint8),
        floor=True,
    )
    plain = solid(shapely.box(5, 5, 7, 7), 0.0, 1.0)

    both = merge([red, empty_mesh(), plain])

    assert both.volume == pytest.approx(5.0)
    assert both.colors is not None
    assert {tuple(color) for color in both.colors.tolist()} == {(255, 0, 0, 255), (255, 255, 255, 255)}


def test_walls_know_their_bays_and_storeys_and_roofs_that_they_are_none() -> None:
    mesh = extrude(
        objects(shapely.box(0, 0, 36, 7)), np.zeros(1), np.array([30.0]), storeys=np.array([10.0]), floor=True
    )
    guessed = extrude(objects(shapely.box(0, 0, 1, 7)), np.zeros(1), np.array([6.5]), storeys=np.array([np.nan]))
    plain = extrude(objects(shapely.box(0, 0, 36, 7)), np.zeros(1), np.array([30.0]))

    assert mesh.facade is not None and guessed.facade is not None and plain.facade is None
    is_wall = mesh.normals[:, 2] == 0
    assert (mesh.facade[~is_wall] == NO_WALL).all() and (~is_wall).sum() == 8
    assert sorted(set(mesh.facade[is_wall][:, 0].tolist())) == [0.0, 2.0, 10.0]
    height_by_storey = mesh.positions[is_wall][:, 2] / 3.0
    assert mesh.facade[is_wall][:, 1].tolist() == height_by_storey.tolist()
    assert guessed.facade.max(axis=0).tolist() == [2.0, 2.0]
    assert guessed.facade[guessed.normals[:, 2] == 0][:, 0].min() == 0.0
