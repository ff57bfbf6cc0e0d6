"""`twin`: parse, call one function, print, exit. Help speaks the user's language; each ends in a line to paste."""

import os
import sys
from pathlib import Path

import click
from rich.console import Console

from api_config.commands.demo import demo_command
from api_config.commands.frame import Frame, words
from api_config.commands.history import (
    audit_group,
    diff_command,
    history_command,
    revert_command,
    show_command,
)
from api_config.commands.ingest import check_command, ingest_command
from api_config.commands.keeping import backup_command, copy_command, restore_command
from api_config.commands.serve import config_group, serve_command
from api_config.commands.tiles import tiles_group
from api_config.commands.town import export_command, findings_command, init_command, status_command
from api_config.settings import Settings, language, settings_from

__all__ = ["main", "make_cli"]


def make_cli(lang: str) -> click.Group:
    """Return the command with help in `lang` ("zh" or "en")."""

    @click.group(
        "twin",
        help=words("twin", lang),
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    @click.option("--town", type=click.Path(path_type=Path), help=words("town", lang))
    @click.pass_context
    def twin(context: click.Context, town: Path | None) -> None:
        context.obj = make_frame(settings_from(os.environ, town=town, lang=lang))

    for make in (init_command, ingest_command, check_command, status_command, findings_command, export_command, history_command, show_command,
                 diff_command, revert_command, audit_group, backup_command, restore_command, copy_command, tiles_group, config_group,
                 serve_command, demo_command):  # fmt: skip
        twin.add_command(make(lang))
    return twin


def make_frame(settings: Settings) -> Frame:
    return Frame(settings, language(settings, os.environ), Console(), Console(stderr=True))


def main() -> None:
    """Run the command line; the last wall: what nobody foresaw is logged to a file, the user gets a sentence."""
    lang = language(settings_from(os.environ), os.environ)
    try:
        make_cli(lang)(prog_name="twin")
    except KeyboardInterrupt:
        sys.exit(130)
