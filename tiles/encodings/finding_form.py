"""The form in which findings go back to an office: 质量检查意见表 as XLSX, with blank columns for its reply."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tiles.encodings.finding_report import FindingReport
from tiles.encodings.finding_rows import FindingRow, split_remedy
from tiles.encodings.xlsx import Column, Sheet, write_workbook
from twin_model.messages import render

__all__ = ["FORM_COLUMNS", "write_finding_form"]

FORM_COLUMNS = (
    ("no", 6.0, "0", False),
    ("number", 16.0, "General", True),
    ("sheet", 14.0, "General", False),
    ("x", 14.0, "0.000", False),
    ("y", 14.0, "0.000", False),
    ("problem", 48.0, "General", True),
    ("class", 9.0, "General", False),
    ("opinion", 36.0, "General", True),
    ("inspector", 10.0, "General", False),
    ("date", 13.0, "General", False),
    ("review", 12.0, "General", False),
)
"""Key of the title (`report.column_*` in the messages), width, format of numbers, whether long texts wrap."""
_NAMED_FILES = 3
_SOURCE_COLUMNS = (("source", 36.0), ("kind", 14.0), ("read", 9.0), ("stored", 9.0), ("set_aside", 9.0), ("refusal", 70.0))  # fmt: skip


def write_finding_form(report: FindingReport, path: Path) -> int:
    """Write the form and a second sheet with the sources looked at; return how many findings it lists.

    X is north and Y is east, as survey tables have them.
    """
    say = partial(render, lang=report.lang, values={})
    form = Sheet(
        say("report.form_name"),
        say("report.form_title"),
        [Column(say(f"report.column_{key}"), width, shown, wraps) for key, width, shown, wraps in FORM_COLUMNS],
        list(_form_rows(report)),
        _heading(report),
        [say("report.class_note"), render("report.signatures", report.lang, {})],
        say("report.pages"),
    )
    sources = Sheet(
        say("report.sources_name"),
        say("report.sources_title"),
        [Column(say(f"report.column_{key}"), width, "0", width > 30) for key, width in _SOURCE_COLUMNS],
        [(line.source, line.kind, line.read, line.stored, line.quarantined, line.refusal) for line in report.sources],
        _heading(report),
        pages=say("report.pages"),
    )
    write_workbook(path, [form, sources] if report.sources else [form])
    return len(report.rows)


def _heading(report: FindingReport) -> list[str]:
    heading = report.heading
    names = list(dict.fromkeys([line.source for line in report.sources] or [row.source for row in report.rows]))
    values = {"first": names[:_NAMED_FILES], "count": len(names)}
    files = render("report.files" if len(names) > _NAMED_FILES else "report.all_files", report.lang, values)
    return [
        *filter(None, [report.marking]),
        render("report.project_line", report.lang, {"project": heading.project, "office": heading.office}),
        render("report.file_line", report.lang, {"files": files}),
        render("report.crs_line", report.lang, {"crs": heading.crs, "heights": heading.heights}),
    ]


def _form_rows(report: FindingReport) -> Iterator[tuple[Any, ...]]:
    many = len({row.source for row in report.rows}) > 1
    for number, row in enumerate(report.rows, 1):
        problem, opinion = split_remedy(row.text, report.lang)
        east, north = row.point or (None, None)
        yield (
            number,
            row.number or row.place,
            row.sheet,
            north,
            east,
            _with_source(row, problem, report.lang) if many else problem,
            row.error_class,
            opinion,
            report.heading.inspector,
            report.heading.date,
            "",
        )


def _with_source(row: FindingRow, problem: str, lang: str) -> str:
    """Return the problem behind the name of its file, unless it names it."""
    if not row.source or row.source in problem:
        return problem
    return render("cli.pair", lang, {"name": row.source, "value": problem})
