"""The ground: heights between survey points, drawings with faults, and what lies outside."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from twin_model.relief import Surface, SurfaceRefused, base_elevations, build_surface

Float64 = NDArray[np.float64]
EAST, NORTH = 618_000.0, 3_885_000.0
CORNER = np.array([EAST, NORTH, 0.0])
NO_POINTS = np.empty((0, 3))
NO_LINES = np.empty(0, dtype=object)


def lines(*coordinates: list[tuple[float, float, float]]) -> NDArray[np.object_]:
    """Return LineString Z with coordinates counted from the corner of the map sheet."""
    moved = [shapely.LineString(np.array(line) + CORNER) for line in coordinates]
    return np.array(moved, dtype=object)


def spots(*places: tuple[float, float, float]) -> Float64:
    return np.asarray(np.array(places, dtype=np.float64).reshape(-1, 3) + CORNER)


def scattered(count: int, seed: int, side: float = 1000.0) -> Float64:
    """Return places spread over a square of the map sheet."""
    return np.asarray(np.random.default_rng(seed).random((count, 2)) * side + CORNER[:2])


def height(surface: Surface, x: float, y: float) -> float:
    return float(surface.height_at(np.array([EAST + x]), np.array([NORTH + y]))[0])


@pytest.fixture(scope="module")
def hill() -> Surface:
    """A cone of 20 m over a plain at 60 m, as contours every metre and the corners of the sheet."""
    angle = np.linspace(0.0, 2.0 * np.pi, 181)
    rings = [
        shapely.LineString(
            np.column_stack(
                [
                    EAST + 500.0 + 20.0 * (20.0 - up) * np.cos(angle),
                    NORTH + 500.0 + 20.0 * (20.0 - up) * np.sin(angle),
                    np.full(len(angle), 60.0 + up),
                ]
            )
        )
        for up in range(20)
    ]
    corners = spots((0, 0, 60), (1000, 0, 60), (1000, 1000, 60), (0, 1000, 60), (500, 500, 80))
    return build_surface(corners, np.array(rings, dtype=object))


@settings(deadline=None, max_examples=40)
@given(
    slope=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    count=st.integers(3, 300),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_plane_is_given_back_everywhere_inside_whatever_points_were_surveyed(
    slope: tuple[float, float], count: int, seed: int
) -> None:
    def plane(xy: Float64) -> Float64:
        return np.asarray(60.0 + (xy - CORNER[:2]) @ np.array(slope))

    surveyed = scattered(count, seed)
    surface = build_surface(np.column_stack([surveyed, plane(surveyed)]), NO_LINES)
    asked = scattered(200, seed + 1)

    answered = surface.height_at(asked[:, 0], asked[:, 1])

    inside = shapely.contains_xy(shapely.MultiPoint(surveyed).convex_hull, asked[:, 0], asked[:, 1])
    np.testing.assert_array_equal(np.isfinite(answered), inside)
    np.testing.assert_allclose(answered[inside], plane(asked[inside]), atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(count=st.integers(10, 200), seed=st.integers(0, 2**32 - 1))
def test_heights_agree_with_the_triangle_that_shapely_finds(count: int, seed: int) -> None:
    surveyed = np.column_stack([scattered(count, seed), np.random.default_rng(seed).random(count) * 50.0])
    surface = build_surface(surveyed, NO_LINES)
    corners = surface.vertices[surface.triangles]
    tree = shapely.STRtree(np.asarray(shapely.polygons(corners[:, :, :2]), dtype=object))
    asked = scattered(100, seed + 1)
    place, triangle = tree.query(shapely.points(asked), predicate="within")

    answered = surface.height_at(asked[place, 0], asked[place, 1])

    # The plane through three corners, solved as linear equations around the first corner.
    a, b, c = corners[triangle].transpose(1, 0, 2)
    sides = np.stack([(b - a)[:, :2], (c - a)[:, :2]], axis=1)
    rises = np.stack([(b - a)[:, 2], (c - a)[:, 2]], axis=1)
    gradient = np.linalg.solve(sides, rises[:, :, None])[:, :, 0]
    expected = a[:, 2] + (gradient * (asked[place] - a[:, :2])).sum(axis=1)
    np.testing.assert_allclose(answered, expected, atol=1e-5)


def test_every_vertex_has_its_own_height_and_triangles_are_counter_clockwise(hill: Surface) -> None:
    answered = hill.height_at(hill.vertices[:, 0], hill.vertices[:, 1])

    a, b, c = (hill.vertices[hill.triangles[:, i], :2] for i in range(3))
    turn = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    np.testing.assert_allclose(answered, hill.vertices[:, 2], atol=1e-6)
    assert (turn > 0).all()


def test_a_cone_drawn_as_contours_is_a_cone_between_them(hill: Surface) -> None:
    asked = scattered(2000, 7)
    away = np.hypot(asked[:, 0] - EAST - 500.0, asked[:, 1] - NORTH - 500.0)

    answered = hill.height_at(asked[:, 0], asked[:, 1])

    np.testing.assert_allclose(answered, 60.0 + np.maximum(20.0 - away / 20.0, 0.0), atol=0.02)


def test_the_surface_follows_a_breakline_that_delaunay_alone_would_cut_across() -> None:
    ditch = lines([(0, 50, 5), (100, 50, 5)])
    banks = spots((0, 0, 10), (100, 0, 10), (0, 100, 10), (100, 100, 10), (50, 49, 9), (50, 51, 9))

    surface = build_surface(banks, ditch)

    assert [height(surface, x, 50.0) for x in (10.0, 50.0, 90.0)] == pytest.approx([5.0, 5.0, 5.0])
    assert height(build_surface(np.concatenate([banks, spots((0, 50, 5), (100, 50, 5))]), NO_LINES), 50, 50) > 8


def test_spot_heights_closer_than_a_centimetre_become_one_with_the_mean_height() -> None:
    surface = build_surface(spots((0, 0, 1), (10, 0, 1), (10, 10, 1), (0, 10, 1), (5, 5, 2), (5.004, 5, 4)), NO_LINES)

    assert len(surface.vertices) == 5
    assert height(surface, 5.0, 5.0) == pytest.approx(3.0)


@pytest.mark.parametrize("gap", [0.0, 0.004])
def test_contours_of_different_heights_that_touch_are_not_averaged(gap: float) -> None:
    cliff = lines([(0, 0, 10), (50, 50, 10), (100, 0, 10)], [(0, 100, 15), (50, 50 + gap, 15), (100, 100, 15)])

    surface = build_surface(NO_POINTS, cliff)

    assert set(surface.vertices[:, 2]) == {10.0, 15.0}
    assert height(surface, 50.0, 50.0) == pytest.approx(10.0)
    assert height(surface, 25.0, 25.0) == pytest.approx(10.0)


def test_a_spot_height_between_two_touching_contours_does_not_tie_them_together() -> None:
    contours = lines([(0, 0, 10), (50, 50, 10), (100, 0, 10)], [(0, 100, 15), (50, 50.012, 15), (100, 100, 15)])

    surface = build_surface(spots((50, 50.006, 12)), contours)

    assert set(surface.vertices[:, 2]) == {10.0, 11.0, 15.0}
    assert height(surface, 50.0, 50.012) == pytest.approx(15.0)


def test_crossing_contours_of_different_heights_invent_no_height_between_them() -> None:
    crossing = lines([(0, 0, 10), (100, 100, 10)], [(0, 100, 20), (100, 0, 20)])

    surface = build_surface(NO_POINTS, crossing)

    assert len(surface.vertices) == 4
    assert set(surface.vertices[:, 2]) == {10.0, 20.0}


def test_crossing_lines_that_agree_share_a_vertex_and_both_hold() -> None:
    crossing = lines([(0, 0, 10), (100, 100, 30)], [(0, 100, 20), (100, 0, 20)])

    surface = build_surface(spots((50, 20, 0), (20, 50, 0)), crossing)

    assert [height(surface, at, at) for at in (10.0, 50.0, 90.0)] == pytest.approx([12.0, 20.0, 28.0])
    assert [height(surface, at, 100.0 - at) for at in (10.0, 50.0, 90.0)] == pytest.approx([20.0] * 3)


def test_repeated_contours_and_points_without_height_change_nothing() -> None:
    ring = [(10.0, 10.0, 5.0), (90.0, 10.0, 5.0), (50.0, 90.0, 5.0), (10.0, 10.0, 5.0)]
    once = build_surface(spots((50, 40, 9), (0, 0, 0)), lines(ring))

    twice = build_surface(
        spots((50, 40, 9), (0, 0, 0), (50, 40, 9), (20, 20, np.nan)),
        np.concatenate([lines(ring, ring[::-1]), [None]]),
    )

    asked = scattered(500, 3, 90.0)
    np.testing.assert_allclose(
        twice.height_at(asked[:, 0], asked[:, 1]), once.height_at(asked[:, 0], asked[:, 1]), atol=1e-9
    )
    assert len(twice.vertices) == len(once.vertices) == 5


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 12))
def test_lines_drawn_at_random_always_give_a_surface_within_their_heights(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    drawn = [[(*place, float(up)) for place in random.random((6, 2)) * 50.0] for up in random.integers(0, 5, count)]

    surface = build_surface(NO_POINTS, lines(*drawn))

    heights = surface.height_at(*scattered(200, seed, 50.0).T)
    levels = {up for line in drawn for *_, up in line}
    assert set(surface.vertices[:, 2].round(6)) <= levels
    assert np.nanmin(heights) >= min(levels) - 1e-9
    assert np.nanmax(heights) <= max(levels) + 1e-9


def test_beyond_the_limit_contours_are_thinned_evenly_and_the_hill_stays() -> None:
    angle = np.linspace(0.0, 2.0 * np.pi, 3001)
    rings = [[(100 + r * np.cos(a), 100 + r * np.sin(a), 50.0 - r / 2.0) for a in angle] for r in range(5, 100, 5)]
    top = spots((100, 100, 50))

    surface = build_surface(top, lines(*rings), most_vertices=2000)

    asked = scattered(500, 5, 200.0)
    away = np.hypot(*(asked - (EAST + 100, NORTH + 100)).T)
    near = away < 94.0
    assert 1900 <= len(surface.vertices) <= 2000
    np.testing.assert_allclose(surface.height_at(*asked[near].T), 50.0 - away[near] / 2.0, atol=0.5)


def test_a_hull_leaves_out_the_triangles_outside_it() -> None:
    corner = shapely.Polygon([(0, 0), (100, 0), (100, 40), (40, 40), (40, 100), (0, 100)])
    grid = spots(*[(x, y, 1) for x in range(0, 101, 10) for y in range(0, 101, 10) if x <= 40 or y <= 40])

    surface = build_surface(grid, NO_LINES, hull=shapely.transform(corner, lambda xy: xy + CORNER[:2]))

    assert np.isnan(height(surface, 80.0, 80.0))
    assert height(surface, 80.0, 20.0) == pytest.approx(1.0)
    assert surface.bounds == (EAST, NORTH, EAST + 100, NORTH + 100)


@pytest.mark.parametrize("places", [(), ((0, 0, 1),), ((0, 0, 1), (5, 5, 2), (10, 10, 3), (40, 40, 3))])
def test_places_on_one_line_or_too_few_are_refused(places: tuple[tuple[float, float, float], ...]) -> None:
    with pytest.raises(SurfaceRefused) as refused:
        build_surface(spots(*places), NO_LINES)

    assert refused.value.rule_id == "relief.no_surface"
    assert refused.value.values == {"places": len(places)}


def test_outside_the_survey_the_ground_goes_on_without_a_step_and_ends_flat() -> None:
    slope = build_surface(spots((0, 0, 0), (100, 0, 10), (100, 100, 10), (0, 100, 0)), NO_LINES)
    along = EAST + np.linspace(-3000.0, 3000.0, 6001)
    middle = np.full(along.shape, NORTH + 50.0)

    profile = slope.height_near(along, middle)

    inside = (along >= EAST) & (along <= EAST + 100)
    np.testing.assert_allclose(profile[inside], slope.height_at(along, middle)[inside])
    assert np.abs(np.diff(profile)).max() < 0.11
    np.testing.assert_allclose(profile[np.abs(along - EAST) > 2200], slope.rim_height)
    assert slope.rim_height == pytest.approx(5.0)


def test_places_off_the_projection_have_the_height_of_the_rim(hill: Surface) -> None:
    nowhere = np.array([np.inf, np.nan, 0.0, -1e7])

    answered = hill.height_near(nowhere, nowhere)

    assert np.isnan(hill.height_at(nowhere, nowhere)).all()
    np.testing.assert_allclose(answered, hill.rim_height)


def test_heights_come_back_in_the_shape_they_were_asked_in(hill: Surface) -> None:
    x, y = np.meshgrid(EAST + np.arange(100.0, 400.0, 100.0), NORTH + np.arange(100.0, 900.0, 200.0))

    assert hill.height_at(x, y).shape == hill.height_near(x, y).shape == (4, 3)
    assert hill.height_at(np.empty(0), np.empty(0)).shape == (0,)


def test_a_building_on_a_slope_stands_at_its_lowest_corner_and_outside_at_none() -> None:
    surface = build_surface(spots((0, 0, 0), (100, 0, 10), (100, 100, 10), (0, 100, 0)), NO_LINES)

    def at(box: shapely.Polygon) -> shapely.Polygon:
        return shapely.transform(box, lambda xy: xy + CORNER[:2])

    footprints = np.array(
        [
            at(shapely.box(40, 40, 60, 50)),
            at(shapely.box(90, 0, 110, 10)),
            at(shapely.box(200, 0, 210, 10)),
            None,
        ]
    )

    bases = base_elevations(surface, footprints)

    np.testing.assert_allclose(bases, [4.0, 9.0, np.nan, np.nan])
