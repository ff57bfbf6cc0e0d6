"""3D Tiles and terrain over HTTP: every document and content reached, every element there once, names that follow content."""

import json
import shutil
import struct
from collections.abc import Callable, Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pyproj
import pytest
import shapely
from gltf_metadata import metadata_faults

from api_config.delivery import Delivery, deliver
from tiles.tileset_check import check_tileset
from twin_model.town import Town, open_town

BIM_TILES = "/collections/bim_element/3dtiles/tileset.json"


def walk(ask: Any, address: str) -> Iterator[tuple[str, Any]]:
    """Yield the address and answer of every document and content below a tileset, each document checked."""
    answer = ask.get(address)
    assert answer.status_code == 200, (address, answer.text[:200])
    document = answer.json()
    assert check_tileset(document) == []
    yield address, answer
    waiting = [document["root"]]
    while waiting:
        one = waiting.pop()
        waiting += one.get("children", [])
        for content in [one["content"]] if "content" in one else one.get("contents", []):
            target = urljoin(f"http://town.example{address}", content["uri"]).removeprefix("http://town.example")
            if target.endswith(".json"):
                yield from walk(ask, target)
            else:
                found = ask.get(target)
                assert found.status_code == 200, target
                assert found.headers["content-type"] == "model/gltf-binary"
                yield target, found


def gltf_of(glb: bytes) -> tuple[dict[str, Any], bytes]:
    """Return JSON and binary chunk of a GLB, read by its specification."""
    magic, version, length = struct.unpack_from("<4sII", glb)
    assert (magic, version, length) == (b"glTF", 2, len(glb))
    size, kind = struct.unpack_from("<I4s", glb, 12)
    assert kind == b"JSON"
    document = json.loads(glb[20 : 20 + size])
    return document, glb[20 + size + 8 :]


def table_of(glb: bytes) -> dict[str, list[Any]]:
    """Return `id`, `valid_from` and `valid_to` of the property table of a GLB (EXT_structural_metadata)."""
    document, binary = gltf_of(glb)
    structure = document["extensions"]["EXT_structural_metadata"]
    (table,) = structure["propertyTables"]
    properties = structure["schema"]["classes"][table["class"]]["properties"]

    def view(number: int) -> bytes:
        one = document["bufferViews"][number]
        return binary[one.get("byteOffset", 0) : one.get("byteOffset", 0) + one["byteLength"]]

    column = table["properties"]["id"]
    dtype = {"UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8"}[
        column.get("stringOffsetType", "UINT32")
    ]
    offsets = np.frombuffer(view(column["stringOffsets"]), dtype)[: table["count"] + 1]
    text = view(column["values"])
    columns: dict[str, list[Any]] = {"id": [text[a:b].decode() for a, b in pairwise(offsets)]}
    for name in ("valid_from", "valid_to"):
        assert (properties[name]["type"], properties[name]["componentType"]) == ("SCALAR", "INT32")
        assert "noData" not in properties[name], "a style cannot compare what is missing"
        days = view(table["properties"][name]["values"])
        columns[name] = np.frombuffer(days, "<i4")[: table["count"]].tolist()
    return columns


def ids_of(glb: bytes) -> list[str]:
    return table_of(glb)["id"]


def states_of(ask: Any, layer: str, query: str = "") -> list[tuple[str, str, str]]:
    """Return id, first day and the day after the last of every state in a layer's contents, ".." where open."""

    def day(number: int) -> str:
        return ".." if number in (-(2**31), 2**31 - 1) else str(np.datetime64(number, "D"))

    return sorted(
        (one, day(begin), day(end))
        for address, answer in walk(ask, f"/collections/{layer}/3dtiles/tileset.json{query}")
        if address.split("?")[0].endswith(".glb")
        for one, begin, end in zip(*table_of(answer.content).values(), strict=True)
    )


def on(day: str, states: list[tuple[str, str, str]]) -> list[str]:
    """Return the ids a viewer shows on a day."""
    return [one for one, begin, end in states if begin <= day and (end == ".." or day < end)]


def drawn(ask: Any, layer: str, query: str = "") -> list[str]:
    """Return the ids of all contents of a layer, in no order."""
    return [
        one
        for address, answer in walk(ask, f"/collections/{layer}/3dtiles/tileset.json{query}")
        if address.split("?")[0].endswith(".glb")
        for one in ids_of(answer.content)
    ]


