"""A CASS drawing: coded entities become features of the layers their codes name, the rest is decoration.

A record is an entity that the modelspace draws; a block reference without a code in whose block coded entities stand (a sheet
inserted or bound whole) is what it draws. Without a code count only: block GC200 (spot height), texts on TK
that give the sheet, its neatline, texts on ZJ (annotation), and texts inside buildings. CASS draws in
metres of the map grid, x east and y north, whatever `$INSUNITS` says.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ingest.dxf.blocks import Blocks, bound_name, is_reference
from ingest.dxf.building import COURTYARD, STOREY_HEIGHT, deliver_buildings, read_label
from ingest.dxf.cass_table import CassCode, CassTable, read_cass_table
from ingest.dxf.contour import deliver_contours, deliver_spot_heights
from ingest.dxf.drawing import Columns, Drawing, chains, rings_to_polygons
from ingest.dxf.record import Record, attributes_of
from ingest.dxf.sheet import FRAME_LAYER, deliver_sheet, read_notes
from twin_model.layer import ATTRIBUTES, Layer

__all__ = ["CassSettings", "deliver_cass", "opened_sheets"]

SPOT_BLOCK = "GC200"
SPOT_CODE = "202101"
NOTE_LAYER = "ZJ"

_GEOMETRY = {"point": "point", "line": "polyline", "ring": "polygon", "rings": "polygon", "text": "text"}
_NO_LABELS = {FRAME_LAYER, "GCD", "DGX", "KZD", "ZDH", "JZD"}


@dataclass(frozen=True)
class CassSettings:
    """What the mapping's `options` set: the office's code table, storey height, contour interval (metres)."""

    table: Path | None = None
    storey_height: float = STOREY_HEIGHT
    interval: float | None = None


@dataclass
class _Sorted:
    """Records by what becomes of them."""

    coded: dict[str, list[tuple[Record, CassCode]]] = field(default_factory=lambda: defaultdict(list))
    texts: list[Record] = field(default_factory=list)
    frame: list[Record] = field(default_factory=list)
    uncertain: dict[str, Record] = field(default_factory=dict)


def deliver_cass(drawing: Drawing, records: Iterable[Record], settings: CassSettings, *, scale: float | None) -> None:
    """Store what a CASS drawing holds; `scale` is the denominator the drawing's header names, if any."""
    sorted_ = _sort(drawing, records, read_cass_table(settings.table))
    notes = read_notes([record for record in sorted_.frame if record.form == "text"], scale)
    if scale and notes.scale and round(scale) != notes.scale:
        drawing.note("dxf.scale_disagrees", "warning", layer="map_sheet", text=notes.scale, header=round(scale))
    content = [record.xyz for rows in sorted_.coded.values() for record, _ in rows]
    texts = _rings_first(drawing, sorted_, settings.storey_height)
    _deliver_annotations(drawing, texts, sorted_.coded.pop("annotation", []))
    contours = _lines(drawing, "contour", sorted_.coded.pop("contour", []))[0]
    deliver_contours(drawing, contours, interval=settings.interval or notes.interval)
    _deliver_spots(drawing, sorted_.coded.pop("spot_height", []))
    for layer, rows in sorted_.coded.items():
        _deliver_plain(drawing, drawing.draft.catalogue[layer], rows)
    used = deliver_sheet(drawing, notes, sorted_.frame, content)
    if used < len(sorted_.frame):
        drawing.pass_over("dxf.decoration", FRAME_LAYER, len(sorted_.frame) - used)
    if sorted_.uncertain:
        first = next(iter(sorted_.uncertain.values()))
        codes = sorted(sorted_.uncertain)
        drawing.note("dxf.code_uncertain", "info", record=first, codes=codes, count=len(codes))


def opened_sheets(blocks: Blocks, records: Iterable[Record]) -> list[Record]:
    """Return the records with each reference opened whose block holds coded entities, or spot heights, of its own.

    A reference with a code is a feature itself and stays one, besides what its block holds under other codes.
    """
    opened: list[Record] = []
    known: dict[tuple[str, str | None], bool] = {}
    waiting = list(records)[::-1]
    while waiting:
        record = waiting.pop()
        holds = is_reference(record) and bound_name(record.name).upper() != SPOT_BLOCK
        if holds:
            key = record.name, record.code
            if key not in known:
                known[key] = blocks.any_part(record, partial(_is_feature, code_of_reference=record.code))
            holds = known[key]
        if holds:
            waiting.extend(blocks.contents(record)[::-1])
        if not holds or record.code is not None:
            record.layer, record.name = bound_name(record.layer), bound_name(record.name)
            opened.append(record)
    return opened


