"""The census of a layer: kept by every commit, it says what counting all rows would say."""

import sqlite3
from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest
import shapely
from store_contract import deliver, houses

from twin_model.changeset import Changeset
from twin_model.store.base import FeatureQuery, Store
from twin_model.store.census import FINEST, WORLD, Cells, cell_numbers, cells_above, place_of
from twin_model.temporal import ALWAYS, parse_instant
from twin_model.versioning import commit
from twin_model.view import View

EVERY = [(level, 0, 4**level - 1) for level in range(FINEST + 1)]


@pytest.fixture
def changed(store: Store) -> Store:
    """Houses: delivered, some made higher, one moved away, one ended, one planned."""
    deliver(store, "building", houses(30, height=np.linspace(3.0, 60.0, 30)), "2020-01-01")
    higher = houses(30, height=np.linspace(3.0, 90.0, 30))
    deliver(store, "building", higher, "2022-06-01")
    commit(store, Changeset("甲", "拆除", parse_instant("2023-01-01")[0], terminated={"building": ("building.3",)}))
    far = houses(1, height=[12.0])
    far.geometry = far.geometry.translate(9_000.0, 4_000.0)
    deliver(store, "building", far, "2099-01-01", "planned")
    return store


def test_a_census_counts_the_beginnings_and_ends_that_reading_every_state_finds(changed: Store) -> None:
    every = changed.features(FeatureQuery("building", view=View(ALWAYS), states=True))

    instants = changed.census_instants("building")

    assert instants is not None
    assert dict(instants.begins) == every["valid_from"].value_counts().to_dict()
    assert dict(instants.ends) == every["valid_to"].value_counts().to_dict()
    for day in ("2019-01-01", "2020-01-01", "2022-12-31", "2023-06-01", "2100-01-01"):
        there = changed.count(FeatureQuery("building", view=View(parse_instant(day)[0])))
        assert instants.present(parse_instant(day)[0]) == there, day


def test_the_cells_of_a_census_hold_every_state_and_its_ranges_every_value(changed: Store) -> None:
    every = changed.features(FeatureQuery("building", view=View(ALWAYS), states=True))
    bounds = shapely.bounds(every.geometry.to_numpy())

    ranges, cells = changed.census_ranges("building"), changed.census_cells("building", EVERY)

    assert ranges is not None and ranges["height"] == (3.0, 90.0)
    by_cell = {(level, place): n for n, (level, place) in enumerate(zip(cells.levels, cells.places, strict=True))}
    for level in range(FINEST + 1):
        numbers = cell_numbers(bounds[:, :2] / 2 + bounds[:, 2:] / 2, level)
        rows = [by_cell[level, place_of(column, row)] for column, row in numbers.tolist()]
        assert (cells.boxes[rows, :2] <= bounds[:, :2]).all() and (cells.boxes[rows, 2:] >= bounds[:, 2:]).all()
        assert cells.rows[cells.levels == level].sum() >= len(every)
        assert (cells.largest[rows] >= np.hypot(12.0, 10.0) - 1e-6).all()
    quarter = changed.census_cells("building", [(FINEST, *_below(cells, 15))])
    assert 0 < len(quarter) < (cells.levels == FINEST).sum()


def _below(cells: Cells, level: int) -> tuple[int, int]:
    """Return the first and the last place of the finest level below the first cell of a level."""
    first = int(cells.places[cells.levels == level][0]) << (2 * (FINEST - level))
    return first, first + 4 ** (FINEST - level) - 1


def test_a_census_that_another_program_left_behind_is_not_used_and_taken_anew_by_the_next_commit(
    changed: Store, request: pytest.FixtureRequest
) -> None:
    before = changed.census_cells("building", EVERY), changed.census_instants("building")
    _change(changed, request, "UPDATE {}twin_census SET version = version - 1")
    assert changed.census_ranges("building") is None and changed.census_instants("building") is None

    deliver(changed, "building", houses(31, height=np.linspace(3.0, 90.0, 31)), "2024-01-01")

    every = changed.features(FeatureQuery("building", view=View(ALWAYS), states=True))
    instants, cells = changed.census_instants("building"), changed.census_cells("building", EVERY)
    assert instants is not None and before[1] is not None
    assert dict(instants.begins) == every["valid_from"].value_counts().to_dict()
    assert set(zip(cells.levels, cells.places, strict=True)) >= set(
        zip(before[0].levels, before[0].places, strict=True)
    )
    assert changed.census_ranges("building") == {"height": (3.0, 90.0)}


def test_a_store_that_has_no_tables_for_a_census_gets_them_with_the_next_commit(
    changed: Store, request: pytest.FixtureRequest
) -> None:
    _change(changed, request, *(f"DROP TABLE {{}}twin_census{name}" for name in ("", "_cell", "_range", "_instant")))
    assert changed.census_ranges("building") is None and changed.census_instants("building") is None

    deliver(changed, "building", houses(31, height=np.linspace(3.0, 90.0, 31)), "2024-01-01")

    assert changed.census_ranges("building") == {"height": (3.0, 90.0)}
    assert changed.census_ranges("pipe_line") == {}
    assert changed.census_cells("building", [(0, 0, 0)]).rows[0] >= 31


def _change(store: Store, request: pytest.FixtureRequest, *statements: str) -> None:
    """Run statements as another program does; `{}` is what the names of our tables begin with."""
    if store.url.endswith(".gpkg"):
        with closing(sqlite3.connect(store.url.removeprefix("gpkg:"), isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement.format("vgpkg_"))
    else:
        for statement in statements:
            request.getfixturevalue("stranger").execute(statement.format(""))


def test_cells_of_a_level_are_numbered_so_that_what_lies_below_one_follows_one_another() -> None:
    rng = np.random.default_rng(1)
    low = rng.uniform(-4e6, 4e6, (500, 2))
    strange = np.array([[np.nan] * 4, [1e300, 0, 1e301, 1], [-np.inf, 0, 1, 1]])

    cells = cells_above(Cells.of(np.vstack((np.hstack((low, low + 30.0)), strange))))

    assert cells.rows[cells.levels == 0].tolist() == [500]
    for level, below in pairwise(range(FINEST + 1)):
        places, deeper = (cells.places[cells.levels == each] for each in (level, below))
        assert set(deeper >> 2) == set(places)
    finest = cells.take(cells.levels == FINEST)
    corners = (finest.numbers() - 2 ** (FINEST - 1)) * (WORLD / 2**FINEST)
    centers = finest.boxes[:, :2] / 2 + finest.boxes[:, 2:] / 2
    alone = finest.rows == 1
    assert ((centers >= corners) & (centers < corners + WORLD / 2**FINEST))[alone].all()
