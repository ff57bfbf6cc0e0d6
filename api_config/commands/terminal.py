"""What reaches the terminal of a command: our words; nothing that a library logs or warns of."""

import logging
import sys
import warnings
from typing import Any

from rich.console import Console
from rich.text import Text

from twin_model.errors import TownWarning
from twin_model.visible_text import visible

__all__ = ["TerminalConsole", "keep_libraries_quiet"]

_HEARD = ("twin", "uvicorn")


class TerminalConsole(Console):
    """A console whose texts hold nothing that a terminal obeys: names and values come from whoever delivers."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as the console shows it; every text that is printed, and every cell of a table, comes by here."""
        return super().render_str(visible(text), **options)


def keep_libraries_quiet(lang: str) -> None:
    """Leave of logging's last resort and of Python's warnings what is ours; called once, by the command line; `lang` is that of our warnings.

    Handlers that a program sets itself, as the server does, are not touched.
    """
    if logging.lastResort is not None:
        logging.lastResort.addFilter(lambda record: record.name.split(".")[0] in _HEARD)

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        """Print a warning of ours as a sentence, without the line of code that Python puts before it."""
        if isinstance(message, TownWarning):
            print(visible(message.text(lang)), file=sys.stderr)

    warnings.showwarning = show
