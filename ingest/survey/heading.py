"""The heading of a survey table: where it stands, which column feeds which field, and what kind of table that
makes.

Rules of offices' tables: title rows above the heading are skipped; a heading may stand in two rows (高程 over
地面), with units below; the unit in a heading (管径(mm), 地面高程/m, 埋深[cm]) is that of its column; a heading cut at ten
bytes of GBK matches as a prefix (管径或断面).
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ingest.number_text import unit_of_word
from ingest.survey.vocabulary import Vocabulary, normal_text
from ingest.tables import TextTable
from twin_model.errors import SourceRefused

__all__ = ["Heading", "find_heading", "likely_heading"]

_SEARCHED_ROWS = 20
_FEWEST_TITLES = 3
_NUMBER = re.compile(r"[+-]?[\d.,]+")
_UNITS = r"(?:mm|cm|dm|m|km|kv|v|mpa|kpa|pa|毫米|厘米|分米|公分|米|千伏|伏|兆帕|千帕|根|孔|条|°|度|年)"
_IN_BRACKETS = re.compile(rf"[(\[【〔<](?:单位[:：]?|以)?({_UNITS})计?[)\]】〕>]")
_BEHIND = re.compile(rf"(?:(?<=[\u4e00-\u9fff)])|[/_,，、\s])({_UNITS})$")
_HINT = re.compile(r"[(\[](?:宽[x×*]高|高[x×*]宽|长[x×*]宽|dn|φ|ф|直径|公称直径)[)\]]")
_NOISE = re.compile(r"[*:_\"'、。]")
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "sheet": ("survey_no", "connected_no", "x", "y"),
    "point": ("survey_no", "x", "y"),
    "half": ("survey_no", "connected_no"),
    "line": ("start_no", "end_no"),
}
_PIPE_ONLY = {"map_no", "feature", "appurtenance", "feature_code", "well_depth", "class", "connected_no"}
_HALF_ONLY = {"depth", "crown_depth", "invert_depth", "elevation", "crown_elevation", "invert_elevation"}
_END_FIELDS = {"start_depth", "end_depth", "start_elevation", "end_elevation"}


@dataclass(frozen=True)
class Heading:
    """`role` is "point", "line", "half" (a line from one end) or "sheet" (point and half in one row).

    `columns` gives our field -> column index; `titles` are the headings as they stand; `rows` is how many
    rows, from the first, are title and heading; `units` are those that headings say, by field.
    """

    role: str
    columns: Mapping[str, int]
    titles: tuple[str, ...]
    rows: int
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def speaks_of_pipes(self) -> bool:
        """Whether the columns can only be those of a pipeline survey, not of any list of points."""
        return self.role != "point" or bool(_PIPE_ONLY & set(self.columns)) or "物探点号" in self.titles


@dataclass(frozen=True)
class _Candidate:
    """A row that may be a heading: how many columns it explains, by which role, its texts, the rows down to it."""

    explained: int
    roles: Mapping[str, dict[str, int]]
    titles: tuple[str, ...]
    rows: int


def find_heading(table: TextTable, vocabulary: Vocabulary) -> Heading | None:
    """Return the heading that explains most columns, None where no row looks like one.

    Raises `SourceRefused` where a heading is there but lacks columns without which no point or line can be
    read.
    """
    best = _best_candidate(table, vocabulary, least=2)
    if best is None:
        return None
    heading = _heading(table, best.roles, best.titles, best.rows, vocabulary)
    return None if heading is None else replace(heading, units=_units(heading))


def likely_heading(table: TextTable, vocabulary: Vocabulary, role: str = "") -> Heading | None:
    """Return the row that is the heading, whatever is understood of it; None for a table without rows below texts.

    `role` is taken where the columns do not tell whether they are points or lines.
    """
    best = _best_candidate(table, vocabulary, least=1)
    if best is None:
        row = next((row for row, cells in enumerate(table.rows[:_SEARCHED_ROWS]) if _are_titles(cells)), None)
        if row is None:
            return None
        best = _Candidate(0, {}, tuple(table.rows[row]), row + 1)
    known = {each: columns for each, columns in best.roles.items() if each in ("point", "line")}
    role = role or max(known, key=lambda each: len(known[each]), default="point")
    return Heading(role, known.get(role, {}), best.titles, best.rows) if len(table.rows) > best.rows else None


def _are_titles(cells: Sequence[str]) -> bool:
    return sum(bool(cell) for cell in cells) >= _FEWEST_TITLES and not any(_NUMBER.fullmatch(cell) for cell in cells)


def _best_candidate(table: TextTable, vocabulary: Vocabulary, *, least: int) -> _Candidate | None:
    """Return the row, or pair of rows, that explains most columns; None where none explains as many as `least`."""
    best: _Candidate | None = None
    for row in range(min(_SEARCHED_ROWS, len(table.rows))):
        for depth in (1, 2):
            if row + depth > len(table.rows):
                continue
            candidates = _joined(table.rows[row : row + depth])
            below = table.rows[row + depth] if row + depth < len(table.rows) else []
            has_units = _is_row_of_units(below)
            candidates = _with_units(candidates, below) if has_units else candidates
            roles = {role: _matched(candidates, aliases) for role, aliases in vocabulary.aliases.items()}
            explained = len({column for found in roles.values() for column in found.values()})
            if explained >= least and (best is None or explained > best.explained):
                titles = tuple(names[0] for names in candidates)
                best = _Candidate(explained, roles, titles, row + depth + has_units)
    return best


def _units(heading: Heading) -> dict[str, str]:
    """Return the units that headings say, by field."""
    units = {name: _split_unit(heading.titles[column])[1] for name, column in heading.columns.items()}
    return {name: unit for name, unit in units.items() if unit}


def _is_row_of_units(row: Sequence[str]) -> bool:
    """Say whether a row holds units alone, as offices write them below a heading."""
    cells = [cell.strip("()（）[]") for cell in row if cell]
    return bool(cells) and all(unit_of_word(cell) is not None for cell in cells)


def _with_units(candidates: list[list[str]], units: Sequence[str]) -> list[list[str]]:
    """Return the names of columns with the units that stand below them."""
    below = [unit.strip("()（）[]") for unit in units] + [""] * len(candidates)
    return [
        [f"{name}({unit})" if unit and name else name for name in names]
        for names, unit in zip(candidates, below, strict=False)
    ]


def _joined(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return, for each column, the names its heading may mean; an upper cell spans the empty cells right of
    it."""
    width = max(len(row) for row in rows)
    padded = [list(row) + [""] * (width - len(row)) for row in rows]
    if len(padded) == 1:
        return [[cell] for cell in padded[0]]
    upper, lower = padded
    spanning, names = "", []
    for top, bottom in zip(upper, lower, strict=True):
        spanning = top or (spanning if bottom else "")
        names.append([bottom + spanning, spanning + bottom, bottom] if bottom and spanning else [bottom or spanning])
    return names


