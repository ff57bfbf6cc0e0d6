"""GLB 2.0 tile content: meshes with feature ids and properties, placed vertex by vertex in a tile's local
frame.

Extensions: EXT_mesh_features, EXT_structural_metadata and, for geometry used more than once,
EXT_mesh_gpu_instancing with EXT_instance_features. Which geometry is worth sharing is decided in
`tiles/instances.py`; properties become bytes in `tiles/property_table.py`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tiles.instances import Instances, SharedMesh, share, turned_normals
from tiles.local_frame import LocalFrame, ToLonLat, local_jacobians, local_positions, y_up
from tiles.mesh import Float64, TileMesh, UInt8, UInt32, empty_mesh, merge
from tiles.property_table import PropertyType, property_table

FLOAT, UNSIGNED_BYTE, UNSIGNED_SHORT, UNSIGNED_INT = 5126, 5121, 5123, 5125
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
ASSET = {"version": "2.0", "generator": "hsr-town-twin"}
Properties = Mapping[str, Sequence[Any] | NDArray[Any]]
"""Columns by name, one value for each feature row."""
ALIGNMENT = 8
"""EXT_structural_metadata wants its buffer views on 8 bytes; all others are content with that."""


@dataclass(frozen=True)
class Material:
    """One material for all of a tile: the colour vertices are multiplied with, sRGB 0-255, and opacity
    0-1."""

    color: tuple[int, int, int] = (255, 255, 255)
    alpha: float = 1.0
    double_sided: bool = True
    roughness: float = 1.0


WHITE = Material()


@dataclass
class GlbWriter:
    """Collects buffer views and accessors while a GLB is put together."""

    binary: bytearray = field(default_factory=bytearray)
    views: list[dict[str, int]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)

    def add_view(self, content: bytes, target: int | None = None) -> int:
        """Append bytes, at least one, aligned, and return their buffer view's number."""
        offset = len(self.binary)
        self.binary += content
        self.binary += bytes(-len(content) % ALIGNMENT)
        view = {"buffer": 0, "byteOffset": offset, "byteLength": len(content)}
        self.views.append(view if target is None else view | {"target": target})
        return len(self.views) - 1

    def add_accessor(
        self,
        values: NDArray[Any],
        kind: str,
        component: int,
        *,
        target: int | None = ARRAY_BUFFER,
        bounds: bool = False,
        normalized: bool = False,
    ) -> int:
        """Append an array and return its accessor's number."""
        accessor = {
            "bufferView": self.add_view(np.ascontiguousarray(values).tobytes(), target),
            "componentType": component,
            "count": len(values),
            "type": kind,
        }
        if bounds:
            # Column by column: numpy is ten times slower over an axis of three.
            accessor["min"] = [float(column.min()) for column in values.T]
            accessor["max"] = [float(column.max()) for column in values.T]
        if normalized:
            accessor["normalized"] = True
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def to_glb(self, document: dict[str, Any]) -> bytes:
        """Return the container: header, JSON chunk padded with spaces, binary chunk (none if empty)."""
        if self.binary:
            document["buffers"] = [{"byteLength": len(self.binary)}]
            document["bufferViews"] = self.views
        if self.accessors:
            document["accessors"] = self.accessors
        text = orjson.dumps(document)
        chunks = _chunk(b"JSON", text + b" " * (-len(text) % 4))
        chunks += _chunk(b"BIN\0", bytes(self.binary)) if self.binary else b""
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack("<I4s", len(content), kind) + content


def encode_glb(
    mesh: TileMesh,
    *,
    frame: LocalFrame,
    to_lonlat: ToLonLat,
    height_offset: float = 0.0,
    properties: Properties | None = None,
    property_types: Mapping[str, PropertyType] | None = None,
    class_name: str = "feature",
    material: Material = WHITE,
) -> bytes:
    """Return a GLB of one mesh in projected metres, local to `frame`.

    `properties` are columns with one value per feature row; `mesh.feature` counts those rows. An empty mesh
    gives a valid GLB that draws nothing. Cost: about one projection per distinct x, y.
    """
    local = _localized(mesh, frame, to_lonlat, height_offset)
    return _encode(local, [], properties, property_types, class_name, material)


