"""HTML that a notebook shows of our objects: a panel of facts, a picture beside them, a table below.

All of it is made here, and every text is escaped here: titles, reasons and names of files come from data. There is no
script, no style sheet and no address in it. What is shown of which object stands at the object (`_repr_html_`) and in
`twin_model/desk/shown.py`; the picture comes from `twin_model/desk/thumbnail.py`.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["checked_color", "cut_short", "listed_short", "panel", "rows_table"]

_COLOR = re.compile(r"#[0-9a-fA-F]{3,8}")
_LABEL = (
    "text-align:left;font-weight:normal;opacity:.65;padding:1px 12px 1px 0;vertical-align:baseline;white-space:nowrap"
)
_VALUE = "text-align:left;padding:1px 0;vertical-align:baseline"
_CELL = "text-align:left;padding:2px 10px 2px 0;vertical-align:baseline"
_SWATCH = "display:inline-block;width:.75em;height:.75em;margin-right:.5em;border:1px solid #0003"


def panel(heading: str, facts: Iterable[tuple[str, str]] = (), *, picture: str = "", below: str = "") -> str:
    """Return a heading over rows of label and value; `picture` and `below` are HTML made here or in the thumbnail."""
    rows = "".join(
        f'<tr style="background:none"><th style="{_LABEL}">{escape(label)}</th><td style="{_VALUE}">{escape(value)}</td></tr>'
        for label, value in facts
    )
    listed = (
        f'<table style="border:none;font-size:inherit;margin:0;border-collapse:collapse">{rows}</table>' if rows else ""
    )
    beside = f'<div style="flex:none">{picture}</div>' if picture else ""
    return (
        '<div style="font-size:13px;line-height:1.45;margin:2px 0 8px">'
        f'<div style="font-weight:600;font-size:15px;margin-bottom:4px">{escape(heading)}</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:20px;align-items:flex-start"><div>{listed}</div>{beside}</div>'
        f"{below}</div>"
    )


def rows_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, colors: Sequence[str] = ()) -> str:
    """Return a table of texts; `colors`, one a row, put a square of that colour before the first cell."""
    head = "".join(
        f'<th style="{_CELL};opacity:.65;font-weight:normal;white-space:nowrap">{escape(name)}</th>' for name in columns
    )
    body = []
    for number, row in enumerate(rows):
        color = checked_color(colors[number]) if number < len(colors) else ""
        square = f'<span style="{_SWATCH};background:{color}"></span>' if color else ""
        cells = "".join(
            f'<td style="{_CELL}">{"" if place else square}{escape(text)}</td>' for place, text in enumerate(row)
        )
        body.append(f"<tr>{cells}</tr>")
    return (
        '<table style="border:none;font-size:inherit;margin-top:6px;border-collapse:collapse">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def checked_color(value: object) -> str:
    """Return a colour of a catalogue, "#rrggbb" and the like; an empty text for anything else."""
    return value if isinstance(value, str) and _COLOR.fullmatch(value) else ""


def cut_short(text: str, length: int) -> str:
    """Return a text of at most `length` characters; one that is cut ends in "…".

    >>> cut_short("Terminal building", 9)
    'Terminal…'
    """
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def listed_short(texts: Sequence[str], length: int) -> str:
    """Return texts with semicolons between them, as many as fit into `length` characters; "…" stands for the rest.

    >>> listed_short(["JS 给水", "PS 排水", "RQ 燃气"], 16)
    'JS 给水; PS 排水; …'
    """
    shown = "; ".join(texts)
    while len(shown) > length and texts:
        texts = texts[:-1]
        shown = "; ".join((*texts, "…"))
    return shown
