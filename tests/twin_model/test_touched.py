"""Touched boxes: what tiles are told of changes is never too old, and there are no more boxes than cells."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from store_contract import deliver, houses

from twin_model.store.base import Store
from twin_model.store.geopackage import touched as in_geopackage
from twin_model.store.geopackage.store import GeoPackageStore
from twin_model.store.postgis import touched as in_postgis
from twin_model.store.touched import TouchedCells, gathered, touched_cells

Keep = Callable[[Any, str, int, TouchedCells], None]
NOWHERE = np.full((1, 4), np.nan)
CITY = np.array([618_000.0, 3_886_000.0])


def keep_of(store: Store) -> Keep:
    return in_geopackage.keep_touched if isinstance(store, GeoPackageStore) else in_postgis.keep_touched


def drawn_boxes(rng: np.random.Generator, count: int, extent: float = 2_000.0) -> NDArray[np.float64]:
    corners = CITY + rng.uniform(0, extent, (count, 2))
    return np.hstack((corners, corners + rng.choice([0.0, 9.0, 300.0, 4_000.0], (count, 1))))


def boxes_held(store: Store) -> list[tuple[Any, ...]]:
    return [row for batch in store.dump("touched") for row in batch]


def test_boxes_are_gathered_by_cell_and_large_ones_have_cells_of_their_own() -> None:
    bounds = drawn_boxes(np.random.default_rng(1), 500)

    cells = touched_cells(np.vstack((bounds, NOWHERE)))
    again = touched_cells(cells.boxes[cells.boxes[:, 2] - cells.boxes[:, 0] > 4_000])

    assert len(np.unique(cells.numbers)) == len(cells.numbers) == len(cells.boxes) < 200
    held = [((cells.boxes[:, :2] <= box[:2]) & (cells.boxes[:, 2:] >= box[2:])).all(axis=1).any() for box in bounds]
    assert all(held)
    assert len(again.boxes) <= 8, "boxes of 4 km have few cells"
    assert len(touched_cells(NOWHERE).boxes) == len(touched_cells(np.empty((0, 4))).boxes) == 0
    assert touched_cells(np.array([[-1e300, -1e300, 1e300, 1e300], [1e15, 1e15, 1e15, 1e15]])).boxes.shape == (2, 4)


def test_a_cell_has_the_newest_of_its_versions() -> None:
    bounds = np.array([[0.0, 0, 1, 1], [900, 0, 901, 1], [5, 5, 6, 6]])

    cells, versions = gathered(bounds, np.array([7, 3, 5]))

    assert (cells.boxes.tolist(), versions.tolist()) == ([[0, 0, 6, 6], [900, 0, 901, 1]], [7, 3])


def test_no_change_is_missed_however_many_versions_touch_a_cell(store: Store) -> None:
    rng = np.random.default_rng(2)
    touched = [drawn_boxes(rng, 4) for _ in range(60)]
    keep = keep_of(store)

    with store._writing() as connection:  # type: ignore[attr-defined]
        for version, boxes in enumerate(touched, start=1):
            keep(connection, "building", version, touched_cells(boxes))

    asked = drawn_boxes(rng, 40)
    answers = [store.changed_since("building", tuple(box)) for box in asked.tolist()]  # type: ignore[arg-type]
    assert min(np.array(answers) - [newest_in(touched, box) for box in asked]) >= 0
    assert len(boxes_held(store)) == len(touched_cells(np.vstack(touched)).boxes) < 130
    assert store.changed_since("pipe_line", (*CITY, *(CITY + 9_000))) == 0, "each layer has cells of its own"


def newest_in(touched: list[NDArray[np.float64]], box: NDArray[np.float64]) -> int:
    """Return the newest version that touched a box, by looking at every box of every version."""
    meets = [bool(((boxes[:, :2] <= box[2:]) & (boxes[:, 2:] >= box[:2])).all(axis=1).any()) for boxes in touched]
    return max((version for version, met in enumerate(meets, start=1) if met), default=0)


def test_boxes_of_an_older_program_are_gathered_with_the_first_commit(store: Store) -> None:
    deliver(store, "building", houses(3))
    as_before = {
        GeoPackageStore: "DROP TABLE vgpkg_twin_touched_cell",
    }.get(type(store), "ALTER TABLE twin_touched DROP COLUMN cell")
    with store._writing() as connection:  # type: ignore[attr-defined]
        connection.execute(as_before)
        table = "rtree_twin_touched" if isinstance(store, GeoPackageStore) else "twin_touched"
        for version in range(2, 30):
            x, y = CITY + version
            text = f"INSERT INTO {table} (layer, version, minx, maxx, miny, maxy) VALUES ('road_line', {version}, {x}, {x + 9}, {y}, {y + 9})"
            connection.execute(text)

    deliver(store, "building", houses(3, name="甲"), "2025-01-01")

    held = boxes_held(store)
    assert sorted(row[:2] for row in held) == [("building", 2), ("road_line", 29)]
    assert store.changed_since("road_line", (*CITY, *(CITY + 5))) == 29


@pytest.mark.parametrize("location", ["geopackage"], indirect=True)
def test_the_table_of_cells_is_none_that_other_programs_list(store: Store) -> None:
    (names,) = zip(*store._connection().execute("SELECT table_name FROM gpkg_contents"), strict=True)  # type: ignore[attr-defined]

    assert not [name for name in names if "touched" in name]
