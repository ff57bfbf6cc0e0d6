"""What is wrong with a `tileset.json`: the rules of 3D Tiles 1.1 that viewers rely on, and some of our own.

JSON schemas cannot say these: errors shrink and volumes nest on the way down, transforms can be inverted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

SLACK_RADIANS = 1e-9
"""6 mm on the ground."""
SLACK_METRES = 1e-3


def check_tileset(document: dict[str, Any]) -> list[str]:
    """Return one sentence for each fault, with the place in the document; nothing if it is sound.

    Follows the OGC 3D Tiles 1.1 specification (22-025r4), on tiles, transforms and tileset JSON. Contents
    and external tilesets are not opened.
    """
    faults = []
    if document.get("asset", {}).get("version") not in ("1.0", "1.1"):
        faults.append("asset.version: expected 1.1")
    if not _is_error(document.get("geometricError")):
        faults.append("geometricError: expected a finite number of at least 0")
    root = document.get("root")
    if not isinstance(root, dict):
        return [*faults, "root: missing"]
    if root.get("refine") not in ("ADD", "REPLACE"):
        faults.append("root.refine: expected ADD or REPLACE")
    return faults + list(_tile_faults(root, document.get("geometricError"), None, "root"))


def _tile_faults(tile: dict[str, Any], error: Any, volume: Any, where: str) -> Iterator[str]:
    """Yield the faults of a tile whose parent has this error and this region."""
    yield from _error_faults(tile, error, where)
    yield from _volume_faults(tile.get("boundingVolume"), volume, where)
    yield from _transform_faults(tile, where)
    yield from _content_faults(tile, where)
    if tile.get("refine", "ADD") not in ("ADD", "REPLACE"):
        yield f"{where}.refine: expected ADD or REPLACE"
    if tile.get("children") == []:
        yield f"{where}.children: expected at least one, or no such member"
    region = (tile.get("boundingVolume") or {}).get("region")
    for number, child in enumerate(tile.get("children", [])):
        yield from _tile_faults(child, tile.get("geometricError"), region, f"{where}.children[{number}]")


def _error_faults(tile: dict[str, Any], parent: Any, where: str) -> Iterator[str]:
    error = tile.get("geometricError")
    if not _is_error(error):
        yield f"{where}.geometricError: expected a finite number of at least 0, found {error!r}"
    elif _is_error(parent) and error > parent:
        yield f"{where}.geometricError: {error} is larger than its parent's {parent}"


def _volume_faults(volume: Any, parent: Any, where: str) -> Iterator[str]:
    kinds = {"region": 6, "box": 12, "sphere": 4}
    kind = next((kind for kind in kinds if isinstance(volume, dict) and kind in volume), None)
    if kind is None:
        yield f"{where}.boundingVolume: expected region, box or sphere"
    elif not _are_numbers(volume[kind], kinds[kind]):
        yield f"{where}.boundingVolume.{kind}: expected {kinds[kind]} finite numbers"
    elif kind == "region":
        yield from _region_faults(volume["region"], parent, where)


def _region_faults(region: list[float], parent: Any, where: str) -> Iterator[str]:
    west, south, east, north, low, high = region
    if not (-math.pi <= west <= east <= math.pi and -math.pi / 2 <= south <= north <= math.pi / 2):
        yield f"{where}.boundingVolume.region: expected west <= east, south <= north in radians"
    if low > high:
        yield f"{where}.boundingVolume.region: lowest height {low} is above highest {high}"
    if _are_numbers(parent, 6):
        inside = np.array([-1, -1, 1, 1, -1, 1]) * (np.array(region) - np.array(parent))
        if (inside > [SLACK_RADIANS] * 4 + [SLACK_METRES] * 2).any():
            yield f"{where}.boundingVolume.region: not inside its parent's"


def _transform_faults(tile: dict[str, Any], where: str) -> Iterator[str]:
    if "transform" not in tile:
        return
    if not _are_numbers(tile["transform"], 16):
        yield f"{where}.transform: expected 16 finite numbers"
        return
    matrix = np.array(tile["transform"], dtype=np.float64).reshape(4, 4).T
    if matrix[3].tolist() != [0.0, 0.0, 0.0, 1.0]:
        yield f"{where}.transform: the last row is not 0 0 0 1 (numbers go column by column)"
    elif abs(np.linalg.det(matrix[:3, :3])) < 1e-12:
        yield f"{where}.transform: cannot be inverted"


def _content_faults(tile: dict[str, Any], where: str) -> Iterator[str]:
    if "content" in tile and "contents" in tile:
        yield f"{where}: expected content or contents, not both"
    contents = [tile["content"]] if "content" in tile else tile.get("contents", [])
    for content in contents:
        uri = content.get("uri") if isinstance(content, dict) else None
        if not isinstance(uri, str) or not uri:
            yield f"{where}.content.uri: expected an address, found {uri!r}"
        elif uri.split("?")[0].endswith(".json") and tile.get("children"):
            yield f"{where}: a tile with an external tileset has no children of its own"


def _is_error(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _are_numbers(values: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(value, (int, float)) and math.isfinite(value) for value in values)
    )
