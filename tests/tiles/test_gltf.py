"""GLB content: where vertices lie, what properties say, and what the Khronos validator thinks of it."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from gltf_metadata import metadata_faults
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tiles.extrude import extrude
from tiles.gltf import Material, encode_glb, encode_instanced_glb, linear_colors
from tiles.instances import Instances, bake
from tiles.local_frame import LocalFrame, ecef_from_lonlat, projected_frame
from tiles.mesh import TileMesh, empty_mesh
from tiles.property_table import PropertyType
from tiles.sweep import sweep

Float64 = NDArray[np.float64]
VALIDATOR = Path(__file__).parent / "gltf_validator"
COMPONENT = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
EAST, NORTH = 619_000.0, 3_886_000.0
TO_GEOGRAPHIC = pyproj.Transformer.from_crs(4548, 4490, always_xy=True)
TO_ECEF = pyproj.Transformer.from_pipeline("+proj=pipeline +step +proj=cart +ellps=WGS84")


def to_lonlat(x: Float64, y: Float64) -> tuple[Float64, Float64]:
    lon, lat = TO_GEOGRAPHIC.transform(x, y)
    return np.asarray(lon), np.asarray(lat)


def true_ecef(positions: Float64, height_offset: float = 0.0) -> Float64:
    """Place projected metres on the globe with PROJ alone."""
    lon, lat = TO_GEOGRAPHIC.transform(positions[:, 0], positions[:, 1])
    return np.stack(TO_ECEF.transform(lon, lat, positions[:, 2] + height_offset), axis=-1)


class Glb:
    """A GLB taken apart with numpy alone."""

    def __init__(self, content: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", content)
        assert (magic, version, length) == (b"glTF", 2, len(content))
        size, kind = struct.unpack_from("<I4s", content, 12)
        assert kind == b"JSON"
        self.json: dict[str, Any] = json.loads(content[20 : 20 + size])
        self.binary = content[28 + size :]

    def view(self, number: int) -> bytes:
        view = self.json["bufferViews"][number]
        return self.binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]

    def accessor(self, number: int) -> NDArray[Any]:
        accessor = self.json["accessors"][number]
        values = np.frombuffer(self.view(accessor["bufferView"]), COMPONENT[accessor["componentType"]])
        return values.reshape(accessor["count"], WIDTH[accessor["type"]]).squeeze()

    def ecef(self, local_y_up: Float64, frame: LocalFrame) -> Float64:
        """Do what a viewer does: turn y-up to z-up, then apply the tile's transform."""
        z_up = np.stack([local_y_up[:, 0], -local_y_up[:, 2], local_y_up[:, 1]], axis=-1)
        matrix = np.array(frame.transform).reshape(4, 4).T
        placed: Float64 = z_up @ matrix[:3, :3].T + matrix[:3, 3]
        return placed

    def column(self, name: str) -> list[Any]:
        """Read a property as EXT_structural_metadata says, missing values as None."""
        extension = self.json["extensions"]["EXT_structural_metadata"]
        table = extension["propertyTables"][0]
        kind = extension["schema"]["classes"][table["class"]]["properties"][name]
        if name not in table.get("properties", {}):
            assert not kind.get("required")
            return [None] * int(table["count"])
        values = self.view(table["properties"][name]["values"])
        if kind["type"] == "STRING":
            offsets = np.frombuffer(self.view(table["properties"][name]["stringOffsets"]), "<u4").tolist()
            found: list[Any] = [values[a:b].decode() for a, b in pairwise(offsets)]
        elif kind["type"] == "BOOLEAN":
            bits = np.unpackbits(np.frombuffer(values, "u1"), bitorder="little")
            found = bits[: table["count"]].astype(bool).tolist()
        else:
            component = {"INT32": "<i4", "FLOAT64": "<f8", "UINT8": "u1"}[kind["componentType"]]
            found = np.frombuffer(values, component).tolist()
        return [None if "noData" in kind and value == kind["noData"] else value for value in found]

    def instance_matrices(self, node: dict[str, Any]) -> Float64:
        attributes = node["extensions"]["EXT_mesh_gpu_instancing"]["attributes"]
        translation, rotation, scale = (
            np.atleast_2d(self.accessor(attributes[name])).astype(np.float64)
            for name in ("TRANSLATION", "ROTATION", "SCALE")
        )
        x, y, z, w = rotation.T
        turn = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        ).transpose(2, 0, 1)
        matrices = np.zeros((len(translation), 4, 4))
        matrices[:, :3, :3] = turn * scale[:, None, :]
        matrices[:, :3, 3] = translation
        matrices[:, 3, 3] = 1.0
        return matrices


