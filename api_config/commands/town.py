"""`twin init`, `status`, `export`: the town's folder and what it holds."""

from datetime import date
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from api_config.commands.classified import classified_option, ensure_may_leave, marked_path
from api_config.commands.context import CommandContext, command, help_text
from api_config.commands.localized import verb
from api_config.commands.reports import report_heading
from tiles.encodings.files import write_frames
from twin_model.classification import Marking, combined
from twin_model.crs import CRS84, crs_code
from twin_model.errors import QueryRefused
from twin_model.filter import parse_filter
from twin_model.finding import Finding
from twin_model.messages.fragments import in_chinese
from twin_model.store.base import FeatureQuery
from twin_model.town import Town, init_town
from twin_model.view import View

__all__ = ["export_command", "init_command", "status_command", "status_of"]

ALL_PIPES = "pipes"
"""The word that exports points and lines of pipes as the tables of a survey, in one workbook or folder."""
_PIPE_LAYERS = ("pipe_point", "pipe_line")


def init_command(lang: str) -> click.Command:
    @verb("init", lang)
    @click.argument("folder", required=False, type=click.Path(path_type=Path))
    @click.option("--name", required=True, help=help_text("init_name", lang))
    @click.option("--crs", required=True, metavar="EPSG:n", help=help_text("init_crs", lang))
    @click.option("--store", default="store.gpkg", show_default=True, help=help_text("init_store", lang))
    @command
    def init(context: CommandContext, folder: Path | None, name: str, crs: str, store: str) -> None:
        path = folder or context.settings.town
        with init_town(path, name=name, crs=crs, store=store) as town:
            context.tell("cli.town_made", name=name, path=str(path), crs=town.store.crs)

    return init


def status_of(town: Town, view: View | None = None) -> dict[str, Any]:
    """Return what `twin status --json` answers."""
    layers, view = {}, view or View()
    for layer in town.catalogue:
        summary = town.store.summary(layer.id, view) if layer.kind == "feature" else None
        if summary is not None:
            layers[layer.id] = {
                "features": summary.features,
                "geometry": layer.geometry,
                "crs": town.store.crs,
                "extent": list(summary.extent) if summary.extent else None,
            }
    findings = {
        name: town.store.count(FeatureQuery("finding", view=view, where=parse_filter(f"severity = '{name}'")))
        for name in ("error", "warning", "info")
    }
    return {
        "town": town.settings.name("zh"),
        "version": town.store.version() if view.recorded is None else view.recorded,
        "layers": layers,
        "findings": findings,
    }


def status_command(lang: str) -> click.Command:
    @verb("status", lang)
    @click.option("--datetime", "--at", "datetime", help=help_text("datetime", lang))
    @click.option("--recorded", "--as-known", "recorded", help=help_text("recorded", lang))
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def status(context: CommandContext, datetime: str | None, recorded: str | None, as_json: bool) -> None:
        answer = status_of(context.town, context.town.view(datetime, recorded))
        if as_json:
            context.json(answer)
            return
        table = Table(*(context.say(f"cli.{name}") for name in ("layer", "title", "features", "geometry")))
        for name, one in answer["layers"].items():
            if one["features"]:
                table.add_row(
                    name,
                    context.town.catalogue[name].title(context.lang),
                    f"{one['features']:,}",
                    in_chinese(one["geometry"]) if context.lang == "zh" else one["geometry"],
                )
        context.tell(
            "cli.status_line",
            town=context.town.settings.name(context.lang),
            crs=context.town.store.crs,
            version=answer["version"],
        )
        if table.row_count:
            context.out.print(table)
        else:
            context.tell("cli.status_empty")
        context.tell("cli.status_findings", **answer["findings"])

    return status


def export_command(lang: str) -> click.Command:
    @verb("export", lang)
    @click.argument("layer")
    @click.argument("file", type=click.Path(path_type=Path))
    @click.option("--crs", metavar="EPSG:n", help=help_text("export_crs", lang))
    @click.option("--datetime", "--at", "datetime", help=help_text("datetime", lang))
    @click.option("--recorded", "--as-known", "recorded", help=help_text("recorded", lang))
    @classified_option(lang)
    @command
    def export(
        context: CommandContext,
        layer: str,
        file: Path,
        crs: str | None,
        datetime: str | None,
        recorded: str | None,
        classified_ok: bool,
    ) -> None:
        view = context.town.view(datetime, recorded)
        marking = _marking(context.town, layer)
        ensure_may_leave(layer, marking, classified_ok)
        file = marked_path(file, marking)
        if layer == ALL_PIPES or (layer in _PIPE_LAYERS and file.suffix.lower() == ".xlsx"):
            target = crs_code(crs) if crs else context.town.store.crs
            written = _export_pipes(context, layer, file, view, target, datetime, marking)
            context.tell("cli.exported", written=written, path=str(file))
            return
        described = context.town.catalogue[layer]
        query = FeatureQuery(described.id, view=view)
        target = (
            crs_code(crs) if crs else CRS84 if file.suffix.lower() in {".geojson", ".json"} else context.town.store.crs
        )
        findings: list[Finding] = []
        frames = context.town.store.frames(query)
        zone = context.town.settings.timezone
        written = write_frames(
            frames,
            described,
            file,
            crs=target,
            day=datetime or "",
            zone=zone,
            report=findings.append,
            marking=marking,
        )
        context.tell("cli.exported", written=written, path=str(file))
        for finding in findings:
            context.tell(finding.rule, layer=finding.layer, path=str(file), **finding.values)

    return export


def _marking(town: Town, layer: str) -> Marking:
    """Return the marking of what is exported; pipes are classed as the higher of their points and lines."""
    names = _PIPE_LAYERS if layer == ALL_PIPES else (layer,)
    return combined(town.marking(town.catalogue[name]) for name in names)


def _export_pipes(
    context: CommandContext,
    layer: str,
    file: Path,
    view: View,
    crs: str,
    datetime: str | None,
    marking: Marking,
) -> int:
    """Write the tables of a pipe survey and return how many rows they have."""
    from tiles.encodings.pipe_tables import TableHeading, line_tables, point_tables, write_pipe_tables

    town = context.town
    if file.suffix and file.suffix.lower() != ".xlsx":
        raise QueryRefused("query.format", value=file.suffix, nearest=[".xlsx"])
    points, lines = (town.store.features(FeatureQuery(name, view=view)) for name in _PIPE_LAYERS)
    tables = point_tables(points, town.catalogue["pipe_point"], crs, context.lang) if layer != "pipe_line" else []
    if layer != "pipe_point":
        tables += line_tables(lines, points, town.catalogue["pipe_line"], context.lang)
    if not tables:
        raise QueryRefused("query.nothing_to_export", layer=layer, day=datetime or date.today().isoformat())
    above = report_heading(context, town, crs)
    heading = TableHeading(above.project, above.crs, above.heights, above.date, marking.text(context.lang))
    return write_pipe_tables(tables, file, heading, context.lang)
