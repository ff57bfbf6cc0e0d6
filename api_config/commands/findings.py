"""`twin findings`: what is wrong in the town, chosen, grouped by rule, and written for the survey office."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click
import shapely
from shapely.geometry.base import BaseGeometry

from api_config.commands.classified import classified_option, ensure_findings_may_leave, marked_path
from api_config.commands.context import CommandContext, command, help_text
from api_config.commands.localized import verb
from api_config.commands.reports import (
    group_lines,
    layer_namer,
    map_sheets,
    report_heading,
    text_with_source,
    write_form,
)
from tiles.encodings.finding_report import FindingReport, row_dict
from tiles.encodings.finding_rows import SEVERITIES, FindingRow, by_rule, rows_of_frame
from tiles.encodings.findings import write_findings
from twin_model.classification import Marking
from twin_model.errors import QueryRefused
from twin_model.filter import parse_filter
from twin_model.messages import messages, render
from twin_model.query_area import box_area
from twin_model.store.base import FeatureQuery
from twin_model.view import View

__all__ = ["findings_command"]

_LISTED = 20
"""Up to so many findings are listed one by one; more are grouped by rule."""
_LONGEST_RADIUS = 1_000_000.0
_STATUSES = ("open", "corrected", "confirmed")


class WordChoice(click.Choice[str]):
    """One of some ids by the id or by its Chinese word; the id is what the command gets."""

    def __init__(self, area: str, ids: Sequence[str]) -> None:
        self._ids = {render(f"{area}{name}", "zh", {}): name for name in ids}
        super().__init__([*ids, *self._ids])

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> str:
        chosen = super().convert(value, param, context)
        return self._ids.get(chosen, chosen)


@dataclass(frozen=True)
class FindingChoice:
    """Which findings are asked for; `source` may hold `*`, `rule` may be the first part of one ("survey").

    `bbox` is min east, min north, max east, max north, `near` east, north, radius: metres in the storage CRS.
    """

    severity: str | None = None
    layer: str | None = None
    status: str | None = None
    source: str | None = None
    rule: str | None = None
    bbox: str | None = None
    near: str | None = None
    sheet: str | None = None


def findings_command(lang: str) -> click.Command:
    @verb("findings", lang)
    @click.option("--source", metavar="FILE", help=help_text("findings_source", lang))
    @click.option("--rule", metavar="RULE", help=help_text("findings_rule", lang))
    @click.option("--layer", metavar="LAYER", help=help_text("findings_layer", lang))
    @click.option("--severity", type=WordChoice("cli.severity_", SEVERITIES), help=help_text("findings_severity", lang))
    @click.option("--status", type=WordChoice("cli.status_", _STATUSES), help=help_text("findings_status", lang))
    @click.option("--bbox", metavar="E,N,E,N", help=help_text("findings_bbox", lang))
    @click.option("--near", metavar="E,N,R", help=help_text("findings_near", lang))
    @click.option("--sheet", metavar="NUMBER", help=help_text("findings_sheet", lang))
    @click.option("--datetime", "--at", "datetime", help=help_text("datetime", lang))
    @click.option("--recorded", "--as-known", "recorded", help=help_text("recorded", lang))
    @click.option("--group", is_flag=True, help=help_text("findings_group", lang))
    @click.option("--limit", type=click.IntRange(1), help=help_text("findings_limit", lang))
    @click.option(
        "--csv", "table", metavar="FILE", type=click.Path(path_type=Path), help=help_text("findings_csv", lang)
    )
    @click.option(
        "--xlsx", "form", metavar="FILE", type=click.Path(path_type=Path), help=help_text("findings_xlsx", lang)
    )
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @classified_option(lang)
    @command
    def findings(
        context: CommandContext,
        datetime: str | None,
        recorded: str | None,
        group: bool,
        limit: int | None,
        table: Path | None,
        form: Path | None,
        as_json: bool,
        classified_ok: bool,
        **asked: Any,
    ) -> None:
        view, choice = context.town.view(datetime, recorded), FindingChoice(**asked)
        rows = _chosen_rows(context, view, choice)
        if table is not None or form is not None:
            layer = choice.layer or "finding"
            marking = context.town.marking(context.town.catalogue[layer])
            ensure_findings_may_leave(layer, marking, classified_ok)
            _write(context, list(rows), table, form, marking)
        elif as_json:
            chosen = list(rows)
            context.json(_groups(chosen) if group else [row_dict(row) for row in chosen[:limit]])
        else:
            _print(context, list(rows), group=group, limit=limit)

    return findings


def _chosen_rows(context: CommandContext, view: View, choice: FindingChoice) -> Iterator[FindingRow]:
    """Return the findings asked for, in the order they were stored; a choice that cannot be met is refused."""
    if choice.layer is not None:
        context.town.catalogue[choice.layer]
    if choice.rule is not None:
        _ensure_known_rule(choice.rule)
    area = _area(context, view, choice)
    names = {"severity": choice.severity, "layer": choice.layer, "status": choice.status}
    wanted = [{"op": "=", "args": [{"property": name}, value]} for name, value in names.items() if value]
    where = (
        parse_filter({"op": "and", "args": wanted} if len(wanted) > 1 else wanted[0], lang="cql2-json")
        if wanted
        else None
    )
    box = None if area is None else tuple(map(float, area.bounds))
    query = FeatureQuery("finding", view=view, where=where, bbox=box)  # type: ignore[arg-type]
    rows = rows_of_frame(
        context.town.store.frames(query), context.lang, map_sheets(context, view), layer_namer(context)
    )
    chosen = (row for row in rows if _is_in(row, area) and _has_rule(row, choice.rule))
    return _of_source(chosen, choice.source)


def _ensure_known_rule(rule: str) -> None:
    rules = sorted(messages("en"))
    if rule not in rules and not any(name.startswith(f"{rule}.") for name in rules):
        areas = sorted({name.split(".")[0] for name in rules})
        raise QueryRefused(
            "findings.rule_unknown", value=rule, nearest=get_close_matches(rule, [*rules, *areas], 3, 0.4)
        )


def _has_rule(row: FindingRow, rule: str | None) -> bool:
    return rule is None or row.rule == rule or row.rule.startswith(f"{rule}.")


def _is_in(row: FindingRow, area: BaseGeometry | None) -> bool:
    return area is None or (row.point is not None and bool(shapely.intersects(area, shapely.Point(row.point))))


def _of_source(rows: Iterator[FindingRow], source: str | None) -> Iterator[FindingRow]:
    """Return the rows of a source; that there is none such is refused with the nearest, for it is mostly a slip."""
    if source is None:
        return rows
    every = list(rows)
    chosen = [row for row in every if row.source == source or fnmatchcase(row.source, source)]
    if not chosen and every:
        names = sorted({row.source for row in every})
        raise QueryRefused(
            "findings.source_unknown", value=source, nearest=get_close_matches(source, names, 3, 0.0) or names[:3]
        )
    return iter(chosen)


def _area(context: CommandContext, view: View, choice: FindingChoice) -> BaseGeometry | None:
    """Return where findings are asked for, in the storage CRS: all that is given has to hold; None is everywhere."""
    areas = []
    if choice.bbox is not None:
        areas.append(box_area(_numbers(choice.bbox), context.town.store.crs))
    if choice.near is not None:
        areas.append(_circle(choice.near))
    if choice.sheet is not None:
        areas.append(_sheet_area(context, view, choice.sheet))
    return shapely.intersection_all(areas) if areas else None


def _numbers(value: str) -> list[float]:
    try:
        return [float(part) for part in value.replace("，", ",").split(",")]
    except ValueError as error:
        raise QueryRefused("query.bbox", value=value[:100], cause="not numbers") from error


def _circle(value: str) -> BaseGeometry:
    try:
        east, north, radius = (float(part) for part in value.replace("，", ",").split(","))
    except ValueError as error:
        raise QueryRefused("findings.near", value=value[:100]) from error
    if not (0 <= radius <= _LONGEST_RADIUS and abs(east) < 1e9 and abs(north) < 1e9):
        raise QueryRefused("findings.near", value=value[:100])
    return shapely.Point(east, north).buffer(radius, quad_segs=64)


def _sheet_area(context: CommandContext, view: View, number: str) -> BaseGeometry:
    sheets = context.town.store.features(FeatureQuery("map_sheet", view=view, fields=("number",)))
    area = sheets.geometry[sheets["number"] == number]
    if not len(area):
        known = [str(name) for name in sheets["number"] if name]
        raise QueryRefused("findings.sheet_unknown", value=number, nearest=get_close_matches(number, known, 3, 0.0))
    return shapely.union_all(area.to_numpy())


def _write(
    context: CommandContext, rows: list[FindingRow], table: Path | None, form: Path | None, marking: Marking
) -> None:
    if form is not None:
        form, heading = marked_path(form, marking), report_heading(context, context.town, context.town.store.crs)
        report = FindingReport(heading, rows, context.lang, marking=marking.text(context.lang))
        context.tell("cli.findings_written", written=write_form(report, form), path=str(form))
    if table is not None:
        table = table if str(table) == "-" else marked_path(table, marking)
        written = write_findings(rows, table, context.lang)
        if str(table) != "-":
            context.tell("cli.findings_written", written=written, path=str(table))


def _groups(rows: list[FindingRow]) -> list[dict[str, Any]]:
    """Return for JSON how many findings there are of each rule and layer, with the first."""
    return [
        {"rule": group[0].rule, "severity": group[0].severity, "layer": group[0].layer or None, "count": len(group),
         "first": [row_dict(row) for row in group[:3]]}
        for group in by_rule(rows)
    ]  # fmt: skip


def _print(context: CommandContext, rows: list[FindingRow], *, group: bool, limit: int | None) -> None:
    if group or (limit is None and len(rows) > _LISTED):
        for line in group_lines(rows, context.lang, with_source=True):
            context.out.print(line, highlight=False, markup=False, soft_wrap=True)
        context.tell("report.grouped", total=len(rows), groups=len(by_rule(rows)))
        return
    for row in rows[:limit]:
        context.out.print(_finding_line(row, context), highlight=False, markup=False, soft_wrap=True)
    if limit is not None and len(rows) > limit:
        context.tell("cli.findings_more", total=len(rows), shown=limit)


def _finding_line(row: FindingRow, context: CommandContext) -> str:
    """Return a finding in one line, with its X and Y; its source is named once."""
    text = text_with_source(row, context.lang)
    place = "" if row.point is None else f"  X {row.point[1]:.3f}  Y {row.point[0]:.3f}"
    return f"{context.say('cli.severity_' + row.severity):<7} {text}{place}"
