"""The outline of a drawing that a mapping can name: its layers by what is drawn on them, and what their entities say."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.draft import ReadOptions
from ingest.dxf.blocks import Blocks
from ingest.dxf.document import garbage_later, open_drawing
from ingest.dxf.layers import facts_of
from ingest.dxf.own_layers import FORMS
from ingest.dxf.reader import SAGITTA
from ingest.dxf.record import Record
from ingest.outline import SAMPLED_ROWS, ColumnOutline, LayerOutline, shown_values
from twin_model.catalogue.layer_from_source import SourceColumn
from twin_model.errors import SourceRefused
from twin_model.geometry_kind import GEOMETRY_KINDS

__all__ = ["dxf_outline"]

_KINDS = {form: kind for kind, forms in zip(GEOMETRY_KINDS, FORMS.values(), strict=True) for form in forms}
"""Form of an entity -> kind of geometry."""
_SAID_BY_NAME = ("layer", "type")
_NUMBERS = ("rotation", "size", "elevation")


def dxf_outline(path: Path, options: ReadOptions) -> list[LayerOutline]:
    """Return the layers of a drawing, the fullest first; `SourceRefused` for one that is read by its codes."""
    with garbage_later():
        document = open_drawing(path, path.name, options.text_encoding).document
        blocks = Blocks(document, SAGITTA, path.name)
        records = [record for record in blocks.records() if blocks.xref_of(record) is None]
        coded = sum(record.code is not None for record in records)
        if coded:
            raise SourceRefused("mapping.coded_drawing", source=path.name, count=coded)
        layers: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            if record.form in _KINDS:
                layers[record.layer].append(record)
        outlines = [_outline(name, layer, blocks) for name, layer in layers.items()]
    return sorted(outlines, key=lambda outline: -sum(outline.rows.values()))


def _outline(name: str, records: Sequence[Record], blocks: Blocks) -> LayerOutline:
    rows = Counter(_KINDS[record.form] for record in records)
    types: dict[str, dict[str, None]] = defaultdict(dict)
    for record in records:
        types[_KINDS[record.form]][f"{name}|{record.type}"] = None
    parts = {kind: tuple(patterns) for kind, patterns in types.items()}
    return LayerOutline(name, dict(rows), "", _columns(records[:SAMPLED_ROWS], blocks), parts, known_by_name=True)


def _columns(records: Sequence[Record], blocks: Blocks) -> tuple[ColumnOutline, ...]:
    """Return what entities say, but for their layer and type; what none of them says is no column."""
    values: dict[str, list[Any]] = defaultdict(list)
    for record in records:
        for name, value in facts_of(record, 1.0, blocks).items():
            values[name].append(value)
    shown = {name: shown_values(column) for name, column in values.items() if name not in _SAID_BY_NAME}
    return tuple(
        ColumnOutline(SourceColumn(name, "number" if name in _NUMBERS else "string"), texts)
        for name, texts in shown.items()
        if texts
    )
