"""Features of a layer as solids: the boxes of the tree hold the vertices of the GLB, heights come from where they are known."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tiles.local_frame import LocalFrame, projected_frame
from tiles.solids import Solids, feature_colors, placed_boxes
from twin_model.building.mesh import Mesh, matrix_text
from twin_model.catalogue import read_catalogue
from twin_model.view import Policy

Float64 = NDArray[np.float64]
CATALOGUE = read_catalogue()
EAST, NORTH, GROUND = 619_000.0, 3_886_000.0, 60.0
TO_GEOGRAPHIC = pyproj.Transformer.from_crs(4548, 4490, always_xy=True)
TO_ECEF = pyproj.Transformer.from_pipeline("+proj=pipeline +step +proj=cart +ellps=WGS84")
SEEDS = st.integers(0, 2**32 - 1)


def to_lonlat(x: Float64, y: Float64) -> tuple[Float64, Float64]:
    lon, lat = TO_GEOGRAPHIC.transform(x, y)
    return np.asarray(lon), np.asarray(lat)


def slope(x: Float64, y: Float64) -> Float64:
    """A plane that rises 1 % to the east and 2 % to the north."""
    return np.asarray(GROUND + 0.01 * (x - EAST) + 0.02 * (y - NORTH))


def solids(layer: str, blobs: dict[str, bytes] | None = None) -> Solids:
    return Solids(CATALOGUE[layer], slope, to_lonlat, 0.0, lambda digests: {one: (blobs or {})[one] for one in digests})


def frame_of(layer: str, shapes: list[Any], **columns: Any) -> gpd.GeoDataFrame:
    """A frame as the store answers: every field of the layer, and since when it holds."""
    content: dict[str, Any] = {one.name: [None] * len(shapes) for one in CATALOGUE[layer].fields}
    content |= {"valid_from": ["2024-06-01T16:00:00.000Z"] * len(shapes), "valid_to": [None] * len(shapes)}
    frame = gpd.GeoDataFrame(content | columns, geometry=shapes, crs="EPSG:4548")
    return frame.set_index(gpd.pd.Index([f"{layer}.{n}" for n in range(len(shapes))], name="id"))


class Glb:
    """A GLB taken apart with numpy alone: what it draws in projected metres, per feature."""

    def __init__(self, content: bytes, at: LocalFrame) -> None:
        assert content[:4] == b"glTF"
        (size,) = struct.unpack_from("<I", content, 12)
        self.json: dict[str, Any] = json.loads(content[20 : 20 + size])
        self._binary, self._at = content[28 + size :], at

    def accessor(self, number: int) -> NDArray[Any]:
        one = self.json["accessors"][number]
        view = self.json["bufferViews"][one["bufferView"]]
        kind = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}[one["componentType"]]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[one["type"]]
        start = view.get("byteOffset", 0) + one.get("byteOffset", 0)
        stride = view.get("byteStride", np.dtype(kind).itemsize * width)
        raw = np.frombuffer(self._binary, np.uint8)
        rows = np.lib.stride_tricks.as_strided(
            raw[start:], (one["count"], np.dtype(kind).itemsize * width), (stride, 1)
        )
        values = np.ascontiguousarray(rows).view(kind)
        return values / np.iinfo(kind).max if one.get("normalized") else values

    def view(self, number: int) -> bytes:
        one = self.json["bufferViews"][number]
        start = one.get("byteOffset", 0)
        return self._binary[start : start + one["byteLength"]]

    def positions(self) -> Float64:
        """Vertices as x, y, height of the town."""
        node = next(one for one in self.json["nodes"] if "mesh" in one)
        primitive = self.json["meshes"][node["mesh"]]["primitives"][0]
        local = self.accessor(primitive["attributes"]["POSITION"]).astype(np.float64)
        matrix = np.array(node.get("matrix", np.eye(4).T.ravel().tolist())).reshape(4, 4).T
        if "scale" in node or "translation" in node:
            matrix = np.diag([*node.get("scale", [1, 1, 1]), 1.0])
            matrix[:3, 3] = node.get("translation", [0, 0, 0])
        y_up = local @ matrix[:3, :3].T + matrix[:3, 3]
        z_up = np.column_stack((y_up[:, 0], -y_up[:, 2], y_up[:, 1]))
        transform = np.array(self._at.transform).reshape(4, 4).T
        ecef = z_up @ transform[:3, :3].T + transform[:3, 3]
        lon, lat, height = TO_ECEF.transform(*ecef.T, direction="INVERSE")
        return np.column_stack((*TO_GEOGRAPHIC.transform(lon, lat, direction="INVERSE"), height))

    def features(self) -> NDArray[np.int64]:
        primitive = self.json["meshes"][0]["primitives"][0]
        return self.accessor(primitive["attributes"]["_FEATURE_ID_0"]).ravel().astype(np.int64)


def drawn(one: Solids, frame: gpd.GeoDataFrame) -> Glb:
    at = projected_frame(EAST, NORTH, GROUND, to_lonlat)
    return Glb(one.encode(frame, at), at)


def ensure_boxes_hold(one: Solids, frame: gpd.GeoDataFrame, tolerance: float = 0.005) -> tuple[Float64, Float64]:
    """Assert that each vertex lies in the box of its feature; return boxes and vertices."""
    boxes, glb = one.boxes(frame), drawn(one, frame)
    positions, features = glb.positions(), glb.features()
    assert (positions >= boxes[features, :3] - tolerance).all()
    assert (positions <= boxes[features, 3:] + tolerance).all()
    return boxes, positions


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(1, 12))
def test_the_box_of_a_house_holds_its_vertices_and_no_air(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    shapes = [
        shapely.MultiPolygon([shapely.affinity.rotate(shapely.box(x, y, x + 12, y + 8), random.uniform(0, 90))])
        for x, y in random.uniform([EAST - 300, NORTH - 300], [EAST + 300, NORTH + 300], (count, 2))
    ]
    height = np.where(random.random(count) < 0.3, np.nan, random.uniform(3, 90, count))
    base = np.where(random.random(count) < 0.5, np.nan, random.uniform(55, 65, count))
    frame = frame_of("building", shapes, height=height, base_elevation=base)

    boxes, positions = ensure_boxes_hold(solids("building"), frame)

    np.testing.assert_allclose(boxes[:, 5] - boxes[:, 2], np.nan_to_num(height, nan=0.05), atol=1e-9)
    np.testing.assert_allclose(positions[:, 2].min(), boxes[:, 2].min(), atol=0.01)
    np.testing.assert_allclose(positions[:, 2].max(), boxes[:, 5].max(), atol=0.01)


def test_a_house_stands_at_its_own_height_else_at_the_lowest_ground_of_its_corners() -> None:
    house = shapely.MultiPolygon([shapely.box(EAST + 100, NORTH + 100, EAST + 112, NORTH + 108)])
    frame = frame_of("building", [house, house], height=[6.0, 6.0], base_elevation=[58.5, np.nan])

    boxes = solids("building").boxes(frame)

    assert boxes[:, 2].tolist() == pytest.approx([58.5, float(slope(np.array(EAST + 100), np.array(NORTH + 100)))])
    assert boxes[:, 5].tolist() == pytest.approx([64.5, boxes[1, 2] + 6])


def test_walls_show_the_storeys_that_are_recorded_and_nobody_reads_there_a_number_that_is_hidden() -> None:
    house = shapely.MultiPolygon([shapely.box(EAST + 100, NORTH + 100, EAST + 112, NORTH + 108)])
    frame = frame_of("building", [house, house], height=[32.0, 32.0], base_elevation=[58.5, 58.5], storeys=[7, None])
    shown = solids("building")
    without = Policy(hidden={"building": frozenset({"storeys"})}).visible(shown.layer)

    def storeys(drawn_solids: Solids) -> list[float]:
        glb = drawn(drawn_solids, frame)
        facade = glb.accessor(glb.json["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"])
        return [float(facade[glb.features() == row, 1].max()) for row in (0, 1)]

    assert storeys(shown) == [7.0, 10.0]
    assert storeys(dataclasses.replace(shown, layer=without)) == [10.0, 10.0]


def test_ground_that_is_not_known_is_height_zero() -> None:
    house = shapely.MultiPolygon([shapely.box(EAST, NORTH, EAST + 12, NORTH + 8)])
    frame = frame_of("building", [house], height=[6.0], base_elevation=[np.nan])
    nowhere = Solids(CATALOGUE["building"], lambda x, y: np.full_like(x, np.nan), to_lonlat, 0.0, lambda digests: {})

    assert nowhere.boxes(frame)[0, [2, 5]].tolist() == [0.0, 6.0]


def test_a_house_of_unknown_height_lies_flat_and_hatched() -> None:
    house = shapely.MultiPolygon([shapely.box(EAST, NORTH, EAST + 12, NORTH + 8)])
    frame = frame_of("building", [house], height=[np.nan], base_elevation=[60.0])

    glb = drawn(solids("building"), frame)

    heights = glb.positions()[:, 2]
    assert heights.min() == pytest.approx(60.0, abs=0.005) and heights.max() == pytest.approx(60.05, abs=0.005)
    assert (heights > 60.02).sum() > 8, "the stripes lie just above the footprint"
    assert placed_boxes(solids("building").boxes(frame), solids("building").to_lonlat).all()


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(1, 6))
def test_the_box_of_a_pipe_holds_its_bends_and_corners(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    lines = [
        shapely.LineString(
            np.column_stack((random.uniform([EAST, NORTH], [EAST + 60, NORTH + 60], (5, 2)), random.uniform(0, 58, 5)))
        )
        for _ in range(count)
    ]
    width, height = random.uniform(100, 2500, count), random.uniform(100, 2500, count)
    shape = random.choice(["round", "rectangle"], count)
    height = np.where(shape == "round", width, height)
    frame = frame_of("pipe_line", lines, width_mm=width, height_mm=height, section_shape=shape.astype(object))

    ensure_boxes_hold(solids("pipe_line"), frame)


def test_a_rectangular_section_is_as_wide_and_high_as_it_says_and_an_unknown_one_is_100_mm() -> None:
    line = shapely.LineString([(EAST, NORTH, 58), (EAST + 30, NORTH, 58)])
    frame = frame_of(
        "pipe_line",
        [line, line],
        width_mm=[1200.0, np.nan],
        height_mm=[800.0, np.nan],
        section_shape=["rectangle", None],
    )

    glb = drawn(solids("pipe_line"), frame)

    positions, features = glb.positions(), glb.features()
    duct, unknown = positions[features == 0], positions[features == 1]
    assert np.ptp(duct, axis=0) == pytest.approx([30.0, 1.2, 0.8], abs=0.01)
    assert np.ptp(unknown, axis=0) == pytest.approx([30.0, 0.1, 0.1], abs=0.012)


def test_what_has_no_place_is_left_out_before_it_is_drawn() -> None:
    flat, high = (
        shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH)]),
        shapely.LineString([(EAST, NORTH, 58), (EAST + 9, NORTH, 58)]),
    )
    pipes = frame_of("pipe_line", [flat, high, None, shapely.from_wkt("LINESTRING EMPTY")])
    house = shapely.MultiPolygon([shapely.box(EAST, NORTH, EAST + 9, NORTH + 9)])
    parts = frame_of("bim_element", [house, house, None], mesh=["m", None, "m"], matrix=["[]", "[]", "[]"])

    assert solids("pipe_line").usable(pipes).index.tolist() == ["pipe_line.1"]
    assert solids("bim_element").usable(parts).index.tolist() == ["bim_element.0"]
    assert len(solids("building").usable(frame_of("building", [None]))) == 0


def test_a_bim_element_is_drawn_where_its_matrix_puts_its_mesh() -> None:
    corners = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 3]], dtype=np.float64)
    mesh = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.uint32))
    blob = mesh.to_bytes()
    digest = hashlib.sha256(blob).hexdigest()
    matrices = [np.eye(4), np.eye(4)]
    matrices[0][:3, 3], matrices[1][:3, 3] = (EAST, NORTH, 60.0), (EAST + 50, NORTH, 63.0)
    shapes = [shapely.MultiPolygon([shapely.box(m[0, 3], m[1, 3], m[0, 3] + 2, m[1, 3] + 1)]) for m in matrices]
    frame = frame_of("bim_element", shapes, mesh=[digest] * 2, matrix=[matrix_text(m) for m in matrices], bottom=[60.0, 63.0],
                     top=[63.0, 66.0], color=["#112233", None], ifc_class=["IfcWall", "IfcWall"])  # fmt: skip
    one = solids("bim_element", {digest: blob})

    boxes = one.boxes(frame)
    content = one.encode(frame, projected_frame(EAST, NORTH, GROUND, to_lonlat))

    for row, matrix in enumerate(matrices):
        placed = mesh.placed(matrix)
        assert (placed >= boxes[row, :3]).all()
        assert (placed <= boxes[row, 3:]).all()
    assert content[:4] == b"glTF"
    assert one.weights(frame).tolist() == [5 * 40, 5 * 40]


def test_colours_follow_the_field_of_the_style_and_else_the_layer() -> None:
    line = shapely.LineString([(EAST, NORTH, 58), (EAST + 30, NORTH, 58)])
    frame = frame_of("pipe_line", [line] * 4, **{"class": ["JS", "PS", None, "??"]})

    colors = feature_colors(CATALOGUE["pipe_line"], frame)

    default = [0x4C, 0x4C, 0x4C, 255]
    assert colors.tolist() == [[0, 255, 255, 255], [0x4C, 0x39, 0x26, 255], default, default]
    assert feature_colors(CATALOGUE["rail"], frame_of("rail", [None])).tolist() == [[0x3B, 0x3B, 0x3B, 255]]
    assert feature_colors(CATALOGUE["pipe_line"], frame[:0]).shape == (0, 4)


def test_a_tile_says_of_each_feature_what_the_catalogue_lists_and_since_which_day() -> None:
    house = shapely.MultiPolygon([shapely.box(EAST, NORTH, EAST + 12, NORTH + 8)])
    frame = frame_of("building", [house], height=[6.0], name=["甲楼"], storeys=[2])

    document = drawn(solids("building"), frame).json

    schema = document["extensions"]["EXT_structural_metadata"]["schema"]["classes"]["building"]["properties"]
    assert set(schema) == {"id", *CATALOGUE["building"].model["properties"], "valid_from", "valid_to"}


def days_of(of: Solids, frame: gpd.GeoDataFrame) -> dict[str, list[str | None]]:
    """Return the days of a GLB's features as dates, None for the greatest INT32."""
    document = drawn(of, frame)
    table = document.json["extensions"]["EXT_structural_metadata"]["propertyTables"][0]["properties"]
    found = {}
    for name in ("valid_from", "valid_to"):
        numbers = np.frombuffer(document.view(table[name]["values"]), "<i4")
        found[name] = [None if one == 2**31 - 1 else str(np.datetime64(int(one), "D")) for one in numbers]
    return found


def test_days_are_those_of_the_towns_zone_and_an_open_end_is_the_last_there_is() -> None:
    house = shapely.MultiPolygon([shapely.box(EAST, NORTH, EAST + 12, NORTH + 8)])
    begin, end = "2019-12-31T16:00:00.000Z", "2024-06-01T03:00:00.000Z"
    frame = frame_of("building", [house] * 2, height=[6.0, 6.0], valid_from=[begin] * 2, valid_to=[end, None])
    east = solids("building")
    west = dataclasses.replace(east, zone="America/New_York")

    assert days_of(east, frame) == {"valid_from": ["2020-01-01"] * 2, "valid_to": ["2024-06-01", None]}
    assert days_of(west, frame) == {"valid_from": ["2019-12-31"] * 2, "valid_to": ["2024-05-31", None]}


def test_a_height_that_is_not_finite_is_told_apart_from_the_others() -> None:
    boxes = np.array([[0, 0, 0, 1, 1, 1], [0, 0, np.nan, 1, 1, 1], [0, 0, 0, 1, 1, np.inf]], dtype=np.float64)

    assert placed_boxes(boxes, solids("building").to_lonlat).tolist() == [True, False, False]
