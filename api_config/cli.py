"""`twin`: parse, call one function, print, exit. Help speaks the user's language; each ends in a line to paste."""

import os
import sys
from collections import UserDict
from pathlib import Path
from typing import Any

import click

from api_config.commands.context import CommandContext, help_text
from api_config.commands.localized import verb_group
from api_config.commands.terminal import TerminalConsole, keep_libraries_quiet
from api_config.commands.verbs import VERBS, Verb
from api_config.settings import Settings, language, settings_from
from ingest.vector.kind import UNUSED_DRIVERS
from twin_model.errors import CalledWrongly

__all__ = ["main", "make_cli"]


_WIDE = 200
"""Columns of tables that go into a file or a pipe: nothing in them is folded that need not be."""


class _Verbs(UserDict[str, Any]):
    """The verbs by name, each made when it is asked for."""

    def __init__(self, lang: str) -> None:
        super().__init__({verb.name: verb for verb in VERBS})
        self._lang = lang

    def __getitem__(self, name: str) -> click.Command:
        verb: Verb = super().__getitem__(name)
        return verb.load()(self._lang)


_LONG_WORK = frozenset({"ingest", "tiles", "backup", "audit"})
_NICENESS = 10
"""A service on the same machine that wants a core gets nine tenths of it."""


def make_cli(lang: str, *, gives_way: bool = False) -> click.Group:
    """Return the command with help in `lang` ("zh" or "en"); with `gives_way` long work lets other processes go first."""

    @verb_group(
        "twin",
        lang,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    @click.option("--town", type=click.Path(path_type=Path), help=help_text("town", lang))
    @click.pass_context
    def twin(context: click.Context, town: Path | None) -> None:
        context.obj = make_context(settings_from(os.environ, town=town, lang=lang))
        if gives_way and context.invoked_subcommand in _LONG_WORK:
            _give_way()

    twin.commands = _Verbs(lang)
    return twin


def make_context(settings: Settings) -> CommandContext:
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDE
    return CommandContext(
        settings, language(settings, os.environ), TerminalConsole(width=wide), TerminalConsole(stderr=True)
    )


def main() -> None:
    """Run the command line; the last wall: what nobody foresaw is logged to a file, the user gets a sentence."""
    try:
        lang = language(settings_from(os.environ), os.environ)
    except CalledWrongly as error:
        print(
            error.text(language(Settings(lang=os.environ.get("TWIN_LANG", "")), os.environ), "shell"), file=sys.stderr
        )
        sys.exit(2)
    _leave_out_drivers()
    keep_libraries_quiet(lang)
    try:
        make_cli(lang, gives_way=True)(prog_name="twin")
    except KeyboardInterrupt:
        sys.exit(130)


def _give_way() -> None:
    """Let a service on this machine answer first; on an idle machine nothing takes longer."""
    if hasattr(os, "nice"):
        os.nice(max(_NICENESS - os.nice(0), 0))


def _leave_out_drivers() -> None:
    """Have GDAL do without the drivers no source needs; it asks for their names once, when it is first imported."""
    os.environ["OGR_SKIP"] = ",".join(filter(None, [os.environ.get("OGR_SKIP"), UNUSED_DRIVERS]))
    os.environ.setdefault("CPL_LOG", os.devnull)  # where it would say that it never had one of them
