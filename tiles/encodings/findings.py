"""Findings as a CSV table to send back to a survey office: what is wrong, where, and what to do, in its own language."""

import csv
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tiles.encodings.finding_rows import FindingRow, rule_title
from twin_model.formula_text import escape_formula
from twin_model.messages import render

__all__ = ["write_findings"]

_COLUMNS = (
    "severity",
    "rule",
    "layer",
    "source",
    "place",
    "message",
    "north",
    "east",
    "raw",
    "number",
    "sheet",
    "class",
    "status",
)


def write_findings(rows: Iterable[FindingRow], path: Path, lang: str) -> int:
    """Write findings as CSV and return how many; the file appears whole. "-" is the standard output.

    A file is UTF-8 with BOM, so that spreadsheets read Chinese. Coordinates are the town's, in a surveyor's order: X north, Y east.
    """
    written = 0
    with _opened(path) as file:
        table = csv.writer(file)
        table.writerow([render(f"cli.csv_{name}", lang, {}) for name in _COLUMNS])
        for row in rows:
            table.writerow([escape_formula(cell) for cell in _cells(row, lang)])
            written += 1
    return written


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if str(path) == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8-sig", newline="") as file:
        yield file
    part.replace(path)


def _cells(row: FindingRow, lang: str) -> tuple[str, ...]:
    place = ("", "") if row.point is None else (f"{row.point[1]:.3f}", f"{row.point[0]:.3f}")
    return (
        render(f"cli.severity_{row.severity}", lang, {}),
        rule_title(row.rule, lang),
        row.layer_title,
        row.source,
        row.place,
        row.text,
        *place,
        row.raw,
        row.number,
        row.sheet,
        row.error_class,
        render(f"cli.status_{row.status}", lang, {}),
    )
