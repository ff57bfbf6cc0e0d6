"""What the user typed: the town, the verb with its options, and the path of each source.

Messages write the commands they propose for it (`twin_model/messages/command_lines.py`).
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import click
from click.core import ParameterSource

from ingest.archive import is_archive, member_names
from ingest.readers import find_sources
from twin_model.errors import TwinError
from twin_model.messages.command_lines import CommandLine, shell_quoted

__all__ = ["typed_line"]

_OF_READING = (
    "--as", "--mapping", "--crs", "--crs-wins", "--encoding", "--effective", "--scope", "--blank", "--dry-run",
)  # fmt: skip
"""Options without which a source would be read, or delivered, another way."""
_SERVING = ("serve", "demo")
"""Verbs whose messages go to others than the user: a town's folder is nothing for them."""


def typed_line(context: click.Context) -> CommandLine:
    """Return the line the user typed, as commands in messages need it."""
    verb = _verb(context)
    if verb in _SERVING:
        return CommandLine()
    town = context.find_root().params.get("town")
    paths = [Path(path) for name in ("paths", "files") for path in context.params.get(name) or ()]
    paths += [context.params["file"]] if isinstance(context.params.get("file"), Path) else []

    @cache
    def places() -> Mapping[str, str]:
        return _places(paths)

    def path_of(name: str) -> str | None:
        return places().get(name)

    return CommandLine("" if town is None else str(town), verb, _options(context), path_of)


def _verb(context: click.Context) -> str:
    """Return the verb with the group it stands in, such as "mapping check"."""
    above = context.parent
    return "" if above is None else f"{_verb(above)} {context.info_name}".strip()


def _options(context: click.Context) -> dict[str, str]:
    """Return the options of reading that were given, each as words of a shell."""
    words: dict[str, str] = {}
    for param in context.command.params:
        name, value = param.opts[0], context.params.get(param.name or "")
        given = context.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
        if given and name in _OF_READING:
            values = value if isinstance(value, tuple) else (value,)
            words[name] = " ".join(name if each is True else f"{name} {shell_quoted(str(each))}" for each in values)
    return words


def _places(paths: Iterable[Path]) -> dict[str, str]:
    """Return the path of each source by its name: a file's own, of a zip's member the zip.

    Two sources of one name in a folder are both read from the folder.
    """
    places: dict[str, str] = {}
    for path in paths:
        for name, place in _named_sources(path):
            places[name] = place if places.get(name, place) == place else str(path)
    return places


def _named_sources(path: Path) -> Iterable[tuple[str, str]]:
    yield path.name, str(path)
    try:
        sources = find_sources(path)
    except TwinError:
        return
    for source in sources:
        if source != path:
            yield source.name, str(source)
        if is_archive(source):
            yield from ((name, str(source)) for name in member_names(source))
