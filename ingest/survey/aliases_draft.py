"""A draft of the names that an office has for the columns of its survey tables: `[options.survey_aliases]` of a mapping.

What is understood is named, what is like a known name or is told by its values is proposed, the rest stays in `attributes`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ingest.draft import ReadOptions
from ingest.name_likeness import likeness
from ingest.number_text import NotANumber, read_number
from ingest.outline import ColumnOutline, LayerOutline
from ingest.survey.vocabulary import read_vocabulary
from twin_model.messages import render

__all__ = ["HeadingProposal", "aliases_draft", "comment", "heading_proposals"]

_SURE, _LIKE, _BY_VALUES = 0.6, 0.4, 0.5
"""From here on a heading is proposed, only named in a comment, taken for a number or a coordinate by its values."""

_SHOWN = 4
_TABLES = {"point": ("point",), "line": ("line",), "half": ("half", "line"), "sheet": ("point", "half", "line")}
"""Role of a table -> tables of names that its headings are looked for in."""

_NUMBER_WORDS = re.compile(r"(点?(编号|点号|号)|点|[ _-]*(point|node|pt|no|nr|id|number)+)$", re.IGNORECASE)
"""What stands behind the word for an end where a heading names the number of its point."""

_ROLES = {
    "point": "table of points",
    "line": "table of lines",
    "half": "table of lines from one end",
    "sheet": "table of points and lines",
}
_Aliases = Mapping[str, Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True)
class HeadingProposal:
    """A heading of an office for a field of ours, in which table of names; `score` is None where its values tell it."""

    column: ColumnOutline
    table: str
    field: str
    score: float | None

    @property
    def is_sure(self) -> bool:
        return self.score is None or self.score >= _SURE


def heading_proposals(outlines: Sequence[LayerOutline]) -> dict[str, list[HeadingProposal]]:
    """Return table -> what its headings may mean that are not understood, one heading for one field, the surest first."""
    aliases = read_vocabulary(ReadOptions()).aliases
    proposed = {outline.name: list(_by_name(outline, aliases, {})) for outline in outlines}
    points = [outline for outline in outlines if outline.survey_role in ("point", "sheet")]
    for outline in points:
        proposed[outline.name] = _with_values(outline, proposed[outline.name], _point_by_values)
    numbers = {value for outline in points for value in _numbers_of(outline, proposed[outline.name])}
    for outline in outlines:
        if outline.survey_role == "line":
            by_values = partial(_ends_by_values, numbers)
            ends = _with_values(outline, proposed[outline.name], by_values)
            like = [*_by_name(outline, aliases, _stems(outline, ends))]
            proposed[outline.name] = _with_values(outline, like, by_values)
    return proposed


def aliases_draft(outlines: Sequence[LayerOutline], lang: str) -> list[str]:
    """Return the lines of a mapping: each table with what is understood of it, then the names that are proposed."""
    aliases = read_vocabulary(ReadOptions()).aliases
    proposed = heading_proposals(outlines)
    lines = []
    for outline in outlines:
        lines += ["", *_about(outline, proposed[outline.name], lang)]
    for table in aliases:
        named = [each for proposals in proposed.values() for each in proposals if each.table == table]
        if named:
            lines += ["", f"[options.survey_aliases.{table}]", *_names(named, outlines, aliases[table], lang)]
    if not any(proposed.values()):
        lines += ["", comment("mapping_draft.nothing_to_name", lang)]
    return lines


def _about(outline: LayerOutline, proposed: Sequence[HeadingProposal], lang: str) -> list[str]:
    values = {"table": outline.name, "rows": outline.rows[""], "role": _ROLES[outline.survey_role]}
    pairs = [f"{column} = {name}" for column, name in outline.understood.items()]
    lines = [comment("mapping_draft.survey_table", lang, **values)]
    lines += [comment("mapping_draft.understood", lang, columns=pairs)] if pairs else []
    taken = {*outline.understood, *(each.column.name for each in proposed)}
    stay = (column for column in outline.columns if column.name not in taken)
    return lines + [comment("mapping_draft.stays", lang, column=column.name, values=_values(column)) for column in stay]


def _names(
    proposed: Sequence[HeadingProposal],
    outlines: Sequence[LayerOutline],
    aliases: Mapping[str, tuple[str, ...]],
    lang: str,
) -> list[str]:
    """Return a line for each field: a list of names replaces the house's, so those that other tables use are in it."""
    lines = []
    for name in dict.fromkeys(each.field for each in proposed):
        of_field = [each for each in proposed if each.field == name]
        others = [column for outline in outlines for column, field in outline.understood.items() if field == name]
        names = list(dict.fromkeys([each.column.name for each in of_field] + others))
        best = max(of_field, key=lambda each: each.is_sure)
        how = render("mapping_draft.by_values", lang, {}) if best.score is None else f"{best.score:.2f}"
        line = (
            f"{name} = {json.dumps(names, ensure_ascii=False)}    # {aliases[name][0]}  {how}  {_values(best.column)}"
        )
        lines.append(line if best.is_sure else f"# ? {line}")
    return lines


