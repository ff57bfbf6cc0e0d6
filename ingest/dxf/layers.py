"""A drawing without CASS codes: its layers become ours by a mapping.

A pattern of the mapping names a DXF layer, or more narrowly `layer|TYPE` or `layer|INSERT|block`:

    [[layer]]
    from = "AV_Gebaeude|LWPOLYLINE"
    to = "building"
    fields = { name = "NR" }            # a block attribute, or: layer block text type color elevation rotation size

`where` narrows an entry by what an entity says of itself (`color`, a block attribute, ...), `texts` names layers whose texts
are joined to the area they lie in. The layer of a bound drawing (`plan$0$ROADS`) goes by its own name too.

A record is an entity that the modelspace draws. A block reference is a point; on a layer of lines or areas it is what its block
draws there. A block that holds entities of other layers (a drawing inserted or bound whole), or several areas, is opened: each
of its entities is a record of its own. An entry that names the block (`layer|INSERT`) takes it as one.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np
import shapely

from ingest.dxf.blocks import Blocks, bound_name, is_reference
from ingest.dxf.drawing import Drawing, Geometries, chains, rings_to_polygons
from ingest.dxf.record import Record
from ingest.dxf.text_join import LABEL_FACTS, JoinedTexts, joined_texts
from ingest.mapping import LayerMapping, Mapping, value_text
from ingest.suggestion import fitting_layers
from twin_model.errors import SourceRefused
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.rows.attributes import attributes_text

__all__ = ["deliver_layers", "deliver_records"]

_BUILT_IN = ("layer", "block", "text", "type", "color", "elevation", "rotation", "size")
_FILLED = ("text", "size", "rotation", "elevation")
_SHOWN_LAYERS = 40
_NOT_KEPT = ("type", *LABEL_FACTS)
"""Facts that stay nowhere: programs change the type of an entity as they please, a label is read from texts that are kept."""
_FORMS = {0: ("point", "text"), 1: ("line", "ring"), 2: ("ring", "rings")}
_DIMENSIONS = {"point": 0, "text": 0, "line": 1, "ring": 2, "rings": 2}


def deliver_layers(drawing: Drawing, records: Iterable[Record], mapping: Mapping | None, blocks: Blocks) -> None:
    """Store what the mapping names; entities of other layers are counted and listed.

    Raises SourceRefused `dxf.nothing_mapped`, with the layers there are, when the mapping names none of them.
    """
    groups: dict[int, list[Record]] = defaultdict(list)
    entries = _Entries(drawing, mapping, blocks)
    for record in entries.opened(records):
        groups[entries.number(record)].append(record)
    unmapped = groups.pop(_NO_ENTRY, [])
    if not groups:
        raise _nothing_mapped(drawing, unmapped)
    for number, rows in groups.items():
        entry = entries.mapping.layers[number]
        texts = [record for record in unmapped if entry.joins_text(record.layer)] if entry.texts else []
        left = deliver_records(drawing, rows, texts, entry, blocks)
        taken = {id(record) for record in texts} - {id(record) for record in left}
        unmapped = [record for record in unmapped if id(record) not in taken]
    for record in unmapped:
        drawing.pass_over("dxf.unmapped_layer", record.layer)


_NO_ENTRY = -1


class _Entries:
    """Which entry of the mapping an entity goes by, and which block references are opened for it."""

    def __init__(self, drawing: Drawing, mapping: Mapping | None, blocks: Blocks) -> None:
        self.mapping = mapping or Mapping("none", ())
        self._drawing, self._blocks = drawing, blocks
        self._numbers: dict[tuple[str, str, str], list[int]] = {}
        self._opened: dict[tuple[str, str, int], bool] = {}

    def number(self, record: Record) -> int:
        """Return the number of the first entry that fits, -1 where none does."""
        for number in self._by_name(record.layer, record.type, record.name):
            where = self.mapping.layers[number].where
            if not where or self.mapping.layers[number].takes(facts_of(record, 1.0, self._blocks)):
                return number
        return _NO_ENTRY

    def _by_name(self, layer: str, kind: str, block: str) -> list[int]:
        key = layer, kind, block
        if key not in self._numbers:
            fitting = enumerate(self.mapping.layers)
            own = {layer, bound_name(layer)}
            self._numbers[key] = [
                number
                for number, entry in fitting
                if any(
                    entry.fits(name) or entry.fits_part(name, kind) or entry.fits_part(name, kind, bound_name(block))
                    for name in own
                )
            ]
        return self._numbers[key]

    def opened(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records, with each reference opened that stands for more than itself."""
        waiting = list(records)[::-1]
        while waiting:
            record = waiting.pop()
            if is_reference(record) and self._is_opened(record):
                waiting.extend(self._blocks.contents(record)[::-1])
            else:
                yield record

    def _is_opened(self, record: Record) -> bool:
        number = self.number(record)
        key = record.name, record.layer, number
        if key not in self._opened:
            self._opened[key] = self._stands_for_many(record, number)
        return self._opened[key]

    def _stands_for_many(self, record: Record, number: int) -> bool:
        """Say whether a block holds features of other layers, or of its own where the reference itself is none."""
        if number == _NO_ENTRY:
            return self._blocks.any_part(record, lambda part: self._suits(part))
        entry = self.mapping.layers[number]
        names_block = not (entry.fits(record.layer) or entry.fits(bound_name(record.layer)))
        if names_block:
            return False
        is_symbol = self._dimension(number) == 0
        elsewhere = self._blocks.any_part(
            record,
            lambda part: part.layer != record.layer and (is_reference(part) or not is_symbol) and self._suits(part),
        )
        return elsewhere or (self._dimension(number) == 2 and _draws_several(record, self._blocks))

    def _suits(self, part: Record) -> bool:
        """Say whether an entity goes by an entry, and has the shape its layer holds."""
        number = self.number(part)
        return number != _NO_ENTRY and (is_reference(part) or part.form in _FORMS[self._dimension(number)])

    def _dimension(self, number: int) -> int:
        return self._drawing.draft.catalogue[self.mapping.layers[number].to].dimension


