"""`twin`, or a script of the tests, in a process of its own, forked from one that has imported everything.

Importing anew costs a second of each run. It starts as the console script does, with its own environment, folder and
files for what it prints. What depends on how a process begins (a shell, a signal, what is imported when) is tested
with the script itself, in `test_cli.py` and `test_first_town.py`.
"""

import faulthandler
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import TextIO

__all__ = ["run_script", "run_twin", "start_script"]

_ROOT = Path(__file__).resolve().parent.parent
_FOLDERS = ("twin_model", "ingest", "tiles", "api_config/commands")
_IMPORTED = ["api_config.cli", "psycopg_pool", "ifcopenshell.geom"] + [
    ".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")
    for folder in _FOLDERS
    for path in sorted((_ROOT / folder).rglob("*.py"))
]
"""What a command may need: every module below the service, and what some of them import when they are used."""
_PATIENCE = 300
"""Seconds after which a run counts as hung."""

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(_IMPORTED)


def run_twin(
    *arguments: str | Path, environment: dict[str, str] | None = None, folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run `twin` with these arguments in English, `environment` laid over ours, and return what it printed and its code.

    It reads sources itself: a server of children costs a second a run. They have tests of their own (`test_reading.py`).
    """
    variables = {**os.environ, "TWIN_LANG": "en", "TWIN_JOBS": "0", **(environment or {})}
    return _run(_twin, ["twin", *map(str, arguments)], variables, folder or Path.cwd())


def run_script(script: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a Python script of the tests with these arguments, and return what it printed and its code."""
    return _run(_script, [str(script), *map(str, arguments)], dict(os.environ), Path.cwd())


def start_script(script: Path, *arguments: str | Path) -> tuple[ForkServerProcess, TextIO]:
    """Start a Python script of the tests; return its process and what it prints, to both channels, as it comes."""
    reader, writer = multiprocessing.Pipe(duplex=False)
    words = [str(script), *map(str, arguments)]
    process = _forking.Process(target=_printing_script, args=(words, dict(os.environ), str(Path.cwd()), writer))
    process.start()
    writer.close()
    return process, os.fdopen(os.dup(reader.fileno()), encoding="utf-8")


def _run(
    work: Callable[[], None], words: list[str], variables: dict[str, str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    """Do a piece of work in a fork, called with these words, and return what it printed and its code."""
    with tempfile.TemporaryDirectory(prefix="twin_run_") as name:
        out, err = Path(name) / "out", Path(name) / "err"
        process = _forking.Process(target=_begin, args=(work, words, variables, str(folder), str(out), str(err)))
        process.start()
        process.join(_PATIENCE)
        if process.is_alive():
            process.kill()
            raise AssertionError(f"{' '.join(words)} did not end within {_PATIENCE} s: {err.read_text('utf-8')}")
        return subprocess.CompletedProcess(words, process.exitcode or 0, out.read_text("utf-8"), err.read_text("utf-8"))


def _begin(
    work: Callable[[], None], words: list[str], variables: dict[str, str], folder: str, out: str, err: str
) -> None:
    """Be a process that was just started: with its own channels, environment, folder and words."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.argv = words
    work()


def _printing_script(words: list[str], variables: dict[str, str], folder: str, writer: Connection) -> None:
    channel = f"/dev/fd/{writer.fileno()}"
    _begin(_script, words, variables, folder, channel, channel)


def _twin() -> None:
    from api_config.cli import main

    main()


def _script() -> None:
    faulthandler.enable()
    sys.path.insert(0, str(_ROOT / "tests"))
    runpy.run_path(sys.argv[0], run_name="__main__")
