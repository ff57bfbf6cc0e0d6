"""Headings of tables with coordinates in more than one row, and rows below that are sums or captions.

Which row names the coordinates is found in `ingest/vector/table_features.py`; headings of pipeline surveys, whose words are
known, in `ingest/survey/heading.py`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.number_text import unit_of_word

__all__ = ["TableHeading", "is_caption", "joined_heading"]

_NUMBER = re.compile(r"[+-]?[\d.,]+%?")
_FEWEST_HEADS = 2
_MOST_ROWS_ABOVE = 2
_STATEMENT = re.compile(r"[:：]")
_SUM = re.compile(r"((合计|总计|小计|共计|累计|汇总)[数值]?(?![\u4e00-\u9fff])|(sub-?|grand)?totals?\b|sum\b)", re.IGNORECASE)
_CAPTION = re.compile(
    r"(制表|填表|制图|测量|探测|作业|检查|校核|复核|审核|审定|单位|日期|注|备注|说明|notes?|remarks?)[^:：]{0,4}[:：]",
    re.IGNORECASE,
)

Row = Sequence[str]


@dataclass(frozen=True)
class TableHeading:
    """The names of the columns, "" where a column has none; `rows` of the table end the heading, `depth` of them are joined."""

    names: tuple[str, ...]
    rows: int
    depth: int


def joined_heading(rows: Sequence[Row], heading: int, places: Sequence[int]) -> TableHeading:
    """Return the heading of which one row, with the names of the coordinates in the columns `places`, is known.

    A row above it belongs to it where it names several columns (merged cells span those right of them), a row below
    where it names columns that have no name yet; so does a row of units. Titles do not. A column is called by its
    lowest name; where two columns share that, by the names above it too.
    """
    first, last = heading, heading + 1
    while first and heading - first < _MOST_ROWS_ABOVE and _is_upper(rows[first - 1]):
        first -= 1
    if last < len(rows) and _continues(rows[heading], rows[last], places):
        last += 1
    names = _joined(rows[first:last])
    if names == _joined(rows[heading:last]):  # what stands above adds nothing
        first = heading
    depth = last - first
    if last < len(rows) and _are_units(rows[last]):
        names = [
            f"{name}({unit.strip('()（）')})" if unit else name
            for name, unit in zip(names, _wide(rows[last], len(names)), strict=True)
        ]
        last += 1
    if last < len(rows) and _are_column_numbers(rows[last]):
        last += 1
    return TableHeading(tuple(names), last, depth)


def is_caption(row: Row, heading: Sequence[Row], places: Sequence[int]) -> bool:
    """Tell whether a row is no feature: a sum, a note below the table, or the heading once more on the next page."""
    if any(list(row) == list(above) for above in heading):
        return True
    if any(place < len(row) and _NUMBER.fullmatch(row[place]) for place in places):
        return False
    text = re.sub(r"\s", "", next((cell for cell in row if cell), ""))
    return bool(_SUM.match(text) or _CAPTION.match(text))


def _is_upper(row: Row) -> bool:
    heads = [cell for cell in row if cell]
    return len(set(heads)) >= _FEWEST_HEADS and not any(
        _NUMBER.fullmatch(cell) or _STATEMENT.search(cell) for cell in heads
    )


def _continues(upper: Row, lower: Row, places: Sequence[int]) -> bool:
    """Tell whether a row holds names below those of the row above: never below a column's own name, never numbers."""
    width = max(len(upper), len(lower))
    top, bottom = _wide(upper, width), _wide(lower, width)
    filled = [column for column in range(width) if bottom[column]]
    if any(column in places or _NUMBER.fullmatch(bottom[column]) for column in filled):
        return False
    spanned = [column for column in filled if not top[column]]
    starts = [column for column in filled if top[column]]
    return bool(spanned) and all(column + 1 in spanned for column in starts)


def _joined(rows: Sequence[Row]) -> list[str]:
    width = max(len(row) for row in rows)
    names = [[""] * width]
    for number, row in enumerate(rows):
        below = [_wide(other, width) for other in rows[number + 1 :]]
        names.append(_spanned(_wide(row, width), below))
    parts = [[part for part in column if part] for column in zip(*names, strict=True)]
    lowest = Counter(column[-1] for column in parts if column)
    return [
        "" if not column else column[-1] if lowest[column[-1]] == 1 else "".join(dict.fromkeys(column))
        for column in parts
    ]


def _spanned(row: Row, below: Sequence[Row]) -> list[str]:
    """Return a row in which a cell also stands in the empty cells right of it that have a name below."""
    spanning, cells = "", []
    for column, cell in enumerate(row):
        spanning = cell or (spanning if any(other[column] for other in below) else "")
        cells.append(spanning)
    return cells


def _are_units(row: Row) -> bool:
    cells = [cell.strip("()（）[]") for cell in row if cell]
    return bool(cells) and all(unit_of_word(cell) is not None for cell in cells)


def _are_column_numbers(row: Row) -> bool:
    """Tell whether a row counts the columns from 1, as forms do below their heading."""
    cells = [cell.strip("()（）") for cell in row if cell]
    return len(cells) >= _FEWEST_HEADS and cells == [str(number) for number in range(1, len(cells) + 1)]


def _wide(row: Row, width: int) -> list[str]:
    return [*row, *[""] * (width - len(row))][:width]
