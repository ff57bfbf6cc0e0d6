"""`twin ingest` and `twin check`: sources in, changesets and findings out."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from api_config.commands.context import CommandContext, clean_stdout, command, help_text
from api_config.commands.localized import verb
from api_config.commands.read_limits import read_limits, read_scope
from api_config.commands.reports import (
    ensure_known_endings,
    group_lines,
    layer_namer,
    outcome_rows,
    report_option,
    wants_map,
    write_reports,
)
from api_config.delivery import Delivery, Outcome, deliver, inspect, inspection_crs
from api_config.settings import user_name
from ingest.draft import ReadOptions
from ingest.encoding import ensure_encoding
from ingest.mapping import read_mapping
from tiles.encodings.finding_report import row_dict
from tiles.encodings.finding_rows import FindingRow, short_reason
from twin_model.crs import crs_code
from twin_model.errors import CalledWrongly
from twin_model.local_grid import LOCAL
from twin_model.messages import render
from twin_model.temporal import parse_instant
from twin_model.visible_text import visible

__all__ = ["ProgressReporter", "check_command", "ingest_command", "print_outcomes"]

_SHOWN = 5
"""So many files of an ending are named."""
_SUMMED_UP = 3
"""From so many sources on a table at the end says what became of each."""
_MADE_A_LAYER = ("vector.own_layer", "vector.other_structure")


class ProgressReporter:
    """Shows a delivery on the terminal: which source, how many records, what is being done."""

    def __init__(self, progress: Progress, lang: str) -> None:
        self._progress, self._lang = progress, lang
        self._sources = progress.add_task("", total=None)
        self._records = 0
        self._name = ""
        self._passed_over: list[tuple[str, Mapping[str, list[str]]]] = []

    def source(self, name: str, number: int, total: int) -> None:
        self._name, self._records = escape(visible(name)), 0
        self._progress.update(self._sources, description=self._name, total=total, completed=number - 1)

    def read(self, records: int) -> None:
        self._records += records
        self._progress.update(self._sources, description=f"{self._name}  {self._records:,}")

    def stage(self, name: str) -> None:
        label = render({"read": "cli.reading", "commit": "cli.storing"}[name], self._lang, {})
        self._progress.update(self._sources, description=f"{self._name}  {self._records:,}  {label}")

    def passed_over(self, folder: str, names: Mapping[str, list[str]]) -> None:
        self._passed_over.append((folder, names))

    def print_passed_over(self, context: CommandContext) -> None:
        """Say which files of folders no reader goes by, beside the answer: some of each ending by name."""
        for folder, names in self._passed_over:
            endings = [
                f"{ending} {len(files)} ({', '.join([*files[:_SHOWN], *(['…'] if len(files) > _SHOWN else [])])})"
                for ending, files in names.items()
            ]
            count = sum(map(len, names.values()))
            text = context.say("cli.passed_over", folder=folder, count=count, endings=endings)
            context.err.print(text, highlight=False, markup=False, soft_wrap=True)


def progress_bar(context: CommandContext) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Not what rich takes for a terminal: FORCE_COLOR, as notebooks set it, makes no terminal of a pipe.
    return Progress(*columns, console=context.err, transient=True, disable=not sys.stderr.isatty())


def _reading_options(lang: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what gives a verb the options of how sources are read."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(
            (
                click.option("--as", "kind", metavar="KIND", help=help_text("ingest_as", lang)),
                click.option("--mapping", type=click.Path(path_type=Path), help=help_text("ingest_mapping", lang)),
                click.option("--crs", metavar="EPSG:n|local:NAME", help=help_text("ingest_crs", lang)),
                click.option("--crs-wins", is_flag=True, help=help_text("ingest_crs_wins", lang)),
                click.option("--encoding", metavar="NAME", help=help_text("ingest_encoding", lang)),
                click.option("--jobs", type=click.IntRange(0), metavar="N", help=help_text("ingest_jobs", lang)),
                click.option("--memory", type=click.IntRange(1), metavar="MIB", help=help_text("ingest_memory", lang)),
                click.option("--seconds", type=click.IntRange(1), metavar="N", help=help_text("ingest_seconds", lang)),
                click.option("--strict", is_flag=True, help=help_text("ingest_strict", lang)),
                click.option("--json", "as_json", is_flag=True, help=help_text("json", lang)),
            )
        ):
            function = option(function)
        return function

    return decorate


def ingest_command(lang: str) -> click.Command:
    @verb("ingest", lang)
    @click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
    @_reading_options(lang)
    @click.option("--effective", metavar="DATE", help=help_text("ingest_effective", lang))
    @click.option("--reason", default="", help=help_text("ingest_reason", lang))
    @click.option("--scope", default="seen", metavar="seen|sheet|layer|FILE", help=help_text("ingest_scope", lang))
    @click.option("--blank", multiple=True, metavar="COLUMN", help=help_text("ingest_blank", lang))
    @click.option("--accept-removals", is_flag=True, help=help_text("ingest_removals", lang))
    @click.option("--fail-fast/--keep-going", default=False, help=help_text("ingest_fail_fast", lang))
    @click.option("--learn", is_flag=True, help=help_text("ingest_learn", lang))
    @click.option("--again", is_flag=True, help=help_text("ingest_again", lang))
    @click.option("--dry-run", is_flag=True, help=help_text("ingest_dry", lang))
    @report_option(lang)
    @command
    def ingest(
        context: CommandContext,
        paths: tuple[Path, ...],
        effective: str | None,
        reason: str,
        scope: str,
        blank: tuple[str, ...],
        accept_removals: bool,
        fail_fast: bool,
        again: bool,
        learn: bool,
        dry_run: bool,
        reports: tuple[Path, ...],
        strict: bool,
        as_json: bool,
        **reading: Any,
    ) -> int:
        ensure_known_endings(reports)
        options, limits = _options(context, effective=effective, **reading), read_limits(context.settings, **reading)
        reach, area = read_scope(scope, limits, storage_crs=context.town.store.crs, crs=_of_scope(options))
        with clean_stdout(), progress_bar(context) as progress:
            reporter = ProgressReporter(progress, context.lang)
            delivery = Delivery(
                options,
                user_name(context.settings),
                reason,
                dry_run,
                reach,
                area,
                accept_removals,
                fail_fast,
                again,
                learn,
                with_shapes=wants_map(reports),
                blank=blank,
            )
            outcomes = deliver(context.town, list(paths), delivery, reporter, limits)
        print_outcomes(context, outcomes, as_json=as_json, reported=bool(reports))
        reporter.print_passed_over(context)
        write_reports(context, outcomes, reports, crs=context.town.store.crs, quiet=as_json)
        return exit_code(outcomes, strict=strict)

    return ingest


def check_command(lang: str) -> click.Command:
    @verb("check", lang)
    @click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
    @_reading_options(lang)
    @report_option(lang)
    @command
    def check(
        context: CommandContext,
        paths: tuple[Path, ...],
        reports: tuple[Path, ...],
        strict: bool,
        as_json: bool,
        **reading: Any,
    ) -> int:
        ensure_known_endings(reports)
        town = context.town if context.has_town else None
        options, limits = _options(context, **reading), read_limits(context.settings, **reading)
        with clean_stdout(), progress_bar(context) as progress:
            reporter = ProgressReporter(progress, context.lang)
            outcomes = inspect(town, list(paths), options, reporter, limits, with_shapes=wants_map(reports))
        print_outcomes(context, outcomes, as_json=as_json, reported=bool(reports))
        reporter.print_passed_over(context)
        write_reports(context, outcomes, reports, crs=inspection_crs(town, options), quiet=as_json)
        return exit_code(outcomes, strict=strict)

    return check


def _options(
    context: CommandContext,
    *,
    kind: str | None,
    mapping: Path | None,
    crs: str | None,
    encoding: str | None,
    effective: str | None = None,
    crs_wins: bool = False,
    **_: Any,
) -> ReadOptions:
    if crs_wins and not crs:
        raise CalledWrongly("source.crs_wins_alone")
    return ReadOptions(
        kind=kind,
        mapping=read_mapping(mapping) if mapping else None,
        crs=crs if crs is None or crs.startswith(LOCAL) else crs_code(crs),
        crs_wins=crs_wins,
        effective=parse_instant(effective)[0] if effective else None,
        encoding=ensure_encoding(encoding) if encoding else None,
    )


def _of_scope(options: ReadOptions) -> str | None:
    """Return the CRS of a scope's file that states none; a local grid is none, for it needs its transformation."""
    return None if options.crs is None or options.crs.startswith(LOCAL) else options.crs


