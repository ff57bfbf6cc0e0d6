"""Point numbers that a spreadsheet made something else of when they were typed: 3-5 became a day in March, 2E05 became 200000.

A number is given back where it is certain: where one number that stands as text elsewhere in the survey is the only one
that the spreadsheet would have changed so, or where all other numbers are written the same way. Other cells are told.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ingest.draft import Draft
from ingest.survey.rows import SurveyTable
from ingest.tables import AlteredCell
from twin_model.finding import Finding

__all__ = ["NumberTables", "numbers_as_typed"]

_NUMBERS = ("survey_no", "connected_no", "start_no", "end_no")
_POINT_ROLES = {"point", "sheet"}
_TWO_PARTS = re.compile(r"([0-9]{1,4})([-/])([0-9]{1,2})")
_THREE_PARTS = re.compile(r"([0-9]{1,4})([-/])([0-9]{1,2})\2([0-9]{1,2})")
_EXPONENT = re.compile(r"[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,2}")


@dataclass(frozen=True)
class NumberTables:
    """Tables whose numbers are as they were typed where that is certain.

    `lost` says of numbers that lines may refer to which cell stands in their place: "1-2" -> "WSPoint row 3: 1月2日".
    """

    tables: list[SurveyTable]
    lost: Mapping[str, str]


@dataclass(frozen=True)
class _Cell:
    table: int
    row: int
    column: int
    altered: AlteredCell


def numbers_as_typed(tables: Sequence[SurveyTable], draft: Draft) -> NumberTables:
    """Return the tables with point numbers given back, and report what was given back and what could not be."""
    cells = list(_altered_cells(tables))
    if not cells:
        return NumberTables(list(tables), {})
    typed = _typed_numbers(tables, cells)
    alike: dict[Any, list[str]] = defaultdict(list)
    for text in typed:
        for key in _keys(text):
            alike[key].append(text)
    rows = [list(map(list, survey_table.table.rows)) for survey_table in tables]
    restored: Counter[int] = Counter()
    first: dict[int, tuple[str, str, str]] = {}
    lost: dict[str, str] = {}
    for cell in cells:
        candidates = [text for text in alike[_key(cell.altered)] if _becomes(text, cell.altered)]
        number = candidates[0] if len(candidates) == 1 else None
        number = _in_style(cell.altered, typed) if not candidates else number
        place = _place(tables, cell)
        rows[cell.table][cell.row][cell.column] = number or cell.altered.shown
        if number is not None:
            restored[cell.table] += 1
            first.setdefault(cell.table, (place, cell.altered.shown, number))
            continue
        values = {"shown": cell.altered.shown, "likely": candidates or _likely(cell.altered)}
        draft.report(Finding("survey.number_altered", "warning", place=place, values=values))
        if tables[cell.table].role in _POINT_ROLES:
            lost |= dict.fromkeys(candidates, f"{place}: {cell.altered.shown}")
    for table, (place, shown, number) in first.items():
        name = tables[table].table.name
        about: dict[str, Any] = {"table": name, "count": restored[table], "shown": shown, "number": number}
        draft.report(Finding("survey.numbers_restored", "info", place=place, values=about))
    given_back = [
        replace(survey_table, table=replace(survey_table.table, rows=rows[n])) for n, survey_table in enumerate(tables)
    ]
    return NumberTables(given_back, lost)


def _altered_cells(tables: Sequence[SurveyTable]) -> Iterator[_Cell]:
    for number, survey_table in enumerate(tables):
        columns = {survey_table.heading.columns[name] for name in _NUMBERS if name in survey_table.heading.columns}
        for (row, column), altered in survey_table.table.altered.items():
            if column in columns and row >= survey_table.heading.rows:
                yield _Cell(number, row, column, altered)


def _typed_numbers(tables: Sequence[SurveyTable], cells: Sequence[_Cell]) -> list[str]:
    """Return every number that stands as text in a column of numbers, each once."""
    changed = {(cell.table, cell.row, cell.column) for cell in cells}
    typed: dict[str, None] = {}
    for number, survey_table in enumerate(tables):
        columns = [survey_table.heading.columns[name] for name in _NUMBERS if name in survey_table.heading.columns]
        for row, texts in enumerate(survey_table.table.rows[survey_table.heading.rows :], survey_table.heading.rows):
            typed |= {
                texts[c]: None for c in columns if c < len(texts) and (number, row, c) not in changed and texts[c]
            }
    return list(typed)


def _key(altered: AlteredCell) -> Any:
    """Return by what the texts are found that may have become a cell: the month of a date, else the number."""
    return ("month", altered.value.month) if isinstance(altered.value, datetime) else f"{altered.value:.14e}"


def _keys(text: str) -> set[Any]:
    if parts := _TWO_PARTS.fullmatch(text) or _THREE_PARTS.fullmatch(text):
        return {("month", int(parts[1])), ("month", int(parts[3]))}
    is_number = _EXPONENT.fullmatch(text) or (text.isdecimal() and text.isascii() and len(text) > 15)
    return {f"{float(text):.14e}"} if is_number else set()


def _becomes(text: str, altered: AlteredCell) -> bool:
    """Return whether a spreadsheet makes this cell of a text that is typed."""
    if isinstance(altered.value, datetime):
        return altered.shown in _dates_made_of(text, altered.value)
    if altered.kind == "exponent":
        return bool(_EXPONENT.fullmatch(text)) and float(text) == altered.value
    return not _EXPONENT.fullmatch(text)  # the key says the rest: the same first 15 digits


def _dates_made_of(text: str, value: datetime) -> set[str]:
    """Return how a spreadsheet may show the date it makes of a text: month and day, year and month, or all three."""
    if parts := _THREE_PARTS.fullmatch(text):
        year, month, day = (int(parts[n]) for n in (1, 3, 4))
        same = (year % 100, month, day) == (value.year % 100, value.month, value.day)
        return {f"{value.year}年{value.month}月{value.day}日"} if same else set()
    parts = _TWO_PARTS.fullmatch(text)
    if parts is None:
        return set()
    first, second = int(parts[1]), int(parts[3])
    shown = set()
    if (first, second) == (value.month, value.day):
        shown |= {f"{first}月{second}日", f"{value.year}年{first}月{second}日"}
    if value.day == 1 and (value.year % 100, value.month) in {(first % 100, second), (second, first)}:
        shown.add(f"{value.year}年{value.month}月")
    return shown


def _in_style(altered: AlteredCell, typed: Sequence[str]) -> str | None:
    """Return the number of a date of month and day, where every other number of two parts is written alike: 1-2, not 01-02."""
    value = altered.value
    if not isinstance(value, datetime) or altered.shown != f"{value.month}月{value.day}日":
        return None
    parts = [match for match in map(_TWO_PARTS.fullmatch, typed) if match]
    styles = {(match[2], match[1].startswith("0") or match[3].startswith("0")) for match in parts}
    if len(styles) != 1 or (style := styles.pop())[1]:
        return None
    return f"{value.month}{style[0]}{value.day}"


def _likely(altered: AlteredCell) -> list[str]:
    """Return how the number may have been typed."""
    value = altered.value
    if not isinstance(value, datetime):
        return []
    parts = (value.month, value.day) if "日" in altered.shown else (value.month, value.year % 100)
    return [f"{parts[0]}-{parts[1]}", f"{parts[0]}/{parts[1]}"]


def _place(tables: Sequence[SurveyTable], cell: _Cell) -> str:
    table = tables[cell.table].table
    return f"{table.name} row {table.numbers[cell.row]}"
