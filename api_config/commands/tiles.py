"""`twin tiles build`: terrain and 3D contents ahead of time, so that the first visitor does not wait."""

import os
from collections.abc import Callable

import click
from rich.progress import Progress, TaskID

from api_config.commands.context import CommandContext, command, help_text
from api_config.commands.ingest import progress_bar
from api_config.commands.localized import verb_group
from tiles.town_tiles import TownTiles, build_contents
from twin_model.workers import Workers

__all__ = ["build_tiles", "tiles_group"]


def tiles_group(lang: str) -> click.Group:
    @verb_group("tiles", lang)
    def tiles() -> None: ...

    @tiles.command("build", help=help_text("tiles_build", lang))
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def build(context: CommandContext, as_json: bool) -> None:
        built = build_tiles(context)
        if as_json:
            context.json(built)

    return tiles


def build_tiles(context: CommandContext) -> dict[str, int]:
    """Make the ground and every content of every solid layer that is not in the cache yet; return contents by layer."""
    town = context.town
    layers = [layer for layer in town.catalogue if layer.model.get("kind") and town.store.summary(layer.id).features]
    with progress_bar(context) as progress:
        task = progress.add_task(context.say("cli.terrain"), total=None)
        TownTiles(town).ground.surface()
        progress.remove_task(task)
        with Workers(max(1, min(len(layers), os.cpu_count() or 1))) as workers:
            building = {
                layer.id: workers.submit_with_progress(
                    _advancing(progress, progress.add_task(layer.title(context.lang), total=None)),
                    build_contents,
                    town.path.absolute(),
                    layer.id,
                )
                for layer in layers
            }
            built = {name: future.result() for name, future in building.items()}
    counts = [f"{town.catalogue[name].name_in(context.lang)} {count}" for name, count in built.items()]
    context.err.print(context.say("cli.tiles_built", layers=counts), highlight=False)
    return built


def _advancing(progress: Progress, task: TaskID) -> Callable[[int, int | None], None]:
    return lambda done, total: progress.update(task, completed=done, total=total)
