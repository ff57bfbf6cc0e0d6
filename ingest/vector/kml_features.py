"""Placemarks of KML and KMZ (OGC 12-007r2) as rows: name, description, folder, times and all extended data.

What a file links to (network links, overlays, models, pictures) is counted and never followed.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, iterparse

import numpy as np
import shapely

from ingest.archive import unpack
from ingest.vector.kind import ensure_whole_xml
from ingest.vector.layer_rows import LayerRows
from twin_model.errors import SourceRefused
from twin_model.finding import Finding

__all__ = ["read_kml"]

_SYSTEM = "EPSG:4326"
"""Longitude, latitude and height of WGS 84, as KML prescribes."""

_LINKED = {"NetworkLink", "GroundOverlay", "PhotoOverlay", "ScreenOverlay", "Model"}
_MULTI: dict[str, Any] = {
    "Point": shapely.multipoints, "LineString": shapely.multilinestrings, "Polygon": shapely.multipolygons,
}  # fmt: skip
_TEXTS = {"name", "description", "address", "phoneNumber", "styleUrl", "when", "begin", "end"}
_SHAPES = {"Point", "LineString", "LinearRing", "Polygon", "MultiGeometry", "Track", "MultiTrack"}


def read_kml(path: Path, source: str, encoding: str | None) -> LayerRows | None:
    """Return the placemarks of a KML, or of the first KML of a KMZ; None for a file that is neither."""
    with path.open("rb") as file:
        packed = file.read(2) == b"PK"
    if not packed:
        return _placemarks(path, path.stem, source)
    with tempfile.TemporaryDirectory(prefix="twin-kmz-") as folder:
        documents = sorted(
            unpack(path, Path(folder)).rglob("*.kml"), key=lambda file: (file.name != "doc.kml", str(file))
        )
        if not documents:
            raise SourceRefused("source.empty", source=source)
        return _placemarks(documents[0], path.stem, source)


def _placemarks(path: Path, name: str, source: str) -> LayerRows:
    ensure_whole_xml(path, source)
    rows: list[tuple[Any, dict[str, Any]]] = []
    linked: Counter[str] = Counter()
    folders: list[str] = []
    elements: list[Element] = []
    for event, element in iterparse(path, events=("start", "end")):
        tag = _tag(element)
        if event == "start":
            elements.append(element)
            folders += [""] if tag in ("Folder", "Document") else []
            continue
        elements.pop()
        parent = _tag(elements[-1]) if elements else ""
        if tag == "name" and parent in ("Folder", "Document") and folders:
            folders[-1] = (element.text or "").strip()
        elif tag == "Placemark":
            rows.append(_row(element, "/".join(filter(None, folders))))
            element.clear()
        elif tag in ("Folder", "Document"):
            folders.pop()
        linked[tag] += tag in _LINKED
    if not rows:
        raise SourceRefused("source.empty", source=source)
    columns = dict.fromkeys(column for _, row in rows for column in row)
    values = {column: [row.get(column) for _, row in rows] for column in columns}
    return LayerRows({name: ([shape for shape, _ in rows], values)}, _SYSTEM, _links(linked, source))


def _links(linked: Counter[str], source: str) -> list[Finding]:
    parts = [f"{tag} ({count})" for tag, count in sorted(linked.items()) if count]
    values = {"source": source, "count": linked.total(), "kinds": parts}
    return [Finding("vector.links_not_read", "info", values=values)] if parts else []


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _row(placemark: Element, folder: str) -> tuple[Any, dict[str, Any]]:
    row: dict[str, Any] = {}
    for element in placemark.iter():
        tag, text = _tag(element), (element.text or "").strip()
        if tag in _TEXTS and text:
            row.setdefault(tag, text)
        elif tag == "SimpleData":
            row[element.get("name", "")] = text or None
        elif tag == "Data":
            row[element.get("name", "")] = next((part.text for part in element if _tag(part) == "value"), None)
    shapes = [shape for child in placemark if _tag(child) in _SHAPES for shape in _shapes(child)]
    return _together(shapes), row | ({"folder": folder} if folder else {})


def _shapes(element: Element) -> Iterator[Any]:
    tag = _tag(element)
    if tag in ("MultiGeometry", "MultiTrack"):
        for child in element:
            yield from _shapes(child)
    elif tag == "Polygon":
        rings = {kind: [_vertices(part) for edge in element if _tag(edge) == kind for part in edge.iter() if _tag(part) == "coordinates"]
                 for kind in ("outerBoundaryIs", "innerBoundaryIs")}  # fmt: skip
        outer = [ring for ring in rings["outerBoundaryIs"] if len(ring) >= 4]
        if outer:
            yield shapely.Polygon(outer[0], [ring for ring in rings["innerBoundaryIs"] if len(ring) >= 4])
    elif tag in _SHAPES:
        vertices = _track(element) if tag == "Track" else np.concatenate(
            [_vertices(part) for part in element if _tag(part) == "coordinates"] or [np.empty((0, 3))]
        )  # fmt: skip
        if tag == "Point" and len(vertices):
            yield shapely.Point(vertices[0])
        elif len(vertices) > 1:
            yield shapely.LineString(vertices)


def _vertices(element: Element) -> Any:
    """Return lon, lat, height of each vertex; the height is 0 where none is given, as KML says."""
    numbers = [[float(number) for number in point.split(",")[:3] if number] for point in (element.text or "").split()]
    return np.array([(*point, 0.0)[:3] for point in numbers if len(point) >= 2]).reshape(-1, 3)


def _track(element: Element) -> Any:
    points = [(part.text or "").split() for part in element if _tag(part) == "coord"]
    return np.array([[float(number) for number in (*point, "0")[:3]] for point in points if len(point) >= 2]).reshape(
        -1, 3
    )


def _together(shapes: list[Any]) -> Any:
    """Return one geometry of several: a multi where they are alike, else a collection; flat where no height is given."""
    flat = [
        shapely.force_2d(shape) if not shapely.get_coordinates(shape, include_z=True)[:, 2].any() else shape
        for shape in shapes
    ]
    if len(flat) < 2:
        return flat[0] if flat else None
    kinds = {shape.geom_type for shape in flat}
    return (_MULTI[kinds.pop()] if len(kinds) == 1 else shapely.geometrycollections)(flat)
