"""What is wrong with the property tables of a GLB: the rules of EXT_structural_metadata on lengths, counts and references."""

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

SIZES = {"INT8": 1, "UINT8": 1, "INT16": 2, "UINT16": 2, "INT32": 4, "UINT32": 4, "FLOAT32": 4, "INT64": 8, "UINT64": 8, "FLOAT64": 8}  # fmt: skip


def metadata_faults(glb: bytes) -> list[str]:
    """Return one sentence for each fault, as 3d-tiles-validator calls it; a GLB without metadata has none."""
    (size,) = struct.unpack_from("<I", glb, 12)
    document, binary = json.loads(glb[20 : 20 + size]), glb[28 + size :]
    extension = document.get("extensions", {}).get("EXT_structural_metadata")
    if extension is None:
        return []
    return [
        fault for table in extension["propertyTables"] for fault in _table_faults(document, binary, extension, table)
    ]


def _table_faults(
    document: dict[str, Any], binary: bytes, extension: dict[str, Any], table: dict[str, Any]
) -> Iterator[str]:
    known = extension["schema"]["classes"][table["class"]]["properties"]
    if table["count"] < 1:
        yield "count: VALUE_NOT_IN_RANGE"
    if table.get("properties") == {} or known == {}:
        yield "properties: VALUE_NOT_IN_RANGE, expected one at least, or no such member"
    for name, column in table.get("properties", {}).items():
        views = {
            key: binary[view.get("byteOffset", 0) : view.get("byteOffset", 0) + view["byteLength"]]
            for key, view in ((key, document["bufferViews"][number]) for key, number in column.items())
        }
        yield from (f"{name}: {fault}" for fault in _column_faults(known[name], views, table["count"]))
    for name in known.keys() - table.get("properties", {}).keys():
        if known[name].get("required"):
            yield f"{name}: METADATA_PROPERTY_MISSING"


def _column_faults(kind: dict[str, Any], views: dict[str, bytes], count: int) -> Iterator[str]:
    if kind["type"] == "STRING":
        offsets = np.frombuffer(views["stringOffsets"], "<u4").astype(np.int64)
        if len(offsets) != count + 1 or offsets[0] != 0 or (np.diff(offsets) < 0).any():
            yield f"METADATA_INVALID_OFFSETS, {len(offsets)} for {count} values"
        expected = int(offsets[-1])
    elif kind["type"] == "BOOLEAN":
        expected = -(-count // 8)
    else:
        expected = count * SIZES[kind["componentType"]]
    if len(views["values"]) != expected:
        yield f"METADATA_INVALID_LENGTH, {len(views['values'])} bytes where {expected} were expected"
