"""What every verb of `twin` shares: words in the user's language, the town, JSON answers, errors as sentences."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click
import orjson
from rich.console import Console

from api_config.commands.typed_line import typed_line
from api_config.settings import Settings
from twin_model.error_log import write_error_log
from twin_model.errors import CalledWrongly, NotFound, TwinError
from twin_model.messages import render
from twin_model.messages.command_lines import pasted_as
from twin_model.town import Town, open_quietly

__all__ = ["CommandContext", "clean_stdout", "command", "help_text"]


@dataclass
class CommandContext:
    """The settings, the language and where output goes; `town` is opened when first asked for."""

    settings: Settings
    lang: str
    out: Console
    err: Console
    _town: Town | None = None

    @property
    def town(self) -> Town:
        if self._town is None:
            self._town = open_quietly(self.settings.town)
            for remark in self._town.remarks(self.lang):
                self.err.print(remark, style="yellow", highlight=False, markup=False, soft_wrap=True)
        return self._town

    @property
    def has_town(self) -> bool:
        """Whether there is a town where the settings say; `twin check` does without."""
        return self._town is not None or (self.settings.town / "town.toml").exists()

    def json(self, content: Any) -> None:
        click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2, default=str).decode())

    def say(self, rule: str, **values: Any) -> str:
        """Return the words of `messages/*/cli.toml` for a rule such as "cli.exported", in the user's language."""
        return render(rule, self.lang, values)

    def tell(self, rule: str, **values: Any) -> None:
        """Print the words of a rule."""
        self.out.print(self.say(rule, **values), highlight=False, markup=False, soft_wrap=True)

    def warn(self, rule: str, **values: Any) -> None:
        """Print the words of a rule beside the output, in yellow."""
        self.err.print(self.say(rule, **values), style="yellow", highlight=False, markup=False, soft_wrap=True)

    def print_error(self, error: TwinError) -> None:
        self.err.print(error.text(self.lang, "shell"), style="red", highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        if self._town is not None:
            self._town.store.close()


def help_text(key: str, lang: str) -> str:
    return render(f"help.{key}", lang, {})


@contextlib.contextmanager
def clean_stdout() -> Iterator[None]:
    """Send what libraries written in C print to stdout to stderr, so that an answer in JSON stays JSON."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Give a verb its context and its outer wall: errors become sentences, exits 0 done, 1 the data says no, 2 called wrongly."""

    @click.pass_obj
    @wraps(function)
    def run(context: CommandContext, *args: Any, **kwargs: Any) -> None:
        with pasted_as(typed_line(click.get_current_context())):
            raise SystemExit(_exit_code(context, function, args, kwargs))

    return run


def _exit_code(
    context: CommandContext, function: Callable[..., int | None], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> int:
    """Run a verb and return its exit code; whatever goes wrong is a sentence."""
    try:
        return function(context, *args, **kwargs) or 0
    except (CalledWrongly, NotFound) as error:
        context.print_error(error)
        return 2
    except TwinError as error:
        context.print_error(error)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        words = context.say("help.unforeseen", path=write_error_log(error))
        context.err.print(words, style="red", highlight=False, markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        context.err.print(context.say("cli.stopped"))
        return 130
    finally:
        context.close()