def _stems(outline: LayerOutline, proposed: Sequence[HeadingProposal]) -> dict[str, str]:
    """Return what an office calls the start and the end of a line -> our word: 上游 of 上游点, where its numbers stand."""
    ends = {each.field: each.column.name for each in proposed if each.is_sure}
    ends |= {field: column for column, field in outline.understood.items()}
    ours = {"start_no": ("起点", "start"), "end_no": ("终点", "end")}
    stems = {_NUMBER_WORDS.sub("", ends[name]): words for name, words in ours.items() if name in ends}
    return {stem: words[stem.isascii()] for stem, words in stems.items() if stem}


def _in_our_words(heading: str, stems: Mapping[str, str]) -> str:
    return next((heading.replace(stem, word, 1) for stem, word in stems.items() if heading.startswith(stem)), heading)


def _by_name(outline: LayerOutline, aliases: _Aliases, stems: Mapping[str, str]) -> Iterator[HeadingProposal]:
    """Yield the fields that headings are like, the likest pairs first, each heading and each field once."""
    unknown = [column for column in outline.columns if column.name not in outline.understood]
    pairs = [
        HeadingProposal(column, table, name, score)
        for column in unknown
        for table in _TABLES[outline.survey_role]
        for name, words in aliases[table].items()
        if name not in outline.understood.values()
        and (score := likeness(_in_our_words(column.name, stems), (name, *words))) >= _LIKE
    ]
    taken: set[str] = set()
    for pair in sorted(pairs, key=lambda pair: -(pair.score or 0.0)):
        if taken.isdisjoint({f"column {pair.column.name}", f"field {pair.field}"}):
            taken |= {f"column {pair.column.name}", f"field {pair.field}"}
            yield pair


_ByValues = Callable[[Sequence[ColumnOutline]], Iterator[tuple[str, str, ColumnOutline]]]


def _with_values(outline: LayerOutline, proposed: list[HeadingProposal], by_values: _ByValues) -> list[HeadingProposal]:
    """Return proposals with those that the values of columns tell, for fields that neither a name nor a sure likeness has."""
    sure = [each for each in proposed if each.is_sure]
    named = {*outline.understood.values(), *(each.field for each in sure)}
    taken = {*outline.understood, *(each.column.name for each in sure)}
    told = []
    for table, name, column in by_values([each for each in outline.columns if each.name not in taken]):
        if name not in named:
            told.append(HeadingProposal(column, table, name, None))
            named.add(name)
            taken.add(column.name)
    return [*sure, *told, *(each for each in proposed if each.field not in named and each.column.name not in taken)]


def _point_by_values(columns: Sequence[ColumnOutline]) -> Iterator[tuple[str, str, ColumnOutline]]:
    """Yield the columns of a point table that are coordinates of China (north 0 to 6 million metres, seven digits; east six, or
    eight with the zone) and the first whose values are all different."""
    numbers = {column.name: list(map(_number, column.values)) for column in columns}
    norths = [column for column in columns if _all_within(numbers[column.name], 1_900_000, 6_000_000)]
    easts = [column for column in columns if _all_within(numbers[column.name], 100_000, 999_999)]
    easts += [column for column in columns if _all_within(numbers[column.name], 13_000_000, 46_000_000)]
    yield from (("point", "x", column) for column in norths[:1])
    yield from (("point", "y", column) for column in easts[:1])
    others = [column for column in columns if column not in (*norths, *easts)]
    yield from (("point", "survey_no", column) for column in others[:1] if len(column.values) > 1)


def _ends_by_values(numbers: set[str], columns: Sequence[ColumnOutline]) -> Iterator[tuple[str, str, ColumnOutline]]:
    """Yield the first two columns whose values are numbers of points: a line's start and end."""
    ends = [
        column
        for column in columns
        if column.values and len(numbers.intersection(column.values)) >= _BY_VALUES * len(column.values)
    ]
    yield from (("line", name, column) for name, column in zip(("start_no", "end_no"), ends, strict=False))


def _numbers_of(outline: LayerOutline, proposed: Sequence[HeadingProposal]) -> tuple[str, ...]:
    names = {column for column, field in outline.understood.items() if field == "survey_no"}
    names |= {each.column.name for each in proposed if each.field == "survey_no" and each.is_sure}
    return tuple(value for column in outline.columns if column.name in names for value in column.values)


def _number(text: str) -> float | None:
    try:
        return float(read_number(text))
    except NotANumber:
        return None


def _all_within(numbers: Sequence[float | None], least: float, most: float) -> bool:
    return bool(numbers) and all(number is not None and least <= number <= most for number in numbers)


def _values(column: ColumnOutline) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in column.values[:_SHOWN])


def comment(rule: str, lang: str, **values: object) -> str:
    """Return words of ours as lines of a mapping that say nothing to it."""
    return "\n".join(f"# {line}".rstrip() for line in render(rule, lang, values).split("\n"))
