"""Reports of `twin check` and `twin ingest`: every finding of the sources, as the ending of each `--report` says.

Here: outcomes -> `FindingReport`, and its words on the terminal. The formats stand in `tiles/encodings`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import orjson

from api_config.commands.context import CommandContext, help_text
from api_config.delivery import Outcome
from api_config.settings import user_name
from tiles.encodings.finding_page import write_finding_page
from tiles.encodings.finding_report import FindingReport, ReportHeading, SourceLine, report_json
from tiles.encodings.finding_rows import FindingRow, Sheets, by_rule, refusal_row, row_of
from tiles.encodings.findings import write_findings
from twin_model.crs import crs_code
from twin_model.errors import CalledWrongly
from twin_model.messages import render
from twin_model.messages.crs_names import system_name
from twin_model.messages.values import title_of_layer
from twin_model.store.base import FeatureQuery
from twin_model.town import Town
from twin_model.view import View

__all__ = [
    "REPORT_WRITERS",
    "ensure_known_endings",
    "group_lines",
    "layer_namer",
    "map_sheets",
    "outcome_rows",
    "place_in_words",
    "report_heading",
    "report_option",
    "text_with_source",
    "wants_map",
    "write_form",
    "write_reports",
]

_FIRST_PLACES = 3
_OF_LAYERS = (
    "vector.layer_left_out", "vector.table_left_out", "vector.layer_without_crs", "vector.layer_without_crs_elsewhere",
    "vector.layer_unreadable",
)  # fmt: skip
"""Findings whose place is a layer: every one of them is named, because nothing of it was read."""


def report_option(lang: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the decorator that gives a verb `--report FILE`, as often as one likes."""
    return click.option(
        "--report", "reports", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
        help=help_text("report", lang),
    )  # fmt: skip


