"""`twin mapping draft` and `twin mapping check`: help with the table from an office's names to ours."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from api_config.commands.context import CommandContext, clean_stdout, command, help_text
from api_config.commands.localized import verb_group
from api_config.commands.read_limits import read_limits
from ingest.draft import ReadOptions
from ingest.mapping import ensure_fits, read_mapping
from ingest.mapping_draft import mapping_draft
from ingest.mapping_report import FieldReport, LayerReport, mapping_report
from ingest.readers import identify
from ingest.reading import ReadRequest, SourceReaders
from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.crs import crs_code
from twin_model.errors import CalledWrongly

__all__ = ["mapping_group"]

_WITHOUT_TOWN = "EPSG:4548"


def mapping_group(lang: str) -> click.Group:
    @verb_group("mapping", lang)
    def mapping() -> None: ...

    @mapping.command("draft", help=help_text("mapping_draft", lang))
    @click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
    @click.option("-o", "--output", type=click.Path(path_type=Path), help=help_text("mapping_output", lang))
    @command
    def draft(context: CommandContext, files: tuple[Path, ...], output: Path | None) -> None:
        with clean_stdout(), SourceReaders(read_limits(context.settings), len(files)) as readers:
            outlines = {path.name: readers.outline(_existing(path), ReadOptions()) for path in files}
        file = "" if output is None else str(output)
        texts = [mapping_draft(name, outline, _catalogue(context), lang, file) for name, outline in outlines.items()]
        _write("\n".join(texts), output, context)

    @mapping.command("check", help=help_text("mapping_check", lang))
    @click.argument("file", type=click.Path(path_type=Path))
    @click.option(
        "--mapping",
        "mapping_file",
        required=True,
        type=click.Path(path_type=Path),
        help=help_text("ingest_mapping", lang),
    )
    @click.option("--crs", metavar="EPSG:n", help=help_text("ingest_crs", lang))
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def check(context: CommandContext, file: Path, mapping_file: Path, crs: str | None, as_json: bool) -> int:
        options = ReadOptions(mapping=read_mapping(mapping_file), crs=crs_code(crs) if crs else None)
        reports = _reports(context, _existing(file), options)
        if as_json:
            context.json([_as_dict(report) for report in reports])
        else:
            for report in reports:
                _print_report(report, context)
        return int(any(report.missing or report.is_left_out for report in reports))

    return mapping


def _existing(path: Path) -> Path:
    if not path.exists():
        raise CalledWrongly("source.not_found", source=str(path))
    return path


def _catalogue(context: CommandContext) -> Catalogue:
    return context.town.catalogue if _has_town(context) else read_catalogue()


def _has_town(context: CommandContext) -> bool:
    return (context.settings.town / "town.toml").exists()


def _write(text: str, output: Path | None, context: CommandContext) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists():
        raise CalledWrongly("mapping.exists", path=str(output))
    output.write_text(text, "utf-8")
    context.tell("cli.mapping_written", path=str(output))


def _reports(context: CommandContext, path: Path, options: ReadOptions) -> list[LayerReport]:
    """Return what a mapping makes of a source; nothing is stored."""
    catalogue = _catalogue(context)
    ensure_fits(options.mapping, catalogue)
    crs = context.town.store.crs if _has_town(context) else options.crs or _WITHOUT_TOWN
    with (
        clean_stdout(),
        SourceReaders(read_limits(context.settings), 1) as readers,
        tempfile.TemporaryDirectory(prefix="twin-draft-") as folder,
    ):
        reader = readers.reader_of(path, options)
        outlines = readers.outline(path, options)
        request = ReadRequest(path, reader.name, identify(path, reader), options, catalogue, crs, Path(folder))
        with readers.begin(request) as reading:
            return mapping_report(options.mapping, outlines, reading.draft(lambda records: None))


def _print_report(report: LayerReport, context: CommandContext) -> None:
    if not report.target:
        rule = "empty" if report.is_empty else "joined" if report.joined_to else "unmapped"
        context.tell(f"cli.mapping_{rule}", source_layer=report.source_layer, layer=report.joined_to)
        return
    layer = _catalogue(context)[report.target]
    title = context.say(
        "cli.mapping_title",
        source_layer=report.source_layer,
        target=layer.name_in(context.lang),
        features=report.features,
    )
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for name in ("field", "column", "before", "after"):
        table.add_column(context.say(f"cli.mapping_{name}"), overflow="fold")
    for each in report.fields:
        field = layer.field_of(each.field)
        name = f"{field.title(context.lang)} {each.field}" if field else each.field
        table.add_row(escape(name), escape(_column_text(each, context)), _listed(each.before), _listed(each.after))
    context.out.print(table)
    if report.kept:
        columns = [f"{column} ({', '.join(values)})" if values else column for column, values in report.kept]
        context.tell("cli.mapping_kept", columns=columns)


def _column_text(report: FieldReport, context: CommandContext) -> str:
    """Return the column of a field, or which names it looks for in vain."""
    if report.column or not report.wanted:
        return report.column or "-"
    return context.say("cli.mapping_missing", wanted=list(report.wanted))


def _listed(values: Iterable[str]) -> str:
    return escape(", ".join(values)) or "-"


def _as_dict(report: LayerReport) -> dict[str, Any]:
    return {
        "source_layer": report.source_layer,
        "target": report.target or None,
        "features": report.features,
        "empty": report.is_empty,
        "joined_to": report.joined_to or None,
        "fields": [
            {
                "field": each.field,
                "column": each.column or None,
                "before": each.before,
                "after": each.after,
                "wanted": each.wanted,
            }
            for each in report.fields
        ],
        "attributes": dict(report.kept),
    }