@pytest.mark.parametrize("layer", ["building", "pipe_line", "bim_element"])
def test_every_element_with_a_usable_shape_is_drawn_exactly_once(inside: Any, demo_town: Any, layer: str) -> None:
    with open_town(demo_town) as town:
        frame = town.features(layer)
    usable = frame[frame.geometry.notna()]
    if layer == "bim_element":
        usable = usable[usable["mesh"].notna() & usable["matrix"].notna()]
    if layer == "pipe_line":
        usable = usable[shapely.has_z(usable.geometry.to_numpy())]

    found = drawn(inside, layer)

    assert len(found) == len(set(found))
    assert set(found) == set(usable.index)


def test_an_element_that_was_clicked_leads_to_its_item(inside: Any) -> None:
    for layer in ("building", "pipe_line", "bim_element"):
        for name in drawn(inside, layer)[:3]:
            assert inside.get(f"/collections/{layer}/items/{name}").json()["id"] == name


@pytest.mark.parametrize("layer", ["building", "pipe_line", "bim_element"])
def test_the_property_tables_of_every_content_of_the_sample_town_are_sound(inside: Any, layer: str) -> None:
    faults = {
        address: metadata_faults(answer.content)
        for address, answer in walk(inside, f"/collections/{layer}/3dtiles/tileset.json")
        if address.split("?")[0].endswith(".glb")
    }

    assert faults
    assert {address: found for address, found in faults.items() if found} == {}


