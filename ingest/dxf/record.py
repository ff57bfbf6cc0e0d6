"""An entity of a drawing as a plain `Record` with its code, form and vertices.

A record of a DXF source is an entity that is drawn in the modelspace; vertices and attributes belong to it. What a block
reference draws, and how many times, stands in `ingest/dxf/blocks.py`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ezdxf.lldxf.const import DXFError
from numpy.typing import NDArray

from ingest.dxf.circle import centre_of_bulges, centre_of_curve
from ingest.dxf.entity_attributes import entity_attributes
from ingest.dxf.flatten import (
    curve_points,
    hatch_rings,
    line_points,
    lwpolyline_points,
    polyline_points,
    quad_points,
    to_world,
)
from ingest.dxf.texts import decoded_name, decoded_paragraphs, decoded_text
from twin_model.rows.attributes import attributes_text

__all__ = [
    "BY_BLOCK",
    "BY_LAYER",
    "Record",
    "attributes_of",
    "centre_of_entity",
    "color_name",
    "ensure_finite",
    "read_record",
]

Floats = NDArray[np.float64]
_CLOSED = 0.001
_BROKEN = (DXFError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError)
_NOWHERE: Floats = np.empty((0, 3))
BY_LAYER, BY_BLOCK = "256", "0"
"""Colours that an entity has from its layer, or from the reference to its block."""


@dataclass(slots=True)
class Record:
    """One entity: `form` is "point", "line", "ring", "rings", "text", "none" (no shape of ours) or "broken".

    An INSERT keeps its `entity`; `extra` is what `entity_attributes` says; `matrix` brings what stands beside it in a block to the world, None in the modelspace.
    """

    number: int
    type: str
    layer: str
    handle: str | None
    code: str | None
    form: str
    xyz: Floats
    text: str = ""
    name: str = ""
    size: float = 0.0
    rotation: float = 0.0
    attributes: dict[str, str] | None = None
    rings: list[Floats] | None = None
    entity: Any = None
    color: str = BY_LAYER
    matrix: Floats | None = None
    extra: dict[str, Any] | None = None
    centre: Floats | None = None

    @property
    def place(self) -> str:
        return f"handle {self.handle}" if self.handle else f"entity {self.number}"

    def raw(self) -> dict[str, Any]:
        """Return the record as plain values, for quarantine."""
        kept = {
            "type": self.type,
            "layer": self.layer,
            "handle": self.handle,
            "code": self.code,
            "block": self.name,
            "text": self.text,
            "attributes": self.attributes,
            "xyz": self.xyz.tolist(),
        }
        return {name: value for name, value in kept.items() if value not in (None, "", [])}


def attributes_of(records: Iterable[Record]) -> list[str | None]:
    """Return what coded entities say beside shape and code, as JSON texts: layer, colour of their own, block and its attributes."""
    return [attributes_text(_leftover(record)) for record in records]


def _leftover(record: Record) -> dict[str, Any]:
    attributes: dict[str, Any] = {"layer": record.layer}
    if record.color not in (BY_LAYER, BY_BLOCK):
        attributes["color"] = record.color
    if record.name:
        attributes["block"] = record.name
    return attributes | (record.attributes or {}) | (record.extra or {})


def read_record(entity: Any, sagitta: float, encoding: str, number: int = 0) -> Record:
    """Return one entity as a record; one that cannot be read has the form "broken" and its cause as text."""
    attributes = vars(entity.dxf)
    kind = entity.dxftype()
    record = Record(
        number,
        kind,
        decoded_name(attributes.get("layer", "0"), encoding),
        attributes.get("handle"),
        _south_code(entity, encoding),
        "none",
        _NOWHERE,
        color=color_name(attributes),
        extra=entity_attributes(entity, encoding),
    )
    shape = _SHAPES.get(kind)
    if shape is not None:
        try:
            shape(record, entity, sagitta, encoding)
            ensure_finite(record)
        except _BROKEN as error:
            record.form, record.text = "broken", f"{type(error).__name__}: {error}"
    return record


def ensure_finite(record: Record) -> None:
    """A coordinate that is not a number makes the entity unusable: no predicate works on it."""
    if not all(np.isfinite(xyz).all() for xyz in (record.rings or [record.xyz])):
        record.form, record.text = "broken", "a coordinate is not a finite number"


def color_name(attributes: Mapping[str, Any]) -> str:
    """Return the colour of an entity or a layer: AutoCAD's index as a text, a true colour as "#ff0000"."""
    true = attributes.get("true_color")
    return str(abs(attributes.get("color", 256))) if true is None else f"#{true & 0xFFFFFF:06x}"


