"""A layer that is cut into pages: documents of bounded size that lead to every state once, and hold what they say."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from tiles.tileset_check import SLACK_METRES, SLACK_RADIANS, check_tileset
from tiles.town_tiles import TownTiles
from twin_model.changeset import Changeset
from twin_model.filter import parse_filter
from twin_model.store.base import FeatureQuery
from twin_model.temporal import parse_instant
from twin_model.town import Town, init_town
from twin_model.versioning import commit
from twin_model.view import Policy, View

PAGE_ROWS, SIDE = 30, 26
EAST, NORTH = 617_000.0, 3_886_000.0


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Many houses at 60 m from one another, a hall of 3 km among them, a tower, one without a place; some end in 2030."""
    with init_town(tmp_path_factory.mktemp("paged") / "town", name="新城", crs="EPSG:4548") as town:
        column, row = np.divmod(np.arange(SIDE * SIDE), SIDE)
        x, y = EAST + 60.0 * column, NORTH + 60.0 * row
        shapes = [*shapely.box(x, y, x + 20, y + 15), shapely.box(EAST, NORTH, EAST + 3_000, NORTH + 40)]
        shapes += [shapely.box(9e8, 9e8, 9e8 + 5, 9e8 + 5)]
        storeys = np.r_[column % 7 + 1, 1, 1]
        height = np.r_[3.0 * storeys[:-2], 12.0, 3.0]
        height[300] = 300.0
        frame = gpd.GeoDataFrame({"storeys": storeys, "height": height}, geometry=shapes, crs=4548)
        town.edit("building", frame, reason="first", effective="2010-01-01")
        ended = {"building": tuple(town.features("building", limit=50).index)}
        commit(town.store, Changeset("甲", "拆除", parse_instant("2030-01-01")[0], terminated=ended))
        yield town


def documents(tiles: TownTiles, view: View, key: str | None = None) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Yield key and document of a tileset and of every external one, each found sound and within what leads to it."""
    document = tiles.tileset(tiles.town.store.catalogue["building"], view, key)
    assert check_tileset(document) == []
    yield key, document
    for tile in every_tile(document["root"]):
        uri = tile.get("content", {}).get("uri", "")
        if uri.endswith(".json"):
            below = list(documents(tiles, view, uri.removesuffix("/tileset.json").removeprefix("../../../")))
            inner, outer = (
                np.array(tile_below["boundingVolume"]["region"]) for tile_below in (below[0][1]["root"], tile)
            )
            outside = np.array([-1, -1, 1, 1, -1, 1]) * (inner - outer)
            assert not inner.any() or (outside <= [SLACK_RADIANS] * 4 + [SLACK_METRES] * 2).all(), (tile, inner)
            yield from below


def every_tile(tile: dict[str, Any]) -> list[dict[str, Any]]:
    return [tile, *(below for child in tile.get("children", []) for below in every_tile(child))]


def drawn(tiles: TownTiles, view: View) -> list[str]:
    """Return the addresses of all contents, without what leads up from an external document."""
    found = [
        tile["content"]["uri"]
        for _, each in documents(tiles, view)
        for tile in every_tile(each["root"])
        if "content" in tile
    ]
    return [uri.removeprefix("../../../") for uri in found if uri.endswith(".glb")]


def states_drawn(tiles: TownTiles, view: View) -> list[tuple[int, ...]]:
    layer, states = tiles.town.store.catalogue["building"], []
    for uri in drawn(tiles, view):
        key, name = uri.removeprefix("content/").removesuffix(".glb").rsplit("/", 1)
        tree = tiles.ensure_content(layer, view, key, name)
        states += [tuple(state) for state in tree.states[tree.nodes[key].fids].tolist()]
    return states


def test_every_state_is_reached_once_through_documents_of_bounded_size(town: Town) -> None:
    tiles = TownTiles(town, page_rows=PAGE_ROWS)

    states = states_drawn(tiles, View())

    assert len(states) == len(set(states)) == SIDE * SIDE + 1
    every = list(documents(tiles, View()))
    assert len(every) > 25
    assert max(len(every_tile(document["root"])) for _, document in every) <= 1 + 4 + 16
    assert sorted(drawn(tiles, View())) == sorted(
        f"content/{key}/{name}.glb" for key, name in tiles.contents(town.store.catalogue["building"], View())
    )


def test_what_is_drawn_does_not_depend_on_the_size_of_pages_nor_on_who_counted(town: Town, tmp_path: Path) -> None:
    whole, paged = (TownTiles(town, page_rows=rows) for rows in (10_000, PAGE_ROWS))
    ended = View(parse_instant("2031-01-01")[0])

    assert set(states_drawn(whole, View())) == set(states_drawn(paged, View()))
    assert set(states_drawn(whole, ended)) == set(states_drawn(paged, ended))
    assert len(set(states_drawn(paged, ended))) == SIDE * SIDE + 1 - 50

    listed = list(documents(paged, View()))
    with closing(sqlite3.connect(town.path / "store.gpkg", isolation_level=None)) as connection:
        connection.execute("UPDATE vgpkg_twin_census SET version = -version")
        counted = list(documents(TownTiles(town, page_rows=PAGE_ROWS), View()))
        connection.execute("UPDATE vgpkg_twin_census SET version = -version")
    assert counted == listed


def test_who_may_see_some_rows_learns_of_no_place_where_there_are_others(town: Town) -> None:
    low = parse_filter("storeys = 7")
    view = View(policy=Policy(rows={"building": low}))
    tiles = TownTiles(town, page_rows=PAGE_ROWS)

    states = states_drawn(tiles, view)

    seen = town.store.features(FeatureQuery("building", view=view))
    assert {fid for fid, *_ in states} == set(seen["fid"])
    minx, miny, maxx, maxy = seen.total_bounds
    box = tiles.census(town.store.catalogue["building"], view).cells([(0, 0, 0)]).boxes[0]
    assert box.tolist() == [minx, miny, maxx, maxy]


def test_instants_between_which_nothing_changes_share_one_tree_and_read_nothing(town: Town) -> None:
    tiles = TownTiles(town, page_rows=10_000)
    days = [View(parse_instant(f"20{year}-06-01")[0]) for year in range(11, 40)]
    layer = town.store.catalogue["building"]
    (cell,) = tiles.pages(layer, View())

    trees = [tiles.page_tree(layer, view, cell) for view in days]

    assert len({id(tree) for tree in trees}) == 2
    assert tiles.remembered_pages == 1
