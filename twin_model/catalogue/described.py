"""A layer described from a frame: what an analyst computed becomes a table of the town's catalogue."""

import json
import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely

from twin_model.errors import CatalogueError, EditRefused

__all__ = ["describe_layer"]

_TYPES = {"b": "boolean", "i": "integer", "u": "integer", "f": "number", "M": "datetime"}
_DIMENSIONS = ("Point", "MultiLineString", "MultiPolygon")


def describe_layer(
    layer_id: str, frame: gpd.GeoDataFrame, *, title: str, description: str, path: Path
) -> None:
    """Write a catalogue table for a new layer with the frame's columns and geometry type; the file appears whole."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", layer_id):
        raise CatalogueError(layer=layer_id, key=layer_id, expected=["small letters, digits and _"])
    lines = [f"# What `town.commit` brought as {layer_id}.", f"[{layer_id}]", f"title = {{ zh = {_shown(title)}, en = {_shown(title)} }}",
             f"description = {{ zh = {_shown(description)}, en = {_shown(description)} }}", 'cim_class = "results"',
             f'geometry = "{_geometry(layer_id, frame)}"', f"[{layer_id}.fields]"]  # fmt: skip
    for name in frame.columns:
        if name != frame.geometry.name:
            kind = _TYPES.get(frame[name].dtype.kind, "string")
            lines.append(
                f"{name} = {{ type = {_shown(kind)}, zh = {_shown(str(name))}, en = {_shown(str(name))} }}"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text("\n".join(lines) + "\n", "utf-8")
    part.replace(path)


def _geometry(layer_id: str, frame: gpd.GeoDataFrame) -> str:
    there = frame.geometry[~frame.geometry.isna()].to_numpy()
    dimensions = {int(one) for one in shapely.get_dimensions(there)}
    if len(dimensions) != 1:
        raise EditRefused("edit.mixed_geometry", layer=layer_id, found=sorted(dimensions) or "none")
    dimension = dimensions.pop()
    flat = (
        "MultiPoint" if dimension == 0 and (shapely.get_type_id(there) == 4).any() else _DIMENSIONS[dimension]
    )
    if flat == "MultiPoint":
        raise EditRefused("edit.mixed_geometry", layer=layer_id, found="MultiPoint")
    high = bool(shapely.has_z(there).all()) and len(there) > 0
    return flat + ("Z" if high else "")


def _shown(text: Any) -> str:
    return json.dumps(text, ensure_ascii=False)