def _draws_several(record: Record, blocks: Blocks) -> bool:
    """Say whether a block draws areas that lie apart."""
    area = _area(record, blocks)
    return area is not None and len(shapely.get_parts(area)) > 1


def _nothing_mapped(drawing: Drawing, records: list[Record]) -> SourceRefused:
    layers = Counter(record.layer for record in records)
    listed = [f"{name} ({count})" for name, count in sorted(layers.items(), key=lambda item: (-item[1], item[0]))]
    more = len(listed) - _SHOWN_LAYERS
    shown = listed[:_SHOWN_LAYERS] + ([f"+{more}"] if more > 0 else [])
    example = max(layers, key=lambda name: layers[name])
    catalogue = drawing.draft.catalogue
    ours = fitting_layers(catalogue, _dimensions_of(records), layers)
    to = fitting_layers(catalogue, _dimensions_of(record for record in records if record.layer == example), [example])[
        0
    ]
    values = {"source": drawing.draft.source.name, "found": shown, "nearest": ours, "example": example, "to": to}
    return SourceRefused("dxf.nothing_mapped", **values)


def _dimensions_of(records: Iterable[Record]) -> set[int]:
    return {_DIMENSIONS[record.form] for record in records if record.form in _DIMENSIONS}


def deliver_records(
    drawing: Drawing, rows: list[Record], texts: list[Record], entry: LayerMapping, blocks: Blocks
) -> list[Record]:
    """Store the records of one entry; return those of `texts` that lie in none of its areas."""
    layer = drawing.draft.catalogue[entry.to]
    shape = {0: _point, 1: _line, 2: _area}[layer.dimension]
    drawn: list[Record] = []
    shapes: list[Any] = []
    inside = [record for record in rows if record.form == "text"] if layer.dimension == 2 else []
    for record in rows:
        geometry = None if inside and record.form == "text" else _shape(drawing, layer, record, blocks, shape)
        if geometry is not None:
            drawn.append(record)
            shapes.append(geometry)
    joined = joined_texts(shapes, inside + texts)
    for record in inside:
        if id(record) not in joined.taken:
            drawing.pass_over("dxf.no_shape_for_layer", f"{record.layer} {record.type}")
    left = [record for record in texts if id(record) not in joined.taken]
    if not drawn:
        return left
    geometry = np.array(shapes, dtype=object)
    if drawing.metres != 1.0:
        geometry = shapely.transform(geometry, lambda xyz: xyz * drawing.metres, include_z=layer.has_z)
    columns = _columns(drawing, layer, drawn, joined, entry, drawing.metres, blocks)
    drawing.add(layer.id, geometry, columns, records=len(drawn) + len(joined.taken))
    return left


def _shape(drawing: Drawing, layer: Layer, record: Record, blocks: Blocks, shape: Callable[..., Any]) -> Any:
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
    geometry = None if record.form == "none" else shape(record, blocks)
    if geometry is None and layer.dimension == 2 and record.form == "line":
        gap = round(float(np.hypot(*(record.xyz[0, :2] - record.xyz[-1, :2]))) * drawing.metres, 3)
        if gap > drawing.closing_gap or len(record.xyz) < 4:
            drawing.set_aside("dxf.not_closed", record, layer=layer.id, gap=gap, most=drawing.closing_gap)
            return None
        record.xyz = np.concatenate((record.xyz[:-1], record.xyz[:1]))
        drawing.note("dxf.closed", "info", layer=layer.id, record=record, gap=gap)
        geometry = rings_to_polygons([record])[0]
    elif geometry is None:
        drawing.pass_over("dxf.no_shape_for_layer", f"{record.layer} {record.type}")
    return geometry


def _point(record: Record, blocks: Blocks) -> Any:
    if record.centre is not None:
        return shapely.points(record.centre[0])
    if record.form in ("point", "text"):
        return shapely.points(record.xyz[0])
    if record.form in ("ring", "rings"):
        return shapely.centroid(rings_to_polygons([record])[0])
    return None


