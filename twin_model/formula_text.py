"""Texts of a CSV that a spreadsheet would take for a formula: marked when they are written, as they were when they are read.

Every CSV that leaves the house goes through `escape_formula` (`tiles/encodings/`), every table of text that comes in through
`unescape_formula` (`ingest/tables.py`). A workbook needs neither: its cells say that they are texts.
"""

import re
from typing import Any

__all__ = ["escape_formula", "unescape_formula"]

_STARTS = "'=+-@\t\r\n＝＋－＠"
_FORMULA = re.compile(r"'*([=@\t\r\n＝＋－＠]|[+-](?!(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$)).", re.DOTALL)


def escape_formula(value: Any) -> Any:
    """Return a cell of a CSV that no spreadsheet takes for a formula; numbers, lone signs and what is no text as they are.

    An apostrophe stands before the text, as a spreadsheet itself marks a text.

    >>> [escape_formula(text) for text in ("=1+1", "-1.5", "-", "'=1", "DN300")]
    ["'=1+1", '-1.5', '-', "''=1", 'DN300']
    """
    if isinstance(value, str) and value[:1] in _STARTS and _FORMULA.match(value):
        return f"'{value}"
    return value


def unescape_formula(text: str) -> str:
    """Return a text that may have been marked as it was before.

    >>> [unescape_formula(text) for text in ("'=1+1", "-1.5", "''=1", "'quoted'")]
    ['=1+1', '-1.5', "'=1", "'quoted'"]
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
