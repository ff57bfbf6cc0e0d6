"""What a mapping makes of a source: each field with its column, values before and after; what is left and what is missing.

report = mapping_report(mapping, outlines, draft)
report[0].fields[0].after                   # ("砖混",)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ingest.draft import Draft
from ingest.mapping import LayerMapping, Mapping
from ingest.outline import LayerOutline
from twin_model.layer import Layer

__all__ = ["FieldReport", "LayerReport", "mapping_report"]

_SHOWN = 3


@dataclass(frozen=True)
class FieldReport:
    """One field: the column that feeds it ("" where none does), some values before and after, and the names it wanted."""

    field: str
    column: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    wanted: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerReport:
    """One source layer by one entry of a mapping: `kept` are columns that stay in `attributes`, with some values."""

    source_layer: str
    target: str
    features: int
    fields: tuple[FieldReport, ...]
    kept: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def missing(self) -> list[FieldReport]:
        """The fields that the mapping names columns for which the source has none of."""
        return [each for each in self.fields if not each.column and each.wanted]


def mapping_report(mapping: Mapping, outlines: Sequence[LayerOutline], draft: Draft) -> list[LayerReport]:
    """Return what became of each source layer that an entry takes; a layer that no entry takes has the target ""."""
    values = _values_of(draft)
    reports = []
    for outline in outlines:
        if outline.survey_role:
            reports.append(_survey_report(outline, draft, values))
            continue
        entries = [entry for entry in mapping.layers if outline.kinds_taken(entry)]
        reports += [_layer_report(outline, entry, draft, values) for entry in entries]
        if not entries:
            unused = tuple((column.name, column.values[:_SHOWN]) for column in outline.columns)
            reports.append(LayerReport(outline.name, "", 0, (), unused))
    return reports


def _layer_report(
    outline: LayerOutline, entry: LayerMapping, draft: Draft, values: dict[str, dict[str, tuple[str, ...]]]
) -> LayerReport:
    layer = draft.catalogue[entry.to]
    columns = {column.name: column for column in outline.columns}
    sources = _own_names(layer, entry).source_fields(list(columns)) | entry.source_fields(list(columns))
    after = values.get(layer.id, {})
    fields = []
    for field in layer.fields:
        column = sources.get(field.name, "")
        wanted = entry.fields.get(field.name, ())
        if column or wanted or field.name in entry.constants or after.get(field.name):
            before = columns[column].values[:_SHOWN] if column else ()
            fields.append(FieldReport(field.name, column, before, after.get(field.name, ()), wanted))
    used = {*sources.values(), entry.dated_by(list(columns))}
    unused = tuple((column.name, column.values[:_SHOWN]) for column in outline.columns if column.name not in used)
    return LayerReport(outline.name, layer.id, draft.counts.features.get(layer.id, 0), tuple(fields), unused)


def _survey_report(outline: LayerOutline, draft: Draft, values: dict[str, dict[str, tuple[str, ...]]]) -> LayerReport:
    """Return what became of a table of points or lines; its columns are known by the names of `survey_aliases`."""
    target = "pipe_point" if outline.survey_role == "point" else "pipe_line"
    columns = {column.name: column.values[:_SHOWN] for column in outline.columns}
    after = values.get(target, {})
    known = {column: name for column, name in outline.understood.items() if column in columns}
    fields = tuple(FieldReport(name, column, columns[column], after.get(name, ())) for column, name in known.items())
    unused = tuple((column, shown) for column, shown in columns.items() if column not in known)
    return LayerReport(outline.name, target, draft.counts.features.get(target, 0), fields, unused)


def _own_names(layer: Layer, entry: LayerMapping) -> LayerMapping:
    """Return the entry by which columns that are called as our fields feed them."""
    return LayerMapping((), layer.id, {name: (name,) for name in layer.field_names if name not in entry.fields})


def _values_of(draft: Draft) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return layer -> field -> the first distinct values that would be stored."""
    values: dict[str, dict[str, tuple[str, ...]]] = {}
    for layer_id, frame in draft.frames():
        shown = values.setdefault(layer_id, {})
        for name in frame.columns:
            if name != frame.geometry.name and len(shown.get(name, ())) < _SHOWN:
                shown[name] = (*shown.get(name, ()), *_texts(frame[name]))[:_SHOWN]
    return values


def _texts(column: "pd.Series[Any]") -> Iterable[str]:
    present = column.dropna()
    return [str(value) for value in dict.fromkeys(present.head(200).tolist())][:_SHOWN]