def _line(record: Record, blocks: Blocks) -> Any:
    if record.form in ("line", "ring"):
        return chains([record], with_z=True)[0]
    if record.form == "rings":
        return shapely.boundary(rings_to_polygons([record])[0])
    drawn = _drawn(record, blocks)
    return shapely.line_merge(shapely.multilinestrings(chains(drawn, with_z=True))) if drawn else None


def _area(record: Record, blocks: Blocks) -> Any:
    if record.form in ("ring", "rings"):
        return rings_to_polygons([record])[0] if len(record.xyz) >= 4 else None
    drawn = _drawn(record, blocks)
    rings = [entity for entity in drawn if entity.form in ("ring", "rings") and len(entity.xyz) >= 4]
    open_lines = chains([entity for entity in drawn if entity.form == "line"])
    areas = np.concatenate((shapely.make_valid(rings_to_polygons(rings)), _closed_areas(open_lines)))
    return shapely.union_all(areas) if len(areas) else None


def _closed_areas(lines: Geometries) -> Geometries:
    """Return the areas that lines enclose together, their ends joined to the millimetre."""
    if not len(lines):
        return np.empty(0, dtype=object)
    snapped = shapely.set_precision(lines, 0.001)
    areas = shapely.polygonize([line for line in snapped if not line.is_empty])
    return np.asarray(shapely.get_parts(areas), dtype=object)


def _drawn(record: Record, blocks: Blocks) -> list[Record]:
    """Return the lines and rings a block reference draws, nested blocks included."""
    drawn: list[Record] = []
    waiting = [record] if is_reference(record) else []
    while waiting:
        parts = blocks.contents(waiting.pop())
        waiting.extend(part for part in parts if is_reference(part))
        drawn.extend(part for part in parts if part.form in ("line", "ring", "rings"))
    return drawn


def _columns(
    drawing: Drawing,
    layer: Layer,
    records: list[Record],
    joined: JoinedTexts,
    entry: LayerMapping,
    metres: float,
    blocks: Blocks,
) -> dict[str, Any]:
    """Return the columns a mapping fills: fields, constants, translated values, and what a drawing says
    by itself."""
    rows = [facts_of(record, metres, blocks) | joined.facts(row) for row, record in enumerate(records)]
    available = list(dict.fromkeys((*_BUILT_IN, *(name for row in rows for name in row))))
    filled = _FILLED + LABEL_FACTS if layer.id == "building" else _FILLED
    sources = {name: name for name in filled if name in layer.field_names and name in available}
    sources |= entry.source_fields(available)
    columns: dict[str, Any] = {"place": [record.place for record in records]}
    for name, source in sources.items():
        translated = entry.values.get(name, {})
        columns[name] = [_translated(row.get(source), translated) for row in rows]
    columns |= {name: [value] * len(rows) for name, value in entry.constants.items()}
    dated = entry.dated_by(available)
    used = {*sources.values(), dated, *(() if not layer.has_z else ("elevation",))}
    attributes = [_leftover(record, row, used) for record, row in zip(records, rows, strict=True)]
    columns[ATTRIBUTES] = [attributes_text(each) for each in attributes]
    for source_layer, names in _names_by_layer(records, attributes).items():
        drawing.draft.report_attributes(layer.id, sorted(names), source_layer)
    if dated is not None:
        columns["valid_from"] = [row.get(dated) for row in rows]
    return columns


def _names_by_layer(records: list[Record], attributes: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Return the names, beside what every entity says, that the entities of each of the drawing's layers have."""
    names: dict[str, set[str]] = {}
    for record, row in zip(records, attributes, strict=True):
        if own := row.keys() - set(_BUILT_IN):
            names.setdefault(record.layer, set()).update(own)
    return names


def _leftover(record: Record, facts: dict[str, Any], used: Collection[str | None]) -> dict[str, Any]:
    """Return what an entity says and no field takes: all of its facts but its type, and a rotation or size only where it has one."""
    attributes = {name: value for name, value in facts.items() if name not in used and name not in _NOT_KEPT and value}
    return attributes | (record.extra or {})


def facts_of(record: Record, metres: float, blocks: Blocks) -> dict[str, Any]:
    """Return what an entity says beside its shape, by the names that a mapping uses; lengths in metres."""
    height = float(record.xyz[0, 2]) * metres if len(record.xyz) else 0.0
    own = {
        "layer": record.layer,
        "block": record.name or None,
        "text": record.text or None,
        "type": record.type,
        "color": blocks.color_of(record),
        "elevation": height or None,
        "rotation": record.rotation,
        "size": record.size * metres or None,
    }
    return (record.attributes or {}) | own


def _translated(value: Any, table: Any) -> Any:
    """Return a value as a table of the mapping renames it; "3" is found for 3.0 too."""
    return table.get(value_text(value), value) if value is not None else None