def encode_instanced_glb(
    instances: Sequence[Instances],
    *,
    frame: LocalFrame,
    to_lonlat: ToLonLat,
    height_offset: float = 0.0,
    mesh: TileMesh | None = None,
    properties: Properties | None = None,
    property_types: Mapping[str, PropertyType] | None = None,
    class_name: str = "feature",
    material: Material = WHITE,
    bake_below: int = 512,
) -> bytes:
    """Return a GLB in which geometry used several times is stored once; `mesh` (projected metres) lies beside
    it.

    Shared geometry becomes EXT_mesh_gpu_instancing + EXT_instance_features, which CesiumJS 1.145 draws, picks
    and styles by the same property table as EXT_mesh_features. Several nodes with one mesh would not do:
    feature ids are the mesh's vertex attribute, so all copies would be one feature. What instancing would
    place or shade wrongly, and groups of fewer than `bake_below` vertices, are copied; see
    `tiles/instances.py`.
    """
    shared, baked = share(instances, frame, to_lonlat, height_offset, bake_below=bake_below)
    copied = merge([baked, mesh or empty_mesh()])
    local = _localized(copied, frame, to_lonlat, height_offset)
    return _encode(local, shared, properties, property_types, class_name, material)


def _localized(mesh: TileMesh, frame: LocalFrame, to_lonlat: ToLonLat, height_offset: float) -> TileMesh:
    """Return the mesh in east, north, up of the frame; normals turn by the meridian convergence."""
    if mesh.is_empty:
        return mesh
    positions = local_positions(mesh.positions, frame, to_lonlat, height_offset)
    normals = mesh.normals
    if normals is not None:
        # Any vertex will do: within a tile the convergence differs by less than a minute of arc.
        here = mesh.positions[:1]
        normals = turned_normals(normals, local_jacobians(here, frame, to_lonlat, height_offset))
    return TileMesh(positions, normals, mesh.triangles, mesh.feature, mesh.colors, mesh.facade)


def _encode(
    mesh: TileMesh,
    shared: Sequence[SharedMesh],
    properties: Properties | None,
    property_types: Mapping[str, PropertyType] | None,
    class_name: str,
    material: Material,
) -> bytes:
    """Return the GLB of a mesh in the local frame and of the shared meshes."""
    writer = GlbWriter()
    drawn = [part for part in (mesh, *(group.mesh for group in shared)) if not part.is_empty]
    if not drawn:
        return writer.to_glb({"asset": ASSET, "scene": 0, "scenes": [{}]})
    document: dict[str, Any] = {"asset": ASSET, "scene": 0}
    table_number = _add_properties(writer, document, properties, property_types, class_name)
    meshes, nodes = [], []
    if not mesh.is_empty:
        meshes.append({"primitives": [_feature_primitive(writer, part, table_number) for part in _by_opacity(mesh)]})
        nodes.append({"mesh": 0})
    for group in shared:
        nodes.append(_instanced_node(writer, group, len(meshes), table_number))
        meshes.append({"primitives": [_primitive(writer, part) for part in _by_opacity(group.mesh)]})
    document["materials"] = _materials(material, [primitive for each in meshes for primitive in each["primitives"]])
    document |= {"scenes": [{"nodes": list(range(len(nodes)))}], "nodes": nodes, "meshes": meshes}
    return writer.to_glb(document | _extension_names(bool(table_number), not mesh.is_empty, bool(shared)))


def _by_opacity(mesh: TileMesh) -> list[TileMesh]:
    """Return the opaque triangles and the see-through ones apart: drawn as one, a window would make its wall glass."""
    if mesh.colors is None or not (mesh.colors[:, 3] < 255).any():
        return [mesh]
    through = np.asarray((mesh.colors[:, 3] < 255)[mesh.triangles].any(axis=1))
    return [_with_triangles(mesh, chosen) for chosen in (np.logical_not(through), through) if chosen.any()]


def _with_triangles(mesh: TileMesh, chosen: NDArray[np.bool_]) -> TileMesh:
    """Return the part of a mesh that these triangles draw, without the vertices they leave unused."""
    used, triangles = np.unique(mesh.triangles[chosen], return_inverse=True)
    return TileMesh(
        mesh.positions[used],
        None if mesh.normals is None else mesh.normals[used],
        triangles.reshape(-1, 3).astype(np.uint32),
        mesh.feature[used],
        None if mesh.colors is None else mesh.colors[used],
        None if mesh.facade is None else mesh.facade[used],
    )


def _extension_names(properties: bool, mesh: bool, shared: bool) -> dict[str, list[str]]:
    used = ["EXT_structural_metadata"] if properties else []
    used += ["EXT_mesh_features"] if mesh else []
    used += ["EXT_instance_features", "EXT_mesh_gpu_instancing"] if shared else []
    # A reader without instancing would draw each shared part once, at the tile's origin.
    return {"extensionsUsed": sorted(used)} | ({"extensionsRequired": ["EXT_mesh_gpu_instancing"]} if shared else {})


def _add_properties(
    writer: GlbWriter,
    document: dict[str, Any],
    properties: Properties | None,
    property_types: Mapping[str, PropertyType] | None,
    class_name: str,
) -> dict[str, int]:
    """Append the property table, if there is one, and return what feature ids say to refer to it."""
    table = property_table(properties, class_name, property_types) if properties else None
    if table is None or table.count == 0:
        return {}
    first = len(writer.views)
    for content in table.buffers:
        writer.add_view(content)
    document["extensions"] = {"EXT_structural_metadata": table.extension(first)}
    return {"propertyTable": 0}


