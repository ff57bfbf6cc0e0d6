"""A drawing without CASS codes: its layers become ours by a mapping.

A pattern of the mapping names a DXF layer, or more narrowly `layer|TYPE` or `layer|INSERT|block`:

    [[layer]]
    from = "AV_Gebaeude|LWPOLYLINE"
    to = "building"
    fields = { name = "NR" }            # a block attribute, or: layer block text type elevation rotation size

A record is an entity of the modelspace. A block reference is a point; on a layer of lines or areas it is
what its block draws there.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from ingest.dxf.drawing import Drawing, Geometries, chains, rings_to_polygons
from ingest.dxf.record import Record, block_contents
from ingest.mapping import LayerMapping, Mapping
from twin_model.errors import SourceRefused
from twin_model.layer import Layer

__all__ = ["DrawingScale", "deliver_layers"]

_BUILT_IN = ("layer", "block", "text", "type", "elevation", "rotation", "size")
_FILLED = ("text", "size", "rotation", "elevation")
_SHOWN_LAYERS = 40


@dataclass(frozen=True)
class DrawingScale:
    """Metres per drawing unit, the sagitta of flattened arcs in drawing units, and the text encoding of
    blocks."""

    metres: float
    sagitta: float
    encoding: str


def deliver_layers(drawing: Drawing, records: Iterable[Record], mapping: Mapping | None, scale: DrawingScale) -> None:
    """Store what the mapping names; entities of other layers are counted and listed.

    Raises SourceRefused `dxf.nothing_mapped`, with the layers there are, when the mapping names none of them.
    """
    groups: dict[int, list[Record]] = defaultdict(list)
    entries: dict[int, LayerMapping] = {}
    layers: Counter[str] = Counter()
    unmapped: list[Record] = []
    for record in records:
        layers[record.layer] += 1
        entry = _entry(mapping, record)
        if entry is None:
            unmapped.append(record)
        else:
            entries[id(entry)] = entry
            groups[id(entry)].append(record)
    if not groups:
        raise _nothing_mapped(drawing, layers)
    for record in unmapped:
        drawing.pass_over("dxf.unmapped_layer", record.layer)
    for key, rows in groups.items():
        _deliver(drawing, rows, entries[key], scale)


def _entry(mapping: Mapping | None, record: Record) -> LayerMapping | None:
    if mapping is None:
        return None
    names = (record.layer, f"{record.layer}|{record.type}", f"{record.layer}|{record.type}|{record.name}")
    return next((one for one in mapping.layers if any(one.fits(name) for name in names)), None)


def _nothing_mapped(drawing: Drawing, layers: Counter[str]) -> SourceRefused:
    listed = [f"{name} ({count})" for name, count in sorted(layers.items(), key=lambda item: (-item[1], item[0]))]
    more = len(listed) - _SHOWN_LAYERS
    shown = listed[:_SHOWN_LAYERS] + ([f"and {more} more"] if more > 0 else [])
    ours = [one.id for one in drawing.draft.catalogue if one.cim_class == "base" and one.kind == "feature"]
    example = max(layers, key=lambda name: layers[name])
    return SourceRefused(
        "dxf.nothing_mapped", source=drawing.draft.source.name, found=shown, nearest=ours, example=example
    )


def _deliver(drawing: Drawing, rows: list[Record], entry: LayerMapping, scale: DrawingScale) -> None:
    layer = drawing.draft.catalogue[entry.to]
    shape = {0: _point, 1: _line, 2: _area}[layer.dimension]
    kept: list[Record] = []
    shapes: list[Any] = []
    for record in rows:
        geometry = _shape(drawing, layer, record, scale, shape)
        if geometry is not None:
            kept.append(record)
            shapes.append(geometry)
    if not kept:
        return
    geometry = np.array(shapes, dtype=object)
    if scale.metres != 1.0:
        geometry = shapely.transform(geometry, lambda xyz: xyz * scale.metres, include_z=layer.has_z)
    drawing.add(layer.id, geometry, _columns(layer, kept, entry, scale.metres))


def _shape(drawing: Drawing, layer: Layer, record: Record, scale: DrawingScale, shape: Callable[..., Any]) -> Any:
    """Return a record's geometry for a layer, or None when it was set aside or passed over."""
    if record.form == "broken":
        drawing.set_aside(
            "dxf.broken_entity",
            record,
            layer=layer.id,
            type=record.type,
            cause=record.text,
            code=record.layer,
        )
        return None
    geometry = None if record.form == "none" else shape(record, scale)
    if geometry is None and layer.dimension == 2 and record.form == "line":
        gap = float(np.hypot(*(record.xyz[0, :2] - record.xyz[-1, :2]))) * scale.metres
        drawing.set_aside("dxf.not_closed", record, layer=layer.id, gap=round(gap, 3), most=0.0)
    elif geometry is None:
        drawing.pass_over("dxf.no_shape_for_layer", f"{record.layer} {record.type}")
    return geometry