def _is_feature(part: Record, code_of_reference: str | None) -> bool:
    is_spot = is_reference(part) and bound_name(part.name).upper() == SPOT_BLOCK
    return (part.code is not None and part.code != code_of_reference) or (is_spot and code_of_reference is None)


def _sort(drawing: Drawing, records: Iterable[Record], table: CassTable) -> _Sorted:
    """Put each record where it belongs; decoration and what cannot be used is dealt with here."""
    sorted_records = _Sorted()
    for record in records:
        code = record.code
        if code is None and record.form == "point" and record.name.upper() == SPOT_BLOCK:
            code = SPOT_CODE
        if code is None:
            _sort_uncoded(drawing, sorted_records, record)
        else:
            _sort_coded(drawing, sorted_records, record, code, table)
    return sorted_records


def _sort_uncoded(drawing: Drawing, sorted_records: _Sorted, record: Record) -> None:
    layer = record.layer.upper()
    if layer == FRAME_LAYER and record.form in ("ring", "line", "text"):
        sorted_records.frame.append(record)
    elif record.form == "text" and record.text and (layer == NOTE_LAYER or layer not in _NO_LABELS):
        sorted_records.texts.append(record)
    else:
        drawing.pass_over("dxf.decoration", record.layer)


def _sort_coded(drawing: Drawing, sorted_records: _Sorted, record: Record, code: str, table: CassTable) -> None:
    if record.form in ("none", "broken"):
        rule = "dxf.broken_entity" if record.form == "broken" else "dxf.unsupported_entity"
        drawing.set_aside(rule, record, type=record.type, cause=record.text, code=code)
        return
    if record.form == "text":
        _sort_text(drawing, sorted_records, record, code, table)
        return
    row = table.lookup(code, _GEOMETRY[record.form])
    if row is None:
        drawing.set_aside("dxf.unknown_code", record, code=code, type=record.type, source_layer=record.layer)
    elif record.layer.upper() == FRAME_LAYER and not row.layer:
        sorted_records.frame.append(record)
    elif not row.layer:
        drawing.pass_over("dxf.decoration", f"{record.layer} {code}")
    else:
        shown = "code" in drawing.draft.catalogue[row.layer].field_names
        if row.is_family or (row.uncertain and shown):
            sorted_records.uncertain.setdefault(code, record)
        sorted_records.coded[row.layer].append((record, row))


def _sort_text(drawing: Drawing, sorted_records: _Sorted, record: Record, code: str, table: CassTable) -> None:
    """A coded text belongs to its building, to the sheet's margin, or is an annotation of its own."""
    base, _, part = code.partition("-")
    row = table.lookup(code, "text") or table.lookup(base, "polygon")
    if not record.text:
        drawing.pass_over("dxf.decoration", f"{record.layer} {code}")
    elif record.layer.upper() == FRAME_LAYER:
        sorted_records.frame.append(record)
    elif row is not None and row.layer == "building" and (part or read_label(record.text)):
        sorted_records.texts.append(record)
    elif row is not None and not row.layer:
        drawing.pass_over("dxf.decoration", f"{record.layer} {code}")
    else:
        sorted_records.coded["annotation"].append((record, row or CassCode(code, "annotation", "注记")))


def _rings_first(drawing: Drawing, sorted_records: _Sorted, storey_height: float) -> list[Record]:
    """Store the buildings, return the texts that were not theirs."""
    rings = _closed_rings(drawing, "building", sorted_records.coded.pop("building", []))
    return deliver_buildings(drawing, rings, sorted_records.texts, storey_height=storey_height)


def _closed_rings(drawing: Drawing, layer: str, rows: list[tuple[Record, CassCode]]) -> list[tuple[Record, CassCode]]:
    """Return the rows whose outline closes; symbols inside areas are decoration, open outlines are set
    aside."""
    closed = []
    for record, row in rows:
        if record.form == "point":
            drawing.pass_over("dxf.symbol_in_area", f"{record.layer} {record.code}")
        elif _ensure_closed(drawing, layer, record):
            closed.append((record, row))
    return closed


def _ensure_closed(drawing: Drawing, layer: str, record: Record) -> bool:
    xyz = record.xyz
    if record.form == "line":
        gap = float(np.hypot(*(xyz[0, :2] - xyz[-1, :2])))
        if len(xyz) < 4 or gap > drawing.closing_gap:
            drawing.set_aside("dxf.not_closed", record, layer=layer, gap=round(gap, 3), most=drawing.closing_gap)
            return False
        record.xyz = np.concatenate((xyz[:-1], xyz[:1]))
        drawing.note("dxf.closed", "info", layer=layer, record=record, gap=round(gap, 3))
    if len(record.xyz) < 4:
        drawing.set_aside("dxf.not_closed", record, layer=layer, gap=0.0, most=drawing.closing_gap)
        return False
    return True