def exit_code(outcomes: list[Outcome], *, strict: bool) -> int:
    """0 done, also with findings; 1 when a file was refused, or under `--strict` when a finding is an error."""
    refused = any(outcome.error is not None for outcome in outcomes)
    errors = any(finding.severity == "error" for outcome in outcomes for finding in outcome.findings)
    return int(refused or (strict and errors))


def print_outcomes(
    context: CommandContext, outcomes: list[Outcome], *, as_json: bool = False, reported: bool = False
) -> None:
    """Print what became of each source, in their order; with `reported` a report lists every finding."""
    if as_json:
        context.json([_as_dict(outcome, context) for outcome in outcomes])
        return
    for outcome in outcomes:
        if outcome.error is not None:
            context.out.file.flush()  # a refusal stands among the results in their order, where both go to one place
            context.print_error(outcome.error)
        else:
            for line in (_line(outcome, context), *_remarks(outcome, context)):
                context.out.print(line, highlight=False, markup=False, soft_wrap=True)
        _print_findings(context, outcome, reported=reported)
    if len(outcomes) >= _SUMMED_UP:
        _print_summary(outcomes, context)


def _print_summary(outcomes: list[Outcome], context: CommandContext) -> None:
    """Print what became of each source as a table, and what is to be done about it."""
    refused = sum(outcome.error is not None for outcome in outcomes)
    unchanged = sum(outcome.already is not None and outcome.error is None for outcome in outcomes)
    counts = {"sources": len(outcomes), "refused": refused, "unchanged": unchanged}
    checked = all(outcome.version is None and outcome.already is None for outcome in outcomes)
    title = context.say(
        "cli.checked_title" if checked else "cli.summary_title", stored=len(outcomes) - refused - unchanged, **counts
    )
    table = Table(box=SIMPLE_HEAD)
    for name in ("file", "kind", "layers", "read", "stored", "quarantined", "seconds", "todo"):
        numeric = name in ("read", "stored", "quarantined", "seconds")
        word = "report.column_stored" if checked and name == "stored" else f"cli.summary_{name}"
        table.add_column(context.say(word), justify="right" if numeric else "left", overflow="fold")
    for outcome in outcomes:
        numbers = [str(outcome.counts.get(name, "")) for name in ("read", "stored", "quarantined")]
        layers = [_name(context, name) for name, count in outcome.counts.get("features", {}).items() if count]
        seconds = f"{outcome.seconds:.1f}"
        table.add_row(
            escape(outcome.source),
            context.say("cli.summary_of_kind", kind=outcome.kind),
            ("、" if context.lang == "zh" else ", ").join(layers),
            *numbers,
            seconds,
            _to_do(outcome, context),
        )
    context.out.print(title, style="bold", highlight=False, markup=False, soft_wrap=True)
    context.out.print(table)