def town_buildings() -> TileMesh:
    """Three footprints, one with a court, one of unknown height, 700 m apart."""
    footprints = np.array(
        [
            shapely.box(EAST, NORTH, EAST + 20, NORTH + 12),
            shapely.box(EAST + 700, NORTH, EAST + 760, NORTH + 60).difference(
                shapely.box(EAST + 710, NORTH + 10, EAST + 730, NORTH + 30)
            ),
            shapely.box(EAST, NORTH + 700, EAST + 9, NORTH + 709),
        ],
        dtype=object,
    )
    colors = np.array([[200, 180, 160, 255], [90, 120, 200, 255], [255, 0, 0, 255]], np.uint8)
    return extrude(footprints, np.array([60.0, 61.0, 62.0]), np.array([18.0, 24.0, np.nan]), floor=True, colors=colors)


def tile_frame(height: float = 0.0) -> LocalFrame:
    return projected_frame(EAST + 350, NORTH + 350, height, to_lonlat)


PROPERTIES: dict[str, list[Any]] = {
    "id": ["b-1", "楼-2", "b-3"],
    "valid_from": [18_262, 19_000, -5],
    "valid_to": [None, 20_000, None],
    "height": [18.0, 24.5, None],
    "stage": ["built", None, "planned"],
    "listed": [True, False, True],
    "open": [True, None, False],
    "层数": [6, 8, None],
}


def lamp() -> TileMesh:
    """A post with an arm and nothing symmetric about it, in its own metres."""
    return extrude(
        np.array([shapely.box(-0.2, -0.1, 0.3, 0.4), shapely.box(0.3, 0.0, 2.0, 0.2)], object),
        np.array([0.0, 5.0]),
        np.array([6.0, 0.4]),
        floor=True,
    )


def placed(x: float, y: float, z: float, degrees: float, scale: float = 1.0, tilt: float = 0.0) -> Float64:
    angle, lean = np.radians(degrees), np.radians(tilt)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]])
    lay = np.array([[1.0, 0.0, 0.0], [0.0, np.cos(lean), -np.sin(lean)], [0.0, np.sin(lean), np.cos(lean)]])
    matrix = np.eye(4)
    matrix[:3, :3] = scale * turn @ lay
    matrix[:3, 3] = x, y, z
    return matrix


def lamps(count: int = 30) -> Instances:
    matrices = [placed(EAST + 20 * i, NORTH + 7 * i, 60.0 + i, 13.0 * i, 1.0, 3.0 * (i % 3)) for i in range(count)]
    return Instances(lamp(), np.array(matrices), np.arange(count, dtype=np.uint32))


def test_every_vertex_lies_within_a_millimetre_of_its_place_on_the_globe() -> None:
    mesh, frame = town_buildings(), tile_frame()

    glb = Glb(encode_glb(mesh, frame=frame, to_lonlat=to_lonlat, height_offset=-4.2))

    attributes = glb.json["meshes"][0]["primitives"][0]["attributes"]
    ecef = glb.ecef(glb.accessor(attributes["POSITION"]).astype(np.float64), frame)
    assert np.linalg.norm(ecef - true_ecef(mesh.positions, -4.2), axis=1).max() < 1e-3


