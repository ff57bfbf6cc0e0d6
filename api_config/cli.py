"""`twin`: parse, call one function, print, exit. Help speaks the user's language; each ends in a line to paste."""

import os
import sys
from collections import UserDict
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from api_config.commands.context import CommandContext, help_text
from api_config.commands.localized import verb_group
from api_config.settings import Settings, language, settings_from
from ingest.vector.kind import UNUSED_DRIVERS

__all__ = ["main", "make_cli"]

_VERBS = {
    "init": "town:init_command", "ingest": "ingest:ingest_command", "check": "ingest:check_command",
    "status": "town:status_command", "findings": "town:findings_command", "export": "town:export_command",
    "history": "history:history_command", "show": "history:show_command", "diff": "history:diff_command",
    "revert": "history:revert_command", "audit": "history:audit_group", "backup": "backup:backup_command",
    "restore": "backup:restore_command", "copy": "backup:copy_command", "tiles": "tiles:tiles_group",
    "config": "serve:config_group", "serve": "serve:serve_command", "demo": "demo:demo_command",
}  # fmt: skip
"""Verb -> the module below `api_config.commands` and the function that make it."""


class _Verbs(UserDict[str, Any]):
    """The verbs, each made when it is asked for: who brings in a file need not wait for the server's libraries."""

    def __init__(self, lang: str) -> None:
        super().__init__(_VERBS)
        self._lang = lang

    def __getitem__(self, verb: str) -> click.Command:
        module, make = super().__getitem__(verb).split(":")
        made: click.Command = getattr(import_module(f"api_config.commands.{module}"), make)(self._lang)
        return made


def make_cli(lang: str) -> click.Group:
    """Return the command with help in `lang` ("zh" or "en")."""

    @verb_group(
        "twin",
        lang,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    @click.option("--town", type=click.Path(path_type=Path), help=help_text("town", lang))
    @click.pass_context
    def twin(context: click.Context, town: Path | None) -> None:
        context.obj = make_context(settings_from(os.environ, town=town, lang=lang))

    twin.commands = _Verbs(lang)
    return twin


def make_context(settings: Settings) -> CommandContext:
    return CommandContext(settings, language(settings, os.environ), Console(), Console(stderr=True))


def main() -> None:
    """Run the command line; the last wall: what nobody foresaw is logged to a file, the user gets a sentence."""
    lang = language(settings_from(os.environ), os.environ)
    _leave_out_drivers()
    try:
        make_cli(lang)(prog_name="twin")
    except KeyboardInterrupt:
        sys.exit(130)


def _leave_out_drivers() -> None:
    """Have GDAL do without the drivers no source needs; it asks for their names once, when it is first imported."""
    os.environ["OGR_SKIP"] = ",".join(filter(None, [os.environ.get("OGR_SKIP"), UNUSED_DRIVERS]))
    os.environ.setdefault("CPL_LOG", os.devnull)  # where it would say that it never had one of them
