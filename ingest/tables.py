"""Tables as text: CSV in whatever encoding an office used, and every sheet of a workbook, cell by cell as
text.

Here: bytes -> rows of text with their row numbers. What the columns mean stands with the readers
(`ingest/survey/heading.py`). Reading with `openpyxl` and `csv` is at home only here.
"""

import csv
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import openpyxl

from twin_model.errors import SourceRefused
from twin_model.formula_text import unescape_formula

__all__ = ["AlteredCell", "TextTable", "is_table_file", "is_text_table", "read_tables"]

_SPREADSHEET_SUFFIXES = {".xlsx", ".xlsm", ".xltx"}
_TEXT_SUFFIXES = {".csv", ".txt", ".tsv"}
_ENCODINGS = ("utf-8-sig", "gb18030")
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_UNPACKED_LIMIT = 2 * 1024**3
_HEAD_BYTES = 65_536
_LINES_LOOKED_AT = 50
_MOST_DIGITS = 1e15
"""A spreadsheet keeps 15 digits of a number."""


class AlteredCell(NamedTuple):
    """A cell in which a spreadsheet may have changed what was typed.

    `kind` is "date" (`month`, `day` and, where the cell shows one, `year` are known), "exponent" (shown as 2.00E+05) or
    "rounded" (a number of more than 15 digits, of which a spreadsheet keeps 15). `shown` is what the spreadsheet shows.
    """

    kind: Literal["date", "exponent", "rounded"]
    shown: str
    value: datetime | float


@dataclass(frozen=True)
class TextTable:
    """One sheet or one CSV: `rows[i]` is a list of stripped text, `numbers[i]` its row number in the file,
    from 1.

    Empty rows are left out; short rows are as short as they stand in the file. `altered` are cells, by position in `rows`,
    that a spreadsheet may have changed.
    """

    name: str
    file: str
    rows: list[list[str]]
    numbers: list[int]
    altered: Mapping[tuple[int, int], AlteredCell] = field(default_factory=dict)


def is_text_table(file: str) -> bool:
    """Say whether a table of this file was divided by separators, so that a cell too many moves all behind it."""
    return Path(file).suffix.lower() in _TEXT_SUFFIXES


def is_table_file(path: Path) -> bool:
    """Say whether a file is called like a table (CSV or workbook) and is not an office program's lock
    file."""
    return path.suffix.lower() in _SPREADSHEET_SUFFIXES | _TEXT_SUFFIXES and not path.name.startswith(("~$", "."))