@given(
    st.floats(300_000, 700_000),
    st.floats(1_500_000, 5_500_000),
    st.floats(-200, 4_000),
    st.floats(-3_000, 3_000),
)
@settings(max_examples=40, deadline=None)
def test_a_tile_anywhere_in_china_is_placed_within_a_millimetre(
    east: float, north: float, height: float, away: float
) -> None:
    mesh = extrude(
        np.array([shapely.box(east + away, north - away, east + away + 30, north - away + 20)], object),
        np.array([height]),
        np.array([25.0]),
    )
    frame = projected_frame(east, north, 0.0, to_lonlat)

    glb = Glb(encode_glb(mesh, frame=frame, to_lonlat=to_lonlat))

    position = glb.json["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    ecef = glb.ecef(glb.accessor(position).astype(np.float64), frame)
    assert np.linalg.norm(ecef - true_ecef(mesh.positions), axis=1).max() < 1e-3


def test_closed_form_ecef_agrees_with_proj() -> None:
    random = np.random.default_rng(4)
    lon, lat = random.uniform(-180, 180, 500), random.uniform(-90, 90, 500)
    height = random.uniform(-1_000, 9_000, 500)

    ecef = ecef_from_lonlat(lon, lat, height)

    assert np.abs(ecef - np.stack(TO_ECEF.transform(lon, lat, height), axis=-1)).max() < 1e-6


def test_normals_point_up_the_plumb_line_and_turn_with_the_meridian_convergence() -> None:
    mesh, frame = town_buildings(), tile_frame()

    glb = Glb(encode_glb(mesh, frame=frame, to_lonlat=to_lonlat))

    attributes = glb.json["meshes"][0]["primitives"][0]["attributes"]
    normals = glb.accessor(attributes["NORMAL"]).astype(np.float64)
    corners = glb.accessor(attributes["POSITION"]).astype(np.float64)[mesh.triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    assert (np.einsum("ij,ij->i", faces, normals[mesh.triangles[:, 0]]) > 0.99999).all()


def test_feature_ids_lead_each_vertex_to_its_row_of_properties() -> None:
    mesh = town_buildings()

    glb = Glb(encode_glb(mesh, frame=tile_frame(), to_lonlat=to_lonlat, properties=PROPERTIES))

    primitive = glb.json["meshes"][0]["primitives"][0]
    identity = primitive["extensions"]["EXT_mesh_features"]["featureIds"][0]
    assert identity == {"featureCount": 3, "attribute": 0, "propertyTable": 0}
    assert np.array_equal(glb.accessor(primitive["attributes"]["_FEATURE_ID_0"]), mesh.feature)
    assert glb.json["extensions"]["EXT_structural_metadata"]["propertyTables"][0]["count"] == 3


def test_properties_come_back_as_they_went_in() -> None:
    content = encode_glb(town_buildings(), frame=tile_frame(), to_lonlat=to_lonlat, properties=PROPERTIES)

    glb = Glb(content)

    schema = glb.json["extensions"]["EXT_structural_metadata"]["schema"]["classes"]["feature"]["properties"]
    found = {kind.get("name", key): glb.column(key) for key, kind in schema.items()}
    assert found == PROPERTIES
    assert found["open"] == [1, None, 0]


def test_days_are_int32_and_nothing_is_int64() -> None:
    properties: dict[str, Any] = {
        "valid_from": np.array([1, 2, 3], np.int64),
        "wide": [2**40, 1, 2],
        "huge": [2**60, 1, 2],
    }

    glb = Glb(encode_glb(town_buildings(), frame=tile_frame(), to_lonlat=to_lonlat, properties=properties))

    kinds = glb.json["extensions"]["EXT_structural_metadata"]["schema"]["classes"]["feature"]["properties"]
    assert kinds["valid_from"]["componentType"] == "INT32"
    assert kinds["wide"]["componentType"] == "FLOAT64"
    assert glb.column("wide") == [2**40, 1, 2]
    assert glb.column("huge") == [str(2**60), "1", "2"]


def test_a_column_without_values_keeps_the_type_it_has_in_other_tiles() -> None:
    glb = Glb(
        encode_glb(
            town_buildings(),
            frame=tile_frame(),
            to_lonlat=to_lonlat,
            properties={"valid_to": [None] * 3, "name": [None] * 3},
            property_types={"valid_to": PropertyType.INT32},
        )
    )

    kinds = glb.json["extensions"]["EXT_structural_metadata"]["schema"]["classes"]["feature"]["properties"]
    assert kinds["valid_to"]["componentType"] == "INT32"
    assert glb.column("valid_to") == [None, None, None]
    assert glb.column("name") == [None, None, None]


def test_a_column_of_empty_texts_is_left_out_of_the_table_and_reads_as_missing(tmp_path: Path) -> None:
    """A buffer view holds one byte at least, so there is none for texts that together have no character."""
    cases: dict[str, dict[str, Any]] = {
        "some": {"id": ["a", "", "c"], "note": ["", None, ""], "name": [None, None, None]},
        "all": {"note": ["", "", ""], "name": [None] * 3},
        "last": {"id": ["a", "b", ""], "flag": [True, None, False], "day": [1, None, 3], "size": [0.5, None, 2]},
    }
    glbs = {
        name: encode_glb(town_buildings(), frame=tile_frame(), to_lonlat=to_lonlat, properties=columns)
        for name, columns in cases.items()
    }

    reports = validator_report(tmp_path, glbs)

    assert {name: metadata_faults(glb) for name, glb in glbs.items()} == {name: [] for name in cases}
    assert {name: report["messages"] for name, report in reports.items() if report["errors"]} == {}
    assert Glb(glbs["some"]).column("note") == Glb(glbs["all"]).column("name") == [None, None, None]


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"lengths \[2, 3\]"):
        encode_glb(
            town_buildings(),
            frame=tile_frame(),
            to_lonlat=to_lonlat,
            properties={"a": [1, 2], "b": [1, 2, 3]},
        )


def test_vertex_colours_are_stored_as_linear_light() -> None:
    colors = linear_colors(np.array([[0, 128, 255, 128]], np.uint8))

    assert colors.tolist() == [[0, 55, 255, 128]]


def test_see_through_triangles_blend_and_the_opaque_ones_beside_them_do_not() -> None:
    two = np.array([shapely.box(EAST + n, NORTH, EAST + n + 5, NORTH + 5) for n in (0, 20)], object)
    colors = np.array([[200, 200, 200, 255], [120, 180, 255, 90]], np.uint8)
    mixed = extrude(two, np.zeros(2), np.ones(2), colors=colors)
    solid = extrude(two[:1], np.zeros(1), np.ones(1))

    glass, wall, pale = (
        Glb(encode_glb(mesh, frame=tile_frame(), to_lonlat=to_lonlat, material=material)).json
        for mesh, material in ((mixed, Material()), (solid, Material()), (solid, Material(alpha=0.4)))
    )

    def modes(document: dict[str, Any]) -> list[str]:
        return [document["materials"][one["material"]]["alphaMode"] for one in document["meshes"][0]["primitives"]]

    assert modes(glass) == ["OPAQUE", "BLEND"]
    assert modes(wall) == ["OPAQUE"]
    assert modes(pale) == ["BLEND"]
    corners = [glass["accessors"][one["attributes"]["POSITION"]]["count"] for one in glass["meshes"][0]["primitives"]]
    assert sum(corners) == len(mixed.positions)


def test_shared_geometry_is_stored_once_and_stands_where_copies_would() -> None:
    instances, frame = lamps(), tile_frame()

    glb = Glb(encode_instanced_glb([instances], frame=frame, to_lonlat=to_lonlat, height_offset=-4.2))

    (node,) = glb.json["nodes"]
    primitive = glb.json["meshes"][node["mesh"]]["primitives"][0]
    vertices = glb.accessor(primitive["attributes"]["POSITION"]).astype(np.float64)
    matrices = glb.instance_matrices(node)
    local = (vertices @ matrices[:, :3, :3].transpose(0, 2, 1) + matrices[:, None, :3, 3]).reshape(-1, 3)
    assert len(vertices) == len(instances.mesh.positions)
    truth = true_ecef(bake(instances).positions, -4.2)
    assert np.linalg.norm(glb.ecef(local, frame) - truth, axis=1).max() < 1e-3
    ids = node["extensions"]["EXT_mesh_gpu_instancing"]["attributes"]["_FEATURE_ID_0"]
    assert glb.accessor(ids).tolist() == list(range(30))


def test_geometry_that_is_used_once_sheared_or_huge_is_copied_vertex_by_vertex() -> None:
    shear = np.eye(4)
    shear[0, 2], shear[:3, 3] = 0.5, (EAST, NORTH, 60.0)
    slab = extrude(np.array([shapely.box(-500, -500, 500, 500)], object), np.zeros(1), np.ones(1))
    groups = [
        Instances(lamp(), placed(EAST, NORTH, 60.0, 30.0)[None], np.array([0], np.uint32)),
        Instances(lamp(), np.repeat(shear[None], 30, axis=0), np.arange(30, dtype=np.uint32)),
        Instances(slab, np.repeat(placed(EAST, NORTH, 0, 5.0)[None], 90, axis=0), np.arange(90, dtype=np.uint32)),
    ]
    frame = tile_frame()

    glb = Glb(encode_instanced_glb(groups, frame=frame, to_lonlat=to_lonlat))

    assert "EXT_mesh_gpu_instancing" not in glb.json["extensionsUsed"]
    (mesh,) = glb.json["meshes"]
    local = glb.accessor(mesh["primitives"][0]["attributes"]["POSITION"]).astype(np.float64)
    truth = true_ecef(np.concatenate([bake(group).positions for group in groups]))
    assert np.linalg.norm(glb.ecef(local, frame) - truth, axis=1).max() < 1e-3


def test_mirrored_instances_keep_their_outside_outside() -> None:
    mirror = np.diag([1.0, -1.0, 1.0, 1.0])
    straight = lamps()
    matrices = np.concatenate([straight.matrices, straight.matrices @ mirror])
    instances = Instances(straight.mesh, matrices, np.arange(60, dtype=np.uint32))

    glb = Glb(encode_instanced_glb([instances], frame=tile_frame(), to_lonlat=to_lonlat))

    determinants = [np.linalg.det(glb.instance_matrices(node)[:, :3, :3]) for node in glb.json["nodes"]]
    assert [len(each) for each in determinants] == [30, 30]
    assert all((each > 0.99).all() for each in determinants)
    assert bake(instances).volume == pytest.approx(60 * straight.mesh.volume, rel=1e-6)


def test_a_mesh_and_shared_parts_lie_side_by_side_in_one_tile() -> None:
    properties = {"id": [f"e-{i}" for i in range(30)]}

    glb = Glb(
        encode_instanced_glb(
            [lamps()], mesh=town_buildings(), frame=tile_frame(), to_lonlat=to_lonlat, properties=properties
        )
    )

    assert [sorted(node.get("extensions", {})) for node in glb.json["nodes"]] == [
        [],
        ["EXT_instance_features", "EXT_mesh_gpu_instancing"],
    ]
    assert glb.column("id") == properties["id"]


def every_kind_of_glb() -> dict[str, bytes]:
    mesh, frame = town_buildings(), tile_frame()
    pipes = sweep(
        np.array(
            [shapely.LineString([(EAST, NORTH, 57), (EAST + 30, NORTH, 56), (EAST + 30, NORTH + 9, 50)])],
            object,
        ),
        np.array([0.6]),
        np.array([np.nan]),
        np.array([True]),
    )
    many = extrude(
        np.array([shapely.box(EAST + i, NORTH, EAST + i + 0.5, NORTH + 1) for i in range(4_000)], object),
        np.zeros(4_000),
        np.ones(4_000),
    )
    bare = TileMesh(mesh.positions, None, mesh.triangles, mesh.feature)
    blank: dict[str, list[Any]] = {"id": ["", "", ""], "flag": [True, False, True], "day": [1, 2, 3]}
    return {
        "buildings": encode_glb(mesh, frame=frame, to_lonlat=to_lonlat, properties=PROPERTIES),
        "pipes": encode_glb(pipes, frame=frame, to_lonlat=to_lonlat, properties={"id": ["p"]}),
        "long_indices": encode_glb(many, frame=frame, to_lonlat=to_lonlat),
        "no_normals": encode_glb(bare, frame=frame, to_lonlat=to_lonlat, properties=blank),
        "empty": encode_glb(empty_mesh(), frame=frame, to_lonlat=to_lonlat, properties={"id": []}),
        "instanced": encode_instanced_glb(
            [lamps()], mesh=mesh, frame=frame, to_lonlat=to_lonlat, properties={"id": list(range(30))}
        ),
    }


def validator_report(folder: Path, glbs: dict[str, bytes]) -> dict[str, Any]:
    """Run the Khronos validator over the files; without it the test is skipped, but never where CI runs."""
    node = shutil.which("node")
    if node is None or not (VALIDATOR / "node_modules" / "gltf-validator").is_dir():
        reason = f"glTF is NOT validated: run npm ci in {VALIDATOR}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    paths = [folder / f"{name}.glb" for name in glbs]
    for path, content in zip(paths, glbs.values(), strict=True):
        path.write_bytes(content)
    done = subprocess.run(
        [node, str(VALIDATOR / "validate.mjs"), *map(str, paths)], capture_output=True, text=True, check=True
    )
    return {Path(path).stem: report for path, report in json.loads(done.stdout).items()}


def test_the_khronos_validator_finds_no_error_in_any_kind_of_glb(tmp_path: Path) -> None:
    glbs = every_kind_of_glb()

    reports = validator_report(tmp_path, glbs)

    assert set(reports) == set(glbs)
    assert {name: report["messages"] for name, report in reports.items() if report["errors"]} == {}


def test_the_khronos_validator_does_find_a_broken_index(tmp_path: Path) -> None:
    mesh = town_buildings()
    broken = TileMesh(mesh.positions, mesh.normals, mesh.triangles + np.uint32(9_000), mesh.feature)

    reports = validator_report(tmp_path, {"broken": encode_glb(broken, frame=tile_frame(), to_lonlat=to_lonlat)})

    assert "ACCESSOR_INDEX_OOB" in {message["code"] for message in reports["broken"]["messages"]}


def test_property_buffers_start_on_eight_bytes() -> None:
    glb = Glb(encode_glb(town_buildings(), frame=tile_frame(), to_lonlat=to_lonlat, properties=PROPERTIES))

    tables = glb.json["extensions"]["EXT_structural_metadata"]["propertyTables"]
    views = {number for views in tables[0]["properties"].values() for number in views.values()}
    assert len(views) == 8 + 2
    assert {glb.json["bufferViews"][number]["byteOffset"] % 8 for number in views} == {0}
