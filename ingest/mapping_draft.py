"""A draft of a mapping: for every layer and column of a source, what of ours is nearest, as TOML with comments to edit.

    text = mapping_draft("parcels.shp", outlines, catalogue, lang="zh")

What a source holds is told by its outline (`ingest/outline.py`); the language of mappings stands in `ingest/mapping.py`, how near
a layer is in `ingest/layer_likeness.py`.
"""

import json
from collections.abc import Sequence

from ingest.layer_likeness import FIT, SURE, FieldProposal, LayerProposal, proposals
from ingest.name_likeness import likeness
from ingest.outline import LayerOutline
from ingest.survey.aliases_draft import aliases_draft, comment
from twin_model.catalogue import Catalogue
from twin_model.layer import Field, Layer

__all__ = ["mapping_draft"]

_ALIKE = 0.1
"""Below this a layer has nothing to do with the source."""

_MOST_VALUES = 30
"""So many distinct values of a column are proposed as codes of a field that has codes."""

_SHOWN = 4
_FILE = "mapping.toml"


def mapping_draft(
    source: str, outlines: Sequence[LayerOutline], catalogue: Catalogue, lang: str, file: str = ""
) -> str:
    """Return the text of a mapping (TOML) for a source; it can be read as it is, and is meant to be edited.

    For the tables of a survey it names their columns (`[options.survey_aliases]`). Its head says how it is used from
    `file`, where it will be written; without one it says to save it first."""
    lines = [] if file else [comment("mapping_draft.not_saved", lang, file=_FILE)]
    lines.append(comment("mapping_draft.head", lang, source=source, file=file or _FILE))
    if not any(outline.crs for outline in outlines if outline.rows):
        lines += [comment("mapping_draft.no_crs", lang), '# crs = "EPSG:4548"']
    if any(outline.survey_role for outline in outlines):
        return "\n".join([*lines, *aliases_draft(outlines, lang)]) + "\n"
    for outline in outlines:
        if not outline.rows:
            lines += ["", comment("mapping_draft.empty", lang, source_layer=outline.name)]
        for kind in outline.rows:
            lines += ["", *_entry(outline, kind, catalogue, lang)]
    return "\n".join(lines) + "\n"


def _entry(outline: LayerOutline, kind: str, catalogue: Catalogue, lang: str) -> list[str]:
    """Return the lines of the entry for one kind of geometry of a source layer."""
    nearest = proposals(outline, kind, catalogue)[:_SHOWN]
    is_near = bool(nearest) and nearest[0].score >= FIT
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
    lines = ["[layer.fields]"] if any(proposal.score >= SURE for proposal in taken.values()) else []
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
        lines.append(line if proposal.score >= SURE else f"# ? {line}")
        if proposal.score >= SURE:
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
        lines.append(line if scores[code] >= SURE else f"# {line}")
    return lines


def _unit(ours: Field) -> str:
    return f" ({ours.unit})" if ours.unit else ""


def _quoted(text: str) -> str:
    """Return a text as TOML writes it; its basic strings are JSON's."""
    return json.dumps(text, ensure_ascii=False)