def test_contents_may_be_kept_for_ever_and_documents_may_not(inside: Any) -> None:
    for address, answer in walk(inside, "/collections/bim_element/3dtiles/tileset.json"):
        assert ("max-age=31536000" in answer.headers["cache-control"]) == address.endswith(".glb")
        again = inside.get(address, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


def test_a_tileset_of_a_day_before_the_town_has_no_content(inside: Any) -> None:
    assert drawn(inside, "building", "?datetime=1990-01-01") == []
    assert drawn(inside, "building", "?recorded=0") == []


@pytest.fixture
def changing(scratch: Any, bring: Any, end: Any, square: Any) -> Any:
    """A town with a house until June 2020, one since March 2022 that was raised in 2024, and one planned for 2150."""
    bring(scratch, "building", [square(0, 0)], since="2010-04-30T16:00:00.000Z", height=[9.0], storeys=[3])
    bring(scratch, "building", [square(50, 0)], since="2022-02-28T16:00:00.000Z", height=[12.0], storeys=[4])
    bring(scratch, "building", [square(90, 0)], since="2149-12-31T16:00:00.000Z", height=[60.0], storeys=[20])
    end(scratch, "building", "building.1", since="2020-05-31T16:00:00.000Z")
    bring(scratch, "building", [square(50, 0)], since="2023-12-31T16:00:00.000Z", height=[15.0], storeys=[5])
    return scratch


def test_a_tileset_holds_what_ended_what_changed_and_what_is_planned_by_the_towns_days(
    changing: Any, inside_of: Any
) -> None:
    ask = inside_of(changing.path)

    states = states_of(ask, "building")

    assert states == [
        ("building.1", "2010-05-01", "2020-06-01"),
        ("building.2", "2022-03-01", "2024-01-01"),
        ("building.2", "2024-01-01", ".."),
        ("building.3", "2150-01-01", ".."),
    ]


def test_what_a_tileset_shows_on_a_day_is_what_items_answer_for_it(changing: Any, inside_of: Any) -> None:
    ask = inside_of(changing.path)
    states = states_of(ask, "building")
    days = ("2009-12-31", "2010-05-01", "2020-05-31", "2020-06-01", "2022-03-01", "2023-12-31", "2024-01-01", "2150-01-01")  # fmt: skip

    shown = {day: on(day, states) for day in days}

    for day, ids in shown.items():
        items = ask.get(f"/collections/building/items?datetime={day}T23:59:59.999").json()["features"]
        assert ids == sorted(one["id"] for one in items), day
    now = ask.get("/collections/building/items").json()["features"]
    assert on(str(np.datetime64("today")), states) == [one["id"] for one in now] == ["building.2"]


def test_pipes_that_ended_are_in_their_tileset_too(scratch: Any, bring: Any, end: Any, inside_of: Any) -> None:
    line = shapely.LineString([(617_000, 3_886_000, 48.0), (617_040, 3_886_000, 47.8)])
    since = "2015-06-30T16:00:00.000Z"
    bring(scratch, "pipe_line", [line], since=since, segment_key=["YS1~YS2"], **{"class": ["YS"]}, project=["P"])
    ask = inside_of(scratch.path)
    ((name, *_),) = states_of(ask, "pipe_line")

    end(scratch, "pipe_line", name, since="2021-06-30T16:00:00.000Z")

    assert states_of(ask, "pipe_line") == [(name, "2015-07-01", "2021-07-01")]


def test_a_building_element_that_ended_is_in_its_tileset_too(
    demo_town: Any, tmp_path: Any, end: Any, inside_of: Any
) -> None:
    copy = shutil.copytree(demo_town, tmp_path / "town", ignore=shutil.ignore_patterns("sources", "cache"))
    ask = inside_of(copy)
    before = states_of(ask, "bim_element")
    name, begin, _ = before[7]

    with open_town(copy) as town:
        end(town, "bim_element", name, since="2199-12-31T16:00:00.000Z")

    after = states_of(ask, "bim_element")
    assert set(after) - set(before) == {(name, begin, "2200-01-01")}
    assert len(after) == len(before)


def test_a_recorded_tileset_leads_to_what_was_recorded_then(
    changing: Any, bring: Any, square: Any, inside_of: Any
) -> None:
    """Version 3 did not know yet that the first house would end nor that the second would be raised."""
    ask = inside_of(changing.path)
    tileset = "/collections/building/3dtiles/tileset.json?recorded=3"
    held = ask.get(tileset).headers["etag"]

    states = states_of(ask, "building", "?recorded=3")

    assert states == [
        ("building.1", "2010-05-01", ".."),
        ("building.2", "2022-03-01", ".."),
        ("building.3", "2150-01-01", ".."),
    ]
    bring(changing, "building", [square(0, 50)], height=[3.0], storeys=[1])
    assert states_of(ask, "building", "?recorded=3") == states
    assert ask.get(tileset, headers={"If-None-Match": held}).status_code == 304


def test_a_tileset_of_an_instant_leads_to_the_states_of_then(changing: Any, inside_of: Any) -> None:
    ask = inside_of(changing.path)

    assert states_of(ask, "building", "?datetime=2019-06-01") == [("building.1", "2010-05-01", "2020-06-01")]
    assert states_of(ask, "building", "?datetime=2023-06-01") == [("building.2", "2022-03-01", "2024-01-01")]
    assert states_of(ask, "building", "?datetime=2023-06-01&recorded=2") == [
        ("building.1", "2010-05-01", ".."),
        ("building.2", "2022-03-01", ".."),
    ]


def test_the_viewer_is_told_from_when_to_when_the_town_changes(changing: Any, inside_of: Any) -> None:
    ask = inside_of(changing.path)

    config = ask.get("/viewer/config.json").json()

    layers = {layer["id"]: layer for layer in config["layers"]}
    assert (config["time"]["first"], config["time"]["last"]) == ("2010-05-01", "2150-01-01")
    changes = ["2010-05-01", "2020-06-01", "2022-03-01", "2024-01-01", "2150-01-01"]
    assert config["time"]["changes"] == changes
    days = [(date.fromisoformat(day) - date(1970, 1, 1)).days for day in changes]
    assert layers["building"]["time"]["steady"] is False
    assert set(layers["building"]["time"]["changes"]) <= set(days)
    assert {day for layer in layers.values() if layer["time"] for day in layer["time"]["changes"]} == set(days)
    assert (layers["building"]["time"]["first"], layers["building"]["time"]["last"]) == ("2010-05-01", None)
    assert layers["pipe_line"]["time"] is None


def test_a_town_in_which_all_that_is_known_is_true_today_is_steady_and_an_empty_one_has_today_alone(
    scratch: Any, bring: Any, square: Any, inside_of: Any
) -> None:
    ask = inside_of(scratch.path)
    empty = ask.get("/viewer/config.json").json()["time"]

    bring(scratch, "building", [square(0, 0)], since="2010-04-30T16:00:00.000Z", height=[9.0], storeys=[3])

    config = ask.get("/viewer/config.json").json()
    assert empty["first"] == empty["last"] == empty["today"]
    assert (config["time"]["first"], config["time"]["last"]) == ("2010-05-01", config["time"]["today"])
    assert next(layer for layer in config["layers"] if layer["id"] == "building")["time"] == {
        "steady": True,
        "changes": [14_730],
        "first": "2010-05-01",
        "last": None,
    }


def test_a_layer_whose_features_have_all_ended_still_has_its_tileset(
    scratch: Any, bring: Any, end: Any, square: Any, inside_of: Any
) -> None:
    bring(scratch, "building", [square(0, 0)], since="2010-04-30T16:00:00.000Z", height=[9.0], storeys=[3])
    end(scratch, "building", "building.1", since="2020-05-31T16:00:00.000Z")
    ask = inside_of(scratch.path)

    layers = {one["id"]: one for one in ask.get("/viewer/config.json").json()["layers"]}

    assert layers["building"]["features"] == 0
    assert layers["building"]["tileset"].startswith("/collections/building/3dtiles/tileset.json?v=")


def test_only_layers_with_solids_have_a_tileset(inside: Any) -> None:
    for one in inside.get("/collections").json()["collections"]:
        answer = inside.get(f"/collections/{one['id']}/3dtiles/tileset.json")
        linked = any(link["rel"].endswith("/3dtiles") for link in one["links"])
        assert (answer.status_code == 200) == linked, one["id"]


def test_a_commit_renames_only_the_contents_it_touches(scratch: Any, bring: Any, square: Any, inside_of: Any) -> None:
    """A grid of houses in many nodes; one more house changes the contents on its path in the tree, and no other."""
    side, count = 60.0, 40
    shapes = [square(side * i, side * j, 12.0 + (i * 7 + j) % 5) for i in range(count) for j in range(count)]
    bring(scratch, "building", shapes, storeys=[3] * len(shapes), height=[9.0] * len(shapes))
    ask = inside_of(scratch.path)
    before = {
        address: ids_of(answer.content)
        for address, answer in walk(ask, "/collections/building/3dtiles/tileset.json")
        if address.endswith(".glb")
    }

    bring(scratch, "building", [square(side * 3 + 25, side * 3 + 25)], storeys=[5], height=[15.0])
    after = {
        address: ids_of(answer.content)
        for address, answer in walk(ask, "/collections/building/3dtiles/tileset.json")
        if address.endswith(".glb")
    }

    new = {one for address in after.keys() - before.keys() for one in after[address]}
    assert len(before) >= 2
    assert after.keys() & before.keys(), "no content kept its name"
    assert "building.1601" in new
    assert sorted(one for content in after.values() for one in content) == sorted(
        [*(one for content in before.values() for one in content), "building.1601"]
    )
    assert 1 <= len(before.keys() - after.keys()) <= 2


def test_a_viewer_that_holds_the_tileset_of_some_commits_ago_still_gets_its_contents(
    scratch: Any, bring: Any, square: Any, inside_of: Any
) -> None:
    """Also of a worker that never made them; after more commits, and under any other name, there is nothing."""
    ask, shapes, addresses = inside_of(scratch.path), [], []
    for number in range(6):
        shapes.append(square(30.0 * number, 0))
        bring(scratch, "building", shapes, storeys=[3] * len(shapes), height=[9.0] * len(shapes))
        walked = walk(ask, "/collections/building/3dtiles/tileset.json")
        addresses.append(next(address for address, _ in walked if address.endswith(".glb")))
    held = [ask.get(address).content for address in addresses[-3:]]
    shutil.rmtree(scratch.path / "cache")

    again = inside_of(scratch.path)

    assert [ids_of(again.get(address).content) for address in addresses[-3:]] == [ids_of(glb) for glb in held]
    assert [again.get(address).content for address in addresses[-3:]] == held
    assert again.get(addresses[0]).status_code == 404
    assert again.get(addresses[-1].replace(".glb", "0.glb")).status_code == 404


def test_terrain_says_what_it_has_and_has_it(inside: Any) -> None:
    layer = inside.get("/terrain/layer.json").json()

    assert layer["format"] == "quantized-mesh-1.0"
    assert layer["projection"] == "EPSG:4326"
    west, south, east, north = layer["bounds"]
    assert (west, south, east, north) == (-180, -90, 180, 90) or (west < 118.3 < east and south < 35.1 < north)
    deepest = len(layer["available"]) - 1
    for z in (0, 5, deepest):
        one = layer["available"][z][0]
        answer = inside.get(f"/terrain/{z}/{one['startX']}/{one['startY']}.terrain")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/vnd.quantized-mesh"
    assert inside.get(f"/terrain/{deepest + 1}/0/0.terrain").status_code == 404


def test_terrain_lies_where_the_survey_measured_it(inside: Any, demo_town: Any) -> None:
    """The vertices of the tile at the middle of the town lie within a metre of the nearest spot heights."""
    with open_town(demo_town) as town:
        spots = town.features("spot_height")
    z = len(inside.get("/terrain/layer.json").json()["available"]) - 1
    lon, lat = pyproj.Transformer.from_crs("EPSG:4548", "EPSG:4490", always_xy=True).transform(
        spots.geometry.x.mean(), spots.geometry.y.mean()
    )
    x, y = int((lon + 180) / 180 * 2**z), int((lat + 90) / 180 * 2**z)

    tile = inside.get(f"/terrain/{z}/{x}/{y}.terrain").content
    low, high = struct.unpack_from("<ff", tile, 24)
    (count,) = struct.unpack_from("<I", tile, 88)
    zigzag = np.frombuffer(tile, "<u2", 3 * count, 92).astype(np.int64).reshape(3, count)
    u, v, h = np.cumsum((zigzag >> 1) ^ -(zigzag & 1), axis=1)
    side = 180 / 2**z
    lons, lats, heights = (
        -180 + (x + u / 32767) * side,
        -90 + (y + v / 32767) * side,
        low + h / 32767 * (high - low),
    )
    east, north = pyproj.Transformer.from_crs("EPSG:4490", "EPSG:4548", always_xy=True).transform(lons, lats)
    tree = shapely.STRtree(spots.geometry.to_numpy())
    pairs = tree.query_nearest(shapely.points(east, north), max_distance=5.0)
    measured = spots.geometry.z.to_numpy()[pairs[1]]

    assert count > 100
    assert len(measured) >= 3
    assert np.abs(heights[pairs[0]] - measured).max() < 1.0


def test_terrain_normals_come_when_they_are_asked_for(inside: Any) -> None:
    plain = inside.get("/terrain/0/1/0.terrain")
    with_normals = inside.get(
        "/terrain/0/1/0.terrain",
        headers={"Accept": "application/vnd.quantized-mesh;extensions=octvertexnormals,*/*;q=0.01"},
    )

    assert len(with_normals.content) > len(plain.content)
    assert with_normals.headers["etag"] != plain.headers["etag"]


def test_a_model_placed_by_hand_is_in_the_tiles_where_it_was_put(scratch: Town, inside_of: Callable[..., Any]) -> None:
    model = Path(__file__).parents[1].joinpath("twin_model/test_model_places.py").read_text("utf-8").split('"""')[3]
    (scratch.path / "office.ifc").write_text(model)
    deliver(scratch, [scratch.path / "office.ifc"], Delivery())
    before = inside_of(scratch.path).get(BIM_TILES)
    scratch.place_model("Office", at=(618_500, 3_886_000, 60), rotate=30)

    tiles = list(walk(inside_of(scratch.path), BIM_TILES))

    assert "content" not in before.text
    (content,) = [answer.content for name, answer in tiles if ".json" not in name]
    assert table_of(content)["id"] == ["0000000000000000000001.0000000000000000000004"]
    west, south, east, north, low, high = tiles[0][1].json()["root"]["boundingVolume"]["region"]
    to_lonlat = pyproj.Transformer.from_crs("EPSG:4548", "EPSG:4490", always_xy=True)
    lon, lat = np.radians(to_lonlat.transform(618_505, 3_886_008))
    assert west < lon < east and south < lat < north
    assert high - low == pytest.approx(4.0, abs=0.5)
