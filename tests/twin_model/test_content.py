"""What a feature says as a hash: equal however it was written, different when anything it says is different."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from twin_model.catalogue import read_catalogue
from twin_model.rows.content import content_hashes

CATALOGUE = read_catalogue()
AREA, LINE, POINT_Z, LINE_Z = (CATALOGUE[name] for name in ("building", "rail", "spot_height", "pipe_line"))
SEEDS = st.integers(0, 2**32 - 1)
EAST, NORTH = 618_000.0, 3_886_000.0


def one(layer: Any, shape: Any, *values: Any) -> bytes:
    columns = {f"field_{number}": objects([value]) for number, value in enumerate(values)}
    return bytes(content_hashes(layer, objects([shape]), columns)[0])


def objects(values: list[Any]) -> NDArray[Any]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def parts(random: np.random.Generator, count: int) -> list[list[NDArray[np.float64]]]:
    """Polygons beside one another, each a shell of 3-9 vertices around a hole, on whole millimetres."""
    made = []
    for number in range(count):
        middle = np.array([EAST + 40 * number, NORTH])
        angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 10)))
        outline = np.column_stack((np.cos(angles), np.sin(angles)))
        made.append([np.round(middle + 15 * outline, 3), np.round(middle + 2 * outline, 3)])
    return made


def ring(points: NDArray[np.float64], start: int, *, turned: bool) -> NDArray[np.float64]:
    rolled = np.roll(points, start, axis=0)
    rolled = rolled[::-1] if turned else rolled
    return np.vstack((rolled, rolled[:1]))


def multi(polygons: list[list[NDArray[np.float64]]], random: np.random.Generator | None = None) -> Any:
    """A MultiPolygon of rings as they are, or written another way: other starts, directions, order of parts."""
    shapes = []
    for rings in polygons:
        written = [
            ring(one, int(random.integers(20)) if random else 0, turned=bool(random and random.random() < 0.5))
            for one in rings
        ]
        shapes.append(shapely.Polygon(written[0], written[1:]))
    order = random.permutation(len(shapes)) if random else range(len(shapes))
    return shapely.MultiPolygon([shapes[number] for number in order])


@given(SEEDS, st.integers(1, 4))
def test_an_area_written_another_way_says_the_same(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    polygons = parts(random, count)

    assert one(AREA, multi(polygons)) == one(AREA, multi(polygons, random))


@given(SEEDS, st.integers(1, 4))
def test_digits_below_the_tolerance_do_not_count(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    shape = multi(parts(random, count))

    again = shapely.transform(shape, lambda xy: xy + random.uniform(-0.0001, 0.0001, 2))

    assert one(AREA, shape) == one(AREA, again)


@given(SEEDS, st.integers(1, 4), st.floats(0.01, 5.0))
def test_one_vertex_moved_by_a_centimetre_is_a_change(seed: int, count: int, step: float) -> None:
    random = np.random.default_rng(seed)
    polygons = parts(random, count)
    before = one(AREA, multi(polygons))

    part = polygons[random.integers(count)]
    moved = part[random.integers(2)]
    moved[random.integers(len(moved)), random.integers(2)] += step

    assert one(AREA, multi(polygons)) != before


@given(SEEDS, st.integers(2, 6))
def test_lines_may_change_the_order_of_their_parts_but_not_their_direction(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    lines = [np.round(random.uniform(0, 100, (4, 2)), 3) for _ in range(count)]

    assert one(LINE, shapely.MultiLineString(lines)) == one(LINE, shapely.MultiLineString(lines[::-1]))
    assert one(LINE, shapely.MultiLineString(lines)) != one(LINE, shapely.reverse(shapely.MultiLineString(lines)))


@given(st.floats(-100, 9000).map(lambda z: round(z, 3)), st.floats(0.01, 10))
def test_a_height_is_part_of_what_is_said(height: float, step: float) -> None:
    shape, higher = shapely.Point(EAST, NORTH, height), shapely.Point(EAST, NORTH, height + step)

    assert one(POINT_Z, shape) != one(POINT_Z, higher)
    assert one(POINT_Z, shape) != one(POINT_Z, shapely.Point(EAST, NORTH))


VALUES = {
    "text": st.one_of(st.none(), st.text(max_size=6)),
    "integer": st.one_of(st.none(), st.integers(-(2**40), 2**40)),
    "number": st.one_of(st.none(), st.floats(-1e6, 1e6).map(lambda v: round(v, 3))),
    "boolean": st.one_of(st.none(), st.booleans()),
}


@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=60)
@given(st.data())
def test_a_value_says_the_same_whatever_its_neighbours_say(kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(VALUES[kind], min_size=1, max_size=6))
    shapes = objects([shapely.Point(EAST, NORTH)] * len(values))

    together = content_hashes(CATALOGUE["facility"], shapes, {"field_0": objects(values)})

    assert together.tolist() == [one(CATALOGUE["facility"], shapes[0], value) for value in values]
    for a, b in pairwise(values):
        assert (a == b) == (one(CATALOGUE["facility"], shapes[0], a) == one(CATALOGUE["facility"], shapes[0], b))


@given(st.lists(st.one_of(st.none(), st.integers(-1000, 1000)), min_size=1, max_size=6))
def test_whole_numbers_say_the_same_in_a_column_with_gaps_and_in_one_without(
    values: list[int | None],
) -> None:
    assume(any(value is not None for value in values))
    shapes = objects([shapely.Point(EAST, NORTH)] * len(values))
    floats = np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    by_objects = content_hashes(CATALOGUE["facility"], shapes, {"field_0": objects(values)})

    assert by_objects.tolist() == content_hashes(CATALOGUE["facility"], shapes, {"field_0": floats}).tolist()
    if None not in values:
        integers = np.array(values, dtype=np.int64)
        assert by_objects.tolist() == content_hashes(CATALOGUE["facility"], shapes, {"field_0": integers}).tolist()


@given(SEEDS, st.integers(1, 8))
def test_rows_keep_their_hash_in_another_order_and_company(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    shapes = objects(
        [multi(parts(random, int(random.integers(1, 3)))) if random.random() < 0.8 else None for _ in range(count)]
    )
    names, storeys = (
        objects([random.choice(["甲", "乙", None]) for _ in range(count)]),
        random.integers(1, 9, count),
    )
    order = random.permutation(count)

    before = content_hashes(AREA, shapes, {"name": names, "storeys": storeys})
    after = content_hashes(AREA, shapes[order], {"storeys": storeys[order], "name": names[order]})

    assert before[order].tolist() == after.tolist()


def test_values_that_change_places_are_a_change() -> None:
    shape = shapely.Point(EAST, NORTH)

    assert one(POINT_Z, shape, "a", "b") != one(POINT_Z, shape, "b", "a")
    assert one(POINT_Z, shape, "", "b") != one(POINT_Z, shape, None, "b")
    assert one(POINT_Z, shape, 0.0) == one(POINT_Z, shape, -0.0)


def test_a_field_without_a_value_adds_nothing_and_a_renamed_one_does() -> None:
    shape = objects([shapely.Point(EAST, NORTH)])
    value, nothing = objects(["a"]), objects([None])

    alone = content_hashes(POINT_Z, shape, {"name": value}).tolist()

    assert content_hashes(POINT_Z, shape, {"gained": nothing, "name": value}).tolist() == alone
    assert content_hashes(POINT_Z, shape, {"gained": np.array([np.nan]), "name": value}).tolist() == alone
    assert content_hashes(POINT_Z, shape, {"renamed": value}).tolist() != alone
    assert content_hashes(POINT_Z, shape, {}).tolist() != alone
    assert content_hashes(POINT_Z, objects([None]), {})[0] != bytes(16), "zeros stand for nothing delivered"


def test_no_geometry_differs_from_any_and_none_of_all_costs_nothing() -> None:
    assert one(LINE, None) != one(LINE, shapely.from_wkt("MULTILINESTRING ((0 0, 1 1))"))
    assert content_hashes(LINE, objects([]), {}).tolist() == []
    assert one(LINE_Z, shapely.from_wkt("LINESTRING Z (0 0 1, 1 1 2)"), "x") != one(
        LINE_Z, shapely.from_wkt("LINESTRING Z (0 0 2, 1 1 1)"), "x"
    )


def test_whole_numbers_that_no_float_holds_count_to_their_last_digit_in_every_kind_of_column() -> None:
    numbers = [2**53 - 1, 2**53 + 1, 2**60 + 1, 2**60 + 2, 2**60 + 3, -(2**60) - 1]

    whole = content_hashes(AREA, objects([None] * 6), {"storeys": np.array(numbers)}).tolist()
    beside_none = content_hashes(AREA, objects([None] * 7), {"storeys": objects([*numbers, None])}).tolist()

    assert len(set(whole)) == 6
    assert beside_none[:6] == whole