def _deliver_annotations(drawing: Drawing, texts: list[Record], coded: list[tuple[Record, CassCode]]) -> None:
    """Store coded texts and those on ZJ; other texts are decoration."""
    shown = [(record, row.kind) for record, row in coded if record.form == "text"]
    for record, _ in coded:
        if record.form != "text":
            drawing.pass_over("dxf.decoration", f"{record.layer} {record.code}")
    for record in texts:
        if record.layer.upper() == NOTE_LAYER and COURTYARD not in record.text:
            shown.append((record, "注记"))
        else:
            _pass_over_text(drawing, record)
    if not shown:
        return
    places = np.concatenate([record.xyz for record, _ in shown])[:, :2]
    columns: Columns = {
        "text": [record.text for record, _ in shown],
        "kind": [kind for _, kind in shown],
        "size": [record.size or None for record, _ in shown],
        "rotation": [record.rotation for record, _ in shown],
        "place": [record.place for record, _ in shown],
        ATTRIBUTES: attributes_of(record for record, _ in shown),
    }
    drawing.add("annotation", np.asarray(shapely.points(places), dtype=object), columns)


def _pass_over_text(drawing: Drawing, record: Record) -> None:
    if record.code is not None:
        drawing.note("dxf.building_text_outside", "warning", record=record, text=record.text, code=record.code)
    drawing.pass_over("dxf.decoration", record.layer)


def _deliver_spots(drawing: Drawing, rows: list[tuple[Record, CassCode]]) -> None:
    for record, _ in rows:
        if record.form != "point":
            drawing.pass_over("dxf.decoration", f"{record.layer} {record.code}")
    deliver_spot_heights(drawing, [row for row in rows if row[0].form == "point"])


def _deliver_plain(drawing: Drawing, layer: Layer, rows: list[tuple[Record, CassCode]]) -> None:
    """Store the features of a layer without rules of its own."""
    shapes = {0: _points, 1: _lines, 2: _areas}
    kept, geometry = shapes[layer.dimension](drawing, layer.id, rows)
    records = [record for record, _ in kept]
    columns: dict[str, Any] = {
        "kind": [row.kind for _, row in kept],
        "code": [row.gb_code for _, row in kept],
        "place": [record.place for record in records],
        ATTRIBUTES: attributes_of(records),
    }
    if layer.has_z and layer.dimension == 0:
        columns["elevation"] = [float(record.xyz[0, 2]) or None for record in records]
    drawing.add(layer.id, geometry, columns)


Kept = tuple[list[tuple[Record, CassCode]], NDArray[Any]]


def _points(drawing: Drawing, layer: str, rows: list[tuple[Record, CassCode]]) -> Kept:
    """A symbol drawn as ring or circle stands at its middle; a tree row stands at each vertex; strokes
    are decoration."""
    kept = []
    for record, row in rows:
        stroke = record.form == "line" and row.geometry != "polyline"
        if stroke:
            drawing.pass_over("dxf.stroke_of_symbol", f"{record.layer} {record.code}")
        else:
            kept.append((record, row))
    shapes = np.full(len(kept), None, dtype=object)
    plain = [i for i, (record, _) in enumerate(kept) if record.form == "point"]
    if plain:
        shapes[plain] = shapely.points(np.concatenate([kept[i][0].xyz for i in plain]))
    for i, (record, row) in enumerate(kept):
        if record.centre is not None:
            shapes[i] = shapely.points(record.centre[0])
        elif record.form != "point":
            if row.geometry == "polyline":
                shapes[i] = shapely.multipoints(np.unique(record.xyz[:, :2], axis=0))
            else:
                shapes[i] = shapely.centroid(shapely.envelope(shapely.multipoints(record.xyz[:, :2])))
    return kept, shapes


def _lines(drawing: Drawing, layer: str, rows: list[tuple[Record, CassCode]]) -> Kept:
    kept = []
    for record, row in rows:
        if record.form == "point":
            drawing.pass_over("dxf.symbol_on_line", f"{record.layer} {record.code}")
        else:
            kept.append((record, row))
    return kept, chains([record for record, _ in kept])


def _areas(drawing: Drawing, layer: str, rows: list[tuple[Record, CassCode]]) -> Kept:
    closed = _closed_rings(drawing, layer, rows)
    return closed, rings_to_polygons([record for record, _ in closed])
