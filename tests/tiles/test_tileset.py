"""The tree of a tileset stays put under edits, and its documents are sound."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tiles.quadtree import DEEPEST, ROOT_CELL, Node, build_tree
from tiles.tileset import document_roots, node_frame, regions, tileset_json
from tiles.tileset_check import check_tileset

Float64 = NDArray[np.float64]
EAST, NORTH = 619_000.0, 3_886_000.0
TO_GEOGRAPHIC = pyproj.Transformer.from_crs(4548, 4490, always_xy=True)


def to_lonlat(x: Float64, y: Float64) -> tuple[Float64, Float64]:
    lon, lat = TO_GEOGRAPHIC.transform(x, y)
    return np.asarray(lon), np.asarray(lat)


def town(count: int, *, seed: int = 1, side: float = 6_000.0) -> Float64:
    """Boxes of buildings, most 10-30 m wide, some of 200 m, denser in the middle."""
    random = np.random.default_rng(seed)
    center = random.normal([EAST, NORTH], side / 4, (count, 2))
    size = random.uniform(10, 30, (count, 2)) * np.where(random.random(count) < 0.01, 8, 1)[:, None]
    base = random.uniform(55, 65, (count, 1))
    tall = random.uniform(3, 90, (count, 1))
    return np.hstack([center - size / 2, base, center + size / 2, base + tall])


def by_key(root: Node) -> dict[str, tuple[int, ...]]:
    return {node.key: tuple(node.fids.tolist()) for node in root.walk()}


def holds(key: str, x: float, y: float) -> bool:
    """Say whether the cell with this key holds the place."""
    level, column, row = map(int, key.split("/"))
    size = ROOT_CELL / 2**level
    return (column, row) == (int((x + ROOT_CELL / 2) // size), int((y + ROOT_CELL / 2) // size))


def above(key: str) -> set[str]:
    """Return the keys of all cells that hold this one."""
    level, column, row = map(int, key.split("/"))
    return {f"{upper}/{column >> (level - upper)}/{row >> (level - upper)}" for upper in range(level)}


def document(root: Node, **options: Any) -> dict[str, Any]:
    return tileset_json(
        root, content_uri=lambda node: f"{node.key}.glb", to_lonlat=to_lonlat, height_offset=-4.2, **options
    )


def every_tile(tile: dict[str, Any]) -> list[dict[str, Any]]:
    return [tile, *(below for child in tile.get("children", []) for below in every_tile(child))]


def test_every_feature_is_in_exactly_one_node_and_no_content_is_too_large() -> None:
    boxes = town(8_000)
    weights = np.random.default_rng(2).integers(10, 120, 8_000)

    root = build_tree(np.arange(8_000) + 7, boxes, weights=weights)

    contents = [node.fids - 7 for node in root.walk() if node.has_content]
    assert sorted(np.concatenate(contents).tolist()) == list(range(8_000))
    assert max(len(fids) for fids in contents) <= 1_000
    assert max(int(weights[fids].sum()) for fids in contents) <= 42_000
    assert len({node.key for node in root.walk()}) == len(list(root.walk()))


def test_boxes_are_tight_and_children_lie_inside_their_parents() -> None:
    boxes = town(5_000)

    root = build_tree(np.arange(5_000), boxes)

    for node in root.walk():
        below = np.concatenate([each.fids for each in node.walk()])
        assert np.array_equal(node.box[:3], boxes[below, :3].min(axis=0))
        assert np.array_equal(node.box[3:], boxes[below, 3:].max(axis=0))


def test_big_features_stay_above_small_ones() -> None:
    boxes = town(20_000)
    diagonal = np.linalg.norm(boxes[:, 3:] - boxes[:, :3], axis=1)

    root = build_tree(np.arange(20_000), boxes)

    inner = [node for node in root.walk() if node.children and node.has_content]
    kept = np.concatenate([node.fids for node in inner])
    assert np.isin(np.flatnonzero(diagonal > 200), kept).mean() > 0.8
    assert np.isin(np.flatnonzero(diagonal < 30), kept).mean() < 0.1
    assert all(diagonal[node.fids].min() >= node.cell_size / 16 for node in inner)


@given(st.integers(0, 10_000), st.floats(-2_500, 2_500), st.floats(-2_500, 2_500), st.floats(5, 60))
@settings(max_examples=40, deadline=None)
def test_one_more_building_changes_only_the_nodes_on_its_path(
    seed: int, east: float, north: float, size: float
) -> None:
    boxes = town(1_500, seed=seed)
    x, y = EAST + east, NORTH + north
    more = np.vstack([boxes, [x - size / 2, y - size / 2, 60, x + size / 2, y + size / 2, 75]])
    before = by_key(build_tree(np.arange(1_500), boxes, most_features=60))

    after = by_key(build_tree(np.arange(1_501), more, most_features=60))

    overflowing = {key for key, fids in before.items() if len(fids) == 60 and holds(key, x, y)}
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed
    assert {key for key in changed if not holds(key, x, y) and not above(key) & overflowing} == set()


def test_the_untouched_part_of_the_town_keeps_keys_contents_and_frames() -> None:
    boxes = town(4_000)
    new = np.array([[EAST, NORTH, 60.0, EAST + 20, NORTH + 20, 80.0]])
    first = build_tree(np.arange(4_000), boxes, most_features=200)

    second = build_tree(np.arange(4_001), np.vstack([boxes, new]), most_features=200)

    kept = [key for key, fids in by_key(first).items() if by_key(second).get(key) == fids]
    assert len(kept) >= len(by_key(first)) - 3
    frames = [(first.find(key), second.find(key)) for key in kept]
    moved = [
        old.key
        for old, now in frames
        if old is not None
        and now is not None
        and old.has_content
        and node_frame(old, to_lonlat).transform != node_frame(now, to_lonlat).transform
    ]
    assert moved == []


def test_a_node_keeps_its_frame_when_its_own_content_changes() -> None:
    boxes = town(4_000)
    new = np.array([[EAST - 40, NORTH - 40, 40.0, EAST + 60, NORTH + 60, 99.0]])
    first = build_tree(np.arange(4_000), boxes, most_features=200)
    second = build_tree(np.arange(4_001), np.vstack([boxes, new]), most_features=200)
    (now,) = [node for node in second.walk() if 4_000 in node.fids]

    before = first.find(now.key)

    assert before is not None
    assert node_frame(before, to_lonlat).transform == node_frame(now, to_lonlat).transform
    assert not np.array_equal(before.content_box, now.content_box)


def test_features_in_one_place_stay_together_however_many_they_are() -> None:
    boxes = np.tile([EAST, NORTH, 60.0, EAST + 9, NORTH + 9, 70.0], (2_500, 1))

    root = build_tree(np.arange(2_500), boxes)

    assert [len(node.fids) for node in root.walk()] == [2_500]
    assert root.level < DEEPEST


def test_a_place_far_from_any_projected_crs_is_refused() -> None:
    with pytest.raises(ValueError, match="must be finite projected metres"):
        build_tree(np.array([1]), np.array([[np.nan, 0, 0, np.nan, 1, 1]]))


def test_geometric_error_is_the_size_of_what_is_missing() -> None:
    boxes = town(5_000)
    diagonal = np.linalg.norm(boxes[:, 3:] - boxes[:, :3], axis=1)

    root = build_tree(np.arange(5_000), boxes)

    assert root.geometric_error == diagonal.max()
    assert {node.geometric_error for node in root.walk() if not node.children} == {0.0}


def test_a_town_is_drawn_as_soon_as_its_largest_feature_is_four_pixels_long() -> None:
    root = build_tree(np.arange(5_000), town(5_000))

    usual, coarse = document(root), document(root, smallest_pixels=16.0)

    assert usual["root"]["geometricError"] == 4 * root.geometric_error
    assert coarse["root"]["geometricError"] == root.geometric_error


def test_a_whole_document_is_sound_and_names_every_content_once() -> None:
    root = build_tree(np.arange(20_000), town(20_000))

    whole = document(root)

    assert check_tileset(whole) == []
    uris = [tile["content"]["uri"] for tile in every_tile(whole["root"]) if "content" in tile]
    assert sorted(uris) == sorted(f"{node.key}.glb" for node in root.walk() if node.has_content)
    assert json.loads(json.dumps(whole)) == whole


def test_external_tilesets_together_name_every_content_once_and_fit_their_referrers() -> None:
    root = build_tree(np.arange(20_000), town(20_000), most_features=50)
    options: dict[str, Any] = {"levels": 2, "external_uri": lambda node: f"{node.key}.json"}

    documents = {f"{node.key}.json": document(node, **options) for node in document_roots(root, 2)}

    assert len(documents) > 5
    assert [fault for each in documents.values() for fault in check_tileset(each)] == []
    tiles = [tile for each in documents.values() for tile in every_tile(each["root"]) if "content" in tile]
    external = {tile["content"]["uri"]: tile for tile in tiles if tile["content"]["uri"].endswith(".json")}
    assert {f"{root.key}.json", *external} == set(documents)
    contents = [tile["content"]["uri"] for tile in tiles if tile["content"]["uri"].endswith(".glb")]
    assert sorted(contents) == sorted(f"{node.key}.glb" for node in root.walk() if node.has_content)
    for uri, tile in external.items():
        inside = documents[uri]["root"]
        assert inside["boundingVolume"] == tile["boundingVolume"]
        assert inside["geometricError"] == tile["geometricError"]
        assert "transform" not in tile


def test_only_tiles_with_glb_content_carry_a_transform_and_none_is_above_them() -> None:
    whole = document(build_tree(np.arange(5_000), town(5_000)))

    for tile in every_tile(whole["root"]):
        assert ("transform" in tile) == ("content" in tile)
        assert not ("transform" in tile and "children" in tile)


def test_a_town_without_features_gives_a_sound_document_without_content() -> None:
    root = build_tree(np.empty(0, np.int64), np.empty((0, 6)))

    whole = document(root)

    assert check_tileset(whole) == []
    assert "content" not in whole["root"]


def test_a_small_town_is_one_tile_whose_frame_is_near() -> None:
    boxes = town(30, side=400.0)
    root = build_tree(np.arange(30), boxes)

    whole = document(root)

    assert check_tileset(whole) == []
    assert whole["root"]["content"]["uri"] == "0/0/0.glb"
    lon, lat = to_lonlat(boxes[:1, 0], boxes[:1, 1])
    to_ecef = pyproj.Transformer.from_pipeline("+proj=cart +ellps=WGS84")
    place = np.array(to_ecef.transform(lon[0], lat[0], 60.0))
    assert np.linalg.norm(np.array(whole["root"]["transform"][12:15]) - place) < 6_500


@given(
    st.floats(300_000, 700_000),
    st.floats(1_500_000, 5_500_000),
    st.floats(0, 60_000),
    st.floats(0, 60_000),
)
@settings(max_examples=60, deadline=None)
def test_a_region_holds_every_point_of_its_box(east: float, north: float, width: float, depth: float) -> None:
    box = np.array([[east, north, -20.0, east + width, north + depth, 90.0]])
    x, y = (axis.ravel() for axis in np.meshgrid(*[np.linspace(0, 1, 61)] * 2))
    lon, lat = to_lonlat(east + width * x, north + depth * y)

    west, south, right, upper, low, high = regions(box, to_lonlat, 5.0)[0]

    assert west <= np.radians(lon).min() and np.radians(lon).max() <= right
    assert south <= np.radians(lat).min() and np.radians(lat).max() <= upper
    assert (low, high) == (pytest.approx(-15.01), pytest.approx(95.01))
    assert right - west < np.radians(np.ptp(lon)) + 1e-5


def test_the_check_names_each_fault_of_a_broken_document() -> None:
    sound = document(build_tree(np.arange(5_000), town(5_000), most_features=100))
    broken = copy.deepcopy(sound)
    broken["asset"]["version"] = "0.9"
    broken["root"]["children"][0]["geometricError"] = 1e9
    inner = next(tile for tile in every_tile(broken["root"])[1:] if len(tile.get("children", [])) > 1)
    inner["children"][0]["boundingVolume"]["region"][2] += 0.5
    inner["children"][1]["children"] = []
    content = next(tile for tile in every_tile(broken["root"]) if "content" in tile)
    content["transform"] = [*content["transform"][:12], 0.0, 0.0, float("nan"), 1.0]
    content["content"] = {"uri": ""}

    faults = check_tileset(broken)

    for sentence in (
        "asset.version: expected 1.1",
        "larger than its parent's",
        "not inside its parent's",
        "expected at least one, or no such member",
        "transform: expected 16 finite numbers",
        "content.uri: expected an address, found ''",
    ):
        assert any(sentence in fault for fault in faults), sentence
    assert check_tileset(sound) == []


def test_real_tilesets_of_other_makers_pass_the_check_but_for_a_missing_refine(realdata: Path) -> None:
    found = {
        path.parent.name: check_tileset(json.loads(path.read_text()))
        for path in (realdata / "3dtiles").rglob("tileset.json")
    }

    assert found == {"TilesetWithFullMetadata": ["root.refine: expected ADD or REPLACE"], "sibbe_1.1": []}