def _feature_primitive(writer: GlbWriter, mesh: TileMesh, table_number: Mapping[str, int]) -> dict[str, Any]:
    """Return the primitive of a mesh whose vertices carry their feature's row number."""
    primitive = _primitive(writer, mesh)
    primitive["attributes"]["_FEATURE_ID_0"] = _add_feature_ids(writer, mesh.feature, ARRAY_BUFFER)
    primitive["extensions"] = {"EXT_mesh_features": _feature_ids(mesh.feature, table_number)}
    return primitive


def _primitive(writer: GlbWriter, mesh: TileMesh) -> dict[str, Any]:
    """Return the primitive of a mesh whose positions are east, north, up; feature ids come on top."""
    attributes = {"POSITION": writer.add_accessor(y_up(mesh.positions), "VEC3", FLOAT, bounds=True)}
    if mesh.normals is not None:
        attributes["NORMAL"] = writer.add_accessor(y_up(mesh.normals.astype(np.float64)), "VEC3", FLOAT)
    if mesh.colors is not None:
        attributes["COLOR_0"] = writer.add_accessor(linear_colors(mesh.colors), "VEC4", UNSIGNED_BYTE, normalized=True)
    if mesh.facade is not None:
        attributes["TEXCOORD_0"] = writer.add_accessor(mesh.facade, "VEC2", FLOAT)
    # 65535 itself restarts a strip and is not allowed as an index.
    short = len(mesh.positions) <= 65535
    indices = writer.add_accessor(
        mesh.triangles.astype("<u2" if short else "<u4").ravel(),
        "SCALAR",
        UNSIGNED_SHORT if short else UNSIGNED_INT,
        target=ELEMENT_ARRAY_BUFFER,
    )
    through = mesh.colors is not None and bool((mesh.colors[:, 3] < 255).any())
    return {"attributes": attributes, "indices": indices, "material": int(through), "mode": 4}


def _instanced_node(
    writer: GlbWriter, group: SharedMesh, mesh_number: int, table_number: Mapping[str, int]
) -> dict[str, Any]:
    """Return the node that draws a shared mesh at all its places."""
    attributes = {
        "TRANSLATION": writer.add_accessor(group.translation, "VEC3", FLOAT, target=None, bounds=True),
        "ROTATION": writer.add_accessor(group.rotation, "VEC4", FLOAT, target=None),
        "SCALE": writer.add_accessor(group.scale, "VEC3", FLOAT, target=None),
        "_FEATURE_ID_0": _add_feature_ids(writer, group.features, None),
    }
    extensions = {
        "EXT_mesh_gpu_instancing": {"attributes": attributes},
        "EXT_instance_features": _feature_ids(group.features, table_number),
    }
    return {"mesh": mesh_number, "extensions": extensions}


def _add_feature_ids(writer: GlbWriter, features: UInt32, target: int | None) -> int:
    """Append feature ids as float32: exact to 16 million, four bytes as the vertex stride wants."""
    return writer.add_accessor(features.astype("<f4"), "SCALAR", FLOAT, target=target)


def _feature_ids(features: UInt32, table_number: Mapping[str, int]) -> dict[str, Any]:
    count = len(np.unique(features))
    return {"featureIds": [{"featureCount": count, "attribute": 0, **table_number}]}


def _materials(material: Material, primitives: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the opaque material and, where something is see-through, the blended one; primitives learn their number."""
    numbers = sorted({primitive["material"] for primitive in primitives})
    for primitive in primitives:
        primitive["material"] = numbers.index(primitive["material"])
    return [_material(material, see_through=number == 1 or material.alpha < 1.0) for number in numbers]


def _material(material: Material, *, see_through: bool) -> dict[str, Any]:
    red, green, blue = _linear(np.array(material.color, np.float64) / 255.0).tolist()
    return {
        "pbrMetallicRoughness": {
            "baseColorFactor": [red, green, blue, material.alpha],
            "metallicFactor": 0.0,
            "roughnessFactor": material.roughness,
        },
        "doubleSided": material.double_sided,
        "alphaMode": "BLEND" if see_through else "OPAQUE",
    }


def linear_colors(colors: UInt8) -> UInt8:
    """Return sRGB colours (n, 4) as glTF's vertex colours want them: linear light, alpha untouched."""
    table = np.rint(255.0 * _linear(np.arange(256) / 255.0)).astype(np.uint8)
    linear = table[colors]
    linear[:, 3] = colors[:, 3]
    return linear


def _linear(srgb: Float64) -> Float64:
    """Return linear light for sRGB in 0-1 (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
