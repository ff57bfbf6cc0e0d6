"""`twin ingest` and `twin check`: sources in, changesets and findings out."""

import sys
from pathlib import Path
from typing import Any

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from api_config.commands.context import Frame, clean_stdout, command, words
from api_config.commands.localized import verb
from api_config.delivery import Delivery, Outcome, deliver, inspect
from api_config.settings import user_name
from ingest.draft import ReadOptions
from ingest.mapping import read_mapping
from ingest.scope_file import read_scope
from twin_model.crs import crs_code
from twin_model.messages import render
from twin_model.messages.values import title_of_layer
from twin_model.temporal import parse_instant

__all__ = ["ProgressReporter", "check_command", "ingest_command", "print_outcomes"]

_SHOWN = 5
_SEVERITIES = ("error", "warning", "info")


class ProgressReporter:
    """Shows a delivery on the terminal: which source, how many records, what is being done."""

    def __init__(self, progress: Progress, lang: str) -> None:
        self._progress, self._lang = progress, lang
        self._sources = progress.add_task("", total=None)
        self._records = 0
        self._name = ""

    def source(self, name: str, number: int, total: int) -> None:
        self._name, self._records = name, 0
        self._progress.update(self._sources, description=name, total=total, completed=number - 1)

    def read(self, records: int) -> None:
        self._records += records
        self._progress.update(self._sources, description=f"{self._name}  {self._records:,}")

    def stage(self, name: str) -> None:
        label = render({"read": "cli.reading", "commit": "cli.storing"}[name], self._lang, {})
        self._progress.update(self._sources, description=f"{self._name}  {self._records:,}  {label}")


def progress_bar(frame: Frame) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Not what rich takes for a terminal: FORCE_COLOR, as notebooks set it, makes no terminal of a pipe.
    return Progress(*columns, console=frame.err, transient=True, disable=not sys.stderr.isatty())


def ingest_command(lang: str) -> click.Command:
    @verb("ingest", lang)
    @click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
    @click.option("--as", "kind", metavar="KIND", help=words("ingest_as", lang))
    @click.option("--mapping", type=click.Path(path_type=Path), help=words("ingest_mapping", lang))
    @click.option("--crs", metavar="EPSG:n", help=words("ingest_crs", lang))
    @click.option("--effective", metavar="DATE", help=words("ingest_effective", lang))
    @click.option("--reason", default="", help=words("ingest_reason", lang))
    @click.option(
        "--scope", default="seen", metavar="seen|sheet|layer|FILE", help=words("ingest_scope", lang)
    )
    @click.option("--accept-removals", is_flag=True, help=words("ingest_removals", lang))
    @click.option("--dry-run", is_flag=True, help=words("ingest_dry", lang))
    @click.option("--strict", is_flag=True, help=words("ingest_strict", lang))
    @click.option("--json", "as_json", is_flag=True, help=words("json", lang))
    @command
    def ingest(frame: Frame, paths: tuple[Path, ...], kind: str | None, mapping: Path | None, crs: str | None, effective: str | None,
               reason: str, scope: str, accept_removals: bool, dry_run: bool, strict: bool, as_json: bool) -> int:  # fmt: skip
        options = _options(frame, kind, mapping, crs, effective)
        reach, area = read_scope(scope, storage_crs=frame.town.store.crs, crs=options.crs)
        with clean_stdout(), progress_bar(frame) as progress:
            reporter = ProgressReporter(progress, frame.lang)
            delivery = Delivery(
                options, user_name(frame.settings), reason, dry_run, reach, area, accept_removals
            )
            outcomes = deliver(frame.town, list(paths), delivery, reporter)
        print_outcomes(frame, outcomes, as_json=as_json)
        return exit_code(outcomes, strict=strict)

    return ingest


def check_command(lang: str) -> click.Command:
    @verb("check", lang)
    @click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
    @click.option("--as", "kind", metavar="KIND", help=words("ingest_as", lang))
    @click.option("--mapping", type=click.Path(path_type=Path), help=words("ingest_mapping", lang))
    @click.option("--crs", metavar="EPSG:n", help=words("ingest_crs", lang))
    @click.option("--strict", is_flag=True, help=words("ingest_strict", lang))
    @click.option("--json", "as_json", is_flag=True, help=words("json", lang))
    @command
    def check(
        frame: Frame,
        paths: tuple[Path, ...],
        kind: str | None,
        mapping: Path | None,
        crs: str | None,
        strict: bool,
        as_json: bool,
    ) -> int:
        town = frame.town if (frame.settings.town / "town.toml").exists() else None
        options = _options(frame, kind, mapping, crs, None)
        with clean_stdout():
            outcomes = [one for path in paths for one in inspect(town, path, options)]
        print_outcomes(frame, outcomes, as_json=as_json)
        return exit_code(outcomes, strict=strict)

    return check