def _south_code(entity: Any, encoding: str) -> str | None:
    """Return the CASS code: the first string in the XDATA of application SOUTH, written in any case."""
    if entity.xdata is None:
        return None
    for application, tags in entity.xdata.data.items():
        if application.upper() == "SOUTH":
            code = next((tag.value for tag in tags if tag.code == 1000), "")
            return decoded_name(code, encoding).strip() or None
    return None


def _line(record: Record, entity: Any, sagitta: float, encoding: str) -> None:
    record.xyz = line_points(entity)
    record.form = "line"


def _lwpolyline(record: Record, entity: Any, sagitta: float, encoding: str) -> None:
    record.xyz = lwpolyline_points(entity, sagitta)
    record.centre = centre_of_entity(entity)
    _close(record, bool(vars(entity.dxf).get("flags", 0) & 1))


def _polyline(record: Record, entity: Any, sagitta: float, encoding: str) -> None:
    if entity.is_polygon_mesh or entity.is_poly_face_mesh:
        return
    record.xyz = polyline_points(entity, sagitta)
    record.centre = centre_of_entity(entity)
    _close(record, bool(entity.is_closed))


def _curve(record: Record, entity: Any, sagitta: float, encoding: str) -> None:
    record.xyz = curve_points(entity, sagitta)
    record.centre = centre_of_entity(entity)
    _close(record, record.type == "SPLINE" and bool(entity.closed))


def _mline(record: Record, entity: Any, sagitta: float, encoding: str) -> None:
    """Of parallel lines drawn as one (walls, ducts) the line they are drawn along."""
    record.xyz = np.array([vertex.location.xyz for vertex in entity.vertices], dtype=np.float64).reshape(-1, 3)
    _close(record, bool(entity.is_closed))


def centre_of_entity(entity: Any) -> Floats | None:
    """Return the centre of an entity that draws one whole circle or ellipse, None of any other."""
    kind = entity.dxftype()
    if kind == "LWPOLYLINE":
        points = np.asarray(entity.lwpoints.values, dtype=np.float64).reshape(-1, 5)
        xy, bulges, elevation = points[:, :2], points[:, 4], float(entity.dxf.get("elevation", 0.0))
    elif kind == "POLYLINE" and entity.is_2d_polyline:
        xy = np.array([vertex.dxf.location.vec2 for vertex in entity.vertices], dtype=np.float64).reshape(-1, 2)
        bulges = np.array([vertex.dxf.get("bulge", 0.0) for vertex in entity.vertices])
        elevation = entity.dxf.elevation.z if entity.dxf.hasattr("elevation") else 0.0
    else:
        return centre_of_curve(entity)
    if not bulges.any():
        return None
    centre = centre_of_bulges(xy, bulges, closed=bool(entity.is_closed))
    return None if centre is None else to_world(entity, np.array([[*centre, elevation]]))


def _quad(record: Record, entity: Any, sagitta: float, encoding: str) -> None:
    record.xyz = quad_points(entity)
    _close(record, True)


