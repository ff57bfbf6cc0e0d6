"""What higher packages do for a town: its service and its maps. `Town` offers them; nothing of theirs is imported here.

`twin_model` may import neither `tiles` nor `api_config`. So each function stands here as text, "module:function", and is
imported when it is first called; a test holds its signature equal to that of `Town`'s method.

    above("serve")(town, port=8123).url                 # 'http://127.0.0.1:8123'
"""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self

from twin_model.errors import PackageMissing

__all__ = ["FUNCTIONS", "RunningService", "TownMap", "above"]

FUNCTIONS = {"map": "tiles.notebook_map:map_of", "serve": "api_config.notebook_service:serve"}
"""The function of a higher package by the name of the method of `Town` that calls it."""


class RunningService(Protocol):
    """A service of a town in a process of its own; `api_config.notebook_service.NotebookService` is what it is."""

    @property
    def url(self) -> str:
        """The address of the landing page, without a slash at its end."""

    @property
    def is_running(self) -> bool: ...

    def stop(self) -> None:
        """End the service; a second call does nothing."""

    def log(self, lines: int = 20) -> str:
        """Return the last lines that the service wrote."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class TownMap(Protocol):
    """A map that a notebook shows; `tiles.notebook_map.NotebookMap` is what it is."""

    def to_html(self, path: str | Path) -> Path:
        """Write the map as a page of its own, which needs no network, and return its path."""

    def _repr_html_(self) -> str: ...


def above(name: str) -> Callable[..., Any]:
    """Return the function of a higher package that `Town.<name>` calls.

    Raises `PackageMissing` where that package, or a library it needs, is not installed.
    """
    module, _, function = FUNCTIONS[name].partition(":")
    try:
        return getattr(import_module(module), function)  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        raise PackageMissing(call=name, missing=error.name, python=sys.executable) from error
