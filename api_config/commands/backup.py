"""`twin backup`, `restore`, `copy`: the town in a file, out of one, and in another store."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from api_config.commands.context import CommandContext, command, help_text
from api_config.commands.ingest import progress_bar
from api_config.commands.localized import verb
from twin_model.backup import Backup, backup_town, restore_town
from twin_model.backup_archive import MOST_FILES, MOST_MIB, RestoreLimits
from twin_model.store.copying import copy_store
from twin_model.store.opening import copy_target

__all__ = ["backup_command", "copy_command", "restore_command"]

FC = TypeVar("FC", bound=Callable[..., object])


def backup_command(lang: str) -> click.Command:
    @verb("backup", lang)
    @click.argument("file", type=click.Path(path_type=Path))
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def backup(context: CommandContext, file: Path, as_json: bool) -> None:
        with progress_bar(context) as progress:
            task = progress.add_task("", total=None)
            made = backup_town(context.town, file, lambda name: progress.update(task, description=name))
        sentence = context.say("cli.backed_up", path=str(file), version=made.version, size=made.size)
        _tell(context, made, sentence, as_json=as_json)

    return backup


def _limit(name: str, default: int, help_name: str, lang: str) -> Callable[[FC], FC]:
    """Return an option that bounds what is unpacked."""
    kind = click.IntRange(1)
    return click.option(name, type=kind, default=default, show_default=True, help=help_text(help_name, lang))


def restore_command(lang: str) -> click.Command:
    @verb("restore", lang)
    @click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
    @click.option("--replace", is_flag=True, help=help_text("restore_replace", lang))
    @click.option("--store", "server", metavar="URL", help=help_text("restore_store", lang))
    @_limit("--most-mib", MOST_MIB, "restore_most_mib", lang)
    @_limit("--most-files", MOST_FILES, "restore_most_files", lang)
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def restore(
        context: CommandContext,
        file: Path,
        replace: bool,
        server: str | None,
        most_mib: int,
        most_files: int,
        as_json: bool,
    ) -> None:
        folder = context.settings.town
        with progress_bar(context) as progress:
            task = progress.add_task("", total=None)
            made = restore_town(
                file,
                folder,
                replace=replace,
                server=server,
                limits=RestoreLimits(most_mib, most_files),
                tick=lambda name: progress.update(task, description=name),
            )
        sentence = context.say("cli.restored", path=str(folder), version=made.version)
        _tell(context, made, sentence, as_json=as_json)
        if not as_json:
            _tell_places(context, made)

    return restore


def _tell_places(context: CommandContext, made: Backup) -> None:
    """Say where the replaced town lies now, that the store lies elsewhere than its backup said, and what is not sound."""
    if made.damages:
        context.tell("cli.restored_damages", count=made.damages)
    for rule, place in (("cli.replaced", made.replaced), ("cli.store_before", made.store_before)):
        if place:
            context.tell(rule, path=str(place))


def _tell(context: CommandContext, made: Backup, sentence: str, *, as_json: bool) -> None:
    if as_json:
        places = {"replaced": made.replaced, "store_before": made.store_before}
        content = {"version": made.version, "hash": made.hash, "made": made.made, "bytes": made.size}
        context.json(content | {key: place for key, place in places.items() if place})
    else:
        context.out.print(sentence, highlight=False, markup=False, soft_wrap=True)


def copy_command(lang: str) -> click.Command:
    @verb("copy", lang)
    @click.option("--to", "target", required=True, metavar="URL", help=help_text("copy_to", lang))
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def copy(context: CommandContext, target: str, as_json: bool) -> None:
        source = context.town.store
        made = copy_target(target, source.catalogue, source.crs, folder=Path.cwd(), zone=context.town.settings.timezone)
        try:
            with progress_bar(context) as progress:
                task = progress.add_task("", total=None)
                copied = [0]

                def tick(table: str, rows: int) -> None:
                    copied[0] += rows
                    progress.update(task, description=f"{table}  {copied[0]:,}")

                equal = copy_store(source, made, tick)
        finally:
            made.close()
        rows = sum(equal.rows.values())
        if as_json:
            context.json({"store": made.url, "rows": equal.rows, "hashes": equal.hashes, "looks": equal.looks})
            return
        context.tell("cli.copied", url=made.url, rows=rows, looks=equal.looks)

    return copy