def _to_do(outcome: Outcome, context: CommandContext) -> str:
    """Return in a few words what is to be done about a source; nothing where all is well."""
    if outcome.error is not None:
        reason = short_reason(outcome.error.text(context.lang), outcome.source, context.lang)
        return context.say("cli.summary_refused", reason=reason)
    if outcome.already is not None:
        return context.say("cli.summary_already", version=outcome.already)
    quarantined = outcome.counts.get("quarantined", 0)
    return context.say("cli.summary_correct", quarantined=quarantined) if quarantined else ""


def _print_findings(context: CommandContext, outcome: Outcome, *, reported: bool) -> None:
    """Print the findings, those of one rule together, and where each of them is listed."""
    rows = _finding_rows(context, outcome)
    answers = [row for row in rows if row.rule in _MADE_A_LAYER]
    others = [row for row in rows if row.rule not in _MADE_A_LAYER]
    for line in group_lines(answers, context.lang) + group_lines(others, context.lang):
        context.out.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    if not reported and _are_grouped(rows):
        stored = outcome.version is not None and outcome.version.made
        values = {"source": outcome.source, "count": len(rows)}
        context.out.print(
            "  " + context.say("report.all_stored" if stored else "report.all_checked", **values),
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _finding_rows(context: CommandContext, outcome: Outcome) -> list[FindingRow]:
    """Return the findings of a source without its refusal, which is told by itself."""
    return outcome_rows(context, outcome)[int(outcome.error is not None) :]


def _are_grouped(rows: list[FindingRow]) -> bool:
    """Return whether some findings are told by their number and first places alone."""
    return max(Counter((row.severity, row.rule, row.layer) for row in rows).values(), default=0) > 1


def _line(outcome: Outcome, context: CommandContext) -> str:
    """Return what became of a source, in one line."""
    if outcome.already is not None and not outcome.planned:
        return context.say("cli.unchanged_source", source=outcome.source, version=outcome.already)
    numbers = {k: outcome.counts.get(k, 0) for k in ("read", "stored", "quarantined", "decoration")}
    counted = [f"{_name(context, name)} {count}" for name, count in outcome.counts.get("features", {}).items() if count]
    rule = "cli.source_line" if outcome.version is not None else "cli.checked_line"
    line = context.say(rule, source=outcome.source, kind=outcome.kind, **numbers)
    comma, semicolon = ("、", "；") if context.lang == "zh" else (", ", "; ")
    learned = (
        "" if outcome.learned is None else context.say("cli.mapping_learned", path=f"mappings/{outcome.learned.name}")
    )
    rows = outcome.counts.get("left_out", 0)
    left_out = context.say("cli.left_out", rows=rows) if rows else ""
    parts = (line, comma.join(counted), left_out, _became(outcome, context), learned)
    return semicolon.join(part for part in parts if part)


def _became(outcome: Outcome, context: CommandContext) -> str:
    """Return which version it made, or in a dry run what it would change."""
    if outcome.version is not None and outcome.version.made:
        changed = [t for name, t in outcome.version.touched.items() if name != "finding"]
        inserted, updated, ended = (
            sum(getattr(t, name) for t in changed) for name in ("inserted", "updated", "terminated")
        )
        return context.say(
            "cli.version_made", version=outcome.version.number, inserted=inserted, updated=updated, ended=ended
        )
    if outcome.version is not None:
        return context.say("cli.no_change")
    planned = [
        f"{_name(context, name)} "
        + " ".join(f"{context.say(f'cli.{kind}')} {count}" for kind, count in counts.items() if count)
        for name, counts in outcome.planned.items()
        if any(counts.values())
    ]
    if not planned:
        return ""
    hint = context.say("cli.kept_hint") if any(counts["kept"] for counts in outcome.planned.values()) else ""
    return context.say("cli.dry_run", planned=planned) + hint


def _remarks(outcome: Outcome, context: CommandContext) -> list[str]:
    """Return what else is to be known of a delivery: what happened to networks, which columns and features stay as they were."""
    comma, zh = ("、", context.lang == "zh") if context.lang == "zh" else (", ", False)
    remarks = []
    for layer, kinds in outcome.kinds.items():
        if set(kinds) - {"new"}:
            counts = [f"{context.say(f'cli.{kind}')} {count}" for kind, count in kinds.items()]
            remarks.append(context.say("cli.kinds", name=_name(context, layer), counts=comma.join(counts)))
    for layer, columns in outcome.kept_columns.items():
        described = {each.name: each.title(context.lang) for each in context.town.catalogue[layer].fields} if zh else {}
        names = comma.join(described.get(name, name) for name in columns)
        remarks.append(context.say("cli.kept_columns", name=_name(context, layer), columns=names))
    for layer, count in outcome.others.items():
        remarks.append(context.say("cli.others_stay", name=_name(context, layer), count=count))
    for key, counts_by_layer in (("cli.ended_since", outcome.ended_since), ("cli.outlasting", outcome.outlasting)):
        remarks += [context.say(key, name=_name(context, name), count=n) for name, n in counts_by_layer.items()]
    return ["  " + remark for remark in remarks]


def _name(context: CommandContext, layer: str) -> str:
    """Return how output names a layer; without a town there is only the id."""
    return layer_namer(context)(layer)


def _as_dict(outcome: Outcome, context: CommandContext) -> dict[str, Any]:
    version, error = outcome.version, outcome.error
    counts = ("inserted", "updated", "terminated", "unchanged")
    touched = version.touched if version else {}
    return {
        "source": outcome.source,
        "kind": outcome.kind,
        "version": version.number if version and version.made else None,
        "already": outcome.already,
        "counts": outcome.counts,
        "planned": outcome.planned,
        "ids": outcome.ids,
        "kinds": outcome.kinds,
        "kept_columns": outcome.kept_columns,
        "others": outcome.others,
        "ended_since": outcome.ended_since,
        "outlasting": outcome.outlasting,
        "error": error.text(context.lang) if error else None,
        "rule": error.rule_id if error else None,
        "changes": {layer: {name: getattr(changes, name) for name in counts} for layer, changes in touched.items()},
        "findings": [row_dict(row) for row in _finding_rows(context, outcome)],
    }
