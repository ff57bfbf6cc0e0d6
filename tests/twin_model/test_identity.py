"""Which known feature a delivered one is: one to one by place, under noise, and not when it was split or merged."""

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from twin_model.catalogue import read_catalogue
from twin_model.identity import OVERLAP, class_keys, match_by_place

CATALOGUE = read_catalogue()
POINTS, LINES, AREAS = CATALOGUE["street_lamp"], CATALOGUE["rail"], CATALOGUE["building"]
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(1, 40)


def places(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Places on a jittered grid 25 m apart, in any order."""
    cells = random.permutation(np.arange(count))
    return np.column_stack((618_000 + 25.0 * (cells % 7), 3_886_000 + 25.0 * (cells // 7)))


def shifted(shapes: NDArray[np.object_], random: np.random.Generator, noise: float) -> NDArray[np.object_]:
    """Every vertex moved on its own by at most `noise` in each axis; rings stay closed."""
    moved = []
    for shape in shapes:
        seen: dict[tuple[float, float], NDArray[np.float64]] = {}
        moved.append(
            shapely.transform(
                shape,
                lambda xy, seen=seen: np.array(
                    [seen.setdefault(tuple(one), one + random.uniform(-noise, noise, 2)) for one in xy]
                ),
            )
        )
    return np.array(moved, dtype=object)


def houses(at: NDArray[np.float64]) -> NDArray[np.object_]:
    return np.array([shapely.MultiPolygon([shapely.box(x, y, x + 12, y + 9)]) for x, y in at], dtype=object)


def tracks(at: NDArray[np.float64]) -> NDArray[np.object_]:
    return np.array([shapely.MultiLineString([[(x, y), (x + 8, y + 3), (x + 16, y)]]) for x, y in at], dtype=object)


@settings(max_examples=40)
@given(COUNTS, SEEDS)
def test_every_lamp_is_found_again_in_another_order_and_3_cm_off(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = shapely.points(places(count, random))
    fids = random.permutation(np.arange(1, count + 1))
    order = random.permutation(count)

    matched = match_by_place(POINTS, shifted(known[order], random, 0.03), known, fids)

    assert matched.tolist() == fids[order].tolist()


@settings(max_examples=40)
@given(COUNTS, SEEDS)
def test_every_line_is_found_again_also_drawn_the_other_way_round(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = tracks(places(count, random))
    fids = np.arange(1, count + 1)
    turned = random.random(count) < 0.5
    again = shifted(known, random, 0.03)
    again[turned] = shapely.reverse(again[turned])

    assert match_by_place(LINES, again, known, fids).tolist() == fids.tolist()


@settings(max_examples=40)
@given(COUNTS, SEEDS)
def test_every_house_is_found_again(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = houses(places(count, random))
    fids = np.arange(1, count + 1)

    assert match_by_place(AREAS, shifted(known, random, 0.03), known, fids).tolist() == fids.tolist()


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 15), st.integers(1, 15))
def test_no_known_feature_is_given_twice(seed: int, new: int, known: int) -> None:
    random = np.random.default_rng(seed)
    here, there = random.uniform(0, 3, (new, 2)), random.uniform(0, 3, (known, 2))

    matched = match_by_place(POINTS, shapely.points(here), shapely.points(there), np.arange(1, known + 1))

    given_fids = matched[matched > 0]
    assert len(set(given_fids)) == len(given_fids)
    for row, fid in enumerate(matched):
        gap = np.hypot(*(there - here[row]).T)
        if fid:
            assert gap[fid - 1] <= 2 * POINTS.plan_error
        else:
            within = np.flatnonzero(gap < 2 * POINTS.plan_error) + 1
            assert set(within) <= set(matched)


@given(st.floats(1.21, 50.0))
def test_a_point_further_off_than_twice_the_plan_error_is_another_one(distance: float) -> None:
    known, new = shapely.points([[0.0, 0.0]]), shapely.points([[distance, 0.0]])

    assert match_by_place(POINTS, new, known, np.array([7])).tolist() == [0]


def test_of_two_near_lamps_each_goes_to_the_nearer_one() -> None:
    known, new = shapely.points([[0.0, 0.0], [1.0, 0.0]]), shapely.points([[0.9, 0.0], [0.2, 0.0]])

    assert match_by_place(POINTS, new, known, np.array([7, 8])).tolist() == [8, 7]


@given(st.floats(0.0, 12.0))
def test_houses_are_the_same_when_they_overlap_by_six_tenths_of_their_union(slide: float) -> None:
    known = houses(np.array([[0.0, 0.0]]))
    new = houses(np.array([[slide, 0.0]]))
    share = shapely.area(shapely.intersection(known, new)) / shapely.area(shapely.union(known, new))

    matched = match_by_place(AREAS, new, known, np.array([7]))

    assert (matched[0] == 7) == (share[0] >= OVERLAP)


@given(st.floats(0.05, 0.95))
def test_of_a_split_house_at_most_the_larger_part_is_the_old_one(share: float) -> None:
    known = np.array([shapely.MultiPolygon([shapely.box(0, 0, 20, 10)])], dtype=object)
    halves = [
        shapely.MultiPolygon([shapely.box(0, 0, 20 * share, 10)]),
        shapely.MultiPolygon([shapely.box(20 * share, 0, 20, 10)]),
    ]

    matched = match_by_place(AREAS, np.array(halves, dtype=object), known, np.array([7]))

    expected = [7 if share >= OVERLAP else 0, 7 if 1 - share >= OVERLAP else 0]
    assert matched.tolist() == expected or abs(max(share, 1 - share) - OVERLAP) < 1e-9


def test_two_equal_houses_merged_into_one_are_neither_of_them() -> None:
    known = np.array([shapely.MultiPolygon([shapely.box(x, 0, x + 10, 10)]) for x in (0, 10)], dtype=object)
    merged = np.array([shapely.MultiPolygon([shapely.box(0, 0, 20, 10)])], dtype=object)

    assert match_by_place(AREAS, merged, known, np.array([7, 8])).tolist() == [0]


def test_a_line_cut_in_two_is_not_its_halves() -> None:
    known = np.array([shapely.from_wkt("MULTILINESTRING ((0 0, 50 0, 100 0))")], dtype=object)
    halves = np.array([shapely.from_wkt(f"MULTILINESTRING (({a} 0, {a + 50} 0))") for a in (0, 50)], dtype=object)

    assert match_by_place(LINES, halves, known, np.array([7])).tolist() == [0, 0]


def test_a_feature_without_geometry_is_none_of_them_and_empty_towns_match_nothing() -> None:
    known = shapely.points([[0.0, 0.0]])

    assert match_by_place(POINTS, np.array([None, known[0]], dtype=object), known, np.array([7])).tolist() == [0, 7]
    assert match_by_place(POINTS, known, known[:0], np.array([], dtype=np.int64)).tolist() == [0]
    assert match_by_place(POINTS, known[:0], known, np.array([7])).tolist() == []


def test_the_halves_of_a_closed_contour_that_share_their_ends_are_two_lines() -> None:
    layer = read_catalogue()["contour"]
    north = shapely.LineString([(0, 0, 65), (50, 40, 65), (100, 0, 65)])
    south = shapely.LineString([(0, 0, 65), (50, -40, 65), (100, 0, 65)])
    known, fids = np.array([north], dtype=object), np.array([7])

    assert match_by_place(layer, np.array([south], dtype=object), known, fids).tolist() == [0]
    assert match_by_place(layer, np.array([shapely.reverse(north)], dtype=object), known, fids).tolist() == [7]


def test_storeys_above_one_another_are_matched_in_their_order_and_a_moved_one_takes_what_is_left() -> None:
    lots = houses(np.array([[0.0, 0.0], [0.0, 0.0], [40.0, 0.0], [0.0, 0.0]]))
    moved = houses(np.array([[0.01, 0.0]]))
    new = np.concatenate((moved, lots[[2, 0, 1]]))

    matched = match_by_place(AREAS, new, lots, np.array([7, 8, 9, 10]))

    assert matched.tolist() == [10, 9, 7, 8]


@settings(max_examples=40)
@given(COUNTS, SEEDS)
def test_what_is_drawn_with_the_same_coordinates_is_the_same_though_others_are_as_near(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = houses(random.integers(0, 6, (count, 2)).astype(float))
    order = random.permutation(count)

    matched = match_by_place(AREAS, known[order], known, np.arange(1, count + 1))

    assert sorted(matched.tolist()) == list(range(1, count + 1))
    assert shapely.equals_exact(known[matched - 1], known[order], 0.0).all()


def test_rows_that_lack_a_column_of_their_class_are_of_no_class_there() -> None:
    layer = read_catalogue()["pipe_point"]

    assert class_keys(layer, {"class": np.array(["JS", ""], dtype=object)}, 2) == [("JS", None), (None, None)]