def read_tables(path: Path, *, encoding: str | None = None, limit: int | None = None) -> list[TextTable]:
    """Return every table of a file: the sheets of a workbook, or the one table of a CSV.

    A CSV may be UTF-8 (with or without mark), UTF-16 with mark, or GBK; its separator is comma, semicolon or
    tab. `limit` reads only that many rows of each table. Raises `SourceRefused` for what is no table at all.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise SourceRefused(
            "survey.unreadable", source=path.name, cause=error.strerror or type(error).__name__
        ) from error
    if not head:
        raise SourceRefused("survey.empty_file", source=path.name)
    if head == _OLD_EXCEL:
        raise SourceRefused("survey.old_workbook", source=path.name)
    if head.startswith(b"PK"):
        return list(_read_workbook(path, limit))
    if path.suffix.lower() in _SPREADSHEET_SUFFIXES:
        raise SourceRefused("survey.not_workbook", source=path.name, found=_shown(head))
    return [_read_text(path, encoding, limit)]


def _shown(head: bytes) -> str:
    return " ".join(f"{byte:02X}" for byte in head)


def _read_workbook(path: Path, limit: int | None) -> Iterator[TextTable]:
    """Yield the sheets of a workbook; whatever openpyxl raises on a damaged one becomes one refusal."""
    _ensure_unpackable(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            for sheet in book.worksheets:
                sheet.reset_dimensions()
                yield _sheet(sheet.title, path.name, islice(sheet.iter_rows(), limit))
        finally:
            book.close()
    except SourceRefused:
        raise
    except (
        Exception
    ) as error:  # openpyxl lets KeyError, ValueError, zlib.error, XML errors ... of a damaged file through
        raise SourceRefused("survey.damaged_workbook", source=path.name, cause=_cause(error)) from error


def _ensure_unpackable(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as package:
            names, size = set(package.namelist()), sum(entry.file_size for entry in package.infolist())
            declaring = next((name for name in names if _declares(package, name)), None)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as error:
        raise SourceRefused("survey.damaged_workbook", source=path.name, cause=_cause(error)) from error
    if declaring is not None:
        raise SourceRefused("survey.document_type", source=path.name, part=declaring)
    if "xl/workbook.xml" not in names and "[Content_Types].xml" not in names:
        raise SourceRefused("survey.not_workbook", source=path.name, found=sorted(names)[:3])
    if size > _UNPACKED_LIMIT:
        raise SourceRefused(
            "survey.too_big", source=path.name, size_mb=size // 1024**2, limit_mb=_UNPACKED_LIMIT // 1024**2
        )


def _declares(package: zipfile.ZipFile, name: str) -> bool:
    """Say whether a part of a workbook begins with a document type, which can name other files and addresses."""
    if not name.lower().endswith((".xml", ".rels")):
        return False
    with package.open(name) as part:
        head = part.read(_HEAD_BYTES)
    return b"<!doctype" in head.replace(b"\0", b"").lower()


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip(chr(39))[:120]}"


def _sheet(name: str, file: str, rows: Iterable[Iterable[Any]]) -> TextTable:
    """Return a sheet as text, with the cells that may not be what was typed."""
    texts: list[list[str]] = []
    numbers: list[int] = []
    altered: dict[tuple[int, int], AlteredCell] = {}
    for number, row in enumerate(rows, 1):
        cells = list(row)
        text = [_cell_text(cell.value) for cell in cells]
        if not any(text):
            continue
        for column, cell in enumerate(cells):
            odd = _altered(cell) if isinstance(cell.value, float | int | datetime) else None
            if odd is not None:
                altered[len(texts), column] = odd
        texts.append(text)
        numbers.append(number)
    return TextTable(name, file, texts, numbers, altered)


def _altered(cell: Any) -> AlteredCell | None:
    """Return what a spreadsheet may have made of something else that was typed: dates, exponents, numbers of 16 digits."""
    value = cell.value
    if isinstance(value, datetime):
        return AlteredCell("date", _shown_date(value, str(cell.number_format)), value)
    if isinstance(value, bool) or abs(value) < 10:
        return None
    if "E+" in str(cell.number_format).upper():
        return AlteredCell("exponent", f"{value:.2E}", float(value))
    if isinstance(value, float) and abs(value) >= _MOST_DIGITS:
        return AlteredCell("rounded", str(int(value)), value)
    return None


def _shown_date(value: datetime, number_format: str) -> str:
    """Return a date as a spreadsheet shows it: with year, month and day where its format has them."""
    pattern = re.sub(r"\[[^\]]*\]|\\.", "", number_format).lower()
    has_year, has_day = "y" in pattern, "d" in re.sub('"[^"]*"', "", pattern)
    parts = [(value.year, "年", has_year), (value.month, "月", True), (value.day, "日", has_day)]
    return "".join(f"{number}{word}" for number, word, is_shown in parts if is_shown)


def _cell_text(value: Any) -> str:
    """Return a cell as a surveyor would write it: 12, not 12.0; a date without its empty clock."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip()


def _read_text(path: Path, encoding: str | None, limit: int | None) -> TextTable:
    content = path.read_bytes() if limit is None else _head_lines(path)
    text = _decoded(content, path.name, encoding)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text))
        return _table(
            path.stem, path.name, ([unescape_formula(cell.strip()) for cell in row] for row in islice(rows, limit))
        )
    except csv.Error as error:
        raise SourceRefused("survey.not_text", source=path.name, cause=str(error)) from error


def _head_lines(path: Path) -> bytes:
    """Return the first whole lines of a file, so that no character is cut in two."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head if len(head) < _HEAD_BYTES or head[:2] in _MARKS else head[: head.rfind(b"\n") + 1] or head


def _decoded(content: bytes, name: str, encoding: str | None) -> str:
    """Return the text of a file: by its mark, by what the caller says, else UTF-8 if it is that, else GBK."""
    marked = _MARKS.get(content[:2])
    tried = (marked,) if marked else (encoding,) if encoding else _ENCODINGS
    for one in tried:
        try:
            text = content.decode(one)
        except (UnicodeDecodeError, LookupError):
            continue
        if "\x00" in text:
            break
        return text.removeprefix("\ufeff")
    raise SourceRefused("survey.encoding", source=name, tried=tried, found=_shown(content[:8]))


def _separator(text: str) -> str:
    """Return which of tab, semicolon and comma divides most of the first lines into equally many cells.

    Counting alone would choose the comma of `1,25` in a table of semicolons.
    """
    lines = [line for line in text[:_HEAD_BYTES].splitlines()[:_LINES_LOOKED_AT] if line.strip()]

    def alike(separator: str) -> int:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=separator) if len(row) > 1)
        return max(widths.values(), default=0)

    return max(("\t", ";", ","), key=alike)


def _table(name: str, file: str, rows: Iterable[list[str]]) -> TextTable:
    filled = [(number, row) for number, row in enumerate(rows, 1) if any(row)]
    return TextTable(name, file, [row for _, row in filled], [number for number, _ in filled])
