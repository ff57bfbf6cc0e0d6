"""A table as one sheet of XLSX, written row by row: numbers, days and times are such, no text is a formula.

The format is ECMA-376 (Office Open XML, part 1: SpreadsheetML). It is written by hand because a library that builds cells takes
half a minute for a hundred thousand rows. Sheets for print are those of `xlsx`.
"""

import math
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import shapely

from tiles.encodings.table_spool import GEOMETRY, TableSpool, decimals_of
from twin_model.errors import QueryRefused

__all__ = ["MOST_ROWS", "write_xlsx_table"]

MOST_ROWS = 1_048_575
"""Rows of a sheet below its heading."""

_MOST_COLUMNS = 16_384
_LONGEST_TEXT = 32_767
_MOST_DIGITS = 10**15
"""A spreadsheet keeps fifteen digits of a number; a longer one is written as text."""

_FIRST_DAY = date(1900, 3, 1)
"""Days before are another number in Excel than in other programs, which know that 1900 was no leap year."""

_DAY_ZERO = datetime(1899, 12, 30)
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_BOLD, _DAY, _TIME = 1, 2, 3
"""Numbers of the cell formats in `_STYLES`."""

_STYLES = f"""{_HEAD}<styleSheet xmlns="{_MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>\
<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>\
<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>\
<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>\
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>\
<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>\
<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>\
<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>\
<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>\
<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>\
<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"""


def write_xlsx_table(
    spool: TableSpool, part: Path, *, marking: str = "", facts: Mapping[str, str] | None = None
) -> None:
    """Write the rows of a spool as one sheet; `marking` is printed above each page, `facts` are properties of the file.

    QueryRefused `download.too_many_rows` and `download.text_too_long` where a sheet cannot hold what there is.
    """
    layer = spool.form.layer
    spool.ensure_columns(_MOST_COLUMNS, "local")
    if spool.rows > MOST_ROWS:
        raise QueryRefused("download.too_many_rows", layer=layer.id, rows=spool.rows, most=MOST_ROWS)
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as package:
        for name, text in _small_parts(layer.id, marking, facts or {}).items():
            package.writestr(name, text)
        with package.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for piece in _sheet(spool, marking):
                sheet.write(piece.encode())


def _sheet(spool: TableSpool, marking: str) -> Iterator[str]:
    """Yield the text of the sheet in pieces of one batch."""
    names = spool.schema("local").names
    letters = [_letters(at) for at in range(len(names))]
    yield (
        f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        '<sheetFormatPr defaultRowHeight="15"/><sheetData>'
    )
    titles = ["wkt" if name == GEOMETRY else name for name in names]
    heading = (_text_cell(f"{letter}1", title, _BOLD) for letter, title in zip(letters, titles, strict=True))
    yield f'<row r="1">{"".join(heading)}</row>'
    number = 1
    for batch in spool.batches("local"):
        columns = [_values(batch.column(name).to_pylist(), name, spool) for name in names]
        rows = []
        for values in zip(*columns, strict=True):
            number += 1
            cells = "".join(map(_cell, (f"{letter}{number}" for letter in letters), values))
            rows.append(f'<row r="{number}">{cells}</row>')
        yield "".join(rows)
    above = f"<headerFooter><oddHeader>&amp;C{escape(marking.replace('&', '&&'))}</oddHeader></headerFooter>"
    yield f"</sheetData>{above if marking else ''}</worksheet>"


def _values(values: list[Any], name: str, spool: TableSpool) -> list[Any]:
    """Return the values of a column, geometry as WKT; a text that no cell holds is refused with its feature's place."""
    if name == GEOMETRY and values:
        values = list(shapely.to_wkt(shapely.from_wkb(values), rounding_precision=decimals_of(spool.form.crs)))
    longest = max((len(value) for value in values if isinstance(value, str)), default=0)
    if longest > _LONGEST_TEXT:
        title = "wkt" if name == GEOMETRY else name
        raise QueryRefused(
            "download.text_too_long", layer=spool.form.layer.id, field=title, length=longest, most=_LONGEST_TEXT
        )
    return values


def _cell(place: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    writer = _WRITERS.get(type(value))
    return writer(place, value) if writer is not None else _text_cell(place, str(value))


def _text_cell(place: str, text: str, style: int = 0) -> str:
    plain = escape(_NOT_IN_XML.sub("\ufffd", text), {"\r": "&#13;"})
    return f'<c r="{place}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{plain}</t></is></c>'


def _number_cell(place: str, value: float) -> str:
    if (isinstance(value, int) and abs(value) >= _MOST_DIGITS) or not math.isfinite(value):
        return _text_cell(place, str(value))
    return f'<c r="{place}"><v>{value!r}</v></c>'


def _flag_cell(place: str, value: bool) -> str:
    return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'


def _day_cell(place: str, value: date) -> str:
    if value < _FIRST_DAY:
        return _text_cell(place, value.isoformat())
    return f'<c r="{place}" s="{_DAY}"><v>{(value - _DAY_ZERO.date()).days}</v></c>'


def _time_cell(place: str, value: datetime) -> str:
    if value.date() < _FIRST_DAY:
        return _text_cell(place, value.isoformat(sep=" "))
    since = value - _DAY_ZERO
    return (
        f'<c r="{place}" s="{_TIME}"><v>{since.days + since.seconds / 86_400 + since.microseconds / 86_400e6!r}</v></c>'
    )


_WRITERS: Mapping[type, Callable[[str, Any], str]] = {
    str: _text_cell, int: _number_cell, float: _number_cell, bool: _flag_cell, date: _day_cell, datetime: _time_cell,
}  # fmt: skip


def _letters(at: int) -> str:
    """Return the letters of a column, counted from 0: A, B, ... Z, AA."""
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _small_parts(name: str, marking: str, facts: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of the file besides its sheet, by name."""
    relations, content = f"{_PACKAGE}/relationships", f"{_PACKAGE}/content-types"
    core = f"{_PACKAGE}/relationships/metadata/core-properties"
    remarks = escape("; ".join(f"{fact}={text}" for fact, text in facts.items()))
    return {
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{content}"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
        '<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>',
        "_rels/.rels": f'{_HEAD}<Relationships xmlns="{relations}"><Relationship Id="rId1" Type="{_OFFICE}/officeDocument" '
        f'Target="xl/workbook.xml"/><Relationship Id="rId2" Type="{core}" Target="docProps/core.xml"/></Relationships>',
        "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        f'<sheet name="{escape(name[:31])}" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{_HEAD}<Relationships xmlns="{relations}"><Relationship Id="rId1" Type="{_OFFICE}/worksheet" '
        f'Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": _STYLES,
        "docProps/core.xml": f'{_HEAD}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{escape(name)}</dc:title><dc:subject>{escape(marking)}</dc:subject>'
        f"<cp:keywords>{remarks}</cp:keywords></cp:coreProperties>",
    }