def _write_text(report: FindingReport, path: Path) -> int:
    lines = [line for source in report.sources for line in _source_lines(report, source)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return len(report.rows)


def _source_lines(report: FindingReport, source: SourceLine) -> list[str]:
    rows = [row for row in report.rows if row.source == source.source]
    return [source.source, *(f"  {line}" for line in group_lines(rows, report.lang, places=None))]


def _write_json(report: FindingReport, path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(report_json(report), option=orjson.OPT_INDENT_2, default=str))
    return len(report.rows)


def _write_csv(report: FindingReport, path: Path) -> int:
    return write_findings(report.rows, path, report.lang)


def write_form(report: FindingReport, path: Path) -> int:
    """Write the form of an office and return how many findings it lists; openpyxl is loaded when it is needed."""
    from tiles.encodings.finding_form import write_finding_form

    return write_finding_form(report, path)


REPORT_WRITERS: Mapping[str, Callable[[FindingReport, Path], int]] = {
    ".txt": _write_text,
    ".json": _write_json,
    ".csv": _write_csv,
    ".html": write_finding_page,
    ".xlsx": write_form,
}
"""What writes a report, by the ending of its file."""


def ensure_known_endings(reports: Iterable[Path]) -> None:
    """Refuse a report that could not be written before the first source is read."""
    for path in reports:
        if path.suffix.lower() not in REPORT_WRITERS:
            raise CalledWrongly("findings.ending", value=path.name, expected=list(REPORT_WRITERS))


def wants_map(reports: Iterable[Path]) -> bool:
    """Return whether a report shows what was read, and not only the findings."""
    return any(path.suffix.lower() == ".html" for path in reports)


def write_reports(
    context: CommandContext, outcomes: Sequence[Outcome], reports: Sequence[Path], *, crs: str, quiet: bool = False
) -> None:
    """Write each report by its ending and unless `quiet` say so; `crs` is the system of the findings' places."""
    if not reports:
        return
    town = context.town if context.has_town else None
    sheets = map_sheets(context)
    rows = [row for outcome in outcomes for row in outcome_rows(context, outcome, sheets)]
    report = FindingReport(
        report_heading(context, town, crs),
        rows,
        context.lang,
        [_source_line(context, outcome) for outcome in outcomes],
        [shape for outcome in outcomes for shape in outcome.shapes],
        sum(outcome.shapes_left_out for outcome in outcomes),
    )
    for path in reports:
        written = REPORT_WRITERS[path.suffix.lower()](report, path)
        if not quiet:
            context.tell("report.written", written=written, path=str(path))


def report_heading(context: CommandContext, town: Town | None, crs: str) -> ReportHeading:
    """Return what stands above the findings of a town, or without one of the sources alone."""
    today = datetime.now(ZoneInfo(town.settings.timezone) if town else None)
    return ReportHeading(
        project=town.settings.name(context.lang) if town else "",
        office="",
        crs=system_name(crs_code(crs), context.lang),
        heights=town.settings.height_datum if town else "",
        inspector=user_name(context.settings),
        date=context.say("report.date", year=today.year, month=today.month, day=today.day),
    )


def _source_line(context: CommandContext, outcome: Outcome) -> SourceLine:
    read, stored, quarantined = (outcome.counts.get(name, 0) for name in ("read", "stored", "quarantined"))
    kind = context.say("cli.summary_of_kind", kind=outcome.kind) if outcome.kind else ""
    refusal = outcome.error.text(context.lang) if outcome.error else ""
    return SourceLine(outcome.source, kind, read, stored, quarantined, refusal)


def outcome_rows(context: CommandContext, outcome: Outcome, sheets: Sheets | None = None) -> list[FindingRow]:
    """Return every finding of a source in words, its refusal first, then the worst."""
    layer_name = layer_namer(context)
    refused = [refusal_row(outcome.error, context.lang, source=outcome.source)] if outcome.error else []
    rows = (
        row_of(finding, context.lang, source=outcome.source, sheets=sheets, layer_name=layer_name)
        for finding in outcome.findings
    )
    return [*refused, *(row for group in by_rule(rows) for row in group)]


def layer_namer(context: CommandContext) -> Callable[[str], str]:
    """Return how output names a layer; without a town Chinese has the titles of the house's own."""
    if context.lang != "zh":
        return str
    if not context.has_town:
        return lambda layer: title_of_layer(layer) or layer
    catalogue = context.town.catalogue
    return lambda layer: catalogue[layer].name_in("zh") if layer in catalogue else layer


def map_sheets(context: CommandContext, view: View | None = None) -> Sheets:
    """Return the map sheets of the town, none without one."""
    if not context.has_town or "map_sheet" not in context.town.catalogue:
        return Sheets()
    query = FeatureQuery("map_sheet", view=view or View(), fields=("number",))
    return Sheets(context.town.store.features(query))


def group_lines(
    rows: Iterable[FindingRow], lang: str, *, places: int | None = _FIRST_PLACES, with_source: bool = False
) -> list[str]:
    """Return findings as lines, those of one rule and layer together: the first in full, then how many and where.

    `places` is how many places are named, None for all of them; `with_source` names the files, too.
    """
    lines = []
    for group in by_rule(rows):
        first = group[0]
        severity = render(f"cli.severity_{first.severity}", lang, {})
        lines.append(f"{severity:<7} {text_with_source(first, lang) if with_source else first.text}")
        if len(group) > 1:
            several = with_source and len({row.source for row in group}) > 1
            words = (f"{row.source} {place_in_words(row)}".strip() if several else place_in_words(row) for row in group)
            named = [place for place in dict.fromkeys(words) if place]
            most = None if first.rule in _OF_LAYERS else places
            rule = "alike_more" if most is not None and len(named) > most else "alike"
            values = {"count": len(group), "rule": first.rule, "places": named[:most]}
            lines.append(f"        {render(f'report.{rule}', lang, values)}")
    return lines


def text_with_source(row: FindingRow, lang: str) -> str:
    """Return what is wrong behind the name of its file, which is named once."""
    if not row.source or row.text.startswith(row.source):
        return row.text
    return render("cli.pair", lang, {"name": row.source, "value": row.text})


def place_in_words(row: FindingRow) -> str:
    """Return the shortest words for where a finding is: its row or handle, else its number, else X and Y."""
    if row.place or row.number:
        return row.place or row.number
    return "" if row.point is None else f"X {row.point[1]:.3f} Y {row.point[0]:.3f}"
