"""`twin demo`: the sample town from its sources to the browser, with one command. A second run redoes only what changed."""

import subprocess
import sys
from pathlib import Path
from shutil import copyfile

import click

from api_config.commands.context import CommandContext, command, help_text
from api_config.commands.ingest import ProgressReporter, exit_code, print_outcomes, progress_bar
from api_config.commands.localized import verb
from api_config.commands.serve import serve_town
from api_config.commands.tiles import build_tiles
from api_config.delivery import Delivery, deliver
from api_config.demo_files import DemoFiles, write_notebooks
from api_config.settings import user_name
from ingest.draft import ReadOptions
from twin_model.errors import CalledWrongly
from twin_model.town import init_town

__all__ = ["demo_command"]

_FILES = DemoFiles()
_NOTEBOOKS = Path("notebooks")
_CRS = "EPSG:4548"
"""The survey tables and drawings of the sample town carry no CRS, as those of real offices; this is what theirs is."""
_DELIVERIES = ("planning", "topo", "survey", "ifc")


def demo_command(lang: str) -> click.Command:
    @verb("demo", lang)
    @click.option("--serve/--no-serve", default=True, help=help_text("demo_serve", lang))
    @click.option("--samples", type=click.Path(path_type=Path), default=_FILES.samples, show_default=False)
    @command
    def demo(context: CommandContext, serve: bool, samples: Path) -> int:
        code = make_demo(context, samples)
        if code == 0 and serve:
            serve_town(context)
        return code

    return demo


def make_demo(context: CommandContext, samples: Path) -> int:
    """Write the sample sources, make the town where there is none, deliver, build tiles."""
    if not _FILES.generator.is_file():
        raise CalledWrongly("help.samples_missing", path=str(_FILES.generator))
    subprocess.run([sys.executable, str(_FILES.generator), "--out", str(samples)], check=True)
    folder = context.settings.town
    if not (folder / "town.toml").exists():
        init_town(folder, name="高铁新城", crs=_CRS).store.close()
        copyfile(_FILES.settings, folder / "town.toml")
    paths = [samples / name for name in _DELIVERIES if (samples / name).is_dir()]
    with progress_bar(context) as progress:
        outcomes = deliver(
            context.town,
            paths,
            Delivery(ReadOptions(crs=_CRS), user_name(context.settings), "demo"),
            ProgressReporter(progress, context.lang),
        )
    print_outcomes(context, outcomes)
    if exit_code(outcomes, strict=False):
        return 1
    build_tiles(context)
    if not _FILES.is_checkout and write_notebooks(_FILES.notebooks, _NOTEBOOKS):
        context.tell("cli.demo_notebooks", path=str(_NOTEBOOKS))
    return 0