def _matched(candidates: list[list[str]], aliases: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Return field -> column: each field takes the column its first fitting alias names; cut headings come
    last."""
    by_name: dict[str, int] = {}
    for column, names in enumerate(candidates):
        for name in names:
            for form in _forms(name):
                by_name.setdefault(form, column)
    columns: dict[str, int] = {}
    for name, wanted in aliases.items():
        hit = next((by_name[form] for alias in wanted for form in _forms(alias)[:1] if form in by_name), None)
        if hit is not None and hit not in columns.values():
            columns[name] = hit
    return columns | _matched_cut(candidates, aliases, columns)


@lru_cache(maxsize=4096)
def _forms(name: str) -> tuple[str, ...]:
    """Return the forms under which a heading is compared: as it stands, then without its unit."""
    whole = _NOISE.sub("", normal_text(name).lower())
    bare = _NOISE.sub("", _split_unit(name)[0])
    return (whole, bare) if bare != whole and bare else (whole,) if whole else ()


@lru_cache(maxsize=4096)
def _split_unit(name: str) -> tuple[str, str]:
    """Return a heading without its unit, and the unit it says, "" where it says none.

    >>> _split_unit("管径或断面(mm)"), _split_unit("地面高程/m"), _split_unit("埋深［厘米］")
    (('管径或断面', 'mm'), ('地面高程', 'm'), ('埋深', 'cm'))
    """
    plain = _HINT.sub("", unicodedata.normalize("NFKC", name).strip().lower())
    spaced = "".join(plain.split())
    if bracketed := _IN_BRACKETS.search(spaced):
        return spaced.replace(bracketed[0], ""), unit_of_word(bracketed[1]) or ""
    behind = _BEHIND.search(plain)
    if behind is None:
        return spaced, ""
    return "".join(plain[: behind.start()].split()), unit_of_word(behind[1]) or ""


def _matched_cut(
    candidates: list[list[str]], aliases: Mapping[str, tuple[str, ...]], found: Mapping[str, int]
) -> dict[str, int]:
    """Return fields whose heading was cut at ten bytes; a cut that fits two fields fits none."""
    cut: dict[str, int] = {}
    for column, names in enumerate(candidates):
        name = (_forms(names[0]) or ("",))[-1]
        if column in found.values() or len(name.encode("gbk", "ignore")) not in (9, 10):
            continue
        fields = [f for f, wanted in aliases.items() if any(_forms(a)[0].startswith(name) for a in wanted)]
        if len(fields) == 1 and fields[0] not in found:
            cut[fields[0]] = column
    return cut


def _heading(
    table: TextTable,
    roles: Mapping[str, dict[str, int]],
    titles: tuple[str, ...],
    rows: int,
    vocabulary: Vocabulary,
) -> Heading | None:
    point, line, half = roles["point"], roles["line"], roles["half"]
    if "survey_no" not in point and "map_no" in point:
        point = {**point, "survey_no": point["map_no"]}
    located = {"survey_no", "x", "y"} <= set(point)
    joined = {"survey_no", "connected_no"} <= set(half)
    if located and joined:
        return Heading("sheet", {**_attributes(line), **point, **half}, titles, rows)
    if joined and not _END_FIELDS & set(line) and _HALF_ONLY & set(half):
        return Heading("half", {**_attributes(line), **half}, titles, rows)
    if {"start_no", "end_no"} <= set(line):
        return Heading("line", line, titles, rows)
    if located:
        return Heading("point", point, titles, rows)
    if not any(set(_REQUIRED[role]) & set(fields) for role, fields in roles.items()):
        return None
    raise _missing(table, roles, titles, vocabulary)


def _attributes(line: Mapping[str, int]) -> dict[str, int]:
    """Return the columns of a line that say nothing of one end."""
    return {field: column for field, column in line.items() if not field.startswith(("start_", "end_"))}


def _missing(
    table: TextTable, roles: Mapping[str, dict[str, int]], titles: tuple[str, ...], vocabulary: Vocabulary
) -> SourceRefused:
    """Return the refusal that names the columns wanted, the headings found and the aliases that would have
    done."""
    role = "line" if {"start_no", "end_no"} & set(roles["line"]) and not {"x", "y"} & set(roles["point"]) else "point"
    lacking = [field for field in _REQUIRED[role] if field not in roles[role]]
    return SourceRefused(
        "survey.columns_missing",
        source=table.file,
        table=table.name,
        missing=lacking,
        found=[title for title in titles if title],
        expected=[f"{f}: {'/'.join(vocabulary.aliases[role][f][:6])}" for f in lacking],
    )
