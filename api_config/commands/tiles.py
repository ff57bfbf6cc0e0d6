"""`twin tiles build`: terrain and 3D contents ahead of time, so that the first visitor does not wait."""

import click
from rich.progress import Progress

from api_config.commands.context import Frame, command, words
from api_config.commands.ingest import progress_bar
from api_config.commands.localized import verb_group
from tiles.town_tiles import TownTiles
from twin_model.layer import Layer
from twin_model.view import View

__all__ = ["build_tiles", "tiles_group"]


def tiles_group(lang: str) -> click.Group:
    @verb_group("tiles", lang)
    def tiles() -> None: ...

    @tiles.command("build", help=words("tiles_build", lang))
    @click.option("--json", "as_json", is_flag=True, help=words("json", lang))
    @command
    def build(frame: Frame, as_json: bool) -> None:
        built = build_tiles(frame)
        if as_json:
            frame.json(built)

    return tiles


def build_tiles(frame: Frame) -> dict[str, int]:
    """Make the ground and every content of every solid layer that is not in the cache yet; return contents by layer."""
    tiles, built = TownTiles(frame.town), {}
    with progress_bar(frame) as progress:
        task = progress.add_task(frame.say("cli.terrain"), total=None)
        tiles.ground.surface()
        progress.remove_task(task)
        for layer in frame.town.catalogue:
            if layer.model.get("kind") and frame.town.store.summary(layer.id).features:
                built[layer.id] = _build_layer(tiles, layer, progress, frame.lang)
    counts = [f"{frame.town.catalogue[name].name_in(frame.lang)} {count}" for name, count in built.items()]
    frame.err.print(frame.say("cli.tiles_built", layers=counts), highlight=False)
    return built


def _build_layer(tiles: TownTiles, layer: Layer, progress: Progress, lang: str) -> int:
    tree = tiles.tree(layer, View())
    task = progress.add_task(layer.title(lang), total=len(tree.names))
    for key, name in tree.names.items():
        tiles.content(layer, View(), key, name)
        progress.advance(task)
    return len(tree.names)
