"""A draft of a mapping: for every layer and column of a source, what of ours is nearest, as TOML with comments to edit.

    text = mapping_draft("parcels.shp", outlines, catalogue, lang="zh")

What a source holds is told by its outline (`ingest/outline.py`); the language of mappings stands in `ingest/mapping.py`.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from ingest.mapping import LayerMapping, standard_mapping
from ingest.name_likeness import likeness
from ingest.number_text import NotANumber, is_no_value, read_number
from ingest.outline import ColumnOutline, LayerOutline
from ingest.survey.aliases_draft import aliases_draft, comment
from twin_model.catalogue import Catalogue
from twin_model.geometry_kind import dimension_of
from twin_model.layer import Field, Layer

__all__ = ["FieldProposal", "LayerProposal", "mapping_draft", "proposals"]

_SURE = 0.6
"""From here on a column is proposed; below it is only named in a comment."""

_NAMED = 0.4
_ALIKE = 0.1
"""Below this a layer has nothing to do with the source."""

_FIT = 0.35
"""A layer below this is told, and its entry is left as a comment."""

_ENOUGH = 3.0
"""So many sure fields say as much as any number of them."""

_MOST_VALUES = 30
"""So many distinct values of a column are proposed as codes of a field that has codes."""

_SHOWN = 4


@dataclass(frozen=True)
class FieldProposal:
    """A field of ours for a column, and how sure it is (0 to 1)."""

    field: Field
    column: ColumnOutline
    score: float


@dataclass(frozen=True)
class LayerProposal:
    """A layer of ours for the features of one kind of geometry, with its fields, the surest first."""

    layer: Layer
    score: float
    fields: tuple[FieldProposal, ...] = field(default=())


def proposals(outline: LayerOutline, kind: str, catalogue: Catalogue) -> list[LayerProposal]:
    """Return the layers of ours that hold a kind of geometry, the nearest first; never one of another dimension."""
    dimension = dimension_of(kind)
    fitting = [
        layer
        for layer in catalogue
        if layer.kind == "feature"
        and layer.id != "finding"
        and not layer.dropped
        and (layer.dimension == dimension if kind else not layer.has_geometry)
    ]
    layers = [_layer_proposal(outline, layer) for layer in fitting]
    return sorted(layers, key=lambda proposal: -proposal.score)


def mapping_draft(source: str, outlines: Sequence[LayerOutline], catalogue: Catalogue, lang: str) -> str:
    """Return the text of a mapping (TOML) for a source; it can be read as it is, and is meant to be edited.

    For the tables of a survey it names their columns (`[options.survey_aliases]`)."""
    lines = [comment("mapping_draft.head", lang, source=source, file=f"{source}.toml")]
    if not any(outline.crs for outline in outlines):
        lines += [comment("mapping_draft.no_crs", lang), '# crs = "EPSG:4548"']
    if any(outline.survey_role for outline in outlines):
        return "\n".join([*lines, *aliases_draft(outlines, lang)]) + "\n"
    for outline in outlines:
        for kind in outline.rows:
            lines += ["", *_entry(outline, kind, catalogue, lang)]
    return "\n".join(lines) + "\n"


def _entry(outline: LayerOutline, kind: str, catalogue: Catalogue, lang: str) -> list[str]:
    """Return the lines of the entry for one kind of geometry of a source layer."""
    nearest = proposals(outline, kind, catalogue)[:_SHOWN]
    is_near = bool(nearest) and nearest[0].score >= _FIT
    alike = [proposal for proposal in nearest if proposal.score >= _ALIKE]
    names = [f"{_name_and_id(proposal.layer, lang)} {proposal.score:.2f}" for proposal in alike]
    counts = {"source_layer": outline.name, "rows": outline.rows[kind], "kind": kind or "None"}
    head = [comment("mapping_draft.layer", lang, **counts), comment("mapping_draft.nearest", lang, nearest=names)]
    if not is_near:
        head.append(comment("mapping_draft.no_layer", lang))
    names_in_source = ", ".join(map(_quoted, outline.patterns(kind)))
    target = nearest[0].layer.id if nearest else "building"
    body = ["[[layer]]", f"from = [{names_in_source}]", f"to = {_quoted(target)}"]
    body += _field_lines(outline, nearest[0] if nearest else None, lang)
    return head + (body if is_near else [f"# {line}" for line in body])


def _name_and_id(layer: Layer, lang: str) -> str:
    return " ".join(dict.fromkeys((layer.name_in(lang), layer.id)))


def _field_lines(outline: LayerOutline, layer: LayerProposal | None, lang: str) -> list[str]:
    taken = {proposal.column.name: proposal for proposal in layer.fields} if layer else {}
    lines = ["[layer.fields]"] if any(proposal.score >= _SURE for proposal in taken.values()) else []
    values: list[str] = []
    for column in outline.columns:
        proposal = taken.get(column.name)
        shown = ", ".join(_quoted(value) for value in column.values[:_SHOWN])
        if proposal is None:
            lines.append(comment("mapping_draft.stays", lang, column=column.name, values=shown))
            continue
        line = f"{proposal.field.name} = {_quoted(column.name)}"
        title = proposal.field.title(lang)
        line += f"    # {title}{_unit(proposal.field)}  {proposal.score:.2f}  {shown}".rstrip()
        lines.append(line if proposal.score >= _SURE else f"# ? {line}")
        if proposal.score >= _SURE:
            values += _value_lines(proposal, lang)
    return lines + values


def _value_lines(proposal: FieldProposal, lang: str) -> list[str]:
    """Return the table of values for a field with codes: the code that each value of the source is nearest to."""
    codes = proposal.field.codes
    others = [value for value in proposal.column.values if value not in codes]
    if not codes or not others or len(others) > _MOST_VALUES:
        return []
    lines = [f"[layer.values.{proposal.field.name}]"]
    for value in others:
        scores = {code: likeness(value, (code, words.zh, words.en)) for code, words in codes.items()}
        code = max(scores, key=lambda each: scores[each])
        line = f"{_quoted(value)} = {_quoted(code)}    # {codes[code](lang)}"
        lines.append(line if scores[code] >= _SURE else f"# {line}")
    return lines


def _layer_proposal(outline: LayerOutline, layer: Layer) -> LayerProposal:
    """Return how near a layer of ours is: by its names, and by how many of the source's columns it has a field for."""
    matched = _matched(outline.columns, layer)
    words = [layer.id, layer.title.zh, layer.title.en, *_customary_names(layer.id)]
    named = max(likeness(name, words) for name in (outline.name, *_parts_of_name(outline.name)))
    sure = sum(proposal.score for proposal in matched if proposal.score >= _SURE)
    return LayerProposal(layer, 0.6 * named + 0.4 * min(1.0, sure / _ENOUGH), tuple(matched))


