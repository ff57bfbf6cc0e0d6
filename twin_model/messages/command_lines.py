"""Commands inside messages, written so that they can be pasted into a shell.

A template says `twin ingest {source} --crs {crs}`. Here a value in a command is quoted for a shell, the name of a source
becomes its path as the user gave it, and the command goes to the town that the user named. Who runs commands says with
`pasted_as` what the user typed; in a notebook and in the service nobody does, and values are only quoted.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

__all__ = ["CommandLine", "argument", "in_town", "pasted_as", "pasted_template", "shell_quoted"]

_COMMAND = re.compile(
    r"(?<![\w/.-])twin (?=--town|[a-z])(?P<call>.*?)(?=(?<!\.\.)[.;,:)](?:\s|$)|[。；，：“”（）\n]|$)"
)
"""A command in a template: it ends where its sentence does."""
_PROPOSED = re.compile(r"(?:(?:^|[:：;\n]|\b(?:with|Let|run|from)|用|执行|见|运行)\s*)$")
"""What stands before a command that is to be run; elsewhere one is only spoken of."""
_FIELD = re.compile(r"(?<!\{)\{(\w+)(?:!\w)?\}(?!\})")
_SAFE = re.compile(r"[\w@%+=:,./-]+", re.UNICODE)
_OF_SOURCES = ("ingest", "check", "mapping")
_WITHOUT_TOWN = ("init", "demo")
_ONLY_INGEST = ("--accept-removals", "--again", "--blank", "--effective", "--fail-fast", "--learn", "--scope")
_ONE_OF = ("--as", "--mapping")


@dataclass(frozen=True, eq=False)
class CommandLine:
    """What the user typed: the town behind `--town`, the verb, its options as words, and where a source lies.

    `path_of` returns the path of a source by its name as the user gave it, None for a name that is none.
    """

    town: str = ""
    verb: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    path_of: Callable[[str], str | None] = field(default=lambda name: None)


_NOBODY = CommandLine()
_typed: ContextVar[CommandLine] = ContextVar("typed", default=_NOBODY)


@contextmanager
def pasted_as(line: CommandLine) -> Iterator[None]:
    """Write the commands in messages for a user who typed this line, while the block runs."""
    token = _typed.set(line)
    try:
        yield
    finally:
        _typed.reset(token)


def shell_quoted(text: str) -> str:
    """Return a text as one word of a shell; letters of every script stay as they are.

    >>> shell_quoted("房屋 (2).shp"), shell_quoted("房屋.shp")
    ("'房屋 (2).shp'", '房屋.shp')
    """
    return text if _SAFE.fullmatch(text) and not text.startswith("-") else shlex.quote(text)


def argument(value: Any, conversion: str) -> str:
    """Return a value as a word of a command, quoted; with conversion "p" the name of a source as its path."""
    text = str(value)
    path = _typed.get().path_of(text) if conversion == "p" else None
    return shell_quoted(path or text)


def pasted_template(template: str) -> str:
    """Return a template whose commands are for the line the user typed; its fields in commands are marked `!q` or `!p`."""
    return _pasted(template, _typed.get()) if "twin " in template else template


def in_town(command: str) -> str:
    """Return a command that code has put together, with the town that the user named."""
    line = _typed.get()
    if not line.town or not command.startswith("twin ") or command.startswith("twin --town"):
        return command
    return f"twin --town {shell_quoted(line.town)} {command.removeprefix('twin ')}"


@lru_cache(maxsize=1024)
def _pasted(template: str, line: CommandLine) -> str:
    return _COMMAND.sub(lambda match: _written(match, line), template)


def _written(match: re.Match[str], line: CommandLine) -> str:
    """Return a command of a template for a line: its verb, its town, the options that stay, its fields marked."""
    call = match["call"]
    verb = call.split(" ", 1)[0]
    names = set(re.findall(r"--[a-z-]+", call))
    source = _FIELD.search(call) if verb in _OF_SOURCES else None
    if source is not None and verb == "ingest":
        call = call[: source.end()] + _further(line, names) + call[source.end() :]
        if line.verb == "check" and names.isdisjoint(_ONLY_INGEST):
            call = "check" + call.removeprefix("ingest")
    mark = "p" if verb in _OF_SOURCES else "q"
    call = _FIELD.sub(rf"{{\1!{mark}}}", call)
    proposed = line.town and verb not in ("--town", *_WITHOUT_TOWN) and _PROPOSED.search(match.string[: match.start()])
    town = f"--town {_literal(shell_quoted(line.town))} " if proposed else ""
    return f"twin {town}{call}"


def _further(line: CommandLine, names: set[str]) -> str:
    """Return the options that the user gave and the command does not name: without them it would read another way."""
    if line.verb not in ("ingest", "check"):
        return ""
    named = names | (set(_ONE_OF) if names & set(_ONE_OF) else set())
    words = (word for name, word in line.options.items() if name not in named)
    return "".join(f" {_literal(word)}" for word in words)


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
