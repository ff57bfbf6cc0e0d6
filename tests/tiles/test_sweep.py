"""Swept pipes are closed, hold section times length, and keep their size round every bend."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mesh_edges import open_edges
from numpy.typing import NDArray

from tiles.mesh import TileMesh
from tiles.sweep import sweep

Point = tuple[float, float, float]


def pipe(
    points: list[Point], width: float = 0.6, height: float = np.nan, *, round_: bool = True, sides: int = 8
) -> TileMesh:
    lines = np.array([shapely.LineString(points)], dtype=object)
    return sweep(lines, np.array([width]), np.array([height]), np.array([round_]), sides=sides)


def polygon_area(sides: int, diameter: float) -> float:
    return float(0.5 * sides * np.sin(2 * np.pi / sides) * (diameter / 2) ** 2)


coordinate = st.floats(-200, 200)


@given(st.tuples(coordinate, coordinate, coordinate), st.floats(0.05, 3), st.sampled_from([4, 6, 8, 32]))
@settings(max_examples=80, deadline=None)
def test_a_straight_round_pipe_holds_section_times_length(end: Point, diameter: float, sides: int) -> None:
    length = float(np.linalg.norm(end))
    assume(length > 0.1)

    mesh = pipe([(0, 0, 0), end], diameter, sides=sides)

    assert mesh.volume == pytest.approx(polygon_area(sides, diameter) * length, rel=1e-6)
    assert open_edges(mesh) == 0


@given(st.tuples(coordinate, coordinate, coordinate), st.floats(0.05, 3), st.floats(0.05, 3))
@settings(max_examples=80, deadline=None)
def test_a_straight_duct_block_holds_its_section_times_length(end: Point, width: float, height: float) -> None:
    length = float(np.linalg.norm(end))
    assume(length > 0.1)

    mesh = pipe([(0, 0, 0), end], width, height, round_=False)

    assert mesh.volume == pytest.approx(width * height * length, rel=1e-6)


def test_many_sides_come_near_the_true_circle() -> None:
    mesh = pipe([(0, 0, -3), (40, 10, -4)], 1.2, sides=64)

    assert mesh.volume == pytest.approx(np.pi * 0.36 * np.linalg.norm([40, 10, 1]), rel=2e-3)


@given(st.lists(st.floats(-29, 29), min_size=1, max_size=12), st.floats(-0.2, 0.2))
@settings(max_examples=60, deadline=None)
def test_mitred_bends_lose_no_volume(turns: list[float], slope: float) -> None:
    heading = np.radians(np.cumsum([0.0, *turns]))
    steps = np.column_stack([np.cos(heading), np.sin(heading), np.full(len(heading), slope)]) * 10
    points = np.vstack([[0, 0, 0], np.cumsum(steps, axis=0)])

    mesh = pipe([tuple(point) for point in points.tolist()], 1.0)

    length = np.linalg.norm(steps, axis=1).sum()
    assert mesh.volume == pytest.approx(polygon_area(8, 1.0) * length, rel=1e-3)
    assert open_edges(mesh) == 0


@given(st.lists(st.tuples(coordinate, coordinate, st.floats(-20, 20)), min_size=2, max_size=9), st.booleans())
@settings(max_examples=120, deadline=None)
def test_any_polyline_gives_a_closed_finite_tube_near_its_axis(points: list[Point], round_: bool) -> None:
    mesh = pipe(points, 0.5, 0.5, round_=round_)

    line = shapely.LineString(points)
    if mesh.is_empty:
        assert np.linalg.norm(np.diff(points, axis=0), axis=1).max(initial=0.0) < 0.01
        return
    assert mesh.normals is not None
    assert np.isfinite(mesh.positions).all()
    assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-5)
    assert open_edges(mesh) == 0
    assert shapely.distance(shapely.points(mesh.positions[:, :2]), line).max() < 1.0


@pytest.mark.parametrize("angle", [31.0, 60.0, 90.0, 120.0, 150.0, 179.0])
def test_sharp_bends_become_arcs_that_stay_within_the_pipe(angle: float) -> None:
    turn = np.radians(angle)
    points = [(0.0, 0.0, 0.0), (10.0, 0.0, 0.0), (10 + 10 * np.cos(turn), 10 * np.sin(turn), 0.0)]

    mesh = pipe(points, 0.4)

    reach = shapely.distance(shapely.points(mesh.positions[:, :2]), shapely.LineString(points))
    elbow = 1.5 * 0.4
    assert reach.max() < 0.2 + elbow
    assert np.abs(mesh.positions[:, 2]).max() == pytest.approx(0.2, abs=1e-6)
    assert len(mesh.positions) > len(pipe([points[0], points[1], (20.0, 0.0, 0.0)], 0.4).positions)


def test_a_turn_straight_back_is_survived() -> None:
    mesh = pipe([(0, 0, 0), (10, 0, 0), (2, 0, 0)], 0.4)

    assert np.isfinite(mesh.positions).all()
    assert mesh.positions[:, 0].max() == pytest.approx(10.0, abs=0.7)


def test_a_vertical_pipe_stands_and_a_drop_shaft_keeps_its_size() -> None:
    shaft = pipe([(5, 5, 60), (5, 5, 52)], 0.8)
    drop = pipe([(0, 0, 60), (5, 0, 60), (5, 0, 50), (9, 0, 50)], 0.5, 0.3, round_=False)

    assert shaft.volume == pytest.approx(polygon_area(8, 0.8) * 8.0)
    assert np.ptp(shaft.positions[:, 2]) == pytest.approx(8.0)
    assert open_edges(drop) == 0
    assert drop.volume == pytest.approx(0.15 * 19, rel=0.1)


def test_a_duct_block_stays_level_round_bends_on_a_slope() -> None:
    mesh = pipe([(0, 0, 0), (20, 0, 1), (30, 4, 2), (38, 9, 2.5)], 2.0, 0.5, round_=False)

    ends = mesh.positions[mesh.positions[:, 0] > 36]
    assert np.ptp(ends[:, 2]) < 0.5 + 0.1
    assert mesh.volume == pytest.approx(1.0 * (20.025 + 10.817 + 9.447), rel=1e-2)


def test_an_elliptic_pipe_is_as_wide_and_as_high_as_said() -> None:
    mesh = pipe([(0, 0, 0), (10, 0, 0)], 1.2, 0.8)

    assert np.ptp(mesh.positions, axis=0) == pytest.approx([10.0, 1.2, 0.8], abs=1e-6)


def test_pipes_of_every_shape_at_once_give_what_each_gives_alone() -> None:
    lines = [
        [(0, 0, 0), (10, 0, 0), (10, 8, 0), (10, 8, 6)],
        [(0, 5, 0), (4, 5, 1), (8, 7, 1)],
        [(20, 0, 0), (30, 0, 0)],
        [(0, 0, 9), (1, 1, 9), (2, 3, 9), (5, 3, 9), (7, 1, 8)],
    ]
    width, height = np.array([1.0, 0.8, 0.5, 0.3]), np.array([np.nan, 0.5, np.nan, 0.3])
    is_round = np.array([True, False, False, True])

    together = sweep(np.array([shapely.LineString(line) for line in lines], object), width, height, is_round)

    for row, line in enumerate(lines):
        own = together.triangles[together.feature[together.triangles[:, 0]] == row]
        alone = pipe(line, width[row], height[row], round_=bool(is_round[row]))  # type: ignore[arg-type]
        assert TileMesh(together.positions, None, own, together.feature).volume == pytest.approx(alone.volume)


def test_what_cannot_be_swept_gives_nothing_and_does_not_disturb_the_rest() -> None:
    good = shapely.LineString([(0, 0, 0), (10, 0, 0)])
    lines: NDArray[np.object_] = np.empty(7, dtype=object)
    lines[:] = [
        None,
        good,
        shapely.LineString([(0, 0), (5, 0)]),
        shapely.LineString([(1, 1, 1), (1, 1, 1)]),
        good,
        shapely.LineString(),
        shapely.MultiLineString([[(0, 0, 0), (5, 0, 0)], [(7, 0, 0), (9, 0, 0)]]),
    ]
    width = np.array([1, 0.5, 1, 1, np.nan, 1, 0.5])

    mesh = sweep(lines, width, np.full(7, np.nan), np.full(7, True), feature=np.arange(10, 17, dtype=np.uint32))

    assert set(mesh.feature.tolist()) == {11, 16}
    assert mesh.volume == pytest.approx(polygon_area(8, 0.5) * (10 + 5 + 2))


def test_nothing_to_sweep_gives_an_empty_mesh() -> None:
    assert sweep(np.empty(0, object), np.empty(0), np.empty(0), np.empty(0, bool)).is_empty


def test_colours_follow_their_pipe() -> None:
    lines = np.array([shapely.LineString([(0, y, 0), (5, y, 0)]) for y in (0, 3)], object)
    colors = np.array([[1, 2, 3, 255], [9, 8, 7, 255]], np.uint8)

    mesh = sweep(lines, np.ones(2), np.full(2, np.nan), np.full(2, True), colors=colors)

    assert mesh.colors is not None
    assert np.array_equal(mesh.colors, colors[mesh.feature])
