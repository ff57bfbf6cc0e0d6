"""What a mapping makes of a source: each field with its column, values before and after; what is left and what is missing.

report = mapping_report(mapping, outlines, draft)
report[0].fields[0].after                   # ("砖混",)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ingest.draft import Draft
from ingest.mapping import LayerMapping, Mapping
from ingest.outline import LayerOutline
from ingest.vector.table_join import columns_of_table, joined_name

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
    """One source layer by one entry of a mapping: `kept` are columns that stay in `attributes`, with some values.

    A layer that `is_empty` needs no entry; a table that is `joined_to` a layer has its columns there.
    """

    source_layer: str
    target: str
    features: int
    fields: tuple[FieldReport, ...]
    kept: tuple[tuple[str, tuple[str, ...]], ...]
    is_empty: bool = False
    joined_to: str = ""

    @property
    def is_left_out(self) -> bool:
        """Whether rows of the layer would be left out, because no entry takes them."""
        return not (self.target or self.is_empty or self.joined_to)

    @property
    def missing(self) -> list[FieldReport]:
        """The fields that the mapping names columns for which the source has none of."""
        return [each for each in self.fields if not each.column and each.wanted]


def mapping_report(mapping: Mapping, outlines: Sequence[LayerOutline], draft: Draft) -> list[LayerReport]:
    """Return what became of each source layer that an entry takes; a layer that no entry takes has the target ""."""
    values = _values_of(draft)
    joined = _joined_tables(mapping, outlines)
    reports = []
    for outline in outlines:
        if not outline.rows and not outline.survey_role:
            reports.append(LayerReport(outline.name, "", 0, (), (), is_empty=True))
            continue
        if outline.name in joined:
            reports.append(LayerReport(outline.name, "", 0, (), (), joined_to=joined[outline.name]))
            continue
        if outline.survey_role:
            reports.append(_survey_report(outline, draft, values))
            continue
        entries = [entry for entry in mapping.layers if outline.kinds_taken(entry)]
        reports += [_layer_report(_with_joined(outline, entry, outlines), entry, draft, values) for entry in entries]
        if not entries:
            unused = tuple((column.name, column.values[:_SHOWN]) for column in outline.columns)
            reports.append(LayerReport(outline.name, "", 0, (), unused))
    return reports


def _joined_tables(mapping: Mapping, outlines: Sequence[LayerOutline]) -> dict[str, str]:
    """Return the tables of the source that entries join to a layer, with the name of the layer."""
    return {
        entry.join.table: outline.name
        for outline in outlines
        for entry in mapping.layers
        if entry.join is not None and entry.join.file is None and outline.kinds_taken(entry)
    }


def _with_joined(outline: LayerOutline, entry: LayerMapping, outlines: Sequence[LayerOutline]) -> LayerOutline:
    """Return a layer with the columns of the table that an entry joins to it, as its rows have them when they are read."""
    join = entry.join
    if join is None:
        return outline
    if join.file is not None:
        table = columns_of_table(Path(join.file))
    else:
        table = next((each.columns for each in outlines if each.name == join.table), ())
    own = {column.name for column in outline.columns}
    joined = (
        replace(column, column=replace(column.column, name=joined_name(join, column.name, own)))
        for column in table
        if column.name != join.key
    )
    return replace(outline, columns=(*outline.columns, *joined))


def _layer_report(
    outline: LayerOutline, entry: LayerMapping, draft: Draft, values: dict[str, dict[str, tuple[str, ...]]]
) -> LayerReport:
    layer = draft.catalogue[entry.to]
    columns = {column.name: column for column in outline.columns}
    sources = entry.columns_of_fields(layer.field_names, list(columns))
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
