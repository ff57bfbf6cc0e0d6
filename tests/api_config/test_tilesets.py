"""3D Tiles and terrain over HTTP: every document and content reached, every element there once, names that follow content."""

import json
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pyproj
import pytest
import shapely

from tiles.tileset_check import check_tileset
from twin_model.town import open_town


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
            target = urljoin(f"http://town.example{address}", content["uri"]).removeprefix(
                "http://town.example"
            )
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


def ids_of(glb: bytes) -> list[str]:
    """Return the `id` column of the property table of a GLB (EXT_structural_metadata)."""
    document, binary = gltf_of(glb)
    (table,) = document["extensions"]["EXT_structural_metadata"]["propertyTables"]
    column = table["properties"]["id"]

    def view(number: int) -> bytes:
        one = document["bufferViews"][number]
        return binary[one.get("byteOffset", 0) : one.get("byteOffset", 0) + one["byteLength"]]

    dtype = {"UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8"}[
        column.get("stringOffsetType", "UINT32")
    ]
    offsets = np.frombuffer(view(column["stringOffsets"]), dtype)[: table["count"] + 1]
    text = view(column["values"])
    return [text[a:b].decode() for a, b in pairwise(offsets)]


def drawn(ask: Any, layer: str, query: str = "") -> list[str]:
    """Return the ids of all contents of a layer, in no order."""
    return [
        one
        for address, answer in walk(ask, f"/collections/{layer}/3dtiles/tileset.json{query}")
        if address.split("?")[0].endswith(".glb")
        for one in ids_of(answer.content)
    ]


@pytest.mark.parametrize("layer", ["building", "pipe_line", "bim_element"])
def test_every_element_with_a_usable_shape_is_drawn_exactly_once(
    inside: Any, demo_town: Any, layer: str
) -> None:
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


def test_contents_may_be_kept_for_ever_and_documents_may_not(inside: Any) -> None:
    for address, answer in walk(inside, "/collections/bim_element/3dtiles/tileset.json"):
        assert ("max-age=31536000" in answer.headers["cache-control"]) == address.endswith(".glb")
        again = inside.get(address, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


def test_a_tileset_of_a_day_before_the_town_has_no_content(inside: Any) -> None:
    assert drawn(inside, "building", "?datetime=1990-01-01") == []
    assert drawn(inside, "building", "?recorded=0") == []


def test_only_layers_with_solids_have_a_tileset(inside: Any) -> None:
    for one in inside.get("/collections").json()["collections"]:
        answer = inside.get(f"/collections/{one['id']}/3dtiles/tileset.json")
        linked = any(link["rel"].endswith("/3dtiles") for link in one["links"])
        assert (answer.status_code == 200) == linked, one["id"]


def test_a_commit_renames_only_the_contents_it_touches(
    scratch: Any, bring: Any, square: Any, inside_of: Any
) -> None:
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
    gone = before.keys() - after.keys()
    assert 1 <= len(gone) <= 2
    for address in gone:
        assert ask.get(address).status_code == 404


def test_terrain_says_what_it_has_and_has_it(inside: Any) -> None:
    layer = inside.get("/terrain/layer.json").json()

    assert layer["format"] == "quantized-mesh-1.0"
    assert layer["projection"] == "EPSG:4326"
    west, south, east, north = layer["bounds"]
    assert (west, south, east, north) == (-180, -90, 180, 90) or (
        west < 118.3 < east and south < 35.1 < north
    )
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