def _options(
    frame: Frame, kind: str | None, mapping: Path | None, crs: str | None, effective: str | None
) -> ReadOptions:
    return ReadOptions(
        kind=kind, mapping=read_mapping(mapping) if mapping else None, crs=crs_code(crs) if crs else None,
        effective=parse_instant(effective)[0] if effective else None,
    )  # fmt: skip


def exit_code(outcomes: list[Outcome], *, strict: bool) -> int:
    """0 done, also with findings; 1 when a file was refused, or under `--strict` when a finding is an error."""
    refused = any(one.error is not None for one in outcomes)
    errors = any(finding.severity == "error" for one in outcomes for finding in one.findings)
    return int(refused or (strict and errors))


def print_outcomes(frame: Frame, outcomes: list[Outcome], *, as_json: bool = False) -> None:
    if as_json:
        frame.json([_as_dict(one, frame.lang) for one in outcomes])
        return
    for one in outcomes:
        if one.error is not None:
            frame.complain(one.error)
        else:
            frame.out.print(_line(one, frame), highlight=False, markup=False, soft_wrap=True)
        _print_findings(frame, one)


def _print_findings(frame: Frame, one: Outcome) -> None:
    """Print the first findings, the worst of them first, and say where the others are."""
    worst_first = sorted(one.findings, key=lambda finding: _SEVERITIES.index(finding.severity))
    for finding in worst_first[:_SHOWN]:
        text = f"  {frame.say('cli.severity_' + finding.severity):<7} {finding.text(frame.lang)}"
        frame.out.print(text, highlight=False, markup=False, soft_wrap=True)
    left = len(one.findings) - _SHOWN
    if left > 0:
        stored = one.version is not None and one.version.made
        where = "twin findings" if stored else "--json"
        frame.out.print("  " + frame.say("cli.more_findings", left=left, where=where), highlight=False)


def _line(one: Outcome, frame: Frame) -> str:
    """Return what became of a source, in one line."""
    if one.already is not None and not one.planned:
        return frame.say("cli.unchanged_source", source=one.source, version=one.already)
    numbers = {k: one.counts.get(k, 0) for k in ("read", "stored", "quarantined", "decoration")}
    counted = [
        f"{_name(frame, name)} {count}" for name, count in one.counts.get("features", {}).items() if count
    ]
    line = frame.say("cli.source_line", source=one.source, kind=one.kind, **numbers)
    comma, semicolon = ("、", "；") if frame.lang == "zh" else (", ", "; ")
    return semicolon.join(part for part in (line, comma.join(counted), _became(one, frame)) if part)


def _became(one: Outcome, frame: Frame) -> str:
    """Return which version it made, or in a dry run what it would change."""
    if one.version is not None and one.version.made:
        changed = [t for name, t in one.version.touched.items() if name != "finding"]
        inserted, updated, ended = (
            sum(getattr(t, name) for t in changed) for name in ("inserted", "updated", "terminated")
        )
        return frame.say(
            "cli.version_made", version=one.version.number, inserted=inserted, updated=updated, ended=ended
        )
    if one.version is not None:
        return frame.say("cli.no_change")
    planned = [
        f"{_name(frame, name)} " + " ".join(f"{frame.say(f'cli.{kind}')} {count}" for kind, count in counts.items() if count)
        for name, counts in one.planned.items() if any(counts.values())
    ]  # fmt: skip
    if not planned:
        return ""
    hint = frame.say("cli.kept_hint") if any(counts["kept"] for counts in one.planned.values()) else ""
    return frame.say("cli.dry_run", planned=planned) + hint


def _name(frame: Frame, layer: str) -> str:
    """Return how output names a layer; without a town there is only the id."""
    if frame.lang == "zh" and not (frame.settings.town / "town.toml").exists():
        return title_of_layer(layer) or layer
    return frame.town.catalogue[layer].name_in(frame.lang) if frame.lang == "zh" else layer


def _as_dict(one: Outcome, lang: str) -> dict[str, Any]:
    return {
        "source": one.source, "kind": one.kind, "version": one.version.number if one.version and one.version.made else None,
        "already": one.already, "counts": one.counts, "planned": one.planned, "ids": one.ids, "error": one.error.text(lang) if one.error else None, "rule": one.error.rule_id if one.error else None,
        "changes": {name: {"inserted": t.inserted, "updated": t.updated, "terminated": t.terminated, "unchanged": t.unchanged}
                    for name, t in (one.version.touched.items() if one.version else ())},
        "findings": [{"rule": f.rule, "severity": f.severity, "layer": f.layer, "place": f.place, "text": f.text(lang)} for f in one.findings],
    }  # fmt: skip
