"""Columns of survey tables that no field takes -> `attributes`, by the headings of the tables.

A cell is a text in any table; where every cell of a column is a plain number, they are numbers. A line told by two rows
keeps what both say; of what they say differently it keeps both, in order.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.leftovers import leftover_attributes
from ingest.survey.rows import SurveyRows, SurveyTable
from twin_model.rows.attributes import attributes_text, read_attributes

__all__ = ["attributes_of_rows"]

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,9})?")
"""A number that is no code: without zeros before it, and with as many digits as a double keeps."""

_NOT_STORED = ("data_source",)
"""Fields that are read to reckon with and stored nowhere."""


def attributes_of_rows(rows: SurveyRows) -> NDArray[Any]:
    """Return the attributes of each row as JSON text, None where there are none; says once a table which columns they are."""
    texts = np.full(len(rows.frame), None, dtype=object)
    by_table = [_attributes_of_table(survey_table) for survey_table in rows.tables]
    for number, survey_table in enumerate(rows.tables):
        names = [name for name, _ in _leftover(survey_table)]
        if names and (rows.frame["table"] == number).any():
            rows.draft.report_attributes(rows.layer, names, survey_table.table.name)
    first = zip(rows.frame["table"].tolist(), rows.frame["row"].tolist(), strict=True)
    texts[:] = [by_table[table][row] for table, row in first]
    if "also_row" not in rows.frame:
        return texts
    second = zip(rows.frame["also_table"].tolist(), rows.frame["also_row"].tolist(), strict=True)
    for place, (table, row) in enumerate(second):
        if row >= 0 and by_table[int(table)][int(row)] != texts[place]:
            texts[place] = _joined(texts[place], by_table[int(table)][int(row)])
    return texts


def _leftover(table: SurveyTable) -> list[tuple[str, int]]:
    """Return heading and position of the columns that feed no field; of headings that are alike the later ones are numbered."""
    used = {column for field, column in table.heading.columns.items() if field not in _NOT_STORED}
    names: dict[str, int] = {}
    for column, title in enumerate(table.heading.titles):
        if title and column not in used:
            free = next(each for each in (title, *(f"{title} {n}" for n in range(2, 999))) if each not in names)
            names[free] = column
    return list(names.items())


def _attributes_of_table(table: SurveyTable) -> NDArray[Any]:
    """Return the attributes of every row of a table, title and heading rows too: rows are known by their number."""
    cells, first = table.table.rows, table.heading.rows
    columns = {
        name: _typed([row[column] if column < len(row) else "" for row in cells], first)
        for name, column in _leftover(table)
    }
    return leftover_attributes(columns, len(cells))


def _typed(cells: Sequence[str], first: int) -> NDArray[Any]:
    filled = [cell for cell in cells[first:] if cell]
    are_numbers = bool(filled) and all(_NUMBER.fullmatch(cell) for cell in filled)
    read: list[Any] = [None] * first
    read += [
        (float(cell) if "." in cell else int(cell)) if are_numbers and cell else cell or None for cell in cells[first:]
    ]
    return np.array([*read, None], dtype=object)[:-1]


def _joined(first: str | None, second: str | None) -> str | None:
    """Return what two rows say of one line: where they differ both, smaller first, whichever row came first."""
    both = (read_attributes(first), read_attributes(second))
    joined: dict[str, Any] = {}
    for name in {*both[0], *both[1]}:
        values = [each[name] for each in both if name in each]
        joined[name] = values[0] if values[0] == values[-1] else sorted(values, key=str)
    return attributes_text(joined)
