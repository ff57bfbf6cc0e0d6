"""`twin` in a process of its own, forked from one that has imported everything: importing anew costs a second of each run.

It starts as the console script does, with its own environment, folder and files for what it prints. What depends on
how a process begins (a shell, a signal, what is imported when) is tested with the script itself, in `test_cli.py` and
`test_first_town.py`.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["run_twin"]

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
    words = [str(word) for word in arguments]
    variables = {**os.environ, "TWIN_LANG": "en", "TWIN_JOBS": "0", **(environment or {})}
    with tempfile.TemporaryDirectory(prefix="twin_run_") as name:
        out, err = Path(name) / "out", Path(name) / "err"
        place = str(folder or Path.cwd())
        process = _forking.Process(target=_twin, args=(words, variables, place, str(out), str(err)))
        process.start()
        process.join(_PATIENCE)
        if process.is_alive():
            process.kill()
            raise AssertionError(f"twin {' '.join(words)} did not end within {_PATIENCE} s: {err.read_text('utf-8')}")
        return subprocess.CompletedProcess(
            ["twin", *words], process.exitcode or 0, out.read_text("utf-8"), err.read_text("utf-8")
        )


def _twin(words: list[str], variables: dict[str, str], folder: str, out: str, err: str) -> None:
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.argv = ["twin", *words]
    from api_config.cli import main

    main()
