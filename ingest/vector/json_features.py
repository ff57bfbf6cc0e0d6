"""Features of Esri JSON (ArcGIS REST, "Feature object") and TopoJSON (specification 1.0) as rows."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from ingest.vector.json_kind import other_kind
from ingest.vector.layer_rows import LayerRows
from twin_model.errors import SourceRefused

__all__ = ["read_json"]

_HEAD_BYTES = 65_536
_MOST_BYTES = 256 << 20
_MOST_VERTICES = 20_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Features = list[tuple[Any, dict[str, Any]]]


def read_json(path: Path, source: str, encoding: str | None) -> LayerRows | None:
    """Return the features of Esri JSON or TopoJSON; None for GeoJSON, other JSON, and files without a feature."""
    with path.open("rb") as file:
        kind = other_kind(file.read(_HEAD_BYTES))
    if kind not in ("Esri JSON", "TopoJSON"):
        return None
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES >> 20} MiB")
        document = json.loads(path.read_bytes())
        read = _esri(document, path.stem) if kind == "Esri JSON" else _topology(document)
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        RecursionError,
        shapely.errors.ShapelyError,
    ) as error:
        raise SourceRefused("source.unreadable", source=source, kind=kind, cause=_cause(error)) from error
    return read if any(len(shapes) for shapes, _ in read.layers.values()) else None


def _cause(error: Exception) -> str:
    """Return what is wrong with a document as a sentence of a file, not of Python."""
    if isinstance(error, json.JSONDecodeError):
        return f"At line {error.lineno}, character {error.colno}: {error.msg}"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error)[:120] or type(error).__name__


def _columns(rows: Features) -> tuple[list[Any], dict[str, list[Any]]]:
    names = dict.fromkeys(name for _, row in rows for name in row)
    return [shape for shape, _ in rows], {name: [_plain(row.get(name)) for _, row in rows] for name in names}


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _esri(document: dict[str, Any], name: str) -> LayerRows:
    dates = {field["name"] for field in document.get("fields") or [] if field.get("type") == "esriFieldTypeDate"}
    rows: Features = []
    for feature in document.get("features") or []:
        attributes = feature.get("attributes") or {}
        row = {key: _date(value) if key in dates else value for key, value in attributes.items()}
        rows.append((_esri_shape(feature.get("geometry")), row))
    system: dict[str, Any] = document.get("spatialReference") or _own_system(document)
    code = system.get("latestWkid") or system.get("wkid")
    crs = {102100: "EPSG:3857"}.get(code, f"EPSG:{code}") if code else system.get("wkt")
    return LayerRows({name: _columns(rows)}, crs)


def _own_system(document: dict[str, Any]) -> dict[str, Any]:
    """Return the system that the first geometry with one names, nothing where none does."""
    geometries = (feature.get("geometry") or {} for feature in document.get("features") or [])
    return next((system for geometry in geometries if (system := geometry.get("spatialReference"))), {})


def _date(value: Any) -> Any:
    """Return a date that is given in milliseconds since 1970 as text."""
    return (_EPOCH + timedelta(milliseconds=value)).isoformat() if isinstance(value, int | float) else value


def _esri_shape(geometry: dict[str, Any] | None) -> Any:
    if not geometry:
        return None
    size = 3 if geometry.get("hasZ") else 2
    if isinstance(geometry.get("x"), int | float):
        return shapely.Point([geometry[axis] for axis in "xyz" if isinstance(geometry.get(axis), int | float)])
    if geometry.get("points"):
        return shapely.multipoints([point[:size] for point in geometry["points"]])
    if geometry.get("paths"):
        return shapely.multilinestrings(
            [shapely.LineString([p[:size] for p in path]) for path in geometry["paths"] if len(path) > 1]
        )
    rings = [shapely.Polygon([point[:size] for point in ring]) for ring in geometry.get("rings") or [] if len(ring) > 3]
    return _nested(rings)


def _nested(rings: list[Any]) -> Any:
    """Return the area of rings: one that lies in another is its hole, one in a hole an island (even-odd rule)."""
    outer = sorted((shapely.make_valid(ring) for ring in rings), key=lambda ring: -ring.area)
    area = outer[0] if outer else None
    for ring in outer[1:]:
        area = shapely.symmetric_difference(area, ring)
    return area


def _topology(document: dict[str, Any]) -> LayerRows:
    arcs = [np.array([point[:2] for point in arc], dtype=np.float64).reshape(-1, 2) for arc in document["arcs"]]
    transform = document.get("transform")
    if transform:
        arcs = [np.cumsum(arc, axis=0) * transform["scale"] + transform["translate"] for arc in arcs]
    _ensure_modest(document, [len(arc) for arc in arcs])
    layers = {}
    for name, top in document["objects"].items():
        parts = top["geometries"] if top.get("type") == "GeometryCollection" else [top]
        rows = [(_topo_shape(part, arcs, transform), _properties(part)) for part in parts]
        layers[name] = _columns(rows)
    return LayerRows({name: layer for name, layer in layers.items() if layer[0]}, None)


def _properties(part: dict[str, Any]) -> dict[str, Any]:
    return ({"id": str(part["id"])} if "id" in part else {}) | (part.get("properties") or {})


def _ensure_modest(document: dict[str, Any], sizes: list[int]) -> None:
    """Refuse a small file that stands for very many vertices: its areas may name one long arc again and again."""
    count = 0
    for number in _arc_numbers(document["objects"]):
        count += sizes[number if number >= 0 else ~number]
        if count > _MOST_VERTICES:
            raise ValueError(f"its arcs make more than {_MOST_VERTICES} vertices")


def _arc_numbers(value: Any, *, inside: bool = False) -> Iterator[int]:
    if isinstance(value, dict):
        for key, part in value.items():
            if key != "properties":
                yield from _arc_numbers(part, inside=key == "arcs")
    elif isinstance(value, list):
        for part in value:
            yield from _arc_numbers(part, inside=inside)
    elif inside and isinstance(value, int):
        yield value


def _topo_shape(part: dict[str, Any], arcs: list[Any], transform: dict[str, Any] | None) -> Any:
    kind = part.get("type")

    def line(numbers: list[int]) -> Any:
        return _joined(numbers, arcs)

    if kind in ("Point", "MultiPoint"):
        points = np.array(part["coordinates"], dtype=np.float64).reshape(-1, 2)
        points = points * transform["scale"] + transform["translate"] if transform else points
        return shapely.Point(points[0]) if kind == "Point" else shapely.multipoints(points)
    if kind == "LineString":
        return shapely.LineString(line(part["arcs"]))
    if kind == "MultiLineString":
        return shapely.multilinestrings([shapely.LineString(line(numbers)) for numbers in part["arcs"]])
    if kind == "Polygon":
        return shapely.Polygon(line(part["arcs"][0]), [line(numbers) for numbers in part["arcs"][1:]])
    if kind == "MultiPolygon":
        return shapely.multipolygons(
            [shapely.Polygon(line(polygon[0]), [line(hole) for hole in polygon[1:]]) for polygon in part["arcs"]]
        )
    if kind == "GeometryCollection":
        return shapely.geometrycollections([_topo_shape(each, arcs, transform) for each in part["geometries"]])
    return None


def _joined(numbers: list[int], arcs: list[Any]) -> Any:
    """Return the vertices of arcs one after the other; `~n` is arc n backwards, and ends that meet come once."""
    pieces = [arcs[number] if number >= 0 else arcs[~number][::-1] for number in numbers]
    return np.concatenate(list(chain([pieces[0]], (piece[1:] for piece in pieces[1:]))))
