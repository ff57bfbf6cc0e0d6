"""`twin ingest` and `twin check`: sources in, changesets and findings out."""

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

from api_config.commands.frame import Frame, clean_stdout, command, words
from api_config.delivering import Delivery, Outcome, deliver, inspect
from api_config.settings import user_name
from ingest.draft import ReadOptions
from ingest.mapping import read_mapping
from twin_model.crs import crs_code
from twin_model.temporal import parse_instant

__all__ = ["ProgressReporter", "check_command", "ingest_command", "print_outcomes"]

_SHOWN = 5


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
        label = {"read": {"zh": "读取", "en": "reading"}, "commit": {"zh": "入库", "en": "storing"}}[name][
            self._lang
        ]
        self._progress.update(self._sources, description=f"{self._name}  {self._records:,}  {label}")


def progress_bar(frame: Frame) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=frame.err, transient=True, disable=not frame.err.is_terminal)


def ingest_command(lang: str) -> click.Command:
    @click.command("ingest", help=words("ingest", lang))
    @click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
    @click.option("--as", "kind", metavar="KIND", help=words("ingest_as", lang))
    @click.option("--mapping", type=click.Path(path_type=Path), help=words("ingest_mapping", lang))
    @click.option("--crs", metavar="EPSG:n", help=words("ingest_crs", lang))
    @click.option("--effective", metavar="DATE", help=words("ingest_effective", lang))
    @click.option("--reason", default="", help=words("ingest_reason", lang))
    @click.option("--dry-run", is_flag=True, help=words("ingest_dry", lang))
    @click.option("--strict", is_flag=True, help=words("ingest_strict", lang))
    @click.option("--json", "as_json", is_flag=True, help=words("json", lang))
    @command
    def ingest(frame: Frame, paths: tuple[Path, ...], kind: str | None, mapping: Path | None, crs: str | None, effective: str | None,
               reason: str, dry_run: bool, strict: bool, as_json: bool) -> int:  # fmt: skip
        options = _options(frame, kind, mapping, crs, effective)
        with clean_stdout(), progress_bar(frame) as progress:
            reporter = ProgressReporter(progress, frame.lang)
            delivery = Delivery(options, user_name(frame.settings), reason, dry_run)
            outcomes = deliver(frame.town, list(paths), delivery, reporter)
        print_outcomes(frame, outcomes, as_json=as_json)
        return exit_code(outcomes, strict=strict)

    return ingest


def check_command(lang: str) -> click.Command:
    @click.command("check", help=words("check", lang))
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
            frame.out.print(_line(one, frame.lang), highlight=False, markup=False, soft_wrap=True)
        for finding in one.findings[:_SHOWN]:
            frame.out.print(
                f"  {finding.severity:<7} {finding.text(frame.lang)}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
        if len(one.findings) > _SHOWN:
            more = {"zh": "另有 {n} 条：twin findings", "en": "and {n} more: twin findings"}[frame.lang]
            frame.out.print("  " + more.format(n=len(one.findings) - _SHOWN), highlight=False)


def _line(one: Outcome, lang: str) -> str:
    if one.already is not None:
        return {
            "zh": f"{one.source}：无变化（已在版本 {one.already} 中）",
            "en": f"{one.source}: no change (already in version {one.already})",
        }[lang]
    features = ", ".join(f"{name} {count}" for name, count in one.counts.get("features", {}).items())
    numbers = {k: one.counts.get(k, 0) for k in ("read", "stored", "quarantined", "decoration")}
    told = {
        "zh": "读入 {read} = 存入 {stored} + 搁置 {quarantined} + 符号 {decoration}",
        "en": "read {read} = stored {stored} + quarantined {quarantined} + decoration {decoration}",
    }
    text = f"{one.source} [{one.kind}]: {told[lang].format(**numbers)}; {features}"
    if one.version is not None:
        changed = sum(t.changed for name, t in one.version.touched.items() if name != "finding")
        made = {
            "zh": f"版本 {one.version.number}，变更 {changed}",
            "en": f"version {one.version.number}, {changed} changed",
        }[lang]
        return (
            f"{text}; {made}" if one.version.made else f"{text}; {'无变化' if lang == 'zh' else 'no change'}"
        )
    planned = "; ".join(
        f"{name}: " + ", ".join(f"{k} {v}" for k, v in counts.items()) for name, counts in one.planned.items()
    )
    return f"{text}; {planned}" if planned else text


def _as_dict(one: Outcome, lang: str) -> dict[str, Any]:
    return {
        "source": one.source, "kind": one.kind, "version": one.version.number if one.version and one.version.made else None,
        "already": one.already, "counts": one.counts, "planned": one.planned, "error": one.error.text(lang) if one.error else None,
        "changes": {name: {"inserted": t.inserted, "updated": t.updated, "terminated": t.terminated, "unchanged": t.unchanged}
                    for name, t in (one.version.touched.items() if one.version else ())},
        "findings": [{"rule": f.rule, "severity": f.severity, "layer": f.layer, "place": f.place, "text": f.text(lang)} for f in one.findings],
    }  # fmt: skip
