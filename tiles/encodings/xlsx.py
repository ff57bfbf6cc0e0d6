"""Sheets as an office prints them: heading, table with borders, A4 landscape, column titles on every page.

The writing half of `openpyxl` is at home only here; reading stands in `ingest/tables.py`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Border, Font, NamedStyle, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["Column", "Sheet", "plain_text", "write_workbook"]

_A4 = 9
_LONGEST_TITLE = 31
_NOT_IN_TITLES = re.compile(r"[\\/*?:\[\]]")
_LINE = Side(style="thin")
_ALL_SIDES = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)


@dataclass(frozen=True)
class Column:
    """A column of a sheet: its title, its width in characters, and how its numbers are shown ("0.000")."""

    title: str
    width: float = 12.0
    number_format: str = "General"
    wraps: bool = False


@dataclass(frozen=True)
class Sheet:
    """A sheet: `name` of its tab, `title` above everything, `heading` lines below it, table, `footer` lines; `pages`
    stands below each printed page ("&P" its number, "&N" how many)."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]
    heading: Sequence[str] = ()
    footer: Sequence[str] = ()
    pages: str = "&P / &N"


def write_workbook(path: Path, sheets: Iterable[Sheet]) -> int:
    """Write sheets as XLSX and return how many rows of tables they have; the file appears whole.

    A text is written as a text, also one that begins like a formula.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    book.remove(book.active)
    names: set[str] = set()
    count = sum(_write_sheet(book.create_sheet(_tab_name(sheet.name, names)), sheet) for sheet in sheets)
    part = path.with_name(f".{path.name}.part")
    book.save(part)
    part.replace(path)
    return count


def plain_text(value: Any) -> Any:
    """Return a text without the characters that no spreadsheet takes; other values as they are."""
    return ILLEGAL_CHARACTERS_RE.sub("", value) if isinstance(value, str) else value


def _tab_name(name: str, names: set[str]) -> str:
    """Return a name that a tab may have and no other has."""
    whole = _NOT_IN_TITLES.sub("_", name)[:_LONGEST_TITLE] or "Sheet"
    tab, number = whole, 1
    while tab.casefold() in names:
        number += 1
        tab = f"{whole[: _LONGEST_TITLE - 4]}_{number}"
    names.add(tab.casefold())
    return tab


def _write_sheet(tab: Worksheet, sheet: Sheet) -> int:
    for line in (sheet.title, *sheet.heading):
        tab.append([plain_text(line)])
        tab.merge_cells(start_row=tab.max_row, end_row=tab.max_row, start_column=1, end_column=len(sheet.columns))
    tab["A1"].font, tab["A1"].alignment = Font(size=16, bold=True), Alignment(horizontal="center")
    titles = 2 + len(sheet.heading)
    _write_row(tab, titles, [column.title for column in sheet.columns], sheet.columns, bold=True)
    count = 0
    for row in sheet.rows:
        count += 1
        _write_row(tab, titles + count, row, sheet.columns)
    for number, line in enumerate(sheet.footer, 1):
        cell = tab.cell(titles + count + number, 1, plain_text(line))
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        tab.merge_cells(start_row=cell.row, end_row=cell.row, start_column=1, end_column=len(sheet.columns))
    _set_page(tab, titles, sheet)
    return count


def _write_row(
    tab: Worksheet, number: int, values: Sequence[Any], columns: Sequence[Column], *, bold: bool = False
) -> None:
    for at, (value, column) in enumerate(zip(values, columns, strict=True), 1):
        cell = tab.cell(number, at, plain_text(value) if value != "" else None)
        cell.style = _style(tab.parent, "General" if isinstance(value, str) else column.number_format, column, bold)
        if isinstance(value, str) and value:
            cell.data_type = "s"


def _style(book: openpyxl.Workbook, number_format: str, column: Column, bold: bool) -> str:
    """Return the name of a style of the book, made when it is first asked for: one a cell would cost more than the cell."""
    name = f"{number_format} {'bold' if bold else 'wraps' if column.wraps else 'plain'}"
    if name not in book.named_styles:
        alignment = Alignment(
            horizontal="center" if bold else None, vertical="center" if bold else "top", wrap_text=bold or column.wraps
        )
        font = Font(bold=bold)
        style = NamedStyle(name, font=font, border=_ALL_SIDES, alignment=alignment, number_format=number_format)
        book.add_named_style(style)
    return name


def _set_page(tab: Worksheet, titles: int, sheet: Sheet) -> None:
    for number, column in enumerate(sheet.columns, 1):
        tab.column_dimensions[get_column_letter(number)].width = column.width
    tab.freeze_panes = tab.cell(titles + 1, 1)
    tab.print_title_rows = f"{titles}:{titles}"
    tab.page_setup.orientation, tab.page_setup.paperSize = "landscape", _A4
    tab.page_setup.fitToWidth, tab.page_setup.fitToHeight = 1, 0
    tab.sheet_properties.pageSetUpPr.fitToPage = True
    tab.oddFooter.center.text = sheet.pages
