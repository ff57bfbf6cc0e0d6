"""A drawing without codes of which nobody says what it shows: its points, lines and areas become a layer of the town's own each.

The drawing's own layers are a field of them, as are block, text, colour, rotation and size; what else an entity says stays in
`attributes`. With a mapping a drawing is read by `ingest/dxf/layers.py`.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ingest.dxf.blocks import Blocks, is_reference
from ingest.dxf.drawing import MOST_KINDS, Drawing
from ingest.dxf.layers import deliver_records
from ingest.dxf.record import Record
from ingest.own_layer import own_target
from twin_model.catalogue.layer_from_source import SourceColumn, SourceDescription
from twin_model.errors import SourceRefused
from twin_model.geometry_kind import LAYER_GEOMETRIES

__all__ = ["FORMS", "deliver_own_layers"]

FORMS = {"points": ("point", "text"), "lines": ("line",), "areas": ("ring", "rings")}
_GEOMETRIES = dict(zip(FORMS, LAYER_GEOMETRIES, strict=True))
_DRAWN = ("line", "ring", "rings")
_TITLES = {
    "text": "文字",
    "layer": "图层",
    "block": "图块",
    "color": "颜色",
    "rotation": "旋转角",
    "size": "字高",
    "elevation": "高程",
}
_COLUMNS = {
    "points": ("text", "layer", "block", "color", "rotation", "size"),
    "lines": ("layer", "color"),
    "areas": ("layer", "color", "elevation"),
}
_ROUND = ("CIRCLE", "ELLIPSE")
_LARGEST_SYMBOL = 3.0
"""Metres that a symbol may measure on the ground at 1:500 and larger scales."""
_NUMBERS = ("rotation", "size", "elevation")


def deliver_own_layers(drawing: Drawing, records: Sequence[Record], blocks: Blocks) -> None:
    """Store all that is drawn; a block that holds entities of other layers (a drawing inserted whole) is opened.

    Raises SourceRefused `source.empty` where nothing has a shape.
    """
    opened = _opened(records, blocks)
    groups = {part: [record for record in opened if record.form in forms] for part, forms in FORMS.items()}
    if not any(groups.values()):
        raise SourceRefused("source.empty", source=drawing.draft.source.name)
    targets = {
        part: own_target(_described(part, rows, drawing), drawing.draft) for part, rows in groups.items() if rows
    }
    for record in opened:
        if record.form == "broken":
            drawing.set_aside("dxf.broken_entity", record, type=record.type, cause=record.text, code=record.layer)
        elif record.form == "none":
            drawing.pass_over("dxf.no_shape_for_layer", f"{record.layer} {record.type}")
    for part, target in targets.items():
        deliver_records(drawing, groups[part], [], target, blocks)
    _report_areas_as_points(groups["points"], blocks, drawing)


def _report_areas_as_points(points: Sequence[Record], blocks: Blocks, drawing: Drawing) -> None:
    """Say once which blocks draw an area larger than a symbol of a map, and are points here."""
    counts: Counter[tuple[str, str]] = Counter()
    draws: dict[tuple[str, float], bool] = {}
    for record in points:
        if not is_reference(record):
            continue
        scale = drawing.metres * float(np.linalg.norm(record.entity.matrix44().ux))
        key = record.name, round(scale, 3)
        if key not in draws:
            draws[key] = blocks.any_part(record, partial(_is_area, scale))
        counts[record.name, record.layer] += draws[key]
    kinds = [f"{name} ({count})" for (name, _), count in counts.items() if count]
    if kinds:
        layer = next(layer for (_, layer), count in counts.items() if count)
        kinds = [*kinds[:MOST_KINDS], *(["…"] if len(kinds) > MOST_KINDS else [])]
        drawing.note("dxf.block_as_point", "info", count=counts.total(), kinds=kinds, source_layer=layer)


def _is_area(scale: float, part: Record) -> bool:
    """Tell whether a part of a block is an outline too large for a symbol; circles are symbols."""
    if part.form not in ("ring", "rings") or part.type in _ROUND or not len(part.xyz):
        return False
    return bool((np.ptp(part.xyz[:, :2], axis=0) * scale > _LARGEST_SYMBOL).all())


def _opened(records: Sequence[Record], blocks: Blocks) -> list[Record]:
    waiting, opened = list(records)[::-1], []
    holds: dict[tuple[str, str], bool] = {}
    while waiting:
        record = waiting.pop()
        key = record.name, record.layer
        if is_reference(record) and key not in holds:
            holds[key] = _holds_other_layers(record, blocks)
        if is_reference(record) and holds[key]:
            waiting.extend(blocks.contents(record)[::-1])
        else:
            opened.append(record)
    return opened


def _holds_other_layers(record: Record, blocks: Blocks) -> bool:
    return blocks.any_part(record, lambda part: part.layer != record.layer and part.form in _DRAWN)


def _described(part: str, rows: Sequence[Record], drawing: Drawing) -> SourceDescription:
    """Return the description of one layer; it has heights where most of its entities lie above or below 0."""
    name = Path(drawing.draft.source.name)
    high = sum(bool(len(record.xyz)) and bool(np.any(record.xyz[:, 2])) for record in rows)
    heights = "Z" if part != "areas" and 2 * high > len(rows) else ""
    columns = [
        SourceColumn(each, "number" if each in _NUMBERS else "string", _TITLES[each], title_en=each)
        for each in _COLUMNS[part]
    ]
    return SourceDescription(name.stem, name.name, _GEOMETRIES[part] + heights, columns, part=part)