def _point(record: Record, scale: DrawingScale) -> Any:
    if record.centre is not None:
        return shapely.points(record.centre[0])
    if record.form in ("point", "text"):
        return shapely.points(record.xyz[0])
    if record.form in ("ring", "rings"):
        return shapely.centroid(rings_to_polygons([record])[0])
    return None


def _line(record: Record, scale: DrawingScale) -> Any:
    if record.form in ("line", "ring"):
        return chains([record], with_z=True)[0]
    if record.form == "rings":
        return shapely.boundary(rings_to_polygons([record])[0])
    drawn = _drawn(record, scale)
    return shapely.line_merge(shapely.multilinestrings(chains(drawn, with_z=True))) if drawn else None


def _area(record: Record, scale: DrawingScale) -> Any:
    if record.form in ("ring", "rings"):
        return rings_to_polygons([record])[0] if len(record.xyz) >= 4 else None
    drawn = _drawn(record, scale)
    rings = [one for one in drawn if one.form in ("ring", "rings") and len(one.xyz) >= 4]
    open_lines = chains([one for one in drawn if one.form == "line"])
    areas = np.concatenate((shapely.make_valid(rings_to_polygons(rings)), _closed_areas(open_lines)))
    return shapely.union_all(areas) if len(areas) else None


def _closed_areas(lines: Geometries) -> Geometries:
    """Return the areas that lines enclose together, their ends joined to the millimetre."""
    if not len(lines):
        return np.empty(0, dtype=object)
    snapped = shapely.set_precision(lines, 0.001)
    return np.asarray(shapely.get_parts(shapely.polygonize([one for one in snapped if not one.is_empty])), dtype=object)


def _drawn(record: Record, scale: DrawingScale) -> list[Record]:
    """Return the lines and rings a block reference draws."""
    if record.type != "INSERT":
        return []
    parts = block_contents(record, scale.sagitta, scale.encoding)
    return [one for one in parts if one.form in ("line", "ring", "rings")]


def _columns(layer: Layer, records: list[Record], entry: LayerMapping, metres: float) -> dict[str, Any]:
    """Return the columns a mapping fills: fields, constants, translated values, and what a drawing says
    by itself."""
    rows = [_facts(one, metres) for one in records]
    available = list(dict.fromkeys((*_BUILT_IN, *(name for row in rows for name in row))))
    sources = {name: name for name in _FILLED if name in layer.field_names} | entry.source_fields(available)
    columns: dict[str, Any] = {"place": [one.place for one in records]}
    for name, source in sources.items():
        translated = entry.values.get(name, {})
        columns[name] = [_translated(row.get(source), translated) for row in rows]
    columns |= {name: [value] * len(rows) for name, value in entry.constants.items()}
    if entry.valid_from:
        columns["valid_from"] = [row.get(entry.valid_from) for row in rows]
    return columns


def _facts(record: Record, metres: float) -> dict[str, Any]:
    height = float(record.xyz[0, 2]) * metres
    own = {
        "layer": record.layer,
        "block": record.name or None,
        "text": record.text or None,
        "type": record.type,
        "elevation": height or None,
        "rotation": record.rotation,
        "size": record.size * metres or None,
    }
    return (record.attributes or {}) | own


def _translated(value: Any, table: Any) -> Any:
    return table.get(str(value), value) if value is not None else None