def _parts_of_name(name: str) -> list[str]:
    """Return the words of a name such as FW_M or 2020-房屋面; what has one letter says nothing."""
    return [part for part in re.split(r"[\W_\d]+", name) if len(part) > 1]


def _matched(columns: Iterable[ColumnOutline], layer: Layer) -> list[FieldProposal]:
    """Return one field for one column, the surest pairs first."""
    pairs = [
        FieldProposal(each, column, score)
        for column in columns
        for each in layer.fields
        if (score := _field_score(column, each, layer.id)) >= _NAMED
    ]
    taken: set[str] = set()
    matched = []
    for pair in sorted(pairs, key=lambda pair: -pair.score):
        if taken.isdisjoint({f"field {pair.field.name}", f"column {pair.column.name}"}):
            taken |= {f"field {pair.field.name}", f"column {pair.column.name}"}
            matched.append(pair)
    return matched


def _field_score(column: ColumnOutline, ours: Field, layer_id: str) -> float:
    words = [ours.name, ours.title.zh, ours.title.en, *ours.aliases, *_customary_columns(layer_id).get(ours.name, ())]
    words += [f"{name}{ours.title.zh}" for name in _customary_names(layer_id) if not name.isascii()]
    score = max(likeness(column.name, words), likeness(column.column.title, words))
    if score and ours.type in ("integer", "number") and not _are_numbers(column):
        score *= 0.5
    return score


def _are_numbers(column: ColumnOutline) -> bool:
    if column.column.type in ("integer", "number"):
        return True
    return all(_is_number(value) for value in column.values if not is_no_value(value))


def _is_number(text: str) -> bool:
    try:
        read_number(text)
    except NotANumber:
        return False
    return True


@cache
def _customary_entries() -> dict[str, list[LayerMapping]]:
    entries: dict[str, list[LayerMapping]] = {}
    for entry in standard_mapping("vector").layers:
        entries.setdefault(entry.to, []).append(entry)
    return entries


def _customary_names(layer_id: str) -> list[str]:
    """Return how offices call the source layers of a layer of ours."""
    entries = _customary_entries().get(layer_id, [])
    return [pattern.strip("*") for entry in entries for pattern in entry.patterns]


@cache
def _customary_columns(layer_id: str) -> dict[str, tuple[str, ...]]:
    """Return how offices call the columns of a layer of ours, by field."""
    entries = _customary_entries().get(layer_id, [])
    return {ours: tuple(theirs) for entry in entries for ours, theirs in entry.fields.items()}


def _unit(ours: Field) -> str:
    return f" ({ours.unit})" if ours.unit else ""


def _quoted(text: str) -> str:
    """Return a text as TOML writes it; its basic strings are JSON's."""
    return json.dumps(text, ensure_ascii=False)