def _close(record: Record, flagged: bool) -> None:
    """Set the form of a chain of vertices: a ring ends where it began."""
    xyz = record.xyz
    if len(xyz) < 2:
        record.form, record.text = "broken", f"{len(xyz)} vertices"
        return
    meets = len(xyz) > 3 and _meet(xyz[0], xyz[-1])
    if flagged and not meets and len(xyz) > 2:
        record.xyz = np.concatenate((xyz, xyz[:1]))
    elif meets:
        xyz[-1] = xyz[0]
    record.form = "ring" if meets or (flagged and len(xyz) > 2) else "line"


def _meet(first: Floats, last: Floats) -> bool:
    """Say whether two vertices lie at one place; single numbers, for `numpy.allclose` takes longer than all the rest."""
    (x, y, _), (to_x, to_y, _) = first.tolist(), last.tolist()
    return bool(abs(x - to_x) <= _CLOSED and abs(y - to_y) <= _CLOSED)


def _hatch(record: Record, entity: Any, sagitta: float, encoding: str) -> None:
    rings = hatch_rings(entity, sagitta)
    if not rings:
        record.form, record.text = "broken", "no boundary"
        return
    record.rings = [ring if np.allclose(ring[0], ring[-1]) else np.concatenate((ring, ring[:1])) for ring in rings]
    record.form, record.xyz = "rings", record.rings[0]


def _point(record: Record, entity: Any, sagitta: float, encoding: str) -> None:
    x, y, z = entity.dxf.location
    record.form, record.xyz = "point", np.array(((x, y, z),))


def _insert(record: Record, entity: Any, sagitta: float, encoding: str) -> None:
    attributes = vars(entity.dxf)
    x, y, z = attributes["insert"]
    record.form, record.xyz = "point", to_world(entity, np.array(((x, y, z),)))
    record.name = decoded_name(attributes.get("name", ""), encoding)
    record.rotation = attributes.get("rotation", 0.0)
    record.entity = entity
    if entity.attribs:
        record.attributes = {
            decoded_name(attribute.dxf.tag, encoding): _words(attribute, encoding) for attribute in entity.attribs
        }


def _words(attribute: Any, encoding: str) -> str:
    """Return the words of a block attribute, of one with several lines all of them."""
    if attribute.has_embedded_mtext_entity:
        return decoded_paragraphs(attribute.virtual_mtext_entity().text, encoding)
    return decoded_text(attribute.dxf.text, encoding)


def _text(record: Record, entity: Any, sagitta: float, encoding: str) -> None:
    attributes = vars(entity.dxf)
    aligned = attributes.get("halign", 0) or attributes.get("valign", 0)
    x, y, z = (attributes.get("align_point") if aligned else None) or attributes.get("insert", (0.0, 0.0, 0.0))
    record.form, record.xyz = "text", to_world(entity, np.array(((x, y, z),)))
    record.text = decoded_text(attributes.get("text", ""), encoding)
    record.size = attributes.get("height", 0.0)
    record.rotation = attributes.get("rotation", 0.0)


def _mtext(record: Record, entity: Any, sagitta: float, encoding: str) -> None:
    x, y, z = entity.dxf.insert
    record.form, record.xyz = "text", np.array(((x, y, z),))
    record.text = decoded_paragraphs(entity.text, encoding)
    record.size = entity.dxf.get("char_height", 0.0)
    record.rotation = entity.get_rotation()


_SHAPES: dict[str, Callable[[Record, Any, float, str], None]] = {
    "LINE": _line, "LWPOLYLINE": _lwpolyline, "POLYLINE": _polyline, "ARC": _curve, "CIRCLE": _curve,
    "ELLIPSE": _curve, "SPLINE": _curve, "HELIX": _curve, "MLINE": _mline, "SOLID": _quad, "TRACE": _quad, "3DFACE": _quad,
    "HATCH": _hatch, "MPOLYGON": _hatch, "POINT": _point, "INSERT": _insert, "TEXT": _text, "MTEXT": _mtext,
}  # fmt: skip
