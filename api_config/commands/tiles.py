"""`twin tiles build`: terrain and 3D contents ahead of time, so that the first visitor does not wait."""

import click
from rich.progress import Progress

from api_config.commands.context import CommandContext, command, help_text
from api_config.commands.ingest import progress_bar
from api_config.commands.localized import verb_group
from tiles.town_tiles import TownTiles
from twin_model.layer import Layer
from twin_model.view import View

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
    tiles, built = TownTiles(context.town), {}
    with progress_bar(context) as progress:
        task = progress.add_task(context.say("cli.terrain"), total=None)
        tiles.ground.surface()
        progress.remove_task(task)
        for layer in context.town.catalogue:
            if layer.model.get("kind") and context.town.store.summary(layer.id).features:
                built[layer.id] = _build_layer(tiles, layer, progress, context.lang)
    counts = [
        f"{context.town.catalogue[name].name_in(context.lang)} {count}" for name, count in built.items()
    ]
    context.err.print(context.say("cli.tiles_built", layers=counts), highlight=False)
    return built


def _build_layer(tiles: TownTiles, layer: Layer, progress: Progress, lang: str) -> int:
    tree = tiles.tree(layer, View())
    task = progress.add_task(layer.title(lang), total=len(tree.names))
    for key, name in tree.names.items():
        tiles.content(layer, View(), key, name)
        progress.advance(task)
    return len(tree.names)
